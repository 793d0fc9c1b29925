/* SPDX-License-Identifier: BSD-2-Clause */

/* What the files behind query.h share. */

#ifndef PEAL_BROKER_QUERY_PRIV_H
#define PEAL_BROKER_QUERY_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/query.h"
#include "core/macros.h"

struct event;
struct reason;

/* Work of one answer of history or pages, so that it comes soon. */
#define QUERY_WORK_NS (100 * NS_PER_MS)

/* Keep the sentence; returns code. */
enum proto_code query_refuse(struct query_refusal *no, enum proto_code code,
    const char *fmt, ...) PRINTF(3, 4);
/* The log could not be read: got is below zero or LOG_READ_DAMAGED. */
enum proto_code query_refuse_log(
    struct query_refusal *no, int got, const struct reason *why);
/* Below `oldest` there is nothing. */
enum proto_code query_refuse_old(
    struct query_refusal *no, uint64_t wanted, uint64_t oldest);
enum proto_code query_refuse_ahead(
    struct query_refusal *no, uint64_t wanted, uint64_t tail);
/* A spool could not be built: got is enum spool_put or below zero. */
enum proto_code query_refuse_spool(
    struct query_refusal *no, int got, const struct reason *why);

/* The last seq that may be read. */
uint64_t query_tail(const struct query *q);

/* All of a set, for keys of spools. */
void query_pack_set(struct mp_buf *key, const struct topic_set *set);
/* The present state; dropped: tombstones past their time, too. */
MUST_CHECK enum proto_code query_present(struct query *q,
    const struct proto_request *req, const struct topic_set *set, bool dropped,
    struct spool **out, struct query_refusal *no);
/* A state of the past, as query_snapshot(); at is a valid value of `at`. */
MUST_CHECK enum proto_code past_snapshot(struct query *q,
    const struct proto_request *req, const struct topic_set *set,
    struct spool **out, struct query_refusal *no);

/*
 * All rows as of seq into s, which is new, each behind its mark as in an
 * archive; what is made of them is the caller's.  0, or below zero with a
 * sentence.
 */
struct past_made {
	char log[PROTO_LOG_NAME];
	uint64_t rules_version;
	uint64_t floor; /* tombstones up to it may be marked dropped */
};
MUST_CHECK int past_rows(struct query *q, uint64_t seq, struct spool *s,
    struct past_made *made, struct reason *why);

#endif
