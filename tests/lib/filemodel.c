/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * File model.  Small and strict: a name is durable when its directory was
 * synced after it, bytes and size of a file when the file was; nothing else
 * makes anything durable.
 */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/filemodel_priv.h"

uint64_t
filemodel_next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

int
filemodel_find(const struct fm_name *names, int dir, const char *name)
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
	int at = filemodel_find(names, set->dir, set->name);

	for (int i = 0; at < 0 && i < NAMES_MAX; i++)
		if (names[i].file < 0)
			at = i;
	assert(at >= 0);
	names[at] = *set;
}

struct fm_name
filemodel_name(int dir, const char *name, int file)
{
	struct fm_name set = { .dir = dir, .file = file };

	assert(strlen(name) < NAME_SIZE);
	snprintf(set.name, sizeof(set.name), "%s", name);
	return set;
}

/* A file system commits by itself, too: the oldest change of names. */
static void
fm_commit_oldest(struct filemodel *fm)
{
	for (int i = 0; i < fm->ops[0].n; i++)
		fm_set(fm->durable, &fm->ops[0].sets[i]);
	fm->n_ops--;
	memmove(
	    &fm->ops[0], &fm->ops[1], (size_t)fm->n_ops * sizeof(fm->ops[0]));
}

/* Change names now, and some day on the disk. */
void
filemodel_change(struct filemodel *fm, const struct fm_name *sets, int n)
{
	struct fm_op *op;

	if (fm->n_ops == OPS_MAX)
		fm_commit_oldest(fm);
	op = &fm->ops[fm->n_ops++];
	op->n = n;
	op->order = ++fm->clock;
	for (int i = 0; i < n; i++) {
		op->sets[i] = sets[i];
		fm_set(fm->now, &sets[i]);
	}
}

static void
fm_drop(struct fm_file *f)
{
	if (f->own && --*f->own == 0) {
		free(f->own);
		free(f->mem);
		free(f->disk);
		free(f->order);
	}
	*f = (struct fm_file){ 0 };
}

static void *
fm_copy(const void *p, size_t len)
{
	void *copy = malloc(len);

	assert(copy);
	return memcpy(copy, p, len);
}

void
filemodel_own(struct fm_file *f)
{
	static const unsigned one = 1;

	if (!f->own || *f->own == 1)
		return;
	--*f->own;
	f->own = fm_copy(&one, sizeof(one));
	f->mem = fm_copy(f->mem, f->cap);
	f->disk = fm_copy(f->disk, f->cap);
	f->order =
	    fm_copy(f->order, f->cap / FILEMODEL_SECTOR * sizeof(*f->order));
}

/* Files without a name, on the disk or to come, and without a descriptor. */
static void
fm_collect(struct filemodel *fm)
{
	bool needed[FILES_MAX] = { [ROOT] = true };

	for (int i = 0; i < NAMES_MAX; i++) {
		if (fm->now[i].file >= 0)
			needed[fm->now[i].file] = true;
		if (fm->durable[i].file >= 0)
			needed[fm->durable[i].file] = true;
	}
	for (int i = 0; i < fm->n_ops; i++)
		for (int j = 0; j < fm->ops[i].n; j++)
			if (fm->ops[i].sets[j].file >= 0)
				needed[fm->ops[i].sets[j].file] = true;
	for (int i = 0; i < FDS_MAX; i++)
		if (fm->fds[i].used)
			needed[fm->fds[i].file] = true;
	for (int i = 0; i < FILES_MAX; i++)
		if (!needed[i])
			fm_drop(&fm->files[i]);
}

int
filemodel_new_file(struct filemodel *fm, bool dir)
{
	fm_collect(fm);
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
	uint64_t cap = ALIGN_UP(MAX(size, 1), (uint64_t)FILEMODEL_SECTOR);

	filemodel_own(f);
	f->apart = true;
	if (cap <= f->cap)
		return;
	if (!f->own) {
		f->own = calloc(1, sizeof(*f->own));
		assert(f->own);
		*f->own = 1;
	}
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

void
filemodel_resize(struct filemodel *fm, struct fm_file *f, uint64_t size)
{
	fm_reserve(f, size);
	fm->clock++;
	if (size < f->mem_size)
		memset(f->mem + size, 0, f->mem_size - size);
	for (uint64_t at = size; at < f->mem_size;
	     at = ALIGN_UP(at + 1, (uint64_t)FILEMODEL_SECTOR))
		f->order[at / FILEMODEL_SECTOR] = fm->clock;
	f->mem_size = size;
	f->size_order = fm->clock;
}

void
filemodel_write(struct filemodel *fm, struct fm_file *f, const uint8_t *p,
    size_t len, uint64_t at)
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

static bool
fm_survives(struct fm_fate *fate, uint32_t order)
{
	switch (fate->how) {
	case SURVIVE_ALL:
		return true;
	case SURVIVE_PREFIX:
		return order <= fate->moment;
	case SURVIVE_SUFFIX:
		return order > fate->moment;
	case SURVIVE_RANDOM:
		return filemodel_next(&fate->seed) & 1;
	default:
		return false;
	}
}

/* A moment between the changes that are not flushed, before or after all. */
static void
fm_draw_moment(const struct filemodel *fm, struct fm_fate *fate)
{
	uint32_t first = fm->clock + 1, last = fm->clock;

	for (int i = 0; i < fm->n_ops; i++)
		first = MIN(first, fm->ops[i].order);
	for (int i = 0; i < FILES_MAX; i++) {
		const struct fm_file *f = &fm->files[i];

		if (!f->apart)
			continue;
		for (uint64_t k = 0; k < f->cap / FILEMODEL_SECTOR; k++)
			if (f->order[k])
				first = MIN(first, f->order[k]);
	}
	fate->moment =
	    first - 1 +
	    (uint32_t)(filemodel_next(&fate->seed) % (last - first + 2));
}

/* Put onto the disk what survives; the rest stays in memory, if dirty. */
void
filemodel_settle_file(struct fm_file *f, struct fm_fate *fate)
{
	if (!f->apart)
		return;
	filemodel_own(f);
	f->hash = 0;
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

void
filemodel_settle_names(struct filemodel *fm, int dir, struct fm_fate *fate)
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
	filemodel_wire(fm);
	return fm;
}

struct filemodel *
filemodel_clone(const struct filemodel *from)
{
	struct filemodel *fm = fm_copy(from, sizeof(*from));

	for (int i = 0; i < FILES_MAX; i++)
		if (fm->files[i].own)
			++*fm->files[i].own;
	filemodel_wire(fm);
	return fm;
}

struct filemodel *
filemodel_free(struct filemodel *fm)
{
	for (int i = 0; fm && i < FILES_MAX; i++)
		fm_drop(&fm->files[i]);
	free(fm);
	return NULL;
}

unsigned
filemodel_descriptors(const struct filemodel *fm)
{
	unsigned n = 0;

	for (int i = 0; i < FDS_MAX; i++)
		n += fm->fds[i].used;
	return n;
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
filemodel_set_loss(struct filemodel *fm, enum filemodel_survive how)
{
	fm->loss = how;
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

/* What is in memory is now what is on the disk. */
static void
fm_reread(struct fm_file *f)
{
	if (!f->apart)
		return;
	filemodel_own(f);
	/* Bytes beyond the size that survived are gone. */
	if (f->disk_size < f->cap)
		memset(f->disk + f->disk_size, 0, f->cap - f->disk_size);
	f->mem_size = f->disk_size;
	memcpy(f->mem, f->disk, f->cap);
	f->apart = false;
}

void
filemodel_kill(struct filemodel *fm)
{
	fm->dead = false;
	fm->cut_at = fm->fail_at = 0;
	fm->lies = false;
	filemodel_wire(fm);
}

void
filemodel_restart(
    struct filemodel *fm, enum filemodel_survive how, uint64_t seed)
{
	struct fm_fate fate = { .how = how, .seed = seed };

	if (how == SURVIVE_PREFIX || how == SURVIVE_SUFFIX)
		fm_draw_moment(fm, &fate);
	filemodel_settle_names(fm, -1, &fate);
	memcpy(fm->now, fm->durable, sizeof(fm->now));
	for (int i = 0; i < FILES_MAX; i++) {
		filemodel_settle_file(&fm->files[i], &fate);
		fm_reread(&fm->files[i]);
	}
	filemodel_kill(fm);
}

static uint64_t
fm_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 29);
}

static uint64_t
fm_hash_bytes(uint64_t hash, const uint8_t *p, uint64_t len)
{
	uint64_t word;

	for (uint64_t at = 0; at + sizeof(word) <= len; at += sizeof(word)) {
		memcpy(&word, p + at, sizeof(word));
		hash = fm_mix(hash, word);
	}
	return hash;
}

static uint64_t
fm_hash_file(struct fm_file *f)
{
	if (f->hash == 0) {
		f->hash = fm_mix(f->dir, f->disk_size);
		for (uint64_t at = 0; at < f->cap; at += FILEMODEL_SECTOR) {
			const uint8_t *p = f->disk + at;

			/* Most of a log is zeros. */
			if (p[0] == 0 &&
			    memcmp(p, p + 1, FILEMODEL_SECTOR - 1) == 0)
				continue;
			f->hash = fm_hash_bytes(
			    fm_mix(f->hash, at), p, FILEMODEL_SECTOR);
		}
	}
	return f->hash;
}

uint64_t
filemodel_image(struct filemodel *fm)
{
	uint64_t sum = 0;

	/* In whatever order the names stand. */
	for (int i = 0; i < NAMES_MAX; i++) {
		const struct fm_name *n = &fm->durable[i];
		uint8_t name[NAME_SIZE] = { 0 };
		uint64_t hash;

		if (n->file < 0)
			continue;
		memcpy(name, n->name, strlen(n->name));
		hash =
		    fm_mix((uint64_t)n->dir, fm_hash_file(&fm->files[n->file]));
		sum += fm_hash_bytes(hash, name, sizeof(name));
	}
	return sum;
}

static struct fm_file *
fm_root_file(const struct filemodel *fm, const char *name)
{
	int at = filemodel_find(fm->now, ROOT, name);

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
	filemodel_own(f);
	f->hash = 0;
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
	int at = filemodel_find(fm->now, ROOT, name);
	struct fm_name sets[2];

	assert(at >= 0);
	sets[0] = filemodel_name(ROOT, name, -1);
	sets[1] =
	    filemodel_name(ROOT, to ? to : name, to ? fm->now[at].file : -1);
	for (int i = 0; i < 2; i++) {
		fm_set(fm->now, &sets[i]);
		fm_set(fm->durable, &sets[i]);
	}
}
