/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * SipHash-1-3 (Aumasson, Bernstein): the keyed 64-bit hash of topics.  Names
 * come from strangers, so tables are keyed at random and can't be flooded.
 */

#ifndef PEAL_CORE_HASH_H
#define PEAL_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k[2];
};

/* A key from the system's random source; stops the process without one. */
struct hash_key hash_key_random(void);

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t len);

#endif
