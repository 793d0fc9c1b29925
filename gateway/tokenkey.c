/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Token keys on OpenSSL.  Whatever happens here leaves OpenSSL's error queue
 * empty, because TLS on the same thread reads it.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "core/fs.h"
#include "core/reason.h"
#include "gateway/tokenkey.h"

enum {
	FILE_BYTES = 64 << 10,
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 16384,
	ES256_BYTES = 64, /* r and s, 32 bytes each */
	HS256_BYTES = 32,
};

struct tokenkey {
	char kid[TOKENKEY_KID_MAX + 1];
	const char *alg;
	EVP_PKEY *pkey;	 /* NULL: HS256 */
	uint8_t *secret; /* NULL: another */
	size_t secret_len;
};

static void
bio_freep(BIO **bio)
{
	BIO_free(*bio);
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

static bool
has_suffix(struct slice name, const char *suffix)
{
	size_t n = strlen(suffix);

	return name.len > n && !memcmp(name.p + name.len - n, suffix, n);
}

static bool
tokenkey_kid_good(struct slice name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	for (size_t i = 0; i < name.len; i++)
		if (!memchr(good, name.p[i], sizeof(good) - 1))
			return false;
	return true;
}

/* The part of the file name before .pem or .secret. */
static int
tokenkey_name(
    const char *path, struct tokenkey *key, bool *secret, struct reason *why)
{
	const char *slash = strrchr(path, '/');
	struct slice name = slice_cstr(slash ? slash + 1 : path);

	*secret = has_suffix(name, ".secret");
	if (!*secret && !has_suffix(name, ".pem")) {
		(void)reason_set(why, 0,
		    "token key '%s': the name must end in .pem (a public key) "
		    "or .secret",
		    path);
		return -EINVAL;
	}
	name.len -= strlen(*secret ? ".secret" : ".pem");
	if (name.len > TOKENKEY_KID_MAX || !tokenkey_kid_good(name)) {
		(void)reason_set(why, 0,
		    "token key '%s': the name is the kid, 1 to %d of letters, "
		    "digits, _ and -",
		    path, TOKENKEY_KID_MAX);
		return -EINVAL;
	}
	memcpy(key->kid, name.p, name.len);
	return 0;
}

/* A public key needs no passphrase; nobody is there to be asked for one. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

/* The algorithm for a public key, NULL and a reason when it is none of ours. */
static const char *
tokenkey_pkey_alg(EVP_PKEY *pkey, struct reason *why)
{
	char group[64] = "";
	int bits = EVP_PKEY_get_bits(pkey);

	switch (EVP_PKEY_get_base_id(pkey)) {
	case EVP_PKEY_EC:
		(void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
		if (!strcmp(group, "prime256v1"))
			return "ES256";
		break;
	case EVP_PKEY_ED25519:
		return "EdDSA";
	case EVP_PKEY_RSA:
		if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
			return "RS256";
		break;
	}
	(void)reason_set(why, 0,
	    "a %s key of %d bits; EC P-256, Ed25519 and RSA of %d to %d bits "
	    "are accepted",
	    EVP_PKEY_get0_type_name(pkey), bits, RSA_BITS_MIN, RSA_BITS_MAX);
	return NULL;
}

static int
tokenkey_public(struct tokenkey *key, const char *path, struct slice pem,
    struct reason *why)
{
	CLEANUP(bio_freep)
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	struct reason detail = { "" };

	if (!bio)
		return -ENOMEM;
	key->pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	if (!key->pkey) {
		(void)reason_set(
		    why, 0, "token key '%s' has no PEM block PUBLIC KEY", path);
		return -EINVAL;
	}
	key->alg = tokenkey_pkey_alg(key->pkey, &detail);
	if (!key->alg) {
		(void)reason_set(
		    why, 0, "token key '%s' is %s", path, detail.text);
		return -EINVAL;
	}
	return 0;
}

/* Whoever signs with a public key as the secret has signed nothing. */
static int
tokenkey_check_secret(const char *path, struct slice secret, struct reason *why)
{
	static const char pem[] = "-----BEGIN ";

	if (secret.len < TOKENKEY_SECRET_MIN) {
		(void)reason_set(why, 0,
		    "token secret '%s' has %zu bytes, fewer than %d", path,
		    secret.len, TOKENKEY_SECRET_MIN);
		return -EINVAL;
	}
	if (memmem(secret.p, secret.len, pem, sizeof(pem) - 1)) {
		(void)reason_set(why, 0,
		    "token secret '%s' is a PEM file: a secret is raw bytes",
		    path);
		return -EINVAL;
	}
	return 0;
}

/*
 * Where the file is.  A name without a directory is sought among what the
 * service manager has handed over (systemd.exec(5), LoadCredential=), so that
 * keys need be readable for nobody but root.
 */
static const char *
tokenkey_find(const char *path, char found[PATH_MAX])
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (!dir || strchr(path, '/'))
		return path;
	snprintf(found, PATH_MAX, "%s/%s", dir, path);
	return found;
}

int
tokenkey_load(const char *path, struct tokenkey **out, struct reason *why)
{
	char found[PATH_MAX];
	CLEANUP(tokenkey_freep)
	struct tokenkey *key = calloc(1, sizeof(*key));
	CLEANUP(freep) uint8_t *bytes = NULL;
	const char *file;
	bool secret;
	size_t len;
	int err;

	if (!key)
		return reason_set(why, -ENOMEM, "cannot load '%s'", path);
	err = tokenkey_name(path, key, &secret, why);
	if (err < 0)
		return err;
	file = tokenkey_find(path, found);
	err = fs_refuse_pipe(file, why);
	if (err == 0)
		err = fs_read_path(file, FILE_BYTES, &bytes, &len, why);
	if (err < 0)
		return err;
	if (secret) {
		err = tokenkey_check_secret(path, slice_of(bytes, len), why);
		key->alg = "HS256";
		key->secret = TAKE(bytes);
		key->secret_len = len;
	} else {
		err = tokenkey_public(key, path, slice_of(bytes, len), why);
		ERR_clear_error();
	}
	if (err < 0)
		return err;
	*out = TAKE(key);
	return 0;
}

struct tokenkey *
tokenkey_free(struct tokenkey *key)
{
	if (!key)
		return NULL;
	EVP_PKEY_free(key->pkey);
	if (key->secret)
		OPENSSL_cleanse(key->secret, key->secret_len);
	free(key->secret);
	free(key);
	return NULL;
}

const char *
tokenkey_kid(const struct tokenkey *key)
{
	return key->kid;
}

const char *
tokenkey_alg(const struct tokenkey *key)
{
	return key->alg;
}

static bool
tokenkey_verify_hmac(
    const struct tokenkey *key, struct slice text, struct slice sig)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (sig.len != HS256_BYTES)
		return false;
	if (!HMAC(EVP_sha256(), key->secret, (int)key->secret_len, text.p,
		text.len, mac, &len))
		return false;
	return len == HS256_BYTES && CRYPTO_memcmp(mac, sig.p, len) == 0;
}

/* JWS carries r and s side by side, OpenSSL reads the DER of X9.62. */
static int
es256_to_der(struct slice sig, unsigned char **der)
{
	CLEANUP(ecdsa_sig_freep) ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r, *s;

	if (sig.len != ES256_BYTES || !pair)
		return -1;
	r = BN_bin2bn(sig.p, ES256_BYTES / 2, NULL);
	s = BN_bin2bn(sig.p + ES256_BYTES / 2, ES256_BYTES / 2, NULL);
	if (!r || !s || BN_is_zero(r) || BN_is_zero(s) ||
	    !ECDSA_SIG_set0(pair, r, s)) {
		BN_free(r);
		BN_free(s);
		return -1;
	}
	return i2d_ECDSA_SIG(pair, der);
}

static bool
tokenkey_verify_pkey(
    const struct tokenkey *key, struct slice text, struct slice sig)
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool edwards = EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_ED25519;

	return ctx &&
	       EVP_DigestVerifyInit(ctx, NULL, edwards ? NULL : EVP_sha256(),
		   NULL, key->pkey) == 1 &&
	       EVP_DigestVerify(ctx, sig.p, sig.len, text.p, text.len) == 1;
}

bool
tokenkey_verify(const struct tokenkey *key, struct slice text, struct slice sig)
{
	unsigned char *der = NULL;
	bool good = false;
	int len;

	if (key->secret) {
		good = tokenkey_verify_hmac(key, text, sig);
	} else if (EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_EC) {
		len = es256_to_der(sig, &der);
		good = len > 0 && tokenkey_verify_pkey(
				      key, text, slice_of(der, (size_t)len));
		OPENSSL_free(der);
	} else {
		good = tokenkey_verify_pkey(key, text, sig);
	}
	ERR_clear_error();
	return good;
}
