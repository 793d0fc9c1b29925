/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One socket, non-blocking under poll(); everything that was read and not
 * used yet stands in one buffer.
 */

#include "tests/lib/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

struct wire {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	uint8_t *in; /* read and not used */
	size_t in_len, in_cap;
	uint8_t *message; /* what wire_next() puts together */
	size_t message_len, message_cap;
	unsigned opcode; /* of the message that is being put together */
	unsigned close_code;
	char subprotocol[64];
};

int64_t
wire_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait for what OpenSSL asked for; false when the time is up. */
static bool
wire_wait(struct wire *w, int result, int64_t until_ms)
{
	struct pollfd pfd = { .fd = w->fd };
	int64_t left = until_ms - wire_now_ms();

	switch (SSL_get_error(w->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		pfd.events = POLLIN;
		break;
	case SSL_ERROR_WANT_WRITE:
		pfd.events = POLLOUT;
		break;
	default:
		return false;
	}
	return left > 0 && poll(&pfd, 1, (int)left) > 0;
}

static int wire_window;

void
wire_narrow(int bytes)
{
	wire_window = bytes;
}

static bool
wire_connect(struct wire *w, const struct wire_to *to, int64_t until_ms)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)to->port) };
	struct pollfd pfd = { .events = POLLOUT };
	int one = 1, err = 0, segment = 1448;
	socklen_t len = sizeof(err);

	if (inet_pton(AF_INET, to->host, &sin.sin_addr) != 1)
		return false;
	w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0)
		return false;
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (wire_window > 0) {
		setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &wire_window,
		    sizeof(wire_window));
		setsockopt(
		    w->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
	}
	if (connect(w->fd, (struct sockaddr *)&sin, sizeof(sin)) == 0)
		return true;
	pfd.fd = w->fd;
	return errno == EINPROGRESS &&
	       poll(&pfd, 1, (int)(until_ms - wire_now_ms())) == 1 &&
	       getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 &&
	       err == 0;
}

/*
 * What all connections that trust the same file share: a context of its own
 * for each would cost more than its handshake.
 */
static SSL_CTX *
wire_context(const char *cafile)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char *name;
	static SSL_CTX *shared;
	SSL_CTX *ctx = NULL;

	pthread_mutex_lock(&lock);
	if (name != NULL && strcmp(name, cafile) == 0) {
		ctx = shared;
	} else {
		ctx = SSL_CTX_new(TLS_client_method());
		if (ctx != NULL &&
		    SSL_CTX_load_verify_locations(ctx, cafile, NULL) != 1) {
			SSL_CTX_free(ctx);
			ctx = NULL;
		}
	}
	if (ctx != NULL && ctx != shared) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
		SSL_CTX_free(shared);
		free(name);
		shared = ctx;
		name = strdup(cafile);
	}
	if (ctx != NULL)
		SSL_CTX_up_ref(ctx);
	pthread_mutex_unlock(&lock);
	return ctx;
}

static bool
wire_tls(struct wire *w, const struct wire_to *to, int64_t until_ms)
{
	int r;

	w->ctx = wire_context(to->cafile);
	if (w->ctx == NULL)
		return false;
	w->ssl = SSL_new(w->ctx);
	if (w->ssl == NULL || SSL_set_fd(w->ssl, w->fd) != 1 ||
	    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(w->ssl), to->host) !=
		1)
		return false;
	SSL_set_mode(w->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
				 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	do {
		ERR_clear_error();
		r = SSL_connect(w->ssl);
	} while (r != 1 && wire_wait(w, r, until_ms));
	return r == 1;
}

struct wire *
wire_dial(const struct wire_to *to, int timeout_ms)
{
	struct wire *w = calloc(1, sizeof(*w));
	int64_t until_ms = wire_now_ms() + timeout_ms;

	if (w == NULL)
		return NULL;
	/* A peer that cuts us off in the middle of a write is no accident. */
	signal(SIGPIPE, SIG_IGN);
	w->fd = -1;
	w->close_code = WIRE_NO_CLOSE;
	if (!wire_connect(w, to, until_ms)) {
		fprintf(
		    stderr, "# cannot connect to %s:%u\n", to->host, to->port);
		return wire_free(w);
	}
	if (!wire_tls(w, to, until_ms)) {
		fprintf(stderr, "# no TLS with %s:%u: %s\n", to->host, to->port,
		    ERR_reason_error_string(ERR_peek_error()));
		return wire_free(w);
	}
	return w;
}

struct wire *
wire_free(struct wire *w)
{
	if (w == NULL)
		return NULL;
	SSL_free(w->ssl);
	SSL_CTX_free(w->ctx);
	if (w->fd >= 0)
		close(w->fd);
	free(w->in);
	free(w->message);
	free(w);
	return NULL;
}

struct wire *
wire_reset(struct wire *w)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return wire_free(w);
}

int
wire_fd(const struct wire *w)
{
	return w->fd;
}

bool
wire_write(struct wire *w, const void *p, size_t len)
{
	int64_t until_ms = wire_now_ms() + WIRE_DEADLINE_MS;
	const uint8_t *at = p;
	size_t n;
	int r;

	while (len > 0) {
		ERR_clear_error();
		r = SSL_write_ex(w->ssl, at, len, &n);
		if (r == 1) {
			at += n;
			len -= n;
		} else if (!wire_wait(w, r, until_ms)) {
			return false;
		}
	}
	return true;
}

/* Read once more into the buffer: as wire_read(). */
static ssize_t
wire_fill(struct wire *w, int64_t until_ms)
{
	size_t n;
	int r;

	if (w->in_cap - w->in_len < 16384) {
		uint8_t *more = realloc(w->in, w->in_cap + 65536);

		if (more == NULL)
			return 0;
		w->in = more;
		w->in_cap += 65536;
	}
	for (;;) {
		ERR_clear_error();
		r = SSL_read_ex(
		    w->ssl, w->in + w->in_len, w->in_cap - w->in_len, &n);
		if (r == 1) {
			w->in_len += n;
			return (ssize_t)n;
		}
		if (SSL_get_error(w->ssl, r) != SSL_ERROR_WANT_READ &&
		    SSL_get_error(w->ssl, r) != SSL_ERROR_WANT_WRITE)
			return 0;
		if (!wire_wait(w, r, until_ms))
			return -1;
	}
}

static void
wire_used(struct wire *w, size_t n)
{
	memmove(w->in, w->in + n, w->in_len - n);
	w->in_len -= n;
}

ssize_t
wire_read(struct wire *w, void *buf, size_t size, int timeout_ms)
{
	ssize_t n;

	if (w->in_len == 0) {
		n = wire_fill(w, wire_now_ms() + timeout_ms);
		if (n <= 0)
			return n;
	}
	if (size > w->in_len)
		size = w->in_len;
	memcpy(buf, w->in, size);
	wire_used(w, size);
	return (ssize_t)size;
}

/* Copy the value of the header that begins with name ("\r\nName: "). */
static void
wire_header(const char *head, const char *name, char *buf, size_t size)
{
	const char *at = strcasestr(head, name);
	size_t len;

	buf[0] = '\0';
	if (at == NULL)
		return;
	at += strlen(name);
	len = strcspn(at, "\r");
	if (len >= size)
		return;
	memcpy(buf, at, len);
	buf[len] = '\0';
}

/* Read an answer's head; returns its status, and the key's answer. */
static int
wire_answer(struct wire *w, char accept[64])
{
	int64_t until_ms = wire_now_ms() + WIRE_DEADLINE_MS;
	const uint8_t *end;
	char head[8192];
	size_t len;
	int status;

	while (w->in_len == 0 ||
	       (end = memmem(w->in, w->in_len, "\r\n\r\n", 4)) == NULL)
		if (wire_fill(w, until_ms) <= 0)
			return 0;
	len = (size_t)(end - w->in);
	if (len >= sizeof(head))
		return 0;
	memcpy(head, w->in, len);
	head[len] = '\0';
	wire_used(w, len + 4);
	wire_header(head, "\r\nSec-WebSocket-Protocol: ", w->subprotocol,
	    sizeof(w->subprotocol));
	wire_header(head, "\r\nSec-WebSocket-Accept: ", accept, 64);
	if (strncmp(head, "HTTP/1.1 ", 9) != 0)
		return 0;
	status = atoi(head + 9);
	return status >= 100 && status <= 599 ? status : 0;
}

int
wire_request(struct wire *w, const char *head)
{
	char accept[64];

	/* A refusal may come before the whole head is written. */
	(void)wire_write(w, head, strlen(head));
	return wire_answer(w, accept);
}

int
wire_upgrade(struct wire *w, const char *headers)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t nonce[16], sum[SHA_DIGEST_LENGTH];
	char key[32], both[80], want[32], accept[64], head[16384];
	int status;

	RAND_bytes(nonce, sizeof(nonce));
	EVP_EncodeBlock((uint8_t *)key, nonce, sizeof(nonce));
	snprintf(both, sizeof(both), "%s%s", key, guid);
	SHA1((uint8_t *)both, strlen(both), sum);
	EVP_EncodeBlock((uint8_t *)want, sum, sizeof(sum));
	snprintf(head, sizeof(head),
	    "GET /v1/ws HTTP/1.1\r\n"
	    "Host: localhost\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: %s\r\n%s\r\n",
	    key, headers);
	(void)wire_write(w, head, strlen(head));
	status = wire_answer(w, accept);
	return status == 101 && strcmp(accept, want) != 0 ? 0 : status;
}

const char *
wire_subprotocol(const struct wire *w)
{
	return w->subprotocol;
}

bool
wire_frame(struct wire *w, unsigned first, const void *payload, size_t len)
{
	const uint8_t *p = payload;
	uint8_t *frame = malloc(len + 14), *mask;
	size_t n = 2;
	bool ok;

	if (frame == NULL)
		return false;
	frame[0] = (uint8_t)first;
	if (len < 126) {
		frame[1] = (uint8_t)(0x80 | len);
	} else {
		size_t bytes = len <= 0xffff ? 2 : 8;

		frame[1] = (uint8_t)(0x80 | (bytes == 2 ? 126 : 127));
		for (size_t i = 0; i < bytes; i++)
			frame[n++] = (uint8_t)(len >> 8 * (bytes - 1 - i));
	}
	mask = frame + n;
	RAND_bytes(mask, 4);
	n += 4;
	for (size_t i = 0; i < len; i++)
		frame[n + i] = p[i] ^ mask[i & 3];
	ok = wire_write(w, frame, n + len);
	free(frame);
	return ok;
}

/* A frame's head as it stands in the buffer; 0: more is needed. */
static size_t
wire_head(const struct wire *w, uint64_t *len)
{
	size_t n = 2, bytes = 0;

	if (w->in_len < 2)
		return 0;
	*len = w->in[1] & 0x7f;
	if (*len >= 126) {
		bytes = *len == 126 ? 2 : 8;
		if (w->in_len < n + bytes)
			return 0;
		*len = 0;
		for (size_t i = 0; i < bytes; i++)
			*len = *len << 8 | w->in[n + i];
	}
	return n + bytes;
}

/* Take one whole frame's payload to the end of the message. */
static bool
wire_gather(struct wire *w, size_t head, uint64_t len)
{
	if (w->message_cap - w->message_len < len) {
		size_t want = w->message_len + len + 65536;
		uint8_t *more = realloc(w->message, want);

		if (more == NULL)
			return false;
		w->message = more;
		w->message_cap = want;
	}
	memcpy(w->message + w->message_len, w->in + head, len);
	w->message_len += len;
	return true;
}

static void
wire_closing(struct wire *w, size_t head, uint64_t len)
{
	uint8_t code[2];

	w->close_code = WIRE_NO_CODE;
	if (len >= 2) {
		memcpy(code, w->in + head, 2);
		w->close_code = (unsigned)code[0] << 8 | code[1];
	}
	(void)wire_frame(
	    w, WIRE_FIN | WIRE_CLOSE, w->in + head, len >= 2 ? 2 : 0);
}

enum wire_got
wire_next(struct wire *w, struct wire_message *m, int timeout_ms)
{
	int64_t until_ms = wire_now_ms() + timeout_ms;
	uint64_t len = 0;
	unsigned first, opcode;
	size_t head;
	ssize_t n;

	for (;;) {
		head = wire_head(w, &len);
		if (head == 0 || w->in_len < head + len) {
			n = wire_fill(w, until_ms);
			if (n <= 0)
				return n == 0 ? WIRE_ENDED : WIRE_LATE;
			continue;
		}
		first = w->in[0];
		opcode = first & 0x0f;
		/* A server masks nothing and sets no reserved bit. */
		if ((w->in[1] & 0x80) != 0 || (first & 0x70) != 0)
			return WIRE_ENDED;
		if (opcode == WIRE_CLOSE) {
			wire_closing(w, head, len);
			return WIRE_ENDED;
		}
		if (opcode == WIRE_PING)
			(void)wire_frame(
			    w, WIRE_FIN | WIRE_PONG, w->in + head, len);
		if (opcode == WIRE_PING) {
			wire_used(w, head + len);
			continue;
		}
		if (opcode != 0) {
			w->opcode = opcode;
			w->message_len = 0;
		}
		if (!wire_gather(w, head, len))
			return WIRE_ENDED;
		wire_used(w, head + len);
		if ((first & WIRE_FIN) != 0) {
			m->opcode = w->opcode;
			m->p = w->message;
			m->len = w->message_len;
			return WIRE_GOT;
		}
	}
}

unsigned
wire_close_code(const struct wire *w)
{
	return w->close_code;
}
