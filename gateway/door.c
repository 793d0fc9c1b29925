/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An exchange, from its head to its end.  The session is opened before the
 * body is read, so that only who may come in makes us keep one.
 */

#include <string.h>

#include "core/json.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "gateway/counters.h"
#include "gateway/door_priv.h"

enum {
	BODY_START = 4096,
	BODY_RATE = 32 * 1024, /* bytes a second that a body has to come at */
};

static void
take_reply(struct door *d, struct slice value, struct block *b)
{
	door_say(d, 200, 0, value);
}

static const struct http_field no_fields[] = { { 0 } };

static const struct http_field state_fields[] = {
	{ "topic", "topics", HTTP_KIND_STRS },
	{ "at", "at", HTTP_KIND_AT },
	{ "min_seq", "min_seq", HTTP_KIND_UINT },
	{ 0 },
};

static const struct http_field history_fields[] = {
	{ "topic", "topic", HTTP_KIND_STR },
	{ "actor", "actor", HTTP_KIND_STR },
	{ "type", "type", HTTP_KIND_STR },
	{ "after", "after", HTTP_KIND_UINT },
	{ "before", "before", HTTP_KIND_UINT },
	{ "from_time", "from_time", HTTP_KIND_TIME },
	{ "to_time", "to_time", HTTP_KIND_TIME },
	{ "limit", "limit", HTTP_KIND_UINT },
	{ "reverse", "reverse", HTTP_KIND_BOOL },
	{ "min_seq", "min_seq", HTTP_KIND_UINT },
	{ 0 },
};

static const struct http_field stream_fields[] = {
	{ "topic", "topics", HTTP_KIND_STRS },
	{ "type", "types", HTTP_KIND_STRS },
	{ "from", "from", HTTP_KIND_FROM },
	{ "conflate", "conflate", HTTP_KIND_UINT },
	{ 0 },
};

static const struct door_kind kinds[] = {
	{ "/v1/state", HTTP_GET, "GET, OPTIONS", "state", state_fields, NULL,
	    door_take_rows, false },
	{ "/v1/history", HTTP_GET, "GET, OPTIONS", "history", history_fields,
	    NULL, take_reply, false },
	{ "/v1/events", HTTP_POST, "POST, OPTIONS", "append", no_fields, NULL,
	    take_reply, false },
	{ "/v1/stream", HTTP_GET, "GET, OPTIONS", "subscribe", stream_fields,
	    door_stream_ask, door_take_stream, true },
};

struct door *
door_free(struct door *d)
{
	if (!d)
		return NULL;
	ws_pool_discharge(d->c->cs->pool, d->cap);
	mp_buf_deinit(&d->request);
	mp_buf_deinit(&d->out);
	free(d->body);
	free(d->origin);
	free(d);
	return NULL;
}

bool
door_is_over(const struct door *d)
{
	return d->over;
}

bool
door_streams(const struct door *d)
{
	return d->kind && d->kind->endless && d->head_sent && !d->over;
}

bool
door_wants(const struct door *d)
{
	return !d->over && d->c->state == CONN_OPEN && d->have < d->want;
}

/* Hand the request over; the session may answer at once. */
static void
ask(struct door *d, struct mp_buf *request)
{
	struct conns *cs = d->c->cs;

	if (request->failed)
		conn_drop(d->c);
	else if (request->len > cs->max_message)
		door_refuse(d, 413,
		    "the body is longer in MessagePack than a message may be");
	else
		cs->handler.message(d->c->session, WS_BINARY,
		    slice_of(request->p, request->len));
}

/* A map without `id`, which is ours, and with our `op`. */
static int
pack_request(
    struct mp_buf *out, const char *op, struct slice map, struct reason *why)
{
	struct mp_walk w = mp_walk(map);
	struct slice name, value;
	struct mp_item head;
	uint32_t n = 1;
	size_t at;

	if (!mp_next(&w, &head) || head.type != MP_MAP)
		return reason_set(why, 400, "the body is no map");
	at = mp_begin(out);
	mp_pair_cstr(out, "op", op);
	for (uint32_t i = 0; i < head.n; i++) {
		struct mp_walk key = w;

		if (!mp_next_name(&w, &name) || !mp_skip(&w, &value))
			break;
		if (name.p && slice_is(name, "op") &&
		    !slice_is(proto_get_str(map, "op"), op))
			return reason_set(
			    why, 400, "the body is no request to %s", op);
		if (name.p && (slice_is(name, "op") || slice_is(name, "id")))
			continue;
		mp_buf_bytes(out, key.p, (size_t)(value.p - key.p));
		mp_pack_raw(out, value);
		n++;
	}
	mp_end_map(out, at, n);
	return 0;
}

/* The body is whole.  Returns 0 or a status and a sentence. */
static int
ask_body(struct door *d, struct mp_buf *value, struct reason *why)
{
	struct mp_buf request CLEANUP(mp_buf_deinit) = { 0 };
	struct slice body = slice_of(d->body, d->have);
	int rc, status;

	if (d->body_msgpack) {
		rc = mpvalid_check(body.p, body.len, why);
		if (rc == MPVALID_BAD)
			return 400;
	} else {
		rc = json_to_mp(body, value, why);
		if (rc == -EPROTO)
			return 400;
		body = slice_of(value->p, value->len);
	}
	if (rc < 0) {
		conn_drop(d->c);
		return 0;
	}
	status = pack_request(&request, d->kind->op, body, why);
	if (status == 0)
		ask(d, &request);
	return status;
}

static void
body_came(struct door *d)
{
	struct mp_buf value CLEANUP(mp_buf_deinit) = { 0 };
	struct reason why = { "" };
	int status = ask_body(d, &value, &why);

	if (status != 0)
		door_refuse(d, status, why.text);
}

/* Room for n more bytes of the body, as they come. */
static bool
grow(struct door *d, size_t n)
{
	size_t cap = MAX(d->cap * 2, MAX(d->have + n, (size_t)BODY_START));
	uint8_t *body;

	if (d->have + n <= d->cap)
		return true;
	cap = MIN(cap, d->want);
	if (!ws_pool_charge(d->c->cs->pool, cap - d->cap))
		return false;
	body = realloc(d->body, cap);
	if (!body) {
		ws_pool_discharge(d->c->cs->pool, cap - d->cap);
		return false;
	}
	d->body = body;
	d->cap = cap;
	return true;
}

size_t
door_body(struct door *d, struct slice in)
{
	size_t n = MIN(in.len, d->want - d->have);

	if (!grow(d, n)) {
		door_refuse(d, 503, "there is no memory for the body now");
		return n;
	}
	memcpy(d->body + d->have, in.p, n);
	d->have += n;
	if (d->have == d->want) {
		conn_due_in(d->c, HTTP_STALL_TICKS);
		body_came(d);
	}
	return n;
}

void
door_late(struct door *d)
{
	COUNTERS_ADD(http_late, 1);
	door_refuse(d, 408, "the body did not come in time");
}

/* --- what the session says --- */

static void
take(struct door *d, struct slice value, struct block *b)
{
	d->kind->take(d, value, b);
	if (!d->over)
		door_flush(d);
}

/* It ends, and the head is out. */
static void
break_off(struct door *d)
{
	if (d->kind->endless) {
		d->last = true;
		door_finish(d);
		door_flush(d);
	} else {
		door_abort(d);
	}
}

/* What is said beside the answer; where it matters, the end follows. */
static bool
is_remark(struct slice op)
{
	return slice_is(op, "expiring") || slice_is(op, "draining") ||
	       slice_is(op, "revoked");
}

void
door_control(struct door *d, struct slice value)
{
	struct slice op = proto_get_str(value, "op");
	struct slice log;

	if (d->over)
		return;
	if (slice_is(op, "error")) {
		if (d->head_sent)
			break_off(d);
		else
			door_error(d, value);
	} else if (slice_is(op, "welcome")) {
		log = proto_get_str(value, "log");
		if (log.len > 0 && log.len < sizeof(d->log))
			memcpy(d->log, log.p, log.len);
	} else if (!is_remark(op)) {
		take(d, value, NULL);
	}
}

enum conn_send
door_send(struct door *d, struct block *b)
{
	if (!d->over)
		take(d, block_payload(b), b);
	if (d->over || d->c->state != CONN_OPEN)
		return CONN_DEAD;
	return conn_unsent(d->c) ? CONN_BLOCKED : CONN_SENT;
}

static int
status_of_close(unsigned code)
{
	switch (code) {
	case PROTO_CLOSE_MALFORMED:
		return 400;
	case PROTO_CLOSE_TOO_BIG:
		return 413;
	case PROTO_CLOSE_TOKEN:
	case PROTO_CLOSE_REVOKED:
		return 401;
	case PROTO_CLOSE_TOO_MANY:
	case PROTO_CLOSE_POLICY:
		return 429;
	default:
		return 503;
	}
}

void
door_close(struct door *d, unsigned code, const char *text)
{
	if (d->over)
		return;
	if (d->head_sent)
		break_off(d);
	else
		door_refuse(d, status_of_close(code), text);
}

/* --- the head --- */

static const struct door_kind *
find_kind(struct slice path)
{
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (slice_is(path, kinds[i].path))
			return &kinds[i];
	return NULL;
}

const char *
door_allowed(struct slice path)
{
	const struct door_kind *kind = find_kind(path);

	return kind ? kind->allow : NULL;
}

/* What a body has to be said of. */
static int
plan_body(struct door *d, const struct http_request *req, struct reason *why)
{
	struct slice type =
	    http_media_type(http_header(req, "Content-Type", 0));
	struct slice expect = http_header(req, "Expect", 0);
	struct slice coding = http_header(req, "Content-Encoding", 0);

	d->body_msgpack = http_is_msgpack(type);
	if (!d->body_msgpack && !http_is_json(type))
		return reason_set(why, 415,
		    "Content-Type has to be application/json or "
		    "application/msgpack");
	if (coding.p && !http_same(coding, "identity"))
		return reason_set(why, 415,
		    "Content-Encoding is not served here: a body comes as it "
		    "is");
	if (req->length > d->c->cs->max_message)
		return reason_set(why, 413,
		    "the body is longer than %u bytes (gateway.max_message)",
		    d->c->cs->max_message);
	if (expect.p && !http_lists(req, "Expect", "100-continue"))
		return reason_set(
		    why, 417, "Expect is served as 100-continue alone");
	return 0;
}

/* Who asks from where, and whether there is room. */
static int
admit(struct door *d, const struct http_request *req, struct reason *why)
{
	struct conns *cs = d->c->cs;
	struct slice other;
	int status = http_origin(req, cs->origins, &other, why);

	if (status == 0 && other.p) {
		d->origin = strndup((const char *)other.p, other.len);
		if (!d->origin)
			return reason_set(why, 503, "no memory");
	}
	if (status == 0)
		status = http_query_secret(req->query, why);
	if (status == 0 && cs->refusing)
		status = reason_set(why, 503, "the gateway is stopping");
	if (status == 0 && d->c->surplus)
		status = reason_set(why, 503, "too many connections");
	return status;
}

static int
plan(struct door *d, const struct http_request *req, struct slice *bearer,
    struct reason *why)
{
	int status = admit(d, req, why);

	if (status != 0)
		return status;
	d->kind = find_kind(req->path);
	if (!d->kind)
		return reason_set(why, 404, "there is nothing here");
	if (req->verb == HTTP_OPTIONS)
		return 0;
	if (req->verb != d->kind->verb)
		return reason_set(
		    why, 405, "this path serves %s", d->kind->allow);
	d->msgpack = http_wants_msgpack(req);
	status = http_bearer(req, bearer, why);
	if (status == 0)
		status = http_query_pack(
		    req->query, d->kind->op, d->kind->fields, &d->request, why);
	if (status == 0 && req->verb == HTTP_POST)
		status = plan_body(d, req, why);
	return status;
}

/* Open the session, and say hello for the client. */
static bool
greet(struct door *d, struct slice bearer)
{
	struct mp_buf hello CLEANUP(mp_buf_deinit) = { 0 };
	struct conn *c = d->c;

	/* Nobody says who may come in at present. */
	if (c->cs->held) {
		door_refuse(d, 503, "permissions are not known yet");
		return false;
	}
	c->session = c->cs->handler.open(c->cs->handler.arg, c, bearer);
	if (!c->session) {
		door_refuse(d, 503, "not now");
		return false;
	}
	proto_pack_head(&hello, "hello", (struct proto_uint){ 0 }, 1);
	mp_pair_uint(&hello, "v", 1);
	if (hello.failed)
		conn_drop(c);
	else
		c->cs->handler.message(
		    c->session, WS_BINARY, slice_of(hello.p, hello.len));
	return !d->over && c->state == CONN_OPEN;
}

/* The session is there: now the body, if there is one. */
static void
await_body(struct door *d, const struct http_request *req)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct conn *c = d->c;

	if (d->want == 0) {
		body_came(d);
		return;
	}
	conn_due_in(c, conns_hello_ticks(c->cs) +
			   (uint32_t)(d->want / BODY_RATE) * TICKS_S);
	if (http_header(req, "Expect", 0).p)
		conn_raw(c, go_on, sizeof(go_on) - 1, false);
}

static void
ask_query(struct door *d, const struct http_request *req)
{
	struct reason why = { "" };
	int status = d->kind->adapt ? d->kind->adapt(d, req, &why) : 0;

	if (status != 0)
		door_refuse(d, status, why.text);
	else
		ask(d, &d->request);
}

void
door_enter(struct conn *c, const struct http_request *req)
{
	struct door *d = calloc(1, sizeof(*d));
	struct reason why = { "" };
	struct slice bearer;
	int status;

	if (!d) {
		conn_drop(c);
		return;
	}
	d->c = c;
	d->last = conn_http_is_last(c, req);
	d->want = req->length;
	c->door = d;
	c->state = CONN_OPEN;
	COUNTERS_ADD(http_requests, 1);
	conn_due_in(c, HTTP_STALL_TICKS);
	status = plan(d, req, &bearer, &why);
	if (status != 0)
		door_refuse(d, status, why.text);
	else if (req->verb == HTTP_OPTIONS)
		door_preflight(d);
	else if (!greet(d, bearer))
		return;
	else if (req->verb == HTTP_POST)
		await_body(d, req);
	else
		ask_query(d, req);
}
