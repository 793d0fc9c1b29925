/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A generator: thousands of TLS WebSocket clients on one epoll, from an
 * address of its own.  In a storm each comes back by itself, as a client
 * would: after a random time, and after a longer one where it was refused.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "tools/bench_fan_clients_priv.h"
#include "tools/bench_peer.h"
#include "tools/refuse.h"
#include "tools/tool.h"

enum {
	CLIENTS_CONNECTING = 64, /* at once, before the storm */
	CLIENTS_EVENTS = 256,	 /* of one epoll_wait() */
	CLIENTS_SCAN_MS = 5,
	CLIENTS_DEADLINE_MS = 120000,
	CLIENTS_BACKOFF_MS = 500, /* doubled each time */
	CLIENTS_BACKOFF_SHIFT = 5,
	CLIENTS_BUFFER = 4096, /* to receive, of those that stall */
};

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
clients_open(struct fan_clients *c, struct fan_client *cl, struct reason *why)
{
	int err = remote_open(c->target, &cl->remote, why);

	if (err >= 0)
		err = clients_watch(c, cl, EPOLL_CTL_ADD, why);
	if (err >= 0)
		c->opened++;
	return err;
}

/* Those who are due; all of them are looked through every few ms. */
static int
clients_open_some(struct fan_clients *c, struct reason *why)
{
	uint64_t now = time_mono_ns();
	int err = 0;

	if (c->opened == c->n ||
	    now - c->scanned_ns < CLIENTS_SCAN_MS * NS_PER_MS)
		return 0;
	c->scanned_ns = now;
	for (unsigned i = 0; err >= 0 && i < c->n; i++) {
		if (!c->stormy && c->opened - c->live >= CLIENTS_CONNECTING)
			break;
		if (!c->clients[i].remote && c->clients[i].due_ns <= now)
			err = clients_open(c, &c->clients[i], why);
	}
	return err;
}

static uint64_t
clients_random_ms(struct fan_clients *c, unsigned below_ms)
{
	return (uint64_t)rand_r(&c->seed) % MAX(below_ms, 1u);
}

/* The connection has gone: come back after a while. */
static void
clients_lose(
    struct fan_clients *c, struct fan_client *cl, const struct reason *why)
{
	unsigned ms = c->plan->jitter_ms;

	if (cl->live) {
		c->live--;
		atomic_store(&c->self->live, c->live);
		if (!cl->lost)
			atomic_fetch_add(&c->self->lost, 1);
		cl->lost = true;
		cl->live = false;
	} else {
		if (!c->self->refused++)
			c->self->refusal = *why;
		ms = (unsigned)CLIENTS_BACKOFF_MS
		     << MIN(cl->attempts, (unsigned)CLIENTS_BACKOFF_SHIFT);
		cl->attempts++;
	}
	cl->due_ns = time_mono_ns() + clients_random_ms(c, ms) * NS_PER_MS;
	cl->remote = remote_free(cl->remote);
	c->opened--;
	follow_disconnected(&cl->follow);
}

/* All that do not stay reset their connections at once. */
static void
clients_cut(struct fan_clients *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->clients[i].live &&
		    c->clients[i].number >= c->plan->stay) {
			remote_abort(c->clients[i].remote);
			clients_lose(c, &c->clients[i], NULL);
		}
}

static int
clients_step(struct fan_clients *c, struct fan_client *cl, struct reason *why)
{
	struct slice msg;
	int got, err = 0;

	/* Until a read could only say that there is nothing. */
	do {
		got = remote_step(cl->remote, &msg, why);
		if (got == REMOTE_CLOSED)
			return REFUSE(why, "a client was closed (%u %s)",
			    remote_close_code(cl->remote),
			    remote_close_text(cl->remote));
		if (got < 0)
			return -EPROTO;
		if (got == REMOTE_OPENED)
			err = bench_fan_take_opened(c, cl);
		else if (got == REMOTE_MESSAGE)
			err = bench_fan_take(c, cl, msg, why);
		if (err < 0)
			return err == -EPROTO ? -EBADMSG : err;
		if (c->share->stalled && cl->live)
			return epoll_ctl(c->epoll, EPOLL_CTL_DEL,
			    remote_fd(cl->remote), NULL);
	} while (got != REMOTE_AGAIN && remote_has_more(cl->remote));
	if (remote_wants(cl->remote) != cl->wants)
		return clients_watch(c, cl, EPOLL_CTL_MOD, why);
	return 0;
}

/* A connection may break in a storm; what came over it may never be wrong. */
static int
clients_turn(struct fan_clients *c, struct fan_client *cl, struct reason *why)
{
	int err;

	if (!cl->remote)
		return 0;
	err = clients_step(c, cl, why);
	if (err == -EPROTO && c->plan->resume) {
		clients_lose(c, cl, why);
		return 0;
	}
	return err;
}

/* --- the loop --- */

static uint64_t
clients_expected(const struct fan_clients *c, const struct fan_client *cl)
{
	return c->shared +
	       (c->owned ? c->owned[cl->number % c->plan->owned] : 0);
}

/* Tell how far the slowest is; often only to a source that waits for it. */
static void
clients_report(struct fan_clients *c, bool *complete)
{
	uint64_t slowest = UINT64_MAX, now = time_mono_ns();
	uint64_t interval_ms = c->plan->rate > 0 ? CLIENTS_SCAN_MS : 1;
	bool all = c->ending;

	*complete = false;
	if (now - c->reported_ns < interval_ms * NS_PER_MS)
		return;
	c->reported_ns = now;
	for (unsigned i = 0; i < c->n; i++) {
		slowest = MIN(slowest, c->clients[i].follow.position);
		all =
		    all && c->clients[i].live &&
		    c->clients[i].events == clients_expected(c, &c->clients[i]);
	}
	if (c->share->stalled) {
		slowest = UINT64_MAX;
		all = c->ending;
	}
	atomic_store_explicit(&c->self->min_seq, slowest, memory_order_relaxed);
	*complete = all;
}

/* The source is done: what has each client to get? */
static int
clients_conclude(struct fan_clients *c, struct reason *why)
{
	const struct fan_plan *plan = c->plan;

	if (plan->owned) {
		c->owned = calloc(plan->owned, sizeof(*c->owned));
		if (!c->owned)
			return reason_set(why, -ENOMEM, "cannot count");
	}
	c->shared = bench_fan_count(
	    plan, atomic_load(&plan->shared->published), c->owned);
	c->ending = true;
	return 0;
}

/* What a client lacks, or has too much, when time is up. */
static int
clients_missing(const struct fan_clients *c, struct reason *why)
{
	const struct fan_client *worst = &c->clients[0];
	unsigned wrong = 0;

	for (unsigned i = 0; i < c->n; i++)
		if (!c->clients[i].live ||
		    c->clients[i].events !=
			clients_expected(c, &c->clients[i])) {
			wrong++;
			worst = &c->clients[i];
		}
	return REFUSE(why,
	    "%u of %u clients did not get what was published: one has %llu "
	    "of %llu events (%u are live)",
	    wrong, c->n, (unsigned long long)worst->events,
	    (unsigned long long)clients_expected(c, worst), c->live);
}

static uint64_t
clients_cpu_ns(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void
clients_phase(struct fan_clients *c)
{
	enum fan_phase phase = atomic_load(&c->plan->shared->phase);

	if (c->stormy && !c->back && phase >= FAN_BACK) {
		c->back = true;
		c->self->cpu_ns = clients_cpu_ns() - c->cpu_before_ns;
	}
	if (c->stormy || phase != FAN_STORM)
		return;
	c->stormy = true;
	c->cpu_before_ns = clients_cpu_ns();
	c->self->refused = 0;
	if (c->plan->cut)
		clients_cut(c);
}

static int
clients_loop(struct fan_clients *c, struct reason *why)
{
	struct fan_shared *shared = c->plan->shared;
	struct epoll_event events[CLIENTS_EVENTS];
	uint64_t deadline = time_mono_ns() + CLIENTS_DEADLINE_MS * NS_PER_MS;
	bool complete;
	int n, err = 0;

	while (err >= 0 && atomic_load(&shared->phase) != FAN_QUIT) {
		err = clients_open_some(c, why);
		n = epoll_wait(c->epoll, events, CLIENTS_EVENTS, 2);
		for (int i = 0; err >= 0 && i < n; i++)
			err = clients_turn(c, events[i].data.ptr, why);
		clients_phase(c);
		clients_report(c, &complete);
		if (err >= 0 && !c->ending &&
		    atomic_load(&shared->source_done)) {
			err = clients_conclude(c, why);
			deadline =
			    time_mono_ns() + CLIENTS_DEADLINE_MS * NS_PER_MS;
		}
		if (complete)
			atomic_store(&c->self->done, true);
		if ((c->ending || c->live < c->n) &&
		    !atomic_load(&c->self->done) && time_mono_ns() > deadline &&
		    err >= 0)
			err = clients_missing(c, why);
	}
	return err;
}

/* --- beginning and end --- */

static int
clients_ring(struct fan_clients *c, struct reason *why)
{
	char path[PATH_MAX];

	if (!c->plan->durable || c->plan->kind != FAN_PEAL)
		return 0;
	snprintf(
	    path, sizeof(path), "%s/ring", house_run_dir(&c->plan->t->house));
	return ring_reader_open(path, &c->ring, why);
}

static int
clients_target(struct fan_clients *c, struct reason *why)
{
	const struct fan_plan *plan = c->plan;
	struct remote_dialect dialect = { "/v1/ws", "peal.v1.json", true };
	char url[64], from[24];
	const char *at = url;
	int err;

	while (plan->kind == FAN_BARE && !atomic_load(&plan->shared->port)) {
		if (atomic_load(&plan->shared->phase) == FAN_QUIT)
			return REFUSE(why, "the bare server did not start");
		(void)poll(NULL, 0, 1);
	}
	snprintf(url, sizeof(url), "https://127.0.0.1:%u",
	    plan->kind == FAN_PEER
		? bench_peer_port(plan->peer)
		: (unsigned)atomic_load(&plan->shared->port));
	if (plan->kind == FAN_PEAL)
		at = plan->url;
	err = remote_target_open(at, plan->cafile, &c->target, why);
	if (plan->kind == FAN_PEER)
		bench_peer_dialect(plan->peer, &dialect);
	if (err >= 0 && (plan->kind == FAN_PEER || plan->json))
		remote_target_speak(c->target, &dialect);
	if (err >= 0 && c->share->stalled)
		remote_target_buffer(c->target, CLIENTS_BUFFER);
	/* In a storm the clients' handshakes take as much as the server's. */
	if (err >= 0 && plan->resume)
		err = remote_target_brief(c->target, why);
	snprintf(from, sizeof(from), "127.0.0.%u", c->share->generator + 2);
	if (err >= 0 && !strncmp(at, "https://127.", 12))
		err = remote_target_from(c->target, from, why);
	return err;
}

static int
clients_begin(struct fan_clients *c, struct reason *why)
{
	int err;

	bench_known_init(&c->known, c->plan->json);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->clients = calloc(c->n, sizeof(*c->clients));
	if (c->epoll < 0 || !c->clients)
		return reason_set(why, -ENOMEM, "cannot make clients");
	for (unsigned i = 0; i < c->n; i++)
		c->clients[i].number = c->share->first + i;
	c->seed = (unsigned)getpid();
	err = clients_target(c, why);
	return err < 0 ? err : clients_ring(c, why);
}

static void
clients_end(struct fan_clients *c)
{
	for (unsigned i = 0; c->clients && i < c->n; i++) {
		(void)remote_free(c->clients[i].remote);
		mp_buf_deinit(&c->clients[i].part);
	}
	bench_known_deinit(&c->known);
	free(c->clients);
	free(c->owned);
	mp_buf_deinit(&c->out);
	mp_buf_deinit(&c->other);
	c->ring = ring_reader_free(c->ring);
	c->target = remote_target_free(c->target);
	closep(&c->epoll);
}

void
bench_fan_clients(const struct fan_plan *plan, const struct fan_share *share)
{
	struct fan_generator *self = &plan->shared->generator[share->generator];
	struct fan_clients *c = calloc(1, sizeof(*c));
	struct reason why = REASON_NO_MEMORY;
	int err = -ENOMEM;

	if (c) {
		c->plan = plan;
		c->share = share;
		c->self = self;
		c->n = share->n;
		err = clients_begin(c, &why);
		if (err >= 0)
			err = clients_loop(c, &why);
		clients_end(c);
	}
	free(c);
	if (err < 0) {
		self->fault = why;
		atomic_store(&self->failed, true);
	}
}
