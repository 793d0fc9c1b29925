/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Conflation: what one interval leaves of the events that came in it.  Folding
 * what is left gives the rows that folding all of them gives.
 *
 *	set(v1) merge set merge ephemeral(x) ephemeral(x)
 *	   |      .    |    |       .            |
 *	set(v1)       set merge              ephemeral(x)
 */

#ifndef PEAL_GATEWAY_CONFLATE_H
#define PEAL_GATEWAY_CONFLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "gateway/block.h"
#include "gateway/trim.h"

struct conflate;
struct rules;

enum {
	/* Bytes of events in a batch, but for a request that has more. */
	CONFLATE_BYTES = 256 * 1024 - BLOCK_HEADROOM
};

struct conflate *conflate_new(void);
struct conflate *conflate_free(struct conflate *c);
CLEANUP_FN(struct conflate *, conflate_free)

/* Nothing has come; the rules live until the next call. */
void conflate_reset(struct conflate *c, const struct rules *rules);

/*
 * A request begins, or an ephemeral event comes; base is the seq at which the
 * request before it ended.  What was added is whole.
 */
void conflate_begin(struct conflate *c, uint64_t base);
/* An encoded event of the request; copied.  What is none is left out. */
void conflate_add(struct conflate *c, struct slice event);
/* Forget what was added since conflate_begin(). */
void conflate_rollback(struct conflate *c);

/* Bytes that are taken: twice those of what is left, or some KiB, at most. */
uint64_t conflate_size(const struct conflate *c);
/* Events of whole requests that were left out so far. */
uint32_t conflate_left_out(const struct conflate *c);
/* Events that came so far: trim.fresh of who comes now. */
uint32_t conflate_mark(const struct conflate *c);

/*
 * A walk over what is left, batch by batch.  Of the trim, fresh is what
 * conflate_mark() was; what it cuts off in front changes nothing of what
 * comes behind.
 */
struct conflate_walk {
	struct trim trim;
	uint64_t upto; /* of the batch, by the end trim.upto */
	uint32_t at;   /* 0 at first */
	bool ended;    /* there is no further one */
};

/*
 * The next batch, perhaps without an event: as much as one message holds, up
 * to a request's end.  Not yet finished; one reference.  What was added is
 * whole, and nothing is added while the walk goes on.
 */
struct block *conflate_next(struct conflate *c, struct conflate_walk *walk);

#endif
