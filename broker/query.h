/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Queries, each a function that a worker's thread calls: it may read the disk
 * and take its time.  What can be refused is refused with a code of the
 * protocol and a sentence.
 */

#ifndef PEAL_BROKER_QUERY_H
#define PEAL_BROKER_QUERY_H

#include <stdint.h>

#include "core/macros.h"
#include "core/mp.h"
#include "core/proto.h"
#include "core/topic_set.h"

struct archives;
struct logs;
struct reason;
struct spool;
struct spools;
struct store;

/* What all queries share; outlives the workers. */
struct query {
	struct store *store;
	struct spools *spools;
	struct archives *archives;
	const char *log_dir;
	struct logs *logs; /* of log_dir: logs_new() */
	/* The last seq of the log that may be read: the ring's tail. */
	uint64_t (*tail)(void *arg);
	void *tail_arg;
	/* For tests: rows of one read transaction; 0: two seconds' worth. */
	uint64_t slice_rows;
};

/* What went wrong, where the code is not PROTO_OK. */
struct query_refusal {
	struct proto_uint oldest; /* of not_found */
	char text[240];
};

/*
 * A snapshot of what set lets through, as `open` and `state` ask for it; req
 * is one of these (its slices live until this returns).  That the store has
 * got to min_seq and since was waited for.  On PROTO_OK the caller owns a
 * reference to *out.
 */
MUST_CHECK enum proto_code query_snapshot(struct query *q,
    const struct proto_request *req, const struct topic_set *set,
    struct spool **out, struct query_refusal *no);

/* A page of history: packs the whole reply, `history {id, events, next?}`. */
MUST_CHECK enum proto_code query_history(struct query *q,
    const struct proto_request *req, struct mp_buf *reply,
    struct query_refusal *no);

/* Part of a replay: packs `page {id, after, upto, events}`. */
MUST_CHECK enum proto_code query_page(struct query *q,
    const struct proto_request *req, struct mp_buf *reply,
    struct query_refusal *no);

#endif
