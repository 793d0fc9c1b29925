/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal tail`: follow events.  Without --url it reads the ring and asks no
 * process, so that it works beside a server in trouble too.
 */

#include <string.h>

#include "core/proto.h"
#include "core/reason.h"
#include "core/topic.h"
#include "tools/cmd.h"
#include "tools/tail.h"
#include "tools/tool.h"

static const char tail_text[] =
    "Print events as they come, of topics that match one of the patterns "
    "(default: all).\nReads the ring of this machine, or with --url a "
    "gateway's WebSocket, and goes on when\nthe other side is started "
    "again. Each line: seq, time, topic@version, type, actor, data.";

bool
tail_wants(const struct tail *tail, struct slice topic)
{
	for (unsigned i = 0; i < tail->n_patterns; i++)
		if (topic_match(slice_cstr(tail->patterns[i]), topic))
			return true;
	return false;
}

static int
tail_patterns(struct tail *tail)
{
	static const char *const all[] = { ">" };
	struct tool *t = tail->t;
	struct reason why = REASON_NO_MEMORY;

	tail->patterns = all;
	tail->n_patterns = 1;
	for (int i = 0; i < t->argc; i++)
		if (!topic_pattern_valid(slice_cstr(t->argv[i]), &why))
			return tool_usage_error(t, "%s", why.text);
	if (t->argc > 0) {
		tail->patterns = (const char *const *)t->argv;
		tail->n_patterns = (unsigned)t->argc;
	}
	return TOOL_OK;
}

static int
tail_from(struct tail *tail, const char *from)
{
	if (!strcmp(from, "now"))
		tail->from = TAIL_NOW;
	else if (!strcmp(from, "oldest"))
		tail->from = TAIL_OLDEST;
	else if (tool_number(from, 1, PROTO_SEQ_MAX, &tail->from_seq))
		tail->from = TAIL_SEQ;
	else
		return tool_usage_error(tail->t,
		    "--from takes 'now', 'oldest' or the seq of the first "
		    "event, not '%.60s'",
		    from);
	return TOOL_OK;
}

int
cmd_tail(int argc, char **argv)
{
	struct tail tail = { .left = UINT64_MAX };
	const char *from = "now";
	const struct tool_option options[] = {
		{ .name = "from",
		    .kind = TOOL_TEXT,
		    .value = &from,
		    .arg = "WHERE",
		    .help = "'now' (default), 'oldest', or the first seq" },
		{ .name = "count",
		    .letter = 'n',
		    .kind = TOOL_UINT,
		    .value = &tail.left,
		    .arg = "N",
		    .help = "stop after N events",
		    .min = 1,
		    .max = UINT64_MAX },
		{ .name = "conflate",
		    .kind = TOOL_UINT,
		    .value = &tail.conflate_ms,
		    .arg = "MS",
		    .help = "with --url: each MS milliseconds, what they leave",
		    .min = 10,
		    .max = 60000 },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "tail",
		.operands = "[PATTERN...]",
		.text = tail_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON,
		.options = options,
		.max_operands = -1 };
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	tail.t = &t;
	tail.show.json = t.json;
	tool_catch_stop();
	status = tail_patterns(&tail);
	if (status == TOOL_OK)
		status = tail_from(&tail, from);
	if (status == TOOL_OK && tail.conflate_ms > 0 && !t.url)
		status = tool_usage_error(
		    &t, "--conflate goes with --url: the ring has every event");
	if (status == TOOL_OK)
		status = t.url ? tail_remote(&tail) : tail_local(&tail);
	show_deinit(&tail.show);
	return tool_end(&t, status);
}
