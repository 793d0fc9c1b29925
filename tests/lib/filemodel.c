/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * File model.  Small and strict: a name is durable when its directory was
 * synced after it, bytes and size of a file when the file was; nothing else
 * makes anything durable.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/filemodel.h"

enum {
	FILES_MAX = 64,
	NAMES_MAX = 64,
	OPS_MAX = 64,
	FDS_MAX = 32,
	NAME_SIZE = 64,
	ROOT = 0, /* both its file and its descriptor */
};

struct fm_file {
	bool used, dir;
	uint8_t *mem, *disk;
	uint64_t mem_size, disk_size, cap; /* cap: of both */
	uint32_t *order; /* by sector: when written; 0: as on the disk */
	uint32_t size_order;
};

struct fm_name {
	int dir, file; /* file -1: no entry */
	char name[NAME_SIZE];
};

/* One change of names that is there or not as a whole. */
struct fm_op {
	struct fm_name sets[2];
	int n;
	uint32_t order;
};

struct fm_fd {
	bool used, direct;
	int file;
};

struct filemodel {
	struct sysio io;
	uint64_t random;
	uint64_t calls, cut_at, fail_at, room;
	int fail_err;
	bool dead, fired, lies;
	uint32_t clock; /* of changes */
	struct fm_file files[FILES_MAX];
	struct fm_name now[NAMES_MAX], durable[NAMES_MAX];
	struct fm_op ops[OPS_MAX];
	int n_ops;
	struct fm_fd fds[FDS_MAX];
};

static uint64_t
fm_next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

enum fm_step {
	FM_GO,
	FM_LAST,
	FM_FAIL,
	FM_SHORT
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
	fm->fired = true;
	return fm->fail_err == FILEMODEL_SHORT ? FM_SHORT : FM_FAIL;
}

/* Of a call that is never interrupted. */
static enum fm_step
fm_begin_whole(struct filemodel *fm)
{
	enum fm_step step = fm_begin(fm);

	return step == FM_FAIL && fm->fail_err == -EINTR ? FM_GO : step;
}

static int
fm_find(const struct fm_name *names, int dir, const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (names[i].file >= 0 && names[i].dir == dir &&
		    !strcmp(names[i].name, name))
			return i;
	return -1;
}

static void
fm_set(struct fm_name *names, const struct fm_name *set)
{
	int at = fm_find(names, set->dir, set->name);

	for (int i = 0; at < 0 && i < NAMES_MAX; i++)
		if (names[i].file < 0)
			at = i;
	assert(at >= 0);
	names[at] = *set;
}

static struct fm_name
fm_name(int dir, const char *name, int file)
{
	struct fm_name set = { .dir = dir, .file = file };

	assert(strlen(name) < NAME_SIZE);
	snprintf(set.name, sizeof(set.name), "%s", name);
	return set;
}

/* Change names now, and some day on the disk. */
static void
fm_change(struct filemodel *fm, const struct fm_name *sets, int n)
{
	struct fm_op *op = &fm->ops[fm->n_ops++];

	assert(fm->n_ops < OPS_MAX);
	op->n = n;
	op->order = ++fm->clock;
	for (int i = 0; i < n; i++) {
		op->sets[i] = sets[i];
		fm_set(fm->now, &sets[i]);
	}
}

static int
fm_new_file(struct filemodel *fm, bool dir)
{
	for (int i = 0; i < FILES_MAX; i++) {
		if (fm->files[i].used)
			continue;
		fm->files[i] = (struct fm_file){ .used = true, .dir = dir };
		return i;
	}
	assert(!"too many files");
	return -1;
}

static void
fm_reserve(struct fm_file *f, uint64_t size)
{
	uint64_t cap = ALIGN_UP(size, (uint64_t)FILEMODEL_SECTOR);

	if (cap <= f->cap)
		return;
	f->mem = realloc(f->mem, cap);
	f->disk = realloc(f->disk, cap);
	f->order =
	    realloc(f->order, cap / FILEMODEL_SECTOR * sizeof(*f->order));
	assert(f->mem && f->disk && f->order);
	memset(f->mem + f->cap, 0, cap - f->cap);
	memset(f->disk + f->cap, 0, cap - f->cap);
	memset(f->order + f->cap / FILEMODEL_SECTOR, 0,
	    (cap - f->cap) / FILEMODEL_SECTOR * sizeof(*f->order));
	f->cap = cap;
}

static void
fm_resize(struct filemodel *fm, struct fm_file *f, uint64_t size)
{
	fm_reserve(f, size);
	fm->clock++;
	for (uint64_t at = size; at < f->mem_size; at++) {
		f->mem[at] = 0;
		f->order[at / FILEMODEL_SECTOR] = fm->clock;
	}
	f->mem_size = size;
	f->size_order = fm->clock;
}

static void
fm_write(struct filemodel *fm, struct fm_file *f, const uint8_t *p, size_t len,
    uint64_t at)
{
	fm_reserve(f, at + len);
	fm->clock++;
	memcpy(f->mem + at, p, len);
	for (uint64_t s = at / FILEMODEL_SECTOR;
	     s * FILEMODEL_SECTOR < at + len; s++)
		f->order[s] = fm->clock;
	if (at + len > f->mem_size) {
		f->mem_size = at + len;
		f->size_order = fm->clock;
	}
}

/* What a power cut leaves of a change that happened at order. */
struct fm_fate {
	enum filemodel_survive how;
	uint32_t moment;
	uint64_t seed;
};

static bool
fm_survives(struct fm_fate *fate, uint32_t order)
{
	switch (fate->how) {
	case SURVIVE_ALL:
		return true;
	case SURVIVE_PREFIX:
		return order <= fate->moment;
	case SURVIVE_RANDOM:
		return fm_next(&fate->seed) & 1;
	default:
		return false;
	}
}

/* Put onto the disk what survives; the rest stays in memory, if dirty. */
static void
fm_settle_file(struct fm_file *f, struct fm_fate *fate)
{
	for (uint64_t s = 0; s < f->cap / FILEMODEL_SECTOR; s++) {
		uint64_t at = s * FILEMODEL_SECTOR;

		if (f->order[s] && fm_survives(fate, f->order[s]))
			memcpy(f->disk + at, f->mem + at, FILEMODEL_SECTOR);
		f->order[s] = 0;
	}
	if (f->size_order && fm_survives(fate, f->size_order))
		f->disk_size = f->mem_size;
	f->size_order = 0;
}

static void
fm_settle_names(struct filemodel *fm, int dir, struct fm_fate *fate)
{
	int kept = 0;

	for (int i = 0; i < fm->n_ops; i++) {
		struct fm_op *op = &fm->ops[i];
		bool here = dir < 0;

		for (int j = 0; j < op->n; j++)
			here = here || op->sets[j].dir == dir;
		if (!here)
			fm->ops[kept++] = *op;
		else if (fm_survives(fate, op->order))
			for (int j = 0; j < op->n; j++)
				fm_set(fm->durable, &op->sets[j]);
	}
	fm->n_ops = kept;
}

static int
fm_openat(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	struct filemodel *fm = ctx;
	enum fm_step step = fm_begin(fm);
	int dir = fm->fds[dirfd].file, at, file, fd;

	if (step == FM_FAIL)
		return fm->fail_err;
	at = fm_find(fm->now, dir, name);
	if (at < 0 && !(flags & O_CREAT))
		return -ENOENT;
	if (at < 0) {
		struct fm_name set = fm_name(dir, name, fm_new_file(fm, false));

		fm_change(fm, &set, 1);
		file = set.file;
	} else {
		file = fm->now[at].file;
		if (flags & O_TRUNC)
			fm_resize(fm, &fm->files[file], 0);
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

		fm_write(fm, f, iov[i].iov_base, len, (uint64_t)at + done);
		done += len;
	}
	return step == FM_LAST ? -EIO : (ssize_t)done;
}

static int
fm_sync(struct filemodel *fm, int fd)
{
	struct fm_fate all = { .how = SURVIVE_ALL };
	struct fm_fate none = { .how = SURVIVE_NOTHING };
	struct fm_file *f = fm_file(fm, fd);
	enum fm_step step = fm_begin(fm);

	if (step == FM_LAST || fm->dead)
		return -EIO;
	if (fm->lies)
		return 0;
	if (step == FM_FAIL && fm->fail_err == -EINTR)
		return -EINTR;
	if (f->dir)
		fm_settle_names(
		    fm, fm->fds[fd].file, step == FM_FAIL ? &none : &all);
	else
		fm_settle_file(f, step == FM_FAIL ? &none : &all);
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
	fm_resize(fm, fm_file(fm, fd), (uint64_t)len);
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
	at = fm_find(fm->now, dir, from);
	if (at < 0)
		return -ENOENT;
	sets[0] = fm_name(dir, from, -1);
	sets[1] = fm_name(todir, to, fm->now[at].file);
	fm_change(fm, sets, 2);
	return step == FM_LAST ? -EIO : 0;
}

static int
fm_unlinkat(void *ctx, int dirfd, const char *name)
{
	struct filemodel *fm = ctx;
	enum fm_step step = fm_begin_whole(fm);
	struct fm_name set = fm_name(fm->fds[dirfd].file, name, -1);

	if (step == FM_FAIL)
		return fm->fail_err;
	if (fm_find(fm->now, set.dir, name) < 0)
		return -ENOENT;
	fm_change(fm, &set, 1);
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
	if (fm_find(fm->now, fm->fds[dirfd].file, name) >= 0)
		return -EEXIST;
	set = fm_name(fm->fds[dirfd].file, name, fm_new_file(fm, true));
	fm_change(fm, &set, 1);
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
		((uint8_t *)buf)[i] = (uint8_t)fm_next(&fm->random);
	return 0;
}

static void
fm_wire(struct filemodel *fm)
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
		.unlinkat = fm_unlinkat,
		.mkdirat = fm_mkdirat,
		.size = fm_size,
		.list = fm_list,
		.room = fm_room,
		.random = fm_random,
		.ctx = fm,
	};
	memset(fm->fds, 0, sizeof(fm->fds));
	fm->fds[ROOT] = (struct fm_fd){ true, false, ROOT };
}

struct filemodel *
filemodel_new(uint64_t seed)
{
	struct filemodel *fm = calloc(1, sizeof(*fm));

	assert(fm);
	fm->random = seed;
	fm->room = UINT64_C(1) << 40;
	for (int i = 0; i < NAMES_MAX; i++)
		fm->now[i].file = fm->durable[i].file = -1;
	fm->files[ROOT] = (struct fm_file){ .used = true, .dir = true };
	fm_wire(fm);
	return fm;
}

static void *
fm_copy(const void *p, size_t len)
{
	void *copy = len ? malloc(len) : NULL;

	assert(copy || !len);
	return len ? memcpy(copy, p, len) : NULL;
}

struct filemodel *
filemodel_clone(const struct filemodel *from)
{
	struct filemodel *fm = fm_copy(from, sizeof(*from));

	for (int i = 0; i < FILES_MAX; i++) {
		struct fm_file *f = &fm->files[i];

		f->mem = fm_copy(f->mem, f->cap);
		f->disk = fm_copy(f->disk, f->cap);
		f->order = fm_copy(
		    f->order, f->cap / FILEMODEL_SECTOR * sizeof(*f->order));
	}
	fm_wire(fm);
	return fm;
}

struct filemodel *
filemodel_free(struct filemodel *fm)
{
	for (int i = 0; fm && i < FILES_MAX; i++) {
		free(fm->files[i].mem);
		free(fm->files[i].disk);
		free(fm->files[i].order);
	}
	free(fm);
	return NULL;
}

const struct sysio *
filemodel_io(struct filemodel *fm)
{
	return &fm->io;
}

int
filemodel_root(const struct filemodel *fm)
{
	return ROOT;
}

uint64_t
filemodel_calls(const struct filemodel *fm)
{
	return fm->calls;
}

void
filemodel_cut_at(struct filemodel *fm, uint64_t n)
{
	fm->cut_at = n;
}

void
filemodel_fail_at(struct filemodel *fm, uint64_t n, int err)
{
	fm->fail_at = n;
	fm->fail_err = err;
	fm->fired = false;
}

bool
filemodel_fired(const struct filemodel *fm)
{
	return fm->fired;
}

void
filemodel_lie(struct filemodel *fm)
{
	fm->lies = true;
}

void
filemodel_set_room(struct filemodel *fm, uint64_t bytes)
{
	fm->room = bytes;
}

void
filemodel_restart(
    struct filemodel *fm, enum filemodel_survive how, uint64_t seed)
{
	struct fm_fate fate = { .how = how, .seed = seed };

	if (how == SURVIVE_PREFIX && fm->clock > 0)
		fate.moment = (uint32_t)(fm_next(&fate.seed) % fm->clock);
	fm_settle_names(fm, -1, &fate);
	memcpy(fm->now, fm->durable, sizeof(fm->now));
	for (int i = 0; i < FILES_MAX; i++) {
		struct fm_file *f = &fm->files[i];

		if (!f->used || f->dir)
			continue;
		fm_settle_file(f, &fate);
		/* Bytes beyond the size that survived are gone. */
		if (f->disk_size < f->cap)
			memset(
			    f->disk + f->disk_size, 0, f->cap - f->disk_size);
		f->mem_size = f->disk_size;
		if (f->cap > 0)
			memcpy(f->mem, f->disk, f->cap);
	}
	fm->dead = false;
	fm->cut_at = fm->fail_at = 0;
	fm->lies = false;
	fm_wire(fm);
}

static struct fm_file *
fm_root_file(const struct filemodel *fm, const char *name)
{
	int at = fm_find(fm->now, ROOT, name);

	return at < 0
		   ? NULL
		   : (struct fm_file *)(uintptr_t)&fm->files[fm->now[at].file];
}

void
filemodel_edit(struct filemodel *fm, const char *name,
    void (*edit)(void *arg, uint8_t *bytes, uint64_t size), void *arg)
{
	struct fm_file *f = fm_root_file(fm, name);

	assert(f);
	edit(arg, f->mem, f->mem_size);
	memcpy(f->disk, f->mem, f->mem_size);
}

int64_t
filemodel_size(const struct filemodel *fm, const char *name)
{
	const struct fm_file *f = fm_root_file(fm, name);

	return f ? (int64_t)f->mem_size : -1;
}

void
filemodel_put_aside(struct filemodel *fm, const char *name, const char *to)
{
	int at = fm_find(fm->now, ROOT, name);
	struct fm_name sets[2];

	assert(at >= 0);
	sets[0] = fm_name(ROOT, name, -1);
	sets[1] = fm_name(ROOT, to ? to : name, to ? fm->now[at].file : -1);
	for (int i = 0; i < 2; i++) {
		fm_set(fm->now, &sets[i]);
		fm_set(fm->durable, &sets[i]);
	}
}
