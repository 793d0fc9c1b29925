/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a connection receives: a TLS handshake, one HTTP request, WebSocket
 * frames.  A turn takes a bounded amount and leaves the rest to the next
 * pass, so that one peer can't hold up the others.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/reason.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/http.h"

/* An answer after which there is nothing; what the peer says is ignored. */
static void
answer_last(struct conn *c, const char *buf, size_t len)
{
	c->state = CONN_CLOSING;
	c->peer_done = true;
	conn_due_in(c, LINGER_TICKS);
	conn_raw(c, buf, len, true);
}

static void
refuse(struct conn *c, int status, const struct reason *why)
{
	char buf[HTTP_ANSWER_MAX];

	COUNTERS_ADD(http_refused, 1);
	answer_last(c, buf, http_refusal(buf, status, why->text));
}

static void
answer_health(struct conn *c, bool ready)
{
	struct conns *cs = c->cs;
	char buf[HTTP_ANSWER_MAX];
	struct reason why = { "" };
	bool good = true;

	if (ready && cs->refusing) {
		reason_set(&why, 0, "the gateway is stopping");
		good = false;
	} else if (ready) {
		good = cs->handler.serving(cs->handler.arg, &why);
	}
	answer_last(c, buf,
	    http_health(
		buf, good, good ? "ok" : "unavailable", good ? NULL : &why));
}

static void
upgrade(struct conn *c, const struct http_request *req)
{
	struct conns *cs = c->cs;
	char buf[HTTP_ANSWER_MAX], accept[TLS_WS_ACCEPT + 1];
	struct http_upgrade up;
	struct reason why;
	int status;

	status = http_upgrade(req, cs->origins, &up, &why);
	if (status == 0 && cs->refusing)
		status = reason_set(&why, 503, "the gateway is stopping");
	if (status == 0 && c->surplus)
		status = reason_set(&why, 503, "too many connections");
	if (status != 0) {
		refuse(c, status, &why);
		return;
	}
	tls_websocket_accept(up.key.p, accept);
	conn_raw(c, buf, http_switching(buf, accept, &up), false);
	COUNTERS_ADD(opened, 1);
	c->state = CONN_OPEN;
	c->session = cs->handler.open(cs->handler.arg, c, up.bearer);
	if (!c->session)
		conn_close(c, WS_CODE_LATER, "not now");
}

static void
answer(struct conn *c, struct slice head)
{
	struct http_request req;
	struct reason why;
	int status;

	status = http_parse(head, &req, &why);
	if (status != 0)
		refuse(c, status, &why);
	else if (slice_is(req.path, "/v1/ws"))
		upgrade(c, &req);
	else if (slice_is(req.path, "/healthz"))
		answer_health(c, false);
	else if (slice_is(req.path, "/readyz"))
		answer_health(c, true);
	else
		refuse(c, reason_set(&why, 404, "there is nothing here"), &why);
}

/* The head came in pieces: put this one to those before. */
static bool
gather_head(struct conn *c, struct slice *in, bool *rest)
{
	size_t n;

	if (!c->head)
		c->head = malloc(HTTP_HEAD_MAX);
	if (!c->head)
		return false;
	n = MIN(in->len, (size_t)HTTP_HEAD_MAX - c->head_len);
	memcpy(c->head + c->head_len, in->p, n);
	c->head_len += (uint16_t)n;
	*rest = n < in->len;
	*in = slice_of(c->head, c->head_len);
	return true;
}

/* Take bytes of the request's head; answer when it is whole. */
static void
take_http(struct conn *c, struct slice in)
{
	size_t seen = c->head_seen;
	struct reason why;
	bool rest = false;
	int end;

	if (c->head && !gather_head(c, &in, &rest)) {
		conn_drop(c);
		return;
	}
	end = http_head_end(in.p, in.len, &seen, &why);
	if (end < 0) {
		refuse(c, -end, &why);
	} else if (end > 0 && (rest || (size_t)end < in.len)) {
		refuse(c,
		    reason_set(&why, 400,
			"bytes follow the request before it was answered"),
		    &why);
	} else if (end > 0) {
		answer(c, in);
	} else {
		c->head_seen = (uint16_t)seen;
		if (!c->head && !gather_head(c, &in, &rest))
			conn_drop(c);
		return;
	}
	free(c->head);
	c->head = NULL;
}

static bool
on_message(void *arg, unsigned opcode, struct slice payload)
{
	struct conn *c = arg;

	if (c->state == CONN_OPEN && opcode == WS_PING)
		conn_pong(c, payload);
	else if (c->state == CONN_OPEN && opcode != WS_PONG)
		c->cs->handler.message(c->session, opcode, payload);
	return c->state < CONN_LINGER && !c->peer_done;
}

static void
on_closed(void *arg, unsigned code)
{
	struct conn *c = arg;

	c->peer_done = true;
	conn_close(c, code, "");
}

static void
take_ws(struct conn *c, struct slice in)
{
	struct conns *cs = c->cs;
	const struct ws_sink sink = { on_message, on_closed, c };
	const char *text;
	unsigned code;

	code = ws_take(cs->pool, &c->ws, c->max_message, c->heard / TICKS_S, in,
	    &sink, &text);
	if (code) {
		if (code != WS_CODE_TOO_BIG && code != WS_CODE_POLICY)
			COUNTERS_ADD(bad_frames, 1);
		c->peer_done = true;
		conn_close(c, code, text);
	}
}

static void
take(struct conn *c, struct slice in)
{
	if (c->state == CONN_HTTP)
		take_http(c, in);
	else
		take_ws(c, in);
}

static bool
wants_input(const struct conn *c)
{
	return c->state < CONN_LINGER && !c->peer_done;
}

/* Up to TURN_BYTES; a record without data costs as if it had some. */
static void
take_input(struct conn *c)
{
	struct conns *cs = c->cs;
	size_t got, budget = TURN_BYTES;
	int r;

	while (wants_input(c)) {
		if (budget == 0) {
			conn_more(c);
			return;
		}
		r = tls_read(cs->tls, &c->tls, cs->in, sizeof(cs->in), &got);
		if (r == TLS_AGAIN)
			return;
		if (r == TLS_CLOSED && c->state == CONN_CLOSING) {
			c->peer_done = true;
			return;
		}
		if (r != TLS_DONE) {
			conn_drop(c);
			return;
		}
		c->heard = conns_ticks();
		c->pinged = false;
		budget -= MIN(budget, MAX(got, (size_t)512));
		if (got > 0)
			take(c, slice_of(cs->in, got));
	}
}

/* A connection that says nothing gets no TLS object. */
static void
shake(struct conn *c, short what)
{
	struct conns *cs = c->cs;

	if (!c->tls.ssl && !(what & EV_READ))
		return;
	if (cs->steps_left == 0) {
		conn_more(c);
		return;
	}
	cs->steps_left--;
	if (!c->tls.ssl && tls_conn_init(cs->tls, &c->tls, c->tls.fd) < 0) {
		conn_drop(c);
		return;
	}
	switch (tls_handshake(cs->tls, &c->tls)) {
	case TLS_DONE:
		conn_shaken(c);
		c->state = CONN_HTTP;
		return;
	case TLS_AGAIN:
		return;
	default:
		COUNTERS_ADD(tls_failed, 1);
		conn_drop(c);
	}
}

/* Until the peer closes, too: a reset would eat what it has not read yet. */
static void
linger(struct conn *c)
{
	struct conns *cs = c->cs;
	size_t budget = TURN_BYTES;
	ssize_t n;

	while (c->state == CONN_LINGER) {
		if (budget == 0) {
			conn_more(c);
			return;
		}
		n = recv(c->tls.fd, cs->in, sizeof(cs->in), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			conn_drop(c);
		else
			budget -= MIN(budget, (size_t)n);
	}
}

void
conn_turn(struct conn *c, short what)
{
	c->in_turn = true;
	if (what & EV_WRITE)
		c->blocked = false;
	if (c->state == CONN_TLS)
		shake(c, what);
	else if ((what & EV_WRITE) && conn_unsent(c))
		conn_flush(c);
	if (c->state > CONN_TLS && c->state < CONN_LINGER)
		take_input(c);
	if (c->state < CONN_LINGER && (conn_unsent(c) || c->last_words))
		conn_flush(c);
	/* At once, too: what came already causes no event any more. */
	if (c->state == CONN_LINGER)
		linger(c);
	c->in_turn = false;
}
