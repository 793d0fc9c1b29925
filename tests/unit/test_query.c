/* SPDX-License-Identifier: BSD-2-Clause */

/* Asking a broker: answers, refusals, silence, and a broker that goes. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/reason.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/tmpdir.h"
#include "tools/query.h"
#include "tools/tool.h"

/* What the fake does with the n-th request after hello. */
enum {
	PATIENCE_S = 300 /* for what comes */
};

struct script {
	unsigned unavailable; /* so many times first */
	enum proto_code code; /* then this, or the answer */
	bool silent, vanish, noise, malformed;
	unsigned asked;
};

static bool
follow_script(
    void *arg, struct frame_stream *fs, const struct proto_reply *request)
{
	struct script *s = arg;
	size_t mark;

	s->asked++;
	if (s->vanish)
		return false;
	if (s->silent)
		return true;
	if (s->malformed) {
		mp_buf_bytes(frame_begin(fs, &mark), "\x82\xc1", 2);
		(void)!frame_end(fs, mark);
		return true;
	}
	if (s->asked <= s->unavailable) {
		fakebroker_refuse(fs, request, PROTO_UNAVAILABLE, "not yet");
		return true;
	}
	if (s->noise) {
		struct proto_reply other = { .id = { true, 1 } };

		fakebroker_say(fs, &other, "{\"op\":\"pong\"}");
		fakebroker_refuse(fs, &other, PROTO_INTERNAL, "of another");
		mp_pack_array(frame_begin(fs, &mark), 0);
		(void)!frame_end(fs, mark);
		fakebroker_say(fs, request, "{\"op\":\"draining\"}");
	}
	if (s->code)
		fakebroker_refuse(fs, request, s->code, "it is so");
	else
		fakebroker_say(fs, request, "{\"op\":\"pong\",\"time\":7}");
	return true;
}

/* One ping; the sentence is in *why. */
static int
ping(struct tmpdir *dir, struct script *script, uint64_t timeout_s,
    struct reason *why)
{
	struct fakebroker fb = { .answer = follow_script, .arg = script };
	struct query *q;
	struct slice body;
	struct tool t;
	int err;

	why->text[0] = '\0';
	fakebroker_house(&t, dir->path);
	t.timeout_s = timeout_s;
	t.min_seq = TOOL_HEAD;
	fakebroker_start(&fb, dir->path);
	assert_int_equal(query_open(&t, &q, why), 0);
	assert_true(proto_get(query_welcome(q), "fold").len > 0);
	(void)query_begin(q, "ping", 0);
	err = query_send(q, why);
	if (err == 0)
		err = query_reply(q, "pong", &body, why);
	if (err == 0)
		assert_int_equal(proto_get_uint(body, "time").v, 7);
	q = query_free(q);
	fakebroker_stop(&fb);
	house_deinit(&t.house);
	return err;
}

static void
an_answer_is_found_among_what_comes_unasked(void **state)
{
	struct script script = { .noise = true };
	struct reason why;

	assert_int_equal(ping(*state, &script, PATIENCE_S, &why), 0);
	assert_int_equal(script.asked, 1);
}

static void
a_refusal_is_a_sentence_with_its_code(void **state)
{
	struct script script = { .code = PROTO_FORBIDDEN };
	struct reason why;

	assert_int_equal(ping(*state, &script, PATIENCE_S, &why), -EPROTO);
	assert_string_equal(why.text, "forbidden: it is so");
}

static void
being_behind_comes_with_what_to_do(void **state)
{
	struct script script = { .code = PROTO_BEHIND };
	struct reason why;

	assert_int_equal(ping(*state, &script, PATIENCE_S, &why), -EPROTO);
	assert_string_equal(
	    why.text, "behind: it is so (--min-seq 0 takes what is there)");
}

static void
what_is_unavailable_is_asked_for_again(void **state)
{
	struct script script = { .unavailable = 3 };
	struct reason why;

	assert_int_equal(ping(*state, &script, PATIENCE_S, &why), 0);
	assert_int_equal(script.asked, 4);
}

static void
silence_ends_with_a_sentence(void **state)
{
	struct script script = { .silent = true };
	struct reason why;

	assert_int_equal(ping(*state, &script, 1, &why), -ETIMEDOUT);
	assert_non_null(strstr(why.text, "says nothing for 1 seconds"));
}

static void
a_broker_that_goes_is_told_of(void **state)
{
	struct script script = { .vanish = true };
	struct reason why;

	assert_int_equal(ping(*state, &script, PATIENCE_S, &why), -EPIPE);
	assert_non_null(strstr(why.text, "went away"));
}

static void
an_answer_that_is_no_messagepack_is_refused(void **state)
{
	struct script script = { .malformed = true };
	struct reason why;

	assert_int_equal(ping(*state, &script, PATIENCE_S, &why), -EPROTO);
	assert_true(why.text[0]);
}

static void
without_a_broker_it_says_where_it_looked(void **state)
{
	struct tmpdir *dir = *state;
	struct query *q;
	struct reason why;
	struct tool t;

	fakebroker_house(&t, dir->path);
	assert_true(query_open(&t, &q, &why) < 0);
	assert_non_null(strstr(why.text, "no broker is running here"));
	assert_non_null(strstr(why.text, "broker.sock"));
	house_deinit(&t.house);
}

static bool
refuse_hello(
    void *arg, struct frame_stream *fs, const struct proto_reply *request)
{
	fakebroker_refuse(fs, request, PROTO_UNAUTHORIZED, "no");
	return true;
}

static void
a_hello_that_is_refused_is_told(void **state)
{
	struct tmpdir *dir = *state;
	struct fakebroker fb = { .answer = refuse_hello, .all = true };
	struct query *q;
	struct reason why;
	struct tool t;

	fakebroker_house(&t, dir->path);
	fakebroker_start(&fb, dir->path);
	assert_int_equal(query_open(&t, &q, &why), -EPROTO);
	assert_string_equal(why.text, "unauthorized: no");
	fakebroker_stop(&fb);
	house_deinit(&t.house);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_is_found_among_what_comes_unasked),
		TEST(a_refusal_is_a_sentence_with_its_code),
		TEST(being_behind_comes_with_what_to_do),
		TEST(what_is_unavailable_is_asked_for_again),
		TEST(silence_ends_with_a_sentence),
		TEST(a_broker_that_goes_is_told_of),
		TEST(an_answer_that_is_no_messagepack_is_refused),
		TEST(without_a_broker_it_says_where_it_looked),
		TEST(a_hello_that_is_refused_is_told),
	};

	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
