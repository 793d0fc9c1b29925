/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files as a whole.  What fs_replace() has returned zero for survives a
 * power cut; before that, the old content does.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/reason.h"

/* The content under its name for the time being, synced. */
static int
fs_write_fresh(const struct sysio *io, int dirfd, const char *name,
    const void *buf, size_t len, mode_t mode, struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	int err;

	/* What a crash has left may have another mode, or be a link. */
	err = sysio_unlink(io, dirfd, name);
	if (err < 0 && err != -ENOENT)
		return reason_set(why, err, "cannot remove '%s'", name);
	f.fd = sysio_openat(io, dirfd, name, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (f.fd < 0)
		return reason_set(why, f.fd, "cannot create '%s'", name);
	err = sysio_pwrite(io, f.fd, buf, len, 0);
	if (err < 0)
		return reason_set(why, err, "cannot write '%s'", name);
	err = sysio_fsync(io, f.fd);
	if (err < 0)
		return reason_set(why, err, "cannot sync '%s'", name);
	return 0;
}

int
fs_replace(const struct sysio *io, int dirfd, const char *name, const void *buf,
    size_t len, mode_t mode, struct reason *why)
{
	char tmp[NAME_MAX + 1];
	int err;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", name) >= (int)sizeof(tmp))
		return reason_set(why, -ENAMETOOLONG, "file '%s'", name);
	err = fs_write_fresh(io, dirfd, tmp, buf, len, mode, why);
	if (err == 0) {
		err = sysio_rename(io, dirfd, tmp, name);
		if (err < 0)
			(void)reason_set(why, err, "cannot rename '%s'", tmp);
	}
	if (err < 0) {
		(void)sysio_unlink(io, dirfd, tmp);
		return err;
	}
	err = sysio_fsync(io, dirfd);
	if (err < 0)
		return reason_set(
		    why, err, "cannot sync the directory of '%s'", name);
	return 0;
}

int
fs_replace_path(const char *path, const void *buf, size_t len, mode_t mode,
    struct reason *why)
{
	CLEANUP(closep) int dirfd = -1;
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX] = ".";

	if (slash && snprintf(parent, sizeof(parent), "%.*s",
			 (int)(slash - path + 1), path) >= (int)sizeof(parent))
		return reason_set(why, -ENAMETOOLONG, "path '%s'", path);
	dirfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return reason_set(
		    why, -errno, "cannot use directory '%s'", parent);
	return fs_replace(
	    &sysio_posix, dirfd, slash ? slash + 1 : path, buf, len, mode, why);
}

int
fs_read(const struct sysio *io, int dirfd, const char *name, size_t max,
    uint8_t **buf, size_t *len, struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	CLEANUP(freep) uint8_t *bytes = NULL;
	uint64_t size;
	ssize_t n;
	int err;

	f.fd = sysio_openat(io, dirfd, name, O_RDONLY, 0);
	if (f.fd < 0)
		return reason_set(why, f.fd, "cannot open '%s'", name);
	err = sysio_size(io, f.fd, &size);
	if (err < 0)
		return reason_set(why, err, "cannot stat '%s'", name);
	if (size > max)
		return reason_say(why, -EFBIG,
		    "'%s' has %llu bytes, more than %zu", name,
		    (unsigned long long)size, max);
	bytes = malloc(size + 1);
	if (!bytes)
		return reason_set(why, -ENOMEM, "cannot read '%s'", name);
	n = sysio_pread(io, f.fd, bytes, size, 0);
	if (n < 0)
		return reason_set(why, (int)n, "cannot read '%s'", name);
	bytes[n] = '\0';
	*len = (size_t)n;
	*buf = TAKE(bytes);
	return 0;
}

/* All that fd gives; -EFBIG beyond max. */
static ssize_t
fs_drain(int fd, size_t max, uint8_t **bytes)
{
	size_t len = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (len + 1 >= room) {
			uint8_t *more;

			room = room ? 2 * room : 4096;
			more = realloc(*bytes, room);
			if (!more)
				return -ENOMEM;
			*bytes = more;
		}
		n = read(fd, *bytes + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		(*bytes)[len] = '\0';
		if (n == 0)
			return (ssize_t)len;
	}
}

int
fs_read_path(const char *path, size_t max, uint8_t **buf, size_t *len,
    struct reason *why)
{
	CLEANUP(freep) uint8_t *bytes = NULL;
	CLEANUP(closep) int fd = -1;
	ssize_t n;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return reason_set(why, -errno, "cannot open '%s'", path);
	n = fs_drain(fd, max, &bytes);
	if (n == -EFBIG)
		return reason_say(
		    why, -EFBIG, "'%s' has more than %zu bytes", path, max);
	if (n < 0)
		return reason_set(why, (int)n, "cannot read '%s'", path);
	*len = (size_t)n;
	*buf = TAKE(bytes);
	return 0;
}

int
fs_refuse_pipe(const char *path, struct reason *why)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
		return 0;
	return reason_say(why, -EMEDIUMTYPE,
	    "'%s' is a pipe, which can't be read a second time", path);
}

int
fs_mkdirs(const char *path, mode_t mode, struct reason *why)
{
	char part[PATH_MAX];
	struct stat st;

	if (!*path)
		return reason_say(why, -ENOENT, "cannot use an empty path");
	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return reason_set(why, -ENAMETOOLONG, "path '%s'", path);
	for (char *p = part + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return reason_set(
			    why, -errno, "cannot create directory '%s'", part);
		*p = c;
		if (c == '\0')
			break;
	}
	if (stat(path, &st) < 0)
		return reason_set(why, -errno, "cannot use '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return reason_set(why, -ENOTDIR, "cannot use '%s'", path);
	return 0;
}

/*
 * In memory alone; over another one that may be told not to sync; or on a
 * machine whose disk and whose other writers this one knows nothing of.
 */
static const struct {
	uint32_t magic;
	const char *name;
} unsafe_kinds[] = {
	{ TMPFS_MAGIC, "tmpfs" },
	{ RAMFS_MAGIC, "ramfs" },
	{ OVERLAYFS_SUPER_MAGIC, "overlay" },
	{ 0x61756673, "aufs" },
	{ NFS_SUPER_MAGIC, "NFS" },
	{ CIFS_SUPER_MAGIC, "CIFS" },
	{ SMB2_SUPER_MAGIC, "SMB" },
	{ SMB_SUPER_MAGIC, "SMB" },
	{ AFS_SUPER_MAGIC, "AFS" },
	{ AFS_FS_MAGIC, "AFS" },
	{ CODA_SUPER_MAGIC, "Coda" },
	{ 0x786f4256, "vboxsf" },
	{ V9FS_MAGIC, "9p" },
	{ CEPH_SUPER_MAGIC, "Ceph" },
	{ FUSE_SUPER_MAGIC, "FUSE" },
};

const char *
fs_unsafe(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return "a file system that can't be told";
	for (size_t i = 0; i < ARRAY_LEN(unsafe_kinds); i++)
		if ((uint32_t)fs.f_type == unsafe_kinds[i].magic)
			return unsafe_kinds[i].name;
	return NULL;
}

/*
 * flock() keeps a second holder out; the open-file-description lock beside
 * it says so to whoever asks, which flock() can't without taking it.
 */
static const struct flock whole_file = { .l_type = F_WRLCK,
	.l_whence = SEEK_SET };

int
fs_lock(int dirfd, const char *name, int *out, long *holder, struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	char text[32] = "";
	int len;

	fd = sysio_openat(&sysio_posix, dirfd, name, O_RDWR | O_CREAT, 0640);
	if (fd < 0)
		return reason_set(why, fd, "cannot open lock '%s'", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return reason_set(
			    why, -errno, "cannot lock '%s'", name);
		if (pread(fd, text, sizeof(text) - 1, 0) < 0)
			text[0] = '\0';
		*holder = strtol(text, NULL, 10);
		return FS_LOCK_HELD;
	}
	if (fcntl(fd, F_OFD_SETLK, &whole_file) < 0)
		return reason_set(why, -errno, "cannot lock '%s'", name);
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	/* The lock is the kernel's; who holds it is for people, room or not. */
	if (pwrite(fd, text, (size_t)len, 0) != len)
		len = 0;
	if (ftruncate(fd, len) < 0)
		return reason_set(why, -errno, "cannot write lock '%s'", name);
	*out = TAKE_FD(fd);
	return FS_LOCKED;
}

int
fs_lock_held(int dirfd, const char *name)
{
	CLEANUP(closep) int fd = -1;
	struct flock query = whole_file;

	fd = sysio_openat(&sysio_posix, dirfd, name, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fcntl(fd, F_OFD_GETLK, &query) < 0)
		return -errno;
	return query.l_type != F_UNLCK;
}
