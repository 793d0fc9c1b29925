/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * peal-gateway: options, signals, readiness.  It is ready when the ring is
 * attached and the door is open, and ends with 0 when it was asked to.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/diag.h"
#include "core/hygiene.h"
#include "core/notify.h"
#include "core/options.h"
#include "core/reason.h"
#include "gateway/calls.h"
#include "gateway/check.h"
#include "gateway/drain.h"
#include "gateway/gateway_priv.h"
#include "gateway/listen.h"
#include "gateway/reload.h"
#include "shm/stats.h"

struct process {
	struct gateway gw;
	struct conf *conf;
	struct loop_io term, intr, hup;
	struct loop_timer watchdog;
	char status[200]; /* what systemd was told last */
};

static void
on_stop(void *arg, unsigned signo)
{
	struct process *p = arg;

	if (drain_begin(&p->gw) < 0)
		loop_stop(p->gw.loop);
}

static void
on_hup(void *arg, unsigned signo)
{
	struct process *p = arg;

	reload_all(&p->gw, p->conf);
}

static void
on_watchdog(void *arg)
{
	(void)notify_send("WATCHDOG=1");
}

static int
watch_signals(struct process *p)
{
	struct loop *loop = p->gw.loop;
	uint64_t every_us = notify_watchdog_us();
	int err = loop_signal_add(loop, &p->term, SIGTERM, on_stop, p);

	if (err == 0)
		err = loop_signal_add(loop, &p->intr, SIGINT, on_stop, p);
	if (err == 0)
		err = loop_signal_add(loop, &p->hup, SIGHUP, on_hup, p);
	if (err == 0)
		err = loop_timer_init(loop, &p->watchdog, on_watchdog, p);
	if (err == 0 && every_us > 0)
		err = loop_timer_set(&p->watchdog, every_us, 1);
	return err;
}

/* Nothing has to be opened for writing, or run, from now on. */
static void
give_up_privileges(const struct process *p)
{
	int dirfd = p->gw.page ? stats_page_dirfd(p->gw.page) : -1;

	hygiene_close_or_say(&calls_gateway, dirfd);
}

/* Clients may come. */
static int
open_door(struct process *p, struct reason *why)
{
	int err = gateway_listen(&p->gw, why);
	unsigned port;

	if (err < 0)
		return err;
	give_up_privileges(p);
	port = listen_port(p->gw.listen, false);
	diag_note(
	    "ready: port=%u plain=%u", port, listen_port(p->gw.listen, true));
	(void)notify_send("READY=1\nSTATUS=serving on port %u", port);
	return 0;
}

/* Open the door as soon as clients may come; until then say why not. */
static int
try_door(struct process *p, struct reason *why)
{
	const char *waits_for;

	if (p->gw.listen || p->gw.draining)
		return 0;
	if (gateway_ready(&p->gw, &waits_for))
		return open_door(p, why);
	if (strcmp(waits_for, p->status) != 0) {
		snprintf(p->status, sizeof(p->status), "%s", waits_for);
		(void)notify_send("STATUS=%s", waits_for);
	}
	return 0;
}

/*
 * Who ends before the loop takes these leaves counters behind that tell of a
 * crash: they wait until it does.
 */
static void
hold_signals(void)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigprocmask(SIG_BLOCK, &held, NULL);
}

static int
run(struct process *p, struct reason *why)
{
	int err = watch_signals(p);

	if (err < 0)
		return reason_set(why, err, "cannot watch for signals");
	while (!loop_stopped(p->gw.loop)) {
		err = try_door(p, why);
		if (err < 0)
			return err;
		err = gateway_turn(&p->gw);
		if (err < 0)
			return reason_set(why, err, "the event loop failed");
	}
	return 0;
}

static void
close_all(struct process *p)
{
	loop_io_deinit(&p->term);
	loop_io_deinit(&p->intr);
	loop_io_deinit(&p->hup);
	loop_timer_deinit(&p->watchdog);
	drain_deinit();
	gateway_close(&p->gw);
}

int
main(int argc, char **argv)
{
	struct conf *conf CLEANUP(conf_freep) = NULL;
	static struct process process;
	struct reason why = { "" };
	int rc;

	diag_init("peal-gateway");
	rc = options_daemon(
	    argc, argv, "carry events to clients over TLS WebSockets", &conf);
	if (rc == OPTIONS_CHECK)
		return check_conf(conf);
	if (rc != OPTIONS_RUN)
		return rc;
	(void)signal(SIGPIPE, SIG_IGN);
	hygiene_limit_core(conf_uint(conf, CONF_gateway_core_bytes));
	process.conf = conf;
	hold_signals();
	if (gateway_open(&process.gw, conf, &why) < 0) {
		diag_error("%s", why.text);
		close_all(&process);
		return OPTIONS_EXIT_USAGE;
	}
	rc = run(&process, &why);
	if (rc < 0)
		diag_error("%s", why.text);
	close_all(&process);
	return rc < 0 ? OPTIONS_EXIT_ERROR : OPTIONS_EXIT_OK;
}
