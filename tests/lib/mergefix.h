/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Merging as RFC 7396 words it, over a tree and slowly: what core/merge is
 * compared with; and random values that have keys in common.
 */

#ifndef PEAL_TESTS_LIB_MERGEFIX_H
#define PEAL_TESTS_LIB_MERGEFIX_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/mp.h"
#include "tests/lib/mpgen.h"

/* The result replaces what is in out; value of len 0: there is none. */
void mergefix_patch(struct slice value, struct slice patch, struct mp_buf *out);
/* false: unfit.  add: else remove. */
bool mergefix_list(
    bool add, struct slice value, struct slice change, struct mp_buf *out);

/* A random value of at most depth levels at the end of out. */
void mergefix_value(struct mpgen *gen, unsigned depth, struct mp_buf *out);
/* {field: element}, or rarely something else. */
void mergefix_change(struct mpgen *gen, struct mp_buf *out);

#endif
