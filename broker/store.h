/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The store: folded rows, their indexes and the position, in one LMDB
 * environment.  One thread folds; any thread reads, in transactions of its
 * own that see one position.
 *
 *	rows      topic -> flags, row           (of a generation of rules)
 *	changed   seq -> topic                  rows by last changed seq
 *	edges     token -> topics               graph.relation.*.*.token
 *	topics    topic -> seqs                 the n-th is version n
 *	actors    actor -> seqs
 *	tombs     time of folding, seq -> topic deleted rows, oldest first
 *	meta      position, rules, floor, counts
 */

#ifndef PEAL_BROKER_STORE_H
#define PEAL_BROKER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/proto.h"
#include "core/row.h"

struct event;
struct reason;
struct rules;
struct store;

struct store_options {
	const char *dir; /* made where it is missing */
	uint64_t map_bytes;
	uint64_t tombstone_s;
	const struct rules *rules; /* as configured; outlives the store */
	bool state_only;	   /* no topics, no actors */
};

/*
 * Open the environment, or begin a new one where there is none, where it is
 * damaged, or where another boot left it without the clean mark.  On success
 * the caller owns *out.
 */
MUST_CHECK int store_open(
    const struct store_options *opt, struct store **out, struct reason *why);
/* Syncs and leaves the clean mark.  NULL is fine; returns NULL. */
struct store *store_free(struct store *st);
CLEANUP_FN(struct store *, store_free)

/* What the last commit left; any thread. */
struct store_status {
	char log[PROTO_LOG_NAME]; /* "": nothing is folded yet */
	uint64_t seq;		  /* rows, changed and edges include it */
	uint64_t history_seq;	  /* topics and actors include it */
	uint64_t tombstone_floor; /* tombstones up to here may be missing */
	uint64_t rows;		  /* dropped ones are not counted */
	uint64_t unfoldable;	  /* events that only touched ... */
	uint64_t too_large;	  /* ... and those of rows beyond ROW_MAX */
	bool refolding;	   /* by other rules, beside what is served ... */
	uint64_t next_seq; /* ... and how far that is */
	uint64_t behind;   /* events up to it are needed by none of these */
	uint64_t commits;
	uint64_t commit_failed; /* map or disk full: folding stands still */
};

void store_status(const struct store *st, struct store_status *out);
/* The rules that the rows are folded by; packed as `fold`, any thread. */
MUST_CHECK int store_pack_rules(const struct store *st, struct mp_buf *b);
/* Called by the folder's thread behind each commit. */
void store_on_commit(struct store *st, void (*fn)(void *arg), void *arg);

/* --- archives, by which empty rows begin --- */

/* A row of the archive, as it was encoded; 0, or below zero: give up. */
typedef int store_add_row(void *ctx, struct slice row, bool dropped);

/* What is asked for, and, on STORE_RESTORED, what was found. */
struct store_archive {
	const char *log;	/* as proto_log_name() names it */
	uint64_t rules_version; /* of the rules the rows were folded by */
	uint64_t upto;		/* no archive beyond it */
	uint64_t seq;		/* of the archive */
	uint64_t floor;		/* its tombstone_floor */
};

enum store_restored {
	STORE_RESTORED = 0,
	STORE_NO_ARCHIVE,  /* none fits */
	STORE_BAD_ARCHIVE, /* that of a->seq: what it gave is forgotten */
};

/*
 * Hand all rows of the newest archive that fits to add(), in the order of
 * their topics.  Enum store_restored, or below zero (what add() returned,
 * too).  After STORE_BAD_ARCHIVE it is called again for an older one, upto
 * being a->seq - 1.  Called by the folder's thread.
 */
typedef int store_restore_fn(void *arg, struct store_archive *a,
    store_add_row *add, void *ctx, struct reason *why);

/* --- reading --- */

struct store_read;

/*
 * One position, until it is ended; two seconds at most, since the pages that
 * it sees are kept.  Any thread, but one thread at a time.
 */
MUST_CHECK int store_read_begin(struct store *st, struct store_read **out);
struct store_read *store_read_end(struct store_read *r);
CLEANUP_FN(struct store_read *, store_read_end)
uint64_t store_read_seq(const struct store_read *r);
uint64_t store_read_history_seq(const struct store_read *r);
uint64_t store_read_floor(const struct store_read *r);
/* Changes when the rows were folded anew: other rules, or another log. */
uint64_t store_read_generation(const struct store_read *r);

enum store_found {
	STORE_END = 0, /* there is none, or no more */
	STORE_FOUND
};

/*
 * The row of a topic; bytes live until the transaction ends.  Dropped:
 * a tombstone past its time, not to be shown.
 */
MUST_CHECK int store_row(
    struct store_read *r, struct slice topic, struct slice *row, bool *dropped);

struct store_iter;
/*
 * Rows in the order of their topics (bytewise), from the first that is at or
 * behind `from`; dropped ones are passed over unless asked for.
 */
MUST_CHECK int store_iter_rows(struct store_read *r, struct slice from,
    bool dropped, struct store_iter **out);
/* Topics by the seq of their last change, from the first beyond after. */
MUST_CHECK int store_iter_changed(
    struct store_read *r, uint64_t after, struct store_iter **out);
/*
 * Topics graph.relation.FROM.TYPE.NAME, bytewise; name is escaped as in them.
 * Those whose rows are dropped or deleted are among them.
 */
MUST_CHECK int store_iter_edges(
    struct store_read *r, struct slice name, struct store_iter **out);
/*
 * Seqs of a topic's or an actor's events: ascending from the first beyond
 * `seq`, or in reverse, descending from the last before it.
 */
MUST_CHECK int store_iter_topic(struct store_read *r, struct slice topic,
    uint64_t seq, bool reverse, struct store_iter **out);
MUST_CHECK int store_iter_actor(struct store_read *r, struct slice actor,
    uint64_t seq, bool reverse, struct store_iter **out);
/*
 * The next one: topic and row of rows, seq and topic of changed, topic of
 * edges, seq of events.  Enum store_found or below zero.
 */
struct store_item {
	uint64_t seq;
	struct slice topic;
	struct slice row;
	bool dropped;
};
MUST_CHECK int store_iter_next(struct store_iter *it, struct store_item *item);
struct store_iter *store_iter_free(struct store_iter *it);
CLEANUP_FN(struct store_iter *, store_iter_free)

#endif
