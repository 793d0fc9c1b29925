/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The fan-out benchmark's processes and the memory that they share: one
 * source of events (a publisher in front of peal, or a bare server) and
 * generators with the clients.  Every client checks everything it gets.
 */

#ifndef PEAL_TOOLS_BENCH_FAN_H
#define PEAL_TOOLS_BENCH_FAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/reason.h"
#include "tools/bench_hist.h"

struct tool;

enum {
	FAN_GENERATORS_MAX = 16,
	FAN_CLIENTS_EACH = 15000, /* to a generator process */
	FAN_AHEAD = 4096, /* events that a source may be ahead of a client */
	FAN_MARK = 16,	  /* bytes of data that the source needs */
};

enum fan_phase {
	FAN_CONNECT, /* clients connect and subscribe */
	FAN_GO,	     /* the source begins */
	FAN_QUIT,    /* everybody ends */
};

/* What one generator tells. */
struct fan_generator {
	_Atomic uint64_t live;	  /* clients that are ready */
	_Atomic uint64_t min_seq; /* position of the slowest */
	_Atomic bool done;	  /* every client has everything */
	_Atomic bool failed;
	struct reason fault;
	uint64_t deliveries;
	uint64_t messages;
	uint64_t lagged;
	struct bench_hist latency; /* ns, from when it was due */
};

struct fan_shared {
	_Atomic enum fan_phase phase;
	/* The source's: */
	_Atomic uint64_t port; /* of the bare server, 0: not yet */
	_Atomic uint64_t published;
	_Atomic bool source_done;
	_Atomic bool source_failed;
	struct reason source_fault;
	_Atomic uint64_t start_ns;
	_Atomic uint64_t end_ns;
	uint64_t late_ns; /* how far the source fell behind, at most */
	uint64_t cpu_ns;  /* the bare server's, while it sent */
	unsigned generators;
	struct fan_generator generator[FAN_GENERATORS_MAX];
};

struct fan_plan {
	struct tool *t;
	struct fan_shared *shared;
	bool bare;
	const char *url; /* of peal; the bare server's is made */
	const char *cafile;
	const char *token;
	const char *cert; /* of the bare server */
	const char *key;
	char topic[64];
	unsigned clients;
	double rate;	/* events per second, 0: as fast as clients take them */
	double seconds; /* 0: publish nothing */
	uint64_t size;	/* bytes of data */
	uint64_t gather_ms; /* of the bare server */
};

/* Each is the whole life of a forked process; it ends with *shared. */
void bench_fan_clients(
    const struct fan_plan *plan, unsigned generator, unsigned clients);
void bench_fan_publish(const struct fan_plan *plan);
void bench_fan_bare(const struct fan_plan *plan);

/* For sources: note the first fault, and give up. */
void bench_fan_source_failed(
    const struct fan_plan *plan, const struct reason *why);
/* Wait until the phase is at least this one; false: it is FAN_QUIT. */
bool bench_fan_await(const struct fan_plan *plan, enum fan_phase phase);
/* Position of the slowest client. */
uint64_t bench_fan_slowest(const struct fan_shared *shared);

/*
 * Pack event number n (from 1), due at due_ns, as the data that clients
 * look for: a bin of size bytes.
 */
struct mp_buf;
void bench_fan_pack_data(
    struct mp_buf *b, uint64_t size, uint64_t n, uint64_t due_ns);

#endif
