/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * peal-broker: options, signals, readiness.  It is a cache of the log, so
 * that it may be killed at any instant; asked to end, it leaves its state
 * clean and clients' positions on the disk.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>

#include "broker/calls.h"
#include "broker/folder.h"
#include "broker/meters.h"
#include "broker/parts.h"
#include "broker/serve.h"
#include "broker/store.h"
#include "core/conf.h"
#include "core/diag.h"
#include "core/hygiene.h"
#include "core/loop.h"
#include "core/notify.h"
#include "core/options.h"
#include "core/reason.h"
#include "core/reload.h"

enum {
	NICE = 10, /* the writer and the gateways come first */
	TICK_US = 1000000,
	RETRY_US = 100000, /* while there is no log */
};

struct process {
	struct parts parts;
	struct conf *conf;
	struct loop_io term, intr, hup;
	struct loop_timer begin, tick, watchdog;
	bool waits;   /* for a log, and has said so */
	bool metered; /* tools can see what is counted */
	int exit_code;
};

static void
stop(struct process *p, int exit_code)
{
	p->exit_code = exit_code;
	loop_stop(p->parts.loop);
}

static void
on_signal(void *arg, unsigned signo)
{
	struct process *p = arg;

	(void)notify_send("STOPPING=1");
	stop(p, OPTIONS_EXIT_OK);
}

static void
on_hup(void *arg, unsigned signo)
{
	struct process *p = arg;
	struct reason why = { "" };

	if (reload_conf(
		p->conf, "broker fold log.directory ring.directory", &why) < 0)
		diag_error("the configuration stays as it was: %s", why.text);
	else
		parts_configure(&p->parts);
}

static void
on_watchdog(void *arg)
{
	(void)notify_send("WATCHDOG=1");
}

/* Say where the state stands; see whether folding has come to its end. */
static void
on_tick(void *arg)
{
	struct process *p = arg;
	struct folder_status folder;
	struct store_status store;

	diag_tick();
	if (!parts_have_directory(&p->parts)) {
		diag_error("broker.directory was taken away: what is in it is "
			   "built anew at the next start");
		stop(p, OPTIONS_EXIT_ERROR);
		return;
	}
	serve_report(p->parts.serve);
	folder_status(p->parts.folder, &folder);
	store_status(p->parts.query.store, &store);
	if (folder.failed) {
		diag_error("the state can't be folded any further");
		stop(p, OPTIONS_EXIT_ERROR);
		return;
	}
	(void)notify_send("STATUS=%s: at seq %" PRIu64 " of %" PRIu64,
	    !folder.attached ? "waiting for the writer"
	    : folder.stalled ? "folding stands still: map or disk is full"
			     : "following the log",
	    store.seq, folder.tail_seq);
}

static void
ready(struct process *p)
{
	struct store_status store;

	hygiene_close_or_say(&calls_broker, -1);
	store_status(p->parts.query.store, &store);
	diag_note("ready: log=%s seq=%" PRIu64 " rows=%" PRIu64,
	    store.log[0] ? store.log : "none", store.seq, store.rows);
	(void)notify_send(
	    "READY=1\nSTATUS=serving from seq %" PRIu64 " on", store.seq);
	if (loop_timer_set(&p->tick, TICK_US, 1) < 0)
		stop(p, OPTIONS_EXIT_ERROR);
}

static int
exit_code_of(int opened)
{
	switch (opened) {
	case PARTS_HELD:
		return OPTIONS_EXIT_HELD;
	case PARTS_CONFIG:
		return OPTIONS_EXIT_USAGE;
	default:
		return OPTIONS_EXIT_ERROR;
	}
}

static void
on_begin(void *arg)
{
	struct process *p = arg;
	struct reason why = REASON_NO_MEMORY;
	struct reason unseen = { "" };
	int opened;

	/* Before the folder's thread, which counts. */
	if (!p->metered)
		p->metered =
		    meters_open(conf_text(p->parts.conf, CONF_ring_directory),
			&unseen) == 0;
	opened = parts_open(&p->parts, &why);
	if (opened == PARTS_OPENED) {
		if (!p->metered)
			diag_warn(
			    "tools do not see our counters: %s", unseen.text);
		ready(p);
		return;
	}
	if (opened == PARTS_NO_LOG &&
	    loop_timer_set(&p->begin, RETRY_US, 0) == 0) {
		if (!p->waits)
			diag_note("waiting for the log: %s", why.text);
		p->waits = true;
		return;
	}
	diag_error("cannot start: %s", why.text);
	stop(p, exit_code_of(opened));
}

static int
watch(struct process *p)
{
	struct loop *loop = p->parts.loop;
	uint64_t every_us = notify_watchdog_us();
	int err = loop_signal_add(loop, &p->term, SIGTERM, on_signal, p);

	if (!err)
		err = loop_signal_add(loop, &p->intr, SIGINT, on_signal, p);
	if (!err)
		err = loop_signal_add(loop, &p->hup, SIGHUP, on_hup, p);
	if (!err)
		err = loop_timer_init(loop, &p->begin, on_begin, p);
	if (!err)
		err = loop_timer_init(loop, &p->tick, on_tick, p);
	if (!err)
		err = loop_timer_init(loop, &p->watchdog, on_watchdog, p);
	if (!err && every_us > 0)
		err = loop_timer_set(&p->watchdog, every_us, 1);
	if (!err)
		err = loop_timer_set(&p->begin, 1, 0);
	return err;
}

/* Each snapshot that is being read is an open file. */
static void
raise_files(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		diag_warn("cannot open more files than at the start");
}

static void
run(struct process *p)
{
	p->parts.loop = loop_new();
	if (!p->parts.loop || watch(p) < 0) {
		diag_error("cannot make the event loop");
		p->exit_code = OPTIONS_EXIT_ERROR;
	} else if (loop_run(p->parts.loop) < 0) {
		diag_error("the event loop failed");
		p->exit_code = OPTIONS_EXIT_ERROR;
	}
	parts_close(&p->parts);
	meters_close();
	loop_io_deinit(&p->term);
	loop_io_deinit(&p->intr);
	loop_io_deinit(&p->hup);
	loop_timer_deinit(&p->begin);
	loop_timer_deinit(&p->tick);
	loop_timer_deinit(&p->watchdog);
	p->parts.loop = loop_free(p->parts.loop);
}

int
main(int argc, char **argv)
{
	static struct process process = { .parts = {
					      .lock = -1, .listen_fd = -1 } };
	CLEANUP(conf_freep) struct conf *conf = NULL;
	int code;

	diag_init("peal-broker");
	code = options_daemon(
	    argc, argv, "folds the log into state and answers queries", &conf);
	if (code == OPTIONS_CHECK)
		return parts_check(conf);
	if (code != OPTIONS_RUN)
		return code;
	(void)signal(SIGPIPE, SIG_IGN);
	if (setpriority(PRIO_PROCESS, 0, NICE) < 0)
		diag_warn("cannot be nice to the other processes");
	raise_files();
	hygiene_limit_core(conf_uint(conf, CONF_broker_core_bytes));
	process.conf = conf;
	process.parts.conf = conf;
	run(&process);
	return process.exit_code;
}
