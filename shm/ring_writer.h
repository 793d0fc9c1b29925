/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Ring writer: the one producer.  A pass publishes a run of events at once;
 * nothing of it is visible before ring_writer_commit().  One thread makes
 * passes; state, heartbeat and oldest seq may be another's.
 */

#ifndef PEAL_SHM_RING_WRITER_H
#define PEAL_SHM_RING_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/hash.h"
#include "core/macros.h"
#include "shm/ring_event.h"

struct reason;
struct ring_map;
struct ring_writer;
struct stats;

struct ring_options {
	uint32_t slots;		/* power of two, 8 or more */
	uint64_t payload_bytes; /* power of two, a page or more */
	uint8_t log_id[16];
	uint64_t epoch;
	uint32_t incarnation;
	uint64_t head_seq; /* last seq before the first event to be published */
	bool unsafe;	   /* the log is where flushes may be lost */
	gid_t group;	   /* of the file; (gid_t)-1: leave */
	struct hash_key topic_key;
	/* Where counting begins: 0 means 1 and 0 as in service; for tests. */
	uint64_t start_ord;
	uint64_t start_pos;
};

/*
 * Build dir/ring.new with state INIT.  It replaces dir/ring only in
 * ring_writer_install(), after the pre-load.  On success the caller owns *out.
 */
MUST_CHECK int ring_writer_create(int dirfd, const struct ring_options *opt,
    struct ring_writer **out, struct reason *why);

/*
 * Store the magic, rename ring.new over ring, mark the old one CLOSED and
 * this one RUNNING.
 */
MUST_CHECK int ring_writer_install(struct ring_writer *rw, struct reason *why);

struct ring_writer *ring_writer_free(struct ring_writer *rw);
CLEANUP_FN(struct ring_writer *, ring_writer_free)

/*
 * Limits of one pass: an eighth of slots and of payload, so that readers
 * keep seven eighths; a pre-load takes seven times as much.
 */
uint32_t ring_writer_pass_events(const struct ring_writer *rw);
uint64_t ring_writer_pass_bytes(const struct ring_writer *rw);

/*
 * Announce a pass of n events of bytes in all: what they overwrite is gone.
 * More than the ring holds is a bug of the caller and stops the process.
 */
void ring_writer_begin(struct ring_writer *rw, uint32_t n, uint64_t bytes);
/*
 * Put in the next event of the pass, whose ev->len bytes (1 or more) are at
 * bytes.  Seqs of durable events grow; that of an ephemeral one is filled in.
 */
void ring_writer_add(
    struct ring_writer *rw, const struct ring_event *ev, const uint8_t *bytes);
/*
 * Make the pass visible: exactly what was announced must have been added.
 * Then wake the readers with doorbell_hub_ring(), once for several passes.
 */
void ring_writer_commit(struct ring_writer *rw);

void ring_writer_set_state(struct ring_writer *rw, enum ring_state state);
/* Heartbeat, and the log's oldest seq for readers and tools. */
void ring_writer_heartbeat(struct ring_writer *rw);
void ring_writer_set_oldest(struct ring_writer *rw, uint64_t seq);

uint64_t ring_writer_tail_seq(const struct ring_writer *rw);
/* When the last pass was committed, monotonic; of who makes passes. */
uint64_t ring_writer_published_ns(const struct ring_writer *rw);

/* For how long an event stays in the ring, as ring_window.h says; any thread. */
uint64_t ring_writer_window_ms(const struct ring_writer *rw, uint64_t now_ns);
/* The read-only descriptor that is handed to readers; stays ours. */
int ring_writer_reader_fd(const struct ring_writer *rw);
/* The writer's counters (STATS_WRITER_…), which live in the ring file. */
const struct stats *ring_writer_stats(const struct ring_writer *rw);
/* For the rest of shm/. */
struct ring_map *ring_writer_map(struct ring_writer *rw);

#endif
