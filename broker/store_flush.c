/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Changed rows on their way into the environment: the row, its place by seq,
 * its tombstone, and the ends of relations, whose four tables agree.
 */

#include <assert.h>
#include <errno.h>

#include "broker/store_priv.h"
#include "core/mp.h"
#include "core/topic.h"

enum {
	TOMB_KEY = 16, /* time and seq, big-endian */
	EDGE_KEY = 1 + TOPIC_ESCAPED_MAX + 1,
};

bool
store_is_relation(struct slice topic)
{
	static const char prefix[] = "graph.relation.";

	return topic.len >= sizeof(prefix) &&
	       !memcmp(topic.p, prefix, sizeof(prefix) - 1);
}

struct store_ends
store_ends(struct slice value)
{
	struct store_ends ends = { { NULL, 0 }, { NULL, 0 } };
	struct mp_walk w = mp_walk(value);
	struct mp_item item;
	struct slice name, v;

	if (!mp_next(&w, &item) || item.type != MP_MAP)
		return ends;
	for (uint32_t n = item.n; n > 0; n--) {
		struct slice *end = NULL;
		struct mp_walk one;

		if (!mp_next_name(&w, &name) || !mp_skip(&w, &v))
			break;
		if (name.p && slice_is(name, "from"))
			end = &ends.from;
		else if (name.p && slice_is(name, "to"))
			end = &ends.to;
		one = mp_walk(v);
		if (end && mp_next(&one, &item) && item.type == MP_STR)
			*end = item.s;
	}
	return ends;
}

static MDB_val
edge_key(char way, struct slice name, char buf[EDGE_KEY])
{
	buf[0] = way;
	return (MDB_val){ 1 + topic_escape(name, buf + 1), buf };
}

static int
flush_end(const struct store_flush *f, char way, struct slice topic,
    struct slice was, struct slice is)
{
	MDB_dbi dbi = store_table(f->e, f->gen, STORE_EDGES);
	MDB_val val = store_val(topic), key;
	char buf[EDGE_KEY];
	int rc;

	if (!was.p == !is.p && slice_equal(was, is))
		return 0;
	if (was.p) {
		key = edge_key(way, was, buf);
		rc = mdb_del(f->txn, dbi, &key, &val);
		if (rc)
			return store_err(rc);
	}
	if (!is.p)
		return 0;
	key = edge_key(way, is, buf);
	return store_err(mdb_put(f->txn, dbi, &key, &val, 0));
}

static int
flush_ends(const struct store_flush *f, struct slice topic,
    const struct store_ends *was, struct slice value)
{
	struct store_ends is = store_ends(value);
	int err = flush_end(f, 'o', topic, was->from, is.from);

	return err < 0 ? err : flush_end(f, 'i', topic, was->to, is.to);
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

int
store_flush_row(const struct store_flush *f, const struct store_dirty *d)
{
	MDB_dbi changed = store_table(f->e, f->gen, STORE_CHANGED);
	MDB_dbi rows = store_table(f->e, f->gen, STORE_ROWS);
	struct slice topic = slice_of(d->topic, d->topic_len);
	uint64_t old = d->old_seq, seq = d->seq;
	MDB_val key = { sizeof(old), &old }, val;
	struct row row;
	int err, rc = 0;

	if (old && !d->old_dropped)
		rc = mdb_del(f->txn, changed, &key, NULL);
	key = (MDB_val){ sizeof(seq), &seq };
	val = store_val(topic);
	if (!rc)
		rc = mdb_put(f->txn, changed, &key, &val, MDB_APPEND);
	key = store_val(topic);
	val = (MDB_val){ d->len, d->row };
	if (!rc)
		rc = mdb_put(f->txn, rows, &key, &val, 0);
	if (rc)
		return store_err(rc);
	err = d->deleted ? flush_tomb(f, topic, seq) : 0;
	if (err < 0 || !store_is_relation(topic))
		return err;
	err = row_decode(slice_of(d->row + 1, d->len - 1), &row, NULL);
	assert(err == 0);
	return flush_ends(f, topic, &d->old_ends, row.value);
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
store_flush_restored(
    const struct store_flush *f, struct slice bytes, bool dropped)
{
	static const struct store_ends none = { { NULL, 0 }, { NULL, 0 } };
	MDB_dbi changed = store_table(f->e, f->gen, STORE_CHANGED);
	MDB_val key, val;
	struct row row;
	int rc, err = row_decode(bytes, &row, NULL);

	if (err < 0 || !topic_valid(row.topic, NULL))
		return -EPROTO;
	err = put_restored(f, row.topic, bytes, dropped);
	if (err == 0 && store_is_relation(row.topic))
		err = flush_ends(f, row.topic, &none, row.value);
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
