/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal log`: the log on the disk, read without asking anybody. What is here
 * changes no byte of it.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/event.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/topic.h"
#include "log/problem.h"
#include "log/segment.h"
#include "log/witness.h"
#include "tools/cmd.h"
#include "tools/cmd_log.h"
#include "tools/log_walk.h"
#include "tools/show.h"
#include "tools/tool.h"
#include "tools/wrap.h"

/* --- ls --- */

enum {
	LS_WIDTH = 104 /* of a line */
};

static const char *
log_state(const struct segment *seg, bool newest, bool live)
{
	if (!seg->headed)
		return "damaged";
	if (seg->seal == SEAL_GOOD)
		return "sealed";
	if (seg->seal == SEAL_BAD)
		return "seal damaged";
	if (!newest)
		return "ended";
	return live ? "open" : "unconfirmed";
}

static void
log_ls_json(const struct segment *seg, const char *state)
{
	const struct segment_predecessor *e = &seg->extent;

	printf("{\"name\":\"%s\",\"state\":\"%s\",\"number\":%" PRIu64
	       ",\"incarnation\":%u,\"epoch\":%" PRIu64
	       ",\"first_seq\":%" PRIu64 ",\"file_bytes\":%" PRIu64,
	    seg->name, state, seg->headed ? seg->header.number : 0,
	    seg->name_incarnation, seg->headed ? seg->header.epoch : 0,
	    seg->name_first_seq, seg->file_bytes);
	if (e->number)
		printf(",\"last_seq\":%" PRIu64 ",\"valid_bytes\":%" PRIu64,
		    e->last_seq, e->valid_length);
	printf("}\n");
}

static void
log_ls_line(const struct segment *seg, const char *state)
{
	const struct segment_predecessor *e = &seg->extent;

	printf("%-36s %12" PRIu64, seg->name, seg->name_first_seq);
	if (e->number)
		printf(
		    " %12" PRIu64 " %12" PRIu64, e->last_seq, e->valid_length);
	else
		printf(" %12s %12s", "-", "-");
	printf(" %12" PRIu64 "  %s\n", seg->file_bytes, state);
}

static void
log_ls_two_lines(const struct segment *seg, const char *state)
{
	const struct segment_predecessor *e = &seg->extent;

	printf("%-36s %s\n", seg->name, state);
	if (e->number)
		wrap_print("events %" PRIu64 " to %" PRIu64 ", %" PRIu64
			   " of %" PRIu64 " bytes",
		    seg->name_first_seq, e->last_seq, e->valid_length,
		    seg->file_bytes);
	else
		wrap_print("events from %" PRIu64 " on, in %" PRIu64 " bytes",
		    seg->name_first_seq, seg->file_bytes);
}

static int
log_ls(struct tool *t)
{
	bool narrow = wrap_narrow(t, LS_WIDTH);
	CLEANUP(closep) int dirfd = -1;
	struct log_walk_bounds bounds;
	struct segment_list list;
	struct reason why = REASON_NO_MEMORY;

	log_walk_bounds(&t->house, &bounds);
	dirfd = log_walk_open(&t->house, &why);
	if (dirfd < 0 ||
	    segment_list_read(&sysio_posix, dirfd, &list, &why) < 0)
		return tool_fail(t, &why);
	/* A seal, or else the successor's header, says where frames end. */
	for (size_t i = 0; i < list.n; i++) {
		struct segment *seg = &list.v[i];

		if (!seg->extent.number && i + 1 < list.n &&
		    list.v[i + 1].headed)
			seg->extent = list.v[i + 1].header.pred;
	}
	if (!t->json && narrow)
		printf("%-36s %s\n", "segment", "state");
	else if (!t->json)
		printf("%-36s %12s %12s %12s %12s  %s\n", "segment",
		    "first seq", "last seq", "bytes", "of", "state");
	for (size_t i = 0; i < list.n; i++) {
		const char *state =
		    log_state(&list.v[i], i + 1 == list.n, bounds.live);

		if (t->json)
			log_ls_json(&list.v[i], state);
		else if (narrow)
			log_ls_two_lines(&list.v[i], state);
		else
			log_ls_line(&list.v[i], state);
	}
	segment_list_deinit(&list);
	return TOOL_OK;
}

static int
log_ls_main(int argc, char **argv)
{
	static const struct tool_usage usage = {
		.name = "log ls",
		.text = "List the segments of the log. State: sealed, ended "
			"(its successor says where),\nopen, unconfirmed (the "
			"newest, and no writer runs), damaged.",
		.common = TOOL_HOUSE | TOOL_JSON,
	};
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	return tool_end(&t, log_ls(&t));
}

/* --- cat --- */

struct log_cat {
	struct tool t;
	struct show show;
	uint64_t from;
	uint64_t to;
};

static bool
log_cat_wants(const struct log_cat *c, struct slice topic)
{
	for (int i = 0; i < c->t.argc; i++)
		if (topic_match(slice_cstr(c->t.argv[i]), topic))
			return true;
	return c->t.argc == 0;
}

static int
log_cat_event(void *arg, uint64_t seq, struct slice bytes, struct reason *why)
{
	struct log_cat *c = arg;
	struct event ev;
	int err;

	err = event_decode(bytes, &ev, why);
	if (err < 0)
		return err;
	if (!log_cat_wants(c, ev.topic))
		return tool_stopped();
	err = show_event(&c->show, bytes, why);
	return err < 0 ? err : tool_stopped() || ferror(stdout);
}

static int
log_cat(struct log_cat *c)
{
	struct reason why = REASON_NO_MEMORY;
	int err;

	for (int i = 0; i < c->t.argc; i++)
		if (!topic_pattern_valid(slice_cstr(c->t.argv[i]), &why))
			return tool_usage_error(&c->t, "%s", why.text);
	if (c->from > c->to)
		return tool_usage_error(&c->t, "--from lies behind --to");
	c->show.json = c->t.json;
	tool_catch_stop();
	err = log_walk(&c->t.house, c->from, c->to, log_cat_event, c, &why);
	show_deinit(&c->show);
	if (err == LOG_WALK_END || err == LOG_WALK_STOPPED)
		return TOOL_OK;
	(void)tool_flush(&c->t);
	(void)tool_fail(&c->t, &why);
	return err == LOG_WALK_DAMAGED ? TOOL_DAMAGED : TOOL_ERROR;
}

static int
log_cat_main(int argc, char **argv)
{
	struct log_cat c = { .from = 1, .to = PROTO_SEQ_MAX };
	const struct tool_option options[] = {
		{ .name = "from",
		    .kind = TOOL_UINT,
		    .value = &c.from,
		    .arg = "SEQ",
		    .help = "first event (default: the oldest)",
		    .min = 1,
		    .max = PROTO_SEQ_MAX },
		{ .name = "to",
		    .kind = TOOL_UINT,
		    .value = &c.to,
		    .arg = "SEQ",
		    .help = "last event (default: the newest)",
		    .min = 1,
		    .max = PROTO_SEQ_MAX },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "log cat",
		.operands = "[PATTERN...]",
		.text = "Print the events of the log in order, those whose "
			"topic matches one of the\npatterns (default: all). "
			"Exit code 3 where the log is damaged: everything "
			"before\nthat was printed.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
		.max_operands = -1 };
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	return tool_end(&c.t, log_cat(&c));
}

/* --- what the parts say --- */

static const struct tool *the_tool;

void
cmd_log_notes_to(const struct tool *t)
{
	the_tool = t;
}

void
cmd_log_note(const char *sentence)
{
	tool_note(the_tool, "%s", sentence);
}

void
cmd_log_progress(void *arg, uint64_t done, uint64_t segments)
{
	(void)arg;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " segments%s", done,
		    segments, done == segments ? "\r\033[K" : "");
}

unsigned
cmd_log_ask_broker(const struct house *h, struct log_witness *w,
    void (*note)(const char *sentence))
{
	struct reason why = REASON_NO_MEMORY;
	int got = witness_load_broker(
	    conf_text(h->conf, CONF_broker_directory), w, &why);

	/* Whoever accepts a loss has to know that it may be larger. */
	if (got == WITNESS_BAD || got < 0)
		log_note(
		    note, "the broker's witness says nothing: %s", why.text);
	return got == WITNESS_LOADED;
}

/* --- the table --- */

static const struct log_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
} log_commands[] = {
	{ "ls", log_ls_main, "list the segments" },
	{ "cat", log_cat_main, "print events" },
	{ "verify", cmd_log_verify, "check every frame and event" },
	{ "backup", cmd_log_backup, "copy it to another place" },
	{ "restore", cmd_log_restore, "put a backup in its place" },
	{ "repair", cmd_log_repair, "give up what is damaged" },
};

static void
log_help(FILE *to)
{
	fprintf(to, "usage: peal log WHAT [OPTION...]\n\n");
	for (unsigned i = 0; i < ARRAY_LEN(log_commands); i++)
		fprintf(to, "  %-8s %s\n", log_commands[i].name,
		    log_commands[i].text);
}

int
cmd_log(int argc, char **argv)
{
	if (argc > 1 &&
	    (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		log_help(stdout);
		return fflush(stdout) == 0 ? TOOL_OK : TOOL_ERROR;
	}
	for (unsigned i = 0; argc > 1 && i < ARRAY_LEN(log_commands); i++)
		if (!strcmp(argv[1], log_commands[i].name))
			return log_commands[i].run(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "peal log: there is no '%.60s'\n", argv[1]);
	log_help(stderr);
	return TOOL_USAGE;
}
