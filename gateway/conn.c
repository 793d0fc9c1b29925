/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Connections, from accept to the sweep.  Only conns_sweep() frees one, so a
 * pointer to a connection is good until the end of the pass.
 */

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/reason.h"
#include "core/time.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/door.h"
#include "gateway/limits.h"
#include "gateway/trust.h"

/*
 * A handshake of which nothing, or nothing after its first word, has come for
 * so long makes room for a new one when all places are taken.
 */
enum {
	SHAKE_TICKS = 2 * TICKS_S
};

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	conn_turn(c, what);
}

/* Those that were cut short, each for one more turn. */
static void
on_more(evutil_socket_t fd, short what, void *arg)
{
	struct conns *cs = arg;
	struct conn *c = cs->more, *next;

	cs->more = NULL;
	cs->more_end = &cs->more;
	cs->in_more = true;
	cs->steps_awaited = false;
	for (; c; c = next) {
		next = c->next_more;
		c->in_more = false;
		if (c->state != CONN_GONE)
			conn_turn(c, EV_READ);
	}
	cs->in_more = false;
}

void
conn_more(struct conn *c)
{
	static const struct timeval at_once = { 0, 0 };
	struct conns *cs = c->cs;

	if (c->in_more)
		return;
	if (!cs->more)
		event_add(cs->more_ev, &at_once);
	c->in_more = true;
	c->next_more = NULL;
	*cs->more_end = c;
	cs->more_end = &c->next_more;
}

void
conn_dying(struct conn *c)
{
	if (c->in_dying)
		return;
	c->in_dying = true;
	c->next_dying = c->cs->dying;
	c->cs->dying = c;
}

static uint64_t
descriptors_for_connections(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur == RLIM_INFINITY)
		return UINT32_MAX;
	return lim.rlim_cur - lim.rlim_cur / 10;
}

static uint32_t
ticks_of(const struct conf *conf, enum conf_key seconds)
{
	return (uint32_t)conf_uint(conf, seconds) * TICKS_S;
}

void
conns_configure(struct conns *cs, const struct conf *conf)
{
	const struct limits_config limits = {
		.rate = (uint32_t)conf_uint(conf, CONF_gateway_handshake_rate),
		.address_rate =
		    (uint32_t)conf_uint(conf, CONF_gateway_address_handshakes),
		.address_connections =
		    (uint32_t)conf_uint(conf, CONF_gateway_address_connections),
	};
	uint64_t handshakes = conf_uint(conf, CONF_gateway_handshakes);

	limits_configure(cs->limits, &limits);
	ws_pool_limit(cs->pool,
	    (uint32_t)conf_uint(conf, CONF_gateway_fragments),
	    (uint32_t)conf_uint(conf, CONF_gateway_control_frames));
	cs->origins = conf_text(conf, CONF_gateway_origins);
	cs->max_message = (uint32_t)conf_uint(conf, CONF_gateway_max_message);
	cs->hello_bytes = (uint32_t)conf_uint(conf, CONF_gateway_hello_bytes);
	if (cs->hello_bytes == 0)
		cs->hello_bytes = cs->max_message;
	cs->max_conns = conf_uint(conf, CONF_gateway_max_connections);
	if (cs->max_conns == 0)
		cs->max_conns = descriptors_for_connections();
	cs->max_shaking = handshakes > 0 ? (uint32_t)handshakes : UINT32_MAX;
	cs->hello_ticks = ticks_of(conf, CONF_gateway_hello_seconds);
	cs->quiet_ticks = ticks_of(conf, CONF_gateway_quiet_seconds);
	cs->pong_ticks = ticks_of(conf, CONF_gateway_pong_seconds);
	cs->ack_ticks = ticks_of(conf, CONF_gateway_ack_seconds);
	cs->silence_ticks = ticks_of(conf, CONF_gateway_silence_seconds);
	cs->stall_ticks = ticks_of(conf, CONF_gateway_stall_seconds);
	cs->idle_ticks = ticks_of(conf, CONF_gateway_keepalive_seconds);
}

static int
conns_init(struct conns *cs, const struct conf *conf)
{
	static const struct limits_config none;
	uint64_t longest = conf_uint(conf, CONF_gateway_max_message);

	cs->steps_left = HANDSHAKES_A_PASS;
	cs->more_end = &cs->more;
	link_init(&cs->shaking);
	cs->pool = ws_pool_new(MAX(ASSEMBLY_BYTES, 4 * longest));
	cs->limits = limits_new(&none);
	cs->more_ev = event_new(cs->base, -1, 0, on_more, cs);
	if (!cs->pool || !cs->limits || !cs->more_ev || conns_time_init(cs) < 0)
		return -ENOMEM;
	conns_configure(cs, conf);
	return 0;
}

int
conns_new(struct loop *loop, const struct conf *conf, struct tls *tls,
    const struct conn_handler *handler, struct conns **out, struct reason *why)
{
	CLEANUP(conns_freep) struct conns *cs = calloc(1, sizeof(*cs));
	int r;

	if (!cs)
		return reason_set(why, -ENOMEM, "cannot serve connections");
	cs->base = loop_base(loop);
	cs->tls = tls;
	cs->handler = *handler;
	r = trust_parse(
	    conf_text(conf, CONF_gateway_trusted), &cs->trusted, why);
	if (r < 0)
		return r;
	if (conns_init(cs, conf) < 0)
		return reason_set(why, -ENOMEM, "cannot serve connections");
	*out = TAKE(cs);
	return 0;
}

/* Every connection that is not gone yet has a deadline. */
static void
drop_all(struct conns *cs)
{
	for (unsigned i = 0; i < WHEEL_SLOTS; i++) {
		struct link *slot = &cs->wheel[i];

		while (!link_empty(slot))
			conn_drop(
			    CONTAINER_OF(slot->next, struct conn, due_at));
	}
	on_more(-1, 0, cs);
	conns_sweep(cs);
}

struct conns *
conns_free(struct conns *cs)
{
	if (!cs)
		return NULL;
	if (cs->tick_ev)
		drop_all(cs);
	if (cs->tick_ev)
		event_free(cs->tick_ev);
	if (cs->more_ev)
		event_free(cs->more_ev);
	ws_pool_free(cs->pool);
	limits_free(cs->limits);
	trust_free(cs->trusted);
	free(cs);
	return NULL;
}

void
conns_serve(struct conns *cs, const struct site *site)
{
	cs->site = site;
}

static uint64_t
now_ms(void)
{
	return time_mono_ns() / NS_PER_MS;
}

/* The oldest handshake, when it has had its time. */
static struct conn *
stale_handshake(const struct conns *cs)
{
	struct conn *c;

	if (link_empty(&cs->shaking))
		return NULL;
	c = CONTAINER_OF(cs->shaking.next, struct conn, shaking);
	return conns_ticks() - c->heard >= SHAKE_TICKS ? c : NULL;
}

/* Is there a place for a handshake, and may one begin now? */
static bool
room(struct conns *cs)
{
	return !cs->held &&
	       (cs->n_shaking < cs->max_shaking || stale_handshake(cs)) &&
	       limits_rate_left(cs->limits, now_ms());
}

bool
conns_room(struct conns *cs)
{
	if (room(cs))
		return true;
	if (cs->held)
		COUNTERS_ADD(held_unknown, 1);
	else if (limits_rate_left(cs->limits, now_ms()))
		COUNTERS_ADD(held_handshakes, 1);
	else
		COUNTERS_ADD(held_rate, 1);
	cs->starved = true;
	return false;
}

void
conns_on_room(struct conns *cs, void (*fn)(void *arg), void *arg)
{
	cs->room = fn;
	cs->room_arg = arg;
}

void
conns_hold(struct conns *cs, bool held)
{
	cs->held = held;
	conns_tell_room(cs);
}

void
conns_tell_room(struct conns *cs)
{
	if (!cs->starved || !cs->room || !room(cs))
		return;
	cs->starved = false;
	cs->room(cs->room_arg);
}

/* All places are taken: the oldest handshake goes, if it had its time. */
static bool
make_room(struct conns *cs)
{
	struct conn *stale;

	if (cs->n_shaking < cs->max_shaking)
		return true;
	stale = stale_handshake(cs);
	if (!stale) {
		COUNTERS_ADD(held_handshakes, 1);
		return false;
	}
	COUNTERS_ADD(slow_handshake, 1);
	conn_drop(stale);
	return true;
}

bool
conns_enter(struct conns *cs, const struct sockaddr *sa, struct conn *c)
{
	switch (limits_enter(cs->limits, sa, now_ms(), &c->address)) {
	case LIMITS_OK:
		return true;
	case LIMITS_TOO_FAST:
		COUNTERS_ADD(refused_address_rate, 1);
		return false;
	case LIMITS_TOO_MANY:
		COUNTERS_ADD(refused_address, 1);
		c->surplus = true;
		return true;
	}
	return false;
}

/* false: closed at once.  c->surplus: let in to be told 503. */
static bool
admit(struct conns *cs, struct conn *c)
{
	struct sockaddr_storage ss = { 0 };
	const struct sockaddr *sa = (const struct sockaddr *)&ss;
	socklen_t len = sizeof(ss);

	if (getpeername(c->tls.fd, (struct sockaddr *)&ss, &len) < 0)
		return false;
	if (c->plain)
		c->state =
		    trust_holds(cs->trusted, sa) ? CONN_PROXY : CONN_HTTP;
	/* The client behind a proxy counts when it is known. */
	if (c->state != CONN_PROXY && !conns_enter(cs, sa, c))
		return false;
	if (cs->n >= cs->max_conns) {
		COUNTERS_ADD(refused_full, 1);
		c->surplus = true;
	}
	return c->state == CONN_HTTP || make_room(cs);
}

static struct conn *
conn_new(struct conns *cs, int fd, bool plain)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->cs = cs;
	c->tls.fd = fd;
	c->plain = plain;
	link_init(&c->due_at);
	link_init(&c->shaking);
	return c;
}

static int
watch(struct conn *c)
{
	if (event_assign(&c->ev, c->cs->base, c->tls.fd,
		EV_READ | EV_WRITE | EV_ET | EV_PERSIST, on_event, c) < 0)
		return -1;
	return event_add(&c->ev, NULL);
}

void
conns_accept(struct conns *cs, int fd, bool plain)
{
	struct conn *c = conn_new(cs, fd, plain);
	bool in = c && admit(cs, c);

	COUNTERS_ADD(accepted, 1);
	if (!in || conns_time_start(cs) < 0 || watch(c) < 0) {
		COUNTERS_ADD(refused_memory, !c || in);
		limits_leave(c ? c->address : NULL);
		close(fd);
		free(c);
		return;
	}
	COUNTERS_SET(connections, ++cs->n);
	c->max_message = MIN(cs->hello_bytes, cs->max_message);
	c->heard = conns_ticks();
	conn_due_in(c, conns_hello_ticks(cs));
	if (c->state == CONN_HTTP)
		return;
	cs->n_shaking++;
	link_append(&cs->shaking, &c->shaking);
}

void
conns_relax(struct conns *cs)
{
	cs->relaxed = true;
}

void
conn_spoke(struct conn *c)
{
	c->heard = conns_ticks();
	link_remove(&c->shaking);
	link_append(&c->cs->shaking, &c->shaking);
}

void
conn_shaken(struct conn *c)
{
	if (link_empty(&c->shaking))
		return;
	link_remove(&c->shaking);
	c->cs->n_shaking--;
}

void
conn_drop(struct conn *c)
{
	if (c->state == CONN_GONE)
		return;
	conn_shaken(c);
	event_del(&c->ev);
	link_remove(&c->due_at);
	c->state = CONN_GONE;
	conn_dying(c);
}

void
conn_last(struct conn *c)
{
	if (c->state >= CONN_LINGER)
		return;
	c->state = CONN_CLOSING;
	c->peer_done = true;
	c->last_words = true;
	conn_due_in(c, LINGER_TICKS);
	conn_dirty(c);
}

void
conn_linger(struct conn *c)
{
	conn_due_in(c, LINGER_TICKS);
	if (!c->plain)
		tls_bye(c->cs->tls, &c->tls);
	tls_conn_deinit(&c->tls);
	(void)shutdown(c->tls.fd, SHUT_WR);
	c->state = CONN_LINGER;
}

void
conn_close(struct conn *c, unsigned code, const char *text)
{
	if (c->state < CONN_OPEN) {
		conn_drop(c);
		return;
	}
	if (c->state != CONN_OPEN)
		return;
	c->code = (uint16_t)code;
	if (c->door) {
		door_close(c->door, code, text);
		return;
	}
	c->state = CONN_CLOSING;
	conn_due_in(c, LINGER_TICKS);
	conn_say_close(c, code, text);
	conn_dying(c);
}

void
conn_established(struct conn *c)
{
	if (c->established || c->door || c->state != CONN_OPEN)
		return;
	c->established = true;
	c->max_message = c->cs->max_message;
	conn_alive_from_now(c);
}

/* The session goes first; the connection when nothing points to it. */
static void
sweep_one(struct conn *c)
{
	void *session = TAKE(c->session);

	if (session)
		c->cs->handler.closed(session);
	if (c->door && door_is_over(c->door)) {
		c->door = door_free(c->door);
		if (c->state == CONN_OPEN)
			conn_http_next(c);
	}
	if (c->state != CONN_GONE)
		return;
	if (c->in_more || c->in_dirty || c->in_dying) {
		conn_dying(c);
		return;
	}
	tls_conn_deinit(&c->tls);
	ws_state_deinit(c->cs->pool, &c->ws);
	conn_send_deinit(c);
	limits_leave(c->address);
	close(c->tls.fd);
	(void)door_free(c->door);
	free(c->head);
	free(c->rest);
	COUNTERS_SET(connections, --c->cs->n);
	free(c);
}

static void
sweep_dirty(struct conns *cs)
{
	while (cs->dirty) {
		struct conn *c = cs->dirty;

		cs->dirty = c->next_dirty;
		c->in_dirty = false;
		conn_flush(c);
	}
}

/* What is left of those that die waits for the next pass. */
static void
sweep_later(struct conns *cs, struct conn *rest)
{
	static const struct timeval at_once = { 0, 0 };
	struct conn **end = &cs->dying;

	if (!rest)
		return;
	while (*end)
		end = &(*end)->next_dying;
	*end = rest;
	event_add(cs->more_ev, &at_once);
}

void
conns_sweep(struct conns *cs)
{
	unsigned left = SWEEPS_A_PASS;
	struct conn *c, *next;

	cs->steps_left = HANDSHAKES_A_PASS;
	do {
		sweep_dirty(cs);
		c = TAKE(cs->dying);
		for (; c && left > 0; c = next, left--) {
			next = c->next_dying;
			c->in_dying = false;
			sweep_one(c);
		}
		sweep_later(cs, c);
	} while (cs->dirty);
	conns_tell_room(cs);
}

/* Every connection that is not gone yet has a deadline. */
static bool
any_is(const struct conns *cs, bool (*is)(const struct conn *c))
{
	for (unsigned i = 0; i < WHEEL_SLOTS; i++) {
		const struct link *slot = &cs->wheel[i];

		for (const struct link *l = slot->next; l != slot;
		     l = l->next) {
			const struct conn *c =
			    CONTAINER_OF(l, struct conn, due_at);

			if (is(c))
				return true;
		}
	}
	return false;
}

static bool
is_arriving(const struct conn *c)
{
	return c->state <= CONN_HTTP && !c->kept;
}

bool
conns_arriving(const struct conns *cs)
{
	return any_is(cs, is_arriving);
}

bool
conns_sending(const struct conns *cs)
{
	return any_is(cs, conn_unsent);
}

void
conns_refuse(struct conns *cs)
{
	cs->refusing = true;
}

uint64_t
conns_count(const struct conns *cs)
{
	return cs->n;
}
