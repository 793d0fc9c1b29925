/* SPDX-License-Identifier: BSD-2-Clause */

/* Seed: what is random in a test is the same for the same seed. */

#ifndef PEAL_TESTS_LIB_SEED_H
#define PEAL_TESTS_LIB_SEED_H

#include <stdint.h>

/* From PEAL_TEST_SEED or the clock; told at once, so that it can return. */
uint64_t seed_draw(void);

#endif
