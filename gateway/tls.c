/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLS 1.3 on non-blocking sockets.  OpenSSL's error queue is empty whenever
 * a function of this file returns, so that no call sees another's errors.
 */

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/fs.h"
#include "core/reason.h"
#include "gateway/tls.h"

/*
 * AES-GCM keys are good for 2^24.5 full records (RFC 8446, 5.5); OpenSSL
 * does not count, so this file does, with room to spare.
 */
enum {
	REKEY_RECORDS = 1 << 22,
	RECORD_BYTES = 16384
};

struct tls {
	SSL_CTX *ctx;
	BIO_METHOD *method;
	BIO *bio;	      /* shared by all connections */
	struct tls_conn *now; /* the connection that is being served */
	bool drained;	      /* its socket had nothing more to read */
	uint32_t rekey;
	char *cert;
	char *key;
	char note[160];
};

static int
sock_write(BIO *bio, const char *buf, size_t len, size_t *written)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do {
		n = send(tls->now->fd, buf, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			BIO_set_retry_write(bio);
		return 0;
	}
	*written = (size_t)n;
	return 1;
}

static int
sock_read(BIO *bio, char *buf, size_t size, size_t *got)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do {
		n = recv(tls->now->fd, buf, size, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN) {
			tls->drained = true;
			BIO_set_retry_read(bio);
		}
		return 0;
	}
	*got = (size_t)n;
	return 1;
}

static long
sock_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH;
}

static int
bio_make(struct tls *tls)
{
	int type = BIO_get_new_index();

	if (type < 0)
		return -ENOMEM;
	tls->method = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "peal socket");
	if (!tls->method || !BIO_meth_set_write_ex(tls->method, sock_write) ||
	    !BIO_meth_set_read_ex(tls->method, sock_read) ||
	    !BIO_meth_set_ctrl(tls->method, sock_ctrl))
		return -ENOMEM;
	tls->bio = BIO_new(tls->method);
	if (!tls->bio)
		return -ENOMEM;
	BIO_set_data(tls->bio, tls);
	BIO_set_init(tls->bio, 1);
	return 0;
}

/*
 * Take OpenSSL's first error as a sentence's end and empty its queue: those
 * after it say where it passed by.
 */
static int
reason_ssl(struct reason *why, int err, const char *what, const char *path)
{
	unsigned long e = ERR_peek_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;

	if (e && ERR_SYSTEM_ERROR(e))
		text = strerror((int)ERR_GET_REASON(e));
	reason_set(why, 0, "%s '%s': %s", what, path,
	    text ? text : "it can't be read");
	ERR_clear_error();
	return err;
}

/* A key with a passphrase must not ask for it on a terminal. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
	static const unsigned char served[] = "\x08http/1.1";
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, outlen, served, sizeof(served) - 1,
		in, inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int
ctx_configure(SSL_CTX *ctx)
{
	static const char ciphers[] =
	    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
	    "TLS_CHACHA20_POLY1305_SHA256";

	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
		     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* One record a call, so that a peer can't keep us inside SSL_read. */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(ctx, ciphers) ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") ||
	    !SSL_CTX_set_num_tickets(ctx, 0) ||
	    !SSL_CTX_set_max_early_data(ctx, 0)) {
		ERR_clear_error();
		return -ENOTSUP;
	}
	return 0;
}

static void
ctx_note(SSL_CTX *ctx, const char *path, char *note, size_t size)
{
	X509 *x = SSL_CTX_get0_certificate(ctx);

	*note = '\0';
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		snprintf(note, size, "certificate '%.80s' has expired", path);
	else if (!EVP_PKEY_is_a(SSL_CTX_get0_privatekey(ctx), "EC"))
		snprintf(note, size,
		    "certificate '%.80s' is no ECDSA one: handshakes cost "
		    "more than they need to",
		    path);
}

static void
ctx_freep(SSL_CTX **ctx)
{
	SSL_CTX_free(*ctx);
}

/* A context from the files as they are now; replaces the present one. */
static int
ctx_load(struct tls *tls, const char *cert, const char *key, struct reason *why)
{
	CLEANUP(ctx_freep) SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int r;

	if (!ctx) {
		ERR_clear_error();
		return reason_set(why, -ENOMEM, "cannot set up TLS");
	}
	r = ctx_configure(ctx);
	if (r < 0)
		return reason_set(why, r, "cannot set up TLS");
	r = fs_refuse_pipe(cert, why);
	if (r == 0)
		r = fs_refuse_pipe(key, why);
	if (r < 0)
		return r;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return reason_ssl(why, -EINVAL, "certificate", cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return reason_ssl(why, -EINVAL, "key", key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return reason_ssl(why, -EINVAL, "key", key);

	ctx_note(ctx, cert, tls->note, sizeof(tls->note));
	SSL_CTX_free(tls->ctx);
	tls->ctx = TAKE(ctx);
	return 0;
}

int
tls_open(
    const char *cert, const char *key, struct tls **out, struct reason *why)
{
	CLEANUP(tls_freep) struct tls *tls = calloc(1, sizeof(*tls));
	int r;

	if (!tls)
		return reason_set(why, -ENOMEM, "cannot set up TLS");
	tls->rekey = REKEY_RECORDS;
	if (bio_make(tls) < 0) {
		ERR_clear_error();
		return reason_set(why, -ENOMEM, "cannot set up TLS");
	}
	r = ctx_load(tls, cert, key, why);
	if (r < 0)
		return r;
	*out = TAKE(tls);
	return 0;
}

struct tls *
tls_free(struct tls *tls)
{
	if (!tls)
		return NULL;
	SSL_CTX_free(tls->ctx);
	BIO_free(tls->bio);
	BIO_meth_free(tls->method);
	free(tls);
	return NULL;
}

int
tls_reload(
    struct tls *tls, const char *cert, const char *key, struct reason *why)
{
	return ctx_load(tls, cert, key, why);
}

const char *
tls_note(const struct tls *tls)
{
	return tls->note;
}

void
tls_set_rekey(struct tls *tls, uint32_t records)
{
	tls->rekey = records;
}

int
tls_conn_init(struct tls *tls, struct tls_conn *tc, int fd)
{
	SSL *ssl = SSL_new(tls->ctx);

	if (!ssl) {
		ERR_clear_error();
		return -ENOMEM;
	}
	BIO_up_ref(tls->bio);
	SSL_set_bio(ssl, tls->bio, tls->bio);
	SSL_set_accept_state(ssl);
	*tc = (struct tls_conn){ .ssl = ssl, .fd = fd };
	return 0;
}

void
tls_conn_deinit(struct tls_conn *tc)
{
	SSL_free(tc->ssl);
	tc->ssl = NULL;
}

/* What an operation that failed means. */
static int
outcome(struct tls *tls, struct tls_conn *tc, int r)
{
	int result;

	switch (SSL_get_error(tc->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return TLS_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
	case SSL_ERROR_SYSCALL:
		result = TLS_CLOSED;
		break;
	default:
		result = ERR_GET_REASON(ERR_peek_error()) ==
				 SSL_R_UNEXPECTED_EOF_WHILE_READING
			     ? TLS_CLOSED
			     : -EPROTO;
	}
	ERR_clear_error();
	return result;
}

int
tls_handshake(struct tls *tls, struct tls_conn *tc)
{
	int r;

	tls->now = tc;
	r = SSL_do_handshake(tc->ssl);
	return r == 1 ? TLS_DONE : outcome(tls, tc, r);
}

int
tls_read(
    struct tls *tls, struct tls_conn *tc, void *buf, size_t size, size_t *got)
{
	size_t n;
	int r;

	tls->now = tc;
	tls->drained = false;
	r = SSL_read_ex(tc->ssl, buf, size, &n);
	if (r == 1) {
		*got = n;
		return TLS_DONE;
	}
	r = outcome(tls, tc, r);
	if (r == TLS_AGAIN && !tls->drained &&
	    SSL_want(tc->ssl) == SSL_READING) {
		*got = 0;
		return TLS_DONE;
	}
	return r;
}

int
tls_write(struct tls *tls, struct tls_conn *tc, const void *buf, size_t len)
{
	size_t written;
	int r;

	tls->now = tc;
	if (!tc->pending && tc->records >= tls->rekey) {
		if (!SSL_key_update(tc->ssl, SSL_KEY_UPDATE_NOT_REQUESTED)) {
			ERR_clear_error();
			return -EPROTO;
		}
		tc->records = 0;
	}
	if (!tc->pending)
		tc->records +=
		    (uint32_t)((len + RECORD_BYTES - 1) / RECORD_BYTES);
	r = SSL_write_ex(tc->ssl, buf, len, &written);
	if (r == 1) {
		assert(written == len);
		tc->pending = false;
		return TLS_DONE;
	}
	tc->pending = true;
	return outcome(tls, tc, r);
}

void
tls_bye(struct tls *tls, struct tls_conn *tc)
{
	tls->now = tc;
	(void)SSL_shutdown(tc->ssl);
	ERR_clear_error();
}

void
tls_websocket_accept(
    const uint8_t key[TLS_WS_KEY], char accept[TLS_WS_ACCEPT + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char text[TLS_WS_KEY + sizeof(guid) - 1];
	unsigned char digest[20];
	int ok;

	memcpy(text, key, TLS_WS_KEY);
	memcpy(text + TLS_WS_KEY, guid, sizeof(guid) - 1);
	ok = EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha1(), NULL);
	assert(ok == 1);
	EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
}
