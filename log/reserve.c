/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reserve.  It is made of written zeros, not of allocated space: a disk that
 * has promised room may lack it all the same.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/reason.h"
#include "log/newfile.h"
#include "log/reserve.h"

enum {
	ZERO_BYTES = 256 << 10,
	LEFT = 2 /* times its bytes, for segments and what is packed */
};

/* 1: it is there, 0: it is not, or not as large; or -errno. */
static int
reserve_look(const struct sysio *io, int dirfd, uint64_t bytes)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	uint64_t has;
	int err;

	f.fd = sysio_openat(io, dirfd, RESERVE_NAME, O_RDONLY, 0);
	if (f.fd < 0)
		return f.fd == -ENOENT ? 0 : f.fd;
	err = sysio_size(io, f.fd, &has);
	return err < 0 ? err : has == bytes;
}

static int
reserve_make(
    const struct sysio *io, int dirfd, uint64_t bytes, struct reason *why)
{
	CLEANUP(freep) uint8_t *zeros = calloc(1, ZERO_BYTES);
	CLEANUP(newfile_deinit) struct newfile f = { .fd = -1 };
	int err =
	    zeros ? newfile_begin(&f, io, dirfd, RESERVE_NAME, why) : -ENOMEM;

	while (err == 0 && f.put < bytes)
		err = newfile_put(&f, zeros,
		    (size_t)MIN(bytes - f.put, (uint64_t)ZERO_BYTES), why);
	if (err == 0)
		err = newfile_end(&f, bytes, why);
	if (err < 0)
		return err;
	err = sysio_fsync(io, dirfd);
	return err < 0 ? reason_set(why, err, "cannot sync the log's directory")
		       : 0;
}

int
reserve_keep(
    const struct sysio *io, int dirfd, uint64_t bytes, struct reason *why)
{
	uint64_t room;
	int err = reserve_look(io, dirfd, bytes);

	if (err == 1)
		return RESERVE_THERE;
	if (err == 0)
		err = sysio_room(io, dirfd, &room);
	if (err < 0)
		return reason_set(
		    why, err, "cannot look for '" RESERVE_NAME "'");
	if (room / (LEFT + 1) < bytes)
		return RESERVE_NO_ROOM;
	err = reserve_make(io, dirfd, bytes, why);
	return err == -ENOSPC || err == -EDQUOT ? RESERVE_NO_ROOM : err;
}

int
reserve_release(const struct sysio *io, int dirfd, struct reason *why)
{
	int err = sysio_unlink(io, dirfd, RESERVE_NAME);

	/* Some file systems have the room only when that is on the disk. */
	if (err == 0)
		err = sysio_fsync(io, dirfd);
	return err < 0
		   ? reason_set(why, err, "cannot give back '" RESERVE_NAME "'")
		   : 0;
}

bool
reserve_is_needed(const struct sysio *io, int dirfd, uint64_t bytes)
{
	uint64_t room;

	return sysio_room(io, dirfd, &room) == 0 && room / LEFT < bytes;
}
