/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The cache in front of the trie.  An entry is believed only if its
 * generation is the present one and its topic is equal byte for byte.  One
 * that is a few generations old is brought up to date by the changes since,
 * so that clients who come and go don't send every topic through the trie.
 * Lists are shared between the topics that go to the same groups and riders.
 *
 *	topic hash -> slot -> { generation, topic, list } -> list of hits
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/topic.h"
#include "gateway/alloc.h"
#include "gateway/match.h"
#include "gateway/trie.h"

enum {
	SLOTS = 1 << 15,
	LIST_BUCKETS = 256,
	/* Hits that all lists may hold before they are thrown away. */
	MAX_HITS = 1 << 20,
	CHANGES = 64, /* that an entry may have missed */
};

struct shared_list {
	uint32_t refs;
	uint64_t hash;
	struct shared_list *next; /* in its bucket */
	struct match_list list;
};

struct entry {
	uint64_t hash;
	uint64_t generation;
	struct shared_list *list;
	uint32_t len;
	uint8_t topic[];
};

/* Somebody came or went. */
struct change {
	const struct filter *filter; /* NULL: went, then or since */
	struct match_to to;
};

struct match {
	struct trie *trie;
	uint64_t generation;
	struct change changes[CHANGES]; /* the one to g at g % CHANGES */
	uint64_t hits;			/* in all lists */
	struct match_counts counts;
	struct trie_hits found;
	struct shared_list *lists[LIST_BUCKETS];
	struct entry *slots[SLOTS];
};

struct match *
match_new(void)
{
	struct match *m = alloc_zero(1, sizeof(*m));

	m->trie = trie_new();
	return m;
}

static void
drop_list(struct match *m, struct shared_list *sl)
{
	struct shared_list **at = &m->lists[sl->hash % LIST_BUCKETS];

	if (--sl->refs > 0)
		return;
	while (*at != sl)
		at = &(*at)->next;
	*at = sl->next;
	m->hits -= sl->list.n;
	free(sl);
}

static void
drop_entry(struct match *m, struct entry **slot)
{
	if (!*slot)
		return;
	drop_list(m, (*slot)->list);
	free(*slot);
	*slot = NULL;
}

static void
drop_all(struct match *m)
{
	for (unsigned i = 0; i < SLOTS; i++)
		drop_entry(m, &m->slots[i]);
}

struct match *
match_free(struct match *m)
{
	if (!m)
		return NULL;
	drop_all(m);
	m->trie = trie_free(m->trie);
	free(m->found.v);
	free(m);
	return NULL;
}

static void
note_change(struct match *m, const struct filter *filter, struct match_to to)
{
	m->generation++;
	m->changes[m->generation % CHANGES] = (struct change){ filter, to };
}

void
match_add(struct match *m, const struct filter *filter, struct match_to to)
{
	for (uint32_t i = 0; i < filter->n_pairs; i++)
		trie_add(m->trie, filter, &filter->pairs[i], to);
	note_change(m, filter, to);
}

void
match_remove(struct match *m, const struct filter *filter, struct match_to to)
{
	for (uint32_t i = 0; i < filter->n_pairs; i++)
		trie_remove(m->trie, &filter->pairs[i], to);
	/* Nobody may look at its filter any more. */
	for (unsigned i = 0; i < CHANGES; i++)
		if (match_same(m->changes[i].to, to))
			m->changes[i].filter = NULL;
	note_change(m, NULL, to);
}

static int
order(const void *a, const void *b)
{
	return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static int
hit_order(const void *pa, const void *pb)
{
	const struct match_hit *a = pa, *b = pb;
	int d = order(a->to.rider, b->to.rider); /* groups have none */

	if (d == 0)
		d = order(a->to.group, b->to.group);
	return d != 0 ? d : order(a->pair, b->pair);
}

/*
 * Sort by who gets it; a pair without globs (NULL, sorts first) makes the
 * other pairs of the same one superfluous.
 */
static void
tidy(struct trie_hits *found)
{
	uint32_t kept = 0;

	if (found->n > 1)
		qsort(found->v, found->n, sizeof(found->v[0]), hit_order);
	for (uint32_t i = 0; i < found->n; i++) {
		const struct match_hit *hit = &found->v[i];

		if (kept > 0 && match_same(found->v[kept - 1].to, hit->to) &&
		    (!found->v[kept - 1].pair ||
			found->v[kept - 1].pair == hit->pair))
			continue;
		found->v[kept++] = *hit;
	}
	found->n = kept;
}

static uint64_t
hits_hash(const struct trie_hits *found)
{
	uint64_t h = found->n;

	for (uint32_t i = 0; i < found->n; i++) {
		h = (h ^ (uintptr_t)found->v[i].to.group) * 0x9e3779b97f4a7c15;
		h = (h ^ (uintptr_t)found->v[i].to.rider) * 0x9e3779b97f4a7c15;
		h = (h ^ (uintptr_t)found->v[i].pair) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	return h;
}

static bool
same_hits(const struct shared_list *sl, const struct trie_hits *found)
{
	if (sl->list.n != found->n)
		return false;
	for (uint32_t i = 0; i < found->n; i++)
		if (!match_same(sl->list.hits[i].to, found->v[i].to) ||
		    sl->list.hits[i].pair != found->v[i].pair)
			return false;
	return true;
}

/* The list of what was found: one that is there, or a new one. */
static struct shared_list *
share(struct match *m)
{
	const struct trie_hits *found = &m->found;
	uint64_t hash = hits_hash(found);
	struct shared_list **bucket = &m->lists[hash % LIST_BUCKETS];
	struct shared_list *sl;

	for (sl = *bucket; sl; sl = sl->next)
		if (sl->hash == hash && same_hits(sl, found)) {
			sl->refs++;
			return sl;
		}
	sl = alloc_bytes(sizeof(*sl) + found->n * sizeof(found->v[0]));
	sl->refs = 1;
	sl->hash = hash;
	sl->list.n = found->n;
	if (found->n > 0)
		memcpy(sl->list.hits, found->v, found->n * sizeof(found->v[0]));
	sl->next = *bucket;
	*bucket = sl;
	m->hits += found->n;
	return sl;
}

static const struct match_list *
fill(struct match *m, struct entry **slot, uint64_t hash, struct slice topic)
{
	struct entry *e;

	if (m->hits > MAX_HITS)
		drop_all(m);
	drop_entry(m, slot);
	m->counts.walks++;
	m->found.n = 0;
	m->counts.nodes += trie_find(m->trie, topic, &m->found);
	tidy(&m->found);
	e = alloc_bytes(sizeof(*e) + topic.len);
	e->hash = hash;
	e->generation = m->generation;
	e->list = share(m);
	e->len = (uint32_t)topic.len;
	memcpy(e->topic, topic.p, topic.len);
	*slot = e;
	return &e->list->list;
}

static bool
drop_hits(struct trie_hits *found, struct match_to to)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < found->n; i++)
		if (!match_same(found->v[i].to, to))
			found->v[kept++] = found->v[i];
	if (kept == found->n)
		return false;
	found->n = kept;
	return true;
}

static bool
add_hits(
    struct trie_hits *found, const struct change *change, struct slice topic)
{
	uint32_t before = found->n;

	for (uint32_t i = 0; i < change->filter->n_pairs; i++)
		if (topic_match(change->filter->pairs[i].pattern, topic))
			trie_take(found, change->filter,
			    &change->filter->pairs[i], change->to, topic);
	return found->n > before;
}

/* Apply what happened since the entry was made. */
static const struct match_list *
refresh(struct match *m, struct entry *e, struct slice topic)
{
	struct trie_hits *found = &m->found;
	struct shared_list *old = e->list;
	bool changed = false;

	trie_hits_set(found, old->list.hits, old->list.n);
	while (e->generation < m->generation) {
		const struct change *change =
		    &m->changes[++e->generation % CHANGES];

		/* Also before it is added: a new one at an old one's place. */
		changed |= drop_hits(found, change->to);
		if (change->filter)
			changed |= add_hits(found, change, topic);
	}
	if (changed) {
		tidy(found);
		e->list = share(m);
		drop_list(m, old);
	}
	return &e->list->list;
}

const struct match_list *
match_find(struct match *m, uint64_t hash, struct slice topic)
{
	struct entry **slot = &m->slots[hash % SLOTS];
	struct entry *e = *slot;

	m->counts.lookups++;
	if (UNLIKELY(!e || e->hash != hash || e->len != topic.len ||
		     memcmp(e->topic, topic.p, topic.len) != 0))
		return fill(m, slot, hash, topic);
	if (LIKELY(e->generation == m->generation))
		return &e->list->list;
	if (m->generation - e->generation > CHANGES)
		return fill(m, slot, hash, topic);
	return refresh(m, e, topic);
}

void
match_counts(const struct match *m, struct match_counts *counts)
{
	*counts = m->counts;
}
