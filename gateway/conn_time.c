/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Deadlines of connections: a wheel of lists, one per quarter second, and
 * one timer for all.  A connection has one deadline at a time; what it is
 * for follows from its state.
 */

#include "core/time.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/door.h"

/* doc/protocol.md, "Close codes". */
enum {
	CODE_NO_HELLO = 4408
};

uint32_t
conns_ticks(void)
{
	return (uint32_t)(time_mono_ns() / (TICK_MS * NS_PER_MS));
}

/* A deadline beyond the wheel is looked at, and put in again, on its way. */
static void
place(struct conn *c)
{
	struct conns *cs = c->cs;
	int32_t ahead = (int32_t)(c->due - cs->tick);

	ahead = MAX(1, MIN(ahead, WHEEL_SLOTS - 1));
	link_remove(&c->due_at);
	link_append(
	    &cs->wheel[(cs->tick + (uint32_t)ahead) % WHEEL_SLOTS], &c->due_at);
}

void
conn_due_in(struct conn *c, uint32_t ticks)
{
	c->due = conns_ticks() + ticks;
	place(c);
}

/* An answer is being written: as long as it moves, it may take its time. */
static bool
answer_moves(struct conn *c)
{
	uint32_t quiet = conns_ticks() - c->heard;

	if (!c->pin || !c->raw || quiet >= HTTP_STALL_TICKS)
		return false;
	conn_due_in(c, HTTP_STALL_TICKS - quiet);
	return true;
}

static void
check_door(struct conn *c)
{
	if (door_streams(c->door)) {
		conn_alive(c);
	} else if (door_wants(c->door)) {
		door_late(c->door);
	} else if (!conn_unsent(c)) {
		conn_due_in(c, HTTP_STALL_TICKS);
	} else if (!answer_moves(c)) {
		COUNTERS_ADD(http_late, 1);
		conn_drop(c);
	}
}

/* Between requests a connection is not late, only no longer wanted. */
static void
check_request(struct conn *c)
{
	if (c->kept && !c->head && !conn_unsent(c)) {
		conn_linger(c);
		return;
	}
	if (answer_moves(c))
		return;
	if (c->kept)
		COUNTERS_ADD(http_late, 1);
	else
		COUNTERS_ADD(slow_handshake, 1);
	conn_drop(c);
}

static void
expire(struct conn *c)
{
	switch ((enum conn_state)c->state) {
	case CONN_TLS:
	case CONN_PROXY:
		COUNTERS_ADD(slow_handshake, 1);
		conn_drop(c);
		return;
	case CONN_HTTP:
		check_request(c);
		return;
	case CONN_CLOSING:
		if (answer_moves(c))
			return;
		conn_drop(c);
		return;
	case CONN_LINGER:
		conn_drop(c);
		return;
	case CONN_OPEN:
		if (c->door) {
			check_door(c);
			return;
		}
		if (c->established) {
			conn_alive(c);
			return;
		}
		COUNTERS_ADD(slow_hello, 1);
		conn_close(c, CODE_NO_HELLO, "no hello in time");
		return;
	case CONN_GONE:
		return;
	}
}

static void
expire_slot(struct conns *cs, struct link *slot)
{
	struct link due;

	link_init(&due);
	while (!link_empty(slot)) {
		struct link *l = slot->next;

		link_remove(l);
		link_append(&due, l);
	}
	while (!link_empty(&due)) {
		struct conn *c = CONTAINER_OF(due.next, struct conn, due_at);

		link_remove(&c->due_at);
		if ((int32_t)(c->due - cs->tick) > 0)
			place(c);
		else
			expire(c);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct conns *cs = arg;
	uint32_t now = conns_ticks();

	/* After a long stop every slot once is enough. */
	if (now - cs->tick > WHEEL_SLOTS)
		cs->tick = now - WHEEL_SLOTS;
	while (cs->tick != now) {
		cs->tick++;
		expire_slot(cs, &cs->wheel[cs->tick % WHEEL_SLOTS]);
	}
	conns_tell_room(cs);
	if (cs->n == 0)
		event_del(cs->tick_ev);
}

int
conns_time_init(struct conns *cs)
{
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		link_init(&cs->wheel[i]);
	cs->tick = conns_ticks();
	cs->tick_ev = event_new(cs->base, -1, EV_PERSIST, on_tick, cs);
	return cs->tick_ev ? 0 : -1;
}

int
conns_time_start(struct conns *cs)
{
	const struct timeval every = { 0, TICK_MS * 1000 };

	if (event_pending(cs->tick_ev, EV_TIMEOUT, NULL))
		return 0;
	cs->tick = conns_ticks();
	return event_add(cs->tick_ev, &every);
}
