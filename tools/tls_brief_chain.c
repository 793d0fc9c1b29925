/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The server's certificates: verified by OpenSSL the first time, compared
 * with those that were from then on.
 */

#include <errno.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "core/reason.h"
#include "tools/refuse.h"
#include "tools/tls_brief_priv.h"

static void
brief_stack_freep(STACK_OF(X509) * *stack)
{
	sk_X509_pop_free(*stack, X509_free);
}

static void
brief_store_ctx_freep(X509_STORE_CTX **ctx)
{
	X509_STORE_CTX_free(*ctx);
}

/* A length of n bytes, and as many bytes behind it; false: there are not. */
static bool
brief_take(struct slice *s, unsigned n, struct slice *out)
{
	size_t len = 0;

	if (s->len < n)
		return false;
	for (unsigned i = 0; i < n; i++)
		len = len << 8 | s->p[i];
	if (s->len - n < len)
		return false;
	*out = slice_of(s->p + n, len);
	s->p += n + len;
	s->len -= n + len;
	return true;
}

/* Context, then certificates with extensions each: into the stack. */
static bool
brief_chain_parse(struct slice body, STACK_OF(X509) * stack)
{
	struct slice context, list, der, extensions;

	if (!brief_take(&body, 1, &context) || !brief_take(&body, 3, &list))
		return false;
	while (list.len) {
		const unsigned char *p;
		X509 *x;

		if (!brief_take(&list, 3, &der) ||
		    !brief_take(&list, 2, &extensions))
			return false;
		p = der.p;
		x = d2i_X509(NULL, &p, (long)der.len);
		if (!x || sk_X509_push(stack, x) <= 0) {
			X509_free(x);
			return false;
		}
	}
	return sk_X509_num(stack) > 0;
}

static int
brief_chain_verify(
    struct tls_brief_target *t, STACK_OF(X509) * stack, struct reason *why)
{
	CLEANUP(brief_store_ctx_freep)
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *leaf = sk_X509_value(stack, 0);
	X509_VERIFY_PARAM *param;

	if (!ctx ||
	    X509_STORE_CTX_init(
		ctx, SSL_CTX_get_cert_store(t->ctx), leaf, stack) != 1 ||
	    X509_STORE_CTX_set_default(ctx, "ssl_server") != 1)
		return reason_set(why, -ENOMEM, "cannot check certificates");
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, t->address) != 1)
		return REFUSE(why, "'%.60s' is no address", t->address);
	if (X509_verify_cert(ctx) != 1)
		return REFUSE(why,
		    "the certificate of %.60s is not trusted: %s", t->address,
		    X509_verify_cert_error_string(
			X509_STORE_CTX_get_error(ctx)));
	EVP_PKEY_free(t->server);
	t->server = X509_get_pubkey(leaf);
	if (!t->server || !EVP_PKEY_is_a(t->server, "EC"))
		return REFUSE(why, "the server's key is none of P-256");
	return 0;
}

int
brief_chain_check(
    struct tls_brief_target *t, struct slice body, struct reason *why)
{
	CLEANUP(brief_stack_freep) STACK_OF(X509) *stack = NULL;
	int err;

	if (t->server && slice_equal(body, slice_of(t->chain.p, t->chain.len)))
		return 0;
	stack = sk_X509_new_null();
	if (!stack)
		return reason_set(why, -ENOMEM, "cannot check certificates");
	err = brief_chain_parse(body, stack)
		  ? brief_chain_verify(t, stack, why)
		  : REFUSE(why, "the server's certificates make no sense");
	ERR_clear_error();
	if (err < 0) {
		EVP_PKEY_free(t->server);
		t->server = NULL;
		return err;
	}
	t->chain.len = 0;
	mp_buf_bytes(&t->chain, body.p, body.len);
	return t->chain.failed
		   ? reason_set(why, -ENOMEM, "cannot check certificates")
		   : 0;
}
