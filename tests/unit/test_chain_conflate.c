/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Connections that conflate, moment by moment; the random histories of
 * test_chain have them, too.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/time.h"
#include "gateway/conflate.h"
#include "gateway/counters.h"
#include "tests/lib/chainbroker.h"
#include "tests/lib/chainfix.h"

enum {
	/* Seeds whose rules are these. */
	ALL_SET = 2,
	ALL_MERGE = 3,
	RING_SLOTS = 4096,
	RING_BYTES = 1 << 20,
	US_PER_MS = 1000,
};

static const struct chainfix_spec everything = { { ">" }, { NULL } };
static const struct chainfix_spec of_a = { { "a.>" }, { NULL } };

static void
conflate(struct chainfix_client *c, uint32_t ms)
{
	c->conflate_ms = ms;
	send_conflate(&c->sender, ms, c->world->rules);
}

/* Clients that conflate every 100 ms; nothing is live. */
static struct chainfix *
two_clients(uint64_t seed)
{
	struct chainfix *w = chainfix_new(seed, RING_SLOTS, RING_BYTES);

	counters_reset();
	for (unsigned i = 0; i < 2; i++) {
		chainfix_connect(&w->clients[i]);
		w->clients[i].acl = &w->acls[0];
		conflate(&w->clients[i], 100);
	}
	chainfix_turn(w, 1); /* groups begin at its time */
	return w;
}

/* Many requests in one interval, but so that the ring is read in time. */
static void
append_many(struct chainfix *w, const char *topic, unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		chainfix_append(w, topic, 1, len);
		chainfix_turn(w, 1);
	}
}

static void
an_interval_is_one_batch(void **state)
{
	struct chainfix *w = two_clients(ALL_SET);
	struct chainfix_client *c = &w->clients[0];

	chainfix_now(c, &everything);
	chainfix_turn(w, 200 * US_PER_MS);
	/* Nothing came for an interval. */
	append_many(w, "a.x", 1, 10);
	assert_int_equal(c->events, 1);
	append_many(w, "a.x", 10, 10);
	append_many(w, "b.x", 1, 10);
	append_many(w, "a.y", 3, 10);
	assert_int_equal(c->batches, 1);
	chainfix_turn(w, 99 * US_PER_MS);
	assert_int_equal(c->batches, 1);
	chainfix_turn(w, US_PER_MS);
	assert_int_equal(c->batches, 2);
	/* The newest of each topic, and the first one of a.y. */
	assert_int_equal(c->events, 1 + 1 + 1 + 2);
	assert_int_equal(COUNTERS_GET(left_out), 15 - 5);
	assert_int_equal(COUNTERS_GET(early_intervals), 0);
	assert_int_equal(c->at, 15);
	chainfix_settle(w);
	chainfix_check_level(c);
	(void)chainfix_free(w);
}

static void
what_folds_into_a_row_is_never_left_out(void **state)
{
	struct chainfix *w = two_clients(ALL_MERGE);
	struct chainfix_client *c = &w->clients[0];

	chainfix_now(c, &everything);
	append_many(w, "a.x", 50, 10);
	chainfix_turn(w, 200 * US_PER_MS);
	assert_int_equal(c->events, 50);
	assert_int_equal(c->batches, 1);
	(void)chainfix_free(w);
}

static void
ephemeral_events_are_conflated_per_topic_and_type(void **state)
{
	struct chainfix *w = two_clients(ALL_MERGE);
	struct chainfix_client *c = &w->clients[0];

	chainfix_now(c, &everything);
	chainfix_turn(w, US_PER_MS);
	/* They are of two types in turn. */
	for (unsigned i = 0; i < 20; i++) {
		chainfix_emit(w, i < 10 ? "a.x" : "b.x");
		chainfix_append(w, "a.x", 1, 10);
	}
	chainfix_turn(w, 200 * US_PER_MS);
	assert_int_equal(c->ephemeral, 4);
	assert_int_equal(c->events, 20);
	assert_int_equal(c->batches, 1);
	(void)chainfix_free(w);
}

static void
those_of_one_pace_share_a_group(void **state)
{
	struct chainfix *w = two_clients(ALL_SET);

	chainfix_now(&w->clients[0], &of_a);
	chainfix_now(&w->clients[1], &of_a);
	assert_int_equal(w->groups.counts.groups, 1);
	chainfix_connect(&w->clients[2]);
	w->clients[2].acl = &w->acls[0];
	chainfix_now(&w->clients[2], &of_a);
	assert_int_equal(w->groups.counts.groups, 2);
	conflate(&w->clients[2], 200);
	assert_int_equal(w->groups.counts.groups, 2);
	append_many(w, "a.x", 10, 10);
	chainfix_turn(w, 100 * US_PER_MS);
	assert_int_equal(w->clients[0].batches, 1);
	assert_int_equal(w->clients[1].batches, 1);
	assert_int_equal(w->clients[2].batches, 0);
	chainfix_turn(w, 100 * US_PER_MS);
	assert_int_equal(w->clients[2].batches, 1);
	assert_int_equal(w->clients[2].events, 2);
	chainfix_disconnect(&w->clients[2]);
	assert_int_equal(w->groups.n_conflating, 1);
	(void)chainfix_free(w);
}

static void
a_chain_that_runs_conflates_from_there_on(void **state)
{
	struct chainfix *w = two_clients(ALL_SET);
	struct chainfix_client *c = &w->clients[2];

	chainfix_connect(c);
	c->acl = &w->acls[0];
	chainfix_now(c, &everything);
	chainfix_turn(w, 20 * US_PER_MS);
	append_many(w, "a.x", 10, 10);
	/* What was gathered by then is given as it is. */
	conflate(c, 100);
	assert_int_equal(c->events, 10);
	assert_int_equal(c->at, 10);
	append_many(w, "a.x", 10, 10);
	chainfix_turn(w, 200 * US_PER_MS);
	assert_int_equal(c->events, 11);
	chainfix_settle(w);
	chainfix_check_level(c);
	(void)chainfix_free(w);
}

static void
more_than_a_message_comes_in_a_row(void **state)
{
	struct chainfix *w = two_clients(ALL_MERGE);
	struct chainfix_client *slow = &w->clients[1];
	struct catchup_counts counts;

	chainfix_now(&w->clients[0], &everything);
	chainfix_now(slow, &everything);
	append_many(w, "a.x", 100, 10000);
	/* It takes one message, and the rest when it can. */
	slow->conn.room = 1;
	chainfix_turn(w, 100 * US_PER_MS);
	assert_int_equal(w->clients[0].events, 100);
	assert_int_equal(w->clients[0].batches, 4);
	assert_in_range(slow->batches, 1, 3);
	assert_int_equal(slow->sender.state, SEND_BEHIND);
	slow->conn.room = UINT32_MAX;
	for (unsigned i = 0; i < 10; i++)
		chainfix_turn(w, 1);
	assert_int_equal(slow->events, 100);
	assert_int_equal(slow->batches, 4);
	assert_int_equal(slow->sender.state, SEND_MEMBER);
	catchup_counts(w->catchup, &counts);
	assert_int_equal(counts.blocks, 0);
	(void)chainfix_free(w);
}

/* Those from before it came are in any of the messages. */
static void
who_joins_within_an_interval_gets_what_comes_behind(void **state)
{
	struct chainfix *w = two_clients(ALL_MERGE);
	struct chainfix_client *c = &w->clients[1];

	chainfix_now(&w->clients[0], &everything);
	append_many(w, "a.x", 60, 10000);
	chainfix_emit(w, "a.x");
	chainfix_turn(w, 1);
	chainfix_now(c, &everything);
	assert_int_equal(c->sender.state, SEND_JOINER);
	append_many(w, "a.x", 40, 10000);
	chainfix_emit(w, "a.x");
	chainfix_turn(w, 100 * US_PER_MS);
	assert_int_equal(w->clients[0].batches, 4);
	assert_int_equal(w->clients[0].ephemeral, 2);
	assert_int_equal(c->events, 40);
	assert_int_equal(c->ephemeral, 1);
	assert_int_equal(c->sender.state, SEND_MEMBER);
	(void)chainfix_free(w);
}

/* And gets what it had asked for, whole, when it asks for more. */
static void
a_subscription_that_joins_ends_the_interval_for_its_connection(void **state)
{
	struct chainfix *w = two_clients(ALL_SET);
	struct chainfix_client *c = &w->clients[0];

	chainfix_now(c, &of_a);
	append_many(w, "a.x", 5, 10);
	append_many(w, "b.x", 5, 10);
	chainfix_now(c, &everything);
	assert_int_equal(c->at, 10);
	assert_int_equal(c->events, 2);
	append_many(w, "b.x", 5, 10);
	chainfix_unsubscribe(c, 1);
	assert_int_equal(c->at, 15);
	assert_int_equal(c->events, 3);
	append_many(w, "b.x", 5, 10);
	chainfix_settle(w);
	assert_int_equal(c->events, 3);
	chainfix_check_level(c);
	(void)chainfix_free(w);
}

static void
who_is_behind_gets_conflated_batches_from_the_ring(void **state)
{
	struct chainfix *w = two_clients(ALL_SET);
	struct chainfix_client *slow = &w->clients[0];

	chainfix_now(slow, &everything);
	chainfix_turn(w, 200 * US_PER_MS);
	slow->conn.room = 0;
	for (unsigned i = 0; i < 40; i++) {
		append_many(w, "a.x", 50, 10);
		chainfix_turn(w, 100 * US_PER_MS);
	}
	slow->conn.room = UINT32_MAX;
	chainfix_settle(w);
	assert_int_equal(slow->lagged, 0);
	assert_in_range(slow->events, 10, 100);
	chainfix_check_level(slow);
	(void)chainfix_free(w);
}

static const struct group *
only_group(const struct chainfix *w)
{
	const struct group *g = LIST_FIRST(&w->groups.all);

	assert_non_null(g);
	assert_null(LIST_NEXT(g, link));
	return g;
}

static void
a_group_holds_no_more_than_its_share(void **state)
{
	struct chainfix *w = two_clients(ALL_MERGE);
	struct chainfix_client *c = &w->clients[0];

	chainfix_now(c, &everything);
	for (unsigned i = 0; i < 1000; i++) {
		append_many(w, "a.x", 1, 10000);
		assert_true(
		    conflate_size(only_group(w)->held) < GROUP_HELD + 20000);
	}
	assert_in_range(c->events, 500, 999);
	assert_in_range(COUNTERS_GET(early_intervals), 1, 3);
	/* Where there are many, it is a block. */
	w->groups.n_conflating += 1 << 16;
	append_many(w, "a.x", 3, 10000);
	assert_in_range(c->events, 1000, 1003);
	w->groups.n_conflating -= 1 << 16;
	chainfix_settle(w);
	chainfix_check_level(c);
	(void)chainfix_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interval_is_one_batch),
		cmocka_unit_test(what_folds_into_a_row_is_never_left_out),
		cmocka_unit_test(
		    ephemeral_events_are_conflated_per_topic_and_type),
		cmocka_unit_test(those_of_one_pace_share_a_group),
		cmocka_unit_test(a_chain_that_runs_conflates_from_there_on),
		cmocka_unit_test(more_than_a_message_comes_in_a_row),
		cmocka_unit_test(
		    who_joins_within_an_interval_gets_what_comes_behind),
		cmocka_unit_test(
		    a_subscription_that_joins_ends_the_interval_for_its_connection),
		cmocka_unit_test(
		    who_is_behind_gets_conflated_batches_from_the_ring),
		cmocka_unit_test(a_group_holds_no_more_than_its_share),
	};

	return cmocka_run_group_tests_name("conflating", tests, NULL, NULL);
}
