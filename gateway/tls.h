/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLS 1.3 on non-blocking sockets: the gateway's home of OpenSSL.  All
 * connections of a process share one BIO, which works on the socket of the
 * connection that is being served; a connection costs its SSL alone.
 */

#ifndef PEAL_GATEWAY_TLS_H
#define PEAL_GATEWAY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;
struct ssl_st;
struct tls;

/*
 * Read certificate chain and key (PEM files) and check that they belong
 * together.  The caller owns *out.
 */
MUST_CHECK int tls_open(
    const char *cert, const char *key, struct tls **out, struct reason *why);
struct tls *tls_free(struct tls *tls);
CLEANUP_FN(struct tls *, tls_free)

/*
 * Read these files, the same ones or others.  New connections get what they
 * hold now; when they are no good, *why says so and everything stays as it
 * was.
 */
MUST_CHECK int tls_reload(
    struct tls *tls, const char *cert, const char *key, struct reason *why);

/* What an operator should know about the certificate; empty: nothing. */
const char *tls_note(const struct tls *tls);

/* Records that one key encrypts before the next (default 2^22). */
void tls_set_rekey(struct tls *tls, uint32_t records);

/* One connection, embedded.  The descriptor stays the caller's. */
struct tls_conn {
	struct ssl_st *ssl;
	int fd;
	uint32_t records; /* written under the present key */
	bool pending;	  /* a write was begun and has to be repeated */
};

MUST_CHECK int tls_conn_init(struct tls *tls, struct tls_conn *tc, int fd);
void tls_conn_deinit(struct tls_conn *tc);

enum tls_io {
	TLS_DONE = 0,
	TLS_AGAIN,  /* the socket would block */
	TLS_CLOSED, /* by the peer, politely or not */
};

/* All below: enum tls_io, or -EPROTO when the peer broke the protocol. */
MUST_CHECK int tls_handshake(struct tls *tls, struct tls_conn *tc);
/* TLS_DONE: *got bytes; 0 when a record came that carried none. */
MUST_CHECK int tls_read(
    struct tls *tls, struct tls_conn *tc, void *buf, size_t size, size_t *got);
/* All of it, or TLS_AGAIN: then the same bytes again, wherever they are. */
MUST_CHECK int tls_write(
    struct tls *tls, struct tls_conn *tc, const void *buf, size_t len);
/* Say goodbye; whether it gets through is nobody's business any more. */
void tls_bye(struct tls *tls, struct tls_conn *tc);

enum {
	TLS_WS_KEY = 24,
	TLS_WS_ACCEPT = 28
};

/* RFC 6455, 4.2.2: what answers a Sec-WebSocket-Key; ends with NUL. */
void tls_websocket_accept(
    const uint8_t key[TLS_WS_KEY], char accept[TLS_WS_ACCEPT + 1]);

#endif
