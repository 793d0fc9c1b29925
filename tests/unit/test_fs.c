/* SPDX-License-Identifier: BSD-2-Clause */

/* Files as a whole: replaced, read, locked. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/reason.h"
#include "tests/lib/tmpdir.h"

enum {
	PIECES = 200 /* of 1000 bytes: more than a pipe holds */
};

/* The real system, of which call number fail_at fails. */
struct broken {
	struct sysio io;
	unsigned calls;
	unsigned fail_at;
};

static bool
broken_now(void *ctx)
{
	struct broken *b = ctx;

	return ++b->calls == b->fail_at;
}

static int
broken_openat(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	return broken_now(ctx)
		   ? -EIO
		   : sysio_posix.openat(NULL, dirfd, name, flags, mode);
}

static int
broken_close(void *ctx, int fd)
{
	return sysio_posix.close(NULL, fd);
}

static ssize_t
broken_pwritev(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	return broken_now(ctx) ? -ENOSPC
			       : sysio_posix.pwritev(NULL, fd, iov, n, at);
}

static int
broken_fsync(void *ctx, int fd)
{
	return broken_now(ctx) ? -EIO : sysio_posix.fsync(NULL, fd);
}

static int
broken_renameat(
    void *ctx, int dirfd, const char *from, int todirfd, const char *to)
{
	return broken_now(ctx)
		   ? -EIO
		   : sysio_posix.renameat(NULL, dirfd, from, todirfd, to);
}

static int
broken_unlinkat(void *ctx, int dirfd, const char *name)
{
	return sysio_posix.unlinkat(NULL, dirfd, name);
}

static void
broken_init(struct broken *b, unsigned fail_at)
{
	*b = (struct broken){ .io = { .openat = broken_openat,
				  .close = broken_close,
				  .pwritev = broken_pwritev,
				  .fsync = broken_fsync,
				  .renameat = broken_renameat,
				  .unlinkat = broken_unlinkat },
		.fail_at = fail_at };
	b->io.ctx = b;
}

static void
holds(struct tmpdir *dir, const char *name, const char *text)
{
	CLEANUP(freep) uint8_t *bytes = NULL;
	struct reason why;
	size_t len;

	assert_int_equal(
	    fs_read(&sysio_posix, dir->fd, name, 100, &bytes, &len, &why), 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal((char *)bytes, text);
}

static void
a_file_is_replaced_whole_and_leaves_nothing_else(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why;
	struct stat st;

	assert_int_equal(
	    fs_replace(&sysio_posix, dir->fd, "f", "first", 5, 0640, &why), 0);
	holds(dir, "f", "first");
	assert_int_equal(
	    fs_replace(&sysio_posix, dir->fd, "f", "2", 1, 0600, &why), 0);
	holds(dir, "f", "2");
	assert_int_equal(
	    fs_replace(&sysio_posix, dir->fd, "f", "", 0, 0600, &why), 0);
	holds(dir, "f", "");
	assert_int_equal(fstatat(dir->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(tmpdir_count(dir), 1);
}

static void
a_failure_at_any_call_leaves_the_old_content(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why;
	struct broken b;
	unsigned calls;

	assert_int_equal(
	    fs_replace(&sysio_posix, dir->fd, "f", "old", 3, 0600, &why), 0);
	broken_init(&b, 0);
	assert_int_equal(
	    fs_replace(&b.io, dir->fd, "f", "old", 3, 0600, &why), 0);
	calls = b.calls;
	assert_int_equal(calls, 5); /* open, write, sync, rename, sync */
	for (unsigned i = 1; i <= calls; i++) {
		broken_init(&b, i);
		why.text[0] = '\0';
		assert_true(
		    fs_replace(&b.io, dir->fd, "f", "new", 3, 0600, &why) < 0);
		assert_non_null(strstr(why.text, "'f"));
		/* The last call syncs a name that stands already. */
		holds(dir, "f", i < calls ? "old" : "new");
		assert_int_equal(tmpdir_count(dir), 1);
	}
}

static void
a_leftover_of_a_crash_is_not_written_into(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why;
	struct stat st;

	tmpdir_text(dir, "f.tmp", "leftover of another length");
	assert_int_equal(fchmodat(dir->fd, "f.tmp", 0666, 0), 0);
	assert_int_equal(
	    fs_replace(&sysio_posix, dir->fd, "f", "key", 3, 0600, &why), 0);
	holds(dir, "f", "key");
	assert_int_equal(fstatat(dir->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	tmpdir_text(dir, "victim", "untouched");
	assert_int_equal(symlinkat("victim", dir->fd, "f.tmp"), 0);
	assert_int_equal(
	    fs_replace(&sysio_posix, dir->fd, "f", "new", 3, 0600, &why), 0);
	holds(dir, "victim", "untouched");
	holds(dir, "f", "new");
}

static void
a_path_is_replaced_as_a_name_is(void **state)
{
	struct tmpdir *dir = *state;
	char name[300];
	struct reason why;

	assert_int_equal(
	    fs_replace_path(tmpdir_path(dir, "p"), "x", 1, 0600, &why), 0);
	holds(dir, "p", "x");
	assert_int_equal(
	    fs_replace_path(tmpdir_path(dir, "no/p"), "x", 1, 0600, &why),
	    -ENOENT);
	assert_non_null(strstr(why.text, "/no/'"));
	memset(name, 'n', 252);
	name[252] = '\0';
	assert_int_equal(
	    fs_replace_path(tmpdir_path(dir, name), "x", 1, 0600, &why),
	    -ENAMETOOLONG);
	name[251] = '\0';
	assert_int_equal(
	    fs_replace_path(tmpdir_path(dir, name), "x", 1, 0600, &why), 0);
}

static int
feed(const char *path)
{
	int fd = open(path, O_WRONLY);
	char piece[1000];

	for (int i = 0; fd >= 0 && i < PIECES; i++) {
		memset(piece, 'a' + i % 26, sizeof(piece));
		if (write(fd, piece, sizeof(piece)) != sizeof(piece))
			return 1;
	}
	return fd < 0;
}

static void
reading_is_bounded(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why = { "" };
	uint8_t *bytes = NULL;
	size_t len;

	tmpdir_text(dir, "f", "12345");
	for (size_t max = 5; max <= 6; max++) {
		assert_int_equal(fs_read(&sysio_posix, dir->fd, "f", max,
				     &bytes, &len, &why),
		    0);
		assert_int_equal(len, 5);
		free(bytes);
	}
	bytes = NULL;
	assert_int_equal(
	    fs_read(&sysio_posix, dir->fd, "f", 4, &bytes, &len, &why), -EFBIG);
	assert_non_null(strstr(why.text, "5 bytes, more than 4"));
	assert_int_equal(
	    fs_read(&sysio_posix, dir->fd, "g", 4, &bytes, &len, &why),
	    -ENOENT);
	assert_null(bytes);
}

static void
a_pipe_is_read_to_its_end(void **state)
{
	struct tmpdir *dir = *state;
	char path[PATH_MAX];
	struct reason why = { "" };
	uint8_t *bytes = NULL;
	size_t len = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/pipe", dir->path);
	assert_int_equal(mkfifo(path, 0600), 0);
	for (size_t max = PIECES * 999; max <= PIECES * 1000; max += PIECES) {
		int want = max < PIECES * 1000 ? -EFBIG : 0;

		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(feed(path));
		assert_int_equal(
		    fs_read_path(path, max, &bytes, &len, &why), want);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	assert_int_equal(len, PIECES * 1000);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], 'a' + (int)(i / 1000 % 26));
	assert_int_equal(bytes[len], 0);
	free(bytes);
	assert_non_null(strstr(why.text, "more than"));
}

static void
directories_are_made_on_the_way(void **state)
{
	struct tmpdir *dir = *state;
	const char *deep = tmpdir_path(dir, "a/b//c");
	struct reason why;

	assert_int_equal(fs_mkdirs(deep, 0700, &why), 0);
	assert_int_equal(fs_mkdirs(deep, 0700, &why), 0);
	assert_int_equal(fs_mkdirs(tmpdir_path(dir, "a/b/"), 0700, &why), 0);
	assert_true(tmpdir_has(dir, "a/b/c"));
	tmpdir_text(dir, "file", "");
	assert_int_equal(
	    fs_mkdirs(tmpdir_path(dir, "file"), 0700, &why), -ENOTDIR);
	assert_int_equal(
	    fs_mkdirs(tmpdir_path(dir, "file/x"), 0700, &why), -ENOTDIR);
	assert_int_equal(fs_mkdirs("", 0700, &why), -ENOENT);
	assert_int_equal(fs_mkdirs("/", 0700, &why), 0);
}

static void
a_lock_keeps_others_out_and_names_its_holder(void **state)
{
	struct tmpdir *dir = *state;
	int fd = -1, second = -1;
	struct reason why;
	long holder = 0;

	assert_int_equal(fs_lock_held(dir->fd, "LOCK"), 0);
	assert_int_equal(
	    fs_lock(dir->fd, "LOCK", &fd, &holder, &why), FS_LOCKED);
	assert_int_equal(fs_lock_held(dir->fd, "LOCK"), 1);
	assert_int_equal(
	    fs_lock(dir->fd, "LOCK", &second, &holder, &why), FS_LOCK_HELD);
	assert_int_equal(holder, getpid());
	assert_int_equal(second, -1);
	(void)close(fd);
	assert_int_equal(fs_lock_held(dir->fd, "LOCK"), 0);
	assert_int_equal(
	    fs_lock(dir->fd, "LOCK", &fd, &holder, &why), FS_LOCKED);
	(void)close(fd);
}

static void
a_lock_is_taken_where_nothing_can_be_written(void **state)
{
	struct tmpdir *dir = *state;
	const struct rlimit none = { 0, RLIM_INFINITY };
	struct rlimit before;
	struct reason why;
	int fd = -1, got;
	long holder = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	got = fs_lock(dir->fd, "LOCK", &fd, &holder, &why);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(got, FS_LOCKED);
	assert_int_equal(fs_lock_held(dir->fd, "LOCK"), 1);
	(void)close(fd);
}

static void
a_lock_ends_with_the_process_that_held_it(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why;
	int fd, status, ready[2];
	long holder = 0;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (fs_lock(dir->fd, "LOCK", &fd, &holder, &why) != FS_LOCKED ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(fs_lock_held(dir->fd, "LOCK"), 1);
	assert_int_equal(
	    fs_lock(dir->fd, "LOCK", &fd, &holder, &why), FS_LOCK_HELD);
	assert_int_equal(holder, pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(fs_lock_held(dir->fd, "LOCK"), 0);
	assert_int_equal(
	    fs_lock(dir->fd, "LOCK", &fd, &holder, &why), FS_LOCKED);
	(void)close(fd);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static void
a_pipe_is_refused_and_not_waited_for(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why = { "" };
	uint8_t *bytes = NULL;
	long holder;
	size_t len;
	int fd;

	assert_int_equal(mkfifoat(dir->fd, "pipe", 0600), 0);
	assert_int_equal(
	    fs_read(&sysio_posix, dir->fd, "pipe", 100, &bytes, &len, &why),
	    -EMEDIUMTYPE);
	assert_string_equal(
	    why.text, "cannot open 'pipe': it is no regular file");
	assert_int_equal(fs_lock_held(dir->fd, "pipe"), -EMEDIUMTYPE);
	assert_int_equal(
	    fs_lock(dir->fd, "pipe", &fd, &holder, &why), -EMEDIUMTYPE);
	assert_int_equal(
	    sysio_openat(&sysio_posix, dir->fd, "pipe", O_WRONLY, 0),
	    -EMEDIUMTYPE);
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

static void
what_cannot_be_told_is_not_taken_for_safe(void **state)
{
	CLEANUP(closep) int memory = -1;

	assert_non_null(fs_unsafe(-1));
	memory = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (memory >= 0)
		assert_string_equal(fs_unsafe(memory), "tmpfs");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(a_file_is_replaced_whole_and_leaves_nothing_else),
		IN_DIRECTORY(a_failure_at_any_call_leaves_the_old_content),
		IN_DIRECTORY(a_leftover_of_a_crash_is_not_written_into),
		IN_DIRECTORY(a_path_is_replaced_as_a_name_is),
		IN_DIRECTORY(reading_is_bounded),
		IN_DIRECTORY(a_pipe_is_refused_and_not_waited_for),
		IN_DIRECTORY(a_pipe_is_read_to_its_end),
		IN_DIRECTORY(directories_are_made_on_the_way),
		IN_DIRECTORY(a_lock_keeps_others_out_and_names_its_holder),
		IN_DIRECTORY(a_lock_is_taken_where_nothing_can_be_written),
		IN_DIRECTORY(a_lock_ends_with_the_process_that_held_it),
		cmocka_unit_test(what_cannot_be_told_is_not_taken_for_safe),
	};

	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
