/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The archives of one log: which there are, when the next one is due, which
 * have to go.  One that proves damaged is passed over for the one before it.
 */

#ifndef PEAL_BROKER_ARCHIVES_H
#define PEAL_BROKER_ARCHIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/store.h"
#include "core/macros.h"
#include "core/proto.h"
#include "log/archive.h"

struct archives;
struct query;
struct reason;

struct archives_options {
	const char *dir;     /* the broker's own; made where it is missing */
	uint64_t max_bytes;  /* 0: none are written */
	uint64_t every;	     /* events between one and the next */
	const char *log_dir; /* whose base counts as one, too */
};

/* Lists what is there.  On success the caller owns *out. */
MUST_CHECK int archives_new(const struct archives_options *opt,
    struct archives **out, struct reason *why);
struct archives *archives_free(struct archives *ar);
CLEANUP_FN(struct archives *, archives_free)

/* Other limits from now on; what is too many goes when the next is written. */
void archives_configure(
    struct archives *ar, uint64_t max_bytes, uint64_t every);

struct archives_status {
	uint64_t archives;
	uint64_t bytes;
	uint64_t newest; /* seq; 0: there is none */
	uint64_t written;
	uint64_t failed;
	uint64_t damaged; /* found so, and passed over */
};

void archives_status(struct archives *ar, struct archives_status *out);

/*
 * Is one of the state at seq to be written?  Any thread, cheap.  log is a
 * name as proto_log_name() makes it, here and below.
 */
bool archives_due(struct archives *ar, const char *log, uint64_t seq);
/*
 * Write one of the present state, and let others go where they are too many;
 * a worker's job.  Only one thread writes: another's call does nothing.  0,
 * or below zero with a sentence.
 */
MUST_CHECK int archives_write(struct query *q, struct reason *why);

/*
 * The newest archive of this log, and rules, at or before seq: *out, NULL
 * where there is none.  The log's base counts whatever its rules; what is
 * before it, or damaged, is passed over.  0 or -ENOMEM.
 */
MUST_CHECK int archives_find(struct archives *ar, const char *log,
    uint64_t rules_version, uint64_t seq, struct archive **out);
/* The seq of the oldest such archive; 0: there is none. */
uint64_t archives_oldest(
    struct archives *ar, const char *log, uint64_t rules_version);
/* This one is damaged: count it, say so, and do not find it again. */
void archives_condemn(
    struct archives *ar, uint64_t seq, const struct reason *what);

/*
 * The rows of a past seq as an archive without a name, for the log's base;
 * *fd is the caller's.  Only one thread does that.  0, or below zero with a
 * sentence.
 */
MUST_CHECK int archives_make_base(
    struct query *q, uint64_t seq, int *fd, struct reason *why);

/* A store_restore_fn: arg is the archives.  Files are verified as a whole. */
MUST_CHECK int archives_restore(void *arg, struct store_archive *a,
    store_add_row *add, void *ctx, struct reason *why);

#endif
