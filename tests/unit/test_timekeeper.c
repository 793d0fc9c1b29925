/* SPDX-License-Identifier: BSD-2-Clause */

/* What is taken for the time: steps back at once, leaps ahead after a while. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/time.h"
#include "core/timekeeper.h"

#define S US_PER_S

static void
small_steps_are_followed_at_once(void **state)
{
	struct timekeeper k;

	timekeeper_init(&k, 1000 * S, 10 * S);
	assert_int_equal(timekeeper_now(&k, 1001 * S, 11 * S), 1001 * S);
	assert_int_equal(timekeeper_now(&k, 900 * S, 12 * S), 900 * S);
	assert_int_equal(timekeeper_now(&k, 961 * S, 13 * S), 961 * S);
	assert_int_equal(k.leaps, 0);
}

static void
a_leap_ahead_is_believed_after_ten_minutes(void **state)
{
	struct timekeeper k;

	timekeeper_init(&k, 1000 * S, 10 * S);
	assert_int_equal(timekeeper_now(&k, 9000 * S, 11 * S), 1001 * S);
	assert_int_equal(timekeeper_now(&k, 9599 * S, 610 * S), 1600 * S);
	assert_int_equal(k.leaps, 1);
	assert_int_equal(timekeeper_now(&k, 9600 * S, 611 * S), 9600 * S);
	assert_int_equal(timekeeper_now(&k, 9601 * S, 612 * S), 9601 * S);
}

static void
a_leap_that_is_taken_back_is_forgotten(void **state)
{
	struct timekeeper k;

	timekeeper_init(&k, 1000 * S, 10 * S);
	assert_int_equal(timekeeper_now(&k, 9000 * S, 11 * S), 1001 * S);
	assert_int_equal(timekeeper_now(&k, 1002 * S, 12 * S), 1002 * S);
	assert_int_equal(timekeeper_now(&k, 9990 * S, 1000 * S), 1990 * S);
	assert_int_equal(k.leaps, 2);
}

static void
forth_again_is_no_leap(void **state)
{
	struct timekeeper k;

	timekeeper_init(&k, 9000 * S, 10 * S);
	assert_int_equal(timekeeper_now(&k, 5400 * S, 11 * S), 5400 * S);
	assert_int_equal(timekeeper_now(&k, 9010 * S, 20 * S), 9010 * S);
	assert_int_equal(timekeeper_now(&k, 5400 * S, 21 * S), 5400 * S);
	assert_int_equal(timekeeper_now(&k, 9090 * S, 40 * S), 9090 * S);
	assert_int_equal(k.leaps, 0);
	assert_int_equal(timekeeper_now(&k, 5400 * S, 41 * S), 5400 * S);
	assert_int_equal(timekeeper_now(&k, 9180 * S, 60 * S), 5419 * S);
	assert_int_equal(k.leaps, 1);
	/* But for whom would give up what is old then. */
	timekeeper_init(&k, 9000 * S, 10 * S);
	k.doubts = true;
	assert_int_equal(timekeeper_now(&k, 5400 * S, 11 * S), 5400 * S);
	assert_int_equal(timekeeper_now(&k, 9010 * S, 20 * S), 5409 * S);
}

static void
a_leap_in_a_leap_has_to_stand_by_itself(void **state)
{
	struct timekeeper k;

	timekeeper_init(&k, 1000 * S, 10 * S);
	assert_int_equal(timekeeper_now(&k, 2000 * S, 11 * S), 1001 * S);
	assert_int_equal(timekeeper_now(&k, 90000 * S, 610 * S), 1600 * S);
	assert_int_equal(timekeeper_now(&k, 90599 * S, 1209 * S), 2199 * S);
	/* Half of it was taken back. */
	assert_int_equal(timekeeper_now(&k, 50000 * S, 1210 * S), 2200 * S);
	assert_int_equal(timekeeper_now(&k, 50599 * S, 1809 * S), 2799 * S);
	assert_int_equal(k.leaps, 3);
	assert_int_equal(timekeeper_now(&k, 50600 * S, 1810 * S), 50600 * S);
}

static void
doubted_nothing_is_old_for_ten_minutes(void **state)
{
	struct timekeeper k;
	uint64_t wall = 1800000000 * S;

	timekeeper_init(&k, 0, 50 * S);
	assert_int_equal(timekeeper_now(&k, wall, 51 * S), 1 * S);
	assert_int_equal(timekeeper_now(&k, wall + 599 * S, 650 * S), 600 * S);
	assert_int_equal(
	    timekeeper_now(&k, wall + 600 * S, 651 * S), wall + 600 * S);
	/* The clocks of this machine are no others. */
	timekeeper_doubt(&k);
	assert_in_range(timekeeper_ask(&k), 0, 60 * S);
	assert_int_equal(k.leaps, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_steps_are_followed_at_once),
		cmocka_unit_test(a_leap_ahead_is_believed_after_ten_minutes),
		cmocka_unit_test(a_leap_that_is_taken_back_is_forgotten),
		cmocka_unit_test(forth_again_is_no_leap),
		cmocka_unit_test(a_leap_in_a_leap_has_to_stand_by_itself),
		cmocka_unit_test(doubted_nothing_is_old_for_ten_minutes),
	};

	return cmocka_run_group_tests_name("timekeeper", tests, NULL, NULL);
}
