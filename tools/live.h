/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Output that is renewed every few moments: on a terminal in place, as much
 * of it as fits; elsewhere one block after another.  A reader who is slow is
 * waited for, and gets what is true then, not what was missed.
 */

#ifndef PEAL_TOOLS_LIVE_H
#define PEAL_TOOLS_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct tool;

struct live {
	struct tool *t;
	uint64_t interval_s; /* an option's value */
	uint64_t turns;	     /* another's; 0: until told to stop */
	/* The rest is live.c's. */
	uint64_t due_ns;
	uint64_t done;
	bool screen;
	unsigned rows, columns; /* of the terminal */
	unsigned row;
	uint64_t left_out; /* lines that found no place */
};

/* Turns begin; stops at SIGINT and SIGTERM from here on. */
void live_begin(struct live *l, struct tool *t);

/*
 * Wait for the next turn and begin its output.  false: enough turns, told to
 * stop, or nobody reads any more.  The first one comes at once.
 */
MUST_CHECK bool live_next(struct live *l);

/* One line, without its end; a terminal gets what fits. */
void live_line(struct live *l, const char *fmt, ...) PRINTF(2, 3);
/* The same, standing out on a terminal. */
void live_title(struct live *l, const char *fmt, ...) PRINTF(2, 3);

/* The turn's output ends. */
void live_end(struct live *l);

#endif
