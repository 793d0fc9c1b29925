/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The state on stdout, now or at a point in the past: what `peal state` and
 * `peal at` share.
 */

#ifndef PEAL_TOOLS_ROWS_H
#define PEAL_TOOLS_ROWS_H

#include <stdbool.h>

#include "tools/when.h"

struct tool;

struct rows {
	struct tool *t;
	char **patterns; /* n of them; none: all */
	int n;
	struct when at;
	bool deleted;	/* show people tombstones, too */
	bool seq_first; /* begin with the seq, on a line of its own */
};

/* Ask, and print; returns an exit code. */
int rows_print(const struct rows *rows);

#endif
