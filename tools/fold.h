/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lines that are too long for a terminal, folded at spaces.  Where stdout is
 * no terminal a line stays one line: programs read it.
 */

#ifndef PEAL_TOOLS_FOLD_H
#define PEAL_TOOLS_FOLD_H

#include <stdbool.h>

#include "core/macros.h"

struct tool;

/* Is stdout a terminal that has not as many columns?  What it does not say
 * are 80. */
bool fold_narrow(const struct tool *t, unsigned columns);

/*
 * Print a line, indented, on as many lines of the terminal as it takes.
 * Control characters are shown as '?'; what is beyond 1 KiB is cut.
 */
void fold_print(const char *fmt, ...) PRINTF(1, 2);

#endif
