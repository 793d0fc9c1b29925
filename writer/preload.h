/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Pre-load: fills a new ring with the newest events of the log, under the
 * seqs they have, so that readers of the old ring go on as if nothing had
 * happened.
 */

#ifndef PEAL_WRITER_PRELOAD_H
#define PEAL_WRITER_PRELOAD_H

#include <stdint.h>

#include "core/hash.h"
#include "core/macros.h"
#include "core/sysio.h"

struct log_tail;
struct reason;
struct ring_options;
struct ring_writer;

/*
 * The seq before the first event that will be pre-loaded, for head_seq of the
 * options that make the ring: 7/8 of its room at most.
 */
MUST_CHECK int preload_plan(const struct sysio *io, int dirfd,
    const struct log_tail *tail, const struct ring_options *ring,
    uint64_t *head_seq, struct reason *why);

/* Publish everything behind head_seq. */
MUST_CHECK int preload_run(const struct sysio *io, int dirfd,
    const struct log_tail *tail, uint64_t head_seq,
    const struct hash_key *topic_key, struct ring_writer *rw,
    struct reason *why);

#endif
