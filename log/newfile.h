/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A file that gets its name when all of it is on the disk: until then what
 * had the name before stays.  What is put into it is summed up on the way.
 */

#ifndef PEAL_LOG_NEWFILE_H
#define PEAL_LOG_NEWFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sha256.h"
#include "core/sysio.h"

struct reason;

enum {
	NEWFILE_NAME_SIZE = 64
};

struct newfile {
	const struct sysio *io;
	int dirfd; /* borrowed */
	int fd;
	char name[NEWFILE_NAME_SIZE];
	char tmp[NEWFILE_NAME_SIZE + 8];
	uint64_t at;  /* where the next byte goes */
	uint64_t put; /* bytes */
	struct sha256 sum;
	bool whole; /* it has its name */
};

/* Begin dirfd/name; to be ended with newfile_deinit(), whatever comes. */
MUST_CHECK int newfile_begin(struct newfile *f, const struct sysio *io,
    int dirfd, const char *name, struct reason *why);
MUST_CHECK int newfile_put(
    struct newfile *f, const void *p, size_t len, struct reason *why);
/*
 * Put len bytes of fd from offset from on.  -ENODATA: it has less; `what` is
 * what the sentence calls it.
 */
MUST_CHECK int newfile_copy(struct newfile *f, int fd, uint64_t from,
    uint64_t len, const char *what, struct reason *why);
/* Leave zeros up to offset at, which nothing sums up. */
void newfile_skip(struct newfile *f, uint64_t at);
/* The SHA-256 of what was put; nothing is put after it. */
void newfile_sum(struct newfile *f, uint8_t sum[SHA256_BYTES]);
/*
 * All of it is there: the file has bytes bytes then, is synced and gets its
 * name; the directory is the caller's to sync.
 */
MUST_CHECK int newfile_end(
    struct newfile *f, uint64_t bytes, struct reason *why);
/* What did not get its name is removed. */
void newfile_deinit(struct newfile *f);

#endif
