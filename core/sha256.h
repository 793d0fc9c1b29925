/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * SHA-256 (FIPS 180-4), OpenSSL's.  Can't fail: a process that has no memory
 * for a hash, or no SHA-256, is stopped.
 */

#ifndef PEAL_CORE_SHA256_H
#define PEAL_CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum {
	SHA256_BYTES = 32
};

/* Any thread. */
void sha256(const void *p, size_t len, uint8_t out[SHA256_BYTES]);

/*
 * The same piece by piece.  {0} before the first sha256_init(); one object
 * serves any number of sums, each begun by sha256_init(), and allocates only
 * for the first.
 */
struct sha256 {
	void *ctx;
};

void sha256_init(struct sha256 *sum);
void sha256_update(struct sha256 *sum, const void *p, size_t len);
void sha256_final(struct sha256 *sum, uint8_t out[SHA256_BYTES]);
/* What sha256_final() would give; the sum goes on. */
void sha256_peek(const struct sha256 *sum, uint8_t out[SHA256_BYTES]);
void sha256_deinit(struct sha256 *sum);

#endif
