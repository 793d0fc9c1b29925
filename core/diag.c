/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Diagnostics: lines for the operator.  One write() per line and no control
 * character in it, so that lines of several processes on one stderr never mix.
 */

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "core/diag.h"
#include "core/diag_text.h"
#include "core/journal.h"
#include "core/time.h"

enum {
	CAUSES = 32
};

static struct {
	const char *name;
	const char *journal; /* its path; NULL: lines go to stderr */
	int sock;	     /* to the journal */
	int is_tty;
} diag = { "peal", NULL, -1, -1 };

void
diag_journal(const char *path)
{
	closep(&diag.sock);
	diag.sock = path ? journal_open() : -1;
	diag.journal = diag.sock >= 0 ? path : NULL;
}

void
diag_init(const char *name)
{
	diag.name = name;
	diag.is_tty = isatty(STDERR_FILENO);
	if (!diag.journal && journal_is(STDERR_FILENO))
		diag_journal(JOURNAL_PATH);
}

void
diag_plain(void)
{
	diag_journal(NULL);
	diag.is_tty = 1;
}

/* --- where a line goes --- */

/* What a line is beside its text. */
struct line {
	int level;
	const char *cause; /* or NULL */
	uint64_t held_back;
};

static bool
send_to_journal(const struct line *l, const struct diag_text *t)
{
	struct journal_field f[5 + DIAG_TEXT_FIELDS];
	char names[DIAG_TEXT_FIELDS][JOURNAL_NAME_MAX + 1];
	char level[12], held[24];
	unsigned n = 0;

	snprintf(level, sizeof(level), "%d", l->level);
	snprintf(held, sizeof(held), "%llu", (unsigned long long)l->held_back);
	f[n++] = (struct journal_field){ "MESSAGE", slice_of(t->text, t->len) };
	f[n++] = (struct journal_field){ "PRIORITY", slice_cstr(level) };
	f[n++] = (struct journal_field){ "SYSLOG_IDENTIFIER",
		slice_cstr(diag.name) };
	if (l->cause)
		f[n++] = (struct journal_field){ "PEAL_CAUSE",
			slice_cstr(l->cause) };
	if (l->held_back)
		f[n++] = (struct journal_field){ "PEAL_HELD_BACK",
			slice_cstr(held) };
	for (unsigned i = 0; i < t->n; i++) {
		char *name = names[i];

		snprintf(name, sizeof(names[i]), "PEAL_%s", t->field[i].key);
		for (; *name; name++)
			if (*name >= 'a' && *name <= 'z')
				*name = (char)(*name - 'a' + 'A');
		f[n++] = (struct journal_field){ names[i], t->field[i].value };
	}
	return journal_send(diag.sock, diag.journal, f, n) == 0;
}

static void
write_to_stderr(const struct line *l, const struct diag_text *t)
{
	char line[DIAG_TEXT_MAX + 200];
	size_t len = 0;

	if (diag.is_tty < 0)
		diag.is_tty = isatty(STDERR_FILENO);
	if (!diag.is_tty)
		len += (size_t)snprintf(line, sizeof(line), "<%d>", l->level);
	len += (size_t)snprintf(
	    line + len, sizeof(line) - len, "%.60s: %s", diag.name, t->text);
	if (l->held_back)
		len += (size_t)snprintf(line + len, sizeof(line) - len,
		    " held_back=%llu", (unsigned long long)l->held_back);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to be told */
}

static void PRINTF(2, 0)
    diag_line(const struct line *l, const char *fmt, va_list ap)
{
	struct diag_text t;

	diag_text_make(&t, fmt, ap);
	/*
	 * An error may be the last word of a process, and journald finds out
	 * whose a datagram was only while the process lives: it would be
	 * missing from what the journal says of the unit.
	 */
	if (l->level <= LOG_ERR || !diag.journal || !send_to_journal(l, &t))
		write_to_stderr(l, &t);
}

#define DIAG_LEVEL(fn, level)                      \
	void fn(const char *fmt, ...)              \
	{                                          \
		const struct line l = { (level) }; \
		va_list ap;                        \
                                                   \
		va_start(ap, fmt);                 \
		diag_line(&l, fmt, ap);            \
		va_end(ap);                        \
	}

DIAG_LEVEL(diag_error, LOG_ERR)
DIAG_LEVEL(diag_warn, LOG_WARNING)
DIAG_LEVEL(diag_note, LOG_NOTICE)

/* --- how often --- */

struct cause {
	const char *name;
	uint64_t last_ns;
	uint64_t held_back;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cause causes[CAUSES];

/* Under the lock; those that find no entry share the last. */
static struct cause *
find(const char *name)
{
	struct cause *c = causes;

	while (c < causes + CAUSES - 1 && c->name && strcmp(c->name, name) != 0)
		c++;
	c->name = name;
	return c;
}

/* May it be said now, and how many were not before? */
static bool
may_say(struct line *l)
{
	uint64_t now = time_mono_ns();
	struct cause *c;
	bool say;

	pthread_mutex_lock(&lock);
	c = find(l->cause);
	say = !c->last_ns || now - c->last_ns >= NS_PER_S;
	if (say) {
		l->held_back = c->held_back;
		c->held_back = 0;
		c->last_ns = now;
	} else {
		c->held_back++;
	}
	pthread_mutex_unlock(&lock);
	return say;
}

#define DIAG_LIMITED(fn, level)                              \
	void fn(const char *cause, const char *fmt, ...)     \
	{                                                    \
		struct line l = { (level), .cause = cause }; \
		va_list ap;                                  \
                                                             \
		if (!may_say(&l))                            \
			return;                              \
		va_start(ap, fmt);                           \
		diag_line(&l, fmt, ap);                      \
		va_end(ap);                                  \
	}

DIAG_LIMITED(diag_limited, LOG_WARNING)
DIAG_LIMITED(diag_limited_note, LOG_NOTICE)

void
diag_tick(void)
{
	uint64_t now = time_mono_ns();

	for (unsigned i = 0; i < CAUSES; i++) {
		struct cause quiet = { NULL };

		pthread_mutex_lock(&lock);
		if (causes[i].held_back > 0 &&
		    now - causes[i].last_ns >= NS_PER_S) {
			quiet = causes[i];
			causes[i].held_back = 0;
			causes[i].last_ns = now;
		}
		pthread_mutex_unlock(&lock);
		if (quiet.name)
			diag_note("more of the same were held back: "
				  "cause=\"%s\" lines=%llu",
			    quiet.name, (unsigned long long)quiet.held_back);
	}
}

/* --- values from outside --- */

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
