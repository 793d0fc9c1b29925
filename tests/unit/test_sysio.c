/* SPDX-License-Identifier: BSD-2-Clause */

/* The loops over the seam, driven by a system that does as it is told. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/sysio.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/tmpdir.h"

/* A file in memory, and what the next calls answer before they work. */
struct fake {
	uint8_t bytes[4096];
	size_t size;
	size_t most;	/* bytes that a call moves at most; 0: none at all */
	int answers[8]; /* -errno each; 0 ends the list */
	unsigned next;
	unsigned calls;
};

static int
fake_answer(struct fake *f)
{
	f->calls++;
	return f->answers[f->next] ? f->answers[f->next++] : 0;
}

static ssize_t
fake_pread(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	struct fake *f = ctx;
	int err = fake_answer(f);
	size_t n;

	if (err < 0)
		return err;
	n = (size_t)at < f->size ? f->size - (size_t)at : 0;
	n = MIN(MIN(n, len), f->most);
	memcpy(buf, f->bytes + at, n);
	return (ssize_t)n;
}

static ssize_t
fake_pwritev(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	struct fake *f = ctx;
	size_t room = f->most, done = 0;
	int err = fake_answer(f);

	if (err < 0)
		return err;
	for (int i = 0; i < n && room; i++) {
		size_t len = MIN(iov[i].iov_len, room);

		assert_true((size_t)at + done + len <= sizeof(f->bytes));
		memcpy(f->bytes + at + done, iov[i].iov_base, len);
		done += len;
		room -= len;
	}
	f->size = MAX(f->size, (size_t)at + done);
	return (ssize_t)done;
}

static int
fake_sync(void *ctx, int fd)
{
	return fake_answer(ctx);
}

static int
fake_openat(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	int err = fake_answer(ctx);

	return err < 0 ? err : 77;
}

static struct sysio
fake_io(struct fake *f)
{
	return (struct sysio){ .openat = fake_openat,
		.close = fake_sync,
		.pread = fake_pread,
		.pwritev = fake_pwritev,
		.fdatasync = fake_sync,
		.fsync = fake_sync,
		.ctx = f };
}

static void
a_write_goes_on_where_it_stopped(void **state)
{
	/* Whatever a call takes, the same bytes arrive in the same order. */
	for (size_t most = 1; most <= 12; most++) {
		struct fake f = { .most = most, .answers = { -EINTR, -EINTR } };
		struct sysio io = fake_io(&f);
		struct iovec iov[] = {
			{ .iov_base = (char[]){ "abc" }, .iov_len = 3 },
			{ .iov_base = (char[]){ "" }, .iov_len = 0 },
			{ .iov_base = (char[]){ "d" }, .iov_len = 1 },
			{ .iov_base = (char[]){ "efghijk" }, .iov_len = 7 },
			{ .iov_base = (char[]){ "" }, .iov_len = 0 },
		};

		assert_int_equal(
		    sysio_pwritev(&io, 3, iov, ARRAY_LEN(iov), 5), 0);
		assert_int_equal(f.size, 16);
		assert_memory_equal(f.bytes + 5, "abcdefghijk", 11);
		assert_int_equal(f.calls, 2 + (11 + most - 1) / most);
	}
}

static void
a_write_without_progress_is_an_error(void **state)
{
	struct fake f = { .most = 0 };
	struct sysio io = fake_io(&f);

	assert_int_equal(sysio_pwrite(&io, 3, "abc", 3, 0), -EIO);
	assert_int_equal(f.calls, 1);
	assert_int_equal(sysio_pwrite(&io, 3, "", 0, 0), 0);
	assert_int_equal(f.calls, 1);
}

static void
an_error_in_the_middle_of_a_write_is_forwarded(void **state)
{
	struct fake f = { .most = 1, .answers = { -EINTR, -ENOSPC } };
	struct sysio io = fake_io(&f);

	assert_int_equal(sysio_pwrite(&io, 3, "abc", 3, 0), -ENOSPC);
	assert_int_equal(f.calls, 2);
}

static void
a_read_is_short_at_the_end_of_the_file_alone(void **state)
{
	for (size_t most = 1; most <= 12; most++) {
		struct fake f = { .bytes = "0123456789",
			.size = 10,
			.most = most,
			.answers = { -EINTR } };
		struct sysio io = fake_io(&f);
		char buf[16] = "";

		assert_int_equal(sysio_pread(&io, 3, buf, 4, 2), 4);
		assert_memory_equal(buf, "2345", 4);
		assert_int_equal(sysio_pread(&io, 3, buf, 10, 0), 10);
		assert_int_equal(sysio_pread(&io, 3, buf, 11, 0), 10);
		assert_int_equal(sysio_pread(&io, 3, buf, 9, 9), 1);
		assert_int_equal(sysio_pread(&io, 3, buf, 9, 10), 0);
		assert_int_equal(sysio_pread(&io, 3, buf, 0, 0), 0);
	}
}

static void
a_read_error_is_never_the_end_of_the_file(void **state)
{
	struct fake f = { .bytes = "0123456789",
		.size = 10,
		.most = 4,
		.answers = { -EINTR, -EIO } };
	struct sysio io = fake_io(&f);
	char buf[10];

	assert_int_equal(sysio_pread(&io, 3, buf, 10, 0), -EIO);
}

static void
only_close_is_not_repeated_when_interrupted(void **state)
{
	struct fake f = { .answers = {
			      -EINTR, -EINTR, -EIO, -EINTR, -EIO, -EINTR } };
	struct sysio io = fake_io(&f);

	assert_int_equal(sysio_fdatasync(&io, 3), -EIO);
	assert_int_equal(f.calls, 3);
	assert_int_equal(sysio_fsync(&io, 3), -EIO);
	assert_int_equal(f.calls, 5);
	assert_int_equal(sysio_close(&io, 3), -EINTR);
	assert_int_equal(f.calls, 6);
	assert_int_equal(sysio_openat(&io, 3, "x", 0, 0), 77);
}

static int
fake_fallocate(void *ctx, int fd, off_t at, off_t len)
{
	return fake_answer(ctx);
}

static int
fake_ftruncate(void *ctx, int fd, off_t len)
{
	return fake_answer(ctx);
}

static void
what_makes_files_is_repeated_when_interrupted(void **state)
{
	struct fake f = { .answers = {
			      -EINTR, -EINTR, -ENOSPC, -EINTR, -EIO, -EINTR } };
	struct sysio io = fake_io(&f);

	io.fallocate = fake_fallocate;
	io.ftruncate = fake_ftruncate;
	assert_int_equal(sysio_fallocate(&io, 3, 10), -ENOSPC);
	assert_int_equal(f.calls, 3);
	assert_int_equal(sysio_ftruncate(&io, 3, 10), -EIO);
	assert_int_equal(f.calls, 5);
	assert_int_equal(sysio_openat(&io, 3, "x", 0, 0), 77);
	assert_int_equal(f.calls, 7);
}

static void
only_what_has_no_direct_way_is_opened_the_usual_way(void **state)
{
	struct fake f = { .answers = { -EINVAL } };
	struct sysio io = fake_io(&f);

	assert_int_equal(sysio_open_disk(&io, 3, "x"), 77);
	assert_int_equal(f.calls, 2);
	f = (struct fake){ .answers = { -EACCES } };
	assert_int_equal(sysio_open_disk(&io, 3, "x"), -EACCES);
	assert_int_equal(f.calls, 1);
}

/* Of a file that is written: its length, and up to where it was flushed. */
struct behind {
	uint64_t end, flushed;
	unsigned syncs;
	int fails;
};

static ssize_t
behind_pwritev(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	struct behind *b = ctx;

	assert_int_equal(at, b->end);
	b->end += iov->iov_len;
	return (ssize_t)iov->iov_len;
}

static int
behind_sync(void *ctx, int fd)
{
	struct behind *b = ctx;

	b->syncs++;
	b->flushed = b->end;
	return b->fails;
}

static void
a_big_file_is_never_much_ahead_of_the_disk(void **state)
{
	static const uint8_t zeros[3 * SYSIO_BEHIND];
	const size_t pieces[] = { 1, SYSIO_BEHIND - 2, 1, 1, SYSIO_BEHIND,
		2 * SYSIO_BEHIND + 7, SYSIO_BEHIND - 8, 0, 5 };
	struct behind b = { .end = 0 };
	const struct sysio io = {
		.pwritev = behind_pwritev, .fdatasync = behind_sync, .ctx = &b
	};

	for (unsigned i = 0; i < ARRAY_LEN(pieces); i++) {
		uint64_t at = b.end;

		assert_int_equal(
		    sysio_write_behind(&io, 3, zeros, pieces[i], at), 0);
		assert_int_equal(b.end, at + pieces[i]);
		assert_true(b.end - b.flushed < SYSIO_BEHIND);
	}
	assert_int_equal(b.syncs, b.end / SYSIO_BEHIND);
	assert_true(b.syncs > 3);
	/* A flush that fails is told, and nothing is written behind it. */
	b = (struct behind){ .fails = -EIO };
	assert_int_equal(
	    sysio_write_behind(&io, 3, zeros, sizeof(zeros), 0), -EIO);
	assert_int_equal(b.end, SYSIO_BEHIND);
	assert_int_equal(b.syncs, 1);
}

static void
holes_are_told_where_the_file_system_tells_them(void **state)
{
	struct tmpdir *dir = *state;
	const struct sysio *io = &sysio_posix;
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	const uint64_t mib = 1 << 20;

	f.fd = sysio_openat(io, dir->fd, "a", O_RDWR | O_CREAT, 0600);
	assert_true(f.fd >= 0);
	assert_true(sysio_data(io, f.fd, 0) >= 0x7fffffff);
	assert_int_equal(sysio_ftruncate(io, f.fd, 16 * mib), 0);
	assert_int_equal(sysio_pwrite(io, f.fd, "data", 4, 9 * mib), 0);
	assert_in_range(sysio_data(io, f.fd, 0), 0, 9 * mib);
	assert_int_equal(sysio_data(io, f.fd, 9 * mib + 2), 9 * mib + 2);
	assert_true(sysio_data(io, f.fd, 16 * mib) >= 16 * mib);
	/* What is no file at all says nothing. */
	assert_int_equal(sysio_data(io, -1, 5), 5);
}

static int
count_name(void *arg, const char *name)
{
	unsigned *seen = arg;

	*seen += strcmp(name, "a") == 0 ? 1 : strcmp(name, "b") ? 1000 : 10;
	return 0;
}

static int
stop_at_first(void *arg, const char *name)
{
	++*(unsigned *)arg;
	return 42;
}

static void
the_real_system_does_what_the_table_says(void **state)
{
	struct tmpdir *dir = *state;
	const struct sysio *io = &sysio_posix;
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	uint64_t bytes = 0;
	unsigned seen = 0;
	char buf[4];

	assert_int_equal(sysio_openat(io, dir->fd, "a", O_RDWR, 0), -ENOENT);
	f.fd = sysio_openat(io, dir->fd, "a", O_RDWR | O_CREAT, 0600);
	assert_true(f.fd >= 0);
	assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(sysio_fallocate(io, f.fd, 5000), 0);
	assert_int_equal(sysio_size(io, f.fd, &bytes), 0);
	assert_int_equal(bytes, 5000);
	assert_int_equal(sysio_pwrite(io, f.fd, "tail", 4, 4998), 0);
	assert_int_equal(sysio_pread(io, f.fd, buf, 4, 4998), 4);
	assert_memory_equal(buf, "tail", 4);
	assert_int_equal(sysio_ftruncate(io, f.fd, 10), 0);
	assert_int_equal(sysio_size(io, f.fd, &bytes), 0);
	assert_int_equal(bytes, 10);
	assert_int_equal(sysio_fdatasync(io, f.fd), 0);
	assert_int_equal(sysio_fsync(io, dir->fd), 0);
	assert_int_equal(sysio_mkdir(io, dir->fd, "b", 0700), 0);
	assert_int_equal(sysio_mkdir(io, dir->fd, "b", 0700), -EEXIST);
	for (int i = 0; i < 2; i++) {
		seen = 0;
		assert_int_equal(sysio_list(io, dir->fd, count_name, &seen), 0);
		assert_int_equal(seen, 11);
	}
	seen = 0;
	assert_int_equal(sysio_list(io, dir->fd, stop_at_first, &seen), 42);
	assert_int_equal(seen, 1);
	assert_int_equal(sysio_link(io, dir->fd, "a", dir->fd, "d"), 0);
	assert_int_equal(sysio_link(io, dir->fd, "a", dir->fd, "d"), -EEXIST);
	assert_int_equal(sysio_renameat(io, dir->fd, "d", dir->fd, "e"), 0);
	assert_int_equal(sysio_unlink(io, dir->fd, "d"), -ENOENT);
	assert_int_equal(sysio_unlink(io, dir->fd, "e"), 0);
	assert_int_equal(sysio_rename(io, dir->fd, "a", "c"), 0);
	assert_int_equal(sysio_rename(io, dir->fd, "a", "c"), -ENOENT);
	assert_int_equal(sysio_unlink(io, dir->fd, "a"), -ENOENT);
	assert_int_equal(sysio_unlink(io, dir->fd, "c"), 0);
	assert_int_equal(sysio_room(io, dir->fd, &bytes), 0);
	assert_true(bytes > 0);
	assert_int_equal(sysio_pread(io, -1, buf, 4, 0), -EBADF);
	assert_int_equal(sysio_pwrite(io, -1, buf, 4, 0), -EBADF);
}

/* Whatever somebody has put in the place of a file. */
static void
what_is_no_file_is_not_opened_and_none_is_made_elsewhere(void **state)
{
	struct tmpdir *dir = *state;
	const struct sysio *io = &sysio_posix;
	unsigned before = descriptors_open();

	assert_int_equal(symlinkat("elsewhere", dir->fd, "link"), 0);
	assert_int_equal(
	    sysio_openat(io, dir->fd, "link", O_RDWR | O_CREAT, 0600), -ELOOP);
	assert_false(tmpdir_has(dir, "elsewhere"));
	assert_int_equal(mkfifoat(dir->fd, "pipe", 0600), 0);
	assert_int_equal(
	    sysio_openat(io, dir->fd, "pipe", O_RDONLY, 0), -EMEDIUMTYPE);
	assert_int_equal(
	    sysio_openat(io, dir->fd, "pipe", O_WRONLY, 0), -EMEDIUMTYPE);
	assert_int_equal(descriptors_open(), before);
}

/* For who must not be the superuser to use it. */
static void
room_is_what_is_free_in_bytes(void **state)
{
	struct tmpdir *dir = *state;
	struct statvfs first, then;
	uint64_t bytes = 0;

	/* Others write there, too: as long as nothing changes meanwhile. */
	do {
		assert_int_equal(fstatvfs(dir->fd, &first), 0);
		assert_int_equal(sysio_room(&sysio_posix, dir->fd, &bytes), 0);
		assert_int_equal(fstatvfs(dir->fd, &then), 0);
	} while (first.f_bavail != then.f_bavail);
	assert_int_equal(bytes, then.f_bavail * then.f_frsize);
}

static void
each_call_of_the_real_system_tells_its_error(void **state)
{
	const struct sysio *io = &sysio_posix;
	unsigned seen = 0;
	uint64_t bytes = 17;
	uint8_t random[257];

	assert_int_equal(sysio_close(io, -1), -EBADF);
	assert_int_equal(sysio_fdatasync(io, -1), -EBADF);
	assert_int_equal(sysio_fsync(io, -1), -EBADF);
	assert_int_equal(sysio_fallocate(io, -1, 10), -EBADF);
	assert_int_equal(sysio_ftruncate(io, -1, 10), -EBADF);
	assert_int_equal(sysio_size(io, -1, &bytes), -EBADF);
	assert_int_equal(sysio_room(io, -1, &bytes), -EBADF);
	assert_int_equal(sysio_list(io, -1, count_name, &seen), -EBADF);
	assert_int_equal(seen, 0);
	assert_int_equal(bytes, 17);
	/* The kernel gives 256 at a time. */
	assert_int_equal(sysio_random(io, random, 257), -EIO);
	assert_int_equal(sysio_random(io, random, 256), 0);
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_goes_on_where_it_stopped),
		cmocka_unit_test(a_write_without_progress_is_an_error),
		cmocka_unit_test(
		    an_error_in_the_middle_of_a_write_is_forwarded),
		cmocka_unit_test(a_read_is_short_at_the_end_of_the_file_alone),
		cmocka_unit_test(a_read_error_is_never_the_end_of_the_file),
		cmocka_unit_test(only_close_is_not_repeated_when_interrupted),
		cmocka_unit_test(what_makes_files_is_repeated_when_interrupted),
		cmocka_unit_test(
		    only_what_has_no_direct_way_is_opened_the_usual_way),
		cmocka_unit_test(a_big_file_is_never_much_ahead_of_the_disk),
		cmocka_unit_test(each_call_of_the_real_system_tells_its_error),
		IN_DIRECTORY(the_real_system_does_what_the_table_says),
		IN_DIRECTORY(holes_are_told_where_the_file_system_tells_them),
		IN_DIRECTORY(
		    what_is_no_file_is_not_opened_and_none_is_made_elsewhere),
		IN_DIRECTORY(room_is_what_is_free_in_bytes),
	};

	return cmocka_run_group_tests_name("sysio", tests, NULL, NULL);
}
