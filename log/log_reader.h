/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Log reader: frames of the log in order, from any seq.  Every frame that it
 * hands out was verified; it never changes a file.
 */

#ifndef PEAL_LOG_LOG_READER_H
#define PEAL_LOG_LOG_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/sysio.h"
#include "log/format.h"

struct reason;
struct log_reader;

/*
 * Open the log in dirfd for reading.  limit_seq: the last seq to hand out
 * (the ring's tail, read before this call, or the recovered last); all up to
 * it must be there.  UINT64_MAX: as far as frames verify, and as the writer's
 * witness knows, at least.  Segments begun after this call are not seen.  On
 * success the caller owns *out, positioned at the oldest event.
 */
MUST_CHECK int log_reader_open(const struct sysio *io, int dirfd,
    uint64_t limit_seq, struct log_reader **out, struct reason *why);
struct log_reader *log_reader_free(struct log_reader *rd);
CLEANUP_FN(struct log_reader *, log_reader_free)

/*
 * Do all segments and the floor fit each other?  false with a sentence: an
 * event that log_reader_seek() does not find may be a lost one.
 */
bool log_reader_fits(const struct log_reader *rd, struct reason *why);

/* The oldest event that is kept, as far as this reader has noticed. */
uint64_t log_reader_oldest(const struct log_reader *rd);

/*
 * Make the frame that holds seq the next one; uses the segment's index where
 * there is one.  0, or -ENOENT when seq is before the oldest, which may have
 * moved on only now, behind the limit, or between segments or behind the last
 * as these say where they end; behind the end of one that may grow, the next
 * read says so.
 */
MUST_CHECK int log_reader_seek(
    struct log_reader *rd, uint64_t seq, struct reason *why);

enum log_read {
	LOG_READ_END = 0,
	LOG_READ_FRAME,
	LOG_READ_DAMAGED, /* *why names segment, offset and expected seq */
	LOG_READ_GONE,	  /* retention has removed it: see the oldest */
};

/* A verified frame; payload lives until the next call. */
struct log_frame {
	enum frame_type type;
	uint32_t n_events;
	uint64_t first_seq;
	uint64_t time_us;
	uint64_t durable_seq;
	uint64_t flush;
	uint64_t offset;  /* in its segment */
	uint64_t segment; /* its first seq */
	struct slice payload;
};

/* The next EVENTS frame (others are checked and stepped over). */
MUST_CHECK int log_reader_next(
    struct log_reader *rd, struct log_frame *frame, struct reason *why);

/*
 * Walk the events of a frame: *at begins at 0.  false at the end.  The bytes
 * were verified with the frame.
 */
bool log_frame_event(const struct log_frame *frame, size_t *at,
    struct slice *event, uint32_t *crc);

#endif
