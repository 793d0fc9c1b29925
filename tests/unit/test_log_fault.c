/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What reads, verifies, recovers, backs up, restores and repairs a log, with
 * each of its calls failing once.  An error of the disk is never damage of the
 * log, nor its end: it is told, and who tries again gets what there is.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/faultfix.h"

static int error; /* that the call fails with */

static void
fail_nth_call(struct faultfix *w, uint64_t n)
{
	filemodel_fail_at(w->m.fm, filemodel_calls(w->m.fm) + n, error);
}

static bool
fail_no_call(struct faultfix *w)
{
	bool fired = filemodel_fired(w->m.fm);

	filemodel_fail_at(w->m.fm, 0, 0);
	return fired;
}

static bool
is_told(struct faultfix *w, int got)
{
	return got < 0 && w->m.fx.why.text[0];
}

static const struct faultfix_kind a_call = { fail_nth_call, fail_no_call,
	is_told };

static void
sweep_errors(struct modelfix *m, const struct faultfix_op *op)
{
	error = -EIO;
	assert_true(faultfix_sweep(m, &a_call, op) > 5);
}

/* Errors are told; interruptions are none. */
static void
sweep_both(struct modelfix *m, const struct faultfix_op *op)
{
	sweep_errors(m, op);
	error = -EINTR;
	assert_int_equal(faultfix_sweep(m, &a_call, op), 0);
}

static void
fill_packed(struct modelfix *m)
{
	modelfix_fill_segments(m);
	faultfix_pack(m);
}

typedef void fill(struct modelfix *m);

static fill *const logs[] = { modelfix_fill_segments, fill_packed,
	faultfix_fill_aged };

/* In each of the logs, and in a big one. */
static void
sweep_all(struct modelfix *big, const struct faultfix_op *op)
{
	for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
		void *m;

		assert_int_equal(modelfix_setup(&m), 0);
		logs[i](m);
		sweep_both(m, op);
		assert_int_equal(modelfix_teardown(&m), 0);
	}
	faultfix_fill_wide(big);
	sweep_errors(big, op);
}

static void
reading_fails_or_gives_every_event(void **state)
{
	sweep_all(*state, &faultfix_reading);
}

static void
verifying_fails_or_finds_nothing_in_a_whole_log(void **state)
{
	sweep_all(*state, &faultfix_verifying);
}

static void
verifying_fails_or_tells_what_was_edited(void **state)
{
	struct modelfix *m = *state;

	faultfix_fill_edited(m);
	sweep_both(m, &faultfix_auditing);
}

static void
recovery_fails_or_finds_the_end(void **state)
{
	sweep_all(*state, &faultfix_recovery);
}

static void
making_sums_fails_or_gives_those_of_every_segment(void **state)
{
	sweep_all(*state, &faultfix_sums);
}

static void
a_backup_fails_or_holds_every_event(void **state)
{
	sweep_all(*state, &faultfix_backup);
}

static void
a_second_backup_fails_or_holds_every_event(void **state)
{
	sweep_all(*state, &faultfix_backup_again);
}

/* Of a log that is packed, up to within a packed segment. */
static void
a_backup_that_ends_in_a_packed_segment_does_so_too(void **state)
{
	struct modelfix *m = *state;

	fill_packed(m);
	sweep_both(m, &faultfix_backup_part);
}

static void
a_restore_fails_or_gives_every_event(void **state)
{
	sweep_all(*state, &faultfix_restore);
}

static void
sweep_repair(struct modelfix *m, fill *fills, fill *damage)
{
	fills(m);
	damage(m);
	sweep_both(m, &faultfix_plan);
	sweep_both(m, &faultfix_repair);
}

static void
a_repair_fails_or_gives_up_what_is_damaged_alone(void **state)
{
	sweep_repair(*state, modelfix_fill_segments, faultfix_damage);
}

static void
so_does_one_of_a_log_that_has_aged(void **state)
{
	sweep_repair(*state, faultfix_fill_aged, faultfix_damage_aged);
}

static void
so_does_one_of_frames_that_are_read_in_pieces(void **state)
{
	struct modelfix *m = *state;

	faultfix_fill_wide(m);
	faultfix_damage_wide(m);
	sweep_errors(m, &faultfix_plan);
	sweep_errors(m, &faultfix_repair);
}

static void
a_full_disk_is_told_and_leaves_room_for_another_try(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	error = -ENOSPC;
	assert_true(faultfix_sweep(m, &a_call, &faultfix_backup) > 5);
	assert_true(faultfix_sweep(m, &a_call, &faultfix_restore) > 5);
	faultfix_damage(m);
	assert_true(faultfix_sweep(m, &a_call, &faultfix_repair) > 5);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reading_fails_or_gives_every_event),
		TEST(verifying_fails_or_finds_nothing_in_a_whole_log),
		TEST(verifying_fails_or_tells_what_was_edited),
		TEST(recovery_fails_or_finds_the_end),
		TEST(making_sums_fails_or_gives_those_of_every_segment),
		TEST(a_backup_fails_or_holds_every_event),
		TEST(a_second_backup_fails_or_holds_every_event),
		TEST(a_backup_that_ends_in_a_packed_segment_does_so_too),
		TEST(a_restore_fails_or_gives_every_event),
		TEST(a_repair_fails_or_gives_up_what_is_damaged_alone),
		TEST(so_does_one_of_a_log_that_has_aged),
		TEST(so_does_one_of_frames_that_are_read_in_pieces),
		TEST(a_full_disk_is_told_and_leaves_room_for_another_try),
	};

	return cmocka_run_group_tests_name("log_fault", tests, NULL, NULL);
}
