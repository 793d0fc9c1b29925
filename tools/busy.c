/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An open hash table of topics.  A topic that comes while the table is full
 * counts with the others for that turn; at its end the less busy half makes
 * room, so that whoever stays busy is in the table one turn later.
 */

#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "tools/busy.h"

enum {
	LONG_S = 10, /* of the longer averages */
};

struct counts {
	uint64_t events, bytes;
};

struct entry {
	uint64_t hash;
	struct counts now; /* since the last turn */
	struct busy_topic topic;
};

struct busy {
	struct hash_key key;
	struct entry *entries;
	uint32_t *slots; /* index of an entry, + 1; 0: empty */
	uint32_t *order; /* of entries, for lists */
	unsigned room, n;
	uint32_t mask; /* of slots */
	uint64_t turn_ns;
	struct counts all, others;
	struct busy_rates all_rates, others_rates;
};

struct busy *
busy_free(struct busy *b)
{
	if (!b)
		return NULL;
	free(b->entries);
	free(b->slots);
	free(b->order);
	free(b);
	return NULL;
}

struct busy *
busy_new(unsigned room)
{
	CLEANUP(busy_freep) struct busy *b = calloc(1, sizeof(*b));
	uint32_t slots = 8;

	if (!b)
		return NULL;
	while (slots < 2 * room)
		slots *= 2;
	b->room = room;
	b->mask = slots - 1;
	b->entries = malloc(room * sizeof(*b->entries));
	b->order = malloc(room * sizeof(*b->order));
	b->slots = calloc(slots, sizeof(*b->slots));
	if (!b->entries || !b->order || !b->slots)
		return NULL;
	return TAKE(b);
}

/* The slot of the hash, or the empty one where it would be. */
static uint32_t *
find(const struct busy *b, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & b->mask;

	while (b->slots[i] > 0 && b->entries[b->slots[i] - 1].hash != hash)
		i = (i + 1) & b->mask;
	return &b->slots[i];
}

static void
index_all(struct busy *b)
{
	memset(b->slots, 0, (b->mask + 1) * sizeof(*b->slots));
	for (unsigned i = 0; i < b->n; i++)
		*find(b, b->entries[i].hash) = i + 1;
}

void
busy_rekey(struct busy *b, const struct hash_key *key)
{
	b->key = *key;
	for (unsigned i = 0; i < b->n; i++) {
		struct entry *e = &b->entries[i];

		e->hash = hash_bytes(key, e->topic.name, e->topic.len);
	}
	index_all(b);
}

static void
count(struct counts *c, uint32_t bytes)
{
	c->events++;
	c->bytes += bytes;
}

bool
busy_add(struct busy *b, uint64_t hash, uint32_t bytes)
{
	uint32_t slot = *find(b, hash);

	if (slot == 0)
		return false;
	count(&b->entries[slot - 1].now, bytes);
	count(&b->all, bytes);
	return true;
}

void
busy_meet(struct busy *b, uint64_t hash, struct slice topic, uint32_t bytes)
{
	struct entry *e;

	count(&b->all, bytes);
	if (b->n == b->room || topic.len > TOPIC_MAX) {
		count(&b->others, bytes);
		return;
	}
	e = &b->entries[b->n];
	*e = (struct entry){ .hash = hash };
	e->topic.len = (uint8_t)topic.len;
	memcpy(e->topic.name, topic.p, topic.len);
	count(&e->now, bytes);
	*find(b, hash) = ++b->n;
}

/* --- rates --- */

static void
work_out(struct busy_rates *rates, struct counts *now, double seconds)
{
	double weight = seconds / (seconds + LONG_S);

	rates->events = (double)now->events / seconds;
	rates->bytes = (double)now->bytes / seconds;
	rates->events_10 += weight * (rates->events - rates->events_10);
	rates->bytes_10 += weight * (rates->bytes - rates->bytes_10);
	*now = (struct counts){ 0 };
}

/* How much of all it is, in events and in bytes. */
static double
share(const struct busy_rates *rates, const struct busy_rates *all)
{
	return (rates->events_10 + rates->events) /
		   (all->events_10 + all->events + 1) +
	       (rates->bytes_10 + rates->bytes) /
		   (all->bytes_10 + all->bytes + 1);
}

static int
by_share(const void *a, const void *b, void *arg)
{
	const struct busy *busy = arg;
	const struct entry *x = &busy->entries[*(const uint32_t *)a];
	const struct entry *y = &busy->entries[*(const uint32_t *)b];
	double s = share(&x->topic.rates, &busy->all_rates);
	double t = share(&y->topic.rates, &busy->all_rates);

	return s < t ? 1 : s > t ? -1 : 0;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
sort(struct busy *b, int (*compare)(const void *, const void *, void *))
{
	for (unsigned i = 0; i < b->n; i++)
		b->order[i] = i;
	qsort_r(b->order, b->n, sizeof(*b->order), compare, b);
}

static void
forget_half(struct busy *b)
{
	unsigned keep = b->n / 2;

	sort(b, by_share);
	/* Those that stay move to the front, none over another that stays. */
	qsort(b->order, keep, sizeof(*b->order), by_number);
	for (unsigned i = 0; i < keep; i++)
		b->entries[i] = b->entries[b->order[i]];
	b->n = keep;
	index_all(b);
}

void
busy_turn(struct busy *b, uint64_t now_ns)
{
	double seconds = (double)(now_ns - b->turn_ns) / (double)NS_PER_S;

	if (b->turn_ns == 0 || now_ns <= b->turn_ns) {
		b->turn_ns = now_ns;
		return;
	}
	b->turn_ns = now_ns;
	work_out(&b->all_rates, &b->all, seconds);
	work_out(&b->others_rates, &b->others, seconds);
	for (unsigned i = 0; i < b->n; i++)
		work_out(
		    &b->entries[i].topic.rates, &b->entries[i].now, seconds);
	if (b->n > b->room - b->room / 4)
		forget_half(b);
}

/* --- lists --- */

static int
by_name(const void *a, const void *b, void *arg)
{
	const struct busy *busy = arg;

	return strcmp(busy->entries[*(const uint32_t *)a].topic.name,
	    busy->entries[*(const uint32_t *)b].topic.name);
}

static int
descending(double x, double y)
{
	return x < y ? 1 : x > y ? -1 : 0;
}

/* Who has more now, then over ten seconds; by the other rates where equal. */
static int
by_rates(const struct busy *b, uint32_t i, uint32_t k, bool bytes_first)
{
	const struct busy_rates *x = &b->entries[i].topic.rates;
	const struct busy_rates *y = &b->entries[k].topic.rates;
	int events = descending(x->events, y->events);
	int bytes = descending(x->bytes, y->bytes);

	if (events == 0)
		events = descending(x->events_10, y->events_10);
	if (bytes == 0)
		bytes = descending(x->bytes_10, y->bytes_10);
	if (bytes_first)
		return bytes ? bytes : events;
	return events ? events : bytes;
}

static int
by_events(const void *a, const void *b, void *arg)
{
	int c =
	    by_rates(arg, *(const uint32_t *)a, *(const uint32_t *)b, false);

	return c ? c : by_name(a, b, arg);
}

static int
by_bytes(const void *a, const void *b, void *arg)
{
	int c = by_rates(arg, *(const uint32_t *)a, *(const uint32_t *)b, true);

	return c ? c : by_name(a, b, arg);
}

unsigned
busy_list(struct busy *b, enum busy_order order, unsigned from,
    const struct busy_topic **list, unsigned n)
{
	static int (*const compares[])(const void *, const void *, void *) = {
		[BUSY_BY_EVENTS] = by_events,
		[BUSY_BY_BYTES] = by_bytes,
		[BUSY_BY_NAME] = by_name,
	};
	unsigned there = from < b->n ? MIN(n, b->n - from) : 0;

	sort(b, compares[order]);
	for (unsigned i = 0; i < there; i++)
		list[i] = &b->entries[b->order[from + i]].topic;
	return there;
}

unsigned
busy_count(const struct busy *b)
{
	return b->n;
}

const struct busy_rates *
busy_all(const struct busy *b)
{
	return &b->all_rates;
}

const struct busy_rates *
busy_others(const struct busy *b)
{
	return &b->others_rates;
}
