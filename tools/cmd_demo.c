/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal demo`: something true to look at.  Live facts about this machine, or
 * a recorded history once more.
 */

#include "core/reason.h"
#include "tools/cmd.h"
#include "tools/demo.h"
#include "tools/tool.h"

static const char demo_text[] =
    "Feed the peal that runs here with something true to look at: facts "
    "about this machine\n(processors, memory, load, disks, network, the "
    "busiest processes) on host.* and as a\ngraph, each stored when it has "
    "changed; or with --replay the events of FILE, as peal\nimport takes "
    "them, as of now and with the pauses they had. A second run goes on with\n"
    "the facts of the first, and plays a file once more.";

struct demo_command {
	struct tool t;
	struct demo_live_options live;
	struct demo_replay_options replay;
	uint64_t for_s;
};

static int
demo_command_run(struct demo_command *c)
{
	struct demo d = { .t = &c->t, .for_ms = c->for_s * 1000 };
	struct reason why = REASON_NO_MEMORY;
	int status;

	tool_catch_stop();
	if (demo_open(&d, &why) < 0)
		status = tool_fail(&c->t, &why);
	else if (c->replay.path)
		status = demo_replay(&d, &c->replay);
	else
		status = demo_live(&d, &c->live);
	demo_close(&d);
	return status;
}

int
cmd_demo(int argc, char **argv)
{
	struct demo_command c = { .live.interval_ms = 250,
		.replay = { .speed = 1, .rate = 1000, .gap_s = 5, .from = 1 } };
	const struct tool_option options[] = {
		{ .name = "interval",
		    .kind = TOOL_UINT,
		    .value = &c.live.interval_ms,
		    .arg = "MS",
		    .help = "between looks at the machine (default: 250)",
		    .min = 10,
		    .max = 60000 },
		{ .name = "no-graph",
		    .kind = TOOL_FLAG,
		    .value = &c.live.no_graph,
		    .help = "no entities and relations" },
		{ .name = "replay",
		    .kind = TOOL_TEXT,
		    .value = &c.replay.path,
		    .arg = "FILE",
		    .help = "the events of a file instead" },
		{ .name = "speed",
		    .kind = TOOL_UINT,
		    .value = &c.replay.speed,
		    .arg = "N",
		    .help = "so many times as fast (default: 1)",
		    .min = 1,
		    .max = 1000000000 },
		{ .name = "gap",
		    .kind = TOOL_UINT,
		    .value = &c.replay.gap_s,
		    .arg = "SECONDS",
		    .help = "longest pause, however long it was (default: 5)",
		    .min = 0,
		    .max = 1000000 },
		{ .name = "rate",
		    .kind = TOOL_UINT,
		    .value = &c.replay.rate,
		    .arg = "N",
		    .help = "events a second at most (default: 1000)",
		    .min = 1,
		    .max = 100000 },
		{ .name = "from",
		    .kind = TOOL_UINT,
		    .value = &c.replay.from,
		    .arg = "LINE",
		    .help = "begin with that line",
		    .min = 1,
		    .max = UINT32_MAX },
		{ .name = "loop",
		    .kind = TOOL_FLAG,
		    .value = &c.replay.loop,
		    .help = "begin again at the end" },
		{ .name = "skip-bad",
		    .kind = TOOL_FLAG,
		    .value = &c.replay.skip_bad,
		    .help = "pass over lines that are no events" },
		{ .name = "for",
		    .kind = TOOL_UINT,
		    .value = &c.for_s,
		    .arg = "SECONDS",
		    .help = "end after so long (default: with Ctrl-C)",
		    .min = 1,
		    .max = UINT32_MAX },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "demo",
		.text = demo_text,
		.common = TOOL_HOUSE,
		.options = options };
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	return tool_end(&c.t, demo_command_run(&c));
}
