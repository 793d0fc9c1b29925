/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Connections: one socket from accept to close, with TLS or plain behind a
 * proxy, first HTTP, then perhaps WebSocket.  A connection knows messages, not
 * what they mean: its session does, through struct conn_handler.  A request
 * that a door serves (door.h) has a session of its own, which need not know
 * what becomes of what it says.
 *
 * Sending has two lanes.  Control messages are queued (bounded) and go
 * first, between blocks.  Data is one block at a time: a connection that can't take it
 * at once keeps it pinned until it is written, then calls ready().
 */

#ifndef PEAL_GATEWAY_CONN_H
#define PEAL_GATEWAY_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct block;
struct conf;
struct conn;
struct conns;
struct loop;
struct reason;
struct site;
struct tls;

/* What a connection tells its session.  None may free the connection. */
struct conn_handler {
	/*
	 * A WebSocket is open, or a door has a request.  Returns the session's pointer, or NULL to
	 * refuse (1013, or 503).  bearer is the token of an
	 * Authorization header, len 0 when there was none; copied if kept.
	 */
	void *(*open)(void *arg, struct conn *c, struct slice bearer);
	/*
	 * One whole message, opcode WS_TEXT or WS_BINARY, as UTF-8 but not
	 * otherwise validated.  Live for the call.
	 */
	void (*message)(void *session, unsigned opcode, struct slice msg);
	/* What was being sent has left: give the next block, if there is one. */
	void (*ready)(void *session);
	/* The connection is going; the session frees itself. */
	void (*closed)(void *session);
	/* For /readyz: true, or false and why. */
	bool (*serving)(void *arg, struct reason *why);
	void *arg;
};

/* All connections of this process; the caller owns *out. */
MUST_CHECK int conns_new(struct loop *loop, const struct conf *conf,
    struct tls *tls, const struct conn_handler *handler, struct conns **out,
    struct reason *why);
/*
 * The limits and origins that conf holds now; its texts are used until the
 * next call.  A connection keeps the longest message that it was told of.
 */
void conns_configure(struct conns *cs, const struct conf *conf);
struct conns *conns_free(struct conns *cs);
CLEANUP_FN(struct conns *, conns_free)

/*
 * The files that are served, NULL for none; they live until the next ones are
 * given.
 */
void conns_serve(struct conns *cs, const struct site *site);

/*
 * Take an accepted socket (owned from now on).  A plain one has no TLS; peers
 * of gateway.trusted begin it with a PROXY header.
 */
void conns_accept(struct conns *cs, int fd, bool plain);

/*
 * For tests of frames alone: WebSockets of text and binary messages, at any
 * path and from any Origin.
 */
void conns_relax(struct conns *cs);

/*
 * May another socket be accepted, or are all handshakes taken?  After false
 * the function given to conns_on_room() is called when it may.
 */
bool conns_room(struct conns *cs);
void conns_on_room(struct conns *cs, void (*fn)(void *arg), void *arg);
/* Is there to be no room, for now? */
void conns_hold(struct conns *cs, bool held);

/*
 * End of a pass: send what was queued in it, free what was marked dead.
 * Called by the main loop after every pass; calls ready() and closed().
 */
void conns_sweep(struct conns *cs);
/* Is anybody half way in: a handshake, or the first request? */
bool conns_arriving(const struct conns *cs);
/* Is there anybody for whom something waits that was not sent yet? */
bool conns_sending(const struct conns *cs);
/* Refuse new connections from now on (draining). */
void conns_refuse(struct conns *cs);
uint64_t conns_count(const struct conns *cs);

enum conn_send {
	CONN_SENT = 0, /* handed to the kernel whole */
	CONN_BLOCKED,  /* pinned; ready() follows */
	CONN_DEAD,     /* closing or broken; closed() comes or has come */
};

/*
 * Send a block; takes a reference of its own while it needs one.  Only when
 * conn_is_ready().
 */
enum conn_send conn_send(struct conn *c, struct block *b);
/* Nothing is being sent and the control lane is empty. */
bool conn_is_ready(const struct conn *c);
/*
 * The same, but what waits for the end of the pass is sent first: an answer
 * in the lane is no sign that the client is slow.
 */
bool conn_make_ready(struct conn *c);

/*
 * Queue a control message: one MessagePack value, copied.  A client that does
 * not read its answers (256 KiB queued) is closed with 1008.
 */
void conn_control(struct conn *c, struct slice value);
/* Bytes waiting in the control lane. */
size_t conn_control_queued(const struct conn *c);

/*
 * Close: sends what the control lane holds, then a close frame with code and
 * text, then ends.  Idempotent.  closed() comes later, from conns_sweep().
 */
void conn_close(struct conn *c, unsigned code, const char *text);

/* What is told of a connection. */
struct conn_look {
	uint64_t sent;	   /* bytes, before TLS, that the kernel took */
	uint64_t received; /* the same of what came */
	uint64_t queued;   /* bytes that it has not taken */
	unsigned code;	   /* with which it was closed; 0: it was not */
	bool http;	   /* a request, no WebSocket */
	bool json;
};

void conn_look(const struct conn *c, struct conn_look *look);

/* hello was accepted: the deadline ends, longer messages are let in. */
void conn_established(struct conn *c);

#endif
