/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Subscriptions that get less than every event: of some types alone, or what
 * an interval leaves.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/reason.h"
#include "core/rules.h"
#include "core/time.h"
#include "tests/lib/sessionfix.h"

#define ALL "me > > 3600"

/* No group is due for an hour, however slow this machine is. */
static void
stop_clock(struct sessionfix *fx)
{
	struct group *g;

	LIST_FOREACH (g, &fx->gw.groups.all, link)
		g->sent_ns = time_mono_ns() + 3600 * NS_PER_S;
}

/* Every group is due. */
static void
interval_ends(struct sessionfix *fx)
{
	struct group *g;

	LIST_FOREACH (g, &fx->gw.groups.all, link)
		g->sent_ns = 0;
	(void)group_table_flush(&fx->gw.groups);
	stop_clock(fx);
}

static void
subscribe(struct sessionfix_client *c, unsigned id, const char *more)
{
	sessionfix_say(
	    c, "{'op':'subscribe','id':%u,'topics':['a'],%s}", id, more);
}

static void
subscribe_now(struct sessionfix_client *c, unsigned id, const char *more)
{
	subscribe(c, id, more);
	sessionfix_expect(c, "'op':'subscribed'", "'seq':", NULL);
	stop_clock(c->fx);
}

/* The next message is this batch of these seqs: "after,upto:seq,seq,". */
static void
expect_batch(struct sessionfix_client *c, const char *batch)
{
	const char *got = sessionfix_next(c), *at;
	char seqs[256] = "";
	unsigned after, upto, seq;
	size_t len;

	assert_int_equal(sscanf(got, "[%u,%u", &after, &upto), 2);
	len = (size_t)snprintf(seqs, sizeof(seqs), "%u,%u:", after, upto);
	for (at = strstr(got, ",["); at; at = strstr(at + 1, ",[")) {
		assert_int_equal(sscanf(at, ",[%u", &seq), 1);
		len += (size_t)snprintf(
		    seqs + len, sizeof(seqs) - len, "%u,", seq);
	}
	assert_string_equal(seqs, batch);
}

/* --- conflation --- */

static void
an_interval_is_one_batch_of_what_it_leaves(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	subscribe_now(c, 1, "'from':'now','conflate':1000");
	for (unsigned i = 1; i <= 5; i++)
		sessionfix_publish_as(fx, "a", "x_set", i);
	sessionfix_publish_as(fx, "a", "x_updated", 6);
	sessionfix_quiet(c);
	interval_ends(fx);
	/* Version 1, the newest set, and what came behind it. */
	expect_batch(c, "0,6:1,5,6,");
	sessionfix_quiet(c);
	/* What no rule names only touches. */
	sessionfix_publish_as(fx, "a", "seen", 7);
	sessionfix_publish_as(fx, "a", "seen", 8);
	interval_ends(fx);
	expect_batch(c, "6,8:7,8,");
}

static void
the_interval_has_its_limits(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const char *const wrong[] = { "9", "5001", "60001", "-1", "'10'",
		"10.5" };
	static const char *const right[] = { "10", "5000" };

	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		sessionfix_say(c,
		    "{'op':'subscribe','id':1,'topics':['a'],'from':'now',"
		    "'conflate':%s}",
		    wrong[i]);
		sessionfix_expect(
		    c, "'code':'bad_request'", "'id':1", "conflate", NULL);
	}
	for (unsigned i = 0; i < ARRAY_LEN(right); i++) {
		c = sessionfix_client(fx, 1 + i, ALL);
		sessionfix_say(c,
		    "{'op':'subscribe','id':1,'topics':['a'],'from':'now',"
		    "'conflate':%s}",
		    right[i]);
		sessionfix_expect(c, "'op':'subscribed'", NULL);
	}
}

static void
a_connection_has_one_interval(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, "me a > 3600");

	/* What was refused has set none. */
	sessionfix_say(c, "{'op':'subscribe','id':1,'topics':['b'],"
			  "'from':'now','conflate':50}");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
	subscribe_now(c, 1, "'from':'now'");
	subscribe_now(c, 2, "'from':'now','conflate':100");
	subscribe(c, 3, "'from':'now','conflate':200");
	sessionfix_expect(c, "'code':'bad_request'", "'id':3", "100 ms", NULL);
	subscribe_now(c, 3, "'from':'now','conflate':100");
	subscribe_now(c, 4, "'from':'now'");
	/* It lasts, also when nothing is live. */
	for (unsigned i = 1; i <= 4; i++) {
		sessionfix_say(c, "{'op':'unsubscribe','id':%u}", i);
		sessionfix_expect(c, "'op':'ok'", NULL);
	}
	subscribe(c, 5, "'from':'now','conflate':200");
	sessionfix_expect(c, "'code':'bad_request'", "'id':5", NULL);
	/* Nobody else's. */
	c = sessionfix_client(fx, 1, ALL);
	subscribe_now(c, 1, "'from':'now','conflate':200");
}

static void
what_is_live_already_is_conflated_too(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	subscribe_now(c, 1, "'from':'now'");
	sessionfix_publish_as(fx, "a", "x_set", 1);
	interval_ends(fx);
	expect_batch(c, "0,1:1,");
	sessionfix_say(c, "{'op':'subscribe','id':2,'topics':['b'],"
			  "'from':'now','conflate':100}");
	sessionfix_expect(c, "'op':'subscribed'", "'seq':1", NULL);
	for (unsigned i = 2; i <= 5; i++)
		sessionfix_publish_as(fx, "a", "x_set", i);
	interval_ends(fx);
	expect_batch(c, "1,5:5,");
	sessionfix_quiet(c);
}

static void
replays_are_whole(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	for (unsigned i = 1; i <= 5; i++)
		sessionfix_publish_as(fx, "a", "x_set", i);
	subscribe(c, 1, "'from':1,'log':'log-1','conflate':100");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	sessionfix_expect(c, "'op':'replay'", "'upto':5", "[[2,", "[3,", "[4,",
	    "[5,", "'last':true", NULL);
	stop_clock(fx);
	for (unsigned i = 6; i <= 9; i++)
		sessionfix_publish_as(fx, "a", "x_set", i);
	interval_ends(fx);
	expect_batch(c, "5,9:9,");
}

/* A client folds by the rules of its welcome, until it has others. */
static void
each_client_is_conflated_by_the_rules_it_was_told(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *old, *new;
	struct reason why;

	(void)rules_free(fx->gw.rules);
	assert_int_equal(rules_parse("*=set", &fx->gw.rules, &why), 0);
	old = sessionfix_client(fx, 0, ALL);
	subscribe_now(old, 1, "'from':'now','conflate':1000");
	(void)rules_free(fx->gw.rules);
	assert_int_equal(rules_parse("*=merge", &fx->gw.rules, &why), 0);
	new = sessionfix_client(fx, 1, ALL);
	subscribe_now(new, 1, "'from':'now','conflate':1000");
	assert_int_equal(fx->gw.groups.counts.groups, 2);
	for (unsigned i = 1; i <= 4; i++)
		sessionfix_publish_as(fx, "a", "seen", i);
	interval_ends(fx);
	expect_batch(old, "0,4:1,4,");
	expect_batch(new, "0,4:1,2,3,4,");
}

/* --- types --- */

static void
types_are_globs(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const struct {
		const char *globs;
		const char *got; /* of created, updated, deleted */
	} cases[] = {
		{ "'*'", "[1," },
		{ "'note_created'", "[1," },
		{ "'*d'", "[1," },
		{ "'note_*'", "[1," },
		{ "'n*e_*ted'", "[1," },
		{ "'*updated'", "[2," },
		{ "'none','*updated','*x'", "[2," },
		{ "'note_d*','note_u*'", "[2," },
		{ "'*eted'", "[3," },
		{ "'*.*'", NULL },
		{ "'NOTE_*'", NULL },
		{ "'note'", NULL },
		{ "'?ote_created'", NULL },
	};

	sessionfix_publish_as(fx, "a", "note_created", 1);
	sessionfix_publish_as(fx, "a", "note_updated", 2);
	sessionfix_publish_as(fx, "a", "note_deleted", 3);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char more[128];
		const char *got;

		snprintf(more, sizeof(more),
		    "'from':0,'log':'log-1','types':[%s]", cases[i].globs);
		subscribe(c, i + 1, more);
		sessionfix_expect(c, "'op':'subscribed'", NULL);
		got = sessionfix_next(c);
		assert_non_null(strstr(got, "'op':'replay'"));
		got = strstr(got, "'events':[") + strlen("'events':[");
		if (cases[i].got)
			assert_memory_equal(got + 1, cases[i].got + 1, 2);
		else
			assert_memory_equal(got, "]", 1);
	}
}

static void
types_choose_among_live_events(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	subscribe_now(c, 1, "'from':'now','types':['*created','*deleted']");
	sessionfix_publish_as(fx, "a", "note_created", 1);
	sessionfix_publish_as(fx, "a", "note_updated", 2);
	sessionfix_publish_as(fx, "a", "note_deleted", 3);
	interval_ends(fx);
	expect_batch(c, "0,3:1,3,");
	sessionfix_quiet(c);
}

/* Where the ring has moved on, the broker reads the log. */
static void
types_go_along_to_the_broker(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c;
	const char *asked;

	sessionfix_broker_come(fx);
	c = sessionfix_client(fx, 0, ALL);
	sessionfix_publish(fx, "a", 200);
	subscribe(c, 1, "'from':3,'log':'log-1','types':['x*','*y']");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	do
		asked = sessionfix_broker_got(fx);
	while (!strstr(asked, "'op':'page'"));
	assert_non_null(strstr(asked, "'types':['*y','x*']"));
	assert_non_null(strstr(asked, "'after':3"));
}

static void
types_go_with_everything_but_rows(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	static const char *const wrong[] = {
		"'from':'snapshot','types':['*']",
		"'from':'now','types':[]",
		"'from':'now','types':['']",
		"'from':'now','types':'x'",
		"'from':'now','types':[1]",
	};

	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		subscribe(c, 1, wrong[i]);
		sessionfix_expect(
		    c, "'code':'bad_request'", "'id':1", "types", NULL);
	}
	subscribe_now(c, 1, "'from':'now','types':['*'],'conflate':100");
}

static void
those_who_ask_for_the_same_types_share_a_group(void **state)
{
	struct sessionfix *fx = *state;
	const struct group_counts *n = &fx->gw.groups.counts;

	subscribe_now(sessionfix_client(fx, 0, ALL), 1,
	    "'from':'now','types':['*created','x','x']");
	subscribe_now(sessionfix_client(fx, 1, ALL), 1,
	    "'from':'now','types':['x','*created']");
	assert_int_equal(n->groups, 1);
	/* Every type is the same as none named. */
	subscribe_now(sessionfix_client(fx, 2, ALL), 1, "'from':'now'");
	subscribe_now(
	    sessionfix_client(fx, 3, ALL), 1, "'from':'now','types':['x','*']");
	assert_int_equal(n->groups, 2);
}

#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, sessionfix_setup, sessionfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_interval_is_one_batch_of_what_it_leaves),
		TEST(the_interval_has_its_limits),
		TEST(a_connection_has_one_interval),
		TEST(what_is_live_already_is_conflated_too),
		TEST(replays_are_whole),
		TEST(each_client_is_conflated_by_the_rules_it_was_told),
		TEST(types_are_globs),
		TEST(types_choose_among_live_events),
		TEST(types_go_along_to_the_broker),
		TEST(types_go_with_everything_but_rows),
		TEST(those_who_ask_for_the_same_types_share_a_group),
	};

	return cmocka_run_group_tests_name(
	    "session_conflate", tests, NULL, NULL);
}
