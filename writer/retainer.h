/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Retainer: the thread that gives up the oldest segments.  It says of which
 * event the broker's rows are wanted, makes a base of them, moves the floor
 * and removes what is below it; without rows nothing is given up.
 */

#ifndef PEAL_WRITER_RETAINER_H
#define PEAL_WRITER_RETAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct log_writer;
struct reason;
struct retainer;

struct retainer_options {
	int dirfd;		/* the log's; outlives the retainer */
	uint64_t oldest;	/* as recovery found it */
	uint64_t keep_bytes;	/* of segments */
	uint64_t keep_us;	/* of time; 0: any */
	uint64_t hold_bytes;	/* beyond both, for clients; 0: none */
	bool pack;		/* what is sealed */
	uint64_t reserve;	/* bytes; 0: none is kept */
	struct log_writer *log; /* leaves room meanwhile; outlives it, too */
	uint64_t max_keys;
};

/* On success to be ended with retainer_stop(). */
MUST_CHECK int retainer_start(const struct retainer_options *opt,
    struct retainer **out, struct reason *why);
/* A base under way comes to nothing.  NULL is fine; returns NULL. */
struct retainer *retainer_stop(struct retainer *r);

/* --- any thread, and none waits --- */

/* A segment was sealed, or the policy's time has passed: look again. */
void retainer_nudge(struct retainer *r);
/*
 * Clients have got all events before this one, or will not get them any more;
 * 0: they need none.  Until it is told, they are taken to need all.
 */
void retainer_need(struct retainer *r, uint64_t seq);
/* Does it matter what clients need? */
bool retainer_holds(const struct retainer *r);
/* The rows of this event are wanted; 0: none are. */
uint64_t retainer_wanted(const struct retainer *r);

enum retainer_hand {
	RETAINER_TAKEN = 0, /* with the descriptor */
	RETAINER_UNWANTED,  /* rows of that event are not, or not any more */
	RETAINER_BUSY,	    /* with others */
};

/* Hand over the rows of seq, an archive (log/archive.h). */
MUST_CHECK int retainer_hand(struct retainer *r, uint64_t seq, int fd);

/* The oldest event that is kept. */
uint64_t retainer_oldest(const struct retainer *r);

struct retainer_counts {
	uint64_t moves;	 /* of the floor */
	uint64_t packed; /* segments */
	uint64_t failed; /* tries that came to nothing */
	uint64_t held;	 /* bytes that stay for clients alone */
};

void retainer_counts(const struct retainer *r, struct retainer_counts *c);

#endif
