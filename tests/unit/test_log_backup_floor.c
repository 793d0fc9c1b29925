/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A backup of a log that gives up its oldest events, while it does so and
 * before and after: what comes back is whole.
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
#include "log/base.h"
#include "log/manifest.h"
#include "log/restore.h"
#include "log/verify.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
	LAST = 60, /* of modelfix_fill_segments() */
};

static int
directory(struct modelfix *m, const char *name)
{
	int fd;

	assert_int_equal(sysio_mkdir(m->fx.io, m->fx.dirfd, name, 0750), 0);
	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	return fd;
}

static int
backup(struct modelfix *m, const struct sysio *io, int to)
{
	struct log_backup b = { .limit_seq = LAST };
	int err = log_backup(io, m->fx.dirfd, to, &b, &m->fx.why);

	if (err == LOG_BACKUP_DONE)
		assert_int_equal(b.seq, LAST);
	return err;
}

/* What comes back is whole, and begins with oldest. */
static void
expect_restored(struct modelfix *m, int from, uint64_t oldest)
{
	struct log_restore r = { .until_seq = UINT64_MAX,
		.until_us = UINT64_MAX,
		.segment_bytes = SEGMENT };
	struct log_verify verify = { .limit_seq = UINT64_MAX };
	int fd = directory(m, "restored");

	if (log_restore(m->fx.io, from, fd, &r, &m->fx.why) != LOG_RESTORED)
		fail_msg("%s", m->fx.why.text);
	assert_int_equal(r.seq, LAST);
	assert_int_equal(log_verify(m->fx.io, fd, &verify, &m->fx.why), 0);
	assert_int_equal(verify.problems, 0);
	assert_int_equal(verify.first_seq, oldest);
	assert_int_equal(verify.last_seq, LAST + 1);
	(void)sysio_close(m->fx.io, fd);
}

static const struct sysio *model;
static struct modelfix *moving;

/* Just then the writer moves the floor, and removes that base. */
static int
move_and_open(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	struct modelfix *m = moving;

	if (m && strncmp(name, "base-", 5) == 0) {
		moving = NULL;
		retainfix_expect(m, 3 * SEGMENT);
	}
	return model->openat(ctx, dirfd, name, flags, mode);
}

static int
rename_no_manifest(
    void *ctx, int dirfd, const char *from, int todirfd, const char *to)
{
	return strcmp(to, MANIFEST_NAME) == 0
		   ? -EIO
		   : model->renameat(ctx, dirfd, from, todirfd, to);
}

static void
a_floor_that_moves_meanwhile_is_no_damage(void **state)
{
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	int to = directory(m, "backup");

	modelfix_fill_segments(m);
	retainfix_expect(m, 4 * SEGMENT);
	model = m->fx.io;
	moving = m;
	io.openat = move_and_open;
	if (backup(m, &io, to) != LOG_BACKUP_DONE)
		fail_msg("%s", m->fx.why.text);
	assert_null(moving);
	expect_restored(m, to, modelfix_nth(m, 0));
}

static void
a_backup_counts_until_the_next_one_has_its_manifest(void **state)
{
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	int to = directory(m, "backup");
	uint64_t oldest;

	modelfix_fill_segments(m);
	retainfix_expect(m, 4 * SEGMENT);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	oldest = modelfix_nth(m, 0);
	retainfix_expect(m, 3 * SEGMENT);
	model = m->fx.io;
	io.renameat = rename_no_manifest;
	assert_int_equal(backup(m, &io, to), -EIO);
	expect_restored(m, to, oldest);
}

static void
a_base_that_a_backup_has_lost_is_copied_again(void **state)
{
	struct modelfix *m = *state;
	char name[BASE_NAME_SIZE];
	int to = directory(m, "backup");

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	base_name(name, modelfix_nth(m, 0) - 1);
	assert_int_equal(sysio_unlink(m->fx.io, to, name), 0);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	expect_restored(m, to, modelfix_nth(m, 0));
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(a_floor_that_moves_meanwhile_is_no_damage),
		MODEL_TEST(a_backup_counts_until_the_next_one_has_its_manifest),
		MODEL_TEST(a_base_that_a_backup_has_lost_is_copied_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
