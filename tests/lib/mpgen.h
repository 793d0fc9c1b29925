/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Random MessagePack values, written byte by byte without the code under
 * test, and the random numbers behind them.
 */

#ifndef PEAL_TESTS_LIB_MPGEN_H
#define PEAL_TESTS_LIB_MPGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MPGEN_MAX = 1 << 16 /* bytes of a value, at most */
};

struct mpgen {
	uint64_t random;
	bool loose;	 /* integers and lengths in any width */
	bool timestamps; /* extension -1 too */
	unsigned keys;	 /* so far: what makes each of them another */
	size_t len;
	uint8_t bytes[MPGEN_MAX];
};

/* From PEAL_TEST_SEED or the clock; printed, so that a failure can return. */
void mpgen_seed(struct mpgen *g);

uint32_t mpgen_below(struct mpgen *g, uint32_t n);

/* One valid value with depth levels at most, into bytes and len. */
void mpgen_value(struct mpgen *g, unsigned depth);

/* Change, insert, drop or copy a few bytes. */
void mpgen_mutate(struct mpgen *g);

#endif
