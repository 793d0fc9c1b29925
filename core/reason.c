/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reasons: an error code says what to do, a reason says what happened.  The
 * line that failed fills it in, nobody rewrites it on the way up.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"

int
reason_set(struct reason *why, int err, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	if (!why)
		return err;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	if (err < 0) {
		len = strlen(why->text);
		snprintf(why->text + len, sizeof(why->text) - len, ": %s",
		    strerror(-err));
	}
	return err;
}
