/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What fuzz targets share where they are tests: dice with a seed that is
 * told, and the inputs that fuzzing has found and that are kept, one file
 * each, in tests/fuzz/corpus/NAME.
 */

#ifndef PEAL_TESTS_LIB_FUZZ_H
#define PEAL_TESTS_LIB_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_MUST(cond)                                                        \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, \
			    #cond);                                            \
			abort();                                               \
		}                                                              \
	} while (0)

/* Seed the dice from $PEAL_SEED or the clock, and say with what. */
void fuzz_seed(void);
/* Below n. */
uint64_t fuzz_roll(uint64_t n);

/*
 * Give fn each kept input, in memory of exactly its size, and print the
 * result as test 1.  Returns whether there were any.
 */
bool fuzz_replay(const char *name, void (*fn)(const uint8_t *p, size_t len));

#endif
