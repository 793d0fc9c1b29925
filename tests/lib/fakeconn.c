/* SPDX-License-Identifier: BSD-2-Clause */

/* A connection without a socket, as honest about its readiness as one. */

#include <assert.h>

#include "core/json.h"
#include "core/reason.h"
#include "tests/lib/fakeconn.h"

static struct fakeconn *
fake(const struct conn *c)
{
	return (struct fakeconn *)c;
}

static struct slice
payload(const struct block *b)
{
	const uint8_t *p = b->bytes + b->start;
	size_t head = 2;

	assert(p[0] == 0x82 || p[0] == 0x81);
	if (p[1] == 126)
		head = 4;
	else if (p[1] == 127)
		head = 10;
	return slice_of(p + head, b->end - b->start - head);
}

/* A client that speaks JSON reads it, so that the test sees values alone. */
static void
hand(struct fakeconn *f, struct slice message)
{
	CLEANUP(mp_buf_deinit) struct mp_buf value = { 0 };
	struct reason why;

	if (f->form == FORM_JSON) {
		if (json_to_mp(message, &value, &why) < 0)
			abort();
		message = slice_of(value.p, value.len);
	}
	f->sent += message.len;
	f->got(f->arg, message);
}

bool
conn_is_ready(const struct conn *c)
{
	return !fake(c)->closed && !fake(c)->pinned && !fake(c)->lane;
}

bool
conn_make_ready(struct conn *c)
{
	if (!fake(c)->pinned)
		fake(c)->lane = false;
	return conn_is_ready(c);
}

enum conn_send
conn_send(struct conn *c, struct block *b)
{
	struct fakeconn *f = fake(c);

	if (f->closed)
		return CONN_DEAD;
	assert(conn_is_ready(c));
	b = form_of(b, f->form);
	assert(b && b->bytes[b->start] == (f->form == FORM_JSON ? 0x81 : 0x82));
	hand(f, payload(b));
	if (f->room > 0) {
		f->room--;
		return CONN_SENT;
	}
	f->pinned = true;
	f->want_ready = true;
	return CONN_BLOCKED;
}

void
conn_control(struct conn *c, struct slice value)
{
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	struct fakeconn *f = fake(c);

	if (f->closed)
		return;
	if (f->form == FORM_JSON) {
		if (json_from_mp(value, &text) < 0)
			abort();
		value = slice_of(text.p, text.len);
	}
	hand(f, value);
	f->lane = true;
	f->want_ready = true;
}

size_t
conn_control_queued(const struct conn *c)
{
	return fake(c)->lane;
}

void
conn_close(struct conn *c, unsigned code, const char *text)
{
	if (!fake(c)->closed)
		fake(c)->closed = code;
}

void
conn_look(const struct conn *c, struct conn_look *look)
{
	*look = (struct conn_look){
		.sent = fake(c)->sent,
		.received = 7,
		.queued = fake(c)->lane,
		.code = fake(c)->closed,
		.http = fake(c)->http,
		.json = fake(c)->form == FORM_JSON,
	};
}

void
conn_established(struct conn *c)
{
	fake(c)->established = true;
}

void
fakeconn_flush(struct fakeconn *c)
{
	while (c->want_ready && !c->closed && (!c->pinned || c->room > 0)) {
		c->room -= c->pinned;
		c->pinned = false;
		c->lane = false;
		c->want_ready = false;
		if (c->ready)
			c->ready(c->arg);
	}
}
