/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The bare TLS server, with the settings of the gateways: version 1.3,
 * AES-128-GCM, no tickets.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/mp.h"
#include "core/reason.h"
#include "tools/refuse.h"
#include "tools/remote_priv.h"
#include "tools/tls_bare.h"

enum {
	BARE_CLIENTS_MAX = 1 << 16,
	BARE_HEAD_MAX = 4096
};

struct bare_block {
	size_t len;
	uint8_t bytes[TLS_BARE_BLOCK];
};

struct bare_client {
	SSL *ssl;
	uint64_t next; /* message to be sent */
};

struct tls_bare {
	SSL_CTX *ctx;
	int fd;
	unsigned n;
	uint64_t offered; /* messages so far */
	uint64_t slowest; /* next of the slowest client, or less */
	struct bare_client clients[BARE_CLIENTS_MAX];
	struct bare_block blocks[TLS_BARE_BLOCKS];
};

static int
tls_bare_context(
    struct tls_bare *s, const char *cert, const char *key, struct reason *why)
{
	s->ctx = SSL_CTX_new(TLS_server_method());
	if (!s->ctx ||
	    SSL_CTX_set_min_proto_version(s->ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(s->ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_set_num_tickets(s->ctx, 0) != 1 ||
	    SSL_CTX_use_certificate_chain_file(s->ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(s->ctx, key, SSL_FILETYPE_PEM) != 1)
		return REFUSE(why, "cannot use certificate '%.100s'", cert);
	SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(s->ctx, SSL_MODE_RELEASE_BUFFERS);
	return 0;
}

int
tls_bare_open(const char *cert, const char *key, struct tls_bare **out,
    unsigned *port, struct reason *why)
{
	CLEANUP(tls_bare_freep) struct tls_bare *s = NULL;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	int err;

	s = calloc(1, sizeof(*s));
	if (!s)
		return reason_set(why, -ENOMEM, "cannot serve");
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&sin, len) < 0 ||
	    listen(s->fd, 4096) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&sin, &len) < 0)
		return reason_set(why, -errno, "cannot listen");
	err = tls_bare_context(s, cert, key, why);
	if (err < 0)
		return err;
	*port = ntohs(sin.sin_port);
	*out = TAKE(s);
	return 0;
}

struct tls_bare *
tls_bare_free(struct tls_bare *s)
{
	if (!s)
		return NULL;
	for (unsigned i = 0; i < s->n; i++) {
		(void)close(SSL_get_fd(s->clients[i].ssl));
		SSL_free(s->clients[i].ssl);
	}
	SSL_CTX_free(s->ctx);
	closep(&s->fd);
	free(s);
	return NULL;
}

/* Read the request up to its empty line, and answer it. */
static int
tls_bare_upgrade(SSL *ssl, struct reason *why)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	char head[BARE_HEAD_MAX + 1], answer[300], key[64], accept[64];
	size_t len = 0, n;
	char *at;
	int ret;

	for (;;) {
		ret = SSL_read_ex(ssl, head + len, BARE_HEAD_MAX - len, &n);
		if (ret != 1)
			return REFUSE(why, "a client went away");
		len += n;
		head[len] = '\0';
		if (strstr(head, "\r\n\r\n"))
			break;
		if (len == BARE_HEAD_MAX)
			return REFUSE(why, "a client sends too much");
	}
	at = strstr(head, name);
	if (!at)
		return REFUSE(why, "a client sends no key");
	at += sizeof(name) - 1;
	snprintf(
	    key, sizeof(key), "%.*s", (int)MIN(strcspn(at, "\r"), 60u), at);
	remote_http_accept(key, accept);
	ret = snprintf(answer, sizeof(answer),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
	    "Sec-WebSocket-Protocol: peal.v1.msgpack\r\n\r\n",
	    accept);
	if (SSL_write(ssl, answer, ret) != ret)
		return REFUSE(why, "a client went away");
	return 0;
}

int
tls_bare_accept(struct tls_bare *s, int timeout_ms, struct reason *why)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
	int fd, one = 1;
	SSL *ssl;
	int err;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return 0;
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return reason_set(why, -errno, "cannot accept");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ssl = SSL_new(s->ctx);
	if (!ssl || s->n == BARE_CLIENTS_MAX || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		(void)close(fd);
		return reason_set(why, -ENOMEM, "cannot accept");
	}
	s->clients[s->n++].ssl = ssl;
	ERR_clear_error();
	if (SSL_accept(ssl) != 1)
		return REFUSE(why, "a TLS handshake failed");
	err = tls_bare_upgrade(ssl, why);
	if (err >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		err = reason_set(why, -errno, "cannot serve a client");
	return err < 0 ? err : 1;
}

/* 1: written, 0: no room; the same bytes are to be tried again. */
static int
tls_bare_try(SSL *ssl, const void *p, size_t len, struct reason *why)
{
	int ret = SSL_write(ssl, p, (int)len);

	if (ret == (int)len)
		return 1;
	if (SSL_get_error(ssl, ret) == SSL_ERROR_WANT_WRITE)
		return 0;
	ERR_clear_error();
	return REFUSE(why, "a client of the bare server left");
}

void
tls_bare_pack_head(struct mp_buf *b, size_t len)
{
	uint8_t head[10] = { 0x82 };
	size_t more = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;

	head[1] = more == 0 ? (uint8_t)len : more == 2 ? 126 : 127;
	for (size_t i = more, rest = len; i-- > 0; rest >>= 8)
		head[2 + i] = (uint8_t)rest;
	mp_buf_bytes(b, head, 2 + more);
}

int
tls_bare_write(
    struct tls_bare *s, const void *p, size_t len, struct reason *why)
{
	int done;

	for (unsigned i = 0; i < s->n; i++) {
		SSL *ssl = s->clients[i].ssl;
		struct pollfd pfd = { .fd = SSL_get_fd(ssl),
			.events = POLLOUT };

		while (!(done = tls_bare_try(ssl, p, len, why)))
			(void)poll(&pfd, 1, -1);
		if (done < 0)
			return done;
	}
	return 0;
}

static void
tls_bare_slowest(struct tls_bare *s)
{
	uint64_t slowest = s->offered;

	for (unsigned i = 0; i < s->n; i++)
		slowest = MIN(slowest, s->clients[i].next);
	s->slowest = slowest;
}

int
tls_bare_offer(
    struct tls_bare *s, const void *p, size_t len, struct reason *why)
{
	struct bare_block *block = &s->blocks[s->offered % TLS_BARE_BLOCKS];

	if (len > TLS_BARE_BLOCK)
		return REFUSE(why, "a message of %zu bytes is too long", len);
	if (s->offered - s->slowest >= TLS_BARE_BLOCKS)
		tls_bare_slowest(s);
	if (s->offered - s->slowest >= TLS_BARE_BLOCKS)
		return 0;
	memcpy(block->bytes, p, len);
	block->len = len;
	s->offered++;
	return 1;
}

int
tls_bare_pump(struct tls_bare *s, struct reason *why)
{
	int written = 0, done;

	for (unsigned i = 0; i < s->n; i++) {
		struct bare_client *c = &s->clients[i];
		const struct bare_block *block =
		    &s->blocks[c->next % TLS_BARE_BLOCKS];

		if (c->next == s->offered)
			continue;
		done = tls_bare_try(c->ssl, block->bytes, block->len, why);
		if (done < 0)
			return done;
		c->next += (unsigned)done;
		written += done;
	}
	return written;
}

bool
tls_bare_drained(const struct tls_bare *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->clients[i].next != s->offered)
			return false;
	return true;
}
