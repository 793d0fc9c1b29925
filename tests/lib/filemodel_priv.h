/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Inside of the file model: what filemodel.c keeps, and what filemodel_io.c,
 * the system calls, does with it.
 */

#ifndef PEAL_TESTS_LIB_FILEMODEL_PRIV_H
#define PEAL_TESTS_LIB_FILEMODEL_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/filemodel.h"

enum {
	FILES_MAX = 96,
	NAMES_MAX = 96,
	OPS_MAX = 96,
	FDS_MAX = 32,
	NAME_SIZE = 64,
	ROOT = 0, /* both its file and its descriptor */
};

/*
 * mem, disk and order are shared with clones until someone writes: see
 * filemodel_own().
 */
struct fm_file {
	bool used, dir;
	bool apart;    /* mem may differ from disk */
	unsigned *own; /* how many share the three below; NULL: no bytes yet */
	uint8_t *mem, *disk;
	uint64_t mem_size, disk_size, cap; /* cap: of both */
	uint32_t *order; /* by sector: when written; 0: as on the disk */
	uint32_t size_order;
	uint64_t hash; /* of what is on the disk; 0: not known */
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
	enum filemodel_survive loss; /* what a failed sync keeps */
	uint32_t clock;		     /* of changes */
	struct fm_file files[FILES_MAX];
	struct fm_name now[NAMES_MAX], durable[NAMES_MAX];
	struct fm_op ops[OPS_MAX];
	int n_ops;
	struct fm_fd fds[FDS_MAX];
};

/* What a power cut leaves of a change that happened at order. */
struct fm_fate {
	enum filemodel_survive how;
	uint32_t moment;
	uint64_t seed;
};

/* The place of an entry, or -1. */
int filemodel_find(const struct fm_name *names, int dir, const char *name);
struct fm_name filemodel_name(int dir, const char *name, int file);
/* Change names now, and some day on the disk. */
void filemodel_change(struct filemodel *fm, const struct fm_name *sets, int n);
int filemodel_new_file(struct filemodel *fm, bool dir);
/* Before bytes are changed: no clone shares them any more. */
void filemodel_own(struct fm_file *f);
void filemodel_resize(struct filemodel *fm, struct fm_file *f, uint64_t size);
void filemodel_write(struct filemodel *fm, struct fm_file *f, const uint8_t *p,
    size_t len, uint64_t at);

/* Put onto the disk what survives; what does not is only in memory then. */
void filemodel_settle_file(struct fm_file *f, struct fm_fate *fate);
/* Of one directory, or with dir -1 of all. */
void filemodel_settle_names(
    struct filemodel *fm, int dir, struct fm_fate *fate);

/* Fill in the table, and forget all descriptors but the root's. */
void filemodel_wire(struct filemodel *fm);

#endif
