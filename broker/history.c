/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * History: events of the log by topic, actor, type, seq and time.  The
 * indexes of the store serve up to where they stand, and a scan of the log
 * what is beyond; either way it is the log's bytes that decide and are sent.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/logs.h"
#include "broker/query_priv.h"
#include "broker/store.h"
#include "core/event.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "log/log_reader.h"

enum {
	HISTORY_LIMIT = 100,
	/* Of the events of a page, so that its message is 256 KiB at most. */
	HISTORY_BYTES = (256 << 10) - 256,
	HISTORY_LOOKED = 1 << 16, /* events looked at for a page */
	HISTORY_CLOCK = 64,	  /* events between two looks at the clock */
	HISTORY_CHUNK = 512,	  /* events read at once in reverse */
};

/* Beside enum log_read: the page is full, or has taken long enough. */
enum {
	HISTORY_DONE = LOG_READ_END,
	HISTORY_FULL = 100,
};

struct history {
	struct query *q;
	const struct proto_request *req;
	struct topic_set set;
	bool all; /* of any topic */
	uint64_t limit;
	uint64_t low, high; /* both exclusive */
	uint64_t covered;   /* the indexes reach up to here; 0: not used */
	struct logs_lease lease;
	struct log_frame frame; /* the last one read; n_events 0: none */
	struct reason why;
	uint64_t deadline_ns;
	uint64_t looked;
	uint64_t next;
	/* The page. */
	struct mp_buf events;
	uint32_t count;
};

static void
history_deinit(struct history *h)
{
	logs_return(&h->lease);
	topic_set_deinit(&h->set);
	mp_buf_deinit(&h->events);
}

/* 1: the event is asked for; 0: it is not; below zero: it is none. */
static int
history_matches(struct history *h, struct slice bytes)
{
	const struct proto_request *req = h->req;
	struct event ev;
	int err = event_decode(bytes, &ev, &h->why);

	if (err < 0)
		return err;
	if (req->history.actor.p && !slice_equal(req->history.actor, ev.actor))
		return 0;
	if (req->history.type.p &&
	    !topic_glob_match(req->history.type, ev.type))
		return 0;
	return h->all || topic_set_matches(&h->set, ev.topic);
}

/* An event has been looked at: has that been enough? */
static bool
history_weary(struct history *h)
{
	h->looked++;
	return h->looked >= HISTORY_LOOKED ||
	       (h->looked % HISTORY_CLOCK == 0 &&
		   time_mono_ns() > h->deadline_ns);
}

static bool
history_has_room(const struct history *h, size_t len)
{
	return h->count == 0 || h->events.len + len <= HISTORY_BYTES;
}

/* Take event seq into the page; history goes forward from it. */
static int
history_look(struct history *h, uint64_t seq, struct slice bytes)
{
	bool reverse = h->req->history.reverse;
	int got = history_matches(h, bytes);

	if (got < 0)
		return got;
	if (got > 0 && !history_has_room(h, bytes.len)) {
		h->next = reverse ? seq + 1 : seq - 1;
		return HISTORY_FULL;
	}
	if (got > 0) {
		mp_pack_raw(&h->events, bytes);
		h->count++;
	}
	h->next = seq;
	return history_weary(h) || h->count == h->limit ? HISTORY_FULL
							: HISTORY_DONE;
}

/* --- scans --- */

/*
 * Call fn for events first to last; what it returns other than HISTORY_DONE
 * ends the walk.
 */
static int
history_walk(struct history *h, uint64_t first, uint64_t last,
    int (*fn)(struct history *h, void *arg, uint64_t seq, struct slice bytes),
    void *arg)
{
	int got = log_reader_seek(h->lease.rd, first, &h->why);
	uint64_t seq = first;

	if (got < 0)
		return got;
	while (seq <= last) {
		struct slice bytes;
		uint32_t crc;
		size_t at = 0;

		got = logs_next(&h->lease, &h->frame, &h->why);
		if (got != LOG_READ_FRAME)
			return got;
		seq = h->frame.first_seq;
		while (log_frame_event(&h->frame, &at, &bytes, &crc)) {
			if (seq >= first && seq <= last) {
				got = fn(h, arg, seq, bytes);
				if (got != HISTORY_DONE)
					return got;
			}
			seq++;
		}
	}
	return HISTORY_DONE;
}

static int
history_look_forward(
    struct history *h, void *arg, uint64_t seq, struct slice bytes)
{
	return history_look(h, seq, bytes);
}

/* Events first to last, ascending. */
static int
history_scan(struct history *h, uint64_t first, uint64_t last)
{
	return first > last
		   ? HISTORY_DONE
		   : history_walk(h, first, last, history_look_forward, NULL);
}

/* What a chunk holds of the page: the last events that match. */
struct chunk {
	struct mp_buf bytes;
	struct chunk_event {
		uint64_t seq;
		size_t at, len;
	} v[HISTORY_CHUNK];
	unsigned first, n; /* v[first] to v[n - 1] are in */
	size_t held;
};

static void
chunk_deinit(struct chunk *c)
{
	mp_buf_deinit(&c->bytes);
}

/* Move what is still held to the front, once most is not. */
static void
chunk_pack(struct chunk *c)
{
	size_t dead = c->bytes.len - c->held;

	if (dead < HISTORY_BYTES)
		return;
	memmove(c->bytes.p, c->bytes.p + dead, c->held);
	c->bytes.len = c->held;
	for (unsigned i = c->first; i < c->n; i++)
		c->v[i].at -= dead;
}

static int
history_look_back(
    struct history *h, void *arg, uint64_t seq, struct slice bytes)
{
	struct chunk *c = arg;
	int got = history_matches(h, bytes);

	h->looked++;
	if (got <= 0)
		return got;
	c->v[c->n++] = (struct chunk_event){ seq, c->bytes.len, bytes.len };
	mp_pack_raw(&c->bytes, bytes);
	if (c->bytes.failed)
		return -ENOMEM;
	c->held += bytes.len;
	/* What can't come into this page need not be held. */
	while (c->n - c->first > 1 && (c->n - c->first > h->limit - h->count ||
					  c->held > HISTORY_BYTES)) {
		c->held -= c->v[c->first].len;
		c->first++;
	}
	chunk_pack(c);
	return HISTORY_DONE;
}

/* The held events into the page, the last first. */
static int
history_take_chunk(struct history *h, const struct chunk *c)
{
	for (unsigned i = c->n; i > c->first; i--) {
		const struct chunk_event *e = &c->v[i - 1];

		if (!history_has_room(h, e->len))
			return HISTORY_FULL;
		mp_pack_raw(&h->events, slice_of(c->bytes.p + e->at, e->len));
		h->count++;
		h->next = e->seq;
		if (h->count == h->limit)
			return HISTORY_FULL;
	}
	return c->first > 0 ? HISTORY_FULL : HISTORY_DONE;
}

/* Events first to last, descending. */
static int
history_scan_back(struct history *h, uint64_t first, uint64_t last)
{
	CLEANUP(freep) struct chunk *c = malloc(sizeof(*c));
	int got = HISTORY_DONE;

	if (!c)
		return -ENOMEM;
	while (first <= last) {
		uint64_t from = last - first < HISTORY_CHUNK
				    ? first
				    : last - HISTORY_CHUNK + 1;

		memset(c, 0, sizeof(*c));
		h->next = last + 1;
		got = history_walk(h, from, last, history_look_back, c);
		if (got == HISTORY_DONE)
			got = history_take_chunk(h, c);
		chunk_deinit(c);
		if (got != HISTORY_DONE)
			return got;
		h->next = from;
		if (h->looked >= HISTORY_LOOKED ||
		    time_mono_ns() > h->deadline_ns)
			return HISTORY_FULL;
		last = from - 1;
	}
	return got;
}

/* --- indexes --- */

/* Events of the topic or actor, as far as the index covers the range. */
static int
history_index(struct history *h, struct store_read *r)
{
	CLEANUP(store_iter_freep) struct store_iter *it = NULL;
	const struct proto_request *req = h->req;
	bool reverse = req->history.reverse;
	uint64_t from = reverse ? MIN(h->high, h->covered + 1) : h->low;
	struct store_item item;
	struct slice bytes;
	int got;

	if (req->history.topic.p)
		got =
		    store_iter_topic(r, req->history.topic, from, reverse, &it);
	else
		got =
		    store_iter_actor(r, req->history.actor, from, reverse, &it);
	if (got < 0)
		return got;
	while ((got = store_iter_next(it, &item)) == STORE_FOUND) {
		if (item.seq <= h->low || item.seq >= h->high ||
		    item.seq > h->covered)
			return HISTORY_DONE;
		got =
		    logs_fetch(&h->lease, &h->frame, item.seq, &bytes, &h->why);
		if (got != LOG_READ_FRAME)
			return got;
		got = history_look(h, item.seq, bytes);
		if (got != HISTORY_DONE)
			return got;
	}
	return got < 0 ? got : HISTORY_DONE;
}

static int
history_by_index(struct history *h, struct store_read *r)
{
	/* What the index does not cover comes last, or in reverse first. */
	uint64_t first = MAX(h->low, h->covered) + 1;
	int got;

	if (h->req->history.reverse) {
		got = history_scan_back(h, first, h->high - 1);
		return got == HISTORY_DONE ? history_index(h, r) : got;
	}
	got = history_index(h, r);
	return got == HISTORY_DONE ? history_scan(h, first, h->high - 1) : got;
}

static bool
history_is_literal(struct slice pattern)
{
	return pattern.p && !memchr(pattern.p, '*', pattern.len) &&
	       !memchr(pattern.p, '>', pattern.len);
}

static int
history_run(struct history *h)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	const struct proto_request *req = h->req;
	int err;

	if (history_is_literal(req->history.topic) ||
	    (!req->history.topic.p && req->history.actor.p)) {
		err = store_read_begin(h->q->store, &r);
		if (err < 0)
			return reason_set(
			    &h->why, err, "the state cannot be read");
		h->covered = store_read_history_seq(r);
		return history_by_index(h, r);
	}
	if (req->history.reverse)
		return history_scan_back(h, h->low + 1, h->high - 1);
	return history_scan(h, h->low + 1, h->high - 1);
}

/* --- the request --- */

static int
history_make_set(struct history *h)
{
	CLEANUP(mp_buf_deinit) struct mp_buf topics = { 0 };
	const struct proto_request *req = h->req;

	h->all = !req->history.topic.p && !req->read.p;
	if (h->all)
		return 0;
	if (!req->history.topic.p)
		return topic_set_init(
		    &h->set, req->read, req->read, req->admin);
	mp_pack_array(&topics, 1);
	mp_pack_str(&topics, req->history.topic);
	if (topics.failed)
		return -ENOMEM;
	return topic_set_init(
	    &h->set, slice_of(topics.p, topics.len), req->read, req->admin);
}

/* Times as seqs: those of events never decrease. */
static int
history_bound_times(struct history *h)
{
	const struct proto_request *req = h->req;
	uint64_t seq;
	int got;

	if (req->history.from_time.set && req->history.from_time.v > 0) {
		got = logs_find_time(
		    &h->lease, req->history.from_time.v - 1, &seq, &h->why);
		if (got != LOG_READ_END)
			return got;
		h->low = MAX(h->low, seq);
	}
	if (req->history.to_time.set && req->history.to_time.v == 0) {
		h->high = 0;
	} else if (req->history.to_time.set) {
		got = logs_find_time(
		    &h->lease, req->history.to_time.v - 1, &seq, &h->why);
		if (got != LOG_READ_END)
			return got;
		h->high = MIN(h->high, seq + 1);
	}
	return HISTORY_DONE;
}

static bool
history_is_empty(const struct history *h)
{
	return h->high <= h->low || h->high - h->low < 2;
}

/* Lease a reader, and bound the range by what there is. */
static int
history_begin(struct history *h)
{
	const struct proto_request *req = h->req;
	uint64_t tail = query_tail(h->q);
	int err;

	h->limit =
	    req->history.limit.set ? req->history.limit.v : HISTORY_LIMIT;
	h->low = req->history.after.set ? req->history.after.v : 0;
	h->high = tail + 1;
	if (req->history.before.set)
		h->high = MIN(h->high, req->history.before.v);
	if (history_is_empty(h))
		return HISTORY_DONE;
	err = logs_lease(h->q->logs, h->high - 1, tail, &h->lease, &h->why);
	if (err < 0)
		return err;
	h->low = MAX(h->low, h->lease.oldest - 1);
	return history_bound_times(h);
}

static int
history_find(struct history *h)
{
	int got = history_make_set(h);

	if (got < 0)
		return got;
	h->deadline_ns = time_mono_ns() + QUERY_WORK_NS;
	got = history_begin(h);
	if (got != HISTORY_DONE || history_is_empty(h))
		return got;
	if (history_is_literal(h->req->history.topic) &&
	    !topic_set_matches(&h->set, h->req->history.topic))
		return got;
	return history_run(h);
}

/* Is there anything behind `next`? */
static bool
history_goes_on(const struct history *h)
{
	return h->req->history.reverse ? h->next > h->low + 1
				       : h->next + 1 < h->high;
}

enum proto_code
query_history(struct query *q, const struct proto_request *req,
    struct mp_buf *reply, struct query_refusal *no)
{
	CLEANUP(history_deinit) struct history h = { .q = q, .req = req };
	int got = history_find(&h);
	bool more;

	if (got != HISTORY_DONE && got != HISTORY_FULL) {
		logs_discard(&h.lease);
		return query_refuse_log(no, got, &h.why);
	}
	more = got == HISTORY_FULL && history_goes_on(&h);
	proto_pack_head(reply, "history", req->id, 1 + more);
	mp_pack_cstr(reply, "events");
	mp_pack_array(reply, h.count);
	mp_pack_raw(reply, slice_of(h.events.p, h.events.len));
	if (more)
		mp_pair_uint(reply, "next", h.next);
	if (h.events.failed || reply->failed)
		return query_refuse(
		    no, PROTO_UNAVAILABLE, "there is no memory for the answer");
	return PROTO_OK;
}
