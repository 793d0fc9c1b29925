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
	char text[sizeof(why->text)]; /* an argument may be why->text */
	const char *cause;
	va_list ap;
	size_t len;

	if (!why)
		return err;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = strlen(text);
	if (err < 0) {
		cause = strerrordesc_np(-err);
		snprintf(text + len, sizeof(text) - len, ": %s",
		    cause ? cause : "unknown error");
	}
	memcpy(why->text, text, sizeof(text));
	return err;
}
