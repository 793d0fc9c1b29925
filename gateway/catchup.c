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
#include "core/rules.h"
#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/block.h"
#include "gateway/catchup.h"
#include "gateway/conflate.h"
#include "gateway/peek.h"
#include "shm/ring_reader.h"

enum {
	PART_BYTES = BLOCK_BYTES - BLOCK_HEADROOM,
	LOOKED_AT = 4096,  /* events of one call */
	CONFLATED = 16384, /* the same, where few of them may be left */
	READ_EVENTS = 256,
	READ_BYTES = 64 * 1024,	 /* of one copy from the ring */
	OLD_RING_S = 30,	 /* who is that far behind is lagged */
	FIRST_BYTES = 20 * 1024, /* of the first one, which may be all */
	SETS = 64,		 /* of remembered blocks */
	WAYS = 4,
	REMEMBERED_BYTES = 64 * 1024, /* no block that is larger */
	ALL_BYTES = SETS * WAYS * REMEMBERED_BYTES,
};

/* A block, and what was asked for. */
struct memory {
	struct filter *filter; /* a reference */
	struct rules *rules;   /* a reference, or NULL */
	struct block *block;   /* its after is what was asked for */
	uint64_t bytes;	       /* of it and its forms, when last looked at */
};

struct catchup {
	struct ring_reader *ring;
	struct ring_reader *old; /* of the writer before, or NULL */
	uint64_t old_tail;	 /* seq of the last event in it */
	uint64_t old_since_ns;	 /* 0: the next tick says */
	bool foreign;		 /* the next ring does not continue this one */
	struct catchup_counts counts;
	struct memory_set {
		struct memory way[WAYS];
		unsigned next; /* to be given up */
	} remembered[SETS];
	uint64_t remembered_bytes;
	struct memory *given; /* last: forms of it may have been made since */
	unsigned hand;	      /* the next to be given up where all are many */
	struct ring_event ev[READ_EVENTS];
	size_t size;
	uint8_t *buf;
	struct mp_buf run;	   /* events of the block in the making ... */
	struct conflate *conflate; /* ... or what is left of them */
};

/* A block in the making. */
struct gather {
	const struct catchup_ask *ask;
	uint64_t upto;	/* end of the last whole request */
	size_t cut;	/* bytes of the run at that end ... */
	uint32_t cut_n; /* ... and events */
	uint32_t n_events;
	uint32_t looked_at;
	bool in_request;
	bool full;
};

struct catchup *
catchup_new(void)
{
	struct catchup *c = alloc_zero(1, sizeof(*c));

	c->size = READ_BYTES;
	c->buf = alloc_bytes(c->size);
	c->conflate = conflate_new();
	return c;
}

struct catchup *
catchup_free(struct catchup *c)
{
	if (!c)
		return NULL;
	catchup_forget(c);
	c->ring = ring_reader_free(c->ring);
	c->conflate = conflate_free(c->conflate);
	c->old = ring_reader_free(c->old);
	mp_buf_deinit(&c->run);
	free(c->buf);
	free(c);
	return NULL;
}

static void
forget(struct catchup *c, struct memory *m)
{
	m->filter = filter_unref(m->filter);
	m->rules = rules_free(m->rules);
	m->block = block_unref(m->block);
	c->remembered_bytes -= m->bytes;
	m->bytes = 0;
}

/* A block grows when it is sent in a form that nobody wanted before. */
static void
weigh(struct catchup *c, struct memory *m)
{
	uint64_t bytes = m->block ? block_bytes(m->block) : 0;

	c->remembered_bytes += bytes - m->bytes;
	m->bytes = bytes;
}

/* Keep what is remembered within its bound, now that the last was sent. */
static void
settle(struct catchup *c)
{
	if (c->given)
		weigh(c, c->given);
	c->given = NULL;
	while (c->remembered_bytes > ALL_BYTES) {
		unsigned i = c->hand++ % (SETS * WAYS);

		forget(c, &c->remembered[i / WAYS].way[i % WAYS]);
	}
}

void
catchup_forget(struct catchup *c)
{
	for (unsigned i = 0; i < SETS * WAYS; i++)
		forget(c, &c->remembered[i / WAYS].way[i % WAYS]);
	c->given = NULL;
	c->old = ring_reader_free(c->old);
	c->foreign = true;
}

static struct memory_set *
set_of(struct catchup *c, const struct catchup_ask *ask)
{
	uint64_t h = (ask->filter->hash ^ ask->after) * 0x9e3779b97f4a7c15;

	return &c->remembered[(h >> 32) % SETS];
}

static struct block *
recall(struct catchup *c, const struct catchup_ask *ask)
{
	struct memory_set *set = set_of(c, ask);

	for (unsigned i = 0; i < WAYS; i++) {
		struct memory *m = &set->way[i];

		if (m->filter == ask->filter && m->rules == ask->rules &&
		    m->block->after == ask->after &&
		    m->block->upto <= ask->upto) {
			c->given = m;
			return m->block;
		}
	}
	return NULL;
}

/* Its writer has gone: nothing comes to it or goes from it any more. */
static void
retire(struct catchup *c, struct ring_reader *ring)
{
	struct ring_status status;

	ring_reader_status(ring, &status);
	c->old = ring;
	c->old_tail = status.tail_seq;
	c->old_since_ns = 0;
}

int
catchup_ring(struct catchup *c, struct ring_reader *ring)
{
	struct ring_reader *clone;
	int err = ring_reader_clone(ring, &clone);

	if (err < 0)
		return err;
	c->old = ring_reader_free(c->old);
	if (c->ring && !c->foreign)
		retire(c, TAKE(c->ring));
	(void)ring_reader_free(c->ring);
	c->ring = clone;
	c->foreign = false;
	return 0;
}

void
catchup_tick(struct catchup *c, uint64_t now_ns)
{
	if (!c->old)
		return;
	if (c->old_since_ns == 0)
		c->old_since_ns = now_ns;
	else if (now_ns - c->old_since_ns >= OLD_RING_S * NS_PER_S)
		c->old = ring_reader_free(c->old);
}

/* The old ring counts where the new one goes on without a gap. */
uint64_t
catchup_oldest(struct catchup *c)
{
	uint64_t oldest = ring_reader_seek_oldest(c->ring) + 1, older;

	if (!c->old || oldest > c->old_tail + 1)
		return oldest;
	older = ring_reader_seek_oldest(c->old) + 1;
	return MIN(oldest, older);
}

uint64_t
catchup_log_oldest(const struct catchup *c)
{
	struct ring_status status;

	ring_reader_status(c->ring, &status);
	return MAX(status.oldest_seq, 1);
}

/* false: it has no room, and the block ends in front of its request. */
static bool
gather_bytes(struct catchup *c, struct gather *g, struct slice bytes)
{
	if (g->ask->rules) {
		if (!g->in_request)
			conflate_begin(c->conflate, g->upto);
		conflate_add(c->conflate, bytes);
		g->in_request = true;
		return true;
	}
	if (g->cut > 0 && c->run.len + bytes.len > PART_BYTES)
		return false;
	mp_buf_bytes(&c->run, bytes.p, bytes.len);
	g->n_events++;
	return true;
}

static bool
is_full(const struct catchup *c, const struct gather *g)
{
	if (g->upto == g->ask->upto)
		return true;
	if (g->ask->rules)
		return g->looked_at >= CONFLATED ||
		       conflate_size(c->conflate) >= CONFLATE_BYTES;
	return g->looked_at >= LOOKED_AT || g->cut >= PART_BYTES;
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
	if (ev->seq > g->ask->upto) {
		g->full = true;
		return;
	}
	if (peek_event(bytes, &peek) &&
	    filter_matches(g->ask->filter, peek.topic, peek.type) &&
	    !gather_bytes(c, g, bytes)) {
		g->full = true;
		return;
	}
	if (!(ev->flags & RING_LAST_OF_REQUEST))
		return;
	g->upto = ev->seq;
	g->cut = c->run.len;
	g->cut_n = g->n_events;
	g->in_request = false;
	g->full = is_full(c, g);
}

/* RING_EVENT: some were taken; RING_EMPTY, RING_LAPPED or below zero. */
static int
read_some(struct catchup *c, struct ring_reader *ring, struct gather *g)
{
	size_t size = g->looked_at == 0 ? FIRST_BYTES : c->size;
	uint32_t n;
	size_t need;
	int rc =
	    ring_reader_read(ring, c->ev, READ_EVENTS, c->buf, size, &n, &need);

	if (rc == RING_TOO_SMALL) {
		if (need > EVENT_MAX)
			return -EPROTO;
		if (need > c->size) {
			c->buf = alloc_array(c->buf, need, 1);
			c->size = need;
		}
		rc = ring_reader_read(
		    ring, c->ev, READ_EVENTS, c->buf, c->size, &n, &need);
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

static struct block *
finish_conflated(struct catchup *c, const struct gather *g)
{
	struct conflate_walk walk = { .trim = { g->ask->after, g->upto,
					  TRIM_NO_EPHEMERAL, NULL } };
	struct block *b;

	if (g->in_request)
		conflate_rollback(c->conflate);
	b = conflate_next(c->conflate, &walk);
	block_finish_batch(b, g->ask->after, walk.upto);
	conflate_reset(c->conflate, NULL);
	return b;
}

/* What was gathered, as a batch. */
static struct block *
finish(struct catchup *c, const struct gather *g)
{
	struct block *b;

	if (g->ask->rules)
		return finish_conflated(c, g);
	b = alloc_block((uint32_t)g->cut);
	if (g->cut > 0)
		block_add(b, c->run.p, (uint32_t)g->cut);
	b->n_events = g->cut_n;
	block_finish_batch(b, g->ask->after, g->upto);
	return b;
}

/* Only what does not end where this one connection had to stop. */
static void
remember(struct catchup *c, const struct catchup_ask *ask, struct block *b)
{
	struct memory_set *set = set_of(c, ask);
	struct memory *m = &set->way[set->next];

	if (b->upto == ask->upto || b->cap > REMEMBERED_BYTES)
		return;
	set->next = (set->next + 1) % WAYS;
	forget(c, m);
	m->filter = filter_ref(ask->filter);
	m->rules = ask->rules ? rules_ref(ask->rules) : NULL;
	m->block = block_ref(b);
	weigh(c, m);
	c->given = m;
}

int
catchup_block(
    struct catchup *c, const struct catchup_ask *ask, struct block **out)
{
	struct gather g = { .ask = ask, .upto = ask->after };
	struct ring_reader *ring = c->ring;
	struct block *known;
	int rc;

	assert(ask->after < ask->upto);
	settle(c);
	known = recall(c, ask);
	c->counts.blocks++;
	if (known) {
		*out = block_ref(known);
		return CATCHUP_BLOCK;
	}
	c->counts.reads++;
	c->run.len = 0;
	conflate_reset(c->conflate, ask->rules);
	rc = ring_reader_seek(ring, ask->after);
	if (rc == RING_LAPPED && c->old && ask->after < c->old_tail) {
		ring = c->old;
		rc = ring_reader_seek(ring, ask->after);
	}
	while (rc == RING_EVENT && !g.full)
		rc = read_some(c, ring, &g);
	if (rc < 0)
		return rc;
	if (c->run.failed)
		alloc_failed();
	/* What was whole before the writer came past us is good. */
	if (g.upto == ask->after)
		return CATCHUP_LAPPED;
	*out = finish(c, &g);
	remember(c, ask, *out);
	return CATCHUP_BLOCK;
}

void
catchup_counts(const struct catchup *c, struct catchup_counts *counts)
{
	*counts = c->counts;
	counts->remembered_bytes = c->remembered_bytes;
}
