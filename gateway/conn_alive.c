/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Is the peer there, and does it read?  TCP knows what was acknowledged; a
 * ping is for those to whom nothing is on its way.  A slow client is never
 * taken for a dead one: TCP_USER_TIMEOUT would, since it aborts connections
 * whose window is closed.
 */

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/conn_priv.h"
#include "gateway/counters.h"

/* doc/protocol.md, "Close codes". */
enum {
	CODE_STALLED = 4409
};

/* What the kernel has yet to get through to the peer. */
struct outlook {
	bool flying;	 /* bytes were sent and not acknowledged */
	bool unsent;	 /* others wait, in the kernel or here */
	uint32_t ack_at; /* ticks: when the last acknowledgement came */
	uint64_t acked;	 /* bytes */
};

/*
 * Where nothing was written since all was acknowledged there is nothing to
 * look at: so idle connections cost no system call.
 */
static void
look(struct conn *c, uint32_t now, struct outlook *o)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	*o = (struct outlook){ .unsent = conn_unsent(c), .acked = c->acked };
	if (!c->wrote && !o->unsent)
		return;
	if (getsockopt(c->tls.fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0) {
		/* A local socket: how its client reads, the proxy knows. */
		o->ack_at = now;
		o->acked = c->acked + 1;
		return;
	}
	o->flying = info.tcpi_unacked > 0;
	o->unsent = o->unsent || info.tcpi_notsent_bytes > 0;
	o->ack_at = now - info.tcpi_last_ack_recv / TICK_MS;
	o->acked = info.tcpi_bytes_acked;
	if (!o->flying && !o->unsent)
		c->wrote = false;
}

/* Nothing was acknowledged for too long, though something had to be. */
static bool
is_cut_off(struct conn *c, uint32_t now, const struct outlook *o)
{
	const struct conns *cs = c->cs;
	uint32_t waited;

	if (!o->flying && !o->unsent) {
		c->owed = false;
		return false;
	}
	if (!c->owed)
		c->owed_from = now;
	else if ((int32_t)(o->ack_at - c->owed_from) > 0)
		c->owed_from = o->ack_at;
	c->owed = true;
	waited = now - c->owed_from;
	return (o->flying && cs->ack_ticks > 0 && waited >= cs->ack_ticks) ||
	       (cs->silence_ticks > 0 && waited >= cs->silence_ticks);
}

/* Bytes wait for it, and it has taken none for too long. */
static bool
is_stalled(struct conn *c, uint32_t now, const struct outlook *o)
{
	uint32_t most = c->cs->stall_ticks;

	if (!o->unsent || o->acked != c->acked) {
		c->acked = o->acked;
		c->moved = now;
	}
	return most > 0 && now - c->moved >= most;
}

/*
 * A peer that has not been sent everything yet is not asked, and need not
 * answer: its pong is awaited from when the last byte has left.
 */
static bool
is_mute(struct conn *c, uint32_t now, const struct outlook *o)
{
	uint32_t quiet = c->cs->quiet_ticks;

	/* Who gets Server-Sent Events has nothing to say. */
	if (quiet == 0 || c->door || now - c->heard < quiet)
		return false;
	if (o->unsent || !c->pinged)
		c->asked = now;
	if (!o->unsent && !c->pinged) {
		c->pinged = true;
		conn_ping(c);
	}
	return now - c->asked >= c->cs->pong_ticks;
}

/* How long until something can have changed. */
static uint32_t
next_look(const struct conns *cs)
{
	const uint32_t ticks[] = { cs->quiet_ticks, cs->pong_ticks,
		cs->ack_ticks, cs->silence_ticks, cs->stall_ticks };
	uint32_t least = PONG_TICKS;

	for (unsigned i = 0; i < ARRAY_LEN(ticks); i++)
		if (ticks[i] > 0)
			least = MIN(least, ticks[i]);
	return MAX(least / 4, 1u);
}

void
conn_alive(struct conn *c)
{
	uint32_t now = conns_ticks();
	struct outlook o;

	look(c, now, &o);
	if (is_cut_off(c, now, &o)) {
		COUNTERS_ADD(dead_ack, 1);
		conn_drop(c);
	} else if (is_stalled(c, now, &o)) {
		COUNTERS_ADD(stalled, 1);
		conn_close(c, CODE_STALLED, "nothing was read for too long");
		/* Should it wake up, it finds why. */
		conn_due_in(c, PONG_TICKS);
	} else if (is_mute(c, now, &o)) {
		COUNTERS_ADD(dead_pong, 1);
		conn_drop(c);
	} else {
		conn_due_in(c, next_look(c->cs));
	}
}

void
conn_alive_from_now(struct conn *c)
{
	c->moved = conns_ticks();
	c->wrote = true;
	conn_due_in(c, next_look(c->cs));
}
