/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Past events from the ring, for replays and for connections that are behind
 * their group.  Ephemeral events are never among them.
 */

#ifndef PEAL_GATEWAY_CATCHUP_H
#define PEAL_GATEWAY_CATCHUP_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "gateway/filter.h"

struct catchup;
struct ring_reader;
struct reason;

/* A run of events that match, as far as the ring was looked through. */
struct catchup_part {
	uint64_t upto; /* all that matches in (after, upto] is here */
	uint32_t n_events;
	struct slice events; /* live until the next call */
};

enum catchup_found {
	CATCHUP_PART = 0, /* perhaps without an event, but upto > after */
	CATCHUP_LAPPED,	  /* the ring no longer holds after + 1 */
};

struct catchup *catchup_new(void);
struct catchup *catchup_free(struct catchup *c);
CLEANUP_FN(struct catchup *, catchup_free)

/*
 * Read from this ring from now on: takes a reader of its own over the same
 * mapping.
 */
MUST_CHECK int catchup_ring(struct catchup *c, struct ring_reader *ring);

/*
 * What filter lets through in (after, upto], or a first part of it that ends
 * at a request's end: about a block of events, or a few thousand looked at.
 * after < upto, and both are ends of requests.
 */
MUST_CHECK int catchup_read(struct catchup *c, const struct filter *filter,
    uint64_t after, uint64_t upto, struct catchup_part *part);

/* The oldest seq that the ring still holds (head + 1 when it is empty). */
uint64_t catchup_oldest(struct catchup *c);

#endif
