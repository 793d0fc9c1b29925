/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tokens that were found good, by the SHA-256 of their bytes: clients that
 * come back bring the same one, and a look-up costs less than a signature.
 * Bounded; a newer token takes the place of an older one.
 */

#ifndef PEAL_GATEWAY_TOKENCACHE_H
#define PEAL_GATEWAY_TOKENCACHE_H

#include "core/macros.h"
#include "core/sha256.h"

struct token;
struct tokencache;

/* NULL without memory. */
struct tokencache *tokencache_new(void);
struct tokencache *tokencache_free(struct tokencache *cache);
CLEANUP_FN(struct tokencache *, tokencache_free)

/* The token of this hash, or NULL; lives until the next call. */
const struct token *tokencache_find(
    struct tokencache *cache, const uint8_t hash[SHA256_BYTES]);
/* Keep a copy; without memory for it nothing is kept. */
void tokencache_put(struct tokencache *cache, const uint8_t hash[SHA256_BYTES],
    const struct token *token);

#endif
