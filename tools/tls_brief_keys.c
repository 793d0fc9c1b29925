/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The key schedule of TLS 1.3 with SHA-256 (RFC 8446, 7.1): HKDF as in RFC
 * 5869, each step one HMAC.
 */

#include <errno.h>
#include <string.h>

#include "core/reason.h"
#include "tools/tls_brief_priv.h"

enum {
	HMAC_BLOCK = 64,
	HMAC_TEXT = 256 /* of what is authenticated here, at most */
};

static void
brief_hmac(const uint8_t key[SHA256_BYTES], const void *text, size_t len,
    uint8_t mac[SHA256_BYTES])
{
	uint8_t inner[HMAC_BLOCK + HMAC_TEXT];
	uint8_t outer[HMAC_BLOCK + SHA256_BYTES];

	memset(inner, 0x36, HMAC_BLOCK);
	memset(outer, 0x5c, HMAC_BLOCK);
	for (unsigned i = 0; i < SHA256_BYTES; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	memcpy(inner + HMAC_BLOCK, text, MIN(len, (size_t)HMAC_TEXT));
	sha256(inner, HMAC_BLOCK + MIN(len, (size_t)HMAC_TEXT),
	    outer + HMAC_BLOCK);
	sha256(outer, sizeof(outer), mac);
}

/* HKDF-Expand-Label of at most 32 bytes. */
static void
brief_expand(const struct brief_secret *secret, const char *label,
    const void *context, size_t context_len, uint8_t *out, size_t len)
{
	uint8_t text[HMAC_TEXT], mac[SHA256_BYTES];
	size_t label_len = strlen(label), at = 0;

	text[at++] = 0;
	text[at++] = (uint8_t)len;
	text[at++] = (uint8_t)(6 + label_len);
	memcpy(text + at, "tls13 ", 6);
	memcpy(text + at + 6, label, label_len);
	at += 6 + label_len;
	text[at++] = (uint8_t)context_len;
	if (context_len)
		memcpy(text + at, context, context_len);
	at += context_len;
	text[at++] = 1;
	brief_hmac(secret->v, text, at, mac);
	memcpy(out, mac, len);
}

/* Derive-Secret: with the hash of some messages. */
static void
brief_derive(const struct brief_secret *secret, const char *label,
    const void *messages, size_t len, struct brief_secret *out)
{
	uint8_t hash[SHA256_BYTES];

	sha256(messages, len, hash);
	brief_expand(secret, label, hash, sizeof(hash), out->v, sizeof(out->v));
}

static void
brief_extract(const struct brief_secret *salt, const uint8_t input[32],
    struct brief_secret *out)
{
	brief_hmac(salt->v, input, SHA256_BYTES, out->v);
}

void
brief_keys_early(struct brief_secret *derived)
{
	static const uint8_t zeros[32];
	struct brief_secret salt = { { 0 } }, early;

	brief_extract(&salt, zeros, &early);
	brief_derive(&early, "derived", "", 0, derived);
}

int
brief_keys_use(struct tls_brief *b, struct brief_keys *k,
    const struct brief_secret *secret, bool out)
{
	uint8_t key[BRIEF_KEY];

	brief_expand(secret, "key", NULL, 0, key, sizeof(key));
	brief_expand(secret, "iv", NULL, 0, k->iv, sizeof(k->iv));
	k->n = 0;
	if (!k->ctx)
		k->ctx = EVP_CIPHER_CTX_new();
	if (!k->ctx ||
	    EVP_CipherInit_ex2(k->ctx, b->t->aes, key, NULL, out, NULL) != 1)
		return -ENOMEM;
	return 0;
}

int
brief_keys_handshake(
    struct tls_brief *b, const uint8_t shared[32], struct reason *why)
{
	brief_extract(&b->t->derived, shared, &b->secret);
	brief_derive(
	    &b->secret, "c hs traffic", b->script.p, b->script.len, &b->client);
	brief_derive(
	    &b->secret, "s hs traffic", b->script.p, b->script.len, &b->server);
	if (brief_keys_use(b, &b->in, &b->server, false) < 0)
		return reason_set(why, -ENOMEM, "cannot start TLS");
	return 0;
}

void
brief_keys_finished(const struct tls_brief *b,
    const struct brief_secret *secret, uint8_t mac[SHA256_BYTES])
{
	uint8_t key[SHA256_BYTES], hash[SHA256_BYTES];

	brief_expand(secret, "finished", NULL, 0, key, sizeof(key));
	sha256(b->script.p, b->script.len, hash);
	brief_hmac(key, hash, sizeof(hash), mac);
}

void
brief_keys_data(const struct tls_brief *b, struct brief_secret *client,
    struct brief_secret *server)
{
	static const uint8_t zeros[32];
	struct brief_secret derived, master;

	brief_derive(&b->secret, "derived", "", 0, &derived);
	brief_extract(&derived, zeros, &master);
	brief_derive(
	    &master, "c ap traffic", b->script.p, b->script.len, client);
	brief_derive(
	    &master, "s ap traffic", b->script.p, b->script.len, server);
}
