/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A rider's asides are linked by their indices, so that its private block is
 * made in one walk, and nobody is looked at who has none.
 *
 *	block of the group   [e1 e2 e3 e4]
 *	asides                ^at 0    ^at 2 events     -> a1 e1 e2 a2 e3 e4
 */

#include <assert.h>
#include <stdlib.h>

#include "gateway/alloc.h"
#include "gateway/aside.h"
#include "gateway/send.h"

enum {
	FULL_EVENTS = 1 << 16,
	FULL_BYTES = 1 << 20,
	KEEP_BYTES = 1 << 16, /* of memory, from one block to the next */
};

bool
aside_is_full(const struct asides *a)
{
	return a->n >= FULL_EVENTS || a->bytes.len >= FULL_BYTES;
}

/* Where the event stands: where it was put for the rider before, or new. */
static uint32_t
put_bytes(struct asides *a, struct slice event)
{
	if (a->n > 0 && slice_equal(aside_event(a, a->n - 1), event))
		return a->v[a->n - 1].start;
	mp_pack_raw(&a->bytes, event);
	if (a->bytes.failed)
		alloc_failed();
	return (uint32_t)(a->bytes.len - event.len);
}

static void
link_last(struct asides *a, uint32_t i)
{
	struct sender *s = a->v[i].rider;

	a->v[i].next = 0;
	if (!s)
		return;
	if (s->aside > 0)
		a->v[s->aside_last - 1].next = i + 1;
	else
		s->aside = i + 1;
	s->aside_last = i + 1;
	s->aside_bytes += a->v[i].len;
}

void
aside_add(
    struct asides *a, struct sender *rider, uint32_t at, struct slice event)
{
	uint32_t start = put_bytes(a, event);

	if (a->n == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 16;
		a->v = alloc_array(a->v, a->cap, sizeof(a->v[0]));
	}
	a->v[a->n] = (struct aside){ .rider = rider,
		.at = at,
		.start = start,
		.len = (uint32_t)event.len };
	link_last(a, a->n++);
}

static void
let_go(struct sender *rider)
{
	rider->aside = rider->aside_last = rider->aside_bytes = 0;
}

void
aside_forget(struct asides *a, struct sender *rider)
{
	for (uint32_t i = rider->aside; i > 0; i = a->v[i - 1].next)
		a->v[i - 1].rider = NULL;
	let_go(rider);
}

static void
let_go_all(struct asides *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (a->v[i].rider)
			let_go(a->v[i].rider);
}

void
aside_clear(struct asides *a)
{
	let_go_all(a);
	a->n = 0;
	a->cut = 0;
	a->bytes.len = 0;
	if (a->bytes.cap > KEEP_BYTES || a->cap * sizeof(a->v[0]) > KEEP_BYTES)
		aside_deinit(a);
}

void
aside_take_rest(struct asides *a, struct asides *rest)
{
	*rest = (struct asides){ 0 };
	let_go_all(a);
	if (a->cut < a->n) {
		uint32_t n = a->n - a->cut;

		rest->v = alloc_array(NULL, n, sizeof(a->v[0]));
		memcpy(rest->v, a->v + a->cut, n * sizeof(a->v[0]));
		rest->n = rest->cap = n;
		mp_pack_raw(&rest->bytes, slice_of(a->bytes.p, a->bytes.len));
		if (rest->bytes.failed)
			alloc_failed();
	}
	a->n = a->cut;
	for (uint32_t i = 0; i < a->n; i++)
		link_last(a, i);
}

void
aside_deinit(struct asides *a)
{
	mp_buf_deinit(&a->bytes);
	free(a->v);
	*a = (struct asides){ 0 };
}

/* Bytes [from, to) of the block's events. */
static void
copy_shared(struct block *copy, struct slice run, size_t from, size_t to,
    const struct trim *trim)
{
	struct slice part = slice_of(run.p + from, to - from);

	if (part.len == 0)
		return;
	if (trim)
		trim_copy(copy, part, from, trim);
	else
		block_add(copy, part.p, (uint32_t)part.len);
}

struct block *
aside_block(const struct asides *a, const struct sender *rider,
    const struct block *b, const struct trim *trim)
{
	struct slice run = b ? trim_events(b) : slice_of(NULL, 0);
	struct trim own = { 0, UINT64_MAX, 0, trim ? trim->filter : NULL };
	struct block *copy =
	    alloc_block((uint32_t)run.len + rider->aside_bytes);
	uint32_t n = b ? b->n_events : 0;
	size_t from = 0;

	copy->read_ns = n > 0 ? b->read_ns : a->read_ns;
	for (uint32_t i = rider->aside; i > 0; i = a->v[i - 1].next, n++) {
		const struct aside *aside = &a->v[i - 1];

		assert(aside->at >= from && aside->at <= run.len);
		copy_shared(copy, run, from, aside->at, trim);
		trim_copy(copy, aside_event(a, i - 1), 0, &own);
		from = aside->at;
	}
	copy_shared(copy, run, from, run.len, trim);
	if (!trim)
		copy->n_events = n;
	return copy;
}
