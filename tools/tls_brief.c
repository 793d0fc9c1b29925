/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The handshake (RFC 8446, 4): what the server says is taken in the one order
 * that this client's offer leaves, and anything else ends the connection.
 */

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/err.h>

#include "core/reason.h"
#include "tools/refuse.h"
#include "tools/tls_brief_priv.h"

/* Handshake messages. */
enum brief_message {
	BRIEF_CLIENT_HELLO = 1,
	BRIEF_SAYS_HELLO = 2,
	BRIEF_SAYS_TICKET = 4,
	BRIEF_SAYS_EXTENSIONS = 8,
	BRIEF_SAYS_CERTIFICATE = 11,
	BRIEF_SAYS_VERIFY = 15,
	BRIEF_SAYS_FINISHED = 20,
};

enum {
	BRIEF_MESSAGE_HEAD = 4,
	BRIEF_MESSAGE_MAX = 1 << 17,
	BRIEF_HELLO = 200,
};

struct tls_brief_target *
tls_brief_target_free(struct tls_brief_target *t)
{
	if (!t)
		return NULL;
	EVP_CIPHER_free(t->aes);
	EVP_PKEY_free(t->own);
	EVP_PKEY_free(t->server);
	mp_buf_deinit(&t->chain);
	free(t);
	return NULL;
}

int
tls_brief_target_new(SSL_CTX *ctx, const char *address,
    struct tls_brief_target **out, struct reason *why)
{
	CLEANUP(tls_brief_target_freep) struct tls_brief_target *t = NULL;
	size_t len = sizeof(t->share);

	t = calloc(1, sizeof(*t));
	if (t) {
		t->ctx = ctx;
		t->address = address;
		t->aes = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
		t->own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
		brief_keys_early(&t->derived);
	}
	if (!t || !t->aes || !t->own ||
	    EVP_PKEY_get_raw_public_key(t->own, t->share, &len) != 1)
		return reason_set(why, -ENOMEM, "cannot start TLS");
	*out = TAKE(t);
	return 0;
}

struct tls_brief *
tls_brief_new(struct tls_brief_target *t, int fd)
{
	struct tls_brief *b = calloc(1, sizeof(*b));

	if (b) {
		b->t = t;
		b->fd = fd;
	}
	return b;
}

static void
brief_handshake_done(struct tls_brief *b)
{
	mp_buf_deinit(&b->script);
	mp_buf_deinit(&b->flight);
	b->script = b->flight = (struct mp_buf){ 0 };
}

struct tls_brief *
tls_brief_free(struct tls_brief *b)
{
	if (!b)
		return NULL;
	EVP_CIPHER_CTX_free(b->in.ctx);
	EVP_CIPHER_CTX_free(b->out.ctx);
	brief_handshake_done(b);
	mp_buf_deinit(&b->raw);
	mp_buf_deinit(&b->wire);
	free(b);
	return NULL;
}

/* --- the client's hello --- */

static int
brief_say_hello(struct tls_brief *b)
{
	static const uint8_t before[] = { BRIEF_CLIENT_HELLO, 0, 0, 0, 3, 3 };
	/* No session, TLS_AES_128_GCM_SHA256, no compression. */
	static const uint8_t behind[] = { 0, 0, 2, 0x13, 0x01, 1, 0 };
	static const uint8_t extensions[] = {
		0, 43, 0, 3, 2, 3, 4,	  /* version 1.3 */
		0, 10, 0, 4, 0, 2, 0, 29, /* X25519 */
		0, 13, 0, 4, 0, 2, 4, 3,  /* P-256, SHA-256 */
		0, 16, 0, 11, 0, 9, 8, 'h', 't', 't', 'p', '/', '1', '.', '1',
		0, 51, 0, 38, 0, 36, 0, 29, 0, 32, /* the key share */
	};
	const size_t extensions_len = sizeof(extensions) + sizeof(b->t->share);
	uint8_t random[32];
	struct mp_buf *s = &b->script;

	while (getrandom(random, sizeof(random), 0) != sizeof(random))
		continue;
	mp_buf_bytes(s, before, sizeof(before));
	mp_buf_bytes(s, random, sizeof(random));
	mp_buf_bytes(s, behind, sizeof(behind));
	mp_buf_bytes(s,
	    (uint8_t[]){
		(uint8_t)(extensions_len >> 8), (uint8_t)extensions_len },
	    2);
	mp_buf_bytes(s, extensions, sizeof(extensions));
	mp_buf_bytes(s, b->t->share, sizeof(b->t->share));
	if (s->failed)
		return -ENOMEM;
	s->p[3] = (uint8_t)(s->len - BRIEF_MESSAGE_HEAD);
	return brief_record_put(b, BRIEF_HANDSHAKE, s->p, s->len);
}

/* --- what the server says --- */

static int
brief_strange(struct reason *why, const char *what)
{
	return REFUSE(why, "the TLS handshake failed: the server's %s", what);
}

/* The server's key share, among the extensions of its hello. */
static const uint8_t *
brief_find_share(struct slice s, bool *version)
{
	const uint8_t *share = NULL;

	while (s.len >= 4) {
		unsigned type = (unsigned)s.p[0] << 8 | s.p[1];
		size_t len = (size_t)s.p[2] << 8 | s.p[3];

		if (s.len - 4 < len)
			return NULL;
		if (type == 43 && len == 2)
			*version = s.p[4] == 3 && s.p[5] == 4;
		if (type == 51 && len == 36 && s.p[5] == 29 && s.p[7] == 32)
			share = s.p + 8;
		s.p += 4 + len;
		s.len -= 4 + len;
	}
	return share;
}

static int
brief_agree(struct tls_brief *b, const uint8_t share[32], struct reason *why)
{
	EVP_PKEY *peer =
	    EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, share, 32);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, b->t->own, NULL);
	uint8_t shared[32];
	size_t len = sizeof(shared);
	bool ok = peer && ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		  EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
		  EVP_PKEY_derive(ctx, shared, &len) == 1;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	if (!ok) {
		ERR_clear_error();
		return brief_strange(why, "key share is none");
	}
	return brief_keys_handshake(b, shared, why);
}

/* version, random, session, suite, compression, extensions */
static int
brief_server_hello(struct tls_brief *b, struct slice body, struct reason *why)
{
	const uint8_t *share = NULL;
	bool version = false;
	size_t at = 34;

	if (body.len > at)
		at += 1 + (size_t)body.p[at];
	if (body.len < at + 5)
		return brief_strange(why, "hello is cut short");
	if (body.p[at] != 0x13 || body.p[at + 1] != 0x01)
		return brief_strange(why, "hello chooses what was not offered");
	share = brief_find_share(
	    slice_of(body.p + at + 5, body.len - at - 5), &version);
	if (!share || !version)
		return brief_strange(why, "hello has no share of X25519");
	return brief_agree(b, share, why);
}

/* The signature over all messages before it. */
static int
brief_verify(struct tls_brief *b, struct slice body, struct reason *why)
{
	static const char text[] = "TLS 1.3, server CertificateVerify";
	uint8_t content[64 + sizeof(text) + SHA256_BYTES];
	EVP_MD_CTX *ctx;
	bool ok;

	if (body.len < 4 || body.p[0] != 4 || body.p[1] != 3 ||
	    body.len - 4 != ((size_t)body.p[2] << 8 | body.p[3]))
		return brief_strange(why, "signature was not offered");
	memset(content, 0x20, 64);
	memcpy(content + 64, text, sizeof(text));
	sha256(b->script.p, b->script.len, content + 64 + sizeof(text));
	ctx = EVP_MD_CTX_new();
	ok = ctx &&
	     EVP_DigestVerifyInit_ex(
		 ctx, NULL, "SHA256", NULL, NULL, b->t->server, NULL) == 1 &&
	     EVP_DigestVerify(
		 ctx, body.p + 4, body.len - 4, content, sizeof(content)) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? 0 : brief_strange(why, "signature is wrong");
}

static int
brief_server_finished(
    struct tls_brief *b, struct slice body, struct reason *why)
{
	uint8_t mac[SHA256_BYTES];

	brief_keys_finished(b, &b->server, mac);
	if (body.len != sizeof(mac) || memcmp(body.p, mac, sizeof(mac)) != 0)
		return brief_strange(why, "Finished is wrong");
	return 0;
}

/* Ours, and the keys of the data. */
static int
brief_finish(struct tls_brief *b)
{
	uint8_t text[BRIEF_MESSAGE_HEAD + SHA256_BYTES] = { BRIEF_SAYS_FINISHED,
		0, 0, SHA256_BYTES };
	struct brief_secret client, server;
	int err;

	brief_keys_finished(b, &b->client, text + BRIEF_MESSAGE_HEAD);
	brief_keys_data(b, &client, &server);
	err = brief_keys_use(b, &b->out, &b->client, true);
	if (err >= 0)
		err = brief_record_put(b, BRIEF_HANDSHAKE, text, sizeof(text));
	if (err >= 0)
		err = brief_keys_use(b, &b->out, &client, true);
	if (err >= 0)
		err = brief_keys_use(b, &b->in, &server, false);
	if (err >= 0)
		brief_handshake_done(b);
	return err;
}

static int
brief_message_body(struct tls_brief *b, struct slice body, struct reason *why)
{
	switch (b->state) {
	case BRIEF_CERTIFICATE:
		return brief_chain_check(b->t, body, why);
	case BRIEF_VERIFY:
		return brief_verify(b, body, why);
	case BRIEF_FINISHED:
		return brief_server_finished(b, body, why);
	default:
		return 0;
	}
}

/* One message, whole. */
static int
brief_message(struct tls_brief *b, struct slice whole, struct reason *why)
{
	static const uint8_t awaited[] = {
		[BRIEF_SERVER_HELLO] = BRIEF_SAYS_HELLO,
		[BRIEF_EXTENSIONS] = BRIEF_SAYS_EXTENSIONS,
		[BRIEF_CERTIFICATE] = BRIEF_SAYS_CERTIFICATE,
		[BRIEF_VERIFY] = BRIEF_SAYS_VERIFY,
		[BRIEF_FINISHED] = BRIEF_SAYS_FINISHED,
	};
	struct slice body = slice_of(
	    whole.p + BRIEF_MESSAGE_HEAD, whole.len - BRIEF_MESSAGE_HEAD);
	int err;

	if (whole.p[0] != awaited[b->state])
		return brief_strange(why, "message comes out of turn");
	err = brief_message_body(b, body, why);
	mp_buf_bytes(&b->script, whole.p, whole.len);
	if (b->script.failed)
		return reason_set(why, -ENOMEM, "cannot start TLS");
	if (err >= 0 && b->state == BRIEF_SERVER_HELLO)
		err = brief_server_hello(b, body, why);
	if (err >= 0 && b->state == BRIEF_FINISHED && brief_finish(b) < 0)
		err = reason_set(why, -ENOMEM, "cannot start TLS");
	b->state++;
	return err;
}

/* All whole messages of the flight; one that is not is kept. */
static int
brief_messages(struct tls_brief *b, struct slice content, struct reason *why)
{
	size_t at = 0;
	int err = 0;

	mp_buf_bytes(&b->flight, content.p, content.len);
	if (b->flight.failed)
		return reason_set(why, -ENOMEM, "cannot start TLS");
	while (err >= 0 && b->state != BRIEF_OPEN &&
	       b->flight.len - at >= BRIEF_MESSAGE_HEAD) {
		const uint8_t *p = b->flight.p + at;
		size_t len = BRIEF_MESSAGE_HEAD +
			     ((size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);

		if (len > BRIEF_MESSAGE_MAX)
			return brief_strange(why, "message is too long");
		if (b->flight.len - at < len)
			break;
		at += len;
		err = brief_message(b, slice_of(p, len), why);
	}
	if (err < 0 || b->state == BRIEF_OPEN)
		return err;
	memmove(b->flight.p, b->flight.p + at, b->flight.len - at);
	b->flight.len -= at;
	return 0;
}

static int
brief_alert(struct slice content, struct reason *why)
{
	if (content.len == 2 && content.p[1] == 0)
		return TLS_BRIEF_CLOSED;
	return REFUSE(why, "the server ends TLS with alert %u",
	    content.len == 2 ? content.p[1] : 0u);
}

int
tls_brief_handshake(struct tls_brief *b, struct reason *why)
{
	enum brief_content type;
	struct slice content;
	int io;

	if (b->state == BRIEF_BEGIN) {
		if (brief_say_hello(b) < 0)
			return reason_set(why, -ENOMEM, "cannot start TLS");
		b->state = BRIEF_SERVER_HELLO;
	}
	io = tls_brief_flush(b, why);
	while (io == TLS_BRIEF_DONE && b->state != BRIEF_OPEN) {
		io = brief_record_next(b, &type, &content, why);
		if (io != TLS_BRIEF_DONE || type == BRIEF_CHANGE_CIPHER_SPEC)
			continue;
		if (type == BRIEF_ALERT)
			io = brief_alert(content, why);
		else if (type != BRIEF_HANDSHAKE)
			io = brief_strange(why, "record comes out of turn");
		else if (brief_messages(b, content, why) < 0)
			io = -EPROTO;
	}
	if (io == TLS_BRIEF_DONE && brief_record_settle(b, why) < 0)
		return -ENOMEM;
	/* Our Finished goes with what is said first. */
	return io;
}

int
tls_brief_read(struct tls_brief *b, void *buf, size_t *n, struct reason *why)
{
	enum brief_content type;
	struct slice content;
	int io;

	for (;;) {
		io = brief_record_next(b, &type, &content, why);
		if (io != TLS_BRIEF_DONE)
			return io;
		if (type == BRIEF_ALERT)
			return brief_alert(content, why);
		if (type == BRIEF_HANDSHAKE && content.len &&
		    content.p[0] == BRIEF_SAYS_TICKET)
			continue;
		if (type != BRIEF_DATA || content.len > TLS_BRIEF_RECORD)
			return REFUSE(why, "the server's record is strange");
		if (content.len == 0)
			continue;
		memcpy(buf, content.p, content.len);
		*n = content.len;
		return brief_record_settle(b, why) < 0 ? -ENOMEM
						       : TLS_BRIEF_DONE;
	}
}
