/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turns of a live tool.  On a terminal a handful of control sequences that
 * all of them know stand in for a library; lines are cut, never wrapped, so
 * that the place of each is known.
 */

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/time.h"
#include "tools/live.h"
#include "tools/tool.h"
#include "tools/wrap.h"

#define LIVE_HOME      "\033[H"
#define LIVE_CLEAR     "\033[2J"
#define LIVE_REST      "\033[J" /* erase what is below */
#define LIVE_LINE_REST "\033[K"
#define LIVE_BOLD      "\033[1m"
#define LIVE_PLAIN     "\033[m"

enum {
	LIVE_SLICE_MS = 200, /* a signal just before the wait costs this */
	LIVE_LINE = 1024
};

struct tool_option
live_interval(struct live *l, const char *help)
{
	return (struct tool_option){ .name = "interval",
		.letter = 'i',
		.kind = TOOL_UINT,
		.value = &l->interval_s,
		.arg = "SECONDS",
		.help = help,
		.min = 1,
		.max = 3600 };
}

struct tool_option
live_count(struct live *l, const char *help)
{
	return (struct tool_option){ .name = "count",
		.letter = 'n',
		.kind = TOOL_UINT,
		.value = &l->turns,
		.arg = "N",
		.help = help,
		.min = 1,
		.max = UINT64_MAX };
}

static bool
live_has_screen(const struct tool *t)
{
	const char *term = getenv("TERM");

	return t->tty && !t->json && term && *term && strcmp(term, "dumb") != 0;
}

static void
live_begin(struct live *l, struct tool *t)
{
	l->t = t;
	if (!l->interval_s && !l->turns)
		l->turns = 1;
	if (!l->interval_s)
		l->interval_s = 1;
	l->screen = l->turns != 1 && live_has_screen(t);
	l->due_ns = time_mono_ns();
	l->done = 0;
	tool_catch_stop();
	if (l->screen) {
		/* A turn is one write, so that it does not flicker. */
		(void)setvbuf(stdout, NULL, _IOFBF, 1 << 16);
		fputs(LIVE_CLEAR, stdout);
	}
}

/* Until the turn is due; false when nobody reads stdout any more. */
static bool
live_wait(const struct live *l)
{
	struct pollfd out = { .fd = STDOUT_FILENO };
	uint64_t now;

	while (!tool_stopped() && (now = time_mono_ns()) < l->due_ns) {
		uint64_t ms = (l->due_ns - now) / NS_PER_MS + 1;

		if (poll(&out, 1, (int)MIN(ms, (uint64_t)LIVE_SLICE_MS)) > 0 &&
		    (out.revents & (POLLERR | POLLHUP)))
			return false;
	}
	return !tool_stopped();
}

/* Begin the next one's output, unless there is none. */
static bool
live_next(struct live *l)
{
	uint64_t now;

	if ((l->turns && l->done >= l->turns) || !live_wait(l))
		return false;
	now = time_mono_ns();
	l->due_ns += l->interval_s * NS_PER_S;
	if (l->due_ns <= now)
		/* What was missed is not made up for. */
		l->due_ns = now + l->interval_s * NS_PER_S;
	l->row = 0;
	l->left_out = 0;
	if (l->screen) {
		wrap_terminal(&l->rows, &l->columns);
		fputs(LIVE_HOME, stdout);
	} else if (l->done && !l->t->json) {
		putchar('\n');
	}
	l->done++;
	return true;
}

static void PRINTF(3, 0)
    live_put(struct live *l, bool title, const char *fmt, va_list ap)
{
	char line[LIVE_LINE];

	vsnprintf(line, sizeof(line), fmt, ap);
	tool_plain(line);
	if (!l->screen) {
		puts(line);
		return;
	}
	/* The last row is for saying what found no place. */
	if (l->row + 1 >= l->rows) {
		l->left_out++;
		return;
	}
	l->row++;
	printf("%s%.*s%s" LIVE_LINE_REST "\n", title ? LIVE_BOLD : "",
	    (int)l->columns - 1, line, title ? LIVE_PLAIN : "");
}

void
live_line(struct live *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	live_put(l, false, fmt, ap);
	va_end(ap);
}

void
live_title(struct live *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	live_put(l, true, fmt, ap);
	va_end(ap);
}

/* Was it the same in the turn before? */
static bool
live_has_said(const struct live *l, const struct reason *why)
{
	for (unsigned i = 0; i < l->said_n; i++)
		if (strcmp(l->said[i].text, why->text) == 0)
			return true;
	return false;
}

void
live_complain(struct live *l, const struct reason *why, unsigned n)
{
	n = MIN(n, (unsigned)LIVE_COMPLAINTS);
	for (unsigned i = 0; i < n; i++) {
		if (l->screen)
			live_title(l, "! %s", why[i].text);
		else if (!live_has_said(l, &why[i]))
			tool_note(l->t, "%s", why[i].text);
	}
	for (unsigned i = 0; i < n; i++)
		l->said[i] = why[i];
	l->said_n = n;
}

static void
live_end(struct live *l)
{
	if (l->screen && l->left_out)
		printf("%.*s" LIVE_LINE_REST, (int)l->columns - 1,
		    "... more than fits here");
	if (l->screen)
		fputs(LIVE_REST, stdout);
	if (!tool_flush(l->t))
		/* Nobody reads: the next wait would only find out later. */
		l->turns = l->done;
}

int
live_run(struct live *l, struct tool *t, int (*turn)(void *arg), void *arg)
{
	int status = TOOL_OK;

	live_begin(l, t);
	while (status == TOOL_OK && live_next(l)) {
		status = turn(arg);
		live_end(l);
	}
	return status == TOOL_OK && l->said_n ? TOOL_ERROR : status;
}
