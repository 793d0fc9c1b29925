/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A backup holds what the log held, and what comes back is that or nothing:
 * whatever fails, is cut, flipped or made up.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/fs.h"
#include "log/backup.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/manifest.h"
#include "log/restore.h"
#include "log/verify.h"
#include "tests/lib/backupfix.h"

static void
what_is_restored_is_what_was_there(void **state)
{
	struct backupfix *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 300, 7);
	backupfix_done(w);
	assert_true(w->backup.segments > 2);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 2100);
	assert_int_equal(w->restore.epoch, BACKUPFIX_NOW_S);
	assert_int_equal(w->restore.dropped, 0);
}

static void
a_log_left_in_a_crash_is_backed_up_as_far_as_it_was_durable(void **state)
{
	struct backupfix *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 20, 3);
	logfix_start(w->fx);
	logfix_fill(w->fx, 20, 3);
	w->backup.limit_seq = UINT64_MAX;
	logfix_stop(w->fx);
	w->fx->durable_seq = 120;
	backupfix_done(w);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 120);
}

static void
a_second_backup_copies_what_is_new(void **state)
{
	struct backupfix *w = *state;
	uint64_t copied;
	int fd;

	logfix_start(w->fx);
	for (unsigned i = 0; i < 20; i++) {
		logfix_fill(w->fx, 20, 5);
		backupfix_done(w);
	}
	copied = w->backup.copied;
	assert_true(w->backup.kept > 4 * copied);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 2000);
}

/* Frames have four events: the log ends with a whole one. */
static void
any_event_can_be_the_last_with_its_request(void **state)
{
	struct backupfix *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 25, 4);
	backupfix_done(w);
	for (uint64_t until = 4; until <= 101; until++) {
		assert_int_equal(
		    backupfix_restore(w, until, UINT64_MAX, &fd), 0);
		assert_int_equal(w->restore.split, until < 100 && until % 4);
		assert_int_equal(
		    w->restore.dropped, 100 - MIN(until, 100) / 4 * 4);
		backupfix_expect(w, fd, MIN(until, 100) / 4 * 4);
	}
	/* Frames have the time of their first event: up to it, and before. */
	assert_int_equal(backupfix_restore(w, UINT64_MAX, 1000000 + 9, &fd), 0);
	backupfix_expect(w, fd, 12);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, 1000000 + 8, &fd), 0);
	backupfix_expect(w, fd, 8);
	assert_int_equal(backupfix_restore(w, 3, UINT64_MAX, &fd), -ERANGE);
	assert_int_equal(backupfix_restore(w, 0, UINT64_MAX, &fd), -ERANGE);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, 0, &fd), -ERANGE);
}

static void
what_is_restored_goes_on_as_a_log(void **state)
{
	struct backupfix *w = *state;
	struct logfix there;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 100, 4);
	backupfix_done(w);
	assert_int_equal(backupfix_restore(w, 202, UINT64_MAX, &fd), 0);
	logfix_init(&there, &sysio_posix, fd);
	logfix_start(&there);
	assert_int_equal(there.next_seq, 202);
	assert_int_equal(there.tail.epoch, BACKUPFIX_NOW_S);
	logfix_fill(&there, 10, 4);
	logfix_deinit(&there);
	/* It is another history than the one in the backup. */
	w->backup = (struct log_backup){ .limit_seq = 241 };
	assert_int_equal(
	    log_backup(&sysio_posix, fd, w->to, &w->backup, &w->why), -EEXIST);
	assert_non_null(strstr(w->why.text, "epoch 1 of this log"));
	(void)close(fd);
}

/* Only its number tells clients that a second restoration is not the first. */
static void
each_restoration_is_an_epoch_of_its_own(void **state)
{
	struct backupfix *w = *state;
	struct logfix there;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 10, 4);
	backupfix_done(w);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	logfix_init(&there, &sysio_posix, fd);
	logfix_start(&there);
	logfix_deinit(&there);
	(void)close(w->to);
	w->to = backupfix_directory(w, "second");
	w->backup = (struct log_backup){ .limit_seq = 41, .now_us = 1 };
	assert_int_equal(
	    log_backup(&sysio_posix, fd, w->to, &w->backup, &w->why), 0);
	(void)close(fd);
	/* Within the same second, too. */
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	assert_int_equal(w->restore.epoch, BACKUPFIX_NOW_S + 1);
	(void)close(fd);
	/* Also where the end is before the first began. */
	assert_int_equal(backupfix_restore(w, 20, UINT64_MAX, &fd), 0);
	assert_int_equal(w->restore.epoch, BACKUPFIX_NOW_S + 1);
	(void)close(fd);
}

static void
a_backup_of_another_log_stays_as_it_is(void **state)
{
	struct backupfix *w = *state;
	struct logfix other;
	int dir = backupfix_directory(w, "other"), fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 10, 4);
	backupfix_done(w);
	logfix_init(&other, &sysio_posix, dir);
	logfix_start(&other);
	logfix_fill(&other, 10, 4);
	logfix_deinit(&other);
	w->backup = (struct log_backup){ .limit_seq = 40 };
	assert_int_equal(
	    log_backup(&sysio_posix, dir, w->to, &w->backup, &w->why), -EEXIST);
	assert_non_null(strstr(w->why.text, "another log"));
	(void)close(dir);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 40);
}

static void
a_log_that_lost_its_end_does_not_shorten_the_backup(void **state)
{
	struct backupfix *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 10, 4);
	backupfix_done(w);
	w->fx->durable_seq = 36;
	assert_int_equal(backupfix_run(w, &sysio_posix), -EEXIST);
	assert_non_null(strstr(w->why.text, "has event 40"));
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 40);
}

/* A file of the log that has the newest events; *m is to be ended. */
static const char *
newest(struct backupfix *w, struct manifest *m)
{
	assert_int_equal(manifest_load(&sysio_posix, w->to, m, &w->why), 0);
	assert_true(m->n > 2);
	return m->files[m->n - 1].name;
}

static void
nor_does_one_that_lost_its_newest_segment(void **state)
{
	struct backupfix *w = *state;
	struct manifest m;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 200, 7);
	backupfix_done(w);
	assert_int_equal(unlinkat(w->fx->dirfd, newest(w, &m), 0), 0);
	assert_int_equal(backupfix_run(w, &sysio_posix), -EEXIST);
	assert_non_null(strstr(w->why.text, "has event 1400"));
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 1400);
	manifest_deinit(&m);
}

static void
nor_one_whose_newest_segment_was_cut(void **state)
{
	struct backupfix *w = *state;
	struct manifest m;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 200, 7);
	backupfix_done(w);
	fd = openat(w->fx->dirfd, newest(w, &m), O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)close(fd);
	assert_int_equal(backupfix_run(w, &sysio_posix), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(w->why.text, m.files[m.n - 1].name));
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 1400);
	manifest_deinit(&m);
}

static void
flip(int dirfd, const char *name, off_t at)
{
	int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	(void)close(fd);
}

static void
a_damaged_log_is_not_backed_up(void **state)
{
	struct backupfix *w = *state;
	struct manifest m;

	logfix_start(w->fx);
	logfix_fill(w->fx, 200, 7);
	backupfix_done(w);
	logfix_fill(w->fx, 200, 7);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	/* Of the last that is there: it is looked at again. */
	flip(w->fx->dirfd, m.files[m.n - 1].name, 9000);
	assert_int_equal(backupfix_run(w, &sysio_posix), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(w->why.text, m.files[m.n - 1].name));
	manifest_deinit(&m);
}

static void
nor_is_one_whose_newest_segment_has_no_header(void **state)
{
	static const uint8_t zeros[SEGMENT_FRAMES];
	struct backupfix *w = *state;
	struct manifest m;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 200, 7);
	backupfix_done(w);
	fd = openat(w->fx->dirfd, newest(w, &m), O_RDWR | O_CLOEXEC);
	assert_int_equal(
	    pwrite(fd, zeros, sizeof(zeros), 0), (ssize_t)sizeof(zeros));
	(void)close(fd);
	/* Also where there is no backup yet that has more. */
	assert_int_equal(unlinkat(w->to, MANIFEST_NAME, 0), 0);
	assert_int_equal(backupfix_run(w, &sysio_posix), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(w->why.text, m.files[m.n - 1].name));
	manifest_deinit(&m);
}

/* Of a copy: each byte of all files, in strides, and their lengths. */
static void
no_byte_of_a_backup_can_change(void **state)
{
	struct backupfix *w = *state;
	struct manifest m;
	unsigned tried = 0;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 60, 7);
	backupfix_done(w);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	for (size_t i = 0; i < m.n; i++) {
		for (uint64_t at = i; at < m.files[i].bytes; at += 1511) {
			flip(w->to, m.files[i].name, (off_t)at);
			assert_int_equal(
			    backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd),
			    LOG_RESTORE_DAMAGED);
			assert_non_null(strstr(w->why.text, m.files[i].name));
			flip(w->to, m.files[i].name, (off_t)at);
			tried++;
		}
	}
	assert_true(tried > 30);
	fd = openat(w->to, m.files[0].name, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)m.files[0].bytes - 1), 0);
	(void)close(fd);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd),
	    LOG_RESTORE_DAMAGED);
	assert_int_equal(unlinkat(w->to, m.files[0].name, 0), 0);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd),
	    LOG_RESTORE_DAMAGED);
	assert_non_null(strstr(w->why.text, "is missing"));
	manifest_deinit(&m);
}

static void
a_log_without_a_segment_gets_no_backup(void **state)
{
	struct backupfix *w = *state;
	int fd;

	assert_int_equal(backupfix_run(w, &sysio_posix), -ENODATA);
	assert_non_null(strstr(w->why.text, "no segment yet"));
	assert_int_equal(
	    backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), -ENOENT);
}

/* Its first segment is begun before its first event is on the disk. */
static void
a_log_without_an_event_gets_no_backup(void **state)
{
	struct backupfix *w = *state;
	int fd;

	logfix_start(w->fx);
	assert_int_equal(logfix_stamp(w->fx, 1), 0);
	assert_int_equal(backupfix_run(w, &sysio_posix), -ENODATA);
	assert_non_null(strstr(w->why.text, "no event yet"));
	assert_int_equal(
	    backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), -ENOENT);
}

/* As earlier versions made one of such a log. */
static void
a_backup_without_an_event_restores_nothing(void **state)
{
	struct backupfix *w = *state;
	struct manifest m;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 2, 3);
	backupfix_done(w);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	m.n = 0;
	m.seq = 0;
	assert_true(m.has_head);
	assert_int_equal(manifest_store(&sysio_posix, w->to, &m, &w->why), 0);
	manifest_deinit(&m);
	assert_int_equal(
	    backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), -ERANGE);
	assert_string_equal(w->why.text, "the backup has no event");
	backupfix_done(w);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 6);
}

static void
a_manifest_that_is_none_is_not_written_over(void **state)
{
	struct backupfix *w = *state;

	logfix_start(w->fx);
	logfix_fill(w->fx, 2, 3);
	backupfix_done(w);
	assert_int_equal(fs_replace(&sysio_posix, w->to, MANIFEST_NAME, "", 0,
			     0640, &w->why),
	    0);
	assert_int_equal(backupfix_run(w, &sysio_posix), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(w->why.text, "no manifest"));
}

static void
of_all_that_is_wrong_a_backup_names_the_first(void **state)
{
	struct backupfix *w = *state;
	struct manifest m;

	logfix_start(w->fx);
	logfix_fill(w->fx, 60, 7);
	backupfix_done(w);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	for (size_t i = 1; i < 3; i++) {
		flip(w->fx->dirfd, m.files[i].name, 20);
		flip(w->fx->dirfd, m.files[i].name, LOG_PAGE + 20);
	}
	assert_int_equal(backupfix_run(w, &sysio_posix), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(w->why.text, m.files[1].name));
	manifest_deinit(&m);
}

static unsigned pieces;

static void
count_piece(void *arg, uint64_t done, uint64_t all)
{
	(void)arg;
	assert_true(done <= all);
	pieces++;
}

/* As many as a log of 4 GiB has. */
static void
a_backup_of_many_segments_is_whole(void **state)
{
	struct backupfix *w = *state;
	int fd;

	w->fx->segment_bytes = SEGMENT_BYTES_MIN;
	logfix_start(w->fx);
	for (unsigned i = 0; i < 70; i++) {
		logfix_fill(w->fx, 1, 3);
		assert_int_equal(
		    log_writer_prepare(w->fx->lw, &w->why), LOG_PREPARED);
		assert_int_equal(
		    log_writer_roll(w->fx->lw, w->fx->next_seq, &w->why), 0);
	}
	w->backup = (struct log_backup){
		.limit_seq = 210, .now_us = 1, .progress = count_piece
	};
	assert_int_equal(
	    log_backup(&sysio_posix, w->fx->dirfd, w->to, &w->backup, &w->why),
	    LOG_BACKUP_DONE);
	assert_int_equal(w->backup.segments, 70);
	assert_int_equal(pieces, 70);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 210);
}

/* --- calls that fail --- */

static unsigned calls, failing;

static bool
fails(void)
{
	return ++calls == failing;
}

static int
fail_openat(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	return fails() ? -EIO
		       : sysio_posix.openat(ctx, dirfd, name, flags, mode);
}

static ssize_t
fail_pread(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	return fails() ? -EIO : sysio_posix.pread(ctx, fd, buf, len, at);
}

static ssize_t
fail_pwritev(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	return fails() ? -ENOSPC : sysio_posix.pwritev(ctx, fd, iov, n, at);
}

static int
fail_fsync(void *ctx, int fd)
{
	return fails() ? -EIO : sysio_posix.fsync(ctx, fd);
}

static int
fail_renameat(
    void *ctx, int dirfd, const char *from, int todirfd, const char *to)
{
	return fails() ? -EIO
		       : sysio_posix.renameat(ctx, dirfd, from, todirfd, to);
}

static void
whatever_fails_the_old_backup_or_the_new_one_is_there(void **state)
{
	struct backupfix *w = *state;
	struct sysio io = sysio_posix;
	unsigned failed = 0;
	int err, fd;

	io.openat = fail_openat;
	io.pread = fail_pread;
	io.pwritev = fail_pwritev;
	io.fsync = fail_fsync;
	io.renameat = fail_renameat;
	logfix_start(w->fx);
	logfix_fill(w->fx, 60, 7);
	for (failing = 1; failing == 1 || calls >= failing - 1; failing++) {
		(void)close(w->to);
		w->to = backupfix_directory(w, "backup");
		backupfix_done(w);
		logfix_fill(w->fx, 1, 7);
		calls = 0;
		err = backupfix_run(w, &io);
		failed += err < 0;
		assert_int_equal(
		    backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
		/* The manifest may have its name though its sync failed. */
		if (err < 0 && w->restore.seq < w->fx->durable_seq)
			backupfix_expect(w, fd, w->fx->durable_seq - 7);
		else
			backupfix_expect(w, fd, w->fx->durable_seq);
	}
	assert_true(failed > 20);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, backupfix_setup, backupfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_restored_is_what_was_there),
		TEST(
		    a_log_left_in_a_crash_is_backed_up_as_far_as_it_was_durable),
		TEST(a_second_backup_copies_what_is_new),
		TEST(any_event_can_be_the_last_with_its_request),
		TEST(what_is_restored_goes_on_as_a_log),
		TEST(each_restoration_is_an_epoch_of_its_own),
		TEST(a_backup_of_another_log_stays_as_it_is),
		TEST(a_log_that_lost_its_end_does_not_shorten_the_backup),
		TEST(nor_does_one_that_lost_its_newest_segment),
		TEST(nor_one_whose_newest_segment_was_cut),
		TEST(a_damaged_log_is_not_backed_up),
		TEST(nor_is_one_whose_newest_segment_has_no_header),
		TEST(no_byte_of_a_backup_can_change),
		TEST(a_manifest_that_is_none_is_not_written_over),
		TEST(a_log_without_a_segment_gets_no_backup),
		TEST(a_log_without_an_event_gets_no_backup),
		TEST(a_backup_without_an_event_restores_nothing),
		TEST(of_all_that_is_wrong_a_backup_names_the_first),
		TEST(a_backup_of_many_segments_is_whole),
		TEST(whatever_fails_the_old_backup_or_the_new_one_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
