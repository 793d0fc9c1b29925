/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a connection sends.  A write that was begun is finished before
 * anything else; between messages the control lane goes before data.
 */

#include <assert.h>
#include <string.h>

#include "core/json.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/door.h"
#include "gateway/plain.h"
#include "gateway/written.h"

enum {
	LANE_START = 256
};

bool
conn_unsent(const struct conn *c)
{
	return c->pin || c->lane;
}

bool
conn_is_ready(const struct conn *c)
{
	return c->state == CONN_OPEN && !conn_unsent(c) &&
	       !(c->door && door_is_over(c->door));
}

size_t
conn_control_queued(const struct conn *c)
{
	return c->lane ? c->lane->len - c->lane->sent : 0;
}

void
conn_look(const struct conn *c, struct conn_look *look)
{
	*look = (struct conn_look){
		.sent = c->sent,
		.received = c->received,
		.queued = conn_control_queued(c),
		.code = c->code,
		.http = c->door != NULL,
		.json = c->form == FORM_JSON,
	};
	if (c->pin)
		look->queued += c->pin->end - c->pin->start - c->pin_at;
}

static int
write_some(struct conn *c, const void *p, size_t len)
{
	if (c->plain)
		return plain_write(c->tls.fd, &c->plain_done, p, len);
	return tls_write(c->cs->tls, &c->tls, p, len);
}

/* One write; true when all of it has gone to the kernel. */
static bool
write_all(struct conn *c, const void *p, size_t len)
{
	c->wrote = true;
	switch (write_some(c, p, len)) {
	case TLS_DONE:
		COUNTERS_ADD(bytes_sent, len);
		c->sent += len;
		return true;
	case TLS_AGAIN:
		c->blocked = true;
		return false;
	default:
		conn_drop(c);
		return false;
	}
}

/* A message in one go; other bytes piece by piece, which are signs of life. */
static bool
send_pinned(struct conn *c)
{
	const struct block *b = c->pin;
	uint32_t at = b->start + c->pin_at, n = b->end - at;

	if (c->raw)
		n = MIN(n, (uint32_t)WRITE_BYTES);
	if (!write_all(c, b->bytes + at, n))
		return false;
	c->pin_at += n;
	if (c->raw)
		c->heard = conns_ticks();
	if (at + n == b->end) {
		written_block(b);
		c->pin = block_unref(c->pin);
	}
	return true;
}

/* As many messages as one record holds. */
static bool
send_lane(struct conn *c)
{
	struct lane *l = c->lane;

	if (l->trying == 0)
		l->trying = MIN(l->len - l->sent, (uint32_t)WRITE_BYTES);
	if (!write_all(c, l->bytes + l->sent, l->trying))
		return false;
	l->sent += l->trying;
	l->trying = 0;
	if (l->sent == l->len) {
		free(l);
		c->lane = NULL;
		c->pongs = 0;
	}
	return true;
}

/* Everything that waits; false when some of it still does. */
static bool
drain(struct conn *c)
{
	while (conn_unsent(c)) {
		/* A lane's write that was begun comes before a new block. */
		bool lane = c->lane && (!c->pin || c->behind);

		if (lane ? !send_lane(c) : !send_pinned(c))
			return false;
	}
	return true;
}

bool
conn_make_ready(struct conn *c)
{
	if (c->state == CONN_OPEN && !c->blocked)
		(void)drain(c);
	return conn_is_ready(c);
}

void
conn_flush(struct conn *c)
{
	while (!c->blocked && c->state < CONN_LINGER && drain(c)) {
		if (c->last_words && c->peer_done) {
			conn_linger(c);
			return;
		}
		/* The next request may be here already. */
		if (c->state == CONN_HTTP)
			conn_more(c);
		if (c->state != CONN_OPEN || !c->want_ready)
			return;
		c->want_ready = false;
		if (c->session && !(c->door && door_is_over(c->door)))
			c->cs->handler.ready(c->session);
		if (!conn_unsent(c))
			return;
	}
}

void
conn_dirty(struct conn *c)
{
	if (c->in_dirty || c->in_turn || c->state == CONN_GONE)
		return;
	c->in_dirty = true;
	c->next_dirty = c->cs->dirty;
	c->cs->dirty = c;
}

enum conn_send
conn_send(struct conn *c, struct block *b)
{
	if (c->state != CONN_OPEN)
		return CONN_DEAD;
	if (c->door)
		return door_send(c->door, b);
	assert(!conn_unsent(c));
	b = form_of(b, c->form);
	if (!b) {
		conn_close(c, WS_CODE_INTERNAL, "a message can't be sent");
		return CONN_DEAD;
	}
	if (write_all(c, b->bytes + b->start, b->end - b->start)) {
		written_block(b);
		return CONN_SENT;
	}
	if (c->state != CONN_OPEN)
		return CONN_DEAD;
	c->pin = block_ref(b);
	c->pin_at = 0;
	c->raw = c->behind = false;
	c->want_ready = true;
	return CONN_BLOCKED;
}

void
conn_put(struct conn *c, struct block *b)
{
	size_t len = b->end - b->start;

	if (c->state < CONN_LINGER && !c->pin) {
		c->pin = TAKE(b);
		c->pin_at = 0;
		c->raw = true;
		c->behind = c->lane != NULL;
		c->heard = conns_ticks();
		if (!c->blocked)
			(void)drain(c);
		c->want_ready = conn_unsent(c);
		conn_dirty(c);
	} else if (c->state < CONN_LINGER) {
		if ((c->behind && c->lane) ||
		    conn_control_queued(c) + len > LANE_BYTES)
			conn_drop(c);
		else
			conn_raw(c, b->bytes + b->start, len, false);
	}
	(void)block_unref(b);
}

/* Room for n more bytes in the lane; what was sent already goes. */
static uint8_t *
lane_reserve(struct conn *c, size_t n)
{
	struct lane *old = c->lane, *l = old;
	size_t unsent = conn_control_queued(c);

	if (!old || n > old->cap - old->len) {
		size_t cap = MAX((size_t)LANE_START, (unsent + n) * 2);

		l = malloc(sizeof(*l) + cap);
		if (!l)
			return NULL;
		*l = (struct lane){ .len = (uint32_t)unsent,
			.cap = (uint32_t)cap };
		if (old) {
			memcpy(l->bytes, old->bytes + old->sent, unsent);
			l->trying = old->trying;
		}
		free(old);
		c->lane = l;
	}
	l->len += (uint32_t)n;
	return l->bytes + l->len - n;
}

static bool
lane_frame(struct conn *c, unsigned opcode, struct slice payload)
{
	uint8_t head[WS_HEAD_MAX];
	unsigned n = ws_head(head, opcode, payload.len);
	uint8_t *p = lane_reserve(c, n + payload.len);

	if (!p) {
		conn_drop(c);
		return false;
	}
	memcpy(p, head, n);
	if (payload.len > 0)
		memcpy(p + n, payload.p, payload.len);
	c->want_ready = true;
	conn_dirty(c);
	return true;
}

/* It asks and asks, and reads no answer. */
static void
drown(struct conn *c)
{
	COUNTERS_ADD(unread_answers, 1);
	conn_close(c, WS_CODE_POLICY, "answers are not read");
}

static void
control(struct conn *c, unsigned opcode, struct slice value)
{
	/* Many answers in one turn are no sign that nobody reads them. */
	if (c->state == CONN_OPEN && !c->blocked &&
	    conn_control_queued(c) + value.len > LANE_BYTES)
		(void)drain(c);
	if (c->state != CONN_OPEN)
		return;
	if (value.len > LANE_BYTES ||
	    conn_control_queued(c) + value.len > LANE_BYTES)
		drown(c);
	else
		lane_frame(c, opcode, value);
}

void
conn_control(struct conn *c, struct slice value)
{
	struct mp_buf text CLEANUP(mp_buf_deinit) = { 0 };

	if (c->door)
		door_control(c->door, value);
	else if (c->form == FORM_MSGPACK)
		control(c, WS_BINARY, value);
	else if (json_from_mp(value, &text) == 0)
		control(c, WS_TEXT, slice_of(text.p, text.len));
	else
		conn_close(c, WS_CODE_INTERNAL, "a message can't be sent");
}

void
conn_raw(struct conn *c, const void *p, size_t len, bool last)
{
	uint8_t *room = lane_reserve(c, len);

	if (!room) {
		conn_drop(c);
		return;
	}
	memcpy(room, p, len);
	c->last_words = last;
	c->want_ready = true;
	conn_dirty(c);
}

void
conn_ping(struct conn *c)
{
	lane_frame(c, WS_PING, (struct slice){ NULL, 0 });
}

/* Who does not read its pongs gets no more of them. */
void
conn_pong(struct conn *c, struct slice payload)
{
	/* As with answers: many in one turn are no sign of that. */
	if (c->pongs >= PONGS_QUEUED && !c->blocked)
		(void)drain(c);
	if (c->state == CONN_OPEN && c->pongs < PONGS_QUEUED &&
	    lane_frame(c, WS_PONG, payload))
		c->pongs++;
}

void
conn_say_close(struct conn *c, unsigned code, const char *text)
{
	uint8_t payload[WS_CONTROL_MAX];
	unsigned n = ws_close_payload(payload, code, text);

	if (lane_frame(c, WS_CLOSE, slice_of(payload, n)))
		c->last_words = true;
}

void
conn_send_deinit(struct conn *c)
{
	c->pin = block_unref(c->pin);
	free(c->lane);
	c->lane = NULL;
}
