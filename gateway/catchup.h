/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Past events from the ring, for replays and for connections that are behind
 * their group.  Ephemeral events are never among them.
 */

#ifndef PEAL_GATEWAY_CATCHUP_H
#define PEAL_GATEWAY_CATCHUP_H

#include <stdint.h>

#include "core/macros.h"
#include "gateway/block.h"
#include "gateway/filter.h"

struct catchup;
struct ring_reader;
struct rules;

struct catchup *catchup_new(void);
struct catchup *catchup_free(struct catchup *c);
CLEANUP_FN(struct catchup *, catchup_free)

/*
 * Read from this ring from now on: takes a reader of its own over the same
 * mapping.  The one before is kept for those who are behind what the new one
 * holds, until catchup_tick() finds it 30 s old.
 */
MUST_CHECK int catchup_ring(struct catchup *c, struct ring_reader *ring);
/* Give up what is not needed any more, at a time of any clock. */
void catchup_tick(struct catchup *c, uint64_t now_ns);
/* The next ring is of another log: forget what was read, and the ring. */
void catchup_forget(struct catchup *c);

enum catchup_found {
	CATCHUP_BLOCK = 0,
	CATCHUP_LAPPED, /* the ring no longer holds after + 1 */
};

/* What is asked for: the events in (after, upto], both ends of requests. */
struct catchup_ask {
	struct filter *filter;
	struct rules *rules; /* conflated by these; NULL: every event */
	uint64_t after;	     /* < upto */
	uint64_t upto;
};

/*
 * What the filter lets through, or a first part of it that ends at a
 * request's end: about a block of events, or a few thousand looked at; where
 * it is conflated, a message of them, or many thousand looked at.  *out is a
 * finished batch, perhaps without an event, but with an upto beyond after;
 * the caller owns a reference.  Whoever asks for the same gets the same block.
 */
MUST_CHECK int catchup_block(
    struct catchup *c, const struct catchup_ask *ask, struct block **out);

/* The oldest seq that the ring still holds (head + 1 when it is empty). */
uint64_t catchup_oldest(struct catchup *c);

/* The oldest seq of the log, as the ring says. */
uint64_t catchup_log_oldest(const struct catchup *c);

/* Blocks given out so far, and those that had to be read from the ring. */
struct catchup_counts {
	uint64_t blocks;
	uint64_t reads;
	/* Of blocks that are kept for others, in all forms; the bound holds. */
	uint64_t remembered_bytes;
};
void catchup_counts(const struct catchup *c, struct catchup_counts *counts);

#endif
