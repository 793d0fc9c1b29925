/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The feed: takes events out of the ring and hands them to the groups that
 * they match.  A pass ends where a request ends, after a bounded amount of
 * work, so that the loop gets its turn.
 */

#ifndef PEAL_GATEWAY_FEED_H
#define PEAL_GATEWAY_FEED_H

#include <stdint.h>

#include "core/macros.h"
#include "gateway/group.h"

struct feed;
struct grants;
struct reason;
struct ring_reader;

struct feed *feed_new(struct group_table *groups);
struct feed *feed_free(struct feed *f);
CLEANUP_FN(struct feed *, feed_free)
/*
 * Give these what is said of permissions: before any event of the request
 * that says it is handed out, so that it counts for them.  They outlive it.
 */
void feed_follow(struct feed *f, struct grants *grants);

enum feed_found {
	FEED_IDLE = 0, /* level with the writer */
	FEED_MORE,     /* there is more, or may be */
	FEED_LAPPED,   /* the writer came past: what was not read is gone */
	FEED_FOREIGN,  /* this ring does not continue what was read */
};

/*
 * Read from this ring from now on; it stays the caller's.  The first time at
 * its tail, later behind what was read last.  FEED_IDLE, FEED_LAPPED (goes
 * on with the oldest request) or FEED_FOREIGN (nothing changes).
 */
MUST_CHECK int feed_ring(struct feed *f, struct ring_reader *ring);

/*
 * Forget what was read: the next ring is of another log.  No group is left,
 * and feed_ring() begins at its tail.
 */
void feed_restart(struct feed *f);

/*
 * One pass.  FEED_LAPPED: the groups have got what came before; the feed
 * goes on with the oldest whole request that is there.  -EPROTO: the ring is
 * damaged.
 */
MUST_CHECK int feed_pass(struct feed *f, uint64_t now_ns);

/* When the next block is due (monotonic ns); 0: none is open. */
uint64_t feed_due(const struct feed *f);

/* Events taken from the ring so far. */
uint64_t feed_events(const struct feed *f);

#endif
