/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The folder's thread: follows the ring, and the log where the ring has moved
 * on, and folds what it reads into the store.
 */

#ifndef PEAL_BROKER_FOLDER_H
#define PEAL_BROKER_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/store.h"
#include "core/macros.h"

struct folder;
struct reason;

struct folder_options {
	const char *run_dir; /* of ring and sockets */
	const char *log_dir;
	const char *dir; /* the broker's own: position.wit */
	/* Rows to begin with where there are none; NULL: the log has all. */
	store_restore_fn *restore;
	void *restore_arg;
};

/* Start the thread; the store outlives it.  The caller owns *out. */
MUST_CHECK int folder_start(const struct folder_options *opt,
    struct store *store, struct folder **out, struct reason *why);
/* Commits what was folded, and ends the thread. */
struct folder *folder_stop(struct folder *f);
CLEANUP_FN(struct folder *, folder_stop)

/* Any thread. */
struct folder_status {
	bool attached;	     /* a writer runs */
	uint64_t tail_seq;   /* head of the log, as visible; 0 at first */
	uint64_t oldest_seq; /* of the log */
	uint64_t lapped;     /* how often the log had to serve */
	uint64_t events;     /* folded */
	bool stalled;	     /* a commit failed: map or disk full */
	bool failed;	     /* the environment is damaged: start again */
};

void folder_status(const struct folder *f, struct folder_status *out);

#endif
