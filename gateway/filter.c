/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Filters are compared by their key: the sorted encodings of their pairs,
 * then the permissions.  Permissions that every pattern lies within are left
 * out, so that users with different tokens share a group where they can.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mp.h"
#include "core/topic.h"
#include "gateway/alloc.h"
#include "gateway/filter.h"
#include "gateway/filter_priv.h"

enum {
	FIRST_BUCKETS = 1024
};

struct filter_table {
	struct hash_key key;
	struct filter **buckets;
	size_t n_buckets; /* a power of two */
	size_t n;
};

struct filter_table *
filter_table_new(void)
{
	struct filter_table *table = alloc_zero(1, sizeof(*table));

	table->key = hash_key_random();
	table->n_buckets = FIRST_BUCKETS;
	table->buckets =
	    alloc_zero(table->n_buckets, sizeof(table->buckets[0]));
	return table;
}

struct filter_table *
filter_table_free(struct filter_table *table)
{
	if (!table)
		return NULL;
	assert(table->n == 0);
	free(table->buckets);
	free(table);
	return NULL;
}

static struct filter **
bucket(struct filter_table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->n_buckets - 1)];
}

/* Every client may have patterns of its own: no chain becomes long. */
static void
grow(struct filter_table *table)
{
	struct filter **old = table->buckets;
	size_t n_old = table->n_buckets;

	table->n_buckets *= 2;
	table->buckets =
	    alloc_zero(table->n_buckets, sizeof(table->buckets[0]));
	for (size_t i = 0; i < n_old; i++) {
		struct filter *f, *next;

		for (f = old[i]; f; f = next) {
			struct filter **slot = bucket(table, f->hash);

			next = f->next;
			f->next = *slot;
			*slot = f;
		}
	}
	free(old);
}

static int
slice_order(const void *pa, const void *pb)
{
	const struct slice *a = pa, *b = pb;
	size_t n = MIN(a->len, b->len);
	int d = n > 0 ? memcmp(a->p, b->p, n) : 0;

	if (d != 0)
		return d;
	return (a->len > b->len) - (a->len < b->len);
}

static void
sort_unique(struct slice *list, unsigned *n)
{
	unsigned kept = 0;

	if (*n == 0)
		return;
	qsort(list, *n, sizeof(list[0]), slice_order);
	for (unsigned i = 0; i < *n; i++)
		if (kept == 0 || !slice_equal(list[kept - 1], list[i]))
			list[kept++] = list[i];
	*n = kept;
}

/* The str values of an array, sorted; the caller frees. */
static struct slice *
array_strs(struct slice array, unsigned *n)
{
	struct mp_walk w = mp_walk(array);
	struct mp_item item;
	struct slice *list;

	*n = 0;
	if (array.len == 0 || !mp_next(&w, &item) || item.type != MP_ARRAY)
		return NULL;
	list = alloc_array(NULL, item.n, sizeof(*list));
	for (uint32_t left = item.n; left > 0 && mp_next(&w, &item); left--)
		if (item.type == MP_STR)
			list[(*n)++] = item.s;
	sort_unique(list, n);
	return list;
}

static void
pack_pair(struct mp_buf *b, struct slice pattern, const struct slice *types,
    unsigned n_types)
{
	for (unsigned i = 0; i < n_types; i++)
		if (slice_is(types[i], "*"))
			n_types = 0; /* every type: the same as none named */
	mp_pack_array(b, 2);
	mp_pack_str(b, pattern);
	mp_pack_array(b, n_types);
	for (unsigned i = 0; i < n_types; i++)
		mp_pack_str(b, types[i]);
}

bool
filter_pattern_covers(struct slice outer, struct slice inner)
{
	struct slice o, i;
	bool first = true;

	while (topic_next_token(&inner, &i)) {
		if (!topic_next_token(&outer, &o))
			return false;
		if (first && i.len > 0 && i.p[0] == '$' && !slice_equal(o, i))
			return false;
		if (slice_is(o, ">"))
			return true;
		if (slice_is(i, ">"))
			return false;
		if (!slice_is(o, "*") && !slice_equal(o, i))
			return false;
		first = false;
	}
	return outer.len == 0;
}

bool
filter_within(const struct acl *acl, struct slice pattern)
{
	if (topic_is_system(pattern))
		return false; /* has rules of its own: ask each time */
	for (unsigned i = 0; i < acl->n_read; i++)
		if (filter_pattern_covers(slice_cstr(acl->read[i]), pattern))
			return true;
	return false;
}

static void
copy_acl(struct acl *to, const struct acl *from)
{
	*to = (struct acl){ .n_read = from->n_read, .admin = from->admin };
	to->read = alloc_array(NULL, from->n_read, sizeof(*to->read));
	for (unsigned i = 0; i < from->n_read; i++) {
		size_t size = strlen(from->read[i]) + 1;

		to->read[i] = memcpy(alloc_bytes(size), from->read[i], size);
	}
}

static void
parse_pairs(struct filter *f, const struct filter_keys *list)
{
	struct mp_walk w = { f->key, f->key + f->key_len };

	f->n_pairs = list->n;
	f->pairs = alloc_zero(list->n, sizeof(*f->pairs));
	for (unsigned i = 0; i < list->n; i++) {
		struct filter_pair *pair = &f->pairs[i];
		struct mp_item item;

		pair->key = slice_of(w.p, list->keys[i].len);
		w.end = w.p + pair->key.len;
		if (!mp_next(&w, &item) || !mp_next(&w, &item))
			abort();
		pair->pattern = item.s;
		if (!mp_next(&w, &item))
			abort();
		pair->n_types = item.n;
		pair->types = slice_of(w.p, (size_t)(w.end - w.p));
		w.p = w.end;
	}
}

/* Find or make the filter of a sorted list; takes over key. */
static struct filter *
intern(struct filter_table *table, const struct filter_keys *list,
    const struct acl *acl, struct mp_buf *key)
{
	uint64_t hash = hash_bytes(&table->key, key->p, key->len);
	struct filter **slot = bucket(table, hash);
	struct filter *f;

	if (key->failed)
		alloc_failed();
	for (f = *slot; f; f = f->next)
		if (f->hash == hash && slice_equal(slice_of(f->key, f->key_len),
					   slice_of(key->p, key->len))) {
			mp_buf_deinit(key);
			return filter_ref(f);
		}
	if (table->n++ == table->n_buckets) {
		grow(table);
		slot = bucket(table, hash);
	}
	f = alloc_zero(1, sizeof(*f));
	f->refs = 1;
	f->hash = hash;
	f->table = table;
	f->key = TAKE(key->p);
	f->key_len = key->len;
	parse_pairs(f, list);
	f->restricted = acl != NULL;
	if (acl)
		copy_acl(&f->acl, acl);
	f->next = *slot;
	*slot = f;
	return f;
}

struct filter *
filter_of_keys(
    struct filter_table *table, struct filter_keys *list, const struct acl *acl)
{
	struct mp_buf key = { 0 };

	sort_unique(list->keys, &list->n);
	for (unsigned i = 0; i < list->n; i++)
		mp_pack_raw(&key, list->keys[i]);
	if (acl) {
		mp_pack_bool(&key, acl->admin);
		for (unsigned i = 0; i < acl->n_read; i++)
			mp_pack_cstr(&key, acl->read[i]);
	}
	return intern(table, list, acl, &key);
}

struct filter *
filter_make(struct filter_table *table, struct slice topics, struct slice types,
    const struct acl *acl)
{
	struct mp_buf enc = { 0 };
	struct filter_keys list = { 0 };
	bool restricted = false;
	struct filter *f;
	unsigned n, n_types;
	struct slice *patterns = array_strs(topics, &n);
	struct slice *globs = array_strs(types, &n_types);
	size_t *ends = alloc_array(NULL, n, sizeof(*ends));

	assert(n > 0);
	for (unsigned i = 0; i < n; i++) {
		pack_pair(&enc, patterns[i], globs, n_types);
		ends[i] = enc.len;
		restricted = restricted || !filter_within(acl, patterns[i]);
	}
	if (enc.failed)
		alloc_failed();
	list.keys = patterns; /* as many, and used up */
	for (unsigned i = 0, at = 0; i < n; at = (unsigned)ends[i++])
		list.keys[list.n++] = slice_of(enc.p + at, ends[i] - at);
	f = filter_of_keys(table, &list, restricted ? acl : NULL);
	mp_buf_deinit(&enc);
	free(patterns);
	free(globs);
	free(ends);
	return f;
}

struct filter *
filter_union(
    struct filter_table *table, struct filter *const *filters, unsigned n)
{
	struct filter_keys list = { 0 };
	const struct acl *acl = NULL;
	unsigned total = 0;
	struct filter *f;

	if (n == 1)
		return filter_ref(filters[0]);
	for (unsigned i = 0; i < n; i++)
		total += filters[i]->n_pairs;
	list.keys = alloc_array(NULL, total, sizeof(*list.keys));
	for (unsigned i = 0; i < n; i++) {
		if (filters[i]->restricted)
			acl = &filters[i]->acl;
		for (unsigned j = 0; j < filters[i]->n_pairs; j++)
			list.keys[list.n++] = filters[i]->pairs[j].key;
	}
	f = filter_of_keys(table, &list, acl);
	free(list.keys);
	return f;
}

struct filter *
filter_permit(struct filter *f, const struct acl *acl)
{
	struct filter_keys list = { 0 };
	bool restricted = false;
	struct filter *same;

	list.keys = alloc_array(NULL, f->n_pairs, sizeof(*list.keys));
	for (unsigned i = 0; i < f->n_pairs; i++) {
		list.keys[list.n++] = f->pairs[i].key;
		restricted =
		    restricted || !filter_within(acl, f->pairs[i].pattern);
	}
	same = filter_of_keys(f->table, &list, restricted ? acl : NULL);
	free(list.keys);
	return same;
}

/* The next read pattern that has a topic in common with pattern, or NULL. */
static const char *
next_met(const struct acl *acl, struct slice pattern, unsigned *at)
{
	while (*at < acl->n_read) {
		const char *read = acl->read[(*at)++];

		if (topic_patterns_meet(slice_cstr(read), pattern))
			return read;
	}
	return NULL;
}

static bool
same_part(const struct acl *a, const struct acl *b, struct slice pattern)
{
	unsigned at_a = 0, at_b = 0;
	const char *in_a, *in_b;

	if (topic_is_system(pattern) && a->admin != b->admin)
		return false;
	if (filter_within(a, pattern) && filter_within(b, pattern))
		return true;
	do {
		in_a = next_met(a, pattern, &at_a);
		in_b = next_met(b, pattern, &at_b);
		if (!in_a || !in_b)
			return !in_a && !in_b;
	} while (strcmp(in_a, in_b) == 0);
	return false;
}

bool
filter_same_view(const struct filter *a, const struct filter *b)
{
	assert(a->n_pairs == b->n_pairs);
	if (a == b)
		return true;
	/* The one without permissions lies within them with every pattern. */
	for (uint32_t i = 0; i < a->n_pairs; i++) {
		struct slice pattern = a->pairs[i].pattern;

		if (!a->restricted && !filter_within(&b->acl, pattern))
			return false;
		if (!b->restricted && !filter_within(&a->acl, pattern))
			return false;
		if (a->restricted && b->restricted &&
		    !same_part(&a->acl, &b->acl, pattern))
			return false;
	}
	return true;
}

struct filter *
filter_unref(struct filter *f)
{
	struct filter **slot;

	if (!f)
		return NULL;
	assert(f->refs > 0);
	if (--f->refs > 0)
		return NULL;
	slot = bucket(f->table, f->hash);
	while (*slot != f)
		slot = &(*slot)->next;
	*slot = f->next;
	f->table->n--;
	for (uint32_t i = 0; i < f->n_atoms; i++)
		(void)filter_unref(f->atoms[i]);
	free(f->atoms);
	acl_deinit(&f->acl);
	free(f->pairs);
	free(f->key);
	free(f);
	return NULL;
}

bool
filter_pair_type(const struct filter_pair *pair, struct slice type)
{
	struct mp_walk w = mp_walk(pair->types);
	struct mp_item glob;

	if (pair->n_types == 0)
		return true;
	for (uint32_t i = 0; i < pair->n_types && mp_next(&w, &glob); i++)
		if (topic_glob_match(glob.s, type))
			return true;
	return false;
}

bool
filter_matches(const struct filter *f, struct slice topic, struct slice type)
{
	for (uint32_t i = 0; i < f->n_pairs; i++) {
		const struct filter_pair *pair = &f->pairs[i];

		if (topic_match(pair->pattern, topic) &&
		    filter_pair_type(pair, type))
			return !f->restricted || acl_may_read(&f->acl, topic);
	}
	return false;
}
