/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests of local producers: checked, parsed, given to the sequencer, and
 * their replies packed.  A reply that rests on a frame is held for it; one
 * that rests on nothing leaves at once.
 */

#include <errno.h>
#include <string.h>

#include "core/mpvalid.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "writer/gather.h"
#include "writer/ingest_priv.h"
#include "writer/retainer.h"
#include "writer/sequence.h"
#include "writer/state.h"
#include "writer/syncer.h"

enum {
	RETRY_MS = 1000
};

/* A reply that waits for nothing. */
struct mp_buf *
request_begin_now(struct producer *p, size_t *mark)
{
	return frame_begin(&p->fs, mark);
}

void
request_end_now(struct producer *p, size_t mark)
{
	if (frame_end(&p->fs, mark) < 0)
		p->dead = true;
}

void
request_refuse(struct producer *p, struct proto_uint id, enum proto_code code,
    const char *message, uint64_t retry_ms)
{
	size_t mark;

	proto_pack_error(
	    request_begin_now(p, &mark), id, code, message, retry_ms);
	request_end_now(p, mark);
}

static void
hold(struct producer *p, uint64_t serial, struct proto_uint id, size_t request)
{
	uint64_t before = p->replies.request_bytes;

	if (replies_hold(&p->replies, serial, id, (uint32_t)request) < 0)
		p->dead = true;
	p->in->request_bytes += p->replies.request_bytes - before;
}

static void
pack_appended(
    struct mp_buf *b, struct proto_uint id, const struct sequence_outcome *out)
{
	proto_pack_head(b, "appended", id, 4);
	mp_pack_str(b, SLICE_STR("seq"));
	mp_pack_uint(b, out->seq);
	mp_pack_str(b, SLICE_STR("versions"));
	mp_pack_array(b, out->n);
	for (uint32_t i = 0; i < out->n; i++)
		mp_pack_uint(b, out->versions[i]);
	mp_pack_str(b, SLICE_STR("time"));
	mp_pack_uint(b, out->time_us);
	mp_pack_str(b, SLICE_STR("duplicate"));
	mp_pack_bool(b, out->duplicate);
}

/* An error with what its code has to say beside the sentence. */
static void
pack_refusal(struct mp_buf *b, struct proto_uint id, enum proto_code code,
    const struct admit *ad, const char *message)
{
	if (code != PROTO_CONFLICT && code != PROTO_KEY_REUSED) {
		proto_pack_error(b, id, code, message, 0);
		return;
	}
	proto_pack_head(b, "error", id, code == PROTO_CONFLICT ? 5 : 3);
	mp_pair_cstr(b, "code", proto_code_name(code));
	mp_pair_cstr(b, "message", message);
	if (code == PROTO_KEY_REUSED) {
		mp_pair_str(b, "key", ad->key);
		return;
	}
	mp_pair_str(b, "topic", ad->topic);
	mp_pack_cstr(b, "expected");
	if (ad->expect == PROTO_EXPECT_EXISTS)
		mp_pack_cstr(b, "exists");
	else
		mp_pack_uint(b, ad->expected);
	mp_pair_uint(b, "actual", ad->actual);
}

static void
count_outcome(struct ingest *in, const struct sequence_outcome *out)
{
	struct ingest_counts *c = &in->counts;

	switch (out->code) {
	case PROTO_OK:
		if (out->duplicate) {
			c->duplicates++;
		} else {
			c->appends++;
			c->events += out->n;
			c->clock_behind += out->time_us > in->now_us + US_PER_S;
		}
		break;
	case PROTO_CONFLICT:
		c->conflicts++;
		break;
	case PROTO_KEY_REUSED:
		c->key_reused++;
		break;
	case PROTO_STORAGE_FULL:
		c->storage_full++;
		break;
	default:
		break;
	}
}

static enum request_taken
handle_append(struct producer *p, const struct proto_request *req, size_t size)
{
	struct ingest *in = p->in;
	struct sequence_outcome out;
	struct reason why = { "" };
	struct mp_buf *b;

	if (in->draining ||
	    syncer_flush_age_ns(in->parts.syncer) > in->parts.stall_ns) {
		in->counts.stalled += !in->draining;
		request_refuse(p, req->id, PROTO_UNAVAILABLE,
		    in->draining ? "the writer is stopping"
				 : "the disk does not answer",
		    RETRY_MS);
		return REQUEST_TAKEN;
	}
	in->admit.events = req->append.events;
	in->admit.checks = req->append.checks;
	in->admit.account = slice_cstr(p->account);
	in->admit.may_system = p->may_system;
	in->admit.now_us = in->now_us;
	in->admit.wall_us = in->wall_us;
	if (sequence_append(in->parts.sequencer, &in->admit, &out, &why) ==
	    SEQUENCE_WAIT)
		return REQUEST_STALLED;
	count_outcome(in, &out);
	b = replies_begin(&p->replies);
	if (out.code == PROTO_OK)
		pack_appended(b, req->id, &out);
	else
		pack_refusal(b, req->id, out.code, &in->admit, why.text);
	hold(p, out.serial, req->id, size);
	return REQUEST_TAKEN;
}

/* An emit's own checks; what is common with appends stands in proto.h. */
static enum proto_code
check_emit(struct producer *p, const struct event *ev, uint64_t *retry_ms,
    struct reason *why)
{
	if (topic_is_system(ev->topic) && !p->may_system)
		return reason_set(
		    why, PROTO_FORBIDDEN, "this topic belongs to the system");
	*retry_ms = quota_take(&p->in->quota, event_size(ev), time_mono_ns());
	if (*retry_ms)
		return reason_set(why, PROTO_RATE_LIMITED,
		    "ephemeral events have used their quarter of the ring");
	return PROTO_OK;
}

static void
handle_emit(struct producer *p, const struct proto_request *req, size_t size)
{
	struct ingest *in = p->in;
	struct event ev = { .topic = req->emit.topic,
		.type = req->emit.type,
		.actor = req->emit.actor.p ? req->emit.actor
					   : slice_cstr(p->account),
		.data = req->emit.data,
		.time_us = in->now_us };
	struct reason why = { "" };
	uint64_t serial, retry_ms = 0;
	enum proto_code code;

	code = check_emit(p, &ev, &retry_ms, &why);
	if (!code)
		code = sequence_emit(in->parts.sequencer, &ev, &serial, &why);
	if (code) {
		request_refuse(p, req->id, code, why.text, retry_ms);
		return;
	}
	in->counts.emits++;
	proto_pack_head(replies_begin(&p->replies), "ok", req->id, 0);
	hold(p, serial, req->id, size);
}

/* How far back keys are known, seconds; a log that dropped none: 10 years. */
static uint64_t
keys_seconds(const struct ingest *in)
{
	uint64_t reach = keys_reach_us(in->parts.sequencer->state->keys);
	uint64_t now = in->now_us;

	if (!reach)
		return UINT64_C(315360000);
	return now > reach ? (now - reach) / US_PER_S : 0;
}

static void
handle_hello(struct producer *p, const struct proto_request *req)
{
	struct ingest *in = p->in;
	uint64_t head = syncer_durable_seq(in->parts.syncer);
	size_t mark;
	struct mp_buf *b = request_begin_now(p, &mark);

	proto_pack_head(b, "welcome", req->id, 7 + in->parts.unsafe);
	mp_pair_uint(b, "v", 1);
	mp_pair_cstr(b, "log", in->parts.log_name);
	mp_pair_uint(b, "head", head);
	mp_pair_uint(b, "oldest",
	    in->parts.retainer ? retainer_oldest(in->parts.retainer)
			       : in->parts.oldest_seq);
	mp_pair_uint(b, "time", time_wall_us());
	mp_pair_uint(b, "max_message", INGEST_FRAME_MAX);
	mp_pair_uint(b, "keys_seconds", keys_seconds(in));
	if (in->parts.unsafe)
		mp_pair_bool(b, "unsafe_filesystem", true);
	request_end_now(p, mark);
}

static void
handle_ping(struct producer *p, const struct proto_request *req)
{
	size_t mark;
	struct mp_buf *b = request_begin_now(p, &mark);

	proto_pack_pong(
	    b, req, time_wall_us(), syncer_durable_seq(p->in->parts.syncer));
	request_end_now(p, mark);
}

static enum request_taken
dispatch(struct producer *p, const struct proto_request *req, size_t size)
{
	struct reason why = { "" };

	switch (req->op) {
	case PROTO_APPEND:
		return handle_append(p, req, size);
	case PROTO_EMIT:
		handle_emit(p, req, size);
		break;
	case PROTO_HELLO:
		handle_hello(p, req);
		break;
	case PROTO_PING:
		handle_ping(p, req);
		break;
	default:
		request_refuse(p, req->id,
		    reason_set(&why, PROTO_BAD_REQUEST,
			"\"%s\" is not for the writer, which takes append, "
			"emit, hello and ping",
			proto_op_name(req->op)),
		    why.text, 0);
	}
	return REQUEST_TAKEN;
}

enum request_taken
request_handle(struct producer *p, struct slice value)
{
	struct proto_uint no_id = { false, 0 };
	struct proto_request req;
	struct reason why = { "" };
	enum proto_code code;
	int valid;

	valid = mpvalid_check(value.p, value.len, &why);
	if (valid == MPVALID_BAD) {
		request_refuse(p, no_id, PROTO_BAD_REQUEST, why.text, 0);
		p->refused = true;
		return REQUEST_TAKEN;
	}
	if (valid == MPVALID_LOOSE) {
		mp_buf_reset(&p->in->canonical);
		valid = mp_canonical(value, &p->in->canonical);
		value = slice_of(p->in->canonical.p, p->in->canonical.len);
	}
	if (valid < 0) {
		p->dead = true;
		return REQUEST_TAKEN;
	}
	code = proto_request_parse(value, &req, &why);
	if (code && handover_handle(p, value))
		return REQUEST_TAKEN;
	if (code) {
		request_refuse(p, req.id, code, why.text, 0);
		return REQUEST_TAKEN;
	}
	return dispatch(p, &req, value.len);
}
