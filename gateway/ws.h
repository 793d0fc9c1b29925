/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * WebSocket frames from clients (RFC 6455): the gateway's home of wslay.
 * Frames come out of a pool: a connection owns a struct ws only while a
 * frame or a message is under way, an idle one owns nothing.
 */

#ifndef PEAL_GATEWAY_WS_H
#define PEAL_GATEWAY_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct ws;
struct ws_pool;

/* Messages under way may take bytes_max in all. */
struct ws_pool *ws_pool_new(size_t bytes_max);
/* Fragments of a message and control frames a second; 0: any number. */
void ws_pool_limit(struct ws_pool *pool, uint32_t fragments, uint32_t controls);
struct ws_pool *ws_pool_free(struct ws_pool *pool);
CLEANUP_FN(struct ws_pool *, ws_pool_free)

/* Bodies of requests count, too.  false: there is no room for n bytes. */
bool ws_pool_charge(struct ws_pool *pool, size_t n);
void ws_pool_discharge(struct ws_pool *pool, size_t n);

enum {
	WS_FRAGMENTS_MAX = 16, /* unless limited otherwise */
	WS_CONTROL_MAX = 125,  /* payload of a control frame */
	WS_CONTROL_PER_S = 10, /* the same */
	WS_HEAD_MAX = 10,      /* of a frame from the server */
};

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

/* Close codes of RFC 6455, 7.4.1. */
enum ws_code {
	WS_CODE_DONE = 1000,
	WS_CODE_PROTOCOL = 1002,
	WS_CODE_TYPE = 1003,
	WS_CODE_NONE = 1005, /* a close frame without a code */
	WS_CODE_MALFORMED = 1007,
	WS_CODE_POLICY = 1008,
	WS_CODE_TOO_BIG = 1009,
	WS_CODE_INTERNAL = 1011,
	WS_CODE_LATER = 1013,
};

/* Messages of which kind are let in; text is checked to be UTF-8. */
enum ws_kinds {
	WS_KINDS_BINARY = 0,
	WS_KINDS_TEXT,
	WS_KINDS_BOTH,
};

/* What a connection keeps between calls. */
struct ws_state {
	struct ws *partial;    /* NULL between messages */
	uint32_t control_from; /* the second in which ... */
	uint32_t controls;     /* ... so many control frames came */
	uint8_t kinds;	       /* enum ws_kinds */
};

void ws_state_deinit(struct ws_pool *pool, struct ws_state *state);

/* Who takes what was received.  false: stop, the rest is not wanted. */
struct ws_sink {
	/* Opcode WS_TEXT or WS_BINARY (a whole message), WS_PING, WS_PONG. */
	bool (*message)(void *arg, unsigned opcode, struct slice payload);
	/* A good close frame; code WS_CODE_NONE when it carried none. */
	void (*closed)(void *arg, unsigned code);
	void *arg;
};

/*
 * Take received bytes (changed by nobody, live for the call).  max is the
 * longest message that is let in, now_s any clock in seconds.  Returns 0, or
 * the close code for what the client did and in *text why (a literal);
 * nothing more may be taken then.
 */
MUST_CHECK unsigned ws_take(struct ws_pool *pool, struct ws_state *state,
    uint64_t max, uint32_t now_s, struct slice in, const struct ws_sink *sink,
    const char **text);

/* A frame's head from the server, final; returns its length. */
unsigned ws_head(uint8_t head[WS_HEAD_MAX], unsigned opcode, uint64_t len);

/*
 * The payload of a close frame: code and text, cut at WS_CONTROL_MAX (text
 * is ASCII); returns its length.  WS_CODE_NONE has an empty one.
 */
unsigned ws_close_payload(
    uint8_t buf[WS_CONTROL_MAX], unsigned code, const char *text);

#endif
