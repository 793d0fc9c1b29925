/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Quarantine.  Moving must succeed, for the segment that comes next takes the
 * number of the one that is moved; copying is a kindness and may fail.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "log/newfile.h"
#include "log/problem.h"
#include "log/quarantine.h"

/* The directory, made where it is missing.  A descriptor or -errno. */
static int
quarantine_open(const struct quarantine *q)
{
	int err = sysio_mkdir(q->io, q->dirfd, QUARANTINE_DIR, 0750);

	if (err < 0 && err != -EEXIST)
		return err;
	return sysio_openat(
	    q->io, q->dirfd, QUARANTINE_DIR, O_RDONLY | O_DIRECTORY, 0);
}

int
quarantine_move(
    const struct quarantine *q, const char *name, struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd dir = { q->io, -1 };
	char aside[SEGMENT_NAME_SIZE + 8];
	int err;

	dir.fd = quarantine_open(q);
	err = dir.fd < 0 ? dir.fd
			 : sysio_renameat(q->io, q->dirfd, name, dir.fd, name);
	if (err == -ENOSPC || err == -EDQUOT) {
		/* Under another name it is no segment either. */
		snprintf(aside, sizeof(aside), "%s.aside", name);
		err = sysio_rename(q->io, q->dirfd, name, aside);
	}
	if (err == 0 && dir.fd >= 0)
		err = sysio_fsync(q->io, dir.fd);
	if (err == 0)
		err = sysio_fsync(q->io, q->dirfd);
	if (err < 0)
		return reason_set(why, err,
		    "cannot move '%s', which has no frame, to %s/", name,
		    QUARANTINE_DIR);
	log_note(q->notes, "segment '%s' has no frame and was set aside", name);
	return 0;
}

static int
quarantine_copy_bytes(const struct quarantine *q, int dirfd, const char *name,
    const struct segment *seg, uint64_t at, uint64_t end)
{
	CLEANUP(sysio_fdp) struct sysio_fd from = { q->io, -1 };
	CLEANUP(newfile_deinit) struct newfile to = { .fd = -1 };
	int err;

	from.fd = sysio_openat(q->io, q->dirfd, seg->name, O_RDONLY, 0);
	if (from.fd < 0)
		return from.fd;
	err = newfile_begin(&to, q->io, dirfd, name, NULL);
	if (err == 0)
		err = newfile_copy(&to, from.fd, at, end - at, seg->name, NULL);
	return err < 0 ? err : newfile_end(&to, to.put, NULL);
}

void
quarantine_copy(const struct quarantine *q, const struct segment *seg,
    uint64_t at, uint64_t end)
{
	CLEANUP(sysio_fdp) struct sysio_fd dir = { q->io, -1 };
	char name[SEGMENT_NAME_SIZE + 32];
	uint64_t room = 0;
	int err;

	log_note(q->notes,
	    "torn tail: segment '%s' has %" PRIu64 " bytes at %" PRIu64
	    " that were never acknowledged",
	    seg->name, end - at, at);
	snprintf(name, sizeof(name), "%s.tail-%" PRIu64, seg->name, at);
	err = sysio_room(q->io, q->dirfd, &room);
	if (err == 0 && room < 2 * seg->header.capacity + (end - at))
		err = -ENOSPC;
	if (err == 0)
		err = dir.fd = quarantine_open(q);
	if (err >= 0)
		err = quarantine_copy_bytes(q, dir.fd, name, seg, at, end);
	if (err < 0)
		log_note(q->notes, "no copy of it is in %s/: %s",
		    QUARANTINE_DIR, strerror(-err));
}
