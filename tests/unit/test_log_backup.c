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
#include "log/log_reader.h"
#include "log/manifest.h"
#include "log/restore.h"
#include "log/verify.h"
#include "tests/lib/logfix.h"

enum {
	NOW_S = 1000000000
};

struct world {
	struct logfix *fx; /* the log */
	int to;		   /* its backup */
	struct log_backup backup;
	struct log_restore restore;
	struct reason why;
};

static int
directory(struct world *w, const char *name)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "rm -rf '%s/%s'", w->fx->path, name);
	assert_int_equal(system(path), 0);
	assert_int_equal(mkdirat(w->fx->dirfd, name, 0750), 0);
	fd = openat(w->fx->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *fx;

	assert_non_null(w);
	assert_int_equal(logfix_setup(&fx), 0);
	w->fx = fx;
	w->to = directory(w, "backup");
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	void *fx = w->fx;

	(void)close(w->to);
	assert_int_equal(logfix_teardown(&fx), 0);
	free(w);
	return 0;
}

static int
backup(struct world *w, const struct sysio *io)
{
	w->backup =
	    (struct log_backup){ .limit_seq = w->fx->durable_seq, .now_us = 1 };
	return log_backup(io, w->fx->dirfd, w->to, &w->backup, &w->why);
}

static void
backup_done(struct world *w)
{
	if (backup(w, &sysio_posix) != LOG_BACKUP_DONE)
		fail_msg("backup: %s", w->why.text);
	assert_int_equal(w->backup.seq, w->fx->durable_seq);
}

/* Restore to a new directory, whose descriptor *out is on success. */
static int
restore(struct world *w, uint64_t until_seq, uint64_t until_us, int *out)
{
	int fd = directory(w, "restored"), err;

	w->why.text[0] = '\0';
	w->restore = (struct log_restore){ .until_seq = until_seq,
		.until_us = until_us,
		.now_us = UINT64_C(1000000) * NOW_S,
		.segment_bytes = LOGFIX_SEGMENT };
	err = log_restore(&sysio_posix, w->to, fd, &w->restore, &w->why);
	if (err == LOG_RESTORED)
		*out = fd;
	else
		(void)close(fd);
	return err;
}

/* Events 1 to last, byte by byte, then the one that begins the epoch. */
static void
expect(struct world *w, int fd, uint64_t last)
{
	struct log_verify verify = { .limit_seq = UINT64_MAX };
	struct log_reader *rd;
	struct log_frame frame;
	uint8_t want[LOGFIX_EVENT_MAX];
	struct slice event;
	uint64_t seq = 1;
	uint32_t crc;
	size_t at;

	assert_int_equal(log_verify(&sysio_posix, fd, &verify, &w->why), 0);
	assert_int_equal(verify.problems, 0);
	assert_int_equal(verify.last_seq, last + 1);
	assert_int_equal(w->restore.seq, last);
	assert_int_equal(w->restore.epoch_seq, last + 1);
	assert_int_equal(
	    log_reader_open(&sysio_posix, fd, UINT64_MAX, &rd, &w->why), 0);
	while (log_reader_next(rd, &frame, &w->why) == LOG_READ_FRAME)
		for (at = 0; log_frame_event(&frame, &at, &event, &crc); seq++)
			if (seq <= last)
				assert_true(slice_equal(event,
				    slice_of(want, logfix_event(seq, want))));
	assert_int_equal(seq, last + 2);
	log_reader_free(rd);
	(void)close(fd);
}

static void
what_is_restored_is_what_was_there(void **state)
{
	struct world *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 300, 7);
	backup_done(w);
	assert_true(w->backup.segments > 2);
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	expect(w, fd, 2100);
	assert_int_equal(w->restore.epoch, NOW_S);
	assert_int_equal(w->restore.dropped, 0);
}

static void
a_log_left_in_a_crash_is_backed_up_as_far_as_it_was_durable(void **state)
{
	struct world *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 20, 3);
	logfix_start(w->fx);
	logfix_fill(w->fx, 20, 3);
	w->backup.limit_seq = UINT64_MAX;
	logfix_stop(w->fx);
	w->fx->durable_seq = 120;
	backup_done(w);
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	expect(w, fd, 120);
}

static void
a_second_backup_copies_what_is_new(void **state)
{
	struct world *w = *state;
	uint64_t copied;
	int fd;

	logfix_start(w->fx);
	for (unsigned i = 0; i < 20; i++) {
		logfix_fill(w->fx, 20, 5);
		backup_done(w);
	}
	copied = w->backup.copied;
	assert_true(w->backup.kept > 4 * copied);
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	expect(w, fd, 2000);
}

/* Frames have four events: the log ends with a whole one. */
static void
any_event_can_be_the_last_with_its_request(void **state)
{
	struct world *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 25, 4);
	backup_done(w);
	for (uint64_t until = 4; until <= 101; until++) {
		assert_int_equal(restore(w, until, UINT64_MAX, &fd), 0);
		assert_int_equal(w->restore.split, until < 100 && until % 4);
		assert_int_equal(
		    w->restore.dropped, 100 - MIN(until, 100) / 4 * 4);
		expect(w, fd, MIN(until, 100) / 4 * 4);
	}
	assert_int_equal(restore(w, 3, UINT64_MAX, &fd), -ERANGE);
	assert_int_equal(restore(w, 0, UINT64_MAX, &fd), -ERANGE);
	assert_int_equal(restore(w, UINT64_MAX, 0, &fd), -ERANGE);
}

static void
what_is_restored_goes_on_as_a_log(void **state)
{
	struct world *w = *state;
	struct logfix there;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 100, 4);
	backup_done(w);
	assert_int_equal(restore(w, 202, UINT64_MAX, &fd), 0);
	logfix_init(&there, &sysio_posix, fd);
	logfix_start(&there);
	assert_int_equal(there.next_seq, 202);
	assert_int_equal(there.tail.epoch, NOW_S);
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
	struct world *w = *state;
	struct logfix there;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 10, 4);
	backup_done(w);
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	logfix_init(&there, &sysio_posix, fd);
	logfix_start(&there);
	logfix_deinit(&there);
	(void)close(w->to);
	w->to = directory(w, "second");
	w->backup = (struct log_backup){ .limit_seq = 41, .now_us = 1 };
	assert_int_equal(
	    log_backup(&sysio_posix, fd, w->to, &w->backup, &w->why), 0);
	(void)close(fd);
	/* Within the same second, too. */
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	assert_int_equal(w->restore.epoch, NOW_S + 1);
	(void)close(fd);
}

static void
a_backup_of_another_log_stays_as_it_is(void **state)
{
	struct world *w = *state;
	struct logfix other;
	int dir = directory(w, "other"), fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 10, 4);
	backup_done(w);
	logfix_init(&other, &sysio_posix, dir);
	logfix_start(&other);
	logfix_fill(&other, 10, 4);
	logfix_deinit(&other);
	w->backup = (struct log_backup){ .limit_seq = 40 };
	assert_int_equal(
	    log_backup(&sysio_posix, dir, w->to, &w->backup, &w->why), -EEXIST);
	assert_non_null(strstr(w->why.text, "another log"));
	(void)close(dir);
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	expect(w, fd, 40);
}

static void
a_log_that_lost_its_end_does_not_shorten_the_backup(void **state)
{
	struct world *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 10, 4);
	backup_done(w);
	w->fx->durable_seq = 36;
	assert_int_equal(backup(w, &sysio_posix), -EEXIST);
	assert_non_null(strstr(w->why.text, "has event 40"));
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	expect(w, fd, 40);
}

/* A file of the log that has the newest events; *m is to be ended. */
static const char *
newest(struct world *w, struct manifest *m)
{
	assert_int_equal(manifest_load(&sysio_posix, w->to, m, &w->why), 0);
	assert_true(m->n > 2);
	return m->files[m->n - 1].name;
}

static void
nor_does_one_that_lost_its_newest_segment(void **state)
{
	struct world *w = *state;
	struct manifest m;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 200, 7);
	backup_done(w);
	assert_int_equal(unlinkat(w->fx->dirfd, newest(w, &m), 0), 0);
	assert_int_equal(backup(w, &sysio_posix), -EEXIST);
	assert_non_null(strstr(w->why.text, "has event 1400"));
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	expect(w, fd, 1400);
	manifest_deinit(&m);
}

static void
nor_one_whose_newest_segment_was_cut(void **state)
{
	struct world *w = *state;
	struct manifest m;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 200, 7);
	backup_done(w);
	fd = openat(w->fx->dirfd, newest(w, &m), O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)close(fd);
	assert_int_equal(backup(w, &sysio_posix), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(w->why.text, m.files[m.n - 1].name));
	assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	expect(w, fd, 1400);
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
	struct world *w = *state;
	struct manifest m;

	logfix_start(w->fx);
	logfix_fill(w->fx, 200, 7);
	backup_done(w);
	logfix_fill(w->fx, 200, 7);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	/* Of the last that is there: it is looked at again. */
	flip(w->fx->dirfd, m.files[m.n - 1].name, 9000);
	assert_int_equal(backup(w, &sysio_posix), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(w->why.text, m.files[m.n - 1].name));
	manifest_deinit(&m);
}

/* Of a copy: each byte of all files, in strides, and their lengths. */
static void
no_byte_of_a_backup_can_change(void **state)
{
	struct world *w = *state;
	struct manifest m;
	unsigned tried = 0;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 60, 7);
	backup_done(w);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	for (size_t i = 0; i < m.n; i++) {
		for (uint64_t at = i; at < m.files[i].bytes; at += 1511) {
			flip(w->to, m.files[i].name, (off_t)at);
			assert_int_equal(
			    restore(w, UINT64_MAX, UINT64_MAX, &fd),
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
	assert_int_equal(
	    restore(w, UINT64_MAX, UINT64_MAX, &fd), LOG_RESTORE_DAMAGED);
	assert_int_equal(unlinkat(w->to, m.files[0].name, 0), 0);
	assert_int_equal(
	    restore(w, UINT64_MAX, UINT64_MAX, &fd), LOG_RESTORE_DAMAGED);
	assert_non_null(strstr(w->why.text, "is missing"));
	manifest_deinit(&m);
}

#define HEAD                                                               \
	"{\"peal_backup\":1,\"log\":\"000102030405060708090a0b0c0d0e0f\"," \
	"\"epoch\":1,\"seq\":1,\"taken_us\":1,\"files\":["
#define SHA "0000000000000000000000000000000000000000000000000000000000000000"
#define FILE_OF(name)                                                       \
	"{\"name\":\"" name "\",\"bytes\":9000,\"capacity\":65536,"         \
	"\"sealed\":false,\"first_seq\":1,\"last_seq\":1,\"sha256\":\"" SHA \
	"\"}"
#define NAME "00000000000000000001-0000000001.seg"

static const struct {
	const char *text;
	const char *says;
} manifests[] = {
	{ "", "no manifest" },
	{ "[]", "no manifest" },
	{ "{}", "'peal_backup' is missing" },
	{ "{\"peal_backup\":2}", "version 2" },
	{ "{\"peal_backup\":1,\"log\":\"xx\"}", "no log's id" },
	{ HEAD FILE_OF("../../../etc/passwd") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_OF("/etc/passwd") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_OF("LOCK") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_OF("") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_OF("00000000000000000001-0000000001.seg/../x") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_OF("00000000000000000002-0000000001.seg") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_OF(NAME) "," FILE_OF(NAME) "]}", "not in order" },
	{ HEAD FILE_OF(NAME), "no manifest" },
	{ HEAD "1]}", "file 1 of it is wrong" },
	{ HEAD "]}", "do not end with 'seq'" },
	{ HEAD "{\"name\":\"" NAME "\",\"bytes\":9,\"capacity\":65536,"
	       "\"sealed\":true,\"first_seq\":1,\"last_seq\":1,"
	       "\"sha256\":\"" SHA "\"}]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_OF(NAME) "]}", "is missing" },
};

static void
a_manifest_that_is_none_leads_nowhere(void **state)
{
	struct world *w = *state;
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(manifests); i++) {
		const char *text = manifests[i].text;

		assert_int_equal(fs_replace(&sysio_posix, w->to, MANIFEST_NAME,
				     text, strlen(text), 0640, &w->why),
		    0);
		assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd),
		    LOG_RESTORE_DAMAGED);
		if (!strstr(w->why.text, manifests[i].says))
			fail_msg("%s: %s", text, w->why.text);
	}
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
	struct world *w = *state;
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
		w->to = directory(w, "backup");
		backup_done(w);
		logfix_fill(w->fx, 2, 7);
		calls = 0;
		err = backup(w, &io);
		failed += err < 0;
		assert_int_equal(restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
		/* The manifest may have its name though its sync failed. */
		if (err < 0 && w->restore.seq < w->fx->durable_seq)
			expect(w, fd, w->fx->durable_seq - 14);
		else
			expect(w, fd, w->fx->durable_seq);
	}
	assert_true(failed > 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_is_restored_is_what_was_there, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_log_left_in_a_crash_is_backed_up_as_far_as_it_was_durable,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_second_backup_copies_what_is_new, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    any_event_can_be_the_last_with_its_request, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_restored_goes_on_as_a_log, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    each_restoration_is_an_epoch_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_backup_of_another_log_stays_as_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_log_that_lost_its_end_does_not_shorten_the_backup, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    nor_does_one_that_lost_its_newest_segment, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    nor_one_whose_newest_segment_was_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_damaged_log_is_not_backed_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    no_byte_of_a_backup_can_change, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_manifest_that_is_none_leads_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    whatever_fails_the_old_backup_or_the_new_one_is_there,
		    setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
