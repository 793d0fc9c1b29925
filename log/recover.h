/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Recovery: decides what the log is after whatever happened.  It changes
 * nothing that it does not understand, and what it returns is on the disk.
 */

#ifndef PEAL_LOG_RECOVER_H
#define PEAL_LOG_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/format.h"
#include "log/witness.h"

struct reason;

/* Where the log ends, and what its next segment's header must say. */
struct log_tail {
	uint8_t log_id[16];
	uint64_t epoch;
	uint32_t incarnation; /* for the segments to come */
	uint64_t last_seq;    /* 0: an empty log */
	uint64_t last_time_us;
	uint64_t oldest_seq; /* 1 for an empty log */
	uint64_t next_segment;
	struct segment_predecessor predecessor; /* of the next segment */
};

enum recover {
	RECOVER_OK = 0,
	RECOVER_DAMAGED, /* acknowledged data is damaged or missing: exit 3 */
};

/*
 * Read the log in dirfd (empty: a new one is founded with a random id),
 * settle its tail and make it durable.  witnesses come on top of
 * durable.wit, which is read here.  notes, if not NULL, is called with a
 * sentence for each thing worth telling (torn tail, quarantine).
 * RECOVER_DAMAGED: *why names segment and range, nothing was changed.
 */
MUST_CHECK int recover_log(const struct sysio *io, int dirfd,
    const struct log_witness *witnesses, unsigned n_witnesses,
    void (*notes)(const char *sentence), struct log_tail *tail,
    struct reason *why);

#endif
