/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tombstones past their time are hidden: the row stays, with a flag, for the
 * topic may come back and has to fold as if nothing had been forgotten.
 */

#include <errno.h>

#include "broker/store_fold.h"
#include "broker/store_priv.h"
#include "core/time.h"
#include "core/topic.h"

enum {
	AT_ONCE = 1000,
	TOMB_KEY = 16,
};

static uint64_t
get_be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* The row as it is now, if the tomb is still its own. */
static int
find(const struct store_env *e, MDB_txn *txn, const struct store_gen *g,
    struct slice topic, uint64_t seq, struct slice *found)
{
	MDB_val key = store_val(topic), val;
	const uint8_t *p;
	struct row row;
	int rc = mdb_get(txn, store_table(e, g, STORE_ROWS), &key, &val);

	*found = slice_of(NULL, 0);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return store_err(rc);
	p = val.mv_data;
	if (val.mv_size < 2 ||
	    row_decode(slice_of(p + 1, val.mv_size - 1), &row, NULL) < 0)
		return -EBADMSG;
	if (row.deleted && row.seq == seq && !(*p & STORE_ROW_DROPPED))
		*found = slice_of(p, val.mv_size);
	return 0;
}

static int
hide(const struct store_env *e, MDB_txn *txn, struct store_gen *g,
    struct slice topic, uint64_t seq)
{
	CLEANUP(freep) uint8_t *copy = NULL;
	MDB_val key = store_val(topic), val;
	struct slice found;
	int rc, err = find(e, txn, g, topic, seq, &found);

	if (err < 0 || !found.p)
		return err;
	copy = malloc(found.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, found.p, found.len);
	*copy |= STORE_ROW_DROPPED;
	val = (MDB_val){ found.len, copy };
	rc = mdb_put(txn, store_table(e, g, STORE_ROWS), &key, &val, 0);
	key = (MDB_val){ sizeof(seq), &seq };
	if (!rc)
		rc = mdb_del(txn, store_table(e, g, STORE_CHANGED), &key, NULL);
	if (rc)
		return store_err(rc);
	g->floor = MAX(g->floor, seq);
	g->rows--;
	return 0;
}

/* The first tomb, where it is past its time: 1 when it was dealt with. */
static int
first(struct store *st, MDB_txn *txn, struct store_gen *g, uint64_t now_us)
{
	MDB_dbi dbi = store_table(&st->e, g, STORE_TOMBS);
	uint8_t topic[TOPIC_MAX], at[TOMB_KEY];
	MDB_cursor *cur;
	MDB_val key, val;
	uint64_t age;
	int err, rc = mdb_cursor_open(txn, dbi, &cur);

	if (rc)
		return store_err(rc);
	rc = mdb_cursor_get(cur, &key, &val, MDB_FIRST);
	mdb_cursor_close(cur);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : store_err(rc);
	if (key.mv_size != TOMB_KEY || val.mv_size > TOPIC_MAX)
		return -EBADMSG;
	memcpy(at, key.mv_data, TOMB_KEY);
	memcpy(topic, val.mv_data, val.mv_size);
	age = now_us - MIN(now_us, get_be64(at));
	if (age / US_PER_S < st->opt.tombstone_s)
		return 0;
	err = hide(
	    &st->e, txn, g, slice_of(topic, val.mv_size), get_be64(at + 8));
	if (err < 0)
		return err;
	key = (MDB_val){ sizeof(at), at };
	rc = mdb_del(txn, dbi, &key, NULL);
	return rc ? store_err(rc) : 1;
}

int
store_fold_tombs(struct store *st, uint64_t now_us)
{
	struct store_meta *m;
	MDB_txn *txn;
	int n = 0, got = 1, err = store_fold_commit(st);

	if (err == 0)
		err = store_fold_begin(st, &txn, &m);
	if (err < 0)
		return err;
	for (; n < AT_ONCE && got > 0; n += got > 0)
		got = first(st, txn, &m->gen[STORE_LIVE], now_us);
	if (got < 0)
		return got;
	if (n == 0) {
		store_fold_abort(st);
		return 0;
	}
	err = store_fold_commit(st);
	return err < 0 ? err : got;
}
