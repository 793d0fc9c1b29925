/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Text that is too long for a line, on as many lines as it takes.  Where
 * stdout is no terminal what is told once stays one line: programs read it.
 */

#ifndef PEAL_TOOLS_WRAP_H
#define PEAL_TOOLS_WRAP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/macros.h"

struct tool;

/*
 * Print text from column `at` on, in lines of at most `columns`; further ones
 * begin behind `indent` blanks, and paragraphs, behind an empty line, with
 * blanks of their own.  A character counts as one column; a word that is wider
 * than that stays whole, and the terminal breaks it.
 */
void wrap_text(const char *text, size_t at, size_t indent, size_t columns);

/* How large stdout's terminal is; 24 rows of 80 where it does not say. */
void wrap_terminal(unsigned *rows, unsigned *columns);

/* Is stdout a terminal of fewer columns? */
bool wrap_narrow(const struct tool *t, unsigned columns);

/*
 * Print a line, indented, on as many lines of the terminal as it takes.
 * Control characters are shown as '?'; what is beyond 1 KiB is cut.
 */
void wrap_print(const char *fmt, ...) PRINTF(1, 2);

#endif
