/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Other servers that fan out, measured like peal: installed programs, each
 * started with a configuration of its own in a temporary directory, on
 * loopback, with TLS WebSockets for clients and a plain socket for the
 * publisher.
 */

#ifndef PEAL_TOOLS_BENCH_PEER_H
#define PEAL_TOOLS_BENCH_PEER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/bytes.h"
#include "core/macros.h"

struct mp_buf;
struct reason;
struct remote_dialect;

enum peer_kind {
	PEER_PARTIAL = 0, /* more must come */
	PEER_NOTHING,	  /* read and forgotten */
	PEER_ACCEPTED,	  /* greeted: now ask for the subscription */
	PEER_READY,	  /* subscribed */
	PEER_EVENT,	  /* payload is one */
	PEER_ASKED,	  /* answer with bench_peer_kind.answer */
};

/* The next thing in what a peer sent. */
struct peer_item {
	size_t len; /* all of it */
	struct slice payload;
};

struct bench_peer;

struct bench_peer_kind {
	const char *name;
	const char *program;
	/* What stands in DIR/conf. */
	void (*configure)(const struct bench_peer *p, char *conf, size_t size);
	const char *const *argv; /* %s at the head of one: DIR */
	const char *path;
	const char *subprotocol;
	bool text; /* WebSocket messages may be text */
	/* What a client says first (NULL: it is subscribed once open). */
	void (*hello)(struct mp_buf *out);
	void (*subscribe)(struct mp_buf *out);
	const char *answer;
	/* What the publisher says, on a plain socket. */
	void (*greet)(struct mp_buf *out);
	void (*publish)(struct mp_buf *out, struct slice payload);
	/* One answer of a server that answers each event; NULL: it does not. */
	const char *published;
	enum peer_kind (*parse)(struct slice in, struct peer_item *item);
};

extern const struct bench_peer_kind bench_peer_nats;
extern const struct bench_peer_kind bench_peer_nchan;
extern const struct bench_peer_kind bench_peer_mosquitto;

struct bench_peer {
	const struct bench_peer_kind *kind;
	pid_t pid;
	unsigned port;	/* TLS WebSocket */
	unsigned plain; /* of the publisher */
	const char *cert;
	const char *key;
	char dir[PATH_MAX];
};

/* "nats", "nchan" or "mosquitto"; NULL: there is none of that name. */
const struct bench_peer_kind *bench_peer_find(const char *name);
/* Is its program installed? */
bool bench_peer_installed(const struct bench_peer_kind *kind);

/* Start one, and wait until it listens; bench_peer_stop() ends it. */
MUST_CHECK int bench_peer_start(struct bench_peer *p,
    const struct bench_peer_kind *kind, const char *cert, const char *key,
    struct reason *why);
void bench_peer_stop(struct bench_peer *p);

unsigned bench_peer_port(const struct bench_peer *p);
void bench_peer_dialect(
    const struct bench_peer *p, struct remote_dialect *dialect);

/* The life of a forked publisher. */
struct fan_plan;
void bench_peer_publish(const struct fan_plan *plan);

#endif
