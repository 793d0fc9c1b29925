/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Entry points of queries, and their refusals.  A snapshot of the present is
 * keyed by what it was asked with, so that whoever asks for the same shares
 * one spool.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "broker/logs.h"
#include "broker/query_priv.h"
#include "broker/snapshot.h"
#include "broker/spool.h"
#include "broker/store.h"
#include "core/reason.h"
#include "log/log_reader.h"

enum proto_code
query_refuse(
    struct query_refusal *no, enum proto_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(no->text, sizeof(no->text), fmt, ap);
	va_end(ap);
	return code;
}

enum proto_code
query_refuse_log(struct query_refusal *no, int got, const struct reason *why)
{
	if (got == -ENOMEM)
		return query_refuse(
		    no, PROTO_UNAVAILABLE, "there is no memory for the answer");
	if (got == LOG_READ_GONE || got == -ENOENT)
		return query_refuse(no, PROTO_UNAVAILABLE,
		    "the oldest events were given up meanwhile: ask again");
	return query_refuse(no, PROTO_INTERNAL, "%s",
	    why->text[0] ? why->text : "the log cannot be read");
}

enum proto_code
query_refuse_old(struct query_refusal *no, uint64_t wanted, uint64_t oldest)
{
	no->oldest = (struct proto_uint){ true, oldest };
	return query_refuse(no, PROTO_NOT_FOUND,
	    "seq %" PRIu64 " is not kept: the oldest is %" PRIu64, wanted,
	    oldest);
}

enum proto_code
query_refuse_ahead(struct query_refusal *no, uint64_t wanted, uint64_t tail)
{
	return query_refuse(no, PROTO_AHEAD,
	    "seq %" PRIu64 " is ahead of the log, which ends at %" PRIu64,
	    wanted, tail);
}

enum proto_code
query_refuse_spool(struct query_refusal *no, int got, const struct reason *why)
{
	if (got == SPOOL_TOO_LARGE)
		return query_refuse(no, PROTO_TOO_LARGE,
		    "the snapshot is larger than what is allowed for all");
	if (got == SPOOL_NO_ROOM)
		return query_refuse(no, PROTO_UNAVAILABLE,
		    "other snapshots take up the disk that is allowed");
	return query_refuse(no, PROTO_UNAVAILABLE, "%s",
	    why->text[0] ? why->text : "there is no memory for a snapshot");
}

uint64_t
query_tail(const struct query *q)
{
	return q->tail(q->tail_arg);
}

static void
query_key_patterns(struct mp_buf *key, const struct slice *v, unsigned n)
{
	mp_pack_array(key, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_str(key, v[i]);
}

void
query_pack_set(struct mp_buf *key, const struct topic_set *set)
{
	mp_pack_bool(key, set->restricted);
	mp_pack_bool(key, set->admin);
	query_key_patterns(key, set->patterns, set->n);
	query_key_patterns(key, set->read, set->n_read);
}

/* All that decides which rows there are, but for the seq. */
static void
query_key(struct mp_buf *key, const struct topic_set *set,
    struct proto_uint since, bool dropped)
{
	mp_pack_bool(key, dropped);
	mp_pack_bool(key, since.set);
	mp_pack_uint(key, since.set ? since.v : 0);
	query_pack_set(key, set);
}

/* Generation and floor of the present state; its seq. */
static int
query_look(struct query *q, uint64_t *generation, uint64_t *floor,
    uint64_t *seq, struct reason *why)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	int err = store_read_begin(q->store, &r);

	if (err < 0)
		return reason_set(why, err, "the state cannot be read");
	*generation = store_read_generation(r);
	*floor = store_read_floor(r);
	*seq = store_read_seq(r);
	return 0;
}

enum proto_code
query_present(struct query *q, const struct proto_request *req,
    const struct topic_set *set, bool dropped, struct spool **out,
    struct query_refusal *no)
{
	CLEANUP(mp_buf_deinit) struct mp_buf key = { 0 };
	struct snapshot_want want = { .set = set, .dropped = dropped };
	struct spool_want like = { 0 };
	struct reason why = { "" };
	struct snapshot_made made;
	struct spool *s;
	uint64_t floor = 0;
	int got;

	got = query_look(q, &like.generation, &floor, &like.seq_now, &why);
	if (got < 0)
		return query_refuse_spool(no, got, &why);
	/* All who have been away for too long share one spool. */
	if (!dropped && req->state.since.set && req->state.since.v >= floor)
		want.since = req->state.since;
	query_key(&key, set, want.since, dropped);
	if (key.failed)
		return query_refuse_spool(no, -ENOMEM, &why);
	like.key = slice_of(key.p, key.len);
	like.min_seq = req->state.min_seq.set ? req->state.min_seq.v : 0;
	if (req->state.since.set)
		like.min_seq = MAX(like.min_seq, req->state.since.v);
	if (dropped)
		like.min_seq = like.seq_now;
	like.generation++; /* 0 is the past */
	got = spools_find(q->spools, &like, &s, &why);
	if (got == SPOOLS_BUILD) {
		got = snapshot_build(q, &want, s, &made, &why);
		if (got == SPOOL_PUT)
			spool_finish(s, made.seq, made.full);
		else
			spool_abandon(s);
	}
	if (got != SPOOL_PUT)
		return query_refuse_spool(no, got, &why);
	*out = s;
	return PROTO_OK;
}

enum proto_code
query_snapshot(struct query *q, const struct proto_request *req,
    const struct topic_set *set, struct spool **out, struct query_refusal *no)
{
	if (req->state.at.p)
		return past_snapshot(q, req, set, out, no);
	return query_present(q, req, set, false, out, no);
}
