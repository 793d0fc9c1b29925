/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a connection receives: a TLS handshake, HTTP requests, WebSocket
 * frames.  A turn takes a bounded amount and leaves the rest to the next
 * pass, so that one peer can't hold up the others.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/json.h"
#include "core/reason.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/plain.h"

/*
 * JSON: the session gets the value that it stands for.  Nothing grows by more
 * than short floats do, nine bytes for four ("1.5,"), so the limit of the text
 * bounds the value, too.
 */
static void
take_json(struct conn *c, struct slice text)
{
	struct mp_buf value CLEANUP(mp_buf_deinit) = { 0 };
	struct reason why = { "" };
	int err = json_to_mp(text, &value, &why);

	if (err == -EPROTO) {
		COUNTERS_ADD(bad_values, 1);
		conn_close(c, WS_CODE_MALFORMED, why.text);
	} else if (err < 0) {
		conn_close(c, WS_CODE_INTERNAL, "out of memory");
	} else {
		c->cs->handler.message(
		    c->session, WS_BINARY, slice_of(value.p, value.len));
	}
}

static bool
on_message(void *arg, unsigned opcode, struct slice payload)
{
	struct conn *c = arg;

	if (c->state == CONN_OPEN && opcode == WS_PING)
		conn_pong(c, payload);
	else if (c->state == CONN_OPEN && opcode == WS_TEXT &&
		 c->form == FORM_JSON)
		take_json(c, payload);
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
	if (c->state == CONN_HTTP || c->door)
		conn_http_take(c, in);
	else
		take_ws(c, in);
}

/* What is said during an exchange is kept, once, so that its end is seen. */
static bool
wants_input(const struct conn *c)
{
	if (c->state >= CONN_LINGER || c->peer_done || c->rest)
		return false;
	return c->state != CONN_HTTP || !conn_unsent(c);
}

static int
read_some(struct conn *c, size_t *got)
{
	struct conns *cs = c->cs;

	if (c->plain)
		return plain_read(c->tls.fd, cs->in, sizeof(cs->in), got);
	return tls_read(cs->tls, &c->tls, cs->in, sizeof(cs->in), got);
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
		r = read_some(c, &got);
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
		COUNTERS_ADD(bytes_received, got);
		c->heard = conns_ticks();
		c->pinged = false;
		c->received += got;
		budget -= MIN(budget, MAX(got, (size_t)512));
		if (got > 0)
			take(c, slice_of(cs->in, got));
	}
}

/*
 * A connection that says nothing gets no TLS object.  Who waits for a step
 * goes first: else a storm's new connections would take all of them, and
 * those that wait grow too old.
 */
static void
shake(struct conn *c, short what)
{
	struct conns *cs = c->cs;

	if (!c->tls.ssl && !(what & EV_READ))
		return;
	if (cs->steps_left == 0 || (cs->steps_awaited && !cs->in_more)) {
		cs->steps_awaited = true;
		conn_more(c);
		return;
	}
	cs->steps_left--;
	if (!c->tls.ssl) {
		conn_spoke(c);
		if (tls_conn_init(cs->tls, &c->tls, c->tls.fd) < 0) {
			conn_drop(c);
			return;
		}
	}
	switch (tls_handshake(cs->tls, &c->tls)) {
	case TLS_DONE:
		COUNTERS_ADD(handshakes, 1);
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
	else if (c->state == CONN_PROXY)
		conn_take_proxy(c);
	else if ((what & EV_WRITE) && conn_unsent(c))
		conn_flush(c);
	if (c->rest)
		conn_http_rest(c);
	if (c->state > CONN_PROXY && c->state < CONN_LINGER)
		take_input(c);
	if (c->state < CONN_LINGER && (conn_unsent(c) || c->last_words))
		conn_flush(c);
	/* At once, too: what came already causes no event any more. */
	if (c->state == CONN_LINGER)
		linger(c);
	c->in_turn = false;
}
