/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The processes of a benchmark with many clients and the memory that they
 * share: one source of events (a publisher in front of peal or a peer, or a
 * bare server) and generators with the clients.  Every client checks
 * everything it gets.
 */

#ifndef PEAL_TOOLS_BENCH_FAN_H
#define PEAL_TOOLS_BENCH_FAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/reason.h"
#include "tools/bench_hist.h"

struct bench_peer;
struct mp_buf;
struct tool;

enum {
	FAN_GENERATORS_MAX = 32,
	FAN_CLIENTS_EACH = 15000, /* to a generator process, at most */
	FAN_AHEAD = 4096,   /* events that a source may be ahead of a client */
	FAN_MARK = 16,	    /* bytes of data that the source needs */
	FAN_MARK_TEXT = 32, /* the same for peers, in hexadecimal */
	FAN_TOPIC = 96,
};

enum fan_kind {
	FAN_PEAL,
	FAN_BARE,
	FAN_PEER,
};

enum fan_phase {
	FAN_CONNECT, /* clients connect and subscribe */
	FAN_GO,	     /* the source begins */
	FAN_STORM,   /* clients lose their connections, and come back */
	FAN_BACK,    /* all are back */
	FAN_QUIT,    /* everybody ends */
};

/* What one generator tells. */
struct fan_generator {
	_Atomic uint64_t live;	  /* clients that are ready */
	_Atomic uint64_t min_seq; /* position of the slowest */
	_Atomic uint64_t lost;	  /* connections, in the storm */
	_Atomic bool done;	  /* every client has everything */
	_Atomic bool failed;
	struct reason fault;
	uint64_t deliveries;
	uint64_t messages;
	uint64_t missed;	     /* by clients of peers */
	uint64_t refused;	     /* attempts to come back that failed ... */
	struct reason refusal;	     /* ... the first of them */
	uint64_t cpu_ns;	     /* of the generator, in the storm */
	struct bench_hist latency;   /* ns, from when it was due */
	struct bench_hist meanwhile; /* of those who stay, in the storm */
	struct bench_hist back;	     /* ns, from the storm until live */
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
	_Atomic uint64_t storm_ns;
	uint64_t late_ns; /* how far the source fell behind, at most */
	unsigned generators;
	struct fan_generator generator[FAN_GENERATORS_MAX];
};

struct fan_plan {
	struct tool *t;
	struct fan_shared *shared;
	enum fan_kind kind;
	const struct bench_peer *peer; /* of FAN_PEER */
	const char *url; /* of peal; those of other servers are made */
	const char *cafile;
	char **tokens; /* taken by the clients in turns */
	unsigned n_tokens;
	const char *cert; /* of the bare server */
	const char *key;
	char topic[64];
	unsigned clients;
	unsigned stalled; /* further ones, which read nothing once live */
	unsigned each;	  /* clients of a generator, 0: FAN_CLIENTS_EACH */
	double rate;	/* events per second, 0: as fast as clients take them */
	double seconds; /* 0: publish nothing */
	uint64_t size;	/* bytes of data */
	uint64_t gather_ms; /* of the bare server */
	/*
	 * Client i also has the topic of its own i % owned (0: none), and
	 * personal of 1000 events go to one of these instead of to all.
	 */
	unsigned owned;
	unsigned personal;
	bool upgrade_only; /* a client is live once its WebSocket is open */
	bool durable;	   /* latency counts from when it was published */
	bool json;	   /* the subprotocol in JSON */
	/* A storm: clients come back, after up to so long. */
	bool resume;
	bool cut; /* all but the first stay clients cut their connection */
	unsigned stay;
	unsigned jitter_ms;
};

/* Clients first to first + n - 1 of the plan, in one generator. */
struct fan_share {
	unsigned generator;
	unsigned first;
	unsigned n;
	bool stalled;
};

/* Each is the whole life of a forked process; it ends with *shared. */
void bench_fan_clients(
    const struct fan_plan *plan, const struct fan_share *share);
void bench_fan_publish(const struct fan_plan *plan);
void bench_fan_bare(const struct fan_plan *plan);

/* For sources: note the first fault, and give up. */
void bench_fan_source_failed(
    const struct fan_plan *plan, const struct reason *why);
/* Wait until the phase is at least this one; false: it is FAN_QUIT. */
bool bench_fan_await(const struct fan_plan *plan, enum fan_phase phase);
/* Position of the slowest client. */
uint64_t bench_fan_slowest(const struct fan_shared *shared);
/* When event number n (from 0) is due. */
uint64_t bench_fan_due(
    const struct fan_plan *plan, uint64_t start_ns, uint64_t n);

/* Which owned topic event number n (from 1) goes to; below zero: to all. */
int bench_fan_owner(const struct fan_plan *plan, uint64_t n);
/* The topic of owner, or the one of all (below zero). */
void bench_fan_topic(
    const struct fan_plan *plan, int owner, char topic[FAN_TOPIC]);
/*
 * Of the first n events: how many go to all, and to each of the plan->owned
 * topics, which is added to counts.
 */
uint64_t bench_fan_count(
    const struct fan_plan *plan, uint64_t n, uint64_t *counts);

/*
 * Pack event number n (from 1), due at due_ns, as the data that clients
 * look for: a bin of size bytes, or for peers as many bytes of text.
 */
void bench_fan_pack_data(
    struct mp_buf *b, uint64_t size, uint64_t n, uint64_t due_ns);
void bench_fan_pack_text(
    struct mp_buf *b, uint64_t size, uint64_t n, uint64_t due_ns);

#endif
