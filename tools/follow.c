/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The client's side of the chain.  Every number that moves the position was
 * compared with the position first.
 */

#include <stdio.h>
#include <string.h>

#include "core/mp.h"
#include "core/mpvalid.h"
#include "tools/follow.h"
#include "tools/refuse.h"

void
follow_pack_hello(struct mp_buf *b, const char *token)
{
	mp_pack_map(b, token ? 4 : 3);
	mp_pair_cstr(b, "op", "hello");
	mp_pair_uint(b, "v", 1);
	mp_pair_cstr(b, "agent", "peal");
	if (token)
		mp_pair_cstr(b, "token", token);
}

void
follow_pack_subscribe(const struct follow *f, struct mp_buf *b,
    const char *const *patterns, unsigned n)
{
	mp_pack_map(b, 4 + f->positioned + (f->conflate_ms > 0));
	mp_pair_cstr(b, "op", "subscribe");
	mp_pair_uint(b, "id", FOLLOW_ID);
	mp_pack_cstr(b, "topics");
	mp_pack_array(b, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_cstr(b, patterns[i]);
	if (f->conflate_ms > 0)
		mp_pair_uint(b, "conflate", f->conflate_ms);
	mp_pack_cstr(b, "from");
	if (f->positioned) {
		mp_pack_uint(b, f->position);
		mp_pair_cstr(b, "log", f->log);
	} else {
		mp_pack_cstr(b, "now");
	}
}

void
follow_disconnected(struct follow *f)
{
	f->live = false;
}

/* --- batches --- */

static int
follow_event(struct follow *f, struct slice event, uint64_t after,
    uint64_t upto, struct reason *why)
{
	struct mp_walk w = mp_walk(event);
	struct mp_item head, seq;

	if (!mp_next(&w, &head) || head.type != MP_ARRAY || head.n < 7 ||
	    !mp_next(&w, &seq) || seq.type != MP_UINT)
		return REFUSE(why, "the server sent an event that is none");
	if (seq.u == 0)
		return 0;
	if (seq.u <= after || seq.u > upto || seq.u <= f->last_seq)
		return REFUSE(why,
		    "the chain is broken: event %llu after event %llu in "
		    "(%llu, %llu]",
		    (unsigned long long)seq.u, (unsigned long long)f->last_seq,
		    (unsigned long long)after, (unsigned long long)upto);
	f->last_seq = seq.u;
	return 0;
}

/* The link (after, upto] with the events that w walks over. */
static int
follow_link(struct follow *f, uint64_t after, uint64_t upto, struct mp_walk w,
    uint32_t n, struct follow_message *got, struct reason *why)
{
	struct slice event;
	int err;

	if (after != f->position || upto < after)
		return REFUSE(why,
		    "the chain is broken: (%llu, %llu] came at position %llu",
		    (unsigned long long)after, (unsigned long long)upto,
		    (unsigned long long)f->position);
	got->kind = FOLLOW_EVENTS;
	got->events.p = w.p;
	for (uint32_t i = 0; i < n; i++) {
		if (!mp_skip(&w, &event))
			return REFUSE(why, "the server sent half a batch");
		err = follow_event(f, event, after, upto, why);
		if (err < 0)
			return err;
	}
	got->events.len = (size_t)(w.p - got->events.p);
	got->n = n;
	f->position = upto;
	return 0;
}

static int
follow_batch(struct follow *f, struct mp_walk w, uint32_t n,
    struct follow_message *got, struct reason *why)
{
	struct mp_item after, upto;

	if (n < 2 || !mp_next(&w, &after) || after.type != MP_UINT ||
	    !mp_next(&w, &upto) || upto.type != MP_UINT)
		return REFUSE(why, "the server sent a batch without its chain");
	if (!f->live)
		return REFUSE(why,
		    "the server sent a batch before the subscription is live");
	return follow_link(f, after.u, upto.u, w, n - 2, got, why);
}

static int
follow_replay(struct follow *f, struct follow_message *got, struct reason *why)
{
	struct proto_uint after = proto_get_uint(got->body, "after");
	struct proto_uint upto = proto_get_uint(got->body, "upto");
	struct mp_walk w = mp_walk(proto_get(got->body, "events"));
	struct mp_walk l = mp_walk(proto_get(got->body, "last"));
	struct mp_item events, last;

	if (!after.set || !upto.set || !mp_next(&w, &events) ||
	    events.type != MP_ARRAY || !mp_next(&l, &last) ||
	    last.type != MP_BOOL)
		return REFUSE(why, "the server sent a replay that is none");
	if (f->live)
		return REFUSE(why, "the server replays what is live");
	if (last.boolean)
		f->live = true;
	return follow_link(f, after.v, upto.v, w, events.n, got, why);
}

/* --- control messages --- */

static int
follow_welcome(struct follow *f, struct follow_message *got, struct reason *why)
{
	struct slice log = proto_get_str(got->body, "log");

	if (log.len == 0 || log.len >= sizeof(f->log))
		return REFUSE(why, "the server's welcome names no log");
	f->log_changed = f->log[0] && !slice_is(log, f->log);
	memcpy(f->log, log.p, log.len);
	f->log[log.len] = '\0';
	got->kind = FOLLOW_WELCOME;
	got->head = proto_get_uint(got->body, "head").v;
	return 0;
}

static int
follow_subscribed(
    struct follow *f, struct follow_message *got, struct reason *why)
{
	struct proto_uint seq = proto_get_uint(got->body, "seq");

	got->kind = FOLLOW_SUBSCRIBED;
	if (f->positioned)
		return 0;
	if (!seq.set)
		return REFUSE(why,
		    "the server does not say where the subscription begins");
	f->positioned = true;
	f->live = true;
	f->position = seq.v;
	f->last_seq = 0;
	return 0;
}

static int
follow_control(struct follow *f, struct follow_message *got, struct reason *why)
{
	struct proto_reply reply;

	if (proto_reply_parse(got->body, &reply, why) != PROTO_OK)
		return -EPROTO;
	if (slice_is(reply.op, "welcome"))
		return follow_welcome(f, got, why);
	if (slice_is(reply.op, "subscribed"))
		return follow_subscribed(f, got, why);
	if (slice_is(reply.op, "replay"))
		return follow_replay(f, got, why);
	if (slice_is(reply.op, "lagged")) {
		f->live = false;
		got->kind = FOLLOW_LAGGED;
		got->oldest = proto_get_uint(got->body, "oldest").v;
		got->head = proto_get_uint(got->body, "head").v;
		got->text = proto_get_str(got->body, "reason");
	} else if (slice_is(reply.op, "expiring")) {
		got->kind = FOLLOW_EXPIRING;
	} else if (slice_is(reply.op, "error")) {
		got->kind = FOLLOW_ERROR;
		got->code = proto_code_find(proto_get_str(got->body, "code"));
		got->text = proto_get_str(got->body, "message");
	}
	return 0;
}

int
follow_take(struct follow *f, struct slice msg, struct follow_message *got,
    struct reason *why)
{
	struct mp_walk w = mp_walk(msg);
	struct mp_item head;
	int err;

	*got = (struct follow_message){ .body = msg };
	if (!f->trusting) {
		err = mpvalid_check(msg.p, msg.len, why);
		if (err == MPVALID_BAD)
			return -EPROTO;
		if (err < 0)
			return err;
	}
	if (!mp_next(&w, &head))
		return REFUSE(why, "the server sent an empty message");
	if (head.type == MP_ARRAY)
		return follow_batch(f, w, head.n, got, why);
	if (head.type == MP_MAP)
		return follow_control(f, got, why);
	return REFUSE(why, "the server sent a message of an unknown kind");
}
