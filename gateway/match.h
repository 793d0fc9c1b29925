/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Matching: which groups an event goes to.  What is found for a topic is
 * kept under its hash, so that an event costs one lookup however many
 * clients and patterns there are.
 */

#ifndef PEAL_GATEWAY_MATCH_H
#define PEAL_GATEWAY_MATCH_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "gateway/filter.h"

struct group;
struct match;

/* One group that the topic goes to; hits of one group stand together. */
struct match_hit {
	struct group *group;
	/* The pair that matched, where its globs have to be asked, or NULL. */
	const struct filter_pair *pair;
};

/* Good until the next call of any function here. */
struct match_list {
	uint32_t n;
	struct match_hit hits[];
};

struct match *match_new(void);
/* Every group has been removed. */
struct match *match_free(struct match *m);
CLEANUP_FN(struct match *, match_free)

/* The filter lives until it is removed. */
void match_add(
    struct match *m, const struct filter *filter, struct group *group);
void match_remove(
    struct match *m, const struct filter *filter, struct group *group);

/* hash is the topic's under any one key; equal topics have equal hashes. */
const struct match_list *match_find(
    struct match *m, uint64_t hash, struct slice topic);

/* Lookups so far, and those that had to walk the trie. */
struct match_counts {
	uint64_t lookups;
	uint64_t walks;
};
void match_counts(const struct match *m, struct match_counts *counts);

#endif
