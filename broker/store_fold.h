/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The store's folding side: events go in, and a commit makes what they
 * changed and the position visible and permanent at once.  One thread, the
 * folder's, from the first call to store_free().
 */

#ifndef PEAL_BROKER_STORE_FOLD_H
#define PEAL_BROKER_STORE_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/store.h"
#include "core/bytes.h"
#include "core/macros.h"

enum store_log {
	STORE_LOG_SAME = 0,
	STORE_LOG_NEW, /* nothing is folded yet, or no longer: begin at 1 */
};

/*
 * Events come from this log, whose last one is head: what was folded of
 * another log, or of more than this one has, is dropped, and said.  Enum
 * store_log; below zero as store_fold_event().
 */
MUST_CHECK int store_fold_log(
    struct store *st, const uint8_t id[16], uint64_t epoch, uint64_t head);

/*
 * Events before oldest are not kept: rows that stand before it are dropped,
 * to begin with a base, and history begins with it.
 */
MUST_CHECK int store_fold_floor(struct store *st, uint64_t oldest);

/*
 * Where rows are empty (those that are served, or those of new rules), begin
 * with an archive's, up to head.  Without one the log has to do.
 */
MUST_CHECK int store_fold_restore(struct store *st, uint64_t head,
    store_restore_fn *fn, void *arg, struct reason *why);

/* The last seq that the served rows include, the transaction's too. */
uint64_t store_fold_seq(const struct store *st);
/*
 * The seq of what is furthest behind: equal to store_fold_seq(), or there are
 * events between them to be folded beside those that come next.
 */
uint64_t store_fold_behind(const struct store *st);

/*
 * Fold one event into whatever stands at seq - 1, in a transaction that
 * begins with the first.  What is no event, or can't be folded, is counted.
 * 0; below zero: to be answered with store_fold_fail().
 */
MUST_CHECK int store_fold_event(
    struct store *st, uint64_t seq, struct slice bytes);
/*
 * At the end of a request: is it time to commit?  far: there are so many
 * events to come that nobody waits for just these, and larger transactions
 * are cheaper.
 */
bool store_fold_due(const struct store *st, bool far);

enum {
	STORE_FAR = 16384 /* events to come */
};
/* Nothing to be done without a transaction.  Below zero: as above. */
MUST_CHECK int store_fold_commit(struct store *st);

/* Forget the transaction: all stands as the last commit left it. */
void store_fold_abort(struct store *st);

enum store_fail {
	STORE_FULL,    /* no room, or an error of the disk: it may pass */
	STORE_DAMAGED, /* only a new environment helps: end the process */
};

/*
 * The same after an error, which is counted; where the environment is
 * damaged the next start drops it.
 */
enum store_fail store_fold_fail(struct store *st, int err);

/*
 * Hide tombstones whose time had passed at now_us (wall clock), some at a
 * time.  1: there may be more; 0: none; below zero: as above.
 */
MUST_CHECK int store_fold_tombs(struct store *st, uint64_t now_us);

#endif
