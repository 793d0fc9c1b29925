/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Chain of segments: each one's header says how the one before ended, so
 * that a segment that is missing, exchanged or from elsewhere shows.
 */

#ifndef PEAL_LOG_CHAIN_H
#define PEAL_LOG_CHAIN_H

#include <stdbool.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/problem.h"
#include "log/segment.h"

struct reason;

/*
 * Check that the first n segments of list are one log's from its floor on,
 * whole, each behind the other, and set the extent of all but the last.
 * Frames are looked at only where a seal is missing or damaged.  notes (or
 * NULL) hears of what is odd and harmless.  Below zero: -errno; problems are
 * told to sink.
 */
MUST_CHECK int chain_check(const struct sysio *io, int dirfd,
    struct segment_list *list, size_t n, void (*notes)(const char *sentence),
    struct log_problem_sink *sink, struct reason *why);

/*
 * s is the newest file and has no header.  Made and not begun it needs none;
 * with a byte behind its headers' place it is damage, which is told to sink.
 * 0 or -errno.
 */
MUST_CHECK int chain_check_headless(const struct sysio *io, int dirfd,
    const struct segment *s, struct log_problem_sink *sink, struct reason *why);

/*
 * Does b's header say that it follows on a, which has one?  What it says of
 * a's end is true then, if a's frames end so.
 */
bool chain_carries_on(const struct segment *a, const struct segment *b);

enum chain_read {
	CHAIN_WHOLE = 0,
	CHAIN_DAMAGED, /* *why says what of it */
};

/*
 * The list of the segments in dirfd that were used, checked.  Unless below
 * zero to be ended with segment_list_deinit().
 */
MUST_CHECK int chain_read(const struct sysio *io, int dirfd,
    struct segment_list *list, struct reason *why);

#endif
