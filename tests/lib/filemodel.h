/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * File model: a file system in memory that is as unkind as a real one may be.
 * What was written and what was flushed are kept apart for each sector and
 * each directory entry; a power cut keeps of the difference what it is told
 * to; any call can be made the last one, or made to fail.
 */

#ifndef PEAL_TESTS_LIB_FILEMODEL_H
#define PEAL_TESTS_LIB_FILEMODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sysio.h"

enum {
	FILEMODEL_SECTOR = 512
};

struct filemodel;

enum filemodel_survive {
	SURVIVE_NOTHING, /* of what was not flushed */
	SURVIVE_ALL,
	SURVIVE_PREFIX, /* what was written before some moment */
	SURVIVE_SUFFIX, /* what was written after it */
	SURVIVE_RANDOM, /* each sector, each name by itself */
};

/* An empty root directory; random bytes follow from seed. */
struct filemodel *filemodel_new(uint64_t seed);
/* The same files; descriptors are not copied. */
struct filemodel *filemodel_clone(const struct filemodel *fm);
struct filemodel *filemodel_free(struct filemodel *fm);
CLEANUP_FN(struct filemodel *, filemodel_free)

/* SplitMix64, behind all that is random here. */
uint64_t filemodel_next(uint64_t *state);

const struct sysio *filemodel_io(struct filemodel *fm);
/* Descriptor of the root directory, open for good. */
int filemodel_root(const struct filemodel *fm);

/* Descriptors that are open, the root's too. */
unsigned filemodel_descriptors(const struct filemodel *fm);

/* Calls so far (reading random bytes is none). */
uint64_t filemodel_calls(const struct filemodel *fm);

/*
 * The power goes in call number n: a sync is not done any more, a write or
 * a rename is done and not flushed, and every later call is -EIO.
 */
void filemodel_cut_at(struct filemodel *fm, uint64_t n);

enum {
	FILEMODEL_SHORT = 1, /* half of it is written, which is no error */
	FILEMODEL_LIE = 2,   /* a sync returns 0 and drops what was written */
};

/*
 * Call number n fails with err (-EIO…), once, or is FILEMODEL_SHORT or
 * FILEMODEL_LIE.  A sync that fails forgets what was to be flushed, as Linux
 * does: it can still be read, and will never be on the disk.
 */
void filemodel_fail_at(struct filemodel *fm, uint64_t n, int err);
/* Has it?  A lie that is told to no sync has not. */
bool filemodel_fired(const struct filemodel *fm);
/* Of what a failed or lying sync was to flush, this reaches the disk. */
void filemodel_set_loss(struct filemodel *fm, enum filemodel_survive how);

/* From now on a sync returns at once and does nothing. */
void filemodel_lie(struct filemodel *fm);

/* After the cut: what is left.  It can be used again from here on. */
void filemodel_restart(
    struct filemodel *fm, enum filemodel_survive how, uint64_t seed);

/* A process dies, the system does not: all that was written can be read. */
void filemodel_kill(struct filemodel *fm);

/* Of everything that is on the disk: names, sizes, bytes. */
uint64_t filemodel_image(struct filemodel *fm);

/* Bytes that sysio_room() answers; at first a lot. */
void filemodel_set_room(struct filemodel *fm, uint64_t bytes);

/* A root file's bytes, to be damaged by *edit; in memory and on the disk. */
void filemodel_edit(struct filemodel *fm, const char *name,
    void (*edit)(void *arg, uint8_t *bytes, uint64_t size), void *arg);
/* Its size; -1: there is none. */
int64_t filemodel_size(const struct filemodel *fm, const char *name);
/* Rename or remove a root file, at once and for good; to NULL: remove. */
void filemodel_put_aside(
    struct filemodel *fm, const char *name, const char *to);

#endif
