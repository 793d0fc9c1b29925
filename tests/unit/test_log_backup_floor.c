/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A backup in the file model, of a log that gives up its oldest events while
 * it does so and before and after, and one that is taken again whatever has
 * become of the first: what comes back is whole.
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
#include "log/sums.h"
#include "log/verify.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
	LAST = 60, /* of modelfix_fill_segments() */
};

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
	int fd = modelfix_directory(m, "restored");

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
	int to = modelfix_directory(m, "backup");

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
	int to = modelfix_directory(m, "backup");
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
	int to = modelfix_directory(m, "backup");

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	base_name(name, modelfix_nth(m, 0) - 1);
	assert_int_equal(sysio_unlink(m->fx.io, to, name), 0);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	expect_restored(m, to, modelfix_nth(m, 0));
}

static void
a_rotten_base_is_not_backed_up(void **state)
{
	struct modelfix *m = *state;
	char name[BASE_NAME_SIZE];
	int to = modelfix_directory(m, "backup");

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	base_name(name, modelfix_nth(m, 0) - 1);
	modelfix_spoil(m, name, (uint64_t)filemodel_size(m->fm, name) / 2, 1);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "its hash is another"));
}

/* --- what a backup has already --- */

static struct manifest manifest;

static int
cut_in_half(const struct sysio *io, int dirfd, const char *name)
{
	uint64_t bytes = 0;
	int fd = sysio_openat(io, dirfd, name, O_RDWR, 0);
	int err = fd < 0 ? fd : sysio_size(io, fd, &bytes);

	if (err == 0)
		err = sysio_ftruncate(io, fd, bytes / 2);
	(void)sysio_close(io, fd);
	return err;
}

static void
what_was_cut_short_in_a_backup_is_copied_again(void **state)
{
	struct modelfix *m = *state;
	int to = modelfix_directory(m, "backup");

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	assert_int_equal(
	    retainfix_sum(m->fx.io, m->fx.dirfd, &m->fx.why), SUMS_MADE);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	assert_int_equal(manifest_load(m->fx.io, to, &manifest, &m->fx.why), 0);
	/* A base, segments, sums. */
	assert_true(manifest.n >= 4);
	for (size_t i = 0; i < manifest.n; i++)
		assert_int_equal(
		    cut_in_half(m->fx.io, to, manifest.files[i].name), 0);
	manifest_deinit(&manifest);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	expect_restored(m, to, modelfix_nth(m, 0));
}

/* How many files of sums the backup has, and what it says of its end. */
static unsigned
sums_of(struct modelfix *m, int to, uint8_t head[LOG_DIGEST])
{
	unsigned n = 0;

	assert_int_equal(manifest_load(m->fx.io, to, &manifest, &m->fx.why), 0);
	assert_true(manifest.has_head);
	memcpy(head, manifest.head, LOG_DIGEST);
	for (size_t i = 0; i < manifest.n; i++)
		n += sums_is_name(manifest.files[i].name);
	manifest_deinit(&manifest);
	return n;
}

/* Without them `peal log verify` could not say which event was edited. */
static void
a_backup_with_nothing_new_keeps_its_head_and_its_sums(void **state)
{
	struct modelfix *m = *state;
	struct log_backup b = { .limit_seq = 0 };
	uint8_t first[LOG_DIGEST], second[LOG_DIGEST];
	int to = modelfix_directory(m, "backup");

	modelfix_fill_segments(m);
	assert_int_equal(
	    retainfix_sum(m->fx.io, m->fx.dirfd, &m->fx.why), SUMS_MADE);
	/* Nothing of the segment that is still written. */
	b.limit_seq = modelfix_nth(m, 2) - 1;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    log_backup(m->fx.io, m->fx.dirfd, to, &b, &m->fx.why),
		    LOG_BACKUP_DONE);
		assert_int_equal(b.copied > 0, i == 0);
		assert_true(sums_of(m, to, i == 0 ? first : second) > 0);
	}
	assert_memory_equal(first, second, LOG_DIGEST);
}

/* Remove the segments of the second start: they never were. */
static void
put_back(struct modelfix *m)
{
	struct segment_list list;

	logfix_stop(&m->fx);
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	assert_true(list.n > 3);
	for (size_t i = 1; i < list.n; i++)
		filemodel_put_aside(m->fm, list.v[i].name, NULL);
	segment_list_deinit(&list);
}

/*
 * A machine goes back to a picture of its disk, and its log goes on from
 * there: names, numbers and lengths are those of other segments.
 */
static void
segments_of_the_same_names_are_not_taken_for_each_other(void **state)
{
	struct modelfix *m = *state;
	int to = modelfix_directory(m, "backup");

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	for (int i = 0; i < 2; i++) {
		if (i > 0)
			put_back(m);
		logfix_start(&m->fx);
		logfix_fill(&m->fx, 18, 3);
		assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	}
	expect_restored(m, to, 1);
}

/* --- power cuts --- */

/* The backup of fm up to event `want`, which goes on at call number cut. */
static int
backup_until(struct filemodel *fm, uint64_t want, uint64_t cut)
{
	const struct sysio *io = filemodel_io(fm);
	struct log_backup b = { .limit_seq = want };
	struct reason why;
	int dirfd = filemodel_root(fm);
	int to = sysio_openat(io, dirfd, "backup", O_RDONLY | O_DIRECTORY, 0);

	assert_true(to >= 0);
	if (cut > 0)
		filemodel_cut_at(fm, filemodel_calls(fm) + cut);
	return log_backup(io, dirfd, to, &b, &why);
}

/* Up to which event the backup brings the log back. */
static uint64_t
restored(struct filemodel *fm)
{
	struct modelfix m = { .fm = fm };
	struct log_restore r = { .until_seq = UINT64_MAX,
		.until_us = UINT64_MAX,
		.segment_bytes = SEGMENT };
	int from, fd;

	logfix_init(&m.fx, filemodel_io(fm), filemodel_root(fm));
	from = sysio_openat(
	    m.fx.io, m.fx.dirfd, "backup", O_RDONLY | O_DIRECTORY, 0);
	fd = modelfix_directory(&m, "restored");
	if (log_restore(m.fx.io, from, fd, &r, &m.fx.why) != LOG_RESTORED)
		fail_msg("%s", m.fx.why.text);
	logfix_deinit(&m.fx);
	return r.seq;
}

static void
a_power_cut_leaves_the_backup_before_or_the_new_one(void **state)
{
	static const enum filemodel_survive fates[] = { SURVIVE_NOTHING,
		SURVIVE_ALL, SURVIVE_PREFIX, SURVIVE_RANDOM, SURVIVE_RANDOM };
	struct modelfix *m = *state;
	int to = modelfix_directory(m, "backup"), got = -EIO;
	unsigned before = 0, after = 0;

	modelfix_fill_segments(m);
	assert_int_equal(backup(m, m->fx.io, to), LOG_BACKUP_DONE);
	logfix_fill(&m->fx, 10, 3);
	logfix_stop(&m->fx);
	for (uint64_t call = 1; got != LOG_BACKUP_DONE; call++) {
		CLEANUP(filemodel_freep)
		struct filemodel *cut = filemodel_clone(m->fm);

		got = backup_until(cut, LAST + 30, call);
		for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_clone(cut);
			uint64_t seq;

			filemodel_restart(fm, fates[i], call * 10 + i);
			seq = restored(fm);
			before += seq == LAST;
			after += seq == LAST + 30;
			assert_true(seq == LAST + 30 ||
				    (seq == LAST && got != LOG_BACKUP_DONE));
		}
	}
	assert_true(before > 0 && after > 0);
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
		MODEL_TEST(a_rotten_base_is_not_backed_up),
		MODEL_TEST(what_was_cut_short_in_a_backup_is_copied_again),
		MODEL_TEST(
		    a_backup_with_nothing_new_keeps_its_head_and_its_sums),
		MODEL_TEST(
		    segments_of_the_same_names_are_not_taken_for_each_other),
		MODEL_TEST(a_power_cut_leaves_the_backup_before_or_the_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
