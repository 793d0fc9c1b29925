/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is done to a log, with each of its allocations failing, alone or with
 * all behind it.  Short memory is never damage of the log, nor its end, and
 * leaves nothing behind: it is told, and who tries again gets what there is.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/faultfix.h"
#include "tests/lib/nomemory.h"

static bool for_good;	     /* not once, but from some time on */
static unsigned descriptors; /* before the operation */

static void
run_short(struct faultfix *w, uint64_t n)
{
	struct logfix *fx = &w->m.fx;

	descriptors = filemodel_descriptors(w->m.fm);
	fx->io = nomemory_io(fx->io);
	/* As callers do for those that say no more than the error. */
	snprintf(fx->why.text, sizeof(fx->why.text), "out of memory");
	nomemory_at(n, for_good);
}

static int
is_half(void *arg, const char *name)
{
	size_t len = strlen(name);

	(void)arg;
	if (len > 4 && strcmp(name + len - 4, ".tmp") == 0)
		fail_msg("'%s' was left behind", name);
	return 0;
}

static bool
run_no_shorter(struct faultfix *w)
{
	bool fired = nomemory_end();

	w->m.fx.io = filemodel_io(w->m.fm);
	return fired;
}

/* And nothing else has become of it. */
static bool
is_told(struct faultfix *w, int got)
{
	const struct sysio *io = w->m.fx.io;

	assert_int_equal(sysio_list(io, w->m.fx.dirfd, is_half, NULL), 0);
	assert_int_equal(sysio_list(io, w->to, is_half, NULL), 0);
	assert_int_equal(sysio_list(io, w->second, is_half, NULL), 0);
	assert_int_equal(filemodel_descriptors(w->m.fm), descriptors);
	assert_int_equal(
	    sysio_openat(io, w->m.fx.dirfd, "quarantine", 0, 0), -ENOENT);
	return got == -ENOMEM &&
	       (!w->m.fx.why.text[0] || strstr(w->m.fx.why.text, "memory"));
}

static const struct faultfix_kind memory = { run_short, run_no_shorter,
	is_told };

static void
sweep_both(struct modelfix *m, const struct faultfix_op *op)
{
	for_good = false;
	assert_true(faultfix_sweep(m, &memory, op) > 0);
	for_good = true;
	assert_true(faultfix_sweep(m, &memory, op) > 0);
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

	return cmocka_run_group_tests_name("log_memory", tests, NULL, NULL);
}
