/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rewrite: frames that were in a log before are put into new segments, with
 * their seqs, times and payloads; where one is missing, events that say so.
 */

#ifndef PEAL_LOG_REWRITE_H
#define PEAL_LOG_REWRITE_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/format_priv.h"
#include "log/loss.h"

struct log_tail;
struct reason;
struct rewrite;

/*
 * Begin behind tail in dirfd, with segments of segment_bytes, in a repair
 * that begins epoch.  On success the caller owns *out.
 */
MUST_CHECK int rewrite_new(const struct sysio *io, int dirfd,
    const struct log_tail *tail, uint64_t segment_bytes, uint64_t epoch,
    struct rewrite **out, struct reason *why);
struct rewrite *rewrite_free(struct rewrite *rw);
CLEANUP_FN(struct rewrite *, rewrite_free)

/* The next frame with events. */
MUST_CHECK int rewrite_frame(struct rewrite *rw, const struct frame_header *f,
    const uint8_t *payload, struct reason *why);
/* The next events are those in range, and lost. */
MUST_CHECK int rewrite_lost(struct rewrite *rw, const struct log_range *range,
    uint64_t time_us, struct reason *why);
/* All of it is on the disk. */
MUST_CHECK int rewrite_end(struct rewrite *rw, struct reason *why);

#endif
