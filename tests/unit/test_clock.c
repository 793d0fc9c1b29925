/* SPDX-License-Identifier: BSD-2-Clause */

/* The clock that events get: steps back at once, leaps ahead after a while. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/time.h"
#include "writer/clock.h"
#include "writer/quota.h"

#define S US_PER_S

static void
small_steps_are_followed_at_once(void **state)
{
	struct writer_clock c;

	writer_clock_init(&c, 1000 * S, 10 * S);
	assert_int_equal(writer_clock_now(&c, 1001 * S, 11 * S), 1001 * S);
	assert_int_equal(writer_clock_now(&c, 900 * S, 12 * S), 900 * S);
	assert_int_equal(writer_clock_now(&c, 961 * S, 13 * S), 961 * S);
	assert_int_equal(c.leaps, 0);
}

static void
a_leap_ahead_is_believed_after_ten_minutes(void **state)
{
	struct writer_clock c;

	writer_clock_init(&c, 1000 * S, 10 * S);
	assert_int_equal(writer_clock_now(&c, 9000 * S, 11 * S), 1001 * S);
	assert_int_equal(writer_clock_now(&c, 9599 * S, 610 * S), 1600 * S);
	assert_int_equal(c.leaps, 1);
	assert_int_equal(writer_clock_now(&c, 9600 * S, 611 * S), 9600 * S);
	assert_int_equal(writer_clock_now(&c, 9601 * S, 612 * S), 9601 * S);
}

static void
a_leap_that_is_taken_back_is_forgotten(void **state)
{
	struct writer_clock c;

	writer_clock_init(&c, 1000 * S, 10 * S);
	assert_int_equal(writer_clock_now(&c, 9000 * S, 11 * S), 1001 * S);
	assert_int_equal(writer_clock_now(&c, 1002 * S, 12 * S), 1002 * S);
	assert_int_equal(writer_clock_now(&c, 9990 * S, 1000 * S), 1990 * S);
	assert_int_equal(c.leaps, 2);
}

static void
emits_get_a_quarter_of_the_ring_in_ten_seconds(void **state)
{
	struct quota q;
	uint64_t wait = 0;
	unsigned n = 0;

	quota_init(&q, 400, 1 << 20, NS_PER_S);
	while (!(wait = quota_take(&q, 10, NS_PER_S)))
		n++;
	assert_int_equal(n, 100);
	assert_in_range(wait, 1, 200);
	assert_int_equal(quota_take(&q, 10, NS_PER_S + wait * NS_PER_MS), 0);
	/* bytes bound as well as slots */
	quota_init(&q, 400, 1 << 20, NS_PER_S);
	assert_int_equal(quota_take(&q, 1 << 18, NS_PER_S), 0);
	assert_true(quota_take(&q, 1 << 17, NS_PER_S) > 4000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_steps_are_followed_at_once),
		cmocka_unit_test(a_leap_ahead_is_believed_after_ten_minutes),
		cmocka_unit_test(a_leap_that_is_taken_back_is_forgotten),
		cmocka_unit_test(
		    emits_get_a_quarter_of_the_ring_in_ten_seconds),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
