/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A value changed by what an event carries: merged with a patch, or with one
 * element added to or removed from an array in it.  Values are canonical
 * MessagePack, and so is what comes out.
 */

#ifndef PEAL_CORE_MERGE_H
#define PEAL_CORE_MERGE_H

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"
#include "core/mpvalid.h"

enum {
	/* Levels of a value: a snapshot wraps it in three more. */
	MERGE_DEPTH = MPVALID_DEPTH - 3
};

enum merge {
	MERGE_DONE = 0,
	MERGE_UNFIT /* value or change is of another shape; out as it was */
};

/*
 * RFC 7396 into out, at its end: a patch that is no map replaces the value; a
 * value that is no map, or of len 0, counts as an empty one.  A key of the
 * value keeps its place, new ones follow in the patch's order; keys are
 * equal when their bytes are.  enum merge, or -ENOMEM.
 */
MUST_CHECK int merge_patch(
    struct slice value, struct slice patch, struct mp_buf *out);

/*
 * change is {field: element}: the value, a map, or nil or of len 0 for an
 * empty one, goes into out with the element added to the array at field
 * unless an equal one is there (a missing field becomes an array of one), or
 * with all equal ones removed.  enum merge, or -ENOMEM.
 */
MUST_CHECK int merge_add(
    struct slice value, struct slice change, struct mp_buf *out);
MUST_CHECK int merge_remove(
    struct slice value, struct slice change, struct mp_buf *out);

#endif
