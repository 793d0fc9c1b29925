/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Calls: requests on their way through a worker.  A call holds its own bytes
 * and its connection's number, never the connection: that may have gone when
 * the answer is there, which is then dropped.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/clients.h"
#include "broker/meters.h"
#include "broker/serve_priv.h"
#include "broker/spool.h"
#include "broker/store.h"
#include "core/reason.h"
#include "core/time.h"

/* --- in a worker --- */

static enum proto_code
refuse(struct serve_call *call, enum proto_code code, const char *text)
{
	snprintf(call->no.text, sizeof(call->no.text), "%s", text);
	return code;
}

static void
pack_cursors(
    struct mp_buf *b, const struct clients_list *list, struct slice log)
{
	size_t head;
	uint32_t n = 0;

	mp_pack_cstr(b, "ack");
	head = mp_begin(b);
	for (unsigned i = 0; i < list->n; i++) {
		const struct clients_named *at = &list->v[i];

		if (!slice_equal(slice_of(at->log, at->log_len), log))
			continue;
		mp_pack_str(b, slice_of(at->name, at->name_len));
		mp_pack_uint(b, at->seq);
		n++;
	}
	mp_end_map(b, head, n);
	mp_pack_cstr(b, "stale");
	head = mp_begin(b);
	for (unsigned i = 0; i < list->n; i++) {
		const struct clients_named *at = &list->v[i];

		if (!slice_equal(slice_of(at->log, at->log_len), log))
			mp_pack_str(b, slice_of(at->name, at->name_len));
	}
	mp_end_array(b, head, list->n - n);
}

static enum proto_code
run_cursors(struct serve_call *call)
{
	CLEANUP(freep) struct clients_list *list = calloc(1, sizeof(*list));
	const struct proto_request *req = &call->req;
	struct store_status store;
	int err = -ENOMEM;

	store_status(call->sv->parts.store, &store);
	if (list)
		err = clients_read(call->sv->parts.clients, req->ack.user,
		    req->ack.client, time_wall_us(), list);
	if (err < 0)
		return refuse(call, PROTO_UNAVAILABLE,
		    "stored positions can't be read at present");
	/* Whose positions count can't be told before the log has a name. */
	if (list->n && !store.log[0])
		return refuse(
		    call, PROTO_UNAVAILABLE, "nothing is known of the log yet");
	proto_pack_head(&call->reply, "cursors", req->id, 2);
	pack_cursors(&call->reply, list, slice_cstr(store.log));
	return PROTO_OK;
}

static enum proto_code
run_ack(struct serve_call *call)
{
	const struct clients_cursor cursor = {
		.user = call->req.ack.user,
		.client = call->req.ack.client,
		.name = call->req.ack.name,
	};

	/* One that can't be looked up now is judged when it is stored. */
	if (clients_admit(call->sv->parts.clients, &cursor) != CLIENTS_TOO_MANY)
		return PROTO_OK;
	return refuse(call, PROTO_TOO_LARGE, "a client has at most 16 names");
}

static void
run(struct job *job)
{
	struct serve_call *call = CONTAINER_OF(job, struct serve_call, job);
	struct query *query = call->sv->parts.query;

	switch (call->req.op) {
	case PROTO_HISTORY:
		call->code =
		    query_history(query, &call->req, &call->reply, &call->no);
		break;
	case PROTO_PAGE:
		call->code =
		    query_page(query, &call->req, &call->reply, &call->no);
		break;
	case PROTO_CURSORS:
		call->code = run_cursors(call);
		break;
	case PROTO_ACK:
		call->code = run_ack(call);
		break;
	default:
		call->code = query_snapshot(
		    query, &call->req, &call->set, &call->spool, &call->no);
	}
	if (call->code == PROTO_OK && call->reply.failed)
		call->code = refuse(
		    call, PROTO_UNAVAILABLE, "the broker has no memory left");
}

/* --- in the loop: the answer --- */

static void
answer_refusal(struct serve_conn *p, const struct serve_call *call)
{
	struct mp_buf *b;
	size_t mark;

	if (!call->no.oldest.set) {
		serve_refuse(p, call->req.id, call->code, call->no.text);
		return;
	}
	p->sv->counts.refused++;
	b = serve_begin(p, &mark);
	proto_pack_error_head(b, call->req.id, call->code, call->no.text, 1);
	mp_pair_uint(b, "oldest", call->no.oldest.v);
	serve_end(p, mark);
}

static void
answer_opened(struct serve_conn *p, struct serve_call *call)
{
	uint64_t handle = handles_put(&p->snapshots, call->spool);
	struct spool *spool = call->spool;
	struct mp_buf *b;
	size_t mark;

	if (!handle) {
		serve_refuse(p, call->req.id, PROTO_UNAVAILABLE,
		    "too many snapshots are open on this connection");
		return;
	}
	call->spool = NULL; /* the handle's now */
	b = serve_begin(p, &mark);
	proto_pack_head(b, "opened", call->req.id, 4);
	mp_pair_uint(b, "snapshot", handle);
	mp_pair_uint(b, "seq", spool_seq(spool));
	mp_pair_bool(b, "full", spool_full(spool));
	mp_pair_uint(b, "rows", spool_rows(spool));
	serve_end(p, mark);
}

static void
answer(struct serve_conn *p, struct serve_call *call)
{
	size_t mark;

	if (call->code) {
		answer_refusal(p, call);
	} else if (call->req.op == PROTO_OPEN) {
		answer_opened(p, call);
	} else if (call->reply.len) {
		mp_pack_raw(serve_begin(p, &mark),
		    slice_of(call->reply.p, call->reply.len));
		serve_end(p, mark);
	}
}

void
serve_call_end(struct serve_call *call, struct serve_conn *p)
{
	if (p) {
		p->calls--;
		p->call_bytes -= call->size;
		p->sv->call_bytes -= call->size;
	}
	(void)spool_unref(call->spool);
	topic_set_deinit(&call->set);
	mp_buf_deinit(&call->reply);
	free(call);
}

struct serve_conn *
serve_call_finish(struct serve_call *call)
{
	struct serve_conn *p = serve_conn_find(call->sv, call->conn);

	METERS_RECORD(query_time, time_mono_ns() - call->began_ns, 1);
	if (p && call->code == PROTO_OK && call->req.op == PROTO_STATE) {
		serve_state_begin(p, call, TAKE(call->spool));
	} else {
		if (p)
			answer(p, call);
		serve_call_end(call, p);
	}
	return p;
}

static void
done(struct job *job, bool ran)
{
	struct serve_call *call = CONTAINER_OF(job, struct serve_call, job);
	struct serve *sv = call->sv;
	struct serve_conn *p;

	if (!ran) {
		serve_call_end(call, serve_conn_find(sv, call->conn));
		return;
	}
	p = serve_call_finish(call);
	if (p)
		serve_conn_settle(p);
	serve_conn_resume(sv);
}

/* --- in the loop: the way there --- */

void
serve_call_run(struct serve_call *call)
{
	struct serve_conn *p = serve_conn_find(call->sv, call->conn);

	if (p)
		jobs_put(&p->lane, &call->job);
	else
		serve_call_end(call, NULL);
}

/* Past states and history read the log, and may take their time. */
static enum jobs_pace
pace_of(const struct proto_request *req)
{
	switch (req->op) {
	case PROTO_HISTORY:
		return JOBS_SLOW;
	case PROTO_OPEN:
	case PROTO_STATE:
		return req->state.at.p ? JOBS_SLOW : JOBS_SNAPSHOT;
	default:
		return JOBS_QUICK;
	}
}

/* What has to be there before a worker begins. */
static void
set_needs(struct serve_call *call)
{
	const struct proto_request *req = &call->req;

	switch (req->op) {
	case PROTO_OPEN:
		call->min_seq = req->state.since.v; /* 0 without one */
						    /* fall through */
	case PROTO_STATE:
		call->min_seq = MAX(call->min_seq, req->state.min_seq.v);
		call->gated = true;
		break;
	case PROTO_HISTORY:
		call->min_seq = req->history.min_seq.v;
		call->gated = true;
		break;
	default:
		break;
	}
}

static struct serve_call *
call_new(struct serve_conn *p, struct slice value)
{
	struct serve_call *call = calloc(1, sizeof(*call) + value.len);
	struct proto_request *req;
	struct reason why;

	if (!call)
		return NULL;
	call->sv = p->sv;
	call->conn = p->id;
	call->began_ns = time_mono_ns();
	call->size = sizeof(*call) + value.len;
	call->job.run = run;
	call->job.done = done;
	memcpy(call->message, value.p, value.len);
	req = &call->req;
	/* It was parsed once where it lay before. */
	if (proto_request_parse_local(
		slice_of(call->message, value.len), req, &why) != PROTO_OK ||
	    ((req->op == PROTO_OPEN || req->op == PROTO_STATE) &&
		topic_set_init(&call->set, req->state.topics, req->read,
		    req->admin) < 0)) {
		free(call);
		return NULL;
	}
	call->job.pace = pace_of(req);
	set_needs(call);
	return call;
}

void
serve_call_begin(struct serve_conn *p, struct slice value)
{
	struct serve_call *call = call_new(p, value);

	if (!call) {
		p->dead = true;
		return;
	}
	p->calls++;
	p->call_bytes += call->size;
	p->sv->call_bytes += call->size;
	serve_wait(call);
}
