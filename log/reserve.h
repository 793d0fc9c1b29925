/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reserve: room on the disk, as a file of zeros, that is given back where
 * without it no base and no floor could be written, and so a full disk never
 * be made less full.
 */

#ifndef PEAL_LOG_RESERVE_H
#define PEAL_LOG_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct reason;

#define RESERVE_NAME "RESERVE"

enum reserve {
	RESERVE_THERE = 0,
	RESERVE_NO_ROOM /* for it and for two more segments */
};

/* See that it is there, with so many bytes.  Enum reserve or -errno. */
MUST_CHECK int reserve_keep(
    const struct sysio *io, int dirfd, uint64_t bytes, struct reason *why);

/* Give it back.  0, -ENOENT where there is none, or another -errno. */
MUST_CHECK int reserve_release(
    const struct sysio *io, int dirfd, struct reason *why);

/* Is less room left than a base may count on?  bytes: of the reserve. */
bool reserve_is_needed(const struct sysio *io, int dirfd, uint64_t bytes);

#endif
