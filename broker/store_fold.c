/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Folding.  What the events of a transaction change is kept in memory, a row
 * that many of them change once, and written at its end.  An event is
 * for whatever stands right before it, so that what lags behind needs no
 * state but its position, and has caught up when it takes the same event.
 */

#include <errno.h>
#include <inttypes.h>

#include "broker/store_fold.h"
#include "broker/store_priv.h"
#include "core/diag.h"
#include "core/event.h"
#include "core/fold.h"
#include "core/map.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"

enum {
	DUE_EVENTS = 4096,
	DUE_NS = 20 * 1000 * 1000,
	FAR_NS = 100 * 1000 * 1000,
	DIRTY_BYTES = 64 << 20, /* rows kept in memory */
	ROW_SPARE = 64, /* so that a row that grows is not moved each time */
};

struct fold_rows {
	struct map *dirty;
	struct store_dirty *oldest, *newest;
	size_t bytes;
};

struct store_work {
	struct fold fold;
	struct fold_rows gen[STORE_GENS];
	struct store_posts topics;
	struct store_posts actors;
	MDB_txn *txn;
	struct store_meta meta; /* as the transaction has it */
	uint32_t events;
	uint64_t began_ns;
	size_t spare_cap;
	uint8_t *spare; /* where the next row is encoded */
};

/* --- rows in memory --- */

static void
drop_dirty(struct fold_rows *fr)
{
	struct store_dirty *d;

	while ((d = fr->oldest)) {
		fr->oldest = d->newer;
		free(d->row);
		free(d);
	}
	fr->newest = NULL;
	fr->bytes = 0;
	if (fr->dirty)
		map_clear(fr->dirty);
}

static void
unlink_dirty(struct fold_rows *fr, struct store_dirty *d)
{
	*(d->older ? &d->older->newer : &fr->oldest) = d->newer;
	*(d->newer ? &d->newer->older : &fr->newest) = d->older;
}

static void
link_newest(struct fold_rows *fr, struct store_dirty *d)
{
	d->older = fr->newest;
	d->newer = NULL;
	*(fr->newest ? &fr->newest->newer : &fr->oldest) = d;
	fr->newest = d;
}

/* A row that this transaction touches first; before is as it was, or NULL. */
static int
new_dirty(struct fold_rows *fr, struct slice topic, const struct row *before,
    bool dropped, struct store_dirty **out)
{
	struct store_dirty *d = calloc(1, sizeof(*d) + topic.len);
	int err;

	if (!d)
		return -ENOMEM;
	d->topic_len = (uint32_t)topic.len;
	memcpy(d->topic, topic.p, topic.len);
	d->old_seq = before ? before->seq : 0;
	d->old_dropped = dropped;
	link_newest(fr, d);
	err = map_put(fr->dirty, slice_of(d->topic, topic.len), d);
	*out = d;
	return err;
}

static int
reserve_spare(struct store_work *w, size_t size)
{
	uint8_t *p;

	if (w->spare_cap >= size)
		return 0;
	p = malloc(size + ROW_SPARE);
	if (!p)
		return -ENOMEM;
	free(w->spare);
	w->spare = p;
	w->spare_cap = size + ROW_SPARE;
	return 0;
}

/* after may point into d's row, so it goes into the spare, which d gets. */
static int
keep_row(struct store_work *w, struct fold_rows *fr, struct store_dirty *d,
    const struct row *after)
{
	size_t size = 1 + row_size(after), cap = d->cap;
	uint8_t *p = d->row;
	int err = reserve_spare(w, size);

	if (err < 0)
		return err;
	w->spare[0] = 0;
	(void)row_encode(after, w->spare + 1);
	fr->bytes += w->spare_cap - cap;
	d->row = w->spare;
	d->cap = w->spare_cap;
	d->len = size;
	d->seq = after->seq;
	d->deleted = after->deleted;
	w->spare = p;
	w->spare_cap = cap;
	return 0;
}

/* The row as the transaction has it, or none: *row.topic.p is NULL then. */
static int
look_up(struct store *st, enum store_which which, struct slice topic,
    struct row *row, bool *dropped)
{
	struct store_work *w = st->work;
	MDB_val key = store_val(topic), val;
	int rc = mdb_get(w->txn,
	    store_table(&st->e, &w->meta.gen[which], STORE_ROWS), &key, &val);

	row->topic.p = NULL;
	*dropped = false;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return store_err(rc);
	if (val.mv_size < 2)
		return -EBADMSG;
	*dropped = *(uint8_t *)val.mv_data & STORE_ROW_DROPPED;
	return row_decode(slice_of((uint8_t *)val.mv_data + 1, val.mv_size - 1),
		   row, NULL) < 0
		   ? -EBADMSG
		   : 0;
}

static void
count(struct store_gen *g, int result)
{
	g->unfoldable += result == FOLD_UNFOLDABLE;
	g->too_large += result == FOLD_TOO_LARGE;
}

static int
fold_row(struct store *st, enum store_which which, const struct event *ev)
{
	struct store_work *w = st->work;
	struct fold_rows *fr = &w->gen[which];
	struct store_gen *g = &w->meta.gen[which];
	struct store_dirty *d = map_get(fr->dirty, ev->topic);
	struct row before, after;
	bool dropped = false;
	int err;

	err = d ? row_decode(slice_of(d->row + 1, d->len - 1), &before, NULL)
		: look_up(st, which, ev->topic, &before, &dropped);
	if (err < 0)
		return err;
	err = fold_event(&w->fold, store_gen_rules(st, which),
	    before.topic.p ? &before : NULL, ev, &after);
	if (err < 0)
		return err;
	count(g, err);
	if (d) {
		unlink_dirty(fr, d);
		link_newest(fr, d);
		return keep_row(w, fr, d, &after);
	}
	g->rows += !before.topic.p || dropped;
	err = new_dirty(
	    fr, ev->topic, before.topic.p ? &before : NULL, dropped, &d);
	return err < 0 ? err : keep_row(w, fr, d, &after);
}

/* Write what is in memory; it stays part of the transaction. */
static int
flush(struct store *st, enum store_which which)
{
	struct store_work *w = st->work;
	const struct store_flush f = { &st->e, w->txn, &w->meta.gen[which],
		time_wall_us() };
	struct fold_rows *fr = &w->gen[which];
	int err = 0;

	if (fr->oldest)
		err = store_flush_rows(&f, fr->oldest, map_count(fr->dirty));
	if (err == 0)
		drop_dirty(fr);
	return err;
}

/* --- history --- */

static int
post(struct store_work *w, const struct event *ev)
{
	static const uint8_t head[] = { STORE_ACTOR };
	int err =
	    store_posts_add(&w->topics, slice_of(NULL, 0), ev->topic, ev->seq);

	return err < 0 ? err
		       : store_posts_add(&w->actors,
			     slice_of(head, sizeof(head)), ev->actor, ev->seq);
}

static int
flush_posts(struct store *st)
{
	struct store_work *w = st->work;
	int err = store_posts_flush(&w->topics, w->txn, st->e.topics);

	return err < 0 ? err
		       : store_posts_flush(&w->actors, w->txn, st->e.actors);
}

/* --- the transaction --- */

struct store_work *
store_work_free(struct store_work *w)
{
	if (!w)
		return NULL;
	if (w->txn)
		mdb_txn_abort(w->txn);
	for (int i = 0; i < STORE_GENS; i++) {
		drop_dirty(&w->gen[i]);
		w->gen[i].dirty = map_free(w->gen[i].dirty);
	}
	store_posts_deinit(&w->topics);
	store_posts_deinit(&w->actors);
	fold_deinit(&w->fold);
	free(w->spare);
	free(w);
	return NULL;
}

static struct store_work *
new_work(const struct store *st)
{
	struct store_work *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->meta = st->meta;
	for (int i = 0; i < STORE_GENS; i++) {
		w->gen[i].dirty = map_new();
		if (!w->gen[i].dirty)
			return store_work_free(w);
	}
	return w;
}

static int
begin(struct store *st)
{
	int rc;

	if (!st->work)
		st->work = new_work(st);
	if (!st->work)
		return -ENOMEM;
	if (st->work->txn)
		return 0;
	rc = mdb_txn_begin(st->e.env, NULL, 0, &st->work->txn);
	if (rc) {
		st->work->txn = NULL;
		return store_err(rc);
	}
	st->work->began_ns = time_mono_ns();
	st->work->events = 0;
	return 0;
}

int
store_fold_begin(struct store *st, MDB_txn **txn, struct store_meta **m)
{
	int err = begin(st);

	if (err < 0)
		return err;
	*txn = st->work->txn;
	*m = &st->work->meta;
	return 0;
}

static const struct store_meta *
meta_of(const struct store *st)
{
	return st->work ? &st->work->meta : &st->meta;
}

uint64_t
store_fold_seq(const struct store *st)
{
	return meta_of(st)->gen[STORE_LIVE].seq;
}

uint64_t
store_fold_behind(const struct store *st)
{
	const struct store_meta *m = meta_of(st);
	uint64_t seq = m->gen[STORE_LIVE].seq;

	if (!st->opt.state_only)
		seq = MIN(seq, m->history_seq);
	if (m->gen[STORE_NEXT].number)
		seq = MIN(seq, m->gen[STORE_NEXT].seq);
	return seq;
}

static bool
is_event(struct slice bytes, uint64_t seq, struct event *ev)
{
	return event_decode(bytes, ev, NULL) == 0 && ev->seq == seq &&
	       ev->topic.len > 0 && ev->topic.len <= TOPIC_MAX &&
	       ev->actor.len <= TOPIC_ACTOR_MAX;
}

int
store_fold_event(struct store *st, uint64_t seq, struct slice bytes)
{
	int err = begin(st);
	struct store_work *w = st->work;
	struct event ev;
	bool good;

	if (err < 0)
		return err;
	good = is_event(bytes, seq, &ev);
	for (int i = 0; err == 0 && i < STORE_GENS; i++) {
		struct store_gen *g = &w->meta.gen[i];

		if (!g->number || g->seq + 1 != seq)
			continue;
		if (good)
			err = fold_row(st, i, &ev);
		else
			g->unfoldable++;
		g->seq = seq;
		if (err == 0 && w->gen[i].bytes > DIRTY_BYTES)
			err = flush(st, i);
	}
	if (err == 0 && !st->opt.state_only && w->meta.history_seq + 1 == seq) {
		w->meta.history_seq = seq;
		err = good ? post(w, &ev) : 0;
	}
	w->events++;
	return err;
}

bool
store_fold_due(const struct store *st, bool far)
{
	const struct store_work *w = st->work;
	uint64_t ns = far ? FAR_NS : DUE_NS;
	uint32_t events = far ? STORE_FAR : DUE_EVENTS;

	return w && w->txn &&
	       (w->events >= events || time_mono_ns() - w->began_ns >= ns);
}

/* Rules of a generation that is no more. */
static void
drop_old_rules(struct store *st)
{
	pthread_mutex_lock(&st->mutex);
	st->old = rules_free(st->old);
	pthread_mutex_unlock(&st->mutex);
}

int
store_fold_commit(struct store *st)
{
	struct store_work *w = st->work;
	struct store_gen *live, *next;
	MDB_txn *txn;
	int err = 0;

	if (!w || !w->txn)
		return 0;
	live = &w->meta.gen[STORE_LIVE];
	next = &w->meta.gen[STORE_NEXT];
	for (int i = 0; err == 0 && i < STORE_GENS; i++)
		err = flush(st, i);
	if (err == 0)
		err = flush_posts(st);
	if (err == 0 && next->number && next->seq == live->seq)
		err = store_gen_switch(&st->e, w->txn, &w->meta);
	if (err == 0)
		err = store_meta_put(&st->e, w->txn, &w->meta);
	if (err < 0)
		return err;
	txn = TAKE(w->txn);
	err = store_err(mdb_txn_commit(txn));
	if (err < 0)
		return err;
	if (live->number != st->meta.gen[STORE_LIVE].number)
		drop_old_rules(st);
	if (live->number == st->meta.gen[STORE_NEXT].number)
		diag_note("rows of the new rules are served from seq=%" PRIu64,
		    live->seq);
	st->meta = w->meta;
	/* What fails there is tried again behind the next commit. */
	if (store_env_extend(&st->e) < 0)
		diag_limited("state length", "the state's file is short");
	store_publish(st);
	if (st->on_commit)
		st->on_commit(st->on_commit_arg);
	return 0;
}

void
store_fold_abort(struct store *st)
{
	struct store_work *w = st->work;

	if (!w)
		return;
	if (w->txn)
		mdb_txn_abort(w->txn);
	w->txn = NULL;
	w->meta = st->meta;
	store_posts_clear(&w->topics);
	store_posts_clear(&w->actors);
	for (int i = 0; i < STORE_GENS; i++)
		drop_dirty(&w->gen[i]);
}

enum store_fail
store_fold_fail(struct store *st, int err)
{
	struct reason why = { "" };

	store_fold_abort(st);
	pthread_mutex_lock(&st->mutex);
	st->status.commit_failed++;
	pthread_mutex_unlock(&st->mutex);
	if (err != -EBADMSG)
		return STORE_FULL;
	st->damaged = true;
	if (store_mark_write(st->dirfd, STORE_LEFT_DAMAGED, &why) < 0)
		diag_error("%s", why.text);
	return STORE_DAMAGED;
}
