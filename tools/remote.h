/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A client of a gateway: TLS, the WebSocket upgrade, and messages both ways.
 * Never blocks; one that waits uses remote_wait(), a thousand use epoll.
 */

#ifndef PEAL_TOOLS_REMOTE_H
#define PEAL_TOOLS_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;
struct remote;
struct remote_target;

/*
 * Where to connect, and whom to trust there: the certificates of cafile, or
 * the system's when it is NULL.  url is https://HOST[:PORT] or wss://…, a
 * path is ignored.  Names are looked up here, once.  The caller owns *out,
 * and it outlives its connections.
 */
MUST_CHECK int remote_target_open(const char *url, const char *cafile,
    struct remote_target **out, struct reason *why);
struct remote_target *remote_target_free(struct remote_target *target);
CLEANUP_FN(struct remote_target *, remote_target_free)

/*
 * Further ways to connect: from this IPv4 address (a host has ports for some
 * 28,000 connections from each), and with a receive buffer this small.
 */
MUST_CHECK int remote_target_from(
    struct remote_target *target, const char *address, struct reason *why);
void remote_target_buffer(struct remote_target *target, int bytes);

/*
 * Spend less on each connection than OpenSSL's client does, where the target
 * is an address; see tools/tls_brief.h for what is left out.
 */
MUST_CHECK int remote_target_brief(
    struct remote_target *target, struct reason *why);

/*
 * What is spoken instead of peal.v1.msgpack at /v1/ws.  The strings must
 * outlive the target.
 */
struct remote_dialect {
	const char *path;
	const char *subprotocol; /* NULL: none */
	bool text;		 /* ours are text, and text may come */
};

void remote_target_speak(
    struct remote_target *target, const struct remote_dialect *dialect);

/* Begin to connect.  The caller owns *out. */
MUST_CHECK int remote_open(
    struct remote_target *target, struct remote **out, struct reason *why);
struct remote *remote_free(struct remote *r);
CLEANUP_FN(struct remote *, remote_free)

int remote_fd(const struct remote *r);
/* POLLIN, and POLLOUT where something could not be sent yet. */
short remote_wants(const struct remote *r);
/* The WebSocket is open. */
bool remote_is_open(const struct remote *r);

enum remote_step {
	REMOTE_AGAIN = 0, /* nothing more for now: wait for the descriptor */
	REMOTE_OPENED,	  /* the WebSocket has just opened */
	REMOTE_MESSAGE,	  /* *msg is a whole message */
	REMOTE_CLOSED,	  /* the server has closed: remote_close_code() */
};

/*
 * Go on as far as possible without waiting, up to the next thing worth
 * telling; call it until REMOTE_AGAIN, or until !remote_has_more(), before
 * another connection to this target is stepped.  *msg lives until the next step of any
 * connection to this target.  Below zero with a reason: the connection broke.
 */
MUST_CHECK int remote_step(
    struct remote *r, struct slice *msg, struct reason *why);

/*
 * Has something come that only a further step will tell of?  Where this is
 * false, poll() and epoll say when to step again.
 */
bool remote_has_more(const struct remote *r);

/* remote_step(), waiting up to timeout_ms (below zero: for ever). */
MUST_CHECK int remote_wait(
    struct remote *r, int timeout_ms, struct slice *msg, struct reason *why);

/* Queue a message; remote_step() sends.  Below zero: -ENOMEM. */
MUST_CHECK int remote_send(struct remote *r, struct slice msg);
/* Queue a close frame. */
void remote_say_close(struct remote *r, unsigned code);

/* Let it end with a reset, and nothing said. */
void remote_abort(struct remote *r);

/* Of the server's close frame, 1006 when it sent none. */
unsigned remote_close_code(const struct remote *r);
const char *remote_close_text(const struct remote *r);

#endif
