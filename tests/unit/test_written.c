/* SPDX-License-Identifier: BSD-2-Clause */

/* What is told of messages that were written. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/time.h"
#include "gateway/block.h"
#include "gateway/counters.h"
#include "gateway/form.h"
#include "gateway/written.h"

#define SECOND ((uint64_t)NS_PER_S)

/* A finished message of n events, read that long ago. */
static struct block *
message(uint32_t n, uint64_t ago_ns)
{
	static const uint8_t event[] = { 0x93, 1, 2, 3 };
	struct block *b = block_new(n * sizeof(event));

	assert_non_null(b);
	for (uint32_t i = 0; i < n; i++)
		block_add(b, event, sizeof(event));
	b->read_ns = time_mono_ns() - ago_ns;
	block_finish_batch(b, 1, 2);
	return b;
}

struct sums {
	uint64_t count, sum, max;
};

static struct sums
sums_of(enum stats_gateway_hist which)
{
	const struct stats_buckets *h = &counters_cells.hists[which];
	struct sums s = { 0, h->sum, h->max };

	for (unsigned i = 0; i < STATS_HIST_BUCKETS; i++)
		s.count += h->n[i];
	return s;
}

static int
setup(void **state)
{
	written_flush();
	counters_reset();
	return 0;
}

static void
a_message_is_as_late_as_its_oldest_event(void **state)
{
	struct block *b = message(3, 60 * SECOND);
	uint64_t before = time_mono_ns(), took;
	struct sums late, events, size;

	written_block(b);
	written_flush();
	took = time_mono_ns() - before + SECOND;
	late = sums_of(STATS_GATEWAY_HIST_read_written);
	assert_int_equal(late.count, 1);
	assert_in_range(late.max, 60 * SECOND, 60 * SECOND + took);
	events = sums_of(STATS_GATEWAY_HIST_message_events);
	assert_int_equal(events.count, 1);
	assert_int_equal(events.sum, 3);
	size = sums_of(STATS_GATEWAY_HIST_message_size);
	assert_int_equal(size.sum, b->end - b->start);
	(void)block_unref(b);
}

/* Before and behind the number that is gathered, and over several of it. */
static void
each_message_is_told_once_however_many_have_gathered(void **state)
{
	static const unsigned numbers[] = { 1, 15, 16, 17, 32, 33, 1000 };
	struct block *a = message(1, SECOND), *b = message(2, 2 * SECOND);
	uint64_t n = 0, in_b = 0;

	for (unsigned k = 0; k < ARRAY_LEN(numbers); k++) {
		for (unsigned i = 0; i < numbers[k]; i++, n++) {
			in_b += i % 3 == 0;
			written_block(i % 3 ? a : b);
		}
		written_flush();
		assert_int_equal(
		    sums_of(STATS_GATEWAY_HIST_read_written).count, n);
		assert_int_equal(
		    sums_of(STATS_GATEWAY_HIST_message_events).sum, n + in_b);
	}
	written_flush();
	assert_int_equal(sums_of(STATS_GATEWAY_HIST_read_written).count, n);
	(void)block_unref(a);
	(void)block_unref(b);
}

static void
what_has_gathered_is_told_when_it_is_enough(void **state)
{
	struct block *b = message(1, SECOND);

	for (unsigned i = 0; i < 100; i++)
		written_block(b);
	assert_in_range(
	    sums_of(STATS_GATEWAY_HIST_read_written).count, 85, 100);
	(void)block_unref(b);
}

static void
messages_without_events_or_time_are_not_late(void **state)
{
	struct block *mark = message(0, SECOND), *old = message(1, SECOND);

	old->read_ns = 0;
	written_block(mark);
	written_block(old);
	written_flush();
	assert_int_equal(sums_of(STATS_GATEWAY_HIST_read_written).count, 0);
	assert_int_equal(sums_of(STATS_GATEWAY_HIST_message_events).count, 1);
	(void)block_unref(mark);
	(void)block_unref(old);
}

/* Clocks: the event may have been read after the one that is looked at now. */
static void
a_message_from_the_future_is_not_late(void **state)
{
	struct block *b = message(1, SECOND);

	b->read_ns = UINT64_MAX;
	written_block(b);
	written_flush();
	assert_int_equal(sums_of(STATS_GATEWAY_HIST_read_written).count, 1);
	assert_int_equal(sums_of(STATS_GATEWAY_HIST_read_written).max, 0);
	(void)block_unref(b);
}

static void
a_message_in_another_form_is_as_late(void **state)
{
	struct block *b = message(5, 60 * SECOND);

	written_block(form_of(b, FORM_JSON));
	written_block(form_events(b, "log"));
	written_flush();
	assert_int_equal(sums_of(STATS_GATEWAY_HIST_read_written).count, 2);
	assert_in_range(sums_of(STATS_GATEWAY_HIST_read_written).sum,
	    120 * SECOND, UINT64_MAX);
	assert_int_equal(sums_of(STATS_GATEWAY_HIST_message_events).sum, 10);
	(void)block_unref(b);
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_is_as_late_as_its_oldest_event),
		TEST(each_message_is_told_once_however_many_have_gathered),
		TEST(what_has_gathered_is_told_when_it_is_enough),
		TEST(messages_without_events_or_time_are_not_late),
		TEST(a_message_from_the_future_is_not_late),
		TEST(a_message_in_another_form_is_as_late),
	};

	return cmocka_run_group_tests_name("written", tests, NULL, NULL);
}
