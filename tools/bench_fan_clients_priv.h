/* SPDX-License-Identifier: BSD-2-Clause */

/* What the files of a generator share; nobody else includes it. */

#ifndef PEAL_TOOLS_BENCH_FAN_CLIENTS_PRIV_H
#define PEAL_TOOLS_BENCH_FAN_CLIENTS_PRIV_H

#include "core/mp.h"
#include "tools/bench_fan.h"
#include "tools/bench_known.h"
#include "tools/follow.h"
#include "tools/remote.h"

struct ring_reader;

struct fan_client {
	struct remote *remote; /* NULL: to be opened when due */
	struct follow follow;
	struct mp_buf part; /* of a peer's messages, not whole yet */
	uint64_t events;
	uint64_t due_ns;
	unsigned number; /* in the plan */
	unsigned attempts;
	short wants;
	bool live;
	bool lost; /* its connection, in the storm */
};

struct fan_clients {
	const struct fan_plan *plan;
	const struct fan_share *share;
	struct fan_generator *self;
	struct remote_target *target;
	struct ring_reader *ring; /* with plan->durable */
	struct fan_client *clients;
	unsigned n;
	unsigned opened; /* those that are live included */
	unsigned live;
	int epoll;
	struct bench_known known;
	struct mp_buf out;
	struct mp_buf other; /* a message in the other of the two forms */
	/* Events that all and that each owner get, once the source is done. */
	bool ending;
	uint64_t shared;
	uint64_t *owned;
	uint64_t reported_ns;
	uint64_t scanned_ns;
	unsigned seed;
	bool stormy; /* the storm has begun */
	bool back;   /* and all are back */
	uint64_t cpu_before_ns;
};

/* --- bench_fan_take.c: what clients say and get --- */

/* The WebSocket is open. */
MUST_CHECK int bench_fan_take_opened(
    struct fan_clients *c, struct fan_client *cl);
MUST_CHECK int bench_fan_take(struct fan_clients *c, struct fan_client *cl,
    struct slice msg, struct reason *why);
/* Count one whose events come from now on. */
void bench_fan_take_live(struct fan_clients *c, struct fan_client *cl);
/* An event, or several, came that was due then. */
void bench_fan_take_due(
    struct fan_clients *c, const struct fan_client *cl, uint64_t since_ns);
/* Send what was packed into c->out. */
MUST_CHECK int bench_fan_take_send(
    struct fan_clients *c, struct fan_client *cl);

/* --- bench_fan_peer.c: the same with peers --- */

MUST_CHECK int bench_fan_peer_opened(
    struct fan_clients *c, struct fan_client *cl);
MUST_CHECK int bench_fan_peer_take(struct fan_clients *c, struct fan_client *cl,
    struct slice msg, struct reason *why);

#endif
