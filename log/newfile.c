/* SPDX-License-Identifier: BSD-2-Clause */

/* New files, for backups and what is made of them. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "log/newfile.h"
#include "log/window.h"

int
newfile_begin(struct newfile *f, const struct sysio *io, int dirfd,
    const char *name, struct reason *why)
{
	*f = (struct newfile){ .io = io, .dirfd = dirfd, .fd = -1 };
	if (strlen(name) >= sizeof(f->name))
		return reason_set(why, -ENAMETOOLONG, "'%s'", name);
	strcpy(f->name, name);
	snprintf(f->tmp, sizeof(f->tmp), "%s.tmp", name);
	f->fd =
	    sysio_openat(io, dirfd, f->tmp, O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (f->fd < 0)
		return reason_set(why, f->fd, "cannot create '%s'", f->tmp);
	sha256_init(&f->sum);
	return 0;
}

int
newfile_put(struct newfile *f, const void *p, size_t len, struct reason *why)
{
	int err = sysio_write_behind(f->io, f->fd, p, len, f->at);

	if (err < 0)
		return reason_set(why, err, "cannot write '%s'", f->tmp);
	sha256_update(&f->sum, p, len);
	f->at += len;
	f->put += len;
	return 0;
}

int
newfile_copy(struct newfile *f, int fd, uint64_t from, uint64_t len,
    const char *what, struct reason *why)
{
	uint64_t end = from + len;
	struct window win = { 0 };
	const uint8_t *p;
	ssize_t n;
	int err = window_init(&win, f->io, fd, end);

	while (err == 0 && from < end) {
		n = window_get(&win, from, &p);
		if (n < 0)
			err = reason_set(why, (int)n, "cannot read '%s'", what);
		else if (n == 0)
			err = reason_say(why, -ENODATA,
			    "'%s' ends at byte %" PRIu64, what, from);
		else
			n = (ssize_t)MIN((uint64_t)n, end - from);
		if (err == 0)
			err = newfile_put(f, p, (size_t)n, why);
		from += err == 0 ? (uint64_t)n : 0;
	}
	window_deinit(&win);
	return err;
}

void
newfile_skip(struct newfile *f, uint64_t at)
{
	f->at = at;
}

void
newfile_sum(struct newfile *f, uint8_t sum[SHA256_BYTES])
{
	sha256_final(&f->sum, sum);
}

int
newfile_end(struct newfile *f, uint64_t bytes, struct reason *why)
{
	int err = 0;

	if (bytes != f->at)
		err = sysio_ftruncate(f->io, f->fd, bytes);
	if (err == 0)
		err = sysio_fsync(f->io, f->fd);
	if (err < 0)
		return reason_set(why, err, "cannot write '%s'", f->tmp);
	err = sysio_rename(f->io, f->dirfd, f->tmp, f->name);
	if (err < 0)
		return reason_set(
		    why, err, "cannot rename '%s' to '%s'", f->tmp, f->name);
	f->whole = true;
	return 0;
}

void
newfile_deinit(struct newfile *f)
{
	if (f->fd < 0)
		return;
	(void)sysio_close(f->io, f->fd);
	sha256_deinit(&f->sum);
	if (!f->whole)
		(void)sysio_unlink(f->io, f->dirfd, f->tmp);
}
