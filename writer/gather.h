/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The gather: the queue of composed frames between the sequencer, its one
 * producer, and the syncer, its one consumer.  While one flush is under way
 * the next one gathers here.  Frames stand back to back in memory as they
 * will on the disk, so that a flush is one write.
 */

#ifndef PEAL_WRITER_GATHER_H
#define PEAL_WRITER_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct gather;

/* In memory only: a frame with one ephemeral event, which is not logged. */
enum {
	GATHER_EMIT = 200
};

/* What the ring says of an event and its bytes do not tell at once. */
struct gather_note {
	uint64_t topic_hash;
	uint64_t version;
	uint64_t accepted_ns; /* CLOCK_BOOTTIME */
};

struct gather *gather_new(void);
struct gather *gather_free(struct gather *g);
CLEANUP_FN(struct gather *, gather_free)

/* --- the sequencer's side --- */

/*
 * Room for a frame of at most payload bytes and n events: returns the frame's
 * first byte (LOG_FRAME_HEADER bytes, then the payload) and the notes to be
 * filled in; NULL without memory.  Nothing is seen before gather_commit().
 */
uint8_t *gather_begin(
    struct gather *g, size_t payload, uint32_t n, struct gather_note **notes);
/* The frame is complete and has payload bytes; returns its serial, from 1. */
uint64_t gather_commit(struct gather *g, size_t payload);
/* Serial of the newest frame. */
uint64_t gather_serial(const struct gather *g);

/* Let the consumer run out and return; then gather_take() gives GATHER_STOP. */
void gather_stop(struct gather *g);

/* --- the syncer's side --- */

/* A frame with its notes; bytes live until gather_release(). */
struct gather_item {
	uint8_t *frame;
	size_t len; /* header and payload */
	const struct gather_note *notes;
	bool emit;
};

enum gather_take {
	GATHER_NONE = 0,
	GATHER_FRAME
};

/* Look at the next frame without taking it. */
enum gather_take gather_peek(struct gather *g, struct gather_item *item);
/* Step over the frame that was peeked at. */
void gather_step(struct gather *g);
/* All frames stepped over are done with: their memory goes back. */
void gather_release(struct gather *g);

enum gather_wait {
	GATHER_WORK = 0,
	GATHER_TIMEOUT,
	GATHER_STOP
};

/* Wait for a frame, at most timeout_ms (0: for ever). */
enum gather_wait gather_wait(struct gather *g, unsigned timeout_ms);

#endif
