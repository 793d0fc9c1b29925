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
#include "core/rules.h"
#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/attach.h"
#include "gateway/counters.h"
#include "gateway/prime.h"
#include "gateway/session_priv.h"

enum {
	PING_T_MAX = 1024,   /* bytes of what a pong brings back */
	SHED_US = 20 * 1000, /* between looks for slots that have come */
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

	if (gw->leaving)
		return NULL;
	s = alloc_zero(1, sizeof(*s));
	s->gw = gw;
	s->conn = c;
	LIST_INIT(&s->pending);
	LIST_INIT(&s->marks);
	TAILQ_INIT(&s->queries);
	turns_init(&s->own, &gw->quotas.turns);
	send_init(&s->sender, &gw->hub, c);
	if (bearer.len > 0) {
		s->bearer = alloc_zero(bearer.len + 1, 1);
		memcpy(s->bearer, bearer.p, bearer.len);
	}
	LIST_INSERT_HEAD(&gw->sessions, s, link);
	COUNTERS_SET(sessions, ++gw->n_sessions);
	s->opened_us = time_wall_us();
	session_seat_take(s);
	return s;
}

static void
on_closed(void *session)
{
	struct session *s = session;

	session_seat_leave(s);
	session_greet_end(s);
	session_query_end_all(s);
	if (s->turns)
		turns_leave(s->turns, &s->turn);
	send_deinit(&s->sender);
	turns_deinit(&s->own);
	session_ack_leave(s);
	forward_disown(&s->pending);
	if (s->quota)
		quota_leave(s->quota);
	grants_leave(s->gw->grants, &s->granted);
	acl_deinit(&s->token);
	acl_deinit(&s->acl);
	(void)rules_free(s->rules);
	free(s->user);
	free(s->client);
	free(s->bearer);
	mp_buf_deinit(&s->held);
	LIST_REMOVE(s, link);
	COUNTERS_SET(sessions, --s->gw->n_sessions);
	free(s);
}

static void
on_ready(void *session)
{
	struct session *s = session;

	session_query_pump(s);
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
	if (gw->hub.paused) {
		reason_set(why, 0, "%s", prime_waits_for(gw->prime));
		return false;
	}
	if (gw->stalled) {
		reason_set(why, 0,
		    "the broker's map or disk is full: it folds no more");
		return false;
	}
	return true;
}

/* The client may use each id once at a time. */
static bool
id_in_use(const struct session *s, uint64_t id)
{
	const struct forward_pending *p;

	if (send_find(&s->sender, id) || session_query_find(s, id))
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

	if (req->ping.t.len > PING_T_MAX) {
		session_error(s, req->id, PROTO_BAD_REQUEST,
		    "field \"t\" of ping: more than 1024 bytes");
		return;
	}
	proto_pack_pong(&b, req, time_wall_us(), s->gw->groups.done);
	session_say(s, &b);
}

static void (*const serve[PROTO_OPS])(
    struct session *s, const struct proto_request *req) = {
	[PROTO_HELLO] = session_hello,
	[PROTO_AUTH] = session_auth,
	[PROTO_SUBSCRIBE] = session_subscribe,
	[PROTO_UNSUBSCRIBE] = session_unsubscribe,
	[PROTO_APPEND] = session_append,
	[PROTO_EMIT] = session_emit,
	[PROTO_ACK] = session_ack,
	[PROTO_STATE] = session_query,
	[PROTO_HISTORY] = session_query,
	[PROTO_PRESENCE] = session_query,
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

/* For when `welcome` is out, and permissions are known. */
void
session_hold(struct session *s, struct slice msg)
{
	uint64_t max = conf_uint(s->gw->conf, CONF_gateway_max_message);
	uint8_t len[4];

	if (s->held.len + msg.len > max) {
		session_close(s, PROTO_CLOSE_POLICY,
		    "too much was said before an answer");
		return;
	}
	put_le32(len, (uint32_t)msg.len);
	mp_buf_bytes(&s->held, len, sizeof(len));
	mp_buf_bytes(&s->held, msg.p, msg.len);
	if (s->held.failed)
		alloc_failed();
}

static void
take_message(struct session *s, struct slice msg)
{
	struct proto_request req = { 0 };
	struct reason why = { "" };
	enum proto_code code;
	int rc;

	rc = mpvalid_check(msg.p, msg.len, &why);
	if (rc < 0)
		alloc_failed();
	if (rc == MPVALID_BAD) {
		COUNTERS_ADD(bad_values, 1);
		session_close(s, PROTO_CLOSE_MALFORMED, why.text);
		return;
	}
	s->message = msg;
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

/* Now, or when the session is no longer held. */
static void
serve_message(struct session *s, struct slice msg)
{
	if (s->closing)
		return;
	if (session_is_held(s))
		session_hold(s, msg);
	else
		take_message(s, msg);
}

static void
on_message(void *session, unsigned opcode, struct slice msg)
{
	serve_message(session, msg);
}

void
session_serve_held(struct session *s)
{
	struct mp_buf held = s->held;

	if (session_is_held(s))
		return;
	s->held = (struct mp_buf){ 0 };
	for (size_t at = 0; at < held.len;) {
		size_t len = get_le32(held.p + at);

		/* What is served may make the rest wait once more. */
		serve_message(s, slice_of(held.p + at + 4, len));
		at += 4 + len;
	}
	mp_buf_deinit(&held);
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
		session_query_end_all(s);
		session_ack_leave(s); /* under the name of this log */
		session_close(s, code, text);
	}
}

static void
say_in(struct session *s, const char *op, uint64_t in_ms)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, op, (struct proto_uint){ 0 }, 1);
	mp_pair_uint(&b, "in", in_ms);
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
		session_ack_flush(s);
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

/* To everybody who is here a slot within spread_ms. */
static void
give_slots(struct gateway *gw, uint64_t spread_ms)
{
	uint64_t n = gw->n_sessions, i = 0;
	struct session *s;

	LIST_FOREACH (s, &gw->sessions, link) {
		s->slot_ms = (uint32_t)(++i * spread_ms / n);
		s->shed = true;
	}
}

/* How many are yet to go. */
static unsigned
close_slots(struct gateway *gw, uint64_t elapsed_ms, const char *text)
{
	struct session *s;
	unsigned left = 0;

	LIST_FOREACH (s, &gw->sessions, link) {
		if (!s->shed || s->closing)
			continue;
		if (s->slot_ms <= elapsed_ms)
			session_close(s, PROTO_CLOSE_RESTART, text);
		else
			left++;
	}
	return left;
}

void
session_drain_all(struct gateway *gw, uint64_t spread_ms)
{
	struct session *s;

	give_slots(gw, spread_ms);
	LIST_FOREACH (s, &gw->sessions, link)
		if (s->user && !s->closing)
			say_in(s, "draining", s->slot_ms);
}

void
session_drained(struct gateway *gw, uint64_t elapsed_ms)
{
	(void)close_slots(gw, elapsed_ms, "this process stops");
}

int
session_shed_all(struct gateway *gw, uint64_t spread_ms)
{
	if (gw->draining)
		return 0;
	give_slots(gw, spread_ms);
	gw->shed_ns = time_mono_ns();
	return loop_timer_set(&gw->shed_timer, SHED_US, 1);
}

void
session_shed_due(void *arg)
{
	struct gateway *gw = arg;
	uint64_t elapsed_ms = (time_mono_ns() - gw->shed_ns) / NS_PER_MS;

	if (close_slots(gw, elapsed_ms, "the fold rules have changed") == 0)
		loop_timer_stop(&gw->shed_timer);
}

void
session_broker_up(struct gateway *gw)
{
	struct session *s;

	LIST_FOREACH (s, &gw->sessions, link) {
		session_ack_repeat(s);
		session_present_all(s);
	}
}
