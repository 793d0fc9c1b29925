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
#include "core/reason.h"

struct tool;
struct tool_option;

enum {
	LIVE_COMPLAINTS = 16 /* of one turn; more are dropped */
};

struct live {
	uint64_t interval_s; /* an option's value; 0: not given */
	uint64_t turns;	     /* another's; 0: until told to stop */
	/* The rest is live.c's. */
	struct tool *t;
	uint64_t due_ns;
	uint64_t done;
	bool screen;
	unsigned rows, columns; /* of the terminal */
	unsigned row;
	uint64_t left_out;		     /* lines that found no place */
	struct reason said[LIVE_COMPLAINTS]; /* in this turn */
	unsigned said_n;
};

/* Its two values in a tool's table of options; help says what they are for. */
struct tool_option live_interval(struct live *l, const char *help);
struct tool_option live_count(struct live *l, const char *help);

/*
 * One turn after another, the first at once: until there were enough, one
 * returns other than TOOL_OK, nobody reads any more, or SIGINT or SIGTERM
 * comes.  Without an interval they are a second apart, and without a number
 * too there is one.  Returns what the last turn did, or TOOL_ERROR where it
 * was well but for complaints.
 */
MUST_CHECK int live_run(
    struct live *l, struct tool *t, int (*turn)(void *arg), void *arg);

/* One line, without its end; a terminal gets what fits. */
void live_line(struct live *l, const char *fmt, ...) PRINTF(2, 3);
/* The same, standing out on a terminal. */
void live_title(struct live *l, const char *fmt, ...) PRINTF(2, 3);

/*
 * All that is wrong in a turn, at once; where nothing is, with n = 0.  On a
 * terminal it stands where it is seen; elsewhere it is said once, and again
 * when a turn was without it.
 */
void live_complain(struct live *l, const struct reason *why, unsigned n);

#endif
