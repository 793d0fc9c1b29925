/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One scratch reader serves every connection that is behind: it seeks to
 * where the connection stands, so that a thousand of them cost a thousand
 * positions.  A part ends at a request's end, at a block's size.
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
	READ_BYTES = 64 * 1024, /* of one copy from the ring */
};

struct catchup {
	struct ring_reader *ring;
	struct ring_event ev[READ_EVENTS];
	size_t size;
	uint8_t *buf;
	struct mp_buf run; /* the part */
};

/* A part in the making. */
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
	c->ring = ring_reader_free(c->ring);
	mp_buf_deinit(&c->run);
	free(c->buf);
	free(c);
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

/* Add one event; full when the part ends with what was whole before it. */
static void
gather_event(struct catchup *c, struct gather *g, const struct ring_event *ev,
    struct slice bytes)
{
	struct peek peek;

	g->looked_at++;
	if (ev->flags & RING_EPHEMERAL)
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
	uint32_t n;
	size_t need;
	int rc = ring_reader_read(
	    c->ring, c->ev, READ_EVENTS, c->buf, c->size, &n, &need);

	if (rc == RING_TOO_SMALL) {
		if (need > EVENT_MAX)
			return -EPROTO;
		c->buf = alloc_array(c->buf, need, 1);
		c->size = need;
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

int
catchup_read(struct catchup *c, const struct filter *filter, uint64_t after,
    uint64_t upto, struct catchup_part *part)
{
	struct gather g = { .filter = filter, .limit = upto, .upto = after };
	int rc;

	assert(after < upto);
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
	*part = (struct catchup_part){
		.upto = g.upto,
		.n_events = g.cut_n,
		.events = slice_of(c->run.p, g.cut),
	};
	return CATCHUP_PART;
}
