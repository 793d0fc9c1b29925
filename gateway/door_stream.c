/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Server-Sent Events: one subscription, each of whose batches is a message
 * that carries its own watermark, so that a browser which comes back says by
 * itself how far it got.
 *
 *	id: LOG:UPTO
 *	data: [after,upto,event...]
 */

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/reason.h"
#include "gateway/door_priv.h"

enum {
	SUBSCRIPTION = 1 /* its id; there is no other */
};

/* Where to begin: behind seq of that log, or with what comes now. */
struct start {
	struct proto_uint seq;
	struct slice log;
};

static bool
read_seq(struct slice text, uint64_t *seq)
{
	/* As it was said: a zero leads nowhere. */
	if (text.len > 1 && *text.p == '0')
		return false;
	return slice_uint(text, seq);
}

/* LOG:UPTO, as an earlier stream has said it. */
static int
resume(struct slice id, struct start *start, struct reason *why)
{
	const uint8_t *colon = memrchr(id.p, ':', id.len);

	if (!colon || colon == id.p ||
	    !read_seq(slice_of(colon + 1, (size_t)(id.p + id.len - colon - 1)),
		&start->seq.v))
		return reason_set(
		    why, 400, "Last-Event-ID is no id of such a stream");
	start->seq.set = true;
	start->log = slice_of(id.p, (size_t)(colon - id.p));
	return 0;
}

static void
pack_start(struct mp_buf *out, const struct start *start)
{
	mp_pair_uint(out, "id", SUBSCRIPTION);
	mp_pack_cstr(out, "from");
	if (!start->seq.set) {
		mp_pack_cstr(out, "now");
		return;
	}
	mp_pack_uint(out, start->seq.v);
	mp_pair_str(out, "log", start->log);
}

/* The query's request, with another start. */
static void
repack(struct door *d, const struct start *start)
{
	struct mp_walk w = mp_walk(slice_of(d->request.p, d->request.len));
	struct mp_buf out = { 0 };
	uint32_t n = start->seq.set ? 3 : 2;
	struct mp_item head;
	size_t at = mp_begin(&out);

	if (!mp_next(&w, &head))
		head.n = 0;
	for (uint32_t i = 0; i < head.n; i++) {
		const uint8_t *from = w.p;
		struct slice name, value;

		if (!mp_next_name(&w, &name) || !mp_skip(&w, &value))
			break;
		if (slice_is(name, "from"))
			continue;
		mp_buf_bytes(&out, from, (size_t)(w.p - from));
		n++;
	}
	pack_start(&out, start);
	mp_end_map(&out, at, n);
	mp_buf_deinit(&d->request);
	d->request = out;
}

int
door_stream_ask(
    struct door *d, const struct http_request *req, struct reason *why)
{
	struct slice last = http_header(req, "Last-Event-ID", 0);
	struct slice asked = slice_of(d->request.p, d->request.len);
	struct start start = { .seq = proto_get_uint(asked, "from"),
		.log = slice_cstr(d->log) };
	int status = 0;

	if (d->request.failed)
		return 0;
	if (last.len > 0)
		status = resume(last, &start, why);
	if (status == 0)
		repack(d, &start);
	return status;
}

/* --- the answer --- */

static void
put_id(const struct door *d, struct mp_buf *out, uint64_t upto)
{
	char text[PROTO_LOG_NAME + 40];
	int n = snprintf(text, sizeof(text), "id: %s:%llu\ndata: ", d->log,
	    (unsigned long long)upto);

	mp_buf_bytes(out, text, (size_t)n);
}

static void
put_json(struct mp_buf *out, struct slice value)
{
	if (json_from_mp(value, out) < 0)
		out->failed = true;
}

/* The subscription is there; where it begins is the first watermark. */
static void
begin(struct door *d, struct slice subscribed)
{
	struct proto_uint seq = proto_get_uint(subscribed, "seq");
	struct mp_buf out CLEANUP(mp_buf_deinit) = { 0 };
	char text[64];
	int n;

	door_begin(d, "text/event-stream",
	    "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n");
	conn_alive_from_now(d->c);
	if (!seq.set)
		return; /* a replay comes, which says it */
	put_id(d, &out, seq.v);
	n = snprintf(text, sizeof(text), "[%llu,%llu]\n\n",
	    (unsigned long long)seq.v, (unsigned long long)seq.v);
	mp_buf_bytes(&out, text, (size_t)n);
	door_chunk(d, &out);
}

/* Past events are a batch like others. */
static void
give_replay(struct door *d, struct slice replay)
{
	struct mp_walk w = mp_walk(proto_get(replay, "events"));
	struct mp_buf out CLEANUP(mp_buf_deinit) = { 0 };
	struct mp_item events;
	struct slice event;

	put_id(d, &out, proto_get_uint(replay, "upto").v);
	mp_buf_bytes(&out, "[", 1);
	put_json(&out, proto_get(replay, "after"));
	mp_buf_bytes(&out, ",", 1);
	put_json(&out, proto_get(replay, "upto"));
	if (!mp_next(&w, &events))
		out.failed = true;
	while (mp_skip(&w, &event)) {
		mp_buf_bytes(&out, ",", 1);
		put_json(&out, event);
	}
	mp_buf_bytes(&out, "]\n\n", 3);
	door_chunk(d, &out);
}

/* What it asks for is no longer there. */
static void
refuse_gone(struct door *d, struct slice lagged)
{
	struct mp_buf b CLEANUP(mp_buf_deinit) = { 0 };

	proto_pack_head(&b, "error", (struct proto_uint){ 0 }, 3);
	mp_pair_cstr(&b, "code", "not_found");
	mp_pair_cstr(
	    &b, "message", "the log no longer holds what came after that seq");
	mp_pair_uint(&b, "oldest", proto_get_uint(lagged, "oldest").v);
	if (b.failed)
		conn_drop(d->c);
	else
		door_say(d, 410, 0, slice_of(b.p, b.len));
}

static void
end_lagged(struct door *d, struct slice lagged)
{
	struct mp_buf out CLEANUP(mp_buf_deinit) = { 0 };

	if (!d->head_sent &&
	    slice_is(proto_get_str(lagged, "reason"), "retention")) {
		refuse_gone(d, lagged);
	} else if (!d->head_sent) {
		door_refuse(d, 503, "the stream has ended before it began");
	} else {
		mp_buf_bytes(&out, "event: lagged\ndata: ", 20);
		put_json(&out, lagged);
		mp_buf_bytes(&out, "\n\n", 2);
		door_chunk(d, &out);
		door_finish(d);
	}
}

static bool
is_batch(struct slice value)
{
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	return mp_next(&w, &item) && item.type == MP_ARRAY;
}

static void
give_batch(struct door *d, struct block *b)
{
	struct block *events = form_events(b, d->log);

	if (events)
		conn_put(d->c, block_ref(events));
	else
		conn_drop(d->c);
}

void
door_take_stream(struct door *d, struct slice value, struct block *b)
{
	struct slice op = proto_get_str(value, "op");

	if (b && is_batch(value))
		give_batch(d, b);
	else if (slice_is(op, "subscribed"))
		begin(d, value);
	else if (slice_is(op, "replay"))
		give_replay(d, value);
	else if (slice_is(op, "lagged"))
		end_lagged(d, value);
}
