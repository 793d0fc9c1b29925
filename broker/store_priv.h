/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The store's inside.  Tables of a generation exist twice and are emptied
 * instead of removed, so that a handle is good for ever, whatever readers of
 * older positions still do with it.
 */

#ifndef PEAL_BROKER_STORE_PRIV_H
#define PEAL_BROKER_STORE_PRIV_H

#include <lmdb.h>
#include <pthread.h>

#include "broker/store.h"
#include "core/rules.h"

enum {
	STORE_VERSION = 2,     /* of the environment; others are dropped */
	STORE_ROW_DROPPED = 1, /* flag in front of a row */
	STORE_PATH = 512,
	STORE_ACTOR = 'a', /* in front of an actor's name, which may be "" */
};

/* Tables of a generation. */
enum store_table {
	STORE_ROWS,
	STORE_CHANGED,
	STORE_EDGES,
	STORE_TOMBS,
	STORE_TABLES
};

/* The rows that are served, and those being folded by other rules. */
enum store_which {
	STORE_LIVE,
	STORE_NEXT,
	STORE_GENS
};

struct store_gen {
	uint64_t number; /* 0: there is none */
	uint64_t slot;	 /* of its tables */
	uint64_t seq;
	uint64_t floor;
	uint64_t rows;
	uint64_t unfoldable;
	uint64_t too_large;
};

/* One record, written with each commit. */
struct store_meta {
	uint8_t log_id[16];
	uint64_t epoch;
	uint64_t named; /* log_id and epoch are those of a log */
	uint64_t history_seq;
	struct store_gen gen[STORE_GENS];
};

struct store_env {
	MDB_env *env;
	MDB_dbi table[2][STORE_TABLES]; /* of each slot */
	MDB_dbi topics;
	MDB_dbi actors;
	MDB_dbi meta;
};

struct store_work;

struct store {
	struct store_options opt;
	int dirfd;
	int lock;
	struct store_env e;
	struct store_meta meta;	 /* as committed */
	struct rules *old;	 /* of live rows; NULL: as configured */
	struct store_work *work; /* the folder's */
	bool damaged;		 /* to be dropped by the next start */
	bool unsynced;		 /* the same, since a sync failed */
	void (*on_commit)(void *arg);
	void *on_commit_arg;
	pthread_mutex_t mutex; /* of status, and of rules against readers */
	struct store_status status;
	struct store_meta published; /* as status has it */
};

/* --- store_env.c --- */

/* What LMDB returned as 0 or -errno; -EBADMSG: the environment is damaged. */
int store_err(int rc);
/*
 * Open dirfd's environment under path; -EBADMSG where it is damaged or of
 * another version.  *fresh: it was empty.
 */
MUST_CHECK int store_env_open(const char *path, uint64_t map_bytes,
    struct store_env *e, struct store_meta *m, bool *fresh, struct reason *why);
void store_env_close(struct store_env *e);
/*
 * Behind a commit: see to it that the file is as long as its pages say, of
 * which LMDB leaves free ones at the end unwritten.
 */
MUST_CHECK int store_env_extend(const struct store_env *e);
/*
 * Have what was committed written, while others may commit: what fails is
 * known then, and a sync has little left to do.
 */
MUST_CHECK int store_env_write_out(const struct store_env *e);
/* What was committed is on the disk. */
MUST_CHECK int store_env_sync(const struct store_env *e);
/* -EPROTO: it is of another version. */
MUST_CHECK int store_meta_get(
    const struct store_env *e, MDB_txn *txn, struct store_meta *m);
MUST_CHECK int store_meta_put(
    const struct store_env *e, MDB_txn *txn, const struct store_meta *m);
MUST_CHECK int store_rules_get(const struct store_env *e, MDB_txn *txn,
    uint64_t slot, struct rules **out, struct reason *why);
MUST_CHECK int store_rules_put(const struct store_env *e, MDB_txn *txn,
    uint64_t slot, const struct rules *rules);

static inline MDB_val
store_val(struct slice s)
{
	return (MDB_val){ s.len, (void *)(uintptr_t)s.p };
}

static inline struct slice
store_slice(MDB_val v)
{
	return slice_of(v.mv_data, v.mv_size);
}

static inline MDB_dbi
store_table(const struct store_env *e, const struct store_gen *g,
    enum store_table which)
{
	return e->table[g->slot][which];
}

/* --- store_mark.c --- */

enum store_mark {
	STORE_MARK_TRUSTED = 0, /* clean, or left by a process of this boot */
	STORE_MARK_NONE,
	STORE_MARK_OTHER_BOOT, /* and it was not left clean */
	STORE_MARK_DAMAGED,
};

#define STORE_MARK_NAME "state.mark"

enum {
	STORE_MARK_BYTES = 100
};

enum store_left {
	STORE_LEFT_OPEN,
	STORE_LEFT_CLEAN,
	STORE_LEFT_DAMAGED /* to be dropped by the next start */
};

MUST_CHECK int store_mark_read(int dirfd, struct reason *why);
MUST_CHECK int store_mark_write(
    int dirfd, enum store_left left, struct reason *why);
/* What a mark of this boot says, with its NUL. */
MUST_CHECK int store_mark_text(
    enum store_left left, char text[STORE_MARK_BYTES], struct reason *why);

/* --- store_guard.c --- */

/*
 * From now on a fault of this process leaves the mark in dirfd (the caller's)
 * at STORE_LEFT_DAMAGED.  One state at a time; the mark is there.
 */
MUST_CHECK int store_guard_arm(int dirfd, struct reason *why);
/* Before dirfd is closed.  Idempotent. */
void store_guard_disarm(void);
/* LMDB's own assertion failed: says so, and LMDB ends the process. */
void store_guard_assert(MDB_env *env, const char *what);

/* --- store_gen.c --- */

/* A number that no generation had before. */
uint64_t store_gen_number(const struct store_meta *m);
/* Empty the tables of g. */
MUST_CHECK int store_gen_empty(
    const struct store_env *e, MDB_txn *txn, const struct store_gen *g);
/* See to it that rows are folded by the configured rules, or will be. */
MUST_CHECK int store_gen_settle(struct store *st, struct reason *why);
/* Forget all that was folded, of whatever log. */
MUST_CHECK int store_gen_reset(
    const struct store *st, MDB_txn *txn, struct store_meta *m);
const struct rules *store_gen_rules(
    const struct store *st, enum store_which which);
/* Put the next generation in the live one's place. */
MUST_CHECK int store_gen_switch(
    const struct store_env *e, MDB_txn *txn, struct store_meta *m);

/* --- store_fold.c --- */

struct store_work *store_work_free(struct store_work *w);
/*
 * Begin a write transaction where none is under way; *m is changed with it.
 */
MUST_CHECK int store_fold_begin(
    struct store *st, MDB_txn **txn, struct store_meta **m);

/* --- store_flush.c --- */

/* A row that the transaction under way has changed. */
struct store_dirty {
	struct store_dirty *older, *newer; /* by seq */
	uint64_t seq;
	uint64_t old_seq; /* of the row that is replaced; 0: none */
	bool old_dropped;
	bool deleted;
	size_t len, cap;
	uint8_t *row; /* flags, row */
	uint32_t topic_len;
	uint8_t topic[];
};

struct store_flush {
	const struct store_env *e;
	MDB_txn *txn;
	struct store_gen *gen;
	uint64_t now_us; /* wall clock */
};

/* Write n of them, linked from the oldest on. */
MUST_CHECK int store_flush_rows(
    const struct store_flush *f, struct store_dirty *oldest, size_t n);
/*
 * A row of an archive of seq upto, by topic; -EPROTO: it is none, out of
 * order, or of beyond upto.
 */
MUST_CHECK int store_flush_restored(
    const struct store_flush *f, struct slice row, bool dropped, uint64_t upto);

/* --- store_post.c --- */

struct store_post;

/* Seqs to be added to those of their keys; {0} is empty. */
struct store_posts {
	struct mp_buf bytes; /* of the keys */
	struct store_post *v;
	size_t n, cap;
};

void store_posts_deinit(struct store_posts *ps);
void store_posts_clear(struct store_posts *ps);
/* The key is head and key; seqs of one key only grow. */
MUST_CHECK int store_posts_add(
    struct store_posts *ps, struct slice head, struct slice key, uint64_t seq);
/* Write them, and forget them. */
MUST_CHECK int store_posts_flush(
    struct store_posts *ps, MDB_txn *txn, MDB_dbi dbi);

/* --- store.c --- */

/* What was committed is what readers of the status see now. */
void store_publish(struct store *st);

#endif
