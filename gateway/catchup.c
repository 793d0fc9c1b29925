/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One scratch reader serves every connection that is behind: it seeks to
 * where the connection stands, so that a thousand of them cost a thousand
 * positions.  They tend to stand at the same places, the ends of blocks that
 * they once shared, so what was read is remembered for the next one.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/event.h"
#include "core/mp.h"
#include "gateway/alloc.h"
#include "gateway/block.h"
#include "gateway/catchup.h"
#include "gateway/peek.h"
#include "shm/ring_reader.h"

enum {
	PART_BYTES = BLOCK_BYTES - BLOCK_HEADROOM,
	LOOKED_AT = 4096, /* events of one call */
	READ_EVENTS = 256,
	READ_BYTES = 64 * 1024,	 /* of one copy from the ring */
	FIRST_BYTES = 20 * 1024, /* of the first one, which may be all */
	SETS = 64,		 /* of remembered blocks */
	WAYS = 4,
	REMEMBERED_BYTES = 64 * 1024, /* no block that is larger */
};

/* A block, and what was asked for. */
struct memory {
	struct filter *filter; /* a reference */
	struct block *block;   /* its after is what was asked for */
};

struct catchup {
	struct ring_reader *ring;
	struct catchup_counts counts;
	struct memory_set {
		struct memory way[WAYS];
		unsigned next; /* to be given up */
	} remembered[SETS];
	struct ring_event ev[READ_EVENTS];
	size_t size;
	uint8_t *buf;
	struct mp_buf run; /* events of the block in the making */
};

/* A block in the making. */
struct gather {
	const struct filter *filter;
	uint64_t limit; /* upto, as asked for */
	uint64_t upto;	/* end of the last whole request */
	size_t cut;	/* bytes of the run at that end ... */
	uint32_t cut_n; /* ... and events */
	uint32_t n_events;
	uint32_t looked_at;
	bool full;
};

struct catchup *
catchup_new(void)
{
	struct catchup *c = alloc_zero(1, sizeof(*c));

	c->size = READ_BYTES;
	c->buf = alloc_bytes(c->size);
	return c;
}

struct catchup *
catchup_free(struct catchup *c)
{
	if (!c)
		return NULL;
	catchup_forget(c);
	c->ring = ring_reader_free(c->ring);
	mp_buf_deinit(&c->run);
	free(c->buf);
	free(c);
	return NULL;
}

static void
forget(struct memory *m)
{
	m->filter = filter_unref(m->filter);
	m->block = block_unref(m->block);
}

void
catchup_forget(struct catchup *c)
{
	for (unsigned i = 0; i < SETS * WAYS; i++)
		forget(&c->remembered[i / WAYS].way[i % WAYS]);
}

static struct memory_set *
set_of(struct catchup *c, const struct filter *filter, uint64_t after)
{
	uint64_t h = (filter->hash ^ after) * 0x9e3779b97f4a7c15;

	return &c->remembered[(h >> 32) % SETS];
}

static struct block *
recall(struct catchup *c, const struct filter *filter, uint64_t after,
    uint64_t upto)
{
	const struct memory_set *set = set_of(c, filter, after);

	for (unsigned i = 0; i < WAYS; i++) {
		struct block *b = set->way[i].block;

		if (set->way[i].filter == filter && b->after == after &&
		    b->upto <= upto)
			return b;
	}
	return NULL;
}

int
catchup_ring(struct catchup *c, struct ring_reader *ring)
{
	struct ring_reader *clone;
	int err = ring_reader_clone(ring, &clone);

	if (err < 0)
		return err;
	c->ring = ring_reader_free(c->ring);
	c->ring = clone;
	return 0;
}

uint64_t
catchup_oldest(struct catchup *c)
{
	return ring_reader_seek_oldest(c->ring) + 1;
}

uint64_t
catchup_log_oldest(const struct catchup *c)
{
	struct ring_status status;

	ring_reader_status(c->ring, &status);
	return MAX(status.oldest_seq, 1);
}

/* Add one event; full when the block ends with what was whole before it. */
static void
gather_event(struct catchup *c, struct gather *g, const struct ring_event *ev,
    struct slice bytes)
{
	struct peek peek;

	g->looked_at++;
	if (ev->flags & RING_EPHEMERAL || ev->seq <= g->upto)
		return;
	if (ev->seq > g->limit) {
		g->full = true;
		return;
	}
	if (peek_event(bytes, &peek) &&
	    filter_matches(g->filter, peek.topic, peek.type)) {
		if (g->cut > 0 && c->run.len + bytes.len > PART_BYTES) {
			g->full = true;
			return;
		}
		mp_buf_bytes(&c->run, bytes.p, bytes.len);
		g->n_events++;
	}
	if (!(ev->flags & RING_LAST_OF_REQUEST))
		return;
	g->upto = ev->seq;
	g->cut = c->run.len;
	g->cut_n = g->n_events;
	g->full = g->looked_at >= LOOKED_AT || g->upto == g->limit ||
		  g->cut >= PART_BYTES;
}

/* RING_EVENT: some were taken; RING_EMPTY, RING_LAPPED or below zero. */
static int
read_some(struct catchup *c, struct gather *g)
{
	size_t size = g->looked_at == 0 ? FIRST_BYTES : c->size;
	uint32_t n;
	size_t need;
	int rc = ring_reader_read(
	    c->ring, c->ev, READ_EVENTS, c->buf, size, &n, &need);

	if (rc == RING_TOO_SMALL) {
		if (need > EVENT_MAX)
			return -EPROTO;
		if (need > c->size) {
			c->buf = alloc_array(c->buf, need, 1);
			c->size = need;
		}
		rc = ring_reader_read(
		    c->ring, c->ev, READ_EVENTS, c->buf, c->size, &n, &need);
	}
	if (rc != RING_EVENT)
		return rc == RING_TOO_SMALL ? -EPROTO : rc;
	for (uint32_t i = 0, at = 0; i < n && !g->full; i++) {
		gather_event(
		    c, g, &c->ev[i], slice_of(c->buf + at, c->ev[i].len));
		at += c->ev[i].len;
	}
	return RING_EVENT;
}

/* What was gathered, as a batch. */
static struct block *
finish(const struct catchup *c, const struct gather *g, uint64_t after)
{
	struct block *b = alloc_block((uint32_t)g->cut);

	if (g->cut > 0)
		block_add(b, c->run.p, (uint32_t)g->cut);
	b->n_events = g->cut_n;
	block_finish_batch(b, after, g->upto);
	return b;
}

/* Only what does not end where this one connection had to stop. */
static void
remember(
    struct catchup *c, struct filter *filter, struct block *b, uint64_t limit)
{
	struct memory_set *set = set_of(c, filter, b->after);
	struct memory *m = &set->way[set->next];

	if (b->upto == limit || b->cap > REMEMBERED_BYTES)
		return;
	set->next = (set->next + 1) % WAYS;
	forget(m);
	m->filter = filter_ref(filter);
	m->block = block_ref(b);
}

int
catchup_block(struct catchup *c, struct filter *filter, uint64_t after,
    uint64_t upto, struct block **out)
{
	struct gather g = { .filter = filter, .limit = upto, .upto = after };
	struct block *known = recall(c, filter, after, upto);
	int rc;

	assert(after < upto);
	c->counts.blocks++;
	if (known) {
		*out = block_ref(known);
		return CATCHUP_BLOCK;
	}
	c->counts.reads++;
	c->run.len = 0;
	rc = ring_reader_seek(c->ring, after);
	while (rc == RING_EVENT && !g.full)
		rc = read_some(c, &g);
	if (rc < 0)
		return rc;
	if (c->run.failed)
		alloc_failed();
	/* What was whole before the writer came past us is good. */
	if (g.upto == after)
		return CATCHUP_LAPPED;
	*out = finish(c, &g, after);
	remember(c, filter, *out, upto);
	return CATCHUP_BLOCK;
}

void
catchup_counts(const struct catchup *c, struct catchup_counts *counts)
{
	*counts = c->counts;
}
