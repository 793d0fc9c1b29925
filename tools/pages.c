/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The client of `history`.  Each page has to move on, and its events are in
 * order and within what was asked for: a server that turns in circles is
 * found out.
 */

#include "tools/pages.h"
#include "core/event.h"
#include "core/mp.h"
#include "core/reason.h"
#include "tools/query.h"
#include "tools/refuse.h"

enum {
	PAGES_LIMIT = 1000 /* events of a page */
};

static void
pages_pack_uint(struct mp_buf *b, const char *name, struct proto_uint v)
{
	if (!v.set)
		return;
	mp_pair_uint(b, name, v.v);
}

static void
pages_pack_str(struct mp_buf *b, const char *name, struct slice s)
{
	if (!s.p)
		return;
	mp_pair_str(b, name, s);
}

static int
pages_ask(struct query *q, const struct pages *p, struct reason *why)
{
	struct proto_uint min_seq = { p->min_seq > 0, p->min_seq };
	unsigned n = 1;
	struct mp_buf *b;

	n += (p->topic.p != NULL) + (p->actor.p != NULL) + (p->type.p != NULL);
	n += p->after.set + p->before.set + p->from_us.set + p->to_us.set;
	n += min_seq.set + p->reverse;
	b = query_begin(q, "history", n);
	pages_pack_str(b, "topic", p->topic);
	pages_pack_str(b, "actor", p->actor);
	pages_pack_str(b, "type", p->type);
	pages_pack_uint(b, "after", p->after);
	pages_pack_uint(b, "before", p->before);
	pages_pack_uint(b, "from_time", p->from_us);
	pages_pack_uint(b, "to_time", p->to_us);
	pages_pack_uint(b, "min_seq", min_seq);
	pages_pack_uint(b, "limit",
	    (struct proto_uint){ true, MIN(p->left, (uint64_t)PAGES_LIMIT) });
	if (p->reverse)
		mp_pair_bool(b, "reverse", true);
	return query_send(q, why);
}

/* Where the reading stands, in its direction. */
static struct proto_uint *
pages_place(struct pages *p)
{
	return p->reverse ? &p->before : &p->after;
}

static bool
pages_moves(struct pages *p, uint64_t seq)
{
	const struct proto_uint *place = pages_place(p);

	if (!place->set)
		return true;
	return p->reverse ? seq < place->v : seq > place->v;
}

static int
pages_events(struct pages *p, struct mp_walk w, uint32_t n, struct reason *why)
{
	struct slice bytes;
	struct event ev;
	int err = 0;

	for (uint32_t i = 0; i < n && err == 0; i++) {
		if (!mp_skip(&w, &bytes))
			return REFUSE(why, "the server sent half a page");
		err = event_decode(bytes, &ev, why);
		if (err < 0)
			return err;
		if (p->left == 0 || !pages_moves(p, ev.seq))
			return REFUSE(why,
			    "the server sent event %llu where it has no place",
			    (unsigned long long)ev.seq);
		*pages_place(p) = (struct proto_uint){ true, ev.seq };
		p->left--;
		p->events++;
		err = p->event(p->arg, &ev, bytes, why);
	}
	return err;
}

/* *last: there are no more. */
static int
pages_page(struct pages *p, struct slice page, bool *last, struct reason *why)
{
	struct proto_uint start = *pages_place(p);
	struct proto_uint next = proto_get_uint(page, "next");
	struct mp_walk w = mp_walk(proto_get(page, "events"));
	struct mp_item events;
	int err;

	if (!mp_next(&w, &events) || events.type != MP_ARRAY)
		return REFUSE(why, "the server sent a page that is none");
	err = pages_events(p, w, events.n, why);
	if (err)
		return err;
	*last = !next.set;
	if (*last)
		return 0;
	/* Behind the page's last event, or further where none matched. */
	if (pages_place(p)->set && next.v != pages_place(p)->v &&
	    !pages_moves(p, next.v))
		return REFUSE(why, "the server's pages do not move on");
	if (start.set && next.v == start.v)
		return REFUSE(why, "the server's pages do not move on");
	*pages_place(p) = next;
	return 0;
}

int
pages_read(struct query *q, struct pages *p, struct reason *why)
{
	bool last = false;
	struct slice page;
	int err = 0;

	while (err == 0 && !last && p->left > 0) {
		err = pages_ask(q, p, why);
		if (err == 0)
			err = query_reply(q, "history", &page, why);
		if (err == 0)
			err = pages_page(p, page, &last, why);
	}
	p->more = err == 0 && !last;
	return err > 0 ? PAGES_STOPPED : err;
}
