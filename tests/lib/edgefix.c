/* SPDX-License-Identifier: BSD-2-Clause */

/* The edge under test and its client; see the header. */

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/reason.h"
#include "core/time.h"
#include "gateway/counters.h"
#include "gateway/listen.h"
#include "gateway/tls.h"
#include "tests/lib/edgefix.h"

enum {
	PATIENCE_S = 300
};

static uint64_t deadline_ns;

void
edgefix_deadline(struct edgefix *fx)
{
	deadline_ns = time_mono_ns() + PATIENCE_S * NS_PER_S;
}

bool
edgefix_pass(struct edgefix *fx)
{
	struct pollfd nothing = { .fd = -1 };

	assert_int_equal(loop_once(fx->loop, 0), 0);
	conns_sweep(fx->conns);
	(void)poll(&nothing, 1, 0);
	return time_mono_ns() < deadline_ns;
}

struct session {
	struct edgefix *fx;
	struct conn *conn;
};

static void *
on_open(void *arg, struct conn *c, struct slice bearer)
{
	struct edgefix *fx = arg;
	struct session *s;

	fx->opened++;
	fx->conn = c;
	snprintf(fx->bearer, sizeof(fx->bearer), "%.*s", (int)bearer.len,
	    bearer.len > 0 ? (const char *)bearer.p : "");
	if (fx->refuse)
		return NULL;
	s = malloc(sizeof(*s));
	if (!s) {
		fx->closed++;
		return NULL;
	}
	*s = (struct session){ fx, c };
	return s;
}

static void
on_message(void *session, unsigned opcode, struct slice msg)
{
	struct session *s = session;
	struct edgefix *fx = s->fx;

	fx->messages++;
	fx->last_len = msg.len;
	fx->total += msg.len;
	memcpy(fx->last, msg.p, MIN(msg.len, sizeof(fx->last)));
	if (fx->hello)
		conn_established(s->conn);
	if (fx->echo)
		conn_control(s->conn, msg);
	if (fx->on_message)
		fx->on_message(fx, msg);
}

static void
on_ready(void *session)
{
	struct edgefix *fx = ((struct session *)session)->fx;

	fx->ready++;
	if (fx->on_ready)
		fx->on_ready(fx);
}

static void
on_closed(void *session)
{
	struct session *s = session;

	s->fx->closed++;
	free(s);
}

static bool
on_serving(void *arg, struct reason *why)
{
	struct edgefix *fx = arg;

	if (!fx->not_serving)
		return true;
	reason_set(why, 0, "the \"ring\" is not there");
	return false;
}

static EVP_PKEY *
make_key(const char *kind)
{
	EVP_PKEY *key;

	if (!strcmp(kind, "RSA"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	assert_non_null(key);
	return key;
}

void
edgefix_certificate(
    const char *kind, const char *cert_path, const char *key_path)
{
	EVP_PKEY *key = make_key(kind);
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	FILE *f;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);

	f = fopen(cert_path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	f = fopen(key_path, "w");
	assert_non_null(f);
	assert_int_equal(
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

int
edgefix_setup(void **state)
{
	struct edgefix *fx = calloc(1, sizeof(*fx));
	const char *tmp = getenv("TMPDIR");

	snprintf(fx->dir, sizeof(fx->dir), "%.40s/peal-edge-XXXXXX",
	    tmp ? tmp : "/tmp");
	/* The client's writes; the gateway's own raise none. */
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(fx->dir))
		return -1;
	snprintf(fx->cert, sizeof(fx->cert), "%s/cert.pem", fx->dir);
	snprintf(fx->key, sizeof(fx->key), "%s/key.pem", fx->dir);
	edgefix_certificate("EC", fx->cert, fx->key);
	fx->client_ctx = SSL_CTX_new(TLS_client_method());
	*state = fx;
	return 0;
}

void
edgefix_reset(struct edgefix *fx)
{
	fx->listen = listen_free(fx->listen);
	fx->conns = conns_free(fx->conns);
	fx->tls = tls_free(fx->tls);
	fx->loop = loop_free(fx->loop);
	fx->conf = conf_free(fx->conf);
}

int
edgefix_teardown(void **state)
{
	struct edgefix *fx = *state;

	edgefix_reset(fx);
	SSL_CTX_free(fx->client_ctx);
	unlink(fx->cert);
	unlink(fx->key);
	rmdir(fx->dir);
	free(fx);
	return 0;
}

void
edgefix_start(struct edgefix *fx, const char *const *options)
{
	const struct conn_handler handler = { on_open, on_message, on_ready,
		on_closed, on_serving, fx };
	struct reason why = { "" };
	int r;

	counters_reset();
	fx->conf = conf_new();
	r = conf_set(fx->conf, "gateway.listen=127.0.0.1:0", &why);
	for (; r == 0 && options && *options; options++)
		r = conf_set(fx->conf, *options, &why);
	fx->loop = loop_new();
	if (r == 0)
		r = tls_open(fx->cert, fx->key, &fx->tls, &why);
	if (r == 0)
		r = conns_new(
		    fx->loop, fx->conf, fx->tls, &handler, &fx->conns, &why);
	if (r == 0)
		r = listen_open(
		    fx->loop, fx->conf, fx->conns, &fx->listen, &why);
	if (r != 0)
		fail_msg("%s", why.text);
	edgefix_deadline(fx);
}

static struct edge_client *
dial(struct edgefix *fx, bool plain)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)listen_port(fx->listen, plain)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct edge_client *c = calloc(1, sizeof(*c));

	c->fx = fx;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(c->fd >= 0);
	if (connect(c->fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return c;
}

struct edge_client *
edge_connect(struct edgefix *fx)
{
	struct edge_client *c = dial(fx, false);

	c->ssl = SSL_new(fx->client_ctx);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	return c;
}

struct edge_client *
edge_connect_plain(struct edgefix *fx)
{
	return dial(fx, true);
}

/* One read or write: 1, or below, for again() to judge. */
static int
read_once(struct edge_client *c, void *p, size_t size, size_t *n)
{
	ssize_t r;

	if (c->ssl)
		return SSL_read_ex(c->ssl, p, size, n);
	r = recv(c->fd, p, size, 0);
	*n = (size_t)MAX(r, (ssize_t)0);
	return r > 0 ? 1 : (int)r;
}

static int
write_once(struct edge_client *c, const void *p, size_t len, size_t *n)
{
	ssize_t r;

	if (c->ssl)
		return SSL_write_ex(c->ssl, p, len, n);
	r = send(c->fd, p, len, 0);
	*n = (size_t)MAX(r, (ssize_t)0);
	return r > 0 ? 1 : (int)r;
}

/* It would block; after a call that failed. */
static bool
would_block(const struct edge_client *c, int r)
{
	int err;

	if (!c->ssl)
		return r < 0 && (errno == EAGAIN || errno == ENOTCONN);
	err = SSL_get_error(c->ssl, r);
	return err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE;
}

/* true: repeat the call; false: the connection is over. */
static bool
again(struct edge_client *c, int r)
{
	if (would_block(c, r)) {
		if (!edgefix_pass(c->fx))
			fail_msg("the gateway does not answer");
		return true;
	}
	ERR_clear_error();
	c->eof = true;
	return false;
}

bool
edge_handshake(struct edge_client *c)
{
	int r;

	edgefix_deadline(c->fx);
	do {
		r = SSL_connect(c->ssl);
	} while (r != 1 && again(c, r));
	return r == 1;
}

struct edge_client *
edge_open(struct edgefix *fx)
{
	struct edge_client *c = edge_connect(fx);

	assert_true(edge_handshake(c));
	return c;
}

void
edge_free(struct edge_client *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

void
edge_write(struct edge_client *c, const void *p, size_t len)
{
	const uint8_t *at = p;
	size_t n;
	int r;

	edgefix_deadline(c->fx);
	do {
		r = write_once(c, at, len, &n);
		if (r == 1) {
			at += n;
			len -= n;
		}
	} while (len > 0 && (r == 1 || again(c, r)));
}

void
edge_puts(struct edge_client *c, const char *text)
{
	edge_write(c, text, strlen(text));
}

/* One read; true while more may come. */
static bool
read_some(struct edge_client *c, bool wait)
{
	size_t n;
	int r;

	assert_true(c->len < sizeof(c->in));
	r = read_once(c, c->in + c->len, sizeof(c->in) - c->len, &n);
	if (r == 1) {
		c->len += n;
		return true;
	}
	if (!wait && would_block(c, r))
		return false;
	return again(c, r);
}

bool
edge_fill(struct edge_client *c, size_t len)
{
	edgefix_deadline(c->fx);
	while (c->len < len)
		if (!read_some(c, true))
			return false;
	return true;
}

void
edge_poll(struct edge_client *c)
{
	while (!c->eof && read_some(c, false))
		;
}

void
edge_consume(struct edge_client *c, size_t len)
{
	memmove(c->in, c->in + len, c->len - len);
	c->len -= len;
}

void
edge_until_eof(struct edge_client *c)
{
	edgefix_deadline(c->fx);
	while (!c->eof)
		(void)read_some(c, true);
}

const char *
edge_request(struct edge_client *c, const char *request)
{
	edge_puts(c, request);
	edge_until_eof(c);
	assert_true(c->len < sizeof(c->in));
	c->in[c->len] = '\0';
	return (const char *)c->in;
}

void
edge_upgrade(struct edge_client *c, const char *more_headers)
{
	char request[2048];
	const uint8_t *end = NULL;

	snprintf(request, sizeof(request),
	    "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS "%s\r\n",
	    more_headers);
	edge_puts(c, request);
	edgefix_deadline(c->fx);
	while (!end && read_some(c, true))
		end = memmem(c->in, c->len, "\r\n\r\n", 4);
	assert_non_null(end);
	assert_memory_equal(c->in, "HTTP/1.1 101 ", 13);
	edge_consume(c, (size_t)(end + 4 - c->in));
}

struct edge_client *
edge_websocket(struct edgefix *fx)
{
	struct edge_client *c = edge_open(fx);

	edge_upgrade(c, "");
	return c;
}

size_t
edge_frame(uint8_t *buf, unsigned first, const void *p, size_t len)
{
	static const uint8_t key[4] = { 0x12, 0x34, 0x56, 0x78 };
	unsigned bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;
	size_t n = 2;

	buf[0] = (uint8_t)first;
	buf[1] = (uint8_t)(0x80 | (bytes == 0 ? len : bytes == 2 ? 126 : 127));
	for (unsigned i = 0; i < bytes; i++)
		buf[n++] = (uint8_t)(len >> 8 * (bytes - 1 - i));
	memcpy(buf + n, key, 4);
	n += 4;
	for (size_t i = 0; i < len; i++)
		buf[n++] = ((const uint8_t *)p)[i] ^ key[i % 4];
	return n;
}

void
edge_send(struct edge_client *c, unsigned first, const void *p, size_t len)
{
	uint8_t *buf = malloc(len + 14);

	edge_write(c, buf, edge_frame(buf, first, p, len));
	free(buf);
}

bool
edge_next(struct edge_client *c, struct edge_frame *f)
{
	size_t head = 2, len;

	if (!edge_fill(c, 2))
		return false;
	assert_int_equal(c->in[1] & 0x80, 0);
	len = c->in[1];
	if (len == 126)
		head = 4;
	else if (len == 127)
		head = 10;
	if (!edge_fill(c, head))
		return false;
	if (head > 2)
		for (size_t i = 2, v = 0; i < head; i++)
			len = v = v << 8 | c->in[i];
	if (!edge_fill(c, head + len))
		return false;
	f->first = c->in[0];
	f->payload = slice_of(c->in + head, len);
	f->whole = head + len;
	return true;
}

void
edge_expect_close(struct edge_client *c, unsigned code)
{
	struct edge_frame f;

	assert_true(edge_next(c, &f));
	assert_int_equal(f.first, 0x88);
	assert_true(f.payload.len >= 2);
	assert_int_equal(f.payload.p[0] << 8 | f.payload.p[1], code);
	edge_consume(c, f.whole);
	edge_until_eof(c);
	assert_int_equal(c->len, 0);
}
