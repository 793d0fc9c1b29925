/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What reads, verifies, backs up, restores and repairs a log, with each of
 * its calls failing once.  An error of the disk is never damage of the log,
 * nor its end: it is told, and who tries again gets what there is.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/backup.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/restore.h"
#include "log/verify.h"
#include "tests/lib/repairfix.h"
#include "tests/lib/retainfix.h"

enum {
	LAST = 60,  /* of modelfix_fill_segments() */
	AGAIN = 17, /* each so many faults it is tried again */
	NOW_US = 1000000000,
};

/* A copy of the log for each fault, with directories for what is made of it. */
struct world {
	struct modelfix m; /* of the copy */
	int to, second;
};

/*
 * What is done in it.  Below zero: -errno, and why; 0: all is as it should
 * be, as far as this one says, and then *check looks.
 */
typedef int operation(struct world *w);
typedef void check(struct world *w);

static struct world
copy_of(struct modelfix *m)
{
	struct world w = { .m = *m };

	w.m.fm = filemodel_clone(m->fm);
	w.m.fx.io = filemodel_io(w.m.fm);
	w.m.fx.lw = NULL;
	w.to = repairfix_fresh(&w.m, "to");
	w.second = repairfix_fresh(&w.m, "second");
	w.m.fx.why.text[0] = '\0';
	return w;
}

/* Done before the faults; or NULL. */
static operation *before;

/* Each call of op fails with err, until there is no such call. */
static unsigned
sweep(struct modelfix *m, int err, operation *op, check *looks)
{
	unsigned n, failed = 0;
	bool fired = true;

	logfix_stop(&m->fx);
	for (n = 1; fired; n++) {
		struct world w = copy_of(m);
		int got = before ? before(&w) : 0;

		assert_int_equal(got, 0);
		filemodel_fail_at(w.m.fm, filemodel_calls(w.m.fm) + n, err);
		got = op(&w);
		fired = filemodel_fired(w.m.fm);
		filemodel_fail_at(w.m.fm, 0, 0);
		if (got == 0) {
			looks(&w);
		} else if (!fired || got > 0 || !w.m.fx.why.text[0]) {
			fail_msg("call %u with %d: %d, '%s'", n, err, got,
			    w.m.fx.why.text);
		} else if (failed++ % AGAIN == 0) {
			if (op(&w) != 0)
				fail_msg(
				    "call %u, again: '%s'", n, w.m.fx.why.text);
			looks(&w);
		}
		w.m.fm = filemodel_free(w.m.fm);
	}
	assert_true(n > 10);
	return failed;
}

/* Errors are told; interruptions are none. */
static void
sweep_both(struct modelfix *m, operation *op, check *looks)
{
	assert_true(sweep(m, -EIO, op, looks) > 5);
	assert_int_equal(sweep(m, -EINTR, op, looks), 0);
}

static void
pack_the_oldest(struct modelfix *m)
{
	logfix_stop(&m->fx);
	retainfix_pack_all(&m->fx);
	assert_non_null(strstr(modelfix_named(m, 13), ".segz"));
}

static long n_read;

static int
read_all(struct world *w)
{
	int outcome;

	n_read = logfix_read(&w->m.fx, UINT64_MAX, &outcome);
	return outcome == LOG_READ_END ? 0 : outcome;
}

static void
all_was_read(struct world *w)
{
	assert_int_equal(n_read, LAST);
}

static void
reading_fails_or_gives_every_event(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	sweep_both(m, read_all, all_was_read);
	pack_the_oldest(m);
	sweep_both(m, read_all, all_was_read);
}

static struct log_verify verified;

static int
verify(struct world *w)
{
	verified = (struct log_verify){ .limit_seq = UINT64_MAX };
	return log_verify(w->m.fx.io, w->m.fx.dirfd, &verified, &w->m.fx.why);
}

static void
nothing_is_wrong(struct world *w)
{
	assert_int_equal(verified.problems, 0);
	assert_int_equal(verified.events, LAST);
	assert_int_equal(verified.last_seq, LAST);
	assert_int_equal(verified.head_seq, LAST);
}

static void
verifying_fails_or_finds_nothing_in_a_whole_log(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	sweep_both(m, verify, nothing_is_wrong);
	pack_the_oldest(m);
	sweep_both(m, verify, nothing_is_wrong);
}

static int
back_up(struct world *w)
{
	struct log_backup b = { .limit_seq = UINT64_MAX, .now_us = 1 };

	return log_backup(w->m.fx.io, w->m.fx.dirfd, w->to, &b, &w->m.fx.why);
}

static void
assert_restored(struct world *w, int fd)
{
	struct logfix there = w->m.fx;
	struct log_verify v = { .limit_seq = UINT64_MAX };
	int outcome;

	assert_int_equal(log_verify(w->m.fx.io, fd, &v, &w->m.fx.why), 0);
	assert_int_equal(v.problems, 0);
	assert_int_equal(v.last_seq, LAST + 1);
	there.dirfd = fd;
	assert_int_equal(logfix_read(&there, LAST, &outcome), LAST);
}

static int
restore(struct world *w, int from, int to)
{
	struct log_restore r = { .until_seq = UINT64_MAX,
		.until_us = UINT64_MAX,
		.now_us = NOW_US,
		.segment_bytes = w->m.fx.segment_bytes };

	return log_restore(w->m.fx.io, from, to, &r, &w->m.fx.why);
}

static void
the_backup_holds_all(struct world *w)
{
	assert_int_equal(restore(w, w->to, w->second), LOG_RESTORED);
	assert_restored(w, w->second);
}

static void
a_backup_fails_or_holds_every_event(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	sweep_both(m, back_up, the_backup_holds_all);
}

/* Of a log that is packed, up to within a packed segment. */
static int
back_up_a_part(struct world *w)
{
	struct log_backup b = { .limit_seq = 18, .now_us = 1 };

	return log_backup(w->m.fx.io, w->m.fx.dirfd, w->to, &b, &w->m.fx.why);
}

static void
the_backup_holds_the_part(struct world *w)
{
	struct logfix there = w->m.fx;
	int outcome;

	assert_int_equal(restore(w, w->to, w->second), LOG_RESTORED);
	there.dirfd = w->second;
	assert_int_equal(logfix_read(&there, 18, &outcome), 18);
}

static void
a_backup_that_ends_in_a_packed_segment_does_so_too(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	pack_the_oldest(m);
	sweep_both(m, back_up_a_part, the_backup_holds_the_part);
}

/* Into a directory of its own each time: what failed there stays there. */
static int
restore_anew(struct world *w)
{
	static unsigned tries;
	char name[20];

	snprintf(name, sizeof(name), "try%u", tries++);
	w->second = sysio_mkdir(w->m.fx.io, w->m.fx.dirfd, name, 0750);
	if (w->second == 0)
		w->second = sysio_openat(
		    w->m.fx.io, w->m.fx.dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (w->second < 0)
		return reason_set(&w->m.fx.why, w->second, "no directory");
	return restore(w, w->to, w->second);
}

static void
the_restored_log_is_whole(struct world *w)
{
	assert_restored(w, w->second);
}

static void
a_restore_fails_or_gives_every_event(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	before = back_up;
	sweep_both(m, restore_anew, the_restored_log_is_whole);
	before = NULL;
}

static struct log_repair planned;

static int
plan(struct world *w)
{
	int got;

	log_repair_deinit(&planned);
	got = repairfix_plan(&w->m, &planned);
	if (got == LOG_REPAIR_PLANNED)
		return 0;
	if (got >= 0)
		fail_msg("%d: %s", got, w->m.fx.why.text);
	return got;
}

static void
no_more_is_given_up(struct world *w)
{
	assert_string_equal(repairfix_ranges(&planned), "28..30");
}

static int
plan_and_make(struct world *w)
{
	int got = plan(w);

	if (got < 0)
		return got;
	no_more_is_given_up(w);
	w->to = TAKE_FD(w->second);
	if (w->to < 0)
		w->to = repairfix_fresh(&w->m, "anew");
	return log_repair_make(
	    w->m.fx.io, w->m.fx.dirfd, w->to, &planned, &w->m.fx.why);
}

static void
what_was_made_is_as_planned(struct world *w)
{
	repairfix_check(&w->m, w->to, &planned, 1);
}

static void
a_repair_fails_or_gives_up_what_is_damaged_alone(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(
	    m, modelfix_named(m, 25), modelfix_page(1) + LOG_FRAME_HEADER, 1);
	sweep_both(m, plan, no_more_is_given_up);
	sweep_both(m, plan_and_make, what_was_made_is_as_planned);
	log_repair_deinit(&planned);
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
