/* SPDX-License-Identifier: BSD-2-Clause */

/* What one user may have at once, and how long that is remembered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/time.h"
#include "gateway/counters.h"
#include "gateway/quota.h"

static const struct slice me = { (const uint8_t *)"me", 2 };

static void
a_user_who_comes_again_has_what_is_left_of_the_rate(void **state)
{
	struct quota_table table;
	struct quota *q;
	uint64_t now;

	quota_table_init(&table);
	counters_reset();
	table.rate = 2;
	for (unsigned i = 0; i < 3; i++) {
		q = quota_enter(&table, me);
		assert_non_null(q);
		now = q->seen_ns;
		assert_true((quota_append(q, 1, now) == 0) == (i < 2));
		if (i < 2)
			quota_answered(q, 1);
		quota_leave(q);
	}
	assert_int_equal(COUNTERS_GET(limited_append_rate), 1);
	assert_int_equal(table.resting, 1);
	/* Half a second later there is one more. */
	q = quota_enter(&table, me);
	assert_int_equal(table.resting, 0);
	assert_int_equal(quota_append(q, 1, now + NS_PER_S / 2), 0);
	assert_true(quota_append(q, 1, now + NS_PER_S / 2) > 0);
	quota_answered(q, 1);
	quota_leave(q);
	quota_table_deinit(&table);
}

static void
a_user_who_stays_away_is_forgotten(void **state)
{
	struct quota_table table;
	struct quota *q;
	uint64_t seen;

	quota_table_init(&table);
	table.rate = 1;
	q = quota_enter(&table, me);
	seen = q->seen_ns;
	assert_int_equal(quota_append(q, 7, seen), 0);
	quota_leave(q);
	/* Its append is under way. */
	quota_tick(&table, seen + 10 * NS_PER_S);
	quota_answered(q, 7);
	assert_int_equal(table.resting, 1);
	quota_tick(&table, seen + NS_PER_S - 1);
	assert_int_equal(table.resting, 1);
	quota_tick(&table, seen + NS_PER_S);
	assert_int_equal(table.resting, 0);
	quota_table_deinit(&table);
}

static void
so_many_bytes_may_be_under_way(void **state)
{
	struct quota_table table;
	struct quota *q;
	uint64_t now;

	counters_reset();
	quota_table_init(&table);
	table.max_bytes = 10;
	q = quota_enter(&table, me);
	now = q->seen_ns;
	/* The first one may be of any size. */
	assert_int_equal(quota_append(q, 11, now), 0);
	assert_true(quota_append(q, 1, now) > 0);
	quota_answered(q, 11);
	assert_int_equal(quota_append(q, 9, now), 0);
	assert_int_equal(quota_append(q, 1, now), 0);
	assert_true(quota_append(q, 1, now) > 0);
	assert_int_equal(COUNTERS_GET(limited_append_bytes), 2);
	quota_answered(q, 9);
	quota_answered(q, 1);
	quota_leave(q);
	quota_table_deinit(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_user_who_comes_again_has_what_is_left_of_the_rate),
		cmocka_unit_test(a_user_who_stays_away_is_forgotten),
		cmocka_unit_test(so_many_bytes_may_be_under_way),
	};

	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
