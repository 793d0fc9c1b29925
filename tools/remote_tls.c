/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLS for the client: version 1.3, the server's certificate and name always
 * checked.  There is no way to switch that off.
 */

#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "core/reason.h"
#include "tools/refuse.h"
#include "tools/remote_priv.h"

/* The first error that OpenSSL has queued, as a sentence's end. */
static int
remote_tls_failed(struct reason *why, const char *what)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return REFUSE(
	    why, "%s: %s", what, text ? text : "OpenSSL does not say why");
}

int
remote_tls_context(const char *cafile, SSL_CTX **out, struct reason *why)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ok;

	if (!ctx)
		return remote_tls_failed(why, "cannot start TLS");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	/* Also a leaf is an anchor when the user names it as one. */
	X509_VERIFY_PARAM_set_flags(
	    SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_ENABLE_PARTIAL_WRITE);
	/* A record comes with one system call, not with two. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	ok = SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	     SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0;
	if (ok && cafile)
		ok = SSL_CTX_load_verify_locations(ctx, cafile, NULL) == 1;
	else if (ok)
		ok = SSL_CTX_set_default_verify_paths(ctx) == 1;
	if (!ok) {
		char what[200];

		snprintf(what, sizeof(what), "cannot use certificates '%s'",
		    cafile ? cafile : "of the system");
		SSL_CTX_free(ctx);
		return remote_tls_failed(why, what);
	}
	*out = ctx;
	return 0;
}

int
remote_tls_begin(struct remote *r, struct reason *why)
{
	const struct remote_target *target = r->target;
	int ok;

	if (target->brief) {
		r->brief = tls_brief_new(target->brief, r->fd);
		return r->brief ? 0
				: reason_set(why, -ENOMEM, "cannot start TLS");
	}
	r->ssl = SSL_new(target->tls);
	if (!r->ssl || SSL_set_fd(r->ssl, r->fd) != 1)
		return remote_tls_failed(why, "cannot start TLS");
	SSL_set_connect_state(r->ssl);
	if (target->numeric)
		ok = X509_VERIFY_PARAM_set1_ip_asc(
		    SSL_get0_param(r->ssl), target->host);
	else
		ok = SSL_set1_host(r->ssl, target->host) == 1 &&
		     SSL_set_tlsext_host_name(r->ssl, target->host) == 1;
	if (ok != 1)
		return remote_tls_failed(why, "cannot check the server's name");
	return 0;
}

/* What a call that did not succeed means. */
static int
remote_tls_result(
    struct remote *r, int ret, const char *what, struct reason *why)
{
	int saved = errno;
	int error = SSL_get_error(r->ssl, ret);
	long verdict;

	switch (error) {
	case SSL_ERROR_WANT_READ:
		return REMOTE_TLS_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		r->want_write = true;
		return REMOTE_TLS_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return REMOTE_TLS_CLOSED;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (saved == 0 || saved == ECONNRESET || saved == EPIPE)
			return REMOTE_TLS_CLOSED;
		return reason_set(why, -saved, "%s", what);
	default:
		break;
	}
	verdict = SSL_get_verify_result(r->ssl);
	if (verdict != X509_V_OK) {
		ERR_clear_error();
		return REFUSE(why, "the certificate of %s is not trusted: %s",
		    r->target->host, X509_verify_cert_error_string(verdict));
	}
	/* A peer that ends without close_notify has ended all the same. */
	if (ERR_GET_REASON(ERR_peek_error()) ==
	    SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return REMOTE_TLS_CLOSED;
	}
	return remote_tls_failed(why, what);
}

_Static_assert((int)REMOTE_TLS_AGAIN == (int)TLS_BRIEF_AGAIN &&
		   (int)REMOTE_TLS_DONE == (int)TLS_BRIEF_DONE &&
		   (int)REMOTE_TLS_CLOSED == (int)TLS_BRIEF_CLOSED,
    "one meaning");
_Static_assert((int)REMOTE_CHUNK >= (int)TLS_BRIEF_RECORD, "a record fits");

bool
remote_tls_pending(const struct remote *r)
{
	return r->brief ? tls_brief_pending(r->brief) : SSL_has_pending(r->ssl);
}

int
remote_tls_handshake(struct remote *r, struct reason *why)
{
	int ret;

	r->want_write = false;
	if (r->brief)
		return tls_brief_handshake(r->brief, why);
	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(r->ssl);
	if (ret == 1)
		return REMOTE_TLS_DONE;
	return remote_tls_result(r, ret, "the TLS handshake failed", why);
}

int
remote_tls_read(
    struct remote *r, void *buf, size_t size, size_t *n, struct reason *why)
{
	int ret;

	if (r->brief)
		return tls_brief_read(r->brief, buf, n, why);
	ERR_clear_error();
	errno = 0;
	ret = SSL_read_ex(r->ssl, buf, size, n);
	if (ret == 1)
		return REMOTE_TLS_DONE;
	return remote_tls_result(r, ret, "cannot receive over TLS", why);
}

static void
remote_tls_flushed(struct remote *r)
{
	mp_buf_deinit(&r->out);
	r->out = (struct mp_buf){ 0 };
	r->out_sent = 0;
}

static int
remote_tls_flush_brief(struct remote *r, struct reason *why)
{
	int io;

	if (tls_brief_write(r->brief, r->out.p, r->out.len) < 0)
		return reason_set(why, -ENOMEM, "cannot send over TLS");
	remote_tls_flushed(r);
	io = tls_brief_flush(r->brief, why);
	r->want_write = io == TLS_BRIEF_AGAIN;
	return io;
}

int
remote_tls_flush(struct remote *r, struct reason *why)
{
	size_t n;
	int ret;

	r->want_write = false;
	if (r->brief)
		return remote_tls_flush_brief(r, why);
	while (r->out_sent < r->out.len) {
		ERR_clear_error();
		errno = 0;
		ret = SSL_write_ex(r->ssl, r->out.p + r->out_sent,
		    r->out.len - r->out_sent, &n);
		if (ret != 1)
			return remote_tls_result(
			    r, ret, "cannot send over TLS", why);
		r->out_sent += n;
	}
	remote_tls_flushed(r);
	return REMOTE_TLS_DONE;
}
