/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Floor: the oldest event that retention has left, and what the chain of
 * segments had come to before it.  It is written before anything is removed,
 * so that whatever lies below it may be there or not.
 */

#ifndef PEAL_LOG_FLOOR_H
#define PEAL_LOG_FLOOR_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct reason;

#define FLOOR_NAME "FLOOR"

struct log_floor {
	uint8_t log_id[16];
	uint64_t epoch;	   /* of the log when it was written */
	uint64_t seq;	   /* the oldest that is kept; 1: no floor is there */
	uint64_t number;   /* of the segment that begins with it */
	uint8_t chain[32]; /* chain hash of the segment before */
};

enum floor_read {
	FLOOR_READ = 0,
	FLOOR_NONE, /* no such file: all is kept, *floor says so */
	FLOOR_BAD,  /* it does not verify; *floor as for FLOOR_NONE */
};

/* -ENOTSUP: of a version that we do not know. */
MUST_CHECK int floor_read(const struct sysio *io, int dirfd,
    struct log_floor *floor, struct reason *why);

/* Put it in the place of the one before, durably. */
MUST_CHECK int floor_write(const struct sysio *io, int dirfd,
    const struct log_floor *floor, struct reason *why);

#endif
