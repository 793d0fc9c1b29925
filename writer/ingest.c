/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Producers' connections.  Each is read only as long as its unanswered
 * requests stay within bounds, so that memory stays bounded too: who asks
 * for more waits in its socket.
 */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "writer/ingest_priv.h"
#include "writer/sequence.h"
#include "writer/syncer.h"

#define ADMIN_GROUP "peal-admin"

static void
producer_free(struct producer *p)
{
	struct ingest *in = p->in;

	TAILQ_REMOVE(&in->all, p, all);
	if (p->is_waiting)
		TAILQ_REMOVE(&in->waiting, p, waiting);
	in->counts.producers--;
	in->request_bytes -= p->replies.request_bytes;
	loop_io_deinit(&p->io);
	replies_deinit(&p->replies);
	frame_stream_deinit(&p->fs);
	free(p);
}

static void
set_waiting(struct producer *p, bool waiting)
{
	if (waiting && !p->is_waiting)
		TAILQ_INSERT_TAIL(&p->in->waiting, p, waiting);
	if (!waiting && p->is_waiting)
		TAILQ_REMOVE(&p->in->waiting, p, waiting);
	p->is_waiting = waiting;
}

/* May another request of this producer be taken? */
static bool
within_bounds(const struct producer *p)
{
	return p->replies.n < INGEST_REQUESTS &&
	       p->replies.request_bytes < INGEST_REQUEST_BYTES &&
	       p->in->request_bytes < INGEST_TOTAL_BYTES &&
	       frame_unsent(&p->fs) < INGEST_UNSENT_BYTES;
}

/* Two clocks cost more than the rest of a small request's way to its seq. */
static void
look_at_clock(struct ingest *in)
{
	in->now_ns = time_clock_ns(CLOCK_BOOTTIME);
	in->wall_us = time_wall_us();
	in->now_us =
	    timekeeper_now(&in->timekeeper, in->wall_us, in->now_ns / 1000);
	in->counts.clock_leaps = in->timekeeper.leaps;
}

/* Take the requests that are in memory, as many as bounds allow. */
static void
take_requests(struct producer *p)
{
	struct sequencer *sq = p->in->parts.sequencer;
	struct slice value;

	look_at_clock(p->in);
	p->all_taken = false;
	while (!p->dead && !p->refused && within_bounds(p)) {
		value = p->stalled;
		p->stalled.len = 0;
		sq->accepted_ns = value.len ? p->stalled_ns : p->in->now_ns;
		if (!value.len) {
			int got = frame_next(&p->fs, &value);

			if (got == FRAME_NONE) {
				p->all_taken = true;
				return;
			}
			if (got == FRAME_TOO_LONG) {
				diag_limited("long frame",
				    "a request beyond %d bytes was refused: "
				    "account=%s",
				    INGEST_FRAME_MAX, p->account);
				p->dead = true;
				return;
			}
		}
		if (request_handle(p, value) == REQUEST_STALLED) {
			p->stalled = value;
			p->stalled_ns = sq->accepted_ns;
			return;
		}
	}
	/* Nothing behind a value that is none is looked at. */
	p->all_taken = p->refused;
}

/* What is done may leave; who can't be told of it sees his connection end. */
static void
release(struct producer *p)
{
	uint64_t before = p->replies.request_bytes;
	uint64_t done = syncer_done_serial(p->in->parts.syncer);

	if (replies_release(&p->replies, done, &p->fs.out) < 0)
		p->dead = true;
	p->in->request_bytes -= before - p->replies.request_bytes;
}

/* Send what may be sent, and wait for what there is to wait for. */
static void
settle(struct producer *p)
{
	unsigned want = 0;
	int sent = FRAME_IO_DONE;
	bool more;

	release(p);
	if (!p->dead && frame_unsent(&p->fs)) {
		sent = frame_flush(&p->fs);
		if (sent < 0)
			p->dead = true;
	}
	/* Whoever is out of bounds is looked at with each wake-up. */
	set_waiting(p, p->replies.n || p->stalled.len || !within_bounds(p));
	more = !p->ended && !p->refused;
	if (!more && p->all_taken && !p->replies.n && !frame_unsent(&p->fs))
		p->dead = true;
	if (p->dead) {
		producer_free(p);
		return;
	}
	if (more && !p->stalled.len && within_bounds(p))
		want |= LOOP_READ;
	if (sent == FRAME_IO_AGAIN)
		want |= LOOP_WRITE;
	if (want != p->wanted && loop_io_want(&p->io, want) < 0) {
		producer_free(p);
		return;
	}
	p->wanted = want;
}

static void
read_requests(struct producer *p)
{
	int got;

	/* frame_fill() may move what a stalled request points to. */
	if (p->dead || !p->all_taken || p->ended)
		return;
	got = frame_fill(&p->fs);
	if (got < 0) {
		p->dead = true;
		return;
	}
	/* What was asked before the end is still answered. */
	if (got == FRAME_IO_CLOSED)
		p->ended = true;
	take_requests(p);
}

static void
on_io(void *arg, unsigned what)
{
	struct producer *p = arg;

	if ((what & LOOP_WRITE) && frame_flush(&p->fs) < 0)
		p->dead = true;
	if (!p->dead)
		take_requests(p);
	if (what & LOOP_READ)
		read_requests(p);
	settle(p);
}

static void
name_account(struct producer *p, uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(p->account, sizeof(p->account), "%s", pw->pw_name);
	if (!pw || !topic_actor_valid(slice_cstr(p->account), NULL))
		snprintf(
		    p->account, sizeof(p->account), "uid:%u", (unsigned)uid);
}

/* Root, our own account and group peal-admin write '$' topics. */
static bool
is_admin(int fd, uid_t uid)
{
	const struct group *gr;

	if (uid == 0 || uid == geteuid())
		return true;
	gr = getgrnam(ADMIN_GROUP);
	return gr && frame_peer_in_group(fd, gr->gr_gid) == 1;
}

static void
add_producer(struct ingest *in, int fd)
{
	struct producer *p = calloc(1, sizeof(*p));
	uid_t uid;
	gid_t gid;
	long pid;

	if (!p || frame_peer(fd, &uid, &gid, &pid) < 0) {
		(void)close(fd);
		free(p);
		return;
	}
	p->in = in;
	frame_stream_init(&p->fs, fd, INGEST_FRAME_MAX);
	name_account(p, uid);
	p->may_system = is_admin(fd, uid);
	p->uid = uid;
	p->wanted = LOOP_READ;
	TAILQ_INSERT_TAIL(&in->all, p, all);
	in->counts.producers++;
	if (loop_io_add(in->parts.loop, &p->io, fd, LOOP_READ, on_io, p) < 0)
		producer_free(p);
}

static void
on_accept(void *arg, int fd)
{
	struct ingest *in = arg;

	if (in->counts.producers >= INGEST_PRODUCERS) {
		diag_limited("producers",
		    "a producer was refused: there are %d", INGEST_PRODUCERS);
		(void)close(fd);
		return;
	}
	add_producer(in, fd);
}

int
ingest_new(
    const struct ingest_parts *parts, struct ingest **out, struct reason *why)
{
	CLEANUP(ingest_freep) struct ingest *in = calloc(1, sizeof(*in));
	int err;

	if (!in)
		return -ENOMEM;
	in->parts = *parts;
	TAILQ_INIT(&in->all);
	TAILQ_INIT(&in->waiting);
	timekeeper_init(&in->timekeeper, time_wall_us(),
	    time_clock_ns(CLOCK_BOOTTIME) / 1000);
	quota_init(
	    &in->quota, parts->ring_slots, parts->ring_bytes, time_mono_ns());
	err = acceptor_open(
	    parts->loop, &in->door, parts->listen_fd, on_accept, in);
	if (err < 0)
		return reason_set(why, err, "cannot watch the socket");
	*out = TAKE(in);
	return 0;
}

struct ingest *
ingest_free(struct ingest *in)
{
	if (!in)
		return NULL;
	while (!TAILQ_EMPTY(&in->all))
		producer_free(TAILQ_FIRST(&in->all));
	acceptor_close(&in->door);
	admit_deinit(&in->admit);
	mp_buf_deinit(&in->canonical);
	free(in);
	return NULL;
}

void
ingest_wake(struct ingest *in)
{
	struct producer *p, *next;

	/* Release for all first: it makes room for those that stalled. */
	TAILQ_FOREACH (p, &in->waiting, waiting)
		release(p);
	for (p = TAILQ_FIRST(&in->waiting); p; p = next) {
		next = TAILQ_NEXT(p, waiting);
		take_requests(p);
		settle(p);
	}
}

void
ingest_set_stall(struct ingest *in, uint64_t stall_ns)
{
	in->parts.stall_ns = stall_ns;
}

bool
ingest_drain(struct ingest *in)
{
	in->draining = true;
	return TAILQ_EMPTY(&in->waiting);
}

void
ingest_fail(struct ingest *in, const char *why)
{
	struct producer *p, *next;

	in->draining = true;
	for (p = TAILQ_FIRST(&in->waiting); p; p = next) {
		next = TAILQ_NEXT(p, waiting);
		in->request_bytes -= p->replies.request_bytes;
		if (replies_fail(&p->replies, why, &p->fs.out) < 0)
			p->dead = true;
		p->stalled.len = 0;
		settle(p);
	}
}

void
ingest_watch_clock(struct ingest *in)
{
	look_at_clock(in);
}

void
ingest_counts(const struct ingest *in, struct ingest_counts *counts)
{
	*counts = in->counts;
}
