/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A row of this world is the last event of its topic: its seq is all that
 * its value says.  Parts hold one to three rows, pages a few requests.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "core/proto.h"
#include "core/topic.h"
#include "core/topic_set.h"
#include "gateway/ask.h"
#include "tests/lib/chainbroker.h"

enum {
	ROWS_A_PART = 3,
	PAGE_EVENTS = 12
};

struct ask_call {
	struct ask_call *next;
	ask_answer *fn; /* NULL: cancelled */
	void *arg;
	struct mp_buf request;
};

struct spool {
	struct spool *next;
	uint64_t handle, seq, since;
	bool gone;
	struct topic_set set;
};

struct ask {
	struct chainfix *w;
	bool up;
	uint64_t seq; /* folded so far */
	uint64_t next_id, next_handle;
	struct chainbroker_counts counts;
	struct mp_buf packing;
	struct ask_call *calls;
	struct spool *spools;
};

/* --- what gateway/ask is to the gateway --- */

bool
ask_is_up(const struct ask *a)
{
	return a->up;
}

bool
ask_takes(const struct ask *a)
{
	return a->up;
}

struct mp_buf *
ask_begin(struct ask *a, uint64_t *id)
{
	assert(a->up);
	*id = ++a->next_id;
	a->packing.len = 0;
	return &a->packing;
}

struct ask_call *
ask_end(struct ask *a, ask_answer *fn, void *arg)
{
	struct ask_call *call = calloc(1, sizeof(*call));

	call->fn = fn;
	call->arg = arg;
	mp_buf_bytes(&call->request, a->packing.p, a->packing.len);
	call->next = a->calls;
	a->calls = call;
	return call;
}

static struct spool *
find_spool(struct ask *b, uint64_t handle)
{
	struct spool *s = b->spools;

	while (s && s->handle != handle)
		s = s->next;
	return s;
}

static void
free_spool(struct ask *b, struct spool *s)
{
	struct spool **at = &b->spools;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	topic_set_deinit(&s->set);
	free(s);
}

void
ask_tell(struct ask *a)
{
	struct slice msg = slice_of(a->packing.p, a->packing.len);
	struct spool *s;

	assert(slice_is(proto_get_str(msg, "op"), "close"));
	s = find_spool(a, proto_get_uint(msg, "snapshot").v);
	if (s)
		free_spool(a, s);
}

struct ask_call *
ask_cancel(struct ask_call *call)
{
	if (call)
		call->fn = NULL;
	return NULL;
}

static void
finish(struct ask_call *call, struct slice reply)
{
	if (call->fn)
		call->fn(call->arg, reply);
	mp_buf_deinit(&call->request);
	free(call);
}

/* --- answers --- */

/* The last event of topic up to seq; 0: there is none. */
static uint64_t
last_of(const struct chainfix *w, const char *topic, uint64_t seq)
{
	while (seq > 0 && strcmp(w->events[seq - 1].topic, topic) != 0)
		seq--;
	return seq;
}

static void
pack_row(struct mp_buf *b, const char *topic, uint64_t seq)
{
	mp_pack_array(b, 9);
	mp_pack_cstr(b, topic);
	mp_pack_uint(b, 1);
	mp_pack_uint(b, seq);
	mp_pack_uint(b, 0);
	mp_pack_cstr(b, "");
	mp_pack_uint(b, 0);
	mp_pack_cstr(b, "");
	mp_pack_bool(b, false);
	mp_pack_uint(b, seq);
}

static void
answer_open(struct ask *b, const struct proto_request *req, struct mp_buf *out)
{
	struct spool *s = calloc(1, sizeof(*s));

	b->counts.opens++;
	s->handle = ++b->next_handle;
	s->seq = b->seq;
	s->since = req->state.since.v;
	assert(topic_set_init(
		   &s->set, req->state.topics, req->read, req->admin) == 0);
	s->next = b->spools;
	b->spools = s;
	proto_pack_head(out, "opened", req->id, 3);
	mp_pair_uint(out, "snapshot", s->handle);
	mp_pair_uint(out, "seq", s->seq);
	mp_pair_bool(out, "full", !req->state.since.set);
}

static void
answer_part(struct ask *b, const struct proto_request *req, struct mp_buf *out)
{
	struct spool *s = find_spool(b, req->part.snapshot.v);
	uint64_t first = req->part.n.v * ROWS_A_PART, row = 0;
	uint32_t n = 0;
	size_t at;

	b->counts.parts++;
	if (!s || s->gone) {
		proto_pack_error(
		    out, req->id, PROTO_NOT_FOUND, "the spool had to go", 0);
		return;
	}
	proto_pack_head(out, "part", req->id, 2);
	mp_pack_cstr(out, "rows");
	at = mp_begin(out);
	for (unsigned i = 0; i < chainfix_n_topics; i++) {
		const char *topic = chainfix_topics[i];
		uint64_t seq = last_of(b->w, topic, s->seq);

		if (seq <= s->since ||
		    !topic_set_matches(&s->set, slice_cstr(topic)))
			continue;
		if (row >= first && row < first + ROWS_A_PART) {
			pack_row(out, topic, seq);
			n++;
		}
		row++;
	}
	mp_end_array(out, at, n);
	mp_pair_bool(out, "last", row <= first + ROWS_A_PART);
}

static bool
type_matches(struct slice types, const char *type)
{
	struct mp_walk w = mp_walk(types);
	struct mp_item item;

	if (!types.p)
		return true;
	(void)mp_next(&w, &item);
	while (mp_next(&w, &item))
		if (topic_glob_match(item.s, slice_cstr(type)))
			return true;
	return false;
}

static void
answer_page(struct ask *b, const struct proto_request *req, struct mp_buf *out)
{
	const struct chainfix *w = b->w;
	uint64_t seq = req->page.after.v;
	struct topic_set set;
	uint32_t n = 0, looked = 0;
	size_t at;

	b->counts.pages++;
	assert(
	    topic_set_init(&set, req->page.topics, req->read, req->admin) == 0);
	proto_pack_head(out, "page", req->id, 3);
	mp_pair_uint(out, "after", seq);
	mp_pack_cstr(out, "events");
	at = mp_begin(out);
	for (; seq < req->page.upto.v; looked++) {
		const struct chainfix_event *ev = &w->events[seq++];

		if (topic_set_matches(&set, slice_cstr(ev->topic)) &&
		    type_matches(req->page.types, ev->type)) {
			mp_buf_bytes(out, ev->bytes, ev->len);
			n++;
		}
		if (ev->last && looked >= PAGE_EVENTS)
			break;
	}
	mp_end_array(out, at, n);
	mp_pair_uint(out, "upto", seq);
	topic_set_deinit(&set);
}

/* Has the broker got to what the request needs? */
static bool
can_answer(const struct ask *b, const struct ask_call *call)
{
	struct slice msg = slice_of(call->request.p, call->request.len);

	return proto_get_uint(msg, "min_seq").v <= b->seq;
}

bool
chainbroker_answer(struct ask *b)
{
	uint64_t skip = chainfix_random(b->w, 3);
	struct ask_call **at = &b->calls, **found = NULL, *call;
	struct proto_request req;
	struct mp_buf out = { 0 };

	for (; *at && (!found || skip > 0); at = &(*at)->next)
		if (can_answer(b, *at)) {
			skip -= found != NULL;
			found = at;
		}
	if (!found)
		return false;
	call = *found;
	*found = call->next;
	assert(proto_request_parse_local(
		   slice_of(call->request.p, call->request.len), &req, NULL) ==
	       PROTO_OK);
	if (req.op == PROTO_OPEN)
		answer_open(b, &req, &out);
	else if (req.op == PROTO_PART)
		answer_part(b, &req, &out);
	else
		answer_page(b, &req, &out);
	finish(call, slice_of(out.p, out.len));
	mp_buf_deinit(&out);
	return true;
}

/* --- its life --- */

void
chainbroker_fold(struct ask *b, bool all)
{
	uint64_t left = b->w->n_events - b->seq;

	b->seq += all ? left : chainfix_random(b->w, left + 1);
	while (b->seq < b->w->n_events && b->seq > 0 &&
	       !b->w->events[b->seq - 1].last)
		b->seq++;
}

void
chainbroker_leave(struct ask *b)
{
	b->up = false;
	while (b->spools)
		free_spool(b, b->spools);
	while (b->calls) {
		struct ask_call *call = b->calls;

		b->calls = call->next;
		finish(call, slice_of(NULL, 0));
	}
}

void
chainbroker_come(struct ask *b)
{
	if (!b->up)
		fetch_forget(b->w->fetch);
	b->up = true;
}

void
chainbroker_drop(struct ask *b)
{
	for (struct spool *s = b->spools; s; s = s->next)
		s->gone = true;
}

struct chainbroker_counts
chainbroker_counts(const struct ask *b)
{
	return b->counts;
}

struct ask *
chainbroker_new(struct chainfix *w)
{
	struct ask *b = calloc(1, sizeof(*b));

	assert(b);
	b->w = w;
	b->up = true;
	return b;
}

struct ask *
chainbroker_free(struct ask *b)
{
	chainbroker_leave(b);
	mp_buf_deinit(&b->packing);
	free(b);
	return NULL;
}
