/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests of a connection, one after the other: the next one is looked at
 * when the answer to the last has left.
 */

#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/door.h"
#include "gateway/http.h"
#include "gateway/site.h"

/* Send the answer in out, and free it; last: then the end. */
static void
answer(struct conn *c, struct mp_buf *out, bool last)
{
	struct block *b =
	    out->failed ? NULL : block_raw(slice_of(out->p, out->len));

	mp_buf_deinit(out);
	if (!b) {
		conn_drop(c);
		return;
	}
	conn_put(c, b);
	if (last)
		conn_last(c);
	else if (c->state == CONN_HTTP)
		conn_http_next(c);
}

/*
 * What was sent is no request that could be followed by another one; allow:
 * methods, with 405.
 */
static void
refuse(struct conn *c, int status, const struct reason *why, const char *allow)
{
	struct http_answer a = {
		.status = status, .allow = allow, .last = true
	};
	struct mp_buf out = { 0 };

	a.retry_s = status == 503;
	COUNTERS_ADD(http_refused, 1);
	http_answer_text(&out, &a, why->text);
	answer(c, &out, true);
}

bool
conn_http_is_last(const struct conn *c, const struct http_request *req)
{
	return req->last || c->cs->refusing || c->cs->idle_ticks == 0 ||
	       c->surplus;
}

/* A body that nobody reads is followed by no request. */
static bool
is_last(const struct conn *c, const struct http_request *req)
{
	return conn_http_is_last(c, req) || req->length > 0;
}

static void
not_served(struct conn *c, const struct http_request *req, int status,
    const char *text, const char *allow)
{
	struct http_answer a = {
		.status = status, .allow = allow, .last = is_last(c, req)
	};
	struct mp_buf out = { 0 };

	COUNTERS_ADD(http_refused, 1);
	http_answer_text(&out, &a, text);
	answer(c, &out, a.last);
}

static void
answer_health(struct conn *c, const struct http_request *req, bool ready)
{
	struct conns *cs = c->cs;
	struct mp_buf body CLEANUP(mp_buf_deinit) = { 0 };
	struct mp_buf out = { 0 };
	struct http_answer a = { .type = "application/json",
		.last = is_last(c, req) };
	struct reason why = { "" };
	bool good = true;

	if (ready && cs->refusing) {
		reason_set(&why, 0, "the gateway is stopping");
		good = false;
	} else if (ready) {
		good = cs->handler.serving(cs->handler.arg, &why);
	}
	http_health_body(
	    &body, good ? "ok" : "unavailable", good ? NULL : &why);
	a.status = good ? 200 : 503;
	a.retry_s = !good;
	a.length = body.len;
	http_answer_head(&out, &a);
	if (req->verb != HTTP_HEAD)
		mp_buf_bytes(&out, body.p, body.len);
	out.failed = out.failed || body.failed;
	answer(c, &out, a.last);
}

/*
 * Pages of ours run what is in files of ours, and talk to nobody but this
 * gateway.
 */
#define PAGE_HEADERS                                                \
	"Cache-Control: no-cache\r\n"                               \
	"Content-Security-Policy: default-src 'none'; "             \
	"script-src 'self'; style-src 'self'; font-src 'self'; "    \
	"img-src 'self' data:; connect-src 'self'; "                \
	"manifest-src 'self'; worker-src 'self'; base-uri 'none'; " \
	"form-action 'none'; frame-ancestors 'none'\r\n"            \
	"Cross-Origin-Opener-Policy: same-origin\r\n"               \
	"Referrer-Policy: no-referrer\r\n"

static void
answer_file(
    struct conn *c, const struct http_request *req, const struct site_file *f)
{
	struct http_answer a = { .status = 200, .last = is_last(c, req) };
	struct mp_buf out = { 0 };
	char headers[1024];

	snprintf(
	    headers, sizeof(headers), "ETag: %s\r\n%s", f->etag, PAGE_HEADERS);
	a.more = headers;
	if (site_is_known(f, http_header(req, "If-None-Match", 0))) {
		a.status = 304;
	} else {
		a.type = f->type;
		a.length = f->body->end - f->body->start;
	}
	http_answer_head(&out, &a);
	if (out.failed) {
		conn_drop(c);
	} else {
		conn_raw(c, out.p, out.len, false);
		if (a.length > 0 && req->verb == HTTP_GET)
			conn_put(c, block_ref(f->body));
	}
	mp_buf_deinit(&out);
	if (a.last)
		conn_last(c);
	else if (c->state == CONN_HTTP)
		conn_http_next(c);
}

static void
find_file(struct conn *c, const struct http_request *req)
{
	const struct site *site = c->cs->site;
	const struct site_file *f = site ? site_find(site, req->path) : NULL;

	if (f)
		answer_file(c, req, f);
	else
		not_served(c, req, 404,
		    site ? "there is nothing here"
			 : "no files are served here (gateway.static)",
		    NULL);
}

static void
upgrade(struct conn *c, struct http_request *req, bool more)
{
	struct conns *cs = c->cs;
	char buf[HTTP_ANSWER_MAX], accept[TLS_WS_ACCEPT + 1];
	struct http_upgrade up;
	struct reason why;
	int status;

	if (cs->relaxed) {
		http_forget(req, "Origin");
		http_forget(req, "Sec-WebSocket-Protocol");
	}
	status = http_upgrade(req, cs->origins, &up, &why);
	if (status == 0 && cs->refusing)
		status = reason_set(&why, 503, "the gateway is stopping");
	if (status == 0 && c->surplus)
		status = reason_set(&why, 503, "too many connections");
	if (status == 0 && more)
		status = reason_set(&why, 400,
		    "bytes follow the request before it was answered");
	if (status != 0) {
		refuse(c, status, &why, NULL);
		return;
	}
	if (up.json) {
		c->form = FORM_JSON;
		c->ws.kinds = WS_KINDS_TEXT;
	}
	if (cs->relaxed)
		c->ws.kinds = WS_KINDS_BOTH;
	tls_websocket_accept(up.key.p, accept);
	conn_raw(c, buf, http_switching(buf, accept, &up), false);
	/* Without memory for the answer it has ended. */
	if (c->state == CONN_GONE)
		return;
	COUNTERS_ADD(opened, 1);
	c->state = CONN_OPEN;
	if (c->kept)
		conn_due_in(c, conns_hello_ticks(cs));
	c->session = cs->handler.open(cs->handler.arg, c, up.bearer);
	if (!c->session)
		conn_close(c, WS_CODE_LATER, "not now");
}

static bool
is_of_v1(struct slice path)
{
	return path.len >= 4 && !memcmp(path.p, "/v1/", 4);
}

/* The methods of a path; NULL: nothing is there. */
static const char *
allowed(struct slice path)
{
	if (slice_is(path, "/v1/ws"))
		return "GET";
	return is_of_v1(path) ? door_allowed(path) : "GET, HEAD";
}

/* This method no path serves. */
static void
refuse_method(struct conn *c, struct slice path, struct reason *why)
{
	const char *allow = allowed(path);

	if (allow)
		refuse(c, 405, why, allow);
	else
		refuse(c, reason_set(why, 404, "there is nothing here"), why,
		    NULL);
}

/* more: bytes follow the head. */
static void
serve(struct conn *c, struct slice head, bool more)
{
	bool reads, health, ready;
	struct http_request req;
	struct reason why;
	int status;

	status = http_parse(head, &req, &why);
	if (status == 405) {
		refuse_method(c, req.path, &why);
		return;
	} else if (status != 0) {
		refuse(c, status, &why, NULL);
		return;
	}
	req.plain = c->plain;
	reads = req.verb == HTTP_GET || req.verb == HTTP_HEAD;
	health = slice_is(req.path, "/healthz");
	ready = slice_is(req.path, "/readyz");
	if (req.verb == HTTP_GET &&
	    (c->cs->relaxed || slice_is(req.path, "/v1/ws")))
		upgrade(c, &req, more);
	else if (slice_is(req.path, "/v1/ws"))
		not_served(
		    c, &req, 405, "this path serves GET", allowed(req.path));
	else if (is_of_v1(req.path))
		door_enter(c, &req);
	else if (!reads)
		not_served(c, &req, 405, "this path serves GET and HEAD",
		    allowed(req.path));
	else if (health || ready)
		answer_health(c, &req, ready);
	else
		find_file(c, &req);
}

/* Put a piece of a head to those before; returns how much of it there was. */
static size_t
gather(struct conn *c, struct slice in)
{
	size_t n = MIN(in.len, (size_t)HTTP_HEAD_MAX - c->head_len);

	if (!c->head) {
		c->head = malloc(HTTP_HEAD_MAX);
		/* A request has begun, for which there is so much time. */
		if (c->kept)
			conn_due_in(c, conns_hello_ticks(c->cs));
	}
	if (!c->head) {
		conn_drop(c);
		return in.len;
	}
	memcpy(c->head + c->head_len, in.p, n);
	c->head_len += (uint16_t)n;
	return n;
}

/* Take bytes of a request's head, and serve it when it is whole. */
static size_t
take_head(struct conn *c, struct slice in)
{
	size_t seen = c->head_seen, before = c->head_len, taken = in.len;
	struct slice all = in;
	struct reason why;
	int end;

	if (c->head) {
		taken = gather(c, in);
		all = slice_of(c->head, c->head_len);
	}
	end = http_head_end(all.p, all.len, &seen, &why);
	if (end == 0) {
		if (!c->head)
			taken = gather(c, in);
		c->head_seen = (uint16_t)seen;
		return taken;
	}
	if (end < 0) {
		refuse(c, -end, &why, NULL);
	} else {
		taken = (size_t)end - before;
		serve(c, slice_of(all.p, (size_t)end), taken < in.len);
	}
	free(c->head);
	c->head = NULL;
	c->head_len = c->head_seen = 0;
	return taken;
}

static void
keep(struct conn *c, struct slice in)
{
	c->rest = malloc(in.len);
	if (!c->rest) {
		conn_drop(c);
		return;
	}
	memcpy(c->rest, in.p, in.len);
	c->rest_len = (uint16_t)in.len;
}

void
conn_http_take(struct conn *c, struct slice in)
{
	while (in.len > 0) {
		size_t n;

		if (c->door && door_wants(c->door))
			n = door_body(c->door, in);
		else if (c->state == CONN_HTTP && !conn_unsent(c))
			n = take_head(c, in);
		else
			break;
		in.p += n;
		in.len -= n;
	}
	if (in.len > 0 && (c->state == CONN_HTTP || c->state == CONN_OPEN))
		keep(c, in);
}

void
conn_http_rest(struct conn *c)
{
	uint8_t *rest;

	if (c->state != CONN_HTTP || conn_unsent(c))
		return;
	rest = TAKE(c->rest);
	conn_http_take(c, slice_of(rest, c->rest_len));
	free(rest);
}

void
conn_http_next(struct conn *c)
{
	c->state = CONN_HTTP;
	c->kept = true;
	c->code = 0;
	conn_due_in(c, c->cs->idle_ticks);
	conn_more(c);
}
