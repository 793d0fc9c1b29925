/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Diagnostics: what a process says to its operator, one line each.  Called
 * once, where an error stops travelling, by process code only.  Values go in
 * as "key=%..." of the format: where stderr is the journal, each is a field
 * (PEAL_KEY) beside the sentence; else, and of errors always, it is a line on
 * stderr, with a syslog level before it when that is no terminal.
 */

#ifndef PEAL_CORE_DIAG_H
#define PEAL_CORE_DIAG_H

#include <stddef.h>

#include "core/macros.h"

/* The process's name in front of each line; kept, not copied. */
void diag_init(const char *name);
/* Lines for whoever called from a shell: on stderr, without levels. */
void diag_plain(void);
/* For tests: a journal at path, kept; NULL: stderr. */
void diag_journal(const char *path);

/*
 * For what happens a few times in a process's life, or because an operator
 * asked.  What others can bring about again and again is limited.
 */
void diag_error(const char *fmt, ...) PRINTF(1, 2);
void diag_warn(const char *fmt, ...) PRINTF(1, 2);
void diag_note(const char *fmt, ...) PRINTF(1, 2);

/*
 * A warning, or a note, at most one a second for each cause; what was held
 * back is counted and said with the next one, or by diag_tick().  cause names
 * the kind, and is kept, not copied.
 */
void diag_limited(const char *cause, const char *fmt, ...) PRINTF(2, 3);
void diag_limited_note(const char *cause, const char *fmt, ...) PRINTF(2, 3);

/* Say what was held back of causes that have been quiet since.  Cheap. */
void diag_tick(void);

/*
 * Write len bytes of hostile text into buf as printable ASCII with \xNN
 * escapes, cut with "..." to fit size (at least 8).  Returns buf.
 */
const char *diag_quote(char *buf, size_t size, const void *text, size_t len);

#endif
