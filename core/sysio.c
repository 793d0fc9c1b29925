/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The real system behind the seam, and the loops that every implementation
 * shares.  A short write goes on where it stopped; a write that makes no
 * progress is -EIO, so that nothing here loops for ever.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "core/sysio.h"

#define NEGATIVE_ERRNO(call) ((call) < 0 ? -errno : 0)

/*
 * Whatever lies there under that name: a pipe must not be waited for, and what
 * is made must not be made elsewhere.
 */
static int
posix_openat(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	int here = flags & O_CREAT ? O_NOFOLLOW : 0;
	int fd = openat(dirfd, name,
	    flags | here | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
	struct stat st;

	if (fd < 0)
		return errno == ENXIO ? -EMEDIUMTYPE : -errno;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISDIR(st.st_mode)) {
		(void)close(fd);
		return -EMEDIUMTYPE;
	}
	return fd;
}

static int
posix_close(void *ctx, int fd)
{
	return NEGATIVE_ERRNO(close(fd));
}

static ssize_t
posix_pread(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	ssize_t n = pread(fd, buf, len, at);

	return n < 0 ? -errno : n;
}

static ssize_t
posix_pwritev(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	ssize_t done = pwritev(fd, iov, n, at);

	return done < 0 ? -errno : done;
}

static int
posix_fdatasync(void *ctx, int fd)
{
	return NEGATIVE_ERRNO(fdatasync(fd));
}

static int
posix_fsync(void *ctx, int fd)
{
	return NEGATIVE_ERRNO(fsync(fd));
}

static int
posix_fallocate_(void *ctx, int fd, off_t at, off_t len)
{
	return NEGATIVE_ERRNO(fallocate(fd, 0, at, len));
}

static int
posix_ftruncate(void *ctx, int fd, off_t len)
{
	return NEGATIVE_ERRNO(ftruncate(fd, len));
}

static int
posix_renameat(
    void *ctx, int dirfd, const char *from, int todirfd, const char *to)
{
	return NEGATIVE_ERRNO(renameat(dirfd, from, todirfd, to));
}

static int
posix_linkat(
    void *ctx, int dirfd, const char *from, int todirfd, const char *to)
{
	return NEGATIVE_ERRNO(linkat(dirfd, from, todirfd, to, 0));
}

static int
posix_unlinkat(void *ctx, int dirfd, const char *name)
{
	return NEGATIVE_ERRNO(unlinkat(dirfd, name, 0));
}

static int
posix_mkdirat(void *ctx, int dirfd, const char *name, mode_t mode)
{
	return NEGATIVE_ERRNO(mkdirat(dirfd, name, mode));
}

static int
posix_size(void *ctx, int fd, uint64_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

static uint64_t
posix_data(void *ctx, int fd, uint64_t at)
{
	off_t next = lseek(fd, (off_t)at, SEEK_DATA);

	(void)ctx;
	if (next >= 0)
		return (uint64_t)next;
	/* Nothing but a hole, or nothing at all, is from there on. */
	return errno == ENXIO ? UINT64_MAX : at;
}

static int
posix_list(
    void *ctx, int dirfd, int (*fn)(void *arg, const char *name), void *arg)
{
	struct dirent *entry;
	int err = 0;
	DIR *dir;
	int fd;

	/* A descriptor of its own: the offset of dirfd stays as it was. */
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	while (!err) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			err = -errno;
			break;
		}
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		err = fn(arg, entry->d_name);
	}
	(void)closedir(dir);
	return err;
}

static int
posix_room(void *ctx, int fd, uint64_t *bytes)
{
	struct statvfs vfs;

	if (fstatvfs(fd, &vfs) < 0)
		return -errno;
	*bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

static int
posix_random(void *ctx, void *buf, size_t len)
{
	return NEGATIVE_ERRNO(getentropy(buf, len));
}

const struct sysio sysio_posix = {
	.openat = posix_openat,
	.close = posix_close,
	.pread = posix_pread,
	.pwritev = posix_pwritev,
	.fdatasync = posix_fdatasync,
	.fsync = posix_fsync,
	.fallocate = posix_fallocate_,
	.ftruncate = posix_ftruncate,
	.renameat = posix_renameat,
	.linkat = posix_linkat,
	.unlinkat = posix_unlinkat,
	.mkdirat = posix_mkdirat,
	.size = posix_size,
	.data = posix_data,
	.list = posix_list,
	.room = posix_room,
	.random = posix_random,
};

#define RETRY(err, call)        \
	do {                    \
		(err) = (call); \
	} while ((err) == -EINTR)

int
sysio_openat(
    const struct sysio *io, int dirfd, const char *name, int flags, mode_t mode)
{
	int fd;

	RETRY(fd, io->openat(io->ctx, dirfd, name, flags, mode));
	return fd;
}

int
sysio_close(const struct sysio *io, int fd)
{
	/* Linux has freed the descriptor even where close says EINTR. */
	return io->close(io->ctx, fd);
}

ssize_t
sysio_pread(const struct sysio *io, int fd, void *buf, size_t len, uint64_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		RETRY(n, io->pread(io->ctx, fd, (uint8_t *)buf + done,
			     len - done, (off_t)(at + done)));
		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int
sysio_pwrite(
    const struct sysio *io, int fd, const void *buf, size_t len, uint64_t at)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };

	return sysio_pwritev(io, fd, &iov, 1, at);
}

int
sysio_pwritev(
    const struct sysio *io, int fd, struct iovec *iov, int n, uint64_t at)
{
	ssize_t done;

	while (n > 0) {
		if (iov->iov_len == 0) {
			iov++;
			n--;
			continue;
		}
		RETRY(done, io->pwritev(io->ctx, fd, iov, n, (off_t)at));
		if (done < 0)
			return (int)done;
		if (done == 0)
			return -EIO;
		at += (uint64_t)done;
		while (n > 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int
sysio_write_behind(
    const struct sysio *io, int fd, const void *buf, size_t len, uint64_t at)
{
	const uint8_t *p = buf;
	size_t n;
	int err = 0;

	for (; err == 0 && len > 0; p += n, at += n, len -= n) {
		n = MIN(len, SYSIO_BEHIND - (size_t)(at % SYSIO_BEHIND));
		err = sysio_pwrite(io, fd, p, n, at);
		if (err == 0 && (at + n) % SYSIO_BEHIND == 0)
			err = sysio_fdatasync(io, fd);
	}
	return err;
}

int
sysio_fdatasync(const struct sysio *io, int fd)
{
	int err;

	RETRY(err, io->fdatasync(io->ctx, fd));
	return err;
}

int
sysio_fsync(const struct sysio *io, int fd)
{
	int err;

	RETRY(err, io->fsync(io->ctx, fd));
	return err;
}

int
sysio_fallocate(const struct sysio *io, int fd, uint64_t len)
{
	int err;

	RETRY(err, io->fallocate(io->ctx, fd, 0, (off_t)len));
	return err;
}

int
sysio_ftruncate(const struct sysio *io, int fd, uint64_t len)
{
	int err;

	RETRY(err, io->ftruncate(io->ctx, fd, (off_t)len));
	return err;
}

int
sysio_rename(
    const struct sysio *io, int dirfd, const char *from, const char *to)
{
	return io->renameat(io->ctx, dirfd, from, dirfd, to);
}

int
sysio_renameat(const struct sysio *io, int dirfd, const char *from, int todirfd,
    const char *to)
{
	return io->renameat(io->ctx, dirfd, from, todirfd, to);
}

int
sysio_link(const struct sysio *io, int dirfd, const char *from, int todirfd,
    const char *to)
{
	return io->linkat(io->ctx, dirfd, from, todirfd, to);
}

int
sysio_unlink(const struct sysio *io, int dirfd, const char *name)
{
	return io->unlinkat(io->ctx, dirfd, name);
}

int
sysio_mkdir(const struct sysio *io, int dirfd, const char *name, mode_t mode)
{
	return io->mkdirat(io->ctx, dirfd, name, mode);
}

int
sysio_size(const struct sysio *io, int fd, uint64_t *bytes)
{
	return io->size(io->ctx, fd, bytes);
}

uint64_t
sysio_data(const struct sysio *io, int fd, uint64_t at)
{
	return io->data(io->ctx, fd, at);
}

int
sysio_list(const struct sysio *io, int dirfd,
    int (*fn)(void *arg, const char *name), void *arg)
{
	return io->list(io->ctx, dirfd, fn, arg);
}

int
sysio_room(const struct sysio *io, int fd, uint64_t *bytes)
{
	return io->room(io->ctx, fd, bytes);
}

int
sysio_random(const struct sysio *io, void *buf, size_t len)
{
	return io->random(io->ctx, buf, len);
}

int
sysio_open_disk(const struct sysio *io, int dirfd, const char *name)
{
	int fd = sysio_openat(io, dirfd, name, O_RDONLY | O_DIRECT, 0);

	return fd == -EINVAL ? sysio_openat(io, dirfd, name, O_RDONLY, 0) : fd;
}
