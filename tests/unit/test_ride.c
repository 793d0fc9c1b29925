/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Clients that share a group and have topics of their own beside it, moment
 * by moment; their random histories are those of test_chain.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/chainbroker.h"
#include "tests/lib/chainfix.h"

enum {
	RING_SLOTS = 4096,
	RING_BYTES = 1 << 20
};

static const struct chainfix_spec everything = { { ">" }, { NULL } };
static const struct chainfix_spec of_a = { { "a.>" }, { NULL } };
static const struct chainfix_spec of_b = { { "b.>" }, { NULL } };
static const struct chainfix_spec a_and_1 = { { "a.>", "u.1" }, { NULL } };
static const struct chainfix_spec a_and_2 = { { "a.>", "u.2" }, { NULL } };

enum {
	RIDERS = 3
};

/* The first one has what all share, the others a topic of their own, too. */
static struct chainfix *
three_riders(void)
{
	struct chainfix *w = chainfix_new(5, RING_SLOTS, RING_BYTES);

	for (unsigned i = 0; i < RIDERS; i++) {
		chainfix_connect(&w->clients[i]);
		w->clients[i].acl = &w->acls[0];
	}
	chainfix_now(&w->clients[0], &of_a);
	chainfix_now(&w->clients[1], &a_and_1);
	chainfix_now(&w->clients[2], &a_and_2);
	chainfix_turn(w, 10000);
	return w;
}

static void
clients_with_a_topic_of_their_own_share_the_rest(void **state)
{
	struct chainfix *w = three_riders();
	struct match_counts before, after;

	assert_int_equal(w->groups.counts.groups, 1);
	match_counts(w->groups.match, &before);
	for (unsigned i = 0; i < 10; i++) {
		chainfix_append(w, "a.x", 1, 10);
		chainfix_turn(w, 10000);
	}
	match_counts(w->groups.match, &after);
	assert_int_equal(w->groups.counts.blocks, 10);
	assert_int_equal(w->groups.counts.visits, 10);
	assert_int_equal(w->groups.counts.private, 0);
	assert_int_equal(after.walks - before.walks, 1);
	for (unsigned i = 0; i < RIDERS; i++)
		assert_int_equal(w->clients[i].batches, 10);
	(void)chainfix_free(w);
}

static void
an_event_of_one_client_is_sent_to_it_alone(void **state)
{
	struct chainfix *w = three_riders();

	chainfix_append(w, "u.1", 1, 10);
	chainfix_turn(w, 10000);
	assert_int_equal(w->groups.counts.visits, 1);
	assert_int_equal(w->clients[0].batches, 0);
	assert_int_equal(w->clients[1].batches, 1);
	assert_int_equal(w->clients[2].batches, 0);
	/* The next block takes it back into the group. */
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 10000);
	for (unsigned i = 0; i < RIDERS; i++)
		assert_int_equal(w->clients[i].sender.state, SEND_MEMBER);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 10000);
	assert_int_equal(w->groups.counts.blocks, 2);
	assert_int_equal(w->groups.counts.private, 1);
	for (unsigned i = 0; i < RIDERS; i++)
		chainfix_check_level(&w->clients[i]);
	(void)chainfix_free(w);
}

static void
an_event_of_its_own_stands_between_those_of_its_group(void **state)
{
	struct chainfix *w = three_riders();

	chainfix_append(w, "u.2", 1, 10);
	chainfix_append(w, "a.x", 2, 10);
	chainfix_append(w, "u.1", 2, 10);
	chainfix_emit(w, "u.1");
	chainfix_append(w, "a.y", 1, 10);
	chainfix_append(w, "u.1", 1, 10);
	chainfix_turn(w, 10000);
	for (unsigned i = 0; i < RIDERS; i++)
		assert_int_equal(w->clients[i].batches, 1);
	assert_int_equal(w->groups.counts.private, 2);
	assert_int_equal(w->clients[0].events, 3);
	assert_int_equal(w->clients[1].events, 6);
	assert_int_equal(w->clients[1].ephemeral, 1);
	assert_int_equal(w->clients[2].events, 4);
	(void)chainfix_free(w);
}

static void
a_rider_gets_every_ephemeral_event(void **state)
{
	struct chainfix *w = three_riders();

	for (unsigned i = 0; i < 300; i++) {
		chainfix_emit(w, i % 3 == 0 ? "a.x" : "u.1");
		if (i % 5 == 0)
			chainfix_append(w, "a.y", 1, 10);
		if (i % 7 == 0)
			chainfix_append(w, "u.1", 2, 3000);
		if (i % 20 == 9)
			chainfix_now(&w->clients[2], &of_b);
		if (i % 20 == 19)
			chainfix_unsubscribe(&w->clients[2], 1);
		if (i % 4 == 0)
			chainfix_turn(w, 1000);
	}
	chainfix_turn(w, 10000);
	assert_int_equal(w->clients[0].ephemeral, 100);
	assert_int_equal(w->clients[1].ephemeral, 300);
	(void)chainfix_free(w);
}

static void
what_both_parts_match_is_given_once(void **state)
{
	static const struct chainfix_spec both = { { "a.>", "a.x" }, { NULL } };
	struct chainfix *w = three_riders();
	struct chainfix_client *c = &w->clients[3];

	chainfix_connect(c);
	c->acl = &w->acls[0];
	chainfix_now(c, &both);
	assert_non_null(c->sender.split.own);
	chainfix_emit(w, "a.x");
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 10000);
	assert_int_equal(c->ephemeral, 1);
	assert_int_equal(c->events, 1);
	assert_int_equal(w->groups.counts.private, 0);
	(void)chainfix_free(w);
}

static void
much_of_its_own_delays_and_bloats_nothing(void **state)
{
	struct chainfix *w = three_riders();

	for (unsigned i = 0; i < 100; i++)
		chainfix_append(w, "u.1", 1, 1000);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 10000);
	assert_int_equal(w->clients[1].events, 101);
	assert_in_range(w->clients[1].batches, 7, 9);
	assert_true(w->clients[1].longest <= BLOCK_BYTES);
	assert_int_equal(w->clients[0].batches, 1);
	assert_int_equal(w->clients[2].batches, 1);
	(void)chainfix_free(w);
}

static void
a_rider_behind_reads_the_ring_only_for_its_own_events(void **state)
{
	struct chainfix *w = three_riders();
	struct chainfix_client *slow = &w->clients[1];
	struct catchup_counts counts;

	slow->conn.room = 0;
	for (unsigned i = 0; i < 10; i++) {
		chainfix_append(w, "a.y", 1, 1000);
		chainfix_append(w, "u.2", 1, 1000);
		chainfix_turn(w, 10000);
	}
	slow->conn.room = UINT32_MAX;
	chainfix_settle(w);
	catchup_counts(w->catchup, &counts);
	assert_int_equal(slow->events, 10);
	assert_int_equal(counts.blocks, 0);
	slow->conn.room = 0;
	for (unsigned i = 0; i < 10; i++) {
		chainfix_append(w, i == 4 ? "u.1" : "a.y", 1, 1000);
		chainfix_turn(w, 10000);
	}
	slow->conn.room = UINT32_MAX;
	chainfix_settle(w);
	catchup_counts(w->catchup, &counts);
	assert_int_equal(slow->events, 20);
	assert_in_range(counts.blocks, 1, 2);
	for (unsigned i = 0; i < RIDERS; i++)
		chainfix_check_level(&w->clients[i]);
	(void)chainfix_free(w);
}

static void
tokens_that_name_their_user_share_what_is_the_same(void **state)
{
	struct chainfix *w = chainfix_new(6, RING_SLOTS, RING_BYTES);

	/* {"a.>"}, then {"a.>", "u.1"} and {"a.>", "c.*", "u.2"}. */
	for (unsigned i = 0; i < RIDERS; i++) {
		chainfix_connect(&w->clients[i]);
		w->clients[i].acl = &w->acls[i == 0 ? 0 : i + 1];
		chainfix_now(&w->clients[i], i == 0 ? &of_a : &everything);
	}
	assert_int_equal(w->groups.counts.groups, 1);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_append(w, "u.1", 1, 10);
	chainfix_append(w, "u.2", 1, 10);
	chainfix_append(w, "b.x", 1, 10);
	chainfix_append(w, "c.deep.y", 1, 10);
	chainfix_append(w, "c.x", 1, 10);
	chainfix_turn(w, 10000);
	assert_int_equal(w->clients[0].events, 1);
	assert_int_equal(w->clients[1].events, 2);
	assert_int_equal(w->clients[2].events, 3);
	(void)chainfix_free(w);
}

static void
what_a_rider_subscribes_later_leaves_it_in_its_group(void **state)
{
	static const struct chainfix_spec later = { { "u.3" }, { NULL } };
	struct chainfix *w = three_riders();
	struct chainfix_client *c = &w->clients[1];
	const struct group *g = c->sender.group;

	for (unsigned i = 0; i < 20; i++) {
		chainfix_append(w, "u.1", 1, 10);
		chainfix_append(w, "u.3", 1, 10);
		if (i % 3 == 0)
			chainfix_append(w, "a.x", 1, 10);
		chainfix_turn(w, 1000);
		if (i % 4 == 1)
			chainfix_now(c, &later);
		if (i % 4 == 3)
			chainfix_unsubscribe(c, 1);
		assert_ptr_equal(c->sender.group, g);
	}
	chainfix_settle(w);
	chainfix_check_level(c);
	assert_int_equal(w->groups.counts.groups, 1);
	(void)chainfix_free(w);
}

static void
a_group_with_little_to_say_has_a_small_block(void **state)
{
	struct chainfix *w = three_riders();

	for (unsigned i = 0; i < 2; i++) {
		chainfix_append(w, "a.x", 1, 10);
		chainfix_turn(w, 100);
	}
	assert_in_range(w->clients[0].sender.group->open->cap, 1, 2048);
	for (unsigned i = 0; i < 100; i++)
		chainfix_append(w, "a.x", 1, 1000);
	chainfix_turn(w, 100);
	assert_int_equal(w->clients[0].sender.group->open->cap, BLOCK_BYTES);
	chainfix_turn(w, 10000);
	assert_int_equal(w->clients[0].events, 102);
	assert_in_range(w->clients[0].batches, 8, 9);
	(void)chainfix_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    clients_with_a_topic_of_their_own_share_the_rest),
		cmocka_unit_test(an_event_of_one_client_is_sent_to_it_alone),
		cmocka_unit_test(
		    an_event_of_its_own_stands_between_those_of_its_group),
		cmocka_unit_test(a_rider_gets_every_ephemeral_event),
		cmocka_unit_test(what_both_parts_match_is_given_once),
		cmocka_unit_test(much_of_its_own_delays_and_bloats_nothing),
		cmocka_unit_test(
		    a_rider_behind_reads_the_ring_only_for_its_own_events),
		cmocka_unit_test(
		    tokens_that_name_their_user_share_what_is_the_same),
		cmocka_unit_test(
		    what_a_rider_subscribes_later_leaves_it_in_its_group),
		cmocka_unit_test(a_group_with_little_to_say_has_a_small_block),
	};

	return cmocka_run_group_tests_name("ride", tests, NULL, NULL);
}
