/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Diagnostics: lines for the operator.  One write() per line and no control
 * character in it, so that lines of several processes on one stderr never mix.
 */

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "core/diag.h"
#include "core/time.h"

enum {
	LINE_BYTES = 1024,
	CAUSES = 32
};

static const char *diag_name = "peal";
static int diag_is_tty = -1;

void
diag_init(const char *name)
{
	diag_name = name;
	diag_is_tty = isatty(STDERR_FILENO);
}

static void PRINTF(3, 0)
    diag_line(int level, uint64_t held_back, const char *fmt, va_list ap)
{
	char line[LINE_BYTES];
	size_t len = 0;

	if (diag_is_tty < 0)
		diag_is_tty = isatty(STDERR_FILENO);
	if (!diag_is_tty)
		len += (size_t)snprintf(line, sizeof(line), "<%d>", level);
	len +=
	    (size_t)snprintf(line + len, sizeof(line) - len, "%s: ", diag_name);
	len += (size_t)vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	len = MIN(len, sizeof(line) - 40);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?'; /* one line, whatever a name held */
	if (held_back)
		len += (size_t)snprintf(line + len, sizeof(line) - len,
		    " held_back=%llu", (unsigned long long)held_back);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to be told */
}

#define DIAG_LEVEL(fn, level)                   \
	void fn(const char *fmt, ...)           \
	{                                       \
		va_list ap;                     \
                                                \
		va_start(ap, fmt);              \
		diag_line((level), 0, fmt, ap); \
		va_end(ap);                     \
	}

DIAG_LEVEL(diag_error, LOG_ERR)
DIAG_LEVEL(diag_warn, LOG_WARNING)
DIAG_LEVEL(diag_note, LOG_NOTICE)

struct cause {
	const char *name;
	uint64_t last_ns;
	uint64_t held_back;
};

void
diag_limited(const char *cause, const char *fmt, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct cause causes[CAUSES];
	uint64_t now = time_mono_ns(), held = 0;
	struct cause *c = causes;
	int say = 1;
	va_list ap;

	pthread_mutex_lock(&lock);
	while (
	    c < causes + CAUSES - 1 && c->name && strcmp(c->name, cause) != 0)
		c++;
	c->name = cause;
	if (c->last_ns && now - c->last_ns < NS_PER_S) {
		c->held_back++;
		say = 0;
	} else {
		held = c->held_back;
		c->held_back = 0;
		c->last_ns = now;
	}
	pthread_mutex_unlock(&lock);
	if (!say)
		return;
	va_start(ap, fmt);
	diag_line(LOG_WARNING, held, fmt, ap);
	va_end(ap);
}

const char *
diag_quote(char *buf, size_t size, const void *text, size_t len)
{
	const unsigned char *p = text;
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		if (out + 8 > size) {
			memcpy(buf + out, "...", 3);
			out += 3;
			break;
		}
		if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\' && p[i] != '"')
			buf[out++] = (char)p[i];
		else
			out += (size_t)snprintf(
			    buf + out, size - out, "\\x%02x", p[i]);
	}
	buf[out] = '\0';
	return buf;
}
