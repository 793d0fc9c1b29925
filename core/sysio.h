/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The seam to the operating system: every file operation of log and writer
 * goes through this table, so that tests can put a file model, a fault or a
 * crash behind each of them.  Descriptors are what the implementation says
 * they are; only this table may use them.
 */

#ifndef PEAL_CORE_SYSIO_H
#define PEAL_CORE_SYSIO_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "core/macros.h"

/* Like the system calls of the same name, but an error is -errno. */
struct sysio {
	int (*openat)(
	    void *ctx, int dirfd, const char *name, int flags, mode_t mode);
	int (*close)(void *ctx, int fd);
	ssize_t (*pread)(void *ctx, int fd, void *buf, size_t len, off_t at);
	ssize_t (*pwritev)(
	    void *ctx, int fd, const struct iovec *iov, int n, off_t at);
	int (*fdatasync)(void *ctx, int fd);
	int (*fsync)(void *ctx, int fd);
	int (*fallocate)(void *ctx, int fd, off_t at, off_t len);
	int (*ftruncate)(void *ctx, int fd, off_t len);
	int (*renameat)(void *ctx, int dirfd, const char *from, int todirfd,
	    const char *to);
	int (*linkat)(void *ctx, int dirfd, const char *from, int todirfd,
	    const char *to);
	int (*unlinkat)(void *ctx, int dirfd, const char *name);
	int (*mkdirat)(void *ctx, int dirfd, const char *name, mode_t mode);
	int (*size)(void *ctx, int fd, uint64_t *bytes);
	/* As sysio_data(). */
	uint64_t (*data)(void *ctx, int fd, uint64_t at);
	/* Call fn for each name but "." and ".."; stops when fn is not 0. */
	int (*list)(void *ctx, int dirfd,
	    int (*fn)(void *arg, const char *name), void *arg);
	/* Bytes that may still be written to the file system of fd. */
	int (*room)(void *ctx, int fd, uint64_t *bytes);
	/* Fill buf; behind the seam so that a test can be repeated. */
	int (*random)(void *ctx, void *buf, size_t len);
	void *ctx;
};

enum {
	SYSIO_BEHIND = 256 << 10
};

/* The real system. */
extern const struct sysio sysio_posix;

/* Each loops over EINTR; below zero is -errno. */
int sysio_openat(const struct sysio *io, int dirfd, const char *name, int flags,
    mode_t mode);
int sysio_close(const struct sysio *io, int fd);

/*
 * Read up to len bytes at offset at, short only at the end of the file.
 * Returns the bytes read.
 */
ssize_t sysio_pread(
    const struct sysio *io, int fd, void *buf, size_t len, uint64_t at);

/* Write all of it or fail. */
int sysio_pwrite(
    const struct sysio *io, int fd, const void *buf, size_t len, uint64_t at);

/* The same for n vectors (at most IOV_MAX); iov is used up. */
int sysio_pwritev(
    const struct sysio *io, int fd, struct iovec *iov, int n, uint64_t at);

/*
 * sysio_pwrite() to a big file that is synced in the end: its bytes are flushed
 * as they come, SYSIO_BEHIND at a time.  Else that sync has all of them to
 * write at once, and whoever flushes another file waits behind it.
 */
int sysio_write_behind(
    const struct sysio *io, int fd, const void *buf, size_t len, uint64_t at);

/* The rest map one to one. */
int sysio_fdatasync(const struct sysio *io, int fd);
int sysio_fsync(const struct sysio *io, int fd);
int sysio_fallocate(const struct sysio *io, int fd, uint64_t len);
int sysio_ftruncate(const struct sysio *io, int fd, uint64_t len);
int sysio_rename(
    const struct sysio *io, int dirfd, const char *from, const char *to);
int sysio_renameat(const struct sysio *io, int dirfd, const char *from,
    int todirfd, const char *to);
/* A second name for the same file. */
int sysio_link(const struct sysio *io, int dirfd, const char *from, int todirfd,
    const char *to);
int sysio_unlink(const struct sysio *io, int dirfd, const char *name);
int sysio_mkdir(
    const struct sysio *io, int dirfd, const char *name, mode_t mode);
int sysio_size(const struct sysio *io, int fd, uint64_t *bytes);
/*
 * The next byte from offset at on that is in no hole of the file, beyond its
 * end where there is none; at, where the file system does not tell.  A hole
 * reads as zeros, and takes as long to read as if it were some.
 */
uint64_t sysio_data(const struct sysio *io, int fd, uint64_t at);
int sysio_list(const struct sysio *io, int dirfd,
    int (*fn)(void *arg, const char *name), void *arg);
int sysio_room(const struct sysio *io, int fd, uint64_t *bytes);
int sysio_random(const struct sysio *io, void *buf, size_t len);

/*
 * Open for reading what the disk holds, not what the page cache shows
 * (O_DIRECT: offset, length and memory aligned to 4096).  Where the file
 * system refuses that, it has no such difference to show, or none that could
 * be seen: the file is opened as usual.
 */
int sysio_open_disk(const struct sysio *io, int dirfd, const char *name);

/* A descriptor with the table that closes it, for CLEANUP(sysio_fdp). */
struct sysio_fd {
	const struct sysio *io;
	int fd;
};

static inline void
sysio_fdp(struct sysio_fd *f)
{
	if (f->fd >= 0)
		(void)sysio_close(f->io, f->fd);
}

#endif
