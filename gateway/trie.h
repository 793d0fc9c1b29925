/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The trie of patterns, one node per token.  It answers what matches a
 * topic; match.[ch] remembers the answers.
 */

#ifndef PEAL_GATEWAY_TRIE_H
#define PEAL_GATEWAY_TRIE_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "gateway/filter.h"
#include "gateway/match.h"

struct trie;

/* What a walk found, in no order; the caller frees v. */
struct trie_hits {
	struct match_hit *v;
	uint32_t n;
	uint32_t cap;
};

/* Let them be these. */
void trie_hits_set(
    struct trie_hits *found, const struct match_hit *hits, uint32_t n);
/* One more: the pair matches the topic; unless permissions forbid it. */
void trie_take(struct trie_hits *found, const struct filter *filter,
    const struct filter_pair *pair, struct match_to to, struct slice topic);

struct trie *trie_new(void);
/* It is empty. */
struct trie *trie_free(struct trie *t);

/* The pair is one of filter's; both live until it is removed. */
void trie_add(struct trie *t, const struct filter *filter,
    const struct filter_pair *pair, struct match_to to);
void trie_remove(
    struct trie *t, const struct filter_pair *pair, struct match_to to);

/*
 * Append a hit for each pair whose pattern matches the topic and whose
 * filter's permissions cover it.  Returns how many nodes were looked at.
 */
uint64_t trie_find(struct trie *t, struct slice topic, struct trie_hits *found);

#endif
