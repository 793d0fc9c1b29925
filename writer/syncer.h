/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The syncer: takes what has gathered, writes and flushes it, then publishes
 * it to the ring, then says so.  Nothing is visible or answered before its
 * flush has returned; after a failed flush nothing is ever again.
 */

#ifndef PEAL_WRITER_SYNCER_H
#define PEAL_WRITER_SYNCER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct doorbell_hub;
struct gather;
struct log_writer;
struct reason;
struct ring_writer;
struct space;
struct syncer;
struct witness;

/* What it works with; all of it outlives the syncer. */
struct syncer_parts {
	struct gather *gather;
	struct log_writer *log;
	struct ring_writer *ring;
	struct doorbell_hub *bells; /* NULL: nobody to wake */
	struct space *space;	    /* NULL: the caller keeps spares ready */
	struct witness *witness;    /* NULL: none */
	int wake_fd;		    /* eventfd of the sequencer; -1: none */
	uint64_t last_seq;	    /* of the log as it is now */
};

MUST_CHECK int syncer_new(
    const struct syncer_parts *parts, struct syncer **out);
struct syncer *syncer_free(struct syncer *sy);
CLEANUP_FN(struct syncer *, syncer_free)

/* Run in a thread of its own until gather_stop(); ends by itself on failure. */
MUST_CHECK int syncer_start(struct syncer *sy, struct reason *why);
/* After gather_stop(): wait for its end. */
void syncer_join(struct syncer *sy);

/*
 * One round by hand, for tests that want no threads: returns the number of
 * frames done, 0 when nothing had gathered, or -errno.
 */
MUST_CHECK int syncer_round(struct syncer *sy, struct reason *why);
/* The IDLE frame, where one is due. */
MUST_CHECK int syncer_idle(struct syncer *sy, struct reason *why);

/* From any thread. */
uint64_t syncer_durable_seq(const struct syncer *sy);
uint64_t syncer_done_serial(const struct syncer *sy); /* published */
bool syncer_failed(const struct syncer *sy);
/* The sentence of the failure; call only after syncer_failed(). */
const char *syncer_failure(const struct syncer *sy);
/* How long the present flush has taken, ns; 0: none is under way. */
uint64_t syncer_flush_age_ns(const struct syncer *sy);
/* Segments begun since the start. */
uint64_t syncer_rolls(const struct syncer *sy);

/* What the operator sees of it. */
struct syncer_counts {
	uint64_t flushes;
	uint64_t flush_bytes;
	uint64_t flush_ns;
	uint64_t slow_flushes; /* over a second */
	uint64_t witness_failed;
	uint64_t rings; /* of readers' doorbells */
};
void syncer_counts(const struct syncer *sy, struct syncer_counts *counts);

#endif
