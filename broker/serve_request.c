/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests: checked before anything is read from them, and answered at once
 * where memory holds the answer.  What needs the disk becomes a call.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/clients.h"
#include "broker/folder.h"
#include "broker/presence.h"
#include "broker/serve_priv.h"
#include "broker/spool.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/time.h"

static void
handle_ping(struct serve_conn *p, const struct proto_request *req)
{
	struct folder_status folder;
	struct mp_buf *b;
	size_t mark;

	folder_status(p->sv->folder, &folder);
	b = serve_begin(p, &mark);
	proto_pack_pong(b, req, time_wall_us(), folder.tail_seq);
	serve_end(p, mark);
}

/* --- snapshots that were opened --- */

static void
refuse_part(struct serve_conn *p, const struct proto_request *req, int outcome)
{
	char text[120];

	if (outcome == SPOOL_GONE)
		snprintf(text, sizeof(text),
		    "the snapshot had to make room for others");
	else if (outcome == SPOOL_NONE)
		snprintf(text, sizeof(text),
		    "the snapshot has no part %" PRIu64, req->part.n.v);
	else
		snprintf(text, sizeof(text), "the snapshot can't be read: %s",
		    strerror(-outcome));
	serve_refuse(
	    p, req->id, outcome < 0 ? PROTO_INTERNAL : PROTO_NOT_FOUND, text);
}

static void
handle_part(struct serve_conn *p, const struct proto_request *req)
{
	struct spool *spool = handles_get(&p->snapshots, req->part.snapshot.v);
	struct mp_buf *b;
	size_t mark;
	int outcome;

	if (!spool) {
		serve_refuse(p, req->id, PROTO_NOT_FOUND,
		    "there is no such snapshot on this connection");
		return;
	}
	b = serve_begin(p, &mark);
	proto_pack_head(b, "part", req->id, 2);
	mp_pack_cstr(b, "rows");
	outcome = spool_pack_part(spool, req->part.n.v, b);
	if (outcome != SPOOL_PART) {
		frame_cancel(&p->fs, mark);
		refuse_part(p, req, outcome);
		return;
	}
	mp_pair_bool(b, "last", req->part.n.v + 1 == spool_parts(spool));
	serve_end(p, mark);
}

static void
handle_close(struct serve_conn *p, const struct proto_request *req)
{
	(void)spool_unref(handles_take(&p->snapshots, req->part.snapshot.v));
}

/* --- presence --- */

static void
handle_present(struct serve_conn *p, const struct proto_request *req)
{
	const struct presence_member m = {
		.number = req->present.member.v,
		.user = req->present.user,
		.client = req->present.client,
		.topics = req->present.topics,
		.read = req->read,
		.admin = req->admin,
		.since_us = req->present.since.v,
	};

	if (!p->present)
		p->present = presence_group_new(p->sv->presence);
	if (p->present)
		(void)presence_present(p->present, &m);
	else
		p->dead = true;
}

static void
handle_absent(struct serve_conn *p, const struct proto_request *req)
{
	if (p->present)
		presence_absent(p->present, req->present.member.v);
}

static void
handle_presence(struct serve_conn *p, const struct proto_request *req)
{
	struct topic_set set;
	struct mp_buf *b;
	size_t mark;
	int err =
	    topic_set_init(&set, req->state.topics, req->read, req->admin);

	if (err < 0) {
		p->dead = true;
		return;
	}
	b = serve_begin(p, &mark);
	proto_pack_head(b, "presence", req->id, 1);
	mp_pack_cstr(b, "members");
	err = presence_pack(p->sv->presence, &set, SERVE_REPLY_MAX, b);
	topic_set_deinit(&set);
	if (err == 0) {
		serve_end(p, mark);
		return;
	}
	frame_cancel(&p->fs, mark);
	if (err == -EMSGSIZE)
		serve_refuse(p, req->id, PROTO_TOO_LARGE,
		    "more members than an answer holds: ask for fewer topics");
	else
		p->dead = true;
}

/* --- cursors --- */

static void
handle_ack(
    struct serve_conn *p, const struct proto_request *req, struct slice value)
{
	const struct clients_cursor cursor = {
		.user = req->ack.user,
		.client = req->ack.client,
		.name = req->ack.name,
		.log = req->ack.log,
		.seq = req->ack.seq.v,
	};

	switch (clients_ack(p->sv->parts.clients, &cursor, time_wall_us())) {
	case CLIENTS_TAKEN:
		/* Only the disk knows whether the name is one too many. */
		if (req->id.set)
			serve_call_begin(p, value);
		break;
	case CLIENTS_TOO_MANY:
		if (req->id.set)
			serve_refuse(p, req->id, PROTO_TOO_LARGE,
			    "a client has at most 16 names");
		break;
	case CLIENTS_NO_ROOM:
		if (req->id.set)
			serve_refuse(p, req->id, PROTO_UNAVAILABLE,
			    "too many positions wait for the disk");
		break;
	}
}

/* --- all --- */

static void
refuse_op(struct serve_conn *p, const struct proto_request *req)
{
	struct reason why;

	(void)reason_set(&why, 0,
	    "\"%s\" is not for the broker, which answers queries",
	    proto_op_name(req->op));
	serve_refuse(p, req->id, PROTO_BAD_REQUEST, why.text);
}

static void
dispatch(
    struct serve_conn *p, const struct proto_request *req, struct slice value)
{
	switch (req->op) {
	case PROTO_HELLO:
		serve_hello(p, req);
		break;
	case PROTO_PING:
		handle_ping(p, req);
		break;
	case PROTO_PART:
		handle_part(p, req);
		break;
	case PROTO_CLOSE:
		handle_close(p, req);
		break;
	case PROTO_PRESENT:
		handle_present(p, req);
		break;
	case PROTO_ABSENT:
		handle_absent(p, req);
		break;
	case PROTO_PRESENCE:
		handle_presence(p, req);
		break;
	case PROTO_ACK:
		handle_ack(p, req, value);
		break;
	case PROTO_LEAVE:
		serve_flush_now(p->sv);
		break;
	case PROTO_OPEN:
	case PROTO_STATE:
	case PROTO_HISTORY:
	case PROTO_PAGE:
	case PROTO_CURSORS:
		serve_call_begin(p, value);
		break;
	default:
		refuse_op(p, req);
	}
}

void
serve_request(struct serve_conn *p, struct slice value)
{
	const struct proto_uint no_id = { false, 0 };
	struct proto_request req;
	struct reason why = { "" };
	enum proto_code code;
	int valid = mpvalid_check(value.p, value.len, &why);

	if (valid < 0) {
		p->dead = true;
		return;
	}
	if (valid == MPVALID_BAD) {
		serve_refuse(p, no_id, PROTO_BAD_REQUEST, why.text);
		p->refused = true;
		return;
	}
	code = proto_request_parse_local(value, &req, &why);
	if (code)
		serve_refuse(p, req.id, code, why.text);
	else
		dispatch(p, &req, value);
}
