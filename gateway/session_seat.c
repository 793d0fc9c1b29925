/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What tools are told of a session: a slot in the page of clients, written
 * when it comes, when it says who it is, about once a second, and when it
 * goes.  An HTTP request gets one when it has lasted for a second, as a stream
 * does: else those that are over at once would take all slots.
 */

#include "core/time.h"
#include "gateway/session_priv.h"
#include "shm/client_page.h"

enum {
	LOOKS_A_SECOND = 8,
	CODE_NONE = 1006, /* RFC 6455: it ended without a close frame */
};

static enum client_state
state_of(const struct session *s, const struct send_look *look)
{
	if (!s->user)
		return CLIENT_NEW;
	if (look->loads)
		return CLIENT_LOADS;
	if (look->subscriptions == 0)
		return CLIENT_IDLE;
	return look->behind ? CLIENT_BEHIND : CLIENT_LIVE;
}

static void
gather(const struct session *s, uint64_t now_us, struct client_info *info)
{
	struct conn_look conn;
	struct send_look look;

	conn_look(s->conn, &conn);
	send_look(&s->sender, &look);
	*info = (struct client_info){
		.opened = s->opened_us,
		.seen = now_us,
		.position = look.position,
		.lag = look.lag,
		.sent = conn.sent,
		.received = conn.received,
		.queued = conn.queued,
		.subscriptions = look.subscriptions,
		.state = state_of(s, &look),
		.form = CLIENT_MSGPACK,
		.close_code = conn.code,
	};
	if (conn.http)
		info->form = CLIENT_HTTP;
	else if (conn.json)
		info->form = CLIENT_JSON;
}

static void
seat(struct session *s, uint64_t now_us)
{
	struct client_info info;

	gather(s, now_us, &info);
	if (s->standing)
		client_page_leave_none(s->gw->clients);
	s->seat = client_page_take(s->gw->clients, &info);
	s->standing = s->seat == 0;
	if (s->user)
		session_seat_name(s);
}

/* A request that may be over at once. */
static bool
is_brief(const struct session *s, uint64_t now_us)
{
	struct conn_look conn;

	conn_look(s->conn, &conn);
	return conn.http && now_us - s->opened_us < US_PER_S;
}

void
session_seat_take(struct session *s)
{
	if (s->gw->clients && !is_brief(s, s->opened_us))
		seat(s, s->opened_us);
}

void
session_seat_name(struct session *s)
{
	const char *client = s->durable ? s->client : "";

	if (s->seat)
		client_page_name(s->gw->clients, s->seat, slice_cstr(s->user),
		    slice_cstr(client));
}

void
session_seat_leave(struct session *s)
{
	struct gateway *gw = s->gw;
	struct client_info info;

	if (gw->look_next == s)
		gw->look_next = LIST_NEXT(s, link);
	if (s->standing)
		client_page_leave_none(gw->clients);
	if (!s->seat)
		return;
	gather(s, time_wall_us(), &info);
	info.state = CLIENT_GONE;
	if (info.close_code == 0 && info.form != CLIENT_HTTP)
		info.close_code = CODE_NONE;
	client_page_leave(gw->clients, s->seat, &info);
}

static void
look_at(struct session *s, uint64_t now_us)
{
	struct client_info info;

	if (s->seat) {
		gather(s, now_us, &info);
		client_page_put(s->gw->clients, s->seat, &info);
	} else if (!is_brief(s, now_us)) {
		seat(s, now_us);
	}
}

/* A part of them each time, so that many make no pause. */
void
session_look_some(void *arg)
{
	struct gateway *gw = arg;
	uint64_t n = gw->n_sessions / LOOKS_A_SECOND + 1;
	uint64_t now_us = time_wall_us();

	if (!gw->clients)
		return;
	if (gw->looks++ % LOOKS_A_SECOND == 0)
		client_page_beat(gw->clients, gw->groups.done);
	for (; n > 0 && gw->n_sessions > 0; n--) {
		struct session *s = gw->look_next;

		if (!s)
			s = LIST_FIRST(&gw->sessions);
		gw->look_next = LIST_NEXT(s, link);
		look_at(s, now_us);
	}
}
