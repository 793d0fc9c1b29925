/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A pass copies a run out of the ring and works through it; what one pass
 * leaves of the copy, the next one takes up.  Groups never see half of a
 * request at the end of a pass.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/event.h"
#include "gateway/alloc.h"
#include "gateway/feed.h"
#include "gateway/peek.h"
#include "gateway/send.h"
#include "shm/ring_reader.h"

enum {
	PASS_EVENTS = 4096
};

struct feed {
	struct group_table *groups;
	struct ring_reader *ring; /* the caller's */
	uint64_t due_ns;
	uint64_t events;
	bool started;
	bool in_request; /* its last event has not come yet */

	/* What was copied, and how far it was worked through. */
	uint32_t n, at;
	size_t byte_at;
	struct ring_event ev[PASS_EVENTS];
	uint8_t buf[EVENT_MAX];
};

struct feed *
feed_new(struct group_table *groups)
{
	struct feed *f = alloc_zero(1, sizeof(*f));

	f->groups = groups;
	return f;
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

/* Go on with the oldest event that the ring holds. */
static void
skip_ahead(struct feed *f)
{
	group_table_rollback(f->groups);
	group_table_close(f->groups);
	f->n = f->at = 0;
	f->in_request = false;
	group_table_request(f->groups, ring_reader_seek_oldest(f->ring));
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
	f->n = f->at = 0;
	f->in_request = false;
	rc = ring_reader_seek(ring, f->groups->done);
	if (rc != RING_LAPPED)
		return rc < 0 ? rc : FEED_IDLE;
	skip_ahead(f);
	return FEED_LAPPED;
}

void
feed_restart(struct feed *f)
{
	assert(LIST_EMPTY(&f->groups->all));
	f->started = false;
	f->n = f->at = 0;
	f->in_request = false;
}

static void
hand_out(struct feed *f, const struct ring_event *ev, struct slice bytes)
{
	const struct match_list *list;
	struct match_to given = { NULL, NULL };
	struct peek peek;

	if (!peek_event(bytes, &peek))
		return; /* nobody could read it either */
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
}

static void
end_request(struct feed *f)
{
	group_table_request(f->groups, f->ev[f->at - 1].seq);
	f->in_request = false;
}

/* Take one event of the copy; true when a request has ended with it. */
static bool
take_one(struct feed *f)
{
	const struct ring_event *ev = &f->ev[f->at++];

	hand_out(f, ev, slice_of(f->buf + f->byte_at, ev->len));
	f->byte_at += ev->len;
	f->events++;
	if (ev->flags & (RING_EPHEMERAL | RING_LAST_OF_REQUEST)) {
		end_request(f);
		return true;
	}
	f->in_request = true;
	return false;
}

static int
copy_more(struct feed *f)
{
	uint32_t n;
	size_t need;
	int rc = ring_reader_read(
	    f->ring, f->ev, PASS_EVENTS, f->buf, sizeof(f->buf), &n, &need);

	if (rc == RING_TOO_SMALL)
		return -EPROTO;
	if (rc != RING_EVENT)
		return rc;
	f->n = n;
	f->at = 0;
	f->byte_at = 0;
	return RING_EVENT;
}

int
feed_pass(struct feed *f, uint64_t now_ns)
{
	int rc = RING_EVENT;
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
		if (take_one(f) && f->groups->work >= GROUP_WORK)
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
