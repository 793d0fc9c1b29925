/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What one pass gives to whom: who is at the tip, who catches up, and who is
 * waiting for an answer; and what a group keeps for them.
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
	RING_BYTES = 1 << 20,
	EVENTS = 320, /* of 1,000 bytes: some twenty blocks */
	A_TURN = 4,
};

static const struct chainfix_spec everything = { { ">" }, { NULL } };

static struct chainfix *
world_of(unsigned n_clients)
{
	struct chainfix *w = chainfix_new(7, RING_SLOTS, RING_BYTES);

	for (unsigned i = 0; i < n_clients; i++) {
		chainfix_connect(&w->clients[i]);
		w->clients[i].acl = &w->acls[0];
	}
	return w;
}

/* Who got a block, in this order. */
static struct {
	const void *who[CHAINFIX_CLIENTS];
	unsigned n;
	void (*got)(void *arg, struct slice value);
} order;

static void
note_order(void *arg, struct slice value)
{
	if (order.n < CHAINFIX_CLIENTS)
		order.who[order.n++] = arg;
	order.got(arg, value);
}

static void
each_block_begins_with_another_client(void **state)
{
	struct chainfix *w = world_of(CHAINFIX_CLIENTS);
	const void *last = NULL;

	order.got = w->clients[0].conn.got;
	for (unsigned i = 0; i < CHAINFIX_CLIENTS; i++) {
		chainfix_now(&w->clients[i], &everything);
		w->clients[i].conn.got = note_order;
	}
	chainfix_turn(w, 10000);
	for (unsigned i = 0; i < 3 * CHAINFIX_CLIENTS; i++) {
		order.n = 0;
		chainfix_append(w, "a.x", 1, 10);
		chainfix_turn(w, 10000);
		assert_int_equal(order.n, CHAINFIX_CLIENTS);
		/* The next one of a circle. */
		assert_true(!last || last == order.who[CHAINFIX_CLIENTS - 1]);
		last = order.who[0];
	}
	(void)chainfix_free(w);
}

static void
who_catches_up_gets_four_blocks_a_turn(void **state)
{
	struct chainfix *w = world_of(2);
	struct chainfix_client *late = &w->clients[1];
	uint64_t before;

	chainfix_now(&w->clients[0], &everything);
	chainfix_now(late, &everything);
	chainfix_turn(w, 10000);
	late->conn.room = 0;
	for (unsigned i = 0; i < EVENTS; i++) {
		chainfix_append(w, "a.x", 1, 1000);
		chainfix_turn(w, 10000);
	}
	assert_int_equal(w->clients[0].batches, EVENTS);
	late->conn.room = UINT32_MAX;
	fakeconn_flush(&late->conn);
	for (unsigned i = 0; i < 3; i++) {
		before = late->batches;
		(void)send_hub_run(&w->hub);
		assert_int_equal(late->batches, before + A_TURN);
	}
	(void)chainfix_free(w);
}

static void
those_who_catch_up_share_what_a_pass_has_for_them(void **state)
{
	enum {
		LATE = CHAINFIX_CLIENTS - 1
	};
	struct chainfix *w = world_of(CHAINFIX_CLIENTS);
	uint64_t given, before = 0, least, most;
	bool more = true;

	for (unsigned i = 0; i < EVENTS; i++)
		chainfix_append(w, "a.x", 1, 1000);
	chainfix_turn(w, 10000);
	chainfix_now(&w->clients[LATE], &everything);
	w->hub.budget = 10;
	w->hub.left = 0;
	for (unsigned i = 0; i < LATE; i++) {
		chainfix_from(&w->clients[i], &everything, 0);
		fakeconn_flush(&w->clients[i].conn); /* the answer to it */
	}
	for (unsigned turn = 0; turn < 1000 && more; turn++) {
		more = send_hub_run(&w->hub);
		given = 0;
		least = UINT64_MAX;
		most = 0;
		for (unsigned i = 0; i < LATE; i++) {
			given += w->clients[i].parts;
			least = MIN(least, w->clients[i].parts);
			most = MAX(most, w->clients[i].parts);
		}
		assert_true(given < before + w->hub.budget + A_TURN);
		assert_true(most <= least + A_TURN);
		before = given;
	}
	assert_false(more);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_settle(w);
	for (unsigned i = 0; i < CHAINFIX_CLIENTS; i++)
		chainfix_check_level(&w->clients[i]);
	(void)chainfix_free(w);
}

static void
an_answer_that_waits_goes_before_events_in_the_same_pass(void **state)
{
	struct chainfix *w = world_of(2);
	struct chainfix_client *c = &w->clients[0];

	chainfix_now(c, &everything);
	chainfix_turn(w, 10000);
	c->conn.lane = c->conn.want_ready = true;
	chainfix_append(w, "a.x", 1, 10);
	w->now_ns += 10000000;
	assert_int_equal(feed_pass(w->feed, w->now_ns), FEED_MORE);
	(void)send_hub_run(&w->hub);
	assert_false(c->conn.lane);
	assert_int_equal(c->events, 1);
	assert_int_equal(c->sender.state, SEND_MEMBER);
	(void)chainfix_free(w);
}

/* In MessagePack alone they would all be kept. */
static void
kept_blocks_count_with_the_forms_they_are_sent_in(void **state)
{
	struct chainfix *w = chainfix_new(4, 64, 1 << 20);
	const struct group *g;

	for (unsigned i = 0; i < 2; i++) {
		chainfix_connect(&w->clients[i]);
		chainfix_now(&w->clients[i], &everything);
	}
	assert_int_equal(w->clients[1].conn.form, FORM_JSON);
	w->clients[0].conn.room = 0;
	for (unsigned i = 0; i < 2 * GROUP_KEPT; i++) {
		chainfix_append(w, "a.y", 1, 12000);
		chainfix_turn(w, 10000);
	}
	assert_true(w->clients[1].events > GROUP_KEPT);
	g = w->clients[0].sender.group;
	assert_in_range(g->kept_n, 8, GROUP_KEPT - 1);
	assert_in_range(
	    group_kept_bytes(g), GROUP_KEPT_BYTES / 2, GROUP_KEPT_BYTES);
	(void)chainfix_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_block_begins_with_another_client),
		cmocka_unit_test(who_catches_up_gets_four_blocks_a_turn),
		cmocka_unit_test(
		    those_who_catch_up_share_what_a_pass_has_for_them),
		cmocka_unit_test(
		    an_answer_that_waits_goes_before_events_in_the_same_pass),
		cmocka_unit_test(
		    kept_blocks_count_with_the_forms_they_are_sent_in),
	};

	return cmocka_run_group_tests_name("fair", tests, NULL, NULL);
}
