/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading: transactions that see one position, and walks over the tables.
 * What is handed out are bytes of the map; nothing is copied.
 */

#include <errno.h>

#include "broker/store_priv.h"
#include "core/topic.h"

enum {
	KEY_MAX = 511 /* LMDB's */
};

struct store_read {
	const struct store_env *e;
	MDB_txn *txn;
	struct store_meta meta;
};

enum walk {
	WALK_ROWS,
	WALK_CHANGED,
	WALK_EDGES,
	WALK_SEQS,
};

struct store_iter {
	MDB_cursor *cur;
	enum walk walk;
	MDB_cursor_op step;
	bool dropped; /* are not passed over */
	bool ended;
	bool pending; /* key and val are the next item */
	MDB_val key, val;
};

/* --- transactions --- */

int
store_read_begin(struct store *st, struct store_read **out)
{
	CLEANUP(store_read_endp)
	struct store_read *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->e = &st->e;
	err = store_err(mdb_txn_begin(st->e.env, NULL, MDB_RDONLY, &r->txn));
	if (err < 0) {
		r->txn = NULL;
		return err;
	}
	err = store_meta_get(r->e, r->txn, &r->meta);
	if (err < 0)
		return err;
	*out = TAKE(r);
	return 0;
}

struct store_read *
store_read_end(struct store_read *r)
{
	if (!r)
		return NULL;
	if (r->txn)
		mdb_txn_abort(r->txn);
	free(r);
	return NULL;
}

uint64_t
store_read_seq(const struct store_read *r)
{
	return r->meta.gen[STORE_LIVE].seq;
}

uint64_t
store_read_history_seq(const struct store_read *r)
{
	return r->meta.history_seq;
}

uint64_t
store_read_floor(const struct store_read *r)
{
	return r->meta.gen[STORE_LIVE].floor;
}

uint64_t
store_read_generation(const struct store_read *r)
{
	return r->meta.gen[STORE_LIVE].number;
}

static MDB_dbi
table(const struct store_read *r, enum store_table which)
{
	return store_table(r->e, &r->meta.gen[STORE_LIVE], which);
}

/* Flags off, row out. */
static int
split(MDB_val val, struct slice *row, bool *dropped)
{
	const uint8_t *p = val.mv_data;

	if (val.mv_size < 2)
		return -EBADMSG;
	*dropped = *p & STORE_ROW_DROPPED;
	*row = slice_of(p + 1, val.mv_size - 1);
	return 0;
}

int
store_row(
    struct store_read *r, struct slice topic, struct slice *row, bool *dropped)
{
	MDB_val key = store_val(topic), val;
	int err, rc;

	if (topic.len == 0 || topic.len > KEY_MAX)
		return STORE_END;
	rc = mdb_get(r->txn, table(r, STORE_ROWS), &key, &val);
	if (rc)
		return rc == MDB_NOTFOUND ? STORE_END : store_err(rc);
	err = split(val, row, dropped);
	return err < 0 ? err : STORE_FOUND;
}

/* --- walks --- */

/*
 * A walk whose first item is where key, val and op lead; MDB_NOTFOUND there
 * is its end.
 */
static int
walk_new(struct store_read *r, MDB_dbi dbi, enum walk walk, MDB_cursor_op op,
    MDB_cursor_op step, MDB_val key, MDB_val val, struct store_iter **out)
{
	CLEANUP(store_iter_freep)
	struct store_iter *it = calloc(1, sizeof(*it));
	int rc;

	if (!it)
		return -ENOMEM;
	it->walk = walk;
	it->step = step;
	it->key = key;
	it->val = val;
	rc = mdb_cursor_open(r->txn, dbi, &it->cur);
	if (rc) {
		it->cur = NULL;
		return store_err(rc);
	}
	rc = mdb_cursor_get(it->cur, &it->key, &it->val, op);
	if (rc && rc != MDB_NOTFOUND)
		return store_err(rc);
	it->ended = rc == MDB_NOTFOUND;
	it->pending = !it->ended;
	*out = TAKE(it);
	return 0;
}

struct store_iter *
store_iter_free(struct store_iter *it)
{
	if (!it)
		return NULL;
	if (it->cur)
		mdb_cursor_close(it->cur);
	free(it);
	return NULL;
}

int
store_iter_rows(struct store_read *r, struct slice from, bool dropped,
    struct store_iter **out)
{
	MDB_val key = { MIN(from.len, (size_t)KEY_MAX),
		(void *)(uintptr_t)from.p };
	int err = walk_new(r, table(r, STORE_ROWS), WALK_ROWS,
	    from.len ? MDB_SET_RANGE : MDB_FIRST, MDB_NEXT, key,
	    (MDB_val){ 0, NULL }, out);

	if (err == 0)
		(*out)->dropped = dropped;
	return err;
}

int
store_iter_changed(
    struct store_read *r, uint64_t after, struct store_iter **out)
{
	uint64_t seq = after + 1;
	MDB_val key = { sizeof(seq), &seq };
	int err = walk_new(r, table(r, STORE_CHANGED), WALK_CHANGED,
	    MDB_SET_RANGE, MDB_NEXT, key, (MDB_val){ 0, NULL }, out);

	if (err == 0 && after == UINT64_MAX)
		(*out)->ended = true;
	return err;
}

/* A topic as a key, or a key that no topic is. */
static MDB_val
topic_key(struct slice topic)
{
	static const uint8_t none[KEY_MAX];

	if (topic.len == 0 || topic.len > TOPIC_MAX)
		topic = slice_of(none, sizeof(none));
	return store_val(topic);
}

int
store_iter_edges(
    struct store_read *r, struct slice name, struct store_iter **out)
{
	return walk_new(r, table(r, STORE_EDGES), WALK_EDGES, MDB_SET_KEY,
	    MDB_NEXT_DUP, topic_key(name), (MDB_val){ 0, NULL }, out);
}

/* Descending from the last before seq, of those that key has. */
static int
walk_back(struct store_read *r, MDB_dbi dbi, MDB_val key, uint64_t seq,
    struct store_iter **out)
{
	MDB_val val = { sizeof(seq), &seq }, k = key;
	struct store_iter *it;
	int rc, err = walk_new(r, dbi, WALK_SEQS, MDB_GET_BOTH_RANGE,
		    MDB_PREV_DUP, key, val, out);

	if (err < 0)
		return err;
	it = *out;
	if (!it->ended) { /* at the first from seq on */
		it->pending = false;
		return 0;
	}
	rc = mdb_cursor_get(it->cur, &k, &it->val, MDB_SET);
	if (!rc)
		rc = mdb_cursor_get(it->cur, &k, &it->val, MDB_LAST_DUP);
	if (rc && rc != MDB_NOTFOUND) {
		*out = store_iter_free(it);
		return store_err(rc);
	}
	it->ended = rc == MDB_NOTFOUND;
	it->pending = !rc;
	return 0;
}

static int
walk_seqs(struct store_read *r, MDB_dbi dbi, MDB_val key, uint64_t seq,
    bool reverse, struct store_iter **out)
{
	uint64_t from = seq + 1;
	MDB_val val = { sizeof(from), &from };
	int err;

	if (reverse)
		return walk_back(r, dbi, key, seq, out);
	err = walk_new(
	    r, dbi, WALK_SEQS, MDB_GET_BOTH_RANGE, MDB_NEXT_DUP, key, val, out);
	if (err == 0 && seq == UINT64_MAX)
		(*out)->ended = true;
	return err;
}

int
store_iter_topic(struct store_read *r, struct slice topic, uint64_t seq,
    bool reverse, struct store_iter **out)
{
	return walk_seqs(r, r->e->topics, topic_key(topic), seq, reverse, out);
}

int
store_iter_actor(struct store_read *r, struct slice actor, uint64_t seq,
    bool reverse, struct store_iter **out)
{
	uint8_t buf[1 + TOPIC_ACTOR_MAX] = { STORE_ACTOR };
	MDB_val key = { 1 + actor.len, buf };

	if (actor.len > TOPIC_ACTOR_MAX) {
		buf[0] = 0; /* there is no such key */
		key.mv_size = 1;
	} else if (actor.len > 0) {
		memcpy(buf + 1, actor.p, actor.len);
	}
	return walk_seqs(r, r->e->actors, key, seq, reverse, out);
}

static int
take_item(const struct store_iter *it, struct store_item *item)
{
	*item = (struct store_item){ 0 };
	switch (it->walk) {
	case WALK_ROWS:
		item->topic = store_slice(it->key);
		return split(it->val, &item->row, &item->dropped);
	case WALK_CHANGED:
		if (it->key.mv_size != sizeof(item->seq))
			return -EBADMSG;
		memcpy(&item->seq, it->key.mv_data, sizeof(item->seq));
		item->topic = store_slice(it->val);
		return 0;
	case WALK_EDGES:
		item->topic = store_slice(it->val);
		return 0;
	case WALK_SEQS:
		if (it->val.mv_size != sizeof(item->seq))
			return -EBADMSG;
		memcpy(&item->seq, it->val.mv_data, sizeof(item->seq));
		return 0;
	}
	return -EBADMSG;
}

int
store_iter_next(struct store_iter *it, struct store_item *item)
{
	int rc, err;

	for (;;) {
		if (it->ended)
			return STORE_END;
		if (!it->pending) {
			rc = mdb_cursor_get(
			    it->cur, &it->key, &it->val, it->step);
			if (rc == MDB_NOTFOUND) {
				it->ended = true;
				return STORE_END;
			}
			if (rc)
				return store_err(rc);
		}
		it->pending = false;
		err = take_item(it, item);
		if (err < 0)
			return err;
		if (!item->dropped || it->dropped)
			return STORE_FOUND;
	}
}
