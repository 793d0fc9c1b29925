/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Retention: which of the oldest segments are to go, and their removal once
 * the floor has passed them.  What holds the events' effects is the base
 * (log/base.h), and is there before the floor moves.
 */

#ifndef PEAL_LOG_RETAIN_H
#define PEAL_LOG_RETAIN_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/floor.h"
#include "log/segment.h"

struct reason;

struct retain_policy {
	uint64_t keep_bytes; /* of segments; UINT64_MAX: any number */
	uint64_t keep_us;    /* of time; 0: any */
	uint64_t now_us;     /* since 1970 */
	uint64_t needed;     /* the first event somebody has yet to get; or 0 */
	uint64_t hold_bytes; /* of segments, at most, that stay for that */
};

enum retain_look {
	RETAIN_NOTHING = 0,
	RETAIN_FLOOR,	/* *floor may take the place of the one before */
	RETAIN_PACKED,	/* a segment; there may be more */
	RETAIN_DIFFERS, /* one stays, *why says which; there may be more */
};

/*
 * What would be the floor of list, which chain_read() found whole, by this
 * policy?  The newest sealed segment and those behind it always stay.  *held:
 * the bytes of segments that stay because they are needed, and for nothing else.
 */
MUST_CHECK int retain_look(const struct segment_list *list,
    const struct retain_policy *policy, struct log_floor *floor,
    uint64_t *held);

/*
 * Pack the oldest sealed segment of such a list that is not, but for the two
 * newest, where there is room for it and for new segments.  The list has it
 * as it is then.  *left, 0 at first, is the number of the newest that, packed,
 * read otherwise: it would again, and is not tried while *left is kept.
 */
MUST_CHECK int retain_pack(const struct sysio *io, int dirfd,
    struct segment_list *list, uint64_t *left, struct reason *why);

/*
 * Remove what a crash left half made of that which retention, packing and
 * summing up make; before any of them begins.
 */
MUST_CHECK int retain_tidy(
    const struct sysio *io, int dirfd, struct reason *why);

/*
 * Remove what is below the floor that is written: segments, oldest first,
 * their indexes, and bases but for that of the floor.  It may be called at
 * any time.
 */
MUST_CHECK int retain_remove(
    const struct sysio *io, int dirfd, struct reason *why);

#endif
