/* SPDX-License-Identifier: BSD-2-Clause */

/* Buckets and percentiles of histograms, beside values that were kept. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/stats.h"
#include "tests/lib/fuzz.h"

enum {
	VALUES = 20000
};

static void
every_value_is_in_one_bucket_and_buckets_follow_each_other(void **state)
{
	assert_int_equal(stats_hist_low(0), 0);
	for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++) {
		uint64_t low = stats_hist_low(b), high = stats_hist_high(b);

		assert_true(low <= high);
		assert_int_equal(stats_hist_bucket(low), b);
		assert_int_equal(stats_hist_bucket(high), b);
		if (b + 1 < STATS_HIST_BUCKETS)
			assert_true(stats_hist_low(b + 1) == high + 1);
	}
	assert_true(stats_hist_high(STATS_HIST_BUCKETS - 1) == UINT64_MAX);
	assert_true(stats_hist_low(STATS_HIST_BUCKETS) == UINT64_C(1) << 41);
}

static void
a_bucket_is_at_most_a_32nd_of_its_values_wide(void **state)
{
	for (unsigned b = 0; b + 1 < STATS_HIST_BUCKETS; b++)
		assert_true((stats_hist_high(b) - stats_hist_low(b)) * 32 <=
			    stats_hist_low(b));
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of all sizes up to 2^40 alike. */
static uint64_t
some_value(void)
{
	return fuzz_roll(UINT64_C(1) << fuzz_roll(41));
}

static void
put(struct stats_hist *h, uint64_t v)
{
	h->n[stats_hist_bucket(v)]++;
	h->count++;
	h->sum += v;
	h->max = MAX(h->max, v);
}

/* Is said what is true, and no more than a bucket above it? */
static bool
near(uint64_t said, uint64_t truth)
{
	return said >= truth && said - truth <= truth / 32;
}

static void
percentiles_are_those_of_the_values_to_within_a_32nd(void **state)
{
	static const double percents[] = { 0, 0.01, 1, 50, 90, 99, 99.9, 99.99,
		100 };
	uint64_t *values = calloc(VALUES, sizeof(*values));
	struct stats_hist *h = calloc(1, sizeof(*h));
	double mean = 0;

	assert_non_null(values);
	assert_non_null(h);
	assert_false(near(99, 100));
	assert_false(near(104, 100));
	assert_true(near(103, 100));
	for (unsigned i = 0; i < VALUES; i++) {
		values[i] = some_value();
		mean += (double)values[i] / VALUES;
		put(h, values[i]);
	}
	qsort(values, VALUES, sizeof(*values), by_value);
	for (unsigned i = 0; i < ARRAY_LEN(percents); i++) {
		double rank = ceil(VALUES * percents[i] / 100);
		uint64_t truth = values[rank < 1 ? 0 : (size_t)rank - 1];

		assert_true(near(stats_hist_percentile(h, percents[i]), truth));
	}
	assert_true(stats_hist_percentile(h, 100) == values[VALUES - 1]);
	assert_true(fabs(stats_hist_mean(h) - mean) <= mean / 1e6);
	free(values);
	free(h);
}

/* As a stranger's file may have it. */
static void
all_of_as_many_as_there_can_be_are_below_the_maximum(void **state)
{
	struct stats_hist *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->n[1] = 1;
	h->n[5] = UINT64_MAX - 1;
	h->count = UINT64_MAX;
	h->max = 5;
	assert_int_equal(stats_hist_percentile(h, 0), 1);
	assert_int_equal(stats_hist_percentile(h, 99.99), 5);
	assert_int_equal(stats_hist_percentile(h, 100), 5);
	free(h);
}

/* Of an odd number of values the median is the one in the middle. */
static void
a_percentile_is_not_below_its_share_of_the_values(void **state)
{
	struct stats_hist *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	for (uint64_t v = 1; v <= 3; v++)
		put(h, v);
	assert_int_equal(stats_hist_percentile(h, 33), 1);
	assert_int_equal(stats_hist_percentile(h, 34), 2);
	assert_int_equal(stats_hist_percentile(h, 50), 2);
	assert_int_equal(stats_hist_percentile(h, 67), 3);
	free(h);
}

static void
what_is_below_a_power_of_two_is_counted_exactly(void **state)
{
	uint64_t truth[64] = { 0 };
	struct stats_hist *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	for (unsigned i = 0; i < VALUES; i++) {
		uint64_t v = i % 4 ? some_value() : UINT64_C(1) << i % 40;

		put(h, v);
		for (unsigned e = 0; e < 64; e++)
			truth[e] += v < UINT64_C(1) << e;
	}
	for (unsigned e = 0; e <= 41; e++)
		assert_true(stats_hist_below(h, UINT64_C(1) << e) == truth[e]);
	assert_true(stats_hist_below(h, 0) == 0);
	/* Within a bucket: what it holds is left out. */
	put(h, 1000);
	assert_true(stats_hist_below(h, 1001) == stats_hist_below(h, 992));
	free(h);
}

static void
histograms_add_up_and_the_difference_is_what_came_between(void **state)
{
	struct stats_hist *all = calloc(1, sizeof(*all));
	struct stats_hist *early = calloc(1, sizeof(*early));
	struct stats_hist *late = calloc(1, sizeof(*late));
	struct stats_hist *sum = calloc(1, sizeof(*sum));
	uint64_t v, max = 0;

	assert_true(all && early && late && sum);
	for (unsigned i = 0; i < VALUES; i++) {
		v = some_value();
		put(all, v);
		put(i < VALUES / 3 ? early : late, v);
		if (i >= VALUES / 3)
			max = MAX(max, v);
	}
	*sum = *early;
	stats_hist_merge(sum, late);
	assert_memory_equal(sum, all, sizeof(*all));
	stats_hist_since(sum, early);
	assert_memory_equal(sum->n, late->n, sizeof(late->n));
	assert_true(sum->count == late->count && sum->sum == late->sum);
	assert_true(near(sum->max, max));
	/* Somebody has begun anew: all of it came since. */
	*sum = *late;
	stats_hist_since(sum, all);
	assert_memory_equal(sum, late, sizeof(*late));
	stats_hist_since(sum, late);
	assert_int_equal(sum->count, 0);
	assert_int_equal(sum->max, 0);
	free(all);
	free(early);
	free(late);
	free(sum);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_value_is_in_one_bucket_and_buckets_follow_each_other),
		cmocka_unit_test(a_bucket_is_at_most_a_32nd_of_its_values_wide),
		cmocka_unit_test(
		    percentiles_are_those_of_the_values_to_within_a_32nd),
		cmocka_unit_test(
		    all_of_as_many_as_there_can_be_are_below_the_maximum),
		cmocka_unit_test(
		    a_percentile_is_not_below_its_share_of_the_values),
		cmocka_unit_test(
		    what_is_below_a_power_of_two_is_counted_exactly),
		cmocka_unit_test(
		    histograms_add_up_and_the_difference_is_what_came_between),
	};

	fuzz_seed();
	return cmocka_run_group_tests_name("stats_hist", tests, NULL, NULL);
}
