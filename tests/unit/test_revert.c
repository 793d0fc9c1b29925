/* SPDX-License-Identifier: BSD-2-Clause */

/* Reverting: what is asked, what is appended, and what is refused. */

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
#include "tests/lib/fakebroker.h"
#include "tests/lib/tmpdir.h"
#include "tools/cmd.h"
#include "tools/tool.h"

/* A topic of n versions, version v at seq 10 * v, value {"v":v}. */
struct world {
	uint64_t versions, oldest;
	uint64_t deleted;	/* the version that is a deletion */
	uint64_t state_version; /* what the state claims, 0: the right one */
	bool conflict, vanish;
	const char *fold; /* NULL: the fake's own rules */
	char appended[600];
	unsigned pages;
};

static void
say_history(
    struct world *w, struct frame_stream *fs, const struct proto_reply *request)
{
	struct mp_walk flag = mp_walk(proto_get(request->body, "reverse"));
	uint64_t limit = proto_get_uint(request->body, "limit").v, v;
	struct proto_uint after = proto_get_uint(request->body, "after");
	struct proto_uint before = proto_get_uint(request->body, "before");
	struct mp_item item;
	bool reverse = mp_next(&flag, &item);
	char text[8000] = "{\"op\":\"history\",\"events\":[";
	size_t at = strlen(text);
	unsigned n = 0;

	/* Pages of three at most. */
	limit = limit < 3 ? limit : 3;
	w->pages++;
	v = reverse ? w->versions : w->oldest;
	while (v >= w->oldest && v <= w->versions && n < limit) {
		uint64_t seq = 10 * v;

		if ((!after.set || seq > after.v) &&
		    (!before.set || seq < before.v))
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    "%s[%llu,1,\"a.b\",%llu,\"t\",\"\",null]",
			    n++ ? "," : "", (unsigned long long)seq,
			    (unsigned long long)v);
		v += reverse ? (uint64_t)-1 : 1;
	}
	snprintf(text + at, sizeof(text) - at, "]%s",
	    v >= w->oldest && v <= w->versions ? ",\"next\":" : "}");
	at = strlen(text);
	if (text[at - 1] == ':')
		snprintf(text + at, sizeof(text) - at, "%llu}",
		    (unsigned long long)(10 * (reverse ? v + 1 : v - 1)));
	fakebroker_say(fs, request, text);
}

static void
say_state(
    struct world *w, struct frame_stream *fs, const struct proto_reply *request)
{
	uint64_t seq = proto_get_uint(request->body, "at").v, v = seq / 10;
	char text[400];

	snprintf(text, sizeof(text),
	    "{\"op\":\"snapshot\",\"seq\":%llu,\"rows\":[[\"a.b\",%llu,%llu,1,"
	    "\"\",1,\"\",%s,{\"v\":%llu}]],\"last\":true}",
	    (unsigned long long)seq,
	    (unsigned long long)(w->state_version ? w->state_version : v),
	    (unsigned long long)seq, v == w->deleted ? "true" : "false",
	    (unsigned long long)v);
	fakebroker_say(fs, request, text);
}

static bool
be_broker(void *arg, struct frame_stream *fs, const struct proto_reply *request)
{
	struct world *w = arg;
	char text[400];

	if (slice_is(request->op, "hello")) {
		snprintf(text, sizeof(text),
		    "{\"op\":\"welcome\",\"log\":\"00-1\",\"head\":5,\"fold\":"
		    "{\"version\":1,\"rules\":[%s]}}",
		    w->fold ? w->fold
			    : "[\"*reverted\",\"set\"],[\"*deleted\","
			      "\"delete\"]");
		fakebroker_say(fs, request, text);
	} else if (slice_is(request->op, "history")) {
		say_history(w, fs, request);
	} else {
		say_state(w, fs, request);
	}
	return true;
}

static bool
be_writer(void *arg, struct frame_stream *fs, const struct proto_reply *request)
{
	struct world *w = arg;
	struct mp_buf json = { 0 };

	(void)!json_from_mp(proto_get(request->body, "events"), &json);
	snprintf(w->appended, sizeof(w->appended), "%.*s", (int)json.len,
	    (char *)json.p);
	mp_buf_deinit(&json);
	if (w->vanish)
		return false;
	if (w->conflict)
		fakebroker_refuse(fs, request, PROTO_CONFLICT, "not so");
	else
		fakebroker_say(fs, request,
		    "{\"op\":\"appended\",\"seq\":200,\"versions\":[9,10],"
		    "\"time\":1,\"duplicate\":false}");
	return true;
}

static int
revert(struct tmpdir *dir, struct world *w, const char *to)
{
	struct fakebroker broker = {
		.answer = be_broker, .arg = w, .all = true
	};
	struct fakebroker writer = { .answer = be_writer,
		.arg = w,
		.all = true,
		.name = "writer.sock" };
	char words[8][256] = { "revert", "--data", "", "a.b", "--to", "",
		"--actor", "ann" };
	char *argv[9] = { NULL };
	struct tool t;
	int status;

	if (!w->oldest)
		w->oldest = 1;
	snprintf(words[2], sizeof(words[2]), "%s", dir->path);
	snprintf(words[5], sizeof(words[5]), "%s", to);
	for (unsigned i = 0; i < 8; i++)
		argv[i] = words[i];
	fakebroker_house(&t, dir->path);
	house_deinit(&t.house);
	fakebroker_start(&broker, dir->path);
	fakebroker_start(&writer, dir->path);
	status = cmd_revert(8, argv);
	fakebroker_stop(&broker);
	fakebroker_stop(&writer);
	return status;
}

static void
the_old_value_is_set_on_top_of_the_newest_version(void **state)
{
	struct world w = { .versions = 8 };

	for (uint64_t v = 1; v < 8; v++) {
		char to[8], expected[300];

		snprintf(to, sizeof(to), "%u", (unsigned)v);
		assert_int_equal(revert(*state, &w, to), TOOL_OK);
		snprintf(expected, sizeof(expected),
		    "[{\"topic\":\"a.b\",\"type\":\"reverted\",\"data\":{\"v\":"
		    "%u},\"actor\":\"ann\",\"meta\":{\"reverted_to\":%u},"
		    "\"expect\":8}]",
		    (unsigned)v, (unsigned)v);
		assert_string_equal(w.appended, expected);
	}
}

static void
what_was_deleted_then_is_deleted_again(void **state)
{
	struct world w = { .versions = 8, .deleted = 5 };

	assert_int_equal(revert(*state, &w, "5"), TOOL_OK);
	assert_string_equal(w.appended,
	    "[{\"topic\":\"a.b\",\"type\":\"reverted\",\"data\":{\"v\":5},"
	    "\"actor\":\"ann\",\"meta\":{\"reverted_to\":5},\"expect\":8},"
	    "{\"topic\":\"a.b\",\"type\":\"deleted\",\"data\":null,"
	    "\"actor\":\"ann\",\"meta\":{\"reverted_to\":5},\"expect\":9}]");
}

static void
versions_that_are_none_to_go_back_to_are_refused(void **state)
{
	struct world w = { .versions = 8, .oldest = 4 };
	struct world none = { .versions = 0 };
	struct world other = { .versions = 8, .state_version = 2 };

	assert_int_equal(revert(*state, &w, "0"), TOOL_USAGE);
	assert_int_equal(revert(*state, &w, "3"), TOOL_ERROR);
	assert_int_equal(revert(*state, &w, "8"), TOOL_ERROR);
	assert_int_equal(revert(*state, &w, "9"), TOOL_ERROR);
	assert_int_equal(revert(*state, &none, "1"), TOOL_ERROR);
	assert_int_equal(revert(*state, &other, "3"), TOOL_ERROR);
	assert_string_equal(w.appended, "");
	assert_string_equal(other.appended, "");
	assert_int_equal(revert(*state, &w, "4"), TOOL_OK);
}

static void
nothing_is_appended_that_would_not_fold_as_meant(void **state)
{
	struct world touch = { .versions = 8,
		.fold = "[\"*created\",\"set\"]" };
	struct world lasting = {
		.versions = 8, .deleted = 5, .fold = "[\"reverted\",\"set\"]"
	};

	assert_int_equal(revert(*state, &touch, "4"), TOOL_ERROR);
	assert_string_equal(touch.appended, "");
	assert_int_equal(revert(*state, &lasting, "5"), TOOL_ERROR);
	assert_string_equal(lasting.appended, "");
	assert_int_equal(revert(*state, &lasting, "4"), TOOL_OK);
}

static void
a_conflict_and_a_lost_answer_are_errors(void **state)
{
	struct world conflict = { .versions = 8, .conflict = true };
	struct world vanish = { .versions = 8, .vanish = true };

	assert_int_equal(revert(*state, &conflict, "4"), TOOL_ERROR);
	assert_int_equal(revert(*state, &vanish, "4"), TOOL_ERROR);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_old_value_is_set_on_top_of_the_newest_version),
		TEST(what_was_deleted_then_is_deleted_again),
		TEST(versions_that_are_none_to_go_back_to_are_refused),
		TEST(nothing_is_appended_that_would_not_fold_as_meant),
		TEST(a_conflict_and_a_lost_answer_are_errors),
	};

	return cmocka_run_group_tests_name("revert", tests, NULL, NULL);
}
