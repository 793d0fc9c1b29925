/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Diagnostics: what a process says to its operator on stderr, one line each,
 * with a syslog level prefix when stderr is not a terminal.  Called once,
 * where an error stops travelling, by process code only.  Values that came
 * from outside go in as "key=value" through diag_quote().
 */

#ifndef PEAL_CORE_DIAG_H
#define PEAL_CORE_DIAG_H

#include <stddef.h>

#include "core/macros.h"

/* The process's name in front of each line; kept, not copied. */
void diag_init(const char *name);

void diag_error(const char *fmt, ...) PRINTF(1, 2);
void diag_warn(const char *fmt, ...) PRINTF(1, 2);
void diag_note(const char *fmt, ...) PRINTF(1, 2);

/*
 * At most one line a second per cause; what was held back is counted and
 * said with the next one.  cause is a string literal that names the kind.
 */
void diag_limited(const char *cause, const char *fmt, ...) PRINTF(2, 3);

/*
 * Write len bytes of hostile text into buf as printable ASCII with \xNN
 * escapes, cut with "..." to fit size (at least 8).  Returns buf.
 */
const char *diag_quote(char *buf, size_t size, const void *text, size_t len);

#endif
