/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the broker answers.  A session has one question under way and one
 * answer in hand at a time, so that a client who does not read costs no more,
 * and a user a few; what it may see goes along with each question.
 */

#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/topic.h"
#include "gateway/alloc.h"
#include "gateway/ask.h"
#include "gateway/counters.h"
#include "gateway/fetch.h"
#include "gateway/session_priv.h"

enum {
	DEFAULT_LIMIT = 100, /* of a page, as doc/protocol.md has it */
};

static const char nothing_readable[] =
    "nothing of what is asked for may be read";

struct session_query *
session_query_find(const struct session *s, uint64_t id)
{
	struct session_query *q;

	TAILQ_FOREACH (q, &s->queries, link)
		if (q->id.set && q->id.v == id)
			return q;
	return NULL;
}

void
session_query_free(struct session_query *q)
{
	(void)ask_cancel(q->call);
	(void)block_unref(q->answer);
	if (q->op != PROTO_SUBSCRIBE && q->running)
		turns_done(q->session->turns);
	else if (q->op != PROTO_SUBSCRIBE)
		turns_drop(q->session->turns);
	TAILQ_REMOVE(&q->session->queries, q, link);
	free(q);
}

void
session_query_end_all(struct session *s)
{
	while (!TAILQ_EMPTY(&s->queries))
		session_query_free(TAILQ_FIRST(&s->queries));
}

static void
refuse(struct session *s, struct proto_uint id, const struct fetch_refusal *no)
{
	struct mp_buf b = { 0 };

	proto_pack_error(&b, id, no->code, no->message, no->retry_ms);
	session_say(s, &b);
}

static void
refuse_away(struct session *s, struct proto_uint id)
{
	struct fetch_refusal no;

	(void)fetch_refusal_of(slice_of(NULL, 0), &no);
	refuse(s, id, &no);
}

/* Keep the request that is being served; NULL: too many, and told so. */
static struct session_query *
query_new(struct session *s, const struct proto_request *req)
{
	uint64_t max = conf_uint(s->gw->conf, CONF_gateway_max_message);
	struct slice msg = s->message;
	struct session_query *q;
	unsigned positions = 0;
	size_t held = 0;

	TAILQ_FOREACH (q, &s->queries, link) {
		held += q->len;
		positions += q->op == PROTO_SUBSCRIBE;
	}
	if (req->op == PROTO_SUBSCRIBE ? positions >= SESSION_POSITIONS
				       : !turns_hold(s->turns)) {
		COUNTERS_ADD(limited_queries, 1);
		session_error(s, req->id, PROTO_RATE_LIMITED,
		    "too many queries of this user wait for answers");
		return NULL;
	}
	if (held > 0 && held + msg.len > max) {
		if (req->op != PROTO_SUBSCRIBE)
			turns_drop(s->turns);
		COUNTERS_ADD(limited_queries, 1);
		session_error(s, req->id, PROTO_RATE_LIMITED,
		    "the queries of this connection that wait are too long");
		return NULL;
	}
	q = alloc_zero(1, sizeof(*q) + msg.len);
	q->session = s;
	q->id = req->id;
	q->op = req->op;
	q->len = msg.len;
	memcpy(q->message, msg.p, msg.len);
	TAILQ_INSERT_TAIL(&s->queries, q, link);
	return q;
}

/* --- history and presence --- */

/*
 * What the broker is told of a client's request.  Keys that nobody knows are
 * ignored here: they may be longer than any frame that the broker takes.
 */
static bool
is_passed_on(enum proto_op op, struct slice name)
{
	static const char *const of_history[] = { "topic", "actor", "type",
		"after", "before", "from_time", "to_time", "reverse",
		"min_seq" };

	if (op != PROTO_HISTORY)
		return slice_is(name, "topics");
	for (unsigned i = 0; i < ARRAY_LEN(of_history); i++)
		if (slice_is(name, of_history[i]))
			return true;
	return false;
}

/* So many events as the client wants, and the operator allows. */
static void
pack_limit(struct mp_buf *b, const struct session_query *q)
{
	const struct conf *conf = q->session->gw->conf;
	struct proto_uint limit =
	    proto_get_uint(slice_of(q->message, q->len), "limit");

	mp_pair_uint(b, "limit",
	    MIN(limit.set ? limit.v : DEFAULT_LIMIT,
		conf_uint(conf, CONF_gateway_page_events)));
}

/* The client's request with our id and its permissions. */
static void
pack_question(struct mp_buf *b, const struct session_query *q,
    struct proto_uint id, const struct acl *acl)
{
	struct mp_walk w = mp_walk(slice_of(q->message, q->len));
	struct slice name, value;
	struct mp_item map;
	uint32_t n = 0;
	size_t at;

	at = mp_begin(b);
	mp_pair_cstr(b, "op", proto_op_name(q->op));
	mp_pair_uint(b, "id", id.v);
	mp_pack_cstr(b, "read");
	mp_pack_array(b, acl->n_read);
	for (unsigned i = 0; i < acl->n_read; i++)
		mp_pack_cstr(b, acl->read[i]);
	mp_pair_bool(b, "admin", acl->admin);
	if (q->op == PROTO_HISTORY) {
		pack_limit(b, q);
		n++;
	}
	for (uint32_t i = mp_next(&w, &map) ? map.n : 0; i > 0; i--) {
		struct mp_walk key = w;

		if (!mp_next_name(&w, &name) || !mp_skip(&w, &value))
			break;
		if (!name.p || !is_passed_on(q->op, name))
			continue;
		mp_buf_bytes(b, key.p, (size_t)(value.p - key.p));
		mp_pack_raw(b, value);
		n++;
	}
	mp_end_map(b, at, 4 + n);
}

static void
on_answer(void *arg, struct slice reply)
{
	struct session_query *q = arg;
	struct session *s = q->session;
	struct fetch_refusal no;
	struct mp_buf b = { 0 };

	q->call = NULL;
	if (reply.p) {
		proto_pack_reply(&b, reply, q->id);
		if (b.failed)
			alloc_failed();
		q->answer = alloc_message(slice_of(b.p, b.len));
		mp_buf_deinit(&b);
	} else {
		(void)fetch_refusal_of(reply, &no);
		refuse(s, q->id, &no);
		session_query_free(q);
	}
	session_query_pump(s);
}

/* The oldest of those that are asked here; NULL: none. */
static struct session_query *
first(const struct session *s)
{
	struct session_query *q;

	TAILQ_FOREACH (q, &s->queries, link)
		if (q->op != PROTO_SUBSCRIBE && q->op != PROTO_STATE)
			return q;
	return NULL;
}

void
session_query_again(struct session *s)
{
	struct session_query *q;

	TAILQ_FOREACH (q, &s->queries, link)
		if (q->op != PROTO_SUBSCRIBE) {
			q->call = ask_cancel(q->call);
			q->answer = block_unref(q->answer);
		}
	session_query_pump(s);
}

static void
ask_first(struct session *s, struct session_query *q)
{
	struct proto_uint id = { .set = true };
	struct mp_buf *b = ask_begin(s->gw->ask, &id.v);

	pack_question(b, q, id, &s->acl);
	q->call = ask_end(s->gw->ask, on_answer, q);
}

/* Has what is asked for anything in common with what may be read? */
static bool
permitted(const struct session *s, const struct proto_request *req)
{
	if (req->op != PROTO_HISTORY)
		return session_readable(s, req->state.topics);
	if (req->history.topic.p)
		return acl_pattern_readable(&s->acl, req->history.topic);
	return s->acl.n_read > 0;
}

/* As it is asked of the broker: a map may hold more than the time. */
static void
pack_at(struct mp_buf *b, struct slice at)
{
	struct proto_uint time = proto_get_uint(at, "time");

	if (time.set) {
		mp_pack_map(b, 1);
		mp_pair_uint(b, "time", time.v);
	} else if (at.len > 0) {
		mp_pack_raw(b, at);
	}
	if (b->failed)
		alloc_failed();
}

/* Its turn has come; what may be read can have changed since it was asked. */
static void
start_state(struct session *s, struct session_query *q)
{
	struct mp_buf at CLEANUP(mp_buf_deinit) = { 0 };
	struct filter *filter CLEANUP(filter_unrefp) = NULL;
	struct proto_request req = { 0 };
	struct reason why = { "" };

	q->running = true;
	if (proto_request_parse(slice_of(q->message, q->len), &req, &why) !=
		PROTO_OK ||
	    !permitted(s, &req)) {
		session_error(s, q->id, PROTO_FORBIDDEN, nothing_readable);
		session_query_free(q);
		return;
	}
	filter = filter_make(s->gw->groups.filters, req.state.topics,
	    slice_of(NULL, 0), &s->acl);
	pack_at(&at, req.state.at);
	send_subscribe_snapshot(&s->sender, &(const struct send_snapshot){
						.id = req.id,
						.filter = filter,
						.min_seq = req.state.min_seq.v,
						.at = slice_of(at.p, at.len),
						.query = true,
					    });
	/* The query of the sender has the turn from now on. */
	q->op = PROTO_SUBSCRIBE;
	session_query_free(q);
	send_pump(&s->sender);
}

/* The first history or presence: asked, or answered if it was. */
static bool
ask_or_answer(struct session *s, struct session_query *q)
{
	if (!q->answer && ask_is_up(s->gw->ask)) {
		if (!q->running && !turns_take(s->turns, &s->turn))
			return false;
		q->running = true;
		ask_first(s, q);
		return false;
	}
	if (!q->answer)
		refuse_away(s, q->id);
	else if (conn_is_ready(s->conn))
		(void)conn_send(s->conn, q->answer);
	else
		return false;
	session_query_free(q);
	return true;
}

void
session_query_pump(struct session *s)
{
	struct session_query *q, *next;

	for (q = TAILQ_FIRST(&s->queries); q; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->op != PROTO_STATE)
			continue;
		if (!turns_take(s->turns, &s->turn))
			break;
		start_state(s, q);
	}
	while (!s->gw->hub.paused && (q = first(s)) && !q->call)
		if (!ask_or_answer(s, q))
			return;
}

void
session_query_go(struct turn *turn)
{
	session_query_pump(CONTAINER_OF(turn, struct session, turn));
}

void
session_answered(void *gw, struct sender *sender)
{
	turns_done(CONTAINER_OF(sender, struct session, sender)->turns);
}

void
session_query(struct session *s, const struct proto_request *req)
{
	if (!permitted(s, req))
		session_error(s, req->id, PROTO_FORBIDDEN, nothing_readable);
	else if (query_new(s, req))
		session_query_pump(s);
}

/* --- subscribing from a stored position --- */

static bool
is_stale(struct slice reply, struct slice name)
{
	struct slice stale = proto_get(reply, "stale");
	struct mp_walk w = mp_walk(stale);
	struct mp_item item;

	if (stale.len == 0 || !mp_next(&w, &item))
		return false;
	while (mp_next(&w, &item))
		if (item.type == MP_STR && slice_equal(item.s, name))
			return true;
	return false;
}

/* The value of name in the reply's `ack`, a map of uints. */
static struct proto_uint
stored(struct slice reply, struct slice name)
{
	struct slice ack = proto_get(reply, "ack"), key, value;
	struct mp_walk w = mp_walk(ack), at;
	struct mp_item map, item;

	if (ack.len == 0 || !mp_next(&w, &map) || map.type != MP_MAP)
		return (struct proto_uint){ 0 };
	for (uint32_t i = 0; i < map.n; i++) {
		if (!mp_next_name(&w, &key) || !mp_skip(&w, &value))
			break;
		at = mp_walk(value);
		if (key.p && slice_equal(key, name) && mp_next(&at, &item) &&
		    item.type == MP_UINT)
			return (struct proto_uint){ true, item.u };
	}
	return (struct proto_uint){ 0 };
}

static void
subscribe_at(
    struct session *s, const struct proto_request *req, struct slice reply)
{
	struct slice name = req->subscribe.name;
	struct proto_uint position = stored(reply, name);

	if (!session_readable(s, req->subscribe.topics))
		session_error(s, req->id, PROTO_FORBIDDEN,
		    "none of 'topics' may be read any more");
	else if (position.set)
		session_subscribe_from(s, req, position.v);
	else if (is_stale(reply, name))
		session_error(s, req->id, PROTO_LOG_CHANGED,
		    "the stored position is one of another log");
	else
		session_error(s, req->id, PROTO_NOT_FOUND,
		    "no position is stored under this name");
}

static void
on_position(void *arg, struct slice reply)
{
	struct session_query *q = arg;
	struct session *s = q->session;
	struct proto_request req;
	struct fetch_refusal no;
	struct reason why;
	enum proto_code code;

	q->call = NULL;
	TAILQ_REMOVE(&s->queries, q, link);
	if (fetch_refusal_of(reply, &no)) {
		refuse(s, q->id, &no);
	} else {
		code = proto_request_parse(
		    slice_of(q->message, q->len), &req, &why);
		if (code == PROTO_OK)
			subscribe_at(s, &req, reply);
	}
	free(q);
}

void
session_subscribe_ack(struct session *s, const struct proto_request *req)
{
	struct session_query *q;

	if (!s->durable) {
		session_error(s, req->id, PROTO_NOT_FOUND,
		    "'hello' named no client that positions are stored for");
		return;
	}
	if (!ask_is_up(s->gw->ask)) {
		refuse_away(s, req->id);
		return;
	}
	q = query_new(s, req);
	if (!q)
		return;
	session_ack_flush(s);
	q->call = session_ask_cursors(s, on_position, q);
}
