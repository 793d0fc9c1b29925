/* SPDX-License-Identifier: BSD-2-Clause */

/* How much of the ring ephemeral events may take. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/time.h"
#include "writer/quota.h"

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

/* A second is a tenth of it, however often it is asked for. */
static void
no_second_refills_twice(void **state)
{
	struct quota q;
	unsigned n = 0;

	quota_init(&q, 400, 1 << 20, NS_PER_S);
	while (quota_take(&q, 10, NS_PER_S) == 0)
		;
	while (n <= 100 && quota_take(&q, 10, 2 * NS_PER_S) == 0)
		n++;
	assert_in_range(n, 9, 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    emits_get_a_quarter_of_the_ring_in_ten_seconds),
		cmocka_unit_test(no_second_refills_twice),
	};

	return cmocka_run_group_tests_name("emit quota", tests, NULL, NULL);
}
