/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The tail of the log as it grows: from the ring, from the log where the ring
 * has moved on, and from the next writer's ring when this one has gone.  One
 * thread reads; every event comes once, and in order.
 */

#ifndef PEAL_BROKER_TAIL_H
#define PEAL_BROKER_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/slices.h"
#include "core/macros.h"

struct reason;
struct tail;

/* The directories outlive *out, which is the caller's. */
MUST_CHECK int tail_new(
    const char *run_dir, const char *log_dir, struct tail **out);
struct tail *tail_free(struct tail *t);
CLEANUP_FN(struct tail *, tail_free)

enum tail_read {
	TAIL_EMPTY = 0, /* all is read; tail_wait() */
	TAIL_EVENTS,	/* some were handed on */
	TAIL_ATTACHED,	/* a ring is there: look at tail_log(), then seek */
	TAIL_NONE,	/* no writer runs; tail_wait() */
	TAIL_DAMAGED,	/* an event is missing or unreadable: *why says it */
};

/*
 * Hand on some durable events behind the position.  Below zero: -errno, or
 * what fn returned; the position is then to be given anew.
 */
MUST_CHECK int tail_read(
    struct tail *t, slices_event *fn, void *arg, struct reason *why);
/* The position: the next event is after + 1. */
void tail_seek(struct tail *t, uint64_t after);

/* The log that the ring, which was attached, is of. */
struct tail_log {
	uint8_t id[16];
	uint64_t epoch;
	uint64_t head;
	uint64_t oldest;
};
void tail_log(const struct tail *t, struct tail_log *log);

/* Until something is there to be read, for max_ms (100 at most) or less. */
void tail_wait(struct tail *t, unsigned max_ms);
/* For ms, whatever comes: something has to be tried again. */
void tail_pause(struct tail *t, unsigned ms);
/* Show tools how far we have got. */
void tail_report(struct tail *t, uint64_t position);

/* --- any thread --- */

/* End a wait, now and for ever. */
void tail_stop(struct tail *t);
bool tail_stopped(const struct tail *t);

struct tail_status {
	bool attached; /* the writer of the ring runs */
	uint64_t head; /* 0 before the first ring */
	uint64_t oldest;
	uint64_t lapped; /* how often the log had to serve */
	uint64_t events; /* that were handed on */
};
void tail_status(struct tail *t, struct tail_status *s);

#endif
