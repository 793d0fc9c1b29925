/* SPDX-License-Identifier: BSD-2-Clause */

/* How fast counters grow, at times that the test says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/time.h"
#include "shm/stats.h"
#include "tools/rates.h"

static const struct stats_def defs[] = {
	{ "birds", "birds", "how many were seen", STATS_COUNTER },
	{ "trees", "trees", "how many there are now", STATS_GAUGE },
};
static const struct stats_table table = { .process = "forest",
	.defs = defs,
	.n = ARRAY_LEN(defs) };

struct world {
	void *area;
	struct stats stats;
	struct stats_view view;
	struct rates *rates;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->area = aligned_alloc(64, stats_bytes(&table));
	assert_non_null(w->area);
	memset(w->area, 0, stats_bytes(&table));
	stats_init(&w->stats, w->area, &table);
	assert_int_equal(
	    stats_view_init(&w->view, w->area, stats_bytes(&table), NULL), 0);
	w->rates = rates_new();
	assert_non_null(w->rates);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	assert_null(rates_free(w->rates));
	free(w->area);
	free(w);
	return 0;
}

/* A turn at that time with these values. */
static struct rates_process *
turn_ms(struct world *w, uint64_t ms, uint64_t birds, uint64_t trees)
{
	stats_set(&w->stats, 0, birds);
	stats_set(&w->stats, 1, trees);
	rates_turn(w->rates, ms * NS_PER_MS);
	return rates_take(w->rates, &w->view);
}

static struct rates_process *
turn(struct world *w, uint64_t s, uint64_t birds, uint64_t trees)
{
	return turn_ms(w, s * 1000, birds, trees);
}

static void
assert_figures(const struct rates_process *p, unsigned i, double last,
    double avg_10, double avg_100)
{
	struct rates_figures f;

	assert_non_null(p);
	assert_true(rates_of(p, i, &f));
	assert_float_equal(f.last, last, 1e-9);
	assert_float_equal(f.avg_10, avg_10, 1e-9);
	assert_float_equal(f.avg_100, avg_100, 1e-9);
}

static void
the_first_turn_says_nothing(void **state)
{
	struct world *w = *state;
	struct rates_process *p = turn(w, 50, 1000, 5);
	struct rates_figures f;

	assert_non_null(p);
	assert_false(rates_of(p, 0, &f));
	assert_false(rates_of(p, 1, &f));
	p = turn(w, 52, 1010, 7);
	assert_figures(p, 0, 5, 5, 5);
	/* Of a gauge it is the mean of what was seen. */
	assert_figures(p, 1, 7, 6, 6);
	assert_false(rates_of(p, 2, &f));
}

static void
averages_are_over_their_time_and_no_more(void **state)
{
	struct world *w = *state;
	struct rates_process *p = NULL;
	uint64_t birds = 0;

	/* For 300 s one a second, for 50 s three, for 5 s ten. */
	for (uint64_t s = 0; s < 355; s++) {
		p = turn(w, s, birds, 4);
		birds += s < 300 ? 1 : s < 350 ? 3 : 10;
	}
	/* At 354: four intervals of ten, six of three; forty-five of one. */
	assert_figures(p, 0, 10, (4 * 10 + 6 * 3) / 10.0,
	    (4 * 10 + 50 * 3 + 46 * 1) / 100.0);
	assert_figures(p, 1, 4, 4, 4);
}

static void
turns_may_come_faster_or_slower_than_samples(void **state)
{
	struct world *w = *state;
	struct rates_process *p = NULL;

	for (uint64_t ms = 0; ms <= 300 * 1000; ms += 100)
		p = turn_ms(w, ms, ms / 10, 4);
	assert_figures(p, 0, 100, 100, 100);
	for (uint64_t s = 330; s <= 900; s += 30)
		p = turn(w, s, 30000 + (s - 300) * 7, 4);
	assert_figures(p, 0, 7, 7, 7);
}

static void
a_counter_that_went_back_says_nothing(void **state)
{
	struct world *w = *state;
	struct rates_figures f;
	struct rates_process *p;

	(void)turn(w, 1, 100, 4);
	p = turn(w, 2, 99, 4);
	assert_false(rates_of(p, 0, &f));
	assert_true(rates_of(p, 1, &f));
	/* Nor when the clock stood still. */
	p = turn(w, 2, 120, 4);
	assert_false(rates_of(p, 0, &f));
}

static void
another_process_of_that_pid_begins_anew(void **state)
{
	struct world *w = *state;
	struct rates_figures f;
	struct rates_process *p;

	(void)turn(w, 1, 100, 4);
	p = turn(w, 2, 110, 4);
	assert_figures(p, 0, 10, 10, 10);
	w->view.started_us++;
	p = turn(w, 3, 120, 4);
	assert_false(rates_of(p, 0, &f));
	/* Who was away for a turn does, too. */
	p = turn(w, 4, 130, 4);
	assert_true(rates_of(p, 0, &f));
	rates_turn(w->rates, 5 * NS_PER_S);
	p = turn(w, 6, 140, 4);
	assert_false(rates_of(p, 0, &f));
}

static void
a_second_copy_of_a_process_is_left_out(void **state)
{
	struct world *w = *state;

	assert_non_null(turn(w, 1, 100, 4));
	assert_null(rates_take(w->rates, &w->view));
	assert_non_null(turn(w, 2, 100, 4));
}

static void
any_number_of_processes_costs_bounded_memory(void **state)
{
	struct world *w = *state;
	unsigned taken = 0;

	rates_turn(w->rates, NS_PER_S);
	for (unsigned i = 0; i < RATES_SERIES; i++) {
		w->view.pid = i + 1;
		taken += rates_take(w->rates, &w->view) != NULL;
	}
	assert_int_equal(taken, RATES_SERIES / 2);
	/* Room comes back with those who go. */
	rates_turn(w->rates, 2 * NS_PER_S);
	rates_turn(w->rates, 3 * NS_PER_S);
	assert_non_null(rates_take(w->rates, &w->view));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(the_first_turn_says_nothing),
		T(averages_are_over_their_time_and_no_more),
		T(turns_may_come_faster_or_slower_than_samples),
		T(a_counter_that_went_back_says_nothing),
		T(another_process_of_that_pid_begins_anew),
		T(a_second_copy_of_a_process_is_left_out),
		T(any_number_of_processes_costs_bounded_memory),
	};

	return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
