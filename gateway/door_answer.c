/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a door writes: whole answers, and answers of unknown length in
 * chunks.  Once a head is out only a missing last chunk can say that
 * something went wrong.
 */

#include <string.h>

#include "core/json.h"
#include "gateway/counters.h"
#include "gateway/door_priv.h"

/* Which status stands for an error code, and for how it is said by us. */
static const struct {
	enum proto_code code;
	int status;
} statuses[] = {
	{ PROTO_BAD_REQUEST, 400 },
	{ PROTO_UNAUTHORIZED, 401 },
	{ PROTO_FORBIDDEN, 403 },
	{ PROTO_NOT_FOUND, 404 },
	{ PROTO_CONFLICT, 409 },
	{ PROTO_KEY_REUSED, 409 },
	{ PROTO_LOG_CHANGED, 409 },
	{ PROTO_AHEAD, 409 },
	{ PROTO_TOO_LARGE, 413 },
	{ PROTO_RATE_LIMITED, 429 },
	{ PROTO_INTERNAL, 500 },
	{ PROTO_UNAVAILABLE, 503 },
	{ PROTO_STORAGE_FULL, 503 },
	{ PROTO_BEHIND, 503 },
	{ PROTO_UNKNOWN, 504 },
};

static int
status_of(enum proto_code code)
{
	for (unsigned i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].code == code)
			return statuses[i].status;
	return 500;
}

static enum proto_code
code_of(int status)
{
	for (unsigned i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].code;
	return PROTO_BAD_REQUEST;
}

static const char *
media_type(const struct door *d)
{
	return d->msgpack ? "application/msgpack" : "application/json";
}

static struct http_answer
answer_of(const struct door *d)
{
	struct http_answer a = { .vary = true, .last = d->last };

	if (d->origin)
		a.origin = slice_cstr(d->origin);
	return a;
}

void
door_flush(struct door *d)
{
	struct mp_buf out = d->out;
	struct block *b = NULL;

	d->out = (struct mp_buf){ 0 };
	if (out.len > 0)
		b = out.failed ? NULL : block_raw(slice_of(out.p, out.len));
	if (b)
		conn_put(d->c, b);
	else if (out.len > 0 || out.failed)
		conn_drop(d->c);
	mp_buf_deinit(&out);
	if (!d->whole || d->over)
		return;
	d->over = true;
	if (d->last)
		conn_last(d->c);
	conn_dying(d->c);
}

bool
door_form(struct door *d, struct slice value, struct mp_buf *out)
{
	if (d->msgpack)
		mp_pack_raw(out, value);
	else if (json_from_mp(value, out) < 0)
		out->failed = true;
	if (out->failed)
		conn_drop(d->c);
	return !out->failed;
}

static void
say(struct door *d, struct http_answer *a, struct slice value)
{
	struct mp_buf body CLEANUP(mp_buf_deinit) = { 0 };

	if (d->have < d->want)
		d->last = true; /* what comes of the body is no request */
	if (!door_form(d, value, &body))
		return;
	if (!d->msgpack)
		mp_buf_bytes(&body, "\n", 1);
	a->last = d->last;
	a->type = media_type(d);
	a->length = body.len;
	http_answer_head(&d->out, a);
	mp_buf_bytes(&d->out, body.p, body.len);
	if (a->status >= 400)
		COUNTERS_ADD(http_refused, 1);
	d->whole = true;
	door_flush(d);
}

void
door_say(struct door *d, int status, uint64_t retry_ms, struct slice value)
{
	struct http_answer a = answer_of(d);

	a.status = status;
	a.retry_s = (retry_ms + 999) / 1000;
	say(d, &a, value);
}

void
door_error(struct door *d, struct slice error)
{
	struct mp_buf b CLEANUP(mp_buf_deinit) = { 0 };
	enum proto_code code = proto_code_find(proto_get_str(error, "code"));
	int status = status_of(code);

	/* Nobody comes back to a stream of another log. */
	if (d->kind->endless && code == PROTO_LOG_CHANGED)
		status = 410;
	/* The session's number of the subscription is nothing to the client. */
	proto_pack_reply(&b, error, (struct proto_uint){ 0 });
	if (b.failed)
		conn_drop(d->c);
	else
		door_say(d, status, proto_get_uint(error, "retry_ms").v,
		    slice_of(b.p, b.len));
}

void
door_refuse(struct door *d, int status, const char *text)
{
	struct mp_buf b CLEANUP(mp_buf_deinit) = { 0 };
	struct http_answer a = answer_of(d);
	bool later = status == 429 || status == 503;

	proto_pack_error(&b, (struct proto_uint){ 0 }, code_of(status), text,
	    later ? 1000 : 0);
	if (b.failed) {
		conn_drop(d->c);
		return;
	}
	a.status = status;
	a.retry_s = later;
	a.allow = status == 405 ? d->kind->allow : NULL;
	say(d, &a, slice_of(b.p, b.len));
}

void
door_preflight(struct door *d)
{
	struct http_answer a = answer_of(d);

	a.status = 204;
	a.allow = d->kind->allow;
	if (d->origin)
		a.more = "Access-Control-Allow-Methods: GET, POST\r\n"
			 "Access-Control-Allow-Headers: Authorization, "
			 "Content-Type, Accept, Last-Event-ID\r\n"
			 "Access-Control-Max-Age: 600\r\n";
	http_answer_head(&d->out, &a);
	d->whole = true;
	door_flush(d);
}

void
door_begin(struct door *d, const char *type, const char *more)
{
	struct http_answer a = answer_of(d);

	a.status = 200;
	a.type = type ? type : media_type(d);
	a.chunked = true;
	a.more = more;
	http_answer_head(&d->out, &a);
	d->head_sent = true;
}

void
door_chunk(struct door *d, struct mp_buf *b)
{
	http_chunk_head(&d->out, b->len);
	mp_buf_bytes(&d->out, b->p, b->len);
	mp_buf_bytes(&d->out, "\r\n", 2);
	d->out.failed = d->out.failed || b->failed;
	mp_buf_deinit(b);
	*b = (struct mp_buf){ 0 };
}

void
door_finish(struct door *d)
{
	mp_buf_bytes(&d->out, "0\r\n\r\n", 5);
	d->whole = true;
}

void
door_abort(struct door *d)
{
	d->last = true;
	d->whole = true;
	door_flush(d);
}
