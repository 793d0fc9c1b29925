/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal top`: the busiest topics and the clients that are furthest behind,
 * live.  The ring is read ten times a second, the screen drawn less often.
 */

#include <poll.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/cmd.h"
#include "tools/tool.h"
#include "tools/top.h"
#include "tools/top_screen.h"

enum {
	TOP_POLL_MS = 100,
};

static const char top_text[] =
    "Show the busiest topics, and the clients that are furthest behind, live. "
    "Read from\nshared memory alone. It needs a terminal; the last line names "
    "the keys.";

/* A key, a signal, or a while. */
static bool
top_wait(int timeout_ms)
{
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&fd, 1, timeout_ms) <= 0)
		return true;
	/* The terminal has gone. */
	return !(fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void
top_run(struct top *top, struct top_screen *screen, uint64_t interval_ns)
{
	uint64_t due_ns = 0, now_ns;

	top_take(top);
	top_turn(top);
	while (!tool_stopped()) {
		now_ns = time_mono_ns();
		if (now_ns >= due_ns && !top_screen_paused(screen)) {
			top_turn(top);
			due_ns = now_ns + interval_ns;
		}
		top_screen_draw(screen, top);
		if (!top_wait(TOP_POLL_MS) || !top_screen_keys(screen, top))
			return;
		top_take(top);
	}
}

int
cmd_top(int argc, char **argv)
{
	uint64_t interval_s = 1;
	const struct tool_option options[] = {
		{ .name = "interval",
		    .letter = 'i',
		    .kind = TOOL_UINT,
		    .value = &interval_s,
		    .arg = "SECONDS",
		    .help = "between two looks, else 1",
		    .min = 1,
		    .max = 3600 },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "top",
		.text = top_text,
		.common = TOOL_HOUSE,
		.options = options };
	CLEANUP(top_screen_closep) struct top_screen *screen = NULL;
	struct top top CLEANUP(top_deinit) = { 0 };
	struct reason why = REASON_NO_MEMORY;
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	tool_catch_stop();
	if (top_init(&top, &t.house, &why) < 0 ||
	    top_screen_open(&screen, &why) < 0)
		return tool_end(&t, tool_fail(&t, &why));
	top_run(&top, screen, interval_s * NS_PER_S);
	screen = top_screen_close(screen);
	return tool_end(&t, TOOL_OK);
}
