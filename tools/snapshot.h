/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The folded state as a tool reads it: row by row, part by part, all at one
 * seq, whatever its size.  A part that breaks the promise is an error.
 */

#ifndef PEAL_TOOLS_SNAPSHOT_H
#define PEAL_TOOLS_SNAPSHOT_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "tools/when.h"

struct query;
struct reason;
struct row;

struct snapshot {
	/* Asked. */
	const struct slice *patterns;
	unsigned n;	/* at most TOPIC_SET_MAX */
	struct when at; /* WHEN_NONE: now */
	uint64_t min_seq;
	/*
	 * Called once at the seq, before any row; or NULL.  fn returns 0 to go
	 * on, 1 to stop, below zero with a reason.
	 */
	int (*begin)(void *arg, uint64_t seq, struct reason *why);
	/* Called for each row; both live for the call. */
	int (*row)(void *arg, const struct row *row, struct slice bytes,
	    struct reason *why);
	void *arg;
	/* Answered. */
	uint64_t seq;
	uint64_t rows;
};

enum snapshot_end {
	SNAPSHOT_END = 0,
	SNAPSHOT_STOPPED, /* a function did not want to go on */
};

/* Ask for it and read it.  Below zero with a sentence. */
MUST_CHECK int snapshot_read(
    struct query *q, struct snapshot *snap, struct reason *why);

#endif
