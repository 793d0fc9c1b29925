/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal state`: the folded state as it is now.  All rows are those at one
 * seq, however long it takes to print them.
 */

#include "tools/cmd.h"
#include "tools/rows.h"
#include "tools/tool.h"

static const char state_text[] =
    "Print the row of each topic that matches one of the patterns (default: "
    "all), as the\nbroker of this machine or with --url a gateway knows it, "
    "all at one seq. Each line:\ntopic@version, time and actor of the last "
    "event, the value. With --json each line is a\nrow as in the protocol: "
    "[topic, version, seq, created_time, created_by, updated_time,\n"
    "updated_by, deleted, value].";

int
cmd_state(int argc, char **argv)
{
	struct tool t;
	struct rows rows = { .t = &t };
	const struct tool_option options[] = { ROWS_OPTIONS(rows) };
	const struct tool_usage usage = { .name = "state",
		.operands = "[PATTERN...]",
		.text = state_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON | TOOL_QUERY,
		.options = options,
		.max_operands = -1 };
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	rows.patterns = t.argv;
	rows.n = t.argc;
	return tool_end(&t, rows_print(&rows));
}
