/* SPDX-License-Identifier: BSD-2-Clause */

/* Who is behind when the writer starts anew. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/time.h"
#include "gateway/block.h"
#include "gateway/catchup.h"
#include "gateway/feed.h"
#include "tests/lib/chainfix.h"

static const struct chainfix_spec of_a = { { "a.>" }, { NULL } };

/* The writer starts anew, and its ring holds nothing of what was. */
static void
another_ring(struct chainfix *w)
{
	struct ringfix next;

	ringfix_dir(&next);
	next.opt.slots = w->ring.opt.slots;
	next.opt.payload_bytes = w->ring.opt.payload_bytes;
	next.opt.head_seq = w->n_events;
	ringfix_open(&next);
	assert_int_equal(feed_ring(w->feed, next.reader), FEED_IDLE);
	assert_int_equal(catchup_ring(w->catchup, next.reader), 0);
	ringfix_close(&w->ring);
	w->ring = next;
}

/* One that is far behind, and 100 events of 1000 bytes. */
static struct chainfix *
one_far_behind(struct chainfix_client **slow)
{
	struct chainfix *w = chainfix_new(3, 1024, 1 << 20);

	chainfix_connect(&w->clients[0]);
	chainfix_now(&w->clients[0], &of_a);
	chainfix_turn(w, 10000);
	w->clients[0].conn.room = 0;
	for (unsigned i = 0; i < 100; i++) {
		chainfix_append(w, "a.y", 1, 1000);
		chainfix_turn(w, 10000);
	}
	*slow = &w->clients[0];
	return w;
}

static void
who_is_behind_goes_on_with_the_ring_of_the_writer_before(void **state)
{
	struct chainfix_client *slow;
	struct chainfix *w = one_far_behind(&slow);

	another_ring(w);
	for (unsigned i = 0; i < 10; i++) {
		chainfix_append(w, "a.y", 1, 1000);
		chainfix_turn(w, 10000);
	}
	catchup_tick(w->catchup, NS_PER_S);
	catchup_tick(w->catchup, 30 * NS_PER_S);
	slow->conn.room = UINT32_MAX;
	for (unsigned i = 0; i < 100; i++)
		chainfix_turn(w, 10);
	assert_int_equal(slow->events, 110);
	assert_int_equal(slow->lagged, 0);
	assert_int_equal(slow->sender.state, SEND_MEMBER);
	(void)chainfix_free(w);
}

static void
for_thirty_seconds_and_no_longer(void **state)
{
	struct chainfix_client *slow;
	struct chainfix *w = one_far_behind(&slow);

	another_ring(w);
	catchup_tick(w->catchup, NS_PER_S);
	catchup_tick(w->catchup, 31 * NS_PER_S);
	slow->conn.room = UINT32_MAX;
	for (unsigned i = 0; i < 100; i++)
		chainfix_turn(w, 10);
	assert_int_equal(slow->lagged, 1);
	(void)chainfix_free(w);
}

/* As sending it to somebody who speaks JSON leaves it. */
static void
is_sent_as_text(struct block *b, uint32_t bytes)
{
	if (b->json)
		return;
	b->json = block_new(bytes);
	assert_non_null(b->json);
	b->json->end += bytes;
}

/* 256 blocks of 16 KiB are well within it; with their forms they are not. */
static void
what_is_remembered_is_bounded_with_all_its_forms(void **state)
{
	enum {
		BOUND = 16 << 20,
		FORM = 128 << 10,
		PLACES = 400,
	};
	struct chainfix *w = chainfix_new(3, 1024, 1 << 20);
	struct catchup_counts counts;
	struct catchup_ask ask = { .upto = 500 };
	uint64_t most = 0, reads;
	struct block *b;

	for (unsigned i = 0; i < 500; i++)
		chainfix_append(w, "a.y", 1, 1000);
	chainfix_connect(&w->clients[0]);
	chainfix_turn(w, 1000);
	chainfix_from(&w->clients[0], &of_a, 0);
	ask.filter = LIST_FIRST(&w->clients[0].sender.subs)->filter;
	for (unsigned i = 0; i < 2 * PLACES; i++) {
		ask.after = i % PLACES;
		assert_int_equal(catchup_block(w->catchup, &ask, &b), 0);
		is_sent_as_text(b, FORM);
		(void)block_unref(b);
		catchup_counts(w->catchup, &counts);
		most = MAX(most, counts.remembered_bytes);
	}
	assert_in_range(most, BOUND - FORM, BOUND + BLOCK_BYTES);
	/* What came last is still known. */
	reads = counts.reads;
	assert_int_equal(catchup_block(w->catchup, &ask, &b), 0);
	(void)block_unref(b);
	catchup_counts(w->catchup, &counts);
	assert_int_equal(counts.reads, reads);
	catchup_forget(w->catchup);
	catchup_counts(w->catchup, &counts);
	assert_int_equal(counts.remembered_bytes, 0);
	(void)chainfix_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    who_is_behind_goes_on_with_the_ring_of_the_writer_before),
		cmocka_unit_test(for_thirty_seconds_and_no_longer),
		cmocka_unit_test(
		    what_is_remembered_is_bounded_with_all_its_forms),
	};

	return cmocka_run_group_tests_name("catchup", tests, NULL, NULL);
}
