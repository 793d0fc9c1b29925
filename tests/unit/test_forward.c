/* SPDX-License-Identifier: BSD-2-Clause */

/* Appends and emits between clients and the writer: every one is answered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/time.h"
#include "gateway/forward.h"
#include "tests/lib/sessionfix.h"

#define ALL "me > > 3600"

static void
has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("%s has no %s", text, part);
}

/* The id that the gateway gave its request. */
static unsigned
wire_id(const char *text)
{
	const char *at = strstr(text, "'id':");

	assert_non_null(at);
	return (unsigned)atoi(at + 5);
}

static void
an_append_goes_to_the_writer_with_the_users_name(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	const char *text;

	sessionfix_say(c,
	    "{'op':'append','id':77,'events':[{'topic':'a.b','type':'set',"
	    "'data':{'x':1.5},'expect':3,'key':'k','schema':2,'meta':{'q':[]},"
	    "'actor':'root','time':5},{'topic':'a.c','type':'set','data':null,"
	    "'key':'l','expect':'exists'}],'checks':[{'topic':'z','version':4}]}");
	text = sessionfix_writer_got(fx);
	has(text, "'op':'append'");
	has(text,
	    "'events':[{'topic':'a.b','type':'set','data':{'x':1.5},"
	    "'actor':'me','expect':3,'key':'k','schema':2,'meta':{'q':[]}},"
	    "{'topic':'a.c','type':'set','data':null,'actor':'me',"
	    "'expect':'exists','key':'l'}]");
	has(text, "'checks':[{'topic':'z','version':4}]");
	assert_null(strstr(text, "root"));
	sessionfix_writer_says(fx,
	    "{'op':'appended','id':%u,'seq':9,'versions':[4,1],'time':5,"
	    "'duplicate':false}",
	    wire_id(text));
	sessionfix_expect(c, "'op':'appended'", "'id':77", "'seq':9",
	    "'versions':[4,1]", "'duplicate':false", NULL);
	sessionfix_quiet(c);
}

static void
answers_find_their_clients_in_any_order(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *a = sessionfix_client(fx, 0, ALL);
	struct sessionfix_client *b = sessionfix_client(fx, 1, ALL);
	static const char ask[] = "{'op':'append',%s'events':[{'topic':'a',"
				  "'type':'set','data':%d}]}";
	unsigned first, second, third;

	sessionfix_say(a, ask, "'id':1,", 1);
	sessionfix_say(b, ask, "'id':1,", 2);
	sessionfix_say(a, ask, "", 3);
	first = wire_id(sessionfix_writer_got(fx));
	second = wire_id(sessionfix_writer_got(fx));
	third = wire_id(sessionfix_writer_got(fx));
	/* Its id is in use until it is answered. */
	sessionfix_say(a, "{'op':'ping','id':1}");
	sessionfix_expect(a, "'code':'bad_request'", NULL);
	sessionfix_writer_says(fx, "{'op':'appended','id':%u,'seq':3}", third);
	assert_string_equal(sessionfix_next(a), "{'op':'appended','seq':3}");
	sessionfix_writer_says(fx,
	    "{'op':'error','id':%u,'code':'conflict','message':'m'}", second);
	sessionfix_expect(b, "'code':'conflict'", "'id':1", NULL);
	sessionfix_writer_says(fx, "{'op':'appended','id':%u,'seq':1}", first);
	sessionfix_expect(a, "'op':'appended'", "'id':1", "'seq':1", NULL);
	sessionfix_say(a, "{'op':'ping','id':1}");
	sessionfix_expect(a, "'op':'pong'", NULL);
}

static void
what_may_not_be_written_never_reaches_the_writer(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c =
	    sessionfix_client(fx, 0, "me r.> w.>,r.rw 60");
	static const char *const asked[] = {
		"{'op':'append','id':1,'events':[{'topic':'r.x','type':'t',"
		"'data':1}]}",
		"{'op':'append','id':1,'events':[{'topic':'w.x','type':'t',"
		"'data':1},{'topic':'$acl.me','type':'t','data':1}]}",
		"{'op':'append','id':1,'events':[{'topic':'w.x','type':'t',"
		"'data':1,'expect':0}]}",
		"{'op':'append','id':1,'events':[{'topic':'w.x','type':'t',"
		"'data':1}],'checks':[{'topic':'w.x','version':1}]}",
		"{'op':'emit','id':1,'topic':'r.x','type':'t','data':1}",
	};

	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		sessionfix_say(c, "%s", asked[i]);
		sessionfix_expect(c, "'code':'forbidden'", "'id':1", NULL);
	}
	sessionfix_writer_quiet(fx);
	sessionfix_say(c,
	    "{'op':'append','id':1,'events':[{'topic':'r.rw','type':'t',"
	    "'data':1,'expect':0}],'checks':[{'topic':'r.x','version':1}]}");
	has(sessionfix_writer_got(fx), "'topic':'r.rw'");
}

static void
an_emit_is_answered_and_carries_the_users_name(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	const char *text;

	sessionfix_say(c,
	    "{'op':'emit','id':5,'topic':'a','type':'t','data':[1],"
	    "'actor':'root'}");
	text = sessionfix_writer_got(fx);
	has(text, "'op':'emit'");
	has(text, "'topic':'a','type':'t','data':[1],'actor':'me'");
	sessionfix_writer_says(fx, "{'op':'ok','id':%u}", wire_id(text));
	assert_string_equal(sessionfix_next(c), "{'op':'ok','id':5}");
}

static void
too_large_a_request_leaves_the_connection_open(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	char *long_text = calloc(1, (1 << 20) + 1);

	memset(long_text, 'x', 1 << 20);
	sessionfix_say(c,
	    "{'op':'append','id':1,'events':[{'topic':'a','type':'t',"
	    "'data':'%s'}]}",
	    long_text);
	sessionfix_expect(c, "'code':'too_large'", "'id':1", NULL);
	sessionfix_say(c,
	    "{'op':'emit','id':1,'topic':'a','type':'t','data':'%s'}",
	    long_text);
	sessionfix_expect(c, "'code':'too_large'", NULL);
	sessionfix_writer_quiet(fx);
	assert_int_equal(c->conn.closed, 0);
	free(long_text);
}

static void
a_lost_writer_leaves_no_request_without_an_answer(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const char append[] =
	    "{'op':'append','id':1,'events':[{'topic':'a','type':'t','data':1}]}";

	sessionfix_say(c, append);
	sessionfix_say(
	    c, "{'op':'emit','id':2,'topic':'a','type':'t','data':1}");
	(void)sessionfix_writer_got(fx);
	(void)sessionfix_writer_got(fx);
	sessionfix_writer_leave(fx);
	while (forward_waiting(fx->gw.forward) > 0)
		sessionfix_turn(fx);
	if (strstr(c->got[c->read], "'id':1")) {
		sessionfix_expect(c, "'code':'unknown'", "'id':1", NULL);
		sessionfix_expect(c, "'code':'unavailable'", "'id':2", NULL);
	} else {
		sessionfix_expect(c, "'code':'unavailable'", "'id':2", NULL);
		sessionfix_expect(c, "'code':'unknown'", "'id':1", NULL);
	}
	sessionfix_say(c, append);
	sessionfix_expect(c, "'code':'unavailable'", "'retry_ms':", NULL);
	sessionfix_writer_come(fx);
	sessionfix_say(c, append);
	has(sessionfix_writer_got(fx), "'op':'append'");
}

static void
a_writer_that_talks_nonsense_is_hung_up_on(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_say(c,
	    "{'op':'append','id':1,'events':[{'topic':'a','type':'t',"
	    "'data':1}]}");
	(void)sessionfix_writer_got(fx);
	sessionfix_writer_says(fx, "{'op':'appended','id':4711,'seq':1}");
	while (forward_waiting(fx->gw.forward) > 0)
		sessionfix_turn(fx);
	sessionfix_expect(c, "'code':'unknown'", "'id':1", NULL);
}

static void
the_answer_to_a_client_that_left_is_dropped(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	unsigned id;

	sessionfix_say(c,
	    "{'op':'append','id':1,'events':[{'topic':'a','type':'t',"
	    "'data':1}]}");
	id = wire_id(sessionfix_writer_got(fx));
	fx->handler.closed(c->session);
	c->session = NULL;
	sessionfix_writer_says(fx, "{'op':'appended','id':%u,'seq':1}", id);
	while (forward_waiting(fx->gw.forward) > 0)
		sessionfix_turn(fx);
	assert_int_equal(c->n, 1); /* its welcome */
}

static void
a_user_appends_so_much_at_once(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *a = sessionfix_client(fx, 0, ALL);
	struct sessionfix_client *b = sessionfix_client(fx, 1, ALL);
	struct sessionfix_client *other =
	    sessionfix_client(fx, 2, "you > > 60");
	static const char ask[] = "{'op':'append','events':[{'topic':'a',"
				  "'type':'t','data':'123456789'}]}";

	/* Both connections of the user count; the first may be of any size. */
	fx->gw.quotas.max_bytes = 60;
	sessionfix_say(a, ask);
	sessionfix_say(b, ask);
	sessionfix_quiet(a);
	sessionfix_expect(b, "'code':'rate_limited'", "'retry_ms':", NULL);
	sessionfix_say(other, ask);
	sessionfix_quiet(other);
	sessionfix_writer_says(fx, "{'op':'appended','id':%u,'seq':1}",
	    wire_id(sessionfix_writer_got(fx)));
	sessionfix_expect(a, "'op':'appended'", NULL);
	sessionfix_say(b, ask);
	sessionfix_quiet(b);
}

static void
a_user_appends_so_often_a_second(void **state)
{
	struct quota_table table;
	struct quota *q;
	uint64_t now;

	quota_table_init(&table);
	table.rate = 10;
	table.max_bytes = 1 << 20;
	q = quota_enter(&table, SLICE_STR("me"));
	now = time_mono_ns();
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(quota_append(q, 1, now), 0);
	assert_in_range(quota_append(q, 1, now), 1, 101);
	assert_int_equal(quota_append(q, 1, now + NS_PER_S / 10), 0);
	assert_int_not_equal(quota_append(q, 1, now + NS_PER_S / 10), 0);
	for (unsigned i = 0; i < 11; i++)
		quota_answered(q, 1);
	quota_leave(q);
	quota_table_deinit(&table);
}

#define TEST(fn)                         \
	cmocka_unit_test_setup_teardown( \
	    fn, sessionfix_setup, sessionfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_append_goes_to_the_writer_with_the_users_name),
		TEST(answers_find_their_clients_in_any_order),
		TEST(what_may_not_be_written_never_reaches_the_writer),
		TEST(an_emit_is_answered_and_carries_the_users_name),
		TEST(too_large_a_request_leaves_the_connection_open),
		TEST(a_lost_writer_leaves_no_request_without_an_answer),
		TEST(a_writer_that_talks_nonsense_is_hung_up_on),
		TEST(the_answer_to_a_client_that_left_is_dropped),
		TEST(a_user_appends_so_much_at_once),
		cmocka_unit_test(a_user_appends_so_often_a_second),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
