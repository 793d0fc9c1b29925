/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The life of a session, and one table that says which request is served by
 * whom.  Every message is validated before anything looks at it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/mp.h"
#include "core/mpvalid.h"
#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/attach.h"
#include "gateway/session_priv.h"

enum {
	PING_T_MAX = 1024, /* bytes of what a pong brings back */
};

void
session_say(struct session *s, struct mp_buf *b)
{
	if (b->failed)
		alloc_failed();
	conn_control(s->conn, slice_of(b->p, b->len));
	mp_buf_deinit(b);
}

void
session_ok(struct session *s, struct proto_uint id)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "ok", id, 0);
	session_say(s, &b);
}

void
session_error(struct session *s, struct proto_uint id, enum proto_code code,
    const char *message)
{
	struct mp_buf b = { 0 };
	bool later = code == PROTO_UNAVAILABLE || code == PROTO_RATE_LIMITED;

	proto_pack_error(&b, id, code, message, later ? SESSION_RETRY_MS : 0);
	session_say(s, &b);
}

void
session_close(struct session *s, unsigned code, const char *text)
{
	s->closing = true;
	conn_close(s->conn, code, text);
}

static void *
on_open(void *arg, struct conn *c, struct slice bearer)
{
	struct gateway *gw = arg;
	struct session *s;

	if (gw->draining)
		return NULL;
	s = alloc_zero(1, sizeof(*s));
	s->gw = gw;
	s->conn = c;
	LIST_INIT(&s->pending);
	send_init(&s->sender, &gw->hub, c);
	if (bearer.len > 0) {
		s->bearer = alloc_zero(bearer.len + 1, 1);
		memcpy(s->bearer, bearer.p, bearer.len);
	}
	LIST_INSERT_HEAD(&gw->sessions, s, link);
	gw->n_sessions++;
	return s;
}

static void
on_closed(void *session)
{
	struct session *s = session;

	send_deinit(&s->sender);
	forward_disown(&s->pending);
	if (s->quota)
		quota_leave(s->quota);
	acl_deinit(&s->acl);
	free(s->user);
	free(s->bearer);
	LIST_REMOVE(s, link);
	s->gw->n_sessions--;
	free(s);
}

static void
on_ready(void *session)
{
	struct session *s = session;

	send_pump(&s->sender);
}

static bool
on_serving(void *arg, struct reason *why)
{
	struct gateway *gw = arg;

	if (gw->draining) {
		reason_set(why, 0, "draining");
		return false;
	}
	if (!attach_live(gw->attach)) {
		reason_set(why, 0, "no writer runs");
		return false;
	}
	return true;
}

/* The client may use each id once at a time. */
static bool
id_in_use(const struct session *s, uint64_t id)
{
	const struct forward_pending *p;

	if (send_find(&s->sender, id))
		return true;
	LIST_FOREACH (p, &s->pending, owner_link)
		if (p->id.set && p->id.v == id)
			return true;
	return false;
}

static void
serve_ping(struct session *s, const struct proto_request *req)
{
	struct mp_buf b = { 0 };
	bool t = req->ping.t.len > 0;

	if (req->ping.t.len > PING_T_MAX) {
		session_error(s, req->id, PROTO_BAD_REQUEST,
		    "field \"t\" of ping: more than 1024 bytes");
		return;
	}
	proto_pack_head(&b, "pong", req->id, t ? 3 : 2);
	if (t) {
		mp_pack_cstr(&b, "t");
		mp_pack_raw(&b, req->ping.t);
	}
	mp_pack_cstr(&b, "time");
	mp_pack_uint(&b, time_wall_us());
	mp_pack_cstr(&b, "head");
	mp_pack_uint(&b, s->gw->groups.done);
	session_say(s, &b);
}

static void
serve_nothing(struct session *s, const struct proto_request *req)
{
	char text[80];

	snprintf(text, sizeof(text), "'%s' is not served yet",
	    proto_op_name(req->op));
	session_error(s, req->id, PROTO_UNAVAILABLE, text);
}

static void (*const serve[PROTO_OPS])(
    struct session *s, const struct proto_request *req) = {
	[PROTO_HELLO] = session_hello,
	[PROTO_AUTH] = session_auth,
	[PROTO_SUBSCRIBE] = session_subscribe,
	[PROTO_UNSUBSCRIBE] = session_unsubscribe,
	[PROTO_APPEND] = session_append,
	[PROTO_EMIT] = session_emit,
	[PROTO_ACK] = serve_nothing,
	[PROTO_STATE] = serve_nothing,
	[PROTO_HISTORY] = serve_nothing,
	[PROTO_PRESENCE] = serve_nothing,
	[PROTO_PING] = serve_ping,
};

/* Before hello: a hello that is not well-formed may be said again. */
static void
refuse_stranger(struct session *s, struct slice msg,
    const struct proto_request *req, const struct reason *why)
{
	if (slice_is(proto_get_str(msg, "op"), "hello")) {
		session_error(s, req->id, PROTO_BAD_REQUEST, why->text);
		return;
	}
	session_error(s, req->id, PROTO_UNAUTHORIZED,
	    "the first message must be 'hello'");
	session_close(s, PROTO_CLOSE_TOKEN, "no hello");
}

static void
on_message(void *session, struct slice msg)
{
	struct session *s = session;
	struct proto_request req = { 0 };
	struct reason why = { "" };
	enum proto_code code;
	int rc;

	if (s->closing)
		return;
	rc = mpvalid_check(msg.p, msg.len, &why);
	if (rc < 0)
		alloc_failed();
	if (rc == MPVALID_BAD) {
		session_close(s, PROTO_CLOSE_MALFORMED, why.text);
		return;
	}
	code = proto_request_parse(msg, &req, &why);
	if (!s->user && (code != PROTO_OK || req.op != PROTO_HELLO))
		refuse_stranger(s, msg, &req, &why);
	else if (code != PROTO_OK)
		session_error(s, req.id, code, why.text);
	else if (req.id.set && req.op != PROTO_UNSUBSCRIBE &&
		 id_in_use(s, req.id.v))
		session_error(s, req.id, PROTO_BAD_REQUEST,
		    "this id is in use by another request or subscription");
	else
		serve[req.op](s, &req);
}

void
session_handler(struct gateway *gw, struct conn_handler *handler)
{
	*handler = (struct conn_handler){
		.open = on_open,
		.message = on_message,
		.ready = on_ready,
		.closed = on_closed,
		.serving = on_serving,
		.arg = gw,
	};
}

void
session_answer(void *owner, struct slice message)
{
	struct session *s = owner;

	conn_control(s->conn, message);
}

void
session_close_all(struct gateway *gw, unsigned code, const char *text)
{
	struct session *s;

	LIST_FOREACH (s, &gw->sessions, link) {
		send_end(&s->sender);
		session_close(s, code, text);
	}
}

static void
say_in(struct session *s, const char *op, uint64_t in_ms)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, op, (struct proto_uint){ 0 }, 1);
	mp_pack_cstr(&b, "in");
	mp_pack_uint(&b, in_ms);
	session_say(s, &b);
}

void
session_tick_all(struct gateway *gw)
{
	enum {
		WARN_S = 60
	};
	uint64_t now_s = time_wall_us() / US_PER_S;
	struct session *s;

	LIST_FOREACH (s, &gw->sessions, link) {
		if (s->expires_s == 0 || s->closing)
			continue;
		if (s->expires_s <= now_s) {
			session_close(
			    s, PROTO_CLOSE_TOKEN, "the token has expired");
		} else if (!s->warned && s->expires_s - now_s <= WARN_S) {
			s->warned = true;
			say_in(s, "expiring", (s->expires_s - now_s) * 1000);
		}
	}
}

void
session_drain_all(struct gateway *gw, uint64_t spread_ms)
{
	uint64_t n = gw->n_sessions, i = 0;
	struct session *s;

	LIST_FOREACH (s, &gw->sessions, link) {
		s->slot_ms = (uint32_t)(++i * spread_ms / n);
		if (s->user && !s->closing)
			say_in(s, "draining", s->slot_ms);
	}
}

void
session_drained(struct gateway *gw, uint64_t elapsed_ms)
{
	struct session *s;

	LIST_FOREACH (s, &gw->sessions, link)
		if (!s->closing && s->slot_ms <= elapsed_ms)
			session_close(
			    s, PROTO_CLOSE_RESTART, "this process stops");
}
