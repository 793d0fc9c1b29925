/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal verify`: is what is served what the log says?  The log is proved
 * first, then folded afresh by the rules that the server names, and every row
 * compared.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/row.h"
#include "core/rules.h"
#include "core/topic.h"
#include "core/topic_set.h"
#include "log/archive.h"
#include "log/base.h"
#include "log/floor.h"
#include "log/verify.h"
#include "tools/cmd.h"
#include "tools/follow.h"
#include "tools/log_walk.h"
#include "tools/query.h"
#include "tools/refold.h"
#include "tools/refuse.h"
#include "tools/show.h"
#include "tools/snapshot.h"
#include "tools/tool.h"

static const char verify_text[] =
    "Check every frame of the log, fold its events afresh, and compare the "
    "outcome with the\nstate that the broker serves: row by row, byte by "
    "byte. With --url the events come from\nthe gateway, as far as the token "
    "may read. Deleted rows that the broker has dropped are\nno difference. "
    "Exit code 1: there are differences, of which the first are shown; 3: "
    "the\nlog is damaged.";

enum {
	VERIFY_SHOWN = 10, /* differences */
	VERIFY_SYSTEM = 100,
};

struct verify {
	struct tool t;
	struct query *q;
	struct query *events; /* of a gateway */
	struct follow follow;
	struct rules *rules;
	struct refold refold;
	struct show show;
	bool damaged;
	uint64_t limit;	 /* events beyond it are not folded */
	uint64_t seq;	 /* of the served state */
	uint64_t oldest; /* event that is to be had */
	uint64_t rows, differ, partial, dropped;
};

/* --- the log of this machine --- */

static void
verify_problem(void *arg, const struct log_problem *problem)
{
	struct verify *v = arg;
	char sentence[LOG_PROBLEM_SENTENCE];

	tool_note(&v->t, "%s", log_problem_sentence(problem, sentence));
}

static int
verify_log(struct verify *v, struct reason *why)
{
	CLEANUP(closep) int dirfd = -1;
	struct log_verify lv = { .problem = verify_problem, .arg = v };
	struct log_walk_bounds bounds;
	int err;

	log_walk_bounds(&v->t.house, &bounds);
	lv.limit_seq = bounds.limit;
	dirfd = log_walk_open(&v->t.house, why);
	if (dirfd < 0)
		return dirfd;
	err = log_verify(&sysio_posix, dirfd, &lv, why);
	if (err < 0 || lv.problems == 0)
		return err;
	v->damaged = true;
	return REFUSE(why,
	    "the log has %" PRIu64 " problems: nothing was compared",
	    lv.problems);
}

static int
verify_base_rows(struct verify *v, struct base *base, struct reason *why)
{
	struct archive *rows = base_rows(base);
	struct archive_row row;
	int got;

	archive_seek(rows, slice_of(NULL, 0));
	while ((got = archive_next(rows, &row, why)) == ARCHIVE_ROW) {
		int err = refold_row(&v->refold, row.row, why);

		if (err < 0)
			return err;
	}
	v->damaged = got == ARCHIVE_DAMAGED;
	return v->damaged ? -EPROTO : got;
}

/* What the events that retention has removed have left behind. */
static int
verify_base(struct verify *v, struct reason *why)
{
	CLEANUP(base_freep) struct base *base = NULL;
	CLEANUP(closep) int dirfd = log_walk_open(&v->t.house, why);
	struct log_floor floor;
	int err;

	if (dirfd < 0)
		return dirfd;
	err = floor_read(&sysio_posix, dirfd, &floor, why);
	v->oldest = floor.seq;
	if (err != FLOOR_READ)
		return MIN(err, 0);
	err = base_open(
	    &sysio_posix, dirfd, floor.seq - 1, floor.log_id, &base, why);
	v->damaged = err == BASE_DAMAGED;
	if (err != BASE_OPENED)
		return v->damaged ? -EPROTO : err;
	v->refold.seq = floor.seq - 1;
	return verify_base_rows(v, base, why);
}

static int
verify_walk_event(
    void *arg, uint64_t seq, struct slice bytes, struct reason *why)
{
	struct verify *v = arg;

	(void)seq;
	return refold_event(&v->refold, bytes, why);
}

/* Fold what lies between what was folded and last. */
static int
verify_walk(struct verify *v, uint64_t last, struct reason *why)
{
	int err = log_walk(
	    &v->t.house, v->refold.seq + 1, last, verify_walk_event, v, why);

	v->damaged = err == LOG_WALK_DAMAGED;
	return v->damaged ? -EPROTO : MIN(err, 0);
}

/* --- the events of a gateway --- */

static int
verify_batch(
    struct verify *v, const struct follow_message *got, struct reason *why)
{
	struct mp_walk w = mp_walk(got->events), at;
	struct mp_item head, seq;
	struct slice event;
	int err = 0;

	while (err >= 0 && mp_skip(&w, &event)) {
		at = mp_walk(event);
		if (!mp_next(&at, &head) || !mp_next(&at, &seq) ||
		    seq.type != MP_UINT)
			return REFUSE(why, "the server sent no event");
		if (seq.u > 0 && seq.u <= v->limit)
			err = refold_event(&v->refold, event, why);
	}
	return err;
}

static int
verify_follow_step(struct verify *v, struct reason *why)
{
	struct follow_message got;
	struct slice msg;
	int err;

	err = query_message(v->events, &msg, why);
	if (err >= 0)
		err = follow_take(&v->follow, msg, &got, why);
	if (err < 0)
		return err;
	switch (got.kind) {
	case FOLLOW_EVENTS:
		return verify_batch(v, &got, why);
	case FOLLOW_LAGGED:
		return REFUSE(why, "the server has not got all events (%.*s)",
		    (int)MIN(got.text.len, 40u), (const char *)got.text.p);
	case FOLLOW_ERROR:
		return query_refused(got.body, why);
	default:
		return 0;
	}
}

/* Subscribe from the oldest event, and fold until that is live. */
static int
verify_replay(struct verify *v, struct reason *why)
{
	static const char *const patterns[] = { ">", "$acl.>", "$revoke.>",
		"$log.>" };
	struct slice welcome, log;
	struct mp_buf b = { 0 };
	int err;

	err = query_open(&v->t, &v->events, why);
	if (err < 0)
		return err;
	welcome = query_welcome(v->events);
	log = proto_get_str(welcome, "log");
	if (log.len >= sizeof(v->follow.log))
		return REFUSE(why, "the server's welcome names no log");
	memcpy(v->follow.log, log.p, log.len);
	v->follow.positioned = true;
	v->oldest = MAX(proto_get_uint(welcome, "oldest").v, UINT64_C(1));
	v->follow.position = v->oldest - 1;
	follow_pack_subscribe(&v->follow, &b, patterns, ARRAY_LEN(patterns));
	err = b.failed ? reason_set(why, -ENOMEM, "cannot ask")
		       : query_put(v->events, slice_of(b.p, b.len), why);
	mp_buf_deinit(&b);
	v->limit = UINT64_MAX;
	while (err >= 0 && !v->follow.live)
		err = verify_follow_step(v, why);
	return err;
}

/* --- what is served --- */

static void
verify_print(struct verify *v, const char *what, struct slice topic,
    struct slice folded, struct slice served)
{
	static const uint8_t nil[] = { 0xc0 };
	struct mp_buf b = { 0 };

	v->differ++;
	if (v->differ > VERIFY_SHOWN)
		return;
	if (!folded.len)
		folded = slice_of(nil, 1);
	if (!served.len)
		served = slice_of(nil, 1);
	if (v->t.json) {
		mp_pack_map(&b, 4);
		mp_pair_str(&b, "topic", topic);
		mp_pair_cstr(&b, "what", what);
		mp_pair_raw(&b, "folded", folded);
		mp_pair_raw(&b, "served", served);
		if (!b.failed)
			(void)!show_value(&v->show, slice_of(b.p, b.len));
	} else {
		show_name(topic);
		printf(": %s\n  folded: ", what);
		(void)!show_value(&v->show, folded);
		printf("  served: ");
		(void)!show_value(&v->show, served);
	}
	mp_buf_deinit(&b);
}

/* The state is at seq: fold up to there, and no further. */
static int
verify_begin(void *arg, uint64_t seq, struct reason *why)
{
	struct verify *v = arg;
	uint64_t reached;
	int err = 0;

	v->seq = v->limit = seq;
	if (v->t.url) {
		while (err >= 0 && v->follow.position < seq)
			err = verify_follow_step(v, why);
		reached = v->refold.seq;
	} else {
		if (v->refold.seq < seq)
			err = verify_walk(v, seq, why);
		reached = v->refold.seq;
	}
	if (err < 0)
		return err;
	if (reached > seq || (!v->t.url && reached < seq))
		return REFUSE(why,
		    "the state is at seq %" PRIu64
		    ", and the events end at %" PRIu64,
		    seq, reached);
	return 0;
}

static int
verify_row(
    void *arg, const struct row *row, struct slice bytes, struct reason *why)
{
	static const char *const what[] = {
		[REFOLD_DIFFERS] = "differs",
		[REFOLD_UNKNOWN] = "is served, and there is no event of it",
		[REFOLD_TWICE] = "is served twice",
	};
	struct verify *v = arg;
	enum refold_verdict verdict;
	struct slice folded;

	(void)why;
	v->rows++;
	verdict = refold_compare(&v->refold, row, bytes, &folded);
	/* All its events may have been removed. */
	if (verdict == REFOLD_PARTIAL ||
	    (verdict == REFOLD_UNKNOWN && row->seq < v->oldest))
		v->partial++;
	else if (verdict != REFOLD_EQUAL)
		verify_print(v, what[verdict], row->topic, folded, bytes);
	return 0;
}

static void
verify_left(struct verify *v)
{
	enum refold_left left;
	struct slice folded;
	struct row row;
	size_t at = 0;

	while ((left = refold_left(&v->refold, &at, &folded)) != REFOLD_NONE) {
		if (left == REFOLD_DROPPED)
			v->dropped++;
		else if (row_decode(folded, &row, NULL) >= 0)
			verify_print(v, "is not served", row.topic, folded,
			    slice_of(NULL, 0));
	}
}

/* Everything, and what of the system there is. */
static int
verify_patterns(struct verify *v, char (*text)[TOPIC_MAX + 3],
    struct slice patterns[TOPIC_SET_MAX], unsigned *n, struct reason *why)
{
	struct slice tokens[VERIFY_SYSTEM];
	size_t kinds = refold_system(&v->refold, tokens, VERIFY_SYSTEM);

	patterns[(*n)++] = SLICE_STR(">");
	if (kinds > VERIFY_SYSTEM)
		return REFUSE(why,
		    "there are more than %d kinds of system topics",
		    VERIFY_SYSTEM);
	for (size_t i = 0; i < kinds; i++) {
		patterns[(*n)++] = tokens[i];
		if (tokens[i].len + 2 > TOPIC_MAX)
			continue;
		snprintf(text[i], sizeof(text[i]), "%.*s.>", (int)tokens[i].len,
		    (const char *)tokens[i].p);
		patterns[(*n)++] = slice_cstr(text[i]);
	}
	return 0;
}

static int
verify_state(struct verify *v, struct reason *why)
{
	CLEANUP(freep)
	char(*text)[TOPIC_MAX + 3] = calloc(VERIFY_SYSTEM, sizeof(*text));
	struct slice patterns[TOPIC_SET_MAX];
	struct snapshot snap = { .patterns = patterns,
		.min_seq = MAX(v->refold.seq, query_min_seq(v->q)),
		.begin = verify_begin,
		.row = verify_row,
		.arg = v };
	int err;

	if (!text)
		return reason_set(why, -ENOMEM, "cannot ask");
	err = verify_patterns(v, text, patterns, &snap.n, why);
	if (err >= 0)
		err = snapshot_read(v->q, &snap, why);
	if (err >= 0)
		verify_left(v);
	return err;
}

/*
 * Where the rules change between the welcome and the rows, all rows that they
 * fold otherwise differ, and nothing is wrong.
 */
static int
verify_same_rules(struct verify *v, struct reason *why)
{
	CLEANUP(query_freep) struct query *q = NULL;
	CLEANUP(rules_freep) struct rules *now = NULL;
	int err = query_open(&v->t, &q, why);

	if (err >= 0)
		err = rules_unpack(
		    proto_get(query_welcome(q), "fold"), &now, why);
	if (err >= 0 && rules_version(now) != rules_version(v->rules))
		return REFUSE(why, "%s",
		    "the fold rules changed meanwhile: run it again");
	return err;
}

/* --- the command --- */

static int
verify_read(struct verify *v, struct reason *why)
{
	int err = 0;

	if (!v->t.url)
		err = verify_log(v, why);
	if (err >= 0)
		err = query_open(&v->t, &v->q, why);
	if (err >= 0)
		err = rules_unpack(
		    proto_get(query_welcome(v->q), "fold"), &v->rules, why);
	if (err >= 0 && refold_init(&v->refold, v->rules) < 0)
		err = reason_set(why, -ENOMEM, "cannot fold");
	if (err >= 0 && !v->t.url)
		err = verify_base(v, why);
	if (err >= 0)
		err = v->t.url ? verify_replay(v, why)
			       : verify_walk(v, UINT64_MAX, why);
	if (err >= 0)
		err = verify_state(v, why);
	if (err >= 0 && v->differ)
		err = verify_same_rules(v, why);
	return err;
}

static void
verify_summary(const struct verify *v)
{
	const struct refold *rf = &v->refold;

	if (v->t.json) {
		printf("{\"differences\":%" PRIu64 ",\"seq\":%" PRIu64
		       ",\"events\":%" PRIu64 ",\"rows\":%" PRIu64
		       ",\"dropped\":%" PRIu64 ",\"uncompared\":%" PRIu64
		       ",\"unfoldable\":%" PRIu64 ",\"too_large\":%" PRIu64
		       "}\n",
		    v->differ, v->seq, rf->events, v->rows, v->dropped,
		    v->partial, rf->unfoldable, rf->too_large);
		return;
	}
	if (v->differ)
		printf("%" PRIu64 " differences in ", v->differ);
	printf("%" PRIu64 " rows at seq %" PRIu64 "%s %" PRIu64 " events",
	    v->rows, v->seq, v->differ ? " and" : " are what is folded from",
	    rf->events);
	if (v->dropped)
		printf(
		    "; deleted rows that were dropped: %" PRIu64, v->dropped);
	if (v->partial)
		printf("; rows that begin before the oldest event, not "
		       "compared: %" PRIu64,
		    v->partial);
	if (rf->unfoldable || rf->too_large)
		printf("; events that could not be folded: %" PRIu64
		       ", of rows that are too large: %" PRIu64,
		    rf->unfoldable, rf->too_large);
	putchar('\n');
}

int
cmd_verify(int argc, char **argv)
{
	static const struct tool_usage usage = { .name = "verify",
		.text = verify_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON | TOOL_QUERY };
	struct verify v = { 0 };
	struct reason why = REASON_NO_MEMORY;
	int status;

	if (!tool_begin(&v.t, &usage, argc, argv, &status))
		return status;
	if (verify_read(&v, &why) < 0) {
		status = tool_fail(&v.t, &why);
		if (v.damaged)
			status = TOOL_DAMAGED;
	} else {
		verify_summary(&v);
		status = v.differ ? TOOL_ERROR : TOOL_OK;
	}
	v.q = query_free(v.q);
	v.events = query_free(v.events);
	refold_deinit(&v.refold);
	v.rules = rules_free(v.rules);
	show_deinit(&v.show);
	return tool_end(&v.t, status);
}
