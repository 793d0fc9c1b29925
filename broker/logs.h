/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Readers of the log that queries share: opening one looks at every segment,
 * so that those that are done with stay open for the next query.
 */

#ifndef PEAL_BROKER_LOGS_H
#define PEAL_BROKER_LOGS_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct log_frame;
struct log_reader;
struct logs;
struct reason;

/* On success the caller owns *out.  -errno: the directory can't be opened. */
MUST_CHECK int logs_new(const char *dir, struct logs **out, struct reason *why);
struct logs *logs_free(struct logs *logs);
CLEANUP_FN(struct logs *, logs_free)

/* The log now begins with oldest: readers that begin before are not used. */
void logs_note_oldest(struct logs *logs, uint64_t oldest);

/* One use of the log, by one thread. */
struct logs_lease {
	struct logs *logs;
	struct log_reader *rd;
	uint64_t limit; /* the last seq that rd hands out */
	uint64_t oldest;
};

/*
 * A reader that hands out all up to need at least; tail: the last seq that
 * may be read, at least need.  0 or -errno with a sentence.
 */
MUST_CHECK int logs_lease(struct logs *logs, uint64_t need, uint64_t tail,
    struct logs_lease *out, struct reason *why);
/* Give it back; a reader that has met damage is not kept.  {0} is fine. */
void logs_return(struct logs_lease *lease);
/* The same where the log was damaged: whoever comes next looks anew. */
void logs_discard(struct logs_lease *lease);

/*
 * The next frame, which must be there: LOG_READ_FRAME, LOG_READ_DAMAGED or
 * below zero.  n_events is 0 where there is none.
 */
MUST_CHECK int logs_next(
    struct logs_lease *lease, struct log_frame *frame, struct reason *why);
/*
 * The bytes of event seq, which live until the next call; *frame is the last
 * one read, {0} at first.  LOG_READ_FRAME, LOG_READ_DAMAGED or below zero.
 */
MUST_CHECK int logs_fetch(struct logs_lease *lease, struct log_frame *frame,
    uint64_t seq, struct slice *bytes, struct reason *why);

/*
 * The last seq with a time at or before time_us, 0 where there is none, over
 * all that the lease hands out.  Enum log_read (LOG_READ_END: done) or below
 * zero.
 */
MUST_CHECK int logs_find_time(struct logs_lease *lease, uint64_t time_us,
    uint64_t *seq, struct reason *why);

#endif
