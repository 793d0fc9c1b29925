/* SPDX-License-Identifier: BSD-2-Clause */

/* Sessions: who gets in, what may be subscribed, and what is refused how. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/conf.h"
#include "gateway/counters.h"
#include "gateway/session.h"
#include "gateway/ws.h"
#include "tests/lib/sessionfix.h"

#define ALL "me > > 3600"

static void
nothing_is_served_before_hello(void **state)
{
	struct sessionfix *fx = *state;
	static const char *const first[] = { "{'op':'ping','id':7}",
		"{'op':'nonsense','id':7}", "{'op':'subscribe','id':7}",
		"[1]" };

	for (unsigned i = 0; i < ARRAY_LEN(first); i++) {
		struct sessionfix_client *c = sessionfix_client(fx, i, NULL);

		sessionfix_say(c, "%s", first[i]);
		sessionfix_expect(c, "'code':'unauthorized'", NULL);
		assert_int_equal(c->conn.closed, 4401);
		/* What follows is not even looked at. */
		sessionfix_say(c, "{'op':'hello','v':1,'token':'" ALL "'}");
		sessionfix_quiet(c);
	}
}

static void
hello_is_answered_with_welcome_once(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, NULL);

	sessionfix_publish(fx, "a.b", 3);
	sessionfix_say(
	    c, "{'op':'hello','v':1,'token':'" ALL "','client':'tab','id':1}");
	sessionfix_expect(c, "'op':'welcome'", "'id':1", "'v':1", "'user':'me'",
	    "'client':'tab'", "'log':'log-1'", "'head':3", "'oldest':1",
	    "'mark_interval':5000", "'ping_interval':25000",
	    "'max_message':4194304", "'keys_seconds':", "'fold':{'version':",
	    "'node':", "'time':", "'session':", NULL);
	assert_true(c->conn.established);
	sessionfix_say(c, "{'op':'hello','v':1,'token':'" ALL "','id':2}");
	sessionfix_expect(c, "'code':'bad_request'", "'id':2", NULL);
	assert_int_equal(c->conn.closed, 0);
}

static void
who_may_not_come_in_is_told_why(void **state)
{
	struct sessionfix *fx = *state;
	static const struct {
		const char *hello;
		unsigned code;
	} rows[] = {
		{ "{'op':'hello','v':1}", 4401 },
		{ "{'op':'hello','v':1,'token':'x'}", 4401 },
		{ "{'op':'hello','v':2,'token':'" ALL "'}", 4505 },
		/* No hello at all: another try is free until the deadline. */
		{ "{'op':'hello','token':'" ALL "'}", 0 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct sessionfix_client *c = sessionfix_client(fx, i, NULL);

		sessionfix_say(c, "%s", rows[i].hello);
		sessionfix_expect(c, "'op':'error'", NULL);
		assert_int_equal(c->conn.closed, rows[i].code);
		assert_false(c->conn.established);
	}
}

static void
a_client_without_a_token_reads_what_everybody_may(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, NULL);

	assert_int_equal(
	    acl_add(&fx->gw.anonymous, ACL_READ, SLICE_STR("open.>"), NULL),
	    ACL_ADDED);
	sessionfix_say(c, "{'op':'hello','v':1}");
	sessionfix_expect(c, "'op':'welcome'", "'user':''", NULL);
	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['shut.x'],'from':'now'}");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['>'],'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	sessionfix_publish(fx, "shut.x", 1);
	sessionfix_publish(fx, "open.x", 1);
	sessionfix_expect(c, "[0,2,[2,", "open.x", NULL);
	sessionfix_quiet(c);
	/* They are many users, whatever one user may have. */
	fx->gw.quotas.max_conns = 1;
	c = sessionfix_client(fx, 1, NULL);
	sessionfix_say(c, "{'op':'hello','v':1}");
	sessionfix_expect(c, "'op':'welcome'", NULL);
}

static void
a_user_has_so_many_connections(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;

	counters_reset();
	fx->gw.quotas.max_conns = 2;
	(void)sessionfix_client(fx, 0, ALL);
	(void)sessionfix_client(fx, 1, ALL);
	c = sessionfix_client(fx, 2, NULL);
	sessionfix_say(c, "{'op':'hello','v':1,'token':'" ALL "'}");
	sessionfix_expect(c, "'code':'rate_limited'", "'retry_ms':", NULL);
	assert_int_equal(c->conn.closed, 4429);
	assert_int_equal(COUNTERS_GET(refused_user), 1);
	/* Another user is not concerned. */
	(void)sessionfix_client(fx, 3, "you > - 60");
}

static void
bytes_that_are_no_value_close_the_connection(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	fx->handler.message(c->session, WS_BINARY, SLICE_STR("\xc1"));
	assert_int_equal(c->conn.closed, 1007);
}

static void
an_unknown_request_leaves_the_connection_open(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_say(c, "{'op':'nonsense','id':3}");
	sessionfix_expect(c, "'code':'bad_request'", "'id':3", NULL);
	sessionfix_say(c, "{'op':'ping','id':3,'t':[1,'x']}");
	sessionfix_expect(
	    c, "'op':'pong'", "'id':3", "'t':[1,'x']", "'head':0", NULL);
}

static void
a_ping_that_is_too_long_is_refused(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	/* Three bytes in front of them. */
	sessionfix_say(c, "{'op':'ping','id':4,'t':'%01021d'}", 0);
	sessionfix_expect(c, "'op':'pong'", "'id':4", NULL);
	sessionfix_say(c, "{'op':'ping','id':5,'t':'%01022d'}", 0);
	sessionfix_expect(c, "'code':'bad_request'", "'id':5", "\\'t\\'", NULL);
	sessionfix_quiet(c);
}

static void
now_means_behind_everything_that_is_visible(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_publish(fx, "a.b", 5);
	sessionfix_say(
	    c, "{'op':'subscribe','id':9,'topics':['a.*'],'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", "'id':9", "'seq':5", NULL);
	sessionfix_publish(fx, "a.b", 1);
	sessionfix_expect(c, "[5,6,[6,", NULL);
	sessionfix_say(c, "{'op':'unsubscribe','id':9}");
	sessionfix_expect(c, "'op':'ok'", "'id':9", NULL);
	sessionfix_publish(fx, "a.b", 1);
	sessionfix_quiet(c);
	sessionfix_say(c, "{'op':'unsubscribe','id':9}");
	sessionfix_expect(c, "'op':'ok'", "'id':9", NULL);
}

static void
a_position_is_replayed_and_then_live(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_publish(fx, "a.b", 3);
	sessionfix_say(c,
	    "{'op':'subscribe','id':1,'topics':['a.b'],'from':1,'log':'log-1'}");
	sessionfix_expect(c, "'op':'subscribed'", "'id':1", NULL);
	sessionfix_expect(c, "'op':'replay'", "'id':1", "'after':1", "'upto':3",
	    "[[2,", "[3,", "'last':true", NULL);
	sessionfix_publish(fx, "a.b", 1);
	sessionfix_expect(c, "[3,4,[4,", NULL);
	/* From the head there is nothing to replay, and it is said. */
	sessionfix_say(c,
	    "{'op':'subscribe','id':2,'topics':['c'],'from':4,'log':'log-1'}");
	sessionfix_expect(c, "'op':'subscribed'", "'id':2", NULL);
	sessionfix_expect(c, "'op':'replay'", "'id':2", "'after':4", "'upto':4",
	    "'events':[]", "'last':true", NULL);
}

static void
a_position_that_cannot_be_served_is_refused(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const char ask[] =
	    "{'op':'subscribe','id':1,'topics':['a.b'],'from':%d%s}";

	sessionfix_publish(fx, "a.b", 200);
	sessionfix_say(c, ask, 199, "");
	sessionfix_expect(c, "'code':'bad_request'", "log", NULL);
	sessionfix_say(c, ask, 199, ",'log':'log-2'");
	sessionfix_expect(c, "'code':'log_changed'", NULL);
	sessionfix_say(c, ask, 201, ",'log':'log-1'");
	sessionfix_expect(c, "'code':'ahead'", NULL);
	fx->no_writer = true;
	sessionfix_say(c, ask, 201, ",'log':'log-1'");
	sessionfix_expect(c, "'code':'unavailable'", "'retry_ms':", NULL);
	sessionfix_say(c, ask, 3, ",'log':'log-1'");
	/* Only the broker reads the log behind the ring. */
	sessionfix_expect(c, "'code':'unavailable'", "'id':1", NULL);
	/* The id is free again. */
	sessionfix_say(c, ask, 200, ",'log':'log-1'");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
}

static void
what_needs_the_broker_says_that_it_is_away(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const char *const asked[] = {
		"{'op':'subscribe','id':1,'topics':['a'],'from':'snapshot'}",
		"{'op':'state','id':1,'topics':['a']}",
		"{'op':'history','id':1}",
		"{'op':'presence','id':1,'topics':['a']}",
	};

	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		sessionfix_say(c, "%s", asked[i]);
		sessionfix_expect(
		    c, "'code':'unavailable'", "'id':1", "'retry_ms':", NULL);
	}
	sessionfix_quiet(c);
}

static void
an_id_is_used_once_at_a_time(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['a'],'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['b'],'from':'now'}");
	sessionfix_expect(c, "'code':'bad_request'", "'id':1", NULL);
	sessionfix_say(c, "{'op':'ping','id':1}");
	sessionfix_expect(c, "'code':'bad_request'", NULL);
	sessionfix_say(c, "{'op':'unsubscribe','id':1}");
	sessionfix_expect(c, "'op':'ok'", NULL);
	sessionfix_say(c, "{'op':'ping','id':1}");
	sessionfix_expect(c, "'op':'pong'", NULL);
	sessionfix_say(c, "{'op':'subscribe','topics':['b'],'from':'now'}");
	sessionfix_expect(c, "'code':'bad_request'", NULL);
	sessionfix_say(c, "{'op':'unsubscribe'}");
	sessionfix_expect(c, "'code':'bad_request'", NULL);
}

static void
subscriptions_and_patterns_are_limited(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	counters_reset();
	for (unsigned i = 1; i <= 65; i++) {
		sessionfix_say(c,
		    "{'op':'subscribe','id':%u,'topics':['a.%u','b.%u','c.%u'],"
		    "'from':'now'}",
		    i, i, i, i);
		sessionfix_expect(
		    c, i <= 64 ? "'subscribed'" : "'too_large'", NULL);
	}
	sessionfix_say(c, "{'op':'unsubscribe','id':1}");
	sessionfix_expect(c, "'op':'ok'", NULL);
	assert_int_equal(COUNTERS_GET(limited_subscriptions), 1);
	/* 189 patterns are there. */
	c = sessionfix_client(fx, 1, ALL);
	for (unsigned i = 1; i <= 33; i++) {
		sessionfix_say(c,
		    "{'op':'subscribe','id':%u,'topics':['a','b','c','d','e',"
		    "'f','g','h'],'from':'now'}",
		    i);
		sessionfix_expect(
		    c, i <= 32 ? "'subscribed'" : "'too_large'", NULL);
	}
	assert_int_equal(COUNTERS_GET(limited_patterns), 1);
}

static void
limits_of_subscriptions_can_be_others_and_none(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const char *const none[] = { "gateway.subscriptions=0",
		"gateway.patterns=0" };

	counters_reset();
	assert_int_equal(
	    conf_set(fx->conf, "gateway.pattern_bytes=4", NULL), 0);
	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['a.b.c'],'from':'now'}");
	sessionfix_expect(c, "'too_large'", "at most 4 bytes", NULL);
	assert_int_equal(COUNTERS_GET(limited_patterns), 1);
	for (unsigned i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(conf_set(fx->conf, none[i], NULL), 0);
	assert_int_equal(
	    conf_set(fx->conf, "gateway.pattern_bytes=255", NULL), 0);
	for (unsigned i = 1; i <= 300; i++) {
		sessionfix_say(c,
		    "{'op':'subscribe','id':%u,'topics':['a.%u'],"
		    "'from':'now'}",
		    i, i);
		sessionfix_expect(c, "'subscribed'", NULL);
	}
}

static void
types_choose_among_the_events(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_say(c,
	    "{'op':'subscribe','id':1,'topics':['a'],'types':['x*'],"
	    "'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	sessionfix_publish(fx, "a", 1);
	sessionfix_quiet(c);
	sessionfix_say(c,
	    "{'op':'subscribe','id':2,'topics':['a'],'types':['s*t'],"
	    "'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", "'seq':1", NULL);
	sessionfix_expect(c, "[0,1]", NULL);
	sessionfix_publish(fx, "a", 1);
	sessionfix_expect(c, "[1,2,[2,", NULL);
	sessionfix_say(c, "{'op':'subscribe','id':3,'topics':['a'],'types':[],"
			  "'from':'now'}");
	sessionfix_expect(c, "'code':'bad_request'", NULL);
}

static void
fresh_tokens_are_taken_on_the_way(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['a.x'],'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	sessionfix_say(
	    c, "{'op':'subscribe','id':2,'topics':['b.x'],'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	sessionfix_say(c, "{'op':'auth','id':3,'token':'you > > 60'}");
	sessionfix_expect(c, "'code':'unauthorized'", "'id':3", NULL);
	sessionfix_say(c, "{'op':'auth','id':3,'token':'bad'}");
	sessionfix_expect(c, "'code':'unauthorized'", NULL);
	sessionfix_say(c, "{'op':'auth','id':3,'token':'me a.>,c a.> 60'}");
	sessionfix_expect(c, "'op':'ok'", "'id':3", NULL);
	sessionfix_expect(
	    c, "'op':'lagged'", "'id':2", "'reason':'permissions'", NULL);
	sessionfix_publish(fx, "a.x", 1);
	sessionfix_publish(fx, "b.x", 1);
	sessionfix_expect(c, "[0,1,[1,", "a.x", NULL);
	sessionfix_quiet(c);
	assert_int_equal(c->conn.closed, 0);
}

static void
a_token_that_ends_is_announced_and_then_the_end(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *soon = sessionfix_client(fx, 0, "me > > 30");
	struct sessionfix_client *late = sessionfix_client(fx, 1, "me > > 90");
	struct sessionfix_client *over = sessionfix_client(fx, 2, "me > > -30");
	struct sessionfix_client *slow = sessionfix_client(fx, 3, "me > > -5");

	session_tick_all(&fx->gw);
	sessionfix_expect(soon, "'op':'expiring'", "'in':", NULL);
	assert_int_equal(soon->conn.closed, 0);
	sessionfix_quiet(late);
	assert_int_equal(over->conn.closed, 4401);
	/* What the leeway let in ends with the leeway. */
	sessionfix_expect(slow, "'op':'expiring'", NULL);
	assert_int_equal(slow->conn.closed, 0);
	/* Once is enough, until there is another token. */
	fakeconn_flush(&soon->conn);
	session_tick_all(&fx->gw);
	sessionfix_quiet(soon);
	sessionfix_say(soon, "{'op':'auth','token':'me > > 50'}");
	sessionfix_expect(soon, "'op':'ok'", NULL);
	session_tick_all(&fx->gw);
	sessionfix_expect(soon, "'op':'expiring'", NULL);
}

static void
each_client_is_sent_away_at_a_time_of_its_own(void **state)
{
	struct sessionfix *fx = *state;
	unsigned open = 4;

	for (unsigned i = 0; i < 4; i++)
		(void)sessionfix_client(fx, i, ALL);
	session_drain_all(&fx->gw, 4000);
	for (unsigned i = 0; i < 4; i++)
		sessionfix_expect(
		    &fx->clients[i], "'op':'draining'", "'in':", NULL);
	for (unsigned ms = 500; ms <= 4500; ms += 1000) {
		unsigned left = 0;

		session_drained(&fx->gw, ms);
		for (unsigned i = 0; i < 4; i++)
			left += fx->clients[i].conn.closed == 0;
		assert_int_equal(left, open);
		open -= open > 0;
	}
	assert_int_equal(fx->clients[0].conn.closed, 1012);
}

static void
a_changed_log_closes_every_connection(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['a'],'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	session_close_all(&fx->gw, 1012, "the log changed");
	assert_int_equal(c->conn.closed, 1012);
	assert_true(LIST_EMPTY(&fx->gw.groups.all));
}

#define TEST(fn)                         \
	cmocka_unit_test_setup_teardown( \
	    fn, sessionfix_setup, sessionfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_served_before_hello),
		TEST(hello_is_answered_with_welcome_once),
		TEST(who_may_not_come_in_is_told_why),
		TEST(a_client_without_a_token_reads_what_everybody_may),
		TEST(a_user_has_so_many_connections),
		TEST(bytes_that_are_no_value_close_the_connection),
		TEST(an_unknown_request_leaves_the_connection_open),
		TEST(a_ping_that_is_too_long_is_refused),
		TEST(now_means_behind_everything_that_is_visible),
		TEST(a_position_is_replayed_and_then_live),
		TEST(a_position_that_cannot_be_served_is_refused),
		TEST(what_needs_the_broker_says_that_it_is_away),
		TEST(an_id_is_used_once_at_a_time),
		TEST(subscriptions_and_patterns_are_limited),
		TEST(limits_of_subscriptions_can_be_others_and_none),
		TEST(types_choose_among_the_events),
		TEST(fresh_tokens_are_taken_on_the_way),
		TEST(a_token_that_ends_is_announced_and_then_the_end),
		TEST(each_client_is_sent_away_at_a_time_of_its_own),
		TEST(a_changed_log_closes_every_connection),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
