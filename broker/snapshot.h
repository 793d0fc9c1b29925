/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The present state, or what of it changed, as a spool at one seq, however
 * many read transactions it takes.
 */

#ifndef PEAL_BROKER_SNAPSHOT_H
#define PEAL_BROKER_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/proto.h"

struct query;
struct reason;
struct spool;
struct topic_set;

struct snapshot_want {
	const struct topic_set *set; /* NULL: all rows */
	/* Only rows that changed after it, where that can still be told. */
	struct proto_uint since;
	bool dropped; /* tombstones past their time, too */
	/* Each row behind a uint: twice its bytes, and 1 where it is dropped. */
	bool marked;
};

struct snapshot_made {
	uint64_t seq;
	uint64_t floor;	     /* the store's tombstone_floor at seq */
	uint64_t generation; /* of its rows */
	bool full;
};

/*
 * Fill s, which is new, and flush it; finishing it is the caller's.  Rows are
 * in the order of their topics, or, where a walk over what changed is
 * shorter, of their seqs.  Enum spool_put, or below zero: disk or store
 * failed, with a sentence.
 */
MUST_CHECK int snapshot_build(struct query *q, const struct snapshot_want *want,
    struct spool *s, struct snapshot_made *made, struct reason *why);

#endif
