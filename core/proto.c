/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Replies and codes of the protocol.  Every code has its name in one table;
 * a reply is packed in canonical form.
 */

#include <inttypes.h>
#include <stdio.h>

#include "core/proto.h"
#include "core/reason.h"

static const char *const code_names[PROTO_CODES] = {
	[PROTO_OK] = "ok",
	[PROTO_BAD_REQUEST] = "bad_request",
	[PROTO_UNAUTHORIZED] = "unauthorized",
	[PROTO_FORBIDDEN] = "forbidden",
	[PROTO_CONFLICT] = "conflict",
	[PROTO_KEY_REUSED] = "key_reused",
	[PROTO_TOO_LARGE] = "too_large",
	[PROTO_NOT_FOUND] = "not_found",
	[PROTO_LOG_CHANGED] = "log_changed",
	[PROTO_AHEAD] = "ahead",
	[PROTO_BEHIND] = "behind",
	[PROTO_INTERNAL] = "internal",
	[PROTO_RATE_LIMITED] = "rate_limited",
	[PROTO_UNAVAILABLE] = "unavailable",
	[PROTO_STORAGE_FULL] = "storage_full",
	[PROTO_UNKNOWN] = "unknown",
};

const char *
proto_code_name(enum proto_code code)
{
	return code < PROTO_CODES ? code_names[code] : NULL;
}

enum proto_code
proto_code_find(struct slice name)
{
	unsigned code = 0;

	while (code < PROTO_CODES && !slice_is(name, code_names[code]))
		code++;
	return (enum proto_code)code;
}

/* Put the walk on the value of key; false when the map has none. */
static bool
find_key(struct slice map, const char *key, struct mp_walk *w)
{
	struct slice want = slice_cstr(key), name, value;
	struct mp_item head;

	*w = mp_walk(map);
	if (!mp_next(w, &head) || head.type != MP_MAP)
		return false;
	for (uint32_t i = 0; i < head.n; i++) {
		if (!mp_next_name(w, &name))
			return false;
		if (name.p && slice_equal(name, want))
			return true;
		if (!mp_skip(w, &value))
			return false;
	}
	return false;
}

struct slice
proto_get(struct slice map, const char *key)
{
	struct slice value;
	struct mp_walk w;

	if (!find_key(map, key, &w) || !mp_skip(&w, &value))
		return slice_of(NULL, 0);
	return value;
}

struct proto_uint
proto_get_uint(struct slice map, const char *key)
{
	struct mp_item item;
	struct mp_walk w;

	if (!find_key(map, key, &w) || !mp_next(&w, &item) ||
	    item.type != MP_UINT || item.u > PROTO_SEQ_MAX)
		return (struct proto_uint){ false, 0 };
	return (struct proto_uint){ true, item.u };
}

struct slice
proto_get_str(struct slice map, const char *key)
{
	struct mp_item item;
	struct mp_walk w;

	if (!find_key(map, key, &w) || !mp_next(&w, &item) ||
	    item.type != MP_STR)
		return slice_of(NULL, 0);
	return item.s;
}

enum proto_code
proto_reply_parse(
    struct slice msg, struct proto_reply *reply, struct reason *why)
{
	struct slice op = proto_get_str(msg, "op");

	if (!op.p) {
		(void)reason_set(why, 0, "a reply must be a map with an op");
		return PROTO_BAD_REQUEST;
	}
	reply->op = op;
	reply->id = proto_get_uint(msg, "id");
	reply->body = msg;
	return PROTO_OK;
}

void
proto_pack_head(
    struct mp_buf *b, const char *op, struct proto_uint id, unsigned n)
{
	mp_pack_map(b, 1 + id.set + n);
	mp_pair_cstr(b, "op", op);
	if (id.set)
		mp_pair_uint(b, "id", id.v);
}

void
proto_pack_pong(struct mp_buf *b, const struct proto_request *req,
    uint64_t time_us, uint64_t head)
{
	bool t = req->ping.t.len > 0;

	proto_pack_head(b, "pong", req->id, 2 + t);
	if (t)
		mp_pair_raw(b, "t", req->ping.t);
	mp_pair_uint(b, "time", time_us);
	mp_pair_uint(b, "head", head);
}

void
proto_pack_reply(struct mp_buf *b, struct slice body, struct proto_uint id)
{
	bool had = proto_get_uint(body, "id").set;
	struct mp_walk w = mp_walk(body);
	struct slice name, value;
	struct mp_item map;

	if (!mp_next(&w, &map) || map.type != MP_MAP)
		return;
	mp_pack_map(b, map.n - had + id.set);
	for (uint32_t i = 0; i < map.n; i++) {
		struct mp_walk key = w;

		if (!mp_next_name(&w, &name) || !mp_skip(&w, &value))
			return;
		if (name.p && slice_is(name, "id"))
			continue;
		mp_buf_bytes(b, key.p, (size_t)(value.p - key.p));
		mp_pack_raw(b, value);
		/* Behind the first pair, which is the op. */
		if (i == 0 && id.set)
			mp_pair_uint(b, "id", id.v);
	}
}

void
proto_pack_error_head(struct mp_buf *b, struct proto_uint id,
    enum proto_code code, const char *message, unsigned n)
{
	proto_pack_head(b, "error", id, 2 + n);
	mp_pair_cstr(b, "code", code_names[code]);
	mp_pair_cstr(b, "message", message);
}

void
proto_pack_error(struct mp_buf *b, struct proto_uint id, enum proto_code code,
    const char *message, uint64_t retry_ms)
{
	proto_pack_error_head(b, id, code, message, retry_ms != 0);
	if (retry_ms)
		mp_pair_uint(b, "retry_ms", retry_ms);
}

void
proto_log_name(const uint8_t id[16], uint64_t epoch, char buf[PROTO_LOG_NAME])
{
	for (unsigned i = 0; i < 16; i++)
		snprintf(buf + 2 * (size_t)i, 3, "%02x", id[i]);
	snprintf(buf + 32, PROTO_LOG_NAME - 32, "-%" PRIu64, epoch);
}
