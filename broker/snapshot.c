/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Snapshots in slices, each a read transaction.  A slice first takes what
 * changed since the one before and was covered already, and then goes on; the
 * last one covers the rest, and so everything is as of its seq.
 *
 *	rows      one slice: written as they are met
 *	changed   rows that were met and changed since: kept in memory, by
 *	          topic, and merged in the end, taking the place of the old
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/plan.h"
#include "broker/query.h"
#include "broker/snapshot.h"
#include "broker/spool.h"
#include "broker/store.h"
#include "core/map.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/time.h"
#include "core/topic.h"
#include "core/topic_set.h"

/* Somewhat less than the two seconds that a transaction may take. */
#define SNAPSHOT_SLICE_NS (1500 * NS_PER_MS)

enum {
	SNAPSHOT_CLOCK_ROWS = 256, /* between two looks at the clock */
	SNAPSHOT_EDGES = 1 << 18,  /* topics held; beyond, all are scanned */
};

/* What a slice has come to; below zero or enum spool_put otherwise. */
enum {
	SNAPSHOT_DONE = 0,
	SNAPSHOT_SPENT = 100, /* the transaction has to end */
};

/* A row that takes the place of one written before. */
struct later_row {
	uint64_t seq;
	struct slice topic;
	struct slice row; /* len 0: there is none to be shown */
	uint8_t bytes[];
};

struct snapshot {
	struct query *q;
	const struct snapshot_want *want;
	struct spool *s;
	struct reason *why;
	struct plan plan;
	struct map *later;
	bool by_seq; /* a walk over what changed */
	bool edges;  /* relations are those that the first slice found */
	bool full;
	const struct plan_range *in; /* whose topics are met; NULL: changes */
	/* How far it has got. */
	size_t range;
	uint8_t cursor[TOPIC_MAX + 1]; /* the last topic met */
	size_t cursor_len;
	uint64_t first_seq; /* of the first slice */
	uint64_t seen;	    /* changes up to here are taken in */
	/* Of the slice. */
	struct store_read *r;
	uint64_t n;
	uint64_t deadline_ns;
	struct mp_buf marked;
};

static void
snapshot_forget_later(struct snapshot *sn)
{
	struct later_row *row;
	size_t at = 0;

	if (!sn->later)
		return;
	while ((row = map_next(sn->later, &at)))
		free(row);
	map_clear(sn->later);
}

static void
snapshot_deinit(struct snapshot *sn)
{
	snapshot_forget_later(sn);
	sn->later = map_free(sn->later);
	plan_deinit(&sn->plan);
	mp_buf_deinit(&sn->marked);
}

static bool
snapshot_spent(struct snapshot *sn)
{
	sn->n++;
	if (sn->q->slice_rows && sn->n >= sn->q->slice_rows)
		return true;
	return sn->n % SNAPSHOT_CLOCK_ROWS == 0 &&
	       time_mono_ns() > sn->deadline_ns;
}

/* The row's bytes as the spool holds them. */
static struct slice
snapshot_mark(struct snapshot *sn, struct slice row, bool dropped)
{
	if (!sn->want->marked)
		return row;
	sn->marked.len = 0;
	mp_pack_uint(&sn->marked, (uint64_t)row.len << 1 | dropped);
	mp_pack_raw(&sn->marked, row);
	return slice_of(sn->marked.p, sn->marked.len);
}

static bool
snapshot_wants_topic(const struct snapshot *sn, struct slice topic)
{
	if (sn->in)
		return plan_wants(sn->in, sn->want->set, topic);
	return !sn->want->set || topic_set_matches(sn->want->set, topic);
}

/* Is the row newer than what was asked for? */
static int
snapshot_is_newer(const struct snapshot *sn, struct slice bytes)
{
	struct row row;
	int err;

	if (sn->full)
		return 1;
	err = row_decode(bytes, &row, sn->why);
	return err < 0 ? err : row.seq > sn->want->since.v;
}

static int
snapshot_put(
    struct snapshot *sn, struct slice topic, struct slice row, bool dropped)
{
	int newer;

	if ((dropped && !sn->want->dropped) || !snapshot_wants_topic(sn, topic))
		return SPOOL_PUT;
	newer = snapshot_is_newer(sn, row);
	if (newer <= 0)
		return newer;
	row = snapshot_mark(sn, row, dropped);
	return sn->marked.failed ? -ENOMEM : spool_put(sn->s, row);
}

/* Keep a row that is newer than what may have been written of its topic. */
static int
snapshot_put_later(struct snapshot *sn, const struct store_item *item,
    struct slice row, bool dropped)
{
	struct later_row *later;
	bool shown = !dropped || sn->want->dropped;

	if (shown)
		row = snapshot_mark(sn, row, dropped);
	else
		row.len = 0;
	later = malloc(sizeof(*later) + item->topic.len + row.len);
	if (!later || sn->marked.failed) {
		free(later);
		return -ENOMEM;
	}
	memcpy(later->bytes, item->topic.p, item->topic.len);
	if (row.len)
		memcpy(later->bytes + item->topic.len, row.p, row.len);
	later->seq = item->seq;
	later->topic = slice_of(later->bytes, item->topic.len);
	later->row = slice_of(later->bytes + item->topic.len, row.len);
	free(map_take(sn->later, later->topic));
	if (map_put(sn->later, later->topic, later) < 0) {
		free(later);
		return -ENOMEM;
	}
	return SPOOL_PUT;
}

/* Has a topic been passed, so that a change of it would be missed? */
static bool
snapshot_is_covered(const struct snapshot *sn, struct slice topic)
{
	if (sn->by_seq || (sn->edges && plan_is_relation(topic)))
		return true;
	return plan_compare(topic, slice_of(sn->cursor, sn->cursor_len)) <= 0;
}

static int
snapshot_take_change(struct snapshot *sn, const struct store_item *item)
{
	struct slice row;
	bool dropped;
	int got;

	if (!snapshot_wants_topic(sn, item->topic) ||
	    !snapshot_is_covered(sn, item->topic))
		return SPOOL_PUT;
	got = store_row(sn->r, item->topic, &row, &dropped);
	if (got != STORE_FOUND)
		return got;
	if (item->seq > sn->first_seq)
		return snapshot_put_later(sn, item, row, dropped);
	return snapshot_put(sn, item->topic, row, dropped);
}

/* Take in what changed after `seen`. */
static int
snapshot_walk_changed(struct snapshot *sn)
{
	CLEANUP(store_iter_freep) struct store_iter *it = NULL;
	struct store_item item;
	int got;

	got = store_iter_changed(sn->r, sn->seen, &it);
	if (got < 0)
		return got;
	while ((got = store_iter_next(it, &item)) == STORE_FOUND) {
		got = snapshot_take_change(sn, &item);
		if (got != SPOOL_PUT)
			return got;
		sn->seen = item.seq;
		if (snapshot_spent(sn))
			return SNAPSHOT_SPENT;
	}
	if (got == STORE_END)
		sn->seen = store_read_seq(sn->r);
	return got;
}

static void
snapshot_move_cursor(struct snapshot *sn, struct slice topic)
{
	sn->cursor_len = MIN(topic.len, TOPIC_MAX);
	memcpy(sn->cursor, topic.p, sn->cursor_len);
}

/* All rows whose topic begins with prefix, from behind the cursor on. */
static int
snapshot_walk_prefix(struct snapshot *sn, struct slice prefix)
{
	CLEANUP(store_iter_freep) struct store_iter *it = NULL;
	struct store_item item = { 0 };
	struct slice from = prefix, met = { 0 };
	int got;

	/* No topic has a NUL: the cursor and one is what comes behind it. */
	if (plan_compare(slice_of(sn->cursor, sn->cursor_len), prefix) >= 0) {
		sn->cursor[sn->cursor_len] = '\0';
		from =
		    slice_of(sn->cursor, sn->cursor_len + (sn->cursor_len > 0));
	}
	got = store_iter_rows(sn->r, from, sn->want->dropped, &it);
	if (got < 0)
		return got;
	while ((got = store_iter_next(it, &item)) == STORE_FOUND) {
		if (!plan_begins(item.topic, prefix)) {
			got = SPOOL_PUT;
			break;
		}
		got = snapshot_put(sn, item.topic, item.row, item.dropped);
		if (got != SPOOL_PUT)
			break;
		met = item.topic;
		if (snapshot_spent(sn)) {
			got = SNAPSHOT_SPENT;
			break;
		}
	}
	if (met.len)
		snapshot_move_cursor(sn, met);
	return got;
}

static int
snapshot_take_point(struct snapshot *sn, struct slice topic)
{
	struct slice row;
	bool dropped;
	int got;

	got = store_row(sn->r, topic, &row, &dropped);
	if (got == STORE_FOUND)
		got = snapshot_put(sn, topic, row, dropped);
	snapshot_move_cursor(sn, topic);
	return got;
}

/* Go on through the ranges of the plan. */
static int
snapshot_walk_ranges(struct snapshot *sn)
{
	int got = SPOOL_PUT;

	for (; sn->range < sn->plan.n; sn->range++) {
		const struct plan_range *range = &sn->plan.v[sn->range];

		sn->in = range;
		if (!range->point) {
			got = snapshot_walk_prefix(sn, range->text);
			if (got != SPOOL_PUT)
				return got;
			continue;
		}
		got = snapshot_take_point(sn, range->text);
		if (got != SPOOL_PUT)
			return got;
		if (snapshot_spent(sn)) {
			sn->range++;
			return SNAPSHOT_SPENT;
		}
	}
	return got;
}

/*
 * The topics of what the plan's names stand for; where there are more of them
 * than `most`, all relations.  One that comes to be later is a change.
 */
static int
snapshot_find_edges(struct snapshot *sn, uint64_t most)
{
	struct store_item item;
	uint64_t n = 0;
	int got = STORE_END;

	sn->edges = sn->plan.n_names > 0;
	for (size_t i = 0; got == STORE_END && i < sn->plan.n_names; i++) {
		CLEANUP(store_iter_freep) struct store_iter *it = NULL;

		got = store_iter_edges(sn->r, sn->plan.names[i], &it);
		if (got < 0)
			return got;
		while ((got = store_iter_next(it, &item)) == STORE_FOUND &&
		       n++ < most) {
			int err = plan_add_point(&sn->plan, item.topic);

			if (err < 0)
				return err;
		}
	}
	if (got == STORE_FOUND) {
		sn->edges = false;
		got = plan_add_relations(&sn->plan);
	}
	sn->plan.n_names = 0;
	plan_settle(&sn->plan);
	return got;
}

/* Is a walk over what changed shorter than one through the plan? */
static bool
snapshot_is_by_seq(const struct snapshot *sn, uint64_t look_ups)
{
	uint64_t since = sn->want->since.v;
	uint64_t changes = sn->first_seq > since ? sn->first_seq - since : 0;

	if (sn->full)
		return false;
	if (plan_is_points(&sn->plan))
		return sn->edges && changes < sn->plan.n;
	return changes < look_ups;
}

/* The first slice: how to go about it. */
static int
snapshot_begin(struct snapshot *sn, struct snapshot_made *made)
{
	const struct snapshot_want *want = sn->want;
	struct store_status st;
	uint64_t look_ups;
	int err;

	store_status(sn->q->store, &st);
	spool_restart(sn->s);
	snapshot_forget_later(sn);
	plan_deinit(&sn->plan);
	sn->range = 0;
	sn->cursor_len = 0;
	sn->first_seq = store_read_seq(sn->r);
	sn->seen = sn->first_seq;
	sn->full = !want->since.set || want->since.v < store_read_floor(sn->r);
	made->generation = store_read_generation(sn->r);
	/* A look-up by topic takes about four times as long as a row met. */
	look_ups = st.rows / 4 + 1000;
	err = plan_make(&sn->plan, want->set, true);
	if (err == 0)
		err = snapshot_find_edges(sn, MIN(look_ups, SNAPSHOT_EDGES));
	if (err < 0)
		return err;
	sn->by_seq = snapshot_is_by_seq(sn, look_ups);
	if (sn->by_seq)
		sn->seen = want->since.v;
	return 0;
}

/* One transaction's worth. */
static int
snapshot_slice(struct snapshot *sn, bool *begun, struct snapshot_made *made)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	int got;

	got = store_read_begin(sn->q->store, &r);
	if (got < 0)
		return got;
	sn->r = r;
	sn->n = 0;
	sn->deadline_ns = time_mono_ns() + SNAPSHOT_SLICE_NS;
	if (*begun &&
	    (store_read_generation(r) != made->generation ||
		(!sn->full && sn->want->since.v < store_read_floor(r))))
		*begun = false;
	if (!*begun) {
		got = snapshot_begin(sn, made);
		if (got < 0)
			return got;
		*begun = true;
	}
	made->seq = store_read_seq(r);
	made->floor = store_read_floor(r);
	sn->in = NULL;
	got = snapshot_walk_changed(sn);
	if (got == SPOOL_PUT && !sn->by_seq)
		got = snapshot_walk_ranges(sn);
	return got;
}

/* --- the merge --- */

static int
snapshot_order_topic(const void *a, const void *b)
{
	const struct later_row *const *x = a, *const *y = b;

	return plan_compare((*x)->topic, (*y)->topic);
}

static int
snapshot_order_seq(const void *a, const void *b)
{
	const struct later_row *const *x = a, *const *y = b;

	return ((*x)->seq > (*y)->seq) - ((*x)->seq < (*y)->seq);
}

struct merge {
	struct snapshot *sn;
	struct spool *copy;
	struct later_row **v; /* in order */
	size_t n, at;
};

static int
merge_put_later(struct merge *m)
{
	struct slice row = m->v[m->at++]->row;

	return row.len ? spool_put(m->copy, row) : SPOOL_PUT;
}

/* One row as written before; topic is its topic. */
static int
merge_row(struct merge *m, struct slice topic, struct slice row)
{
	int got = SPOOL_PUT;

	while (!m->sn->by_seq && m->at < m->n &&
	       plan_compare(m->v[m->at]->topic, topic) <= 0) {
		got = merge_put_later(m);
		if (got != SPOOL_PUT)
			return got;
	}
	if (map_get(m->sn->later, topic))
		return got;
	return spool_put(m->copy, row);
}

static int
merge_part(struct merge *m, struct slice part, uint32_t rows)
{
	struct mp_walk w = mp_walk(part);

	for (uint32_t i = 0; i < rows; i++) {
		const uint8_t *begin = w.p;
		struct slice value, topic;
		struct mp_item head;
		struct mp_walk in;
		int got;

		if ((m->sn->want->marked && !mp_skip(&w, &value)) ||
		    !mp_skip(&w, &value))
			return -EPROTO;
		in = mp_walk(value);
		if (!mp_next(&in, &head) || !mp_next_name(&in, &topic))
			return -EPROTO;
		got =
		    merge_row(m, topic, slice_of(begin, (size_t)(w.p - begin)));
		if (got != SPOOL_PUT)
			return got;
	}
	return SPOOL_PUT;
}

static int
merge_parts(struct merge *m)
{
	CLEANUP(mp_buf_deinit) struct mp_buf part = { 0 };
	struct spool *s = m->sn->s;
	uint32_t rows;
	int got;

	for (uint64_t n = 0; n < spool_parts(s); n++) {
		part.len = 0;
		got = spool_read_part(s, n, &part, &rows);
		if (got != SPOOL_PART)
			return got < 0 ? got : -EIO;
		got = merge_part(m, slice_of(part.p, part.len), rows);
		if (got != SPOOL_PUT)
			return got;
	}
	while (m->at < m->n) {
		got = merge_put_later(m);
		if (got != SPOOL_PUT)
			return got;
	}
	return SPOOL_PUT;
}

/* Write the spool once more, with the later rows in place of the old. */
static int
snapshot_merge(struct snapshot *sn)
{
	CLEANUP(spool_dropp) struct spool *copy = NULL;
	CLEANUP(freep) struct later_row **v = NULL;
	struct merge m = { .sn = sn, .n = map_count(sn->later) };
	size_t at = 0;
	int got;

	if (m.n == 0)
		return SPOOL_PUT;
	v = malloc(m.n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < m.n; i++)
		v[i] = map_next(sn->later, &at);
	qsort(v, m.n, sizeof(*v),
	    sn->by_seq ? snapshot_order_seq : snapshot_order_topic);
	m.v = v;
	got = spool_begin_copy(sn->s, &copy, sn->why);
	if (got < 0)
		return got;
	m.copy = copy;
	got = merge_parts(&m);
	if (got == SPOOL_PUT)
		got = spool_flush(copy);
	if (got == SPOOL_PUT)
		spool_replace(sn->s, TAKE(copy));
	return got;
}

int
snapshot_build(struct query *q, const struct snapshot_want *want,
    struct spool *s, struct snapshot_made *made, struct reason *why)
{
	CLEANUP(snapshot_deinit)
	struct snapshot sn = { .q = q, .want = want, .s = s, .why = why };
	bool begun = false;
	int got;

	why->text[0] = '\0';
	sn.later = map_new();
	if (!sn.later)
		return -ENOMEM;
	do {
		got = snapshot_slice(&sn, &begun, made);
	} while (got == SNAPSHOT_SPENT);
	if (got == SPOOL_PUT)
		got = spool_flush(s);
	if (got == SPOOL_PUT)
		got = snapshot_merge(&sn);
	if (got < 0 && !why->text[0])
		reason_set(why, got, "a snapshot cannot be made");
	made->full = sn.full;
	return got;
}
