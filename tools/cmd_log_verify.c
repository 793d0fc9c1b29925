/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal log verify`: is the log what was written?  A head that it has printed
 * once it can be given again, to see whether all before it is the same.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/proto.h"
#include "core/reason.h"
#include "log/verify.h"
#include "log/witness.h"
#include "tools/cmd_log.h"
#include "tools/log_walk.h"
#include "tools/tool.h"

static uint64_t notes;

static void
log_verify_note(const char *sentence)
{
	notes++;
	cmd_log_note(sentence);
}

static void
log_verify_problem(void *arg, const struct log_problem *problem)
{
	const struct tool *t = arg;
	char sentence[LOG_PROBLEM_SENTENCE];

	tool_note(t, "%s", log_problem_sentence(problem, sentence));
}

/* "SEQ:HASH" */
static void
log_verify_head(const struct log_verify *v, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%" PRIu64 ":", v->head_seq);

	for (size_t i = 0; i < LOG_DIGEST; i++)
		n += snprintf(buf + n, size - (size_t)n, "%02x", v->head[i]);
}

/* One hex digit; below zero: it is none. */
static int
log_verify_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* What log_verify_head() has printed. */
static bool
log_verify_anchor(const char *text, struct log_verify *v)
{
	uint64_t seq = 0;
	size_t digits = strspn(text, "0123456789");
	const char *hash = text + digits + 1;

	if (digits == 0 || digits > 16 || text[digits] != ':' ||
	    strlen(hash) != 2 * LOG_DIGEST)
		return false;
	for (size_t i = 0; i < digits; i++)
		seq = seq * 10 + (uint64_t)(text[i] - '0');
	for (size_t i = 0; i < LOG_DIGEST; i++) {
		int high = log_verify_digit(hash[2 * i]);
		int low = log_verify_digit(hash[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		v->anchor[i] = (uint8_t)(high << 4 | low);
	}
	v->anchor_seq = seq;
	return seq > 0 && seq <= PROTO_SEQ_MAX;
}

static void
log_verify_print(const struct tool *t, const struct log_verify *v)
{
	char head[32 + 2 * LOG_DIGEST] = "";

	if (v->head_seq > 0 && v->problems == 0)
		log_verify_head(v, head, sizeof(head));
	if (t->json)
		printf("{\"problems\":%" PRIu64 ",\"notes\":%" PRIu64
		       ",\"segments\":%" PRIu64 ",\"frames\":%" PRIu64
		       ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64
		       ",\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64
		       ",\"head\":\"%s\"}\n",
		    v->problems, notes, v->segments, v->frames, v->events,
		    v->bytes, v->first_seq, v->last_seq, head);
	else if (v->problems)
		printf("%" PRIu64 " problem%s; %" PRIu64
		       " event%s up to seq %" PRIu64 " %s whole\n",
		    v->problems, v->problems == 1 ? "" : "s", v->events,
		    v->events == 1 ? "" : "s", v->last_seq,
		    v->events == 1 ? "is" : "are");
	else if (v->segments == 0)
		printf("the log has no segment yet\n");
	else
		printf("%" PRIu64 " event%s from seq %" PRIu64 " to %" PRIu64
		       " in %" PRIu64 " segment%s %s\n",
		    v->events, v->events == 1 ? "" : "s", v->first_seq,
		    v->last_seq, v->segments, v->segments == 1 ? "" : "s",
		    v->events == 1 ? "is what it was" : "are what they were");
	if (!t->json && head[0])
		printf("head %s\n", head);
}

int
cmd_log_verify(int argc, char **argv)
{
	const char *anchor = NULL;
	const struct tool_option options[] = {
		{ .name = "anchor",
		    .kind = TOOL_TEXT,
		    .value = &anchor,
		    .arg = "SEQ:HASH",
		    .help =
			"a head that was printed before; all up to it must be the same" },
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "log verify",
		.text = "Check the chain of segments, every frame and every "
			"event, and that they are those\nwhose SHA-256 was "
			"written down. Exit code 3 where something "
			"acknowledged is\ndamaged, missing or edited; each "
			"problem is named. Where there is none, the head\n"
			"stands for all of the log: kept elsewhere, it tells "
			"later what was edited since.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
	};
	CLEANUP(closep) int dirfd = -1;
	struct log_walk_bounds bounds;
	struct log_witness broker;
	struct log_verify verify;
	struct reason why = REASON_NO_MEMORY;
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	cmd_log_notes_to(&t);
	log_walk_bounds(&t.house, &bounds);
	verify = (struct log_verify){ .limit_seq = bounds.limit,
		.witnesses = &broker,
		.problem = log_verify_problem,
		.note = log_verify_note,
		.progress = cmd_log_progress,
		.arg = &t };
	if (anchor && !log_verify_anchor(anchor, &verify)) {
		status = tool_usage_error(&t,
		    "--anchor takes SEQ:HASH as a head is printed, not '%.100s'",
		    anchor);
		return tool_end(&t, status);
	}
	/* First, as durable.wit: the log must hold what it knows of. */
	verify.n_witnesses =
	    cmd_log_ask_broker(&t.house, &broker, log_verify_note);
	dirfd = log_walk_open(&t.house, &why);
	if (dirfd < 0 || log_verify(&sysio_posix, dirfd, &verify, &why) < 0) {
		status = tool_fail(&t, &why);
	} else {
		log_verify_print(&t, &verify);
		status = verify.problems ? TOOL_DAMAGED : TOOL_OK;
	}
	return tool_end(&t, status);
}
