/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The state on stdout, now or at a point in the past: what `peal state` and
 * `peal at` share.
 */

#ifndef PEAL_TOOLS_ROWS_H
#define PEAL_TOOLS_ROWS_H

#include <stdbool.h>

#include "tools/tool.h"
#include "tools/when.h"

struct rows {
	struct tool *t;
	char **patterns; /* n of them; none: all */
	int n;
	struct when at;
	bool deleted;	/* show people tombstones, too */
	bool seq_first; /* begin with the seq, on a line of its own */
};

/* The options of whoever prints them, as a whole table. */
#define ROWS_OPTIONS(rows)                                               \
	{ .name = "deleted",                                             \
		.kind = TOOL_FLAG,                                       \
		.value = &(rows).deleted,                                \
		.help = "show deleted rows, too (--json always does)" }, \
	    { .name = "seq",                                             \
		    .kind = TOOL_FLAG,                                   \
		    .value = &(rows).seq_first,                          \
		    .help = "begin with a line that is the seq" },       \
	{                                                                \
		.name = NULL                                             \
	}

/* Ask, and print; returns an exit code. */
int rows_print(const struct rows *rows);

#endif
