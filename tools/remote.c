/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One connection to a gateway, from the TCP handshake to the close frame.
 * What is unread stays where it was received until the next read: a message
 * that came in one piece is never copied.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/refuse.h"
#include "tools/remote_priv.h"
#include "tools/ws_client.h"

enum {
	REMOTE_CLOSED_WITHOUT = 1006
};

static const struct remote_dialect remote_peal = { "/v1/ws", "peal.v1.msgpack",
	false };

/* --- the target --- */

static int
remote_target_refuse(const char *url, struct reason *why)
{
	return REFUSE(why,
	    "'%.100s' is no address of a gateway: say https://HOST:PORT", url);
}

/* HOST, [HOST], HOST:PORT or [HOST]:PORT from at to end. */
static bool
remote_target_split(struct remote_target *t, const char *at, const char *end)
{
	const char *rest, *port = "443";
	size_t len, port_len = 3;

	if (at < end && *at == '[') {
		at++;
		rest = memchr(at, ']', (size_t)(end - at));
		if (!rest)
			return false;
		len = (size_t)(rest++ - at);
	} else {
		rest = memchr(at, ':', (size_t)(end - at));
		rest = rest ? rest : end;
		len = (size_t)(rest - at);
	}
	if (rest < end) {
		port = rest + 1;
		port_len = (size_t)(end - port);
	}
	if ((rest < end && *rest != ':') || len == 0 ||
	    len >= sizeof(t->host) || port_len == 0 ||
	    port_len >= sizeof(t->port))
		return false;
	snprintf(t->host, sizeof(t->host), "%.*s", (int)len, at);
	snprintf(t->port, sizeof(t->port), "%.*s", (int)port_len, port);
	return true;
}

static int
remote_target_parse(
    struct remote_target *t, const char *url, struct reason *why)
{
	const char *at = url;

	if (!strncmp(url, "https://", 8))
		at += 8;
	else if (!strncmp(url, "wss://", 6))
		at += 6;
	else
		return remote_target_refuse(url, why);
	if (!remote_target_split(t, at, at + strcspn(at, "/?#")))
		return remote_target_refuse(url, why);
	return 0;
}

static int
remote_target_resolve(struct remote_target *t, struct reason *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST };
	struct addrinfo *list = NULL;
	int err;

	err = getaddrinfo(t->host, t->port, &hints, &list);
	t->numeric = err == 0;
	if (err) {
		hints.ai_flags = AI_NUMERICSERV;
		err = getaddrinfo(t->host, t->port, &hints, &list);
	}
	if (err) {
		reason_set(why, 0, "cannot find '%s' port '%s': %s", t->host,
		    t->port, gai_strerror(err));
		return -EADDRNOTAVAIL;
	}
	memcpy(&t->address, list->ai_addr, list->ai_addrlen);
	t->address_len = list->ai_addrlen;
	freeaddrinfo(list);
	return 0;
}

int
remote_target_open(const char *url, const char *cafile,
    struct remote_target **out, struct reason *why)
{
	CLEANUP(remote_target_freep) struct remote_target *t = NULL;
	int err;

	t = calloc(1, sizeof(*t));
	if (t)
		t->dialect = remote_peal;
	if (t)
		t->chunk = malloc(REMOTE_CHUNK);
	if (!t || !t->chunk)
		return reason_set(why, -ENOMEM, "cannot connect");
	err = remote_target_parse(t, url, why);
	if (err >= 0)
		err = remote_target_resolve(t, why);
	if (err >= 0)
		err = remote_tls_context(cafile, &t->tls, why);
	if (err < 0)
		return err;
	*out = TAKE(t);
	return 0;
}

struct remote_target *
remote_target_free(struct remote_target *t)
{
	if (t) {
		(void)tls_brief_target_free(t->brief);
		SSL_CTX_free(t->tls);
		free(t->chunk);
		free(t);
	}
	return NULL;
}

int
remote_target_from(
    struct remote_target *t, const char *address, struct reason *why)
{
	t->from = (struct sockaddr_in){ .sin_family = AF_INET };
	if (t->address.ss_family != AF_INET ||
	    inet_pton(AF_INET, address, &t->from.sin_addr) != 1)
		return REFUSE(
		    why, "cannot connect from '%.60s' to %s", address, t->host);
	return 0;
}

int
remote_target_brief(struct remote_target *t, struct reason *why)
{
	if (!t->numeric)
		return 0;
	return tls_brief_target_new(t->tls, t->host, &t->brief, why);
}

void
remote_target_speak(
    struct remote_target *t, const struct remote_dialect *dialect)
{
	t->dialect = *dialect;
}

void
remote_target_buffer(struct remote_target *t, int bytes)
{
	t->buffer = bytes;
}

/* --- opening --- */

/* Where the target says more than where to. */
static int
remote_set_up(const struct remote_target *t, int fd, struct reason *why)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (t->buffer)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUF, &t->buffer, sizeof(t->buffer));
	if (!t->from.sin_family)
		return 0;
	/* The port is chosen by connect(), which may share it. */
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&t->from, sizeof(t->from)) < 0)
		return reason_set(why, -errno, "cannot bind a client");
	return 0;
}

int
remote_open(
    struct remote_target *target, struct remote **out, struct reason *why)
{
	CLEANUP(remote_freep) struct remote *r = NULL;
	int err;

	r = calloc(1, sizeof(*r));
	if (!r)
		return reason_set(why, -ENOMEM, "cannot connect");
	r->target = target;
	r->close_code = REMOTE_CLOSED_WITHOUT;
	r->fd = socket(target->address.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return reason_set(why, -errno, "cannot make a socket");
	err = remote_set_up(target, r->fd, why);
	if (err < 0)
		return err;
	if (connect(r->fd, (struct sockaddr *)&target->address,
		target->address_len) < 0 &&
	    errno != EINPROGRESS)
		return reason_set(why, -errno, "cannot connect to %s port %s",
		    target->host, target->port);
	*out = TAKE(r);
	return 0;
}

struct remote *
remote_free(struct remote *r)
{
	if (!r)
		return NULL;
	SSL_free(r->ssl);
	(void)tls_brief_free(r->brief);
	closep(&r->fd);
	mp_buf_deinit(&r->in);
	mp_buf_deinit(&r->message);
	mp_buf_deinit(&r->out);
	free(r);
	return NULL;
}

void
remote_abort(struct remote *r)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)setsockopt(
	    r->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

int
remote_fd(const struct remote *r)
{
	return r->fd;
}

short
remote_wants(const struct remote *r)
{
	if (r->phase == REMOTE_CONNECTING)
		return POLLOUT;
	return r->want_write ? POLLIN | POLLOUT : POLLIN;
}

bool
remote_is_open(const struct remote *r)
{
	return r->phase == REMOTE_OPEN;
}

bool
remote_has_more(const struct remote *r)
{
	return r->view.len > 0 || r->out.len > 0 || r->phase != REMOTE_OPEN ||
	       remote_tls_pending(r);
}

unsigned
remote_close_code(const struct remote *r)
{
	return r->close_code;
}

const char *
remote_close_text(const struct remote *r)
{
	return r->close_text;
}

/* --- receiving --- */

static void
remote_consume(struct remote *r, size_t n)
{
	r->view.p += n;
	r->view.len -= n;
}

/*
 * Keep what is unread from being overwritten: another connection may use
 * the chunk next.
 */
static int
remote_settle(struct remote *r)
{
	if (!r->view_in_chunk)
		return 0;
	r->view_in_chunk = false;
	r->in.len = 0;
	if (r->view.len == 0) {
		mp_buf_deinit(&r->in);
		r->in = (struct mp_buf){ 0 };
		return 0;
	}
	mp_buf_bytes(&r->in, r->view.p, r->view.len);
	r->view = slice_of(r->in.p, r->in.len);
	return r->in.failed ? -ENOMEM : 0;
}

/* Receive once more behind what is unread. */
static int
remote_fill(struct remote *r, struct reason *why)
{
	uint8_t *to = r->target->chunk;
	size_t n;
	int io;

	if (r->view.len == 0) {
		io = remote_tls_read(r, to, REMOTE_CHUNK, &n, why);
		if (io != REMOTE_TLS_DONE)
			return io;
		r->view = slice_of(to, n);
		r->view_in_chunk = true;
		return io;
	}
	if (remote_settle(r) < 0)
		return reason_set(why, -ENOMEM, "cannot receive");
	/* What was read already goes first. */
	if (r->view.p != r->in.p) {
		memmove(r->in.p, r->view.p, r->view.len);
		r->in.len = r->view.len;
	}
	to = mp_buf_reserve(&r->in, REMOTE_CHUNK);
	if (!to)
		return reason_set(why, -ENOMEM, "cannot receive");
	r->view = slice_of(r->in.p, r->in.len);
	io = remote_tls_read(r, to, REMOTE_CHUNK, &n, why);
	if (io == REMOTE_TLS_DONE) {
		r->in.len += n;
		r->view.len += n;
	}
	return io;
}

static int
remote_control(
    struct remote *r, const struct ws_frame *frame, struct slice payload)
{
	uint8_t mask[4];

	remote_http_random(mask, sizeof(mask));
	if (frame->opcode == WS_PING) {
		ws_client_pack(&r->out, WS_PONG, payload.p, payload.len, mask);
		return REMOTE_AGAIN;
	}
	if (frame->opcode != WS_CLOSE)
		return REMOTE_AGAIN;
	r->close_code = 1005;
	if (payload.len >= 2) {
		r->close_code =
		    (unsigned)payload.p[0] << 8 | (unsigned)payload.p[1];
		snprintf(r->close_text, sizeof(r->close_text), "%.*s",
		    (int)payload.len - 2, (const char *)payload.p + 2);
	}
	ws_client_pack(
	    &r->out, WS_CLOSE, payload.p, MIN(payload.len, 2u), mask);
	r->phase = REMOTE_ENDED;
	return REMOTE_CLOSED;
}

/* A data frame: REMOTE_MESSAGE when it ends a message. */
static int
remote_data(struct remote *r, const struct ws_frame *frame,
    struct slice payload, struct slice *msg, struct reason *why)
{
	bool text = frame->opcode == WS_TEXT && !r->target->dialect.text;

	if (text || (frame->opcode == WS_CONTINUATION) != r->in_message)
		return REFUSE(why,
		    text ? "the server sent text where it agreed to MessagePack"
			 : "the server's fragments do not fit together");
	if (frame->fin && !r->in_message) {
		*msg = payload;
		return REMOTE_MESSAGE;
	}
	r->in_message = !frame->fin;
	if (r->message.len + payload.len > REMOTE_MESSAGE_MAX)
		return REFUSE(why, "the server sent a message without end");
	mp_buf_bytes(&r->message, payload.p, payload.len);
	if (r->message.failed)
		return reason_set(why, -ENOMEM, "cannot receive");
	if (!frame->fin)
		return REMOTE_AGAIN;
	*msg = slice_of(r->message.p, r->message.len);
	r->message_done = true;
	return REMOTE_MESSAGE;
}

/* The next whole frame of view. */
static int
remote_frame(
    struct remote *r, bool *partial, struct slice *msg, struct reason *why)
{
	struct ws_frame frame;
	struct slice payload;
	int err;

	*partial = true;
	err = ws_client_parse(
	    r->view.p, r->view.len, REMOTE_MESSAGE_MAX, &frame, why);
	if (err < 0)
		return err;
	if (err == WS_PARTIAL || r->view.len - frame.header < frame.len)
		return REMOTE_AGAIN;
	*partial = false;
	payload = slice_of(r->view.p + frame.header, frame.len);
	remote_consume(r, frame.header + frame.len);
	if (frame.opcode >= WS_CLOSE)
		return remote_control(r, &frame, payload);
	return remote_data(r, &frame, payload, msg, why);
}

/* --- the steps --- */

static int
remote_connected(struct remote *r, struct reason *why)
{
	struct pollfd pfd = { .fd = r->fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0, err;

	if (poll(&pfd, 1, 0) == 0)
		return REMOTE_AGAIN;
	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		return reason_set(why, -error, "cannot connect to %s port %s",
		    r->target->host, r->target->port);
	err = remote_tls_begin(r, why);
	if (err < 0)
		return err;
	r->phase = REMOTE_HANDSHAKE;
	return 1;
}

static int
remote_handshake(struct remote *r, struct reason *why)
{
	int io = remote_tls_handshake(r, why);

	if (io == REMOTE_TLS_CLOSED)
		return REFUSE(why, "%s port %s closed in the TLS handshake",
		    r->target->host, r->target->port);
	if (io != REMOTE_TLS_DONE)
		return io;
	if (remote_http_ask(r) < 0)
		return reason_set(why, -ENOMEM, "cannot connect");
	r->phase = REMOTE_UPGRADE;
	return 1;
}

static int
remote_upgrade(struct remote *r, struct reason *why)
{
	int io = remote_tls_flush(r, why);

	if (io >= 0)
		io = remote_fill(r, why);
	if (io == REMOTE_TLS_CLOSED)
		return REFUSE(why, "%s port %s closed before it answered",
		    r->target->host, r->target->port);
	if (io != REMOTE_TLS_DONE)
		return io;
	io = remote_http_answer(r, why);
	if (io == 1)
		r->phase = REMOTE_OPEN;
	return io < 0 ? io : 1;
}

static int
remote_receive(struct remote *r, struct slice *msg, struct reason *why)
{
	bool partial;
	int got;

	if (r->message_done) {
		mp_buf_deinit(&r->message);
		r->message = (struct mp_buf){ 0 };
		r->message_done = false;
	}
	for (;;) {
		got = remote_frame(r, &partial, msg, why);
		if (got != REMOTE_AGAIN)
			return got;
		if (!partial)
			continue;
		got = remote_fill(r, why);
		if (got == REMOTE_TLS_CLOSED) {
			r->phase = REMOTE_ENDED;
			return REMOTE_CLOSED;
		}
		if (got == REMOTE_TLS_DONE)
			continue;
		if (got >= 0 && remote_settle(r) < 0)
			return reason_set(why, -ENOMEM, "cannot receive");
		return got;
	}
}

int
remote_step(struct remote *r, struct slice *msg, struct reason *why)
{
	int got = 1;

	while (got == 1 && r->phase != REMOTE_OPEN) {
		switch (r->phase) {
		case REMOTE_CONNECTING:
			got = remote_connected(r, why);
			break;
		case REMOTE_HANDSHAKE:
			got = remote_handshake(r, why);
			break;
		case REMOTE_UPGRADE:
			got = remote_upgrade(r, why);
			if (got == 1 && r->phase == REMOTE_OPEN)
				return REMOTE_OPENED;
			break;
		default:
			return REMOTE_CLOSED;
		}
	}
	if (r->phase != REMOTE_OPEN)
		return got < 0 ? got : REMOTE_AGAIN;
	got = remote_receive(r, msg, why);
	if (got >= 0 && (r->out.len || r->want_write)) {
		int io = remote_tls_flush(r, why);

		if (io < 0)
			return io;
	}
	return got;
}

int
remote_wait(
    struct remote *r, int timeout_ms, struct slice *msg, struct reason *why)
{
	uint64_t start = time_mono_ns(), spent;
	int got, left = timeout_ms;

	for (;;) {
		struct pollfd pfd = { .fd = r->fd };

		got = remote_step(r, msg, why);
		if (got != REMOTE_AGAIN || left == 0)
			return got;
		pfd.events = remote_wants(r);
		if (poll(&pfd, 1, left) < 0)
			return errno == EINTR
				   ? REMOTE_AGAIN
				   : reason_set(why, -errno, "cannot wait");
		if (timeout_ms < 0)
			continue;
		spent = (time_mono_ns() - start) / NS_PER_MS;
		left =
		    spent >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)spent;
	}
}

/* --- sending --- */

int
remote_send(struct remote *r, struct slice msg)
{
	uint8_t mask[4];

	remote_http_random(mask, sizeof(mask));
	ws_client_pack(&r->out, r->target->dialect.text ? WS_TEXT : WS_BINARY,
	    msg.p, msg.len, mask);
	return r->out.failed ? -ENOMEM : 0;
}

void
remote_say_close(struct remote *r, unsigned code)
{
	const uint8_t payload[2] = { (uint8_t)(code >> 8), (uint8_t)code };
	uint8_t mask[4];

	remote_http_random(mask, sizeof(mask));
	ws_client_pack(&r->out, WS_CLOSE, payload, sizeof(payload), mask);
}
