/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * SipHash-1-3: one round for each word, three at the end, as in "SipHash: a
 * fast short-input PRF" (Aumasson, Bernstein 2012) with c = 1 and d = 3.
 */

#include <errno.h>
#include <sys/random.h>

#include "core/bytes.h"
#include "core/diag.h"
#include "core/hash.h"

static inline uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* The last 0 to 7 bytes, and the length on top. */
static inline uint64_t
last_word(const uint8_t *p, size_t rest, size_t len)
{
	uint64_t word = (uint64_t)len << 56;

	for (size_t i = 0; i < rest; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t
hash_bytes(const struct hash_key *key, const void *bytes, size_t len)
{
	uint64_t v[4] = {
		key->k[0] ^ UINT64_C(0x736f6d6570736575),
		key->k[1] ^ UINT64_C(0x646f72616e646f6d),
		key->k[0] ^ UINT64_C(0x6c7967656e657261),
		key->k[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *p = bytes;
	uint64_t word;

	for (size_t words = len / 8; words > 0; words--, p += 8) {
		word = get_le64(p);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = last_word(p, len % 8, len);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct hash_key
hash_key_random(void)
{
	struct hash_key key;
	ssize_t n;

	do {
		n = getrandom(&key, sizeof(key), 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(key)) {
		diag_error("the system gives no random bytes");
		abort();
	}
	return key;
}
