/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A generator: thousands of TLS WebSocket clients on one epoll.  Clients get
 * the same messages, so a message is parsed once, kept, and compared byte by
 * byte for all who get it later; position and count are each client's own.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/event.h"
#include "core/time.h"
#include "tools/bench_fan.h"
#include "tools/follow.h"
#include "tools/refuse.h"
#include "tools/remote.h"
#include "tools/tool.h"

enum {
	CLIENTS_CONNECTING = 64, /* at once */
	CLIENTS_EVENTS = 256,	 /* of one epoll_wait() */
	CLIENTS_KNOWN = 256,	 /* messages that are kept */
	CLIENTS_DEADLINE_MS = 60000,
};

/* A message that was checked, and when its events were due. */
struct known_message {
	uint64_t after;
	uint64_t upto;
	uint32_t n;
	size_t len;
	struct mp_buf bytes;
	uint64_t *due_ns;
};

struct fan_client {
	struct remote *remote;
	struct follow follow;
	uint64_t events;
	short wants;
	bool live;
};

struct fan_clients {
	const struct fan_plan *plan;
	struct fan_generator *self;
	struct remote_target *target;
	struct fan_client *clients;
	unsigned n;
	unsigned opened;
	unsigned live;
	int epoll;
	struct known_message known[CLIENTS_KNOWN];
	struct mp_buf out;
	uint64_t expected; /* events of each client; once the source is done */
	uint64_t reported_ns;
};

/* --- messages --- */

/* The time that an event's source wrote into its data. */
static int
clients_due(struct slice bytes, uint64_t *due_ns, struct reason *why)
{
	struct event ev;
	struct mp_walk w;
	struct mp_item item;

	if (event_decode(bytes, &ev, why) < 0)
		return -EPROTO;
	w = mp_walk(ev.data);
	if (!mp_next(&w, &item) || item.type != MP_BIN || item.s.len < FAN_MARK)
		return REFUSE(why, "an event has data of somebody else");
	*due_ns = get_le64(item.s.p);
	return 0;
}

/* Check a new message in full, by itself, and keep it. */
static int
clients_learn(struct known_message *k, struct slice msg, uint64_t after,
    struct reason *why)
{
	struct follow f = {
		.live = true, .positioned = true, .position = after
	};
	struct follow_message got;
	struct mp_walk w;
	struct slice event;
	int err = follow_take(&f, msg, &got, why);

	if (err < 0)
		return err;
	free(k->due_ns);
	k->due_ns = calloc(got.n + 1, sizeof(*k->due_ns));
	k->bytes.len = 0;
	mp_buf_bytes(&k->bytes, msg.p, msg.len);
	if (!k->due_ns || k->bytes.failed)
		return reason_set(why, -ENOMEM, "cannot keep a message");
	w = mp_walk(got.events);
	for (uint32_t i = 0; i < got.n && mp_skip(&w, &event); i++) {
		err = clients_due(event, &k->due_ns[i], why);
		if (err < 0)
			return err;
	}
	k->after = after;
	k->upto = f.position;
	k->n = got.n;
	k->len = msg.len;
	return 0;
}

static int
clients_batch(struct fan_clients *c, struct fan_client *cl, struct slice msg,
    uint64_t after, struct reason *why)
{
	struct known_message *k = &c->known[after % CLIENTS_KNOWN];
	uint64_t now;
	int err;

	if (k->after != after || k->len != msg.len || !k->bytes.p ||
	    memcmp(k->bytes.p, msg.p, msg.len) != 0) {
		k->len = 0;
		err = clients_learn(k, msg, after, why);
		if (err < 0)
			return err;
	}
	if (after != cl->follow.position)
		return REFUSE(why,
		    "the chain is broken: (%llu, ...] came at position %llu",
		    (unsigned long long)after,
		    (unsigned long long)cl->follow.position);
	cl->follow.position = k->upto;
	cl->events += k->n;
	c->self->deliveries += k->n;
	c->self->messages++;
	now = time_mono_ns();
	for (uint32_t i = 0; i < k->n; i++)
		bench_hist_add(&c->self->latency,
		    now > k->due_ns[i] ? now - k->due_ns[i] : 0, 1);
	return 0;
}

static int
clients_send(struct fan_clients *c, struct fan_client *cl)
{
	int err = c->out.failed
		      ? -ENOMEM
		      : remote_send(cl->remote, slice_of(c->out.p, c->out.len));

	c->out.len = 0;
	return err;
}

static void
clients_live(struct fan_clients *c, struct fan_client *cl)
{
	cl->live = true;
	c->live++;
	atomic_store(&c->self->live, c->live);
}

static int
clients_opened(struct fan_clients *c, struct fan_client *cl)
{
	if (c->plan->bare) {
		cl->follow.positioned = cl->follow.live = true;
		clients_live(c, cl);
		return 0;
	}
	follow_pack_hello(&c->out, c->plan->token);
	return clients_send(c, cl);
}

static int
clients_control(struct fan_clients *c, struct fan_client *cl, struct slice msg,
    struct reason *why)
{
	const char *topics[] = { c->plan->topic };
	struct follow_message got;
	int err = follow_take(&cl->follow, msg, &got, why);

	if (err < 0)
		return err;
	switch (got.kind) {
	case FOLLOW_WELCOME:
		follow_pack_subscribe(&cl->follow, &c->out, topics, 1);
		return clients_send(c, cl);
	case FOLLOW_SUBSCRIBED:
		clients_live(c, cl);
		return 0;
	case FOLLOW_LAGGED:
		c->self->lagged++;
		return REFUSE(why, "a client lagged (%.*s)", (int)got.text.len,
		    (const char *)got.text.p);
	case FOLLOW_ERROR:
		return REFUSE(why, "%s: %.*s", proto_code_name(got.code),
		    (int)got.text.len, (const char *)got.text.p);
	default:
		return 0;
	}
}

static int
clients_message(struct fan_clients *c, struct fan_client *cl, struct slice msg,
    struct reason *why)
{
	struct mp_walk w = mp_walk(msg);
	struct mp_item head, after;

	if (mp_next(&w, &head) && head.type == MP_ARRAY &&
	    mp_next(&w, &after) && after.type == MP_UINT)
		return clients_batch(c, cl, msg, after.u, why);
	return clients_control(c, cl, msg, why);
}

/* --- connections --- */

static int
clients_watch(
    struct fan_clients *c, struct fan_client *cl, int op, struct reason *why)
{
	struct epoll_event ev = { .data.ptr = cl };

	cl->wants = remote_wants(cl->remote);
	ev.events = (cl->wants & POLLIN ? EPOLLIN : 0u) |
		    (cl->wants & POLLOUT ? EPOLLOUT : 0u);
	if (epoll_ctl(c->epoll, op, remote_fd(cl->remote), &ev) < 0)
		return reason_set(why, -errno, "cannot watch a client");
	return 0;
}

static int
clients_open_some(struct fan_clients *c, struct reason *why)
{
	int err;

	while (c->opened < c->n && c->opened - c->live < CLIENTS_CONNECTING) {
		struct fan_client *cl = &c->clients[c->opened];

		err = remote_open(c->target, &cl->remote, why);
		if (err >= 0)
			err = clients_watch(c, cl, EPOLL_CTL_ADD, why);
		if (err < 0)
			return err;
		c->opened++;
	}
	return 0;
}

static int
clients_turn(struct fan_clients *c, struct fan_client *cl, struct reason *why)
{
	struct slice msg;
	int got, err = 0;

	/* Until a read could only say that there is nothing. */
	do {
		got = remote_step(cl->remote, &msg, why);
		if (got < 0)
			return got;
		if (got == REMOTE_CLOSED)
			return REFUSE(why, "a client was closed (%u %s)",
			    remote_close_code(cl->remote),
			    remote_close_text(cl->remote));
		if (got == REMOTE_OPENED)
			err = clients_opened(c, cl);
		else if (got == REMOTE_MESSAGE)
			err = clients_message(c, cl, msg, why);
		if (err < 0)
			return err;
	} while (got != REMOTE_AGAIN && remote_has_more(cl->remote));
	if (remote_wants(cl->remote) != cl->wants)
		return clients_watch(c, cl, EPOLL_CTL_MOD, why);
	return 0;
}

/* --- the loop --- */

/* Tell how far the slowest is; once a millisecond. */
static void
clients_report(struct fan_clients *c, bool *complete)
{
	uint64_t slowest = UINT64_MAX, now = time_mono_ns();
	bool all = true;

	*complete = false;
	if (now - c->reported_ns < NS_PER_MS)
		return;
	c->reported_ns = now;
	for (unsigned i = 0; i < c->n; i++) {
		slowest = MIN(slowest, c->clients[i].follow.position);
		all = all && c->clients[i].events == c->expected;
	}
	atomic_store_explicit(&c->self->min_seq, slowest, memory_order_relaxed);
	*complete = all;
}

/* What a client lacks when time is up. */
static int
clients_missing(const struct fan_clients *c, struct reason *why)
{
	unsigned short_of = 0, worst = 0;

	for (unsigned i = 0; i < c->n; i++)
		if (c->clients[i].events != c->expected) {
			short_of++;
			if (c->clients[i].events < c->clients[worst].events)
				worst = i;
		}
	return REFUSE(why,
	    "%u of %u clients did not get what was published: one has %llu "
	    "of %llu events (%u are live)",
	    short_of, c->n, (unsigned long long)c->clients[worst].events,
	    (unsigned long long)c->expected, c->live);
}

static int
clients_loop(struct fan_clients *c, struct reason *why)
{
	struct fan_shared *shared = c->plan->shared;
	struct epoll_event events[CLIENTS_EVENTS];
	uint64_t deadline = time_mono_ns() + CLIENTS_DEADLINE_MS * NS_PER_MS;
	bool complete, ending = false;
	int n, err = 0;

	while (err >= 0 && atomic_load(&shared->phase) != FAN_QUIT) {
		err = clients_open_some(c, why);
		n = epoll_wait(c->epoll, events, CLIENTS_EVENTS, 2);
		for (int i = 0; err >= 0 && i < n; i++)
			err = clients_turn(c, events[i].data.ptr, why);
		clients_report(c, &complete);
		if (!ending && atomic_load(&shared->source_done)) {
			c->expected = atomic_load(&shared->published);
			ending = true;
			deadline =
			    time_mono_ns() + CLIENTS_DEADLINE_MS * NS_PER_MS;
		} else if (ending && complete) {
			atomic_store(&c->self->done, true);
		}
		if ((ending || c->live < c->n) &&
		    !atomic_load(&c->self->done) && time_mono_ns() > deadline &&
		    err >= 0)
			err = clients_missing(c, why);
	}
	return err;
}

static int
clients_begin(struct fan_clients *c, struct reason *why)
{
	const struct fan_plan *plan = c->plan;
	char url[64];
	int err;

	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->clients = calloc(c->n, sizeof(*c->clients));
	if (c->epoll < 0 || !c->clients)
		return reason_set(why, -ENOMEM, "cannot make clients");
	while (plan->bare && !atomic_load(&plan->shared->port)) {
		if (atomic_load(&plan->shared->phase) == FAN_QUIT)
			return REFUSE(why, "the bare server did not start");
		(void)poll(NULL, 0, 1);
	}
	snprintf(url, sizeof(url), "https://127.0.0.1:%u",
	    (unsigned)atomic_load(&plan->shared->port));
	err = remote_target_open(
	    plan->bare ? url : plan->url, plan->cafile, &c->target, why);
	for (unsigned i = 0; i < CLIENTS_KNOWN; i++)
		c->known[i].after = UINT64_MAX;
	return err;
}

static void
clients_end(struct fan_clients *c)
{
	for (unsigned i = 0; c->clients && i < c->opened; i++)
		(void)remote_free(c->clients[i].remote);
	for (unsigned i = 0; i < CLIENTS_KNOWN; i++) {
		mp_buf_deinit(&c->known[i].bytes);
		free(c->known[i].due_ns);
	}
	free(c->clients);
	mp_buf_deinit(&c->out);
	c->target = remote_target_free(c->target);
	closep(&c->epoll);
}

void
bench_fan_clients(
    const struct fan_plan *plan, unsigned generator, unsigned clients)
{
	struct fan_clients *c = calloc(1, sizeof(*c));
	struct reason why = { "out of memory" };
	int err = -ENOMEM;

	if (c) {
		c->plan = plan;
		c->self = &plan->shared->generator[generator];
		c->n = clients;
		err = clients_begin(c, &why);
		if (err >= 0)
			err = clients_loop(c, &why);
		clients_end(c);
	}
	free(c);
	if (err < 0) {
		plan->shared->generator[generator].fault = why;
		atomic_store(&plan->shared->generator[generator].failed, true);
	}
}
