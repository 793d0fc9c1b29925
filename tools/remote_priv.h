/* SPDX-License-Identifier: BSD-2-Clause */

/* What the files of the WebSocket client share; nobody else includes it. */

#ifndef PEAL_TOOLS_REMOTE_PRIV_H
#define PEAL_TOOLS_REMOTE_PRIV_H

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "core/mp.h"
#include "tools/remote.h"
#include "tools/tls_brief.h"

enum {
	REMOTE_CHUNK = 1 << 16,	       /* one SSL_read() */
	REMOTE_MESSAGE_MAX = 16 << 20, /* of a message, fragments together */
	REMOTE_KEY_BYTES = 24,	       /* base64 of 16 bytes */
	REMOTE_ACCEPT_BYTES = 28,
	REMOTE_HOST_MAX = 256,
};

struct remote_target {
	SSL_CTX *tls;
	struct tls_brief_target *brief; /* NULL: OpenSSL's client */
	char host[REMOTE_HOST_MAX];
	char port[8];
	bool numeric; /* host is an address */
	struct sockaddr_storage address;
	socklen_t address_len;
	struct sockaddr_in from; /* sin_family 0: from anywhere */
	struct remote_dialect dialect;
	int buffer;	/* SO_RCVBUF, 0: the system's */
	uint8_t *chunk; /* what the connection that was stepped last has read */
};

enum remote_phase {
	REMOTE_CONNECTING,
	REMOTE_HANDSHAKE,
	REMOTE_UPGRADE,
	REMOTE_OPEN,
	REMOTE_ENDED,
};

struct remote {
	struct remote_target *target;
	SSL *ssl;
	struct tls_brief *brief; /* or this one */
	int fd;
	enum remote_phase phase;
	bool want_write; /* TLS waits for room */
	char key[REMOTE_KEY_BYTES + 1];
	/* Received: view is what is unread, in the target's chunk or in. */
	struct slice view;
	bool view_in_chunk;
	struct mp_buf in;
	struct mp_buf message; /* fragments so far */
	bool in_message;
	bool message_done; /* handed out; to be emptied */
	/* To be sent. */
	struct mp_buf out;
	size_t out_sent;
	unsigned close_code;
	char close_text[126];
};

/* --- remote_tls.c --- */

MUST_CHECK int remote_tls_context(
    const char *cafile, SSL_CTX **out, struct reason *why);
/* Make the TLS side of a connection whose socket is there. */
MUST_CHECK int remote_tls_begin(struct remote *r, struct reason *why);

enum remote_tls {
	REMOTE_TLS_AGAIN = 0,
	REMOTE_TLS_DONE,
	REMOTE_TLS_CLOSED
};

MUST_CHECK int remote_tls_handshake(struct remote *r, struct reason *why);
/* Has something come that was not read yet? */
bool remote_tls_pending(const struct remote *r);
/* Read once; *n bytes came. */
MUST_CHECK int remote_tls_read(
    struct remote *r, void *buf, size_t size, size_t *n, struct reason *why);
/* Send what is queued; DONE when nothing is left. */
MUST_CHECK int remote_tls_flush(struct remote *r, struct reason *why);

/* --- remote_http.c --- */

/* Queue the request for the upgrade. */
MUST_CHECK int remote_http_ask(struct remote *r);
/*
 * Read the answer at the head of view, stepping over it: 1 when it is whole
 * and right, 0 when more must come, below zero with a reason.
 */
MUST_CHECK int remote_http_answer(struct remote *r, struct reason *why);
/* What answers a key: base64(SHA-1(key GUID)). */
void remote_http_accept(const char *key, char out[REMOTE_ACCEPT_BYTES + 1]);
/* Random bytes for keys and masks. */
void remote_http_random(void *p, size_t len);

#endif
