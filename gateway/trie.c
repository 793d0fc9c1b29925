/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A node is a prefix of patterns.  Its children stand in one hash table for
 * the whole trie, keyed by parent and token, because one node may have as
 * many children as there are users.
 *
 *	root --"repo"--> . --"*"--> . --"main"--> ends: repo.*.main
 *	                 `-- rests: repo.>
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/topic.h"
#include "gateway/alloc.h"
#include "gateway/trie.h"

enum {
	FIRST_BUCKETS = 256
};

/* A pattern that ends at a node. */
struct use {
	const struct filter *filter;
	const struct filter_pair *pair;
	struct match_to to;
};

struct uses {
	struct use *v;
	uint32_t n;
	uint32_t cap;
};

struct node {
	struct node *parent;
	struct node *next; /* in its bucket */
	struct node *star; /* the child for '*' */
	uint64_t hash;
	uint32_t n_children;
	struct uses ends;  /* patterns that end with this token */
	struct uses rests; /* patterns that go on with '>' */
	uint8_t len;
	uint8_t token[];
};

struct trie {
	struct hash_key key;
	struct node *root;
	struct node **buckets;
	size_t n_buckets; /* a power of two */
	size_t n_nodes;
};

static struct node *
node_new(struct node *parent, struct slice token, uint64_t hash)
{
	struct node *node = alloc_zero(1, sizeof(*node) + token.len);

	node->parent = parent;
	node->hash = hash;
	node->len = (uint8_t)token.len;
	if (token.len > 0)
		memcpy(node->token, token.p, token.len);
	if (parent)
		parent->n_children++;
	return node;
}

struct trie *
trie_new(void)
{
	struct trie *t = alloc_zero(1, sizeof(*t));

	t->key = hash_key_random();
	t->n_buckets = FIRST_BUCKETS;
	t->buckets = alloc_zero(t->n_buckets, sizeof(t->buckets[0]));
	t->root = node_new(NULL, slice_of(NULL, 0), 0);
	return t;
}

struct trie *
trie_free(struct trie *t)
{
	if (!t)
		return NULL;
	assert(t->root->n_children == 0);
	free(t->root->rests.v);
	free(t->root->ends.v);
	free(t->root);
	free(t->buckets);
	free(t);
	return NULL;
}

static uint64_t
child_hash(const struct trie *t, const struct node *parent, struct slice token)
{
	return hash_bytes(&t->key, token.p, token.len) ^
	       ((uintptr_t)parent * 0x9e3779b97f4a7c15);
}

static struct node **
child_slot(struct trie *t, const struct node *parent, struct slice token,
    uint64_t hash)
{
	struct node **at =
	    &t->buckets[(hash ^ hash >> 32) & (t->n_buckets - 1)];

	while (
	    *at && !((*at)->hash == hash && (*at)->parent == parent &&
		       slice_equal(slice_of((*at)->token, (*at)->len), token)))
		at = &(*at)->next;
	return at;
}

static void
grow(struct trie *t)
{
	size_t n = t->n_buckets * 2;
	struct node **buckets = alloc_zero(n, sizeof(buckets[0]));

	for (size_t i = 0; i < t->n_buckets; i++)
		while (t->buckets[i]) {
			struct node *node = t->buckets[i];
			struct node **at =
			    &buckets[(node->hash ^ node->hash >> 32) & (n - 1)];

			t->buckets[i] = node->next;
			node->next = *at;
			*at = node;
		}
	free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n;
}

/* The child for a token of a pattern, made where there is none. */
static struct node *
child_make(struct trie *t, struct node *parent, struct slice token)
{
	struct node **at;
	uint64_t hash;

	if (slice_is(token, "*")) {
		if (!parent->star)
			parent->star = node_new(parent, token, 0);
		return parent->star;
	}
	if (t->n_nodes >= t->n_buckets)
		grow(t);
	hash = child_hash(t, parent, token);
	at = child_slot(t, parent, token, hash);
	if (!*at) {
		*at = node_new(parent, token, hash);
		t->n_nodes++;
	}
	return *at;
}

/* Where the pattern's uses are kept. */
static struct uses *
uses_of(struct trie *t, struct slice pattern, struct node **node)
{
	struct slice token;

	*node = t->root;
	while (topic_next_token(&pattern, &token)) {
		if (slice_is(token, ">"))
			return &(*node)->rests;
		*node = child_make(t, *node, token);
	}
	return &(*node)->ends;
}

/* Free the nodes from here up to which nothing hangs any more. */
static void
prune(struct trie *t, struct node *node)
{
	while (node != t->root && node->n_children == 0 && node->ends.n == 0 &&
	       node->rests.n == 0) {
		struct node *parent = node->parent;

		if (parent->star == node) {
			parent->star = NULL;
		} else {
			*child_slot(t, parent, slice_of(node->token, node->len),
			    node->hash) = node->next;
			t->n_nodes--;
		}
		parent->n_children--;
		free(node->ends.v);
		free(node->rests.v);
		free(node);
		node = parent;
	}
}

void
trie_add(struct trie *t, const struct filter *filter,
    const struct filter_pair *pair, struct match_to to)
{
	struct node *node;
	struct uses *uses = uses_of(t, pair->pattern, &node);

	if (uses->n == uses->cap) {
		uses->cap = uses->cap ? uses->cap * 2 : 2;
		uses->v = alloc_array(uses->v, uses->cap, sizeof(uses->v[0]));
	}
	uses->v[uses->n++] = (struct use){ filter, pair, to };
}

void
trie_remove(struct trie *t, const struct filter_pair *pair, struct match_to to)
{
	struct node *node;
	struct uses *uses = uses_of(t, pair->pattern, &node);
	uint32_t i = 0;

	while (i < uses->n &&
	       (uses->v[i].pair != pair || !match_same(uses->v[i].to, to)))
		i++;
	assert(i < uses->n);
	uses->v[i] = uses->v[--uses->n];
	prune(t, node);
}

static void
hits_room(struct trie_hits *found, uint32_t n)
{
	if (found->cap >= n)
		return;
	found->cap = MAX(n, MAX(16, found->cap * 2));
	found->v = alloc_array(found->v, found->cap, sizeof(found->v[0]));
}

void
trie_hits_set(struct trie_hits *found, const struct match_hit *hits, uint32_t n)
{
	hits_room(found, n);
	if (n > 0)
		memcpy(found->v, hits, n * sizeof(*hits));
	found->n = n;
}

void
trie_take(struct trie_hits *found, const struct filter *filter,
    const struct filter_pair *pair, struct match_to to, struct slice topic)
{
	if (filter->restricted && !acl_may_read(&filter->acl, topic))
		return;
	hits_room(found, found->n + 1);
	found->v[found->n++] =
	    (struct match_hit){ to, pair->n_types > 0 ? pair : NULL };
}

static void
take(const struct uses *uses, struct slice topic, struct trie_hits *found)
{
	for (uint32_t i = 0; i < uses->n; i++)
		trie_take(found, uses->v[i].filter, uses->v[i].pair,
		    uses->v[i].to, topic);
}

/* At most as deep as a topic has tokens: 128. */
static uint64_t
find(struct trie *t, struct node *node, struct slice rest, struct slice topic,
    struct trie_hits *found)
{
	/* '*' and '>' never stand for the first token of a system topic. */
	bool literal_only = node == t->root && topic_is_system(topic);
	uint64_t looked_at = 1;
	struct slice token;
	struct node *child;

	if (!topic_next_token(&rest, &token)) {
		take(&node->ends, topic, found);
		return looked_at;
	}
	if (!literal_only) {
		take(&node->rests, topic, found);
		if (node->star)
			looked_at += find(t, node->star, rest, topic, found);
	}
	child = *child_slot(t, node, token, child_hash(t, node, token));
	if (child)
		looked_at += find(t, child, rest, topic, found);
	return looked_at;
}

uint64_t
trie_find(struct trie *t, struct slice topic, struct trie_hits *found)
{
	return find(t, t->root, topic, topic, found);
}
