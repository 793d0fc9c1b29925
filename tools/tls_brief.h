/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The least that a TLS 1.3 client can do (RFC 8446), for generators: X25519,
 * AES-128-GCM, ECDSA over P-256, and nothing else.  What is the same for all
 * connections is done once: the key share is one for all of them, and a chain
 * that was verified is compared byte by byte from then on.  The server's
 * signature, its Finished and every record are checked on each.
 *
 * It is no client for secrets: whoever breaks its one key has all of them.
 */

#ifndef PEAL_TOOLS_TLS_BRIEF_H
#define PEAL_TOOLS_TLS_BRIEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "core/macros.h"

struct reason;
struct tls_brief;
struct tls_brief_target;

/*
 * ctx has the certificates that are trusted; address is the server's, as in
 * its certificate.  Both outlive *out, which is the caller's.
 */
MUST_CHECK int tls_brief_target_new(SSL_CTX *ctx, const char *address,
    struct tls_brief_target **out, struct reason *why);
struct tls_brief_target *tls_brief_target_free(struct tls_brief_target *t);
CLEANUP_FN(struct tls_brief_target *, tls_brief_target_free)

/* On a connected, non-blocking socket, which stays the caller's. */
struct tls_brief *tls_brief_new(struct tls_brief_target *t, int fd);
struct tls_brief *tls_brief_free(struct tls_brief *b);
CLEANUP_FN(struct tls_brief *, tls_brief_free)

enum tls_brief_io {
	TLS_BRIEF_AGAIN = 0, /* the socket would block */
	TLS_BRIEF_DONE,
	TLS_BRIEF_CLOSED,
};

/* Below zero with a reason: the connection is of no use. */
MUST_CHECK int tls_brief_handshake(struct tls_brief *b, struct reason *why);

enum {
	TLS_BRIEF_RECORD = 16384 /* bytes that one record holds */
};

/* The next record; buf has room for TLS_BRIEF_RECORD. */
MUST_CHECK int tls_brief_read(
    struct tls_brief *b, void *buf, size_t *n, struct reason *why);
/* Is a whole record there that was not read? */
bool tls_brief_pending(const struct tls_brief *b);
/* Queue it, encrypted.  -ENOMEM. */
MUST_CHECK int tls_brief_write(struct tls_brief *b, const void *p, size_t len);
/* Send what is queued: DONE, AGAIN with the rest kept, or CLOSED. */
MUST_CHECK int tls_brief_flush(struct tls_brief *b, struct reason *why);

#endif
