/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Over the events of a house's log, from the disk, beside a writer or
 * without one.  What a running writer has not published is not looked at.
 */

#ifndef PEAL_TOOLS_LOG_WALK_H
#define PEAL_TOOLS_LOG_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct house;
struct reason;

struct log_walk_bounds {
	bool live;	/* a writer holds the log, and its ring says: */
	uint64_t limit; /* last seq that may be looked at */
};

/* How far the log of the house may be read at present. */
void log_walk_bounds(const struct house *h, struct log_walk_bounds *bounds);

/* The log's directory as a descriptor of the caller's; below zero: -errno. */
MUST_CHECK int log_walk_open(const struct house *h, struct reason *why);

enum log_walk {
	LOG_WALK_END = 0,
	LOG_WALK_STOPPED, /* fn did not want to go on */
	LOG_WALK_DAMAGED, /* why says where; what came is whole */
};

/*
 * Call fn for each event from first to last, as far as there are; bytes live
 * for the call.  fn returns 0 to go on, 1 to stop, below zero with a reason.
 * Where first is older than the oldest event it begins there.
 */
MUST_CHECK int log_walk(const struct house *h, uint64_t first, uint64_t last,
    int (*fn)(void *arg, uint64_t seq, struct slice bytes, struct reason *why),
    void *arg, struct reason *why);

#endif
