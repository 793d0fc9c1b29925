/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * peal-writer: the one process that owns the log.  Boot, serve, and an end in
 * good order; what it is made of stands in writer/DESIGN.md.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/statvfs.h>

#include "core/conf.h"
#include "core/diag.h"
#include "core/frame.h"
#include "core/hygiene.h"
#include "core/loop.h"
#include "core/notify.h"
#include "core/options.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/reload.h"
#include "core/time.h"
#include "log/log_writer.h"
#include "log/problem.h"
#include "shm/doorbell.h"
#include "writer/attach.h"
#include "writer/boot.h"
#include "writer/calls.h"
#include "writer/checkpointer.h"
#include "writer/gather.h"
#include "writer/ingest.h"
#include "writer/report.h"
#include "writer/retainer.h"
#include "writer/sequence.h"
#include "writer/space.h"
#include "writer/syncer.h"

struct writer {
	struct conf *conf;
	struct boot boot;
	struct loop *loop;
	struct gather *gather;
	struct space *space;
	struct doorbell_hub *bells;
	struct syncer *syncer;
	struct sequencer sequencer;
	struct ingest *ingest;
	struct attach *attach;
	struct checkpointer checkpointer;
	struct retainer *retainer;
	uint64_t rolls; /* that the retainer was told of */
	int wake_fd;
	int appends_fd; /* writer.sock */
	int readers_fd; /* ring.sock */
	struct loop_io wake_io;
	struct loop_io signals[3];
	struct loop_timer tick;
	bool stopping;
	int exit_code;
};

enum {
	TICK_US = 100000
};

static void
stop(struct writer *w, int exit_code)
{
	w->exit_code = exit_code;
	loop_stop(w->loop);
}

static void
fail(struct writer *w)
{
	diag_error("the log failed and is not written to any more: %s",
	    syncer_failure(w->syncer));
	ingest_fail(
	    w->ingest, "the log failed: whether this was stored is not known");
	stop(w, OPTIONS_EXIT_STORAGE);
}

/* The syncer, or the thread of the spare segment, has got on. */
static void
on_wake(void *arg, unsigned what)
{
	struct writer *w = arg;
	uint64_t n;

	if (read(w->wake_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		diag_limited("wake", "cannot read the wake-up descriptor");
	if (syncer_failed(w->syncer)) {
		fail(w);
		return;
	}
	ingest_wake(w->ingest);
	checkpointer_consider(&w->checkpointer, syncer_rolls(w->syncer));
	if (w->rolls != syncer_rolls(w->syncer)) {
		w->rolls = syncer_rolls(w->syncer);
		retainer_nudge(w->retainer);
	}
	if (w->stopping && ingest_drain(w->ingest))
		stop(w, OPTIONS_EXIT_OK);
}

static void
on_signal(void *arg, unsigned signo)
{
	struct writer *w = arg;

	w->stopping = true;
	ring_writer_set_state(w->boot.ring, RING_DRAINING);
	(void)notify_send("STOPPING=1\nSTATUS=answering what is in hand");
	if (ingest_drain(w->ingest))
		stop(w, OPTIONS_EXIT_OK);
}

/* Into those parts that take other values while they run. */
static void
configure(struct writer *w)
{
	w->sequencer.limits.topics = conf_uint(w->conf, CONF_writer_max_topics);
	ingest_set_stall(w->ingest,
	    conf_uint(w->conf, CONF_writer_stall_seconds) * NS_PER_S);
}

static void
on_hup(void *arg, unsigned signo)
{
	struct writer *w = arg;
	struct reason why = { "" };

	if (reload_conf(w->conf, "log ring writer broker.directory", &why) < 0)
		diag_error("the configuration stays as it was: %s", why.text);
	else
		configure(w);
}

static void
on_tick(void *arg)
{
	struct writer *w = arg;
	struct report_parts parts = {
		.ring = w->boot.ring,
		.ingest = w->ingest,
		.syncer = w->syncer,
		.attach = w->attach,
		.retainer = w->retainer,
		.checkpoint_failed = w->checkpointer.failed,
		.log_dir = w->boot.log_dir,
		.segment_bytes = w->checkpointer.segment_bytes,
		.unsafe = w->boot.unsafe != NULL,
	};

	ring_writer_heartbeat(w->boot.ring);
	ring_writer_set_oldest(w->boot.ring, retainer_oldest(w->retainer));
	doorbell_hub_copy(w->bells);
	diag_tick();
	ingest_watch_clock(w->ingest);
	report_counters(&parts);
	checkpointer_reap(&w->checkpointer, syncer_durable_seq(w->syncer));
	if (notify_watchdog_us())
		(void)notify_send("WATCHDOG=1");
}

static int
listen_at(struct writer *w, const char *name, int type, unsigned mode, int *fd,
    struct reason *why)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s",
	    conf_text(w->conf, CONF_ring_directory), name);
	return frame_listen(path, type | SOCK_NONBLOCK, mode, fd, why);
}

static int
start_syncer(struct writer *w, struct reason *why)
{
	struct syncer_parts parts = {
		.log = w->boot.log,
		.ring = w->boot.ring,
		.witness = w->boot.witness,
		.last_seq = w->boot.tail.last_seq,
	};
	int err;

	w->gather = gather_new();
	if (!w->gather)
		return -ENOMEM;
	err = space_new(w->boot.log, w->wake_fd, &w->space);
	if (!err)
		err = space_start(w->space, why);
	if (!err)
		err = doorbell_hub_new(w->boot.ring, &w->bells);
	if (err)
		return err;
	parts.gather = w->gather;
	parts.space = w->space;
	parts.bells = w->bells;
	parts.wake_fd = w->wake_fd;
	err = syncer_new(&parts, &w->syncer);
	return err ? err : syncer_start(w->syncer, why);
}

/* As configured, or half of the file system. */
static uint64_t
keep_bytes(const struct writer *w)
{
	uint64_t bytes = conf_uint(w->conf, CONF_log_keep_bytes);
	struct statvfs fs;

	if (bytes > 0)
		return bytes;
	if (fstatvfs(w->boot.log_dir, &fs) < 0)
		return UINT64_MAX;
	return (uint64_t)fs.f_blocks * (uint64_t)fs.f_frsize / 2;
}

static int
start_retainer(struct writer *w, struct reason *why)
{
	const struct retainer_options opt = {
		.dirfd = w->boot.log_dir,
		.oldest = w->boot.tail.oldest_seq,
		.keep_bytes = keep_bytes(w),
		.pack = conf_bool(w->conf, CONF_log_pack),
		.reserve = conf_uint(w->conf, CONF_log_segment_bytes),
		.log = w->boot.log,
		.keep_us = conf_uint(w->conf, CONF_log_keep_time) * US_PER_S,
		.hold_bytes = conf_uint(w->conf, CONF_log_keep_for_cursors),
		.max_keys = conf_uint(w->conf, CONF_writer_keys),
	};

	return retainer_start(&opt, &w->retainer, why);
}

static int
start_ingest(struct writer *w, const char *log_name, struct reason *why)
{
	const struct ring_options *ring = &w->boot.ring_options;
	struct ingest_parts parts = {
		.loop = w->loop,
		.sequencer = &w->sequencer,
		.syncer = w->syncer,
		.log_name = log_name,
		.unsafe = w->boot.unsafe != NULL,
		.oldest_seq = w->boot.tail.oldest_seq,
		.retainer = w->retainer,
		.broker_directory = conf_text(w->conf, CONF_broker_directory),
		.ring_slots = ring->slots,
		.ring_bytes = ring->payload_bytes,
		.listen_fd = w->appends_fd,
	};
	uint64_t bytes =
	    MIN((uint64_t)EVENT_MAX, ring_writer_pass_bytes(w->boot.ring));
	int err;

	w->sequencer = (struct sequencer){
		.state = &w->boot.state,
		.gather = w->gather,
		.space = w->space,
		.limits = {
			.event_bytes = (uint32_t)bytes,
			.events = MIN((uint32_t)EVENT_REQUEST_MAX,
			    ring_writer_pass_events(w->boot.ring)),
		},
	};
	err = ingest_new(&parts, &w->ingest, why);
	if (!err)
		configure(w);
	return err;
}

static int
watch(struct writer *w)
{
	int err = loop_io_add(
	    w->loop, &w->wake_io, w->wake_fd, LOOP_READ, on_wake, w);

	if (!err)
		err = loop_signal_add(
		    w->loop, &w->signals[0], SIGTERM, on_signal, w);
	if (!err)
		err = loop_signal_add(
		    w->loop, &w->signals[1], SIGINT, on_signal, w);
	if (!err)
		err =
		    loop_signal_add(w->loop, &w->signals[2], SIGHUP, on_hup, w);
	if (!err)
		err = loop_timer_init(w->loop, &w->tick, on_tick, w);
	if (!err)
		err = loop_timer_set(&w->tick, TICK_US, 1);
	return err;
}

/* Everything that serves; readers and producers come last. */
static int
start(struct writer *w, const char *log_name, struct reason *why)
{
	struct checkpointer *cp = &w->checkpointer;
	int err;

	w->loop = loop_new();
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!w->loop || w->wake_fd < 0)
		return reason_set(why, -ENOMEM, "cannot make the event loop");
	cp->dirfd = w->boot.log_dir;
	cp->lock_fd = w->boot.lock;
	cp->state = &w->boot.state;
	cp->segment_bytes = conf_uint(w->conf, CONF_log_segment_bytes);
	cp->of.epoch = w->boot.tail.epoch;
	memcpy(cp->of.log_id, w->boot.tail.log_id, sizeof(cp->of.log_id));

	err = start_syncer(w, why);
	if (!err)
		err = start_retainer(w, why);
	/* Where another writer serves, its ring stays. */
	if (!err)
		err = listen_at(
		    w, "ring.sock", SOCK_SEQPACKET, 0666, &w->readers_fd, why);
	if (!err)
		err = listen_at(
		    w, "writer.sock", SOCK_STREAM, 0660, &w->appends_fd, why);
	if (!err)
		err = ring_writer_install(w->boot.ring, why);
	if (!err)
		err = attach_new(w->loop, w->readers_fd, w->bells,
		    w->boot.ring_options.group, &w->attach, why);
	if (!err)
		err = start_ingest(w, log_name, why);
	return err ? err : watch(w);
}

/* In reverse, and nothing that was taken in is dropped. */
static void
finish(struct writer *w)
{
	bool failed = !w->syncer || syncer_failed(w->syncer);

	if (w->gather)
		gather_stop(w->gather);
	if (w->syncer)
		syncer_join(w->syncer);
	failed = failed || syncer_failed(w->syncer);
	loop_timer_deinit(&w->tick);
	loop_io_deinit(&w->wake_io);
	for (unsigned i = 0; i < ARRAY_LEN(w->signals); i++)
		loop_io_deinit(&w->signals[i]);
	w->ingest = ingest_free(w->ingest);
	w->retainer = retainer_stop(w->retainer);
	w->attach = attach_free(w->attach);
	if (!failed)
		checkpointer_finish(&w->checkpointer);
	if (w->boot.ring && !failed)
		ring_writer_set_state(w->boot.ring, RING_CLOSED);
	w->syncer = syncer_free(w->syncer);
	w->bells = doorbell_hub_free(w->bells);
	w->space = space_free(w->space);
	w->gather = gather_free(w->gather);
	closep(&w->appends_fd);
	closep(&w->readers_fd);
	closep(&w->wake_fd);
	w->loop = loop_free(w->loop);
}

static int
serve(struct writer *w)
{
	char log_name[64];
	struct reason why = REASON_NO_MEMORY;
	int err;

	proto_log_name(w->boot.tail.log_id, w->boot.tail.epoch, log_name);
	err = start(w, log_name, &why);
	if (err) {
		diag_error("cannot start: %s", why.text);
		finish(w);
		return OPTIONS_EXIT_ERROR;
	}
	hygiene_close_or_say(&calls_writer, -1);
	diag_note("serving: log=%s head=%llu oldest=%llu", log_name,
	    (unsigned long long)w->boot.tail.last_seq,
	    (unsigned long long)w->boot.tail.oldest_seq);
	(void)notify_send("READY=1\nSTATUS=serving from seq %llu on",
	    (unsigned long long)w->boot.tail.last_seq + 1);
	if (loop_run(w->loop) < 0)
		w->exit_code = OPTIONS_EXIT_ERROR;
	finish(w);
	return w->exit_code;
}

static int
exit_code_of(int boot)
{
	switch (boot) {
	case BOOT_HELD:
		return OPTIONS_EXIT_HELD;
	case BOOT_DAMAGED:
		return OPTIONS_EXIT_DAMAGED;
	case BOOT_CONFIG:
		return OPTIONS_EXIT_USAGE;
	default:
		return OPTIONS_EXIT_ERROR;
	}
}

int
main(int argc, char **argv)
{
	static struct writer w = {
		.wake_fd = -1, .appends_fd = -1, .readers_fd = -1
	};
	CLEANUP(conf_freep) struct conf *conf = NULL;
	struct reason why = REASON_NO_MEMORY;
	int code;

	diag_init("peal-writer");
	code = options_daemon(
	    argc, argv, "owns the log and publishes it to the ring", &conf);
	if (code == OPTIONS_CHECK)
		return boot_check(conf);
	if (code != OPTIONS_RUN)
		return code;
	(void)signal(SIGPIPE, SIG_IGN);
	hygiene_limit_core(conf_uint(conf, CONF_writer_core_bytes));
	w.conf = conf;
	code = boot_run(conf, &w.boot, &why);
	if (code != BOOT_DONE) {
		diag_error("%s", why.text);
		if (code == BOOT_DAMAGED)
			diag_error("what to do: %s; nothing was changed",
			    log_problem_next(why.text));
		code = exit_code_of(code);
	} else {
		code = serve(&w);
	}
	boot_deinit(&w.boot);
	return code;
}
