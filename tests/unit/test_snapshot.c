/* SPDX-License-Identifier: BSD-2-Clause */

/* Snapshots as a tool reads them, from a server that keeps its promise and
 * from ones that break it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/reason.h"
#include "core/row.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/tmpdir.h"
#include "tools/query.h"
#include "tools/snapshot.h"
#include "tools/tool.h"

enum {
	PATIENCE_S = 300, /* for what comes */
	SILENCE_S = 1	  /* for what does not */
};

#define ROW(topic, seq) \
	"[\"" topic "\",1," #seq ",5,\"ann\",6,\"bo\",false,{\"n\":1}]"
#define PART(seq, rows, last)                                                 \
	"{\"op\":\"snapshot\",\"seq\":" #seq ",\"full\":true,\"rows\":[" rows \
	"],\"last\":" #last "}"

struct parts {
	const char *v[4];
	struct mp_buf asked; /* the request */
	bool silent;	     /* behind these */
};

static bool
say_parts(void *arg, struct frame_stream *fs, const struct proto_reply *request)
{
	struct parts *p = arg;

	p->asked.len = 0;
	mp_pack_raw(&p->asked, request->body);
	for (unsigned i = 0; i < 4 && p->v[i]; i++)
		fakebroker_say(fs, request, p->v[i]);
	return true;
}

struct taken {
	unsigned begun, stop_at;
	uint64_t seq;
	char topics[100];
};

static int
take_begin(void *arg, uint64_t seq, struct reason *why)
{
	struct taken *t = arg;

	t->begun++;
	t->seq = seq;
	return 0;
}

static int
take_row(
    void *arg, const struct row *row, struct slice bytes, struct reason *why)
{
	struct taken *t = arg;
	size_t len = strlen(t->topics);

	snprintf(t->topics + len, sizeof(t->topics) - len, "%.*s ",
	    (int)row->topic.len, (const char *)row->topic.p);
	return t->stop_at && --t->stop_at == 0;
}

/* Read what the fake says. */
static int
read_parts(struct tmpdir *dir, struct parts *parts, struct snapshot *snap,
    struct taken *taken, struct reason *why)
{
	static const struct slice all[] = { SLICE_STR("a.>"), SLICE_STR("b") };
	struct fakebroker fb = { .answer = say_parts, .arg = parts };
	struct query *q;
	struct tool t;
	int err;

	snap->patterns = all;
	snap->n = 2;
	snap->begin = take_begin;
	snap->row = take_row;
	snap->arg = taken;
	fakebroker_house(&t, dir->path);
	t.timeout_s = parts->silent ? SILENCE_S : PATIENCE_S;
	fakebroker_start(&fb, dir->path);
	assert_int_equal(query_open(&t, &q, why), 0);
	err = snapshot_read(q, snap, why);
	q = query_free(q);
	fakebroker_stop(&fb);
	house_deinit(&t.house);
	return err;
}

static void
rows_come_in_order_over_all_parts(void **state)
{
	struct parts parts = { { PART(
				     9, ROW("a.x", 3) "," ROW("a.y", 9), false),
	    PART(9, "", false), PART(9, ROW("b", 1), true) } };
	struct snapshot snap = { 0 };
	struct taken taken = { 0 };
	struct reason why;

	assert_int_equal(
	    read_parts(*state, &parts, &snap, &taken, &why), SNAPSHOT_END);
	assert_string_equal(taken.topics, "a.x a.y b ");
	assert_int_equal(taken.begun, 1);
	assert_int_equal(taken.seq, 9);
	assert_int_equal(snap.seq, 9);
	assert_int_equal(snap.rows, 3);
	mp_buf_deinit(&parts.asked);
}

static void
nothing_at_all_is_an_answer(void **state)
{
	struct parts parts = { { PART(0, "", true) } };
	struct snapshot snap = { .seq = 5 };
	struct taken taken = { 0 };
	struct reason why;

	assert_int_equal(
	    read_parts(*state, &parts, &snap, &taken, &why), SNAPSHOT_END);
	assert_int_equal(snap.seq, 0);
	assert_int_equal(snap.rows, 0);
	mp_buf_deinit(&parts.asked);
}

static void
a_reader_may_stop(void **state)
{
	struct parts parts = { { PART(
	    9, ROW("a.x", 3) "," ROW("a.y", 9), true) } };
	struct snapshot snap = { 0 };
	struct taken taken = { .stop_at = 1 };
	struct reason why;

	assert_int_equal(
	    read_parts(*state, &parts, &snap, &taken, &why), SNAPSHOT_STOPPED);
	assert_string_equal(taken.topics, "a.x ");
	mp_buf_deinit(&parts.asked);
}

static void
expect_asked(struct tmpdir *dir, struct snapshot snap, const char *says)
{
	struct parts parts = { { PART(9, "", true) } };
	struct taken taken = { 0 };
	struct mp_buf json = { 0 };
	struct reason why;

	assert_int_equal(read_parts(dir, &parts, &snap, &taken, &why), 0);
	assert_int_equal(
	    json_from_mp(slice_of(parts.asked.p, parts.asked.len), &json), 0);
	mp_buf_bytes(&json, "", 1);
	assert_non_null(strstr((char *)json.p, "\"topics\":[\"a.>\",\"b\"]"));
	assert_non_null(strstr((char *)json.p, says));
	mp_buf_deinit(&json);
	mp_buf_deinit(&parts.asked);
}

static void
what_is_asked_for_is_in_the_request(void **state)
{
	expect_asked(
	    *state, (struct snapshot){ .min_seq = 7 }, "\"min_seq\":7");
	expect_asked(
	    *state, (struct snapshot){ .at = { WHEN_SEQ, 0 } }, "\"at\":0");
	expect_asked(*state, (struct snapshot){ .at = { WHEN_TIME, 12 } },
	    "\"at\":{\"time\":12}");
}

static void
a_broken_promise_is_told(void **state)
{
	static const struct {
		const char *first, *second, *says;
	} cases[] = {
		{ PART(9, "", false), PART(8, "", true),
		    "at seq 9 and at seq 8" },
		{ PART(9, ROW("a", 10), true), NULL, "row of seq 10" },
		{ PART(9, "[1,2]", true), NULL, "" },
		{ PART(9, "7", true), NULL, "" },
		{ "{\"op\":\"snapshot\",\"seq\":1,\"last\":true}", NULL,
		    "none" },
		{ "{\"op\":\"snapshot\",\"rows\":[],\"last\":true}", NULL,
		    "none" },
		{ "{\"op\":\"snapshot\",\"seq\":1,\"rows\":[]}", NULL, "none" },
		{ "{\"op\":\"snapshot\",\"seq\":1,\"rows\":{},\"last\":true}",
		    NULL, "none" },
		{ PART(9, "", false), NULL, "says nothing" },
		{ PART(9, "", false),
		    "{\"op\":\"error\",\"code\":\"internal\",\"message\":\"no\"}",
		    "internal: no" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct parts parts = {
			.v = { cases[i].first, cases[i].second },
			.silent = strcmp(cases[i].says, "says nothing") == 0,
		};
		struct snapshot snap = { 0 };
		struct taken taken = { 0 };
		struct reason why = { "" };

		if (read_parts(*state, &parts, &snap, &taken, &why) >= 0)
			fail_msg("taken: %s", cases[i].first);
		if (!why.text[0] || !strstr(why.text, cases[i].says))
			fail_msg("%s: %s", cases[i].first, why.text);
		mp_buf_deinit(&parts.asked);
	}
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_come_in_order_over_all_parts),
		TEST(nothing_at_all_is_an_answer),
		TEST(a_reader_may_stop),
		TEST(what_is_asked_for_is_in_the_request),
		TEST(a_broken_promise_is_told),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
