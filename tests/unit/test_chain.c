/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The fan-out as clients see it: random histories against a model, and the
 * moments that matter one by one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/time.h"
#include "tests/lib/chainbroker.h"
#include "tests/lib/chainfix.h"

enum {
	BIG_RING_SLOTS = 4096,
	BIG_RING_BYTES = 1 << 20
};

static const struct chainfix_spec everything = { { ">" }, { NULL } };
static const struct chainfix_spec of_a = { { "a.>" }, { NULL } };
static const struct chainfix_spec of_b = { { "b.>" }, { NULL } };

static const struct chainfix_spec *
any_spec(struct chainfix *w)
{
	return &chainfix_specs[chainfix_random(w, chainfix_n_specs)];
}

/* Rows have no type. */
static const struct chainfix_spec *
any_spec_of_rows(struct chainfix *w)
{
	const struct chainfix_spec *spec;

	do
		spec = any_spec(w);
	while (spec->types[0]);
	return spec;
}

static bool
any_free(const struct chainfix_client *c)
{
	for (unsigned i = 0; i < CHAINFIX_SUBS; i++)
		if (c->subs[i].state == CHAINFIX_NONE)
			return true;
	return false;
}

/* Positions that a client can have are ends of requests. */
static uint64_t
any_position(struct chainfix *w)
{
	uint64_t done = w->groups.done, back = chainfix_random(w, 150);
	uint64_t at = done > back ? done - back : 0;

	while (at > 0 && !w->events[at - 1].last)
		at--;
	return at;
}

static void
subscribe_somehow(struct chainfix *w, struct chainfix_client *c)
{
	struct proto_uint since = { 0 };

	if (!any_free(c))
		return;
	switch (chainfix_random(w, 4)) {
	case 0:
		chainfix_now(c, any_spec(w));
		break;
	case 1:
		chainfix_from(c, any_spec(w), any_position(w));
		break;
	default:
		if (chainfix_random(w, 2))
			since = (struct proto_uint){ true, any_position(w) };
		chainfix_snapshot(c, any_spec_of_rows(w), since);
		break;
	}
}

static void
act_as_broker(struct chainfix *w)
{
	switch (chainfix_random(w, 60)) {
	case 0:
		chainbroker_leave(w->broker);
		break;
	case 1:
	case 2:
	case 3:
	case 4:
		chainbroker_come(w->broker);
		break;
	case 5:
		chainbroker_drop(w->broker);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
	case 12:
		chainbroker_fold(w->broker, chainfix_random(w, 2));
		break;
	default:
		(void)chainbroker_answer(w->broker);
		break;
	}
}

static void
unsubscribe_somehow(struct chainfix *w, struct chainfix_client *c)
{
	unsigned i = (unsigned)chainfix_random(w, CHAINFIX_SUBS);

	if (c->subs[i].state != CHAINFIX_NONE)
		chainfix_unsubscribe(c, i);
}

static void
act(struct chainfix *w)
{
	struct chainfix_client *c =
	    &w->clients[chainfix_random(w, CHAINFIX_CLIENTS)];

	switch (chainfix_random(w, 33)) {
	case 0:
		if (c->open)
			chainfix_disconnect(c);
		break;
	case 32:
		if (c->open)
			chainfix_permit(
			    c, (unsigned)chainfix_random(w, CHAINFIX_ACLS));
		break;
	case 1:
	case 2:
		if (c->open)
			break;
		chainfix_connect(c);
		if (chainfix_random(w, 3) == 0)
			chainfix_conflate(c);
		break;
	case 3:
	case 4:
	case 5:
		if (c->open)
			subscribe_somehow(w, c);
		break;
	case 6:
	case 7:
		if (c->open)
			unsubscribe_somehow(w, c);
		break;
	case 8:
		c->conn.room = (unsigned)chainfix_random(w, 4);
		break;
	case 9:
		c->conn.room = UINT32_MAX;
		break;
	case 10:
		w->groups.now_ns = w->now_ns += NS_PER_S / 2;
		group_table_tick(&w->groups, NS_PER_S / 8);
		break;
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
	case 16:
		chainfix_publish(w);
		break;
	case 17:
		if (c->open && chainfix_random(w, 8) == 0)
			chainfix_conflate(c);
		break;
	case 24:
	case 25:
	case 26:
	case 27:
	case 28:
	case 29:
	case 30:
	case 31:
		act_as_broker(w);
		break;
	default:
		chainfix_turn(w, chainfix_random(w, 4000));
		break;
	}
}

/* What happened in all histories: otherwise nothing of it was tried. */
struct tally {
	uint64_t lagged, rounds, again, errors, retold, pages, forbidden;
	uint64_t asides, left_out;
};

/* What is shared may be anything: clients see no difference. */
static uint64_t whim;

static bool
own_at_random(uint32_t holders, uint32_t most)
{
	whim ^= whim << 13;
	whim ^= whim >> 7;
	whim ^= whim << 17;
	return whim >> 11 & 1;
}

static bool
own_always(uint32_t holders, uint32_t most)
{
	return true;
}

static struct split_policy
any_policy(uint64_t seed)
{
	struct split_policy policy = split_usual;

	whim = seed + 1;
	if (seed / 4 % 4 == 0)
		policy.own = own_at_random;
	else if (seed / 4 % 4 == 1)
		policy.own = own_always;
	policy.crowd = 1 + (uint32_t)(seed / 16 % 4);
	return policy;
}

static void
history(uint64_t seed, struct tally *tally)
{
	const struct split_policy policy = any_policy(seed);
	bool big = seed % 4 == 3;
	struct chainfix *w =
	    chainfix_new(seed, big ? 1024 : 128, big ? 1 << 20 : 65536);

	if (big)
		w->event_bytes = 30000;
	w->groups.policy = &policy;
	if (seed % 3 == 0)
		w->hub.budget = 1 + (uint32_t)(seed / 3 % 8);
	for (unsigned i = 0; i < 1000; i++)
		act(w);
	chainfix_settle(w);
	for (unsigned i = 0; i < CHAINFIX_CLIENTS; i++) {
		const struct chainfix_client *c = &w->clients[i];

		tally->lagged += c->lagged;
		tally->rounds += c->rounds;
		tally->again += c->again;
		tally->errors += c->errors;
		tally->retold += c->retold;
		tally->forbidden += c->forbidden;
		tally->left_out += c->left_out;
		if (c->open)
			chainfix_check_level(c);
	}
	tally->pages += chainbroker_counts(w->broker).pages;
	tally->asides += w->groups.counts.private;
	(void)chainfix_free(w);
}

static void
each_event_comes_once_and_each_gap_is_announced(void **state)
{
	const char *given = getenv("CHAIN_SEED");
	uint64_t seed =
	    given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000;
	struct tally t = { 0 };
	uint64_t n = given ? 1 : 300;

	print_message("seed %llu\n", (unsigned long long)seed);
	for (uint64_t i = 0; i < n; i++) {
		if (getenv("CHAIN_LOUD"))
			print_message(
			    "history %llu\n", (unsigned long long)(seed + i));
		history(seed + i, &t);
	}
	print_message("lagged %llu, rounds %llu, further ones %llu, errors "
		      "%llu, given up %llu, pages %llu, forbidden %llu, "
		      "blocks with asides %llu, left out %llu\n",
	    (unsigned long long)t.lagged, (unsigned long long)t.rounds,
	    (unsigned long long)t.again, (unsigned long long)t.errors,
	    (unsigned long long)t.retold, (unsigned long long)t.pages,
	    (unsigned long long)t.forbidden, (unsigned long long)t.asides,
	    (unsigned long long)t.left_out);
	assert_true(
	    given || (t.lagged > 0 && t.rounds > 0 && t.again > 0 &&
			 t.errors > 0 && t.retold > 0 && t.pages > 0 &&
			 t.forbidden > 0 && t.asides > 0 && t.left_out > 0));
}

/* --- one by one --- */

static struct chainfix *
two_clients(void)
{
	struct chainfix *w = chainfix_new(1, BIG_RING_SLOTS, BIG_RING_BYTES);

	for (unsigned i = 0; i < 2; i++) {
		chainfix_connect(&w->clients[i]);
		w->clients[i].acl = &w->acls[0];
	}
	return w;
}

static void
clients_who_ask_for_the_same_share_a_group(void **state)
{
	struct chainfix *w = two_clients();

	chainfix_now(&w->clients[0], &of_a);
	chainfix_now(&w->clients[1], &of_a);
	chainfix_turn(w, 1);
	assert_int_equal(w->groups.counts.groups, 1);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 10000);
	assert_int_equal(w->groups.counts.blocks, 1);
	assert_int_equal(w->clients[0].events, 1);
	assert_int_equal(w->clients[1].events, 1);
	(void)chainfix_free(w);
}

static void
the_event_of_a_quiet_second_is_sent_in_its_pass(void **state)
{
	struct chainfix *w = two_clients();

	chainfix_now(&w->clients[0], &everything);
	chainfix_turn(w, 20000);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 1);
	assert_int_equal(w->clients[0].events, 1);
	/* The next one waits for what may come with it. */
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 1);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 1);
	assert_int_equal(w->clients[0].events, 1);
	chainfix_turn(w, 5000);
	assert_int_equal(w->clients[0].events, 3);
	assert_int_equal(w->clients[0].batches, 2);
	(void)chainfix_free(w);
}

static void
a_large_request_is_one_batch_and_so_are_small_ones(void **state)
{
	struct chainfix *w = two_clients();

	chainfix_now(&w->clients[0], &everything);
	chainfix_turn(w, 20000);
	chainfix_append(w, "a.x", 20, 1000);
	chainfix_turn(w, 1);
	assert_int_equal(w->clients[0].batches, 1);
	assert_int_equal(w->clients[0].events, 20);
	for (unsigned i = 0; i < 20; i++)
		chainfix_append(w, "a.x", 1, 1000);
	chainfix_turn(w, 20000);
	chainfix_turn(w, 20000);
	assert_int_equal(w->clients[0].batches, 3);
	assert_int_equal(w->clients[0].events, 40);
	(void)chainfix_free(w);
}

static void
a_member_gets_every_ephemeral_event(void **state)
{
	struct chainfix *w = two_clients();

	chainfix_now(&w->clients[0], &everything);
	chainfix_turn(w, 1000);
	for (unsigned i = 0; i < 100; i++) {
		chainfix_emit(w, i % 2 ? "a.x" : "b.x");
		if (i % 3)
			chainfix_append(w, "a.y", 1, 10);
		if (i % 10 == 5)
			chainfix_now(&w->clients[1], &of_a);
		if (i % 10 == 9)
			chainfix_unsubscribe(&w->clients[1], 0);
		chainfix_turn(w, 1000);
	}
	chainfix_turn(w, 10000);
	assert_int_equal(w->clients[0].ephemeral, 100);
	(void)chainfix_free(w);
}

static void
who_is_answered_in_the_same_pass_gets_the_ephemeral_event(void **state)
{
	struct chainfix *w = two_clients();
	struct chainfix_client *c = &w->clients[0];

	chainfix_now(c, &everything);
	chainfix_turn(w, 10000);
	for (unsigned i = 0; i < 10; i++) {
		/* As conn_control() leaves it. */
		c->conn.lane = c->conn.want_ready = true;
		chainfix_emit(w, "a.x");
		chainfix_turn(w, 10000);
		assert_int_equal(c->ephemeral, i + 1);
	}
	(void)chainfix_free(w);
}

static void
who_joined_behind_an_ephemeral_event_gets_it_no_second_time(void **state)
{
	struct chainfix *w = two_clients();
	struct chainfix_client *c = &w->clients[1];

	chainfix_now(&w->clients[0], &everything);
	chainfix_now(&w->clients[0], &of_a);
	chainfix_now(c, &of_a);
	chainfix_turn(w, 10000);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 10000);
	/* It waits in both open blocks, and c gets it when it joins. */
	chainfix_emit(w, "a.x");
	chainfix_turn(w, 1);
	assert_int_equal(c->ephemeral, 0);
	c->conn.room = 0;
	chainfix_now(c, &everything);
	assert_int_equal(c->ephemeral, 1);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 10000);
	chainfix_turn(w, 10000);
	c->conn.room = UINT32_MAX;
	chainfix_settle(w);
	assert_int_equal(c->ephemeral, 1);
	chainfix_check_level(c);
	(void)chainfix_free(w);
}

static void
who_asks_for_the_same_snapshot_shares_what_the_broker_gives(void **state)
{
	struct chainfix *w = two_clients();
	struct chainbroker_counts counts;

	chainfix_append(w, "a.x", 1, 10);
	chainfix_append(w, "a.y", 1, 10);
	chainfix_turn(w, 1000);
	chainbroker_fold(w->broker, true);
	for (unsigned i = 0; i < 2; i++)
		chainfix_snapshot(
		    &w->clients[i], &of_a, (struct proto_uint){ 0 });
	/* The opening, and then the part. */
	for (unsigned i = 0; i < 2; i++) {
		while (chainbroker_answer(w->broker))
			;
		chainfix_turn(w, 1000);
	}
	counts = chainbroker_counts(w->broker);
	assert_int_equal(counts.opens, 1);
	assert_int_equal(counts.parts, 1);
	/* Who has other rows already asks for others. */
	chainfix_snapshot(
	    &w->clients[0], &of_a, (struct proto_uint){ true, 1 });
	while (chainbroker_answer(w->broker))
		;
	assert_int_equal(chainbroker_counts(w->broker).opens, 2);
	chainfix_settle(w);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w->clients[i].rounds, 2 - i);
		chainfix_check_level(&w->clients[i]);
	}
	(void)chainfix_free(w);
}

static void
a_stalled_client_is_told_lagged_and_may_subscribe_again(void **state)
{
	struct chainfix *w = chainfix_new(2, 64, 16384);
	struct chainfix_client *c = &w->clients[0];

	chainfix_connect(c);
	chainfix_now(c, &everything);
	chainfix_turn(w, 10000);
	c->conn.room = 0;
	for (unsigned i = 0; i < 1000; i++) {
		chainfix_append(w, "a.y", 1, 100);
		chainfix_turn(w, 10000);
	}
	assert_int_equal(c->lagged, 0);
	c->conn.room = UINT32_MAX;
	chainfix_turn(w, 1000);
	assert_int_equal(c->lagged, 1);
	assert_null(LIST_FIRST(&c->sender.subs));
	chainfix_from(c, &everything, w->n_events - 5);
	chainfix_settle(w);
	chainfix_check_level(c);
	assert_int_equal(c->lagged, 1);
	(void)chainfix_free(w);
}

static void
clients_at_the_same_place_share_what_is_read_for_them(void **state)
{
	struct chainfix *w = two_clients();
	struct catchup_counts one, two;

	for (unsigned i = 0; i < 100; i++)
		chainfix_append(w, "a.y", 1, 1000);
	chainfix_turn(w, 1000);
	chainfix_from(&w->clients[0], &of_a, 0);
	chainfix_settle(w);
	catchup_counts(w->catchup, &one);
	assert_in_range(one.reads, 5, 10);
	chainfix_from(&w->clients[1], &of_a, 0);
	chainfix_settle(w);
	catchup_counts(w->catchup, &two);
	assert_int_equal(two.blocks, 2 * one.blocks);
	/* Only where the head is depends on the moment. */
	assert_int_equal(two.reads, one.reads + 1);
	assert_int_equal(w->clients[1].events, 100);
	assert_int_equal(w->clients[1].subs[0].pos, 100);
	(void)chainfix_free(w);
}

static void
those_that_catch_up_take_turns(void **state)
{
	struct chainfix *w = chainfix_new(4, 4096, 1 << 20);
	struct chainfix_client *c = &w->clients[0];

	for (unsigned i = 0; i < 300; i++)
		chainfix_append(w, "a.y", 1, 1000);
	chainfix_turn(w, 1000);
	chainfix_connect(c);
	c->conn.room = 0;
	for (unsigned i = 0; i < 3; i++)
		chainfix_from(c, &everything, 0);
	/* A part for each is let through, and some more. */
	c->conn.room = 5;
	for (unsigned i = 0; i < 10; i++)
		chainfix_turn(w, 1000);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(c->subs[i].pos > 0);
		assert_true(c->subs[i].pos < 300);
	}
	c->conn.room = UINT32_MAX;
	chainfix_settle(w);
	chainfix_check_level(c);
	(void)chainfix_free(w);
}

static void
what_is_remembered_goes_no_further_than_was_asked(void **state)
{
	struct chainfix *w = two_clients();
	struct block *b;
	struct catchup_ask ask = { .upto = 100 };
	uint64_t first;

	for (unsigned i = 0; i < 100; i++)
		chainfix_append(w, "a.y", 1, 1000);
	chainfix_turn(w, 1000);
	chainfix_from(&w->clients[0], &of_a, 0);
	ask.filter = LIST_FIRST(&w->clients[0].sender.subs)->filter;
	assert_int_equal(catchup_block(w->catchup, &ask, &b), 0);
	first = b->upto;
	assert_in_range(first, 10, 20);
	(void)block_unref(b);
	for (uint64_t upto = first - 1; upto <= first + 1; upto++) {
		ask.upto = upto;
		assert_int_equal(catchup_block(w->catchup, &ask, &b), 0);
		assert_int_equal(b->upto, MIN(upto, first));
		(void)block_unref(b);
	}
	(void)chainfix_free(w);
}

static void
who_is_a_few_blocks_behind_gets_what_the_group_kept(void **state)
{
	struct chainfix *w = two_clients();
	struct chainfix_client *slow = &w->clients[1];
	struct catchup_counts counts;

	chainfix_now(&w->clients[0], &of_a);
	chainfix_now(slow, &of_a);
	chainfix_turn(w, 10000);
	slow->conn.room = 0;
	for (unsigned i = 0; i < 10; i++) {
		chainfix_append(w, "a.y", 1, 1000);
		chainfix_turn(w, 10000);
	}
	assert_int_equal(slow->events, 1);
	slow->conn.room = UINT32_MAX;
	for (unsigned i = 0; i < 5; i++)
		chainfix_turn(w, 10);
	assert_int_equal(slow->events, 10);
	assert_int_equal(slow->sender.state, SEND_MEMBER);
	catchup_counts(w->catchup, &counts);
	assert_int_equal(counts.blocks, 0);
	(void)chainfix_free(w);
}

static void
stalled_clients_hold_no_memory_but_their_position(void **state)
{
	struct chainfix *w = chainfix_new(3, 64, 16384);
	const struct group *g;

	for (unsigned i = 0; i < 2; i++) {
		chainfix_connect(&w->clients[i]);
		chainfix_now(&w->clients[i], &everything);
		w->clients[i].conn.room = 0;
	}
	for (unsigned i = 0; i < 1000; i++) {
		chainfix_append(w, "a.y", 1, 100);
		chainfix_turn(w, 10000);
	}
	LIST_FOREACH (g, &w->groups.all, link) {
		assert_true(g->kept_n <= GROUP_KEPT);
		assert_true(group_kept_bytes(g) <= GROUP_KEPT_BYTES);
	}
	(void)chainfix_free(w);
}

static void
a_quiet_group_gets_marks(void **state)
{
	struct chainfix *w = two_clients();
	struct chainfix_client *c = &w->clients[0];

	chainfix_now(c, &of_b);
	chainfix_turn(w, 1000);
	chainfix_append(w, "a.x", 1, 10);
	chainfix_turn(w, 1000);
	assert_int_equal(c->batches, 0);
	w->groups.now_ns = w->now_ns += w->groups.mark_ns;
	group_table_tick(&w->groups, 1);
	assert_int_equal(c->batches, 1);
	assert_int_equal(c->at, 1);
	/* The log rests: the longer interval counts. */
	w->groups.now_ns = w->now_ns += w->groups.mark_ns;
	group_table_tick(&w->groups, 1);
	assert_int_equal(c->batches, 1);
	w->groups.now_ns = w->now_ns += w->groups.ping_ns;
	group_table_tick(&w->groups, 1);
	assert_int_equal(c->batches, 2);
	(void)chainfix_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_who_ask_for_the_same_share_a_group),
		cmocka_unit_test(
		    the_event_of_a_quiet_second_is_sent_in_its_pass),
		cmocka_unit_test(
		    a_large_request_is_one_batch_and_so_are_small_ones),
		cmocka_unit_test(a_member_gets_every_ephemeral_event),
		cmocka_unit_test(
		    who_is_answered_in_the_same_pass_gets_the_ephemeral_event),
		cmocka_unit_test(
		    who_joined_behind_an_ephemeral_event_gets_it_no_second_time),
		cmocka_unit_test(
		    who_asks_for_the_same_snapshot_shares_what_the_broker_gives),
		cmocka_unit_test(
		    a_stalled_client_is_told_lagged_and_may_subscribe_again),
		cmocka_unit_test(
		    clients_at_the_same_place_share_what_is_read_for_them),
		cmocka_unit_test(those_that_catch_up_take_turns),
		cmocka_unit_test(
		    what_is_remembered_goes_no_further_than_was_asked),
		cmocka_unit_test(
		    who_is_a_few_blocks_behind_gets_what_the_group_kept),
		cmocka_unit_test(
		    stalled_clients_hold_no_memory_but_their_position),
		cmocka_unit_test(a_quiet_group_gets_marks),
		cmocka_unit_test(
		    each_event_comes_once_and_each_gap_is_announced),
	};

	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
