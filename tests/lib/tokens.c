/* SPDX-License-Identifier: BSD-2-Clause */

/* Making tokens: by OpenSSL and hand, apart from the code under test. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "core/conf.h"
#include "core/reason.h"
#include "gateway/token.h"
#include "tests/lib/tmpdir.h"
#include "tests/lib/tokens.h"

const char tokens_secret[] = "0123456789abcdef0123456789abcdef";

/* Made once; a key takes a while. */
EVP_PKEY *tokens_ec, *tokens_ec_other, *tokens_ed, *tokens_rsa,
    *tokens_rsa_small, *tokens_p384;

int
tokens_make_keys(void **state)
{
	tokens_ec = EVP_EC_gen("P-256");
	tokens_ec_other = EVP_EC_gen("P-256");
	tokens_p384 = EVP_EC_gen("P-384");
	tokens_ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	tokens_rsa = EVP_RSA_gen(2048);
	tokens_rsa_small = EVP_RSA_gen(1024);
	return !(tokens_ec && tokens_ec_other && tokens_p384 && tokens_ed &&
		 tokens_rsa && tokens_rsa_small);
}

int
tokens_free_keys(void **state)
{
	EVP_PKEY *all[] = { tokens_ec, tokens_ec_other, tokens_p384, tokens_ed,
		tokens_rsa, tokens_rsa_small };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		EVP_PKEY_free(all[i]);
	return 0;
}

/* --- making tokens --- */

void
tokens_add_base64url(struct tokens_text *t, const void *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *p = bytes;

	for (size_t bit = 0; bit < len * 8; bit += 6) {
		unsigned two = (unsigned)p[bit / 8] << 8 |
			       (bit / 8 + 1 < len ? p[bit / 8 + 1] : 0);

		assert_true(t->len + 2 < sizeof(t->s));
		t->s[t->len++] = digits[two >> (10 - bit % 8) & 63];
	}
	t->s[t->len] = '\0';
}

void
tokens_add_text(struct tokens_text *t, const char *s)
{
	assert_true(t->len + strlen(s) < sizeof(t->s));
	strcpy(t->s + t->len, s);
	t->len += strlen(s);
}

/* Header and claims, and the dot between them. */
struct tokens_text
tokens_unsigned(const char *header, const char *claims)
{
	struct tokens_text t = { .len = 0 };

	tokens_add_base64url(&t, header, strlen(header));
	tokens_add_text(&t, ".");
	tokens_add_base64url(&t, claims, strlen(claims));
	return t;
}

static void
add_signature(struct tokens_text *t, EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[1024], raw[64];
	const unsigned char *p = sig;
	size_t len = sizeof(sig);
	ECDSA_SIG *pair;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL,
			     key == tokens_ed ? NULL : EVP_sha256(), NULL, key),
	    1);
	assert_int_equal(
	    EVP_DigestSign(ctx, sig, &len, (unsigned char *)t->s, t->len), 1);
	EVP_MD_CTX_free(ctx);
	tokens_add_text(t, ".");
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
		tokens_add_base64url(t, sig, len);
		return;
	}
	pair = d2i_ECDSA_SIG(NULL, &p, (long)len);
	assert_non_null(pair);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32), 32);
	assert_int_equal(
	    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32), 32);
	ECDSA_SIG_free(pair);
	tokens_add_base64url(t, raw, sizeof(raw));
}

void
tokens_add_hmac(struct tokens_text *t, const void *key, size_t key_len)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len;

	assert_non_null(HMAC(EVP_sha256(), key, (int)key_len,
	    (unsigned char *)t->s, t->len, mac, &len));
	tokens_add_text(t, ".");
	tokens_add_base64url(t, mac, len);
}

struct tokens_text
tokens_signed(EVP_PKEY *key, const char *header, const char *claims)
{
	struct tokens_text t = tokens_unsigned(header, claims);

	add_signature(&t, key);
	return t;
}

/* --- keys as files --- */

const char *
tokens_put_public(struct tmpdir *dir, const char *name, EVP_PKEY *key)
{
	const char *path = tmpdir_path(dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_PUBKEY(f, key), 1);
	assert_int_equal(fclose(f), 0);
	return path;
}

struct conf *
tokens_conf(const char *keys)
{
	static char assignment[4000];
	struct conf *conf = conf_new();
	struct reason why;

	snprintf(assignment, sizeof(assignment), "auth.keys=%s", keys);
	assert_int_equal(conf_set(conf, assignment, &why), 0);
	return conf;
}

struct token_keys *
tokens_open(const char *paths)
{
	CLEANUP(conf_freep) struct conf *conf = tokens_conf(paths);
	struct token_keys *keys = NULL;
	struct reason why = { "" };

	if (token_keys_open(conf, &keys, &why) != 0)
		fail_msg("%s", why.text);
	return keys;
}

struct token_keys *
tokens_open_ec(struct tmpdir *dir)
{
	return tokens_open(tokens_put_public(dir, "main.pem", tokens_ec));
}

struct slice
tokens_slice(const struct tokens_text *t)
{
	return slice_of(t->s, t->len);
}

/* No part of the token, and no claim, is in the sentence. */
static void
repeats_nothing(const struct reason *why, const char *jwt, size_t len)
{
	char piece[9];

	for (size_t i = 0; i + 8 <= len; i++) {
		memcpy(piece, jwt + i, 8);
		piece[8] = '\0';
		assert_null(strstr(why->text, piece));
	}
}

void
tokens_verdict_at(struct token_keys *keys, const struct tokens_text *t,
    uint64_t now, int verdict, const char *says)
{
	struct token token = { .sub = "before" };
	struct reason why = { "" };

	assert_int_equal(
	    token_verify(keys, tokens_slice(t), now, &token, &why), verdict);
	assert_int_equal(ERR_peek_error(), 0);
	if (verdict == TOKEN_GOOD) {
		assert_string_equal(token.sub, "ann");
		token_deinit(&token);
		return;
	}
	assert_string_equal(token.sub, "before");
	if (!strstr(why.text, says))
		fail_msg("'%s' lacks '%s'", why.text, says);
	repeats_nothing(&why, t->s, t->len);
}

void
tokens_bad(
    struct token_keys *keys, const struct tokens_text *t, const char *says)
{
	tokens_verdict_at(keys, t, TOKENS_NOW, TOKEN_BAD, says);
}

void
tokens_good(struct token_keys *keys, const struct tokens_text *t)
{
	tokens_verdict_at(keys, t, TOKENS_NOW, TOKEN_GOOD, NULL);
}

/* Claims, signed well, are refused with the sentence. */
void
tokens_bad_claims(struct token_keys *keys, const char *claims, const char *says)
{
	struct tokens_text t = tokens_signed(tokens_ec, TOKENS_ES256, claims);

	tokens_bad(keys, &t, says);
}

void
tokens_good_claims(struct token_keys *keys, const char *claims)
{
	struct tokens_text t = tokens_signed(tokens_ec, TOKENS_ES256, claims);

	tokens_good(keys, &t);
}
