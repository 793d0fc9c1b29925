/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log that gives up its oldest segments, for tests: bases have one row, and
 * a state that is none.
 */

#ifndef PEAL_TESTS_LIB_RETAINFIX_H
#define PEAL_TESTS_LIB_RETAINFIX_H

#include <stdint.h>

#include "log/floor.h"
#include "tests/lib/modelfix.h"

/* Give up what is beyond keep_bytes; how far that came is in *floor. */
int retainfix_retain(
    struct logfix *fx, uint64_t keep_bytes, struct log_floor *floor);
/* The same, and it comes somewhere. */
void retainfix_expect(struct modelfix *m, uint64_t keep_bytes);

#endif
