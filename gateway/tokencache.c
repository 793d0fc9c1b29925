/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The cache of good tokens.  A hash has one place, so that nobody can make
 * it grow or walk; only tokens with a good signature ever get in.
 */

#include <string.h>

#include "core/bytes.h"
#include "gateway/token.h"
#include "gateway/tokencache.h"

enum {
	PLACES = 8192
};

struct tokencache_entry {
	uint8_t hash[SHA256_BYTES];
	struct token token;
};

struct tokencache {
	struct tokencache_entry *place[PLACES];
};

static struct tokencache_entry **
tokencache_place(struct tokencache *cache, const uint8_t hash[SHA256_BYTES])
{
	return &cache->place[get_le32(hash) % PLACES];
}

static void
tokencache_drop(struct tokencache_entry **place)
{
	if (*place)
		token_deinit(&(*place)->token);
	free(*place);
	*place = NULL;
}

struct tokencache *
tokencache_new(void)
{
	return calloc(1, sizeof(struct tokencache));
}

struct tokencache *
tokencache_free(struct tokencache *cache)
{
	for (size_t i = 0; cache && i < PLACES; i++)
		tokencache_drop(&cache->place[i]);
	free(cache);
	return NULL;
}

const struct token *
tokencache_find(struct tokencache *cache, const uint8_t hash[SHA256_BYTES])
{
	struct tokencache_entry *entry = *tokencache_place(cache, hash);

	if (!entry || memcmp(entry->hash, hash, SHA256_BYTES) != 0)
		return NULL;
	return &entry->token;
}

void
tokencache_put(struct tokencache *cache, const uint8_t hash[SHA256_BYTES],
    const struct token *token)
{
	struct tokencache_entry **place = tokencache_place(cache, hash);
	struct tokencache_entry *entry = malloc(sizeof(*entry));

	if (!entry || token_copy(token, &entry->token) < 0) {
		free(entry);
		return;
	}
	memcpy(entry->hash, hash, SHA256_BYTES);
	tokencache_drop(place);
	*place = entry;
}
