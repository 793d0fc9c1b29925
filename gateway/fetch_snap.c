/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Snapshots that the broker has open for us.  Thousands of clients that come
 * at once ask for the same: they share one that is young, since whatever
 * happened after it comes to them live.
 */

#include <assert.h>
#include <stdlib.h>

#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/fetch_priv.h"

enum {
	SHARED_NS = 200 * (int)NS_PER_MS /* so old may a shared one be */
};

static unsigned
bucket_of(const struct fetch_query *query)
{
	uint64_t h = query->filter->hash ^ query->since.v ^
		     (uint64_t)query->since.set << 63;

	return (unsigned)((h * UINT64_C(0x9e3779b97f4a7c15)) >> 32) %
	       FETCH_BUCKETS;
}

/*
 * One that is still being opened may wait for its min_seq in vain: who needs
 * less does not share that fate.
 */
static struct fetch_snap *
find(struct fetch *f, const struct fetch_query *query, uint64_t now_ns)
{
	struct fetch_snap *s;

	if (query->at.len > 0)
		return NULL;
	LIST_FOREACH (s, &f->snaps[bucket_of(query)], link)
		if (s->filter == query->filter &&
		    s->generation == f->generation &&
		    s->since.set == query->since.set &&
		    s->since.v == query->since.v &&
		    now_ns - s->born_ns < SHARED_NS &&
		    (s->open ? query->min_seq <= s->seq
			     : query->min_seq == s->min_seq))
			return s;
	return NULL;
}

/* Not for those who come later. */
static void
unlist(struct fetch_snap *s)
{
	if (s->listed)
		LIST_REMOVE(s, link);
	s->listed = false;
}

struct fetch_snap *
fetch_snap_unref(struct fetch_snap *s)
{
	struct mp_buf *b;

	if (!s || --s->refs > 0)
		return NULL;
	assert(LIST_EMPTY(&s->waits));
	unlist(s);
	/* One whose opening is under way is closed when it is open. */
	if (s->call)
		return NULL;
	if (s->open && s->generation == s->fetch->generation &&
	    ask_takes(s->fetch->ask)) {
		uint64_t id;

		b = ask_begin(s->fetch->ask, &id);
		proto_pack_head(b, "close", (struct proto_uint){ 0 }, 1);
		mp_pair_uint(b, "snapshot", s->handle);
		ask_tell(s->fetch->ask);
	}
	(void)filter_unref(s->filter);
	free(s);
	return NULL;
}

static bool
is_full(struct slice reply)
{
	struct slice value = proto_get(reply, "full");
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	return value.len == 0 || !mp_next(&w, &item) || item.type != MP_BOOL ||
	       item.boolean;
}

static void
on_opened(void *arg, struct slice reply)
{
	struct fetch_snap *s = arg;
	struct fetch_waits waits;
	struct fetch_refusal no;
	bool refused = fetch_refusal_of(reply, &no);

	s->call = NULL;
	s->refs++; /* while those who waited are told */
	fetch_move(&s->waits, &waits);
	if (refused) {
		unlist(s);
	} else {
		s->open = true;
		s->handle = proto_get_uint(reply, "snapshot").v;
		s->seq = proto_get_uint(reply, "seq").v;
		s->full = is_full(reply);
	}
	fetch_tell(&waits, refused ? &no : NULL);
	(void)fetch_snap_unref(s);
}

static void
ask_for(struct fetch *f, struct fetch_snap *s, const struct fetch_query *query)
{
	struct proto_uint id = { .set = true };
	bool at = query->at.len > 0, min = query->min_seq > 0;
	struct mp_buf *b = ask_begin(f->ask, &id.v);

	proto_pack_head(b, "open", id,
	    query->since.set + at + min +
		fetch_filter_pairs(query->filter, false));
	if (query->since.set)
		mp_pair_uint(b, "since", query->since.v);
	if (at)
		mp_pair_raw(b, "at", query->at);
	if (min)
		mp_pair_uint(b, "min_seq", query->min_seq);
	fetch_pack_filter(b, query->filter, false);
	s->call = ask_end(f->ask, on_opened, s);
}

enum fetch_found
fetch_open(struct fetch *f, const struct fetch_query *query, uint64_t now_ns,
    struct fetch_wait *w, struct fetch_snap **out)
{
	struct fetch_snap *s = find(f, query, now_ns);

	if (!s && !ask_is_up(f->ask))
		return FETCH_GONE;
	if (s) {
		s->refs++;
	} else {
		s = alloc_zero(1, sizeof(*s));
		s->refs = 1;
		s->fetch = f;
		s->number = f->next_snap++;
		s->generation = f->generation;
		s->filter = filter_ref(query->filter);
		s->since = query->since;
		s->min_seq = query->min_seq;
		s->born_ns = now_ns;
		LIST_INIT(&s->waits);
		if (query->at.len == 0) {
			s->listed = true;
			LIST_INSERT_HEAD(&f->snaps[bucket_of(query)], s, link);
		}
		ask_for(f, s, query);
	}
	*out = s;
	if (s->open)
		return FETCH_HERE;
	fetch_join(&s->waits, w);
	return FETCH_WAITING;
}

uint64_t
fetch_snap_seq(const struct fetch_snap *s)
{
	return s->seq;
}

bool
fetch_snap_full(const struct fetch_snap *s)
{
	return s->full;
}
