/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reasons: an error code says what to do, a reason says what happened.  The
 * line that failed fills it in, nobody rewrites it on the way up.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"

/* An argument may be why->text. */
static void
reason_format(struct reason *why, const char *fmt, va_list ap)
{
	char text[sizeof(why->text)];

	vsnprintf(text, sizeof(text), fmt, ap);
	memcpy(why->text, text, sizeof(text));
}

int
reason_set(struct reason *why, int err, const char *fmt, ...)
{
	const char *cause;
	va_list ap;
	size_t len;

	if (!why)
		return err;
	va_start(ap, fmt);
	reason_format(why, fmt, ap);
	va_end(ap);
	len = strlen(why->text);
	if (err < 0) {
		/* What core/sysio says of pipes, devices and sockets. */
		cause = err == -EMEDIUMTYPE ? "it is no regular file"
					    : strerrordesc_np(-err);
		snprintf(why->text + len, sizeof(why->text) - len, ": %s",
		    cause ? cause : "unknown error");
	}
	return err;
}

int
reason_say(struct reason *why, int err, const char *fmt, ...)
{
	va_list ap;

	if (!why)
		return err;
	va_start(ap, fmt);
	reason_format(why, fmt, ap);
	va_end(ap);
	return err;
}
