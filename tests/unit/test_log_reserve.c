/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The reserve in the file model: made as a whole or not at all, where there
 * is room for more, and given back for good.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log/reserve.h"
#include "tests/lib/modelfix.h"

enum {
	BYTES = 1 << 20
};

static int
keep(struct modelfix *m)
{
	return reserve_keep(m->fx.io, m->fx.dirfd, BYTES, &m->fx.why);
}

static int
release(struct modelfix *m)
{
	return reserve_release(m->fx.io, m->fx.dirfd, &m->fx.why);
}

static void
it_is_made_where_two_more_find_room(void **state)
{
	struct modelfix *m = *state;

	filemodel_set_room(m->fm, 3 * BYTES - 1);
	assert_int_equal(keep(m), RESERVE_NO_ROOM);
	assert_int_equal(filemodel_size(m->fm, RESERVE_NAME), -1);
	filemodel_set_room(m->fm, 3 * BYTES);
	assert_int_equal(keep(m), RESERVE_THERE);
	assert_int_equal(filemodel_size(m->fm, RESERVE_NAME), BYTES);
	/* What is there stays, whatever else is. */
	filemodel_set_room(m->fm, 0);
	assert_int_equal(keep(m), RESERVE_THERE);
	assert_int_equal(release(m), 0);
	assert_int_equal(filemodel_size(m->fm, RESERVE_NAME), -1);
	assert_int_equal(release(m), -ENOENT);
}

static void
its_room_is_given_back_on_the_disk(void **state)
{
	struct modelfix *m = *state;

	assert_int_equal(keep(m), RESERVE_THERE);
	filemodel_fail_at(m->fm, filemodel_calls(m->fm) + 2, -EIO);
	assert_int_equal(release(m), -EIO);
	assert_true(filemodel_fired(m->fm));
}

static void
one_of_another_size_is_made_anew(void **state)
{
	static const uint64_t others[] = { BYTES / 2, BYTES * 2 };
	struct modelfix *m = *state;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_int_equal(
		    reserve_keep(m->fx.io, m->fx.dirfd, others[i], &m->fx.why),
		    RESERVE_THERE);
		assert_int_equal(
		    filemodel_size(m->fm, RESERVE_NAME), others[i]);
		assert_int_equal(keep(m), RESERVE_THERE);
		assert_int_equal(filemodel_size(m->fm, RESERVE_NAME), BYTES);
	}
}

/* Each call of looking for it and of making it. */
static void
what_keeps_it_from_being_made_is_told(void **state)
{
	struct modelfix *m = *state;
	unsigned failed = 0;
	bool fired = true;

	for (uint64_t call = 1; fired; call++) {
		int got;

		m->fx.why.text[0] = '\0';
		filemodel_fail_at(m->fm, filemodel_calls(m->fm) + call, -EIO);
		got = keep(m);
		fired = filemodel_fired(m->fm);
		filemodel_fail_at(m->fm, 0, 0);
		if (got != RESERVE_THERE &&
		    (got != -EIO || m->fx.why.text[0] == '\0'))
			fail_msg("call %d: %d, '%s'", (int)call, got,
			    m->fx.why.text);
		failed += got < 0;
		/* The next round makes it. */
		assert_int_equal(keep(m), RESERVE_THERE);
		assert_int_equal(filemodel_size(m->fm, RESERVE_NAME), BYTES);
		assert_int_equal(release(m), 0);
	}
	assert_true(failed > 5);
}

static void
it_is_needed_where_less_than_two_find_room(void **state)
{
	struct modelfix *m = *state;
	const struct sysio *io = m->fx.io;

	filemodel_set_room(m->fm, 2 * BYTES);
	assert_false(reserve_is_needed(io, m->fx.dirfd, BYTES));
	filemodel_set_room(m->fm, 2 * BYTES - 1);
	assert_true(reserve_is_needed(io, m->fx.dirfd, BYTES));
}

/* Each call of making it and giving it back is the last one. */
static void
a_power_cut_leaves_all_of_it_or_nothing(void **state)
{
	struct modelfix *m = *state;
	unsigned whole = 0, none = 0;
	bool cut = true;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 3);
	logfix_stop(&m->fx);
	for (uint64_t call = 1; cut; call++) {
		int64_t size;

		filemodel_cut_at(m->fm, filemodel_calls(m->fm) + call);
		cut = keep(m) != RESERVE_THERE || release(m) != 0;
		filemodel_restart(
		    m->fm, call % 2 ? SURVIVE_RANDOM : SURVIVE_NOTHING, call);
		size = filemodel_size(m->fm, RESERVE_NAME);
		assert_true(size == BYTES || size == -1);
		whole += size == BYTES;
		none += size == -1;
		(void)!release(m);
		modelfix_expect_recovered(m, 9);
		logfix_stop(&m->fx);
	}
	assert_true(whole > 0 && none > 0);
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(it_is_made_where_two_more_find_room),
		MODEL_TEST(its_room_is_given_back_on_the_disk),
		MODEL_TEST(one_of_another_size_is_made_anew),
		MODEL_TEST(what_keeps_it_from_being_made_is_told),
		MODEL_TEST(it_is_needed_where_less_than_two_find_room),
		MODEL_TEST(a_power_cut_leaves_all_of_it_or_nothing),
	};

	return cmocka_run_group_tests_name("log_reserve", tests, NULL, NULL);
}
