/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How much one address may have: connections at a time, and new ones per
 * second.  Loopback and local sockets are not counted.
 */

#ifndef PEAL_GATEWAY_LIMITS_H
#define PEAL_GATEWAY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct limits;
struct limits_entry;
struct sockaddr;

/* 0: no limit. */
struct limits_config {
	uint32_t rate;		      /* new connections per second in all */
	uint32_t address_rate;	      /* the same of one address */
	uint32_t address_connections; /* at a time */
};

struct limits *limits_new(const struct limits_config *config);
struct limits *limits_free(struct limits *l);
CLEANUP_FN(struct limits *, limits_free)

/* From now on; connections that are there stay. */
void limits_configure(struct limits *l, const struct limits_config *config);

/* May another connection come at all, at now_ms of any clock? */
bool limits_rate_left(struct limits *l, uint64_t now_ms);

enum limits_verdict {
	LIMITS_OK = 0,
	LIMITS_TOO_FAST,
	LIMITS_TOO_MANY, /* connections of that address, or addresses */
};

/*
 * A connection from sa begins (it counts against the rate in any case).
 * LIMITS_OK: *entry is to be given to limits_leave() at its end; NULL for
 * those that are not counted.  An IPv6 address stands for its /64.
 */
MUST_CHECK enum limits_verdict limits_enter(struct limits *l,
    const struct sockaddr *sa, uint64_t now_ms, struct limits_entry **entry);
void limits_leave(struct limits_entry *entry);

/* Addresses that are remembered. */
uint32_t limits_addresses(const struct limits *l);

#endif
