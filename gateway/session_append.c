/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Appends and emits: what the client may is checked here, what the log
 * allows is the writer's business.  The actor is always the session's user.
 */

#include <string.h>

#include "core/event.h"
#include "core/mp.h"
#include "core/time.h"
#include "core/topic.h"
#include "gateway/attach.h"
#include "gateway/session_priv.h"

static enum proto_code
forbidden(struct reason *why, struct slice topic, const char *what)
{
	/* Topics were checked: no control characters. */
	reason_set(why, 0, "topic '%.*s' may not be %s", (int)topic.len,
	    (const char *)topic.p, what);
	return PROTO_FORBIDDEN;
}

static void
pack_expect(struct mp_buf *b, const struct proto_append_event *ev)
{
	if (ev->expect == PROTO_EXPECT_ANY)
		return;
	mp_pack_cstr(b, "expect");
	if (ev->expect == PROTO_EXPECT_EXISTS)
		mp_pack_cstr(b, "exists");
	else
		mp_pack_uint(b, ev->version);
}

/* The event again, with our actor and without what only local peers say. */
static void
pack_event(
    struct mp_buf *b, const struct proto_append_event *ev, const char *user)
{
	mp_pack_map(b, 4 + (ev->expect != PROTO_EXPECT_ANY) +
			   (ev->key.p != NULL) + ev->schema.set +
			   (ev->meta.len > 0));
	mp_pair_str(b, "topic", ev->topic);
	mp_pair_str(b, "type", ev->type);
	mp_pair_raw(b, "data", ev->data);
	mp_pair_cstr(b, "actor", user);
	pack_expect(b, ev);
	if (ev->key.p)
		mp_pair_str(b, "key", ev->key);
	if (ev->schema.set)
		mp_pair_uint(b, "schema", ev->schema.v);
	if (ev->meta.len > 0)
		mp_pair_raw(b, "meta", ev->meta);
}

static enum proto_code
check_event(const struct session *s, const struct proto_append_event *ev,
    struct reason *why)
{
	if (!acl_may_write(&s->acl, ev->topic))
		return forbidden(why, ev->topic, "written");
	if (ev->expect != PROTO_EXPECT_ANY && !acl_may_read(&s->acl, ev->topic))
		return forbidden(why, ev->topic, "read, as 'expect' needs");
	return PROTO_OK;
}

static enum proto_code
pack_events(const struct session *s, struct slice events, struct mp_buf *b,
    struct reason *why)
{
	struct mp_walk w = mp_walk(events);
	struct mp_item array;

	if (!mp_next(&w, &array))
		return PROTO_INTERNAL;
	mp_pack_cstr(b, "events");
	mp_pack_array(b, array.n);
	for (uint32_t i = 0; i < array.n; i++) {
		struct proto_append_event ev;
		enum proto_code code = proto_append_event_parse(&w, &ev, why);

		if (code == PROTO_OK)
			code = check_event(s, &ev, why);
		if (code != PROTO_OK)
			return code;
		pack_event(b, &ev, s->user);
	}
	return PROTO_OK;
}

static enum proto_code
pack_checks(const struct session *s, struct slice checks, struct mp_buf *b,
    struct reason *why)
{
	struct mp_walk w = mp_walk(checks);
	struct mp_item array;

	if (!mp_next(&w, &array))
		return PROTO_INTERNAL;
	for (uint32_t i = 0; i < array.n; i++) {
		struct proto_check check;
		enum proto_code code = proto_check_parse(&w, &check, why);

		if (code != PROTO_OK)
			return code;
		if (!acl_may_read(&s->acl, check.topic))
			return forbidden(
			    why, check.topic, "read, as 'checks' need");
	}
	mp_pair_raw(b, "checks", checks);
	return PROTO_OK;
}

/* Refuse what could not be stored in any case, before it is packed. */
static enum proto_code
check_size(size_t bytes, struct reason *why)
{
	if (bytes <= EVENT_MAX)
		return PROTO_OK;
	reason_set(why, 0, "the events have %zu bytes, more than %d", bytes,
	    EVENT_MAX);
	return PROTO_TOO_LARGE;
}

static enum proto_code
check_writer(const struct session *s, struct reason *why)
{
	if (forward_up(s->gw->forward) && !s->gw->draining)
		return PROTO_OK;
	reason_set(why, 0, "no writer takes appends now");
	return PROTO_UNAVAILABLE;
}

/* false: the user is over a limit, and was told so. */
static bool
within_quota(struct session *s, const struct proto_request *req, size_t bytes)
{
	uint64_t retry_ms = quota_append(s->quota, bytes, time_mono_ns());
	struct mp_buf b = { 0 };

	if (retry_ms == 0)
		return true;
	proto_pack_error(&b, req->id, PROTO_RATE_LIMITED,
	    "this user appends too much at once", retry_ms);
	session_say(s, &b);
	return false;
}

/* Hand over what was packed behind mark, or take it back. */
static void
finish(struct session *s, const struct proto_request *req, size_t bytes,
    enum proto_code code, const struct reason *why)
{
	struct forward_pending request = {
		.owner = s,
		.id = req->id,
		.quota = s->quota,
		.bytes = (uint32_t)bytes,
		.emit = req->op == PROTO_EMIT,
	};

	if (code == PROTO_OK && within_quota(s, req, bytes)) {
		if (forward_end(s->gw->forward, &s->pending, &request))
			return;
		quota_answered(s->quota, bytes);
		session_error(s, req->id, PROTO_UNAVAILABLE,
		    "memory for the request ran out");
		return;
	}
	forward_cancel(s->gw->forward);
	if (code != PROTO_OK)
		session_error(s, req->id, code, why->text);
}

void
session_append(struct session *s, const struct proto_request *req)
{
	size_t bytes = req->append.events.len + req->append.checks.len;
	bool checks = req->append.checks.len > 0;
	struct reason why = { "" };
	struct proto_uint id = { .set = true };
	enum proto_code code = check_writer(s, &why);
	struct mp_buf *b;

	if (code == PROTO_OK)
		code = check_size(bytes, &why);
	if (code != PROTO_OK) {
		session_error(s, req->id, code, why.text);
		return;
	}
	b = forward_begin(s->gw->forward, &id.v);
	proto_pack_head(b, "append", id, 1 + checks);
	code = pack_events(s, req->append.events, b, &why);
	if (code == PROTO_OK && checks)
		code = pack_checks(s, req->append.checks, b, &why);
	finish(s, req, bytes, code, &why);
}

void
session_emit(struct session *s, const struct proto_request *req)
{
	struct slice data = req->emit.data;
	struct reason why = { "" };
	struct proto_uint id = { .set = true };
	enum proto_code code = check_writer(s, &why);
	struct mp_buf *b;

	if (code == PROTO_OK)
		code = check_size(data.len, &why);
	if (code == PROTO_OK && !acl_may_write(&s->acl, req->emit.topic))
		code = forbidden(&why, req->emit.topic, "written");
	if (code != PROTO_OK) {
		session_error(s, req->id, code, why.text);
		return;
	}
	b = forward_begin(s->gw->forward, &id.v);
	proto_pack_head(b, "emit", id, 4);
	mp_pair_str(b, "topic", req->emit.topic);
	mp_pair_str(b, "type", req->emit.type);
	mp_pair_raw(b, "data", data);
	mp_pair_cstr(b, "actor", s->user);
	finish(s, req, data.len, code, &why);
}
