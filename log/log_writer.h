/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Log writer: puts frames into segments and makes them durable.
 *
 * Frames are gathered by whoever composes them in memory laid out as on
 * disk: LOG_FRAME_HEADER bytes, then the payload.  log_writer_stamp() fills
 * in what depends on the segment (salt, CRCs, links), log_writer_flush()
 * writes the run and syncs it.  No byte that a flush covered is written
 * again.  One thread, but for log_writer_prepare().
 */

#ifndef PEAL_LOG_LOG_WRITER_H
#define PEAL_LOG_LOG_WRITER_H

#include <stdint.h>
#include <sys/uio.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/format.h"

struct reason;
struct log_tail;
struct log_writer;

/*
 * Begin writing behind tail (of recover_log(), log/recover.h) with segments of
 * segment_bytes.  Nothing is created yet: the first segment of this
 * incarnation comes with the first log_writer_roll().  On success the caller
 * owns *out.
 */
MUST_CHECK int log_writer_open(const struct sysio *io, int dirfd,
    const struct log_tail *tail, uint64_t segment_bytes,
    struct log_writer **out, struct reason *why);
struct log_writer *log_writer_free(struct log_writer *lw);
CLEANUP_FN(struct log_writer *, log_writer_free)

enum log_prepare {
	LOG_PREPARED = 0, /* a zero-filled spare is there */
	LOG_NO_ROOM,	  /* ENOSPC or EDQUOT; try again later */
};

/*
 * Make the spare (next.tmp: zero-filled, synced) unless it is there.  May be
 * called from another thread than the rest; slow.  Below zero: -errno.
 */
MUST_CHECK int log_writer_prepare(struct log_writer *lw, struct reason *why);
/*
 * From now on a spare leaves so much more room on the disk.  From any thread.
 */
void log_writer_leave(struct log_writer *lw, uint64_t bytes);
/* 1 when a spare is ready. */
int log_writer_has_spare(const struct log_writer *lw);

/*
 * Bytes left for frames with events in the open segment (0: none open).  A
 * page behind them is kept for log_writer_idle().
 */
uint64_t log_writer_room(const struct log_writer *lw);
/* Bytes for frames in a fresh segment. */
uint64_t log_writer_capacity(const struct log_writer *lw);

/*
 * Seal the open segment, if there is one, and begin the next in the spare,
 * which must be there.  first_seq is the next event's.  Durable on return.
 */
MUST_CHECK int log_writer_roll(
    struct log_writer *lw, uint64_t first_seq, struct reason *why);

/*
 * Fill in the header of a frame whose type, events, first_seq, time,
 * keys_hash and length its composer has set (log/format.h: frame_compose()).
 * durable_seq is the highest seq already flushed.  The frame must fit the
 * room, counting frames stamped since the last flush.
 */
void log_writer_stamp(
    struct log_writer *lw, uint8_t *frame, uint64_t durable_seq);

/*
 * Write the stamped frames (iov, back to back on disk; n at most 512), pad to
 * the page, fdatasync.  After an error nothing may be retried.
 */
MUST_CHECK int log_writer_flush(struct log_writer *lw, const struct iovec *iov,
    int n, uint64_t last_seq, struct reason *why);

/*
 * The same in two steps, for who has something to do as soon as the frames
 * are durable: what was synced must be summed before the next frame is
 * stamped, with the same iov.
 */
MUST_CHECK int log_writer_sync(struct log_writer *lw, const struct iovec *iov,
    int n, uint64_t last_seq, struct reason *why);
void log_writer_sum(struct log_writer *lw, const struct iovec *iov, int n);

/*
 * Stamp, write and flush one IDLE frame: durable_seq = last, and the digest
 * of all before it.  Needs no room; nothing is done where no segment is open,
 * or where the last page that is left has been used for one.
 */
MUST_CHECK int log_writer_idle(
    struct log_writer *lw, uint64_t last_seq, struct reason *why);

#endif
