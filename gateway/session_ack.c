/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How far a client has got.  Positions are gathered here, one for each name,
 * told to the broker once a second and when the client leaves, and asked of
 * it before the welcome, which waits for a broker that answers and for no
 * other.
 */

#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/ask.h"
#include "gateway/session_priv.h"

enum {
	GREET_MS = 200 /* a broker that takes longer is as good as away */
};

/* Who positions belong to. */
static void
pack_owner(struct mp_buf *b, const struct session *s)
{
	mp_pair_cstr(b, "user", s->user);
	mp_pair_cstr(b, "client", s->client);
}

static struct session_mark *
find_mark(const struct session *s, struct slice name)
{
	struct session_mark *m;

	LIST_FOREACH (m, &s->marks, link)
		if (slice_equal(slice_of(m->name, m->len), name))
			return m;
	return NULL;
}

static struct session_mark *
new_mark(struct session *s, struct slice name)
{
	struct session_mark *m = alloc_zero(1, sizeof(*m) + name.len);

	m->len = name.len;
	if (name.len > 0)
		memcpy(m->name, name.p, name.len);
	LIST_INSERT_HEAD(&s->marks, m, link);
	s->n_marks++;
	return m;
}

static void
tell(struct session *s, struct session_mark *m)
{
	uint64_t id;
	struct mp_buf *b = ask_begin(s->gw->ask, &id);

	proto_pack_head(b, "ack", (struct proto_uint){ 0 }, 5);
	pack_owner(b, s);
	mp_pair_cstr(b, "log", s->gw->log);
	mp_pair_uint(b, "seq", m->seq);
	mp_pair_str(b, "name", slice_of(m->name, m->len));
	ask_tell(s->gw->ask);
	m->dirty = false;
}

void
session_ack_flush(struct session *s)
{
	struct session_mark *m;

	if (!s->marks_dirty || !ask_takes(s->gw->ask))
		return;
	LIST_FOREACH (m, &s->marks, link)
		if (m->dirty)
			tell(s, m);
	s->marks_dirty = false;
}

void
session_ack_repeat(struct session *s)
{
	struct session_mark *m;

	LIST_FOREACH (m, &s->marks, link)
		m->dirty = s->marks_dirty = true;
}

void
session_ack_leave(struct session *s)
{
	struct session_mark *m;
	uint64_t id;

	session_ack_flush(s);
	if (s->n_marks > 0 && ask_takes(s->gw->ask)) {
		struct mp_buf *b = ask_begin(s->gw->ask, &id);

		proto_pack_head(b, "leave", (struct proto_uint){ 0 }, 2);
		pack_owner(b, s);
		ask_tell(s->gw->ask);
	}
	while ((m = LIST_FIRST(&s->marks)) != NULL) {
		LIST_REMOVE(m, link);
		free(m);
	}
	s->n_marks = 0;
}

static enum proto_code
check(struct session *s, const struct proto_request *req, struct reason *why)
{
	if (!s->durable) {
		reason_set(
		    why, 0, "'hello' named no client to store a position for");
		return PROTO_BAD_REQUEST;
	}
	gateway_drink(s->gw, req->ack.seq.v);
	if (req->ack.seq.v > s->gw->groups.done) {
		reason_set(why, 0, "'seq' is beyond the head of the log");
		return PROTO_AHEAD;
	}
	if (s->n_marks >= SESSION_NAMES && !find_mark(s, req->ack.name)) {
		reason_set(
		    why, 0, "a client has at most %d names", SESSION_NAMES);
		return PROTO_TOO_LARGE;
	}
	return PROTO_OK;
}

void
session_ack(struct session *s, const struct proto_request *req)
{
	struct reason why = { "" };
	enum proto_code code = check(s, req, &why);
	struct session_mark *m;

	if (s->closing)
		return;
	if (code != PROTO_OK) {
		session_error(s, req->id, code, why.text);
		return;
	}
	m = find_mark(s, req->ack.name);
	if (m && m->seq >= req->ack.seq.v)
		return;
	if (!m)
		m = new_mark(s, req->ack.name);
	m->seq = req->ack.seq.v;
	m->dirty = s->marks_dirty = true;
}

struct ask_call *
session_ask_cursors(
    struct session *s, void (*fn)(void *arg, struct slice reply), void *arg)
{
	struct proto_uint id = { .set = true };
	struct mp_buf *b = ask_begin(s->gw->ask, &id.v);

	proto_pack_head(b, "cursors", id, 2);
	pack_owner(b, s);
	return ask_end(s->gw->ask, fn, arg);
}

/* --- the welcome --- */

static void
greet(struct session *s, struct slice ack)
{
	session_greet_end(s);
	session_welcome(s, ack);
	session_serve_held(s);
}

static void
on_cursors(void *arg, struct slice reply)
{
	struct session *s = arg;

	s->greet_call = NULL;
	greet(s, reply.p ? proto_get(reply, "ack") : reply);
}

static void
set_timer(struct gateway *gw, uint64_t after_us)
{
	if (loop_timer_set(&gw->greet_timer, after_us, 0) < 0)
		alloc_failed();
}

void
session_greet(struct session *s)
{
	static const uint8_t none = 0x80; /* an empty map */
	struct gateway *gw = s->gw;

	if (!s->durable || !ask_is_up(gw->ask)) {
		session_welcome(s, slice_of(&none, ask_is_up(gw->ask)));
		return;
	}
	s->greeting = true;
	s->greet_ns = time_mono_ns();
	if (TAILQ_EMPTY(&gw->greetings))
		set_timer(gw, GREET_MS * 1000);
	TAILQ_INSERT_TAIL(&gw->greetings, s, greet_link);
	s->greet_call = session_ask_cursors(s, on_cursors, s);
}

void
session_greet_end(struct session *s)
{
	if (!s->greeting)
		return;
	s->greeting = false;
	s->greet_call = ask_cancel(s->greet_call);
	TAILQ_REMOVE(&s->gw->greetings, s, greet_link);
}

void
session_greet_due(void *arg)
{
	struct gateway *gw = arg;
	uint64_t now = time_mono_ns(), limit = GREET_MS * NS_PER_MS;
	struct session *s;

	while ((s = TAILQ_FIRST(&gw->greetings)) != NULL) {
		if (now - s->greet_ns < limit) {
			set_timer(gw, (limit - (now - s->greet_ns)) / 1000 + 1);
			return;
		}
		greet(s, slice_of(NULL, 0));
	}
}
