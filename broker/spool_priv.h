/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of spools share: spool.c has the list and the room, and
 * spool_build.c writes them.
 */

#ifndef PEAL_BROKER_SPOOL_PRIV_H
#define PEAL_BROKER_SPOOL_PRIV_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/spool.h"

enum {
	/* What a client that does not read costs a gateway. */
	SPOOL_PART_BYTES = 60 << 10,
	SPOOL_BUFFER = 1 << 20,
	SPOOL_DIR_MAX = 400,
};

struct spool_index {
	uint64_t offset;
	uint32_t bytes;
	uint32_t rows;
};

struct spool {
	struct spools *ss;
	struct spool *next; /* in the list, or among the dead */
	/* Under the lock. */
	unsigned refs;
	bool listed;
	bool building;
	bool gone;
	uint64_t bytes; /* of disk, as accounted */
	uint64_t built_ns;
	/* Whoever reads notes it, without the lock. */
	uint64_t read_ns;
	/* Constant once it is finished. */
	uint8_t *key;
	size_t key_len;
	uint64_t generation;
	uint64_t seq;
	bool full;
	int fd;
	struct spool_index *parts;
	size_t n_parts, cap_parts;
	uint64_t rows;
	/* The builder's. */
	uint8_t *buffer;
	size_t buffered;
	uint64_t written;
	struct spool_index part;
};

struct spools {
	pthread_mutex_t lock;
	pthread_cond_t built;
	struct spool *list;
	struct spool *dead; /* to be freed when the lock is given back */
	uint64_t max_bytes;
	uint64_t idle_ns;
	struct spools_status counts;
	char dir[SPOOL_DIR_MAX];
};

/* --- spool.c --- */

/* A spool that is being built, with no file yet; NULL: no memory. */
struct spool *spool_new(struct spools *ss);
/* Give it a file and a buffer: 0, or -errno and a sentence. */
MUST_CHECK int spool_prepare(struct spool *s, struct reason *why);
/* One that is in no list and held by nobody. */
void spool_destroy(struct spool *s);
/* Account n more bytes of disk to it; others go where they must. */
MUST_CHECK int spool_claim(struct spool *s, uint64_t n);
void spool_note_read(struct spool *s, uint64_t now_ns);
/* Under the lock: the disk that it holds counts as free. */
void spool_disclaim(struct spool *s);
/* Under the lock: nobody finds it any more; buried when nobody holds it. */
void spool_unlist(struct spool *s);
/* Give the lock back, then free what was buried under it. */
void spools_unlock(struct spools *ss);

#endif
