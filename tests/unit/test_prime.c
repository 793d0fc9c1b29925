/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Permissions from the broker: asked for until they are there, of the log
 * that is read and of no other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/time.h"
#include "gateway/grants.h"
#include "gateway/prime.h"
#include "tests/lib/sessionfix.h"

#define ROW(topic, seq, data) \
	"['" topic "',1," seq ",1,'root',1,'root',false," data "]"

struct world {
	struct sessionfix *fx;
	struct prime *prime;
	unsigned done;
};

static void
on_done(void *arg)
{
	struct world *w = arg;

	w->done++;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *fx;

	assert_int_equal(sessionfix_setup(&fx), 0);
	w->fx = fx;
	w->prime = prime_new(w->fx->gw.loop, w->fx->gw.ask, w->fx->gw.grants,
	    w->fx->gw.log, on_done, w);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	void *fx = w->fx;

	(void)prime_free(w->prime);
	free(w);
	return sessionfix_teardown(&fx);
}

/* What the broker is asked next has this in it; returns its id. */
static unsigned long long
asked(struct world *w, const char *part)
{
	const char *got = sessionfix_broker_got(w->fx), *at;
	unsigned long long id = 0;

	if (!strstr(got, part))
		fail_msg("%s has no %s", got, part);
	at = strstr(got, "'id':");
	if (at)
		assert_int_equal(sscanf(at, "'id':%llu", &id), 1);
	return id;
}

static void
opens(struct world *w, unsigned seq)
{
	unsigned long long id = asked(w, "'op':'open'");

	sessionfix_broker_says(w->fx,
	    "{'op':'opened','id':%llu,'snapshot':44,'seq':%u,'full':true,"
	    "'rows':2}",
	    id, seq);
}

static void
parts(struct world *w, const char *part, const char *rows, const char *last)
{
	unsigned long long id = asked(w, part);

	sessionfix_broker_says(w->fx,
	    "{'op':'part','id':%llu,'rows':[%s],'last':%s}", id, rows, last);
}

static void
until_done(struct world *w, unsigned times)
{
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;

	/* Its hello has to be answered. */
	while (w->done < times) {
		assert_true(time_mono_ns() < deadline);
		sessionfix_broker_quiet(w->fx);
	}
}

/* Until it says that the broker has the other log. */
static void
until_other_log(struct world *w)
{
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;

	while (!strstr(prime_waits_for(w->prime), "log-2")) {
		assert_true(time_mono_ns() < deadline);
		sessionfix_broker_quiet(w->fx);
	}
}

/* Until what was taken is dropped. */
static void
until_nobody_is_known(struct world *w)
{
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;

	while (grants_count(w->fx->gw.grants) > 0) {
		assert_true(time_mono_ns() < deadline);
		sessionfix_broker_quiet(w->fx);
	}
}

static void
all_rows_are_taken_part_by_part(void **state)
{
	struct world *w = *state;
	struct grants *grants = w->fx->gw.grants;
	struct grants_member ada = { 0 };

	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 17, true);
	assert_false(grants_known(grants));
	assert_true(strlen(prime_waits_for(w->prime)) > 0);
	opens(w, 20);
	parts(w, "'n':0", ROW("$acl.ada", "5", "{'read':['b']}"), "false");
	parts(w, "'n':1", ROW("$revoke.ada", "6", "{'before':77}"), "true");
	assert_int_equal(asked(w, "'op':'close'"), 0);
	until_done(w, 1);
	assert_true(grants_known(grants));
	assert_string_equal(prime_waits_for(w->prime), "");
	grants_enter(grants, &ada, SLICE_STR("ada"));
	assert_int_equal(grants_before(&ada), 77);
	grants_leave(grants, &ada);
}

static void
it_asks_for_what_the_ring_has_seen(void **state)
{
	struct world *w = *state;
	const char *got;

	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 17, true);
	got = sessionfix_broker_got(w->fx);
	assert_non_null(strstr(got, "'min_seq':17"));
	assert_non_null(strstr(got, "'topics':['$acl.>','$revoke.>']"));
	assert_null(strstr(got, "'read'"));
}

static void
a_refusal_is_followed_by_another_try(void **state)
{
	struct world *w = *state;
	unsigned long long id;

	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 17, true);
	id = asked(w, "'op':'open'");
	sessionfix_broker_says(w->fx,
	    "{'op':'error','id':%llu,'code':'behind','message':'at 3'}", id);
	assert_non_null(strstr(prime_waits_for(w->prime), "at 3"));
	opens(w, 17);
	id = asked(w, "'n':0");
	sessionfix_broker_says(w->fx,
	    "{'op':'error','id':%llu,'code':'not_found','message':'gone'}", id);
	assert_non_null(strstr(prime_waits_for(w->prime), "gone"));
	(void)asked(w, "'op':'close'");
	opens(w, 18);
	parts(w, "'n':0", "", "true");
	(void)asked(w, "'op':'close'");
	until_done(w, 1);
	assert_true(grants_known(w->fx->gw.grants));
}

static void
a_broker_that_goes_away_is_waited_for(void **state)
{
	struct world *w = *state;

	prime_begin(w->prime, 17, true);
	assert_non_null(strstr(prime_waits_for(w->prime), "broker"));
	sessionfix_turn(w->fx);
	assert_int_equal(w->done, 0);
	sessionfix_broker_come(w->fx);
	opens(w, 17);
	(void)asked(w, "'n':0");
	sessionfix_broker_leave(w->fx);
	sessionfix_turn(w->fx);
	assert_false(grants_known(w->fx->gw.grants));
	assert_non_null(strstr(prime_waits_for(w->prime), "broker"));
	sessionfix_broker_come(w->fx);
	opens(w, 17);
	parts(w, "'n':0", "", "true");
	(void)asked(w, "'op':'close'");
	until_done(w, 1);
}

static void
rows_of_another_log_are_not_taken(void **state)
{
	struct world *w = *state;
	struct grants *grants = w->fx->gw.grants;

	w->fx->broker.log = "log-2";
	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 17, true);
	until_other_log(w);
	w->fx->broker.log = "log-1";
	opens(w, 17);
	/* It changes while the rows are read. */
	w->fx->broker.log = "log-2";
	parts(w, "'n':0", ROW("$acl.ada", "5", "{'read':['b']}"), "true");
	(void)asked(w, "'op':'close'");
	assert_int_equal(grants_count(grants), 1);
	until_nobody_is_known(w);
	assert_false(grants_known(grants));
	w->fx->broker.log = "log-1";
	opens(w, 17);
	parts(w, "'n':0", "", "true");
	(void)asked(w, "'op':'close'");
	until_done(w, 1);
	assert_int_equal(grants_count(grants), 0);
}

/* A revocation of another log would keep a client away for good. */
static void
rows_of_another_log_are_told_to_nobody(void **state)
{
	struct world *w = *state;
	struct sessionfix_client *c =
	    sessionfix_client(w->fx, 0, "ada a.> a.> 3600");

	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 17, false);
	opens(w, 17);
	w->fx->broker.log = "log-2";
	parts(w, "'n':0",
	    ROW("$acl.ada", "5", "{'read':['b']}") "," ROW(
		"$revoke.ada", "6", "{'before':5000000000}"),
	    "true");
	(void)asked(w, "'op':'close'");
	until_other_log(w);
	w->fx->broker.log = "log-1";
	opens(w, 17);
	parts(w, "'n':0", "", "true");
	(void)asked(w, "'op':'close'");
	until_done(w, 1);
	sessionfix_quiet(c);
	assert_int_equal(c->conn.closed, 0);
	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['b'],'from':'now'}");
	sessionfix_expect(c, "'code':'forbidden'", NULL);
}

/* Also where nobody has said it: the broker may have gone before. */
static void
what_the_ring_said_meanwhile_is_asked_for(void **state)
{
	static const struct sessionfix_event event = { "$revoke.bob",
		"{'before':77}" };
	struct world *w = *state;
	struct grants *grants = w->fx->gw.grants;
	struct grants_member bob = { 0 };
	unsigned long long id;
	char min_seq[40];

	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 0, false);
	opens(w, 0);
	parts(w, "'n':0", ROW("$acl.bob", "5", "{'read':['b']}"), "false");
	sessionfix_publish_data(w->fx, &event, 1);
	id = asked(w, "'n':1");
	sessionfix_broker_says(w->fx,
	    "{'op':'error','id':%llu,'code':'not_found','message':'gone'}", id);
	assert_int_equal(grants_count(grants), 0);
	(void)asked(w, "'op':'close'");
	snprintf(min_seq, sizeof(min_seq), "'min_seq':%llu",
	    (unsigned long long)w->fx->ring.seq);
	id = asked(w, min_seq);
	sessionfix_broker_says(w->fx,
	    "{'op':'opened','id':%llu,'snapshot':44,'seq':%llu,'full':true,"
	    "'rows':1}",
	    id, (unsigned long long)w->fx->ring.seq);
	parts(w, "'n':0", ROW("$revoke.bob", "1", "{'before':77}"), "true");
	(void)asked(w, "'op':'close'");
	until_done(w, 1);
	grants_enter(grants, &bob, SLICE_STR("bob"));
	assert_int_equal(grants_before(&bob), 77);
	grants_leave(grants, &bob);
}

static void
who_begins_again_takes_no_answer_of_before(void **state)
{
	struct world *w = *state;
	unsigned long long id;

	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 17, true);
	opens(w, 17);
	id = asked(w, "'n':0");
	prime_begin(w->prime, 99, true);
	sessionfix_broker_says(w->fx,
	    "{'op':'part','id':%llu,'rows':[" ROW(
		"$acl.ada", "5", "{'read':['b']}") "],'last':true}",
	    id);
	(void)asked(w, "'op':'close'");
	assert_non_null(strstr(sessionfix_broker_got(w->fx), "'min_seq':99"));
	assert_int_equal(grants_count(w->fx->gw.grants), 0);
	assert_int_equal(w->done, 0);
}

static void
what_was_opened_in_vain_is_closed(void **state)
{
	struct world *w = *state;
	unsigned long long id;

	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 17, true);
	id = asked(w, "'op':'open'");
	prime_begin(w->prime, 98, false);
	prime_begin(w->prime, 99, false);
	sessionfix_broker_says(w->fx,
	    "{'op':'opened','id':%llu,'snapshot':43,'seq':17,'full':true,"
	    "'rows':2}",
	    id);
	assert_non_null(strstr(sessionfix_broker_got(w->fx), "'snapshot':43"));
	assert_non_null(strstr(sessionfix_broker_got(w->fx), "'min_seq':99"));
	assert_false(grants_known(w->fx->gw.grants));
}

static void
an_opening_in_vain_may_be_refused(void **state)
{
	struct world *w = *state;
	unsigned long long id;

	sessionfix_broker_come(w->fx);
	prime_begin(w->prime, 17, true);
	id = asked(w, "'op':'open'");
	prime_begin(w->prime, 99, false);
	sessionfix_broker_says(w->fx,
	    "{'op':'error','id':%llu,'code':'behind','message':'at 3'}", id);
	opens(w, 99);
	parts(w, "'n':0", "", "true");
	(void)asked(w, "'op':'close'");
	until_done(w, 1);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_rows_are_taken_part_by_part),
		TEST(it_asks_for_what_the_ring_has_seen),
		TEST(a_refusal_is_followed_by_another_try),
		TEST(a_broker_that_goes_away_is_waited_for),
		TEST(rows_of_another_log_are_not_taken),
		TEST(rows_of_another_log_are_told_to_nobody),
		TEST(what_the_ring_said_meanwhile_is_asked_for),
		TEST(who_begins_again_takes_no_answer_of_before),
		TEST(what_was_opened_in_vain_is_closed),
		TEST(an_opening_in_vain_may_be_refused),
	};

	return cmocka_run_group_tests_name("prime", tests, NULL, NULL);
}
