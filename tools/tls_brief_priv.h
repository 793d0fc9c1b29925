/* SPDX-License-Identifier: BSD-2-Clause */

/* What the files of the brief TLS client share; nobody else includes it. */

#ifndef PEAL_TOOLS_TLS_BRIEF_PRIV_H
#define PEAL_TOOLS_TLS_BRIEF_PRIV_H

#include "core/bytes.h"
#include "core/mp.h"
#include "core/sha256.h"
#include "tools/tls_brief.h"

enum {
	BRIEF_RECORD_HEAD = 5,
	BRIEF_TAG = 16,
	/* A record's longest body: a type, padding, the tag. */
	BRIEF_RECORD_MAX = TLS_BRIEF_RECORD + 256,
	BRIEF_KEY = 16,
	BRIEF_IV = 12,
	BRIEF_CHUNK = 1 << 16,
	BRIEF_CHAIN_MAX = 1 << 16,
};

/* Content types of records. */
enum brief_content {
	BRIEF_CHANGE_CIPHER_SPEC = 20,
	BRIEF_ALERT = 21,
	BRIEF_HANDSHAKE = 22,
	BRIEF_DATA = 23,
};

struct brief_secret {
	uint8_t v[SHA256_BYTES];
};

/* One direction: its cipher with the key, and the record's number. */
struct brief_keys {
	EVP_CIPHER_CTX *ctx;
	uint8_t iv[BRIEF_IV];
	uint64_t n;
};

struct tls_brief_target {
	SSL_CTX *ctx;
	const char *address;
	EVP_CIPHER *aes;
	EVP_PKEY *own; /* the key share of all connections */
	uint8_t share[32];
	struct brief_secret derived; /* of the early secret, without a PSK */
	/* The chain that was verified, and its key. */
	struct mp_buf chain;
	EVP_PKEY *server;
	uint8_t chunk[BRIEF_CHUNK]; /* what was received last, of anybody */
};

/* What is awaited next. */
enum brief_state {
	BRIEF_BEGIN,
	BRIEF_SERVER_HELLO,
	BRIEF_EXTENSIONS,
	BRIEF_CERTIFICATE,
	BRIEF_VERIFY,
	BRIEF_FINISHED,
	BRIEF_OPEN,
};

struct tls_brief {
	struct tls_brief_target *t;
	int fd;
	enum brief_state state;
	struct mp_buf script; /* all handshake messages so far */
	struct mp_buf flight; /* of those that are not whole */
	struct brief_secret secret, client, server; /* of the handshake */
	struct brief_keys in, out;
	/* Received and not opened: view is in the target's chunk or in raw. */
	struct slice view;
	struct mp_buf raw;
	struct mp_buf wire; /* to be sent */
	size_t sent;
};

/* --- tls_brief_keys.c --- */

/* What is known before any connection. */
void brief_keys_early(struct brief_secret *derived);
/* From the shared secret, and the hellos as they stand in b->script. */
MUST_CHECK int brief_keys_handshake(
    struct tls_brief *b, const uint8_t shared[32], struct reason *why);
/* The MAC of a Finished, over b->script. */
void brief_keys_finished(const struct tls_brief *b,
    const struct brief_secret *secret, uint8_t mac[SHA256_BYTES]);
/* The keys of the data; b->script ends with the server's Finished. */
void brief_keys_data(const struct tls_brief *b, struct brief_secret *client,
    struct brief_secret *server);
/* Begin to use a secret for a direction. */
MUST_CHECK int brief_keys_use(struct tls_brief *b, struct brief_keys *k,
    const struct brief_secret *secret, bool out);

/* --- tls_brief_record.c --- */

/* Queue one record, encrypted once there are keys. */
MUST_CHECK int brief_record_put(
    struct tls_brief *b, enum brief_content type, const void *p, size_t len);
/*
 * The next record, opened: its content lives until the next call for any
 * connection of the target.  As tls_brief_read() returns.
 */
MUST_CHECK int brief_record_next(struct tls_brief *b, enum brief_content *type,
    struct slice *content, struct reason *why);
/* Keep what is left of the target's chunk: another one may need it. */
MUST_CHECK int brief_record_settle(struct tls_brief *b, struct reason *why);

/* --- tls_brief_chain.c --- */

/* The body of a Certificate message: the target's server key is its. */
MUST_CHECK int brief_chain_check(
    struct tls_brief_target *t, struct slice body, struct reason *why);

#endif
