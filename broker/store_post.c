/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Postings: the seqs of a topic's or an actor's events.  They are gathered
 * for a transaction and written in the order of their keys, for neighbours
 * share a page.
 */

#include <errno.h>

#include "broker/store_priv.h"

struct store_post {
	const uint8_t *key; /* once all are there */
	size_t at;	    /* of the key among the bytes */
	size_t len;
	uint64_t seq;
};

void
store_posts_deinit(struct store_posts *ps)
{
	mp_buf_deinit(&ps->bytes);
	free(ps->v);
	*ps = (struct store_posts){ 0 };
}

void
store_posts_clear(struct store_posts *ps)
{
	ps->n = 0;
	mp_buf_reset(&ps->bytes);
}

static int
grow(struct store_posts *ps)
{
	size_t cap = MAX(2 * ps->cap, (size_t)1024);
	struct store_post *v = realloc(ps->v, cap * sizeof(*v));

	if (!v)
		return -ENOMEM;
	ps->v = v;
	ps->cap = cap;
	return 0;
}

int
store_posts_add(
    struct store_posts *ps, struct slice head, struct slice key, uint64_t seq)
{
	struct store_post *p;

	if (ps->n == ps->cap && grow(ps) < 0)
		return -ENOMEM;
	p = &ps->v[ps->n];
	p->at = ps->bytes.len;
	p->len = head.len + key.len;
	p->seq = seq;
	mp_buf_bytes(&ps->bytes, head.p, head.len);
	mp_buf_bytes(&ps->bytes, key.p, key.len);
	if (ps->bytes.failed)
		return -ENOMEM;
	ps->n++;
	return 0;
}

static int
by_key(const void *pa, const void *pb)
{
	const struct store_post *a = pa, *b = pb;
	int c = memcmp(a->key, b->key, MIN(a->len, b->len));

	if (c)
		return c;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return (a->seq > b->seq) - (a->seq < b->seq);
}

int
store_posts_flush(struct store_posts *ps, MDB_txn *txn, MDB_dbi dbi)
{
	MDB_cursor *cur;
	int rc;

	if (ps->n == 0)
		return 0;
	for (size_t i = 0; i < ps->n; i++)
		ps->v[i].key = ps->bytes.p + ps->v[i].at;
	qsort(ps->v, ps->n, sizeof(*ps->v), by_key);
	rc = mdb_cursor_open(txn, dbi, &cur);
	if (rc)
		return store_err(rc);
	for (size_t i = 0; !rc && i < ps->n; i++) {
		struct store_post *p = &ps->v[i];
		MDB_val key = store_val(slice_of(p->key, p->len));
		MDB_val val = { sizeof(p->seq), &p->seq };

		rc = mdb_cursor_put(cur, &key, &val, MDB_APPENDDUP);
	}
	mdb_cursor_close(cur);
	store_posts_clear(ps);
	return store_err(rc);
}
