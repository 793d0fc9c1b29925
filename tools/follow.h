/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One subscription as its client keeps it: a position in the log that only
 * moves along the chain (after, upto].  A server that skips, repeats or
 * reorders is found out here, and nowhere later.
 */

#ifndef PEAL_TOOLS_FOLLOW_H
#define PEAL_TOOLS_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/proto.h"

struct mp_buf;
struct reason;

enum {
	FOLLOW_ID = 1
};

struct follow {
	char log[PROTO_LOG_NAME]; /* "" before the first welcome */
	bool log_changed;	  /* a welcome named another log than before */
	bool positioned;	  /* position counts; else: from now */
	bool live;
	uint64_t position;    /* everything up to here has come */
	uint64_t last_seq;    /* of the newest durable event */
	uint64_t conflate_ms; /* 0: it wants every event */
	bool trusting;	      /* leave out the full validation: benchmarks */
};

/* {"op":"hello",…}; token NULL: none. */
void follow_pack_hello(struct mp_buf *b, const char *token);
/* Subscribe from the position, or from now. */
void follow_pack_subscribe(const struct follow *f, struct mp_buf *b,
    const char *const *patterns, unsigned n);

enum follow_kind {
	FOLLOW_OTHER = 0,
	FOLLOW_WELCOME,
	FOLLOW_SUBSCRIBED,
	FOLLOW_EVENTS,	 /* a batch or a part of a replay, maybe empty */
	FOLLOW_LAGGED,	 /* not live any more; body has oldest and head */
	FOLLOW_EXPIRING, /* the token is about to end */
	FOLLOW_ERROR,	 /* code and text are there */
};

struct follow_message {
	enum follow_kind kind;
	struct slice events; /* encoded events back to back */
	uint32_t n;
	uint64_t oldest, head; /* of FOLLOW_LAGGED */
	enum proto_code code;
	struct slice text;
	struct slice body; /* the whole message */
};

/*
 * Take a message from the server.  0, -EPROTO with a sentence when it is
 * malformed or breaks the chain, or -ENOMEM.
 */
MUST_CHECK int follow_take(struct follow *f, struct slice msg,
    struct follow_message *got, struct reason *why);

/* The connection has gone: what is known of the position stays. */
void follow_disconnected(struct follow *f);

#endif
