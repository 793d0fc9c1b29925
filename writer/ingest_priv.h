/* SPDX-License-Identifier: BSD-2-Clause */

/* What ingest.c (connections) and request.c (requests) share. */

#ifndef PEAL_WRITER_INGEST_PRIV_H
#define PEAL_WRITER_INGEST_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/acceptor.h"
#include "core/frame.h"
#include "core/loop.h"
#include "core/proto.h"
#include "core/timekeeper.h"
#include "writer/admit.h"
#include "writer/ingest.h"
#include "writer/quota.h"
#include "writer/replies.h"

enum {
	INGEST_REQUESTS = 4096,		/* unanswered, per connection */
	INGEST_REQUEST_BYTES = 4 << 20, /* the same in bytes */
	INGEST_TOTAL_BYTES = 64 << 20,	/* of all connections */
	INGEST_UNSENT_BYTES = 1 << 20,	/* replies a peer does not read */
	INGEST_FRAME_MAX = 4 << 20,	/* longest request */
	INGEST_PRODUCERS = 1024,
};

struct producer {
	TAILQ_ENTRY(producer) all;
	TAILQ_ENTRY(producer) waiting;
	struct ingest *in;
	struct frame_stream fs;
	struct loop_io io;
	struct replies replies;
	char account[129];
	bool may_system;
	uid_t uid;
	bool is_waiting; /* on the waiting list: something is held or stalled */
	bool ended;	 /* the peer sends no more */
	bool refused;	 /* it sent what can't be understood: take no more */
	bool all_taken;	 /* no whole request is left in memory */
	bool dead;	 /* to be dropped when its turn is over */
	unsigned wanted; /* what io waits for */
	struct slice stalled; /* a request that found no room; len 0: none */
	uint64_t stalled_ns;  /* and when it was first in hand */
};

TAILQ_HEAD(producer_list, producer);

struct ingest {
	struct ingest_parts parts;
	struct acceptor door;
	struct producer_list all;
	struct producer_list waiting;
	uint64_t request_bytes; /* held, of all */
	bool draining;
	struct admit admit;
	struct mp_buf canonical;
	struct timekeeper timekeeper;
	uint64_t wall_us; /* what the clock says, and what of it is believed: */
	uint64_t now_us;  /* time of the requests that are being taken */
	uint64_t now_ns;  /* the same, CLOCK_BOOTTIME */
	struct quota quota;
	struct ingest_counts counts;
};

enum request_taken {
	REQUEST_TAKEN = 0,
	REQUEST_STALLED
};

/*
 * Handle one request of p; bytes live until the next frame_fill().
 * REQUEST_STALLED: it found no room and is to be tried again.  p->dead is
 * set where the connection can't go on.
 */
enum request_taken request_handle(struct producer *p, struct slice value);

/* A reply that waits for nothing: begin it, and end it. */
struct mp_buf *request_begin_now(struct producer *p, size_t *mark);
void request_end_now(struct producer *p, size_t mark);
void request_refuse(struct producer *p, struct proto_uint id,
    enum proto_code code, const char *message, uint64_t retry_ms);

/* --- handover.c --- */

/*
 * What the broker asks and brings, `retain` and `base`; they are no requests
 * of the protocol.  false: it is neither.
 */
bool handover_handle(struct producer *p, struct slice value);

#endif
