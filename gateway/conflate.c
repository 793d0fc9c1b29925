/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Events stay in the order in which they came.  Those of a topic since its
 * newest `set` are linked, so that the next one finds what it covers; a
 * request takes part only when it is whole, for it may have to be forgotten.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/row.h"
#include "core/rules.h"
#include "gateway/alloc.h"
#include "gateway/conflate.h"
#include "gateway/peek.h"

enum {
	FIRST_BYTES = 4096,
	FIRST_ITEMS = 32,
	FIRST_SLOTS = 64,
	/*
	 * A row has at most so many bytes more than the event that set it:
	 * times and actor of the topic's first event, its head and flag.  A
	 * `set` whose row is beyond ROW_MAX only touches.
	 */
	ROW_MORE = 9 + 2 + 128 + 2
};

enum role {
	STAYS,	   /* version 1 */
	COVERS,	   /* set: what came before is left out */
	FOLDS,	   /* into what the topic has */
	EPHEMERAL, /* the newest of its topic and type stays */
};

struct item {
	uint64_t seq;
	uint64_t base; /* where the request before its own ended */
	uint32_t at;   /* of its first byte */
	uint32_t len;
	uint32_t nth;  /* event that came */
	uint32_t prev; /* item of the same key, from 1; 0: none */
	uint16_t type_at;
	uint8_t type_len;
	uint8_t topic_at; /* within the event, as type_at is */
	uint8_t topic_len;
	uint8_t role;
	bool gone;
};

/* A topic, or a topic and type of ephemeral events. */
struct slot {
	uint32_t hash;
	uint32_t last; /* item, from 1; 0: the slot is free */
};

struct conflate {
	const struct rules *rules;
	struct hash_key key;
	uint64_t base;
	uint32_t came;

	uint8_t *bytes; /* of the items, back to back */
	size_t n_bytes, cap_bytes;
	struct item *items;
	uint32_t n, cap;
	uint32_t whole; /* items of whole requests */
	size_t left_bytes;
	uint32_t left;

	struct slot *slots;
	uint32_t n_slots, cap_slots; /* a power of two */
};

struct conflate *
conflate_new(void)
{
	struct conflate *c = alloc_zero(1, sizeof(*c));

	c->key = hash_key_random();
	return c;
}

void
conflate_reset(struct conflate *c, const struct rules *rules)
{
	free(c->bytes);
	free(c->items);
	free(c->slots);
	*c = (struct conflate){ .rules = rules, .key = c->key };
}

struct conflate *
conflate_free(struct conflate *c)
{
	if (!c)
		return NULL;
	conflate_reset(c, NULL);
	free(c);
	return NULL;
}

static struct slice
topic_of(const struct conflate *c, const struct item *item)
{
	return slice_of(c->bytes + item->at + item->topic_at, item->topic_len);
}

static struct slice
type_of(const struct conflate *c, const struct item *item)
{
	return slice_of(c->bytes + item->at + item->type_at, item->type_len);
}

static bool
same_key(const struct conflate *c, const struct item *a, const struct item *b)
{
	if ((a->role == EPHEMERAL) != (b->role == EPHEMERAL) ||
	    !slice_equal(topic_of(c, a), topic_of(c, b)))
		return false;
	return a->role != EPHEMERAL ||
	       slice_equal(type_of(c, a), type_of(c, b));
}

static uint32_t
hash_of(const struct conflate *c, const struct item *item)
{
	struct slice topic = topic_of(c, item);

	return (uint32_t)hash_bytes(&c->key, topic.p, topic.len) +
	       (item->role == EPHEMERAL);
}

static void
grow_slots(struct conflate *c)
{
	uint32_t cap = c->cap_slots ? 2 * c->cap_slots : FIRST_SLOTS;
	struct slot *slots = alloc_zero(cap, sizeof(*slots));

	for (uint32_t i = 0; i < c->cap_slots; i++) {
		uint32_t to = c->slots[i].hash & (cap - 1);

		if (c->slots[i].last == 0)
			continue;
		while (slots[to].last > 0)
			to = (to + 1) & (cap - 1);
		slots[to] = c->slots[i];
	}
	free(c->slots);
	c->slots = slots;
	c->cap_slots = cap;
}

/* The slot of the item's key, where last is 0 when it is new. */
static struct slot *
slot_of(struct conflate *c, const struct item *item)
{
	uint32_t hash = hash_of(c, item), at;
	struct slot *slot;

	if (c->n_slots >= c->cap_slots / 2)
		grow_slots(c);
	for (at = hash;; at++) {
		slot = &c->slots[at & (c->cap_slots - 1)];
		if (slot->last == 0)
			break;
		if (slot->hash == hash &&
		    same_key(c, &c->items[slot->last - 1], item))
			return slot;
	}
	slot->hash = hash;
	c->n_slots++;
	return slot;
}

static void
leave_out(struct conflate *c, uint32_t last)
{
	while (last > 0) {
		struct item *item = &c->items[last - 1];

		item->gone = true;
		c->left--;
		c->left_bytes -= item->len;
		last = item->prev;
	}
}

/* An item of a whole request takes its place. */
static void
settle(struct conflate *c, uint32_t nth)
{
	struct item *item = &c->items[nth - 1];
	struct slot *slot;

	if (item->role == STAYS)
		return;
	slot = slot_of(c, item);
	if (item->role == FOLDS)
		item->prev = slot->last;
	else
		leave_out(c, slot->last);
	slot->last = nth;
}

/* Close the gaps; what is linked is left, so links keep their ends. */
static void
compact(struct conflate *c)
{
	uint32_t *to = alloc_array(NULL, c->n + 1, sizeof(*to));
	uint32_t n = 0;
	size_t bytes = 0;

	to[0] = 0;
	for (uint32_t i = 0; i < c->n; i++) {
		struct item item = c->items[i];

		if (item.gone)
			continue;
		memmove(c->bytes + bytes, c->bytes + item.at, item.len);
		item.at = (uint32_t)bytes;
		bytes += item.len;
		item.prev = to[item.prev];
		c->items[n++] = item;
		to[i + 1] = n;
	}
	for (uint32_t i = 0; i < c->cap_slots; i++)
		if (c->slots[i].last > 0)
			c->slots[i].last = to[c->slots[i].last];
	assert(n == c->left && bytes == c->left_bytes);
	c->n = c->whole = n;
	c->n_bytes = bytes;
	free(to);
}

static void
end_request(struct conflate *c)
{
	while (c->whole < c->n)
		settle(c, ++c->whole);
	if (c->n / 2 > c->left + FIRST_ITEMS ||
	    c->n_bytes / 2 > c->left_bytes + FIRST_BYTES)
		compact(c);
}

void
conflate_begin(struct conflate *c, uint64_t base)
{
	end_request(c);
	c->base = base;
}

void
conflate_rollback(struct conflate *c)
{
	while (c->n > c->whole) {
		const struct item *item = &c->items[--c->n];

		c->n_bytes -= item->len;
		c->left_bytes -= item->len;
		c->left--;
		c->came--;
	}
}

static enum role
role_of(const struct conflate *c, const struct peek *peek, struct slice event)
{
	if (peek->seq == 0)
		return EPHEMERAL;
	if (peek->version == 1)
		return STAYS;
	if (event.len + ROW_MORE > ROW_MAX ||
	    rules_fold(c->rules, peek->topic, peek->type) != RULES_SET)
		return FOLDS;
	return COVERS;
}

static void
reserve(struct conflate *c, size_t len)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : FIRST_ITEMS;
		c->items = alloc_array(c->items, c->cap, sizeof(*c->items));
	}
	if (len <= c->cap_bytes - c->n_bytes)
		return;
	c->cap_bytes = MAX(2 * c->cap_bytes, c->n_bytes + len);
	c->cap_bytes = MAX(c->cap_bytes, (size_t)FIRST_BYTES);
	c->bytes = alloc_array(c->bytes, c->cap_bytes, 1);
}

void
conflate_add(struct conflate *c, struct slice event)
{
	struct peek peek;

	if (!peek_event(event, &peek))
		return;
	reserve(c, event.len);
	assert(c->n_bytes + event.len <= UINT32_MAX);
	c->items[c->n++] = (struct item){
		.seq = peek.seq,
		.base = c->base,
		.at = (uint32_t)c->n_bytes,
		.len = (uint32_t)event.len,
		.nth = c->came++,
		.topic_at = (uint8_t)(peek.topic.p - event.p),
		.topic_len = (uint8_t)peek.topic.len,
		.type_at = (uint16_t)(peek.type.p - event.p),
		.type_len = (uint8_t)peek.type.len,
		.role = (uint8_t)role_of(c, &peek, event),
	};
	memcpy(c->bytes + c->n_bytes, event.p, event.len);
	c->n_bytes += event.len;
	c->left_bytes += event.len;
	c->left++;
}

uint64_t
conflate_size(const struct conflate *c)
{
	return c->n_bytes + (uint64_t)c->n * sizeof(struct item);
}

uint32_t
conflate_left_out(const struct conflate *c)
{
	return c->came - c->left;
}

uint32_t
conflate_mark(const struct conflate *c)
{
	return c->came;
}

static bool
wanted(
    const struct conflate *c, const struct trim *trim, const struct item *item)
{
	if (item->gone)
		return false;
	if (item->seq == 0 ? item->nth < trim->fresh
			   : item->seq <= trim->after || item->seq > trim->upto)
		return false;
	return !trim->filter || filter_matches(trim->filter, topic_of(c, item),
				    type_of(c, item));
}

static bool
same_request(const struct item *a, const struct item *b)
{
	return a->seq > 0 && b->seq > 0 && a->base == b->base;
}

/* Where the batch that begins at walk->at ends, and the bytes it takes. */
static uint32_t
find_end(const struct conflate *c, struct conflate_walk *walk, size_t *bytes)
{
	const struct item *last = NULL;
	uint32_t cut = walk->at;
	size_t cut_bytes = 0;

	*bytes = 0;
	walk->upto = walk->trim.upto;
	for (uint32_t i = walk->at; i < c->n; i++) {
		const struct item *item = &c->items[i];

		if (!wanted(c, &walk->trim, item))
			continue;
		if (last && !same_request(last, item)) {
			cut = i;
			cut_bytes = *bytes;
		}
		if (cut_bytes > 0 && *bytes + item->len > CONFLATE_BYTES) {
			*bytes = cut_bytes;
			walk->upto = MAX(c->items[cut].base, walk->trim.after);
			walk->upto = MIN(walk->upto, walk->trim.upto);
			return cut;
		}
		*bytes += item->len;
		last = item;
	}
	return c->n;
}

struct block *
conflate_next(struct conflate *c, struct conflate_walk *walk)
{
	struct block *b;
	size_t bytes;
	uint32_t end;

	if (walk->at == 0)
		end_request(c);
	end = find_end(c, walk, &bytes);
	b = alloc_block((uint32_t)bytes);
	for (uint32_t i = walk->at; i < end; i++) {
		const struct item *item = &c->items[i];

		if (!wanted(c, &walk->trim, item))
			continue;
		block_add(b, c->bytes + item->at, item->len);
		b->ephemeral = b->ephemeral || item->seq == 0;
	}
	walk->at = end;
	walk->ended = end == c->n;
	return b;
}
