/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The cache in front of the trie.  An entry is believed only if its
 * generation is the present one and its topic is equal byte for byte; lists
 * are shared between the topics that go to the same groups.
 *
 *	topic hash -> slot -> { generation, topic, list } -> list of hits
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/alloc.h"
#include "gateway/match.h"
#include "gateway/trie.h"

enum {
	SLOTS = 1 << 15,
	LIST_BUCKETS = 256,
	/* Hits that lists of older generations may hold before all go. */
	STALE_HITS = 1 << 20,
};

struct shared_list {
	uint32_t refs;
	uint64_t generation;
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

struct match {
	struct trie *trie;
	uint64_t generation;
	uint64_t hits; /* in all lists */
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

void
match_add(struct match *m, const struct filter *filter, struct group *group)
{
	for (uint32_t i = 0; i < filter->n_pairs; i++)
		trie_add(m->trie, filter, &filter->pairs[i], group);
	m->generation++;
}

void
match_remove(struct match *m, const struct filter *filter, struct group *group)
{
	for (uint32_t i = 0; i < filter->n_pairs; i++)
		trie_remove(m->trie, &filter->pairs[i], group);
	m->generation++;
}

static int
hit_order(const void *pa, const void *pb)
{
	const struct match_hit *a = pa, *b = pb;

	if (a->group != b->group)
		return (uintptr_t)a->group < (uintptr_t)b->group ? -1 : 1;
	return ((uintptr_t)a->pair > (uintptr_t)b->pair) -
	       ((uintptr_t)a->pair < (uintptr_t)b->pair);
}

/*
 * Sort by group; a pair without globs (NULL, sorts first) makes the other
 * pairs of its group superfluous.
 */
static void
tidy(struct trie_hits *found)
{
	uint32_t kept = 0;

	if (found->n > 1)
		qsort(found->v, found->n, sizeof(found->v[0]), hit_order);
	for (uint32_t i = 0; i < found->n; i++) {
		const struct match_hit *hit = &found->v[i];

		if (kept > 0 && found->v[kept - 1].group == hit->group &&
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
		h = (h ^ (uintptr_t)found->v[i].group) * 0x9e3779b97f4a7c15;
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
		if (sl->list.hits[i].group != found->v[i].group ||
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
		if (sl->hash == hash && sl->generation == m->generation &&
		    same_hits(sl, found)) {
			sl->refs++;
			return sl;
		}
	sl = alloc_bytes(sizeof(*sl) + found->n * sizeof(found->v[0]));
	sl->refs = 1;
	sl->generation = m->generation;
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

	if (m->hits > STALE_HITS)
		drop_all(m);
	drop_entry(m, slot);
	m->counts.walks++;
	m->found.n = 0;
	trie_find(m->trie, topic, &m->found);
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

const struct match_list *
match_find(struct match *m, uint64_t hash, struct slice topic)
{
	struct entry **slot = &m->slots[hash % SLOTS];
	const struct entry *e = *slot;

	m->counts.lookups++;
	if (LIKELY(e && e->hash == hash && e->generation == m->generation &&
		   e->len == topic.len &&
		   !memcmp(e->topic, topic.p, topic.len)))
		return &e->list->list;
	return fill(m, slot, hash, topic);
}

void
match_counts(const struct match *m, struct match_counts *counts)
{
	*counts = m->counts;
}
