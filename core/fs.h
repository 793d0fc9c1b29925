/* SPDX-License-Identifier: BSD-2-Clause */

/* Files as a whole: replaced atomically, locked, read into memory. */

#ifndef PEAL_CORE_FS_H
#define PEAL_CORE_FS_H

#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct reason;

/*
 * Put len bytes under name so that after a crash either the old or the new
 * content is there, whole: tmp, fsync, rename, fsync of the directory.  The
 * file has mode (less the umask) from the start.
 */
MUST_CHECK int fs_replace(const struct sysio *io, int dirfd, const char *name,
    const void *buf, size_t len, mode_t mode, struct reason *why);

/* The same for a path of the real system. */
MUST_CHECK int fs_replace_path(const char *path, const void *buf, size_t len,
    mode_t mode, struct reason *why);

/*
 * The whole file, at most max bytes (-EFBIG beyond); on success the caller
 * frees *buf.  The bytes are followed by a NUL that is not counted.
 */
MUST_CHECK int fs_read(const struct sysio *io, int dirfd, const char *name,
    size_t max, uint8_t **buf, size_t *len, struct reason *why);

/* The same for a path of the real system, which may be a pipe. */
MUST_CHECK int fs_read_path(const char *path, size_t max, uint8_t **buf,
    size_t *len, struct reason *why);

/*
 * -EMEDIUMTYPE with a sentence: path is a named pipe, at which whoever opens
 * it waits for somebody who writes.  For what is read again while others wait.
 */
MUST_CHECK int fs_refuse_pipe(const char *path, struct reason *why);

/* mkdir -p for one path; an existing directory is fine. */
MUST_CHECK int fs_mkdirs(const char *path, mode_t mode, struct reason *why);

/*
 * What the file system of fd is called where it may forget what was flushed,
 * or cannot promise that it does not; NULL elsewhere.
 */
const char *fs_unsafe(int fd);

enum fs_lock {
	FS_LOCKED = 0,
	FS_LOCK_HELD
};

/*
 * Take the exclusive lock on dirfd/name (created 0640) and write our pid
 * into it.  FS_LOCKED: the lock lives as long as *fd, which the caller owns.
 * FS_LOCK_HELD: *holder is the pid that the file names, 0 when unknown.
 */
MUST_CHECK int fs_lock(
    int dirfd, const char *name, int *fd, long *holder, struct reason *why);

/* 1 when somebody holds the lock, 0 when nobody does, below zero -errno. */
MUST_CHECK int fs_lock_held(int dirfd, const char *name);

#endif
