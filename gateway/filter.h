/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Filters: what a subscription, or the live set of a connection, lets
 * through.  A filter is canonical and interned: equal sets are one object, so
 * that clients who ask for the same share groups, blocks and private copies.
 */

#ifndef PEAL_GATEWAY_FILTER_H
#define PEAL_GATEWAY_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/acl.h"
#include "core/bytes.h"
#include "core/macros.h"

struct filter_table;
struct group;

/* A pattern, and the type globs that it is asked with. */
struct filter_pair {
	struct slice key; /* the pair's own encoding, in filter.key */
	struct slice pattern;
	struct slice types; /* n_types str values; none: all types */
	uint32_t n_types;
};

struct filter {
	uint32_t refs;
	uint32_t n_pairs;
	struct filter_pair *pairs; /* sorted by key, no two equal */
	/* The permissions, only where a pattern goes beyond them. */
	bool restricted;
	struct acl acl;
	/* Groups of this live set, one for each interval of conflation. */
	struct group *groups;

	/* split.[ch]: what it falls into; one that is its own atom has none. */
	struct filter **atoms;
	uint32_t n_atoms;
	uint32_t holders; /* of an atom: live sets that it is part of */
	uint32_t wishes;  /* connections that would share this with a crowd */

	uint64_t hash;
	struct filter *next; /* in the table's bucket */
	struct filter_table *table;
	size_t key_len;
	uint8_t *key;
};

struct filter_table *filter_table_new(void);
struct filter_table *filter_table_free(struct filter_table *table);
CLEANUP_FN(struct filter_table *, filter_table_free)

/*
 * The filter of one subscription: topics is an array of valid patterns,
 * types one of globs or empty (len 0).  The caller owns one reference.
 */
struct filter *filter_make(struct filter_table *table, struct slice topics,
    struct slice types, const struct acl *acl);
/*
 * What any of n filters of one connection lets through; n is 0: nothing at
 * all, which only a group is for whose members share nothing.
 */
struct filter *filter_union(
    struct filter_table *table, struct filter *const *list, unsigned n);

/* The same under other permissions; the same object if nothing changes. */
struct filter *filter_permit(struct filter *f, const struct acl *acl);

/*
 * Do two with the same patterns, under permissions that may differ, let the
 * same events through?  false where that is not certain.
 */
bool filter_same_view(const struct filter *a, const struct filter *b);

static inline struct filter *
filter_ref(struct filter *f)
{
	f->refs++;
	return f;
}

/* NULL is fine; always returns NULL. */
struct filter *filter_unref(struct filter *f);
CLEANUP_FN(struct filter *, filter_unref)

bool filter_matches(
    const struct filter *f, struct slice topic, struct slice type);
/* Do the pair's globs let the type through? */
bool filter_pair_type(const struct filter_pair *pair, struct slice type);

/* Does every topic that inner matches match outer, too? */
bool filter_pattern_covers(struct slice outer, struct slice inner);

#endif
