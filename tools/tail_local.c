/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Following the ring.  The position is a seq: it outlives the mapping, and a
 * writer that starts again is found and attached to at the same place.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/proto.h"
#include "core/reason.h"
#include "shm/doorbell.h"
#include "shm/ring_reader.h"
#include "tools/guard.h"
#include "tools/log_walk.h"
#include "tools/tail.h"
#include "tools/tool.h"

enum {
	TAIL_RUN = 1024,
	TAIL_WAIT_MS = 100,
	TAIL_BUFFER = 2 * EVENT_MAX
};

struct tail_local {
	struct tail *tail;
	struct doorbell *bell; /* NULL: polling */
	struct ring_reader *rd;
	uint8_t log_id[16];
	uint64_t epoch;
	uint32_t incarnation;
	uint64_t seq;  /* newest that was read */
	bool ended;    /* the writer of this ring has gone */
	long replaced; /* pages, when it was mapped */
	struct ring_event ev[TAIL_RUN];
	uint8_t *buf;
};

static void
tail_local_detach(struct tail_local *l)
{
	l->bell = doorbell_free(l->bell);
	l->rd = ring_reader_free(l->rd);
}

/* With a doorbell where the writer gives one, else to be polled. */
static int
tail_local_attach(struct tail_local *l, struct reason *why)
{
	const char *dir = house_run_dir(&l->tail->t->house);
	char path[PATH_MAX];

	tail_local_detach(l);
	guard_begin();
	l->replaced = guard_replaced();
	if (doorbell_attach(dir, "tail", &l->bell, &l->rd, why) == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/ring", dir);
	return ring_reader_open(path, &l->rd, why);
}

static void
tail_local_missed(struct tail_local *l, uint64_t next)
{
	if (next > l->seq + 1)
		tool_note(l->tail->t,
		    "events %" PRIu64 " to %" PRIu64
		    " were overwritten before they were read",
		    l->seq + 1, next - 1);
	l->seq = next - 1;
}

/* Behind seq, or at the oldest where that is gone. */
static int
tail_local_seek(struct tail_local *l, struct reason *why)
{
	int err = ring_reader_seek(l->rd, l->seq);

	if (err == RING_LAPPED)
		tail_local_missed(l, ring_reader_seek_oldest(l->rd) + 1);
	return err < 0 ? reason_set(why, err, "cannot read the ring") : 0;
}

/* One event of the log, on the way to the ring. */
static int
tail_local_logged(
    void *arg, uint64_t seq, struct slice bytes, struct reason *why)
{
	struct tail_local *l = arg;
	struct event ev;
	int err;

	l->seq = seq;
	err = event_decode(bytes, &ev, why);
	if (err < 0)
		return err;
	if (!tail_wants(l->tail, ev.topic))
		return tool_stopped();
	err = show_event(&l->tail->show, bytes, why);
	if (err < 0)
		return err;
	return --l->tail->left == 0 || tool_stopped() || ferror(stdout);
}

/*
 * What the ring holds no more is read from the log, as often as the ring
 * moves on meanwhile.
 */
static int
tail_local_catch_up(struct tail_local *l, struct reason *why)
{
	int err = LOG_WALK_END;
	uint64_t was;

	while (err == LOG_WALK_END && l->tail->left && !tool_stopped() &&
	       ring_reader_seek(l->rd, l->seq) == RING_LAPPED) {
		was = l->seq;
		err = log_walk(&l->tail->t->house, l->seq + 1, PROTO_SEQ_MAX,
		    tail_local_logged, l, why);
		if (l->seq == was)
			break;
	}
	if (err < 0 || err == LOG_WALK_DAMAGED)
		tool_note(l->tail->t, "%s", why->text);
	return tail_local_seek(l, why);
}

static int
tail_local_begin(struct tail_local *l, struct reason *why)
{
	const struct tail *tail = l->tail;
	const struct ring_info *info = ring_reader_info(l->rd);
	struct ring_status status;

	memcpy(l->log_id, info->log_id, sizeof(l->log_id));
	l->epoch = info->epoch;
	l->incarnation = info->incarnation;
	if (tail->from == TAIL_NOW) {
		l->seq = ring_reader_seek_tail(l->rd);
		return 0;
	}
	ring_reader_status(l->rd, &status);
	l->seq = tail->from == TAIL_SEQ ? tail->from_seq - 1
					: MAX(status.oldest_seq, 1u) - 1;
	return tail_local_catch_up(l, why);
}

/* Look for the next incarnation of the same log. */
static int
tail_local_again(struct tail_local *l, struct reason *why)
{
	const struct ring_info *info;

	if (tail_local_attach(l, why) < 0) {
		(void)poll(NULL, 0, TAIL_WAIT_MS);
		return 0;
	}
	info = ring_reader_info(l->rd);
	if (memcmp(info->log_id, l->log_id, sizeof(l->log_id)) != 0 ||
	    info->epoch != l->epoch)
		return reason_say(
		    why, -ESTALE, "another log has taken this one's place");
	l->ended = false;
	l->incarnation = info->incarnation;
	return tail_local_catch_up(l, why);
}

static int
tail_local_print(struct tail_local *l, uint32_t n, struct reason *why)
{
	struct tail *tail = l->tail;
	const uint8_t *p = l->buf;
	struct event ev;
	int err;

	for (uint32_t i = 0; i < n && tail->left; i++) {
		struct slice bytes = slice_of(p, l->ev[i].len);

		p += bytes.len;
		l->seq = l->ev[i].seq;
		/* Asked for what is yet to come: the ring has older ones. */
		if (tail->from == TAIL_SEQ && l->seq < tail->from_seq)
			continue;
		err = event_decode(bytes, &ev, why);
		if (err < 0)
			return err;
		if (!tail_wants(tail, ev.topic))
			continue;
		err = show_event(&tail->show, bytes, why);
		if (err < 0)
			return err;
		tail->left--;
	}
	return 0;
}

/* 1: something was read, 0: nothing is there. */
static int
tail_local_read(struct tail_local *l, struct reason *why)
{
	uint32_t n;
	size_t need;
	int err;

	err = ring_reader_read(
	    l->rd, l->ev, TAIL_RUN, l->buf, TAIL_BUFFER, &n, &need);
	/* What came may be zeros. */
	if (guard_replaced() != l->replaced)
		return -EPROTO;
	switch (err) {
	case RING_EMPTY:
		return 0;
	case RING_EVENT:
		err = tail_local_print(l, n, why);
		return err < 0 ? err : 1;
	case RING_LAPPED:
		err = tail_local_catch_up(l, why);
		return err < 0 ? err : 1;
	case RING_TOO_SMALL:
		return reason_say(
		    why, -EPROTO, "the ring has an event of %zu bytes", need);
	default:
		return reason_set(why, err, "the ring contradicts itself");
	}
}

/* Sleep until rung; also ends when nobody reads stdout any more. */
static void
tail_local_wait(struct tail_local *l)
{
	struct pollfd pfd[2] = {
		{ .fd = STDOUT_FILENO, .events = 0 },
		{ .fd = l->bell ? doorbell_fd(l->bell) : -1, .events = POLLIN },
	};
	struct ring_status status;
	bool rung;

	if (l->bell && !doorbell_park(l->bell, l->rd))
		return;
	(void)poll(pfd, 2, TAIL_WAIT_MS);
	if (pfd[0].revents & (POLLERR | POLLHUP))
		l->tail->left = 0;
	rung = (pfd[1].revents & POLLIN) != 0;
	if (l->bell) {
		if (!doorbell_awake(l->bell, l->rd, rung))
			l->ended = true;
		return;
	}
	ring_reader_status(l->rd, &status);
	l->ended = status.state == RING_CLOSED || status.state == RING_FAILED;
}

static void
tail_local_report(struct tail_local *l)
{
	const struct doorbell_report report = { .position = l->seq };

	if (l->bell)
		doorbell_report(l->bell, &report);
}

static int
tail_local_follow(struct tail_local *l, struct reason *why)
{
	bool drained = false;
	int got;

	while (l->tail->left && !tool_stopped()) {
		got = l->rd ? tail_local_read(l, why) : 0;
		if (got < 0)
			return got;
		if (got > 0) {
			drained = false;
			continue;
		}
		if (!tool_flush(l->tail->t))
			return 0;
		tail_local_report(l);
		/* The old ring is read to its end before the next one. */
		if (!l->rd || (l->ended && drained))
			got = tail_local_again(l, why);
		else if (l->ended)
			drained = true;
		else
			tail_local_wait(l);
		if (got < 0)
			return got;
	}
	return 0;
}

int
tail_local(struct tail *tail)
{
	struct tail_local *l = calloc(1, sizeof(*l));
	struct reason why = REASON_NO_MEMORY;
	int err = -ENOMEM;

	if (l)
		l->buf = malloc(TAIL_BUFFER);
	if (l && l->buf) {
		l->tail = tail;
		err = tail_local_attach(l, &why);
		if (err >= 0)
			err = tail_local_begin(l, &why);
		if (err >= 0)
			err = tail_local_follow(l, &why);
		/* Wherever it was found out: that is the cause. */
		if (err < 0 && guard_replaced() != l->replaced)
			(void)reason_set(&why, err,
			    "the ring was cut short while it was read");
		tail_local_detach(l);
	}
	if (l)
		free(l->buf);
	free(l);
	return err < 0 ? tool_fail(tail->t, &why) : TOOL_OK;
}
