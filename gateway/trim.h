/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Private copies of shared blocks, for a connection that stands in the
 * middle of one: cheaper than reading the ring again.
 */

#ifndef PEAL_GATEWAY_TRIM_H
#define PEAL_GATEWAY_TRIM_H

#include <stdint.h>

#include "gateway/block.h"
#include "gateway/filter.h"

/* fresh: no ephemeral event is for this connection. */
#define TRIM_NO_EPHEMERAL UINT32_MAX

struct trim {
	uint64_t after; /* keep what is beyond this seq ... */
	uint64_t upto;	/* ... up to this one */
	/* Keep ephemeral events from this byte of the events on. */
	uint32_t fresh;
	const struct filter *filter; /* NULL: as the block was filtered */
};

/* The events of a block, finished or not. */
static inline struct slice
trim_events(const struct block *b)
{
	return slice_of(b->bytes + BLOCK_HEADROOM, b->end - BLOCK_HEADROOM);
}

/*
 * Add those events of a run that trim names; its first one stands at that
 * byte of the block's events.  There is room.
 */
void trim_copy(
    struct block *copy, struct slice run, size_t at, const struct trim *trim);

/*
 * A new block with those events of b (NULL: none) that trim names; not yet
 * finished; one reference.
 */
struct block *trim_block(const struct block *b, const struct trim *trim);

#endif
