/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An item is a part or a page: under way, with those who wait for it, or
 * here, until newer ones need its room.  What is too large to be kept is
 * given to those who wait, and fetched again for whoever was not ready.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/alloc.h"
#include "gateway/fetch_priv.h"

enum {
	KEPT_BYTES = 8 << 20,
	KEPT_ITEMS = 512,
	RETRY_MS = 1000,
};

/* snap 0: a page, and filter is its filter; n: its after. */
struct fetch_key {
	const struct filter *filter;
	uint64_t snap;
	uint64_t n;
};

struct fetch_item {
	LIST_ENTRY(fetch_item) link;
	TAILQ_ENTRY(fetch_item) kept_link;
	struct fetch *fetch;
	struct filter *filter; /* a reference */
	uint64_t snap, n;
	uint64_t generation;  /* of the fetch when it was asked */
	struct fetched *here; /* NULL: under way */
	struct ask_call *call;
	struct fetch_waits waits;
};

/* --- those who wait --- */

void
fetch_join(struct fetch_waits *waits, struct fetch_wait *w)
{
	assert(!w->waiting);
	w->waiting = true;
	LIST_INSERT_HEAD(waits, w, link);
}

void
fetch_leave(struct fetch_wait *w)
{
	if (w->waiting)
		LIST_REMOVE(w, link);
	w->waiting = false;
}

void
fetch_move(struct fetch_waits *from, struct fetch_waits *to)
{
	struct fetch_wait *w;

	LIST_INIT(to);
	while ((w = LIST_FIRST(from)) != NULL) {
		LIST_REMOVE(w, link);
		LIST_INSERT_HEAD(to, w, link);
	}
}

void
fetch_tell(struct fetch_waits *waits, const struct fetch_refusal *no)
{
	struct fetch_wait *w;

	while ((w = LIST_FIRST(waits)) != NULL) {
		fetch_leave(w);
		w->fn(w, no);
	}
}

/* --- requests and refusals --- */

unsigned
fetch_filter_pairs(const struct filter *filter, bool types)
{
	return 1 + (types && filter->pairs[0].n_types > 0) +
	       2 * filter->restricted;
}

void
fetch_pack_filter(struct mp_buf *b, const struct filter *filter, bool types)
{
	const struct filter_pair *first = &filter->pairs[0];

	mp_pack_cstr(b, "topics");
	mp_pack_array(b, filter->n_pairs);
	for (unsigned i = 0; i < filter->n_pairs; i++)
		mp_pack_str(b, filter->pairs[i].pattern);
	/* All patterns of one subscription have the same. */
	if (types && first->n_types > 0) {
		mp_pack_cstr(b, "types");
		mp_pack_array(b, first->n_types);
		mp_pack_raw(b, first->types);
	}
	if (!filter->restricted)
		return;
	mp_pack_cstr(b, "read");
	mp_pack_array(b, filter->acl.n_read);
	for (unsigned i = 0; i < filter->acl.n_read; i++)
		mp_pack_cstr(b, filter->acl.read[i]);
	mp_pair_bool(b, "admin", filter->acl.admin);
}

bool
fetch_refusal_of(struct slice reply, struct fetch_refusal *no)
{
	struct slice code, message;

	*no = (struct fetch_refusal){ .code = PROTO_UNAVAILABLE };
	if (!reply.p) {
		no->retry_ms = RETRY_MS;
		snprintf(no->message, sizeof(no->message), "%s",
		    "the broker is away");
		return true;
	}
	if (!slice_is(proto_get_str(reply, "op"), "error"))
		return false;
	code = proto_get_str(reply, "code");
	message = proto_get_str(reply, "message");
	no->code = proto_code_find(code);
	if (no->code == PROTO_CODES)
		no->code = PROTO_INTERNAL;
	no->oldest = proto_get_uint(reply, "oldest");
	no->retry_ms = proto_get_uint(reply, "retry_ms").v;
	snprintf(no->message, sizeof(no->message), "%.*s",
	    (int)MIN(message.len, sizeof(no->message) - 1),
	    message.p ? (const char *)message.p : "");
	return true;
}

/* --- items --- */

struct fetched *
fetched_unref(struct fetched *f)
{
	if (f && --f->refs == 0)
		free(f);
	return NULL;
}

static unsigned
bucket_of(const struct fetch_key *key)
{
	uint64_t h = (uintptr_t)key->filter ^ key->snap << 32 ^ key->n;

	return (unsigned)((h * UINT64_C(0x9e3779b97f4a7c15)) >> 32) %
	       FETCH_BUCKETS;
}

static struct fetch_item *
find(struct fetch *f, const struct fetch_key *key)
{
	struct fetch_item *item;

	LIST_FOREACH (item, &f->items[bucket_of(key)], link)
		if (item->snap == key->snap && item->n == key->n &&
		    item->filter == key->filter &&
		    item->generation == f->generation)
			return item;
	return NULL;
}

static struct fetch_item *
item_new(struct fetch *f, const struct fetch_key *key, struct filter *filter)
{
	struct fetch_item *item = alloc_zero(1, sizeof(*item));

	item->fetch = f;
	item->filter = filter_ref(filter);
	item->snap = key->snap;
	item->n = key->n;
	item->generation = f->generation;
	LIST_INIT(&item->waits);
	LIST_INSERT_HEAD(&f->items[bucket_of(key)], item, link);
	return item;
}

static void
item_free(struct fetch_item *item)
{
	struct fetch *f = item->fetch;

	assert(LIST_EMPTY(&item->waits));
	(void)ask_cancel(item->call);
	if (item->here) {
		TAILQ_REMOVE(&f->kept, item, kept_link);
		f->kept_n--;
		f->kept_bytes -= item->here->len;
		(void)fetched_unref(item->here);
	}
	LIST_REMOVE(item, link);
	(void)filter_unref(item->filter);
	free(item);
}

/* The newest may be larger than all that is allowed. */
static void
keep(struct fetch_item *item, struct fetched *here)
{
	struct fetch *f = item->fetch;

	item->here = here;
	TAILQ_INSERT_TAIL(&f->kept, item, kept_link);
	f->kept_n++;
	f->kept_bytes += here->len;
	while (f->kept_n > 1 &&
	       (f->kept_n > KEPT_ITEMS || f->kept_bytes > KEPT_BYTES))
		item_free(TAILQ_FIRST(&f->kept));
}

/* What a reply says; its array is nearly all of it, and walked once. */
struct contents {
	struct mp_walk elements; /* p NULL: no array of that name */
	uint32_t n;
	bool last;
	uint64_t upto;
};

static void
take_pair(
    struct contents *c, const char *array, struct slice key, struct slice value)
{
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	if (!key.p || !mp_next(&w, &item))
		return;
	if (item.type == MP_ARRAY && slice_is(key, array)) {
		c->elements = w;
		c->n = item.n;
	} else if (item.type == MP_BOOL && slice_is(key, "last")) {
		c->last = item.boolean;
	} else if (item.type == MP_UINT && slice_is(key, "upto")) {
		c->upto = MIN(item.u, PROTO_SEQ_MAX);
	}
}

static struct contents
contents_of(struct slice reply, const char *array)
{
	struct contents c = { 0 };
	struct mp_walk w = mp_walk(reply);
	struct slice key, value;
	struct mp_item map;

	if (!mp_next(&w, &map) || map.type != MP_MAP)
		return c;
	while (map.n-- > 0 && mp_next_name(&w, &key) && mp_skip(&w, &value))
		take_pair(&c, array, key, value);
	return c;
}

static struct fetched *
read_reply(const struct fetch_item *item, struct slice reply)
{
	struct contents c = contents_of(reply, item->snap ? "rows" : "events");
	size_t len = (size_t)(c.elements.end - c.elements.p);
	struct fetched *got;

	/* A page that does not move on would be asked for ever. */
	if (!c.elements.p || (item->snap == 0 && c.upto <= item->n))
		return NULL;
	got = alloc_bytes(sizeof(*got) + len);
	*got = (struct fetched){ .refs = 1,
		.n = c.n,
		.last = c.last,
		.after = item->n,
		.upto = c.upto,
		.len = len };
	if (len > 0)
		memcpy(got->bytes, c.elements.p, len);
	return got;
}

static void
on_reply(void *arg, struct slice reply)
{
	struct fetch_item *item = arg;
	struct fetch_waits waits;
	struct fetch_refusal no;
	struct fetched *got = NULL;

	item->call = NULL;
	fetch_move(&item->waits, &waits);
	if (!fetch_refusal_of(reply, &no)) {
		got = read_reply(item, reply);
		no.retry_ms = RETRY_MS;
	}
	if (got)
		keep(item, got);
	else
		item_free(item);
	fetch_tell(&waits, got ? NULL : &no);
}

/* It is here, or it is under way and w waits; NULL: it has to be asked. */
static struct fetch_item *
look_up(struct fetch *f, const struct fetch_key *key, struct fetch_wait *w,
    struct fetched **out)
{
	struct fetch_item *item = find(f, key);

	*out = NULL;
	if (!item)
		return NULL;
	if (!item->here) {
		fetch_join(&item->waits, w);
		return item;
	}
	TAILQ_REMOVE(&f->kept, item, kept_link);
	TAILQ_INSERT_TAIL(&f->kept, item, kept_link);
	*out = item->here;
	item->here->refs++;
	return item;
}

static enum fetch_found
send(struct fetch_item *item, struct fetch_wait *w)
{
	struct fetch *f = item->fetch;

	item->call = ask_end(f->ask, on_reply, item);
	fetch_join(&item->waits, w);
	return FETCH_WAITING;
}

enum fetch_found
fetch_page(struct fetch *f, struct filter *filter, uint64_t after,
    uint64_t upto, struct fetch_wait *w, struct fetched **out)
{
	const struct fetch_key key = { filter, 0, after };
	struct proto_uint id = { .set = true };
	struct fetch_item *item = look_up(f, &key, w, out);
	struct mp_buf *b;

	/* One that goes beyond upto was asked for by somebody who is ahead. */
	if (*out && (*out)->upto > upto) {
		*out = fetched_unref(*out);
		item_free(item);
		item = NULL;
	}
	if (item)
		return *out ? FETCH_HERE : FETCH_WAITING;
	if (!ask_is_up(f->ask))
		return FETCH_GONE;
	item = item_new(f, &key, filter);
	b = ask_begin(f->ask, &id.v);
	proto_pack_head(b, "page", id, 2 + fetch_filter_pairs(filter, true));
	mp_pair_uint(b, "after", after);
	mp_pair_uint(b, "upto", upto);
	fetch_pack_filter(b, filter, true);
	return send(item, w);
}

enum fetch_found
fetch_part(struct fetch *f, struct fetch_snap *s, uint64_t n,
    struct fetch_wait *w, struct fetched **out)
{
	const struct fetch_key key = { s->filter, s->number, n };
	struct proto_uint id = { .set = true };
	struct fetch_item *item = look_up(f, &key, w, out);
	struct mp_buf *b;

	assert(s->open);
	if (item)
		return *out ? FETCH_HERE : FETCH_WAITING;
	if (!ask_is_up(f->ask) || s->generation != f->generation)
		return FETCH_GONE;
	item = item_new(f, &key, s->filter);
	b = ask_begin(f->ask, &id.v);
	proto_pack_head(b, "part", id, 2);
	mp_pair_uint(b, "snapshot", s->handle);
	mp_pair_uint(b, "n", n);
	return send(item, w);
}

/* --- the table --- */

struct fetch *
fetch_new(struct ask *ask)
{
	struct fetch *f = alloc_zero(1, sizeof(*f));

	f->ask = ask;
	f->next_snap = 1;
	TAILQ_INIT(&f->kept);
	for (unsigned i = 0; i < FETCH_BUCKETS; i++) {
		LIST_INIT(&f->items[i]);
		LIST_INIT(&f->snaps[i]);
	}
	return f;
}

struct fetch *
fetch_free(struct fetch *f)
{
	if (!f)
		return NULL;
	for (unsigned i = 0; i < FETCH_BUCKETS; i++)
		while (!LIST_EMPTY(&f->items[i]))
			item_free(LIST_FIRST(&f->items[i]));
	free(f);
	return NULL;
}

void
fetch_forget(struct fetch *f)
{
	f->generation++;
	while (!TAILQ_EMPTY(&f->kept))
		item_free(TAILQ_FIRST(&f->kept));
}

bool
fetch_is_up(const struct fetch *f)
{
	return ask_is_up(f->ask);
}
