/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Matching: which groups, and which riders beside them, an event goes to.
 * What is found for a topic is kept under its hash, so that an event costs
 * one lookup however many clients and patterns there are.
 */

#ifndef PEAL_GATEWAY_MATCH_H
#define PEAL_GATEWAY_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "gateway/filter.h"

struct group;
struct match;
struct sender;

/* Who gets what a filter lets through: a group, or a sender by itself. */
struct match_to {
	struct group *group;  /* or NULL */
	struct sender *rider; /* or NULL */
};

/* Who the topic goes to; groups come first, hits of one stand together. */
struct match_hit {
	struct match_to to;
	/* The pair that matched, where its globs have to be asked, or NULL. */
	const struct filter_pair *pair;
};

/* Good until the next call of any function here. */
struct match_list {
	uint32_t n;
	struct match_hit hits[];
};

struct match *match_new(void);
/* Everyone has been removed. */
struct match *match_free(struct match *m);
CLEANUP_FN(struct match *, match_free)

/* The filter lives until it is removed. */
void match_add(
    struct match *m, const struct filter *filter, struct match_to to);
void match_remove(
    struct match *m, const struct filter *filter, struct match_to to);

static inline bool
match_same(struct match_to a, struct match_to b)
{
	return a.group == b.group && a.rider == b.rider;
}

/* hash is the topic's under any one key; equal topics have equal hashes. */
const struct match_list *match_find(
    struct match *m, uint64_t hash, struct slice topic);

/* Lookups so far, those that had to walk the trie, and what they saw of it. */
struct match_counts {
	uint64_t lookups;
	uint64_t walks;
	uint64_t nodes;
};
void match_counts(const struct match *m, struct match_counts *counts);

#endif
