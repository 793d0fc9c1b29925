/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Waiting for a seq.  A call waits two seconds at most, and what is refused
 * then says why: the log is not there, it is not folded yet, or it does not
 * reach so far.
 *
 * A state that is being built from the log is old data that looks like new:
 * until it has once reached what the log held at the start no call that
 * needs it is answered.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "broker/folder.h"
#include "broker/serve_priv.h"
#include "broker/store.h"
#include "core/time.h"

enum {
	FAR_BEHIND = 10000 /* events: it is no use to wait for them */
};

struct position {
	struct store_status store;
	struct folder_status folder;
};

/* In the folder's thread. */
static void
on_commit(void *arg)
{
	struct serve *sv = arg;
	const uint64_t one = 1;

	if (atomic_load(&sv->awaited) &&
	    write(sv->commit_fd, &one, sizeof(one)) < 0)
		return; /* 2^64 wake-ups are waiting */
}

static void
look_around(struct serve *sv, struct position *at)
{
	store_status(sv->parts.store, &at->store);
	folder_status(sv->folder, &at->folder);
	/* Another log, or the same one from its beginning: all begins anew. */
	if (strcmp(sv->log, at->store.log) != 0 ||
	    at->store.seq < sv->last_seq) {
		if (sv->log[0])
			sv->caught_up = sv->start_known = false;
		memcpy(sv->log, at->store.log, sizeof(sv->log));
	}
	sv->last_seq = at->store.seq;
	if (!sv->start_known &&
	    (at->folder.attached || at->folder.tail_seq > 0)) {
		sv->start_known = true;
		sv->start_seq = at->folder.tail_seq;
	}
	if (sv->start_known && at->store.seq >= sv->start_seq)
		sv->caught_up = true;
}

static void
refuse(
    struct serve_call *call, enum proto_code code, uint64_t is, uint64_t limit)
{
	char *text = call->no.text;
	size_t size = sizeof(call->no.text);

	call->code = code;
	switch (code) {
	case PROTO_AHEAD:
		snprintf(text, size,
		    "seq %" PRIu64 " is beyond the log's head, %" PRIu64, is,
		    limit);
		break;
	case PROTO_BEHIND:
		snprintf(text, size,
		    "the state is at seq %" PRIu64 ", not at %" PRIu64 " yet",
		    is, limit);
		break;
	default:
		if (limit)
			snprintf(text, size,
			    "the state is being rebuilt: at seq %" PRIu64
			    " of %" PRIu64,
			    is, limit);
		else
			snprintf(text, size, "nothing is known of the log yet");
	}
}

/* May it run, or is it refused by now?  Otherwise it goes on waiting. */
static bool
is_settled(struct serve *sv, struct serve_call *call, const struct position *at,
    bool late)
{
	uint64_t seq = at->store.seq;

	if (call->gated && !sv->caught_up) {
		if (sv->start_known &&
		    (late || sv->start_seq - seq > FAR_BEHIND))
			refuse(call, PROTO_UNAVAILABLE, seq, sv->start_seq);
		else if (late && !at->store.log[0])
			refuse(call, PROTO_UNAVAILABLE, 0, 0);
		/* Without a writer, what was folded before is what there is. */
		if (call->code || !late)
			return call->code != PROTO_OK;
	}
	if (call->min_seq <= seq)
		return true;
	if (!late)
		return false;
	if (!sv->start_known)
		refuse(call, PROTO_UNAVAILABLE, 0, 0);
	else if (call->min_seq > at->folder.tail_seq)
		refuse(call, PROTO_AHEAD, call->min_seq, at->folder.tail_seq);
	else
		refuse(call, PROTO_BEHIND, seq, call->min_seq);
	return true;
}

static void
set_patience(struct serve *sv)
{
	const struct serve_call *first = TAILQ_FIRST(&sv->waiting);
	uint64_t now = time_mono_ns();

	if (!first) {
		atomic_store(&sv->awaited, false);
		loop_timer_stop(&sv->patience);
		return;
	}
	/* Where it can't be set, commits and other calls look at the clock. */
	(void)!loop_timer_set(&sv->patience,
	    first->deadline_ns > now ? (first->deadline_ns - now) / 1000 + 1
				     : 1,
	    0);
}

/* Go on with those that have waited enough, one way or the other. */
static void
look_through(struct serve *sv)
{
	struct serve_call_list settled = TAILQ_HEAD_INITIALIZER(settled);
	struct serve_call *call, *next;
	uint64_t now = time_mono_ns();
	struct position at;

	look_around(sv, &at);
	for (call = TAILQ_FIRST(&sv->waiting); call; call = next) {
		next = TAILQ_NEXT(call, wait);
		if (!is_settled(sv, call, &at, call->deadline_ns <= now))
			continue;
		TAILQ_REMOVE(&sv->waiting, call, wait);
		TAILQ_INSERT_TAIL(&settled, call, wait);
	}
	while ((call = TAILQ_FIRST(&settled))) {
		struct serve_conn *p;

		TAILQ_REMOVE(&settled, call, wait);
		if (call->code == PROTO_OK) {
			serve_call_run(call);
			continue;
		}
		p = serve_call_finish(call);
		if (p)
			serve_conn_settle(p);
	}
	set_patience(sv);
	serve_conn_resume(sv);
}

static void
on_commit_fd(void *arg, unsigned what)
{
	struct serve *sv = arg;
	uint64_t n;

	if (read(sv->commit_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	look_through(sv);
}

static void
on_patience(void *arg)
{
	look_through(arg);
}

void
serve_wait(struct serve_call *call)
{
	struct serve *sv = call->sv;
	struct position at;

	if (!call->gated && !call->min_seq) {
		serve_call_run(call);
		return;
	}
	/* In this order a commit in between is heard of or seen. */
	atomic_store(&sv->awaited, true);
	look_around(sv, &at);
	if (!is_settled(sv, call, &at, false)) {
		sv->counts.waited++;
		call->deadline_ns = time_mono_ns() + SERVE_WAIT_MS * NS_PER_MS;
		TAILQ_INSERT_TAIL(&sv->waiting, call, wait);
		if (TAILQ_FIRST(&sv->waiting) == call)
			set_patience(sv);
		return;
	}
	if (TAILQ_EMPTY(&sv->waiting))
		atomic_store(&sv->awaited, false);
	if (call->code == PROTO_OK)
		serve_call_run(call);
	else
		(void)serve_call_finish(call);
}

void
serve_wait_forget(struct serve_conn *p)
{
	struct serve *sv = p->sv;
	struct serve_call *call, *next;

	for (call = TAILQ_FIRST(&sv->waiting); call; call = next) {
		next = TAILQ_NEXT(call, wait);
		if (call->conn != p->id)
			continue;
		TAILQ_REMOVE(&sv->waiting, call, wait);
		serve_call_end(call, p);
	}
}

int
serve_wait_init(struct serve *sv)
{
	int err;

	sv->commit_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (sv->commit_fd < 0)
		return -errno;
	err = loop_io_add(sv->parts.loop, &sv->commit_io, sv->commit_fd,
	    LOOP_READ, on_commit_fd, sv);
	if (!err)
		err = loop_timer_init(
		    sv->parts.loop, &sv->patience, on_patience, sv);
	if (!err)
		store_on_commit(sv->parts.store, on_commit, sv);
	return err;
}

void
serve_wait_deinit(struct serve *sv)
{
	if (sv->commit_fd >= 0)
		store_on_commit(sv->parts.store, NULL, NULL);
	loop_io_deinit(&sv->commit_io);
	loop_timer_deinit(&sv->patience);
	closep(&sv->commit_fd);
}
