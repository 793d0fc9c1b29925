/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A session's questions to the broker: what is asked, with which
 * permissions, and what the client hears of the answer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/reason.h"
#include "core/time.h"
#include "gateway/ask.h"
#include "gateway/gateway_priv.h"
#include "gateway/session.h"
#include "tests/lib/sessionfix.h"

#define ALL  "ada > > 3600"
#define SOME "bob a.> a.> 3600"

/* The number that stands behind key in a request. */
static unsigned long long
number(const char *request, const char *key)
{
	const char *at = strstr(request, key);
	unsigned long long v;

	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(key), "%llu", &v), 1);
	return v;
}

static unsigned long long
asked(struct sessionfix *fx, ...)
{
	const char *got = sessionfix_broker_got(fx), *part;
	va_list ap;

	va_start(ap, fx);
	while ((part = va_arg(ap, const char *)) != NULL)
		if (!strstr(got, part))
			fail_msg("'%s' is not in %s", part, got);
	va_end(ap);
	return strstr(got, "'id':") ? number(got, "'id':") : 0;
}

static void
presence_hears_of(struct sessionfix *fx, const char *op)
{
	asked(fx, op, NULL);
}

/* A client that has a name of its own. */
static struct sessionfix_client *
named(struct sessionfix *fx, unsigned i)
{
	struct sessionfix_client *c = sessionfix_client(fx, i, NULL);
	unsigned long long id;

	sessionfix_say(
	    c, "{'op':'hello','v':1,'token':'" ALL "','client':'tab'}");
	id = asked(fx, "'op':'cursors'", NULL);
	sessionfix_broker_says(
	    fx, "{'op':'cursors','id':%llu,'ack':{},'stale':[]}", id);
	sessionfix_expect(c, "'op':'welcome'", "'ack':{}", NULL);
	return c;
}

static void
a_snapshot_is_opened_taken_part_by_part_and_goes_live(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, SOME);
	unsigned long long id;

	sessionfix_broker_come(fx);
	sessionfix_publish(fx, "a.b", 3);
	sessionfix_say(c, "{'op':'subscribe','id':7,'topics':['a.b','b.c'],"
			  "'from':'snapshot','min_seq':2}");
	presence_hears_of(fx, "'op':'present'");
	id = asked(fx, "'op':'open'", "'topics':['a.b','b.c']",
	    "'read':['a.>']", "'min_seq':2", "'admin':false", NULL);
	sessionfix_quiet(c);
	sessionfix_broker_says(fx,
	    "{'op':'opened','id':%llu,'snapshot':5,'seq':3,'full':true,"
	    "'rows':1}",
	    id);
	sessionfix_expect(c, "'op':'subscribed'", "'id':7", NULL);
	id = asked(fx, "'op':'part'", "'snapshot':5", "'n':0", NULL);
	sessionfix_broker_says(
	    fx, "{'op':'part','id':%llu,'rows':[[1]],'last':false}", id);
	sessionfix_expect(c, "'op':'snapshot'", "'id':7", "'seq':3",
	    "'rows':[[1]]", "'full':true", "'last':false", NULL);
	id = asked(fx, "'n':1", NULL);
	sessionfix_broker_says(
	    fx, "{'op':'part','id':%llu,'rows':[],'last':true}", id);
	sessionfix_expect(c, "'rows':[]", "'last':true", "'scope':'", NULL);
	asked(fx, "'op':'close'", "'snapshot':5", NULL);
	sessionfix_publish(fx, "a.b", 1);
	sessionfix_expect(c, "[3,4,[4,", NULL);
}

static void
a_scope_that_no_longer_holds_takes_all_rows(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const char ask[] =
	    "{'op':'subscribe','id':%d,'topics':['a'],'from':'snapshot',"
	    "'since':2,'log':'log-1'%s}";

	sessionfix_broker_come(fx);
	sessionfix_publish(fx, "a.b", 3);
	sessionfix_say(c, ask, 1, "");
	presence_hears_of(fx, "'op':'present'");
	asked(fx, "'since':2", "'min_seq':2", NULL);
	sessionfix_say(c, ask, 2, ",'scope':'other'");
	presence_hears_of(fx, "'op':'present'");
	assert_null(strstr(sessionfix_broker_got(fx), "since"));
	sessionfix_say(c,
	    "{'op':'subscribe','id':3,'topics':['a'],'from':'snapshot',"
	    "'since':2,'log':'log-0'}");
	sessionfix_expect(c, "'code':'log_changed'", "'id':3", NULL);
}

static void
a_snapshot_that_is_refused_is_one_error(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const char ask[] =
	    "{'op':'subscribe','id':1,'topics':['a'],'from':'snapshot'}";
	unsigned long long id;

	sessionfix_broker_come(fx);
	sessionfix_say(c, ask);
	presence_hears_of(fx, "'op':'present'");
	id = asked(fx, "'op':'open'", NULL);
	sessionfix_broker_says(fx,
	    "{'op':'error','id':%llu,'code':'behind','message':'slow'}", id);
	sessionfix_expect(c, "'op':'error'", "'id':1", "'code':'behind'",
	    "'message':'slow'", NULL);
	presence_hears_of(fx, "'op':'absent'");
	/* And one that is lost on the way, with its broker. */
	sessionfix_say(c, ask);
	presence_hears_of(fx, "'op':'present'");
	id = asked(fx, "'op':'open'", NULL);
	sessionfix_broker_says(fx,
	    "{'op':'opened','id':%llu,'snapshot':5,'seq':0,'full':true}", id);
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	sessionfix_broker_leave(fx);
	sessionfix_expect(
	    c, "'op':'lagged'", "'id':1", "'reason':'snapshot'", NULL);
	sessionfix_quiet(c);
}

static void
questions_go_one_by_one_with_what_may_be_read(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, SOME);
	unsigned long long id;

	sessionfix_broker_come(fx);
	sessionfix_say(c,
	    "{'op':'history','id':1,'actor':'x','read':['>'],'admin':true,"
	    "'limit':5}");
	sessionfix_say(c, "{'op':'presence','id':2,'topics':['a.>']}");
	id = asked(fx, "'op':'history'", "'actor':'x'", "'limit':5",
	    "'read':['a.>'],'admin':false", NULL);
	sessionfix_broker_quiet(fx);
	sessionfix_say(c, "{'op':'ping','id':1}");
	sessionfix_expect(c, "'code':'bad_request'", "in use", NULL);
	sessionfix_broker_says(
	    fx, "{'op':'history','id':%llu,'events':[],'next':9}", id);
	sessionfix_expect(c, "'op':'history'", "'id':1", "'next':9", NULL);
	id = asked(fx, "'op':'presence'", "'topics':['a.>']", NULL);
	sessionfix_broker_leave(fx);
	sessionfix_expect(c, "'id':2", "'code':'unavailable'", NULL);
	sessionfix_say(c, "{'op':'history','id':1,'topic':'b.c'}");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
	sessionfix_say(c, "{'op':'presence','id':1,'topics':['b.>','$acl.>']}");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
}

/* They may be longer than what the broker takes, which would hang up. */
static void
keys_that_nobody_knows_stay_here(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	unsigned long long id;
	const char *got;

	sessionfix_broker_come(fx);
	sessionfix_say(
	    c, "{'op':'history','id':1,'junk':'x','limit':5,'topics':['a']}");
	got = sessionfix_broker_got(fx);
	assert_non_null(strstr(got, "'limit':5"));
	assert_null(strstr(got, "junk"));
	assert_null(strstr(got, "topics"));
	id = number(got, "'id':");
	sessionfix_broker_says(
	    fx, "{'op':'history','id':%llu,'events':[]}", id);
	sessionfix_expect(c, "'op':'history'", "'id':1", NULL);
	sessionfix_say(
	    c, "{'op':'presence','id':1,'junk':'x','topics':['a.>']}");
	got = sessionfix_broker_got(fx);
	assert_non_null(strstr(got, "'topics':['a.>']"));
	assert_null(strstr(got, "junk"));
	sessionfix_say(c, "{'op':'state','id':2,'topics':['a.>'],"
			  "'at':{'junk':'x','time':5}}");
	asked(fx, "'op':'open'", "'at':{'time':5}", NULL);
}

static void
a_question_is_asked_again_when_permissions_change(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	unsigned long long id;

	sessionfix_broker_come(fx);
	sessionfix_say(c, "{'op':'history','id':1}");
	id = asked(fx, "'read':['>']", NULL);
	sessionfix_say(c, "{'op':'auth','id':2,'token':'ada b.> - 3600'}");
	sessionfix_expect(c, "'op':'ok'", "'id':2", NULL);
	sessionfix_broker_says(
	    fx, "{'op':'history','id':%llu,'events':[[1]]}", id);
	id = asked(fx, "'op':'history'", "'read':['b.>']", NULL);
	sessionfix_quiet(c);
	sessionfix_broker_says(
	    fx, "{'op':'history','id':%llu,'events':[]}", id);
	sessionfix_expect(c, "'id':1", "'events':[]", NULL);
}

static void
a_snapshot_that_waits_in_vain_keeps_nobody_else(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_broker_come(fx);
	sessionfix_say(c,
	    "{'op':'state','id':1,'topics':['a'],'min_seq':9007199254740991}");
	asked(fx, "'op':'open'", "'min_seq':9007199254740991", NULL);
	c = sessionfix_client(fx, 1, ALL);
	sessionfix_say(c, "{'op':'state','id':1,'topics':['a']}");
	asked(fx, "'op':'open'", NULL);
}

static void
questions_that_wait_hold_no_more_than_a_message_may_have(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	char junk[2001];

	assert_int_equal(
	    conf_set(fx->conf, "gateway.max_message=8192", NULL), 0);
	memset(junk, 'x', sizeof(junk) - 1);
	junk[sizeof(junk) - 1] = '\0';
	sessionfix_broker_come(fx);
	for (int i = 1; i <= 4; i++)
		sessionfix_say(
		    c, "{'op':'history','id':%d,'junk':'%s'}", i, junk);
	sessionfix_quiet(c);
	sessionfix_say(c, "{'op':'history','id':5,'junk':'%s'}", junk);
	sessionfix_expect(c, "'code':'rate_limited'", "'id':5", NULL);
}

static void
positions_go_under_the_log_that_they_are_of(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;

	sessionfix_broker_come(fx);
	sessionfix_publish(fx, "a.b", 9);
	c = named(fx, 0);
	sessionfix_say(c, "{'op':'ack','seq':5}");
	session_close_all(&fx->gw, PROTO_CLOSE_RESTART, "the log changed");
	snprintf(fx->gw.log, sizeof(fx->gw.log), "log-2");
	fx->handler.closed(c->session);
	c->session = NULL;
	asked(fx, "'op':'ack'", "'seq':5", "'log':'log-1'", NULL);
	asked(fx, "'op':'leave'", NULL);
	sessionfix_broker_quiet(fx);
}

static void
a_state_is_a_snapshot_that_ends(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	unsigned long long id;

	sessionfix_broker_come(fx);
	sessionfix_say(
	    c, "{'op':'state','id':1,'topics':['a.>'],'at':{'time':5}}");
	id = asked(fx, "'op':'open'", "'at':{'time':5}", NULL);
	sessionfix_broker_says(fx,
	    "{'op':'opened','id':%llu,'snapshot':8,'seq':2,'full':true}", id);
	id = asked(fx, "'op':'part'", NULL);
	sessionfix_broker_says(
	    fx, "{'op':'part','id':%llu,'rows':[[1]],'last':true}", id);
	sessionfix_expect(
	    c, "'op':'snapshot'", "'id':1", "'seq':2", "'last':true", NULL);
	sessionfix_quiet(c);
	sessionfix_say(c, "{'op':'ping','id':1}");
	sessionfix_expect(c, "'op':'pong'", NULL);
	/* Below what is kept. */
	sessionfix_say(c, "{'op':'state','id':1,'topics':['a'],'at':1}");
	asked(fx, "'op':'close'", NULL);
	id = asked(fx, "'at':1", NULL);
	sessionfix_broker_says(fx,
	    "{'op':'error','id':%llu,'code':'not_found','message':'gone',"
	    "'oldest':7}",
	    id);
	sessionfix_expect(c, "'code':'not_found'", "'oldest':7", NULL);
}

static void
the_welcome_brings_stored_positions_and_what_comes_meanwhile_waits(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, NULL);
	unsigned long long id;

	sessionfix_broker_come(fx);
	sessionfix_say(
	    c, "{'op':'hello','v':1,'token':'" ALL "','client':'tab'}");
	sessionfix_say(c, "{'op':'ping','t':1}");
	sessionfix_quiet(c);
	id =
	    asked(fx, "'op':'cursors'", "'user':'ada'", "'client':'tab'", NULL);
	sessionfix_broker_says(
	    fx, "{'op':'cursors','id':%llu,'ack':{'x':4},'stale':['y']}", id);
	sessionfix_expect(
	    c, "'op':'welcome'", "'client':'tab'", "'ack':{'x':4}", NULL);
	sessionfix_expect(c, "'op':'pong'", NULL);
}

static void
the_welcome_waits_for_no_broker_that_is_away(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, NULL);
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;
	const char *got;

	sessionfix_say(
	    c, "{'op':'hello','v':1,'token':'" ALL "','client':'tab'}");
	got = sessionfix_next(c);
	assert_non_null(strstr(got, "welcome"));
	assert_null(strstr(got, "'ack'"));
	/* Nor for one that does not answer. */
	sessionfix_broker_come(fx);
	c = sessionfix_client(fx, 1, NULL);
	sessionfix_say(
	    c, "{'op':'hello','v':1,'token':'" ALL "','client':'tab'}");
	while (c->n == c->read) {
		assert_true(time_mono_ns() < deadline);
		sessionfix_turn(fx);
	}
	got = sessionfix_next(c);
	assert_non_null(strstr(got, "welcome"));
	assert_null(strstr(got, "'ack'"));
	/* Without a name of its own, none can be stored. */
	c = sessionfix_client(fx, 2, NULL);
	sessionfix_say(c, "{'op':'hello','v':1,'token':'" ALL "'}");
	sessionfix_expect(c, "'op':'welcome'", "'ack':{}", NULL);
}

static void
positions_are_gathered_told_and_told_again_to_a_new_broker(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;

	sessionfix_broker_come(fx);
	sessionfix_publish(fx, "a.b", 9);
	c = named(fx, 0);
	sessionfix_say(c, "{'op':'ack','seq':5}");
	sessionfix_say(c, "{'op':'ack','seq':7}");
	sessionfix_say(c, "{'op':'ack','seq':6}");
	sessionfix_broker_quiet(fx);
	session_tick_all(&fx->gw);
	asked(fx, "'op':'ack'", "'seq':7", "'name':''", "'log':'log-1'",
	    "'client':'tab'", NULL);
	session_tick_all(&fx->gw);
	sessionfix_broker_quiet(fx);
	sessionfix_quiet(c);
	sessionfix_say(c, "{'op':'ack','id':3,'seq':10}");
	sessionfix_expect(c, "'code':'ahead'", "'id':3", NULL);
	for (unsigned i = 0; i < 15; i++)
		sessionfix_say(c, "{'op':'ack','seq':1,'name':'n%u'}", i);
	sessionfix_quiet(c);
	sessionfix_say(c, "{'op':'ack','seq':1,'name':'n15'}");
	sessionfix_expect(c, "'code':'too_large'", NULL);
	sessionfix_broker_leave(fx);
	sessionfix_broker_come(fx);
	session_tick_all(&fx->gw);
	for (unsigned i = 0; i < 16; i++)
		asked(fx, "'op':'ack'", NULL);
	sessionfix_broker_quiet(fx);
	c = sessionfix_client(fx, 1, ALL);
	sessionfix_say(c, "{'op':'ack','seq':1}");
	sessionfix_expect(c, "'code':'bad_request'", "client", NULL);
}

static void
a_stored_position_begins_a_subscription(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;
	static const char ask[] = "{'op':'subscribe','id':%d,'topics':['a.b'],"
				  "'from':'ack','name':'%s'}";
	unsigned long long id;

	sessionfix_broker_come(fx);
	sessionfix_publish(fx, "a.b", 9);
	c = named(fx, 0);
	for (int i = 1; i <= 3; i++) {
		static const char *const names[] = { "x", "y", "z" };
		static const char *const says[] = { "'op':'subscribed'",
			"'code':'log_changed'", "'code':'not_found'" };

		sessionfix_say(c, ask, i, names[i - 1]);
		id = asked(fx, "'op':'cursors'", NULL);
		sessionfix_broker_says(fx,
		    "{'op':'cursors','id':%llu,'ack':{'w':1,'x':8},"
		    "'stale':['y']}",
		    id);
		sessionfix_expect(c, says[i - 1], NULL);
		if (i == 1) {
			presence_hears_of(fx, "'op':'present'");
			sessionfix_expect(c, "'op':'replay'", "'after':8",
			    "'upto':9", "'last':true", NULL);
		}
	}
	/* One that is not wanted any more. */
	sessionfix_say(c, ask, 4, "x");
	sessionfix_say(c, "{'op':'unsubscribe','id':4}");
	sessionfix_expect(c, "'op':'ok'", "'id':4", NULL);
	sessionfix_quiet(c);
}

static void
a_broker_that_cannot_store_makes_the_gateway_unready(void **state)
{
	struct sessionfix *fx = *state;
	struct reason why = { "" };

	assert_true(fx->handler.serving(&fx->gw, &why));
	fx->gw.stalled = true;
	assert_false(fx->handler.serving(&fx->gw, &why));
	assert_non_null(strstr(why.text, "full"));
}

static void
everybody_goes_in_a_slot_of_its_own_when_rules_change(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *a = sessionfix_client(fx, 0, ALL);
	struct sessionfix_client *b = sessionfix_client(fx, 1, ALL);
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;
	struct sessionfix_client *late;

	assert_int_equal(session_shed_all(&fx->gw, 200), 0);
	late = sessionfix_client(fx, 2, ALL);
	while (!a->conn.closed || !b->conn.closed) {
		assert_true(time_mono_ns() < deadline);
		sessionfix_turn(fx);
	}
	assert_int_equal(a->conn.closed, PROTO_CLOSE_RESTART);
	assert_int_equal(b->conn.closed, PROTO_CLOSE_RESTART);
	assert_int_equal(late->conn.closed, 0);
}

#define TEST(fn)                         \
	cmocka_unit_test_setup_teardown( \
	    fn, sessionfix_setup, sessionfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_snapshot_is_opened_taken_part_by_part_and_goes_live),
		TEST(a_scope_that_no_longer_holds_takes_all_rows),
		TEST(a_snapshot_that_is_refused_is_one_error),
		TEST(questions_go_one_by_one_with_what_may_be_read),
		TEST(keys_that_nobody_knows_stay_here),
		TEST(a_question_is_asked_again_when_permissions_change),
		TEST(a_snapshot_that_waits_in_vain_keeps_nobody_else),
		TEST(questions_that_wait_hold_no_more_than_a_message_may_have),
		TEST(positions_go_under_the_log_that_they_are_of),
		TEST(a_state_is_a_snapshot_that_ends),
		TEST(
		    the_welcome_brings_stored_positions_and_what_comes_meanwhile_waits),
		TEST(the_welcome_waits_for_no_broker_that_is_away),
		TEST(
		    positions_are_gathered_told_and_told_again_to_a_new_broker),
		TEST(a_stored_position_begins_a_subscription),
		TEST(a_broker_that_cannot_store_makes_the_gateway_unready),
		TEST(everybody_goes_in_a_slot_of_its_own_when_rules_change),
	};

	return cmocka_run_group_tests_name("session_broker", tests, NULL, NULL);
}
