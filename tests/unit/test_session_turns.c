/* SPDX-License-Identifier: BSD-2-Clause */

/* Queries of one user over several connections: whose turn it is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/acl.h"
#include "core/conf.h"
#include "core/reason.h"
#include "gateway/counters.h"
#include "gateway/session.h"
#include "tests/lib/sessionfix.h"

#define ALL   "me > - 3600"
#define OTHER "you > - 3600"

static void
limits(struct sessionfix *fx, uint64_t running, uint64_t waiting)
{
	counters_reset();
	fx->gw.quotas.turns.max_running = running;
	fx->gw.quotas.turns.max_waiting = waiting;
	sessionfix_broker_come(fx);
}

/* The broker was asked something with this in it; its id, or 0. */
static unsigned long long
asked(struct sessionfix *fx, const char *part)
{
	const char *got = sessionfix_broker_got(fx);

	if (!strstr(got, part))
		fail_msg("'%s' is not in %s", part, got);
	got = strstr(got, "'id':");
	return got ? strtoull(got + 5, NULL, 10) : 0;
}

static void
answer(struct sessionfix *fx, unsigned long long id)
{
	sessionfix_broker_says(
	    fx, "{'op':'history','id':%llu,'events':[]}", id);
	sessionfix_turn(fx);
}

static void
history(struct sessionfix_client *c, unsigned id)
{
	sessionfix_say(c, "{'op':'history','id':%u,'actor':'%u'}", id, id);
}

static void
so_many_are_under_way_over_all_connections(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *a = sessionfix_client(fx, 0, ALL);
	struct sessionfix_client *b = sessionfix_client(fx, 1, ALL);
	struct sessionfix_client *c = sessionfix_client(fx, 2, ALL);
	struct sessionfix_client *other = sessionfix_client(fx, 3, OTHER);
	unsigned long long first, second;

	limits(fx, 2, 10);
	history(a, 1);
	first = asked(fx, "'actor':'1'");
	history(b, 2);
	second = asked(fx, "'actor':'2'");
	history(c, 3);
	sessionfix_turn(fx);
	sessionfix_broker_quiet(fx);
	/* Another user is not concerned. */
	history(other, 9);
	asked(fx, "'actor':'9'");
	answer(fx, second);
	sessionfix_expect(b, "'op':'history'", "'id':2", NULL);
	sessionfix_turn(fx);
	answer(fx, asked(fx, "'actor':'3'"));
	sessionfix_expect(c, "'op':'history'", "'id':3", NULL);
	answer(fx, first);
	sessionfix_expect(a, "'op':'history'", "'id':1", NULL);
	assert_int_equal(COUNTERS_GET(limited_queries), 0);
}

static void
and_so_many_wait(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *a = sessionfix_client(fx, 0, ALL);
	struct sessionfix_client *b = sessionfix_client(fx, 1, ALL);
	unsigned long long id;

	limits(fx, 1, 2);
	history(a, 1);
	id = asked(fx, "'actor':'1'");
	history(a, 2);
	sessionfix_say(b, "{'op':'state','id':3,'topics':['a']}");
	sessionfix_quiet(b);
	history(b, 4);
	sessionfix_expect(
	    b, "'code':'rate_limited'", "'retry_ms':", "'id':4", NULL);
	sessionfix_say(a, "{'op':'state','id':5,'topics':['a']}");
	sessionfix_expect(a, "'code':'rate_limited'", "'id':5", NULL);
	assert_int_equal(COUNTERS_GET(limited_queries), 2);
	answer(fx, id);
	sessionfix_expect(a, "'op':'history'", "'id':1", NULL);
	history(b, 6);
	sessionfix_quiet(b);
}

static void
a_state_has_its_turn_until_its_last_row(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *a = sessionfix_client(fx, 0, ALL);
	struct sessionfix_client *b = sessionfix_client(fx, 1, ALL);
	unsigned long long id;

	limits(fx, 1, 10);
	sessionfix_publish(fx, "a.b", 2);
	sessionfix_say(a, "{'op':'state','id':1,'topics':['a.>'],'at':1}");
	id = asked(fx, "'op':'open'");
	history(b, 2);
	sessionfix_turn(fx);
	sessionfix_broker_quiet(fx);
	sessionfix_broker_says(fx,
	    "{'op':'opened','id':%llu,'snapshot':8,'seq':1,'full':true}", id);
	id = asked(fx, "'op':'part'");
	sessionfix_broker_says(
	    fx, "{'op':'part','id':%llu,'rows':[[1]],'last':true}", id);
	sessionfix_expect(a, "'op':'snapshot'", "'id':1", "'last':true", NULL);
	sessionfix_turn(fx);
	asked(fx, "'op':'close'");
	asked(fx, "'actor':'2'");
}

static void
who_goes_gives_up_turn_and_place(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *a = sessionfix_client(fx, 0, ALL);
	struct sessionfix_client *b = sessionfix_client(fx, 1, ALL);
	struct sessionfix_client *c = sessionfix_client(fx, 2, ALL);

	limits(fx, 1, 10);
	sessionfix_say(a, "{'op':'state','id':1,'topics':['a'],'at':1}");
	asked(fx, "'op':'open'");
	history(b, 2);
	sessionfix_say(b, "{'op':'state','id':3,'topics':['a'],'at':1}");
	history(c, 4);
	sessionfix_turn(fx);
	sessionfix_broker_quiet(fx);
	fx->handler.closed(b->session);
	b->session = NULL;
	fx->handler.closed(a->session);
	a->session = NULL;
	sessionfix_turn(fx);
	asked(fx, "'actor':'4'");
}

static void
who_has_no_token_waits_for_nobody_else(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *a, *b;
	struct reason why;

	assert_int_equal(
	    acl_add(&fx->gw.anonymous, ACL_READ, slice_cstr("a.>"), &why),
	    ACL_ADDED);
	limits(fx, 1, 1);
	a = sessionfix_client(fx, 0, NULL);
	b = sessionfix_client(fx, 1, NULL);
	sessionfix_say(a, "{'op':'hello','v':1}");
	sessionfix_expect(a, "'op':'welcome'", NULL);
	sessionfix_say(b, "{'op':'hello','v':1}");
	sessionfix_expect(b, "'op':'welcome'", NULL);
	history(a, 1);
	asked(fx, "'actor':'1'");
	history(b, 2);
	asked(fx, "'actor':'2'");
}

static void
a_page_holds_no_more_than_the_operator_allows(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	limits(fx, 0, 0);
	assert_int_equal(conf_set(fx->conf, "gateway.page_events=50", NULL), 0);
	sessionfix_say(c, "{'op':'history','id':1,'limit':49}");
	answer(fx, asked(fx, "'limit':49"));
	sessionfix_say(c, "{'op':'history','id':2,'limit':10000}");
	answer(fx, asked(fx, "'limit':50"));
	sessionfix_say(c, "{'op':'history','id':3}");
	answer(fx, asked(fx, "'limit':50"));
}

int
main(void)
{
#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, sessionfix_setup, sessionfix_teardown)
	const struct CMUnitTest tests[] = {
		TEST(so_many_are_under_way_over_all_connections),
		TEST(and_so_many_wait),
		TEST(a_state_has_its_turn_until_its_last_row),
		TEST(who_goes_gives_up_turn_and_place),
		TEST(who_has_no_token_waits_for_nobody_else),
		TEST(a_page_holds_no_more_than_the_operator_allows),
	};

	return cmocka_run_group_tests_name("session_turns", tests, NULL, NULL);
}
