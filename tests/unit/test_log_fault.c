/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What reads, verifies, backs up, restores and repairs a log, with each of
 * its calls failing once.  An error of the disk is never damage of the log,
 * nor its end: it is told, and who tries again gets what there is.
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

/* Errors are told; interruptions are none. */
static void
sweep_both(struct modelfix *m, const struct faultfix_op *op)
{
	error = -EIO;
	assert_true(faultfix_sweep(m, &a_call, op) > 5);
	error = -EINTR;
	assert_int_equal(faultfix_sweep(m, &a_call, op), 0);
}

static void
reading_fails_or_gives_every_event(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	sweep_both(m, &faultfix_reading);
	faultfix_pack(m);
	sweep_both(m, &faultfix_reading);
}

static void
verifying_fails_or_finds_nothing_in_a_whole_log(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	sweep_both(m, &faultfix_verifying);
	faultfix_pack(m);
	sweep_both(m, &faultfix_verifying);
}

static void
a_backup_fails_or_holds_every_event(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	sweep_both(m, &faultfix_backup);
}

/* Of a log that is packed, up to within a packed segment. */
static void
a_backup_that_ends_in_a_packed_segment_does_so_too(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	faultfix_pack(m);
	sweep_both(m, &faultfix_backup_part);
}

static void
a_restore_fails_or_gives_every_event(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	sweep_both(m, &faultfix_restore);
}

static void
a_repair_fails_or_gives_up_what_is_damaged_alone(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	faultfix_damage(m);
	sweep_both(m, &faultfix_plan);
	sweep_both(m, &faultfix_repair);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reading_fails_or_gives_every_event),
		TEST(verifying_fails_or_finds_nothing_in_a_whole_log),
		TEST(a_backup_fails_or_holds_every_event),
		TEST(a_backup_that_ends_in_a_packed_segment_does_so_too),
		TEST(a_restore_fails_or_gives_every_event),
		TEST(a_repair_fails_or_gives_up_what_is_damaged_alone),
	};

	return cmocka_run_group_tests_name("log_fault", tests, NULL, NULL);
}
