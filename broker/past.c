/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Past states: rows of the newest archive at or before a seq, and the events
 * between folded into those that they touch.  Only touched rows are held in
 * memory; the others pass from the archive to the spool.
 *
 *	which topics   log, or the index of a few topics
 *	base rows      archive, the blocks that hold one
 *	fold           log once more, or the same few events
 *	merge          archive and touched rows, in the order of topics
 *
 * Tombstones past their time are shown: a past state is what folding gives.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/archives.h"
#include "broker/logs.h"
#include "broker/plan.h"
#include "broker/query_priv.h"
#include "broker/spool.h"
#include "broker/store.h"
#include "core/event.h"
#include "core/fold.h"
#include "core/map.h"
#include "core/reason.h"
#include "core/topic_set.h"
#include "log/log_reader.h"

enum {
	PAST_FEW = 2000, /* events that are fetched one by one */
};

/* A row that events touch; its topic's bytes are behind it. */
struct past_row {
	struct slice topic;
	uint8_t *row;
	size_t len, cap; /* len 0: there is none yet */
	uint8_t name[];
};

struct past {
	struct query *q;
	const struct topic_set *set; /* NULL: all there is */
	bool marked; /* each row behind its mark, as in an archive */
	struct mp_buf mark;
	struct query_refusal *no;
	uint64_t at;
	char log[PROTO_LOG_NAME];
	struct rules *rules;
	struct logs_lease lease;
	struct log_frame frame;
	struct archive *base; /* NULL: from the log's beginning */
	uint64_t base_seq;
	struct plan plan;
	struct map *touched;
	struct past_row **sorted;
	/* The few events, where few is true. */
	uint64_t *seqs;
	size_t n_seqs;
	bool few;
	struct fold fold;
	struct mp_buf scratch;
	struct spool *s;
	struct reason why;
	struct archive_row row;
};

/* How a step ended, beside PROTO_OK and refusals: the base is damaged. */
#define PAST_BAD_BASE ((enum proto_code)PROTO_CODES)

static void
past_forget(struct past *p)
{
	struct past_row *row;
	size_t at = 0;

	while (p->touched && (row = map_next(p->touched, &at))) {
		free(row->row);
		free(row);
	}
	p->touched = map_free(p->touched);
	free(p->sorted);
	p->sorted = NULL;
	free(p->seqs);
	p->seqs = NULL;
	p->n_seqs = 0;
	p->few = false;
	p->base = archive_free(p->base);
	p->base_seq = 0;
	plan_deinit(&p->plan);
}

static void
past_deinit(struct past *p)
{
	past_forget(p);
	logs_return(&p->lease);
	(void)rules_free(p->rules);
	fold_deinit(&p->fold);
	mp_buf_deinit(&p->scratch);
	mp_buf_deinit(&p->mark);
}

static enum proto_code
past_no_memory(struct past *p)
{
	return query_refuse(
	    p->no, PROTO_UNAVAILABLE, "there is no memory for the answer");
}

static enum proto_code
past_bad_log(struct past *p, int got)
{
	logs_discard(&p->lease);
	return query_refuse_log(p->no, got, &p->why);
}

/* --- which topics --- */

/* The seqs of the events of topic after the base; PAST_FEW + 1: too many. */
static int
past_add_seqs(struct past *p, struct store_read *r, struct slice topic)
{
	CLEANUP(store_iter_freep) struct store_iter *it = NULL;
	struct store_item item;
	int got = store_iter_topic(r, topic, p->base_seq, false, &it);

	if (got < 0)
		return got;
	while ((got = store_iter_next(it, &item)) == STORE_FOUND &&
	       item.seq <= p->at && p->n_seqs <= PAST_FEW)
		p->seqs[p->n_seqs++] = item.seq;
	return got < 0 ? got : 0;
}

static int
past_order_seq(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Named topics with few events: take these from the index. */
static int
past_find_few(struct past *p)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	int err;

	if (!plan_is_points(&p->plan) || p->at - p->base_seq <= PAST_FEW)
		return 0;
	err = store_read_begin(p->q->store, &r);
	if (err < 0 || store_read_history_seq(r) < p->at)
		return err;
	p->seqs = malloc((PAST_FEW + 1) * sizeof(*p->seqs));
	if (!p->seqs)
		return -ENOMEM;
	for (size_t i = 0; err == 0 && i < p->plan.n; i++)
		err = past_add_seqs(p, r, p->plan.v[i].text);
	if (err < 0)
		return err;
	p->few = p->n_seqs <= PAST_FEW;
	if (p->few && p->n_seqs > 1)
		qsort(p->seqs, p->n_seqs, sizeof(*p->seqs), past_order_seq);
	return 0;
}

typedef int past_event_fn(struct past *p, const struct event *ev);

/* One event after the base: where the set matches it, it is fn's. */
static enum proto_code
past_look(struct past *p, struct slice bytes, past_event_fn *fn)
{
	struct event ev;
	int got = event_decode(bytes, &ev, &p->why);

	if (got == 0 && (!p->set || topic_set_matches(p->set, ev.topic)))
		got = fn(p, &ev);
	if (got < 0)
		return got == -ENOMEM ? past_no_memory(p)
				      : past_bad_log(p, got);
	return PROTO_OK;
}

static enum proto_code
past_each_few(struct past *p, past_event_fn *fn)
{
	enum proto_code code = PROTO_OK;
	struct slice bytes;
	int got;

	p->frame.n_events = 0;
	for (size_t i = 0; !code && i < p->n_seqs; i++) {
		got = logs_fetch(
		    &p->lease, &p->frame, p->seqs[i], &bytes, &p->why);
		code = got == LOG_READ_FRAME ? past_look(p, bytes, fn)
					     : past_bad_log(p, got);
	}
	return code;
}

/* Call fn for each event after the base that the set matches. */
static enum proto_code
past_each_event(struct past *p, past_event_fn *fn)
{
	enum proto_code code = PROTO_OK;
	uint64_t seq = p->base_seq + 1;
	struct slice bytes;
	uint32_t crc;
	int got;

	if (p->few)
		return past_each_few(p, fn);
	got = log_reader_seek(p->lease.rd, seq, &p->why);
	if (got < 0)
		return past_bad_log(p, got);
	while (!code && seq <= p->at) {
		size_t at = 0;

		got = logs_next(&p->lease, &p->frame, &p->why);
		if (got != LOG_READ_FRAME)
			return past_bad_log(p, got);
		seq = p->frame.first_seq;
		for (; !code && seq <= p->at &&
		       log_frame_event(&p->frame, &at, &bytes, &crc);
		     seq++)
			if (seq > p->base_seq)
				code = past_look(p, bytes, fn);
	}
	return code;
}

static struct past_row *
past_touch(struct past *p, struct slice topic)
{
	struct past_row *row = map_get(p->touched, topic);

	if (row)
		return row;
	row = calloc(1, sizeof(*row) + topic.len);
	if (!row)
		return NULL;
	memcpy(row->name, topic.p, topic.len);
	row->topic = slice_of(row->name, topic.len);
	if (map_put(p->touched, row->topic, row) < 0) {
		free(row);
		return NULL;
	}
	return row;
}

static int
past_note_event(struct past *p, const struct event *ev)
{
	return past_touch(p, ev->topic) ? 0 : -ENOMEM;
}

/* --- folding --- */

static int
past_set_row(struct past_row *row, struct slice bytes)
{
	if (row->cap < bytes.len) {
		uint8_t *bigger = realloc(row->row, bytes.len);

		if (!bigger)
			return -ENOMEM;
		row->row = bigger;
		row->cap = bytes.len;
	}
	memcpy(row->row, bytes.p, bytes.len);
	row->len = bytes.len;
	return 0;
}

static int
past_fold_event(struct past *p, const struct event *ev)
{
	struct past_row *row = past_touch(p, ev->topic);
	struct row before, after;
	size_t size;
	int got;

	if (!row)
		return -ENOMEM;
	if (row->len) {
		got =
		    row_decode(slice_of(row->row, row->len), &before, &p->why);
		if (got < 0)
			return got;
	}
	got = fold_event(
	    &p->fold, p->rules, row->len ? &before : NULL, ev, &after);
	if (got < 0)
		return got;
	/* The new row may point into the old one. */
	size = row_size(&after);
	p->scratch.len = 0;
	if (!mp_buf_reserve(&p->scratch, size))
		return -ENOMEM;
	(void)row_encode(&after, p->scratch.p);
	return past_set_row(row, slice_of(p->scratch.p, size));
}

static int
past_order_topic(const void *a, const void *b)
{
	const struct past_row *const *x = a, *const *y = b;

	return plan_compare((*x)->topic, (*y)->topic);
}

static int
past_sort(struct past *p)
{
	size_t n = map_count(p->touched), at = 0;

	p->sorted = malloc((n + 1) * sizeof(*p->sorted));
	if (!p->sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		p->sorted[i] = map_next(p->touched, &at);
	if (n > 1)
		qsort(p->sorted, n, sizeof(*p->sorted), past_order_topic);
	return 0;
}

/* --- the base --- */

static enum proto_code
past_bad_base(struct past *p, int got)
{
	if (got == -ENOMEM)
		return past_no_memory(p);
	archives_condemn(p->q->archives, p->base_seq, &p->why);
	return PAST_BAD_BASE;
}

/* The base rows of touched topics. */
static enum proto_code
past_take_base(struct past *p)
{
	int got = ARCHIVE_ROW;

	p->row.topic.p = NULL;
	for (size_t i = 0; i < map_count(p->touched); i++) {
		struct past_row *row = p->sorted[i];

		if (!p->row.topic.p ||
		    plan_compare(p->row.topic, row->topic) < 0) {
			archive_seek(p->base, row->topic);
			got = archive_next(p->base, &p->row, &p->why);
		}
		if (got == ARCHIVE_END)
			return PROTO_OK;
		if (got != ARCHIVE_ROW)
			return past_bad_base(p, got);
		if (slice_equal(p->row.topic, row->topic) &&
		    past_set_row(row, p->row.row) < 0)
			return past_no_memory(p);
	}
	return PROTO_OK;
}

/* --- the merge --- */

struct past_merge {
	struct past *p;
	const struct plan_range *in;
	size_t next; /* of the sorted rows */
	size_t n;
};

static int
past_put(struct past *p, struct slice row, bool dropped)
{
	if (!p->marked)
		return spool_put(p->s, row);
	p->mark.len = 0;
	mp_pack_uint(&p->mark, (uint64_t)row.len << 1 | dropped);
	mp_pack_raw(&p->mark, row);
	return p->mark.failed
		   ? -ENOMEM
		   : spool_put(p->s, slice_of(p->mark.p, p->mark.len));
}

/* The touched rows before topic; NULL: all that are left. */
static int
past_put_touched(struct past_merge *m, const struct slice *topic)
{
	while (m->next < m->n) {
		const struct past_row *row = m->p->sorted[m->next];
		int got;

		if (topic && plan_compare(row->topic, *topic) >= 0)
			break;
		m->next++;
		got = past_put(m->p, slice_of(row->row, row->len), false);
		if (got != SPOOL_PUT)
			return got;
	}
	return SPOOL_PUT;
}

/* A row of the base, unless a touched one takes its place. */
static int
past_put_base(struct past_merge *m, const struct archive_row *row)
{
	int got = past_put_touched(m, &row->topic);

	if (got != SPOOL_PUT)
		return got;
	if (m->next < m->n &&
	    slice_equal(m->p->sorted[m->next]->topic, row->topic))
		return SPOOL_PUT;
	if (!plan_wants(m->in, m->p->set, row->topic))
		return SPOOL_PUT;
	return past_put(m->p, row->row, row->dropped);
}

/* The rows of one range of the plan. */
static enum proto_code
past_merge_range(struct past_merge *m, const struct plan_range *range)
{
	struct past *p = m->p;
	struct archive_row row;
	int got;

	m->in = range;
	archive_seek(p->base, range->text);
	while ((got = archive_next(p->base, &row, &p->why)) == ARCHIVE_ROW) {
		if (!plan_begins(row.topic, range->text) ||
		    (range->point && row.topic.len != range->text.len))
			return PROTO_OK;
		got = past_put_base(m, &row);
		if (got != SPOOL_PUT)
			return query_refuse_spool(p->no, got, &p->why);
	}
	return got == ARCHIVE_END ? PROTO_OK : past_bad_base(p, got);
}

static enum proto_code
past_merge(struct past *p)
{
	struct past_merge m = { .p = p, .n = map_count(p->touched) };
	enum proto_code code = PROTO_OK;
	int got;

	for (size_t i = 0; p->base && !code && i < p->plan.n; i++)
		code = past_merge_range(&m, &p->plan.v[i]);
	if (code)
		return code;
	got = past_put_touched(&m, NULL);
	if (got == SPOOL_PUT)
		got = spool_flush(p->s);
	return got == SPOOL_PUT ? PROTO_OK
				: query_refuse_spool(p->no, got, &p->why);
}

/* --- all of it --- */

/* Below what can be built: say what is the oldest that can. */
static enum proto_code
past_too_old(struct past *p)
{
	uint64_t oldest =
	    archives_oldest(p->q->archives, p->log, rules_version(p->rules));

	if (oldest == 0 || oldest + 1 < p->lease.oldest)
		oldest = p->lease.oldest;
	return query_refuse_old(p->no, p->at, oldest);
}

static enum proto_code
past_begin(struct past *p)
{
	int err;

	past_forget(p);
	spool_restart(p->s);
	p->touched = map_new();
	if (!p->touched)
		return past_no_memory(p);
	err = archives_find(
	    p->q->archives, p->log, rules_version(p->rules), p->at, &p->base);
	if (err == -ENOMEM)
		return past_no_memory(p);
	if (err < 0)
		return query_refuse(p->no, PROTO_UNAVAILABLE,
		    "the state of seq %" PRIu64 " cannot be made", p->at);
	p->base_seq = p->base ? archive_id(p->base)->seq : 0;
	if (p->at > p->base_seq && p->base_seq + 1 < p->lease.oldest)
		return past_too_old(p);
	err = plan_make(&p->plan, p->set, false);
	if (err == 0)
		err = past_find_few(p);
	if (err == -ENOMEM)
		return past_no_memory(p);
	if (err < 0)
		return query_refuse(p->no, PROTO_UNAVAILABLE,
		    "the state of seq %" PRIu64 " cannot be made", p->at);
	return PROTO_OK;
}

static enum proto_code
past_build(struct past *p)
{
	enum proto_code code = past_begin(p);

	if (!code && p->base && p->at > p->base_seq) {
		code = past_each_event(p, past_note_event);
		if (!code && past_sort(p) < 0)
			code = past_no_memory(p);
		if (!code)
			code = past_take_base(p);
	}
	if (!code && p->at > p->base_seq)
		code = past_each_event(p, past_fold_event);
	if (!code && !p->sorted && past_sort(p) < 0)
		code = past_no_memory(p);
	return code ? code : past_merge(p);
}

/* Rules and log that the present state is of. */
static int
past_identify(struct past *p)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	struct store_status st;
	int err = store_pack_rules(p->q->store, &b);

	if (err < 0 || b.failed)
		return err < 0 ? err : -ENOMEM;
	store_status(p->q->store, &st);
	memcpy(p->log, st.log, sizeof(p->log));
	return rules_unpack(slice_of(b.p, b.len), &p->rules, &p->why);
}

static void
past_key(struct mp_buf *key, const struct past *p)
{
	mp_pack_cstr(key, p->log);
	mp_pack_uint(key, rules_version(p->rules));
	mp_pack_uint(key, p->at);
	query_pack_set(key, p->set);
}

/* Find the spool of p->at, or build it. */
static enum proto_code
past_share(struct past *p, struct spool **out)
{
	CLEANUP(mp_buf_deinit) struct mp_buf key = { 0 };
	struct spool_want like = { 0 };
	enum proto_code code;
	int got;

	past_key(&key, p);
	if (key.failed)
		return past_no_memory(p);
	like.key = slice_of(key.p, key.len);
	got = spools_find(p->q->spools, &like, &p->s, &p->why);
	if (got < 0)
		return query_refuse_spool(p->no, got, &p->why);
	if (got == SPOOLS_BUILD) {
		do {
			code = past_build(p);
		} while (code == PAST_BAD_BASE);
		if (code) {
			spool_abandon(p->s);
			return code;
		}
		spool_finish(p->s, p->at, true);
	}
	*out = p->s;
	return PROTO_OK;
}

/* `at` as a seq. */
static enum proto_code
past_resolve(struct past *p, struct slice at, uint64_t tail)
{
	struct mp_walk w = mp_walk(at);
	struct mp_item item = { 0 };
	int got;

	if (!mp_next(&w, &item))
		return query_refuse(p->no, PROTO_BAD_REQUEST, "no \"at\"");
	p->at = item.u;
	if (item.type == MP_UINT && p->at > tail)
		return query_refuse_ahead(p->no, p->at, tail);
	if (tail == 0) {
		p->at = 0;
		return PROTO_OK;
	}
	got =
	    logs_lease(p->q->logs, item.type == MP_UINT ? MAX(p->at, 1) : tail,
		tail, &p->lease, &p->why);
	if (got < 0)
		return past_bad_log(p, got);
	if (item.type == MP_UINT)
		return PROTO_OK;
	got = logs_find_time(
	    &p->lease, proto_get_uint(at, "time").v, &p->at, &p->why);
	if (got != LOG_READ_END)
		return past_bad_log(p, got);
	/* Before the oldest event there may have been others. */
	if (p->at == 0 && p->lease.oldest > 1)
		return past_too_old(p);
	return PROTO_OK;
}

enum proto_code
past_snapshot(struct query *q, const struct proto_request *req,
    const struct topic_set *set, struct spool **out, struct query_refusal *no)
{
	CLEANUP(past_deinit)
	struct past p = { .q = q, .set = set, .no = no };
	struct spool *present;
	struct store_status st;
	enum proto_code code;
	int err;

	err = past_identify(&p);
	if (err == -ENOMEM)
		return past_no_memory(&p);
	if (err < 0)
		return query_refuse(
		    no, PROTO_UNAVAILABLE, "the rules cannot be read");
	code = past_resolve(&p, req->state.at, query_tail(q));
	if (code)
		return code;
	store_status(q->store, &st);
	if (p.at > 0 && p.at == st.seq) {
		code = query_present(q, req, set, true, &present, no);
		if (code)
			return code;
		if (spool_seq(present) == p.at) {
			*out = present;
			return PROTO_OK;
		}
		(void)spool_unref(present);
	}
	return past_share(&p, out);
}

int
past_rows(struct query *q, uint64_t seq, struct spool *s,
    struct past_made *made, struct reason *why)
{
	struct query_refusal no = { .text = "" };
	CLEANUP(past_deinit)
	struct past p = {
		.q = q, .no = &no, .at = seq, .s = s, .marked = true
	};
	enum proto_code code;
	int err = past_identify(&p);

	if (err < 0)
		return reason_set(why, err, "the rules cannot be read");
	err = logs_lease(q->logs, seq, query_tail(q), &p.lease, why);
	if (err < 0)
		return err;
	do {
		code = past_build(&p);
	} while (code == PAST_BAD_BASE);
	if (code)
		return reason_say(why, -EIO, "%s", no.text);
	made->rules_version = rules_version(p.rules);
	made->floor = p.base ? archive_id(p.base)->floor : 0;
	memcpy(made->log, p.log, sizeof(made->log));
	return 0;
}
