/* SPDX-License-Identifier: BSD-2-Clause */

/* The histogram: percentiles are right to one in a hundred, at any size. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/bench_hist.h"

static void
assert_close(uint64_t got, uint64_t want)
{
	assert_true(got >= want);
	assert_true(got - want <= want / 100 + 1);
}

static void
percentiles_of_a_ramp_are_where_they_belong(void **state)
{
	struct bench_hist *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	for (uint64_t i = 1; i <= 100000; i++)
		bench_hist_add(h, i * 1000, 1);
	assert_close(bench_hist_percentile(h, 50), 50000000);
	assert_close(bench_hist_percentile(h, 99), 99000000);
	assert_close(bench_hist_percentile(h, 99.9), 99900000);
	assert_int_equal(bench_hist_percentile(h, 100), 100000000);
	assert_int_equal(h->max, 100000000);
	assert_int_equal(bench_hist_above(h, 100000000), 0);
	assert_in_range(bench_hist_above(h, 75000000), 24000, 25000);
	free(h);
}

static void
one_value_of_any_size_is_found_again(void **state)
{
	for (unsigned bit = 0; bit < 64; bit++)
		for (int d = -1; d <= 1; d++) {
			struct bench_hist *h = calloc(1, sizeof(*h));
			uint64_t v = (UINT64_C(1) << bit) + (uint64_t)d;

			assert_non_null(h);
			bench_hist_add(h, v, 1);
			assert_int_equal(bench_hist_percentile(h, 50), v);
			free(h);
		}
}

static void
merging_is_adding(void **state)
{
	struct bench_hist *a = calloc(1, sizeof(*a));
	struct bench_hist *b = calloc(1, sizeof(*b));

	assert_non_null(a);
	assert_non_null(b);
	bench_hist_add(a, 10, 99);
	bench_hist_add(b, 5000, 1);
	bench_hist_merge(a, b);
	assert_int_equal(a->count, 100);
	assert_int_equal(bench_hist_percentile(a, 99), 10);
	assert_close(bench_hist_percentile(a, 100), 5000);
	free(a);
	free(b);
}

static void
an_empty_one_has_no_percentile(void **state)
{
	struct bench_hist *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	assert_int_equal(bench_hist_percentile(h, 50), 0);
	free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_of_a_ramp_are_where_they_belong),
		cmocka_unit_test(one_value_of_any_size_is_found_again),
		cmocka_unit_test(merging_is_adding),
		cmocka_unit_test(an_empty_one_has_no_percentile),
	};

	return cmocka_run_group_tests_name("bench_hist", tests, NULL, NULL);
}
