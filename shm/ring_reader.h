/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Ring reader: a read-only position in the ring.
 *
 * A reader maps the ring PROT_READ and owns nothing but its position.  It
 * takes no lock and writes no byte that others see, so it cannot delay the
 * writer.  What it hands out is a copy that was checked after copying: no
 * pointer into the ring ever leaves this file.
 *
 * One thread per reader.  The mapping stays readable after the writer dies.
 */

#ifndef PEAL_SHM_RING_READER_H
#define PEAL_SHM_RING_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/hash.h"
#include "core/macros.h"
#include "shm/ring_event.h"

struct reason;
struct ring_reader;
struct stats_view;

/* What a read or seek found.  Below zero: -errno, pass it up. */
enum ring_next {
	RING_EMPTY = 0, /* level with the writer; wait for its doorbell */
	RING_EVENT,	/* one event or more were copied */
	RING_LAPPED,	/* overwritten before we got there */
	RING_TOO_SMALL, /* the next event needs more room than buf has */
};

/* The header, checked at open and constant for the life of the mapping. */
struct ring_info {
	uint8_t log_id[16];
	uint64_t epoch;
	uint32_t incarnation;
	uint32_t slots;
	uint64_t payload_bytes;
	uint64_t created_us; /* wall clock */
	uint32_t writer_pid;
	bool unsafe; /* the log is where flushes may be lost */
	struct hash_key topic_key;
};

/* The moving part, each value atomic by itself. */
struct ring_status {
	enum ring_state state;
	uint64_t heartbeat_ns; /* CLOCK_MONOTONIC */
	uint64_t publish_ns;
	uint64_t tail_seq; /* head of the log, as visible */
	uint64_t tail_ord;
	uint64_t valid_ord;
	uint64_t oldest_seq; /* of the log */
};

/*
 * Map the ring behind path, or behind fd (which stays the caller's).  On
 * success the caller owns *out; the position is before the oldest event.
 * Returns -ENOENT before the writer's first start, -EPROTO for a file that
 * is no ring of our version or contradicts itself; why says which.
 */
MUST_CHECK int ring_reader_open(
    const char *path, struct ring_reader **out, struct reason *why);
MUST_CHECK int ring_reader_open_fd(
    int fd, struct ring_reader **out, struct reason *why);
/*
 * The ring that a writer has left in the run directory dir, and remembers
 * what was acknowledged.  -EBUSY while somebody serves there: what such a ring
 * says may be of another log.
 */
MUST_CHECK int ring_reader_open_left(const char *dir, struct ring_reader **out);
/*
 * Is the file at path the one that rd reads, as long as it was and with the
 * header that it had?  For those who poll: a writer that starts puts another
 * in its place.
 */
bool ring_reader_is_at(const struct ring_reader *rd, const char *path);

/* Unmap and free.  NULL is fine; always returns NULL. */
struct ring_reader *ring_reader_free(struct ring_reader *rd);
CLEANUP_FN(struct ring_reader *, ring_reader_free)

/* A second position over the same mapping (refcounted); caller owns *out. */
MUST_CHECK int ring_reader_clone(
    struct ring_reader *rd, struct ring_reader **out);

const struct ring_info *ring_reader_info(const struct ring_reader *rd);
void ring_reader_status(
    const struct ring_reader *rd, struct ring_status *status);

/*
 * Make the first event whose seq is greater than seq the next one; ephemeral
 * events that carry seq itself are behind us.  RING_EVENT: it is there.
 * RING_EMPTY: seq is the newest or beyond, and the position is behind the
 * newest (compare seq with what ring_reader_seek_tail() returns where that
 * matters).  RING_LAPPED: seq + 1 is gone, the position is where it was.
 * -EPROTO: a damaged file.
 */
MUST_CHECK int ring_reader_seek(struct ring_reader *rd, uint64_t seq);
/* Before the oldest event still held; returns the seq before it. */
uint64_t ring_reader_seek_oldest(struct ring_reader *rd);
/* Behind the newest; returns its seq. */
uint64_t ring_reader_seek_tail(struct ring_reader *rd);

/* Is there nothing to be read?  One load, for those who poll or park. */
bool ring_reader_level(const struct ring_reader *rd);

/*
 * Copy a run of events, at most max (1 or more) of them and at most size
 * bytes, and step over them: their bytes stand back to back in buf in the
 * order of ev[].  Fewer than there are is normal: call again.
 * RING_EVENT: *n (1 or more) were copied and verified to be untorn.  Their
 * CRCs are not computed here: the fences prove the copy, tools prove the ring.
 * RING_TOO_SMALL: *need is the first event's length; nothing was stepped.
 * RING_LAPPED: the position is where it was; seek again.
 * -EPROTO: the ring contradicts itself (a damaged file), now and for ever.
 * buf may have been scribbled on in each case.
 */
MUST_CHECK int ring_reader_read(struct ring_reader *rd, struct ring_event *ev,
    uint32_t max, uint8_t *buf, size_t size, uint32_t *n, size_t *need);

/* What is published from our position on, ephemeral events too. */
struct ring_backlog {
	uint64_t events;
	uint64_t bytes;
	uint64_t oldest_us; /* wall clock: the next event's time */
	uint64_t newest_us;
	uint32_t oldest_stamp; /* of the next event's pass */
};

/*
 * Measure it without reading it: two records are looked at, however much
 * there is.  RING_EMPTY: all zeros.  RING_LAPPED: the next event is gone, and
 * the backlog unknown.  -EPROTO: a damaged file.
 */
MUST_CHECK int ring_reader_backlog(
    struct ring_reader *rd, struct ring_backlog *backlog);

/* Ordinal of the next event to be read. */
uint64_t ring_reader_ordinal(const struct ring_reader *rd);

/* One attached reader, as the writer last copied its status page. */
struct ring_seat_info {
	unsigned seat;
	char role[16]; /* printable */
	long pid;
	uint64_t attached_us; /* wall clock */
	uint64_t position;    /* seq */
	uint64_t clients;
	uint64_t lapped;
	uint64_t wakeups;
	uint64_t missed;
	bool parked;
	uint64_t heartbeat_ns; /* CLOCK_MONOTONIC, of the reader */
};

enum {
	RING_SEATS = 64
};

/* The readers' table, for tools.  Returns how many of the max there are. */
unsigned ring_reader_seats(
    const struct ring_reader *rd, struct ring_seat_info *seats, unsigned max);

/* The writer's counters; they live as long as the mapping. */
MUST_CHECK int ring_reader_stats(
    const struct ring_reader *rd, struct stats_view *view, struct reason *why);

/* The ordinal up to which the writer has rung doorbells, for doorbell.h. */
uint64_t ring_reader_rung(const struct ring_reader *rd);

#endif
