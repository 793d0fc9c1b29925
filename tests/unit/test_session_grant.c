/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the log says of a user counts at once: for what his sessions have
 * under way, for what they ask next, and for tokens that come later.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/grants.h"
#include "gateway/session.h"
#include "tests/lib/sessionfix.h"

#define ADA "ada a.> a.> 3600"

static void
says(struct sessionfix *fx, const char *topic, const char *data)
{
	const struct sessionfix_event event = { topic, data };

	sessionfix_publish_data(fx, &event, 1);
}

static void
subscribes(struct sessionfix_client *c, unsigned id, const char *topic)
{
	sessionfix_say(c,
	    "{'op':'subscribe','id':%u,'topics':['%s'],'from':'now'}", id,
	    topic);
	sessionfix_expect(c, "'op':'subscribed'", NULL);
}

static void
is_forbidden(struct sessionfix_client *c, const char *topic)
{
	sessionfix_say(c,
	    "{'op':'subscribe','id':99,'topics':['%s'],'from':'now'}", topic);
	sessionfix_expect(c, "'code':'forbidden'", "'id':99", NULL);
}

static void
is_revoked(struct sessionfix_client *c)
{
	sessionfix_expect(c, "'op':'revoked'", "'reason':'", NULL);
	sessionfix_quiet(c);
	assert_int_equal(c->conn.closed, 4503);
}

static void
lags(struct sessionfix_client *c, const char *id)
{
	sessionfix_expect(
	    c, "'op':'lagged'", id, "'reason':'permissions'", NULL);
}

static void
a_grant_opens_topics_to_who_subscribes_again(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);

	is_forbidden(c, "b.x");
	subscribes(c, 1, "*.x");
	says(fx, "$acl.ada", "{'read':['b.>'],'write':[]}");
	lags(c, "'id':1");
	subscribes(c, 1, "*.x");
	sessionfix_publish(fx, "b.x", 1);
	sessionfix_publish(fx, "c.x", 1);
	sessionfix_publish(fx, "a.x", 1);
	sessionfix_expect(c, "[1,2,[2,", "b.x", NULL);
	assert_null(strstr(sessionfix_next(c), "c.x"));
	sessionfix_quiet(c);
}

static void
a_grant_that_shrinks_ends_what_it_had_opened(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;

	says(fx, "$acl.ada", "{'read':['b.>','c.>'],'write':['b.>']}");
	c = sessionfix_client(fx, 0, ADA);
	subscribes(c, 1, "b.>");
	subscribes(c, 2, "a.>");
	subscribes(c, 3, "c.x");
	sessionfix_publish(fx, "b.x", 1);
	sessionfix_expect(c, "[1,2,[2,", NULL);
	says(fx, "$acl.ada", "{'read':['c.>'],'write':[]}");
	lags(c, "'id':1");
	sessionfix_publish(fx, "b.x", 1);
	sessionfix_publish(fx, "a.x", 1);
	sessionfix_publish(fx, "c.x", 1);
	assert_null(strstr(sessionfix_next(c), "b.x"));
	sessionfix_expect(c, "c.x", NULL);
	sessionfix_quiet(c);
	is_forbidden(c, "b.>");
}

static void
appends_ask_for_the_grant_of_the_moment(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);
	static const char append[] =
	    "{'op':'append','id':1,'events':[{'topic':'b.x','type':'t',"
	    "'data':1%s}]}";

	sessionfix_say(c, append, "");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
	says(fx, "$acl.ada", "{'write':['b.*']}");
	sessionfix_say(c, append, "");
	assert_non_null(strstr(sessionfix_writer_got(fx), "b.x"));
	sessionfix_say(c,
	    "{'op':'append','id':2,'events':[{'topic':'b.x','type':'t',"
	    "'data':1,'expect':0}]}");
	sessionfix_expect(c, "'code':'forbidden'", "'id':2", NULL);
	says(fx, "$acl.ada", "{'read':['b.*']}");
	sessionfix_say(c,
	    "{'op':'append','id':2,'events':[{'topic':'b.x','type':'t',"
	    "'data':1}]}");
	sessionfix_expect(c, "'code':'forbidden'", "'id':2", NULL);
	sessionfix_writer_quiet(fx);
}

static void
who_sees_the_same_as_before_notices_nothing(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);

	subscribes(c, 1, "a.x");   /* within the token */
	subscribes(c, 2, "*.a.>"); /* not, but a.a.> alone concerns it */
	says(fx, "$acl.ada", "{'read':['b.b'],'write':['z']}");
	sessionfix_publish(fx, "a.a.x", 1);
	sessionfix_publish(fx, "b.a.x", 1);
	sessionfix_publish(fx, "a.x", 1);
	sessionfix_expect(c, "[0,2,[2,", "a.a.x", NULL);
	sessionfix_expect(c, "[2,4,[4,", "a.x", NULL);
	subscribes(c, 3, "b.b");
	sessionfix_publish(fx, "b.b", 1);
	sessionfix_expect(c, "b.b", NULL);
	sessionfix_quiet(c);
}

/* Of one request, whatever the order of its events. */
static void
nothing_of_the_request_that_revokes_reaches_the_revoked(void **state)
{
	static const struct sessionfix_event request[] = { { "a.x", "1" },
		{ "$revoke.ada", "{'before':1001}" }, { "a.x", "2" } };
	struct sessionfix *fx = *state;
	struct sessionfix_client *ada = sessionfix_client(fx, 0, ADA);
	struct sessionfix_client *bob =
	    sessionfix_client(fx, 1, "bob a.> - 3600");

	subscribes(ada, 1, "a.>");
	subscribes(bob, 1, "a.>");
	sessionfix_publish_data(fx, request, 3);
	is_revoked(ada);
	sessionfix_expect(bob, "[0,3,[1,", "[3,", NULL);
	sessionfix_quiet(bob);
	sessionfix_publish(fx, "a.x", 1);
	sessionfix_quiet(ada);
}

static void
a_request_that_shrinks_a_grant_is_seen_as_it_says(void **state)
{
	static const struct sessionfix_event request[] = { { "b.x", "1" },
		{ "a.y", "2" }, { "$acl.ada", "{'read':['c.>']}" },
		{ "b.x", "3" }, { "c.x", "4" } };
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;

	says(fx, "$acl.ada", "{'read':['b.>','c.>']}");
	c = sessionfix_client(fx, 0, ADA);
	subscribes(c, 1, "b.>");
	subscribes(c, 2, ">");
	subscribes(c, 3, "a.>");
	subscribes(c, 4, "c.>");
	sessionfix_publish_data(fx, request, 5);
	lags(c, "'id':2");
	lags(c, "'id':1");
	sessionfix_expect(c, "[1,6,[3,", "a.y", "[6,", "c.x", NULL);
	sessionfix_quiet(c);
}

static void
requests_in_pieces_count_as_a_whole(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);
	const struct sessionfix_event twice[] = {
		{ "$acl.ada", "{'read':['b.x']}" }, { "b.x", "1" },
		{ "$acl.ada", "{'read':['b.y']}" }, { "b.y", "2" }
	};

	sessionfix_publish_data(fx, twice, 4);
	is_forbidden(c, "b.x");
	subscribes(c, 1, "b.y");
	sessionfix_publish_data(fx, twice + 1, 3);
	sessionfix_expect(c, "[4,7,[7,", "b.y", NULL);
	sessionfix_quiet(c);
}

static void
tokens_issued_before_are_refused_and_later_ones_let_in(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;

	says(fx, "$revoke.ada", "{'before':2000}");
	c = sessionfix_client(fx, 0, NULL);
	sessionfix_say(c, "{'op':'hello','id':7,'v':1,'token':'%s 1999'}", ADA);
	sessionfix_expect(c, "'code':'unauthorized'", "'id':7", NULL);
	is_revoked(c);
	c = sessionfix_client(fx, 1, ADA " 2000");
	subscribes(c, 1, "a.x");
	sessionfix_say(c, "{'op':'auth','id':2,'token':'%s 1999'}", ADA);
	sessionfix_expect(c, "'code':'unauthorized'", "'id':2", NULL);
	sessionfix_publish(fx, "a.x", 1);
	sessionfix_expect(c, "[1,2,[2,", NULL);
	sessionfix_say(c, "{'op':'auth','id':2,'token':'%s 2500'}", ADA);
	sessionfix_expect(c, "'op':'ok'", NULL);
	says(fx, "$revoke.ada", "{'before':2500}");
	sessionfix_quiet(c);
	says(fx, "$revoke.ada", "{'before':2501}");
	is_revoked(c);
	says(fx, "$revoke.ada", "{'before':0}");
	(void)sessionfix_client(fx, 2, ADA);
}

static void
others_of_the_log_and_of_the_user_are_left_alone(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *old = sessionfix_client(fx, 0, ADA);
	struct sessionfix_client *fresh = sessionfix_client(fx, 1, ADA " 5000");
	struct sessionfix_client *bob =
	    sessionfix_client(fx, 2, "bob a.> - 3600");

	says(fx, "$revoke.ada", "{'before':5000}");
	is_revoked(old);
	sessionfix_quiet(fresh);
	sessionfix_quiet(bob);
	says(fx, "$acl.ada", "{'read':['b.>']}");
	is_forbidden(bob, "b.x");
	subscribes(fresh, 1, "b.x");
	sessionfix_quiet(old);
}

static void
a_fresh_token_keeps_what_was_granted(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;

	says(fx, "$acl.ada", "{'read':['b.>']}");
	c = sessionfix_client(fx, 0, ADA);
	subscribes(c, 1, "b.x");
	sessionfix_say(c, "{'op':'auth','id':2,'token':'ada c.> - 3600'}");
	sessionfix_expect(c, "'op':'ok'", NULL);
	sessionfix_publish(fx, "b.x", 1);
	sessionfix_expect(c, "[1,2,[2,", NULL);
	is_forbidden(c, "a.x");
	says(fx, "$acl.ada", "{}");
	lags(c, "'id':1");
	is_forbidden(c, "b.x");
	subscribes(c, 1, "c.x");
}

static void
who_has_no_token_has_no_grant(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;

	assert_int_equal(
	    acl_add(&fx->gw.anonymous, ACL_READ, SLICE_STR("a.>"), NULL),
	    ACL_ADDED);
	c = sessionfix_client(fx, 0, NULL);
	sessionfix_say(c, "{'op':'hello','v':1}");
	sessionfix_expect(c, "'op':'welcome'", NULL);
	subscribes(c, 1, "a.x");
	says(fx, "$acl.x", "{'read':['b.>']}");
	says(fx, "$revoke.x", "{'before':5000}");
	is_forbidden(c, "b.x");
}

/* The connection is blocked: its answer stands in hand. */
static void
an_answer_that_waits_is_asked_for_again(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);
	unsigned long long id;

	sessionfix_broker_come(fx);
	c->conn.room = 0;
	sessionfix_say(c, "{'op':'history','id':1}");
	assert_int_equal(sscanf(strstr(sessionfix_broker_got(fx), "'id':"),
			     "'id':%llu", &id),
	    1);
	/* Something is being sent, so that no answer can be. */
	c->conn.pinned = true;
	sessionfix_broker_says(
	    fx, "{'op':'history','id':%llu,'events':[[7]]}", id);
	sessionfix_quiet(c);
	says(fx, "$acl.ada", "{'read':['b.>']}");
	assert_int_equal(sscanf(strstr(sessionfix_broker_got(fx), "'id':"),
			     "'id':%llu", &id),
	    1);
	c->conn.pinned = false;
	c->conn.room = UINT32_MAX;
	sessionfix_broker_says(
	    fx, "{'op':'history','id':%llu,'events':[[8]]}", id);
	sessionfix_expect(c, "'events':[[8]]", "'id':1", NULL);
	sessionfix_quiet(c);
}

static void
questions_carry_the_grant_along(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);

	sessionfix_broker_come(fx);
	sessionfix_say(c, "{'op':'history','id':1,'topic':'b.x'}");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
	sessionfix_say(c, "{'op':'presence','id':1,'topics':['b.x']}");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
	sessionfix_say(c, "{'op':'state','id':1,'topics':['b.x']}");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
	says(fx, "$acl.ada", "{'read':['b.>']}");
	sessionfix_say(c, "{'op':'history','id':1,'topic':'b.x'}");
	assert_non_null(
	    strstr(sessionfix_broker_got(fx), "'read':['a.>','b.>']"));
	sessionfix_say(c, "{'op':'state','id':2,'topics':['b.x']}");
	assert_non_null(strstr(sessionfix_broker_got(fx), "'op':'open'"));
	says(fx, "$acl.ada", "{}");
	sessionfix_expect(c, "'code':'unavailable'", "'id':2", NULL);
	assert_non_null(strstr(sessionfix_broker_got(fx), "'op':'history'"));
}

static void
a_revoked_session_leaves_nothing_under_way(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);
	unsigned long long id;

	sessionfix_broker_come(fx);
	subscribes(c, 1, "a.x");
	(void)sessionfix_broker_got(fx); /* present */
	sessionfix_say(c, "{'op':'history','id':2}");
	assert_int_equal(sscanf(strstr(sessionfix_broker_got(fx), "'id':"),
			     "'id':%llu", &id),
	    1);
	says(fx, "$revoke.ada", "{'before':5000}");
	is_revoked(c);
	assert_non_null(strstr(sessionfix_broker_got(fx), "'absent'"));
	sessionfix_broker_says(
	    fx, "{'op':'history','id':%llu,'events':[[7]]}", id);
	sessionfix_say(c, "{'op':'ping'}");
	sessionfix_quiet(c);
}

/* The revocation comes to light while the request is being served. */
static void
a_request_behind_the_revocation_is_not_served(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);
	const struct sessionfix_event event = { "$revoke.ada",
		"{'before':5000}" };
	const struct sessionfix_event later = { "$revoke.ada",
		"{'before':6000}" };

	sessionfix_publish_unseen(fx, &event, 1);
	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['a.x'],'from':'now'}");
	is_revoked(c);
	c = sessionfix_client(fx, 1, NULL);
	sessionfix_publish_unseen(fx, &later, 1);
	sessionfix_say(c, "{'op':'hello','v':1,'token':'%s 5500'}", ADA);
	sessionfix_expect(c, "'code':'unauthorized'", NULL);
	is_revoked(c);
}

/* Of one pass: what is in the open block was permitted when it came. */
static void
what_was_gathered_is_cut_to_what_all_may_see(void **state)
{
	static const struct sessionfix_event events[] = { { "b.x", "1" },
		{ "a.x", "1" }, { "$acl.ada", "{}" } };
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;
	unsigned told = 0;

	says(fx, "$acl.ada", "{'read':['b.>']}");
	c = sessionfix_client(fx, 0, ADA);
	subscribes(c, 1, "b.>");
	subscribes(c, 2, "b.*");
	subscribes(c, 3, "a.>");
	for (unsigned i = 0; i < ARRAY_LEN(events); i++)
		sessionfix_publish_unseen(fx, &events[i], 1);
	sessionfix_turn(fx);
	while (c->read < c->n) {
		const char *text = sessionfix_next(c);

		assert_null(strstr(text, "b.x"));
		told += strstr(text, "'reason':'permissions'") != NULL;
		told += strstr(text, "a.x") != NULL;
	}
	assert_int_equal(told, 3);
}

static void
while_permissions_are_unknown_everything_waits(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ADA);
	struct sessionfix_client *late = sessionfix_client(fx, 1, NULL);
	struct sessionfix_client *gone =
	    sessionfix_client(fx, 2, "gone a.> - 3600");

	subscribes(gone, 1, "a.x");
	session_hold_all(&fx->gw);
	grants_forget(fx->gw.grants, false);
	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['a.x'],'from':'now'}");
	sessionfix_say(late, "{'op':'hello','v':1,'token':'%s'}", ADA);
	sessionfix_say(
	    late, "{'op':'subscribe','id':1,'topics':['a.x'],'from':'now'}");
	sessionfix_quiet(c);
	sessionfix_quiet(late);
	/* What is said meanwhile counts, too. */
	says(fx, "$revoke.gone", "{'before':5000}");
	is_revoked(gone);
	grants_all_known(fx->gw.grants, fx->ring.seq);
	session_resume_all(&fx->gw);
	fakeconn_flush(&c->conn);
	fakeconn_flush(&late->conn);
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	sessionfix_expect(late, "'op':'welcome'", NULL);
	sessionfix_expect(late, "'op':'subscribed'", NULL);
	sessionfix_publish(fx, "a.x", 1);
	sessionfix_expect(c, "a.x", NULL);
	sessionfix_expect(late, "a.x", NULL);
}

int
main(void)
{
#define TEST(fn)                         \
	cmocka_unit_test_setup_teardown( \
	    fn, sessionfix_setup, sessionfix_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_grant_opens_topics_to_who_subscribes_again),
		TEST(a_grant_that_shrinks_ends_what_it_had_opened),
		TEST(appends_ask_for_the_grant_of_the_moment),
		TEST(who_sees_the_same_as_before_notices_nothing),
		TEST(nothing_of_the_request_that_revokes_reaches_the_revoked),
		TEST(a_request_that_shrinks_a_grant_is_seen_as_it_says),
		TEST(requests_in_pieces_count_as_a_whole),
		TEST(tokens_issued_before_are_refused_and_later_ones_let_in),
		TEST(others_of_the_log_and_of_the_user_are_left_alone),
		TEST(a_fresh_token_keeps_what_was_granted),
		TEST(who_has_no_token_has_no_grant),
		TEST(an_answer_that_waits_is_asked_for_again),
		TEST(questions_carry_the_grant_along),
		TEST(a_revoked_session_leaves_nothing_under_way),
		TEST(a_request_behind_the_revocation_is_not_served),
		TEST(what_was_gathered_is_cut_to_what_all_may_see),
		TEST(while_permissions_are_unknown_everything_waits),
	};

	return cmocka_run_group_tests_name("session grants", tests, NULL, NULL);
}
