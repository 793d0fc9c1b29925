/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Signing tokens.  The compact form of RFC 7515: three parts in base64url,
 * where an ES256 signature is r and s side by side, not DER.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "tools/token_sign.h"

enum {
	FILE_BYTES = 64 << 10,
	PATTERNS_MAX = 64,
	SUB_MAX = 128,
	TOKEN_BYTES = 4096,
	SECRET_MIN = 32,
	RSA_BITS_MIN = 2048,
	HALF = 32, /* bytes of r, and of s */
};

static void
bio_freep(BIO **bio)
{
	BIO_free_all(*bio);
}

static void
pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void
md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void
ecdsa_sig_freep(ECDSA_SIG **sig)
{
	ECDSA_SIG_free(*sig);
}

/* --- keys --- */

static int
token_sign_put(const char *path, BIO *bio, mode_t mode, struct reason *why)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);

	return fs_replace_path(path, text, (size_t)len, mode, why);
}

int
token_sign_keygen(
    const char *private_path, const char *public_path, struct reason *why)
{
	CLEANUP(pkey_freep) EVP_PKEY *pkey = EVP_EC_gen("P-256");
	CLEANUP(bio_freep) BIO *secret = BIO_new(BIO_s_secmem());
	CLEANUP(bio_freep) BIO *open = BIO_new(BIO_s_mem());
	int err;

	if (!pkey || !secret || !open ||
	    !PEM_write_bio_PKCS8PrivateKey(
		secret, pkey, NULL, NULL, 0, NULL, NULL) ||
	    !PEM_write_bio_PUBKEY(open, pkey))
		return reason_set(why, -ENOMEM, "cannot make a token key");
	err = token_sign_put(private_path, secret, 0600, why);
	if (err < 0)
		return err;
	return token_sign_put(public_path, open, 0644, why);
}

struct token_sign_key {
	const char *alg;
	EVP_PKEY *pkey;	 /* NULL: HS256 */
	uint8_t *secret; /* what the file holds */
	size_t len;
};

static void
token_sign_key_deinit(struct token_sign_key *key)
{
	EVP_PKEY_free(key->pkey);
	if (key->secret)
		OPENSSL_cleanse(key->secret, key->len);
	free(key->secret);
}

static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static const char *
token_sign_alg(const EVP_PKEY *pkey)
{
	char group[64] = "";

	switch (EVP_PKEY_get_base_id(pkey)) {
	case EVP_PKEY_EC:
		(void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
		return strcmp(group, "prime256v1") ? NULL : "ES256";
	case EVP_PKEY_ED25519:
		return "EdDSA";
	case EVP_PKEY_RSA:
		return EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN ? NULL : "RS256";
	default:
		return NULL;
	}
}

static int
token_sign_load(
    const char *path, struct token_sign_key *key, struct reason *why)
{
	CLEANUP(bio_freep) BIO *bio = NULL;
	size_t n = strlen(path), end = strlen(".secret");
	int err = fs_read_path(path, FILE_BYTES, &key->secret, &key->len, why);

	if (err < 0)
		return err;
	if (n > end && !strcmp(path + n - end, ".secret")) {
		key->alg = key->len < SECRET_MIN ? NULL : "HS256";
	} else {
		bio = BIO_new_mem_buf(key->secret, (int)key->len);
		if (!bio)
			return -ENOMEM;
		key->pkey =
		    PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
		key->alg = key->pkey ? token_sign_alg(key->pkey) : NULL;
	}
	if (key->alg)
		return 0;
	(void)reason_set(why, 0,
	    "'%s' is no key for tokens: a private PEM key (EC P-256, Ed25519, "
	    "RSA of %d bits or more), or NAME.secret of %d bytes or more",
	    path, RSA_BITS_MIN, SECRET_MIN);
	return -EINVAL;
}

/* --- the text that is signed --- */

static int
token_sign_check_patterns(
    const char *const *patterns, unsigned n, struct reason *why)
{
	if (n > PATTERNS_MAX) {
		(void)reason_set(
		    why, 0, "%u patterns, more than %d", n, PATTERNS_MAX);
		return -EINVAL;
	}
	for (unsigned i = 0; i < n; i++)
		if (!topic_pattern_valid(slice_cstr(patterns[i]), why))
			return -EINVAL;
	return 0;
}

static int
token_sign_check(const struct token_sign_claims *claims, struct reason *why)
{
	size_t sub = strlen(claims->sub);
	int err;

	if (sub == 0 || sub > SUB_MAX) {
		(void)reason_set(why, 0,
		    "a user of %zu bytes: 1 to %d are accepted", sub, SUB_MAX);
		return -EINVAL;
	}
	if (!topic_actor_valid(slice_cstr(claims->sub), why))
		return -EINVAL;
	err = token_sign_check_patterns(claims->read, claims->n_read, why);
	if (err < 0)
		return err;
	return token_sign_check_patterns(claims->write, claims->n_write, why);
}

static void
pack_text(struct mp_buf *b, const char *name, const char *text)
{
	if (!text)
		return;
	mp_pair_cstr(b, name, text);
}

static void
pack_patterns(
    struct mp_buf *b, const char *name, const char *const *patterns, unsigned n)
{
	mp_pack_cstr(b, name);
	mp_pack_array(b, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_cstr(b, patterns[i]);
}

static void
token_sign_head(struct mp_buf *b, const char *alg, const char *kid)
{
	mp_pack_map(b, 2 + !!kid);
	pack_text(b, "alg", alg);
	pack_text(b, "typ", "JWT");
	pack_text(b, "kid", kid);
}

static void
token_sign_body(struct mp_buf *b, const struct token_sign_claims *claims)
{
	uint64_t now =
	    claims->issued_s ? claims->issued_s : time_wall_us() / US_PER_S;

	mp_pack_map(b, 4 + !!claims->aud + !!claims->iss);
	pack_text(b, "sub", claims->sub);
	pack_text(b, "aud", claims->aud);
	pack_text(b, "iss", claims->iss);
	mp_pair_uint(b, "iat", now);
	mp_pair_uint(b, "exp", now + claims->ttl_s);
	mp_pack_cstr(b, "peal");
	mp_pack_map(b, 3);
	pack_patterns(b, "read", claims->read, claims->n_read);
	pack_patterns(b, "write", claims->write, claims->n_write);
	mp_pair_bool(b, "admin", claims->admin);
}

static void
put_base64url(struct mp_buf *b, struct slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t acc = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < s.len; i++) {
		acc = acc << 8 | s.p[i];
		for (bits += 8; bits >= 6; bits -= 6)
			mp_buf_bytes(b, &digits[acc >> (bits - 6) & 63], 1);
	}
	if (bits)
		mp_buf_bytes(b, &digits[acc << (6 - bits) & 63], 1);
}

/* Put a MessagePack value into the token as JSON. */
static int
token_sign_part(struct mp_buf *jwt, struct mp_buf *value)
{
	struct mp_buf json = { 0 };
	int err = value->failed
		      ? -ENOMEM
		      : json_from_mp(slice_of(value->p, value->len), &json);

	if (err == 0)
		put_base64url(jwt, slice_of(json.p, json.len));
	mp_buf_deinit(&json);
	mp_buf_deinit(value);
	return err;
}

/* --- signatures --- */

static bool
token_sign_hmac(
    const struct token_sign_key *key, struct slice text, struct mp_buf *jwt)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), key->secret, (int)key->len, text.p, text.len,
		mac, &len))
		return false;
	put_base64url(jwt, slice_of(mac, len));
	return true;
}

static bool
token_sign_raw(struct slice der, uint8_t raw[2 * HALF])
{
	const unsigned char *p = der.p;
	CLEANUP(ecdsa_sig_freep)
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &p, (long)der.len);

	return pair &&
	       BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, HALF) == HALF &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + HALF, HALF) == HALF;
}

static bool
token_sign_pkey(
    const struct token_sign_key *key, struct slice text, struct mp_buf *jwt)
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool edwards = EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_ED25519;
	unsigned char sig[2048], raw[2 * HALF];
	size_t len = sizeof(sig);

	if (!ctx ||
	    EVP_DigestSignInit(ctx, NULL, edwards ? NULL : EVP_sha256(), NULL,
		key->pkey) != 1 ||
	    EVP_DigestSign(ctx, sig, &len, text.p, text.len) != 1)
		return false;
	if (EVP_PKEY_get_base_id(key->pkey) != EVP_PKEY_EC) {
		put_base64url(jwt, slice_of(sig, len));
		return true;
	}
	if (!token_sign_raw(slice_of(sig, len), raw))
		return false;
	put_base64url(jwt, slice_of(raw, sizeof(raw)));
	return true;
}

static int
token_sign_compose(const struct token_sign_key *key,
    const struct token_sign_claims *claims, struct mp_buf *jwt,
    struct reason *why)
{
	CLEANUP(freep) uint8_t *text = NULL;
	struct mp_buf value = { 0 };
	size_t len;
	int err;

	token_sign_head(&value, key->alg, claims->kid);
	err = token_sign_part(jwt, &value);
	if (err < 0)
		return err;
	mp_buf_bytes(jwt, ".", 1);
	token_sign_body(&value, claims);
	err = token_sign_part(jwt, &value);
	if (err < 0)
		return err;
	if (jwt->failed)
		return -ENOMEM;
	len = jwt->len;
	text = malloc(len);
	if (!text)
		return -ENOMEM;
	memcpy(text, jwt->p, len);
	mp_buf_bytes(jwt, ".", 1);
	if (!(key->pkey ? token_sign_pkey(key, slice_of(text, len), jwt)
			: token_sign_hmac(key, slice_of(text, len), jwt)))
		return reason_say(why, -EIO, "OpenSSL cannot sign");
	if (jwt->len > TOKEN_BYTES) {
		(void)reason_set(why, 0,
		    "the token would have %zu bytes, more than %d", jwt->len,
		    TOKEN_BYTES);
		return -EINVAL;
	}
	mp_buf_bytes(jwt, "", 1);
	return jwt->failed ? -ENOMEM : 0;
}

int
token_sign(const char *path, const struct token_sign_claims *claims, char **out,
    struct reason *why)
{
	CLEANUP(token_sign_key_deinit) struct token_sign_key key = { 0 };
	struct mp_buf jwt = { 0 };
	int err = token_sign_check(claims, why);

	if (err < 0)
		return err;
	err = token_sign_load(path, &key, why);
	if (err < 0)
		return err;
	err = token_sign_compose(&key, claims, &jwt, why);
	if (err == 0)
		*out = (char *)TAKE(jwt.p);
	else
		mp_buf_deinit(&jwt);
	return err;
}
