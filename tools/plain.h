/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Names of strangers as a terminal may see them: what would move its cursor,
 * change its colours, hide or reorder text is written out.
 */

#ifndef PEAL_TOOLS_PLAIN_H
#define PEAL_TOOLS_PLAIN_H

#include <stddef.h>

#include "core/bytes.h"

/*
 * Write text into buf of size bytes (8 or more), NUL-ended, cut between
 * characters with "..." where it does not fit.  Bytes that are no UTF-8, and
 * characters that are no text, become \xNN, byte by byte.  Returns buf.
 */
const char *plain_text(char *buf, size_t size, struct slice text);

#endif
