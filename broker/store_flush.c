/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Changed rows on their way into the environment: the row, its place by seq,
 * its tombstone, and the edge of a relation, whose four tables agree.
 */

#include <assert.h>
#include <errno.h>

#include "broker/store_priv.h"
#include "core/graph.h"
#include "core/topic.h"

enum {
	TOMB_KEY = 16, /* time and seq, big-endian */
};

/*
 * A relation's topic by its last token.  It depends on nothing but the topic,
 * so it is written with the first row and stands as long as the row does.
 */
static int
flush_edge(const struct store_flush *f, struct slice topic)
{
	MDB_dbi dbi = store_table(f->e, f->gen, STORE_EDGES);
	MDB_val key, val = store_val(topic);
	struct slice to;

	if (!graph_relation_to(topic, &to))
		return 0;
	key = store_val(to);
	return store_err(mdb_put(f->txn, dbi, &key, &val, 0));
}

static void
put_be64(uint8_t *p, uint64_t v)
{
	for (int i = 8; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

static int
flush_tomb(const struct store_flush *f, struct slice topic, uint64_t seq)
{
	uint8_t buf[TOMB_KEY];
	MDB_val key = { sizeof(buf), buf }, val = store_val(topic);

	put_be64(buf, f->now_us);
	put_be64(buf + 8, seq);
	return store_err(mdb_put(
	    f->txn, store_table(f->e, f->gen, STORE_TOMBS), &key, &val, 0));
}

/* Old places by seq go away, lowest first: neighbours share a page. */
static int
flush_old(const struct store_flush *f, struct store_dirty **v, size_t n)
{
	MDB_dbi dbi = store_table(f->e, f->gen, STORE_CHANGED);
	MDB_cursor *cur;
	MDB_val key;
	int rc = mdb_cursor_open(f->txn, dbi, &cur);

	if (rc)
		return store_err(rc);
	for (size_t i = 0; !rc && i < n; i++) {
		if (v[i]->old_seq == 0 || v[i]->old_dropped)
			continue;
		key = (MDB_val){ sizeof(v[i]->old_seq), &v[i]->old_seq };
		rc = mdb_cursor_get(cur, &key, NULL, MDB_SET);
		if (!rc)
			rc = mdb_cursor_del(cur, 0);
	}
	mdb_cursor_close(cur);
	return store_err(rc);
}

static int
flush_changed(const struct store_flush *f, const struct store_dirty *oldest)
{
	MDB_dbi dbi = store_table(f->e, f->gen, STORE_CHANGED);
	const struct store_dirty *d;
	MDB_cursor *cur;
	int rc = mdb_cursor_open(f->txn, dbi, &cur);

	if (rc)
		return store_err(rc);
	for (d = oldest; !rc && d; d = d->newer) {
		uint64_t seq = d->seq;
		MDB_val key = { sizeof(seq), &seq };
		MDB_val val = store_val(slice_of(d->topic, d->topic_len));

		rc = mdb_cursor_put(cur, &key, &val, MDB_APPEND);
	}
	mdb_cursor_close(cur);
	return store_err(rc);
}

static int
flush_rows(const struct store_flush *f, struct store_dirty **v, size_t n)
{
	MDB_dbi dbi = store_table(f->e, f->gen, STORE_ROWS);
	MDB_cursor *cur;
	int rc = mdb_cursor_open(f->txn, dbi, &cur);

	if (rc)
		return store_err(rc);
	for (size_t i = 0; !rc && i < n; i++) {
		MDB_val key = store_val(slice_of(v[i]->topic, v[i]->topic_len));
		MDB_val val = { v[i]->len, v[i]->row };

		rc = mdb_cursor_put(cur, &key, &val, 0);
	}
	mdb_cursor_close(cur);
	return store_err(rc);
}

/* Tombstone, and the edge of a new relation. */
static int
flush_rest(const struct store_flush *f, const struct store_dirty *d)
{
	struct slice topic = slice_of(d->topic, d->topic_len);
	int err = d->deleted ? flush_tomb(f, topic, d->seq) : 0;

	return err < 0 || d->old_seq ? err : flush_edge(f, topic);
}

static int
by_old_seq(const void *pa, const void *pb)
{
	const struct store_dirty *a = *(struct store_dirty *const *)pa;
	const struct store_dirty *b = *(struct store_dirty *const *)pb;

	return (a->old_seq > b->old_seq) - (a->old_seq < b->old_seq);
}

static int
by_topic(const void *pa, const void *pb)
{
	const struct store_dirty *a = *(struct store_dirty *const *)pa;
	const struct store_dirty *b = *(struct store_dirty *const *)pb;
	int c = memcmp(a->topic, b->topic, MIN(a->topic_len, b->topic_len));

	return c ? c
		 : (a->topic_len > b->topic_len) -
		       (a->topic_len < b->topic_len);
}

int
store_flush_rows(
    const struct store_flush *f, struct store_dirty *oldest, size_t n)
{
	CLEANUP(freep) struct store_dirty **v = malloc((n + 1) * sizeof(*v));
	struct store_dirty *d;
	size_t i = 0;
	int err;

	if (!v)
		return -ENOMEM;
	for (d = oldest; d; d = d->newer)
		v[i++] = d;
	assert(i == n);
	qsort(v, n, sizeof(*v), by_old_seq);
	err = flush_old(f, v, n);
	if (err == 0)
		err = flush_changed(f, oldest);
	qsort(v, n, sizeof(*v), by_topic);
	if (err == 0)
		err = flush_rows(f, v, n);
	for (d = oldest; d && err == 0; d = d->newer)
		err = flush_rest(f, d);
	return err;
}

static int
put_restored(const struct store_flush *f, struct slice topic,
    struct slice bytes, bool dropped)
{
	MDB_dbi dbi = store_table(f->e, f->gen, STORE_ROWS);
	MDB_val key = store_val(topic), val = { 1 + bytes.len, NULL };
	int rc = mdb_put(f->txn, dbi, &key, &val, MDB_APPEND | MDB_RESERVE);

	/* Topics that come twice, or in another order. */
	if (rc == MDB_KEYEXIST)
		return -EPROTO;
	if (rc)
		return store_err(rc);
	*(uint8_t *)val.mv_data = dropped ? STORE_ROW_DROPPED : 0;
	memcpy((uint8_t *)val.mv_data + 1, bytes.p, bytes.len);
	return 0;
}

int
store_flush_restored(const struct store_flush *f, struct slice bytes,
    bool dropped, uint64_t upto)
{
	MDB_dbi changed = store_table(f->e, f->gen, STORE_CHANGED);
	MDB_val key, val;
	struct row row;
	int rc, err = row_decode(bytes, &row, NULL);

	if (err < 0 || row.seq == 0 || row.seq > upto ||
	    !topic_valid(row.topic, NULL))
		return -EPROTO;
	err = put_restored(f, row.topic, bytes, dropped);
	if (err == 0)
		err = flush_edge(f, row.topic);
	if (err < 0 || dropped)
		return err;
	f->gen->rows++;
	key = (MDB_val){ sizeof(row.seq), &row.seq };
	val = store_val(row.topic);
	rc = mdb_put(f->txn, changed, &key, &val, MDB_NOOVERWRITE);
	if (rc)
		return rc == MDB_KEYEXIST ? -EPROTO : store_err(rc);
	return row.deleted ? flush_tomb(f, row.topic, row.seq) : 0;
}
