/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The certificate of `peal up`.  It is no authority (CA:FALSE): one that is
 * trusted by mistake vouches for nobody else, and browsers refuse an
 * authority's certificate in a server's place.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "core/bytes.h"
#include "core/diag.h"
#include "core/fs.h"
#include "core/reason.h"
#include "tools/selfsigned.h"

enum {
	HOST_MAX = 253,
	SERIAL_BITS = 127,
	SECONDS_OF_DAY = 86400,
	DAYS = 3652, /* 10 years */
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
x509_freep(X509 **cert)
{
	X509_free(*cert);
}

static void
bn_freep(BIGNUM **bn)
{
	BN_free(*bn);
}

/* --- names --- */

/*
 * ADDR, ADDR:PORT, [ADDR6], [ADDR6]:PORT, HOST or HOST:PORT without PORT;
 * all of it where it has none of these forms.
 */
static struct slice
selfsigned_host(const char *listen)
{
	const char *end = strrchr(listen, ':');
	struct slice host;

	if (end && strspn(end + 1, "0123456789") == strlen(end + 1) &&
	    (end == strchr(listen, ':') || end[-1] == ']'))
		host = slice_of(listen, (size_t)(end - listen));
	else
		host = slice_cstr(listen);
	if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = slice_of(host.p + 1, host.len - 2);
	return host;
}

static bool
selfsigned_is_name(const char *host)
{
	return *host &&
	       !host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")];
}

/* What listen adds to the names that every such certificate has. */
static int
selfsigned_names(
    const char *listen, char *names, size_t size, struct reason *why)
{
	static const char always[] = "DNS:localhost,IP:127.0.0.1,IP:::1";
	struct slice s = selfsigned_host(listen);
	char host[HOST_MAX + 1], quoted[80];
	struct in6_addr six;
	struct in_addr four;
	const char *kind = NULL;

	snprintf(names, size, "%s", always);
	snprintf(host, sizeof(host), "%.*s", (int)MIN(s.len, sizeof(host)),
	    (const char *)s.p);
	if (s.len > HOST_MAX) {
		kind = NULL;
	} else if (inet_pton(AF_INET, host, &four) == 1) {
		if (four.s_addr == htonl(INADDR_ANY) ||
		    four.s_addr == htonl(INADDR_LOOPBACK))
			return 0;
		kind = "IP";
	} else if (inet_pton(AF_INET6, host, &six) == 1) {
		if (IN6_IS_ADDR_UNSPECIFIED(&six) || IN6_IS_ADDR_LOOPBACK(&six))
			return 0;
		kind = "IP";
	} else if (selfsigned_is_name(host)) {
		if (!strcmp(host, "localhost"))
			return 0;
		kind = "DNS";
	}
	if (!kind) {
		(void)reason_set(why, 0,
		    "\"%s\" is neither an address nor a host name",
		    diag_quote(quoted, sizeof(quoted), s.p, s.len));
		return -EINVAL;
	}
	snprintf(names + strlen(always), size - strlen(always), ",%s:%s", kind,
	    host);
	return 0;
}

/* --- the certificate --- */

static bool
selfsigned_extend(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	bool done = ext && X509_add_ext(cert, ext, -1);

	X509_EXTENSION_free(ext);
	return done;
}

static bool
selfsigned_number(X509 *cert)
{
	CLEANUP(bn_freep) BIGNUM *serial = BN_new();

	return serial &&
	       BN_rand(
		   serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	       BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert));
}

static bool
selfsigned_fill(X509 *cert, EVP_PKEY *pkey, const char *names)
{
	static const unsigned char cn[] = "peal development";
	X509_NAME *name = X509_get_subject_name(cert);
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	/* A day back: clocks of other machines may be behind ours. */
	return X509_set_version(cert, X509_VERSION_3) &&
	       selfsigned_number(cert) &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -SECONDS_OF_DAY) &&
	       X509_time_adj_ex(X509_getm_notAfter(cert), DAYS, 0, NULL) &&
	       X509_NAME_add_entry_by_txt(
		   name, "CN", MBSTRING_ASC, cn, -1, -1, 0) &&
	       X509_set_issuer_name(cert, name) &&
	       X509_set_pubkey(cert, pkey) &&
	       selfsigned_extend(
		   cert, &ctx, NID_basic_constraints, "critical,CA:FALSE") &&
	       selfsigned_extend(
		   cert, &ctx, NID_key_usage, "critical,digitalSignature") &&
	       selfsigned_extend(cert, &ctx, NID_ext_key_usage, "serverAuth") &&
	       selfsigned_extend(
		   cert, &ctx, NID_subject_key_identifier, "hash") &&
	       selfsigned_extend(
		   cert, &ctx, NID_authority_key_identifier, "keyid:always") &&
	       selfsigned_extend(cert, &ctx, NID_subject_alt_name, names) &&
	       X509_sign(cert, pkey, EVP_sha256());
}

static int
selfsigned_put(const char *path, BIO *bio, mode_t mode, struct reason *why)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);

	return fs_replace_path(path, text, (size_t)len, mode, why);
}

int
selfsigned_write(const char *cert_path, const char *key_path,
    const char *listen, struct reason *why)
{
	CLEANUP(pkey_freep) EVP_PKEY *pkey = EVP_EC_gen("P-256");
	CLEANUP(bio_freep) BIO *secret = BIO_new(BIO_s_secmem());
	CLEANUP(bio_freep) BIO *open = BIO_new(BIO_s_mem());
	CLEANUP(x509_freep) X509 *cert = X509_new();
	char names[HOST_MAX + 64];
	int err = selfsigned_names(listen, names, sizeof(names), why);

	if (err < 0)
		return err;
	if (!pkey || !secret || !open || !cert ||
	    !selfsigned_fill(cert, pkey, names) ||
	    !PEM_write_bio_PKCS8PrivateKey(
		secret, pkey, NULL, NULL, 0, NULL, NULL) ||
	    !PEM_write_bio_X509(open, cert)) {
		(void)reason_set(why, 0, "OpenSSL cannot make a certificate");
		return -EIO;
	}
	err = selfsigned_put(key_path, secret, 0600, why);
	if (err < 0)
		return err;
	return selfsigned_put(cert_path, open, 0644, why);
}
