/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal history`: past events, chosen by topic, actor, type, seq and time.
 * The broker finds them; the log is read in its pages.
 */

#include <inttypes.h>
#include <stdio.h>

#include "core/event.h"
#include "core/reason.h"
#include "core/topic.h"
#include "tools/cmd.h"
#include "tools/pages.h"
#include "tools/query.h"
#include "tools/show.h"
#include "tools/tool.h"
#include "tools/when.h"

static const char history_text[] =
    "Print past events in the order of their seqs: those of topics that "
    "match PATTERN, of an\nactor, of a type, between two seqs or times; 100 "
    "unless told otherwise. Lines are those\nof `peal tail`. Times are "
    "written as for `peal at`.";

struct history {
	struct tool t;
	struct show show;
	struct pages pages;
	const char *topic, *actor, *type, *from, *to;
	bool all;
};

/* Both unset where they are the widest. */
static void
history_bounds(struct history *h)
{
	struct pages *p = &h->pages;

	p->after.set = p->after.v > 0;
	p->before.set = p->before.v < PROTO_SEQ_MAX;
	if (h->all)
		p->left = UINT64_MAX;
}

static int
history_time(
    struct tool *t, const char *option, const char *text, struct proto_uint *us)
{
	struct reason why = REASON_NO_MEMORY;
	struct when when;

	if (!text)
		return TOOL_OK;
	if (!when_parse(text, &when, &why))
		return tool_usage_error(t, "%s", why.text);
	if (when.kind != WHEN_TIME)
		return tool_usage_error(t,
		    "%s takes a time: seconds are written @%.20s, and a seq "
		    "goes with --after or --before",
		    option, text);
	*us = (struct proto_uint){ true, when.v };
	return TOOL_OK;
}

static int
history_names(struct history *h)
{
	struct pages *p = &h->pages;
	struct reason why = REASON_NO_MEMORY;

	if (h->t.argc && h->topic)
		return tool_usage_error(&h->t,
		    "'%.60s' is one topic, and --topic another", h->t.argv[0]);
	if (h->t.argc)
		h->topic = h->t.argv[0];
	if (h->topic)
		p->topic = slice_cstr(h->topic);
	if (h->actor)
		p->actor = slice_cstr(h->actor);
	if (h->type)
		p->type = slice_cstr(h->type);
	if ((h->topic && !topic_pattern_valid(p->topic, &why)) ||
	    (h->actor && !topic_actor_valid(p->actor, &why)))
		return tool_usage_error(&h->t, "%s", why.text);
	if (h->type && (p->type.len < 1 || p->type.len > TOPIC_TYPE_MAX))
		return tool_usage_error(&h->t, "--type takes 1 to 64 bytes");
	return TOOL_OK;
}

static int
history_event(
    void *arg, const struct event *ev, struct slice bytes, struct reason *why)
{
	struct history *h = arg;
	int err = show_event(&h->show, bytes, why);

	(void)ev;
	return err < 0 ? err : ferror(stdout) != 0;
}

static int
history_print(struct history *h)
{
	CLEANUP(query_freep) struct query *q = NULL;
	struct pages *p = &h->pages;
	struct reason why = REASON_NO_MEMORY;
	int err;

	h->show.json = h->t.json;
	p->event = history_event;
	p->arg = h;
	err = query_open(&h->t, &q, &why);
	if (err >= 0)
		p->min_seq = query_min_seq(q);
	if (err >= 0)
		err = pages_read(q, p, &why);
	if (err < 0) {
		(void)tool_flush(&h->t);
		return tool_fail(&h->t, &why);
	}
	if (p->more && !h->t.json && tool_flush(&h->t))
		tool_note(&h->t, "there may be more: --%s %" PRIu64,
		    p->reverse ? "before" : "after",
		    p->reverse ? p->before.v : p->after.v);
	return TOOL_OK;
}

static int
history_run(struct history *h)
{
	int status;

	history_bounds(h);
	status = history_names(h);
	if (status == TOOL_OK)
		status =
		    history_time(&h->t, "--from", h->from, &h->pages.from_us);
	if (status == TOOL_OK)
		status = history_time(&h->t, "--to", h->to, &h->pages.to_us);
	if (status == TOOL_OK)
		status = history_print(h);
	show_deinit(&h->show);
	return tool_end(&h->t, status);
}

int
cmd_history(int argc, char **argv)
{
	struct history h = { .pages = { .left = 100,
				 .before = { .v = PROTO_SEQ_MAX } } };
	const struct tool_option options[] = {
		{ .name = "topic",
		    .kind = TOOL_TEXT,
		    .value = &h.topic,
		    .arg = "PATTERN",
		    .help = "the same as the operand" },
		{ .name = "actor",
		    .kind = TOOL_TEXT,
		    .value = &h.actor,
		    .arg = "NAME",
		    .help = "who did it" },
		{ .name = "type",
		    .kind = TOOL_TEXT,
		    .value = &h.type,
		    .arg = "GLOB",
		    .help = "what happened; '*' stands for anything" },
		{ .name = "after",
		    .kind = TOOL_UINT,
		    .value = &h.pages.after.v,
		    .arg = "SEQ",
		    .help = "events beyond this one",
		    .max = PROTO_SEQ_MAX },
		{ .name = "before",
		    .kind = TOOL_UINT,
		    .value = &h.pages.before.v,
		    .arg = "SEQ",
		    .help = "events before this one",
		    .max = PROTO_SEQ_MAX },
		{ .name = "from",
		    .kind = TOOL_TEXT,
		    .value = &h.from,
		    .arg = "TIME",
		    .help = "events at this time and later" },
		{ .name = "to",
		    .kind = TOOL_TEXT,
		    .value = &h.to,
		    .arg = "TIME",
		    .help = "events before this time" },
		{ .name = "count",
		    .letter = 'n',
		    .kind = TOOL_UINT,
		    .value = &h.pages.left,
		    .arg = "N",
		    .help = "at most so many (default: 100)",
		    .min = 1,
		    .max = UINT64_MAX },
		{ .name = "all",
		    .kind = TOOL_FLAG,
		    .value = &h.all,
		    .help = "however many there are" },
		{ .name = "reverse",
		    .kind = TOOL_FLAG,
		    .value = &h.pages.reverse,
		    .help = "the newest first" },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "history",
		.operands = "[PATTERN]",
		.text = history_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON | TOOL_QUERY,
		.options = options,
		.max_operands = 1 };
	int status;

	if (!tool_begin(&h.t, &usage, argc, argv, &status))
		return status;
	return history_run(&h);
}
