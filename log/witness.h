/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Witness: a small file that remembers the highest acknowledged seq, so that
 * a log whose end has rotted away is not taken for a shorter one.  It is
 * written after each flush (the broker's: each second) and never synced: what
 * it says is true, but it may be old.
 */

#ifndef PEAL_LOG_WITNESS_H
#define PEAL_LOG_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct reason;
struct segment_header;
struct witness;

/* The highest acknowledged seq as somebody remembers it. */
struct log_witness {
	const char *name; /* "ring", "durable.wit"…, for the sentence */
	uint8_t log_id[16];
	uint64_t epoch;
	uint64_t seq;
};

#define WITNESS_NAME "durable.wit" /* the writer's */

/* What the broker remembers: how far it has folded. */
#define WITNESS_BROKER "position.wit"

/* Open or create dirfd/name; on success the caller owns *out. */
MUST_CHECK int witness_open(const struct sysio *io, int dirfd, const char *name,
    const uint8_t log_id[16], uint64_t epoch, struct witness **out,
    struct reason *why);
struct witness *witness_free(struct witness *wit);
CLEANUP_FN(struct witness *, witness_free)

/* One write.  A failure is to be counted, not to be died of. */
MUST_CHECK int witness_store(struct witness *wit, uint64_t seq);

/*
 * Does it speak of the log whose newest segment has this header?  One that
 * knows a later epoch does.
 */
bool witness_is_of(
    const struct log_witness *wit, const struct segment_header *newest);

enum witness_load {
	WITNESS_LOADED = 0,
	WITNESS_NONE, /* no such file, or an empty one */
	WITNESS_BAD,  /* torn or damaged; *why says so */
};

/*
 * *out gets name, which outlives it, for its own; where nothing is loaded it
 * stays as it is.
 */
MUST_CHECK int witness_load(const struct sysio *io, int dirfd, const char *name,
    struct log_witness *out, struct reason *why);
/* What the broker whose directory is at path remembers; it need not be there. */
MUST_CHECK int witness_load_broker(
    const char *path, struct log_witness *out, struct reason *why);

#endif
