/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The least that a TLS WebSocket server can do: accept, answer the upgrade,
 * then write bytes to each socket.  It measures what peal can't do without,
 * and serves nobody else.
 */

#ifndef PEAL_TOOLS_TLS_BARE_H
#define PEAL_TOOLS_TLS_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;
struct tls_bare;

/* Listen on a free port of 127.0.0.1.  The caller owns *out. */
MUST_CHECK int tls_bare_open(const char *cert, const char *key,
    struct tls_bare **out, unsigned *port, struct reason *why);
struct tls_bare *tls_bare_free(struct tls_bare *s);
CLEANUP_FN(struct tls_bare *, tls_bare_free)

/* Accept the next client through TLS and upgrade, within timeout_ms. */
MUST_CHECK int tls_bare_accept(
    struct tls_bare *s, int timeout_ms, struct reason *why);

/* Pack the head of a binary WebSocket message of len bytes. */
struct mp_buf;
void tls_bare_pack_head(struct mp_buf *b, size_t len);

/* One SSL_write() of these bytes to each client, waiting for room. */
MUST_CHECK int tls_bare_write(
    struct tls_bare *s, const void *p, size_t len, struct reason *why);

/*
 * The same without waiting for slow clients: each has its place among the
 * newest TLS_BARE_BLOCKS messages.  Offer a message (at most
 * TLS_BARE_BLOCK bytes, copied): 1, or 0 while the slowest client has yet to
 * get the one whose room it would take.
 */
enum {
	TLS_BARE_BLOCKS = 64,
	TLS_BARE_BLOCK = 20480
};

MUST_CHECK int tls_bare_offer(
    struct tls_bare *s, const void *p, size_t len, struct reason *why);
/* Write what clients take; returns how many messages were written. */
MUST_CHECK int tls_bare_pump(struct tls_bare *s, struct reason *why);
/* Every client has got everything that was offered. */
bool tls_bare_drained(const struct tls_bare *s);

#endif
