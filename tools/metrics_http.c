/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection is read until its head ends, answered once, told the end, and
 * kept open until the other side has closed, so that no reset takes the
 * answer from it.  Nothing of a request but its first line decides anything.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/acceptor.h"
#include "core/bytes.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/metrics_http.h"

enum {
	ANSWER_BYTES = 768,
	DRAIN_BYTES = 64 << 10 /* of a body that nobody asked for */
};

/* A text that was made, for all who are being sent it. */
struct text {
	unsigned refs;
	struct mp_buf bytes;
};

enum stage {
	FREE = 0,
	READING,
	WRITING,
	ENDING, /* all is sent; the other side has yet to close */
};

struct connection {
	struct metrics_http *h;
	enum stage stage;
	int fd;
	uint64_t nth; /* as they came */
	struct loop_io io;
	struct loop_timer stay;
	char head[METRICS_HTTP_HEAD + 1];
	size_t head_len;
	char answer[ANSWER_BYTES];
	size_t answer_len;
	struct text *text; /* behind the answer's head; NULL: none */
	size_t sent;
	size_t drained;
};

struct metrics_http {
	struct loop *loop;
	const struct metrics_http_options *options;
	struct acceptor acceptors[METRICS_HTTP_SOCKETS];
	unsigned listens;
	uint64_t came;
	struct text *text;
	uint64_t made_ns;
	struct connection connections[METRICS_HTTP_CONNECTIONS];
};

/* --- the text --- */

static struct text *
text_unref(struct text *text)
{
	if (text && --text->refs == 0) {
		mp_buf_deinit(&text->bytes);
		free(text);
	}
	return NULL;
}

/* The one that is fresh, or a new one: NULL with a sentence without. */
static struct text *
text_get(struct metrics_http *h, struct reason *why)
{
	uint64_t now = time_mono_ns();
	struct text *text;

	if (h->text && now - h->made_ns <= h->options->fresh_us * 1000)
		return h->text;
	h->text = text_unref(h->text);
	text = calloc(1, sizeof(*text));
	if (!text) {
		(void)reason_set(why, 0, "out of memory");
		return NULL;
	}
	text->refs = 1;
	if (h->options->make(h->options->arg, &text->bytes, why) < 0)
		return text_unref(text);
	h->text = text;
	h->made_ns = time_mono_ns();
	return text;
}

/* --- requests --- */

struct request {
	bool head_only;
	struct slice path;
};

static const struct status {
	int code;
	const char *name;
} statuses[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 431, "Request Header Fields Too Large" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

static const char *
status_name(int code)
{
	unsigned i = 0;

	while (i < ARRAY_LEN(statuses) - 1 && statuses[i].code != code)
		i++;
	return statuses[i].name;
}

/* The bytes of line up to the next space, which it then begins behind. */
static struct slice
take_word(struct slice *line)
{
	const uint8_t *space = memchr(line->p, ' ', line->len);
	size_t len = space ? (size_t)(space - line->p) : line->len;
	struct slice word = slice_of(line->p, len);

	len += space != NULL;
	*line = slice_of(line->p + len, line->len - len);
	return word;
}

/* Read the first line; returns 200, or what is wrong with it. */
static int
parse(const char *head, struct request *req)
{
	struct slice line =
	    slice_of(head, (size_t)(strstr(head, "\r\n") - head));
	struct slice method = take_word(&line);
	struct slice target = take_word(&line);
	const uint8_t *query;

	for (const char *p = head; *p && *p != '\r'; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			return 400;
	if (method.len == 0 || target.len == 0 || target.p[0] != '/' ||
	    line.len != sizeof("HTTP/1.1") - 1 || memcmp(line.p, "HTTP/", 5))
		return 400;
	if (!slice_is(line, "HTTP/1.1") && !slice_is(line, "HTTP/1.0"))
		return 505;
	query = memchr(target.p, '?', target.len);
	req->path =
	    slice_of(target.p, query ? (size_t)(query - target.p) : target.len);
	req->head_only = slice_is(method, "HEAD");
	return req->head_only || slice_is(method, "GET") ? 200 : 405;
}

static int
route(const struct connection *c, const struct request *req)
{
	return slice_is(req->path, c->h->options->path) ? 200 : 404;
}

/* --- answers --- */

static void on_io(void *arg, unsigned what);

static void
connection_close(struct connection *c)
{
	if (c->stage == FREE)
		return;
	loop_io_deinit(&c->io);
	loop_timer_deinit(&c->stay);
	(void)close(c->fd);
	c->text = text_unref(c->text);
	c->stage = FREE;
}

static void
answer(struct connection *c, int code, const char *type, size_t length,
    const char *body)
{
	int n = snprintf(c->answer, sizeof(c->answer),
	    "HTTP/1.1 %d %s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Length: %zu\r\n"
	    "%s"
	    "Cache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Connection: close\r\n\r\n%s",
	    code, status_name(code), type, length,
	    code == 405 ? "Allow: GET, HEAD\r\n" : "", body);

	c->answer_len = MIN((size_t)MAX(n, 0), sizeof(c->answer) - 1);
	c->sent = 0;
	c->stage = WRITING;
	if (loop_io_want(&c->io, LOOP_WRITE) < 0)
		connection_close(c);
}

static void
answer_error(
    struct connection *c, int code, bool head_only, const char *sentence)
{
	char body[sizeof(struct reason) + 2];
	int n = snprintf(body, sizeof(body), "%s\n", sentence);

	answer(c, code, "text/plain; charset=utf-8", (size_t)n,
	    head_only ? "" : body);
}

static void
answer_text(struct connection *c, bool head_only)
{
	struct reason why = { "" };
	struct text *text = text_get(c->h, &why);

	if (!text) {
		answer_error(c, 503, head_only, why.text);
		return;
	}
	if (!head_only) {
		text->refs++;
		c->text = text;
	}
	answer(c, 200, c->h->options->type, text->bytes.len, "");
}

static void
respond(struct connection *c)
{
	struct request req = { .head_only = false };
	struct reason why = REASON_NO_MEMORY;
	int code = parse(c->head, &req);

	if (code == 200)
		code = route(c, &req);
	switch (code) {
	case 200:
		answer_text(c, req.head_only);
		return;
	case 404:
		(void)reason_set(
		    &why, 0, "what there is is %s", c->h->options->path);
		break;
	case 405:
		(void)reason_set(&why, 0, "only GET and HEAD are served here");
		break;
	case 505:
		(void)reason_set(&why, 0, "HTTP/1.1 is spoken here");
		break;
	default:
		(void)reason_set(&why, 0, "that is no request of HTTP/1.1");
	}
	answer_error(c, code, req.head_only, why.text);
}

/* --- bytes --- */

static void
read_head(struct connection *c)
{
	ssize_t n = recv(
	    c->fd, c->head + c->head_len, METRICS_HTTP_HEAD - c->head_len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c);
		return;
	}
	c->head_len += (size_t)n;
	c->head[c->head_len] = '\0';
	if (memchr(c->head, '\0', c->head_len))
		answer_error(c, 400, false, "a head has no NUL in it");
	else if (strstr(c->head, "\r\n\r\n"))
		respond(c);
	else if (c->head_len == METRICS_HTTP_HEAD)
		answer_error(c, 431, false, "the head is too long");
}

static void
write_answer(struct connection *c)
{
	size_t text_len = c->text ? c->text->bytes.len : 0;
	size_t head_left = c->answer_len - MIN(c->sent, c->answer_len);
	size_t text_sent = c->sent - (c->answer_len - head_left);
	struct iovec iov[2] = {
		{ c->answer + c->answer_len - head_left, head_left },
		{ NULL, text_len - text_sent },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (c->text)
		iov[1].iov_base = c->text->bytes.p + text_sent;
	n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_close(c);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < c->answer_len + text_len)
		return;
	c->text = text_unref(c->text);
	c->stage = ENDING;
	if (shutdown(c->fd, SHUT_WR) < 0 || loop_io_want(&c->io, LOOP_READ) < 0)
		connection_close(c);
}

/* Closing while bytes are unread would reset, and lose what was sent. */
static void
drain(struct connection *c)
{
	char lost[4096];
	ssize_t n = recv(c->fd, lost, sizeof(lost), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->drained += (size_t)MAX(n, 0);
	if (n <= 0 || c->drained > DRAIN_BYTES)
		connection_close(c);
}

static void
on_io(void *arg, unsigned what)
{
	struct connection *c = arg;

	switch (c->stage) {
	case FREE:
		break;
	case READING:
		read_head(c);
		break;
	case WRITING:
		write_answer(c);
		break;
	case ENDING:
		drain(c);
		break;
	}
}

static void
on_stay(void *arg)
{
	connection_close(arg);
}

/* A free place, or that of the one who has been there longest. */
static struct connection *
place(struct metrics_http *h)
{
	struct connection *oldest = &h->connections[0];

	for (unsigned i = 0; i < METRICS_HTTP_CONNECTIONS; i++) {
		struct connection *c = &h->connections[i];

		if (c->stage == FREE)
			return c;
		if (c->nth < oldest->nth)
			oldest = c;
	}
	connection_close(oldest);
	return oldest;
}

static void
on_accept(void *arg, int fd)
{
	struct metrics_http *h = arg;
	struct connection *c = place(h);

	c->h = h;
	c->stage = READING;
	c->fd = fd;
	c->nth = h->came++;
	c->head_len = c->answer_len = c->sent = c->drained = 0;
	c->text = NULL;
	c->io = (struct loop_io){ 0 };
	c->stay = (struct loop_timer){ 0 };
	if (loop_timer_init(h->loop, &c->stay, on_stay, c) < 0 ||
	    loop_timer_set(&c->stay, h->options->stay_us, 0) < 0 ||
	    loop_io_add(h->loop, &c->io, fd, LOOP_READ, on_io, c) < 0)
		connection_close(c);
}

int
metrics_http_new(struct loop *loop, const struct metrics_http_options *options,
    struct metrics_http **out)
{
	struct metrics_http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->options = options;
	*out = h;
	return 0;
}

int
metrics_http_listen(struct metrics_http *h, int fd)
{
	int err;

	if (h->listens == METRICS_HTTP_SOCKETS)
		return -ENOSPC;
	err =
	    acceptor_open(h->loop, &h->acceptors[h->listens], fd, on_accept, h);
	if (err == 0)
		h->listens++;
	return err;
}

struct metrics_http *
metrics_http_free(struct metrics_http *h)
{
	if (!h)
		return NULL;
	for (unsigned i = 0; i < h->listens; i++)
		acceptor_close(&h->acceptors[i]);
	for (unsigned i = 0; i < METRICS_HTTP_CONNECTIONS; i++)
		connection_close(&h->connections[i]);
	h->text = text_unref(h->text);
	free(h);
	return NULL;
}
