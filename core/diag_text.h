/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A line for the operator, made of a format and its arguments: printable
 * ASCII, whatever the arguments hold, and the values of those "key=%..." that
 * stand in the format.  A key that an argument brings along is no field.
 */

#ifndef PEAL_CORE_DIAG_TEXT_H
#define PEAL_CORE_DIAG_TEXT_H

#include <stdarg.h>

#include "core/bytes.h"
#include "core/macros.h"

enum {
	DIAG_TEXT_MAX = 960,
	DIAG_TEXT_FIELDS = 12,
	DIAG_TEXT_KEY = 32,
};

struct diag_text {
	char text[DIAG_TEXT_MAX + 1];
	size_t len;
	unsigned n; /* fields; none where the line was too long for them */
	struct {
		char key[DIAG_TEXT_KEY]; /* as in the format: a-z, 0-9, _ */
		struct slice value;	 /* in text, without its quotes */
	} field[DIAG_TEXT_FIELDS];
};

void diag_text_make(struct diag_text *t, const char *fmt, va_list ap)
    PRINTF(2, 0);

#endif
