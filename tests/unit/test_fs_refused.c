/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files that cannot be read, replaced or locked: what is there stays as it
 * is, and the sentence says which step failed with which name.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/reason.h"
#include "tests/lib/tmpdir.h"

static void
assert_says(const struct reason *why, const char *text)
{
	if (!strstr(why->text, text))
		fail_msg("'%s' lacks '%s'", why->text, text);
}

static int
size_fails(void *ctx, int fd, uint64_t *bytes)
{
	return -EIO;
}

static ssize_t
pread_fails(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	return -EIO;
}

static void
a_file_that_the_disk_does_not_give_is_no_empty_one(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why = { "" };
	struct sysio io = sysio_posix;
	uint8_t *bytes = NULL;
	size_t len = 17;

	tmpdir_text(dir, "f", "text");
	io.size = size_fails;
	assert_int_equal(
	    fs_read(&io, dir->fd, "f", 100, &bytes, &len, &why), -EIO);
	assert_says(&why, "cannot stat 'f'");
	io = sysio_posix;
	io.pread = pread_fails;
	assert_int_equal(
	    fs_read(&io, dir->fd, "f", 100, &bytes, &len, &why), -EIO);
	assert_says(&why, "cannot read 'f'");
	assert_int_equal(
	    fs_read_path(dir->path, 100, &bytes, &len, &why), -EISDIR);
	assert_says(&why, "cannot read '");
	assert_null(bytes);
	assert_int_equal(len, 17);
}

static void
what_cannot_be_cleared_away_is_not_replaced(void **state)
{
	struct tmpdir *dir = *state;
	const char *path = tmpdir_text(dir, "f", "old");
	struct reason why = { "" };
	char name[NAME_MAX + 1];
	uint8_t *bytes;
	size_t len;

	assert_int_equal(mkdirat(dir->fd, "f.tmp", 0700), 0);
	assert_int_equal(fs_replace_path(path, "new", 3, 0600, &why), -EISDIR);
	assert_says(&why, "cannot remove 'f.tmp'");
	assert_int_equal(fs_read_path(path, 100, &bytes, &len, &why), 0);
	assert_string_equal((char *)bytes, "old");
	free(bytes);
	assert_int_equal(unlinkat(dir->fd, "f.tmp", AT_REMOVEDIR), 0);
	/* With .tmp behind it, it is a byte too long. */
	memset(name, 'n', sizeof(name));
	name[NAME_MAX - 3] = '\0';
	assert_int_equal(
	    fs_replace(&sysio_posix, dir->fd, name, "new", 3, 0600, &why),
	    -ENAMETOOLONG);
	assert_says(&why, "file 'nnn");
	name[NAME_MAX - 4] = '\0';
	assert_int_equal(
	    fs_replace(&sysio_posix, dir->fd, name, "new", 3, 0600, &why), 0);
	assert_int_equal(tmpdir_count(dir), 2);
}

static void
a_path_longer_than_any_is_refused_and_not_cut(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why = { "" };
	char path[PATH_MAX + 10];
	size_t n = strlen(dir->path);

	/* So many slashes that, cut off, it would be the directory itself. */
	memcpy(path, dir->path, n);
	memset(path + n, '/', sizeof(path) - n);
	path[sizeof(path) - 2] = 'f';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(
	    fs_replace_path(path, "new", 3, 0600, &why), -ENAMETOOLONG);
	assert_says(&why, "path '/");
	assert_int_equal(fs_mkdirs(path, 0700, &why), -ENAMETOOLONG);
	assert_says(&why, "path '/");
	assert_int_equal(tmpdir_count(dir), 0);
}

static void
a_link_to_nowhere_is_no_directory(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why = { "" };

	assert_int_equal(symlinkat("nowhere", dir->fd, "link"), 0);
	assert_int_equal(
	    fs_mkdirs(tmpdir_path(dir, "link"), 0700, &why), -ENOENT);
	assert_says(&why, "cannot use '");
	assert_int_equal(
	    fs_mkdirs(tmpdir_path(dir, "link/below"), 0700, &why), -ENOENT);
	assert_says(&why, "cannot create directory '");
	assert_false(tmpdir_has(dir, "nowhere"));
}

/* Who holds the one lock and lacks the other is no holder of ours. */
static void
a_lock_that_is_held_in_another_way_is_not_taken(void **state)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct tmpdir *dir = *state;
	struct reason why = { "" };
	int theirs, fd = -1;
	long holder = 0;

	tmpdir_text(dir, "LOCK", "4711\n");
	theirs = openat(dir->fd, "LOCK", O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(theirs, F_OFD_SETLK, &whole), 0);
	assert_int_equal(fs_lock_held(dir->fd, "LOCK"), 1);
	assert_int_equal(fs_lock(dir->fd, "LOCK", &fd, &holder, &why), -EAGAIN);
	assert_says(&why, "cannot lock 'LOCK'");
	assert_int_equal(fd, -1);
	(void)close(theirs);
	assert_int_equal(fs_lock_held(dir->fd, "LOCK"), 0);
	assert_int_equal(
	    fs_lock(dir->fd, "LOCK", &fd, &holder, &why), FS_LOCKED);
	(void)close(fd);
	assert_int_equal(fs_lock_held(dir->fd, "none"), 0);
	assert_int_equal(fs_lock_held(-1, "LOCK"), -EBADF);
}

static void
a_file_system_is_unsafe_by_its_kind_alone(void **state)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(proc >= 0);
	/* Of no use for a log, but nothing forgets there. */
	assert_null(fs_unsafe(proc));
	(void)close(proc);
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(
		    a_file_that_the_disk_does_not_give_is_no_empty_one),
		IN_DIRECTORY(what_cannot_be_cleared_away_is_not_replaced),
		IN_DIRECTORY(a_path_longer_than_any_is_refused_and_not_cut),
		IN_DIRECTORY(a_link_to_nowhere_is_no_directory),
		IN_DIRECTORY(a_lock_that_is_held_in_another_way_is_not_taken),
		cmocka_unit_test(a_file_system_is_unsafe_by_its_kind_alone),
	};

	return cmocka_run_group_tests_name("fs_refused", tests, NULL, NULL);
}
