/* SPDX-License-Identifier: BSD-2-Clause */

/* Requests are written as JSON for the reader and packed by msgpack-c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "tests/lib/bystander.h"
#include "tests/lib/live.h"

static struct wire_to live_where = { .host = "127.0.0.1" };
static char *live_dev_token;

const struct wire_to *
live_to(void)
{
	return &live_where;
}

const char *
live_token(void)
{
	return live_dev_token;
}

const char *
live_file(const char *variable)
{
	static char *text;
	const char *path = getenv(variable);

	free(text);
	text = path != NULL ? client_read_file(path) : NULL;
	assert_non_null(text);
	return text;
}

bool
live_init(void)
{
	static const char *const needed[] = { "PEAL_PORT", "PEAL_CAFILE",
		"PEAL_TOKEN", "PEAL_KEY", "PEAL_PUBLIC" };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (getenv(needed[i]) == NULL) {
			fprintf(stderr, "# %s is not set\n", needed[i]);
			return false;
		}
	live_where.port = (unsigned)atoi(getenv("PEAL_PORT"));
	live_where.cafile = getenv("PEAL_CAFILE");
	live_dev_token = client_read_file(getenv("PEAL_TOKEN"));
	return live_dev_token != NULL;
}

void
live_open(struct client *c, const char *token)
{
	if (!client_open(c, &live_where, token))
		fail_msg("no welcome: %s", c->wrong);
}

struct wire *
live_wire(void)
{
	struct wire *w = wire_dial(&live_where, WIRE_DEADLINE_MS);

	assert_non_null(w);
	assert_int_equal(
	    wire_upgrade(w, "Sec-WebSocket-Protocol: peal.v1.msgpack\r\n"),
	    101);
	return w;
}

void
live_serves(void)
{
	struct client c;

	live_open(&c, live_dev_token);
	live_answered(&c, "{\"op\":\"ping\",\"id\":1}", "pong");
	client_close(&c);
}

int
live_setup(void **state)
{
	bystander_saw_nothing();
	return 0;
}

int
live_teardown(void **state)
{
	live_serves();
	bystander_saw_nothing();
	return 0;
}

void
live_ends_either(struct wire *w, unsigned code, unsigned other)
{
	int64_t until = wire_now_ms() + WIRE_DEADLINE_MS;
	struct wire_message m;
	enum wire_got got;

	do
		got = wire_next(w, &m, (int)(until - wire_now_ms()));
	while (got == WIRE_GOT);
	assert_int_equal(got, WIRE_ENDED);
	if (wire_close_code(w) != code && wire_close_code(w) != other)
		fail_msg("closed with %u, not with %u or %u",
		    wire_close_code(w), code, other);
}

void
live_ends(struct wire *w, unsigned code)
{
	live_ends_either(w, code, code);
}

static void
live_pack(msgpack_packer *pk, const json_t *v)
{
	const char *key;
	const json_t *item;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		msgpack_pack_map(pk, json_object_size(v));
		json_object_foreach((json_t *)(uintptr_t)v, key, item)
		{
			client_pack_str(pk, key);
			live_pack(pk, item);
		}
		break;
	case JSON_ARRAY:
		msgpack_pack_array(pk, json_array_size(v));
		json_array_foreach(v, i, item) live_pack(pk, item);
		break;
	case JSON_STRING:
		msgpack_pack_str_with_body(
		    pk, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		msgpack_pack_int64(pk, json_integer_value(v));
		break;
	case JSON_REAL:
		msgpack_pack_double(pk, json_real_value(v));
		break;
	case JSON_TRUE:
		msgpack_pack_true(pk);
		break;
	case JSON_FALSE:
		msgpack_pack_false(pk);
		break;
	default:
		msgpack_pack_nil(pk);
	}
}

void
live_say(struct wire *w, const char *json)
{
	json_t *v = json_loads(json, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	msgpack_sbuffer sb;
	msgpack_packer pk;

	assert_non_null(v);
	msgpack_sbuffer_init(&sb);
	msgpack_packer_init(&pk, &sb, msgpack_sbuffer_write);
	live_pack(&pk, v);
	json_decref(v);
	assert_true(wire_frame(w, WIRE_FIN | WIRE_BINARY, sb.data, sb.size));
	msgpack_sbuffer_destroy(&sb);
}

void
live_answered(struct client *c, const char *json, const char *op)
{
	enum client_kind kind;

	live_say(c->wire, json);
	kind = client_next(c, WIRE_DEADLINE_MS);
	while (kind == CLIENT_BATCH)
		kind = client_next(c, WIRE_DEADLINE_MS);
	if (kind == CLIENT_ENDED)
		fail_msg(
		    "closed with %u after %s", wire_close_code(c->wire), json);
	if (kind != CLIENT_CONTROL)
		fail_msg("no answer to %s: %s", json, c->wrong);
	if (strcmp(c->op, op) != 0)
		fail_msg("'%s' came after %s, not '%s'", c->op, json, op);
}

void
live_refused(struct client *c, const char *json, const char *code)
{
	live_answered(c, json, "error");
	if (!client_is(c, "code", code)) {
		const msgpack_object *o = client_get(c, "code");

		fail_msg("'%.*s' came after %s, not '%s'",
		    o != NULL ? (int)o->via.str.size : 0,
		    o != NULL ? o->via.str.ptr : "", json, code);
	}
	/* It stays, and says so. */
	live_answered(c, "{\"op\":\"ping\",\"id\":4000000000}", "pong");
}

char *
live_base64url(const void *p, size_t len)
{
	char *text = malloc(4 * (len + 2) / 3 + 4);
	size_t n;

	assert_non_null(text);
	EVP_EncodeBlock((unsigned char *)text, p, (int)len);
	n = strcspn(text, "=");
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(text[i] == '+'	  ? '-'
				 : text[i] == '/' ? '_'
						  : text[i]);
	return text;
}

/* r and s of a DER signature, 32 bytes each. */
static void
live_raw_signature(const unsigned char *der, size_t len, uint8_t raw[64])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);

	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32), 32);
	ECDSA_SIG_free(sig);
}

char *
live_sign(const char *header, const char *claims)
{
	char *h = live_base64url(header, strlen(header));
	char *c = live_base64url(claims, strlen(claims));
	FILE *f = fopen(getenv("PEAL_KEY"), "re");
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[128];
	size_t der_len = sizeof(der);
	uint8_t raw[64];
	char *signature, *signed_part, *token;
	EVP_PKEY *key;

	assert_non_null(f);
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(key);
	assert_true(asprintf(&signed_part, "%s.%s", h, c) > 0);
	assert_int_equal(
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, der, &der_len,
			     (unsigned char *)signed_part, strlen(signed_part)),
	    1);
	live_raw_signature(der, der_len, raw);
	signature = live_base64url(raw, sizeof(raw));
	assert_true(asprintf(&token, "%s.%s", signed_part, signature) > 0);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	free(signature);
	free(signed_part);
	free(h);
	free(c);
	return token;
}

size_t
live_client_hello(uint8_t *bytes, size_t size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *out = BIO_new(BIO_s_mem());
	int n;

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(ssl);
	(void)SSL_do_handshake(ssl);
	n = BIO_read(out, bytes, (int)size);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	assert_true(n > 0);
	return (size_t)n;
}

char *
live_claims(const char *sub, long iat, long exp, const char *permissions)
{
	long now = (long)time(NULL);
	char *claims;

	assert_true(asprintf(&claims,
			"{\"sub\":\"%s\",\"iat\":%ld,\"exp\":%ld,\"peal\":%s}",
			sub, now + iat, now + exp, permissions) > 0);
	return claims;
}

char *
live_token_for(const char *sub, long iat, long exp, const char *permissions)
{
	char *claims = live_claims(sub, iat, exp, permissions);
	char *token = live_sign(LIVE_ES256, claims);

	free(claims);
	return token;
}
