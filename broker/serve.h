/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Serving: the connections of gateways and tools on broker.sock.  The loop
 * answers what is in memory, workers the rest.
 */

#ifndef PEAL_BROKER_SERVE_H
#define PEAL_BROKER_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct clients;
struct folder;
struct jobs;
struct loop;
struct query;
struct reason;
struct serve;
struct store;

struct serve_parts {
	struct loop *loop;
	struct jobs *jobs; /* ends before what serves */
	struct store *store;
	struct query *query;
	struct clients *clients;
	int listen_fd; /* of broker.sock; stays the caller's; -1: none */
};

/* Before the folder starts, since commits are heard of from here on. */
MUST_CHECK int serve_new(
    const struct serve_parts *parts, struct serve **out, struct reason *why);
/* Drops all connections.  The folder has stopped. */
struct serve *serve_free(struct serve *sv);
CLEANUP_FN(struct serve *, serve_free)

/* The folder runs: let peers in. */
MUST_CHECK int serve_open(
    struct serve *sv, const struct folder *folder, struct reason *why);
/* Show tools what there is to be counted. */
void serve_report(struct serve *sv);
/* Nobody new comes in. */
void serve_close(struct serve *sv);

/* Take a connected socket as a peer; the descriptor is taken in any case. */
MUST_CHECK int serve_add(struct serve *sv, int fd);

#endif
