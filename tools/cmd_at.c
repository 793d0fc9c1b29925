/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal at`: the state as it was after an event, or at a time.  The broker
 * makes it from an archive and the events behind that.
 */

#include "core/reason.h"
#include "tools/cmd.h"
#include "tools/rows.h"
#include "tools/tool.h"

static const char at_text[] =
    "Print the state as it was after the event SEQ, or after the last event "
    "at or before\nTIME: 2026-11-21T05:57:10Z, '2026-11-21 05:57:10' "
    "(local; seconds and time of day may\nbe left out), or @SECONDS since "
    "1970. What is printed is like that of `peal state`.";

int
cmd_at(int argc, char **argv)
{
	struct tool t;
	struct rows rows = { .t = &t };
	const struct tool_option options[] = { ROWS_OPTIONS(rows) };
	const struct tool_usage usage = { .name = "at",
		.operands = "SEQ|TIME [PATTERN...]",
		.text = at_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON | TOOL_QUERY,
		.options = options,
		.min_operands = 1,
		.max_operands = -1 };
	struct reason why = REASON_NO_MEMORY;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	if (!when_parse(t.argv[0], &rows.at, &why))
		return tool_end(&t, tool_usage_error(&t, "%s", why.text));
	rows.patterns = t.argv + 1;
	rows.n = t.argc - 1;
	return tool_end(&t, rows_print(&rows));
}
