/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every other second the writer is asked, over a connection of its own.  Rows
 * are handed over only where all that the broker makes of the events before
 * them has been made: what lags behind would miss them.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "broker/archives.h"
#include "broker/clients.h"
#include "broker/handover.h"
#include "broker/jobs.h"
#include "broker/query.h"
#include "broker/store.h"
#include "core/diag.h"
#include "core/frame.h"
#include "core/loop.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"

#define ASK_US	 (2 * US_PER_S)
#define RETRY_NS (60 * NS_PER_S)

enum {
	REPLY_MAX = 4096,
	ANSWER_S = 10,
};

struct handover {
	struct query *query;
	struct clients *clients;
	const char *run_dir;
	uint64_t oldest; /* of the log; 0: clients hold nothing back */
	struct jobs_lane lane;
	struct loop_timer timer;
	struct job job;
	bool running;
	uint64_t failed_ns; /* 0: the last try was good */
	int err;
	struct reason why;
};

static int
dial(const struct handover *h, struct frame_stream *fs)
{
	const struct timeval patience = { .tv_sec = ANSWER_S };
	char path[600];
	int err, fd;

	snprintf(path, sizeof(path), "%s/writer.sock", h->run_dir);
	err = frame_connect(path, SOCK_STREAM, &fd, NULL);
	if (err < 0)
		return err;
	frame_stream_init(fs, fd, REPLY_MAX);
	if (setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return 0;
}

/* The next reply; its slices live until the one after. */
static int
await_reply(
    struct frame_stream *fs, struct proto_reply *reply, struct reason *why)
{
	struct slice value;
	int got;

	while ((got = frame_next(fs, &value)) == FRAME_NONE) {
		got = frame_fill(fs);
		if (got == FRAME_IO_CLOSED)
			return reason_say(why, -EPIPE, "the writer has gone");
		if (got != FRAME_IO_DONE)
			return reason_set(why, got < 0 ? got : -ETIMEDOUT,
			    "the writer does not answer");
	}
	if (got != FRAME_ONE || proto_reply_parse(value, reply, why))
		return reason_say(why, -EPROTO, "the writer's answer is none");
	return 0;
}

/*
 * Which events clients have yet to get: from the first that a cursor stands
 * before.  Where that is not known, and nobody has asked, all.
 */
static uint64_t
needed(const struct handover *h)
{
	struct reason why = REASON_NO_MEMORY;
	struct store_status st;
	uint64_t seq;

	store_status(h->query->store, &st);
	if (h->oldest == 0 || !st.log[0])
		return 1;
	if (clients_needed(
		h->clients, slice_cstr(st.log), h->oldest, &seq, &why) == 0)
		return MIN(seq, PROTO_SEQ_MAX);
	diag_limited("cursors",
	    "the log keeps more for clients than it would have to: %s",
	    why.text);
	return 1;
}

/* Of which event the writer wants rows; 0: of none. */
static int
ask(struct handover *h, struct frame_stream *fs, uint64_t *seq,
    struct reason *why)
{
	const struct proto_uint id = { true, 1 };
	struct proto_reply reply;
	struct mp_buf *b;
	size_t mark;
	int err;

	b = frame_begin(fs, &mark);
	proto_pack_head(b, "retain", id, 1);
	mp_pair_uint(b, "needed", needed(h));
	err = frame_end(fs, mark);
	if (err == 0 && frame_flush(fs) != FRAME_IO_DONE)
		err = -EPIPE;
	if (err == 0)
		err = await_reply(fs, &reply, why);
	if (err < 0)
		return err;
	if (!slice_is(reply.op, "retain"))
		return reason_say(why, -EPROTO, "the writer refuses: %.*s",
		    (int)proto_get_str(reply.body, "message").len,
		    (const char *)proto_get_str(reply.body, "message").p);
	*seq = proto_get_uint(reply.body, "seq").v;
	h->oldest = proto_get_uint(reply.body, "oldest").v;
	return 0;
}

static int
bring(struct frame_stream *fs, uint64_t seq, int fd, struct reason *why)
{
	const struct proto_uint id = { true, 2 };
	struct proto_reply reply;
	struct mp_buf *b;
	size_t mark;
	int err;

	b = frame_begin(fs, &mark);
	proto_pack_head(b, "base", id, 1);
	mp_pair_uint(b, "seq", seq);
	err = frame_end(fs, mark);
	if (err == 0)
		err = frame_send_fds(
		    fs->fd, fs->out.p + mark, fs->out.len - mark, &fd, 1);
	if (err < 0)
		return reason_set(why, err, "the writer takes nothing");
	frame_cancel(fs, mark);
	err = await_reply(fs, &reply, why);
	if (err < 0)
		return err;
	/* Somebody else was quicker, or it has ended: it will ask again. */
	if (!slice_is(reply.op, "ok"))
		return reason_say(why, -EAGAIN, "the writer refuses: %.*s",
		    (int)proto_get_str(reply.body, "message").len,
		    (const char *)proto_get_str(reply.body, "message").p);
	return 0;
}

/* Does nothing lag behind that would need the events up to seq? */
static bool
is_past(const struct handover *h, uint64_t seq)
{
	struct store_status st;

	store_status(h->query->store, &st);
	return st.log[0] && st.behind >= seq;
}

static int
try(struct handover *h, struct frame_stream *fs)
{
	CLEANUP(closep) int fd = -1;
	uint64_t seq = 0;
	int err = ask(h, fs, &seq, &h->why);

	if (err < 0 || seq == 0 || !is_past(h, seq))
		return err;
	err = archives_make_base(h->query, seq, &fd, &h->why);
	if (err == 0)
		err = bring(fs, seq, fd, &h->why);
	if (err == 0)
		diag_note("the writer got the rows of seq=%" PRIu64, seq);
	return err;
}

static void
run(struct job *job)
{
	struct handover *h = CONTAINER_OF(job, struct handover, job);
	CLEANUP(frame_stream_deinit) struct frame_stream fs = { .fd = -1 };

	h->why = (struct reason){ "out of memory" };
	/* Without a writer there is nothing to be given up. */
	h->err = dial(h, &fs) < 0 ? 0 : try(h, &fs);
}

static void
done(struct job *job, bool ran)
{
	struct handover *h = CONTAINER_OF(job, struct handover, job);

	h->running = false;
	if (!ran)
		return;
	h->failed_ns = h->err < 0 ? time_mono_ns() : 0;
	if (h->err < 0)
		diag_limited("handover",
		    "the log can't give up its oldest events: %s", h->why.text);
}

static void
on_timer(void *arg)
{
	struct handover *h = arg;

	if (h->running ||
	    (h->failed_ns && time_mono_ns() - h->failed_ns < RETRY_NS))
		return;
	h->running = true;
	jobs_put(&h->lane, &h->job);
}

int
handover_new(struct loop *loop, struct jobs *jobs, struct query *query,
    struct clients *clients, const char *run_dir, struct handover **out)
{
	CLEANUP(handover_freep) struct handover *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->query = query;
	h->clients = clients;
	h->run_dir = run_dir;
	h->job.pace = JOBS_SLOW;
	h->job.run = run;
	h->job.done = done;
	jobs_lane_init(&h->lane, jobs);
	err = loop_timer_init(loop, &h->timer, on_timer, h);
	if (!err)
		err = loop_timer_set(&h->timer, ASK_US, 1);
	if (err)
		return err;
	*out = TAKE(h);
	return 0;
}

struct handover *
handover_free(struct handover *h)
{
	if (!h)
		return NULL;
	loop_timer_deinit(&h->timer);
	jobs_lane_deinit(&h->lane);
	free(h);
	return NULL;
}
