/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Spools: snapshots written once into unlinked files and read by many, each
 * at its own pace.  Whoever asks for what is there already shares it.
 */

#ifndef PEAL_BROKER_SPOOL_H
#define PEAL_BROKER_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;
struct spool;
struct spools;

/* dir: where the files are made; max_bytes: of all of them. */
MUST_CHECK int spools_new(
    const char *dir, uint64_t max_bytes, struct spools **out);
struct spools *spools_free(struct spools *ss);
CLEANUP_FN(struct spools *, spools_free)

/* Another limit from now on; what is there stays. */
void spools_set_max(struct spools *ss, uint64_t max_bytes);
/* For tests: who has not read for so long may lose it; else 10 s. */
void spools_set_idle(struct spools *ss, uint64_t idle_ns);

/* --- reading; any thread --- */

/* Drop a reference; the spool may stay for the next one who asks. */
struct spool *spool_unref(struct spool *s);
CLEANUP_FN(struct spool *, spool_unref)

uint64_t spool_seq(const struct spool *s);
bool spool_full(const struct spool *s); /* all rows, not only what changed */
uint64_t spool_rows(const struct spool *s);
/* At least 1: an empty snapshot has one empty part. */
uint64_t spool_parts(const struct spool *s);

enum spool_part {
	SPOOL_PART = 0,
	SPOOL_NONE, /* n is beyond the last */
	SPOOL_GONE, /* it had to make room for others */
};

/*
 * Pack part n, an array of rows, at the end of b.  Enum spool_part, or below
 * zero: it can't be read.
 */
MUST_CHECK int spool_pack_part(struct spool *s, uint64_t n, struct mp_buf *b);

/* --- finding and writing; a worker's thread --- */

struct spools_status {
	uint64_t spools; /* those that hold disk */
	uint64_t bytes;
	uint64_t built;
	uint64_t shared; /* asked for and there already */
	uint64_t gone;	 /* made room while they were being read */
};

void spools_status(struct spools *ss, struct spools_status *out);

/* Which spools would do. */
struct spool_want {
	struct slice key;    /* who says the same gets the same rows */
	uint64_t generation; /* of the store; 0: a past state, which stays */
	uint64_t seq_now;    /* of the store */
	uint64_t min_seq;    /* a spool below this will not do */
};

enum spools_find {
	SPOOLS_SHARED = 0, /* *out is whole; the caller owns a reference */
	SPOOLS_BUILD,	   /* *out is empty, and the caller's to be built */
};

/*
 * Find a spool, or begin one; where another thread is building what would do
 * this waits for it.  SPOOLS_BUILD ends in spool_finish() or spool_abandon().
 * Below zero: no file can be made, or no memory.
 */
MUST_CHECK int spools_find(struct spools *ss, const struct spool_want *want,
    struct spool **out, struct reason *why);

enum spool_put {
	SPOOL_PUT = 0,
	SPOOL_NO_ROOM,	 /* what others read fills the disk that is allowed */
	SPOOL_TOO_LARGE, /* it alone is more than all that is allowed */
};

/* Append an encoded row.  Enum spool_put; below zero: the disk failed. */
MUST_CHECK int spool_put(struct spool *s, struct slice row);
/* Empty it again, to begin anew. */
void spool_restart(struct spool *s);
/* An empty one for the rows of s in another order; goes to spool_replace(). */
MUST_CHECK int spool_begin_copy(
    struct spool *s, struct spool **out, struct reason *why);
/* Move what copy holds into s, and free copy. */
void spool_replace(struct spool *s, struct spool *copy);
/* Free what spool_begin_copy() gave. */
struct spool *spool_drop(struct spool *copy);
CLEANUP_FN(struct spool *, spool_drop)
/*
 * Write the rest out: what was put can be read, by the builder alone still.
 * Enum spool_put or below zero, as spool_put().
 */
MUST_CHECK int spool_flush(struct spool *s);
/* It is whole, flushed, and at seq: others share it from now on. */
void spool_finish(struct spool *s, uint64_t seq, bool full);
/* It will not be: drops the reference; who waits builds his own. */
void spool_abandon(struct spool *s);

/*
 * The rows of part n, back to back, at the end of b, and how many.  As
 * spool_pack_part().
 */
MUST_CHECK int spool_read_part(
    struct spool *s, uint64_t n, struct mp_buf *b, uint32_t *rows);

#endif
