/* SPDX-License-Identifier: BSD-2-Clause */

/* Who is behind when the writer starts anew. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/time.h"
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    who_is_behind_goes_on_with_the_ring_of_the_writer_before),
		cmocka_unit_test(for_thirty_seconds_and_no_longer),
	};

	return cmocka_run_group_tests_name("catchup", tests, NULL, NULL);
}
