/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Ingest: the producers' connections on writer.sock.  Requests go to the
 * sequencer in the order received; replies come back when what they rest on
 * is durable and published.
 */

#ifndef PEAL_WRITER_INGEST_H
#define PEAL_WRITER_INGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct ingest;
struct loop;
struct reason;
struct retainer;
struct sequencer;
struct syncer;

struct ingest_parts {
	struct loop *loop;
	struct sequencer *sequencer;
	struct syncer *syncer;
	bool unsafe;		      /* the log is where flushes may be lost */
	const char *log_name;	      /* proto_log_name() */
	uint64_t oldest_seq;	      /* where there is no retainer */
	struct retainer *retainer;    /* or NULL */
	const char *broker_directory; /* its owner hands over rows; or NULL */
	uint64_t stall_ns;
	uint64_t ring_slots;
	uint64_t ring_bytes;
	int listen_fd; /* of writer.sock; stays the caller's */
};

MUST_CHECK int ingest_new(
    const struct ingest_parts *parts, struct ingest **out, struct reason *why);
/* Drops all connections. */
struct ingest *ingest_free(struct ingest *in);
CLEANUP_FN(struct ingest *, ingest_free)

/* The syncer has done something: send what may be sent, go on with the rest. */
void ingest_wake(struct ingest *in);

/* How long a flush may take before appends are unavailable. */
void ingest_set_stall(struct ingest *in, uint64_t stall_ns);

/* Take nothing new; true when nothing is held any more. */
bool ingest_drain(struct ingest *in);

/* A flush failed: `unknown` to all that wait. */
void ingest_fail(struct ingest *in, const char *why);

/* From time to time: a leap is noticed though nobody appends. */
void ingest_watch_clock(struct ingest *in);

struct ingest_counts {
	uint64_t appends; /* requests stored */
	uint64_t events;
	uint64_t duplicates;
	uint64_t conflicts;
	uint64_t key_reused;
	uint64_t storage_full;
	uint64_t emits;
	uint64_t producers;
	uint64_t clock_leaps;
	uint64_t clock_behind; /* requests with an earlier event's time */
	uint64_t stalled; /* requests refused while the disk did not answer */
};

void ingest_counts(const struct ingest *in, struct ingest_counts *counts);

#endif
