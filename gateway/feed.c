/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A pass copies a run out of the ring and works through it; what one pass
 * leaves of the copy, the next one takes up.  Groups never see half of a
 * request at the end of a pass.  A request that has come in part stays in
 * front of the copy, so that it can be looked at as a whole.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "gateway/alloc.h"
#include "gateway/counters.h"
#include "gateway/feed.h"
#include "gateway/grants.h"
#include "gateway/peek.h"
#include "gateway/send.h"
#include "shm/ring_late.h"
#include "shm/ring_reader.h"

enum {
	PASS_EVENTS = 4096
};

/*
 *	ev[]   0        begin        at           n
 *	       | done   | its request| to come    |
 */
struct feed {
	struct group_table *groups;
	struct grants *grants;	  /* NULL: nobody asks for them */
	struct ring_reader *ring; /* the caller's */
	uint64_t due_ns;
	uint64_t events;
	uint64_t granted; /* what is said of permissions up to here counts */
	bool started;
	bool in_request; /* its last event has not come yet */

	/* What was copied, and how far it was worked through. */
	uint32_t n, at, begin;
	size_t bytes, byte_at, byte_begin;
	struct ring_event ev[PASS_EVENTS + EVENT_REQUEST_MAX];
	uint8_t buf[2 * EVENT_MAX];
};

struct feed *
feed_new(struct group_table *groups)
{
	struct feed *f = alloc_zero(1, sizeof(*f));

	f->groups = groups;
	return f;
}

void
feed_follow(struct feed *f, struct grants *grants)
{
	f->grants = grants;
}

struct feed *
feed_free(struct feed *f)
{
	free(f);
	return NULL;
}

uint64_t
feed_due(const struct feed *f)
{
	return f->due_ns;
}

uint64_t
feed_events(const struct feed *f)
{
	return f->events;
}

/* Nothing is left of what was copied. */
static void
drop_copy(struct feed *f)
{
	f->n = f->at = f->begin = 0;
	f->bytes = f->byte_at = f->byte_begin = 0;
	f->in_request = false;
}

void
feed_restart(struct feed *f)
{
	assert(LIST_EMPTY(&f->groups->all));
	f->started = false;
	f->granted = 0;
	drop_copy(f);
}

/* Does a stored event say something of permissions that does not count yet? */
static inline bool
is_grant(const struct feed *f, const struct ring_event *ev, struct slice topic)
{
	if (LIKELY(topic.len == 0 || topic.p[0] != '$'))
		return false;
	return f->grants && ev->seq > f->granted &&
	       !(ev->flags & RING_EPHEMERAL) && grants_topic(topic);
}

/* false: its request has to be looked at first. */
static bool
hand_out(struct feed *f, const struct ring_event *ev, struct slice bytes)
{
	const struct match_list *list;
	struct match_to given = { NULL, NULL };
	struct peek peek;

	if (!peek_event(bytes, &peek))
		return true; /* nobody could read it either */
	if (is_grant(f, ev, peek.topic))
		return false;
	f->groups->event++;
	list = match_find(f->groups->match, ev->topic_hash, peek.topic);
	for (uint32_t i = 0; i < list->n; i++) {
		const struct match_hit *hit = &list->hits[i];

		if (match_same(hit->to, given) ||
		    (hit->pair && !filter_pair_type(hit->pair, peek.type)))
			continue;
		given = hit->to;
		f->groups->counts.visits++;
		if (given.group)
			group_add(given.group, bytes);
		else
			send_own(given.rider, bytes);
	}
	return true;
}

static void
end_request(struct feed *f)
{
	group_table_request(f->groups, f->ev[f->at - 1].seq);
	f->in_request = false;
	f->begin = f->at;
	f->byte_begin = f->byte_at;
}

static bool
ends_request(const struct ring_event *ev)
{
	return ev->flags & (RING_EPHEMERAL | RING_LAST_OF_REQUEST);
}

static bool
is_endless(const struct feed *f)
{
	return f->n - f->begin > EVENT_REQUEST_MAX ||
	       f->bytes - f->byte_begin > EVENT_MAX;
}

enum taken {
	TAKEN_EVENT,
	TAKEN_REQUEST, /* it has ended with this event */
	TAKEN_NOT,     /* it is about permissions: grant() first */
};

/* One event of the copy. */
static enum taken
take_one(struct feed *f)
{
	const struct ring_event *ev = &f->ev[f->at];

	if (!hand_out(f, ev, slice_of(f->buf + f->byte_at, ev->len)))
		return TAKEN_NOT;
	f->at++;
	f->byte_at += ev->len;
	f->events++;
	f->in_request = !ends_request(ev);
	if (f->in_request)
		return TAKEN_EVENT;
	end_request(f);
	return TAKEN_REQUEST;
}

/*
 * What has come of a request that has not ended goes to the front.  One that
 * is longer than the writer ever makes counts as ended.
 */
static void
keep_request(struct feed *f)
{
	if (is_endless(f))
		end_request(f);
	f->n -= f->begin;
	f->at -= f->begin;
	f->bytes -= f->byte_begin;
	f->byte_at -= f->byte_begin;
	memmove(f->ev, f->ev + f->begin, f->n * sizeof(f->ev[0]));
	memmove(f->buf, f->buf + f->byte_begin, f->bytes);
	f->begin = 0;
	f->byte_begin = 0;
}

static int
copy_more(struct feed *f)
{
	uint32_t n;
	size_t need;
	int rc;

	keep_request(f);
	rc = ring_reader_read(f->ring, f->ev + f->n, PASS_EVENTS,
	    f->buf + f->bytes, EVENT_MAX, &n, &need);
	if (rc == RING_TOO_SMALL)
		return -EPROTO;
	if (rc != RING_EVENT)
		return rc;
	for (uint32_t i = f->n; i < f->n + n; i++)
		f->bytes += f->ev[i].len;
	ring_late_record(&counters_cells, STATS_GATEWAY_HIST_published_read,
	    f->ev + f->n, n, 0, f->groups->now_ns);
	f->n += n;
	return RING_EVENT;
}

/*
 * Pass over what is left of the request that the oldest event stands in;
 * returns the seq at which it ended, and events are handed out from there on.
 */
static uint64_t
pass_over_rest(struct feed *f)
{
	uint64_t seq = ring_reader_seek_oldest(f->ring);
	bool ended = false;
	int rc;

	drop_copy(f);
	while (!ended) {
		const struct ring_event *ev = &f->ev[f->at];

		if (f->at == f->n) {
			drop_copy(f);
			rc = copy_more(f);
			if (rc == RING_LAPPED)
				seq = ring_reader_seek_oldest(f->ring);
			else if (rc != RING_EVENT)
				break;
			continue;
		}
		if (ev->flags & RING_EPHEMERAL)
			break;
		seq = ev->seq;
		ended = ends_request(ev);
		f->byte_at += ev->len;
		f->at++;
	}
	f->begin = f->at;
	f->byte_begin = f->byte_at;
	return seq;
}

/* Go on with the oldest whole request that the ring holds. */
static void
skip_ahead(struct feed *f)
{
	group_table_rollback(f->groups);
	group_table_close(f->groups);
	group_table_request(f->groups, pass_over_rest(f));
}

int
feed_ring(struct feed *f, struct ring_reader *ring)
{
	struct ring_status status;
	int rc;

	ring_reader_status(ring, &status);
	if (!f->started) {
		f->ring = ring;
		f->started = true;
		f->groups->done = ring_reader_seek_tail(ring);
		return FEED_IDLE;
	}
	if (status.tail_seq < f->groups->done)
		return FEED_FOREIGN;
	f->ring = ring;
	/* A request that had come in part comes again, whole. */
	group_table_rollback(f->groups);
	drop_copy(f);
	rc = ring_reader_seek(ring, f->groups->done);
	if (rc != RING_LAPPED)
		return rc < 0 ? rc : FEED_IDLE;
	skip_ahead(f);
	return FEED_LAPPED;
}

/* Back to where the request begins; groups forget what it has given them. */
static void
rewind_request(struct feed *f)
{
	group_table_rollback(f->groups);
	f->events -= f->at - f->begin;
	f->at = f->begin;
	f->byte_at = f->byte_begin;
	f->in_request = false;
}

/*
 * A request speaks of permissions.  All that it says of them counts before
 * its first event is handed out: whoever may not see it any more is gone, and
 * whoever may from now on has not missed its beginning.
 */
static int
grant(struct feed *f)
{
	uint32_t i = 0;
	size_t byte = 0;
	bool ended = false;
	int rc = RING_EVENT;

	rewind_request(f);
	while (!ended && rc == RING_EVENT) {
		const struct ring_event *ev = &f->ev[f->begin + i];

		if (f->begin + i == f->n) {
			if (is_endless(f))
				break;
			rc = copy_more(f);
			continue;
		}
		grants_event(f->grants,
		    slice_of(f->buf + f->byte_begin + byte, ev->len));
		f->granted = ev->seq;
		ended = ends_request(ev);
		byte += ev->len;
		i++;
	}
	/* A request without an end is not the writer's doing. */
	return rc == RING_EMPTY ? RING_EVENT : rc;
}

int
feed_pass(struct feed *f, uint64_t now_ns)
{
	int rc = RING_EVENT;
	enum taken taken;
	bool copied = false;

	f->groups->now_ns = now_ns;
	f->groups->work = 0;
	for (;;) {
		if (f->at == f->n) {
			if (copied && !f->in_request)
				break;
			rc = copy_more(f);
			if (rc != RING_EVENT)
				break;
			copied = true;
		}
		taken = take_one(f);
		if (taken == TAKEN_NOT && (rc = grant(f)) != RING_EVENT)
			break;
		if (taken == TAKEN_REQUEST && f->groups->work >= GROUP_WORK)
			break;
	}
	if (rc == RING_LAPPED)
		skip_ahead(f);
	else if (f->in_request)
		end_request(f); /* the writer never leaves one open */
	f->due_ns = group_table_flush(f->groups);
	if (rc == RING_EVENT)
		return FEED_MORE;
	if (rc == RING_LAPPED)
		return FEED_LAPPED;
	return rc < 0 ? rc : FEED_IDLE;
}
