/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The file model's system calls.  Every one of them can be the last, or the
 * one that fails.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "tests/lib/filemodel_priv.h"

enum fm_step {
	FM_GO,
	FM_LAST,
	FM_FAIL,
	FM_SHORT,
	FM_LIE
};

/* Every call begins here. */
static enum fm_step
fm_begin(struct filemodel *fm)
{
	uint64_t call = ++fm->calls;

	if (fm->dead)
		return FM_FAIL;
	if (call == fm->cut_at) {
		fm->dead = true;
		fm->fail_err = -EIO;
		return FM_LAST;
	}
	if (call != fm->fail_at)
		return FM_GO;
	switch (fm->fail_err) {
	case FILEMODEL_SHORT:
		fm->fired = true;
		return FM_SHORT;
	case FILEMODEL_LIE:
		return FM_LIE;
	default:
		fm->fired = true;
		return FM_FAIL;
	}
}

/* Of a call that is never interrupted. */
static enum fm_step
fm_begin_whole(struct filemodel *fm)
{
	enum fm_step step = fm_begin(fm);

	return step == FM_FAIL && fm->fail_err == -EINTR ? FM_GO : step;
}

static int
fm_openat(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	struct filemodel *fm = ctx;
	enum fm_step step = fm_begin(fm);
	int dir = fm->fds[dirfd].file, at, file, fd;

	if (step == FM_FAIL)
		return fm->fail_err;
	at = filemodel_find(fm->now, dir, name);
	if (at < 0 && !(flags & O_CREAT))
		return -ENOENT;
	if (at < 0) {
		struct fm_name set =
		    filemodel_name(dir, name, filemodel_new_file(fm, false));

		filemodel_change(fm, &set, 1);
		file = set.file;
	} else {
		file = fm->now[at].file;
		if (flags & O_TRUNC)
			filemodel_resize(fm, &fm->files[file], 0);
	}
	if (step == FM_LAST)
		return -EIO;
	for (fd = 1; fd < FDS_MAX && fm->fds[fd].used; fd++)
		;
	assert(fd < FDS_MAX);
	fm->fds[fd] = (struct fm_fd){ true, (flags & O_DIRECT) != 0, file };
	return fd;
}

static int
fm_close(void *ctx, int fd)
{
	struct filemodel *fm = ctx;

	assert(fd > ROOT && fd < FDS_MAX && fm->fds[fd].used);
	fm->fds[fd].used = false;
	return fm_begin_whole(fm) == FM_FAIL ? fm->fail_err : 0;
}

static struct fm_file *
fm_file(struct filemodel *fm, int fd)
{
	assert(fd >= 0 && fd < FDS_MAX && fm->fds[fd].used);
	return &fm->files[fm->fds[fd].file];
}

static ssize_t
fm_pread(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	struct filemodel *fm = ctx;
	struct fm_file *f = fm_file(fm, fd);
	bool direct = fm->fds[fd].direct;
	uint64_t from = (uint64_t)at, size = f->mem_size;
	const uint8_t *p = f->mem;
	enum fm_step step = fm_begin(fm);

	if (step == FM_FAIL || step == FM_LAST)
		return fm->fail_err;
	if (direct) {
		if (from % 4096 || len % 4096 || (uintptr_t)buf % 4096)
			return -EINVAL;
		p = f->disk;
		size = f->disk_size;
	}
	if (from >= size)
		return 0;
	len = (size_t)MIN((uint64_t)len, size - from);
	if (step == FM_SHORT && !direct)
		len = (len + 1) / 2;
	memcpy(buf, p + from, len);
	return (ssize_t)len;
}

static ssize_t
fm_pwritev(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	struct filemodel *fm = ctx;
	struct fm_file *f = fm_file(fm, fd);
	enum fm_step step = fm_begin(fm);
	uint64_t total = 0, done = 0;

	if (step == FM_FAIL)
		return fm->fail_err;
	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	if (step == FM_SHORT)
		total = (total + 1) / 2;
	for (int i = 0; i < n && done < total; i++) {
		size_t len =
		    (size_t)MIN((uint64_t)iov[i].iov_len, total - done);

		filemodel_write(
		    fm, f, iov[i].iov_base, len, (uint64_t)at + done);
		done += len;
	}
	return step == FM_LAST ? -EIO : (ssize_t)done;
}

/* Make durable of fd's file, or directory, what fate lets. */
static void
fm_settle(struct filemodel *fm, int fd, struct fm_fate *fate)
{
	if (fm_file(fm, fd)->dir)
		filemodel_settle_names(fm, fm->fds[fd].file, fate);
	else
		filemodel_settle_file(fm_file(fm, fd), fate);
}

static int
fm_sync(struct filemodel *fm, int fd)
{
	struct fm_fate all = { .how = SURVIVE_ALL };
	struct fm_fate some = { .how = fm->loss, .seed = fm->random };
	enum fm_step step = fm_begin(fm);

	if (step == FM_LAST || fm->dead)
		return -EIO;
	if (fm->lies)
		return 0;
	if (step == FM_FAIL && fm->fail_err == -EINTR)
		return -EINTR;
	fm->fired = fm->fired || step == FM_LIE;
	fm_settle(fm, fd, step == FM_FAIL || step == FM_LIE ? &some : &all);
	return step == FM_FAIL ? fm->fail_err : 0;
}

static int
fm_fsync(void *ctx, int fd)
{
	return fm_sync(ctx, fd);
}

static int
fm_fallocate(void *ctx, int fd, off_t at, off_t len)
{
	return fm_begin(ctx) == FM_FAIL ? -EIO : -EOPNOTSUPP;
}

static int
fm_ftruncate(void *ctx, int fd, off_t len)
{
	struct filemodel *fm = ctx;
	enum fm_step step = fm_begin(fm);

	if (step == FM_FAIL)
		return fm->fail_err;
	filemodel_resize(fm, fm_file(fm, fd), (uint64_t)len);
	return step == FM_LAST ? -EIO : 0;
}

static int
fm_renameat(void *ctx, int dirfd, const char *from, int todirfd, const char *to)
{
	struct filemodel *fm = ctx;
	int dir = fm->fds[dirfd].file, todir = fm->fds[todirfd].file;
	enum fm_step step = fm_begin_whole(fm);
	struct fm_name sets[2];
	int at;

	if (step == FM_FAIL)
		return fm->fail_err;
	at = filemodel_find(fm->now, dir, from);
	if (at < 0)
		return -ENOENT;
	sets[0] = filemodel_name(dir, from, -1);
	sets[1] = filemodel_name(todir, to, fm->now[at].file);
	filemodel_change(fm, sets, 2);
	return step == FM_LAST ? -EIO : 0;
}

static int
fm_linkat(void *ctx, int dirfd, const char *from, int todirfd, const char *to)
{
	struct filemodel *fm = ctx;
	int dir = fm->fds[dirfd].file, todir = fm->fds[todirfd].file;
	enum fm_step step = fm_begin_whole(fm);
	struct fm_name set;
	int at;

	if (step == FM_FAIL)
		return fm->fail_err;
	at = filemodel_find(fm->now, dir, from);
	if (at < 0)
		return -ENOENT;
	if (filemodel_find(fm->now, todir, to) >= 0)
		return -EEXIST;
	set = filemodel_name(todir, to, fm->now[at].file);
	filemodel_change(fm, &set, 1);
	return step == FM_LAST ? -EIO : 0;
}

static int
fm_unlinkat(void *ctx, int dirfd, const char *name)
{
	struct filemodel *fm = ctx;
	enum fm_step step = fm_begin_whole(fm);
	struct fm_name set = filemodel_name(fm->fds[dirfd].file, name, -1);

	if (step == FM_FAIL)
		return fm->fail_err;
	if (filemodel_find(fm->now, set.dir, name) < 0)
		return -ENOENT;
	filemodel_change(fm, &set, 1);
	return step == FM_LAST ? -EIO : 0;
}

static int
fm_mkdirat(void *ctx, int dirfd, const char *name, mode_t mode)
{
	struct filemodel *fm = ctx;
	enum fm_step step = fm_begin_whole(fm);
	struct fm_name set;

	if (step == FM_FAIL)
		return fm->fail_err;
	if (filemodel_find(fm->now, fm->fds[dirfd].file, name) >= 0)
		return -EEXIST;
	set = filemodel_name(
	    fm->fds[dirfd].file, name, filemodel_new_file(fm, true));
	filemodel_change(fm, &set, 1);
	return step == FM_LAST ? -EIO : 0;
}

static int
fm_size(void *ctx, int fd, uint64_t *bytes)
{
	struct filemodel *fm = ctx;
	enum fm_step step = fm_begin_whole(fm);

	if (step == FM_FAIL || step == FM_LAST)
		return fm->fail_err;
	*bytes = fm_file(fm, fd)->mem_size;
	return 0;
}

/* Each sector of zeros is a hole.  No call: nobody can tell that it failed. */
static uint64_t
fm_data(void *ctx, int fd, uint64_t at)
{
	static const uint8_t zeros[FILEMODEL_SECTOR];
	struct filemodel *fm = ctx;
	const struct fm_file *f = fm_file(fm, fd);
	bool direct = fm->fds[fd].direct;
	const uint8_t *p = direct ? f->disk : f->mem;
	uint64_t size = direct ? f->disk_size : f->mem_size;

	while (at < size) {
		uint64_t left =
		    FILEMODEL_SECTOR - at % (uint64_t)FILEMODEL_SECTOR;

		left = MIN(left, size - at);
		if (memcmp(p + at, zeros, (size_t)left) != 0)
			return at;
		at += left;
	}
	return UINT64_MAX;
}

static int
fm_list(void *ctx, int dirfd, int (*fn)(void *arg, const char *name), void *arg)
{
	struct filemodel *fm = ctx;
	int dir = fm->fds[dirfd].file, err = 0;
	enum fm_step step = fm_begin_whole(fm);

	if (step == FM_FAIL || step == FM_LAST)
		return fm->fail_err;
	for (int i = 0; i < NAMES_MAX && err == 0; i++)
		if (fm->now[i].file >= 0 && fm->now[i].dir == dir)
			err = fn(arg, fm->now[i].name);
	return err;
}

static int
fm_room(void *ctx, int fd, uint64_t *bytes)
{
	struct filemodel *fm = ctx;
	enum fm_step step = fm_begin_whole(fm);

	if (step == FM_FAIL || step == FM_LAST)
		return fm->fail_err;
	*bytes = fm->room;
	return 0;
}

static int
fm_random(void *ctx, void *buf, size_t len)
{
	struct filemodel *fm = ctx;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)filemodel_next(&fm->random);
	return 0;
}

void
filemodel_wire(struct filemodel *fm)
{
	fm->io = (struct sysio){
		.openat = fm_openat,
		.close = fm_close,
		.pread = fm_pread,
		.pwritev = fm_pwritev,
		.fdatasync = fm_fsync,
		.fsync = fm_fsync,
		.fallocate = fm_fallocate,
		.ftruncate = fm_ftruncate,
		.renameat = fm_renameat,
		.linkat = fm_linkat,
		.unlinkat = fm_unlinkat,
		.mkdirat = fm_mkdirat,
		.size = fm_size,
		.data = fm_data,
		.list = fm_list,
		.room = fm_room,
		.random = fm_random,
		.ctx = fm,
	};
	memset(fm->fds, 0, sizeof(fm->fds));
	fm->fds[ROOT] = (struct fm_fd){ true, false, ROOT };
}
