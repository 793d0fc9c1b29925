/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The store in memory: topics in order, each with its versions.  Nothing is
 * freed before the store is, so that slices live as long as they must.
 */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/rules.h"
#include "core/topic.h"
#include "tests/lib/fakestore.h"

struct fake_version {
	uint64_t seq;
	uint8_t *bytes;
	size_t len;
	uint8_t actor[TOPIC_ACTOR_MAX];
	size_t actor_len;
};

struct fake_topic {
	uint8_t *name;
	size_t len;
	bool dropped;
	struct fake_version *v;
	size_t n;
};

struct store {
	pthread_mutex_t lock;
	const struct rules *rules;
	struct fake_topic *v;
	size_t n;
	uint64_t seq, floor, generation, history_seq;
	bool history_set;
	char log[PROTO_LOG_NAME];
	void (*on_read)(void *arg);
	void *on_read_arg;
	unsigned reads, open;
};

struct store_read {
	struct store *st;
	uint64_t seq, floor, generation, history_seq;
};

enum fake_kind {
	FAKE_ROWS,
	FAKE_LIST
};

struct store_iter {
	struct store_read *r;
	enum fake_kind kind;
	/* Rows: the next is the first at or behind this. */
	uint8_t from[TOPIC_MAX + 2];
	size_t from_len;
	bool dropped;
	struct store_item *v;
	size_t n, at;
	bool failed; /* memory was short: v lacks some */
};

static struct slice
fake_name(const struct fake_topic *t)
{
	return slice_of(t->name, t->len);
}

static int
fake_compare(struct slice a, struct slice b)
{
	int c = memcmp(a.p, b.p, MIN(a.len, b.len));

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

struct store *
fakestore_new(const struct rules *rules)
{
	struct store *st = calloc(1, sizeof(*st));

	assert(st);
	pthread_mutex_init(&st->lock, NULL);
	st->rules = rules;
	strcpy(st->log, "00112233445566778899aabbccddeeff-1");
	return st;
}

struct store *
fakestore_free(struct store *st)
{
	assert(st->open == 0);
	for (size_t i = 0; i < st->n; i++) {
		for (size_t k = 0; k < st->v[i].n; k++)
			free(st->v[i].v[k].bytes);
		free(st->v[i].v);
		free(st->v[i].name);
	}
	free(st->v);
	pthread_mutex_destroy(&st->lock);
	free(st);
	return NULL;
}

/* Where the first topic at or behind name is. */
static size_t
fake_find(const struct store *st, struct slice name)
{
	size_t low = 0, high = st->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (fake_compare(fake_name(&st->v[middle]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct fake_topic *
fake_get(const struct store *st, struct slice name)
{
	size_t i = fake_find(st, name);

	return i < st->n && slice_equal(fake_name(&st->v[i]), name) ? &st->v[i]
								    : NULL;
}

/* The version that a transaction at seq sees. */
static const struct fake_version *
fake_version(const struct fake_topic *t, uint64_t seq)
{
	for (size_t i = t->n; i > 0; i--)
		if (t->v[i - 1].seq <= seq)
			return &t->v[i - 1];
	return NULL;
}

static struct fake_topic *
fake_add(struct store *st, struct slice name)
{
	size_t i = fake_find(st, name);

	st->v = realloc(st->v, (st->n + 1) * sizeof(*st->v));
	assert(st->v);
	memmove(&st->v[i + 1], &st->v[i], (st->n - i) * sizeof(*st->v));
	st->n++;
	st->v[i] =
	    (struct fake_topic){ .name = malloc(name.len), .len = name.len };
	memcpy(st->v[i].name, name.p, name.len);
	return &st->v[i];
}

void
fakestore_put(struct store *st, const struct row *row)
{
	struct fake_topic *t;
	struct fake_version *v;

	pthread_mutex_lock(&st->lock);
	assert(row->seq > st->seq);
	t = fake_get(st, row->topic);
	if (!t)
		t = fake_add(st, row->topic);
	t->v = realloc(t->v, (t->n + 1) * sizeof(*t->v));
	assert(t->v);
	v = &t->v[t->n++];
	v->seq = row->seq;
	v->len = row_size(row);
	v->bytes = malloc(v->len);
	(void)row_encode(row, v->bytes);
	v->actor_len = row->updated_by.len;
	if (v->actor_len)
		memcpy(v->actor, row->updated_by.p, v->actor_len);
	t->dropped = false;
	st->seq = row->seq;
	pthread_mutex_unlock(&st->lock);
}

bool
fakestore_get(struct store *st, struct slice topic, struct slice *row)
{
	const struct fake_topic *t;

	pthread_mutex_lock(&st->lock);
	t = fake_get(st, topic);
	if (t)
		*row = slice_of(t->v[t->n - 1].bytes, t->v[t->n - 1].len);
	pthread_mutex_unlock(&st->lock);
	return t != NULL;
}

void
fakestore_drop(struct store *st, struct slice topic)
{
	pthread_mutex_lock(&st->lock);
	fake_get(st, topic)->dropped = true;
	pthread_mutex_unlock(&st->lock);
}

void
fakestore_set_floor(struct store *st, uint64_t seq)
{
	st->floor = seq;
}

void
fakestore_set_history_seq(struct store *st, uint64_t seq)
{
	st->history_seq = seq;
	st->history_set = true;
}

void
fakestore_regenerate(struct store *st)
{
	st->generation++;
}

void
fakestore_set_log(struct store *st, const char *log)
{
	strcpy(st->log, log);
}

void
fakestore_on_read(struct store *st, void (*fn)(void *arg), void *arg)
{
	st->on_read = fn;
	st->on_read_arg = arg;
}

unsigned
fakestore_reads(const struct store *st)
{
	return st->reads;
}

/* --- store.h --- */

void
store_status(const struct store *st, struct store_status *out)
{
	*out = (struct store_status){
		.seq = st->seq,
		.history_seq = st->history_set ? st->history_seq : st->seq,
		.tombstone_floor = st->floor,
		.rows = st->n,
	};
	strcpy(out->log, st->seq ? st->log : "");
}

int
store_pack_rules(const struct store *st, struct mp_buf *b)
{
	rules_pack(st->rules, b);
	return 0;
}

int
store_read_begin(struct store *st, struct store_read **out)
{
	struct store_read *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	if (st->on_read)
		st->on_read(st->on_read_arg);
	pthread_mutex_lock(&st->lock);
	st->reads++;
	st->open++;
	*r = (struct store_read){ st, st->seq, st->floor, st->generation,
		st->history_set ? st->history_seq : st->seq };
	pthread_mutex_unlock(&st->lock);
	*out = r;
	return 0;
}

struct store_read *
store_read_end(struct store_read *r)
{
	if (!r)
		return NULL;
	pthread_mutex_lock(&r->st->lock);
	r->st->open--;
	pthread_mutex_unlock(&r->st->lock);
	free(r);
	return NULL;
}

uint64_t
store_read_seq(const struct store_read *r)
{
	return r->seq;
}

uint64_t
store_read_history_seq(const struct store_read *r)
{
	return r->history_seq;
}

uint64_t
store_read_floor(const struct store_read *r)
{
	return r->floor;
}

uint64_t
store_read_generation(const struct store_read *r)
{
	return r->generation;
}

int
store_row(
    struct store_read *r, struct slice topic, struct slice *row, bool *dropped)
{
	const struct fake_version *v = NULL;
	const struct fake_topic *t;

	pthread_mutex_lock(&r->st->lock);
	t = fake_get(r->st, topic);
	if (t)
		v = fake_version(t, r->seq);
	if (v) {
		*row = slice_of(v->bytes, v->len);
		*dropped = t->dropped && v == &t->v[t->n - 1];
	}
	pthread_mutex_unlock(&r->st->lock);
	return v ? STORE_FOUND : STORE_END;
}

static struct store_iter *
fake_iter(struct store_read *r, enum fake_kind kind)
{
	struct store_iter *it = calloc(1, sizeof(*it));

	if (!it)
		return NULL;
	it->r = r;
	it->kind = kind;
	return it;
}

int
store_iter_rows(struct store_read *r, struct slice from, bool dropped,
    struct store_iter **out)
{
	struct store_iter *it = fake_iter(r, FAKE_ROWS);

	if (!it)
		return -ENOMEM;
	assert(from.len < sizeof(it->from));
	if (from.len)
		memcpy(it->from, from.p, from.len);
	it->from_len = from.len;
	it->dropped = dropped;
	*out = it;
	return 0;
}

static void
fake_list(struct store_iter *it, uint64_t seq, struct slice topic)
{
	void *v = realloc(it->v, (it->n + 1) * sizeof(*it->v));

	if (!v) {
		it->failed = true;
		return;
	}
	it->v = v;
	it->v[it->n++] = (struct store_item){ .seq = seq, .topic = topic };
}

static int
fake_order(const void *a, const void *b)
{
	const struct store_item *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static int
fake_order_reverse(const void *a, const void *b)
{
	return fake_order(b, a);
}

static void
fake_sort(struct store_iter *it, bool reverse)
{
	if (it->n > 1)
		qsort(it->v, it->n, sizeof(*it->v),
		    reverse ? fake_order_reverse : fake_order);
}

int
store_iter_changed(
    struct store_read *r, uint64_t after, struct store_iter **out)
{
	struct store_iter *it = fake_iter(r, FAKE_LIST);

	if (!it)
		return -ENOMEM;
	pthread_mutex_lock(&r->st->lock);
	for (size_t i = 0; i < r->st->n; i++) {
		const struct fake_topic *t = &r->st->v[i];
		const struct fake_version *v = fake_version(t, r->seq);

		if (v && v->seq > after)
			fake_list(it, v->seq, fake_name(t));
	}
	pthread_mutex_unlock(&r->st->lock);
	fake_sort(it, false);
	*out = it;
	return 0;
}

int
store_iter_edges(
    struct store_read *r, struct slice name, struct store_iter **out)
{
	struct store_iter *it = fake_iter(r, FAKE_LIST);

	if (!it)
		return -ENOMEM;
	pthread_mutex_lock(&r->st->lock);
	for (size_t i = 0; i < r->st->n; i++) {
		const struct fake_topic *t = &r->st->v[i];
		struct slice rest = fake_name(t), token[6] = { { 0 } };
		unsigned n = 0;

		while (n < 6 && topic_next_token(&rest, &token[n]))
			n++;
		if (n == 5 && slice_is(token[0], "graph") &&
		    slice_is(token[1], "relation") &&
		    slice_equal(token[4], name) && fake_version(t, r->seq))
			fake_list(it, 0, fake_name(t));
	}
	pthread_mutex_unlock(&r->st->lock);
	*out = it;
	return 0;
}

/* Seqs of versions that fit, within what the history includes. */
static struct store_iter *
fake_seqs(struct store_read *r, struct slice topic, struct slice actor,
    uint64_t seq, bool reverse)
{
	struct store_iter *it = fake_iter(r, FAKE_LIST);

	if (!it)
		return NULL;
	pthread_mutex_lock(&r->st->lock);
	for (size_t i = 0; i < r->st->n; i++) {
		const struct fake_topic *t = &r->st->v[i];

		if (topic.p && !slice_equal(topic, fake_name(t)))
			continue;
		for (size_t k = 0; k < t->n; k++) {
			const struct fake_version *v = &t->v[k];
			struct slice by = slice_of(v->actor, v->actor_len);

			if (actor.p && !slice_equal(actor, by))
				continue;
			if (v->seq <= r->history_seq &&
			    (reverse ? v->seq < seq : v->seq > seq))
				fake_list(it, v->seq, (struct slice){ 0 });
		}
	}
	pthread_mutex_unlock(&r->st->lock);
	fake_sort(it, reverse);
	return it;
}

int
store_iter_topic(struct store_read *r, struct slice topic, uint64_t seq,
    bool reverse, struct store_iter **out)
{
	*out = fake_seqs(r, topic, (struct slice){ 0 }, seq, reverse);
	return *out ? 0 : -ENOMEM;
}

int
store_iter_actor(struct store_read *r, struct slice actor, uint64_t seq,
    bool reverse, struct store_iter **out)
{
	*out = fake_seqs(r, (struct slice){ 0 }, actor, seq, reverse);
	return *out ? 0 : -ENOMEM;
}

static bool
fake_next_row(struct store_iter *it, struct store_item *item)
{
	const struct store *st = it->r->st;
	size_t i = fake_find(st, slice_of(it->from, it->from_len));

	for (; i < st->n; i++) {
		const struct fake_topic *t = &st->v[i];
		const struct fake_version *v = fake_version(t, it->r->seq);
		bool dropped = t->dropped && v == &t->v[t->n - 1];

		if (!v || (dropped && !it->dropped))
			continue;
		*item = (struct store_item){
			.seq = v->seq,
			.topic = fake_name(t),
			.row = slice_of(v->bytes, v->len),
			.dropped = dropped,
		};
		memcpy(it->from, t->name, t->len);
		it->from[t->len] = '\0';
		it->from_len = t->len + 1;
		return true;
	}
	return false;
}

int
store_iter_next(struct store_iter *it, struct store_item *item)
{
	bool found;

	if (it->failed)
		return -ENOMEM;
	if (it->kind == FAKE_LIST) {
		if (it->at == it->n)
			return STORE_END;
		*item = it->v[it->at++];
		return STORE_FOUND;
	}
	pthread_mutex_lock(&it->r->st->lock);
	found = fake_next_row(it, item);
	pthread_mutex_unlock(&it->r->st->lock);
	return found ? STORE_FOUND : STORE_END;
}

struct store_iter *
store_iter_free(struct store_iter *it)
{
	if (it)
		free(it->v);
	free(it);
	return NULL;
}
