/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests: one table of operations and one of the fields of each, from which
 * every message is checked and stored.  A field that a table doesn't name is
 * ignored; a named one of the wrong shape is refused by name.
 */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/diag.h"
#include "core/event.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/topic.h"

enum {
	PATTERNS_MAX = 256, /* of one subscription, query or list of types */
	NAME_MAX_BYTES = 128,
	LOG_NAME_MAX_BYTES = 256,
	AGENT_MAX_BYTES = 256,
	KEY_MAX_BYTES = 64,
	HISTORY_LIMIT_MAX = 10000,
	CONFLATE_LEAST_MS = 10,
	CONFLATE_MOST_MS = 60000,
};

enum kind {
	UINT,	  /* struct proto_uint, min to max */
	STR,	  /* slice, min to max bytes */
	TOPIC,	  /* slice */
	PATTERN,  /* slice */
	PATTERNS, /* slice of the array, min to max elements */
	TYPE,	  /* slice */
	GLOB,	  /* slice, min to max bytes */
	GLOBS,	  /* slice of the array, min to max elements */
	ACTOR,	  /* slice */
	BOOL,	  /* bool */
	ANY,	  /* slice of the value */
	MAP,	  /* slice of the map, none when it is empty */
	MAPS,	  /* slice of the array of maps, min to max elements */
	FROM,	  /* subscribe.from */
	EXPECT,	  /* proto_append_event.expect */
	AT,	  /* slice of a uint or {"time": uint} */
};

struct field {
	struct slice name;
	enum kind kind;
	bool required;
	size_t at; /* offset of its place */
	uint64_t min, max;
};

/* A map with named fields, and how a sentence calls it. */
struct shape {
	const char *noun;
	const struct field *fields;
	unsigned n;	  /* of everybody */
	unsigned n_local; /* of local peers, who have some more */
};

#define IN_REQUEST(member) offsetof(struct proto_request, member)
#define IN_EVENT(member)   offsetof(struct proto_append_event, member)
#define IN_CHECK(member)   offsetof(struct proto_check, member)
#define ANY_UINT	   0, PROTO_SEQ_MAX

/* What local peers say beside the rest; at the end of a table. */
#define READ_FIELDS                                                      \
	{ SLICE_STR("read"), PATTERNS, false, IN_REQUEST(read), 0,       \
		PATTERNS_MAX },                                          \
	{                                                                \
		SLICE_STR("admin"), BOOL, false, IN_REQUEST(admin), 0, 0 \
	}
#define OWNER_FIELDS                                                       \
	{ SLICE_STR("user"), STR, true, IN_REQUEST(ack.user), 0,           \
		NAME_MAX_BYTES },                                          \
	{                                                                  \
		SLICE_STR("client"), STR, true, IN_REQUEST(ack.client), 1, \
		    NAME_MAX_BYTES                                         \
	}

enum {
	N_READ_FIELDS = 2,
	N_ACK_LOCAL_FIELDS = 3
};

static const struct field hello_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("v"), UINT, true, IN_REQUEST(hello.v), ANY_UINT },
	/* Its length is the token reader's to judge, as the rest of it is. */
	{ SLICE_STR("token"), STR, false, IN_REQUEST(hello.token), 0,
	    UINT32_MAX },
	{ SLICE_STR("client"), STR, false, IN_REQUEST(hello.client), 1,
	    NAME_MAX_BYTES },
	{ SLICE_STR("agent"), STR, false, IN_REQUEST(hello.agent), 0,
	    AGENT_MAX_BYTES },
};

static const struct field auth_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("token"), STR, true, IN_REQUEST(hello.token), 0,
	    UINT32_MAX },
};

static const struct field subscribe_fields[] = {
	{ SLICE_STR("id"), UINT, true, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("topics"), PATTERNS, true, IN_REQUEST(subscribe.topics), 1,
	    PATTERNS_MAX },
	{ SLICE_STR("from"), FROM, true, IN_REQUEST(subscribe), ANY_UINT },
	{ SLICE_STR("name"), STR, false, IN_REQUEST(subscribe.name), 0,
	    NAME_MAX_BYTES },
	{ SLICE_STR("log"), STR, false, IN_REQUEST(subscribe.log), 0,
	    LOG_NAME_MAX_BYTES },
	{ SLICE_STR("since"), UINT, false, IN_REQUEST(subscribe.since),
	    ANY_UINT },
	{ SLICE_STR("scope"), ANY, false, IN_REQUEST(subscribe.scope), 0, 0 },
	{ SLICE_STR("types"), GLOBS, false, IN_REQUEST(subscribe.types), 1,
	    PATTERNS_MAX },
	{ SLICE_STR("conflate"), UINT, false, IN_REQUEST(subscribe.conflate),
	    CONFLATE_LEAST_MS, CONFLATE_MOST_MS },
	{ SLICE_STR("min_seq"), UINT, false, IN_REQUEST(subscribe.min_seq),
	    ANY_UINT },
};

static const struct field unsubscribe_fields[] = {
	{ SLICE_STR("id"), UINT, true, IN_REQUEST(id), ANY_UINT },
};

static const struct field append_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("events"), MAPS, true, IN_REQUEST(append.events), 1,
	    EVENT_REQUEST_MAX },
	{ SLICE_STR("checks"), MAPS, false, IN_REQUEST(append.checks), 0,
	    EVENT_REQUEST_MAX },
};

static const struct field emit_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("topic"), TOPIC, true, IN_REQUEST(emit.topic), 0, 0 },
	{ SLICE_STR("type"), TYPE, true, IN_REQUEST(emit.type), 0, 0 },
	{ SLICE_STR("data"), ANY, true, IN_REQUEST(emit.data), 0, 0 },
	{ SLICE_STR("actor"), ACTOR, false, IN_REQUEST(emit.actor), 0, 0 },
};

static const struct field ack_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("seq"), UINT, true, IN_REQUEST(ack.seq), ANY_UINT },
	{ SLICE_STR("name"), STR, false, IN_REQUEST(ack.name), 0,
	    NAME_MAX_BYTES },
	OWNER_FIELDS,
	{ SLICE_STR("log"), STR, true, IN_REQUEST(ack.log), 1,
	    LOG_NAME_MAX_BYTES },
};

static const struct field state_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("topics"), PATTERNS, true, IN_REQUEST(state.topics), 1,
	    PATTERNS_MAX },
	{ SLICE_STR("at"), AT, false, IN_REQUEST(state.at), ANY_UINT },
	{ SLICE_STR("min_seq"), UINT, false, IN_REQUEST(state.min_seq),
	    ANY_UINT },
	READ_FIELDS,
};

static const struct field history_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("topic"), PATTERN, false, IN_REQUEST(history.topic), 0, 0 },
	{ SLICE_STR("actor"), ACTOR, false, IN_REQUEST(history.actor), 0, 0 },
	{ SLICE_STR("type"), GLOB, false, IN_REQUEST(history.type), 1,
	    TOPIC_TYPE_MAX },
	{ SLICE_STR("after"), UINT, false, IN_REQUEST(history.after),
	    ANY_UINT },
	{ SLICE_STR("before"), UINT, false, IN_REQUEST(history.before),
	    ANY_UINT },
	{ SLICE_STR("from_time"), UINT, false, IN_REQUEST(history.from_time),
	    ANY_UINT },
	{ SLICE_STR("to_time"), UINT, false, IN_REQUEST(history.to_time),
	    ANY_UINT },
	{ SLICE_STR("limit"), UINT, false, IN_REQUEST(history.limit), 1,
	    HISTORY_LIMIT_MAX },
	{ SLICE_STR("reverse"), BOOL, false, IN_REQUEST(history.reverse), 0,
	    0 },
	{ SLICE_STR("min_seq"), UINT, false, IN_REQUEST(history.min_seq),
	    ANY_UINT },
	READ_FIELDS,
};

static const struct field presence_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("topics"), PATTERNS, true, IN_REQUEST(state.topics), 1,
	    PATTERNS_MAX },
	READ_FIELDS,
};

static const struct field ping_fields[] = {
	{ SLICE_STR("id"), UINT, false, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("t"), ANY, false, IN_REQUEST(ping.t), 0, 0 },
};

static const struct field event_fields[] = {
	{ SLICE_STR("topic"), TOPIC, true, IN_EVENT(topic), 0, 0 },
	{ SLICE_STR("type"), TYPE, true, IN_EVENT(type), 0, 0 },
	{ SLICE_STR("data"), ANY, true, IN_EVENT(data), 0, 0 },
	{ SLICE_STR("key"), STR, false, IN_EVENT(key), 1, KEY_MAX_BYTES },
	{ SLICE_STR("expect"), EXPECT, false, 0, ANY_UINT },
	{ SLICE_STR("actor"), ACTOR, false, IN_EVENT(actor), 0, 0 },
	{ SLICE_STR("schema"), UINT, false, IN_EVENT(schema), ANY_UINT },
	{ SLICE_STR("meta"), MAP, false, IN_EVENT(meta), 0, 0 },
	{ SLICE_STR("time"), UINT, false, IN_EVENT(time_us), ANY_UINT },
};

static const struct field check_fields[] = {
	{ SLICE_STR("topic"), TOPIC, true, IN_CHECK(topic), 0, 0 },
	{ SLICE_STR("version"), UINT, true, IN_CHECK(version), ANY_UINT },
};

static const struct field open_fields[] = {
	{ SLICE_STR("id"), UINT, true, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("topics"), PATTERNS, true, IN_REQUEST(state.topics), 1,
	    PATTERNS_MAX },
	{ SLICE_STR("at"), AT, false, IN_REQUEST(state.at), ANY_UINT },
	{ SLICE_STR("since"), UINT, false, IN_REQUEST(state.since), ANY_UINT },
	{ SLICE_STR("min_seq"), UINT, false, IN_REQUEST(state.min_seq),
	    ANY_UINT },
	READ_FIELDS,
};

static const struct field part_fields[] = {
	{ SLICE_STR("id"), UINT, true, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("snapshot"), UINT, true, IN_REQUEST(part.snapshot),
	    ANY_UINT },
	{ SLICE_STR("n"), UINT, true, IN_REQUEST(part.n), ANY_UINT },
};

static const struct field close_fields[] = {
	{ SLICE_STR("snapshot"), UINT, true, IN_REQUEST(part.snapshot),
	    ANY_UINT },
};

static const struct field page_fields[] = {
	{ SLICE_STR("id"), UINT, true, IN_REQUEST(id), ANY_UINT },
	{ SLICE_STR("topics"), PATTERNS, true, IN_REQUEST(page.topics), 1,
	    PATTERNS_MAX },
	{ SLICE_STR("types"), GLOBS, false, IN_REQUEST(page.types), 1,
	    PATTERNS_MAX },
	{ SLICE_STR("after"), UINT, true, IN_REQUEST(page.after), ANY_UINT },
	{ SLICE_STR("upto"), UINT, true, IN_REQUEST(page.upto), ANY_UINT },
	READ_FIELDS,
};

static const struct field cursors_fields[] = {
	{ SLICE_STR("id"), UINT, true, IN_REQUEST(id), ANY_UINT },
	OWNER_FIELDS,
};

static const struct field leave_fields[] = {
	OWNER_FIELDS,
};

static const struct field present_fields[] = {
	{ SLICE_STR("member"), UINT, true, IN_REQUEST(present.member),
	    ANY_UINT },
	{ SLICE_STR("since"), UINT, true, IN_REQUEST(present.since), ANY_UINT },
	{ SLICE_STR("user"), STR, true, IN_REQUEST(present.user), 0,
	    NAME_MAX_BYTES },
	{ SLICE_STR("client"), STR, true, IN_REQUEST(present.client), 0,
	    NAME_MAX_BYTES },
	{ SLICE_STR("topics"), PATTERNS, true, IN_REQUEST(present.topics), 1,
	    PATTERNS_MAX },
	READ_FIELDS,
};

static const struct field absent_fields[] = {
	{ SLICE_STR("member"), UINT, true, IN_REQUEST(present.member),
	    ANY_UINT },
};

/* The last n_local fields count for local peers alone. */
#define SHAPE_LOCAL(noun, fields, n_local)                                     \
	{                                                                      \
		noun, fields, ARRAY_LEN(fields) - (n_local), ARRAY_LEN(fields) \
	}
#define SHAPE(noun, fields) SHAPE_LOCAL(noun, fields, 0)

static const struct shape requests[PROTO_LOCAL_OPS] = {
	[PROTO_HELLO] = SHAPE("hello", hello_fields),
	[PROTO_AUTH] = SHAPE("auth", auth_fields),
	[PROTO_SUBSCRIBE] = SHAPE("subscribe", subscribe_fields),
	[PROTO_UNSUBSCRIBE] = SHAPE("unsubscribe", unsubscribe_fields),
	[PROTO_APPEND] = SHAPE("append", append_fields),
	[PROTO_EMIT] = SHAPE("emit", emit_fields),
	[PROTO_ACK] = SHAPE_LOCAL("ack", ack_fields, N_ACK_LOCAL_FIELDS),
	[PROTO_STATE] = SHAPE_LOCAL("state", state_fields, N_READ_FIELDS),
	[PROTO_HISTORY] = SHAPE_LOCAL("history", history_fields, N_READ_FIELDS),
	[PROTO_PRESENCE] =
	    SHAPE_LOCAL("presence", presence_fields, N_READ_FIELDS),
	[PROTO_PING] = SHAPE("ping", ping_fields),
	[PROTO_OPEN] = SHAPE("open", open_fields),
	[PROTO_PART] = SHAPE("part", part_fields),
	[PROTO_CLOSE] = SHAPE("close", close_fields),
	[PROTO_PAGE] = SHAPE("page", page_fields),
	[PROTO_CURSORS] = SHAPE("cursors", cursors_fields),
	[PROTO_LEAVE] = SHAPE("leave", leave_fields),
	[PROTO_PRESENT] = SHAPE("present", present_fields),
	[PROTO_ABSENT] = SHAPE("absent", absent_fields),
};

static const struct shape event_shape = SHAPE("an event", event_fields);
static const struct shape check_shape = SHAPE("a check", check_fields);

const char *
proto_op_name(enum proto_op op)
{
	return op < PROTO_LOCAL_OPS ? requests[op].noun : NULL;
}

/* What is wrong with a field, before it is said whose it is. */
static enum proto_code
wrong(struct reason *what, const char *sentence)
{
	(void)reason_set(what, 0, "%s", sentence);
	return PROTO_BAD_REQUEST;
}

static enum proto_code
store_uint(const struct field *f, const struct mp_item *item,
    struct proto_uint *to, struct reason *what)
{
	if (item->type != MP_UINT)
		return wrong(what, "must be an integer of 0 or more");
	if (item->u < f->min || item->u > f->max) {
		(void)reason_set(what, 0,
		    "%" PRIu64 " is not within %" PRIu64 " to %" PRIu64,
		    item->u, f->min, f->max);
		return PROTO_BAD_REQUEST;
	}
	*to = (struct proto_uint){ true, item->u };
	return PROTO_OK;
}

/* A str of one of the kinds that are checked by their content. */
static enum proto_code
check_str(enum kind kind, uint64_t min, uint64_t max,
    const struct mp_item *item, struct reason *what)
{
	bool valid;

	if (item->type != MP_STR)
		return wrong(what, "must be a str");
	switch (kind) {
	case TOPIC:
		valid = topic_valid(item->s, what);
		break;
	case PATTERN:
	case PATTERNS:
		valid = topic_pattern_valid(item->s, what);
		break;
	case TYPE:
		valid = topic_type_valid(item->s, what);
		break;
	case ACTOR:
		valid = topic_actor_valid(item->s, what);
		break;
	default:
		valid = item->s.len >= min && item->s.len <= max;
		if (!valid)
			(void)reason_set(what, 0,
			    "%zu bytes are not within %" PRIu64 " to %" PRIu64,
			    item->s.len, min, max);
		break;
	}
	return valid ? PROTO_OK : PROTO_BAD_REQUEST;
}

static enum proto_code
store_str(const struct field *f, const struct mp_item *item, struct slice *to,
    struct reason *what)
{
	enum proto_code code = check_str(f->kind, f->min, f->max, item, what);

	if (!code)
		*to = item->s;
	return code;
}

/* An array; w stands behind its head, and in the end behind its last value. */
static enum proto_code
check_array(const struct field *f, const struct mp_item *head,
    struct mp_walk *w, struct reason *what)
{
	struct slice value;
	struct mp_item item;
	enum proto_code code = PROTO_OK;

	if (head->type != MP_ARRAY)
		return wrong(what, "must be an array");
	if (head->n < f->min || head->n > f->max) {
		(void)reason_set(what, 0,
		    "%" PRIu32 " elements are not within %" PRIu64
		    " to %" PRIu64,
		    head->n, f->min, f->max);
		/* Only a request's events have a code for too many. */
		return f->kind == MAPS && head->n > f->max ? PROTO_TOO_LARGE
							   : PROTO_BAD_REQUEST;
	}
	for (uint32_t i = 0; !code && i < head->n; i++) {
		struct mp_walk at = *w;

		if (!mp_next(&at, &item) || !mp_skip(w, &value))
			return wrong(what, "is cut short");
		if (f->kind != MAPS)
			code =
			    check_str(f->kind, 1, TOPIC_TYPE_MAX, &item, what);
		else if (item.type != MP_MAP)
			code = wrong(what, "must be an array of maps");
	}
	return code;
}

static enum proto_code
store_from(
    const struct mp_item *item, struct proto_request *req, struct reason *what)
{
	if (item->type == MP_UINT && item->u <= PROTO_SEQ_MAX) {
		req->subscribe.from = PROTO_FROM_SEQ;
		req->subscribe.from_seq = item->u;
	} else if (item->type == MP_STR && slice_is(item->s, "now")) {
		req->subscribe.from = PROTO_FROM_NOW;
	} else if (item->type == MP_STR && slice_is(item->s, "snapshot")) {
		req->subscribe.from = PROTO_FROM_SNAPSHOT;
	} else if (item->type == MP_STR && slice_is(item->s, "ack")) {
		req->subscribe.from = PROTO_FROM_ACK;
	} else {
		return wrong(what,
		    "must be \"now\", \"snapshot\", \"ack\" or a seq "
		    "below 2^53");
	}
	return PROTO_OK;
}

static enum proto_code
store_expect(const struct mp_item *item, struct proto_append_event *ev,
    struct reason *what)
{
	if (item->type == MP_UINT && item->u <= PROTO_SEQ_MAX) {
		ev->expect = PROTO_EXPECT_VERSION;
		ev->version = item->u;
	} else if (item->type == MP_STR && slice_is(item->s, "any")) {
		ev->expect = PROTO_EXPECT_ANY;
	} else if (item->type == MP_STR && slice_is(item->s, "exists")) {
		ev->expect = PROTO_EXPECT_EXISTS;
	} else {
		return wrong(what,
		    "must be \"any\", \"exists\" or a version below 2^53");
	}
	return PROTO_OK;
}

/* state.at: a seq, or {"time": µs}. */
static enum proto_code
check_at(const struct mp_item *item, struct slice value, struct reason *what)
{
	if (item->type == MP_UINT && item->u <= PROTO_SEQ_MAX)
		return PROTO_OK;
	if (item->type == MP_MAP && proto_get_uint(value, "time").set)
		return PROTO_OK;
	return wrong(what, "must be a seq or {\"time\": microseconds}");
}

/* The value of field f at the walk goes to its place in out. */
static enum proto_code
store_field(
    const struct field *f, struct mp_walk *w, void *out, struct reason *what)
{
	void *to = (uint8_t *)out + f->at;
	struct mp_walk begin = *w;
	enum proto_code code = PROTO_OK;
	struct slice value;
	struct mp_item item;

	if (!mp_next(w, &item))
		return wrong(what, "is cut short");
	switch (f->kind) {
	case UINT:
		return store_uint(f, &item, to, what);
	case STR:
	case TOPIC:
	case PATTERN:
	case TYPE:
	case GLOB:
	case ACTOR:
		return store_str(f, &item, to, what);
	case BOOL:
		if (item.type != MP_BOOL)
			return wrong(what, "must be true or false");
		*(bool *)to = item.boolean;
		return PROTO_OK;
	case FROM:
		return store_from(&item, out, what);
	case EXPECT:
		return store_expect(&item, out, what);
	case PATTERNS:
	case GLOBS:
	case MAPS:
		code = check_array(f, &item, w, what);
		value = slice_of(begin.p, (size_t)(w->p - begin.p));
		break;
	case MAP:
	case AT:
	case ANY:
		*w = begin;
		if (!mp_skip(w, &value))
			return wrong(what, "is cut short");
		if (f->kind == AT)
			code = check_at(&item, value, what);
		else if (f->kind == MAP && item.type != MP_MAP)
			code = wrong(what, "must be a map");
		else if (f->kind == MAP && item.n == 0)
			return PROTO_OK;
		break;
	}
	if (!code)
		*(struct slice *)to = value;
	return code;
}

static int
find_field(const struct field *fields, unsigned n, struct slice name)
{
	if (!name.len)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		struct slice field = fields[i].name;

		if (field.len == name.len && *field.p == *name.p &&
		    !memcmp(field.p, name.p, name.len))
			return (int)i;
	}
	return -1;
}

/* Read n pairs of a map into out; local: by the fields of local peers. */
static enum proto_code
parse_fields(const struct shape *shape, bool local, struct mp_walk *w,
    uint32_t n, void *out, struct reason *why)
{
	unsigned n_fields = local ? shape->n_local : shape->n;
	struct slice name, ignored;
	struct reason what;
	uint32_t seen = 0;
	enum proto_code code;
	int i;

	while (n-- > 0) {
		if (!mp_next_name(w, &name))
			return wrong(why, "the message is cut short");
		i = find_field(shape->fields, n_fields, name);
		if (i < 0) {
			if (!mp_skip(w, &ignored))
				return wrong(why, "the message is cut short");
			continue;
		}
		code = store_field(&shape->fields[i], w, out, &what);
		if (code) {
			(void)reason_set(why, 0, "field \"%s\" of %s: %s",
			    (const char *)shape->fields[i].name.p, shape->noun,
			    what.text);
			return code;
		}
		seen |= 1U << i;
	}
	for (unsigned f = 0; f < n_fields; f++) {
		if (shape->fields[f].required && !(seen & 1U << f)) {
			(void)reason_set(why, 0,
			    "field \"%s\" of %s is missing",
			    (const char *)shape->fields[f].name.p, shape->noun);
			return PROTO_BAD_REQUEST;
		}
	}
	return PROTO_OK;
}

/* What the fields of a subscribe must be together. */
static enum proto_code
check_subscribe(const struct proto_request *req, struct reason *why)
{
	if (!req->subscribe.log.p &&
	    (req->subscribe.from == PROTO_FROM_SEQ || req->subscribe.since.set))
		return wrong(why,
		    "field \"log\" of subscribe is missing: a position "
		    "counts only in its log");
	if (req->subscribe.from == PROTO_FROM_SNAPSHOT) {
		if (req->subscribe.types.p)
			return wrong(why,
			    "field \"types\" of subscribe: rows of a snapshot "
			    "have no type");
	} else if (req->subscribe.since.set) {
		return wrong(why, "field \"since\" of subscribe goes with from "
				  "\"snapshot\" alone");
	}
	return PROTO_OK;
}

static enum proto_code
find_op(struct slice msg, unsigned n, enum proto_op *op, struct reason *why)
{
	struct slice name = proto_get_str(msg, "op");
	char quoted[80];

	if (!name.p)
		return wrong(why, "field \"op\" is missing or no str");
	for (unsigned i = 0; i < n; i++) {
		if (slice_is(name, requests[i].noun)) {
			*op = (enum proto_op)i;
			return PROTO_OK;
		}
	}
	(void)reason_set(why, 0, "unknown op \"%s\"",
	    diag_quote(quoted, sizeof(quoted), name.p, name.len));
	return PROTO_BAD_REQUEST;
}

static enum proto_code
parse_request(
    struct slice msg, bool local, struct proto_request *req, struct reason *why)
{
	struct mp_walk w = mp_walk(msg);
	struct mp_item head;
	enum proto_code code;

	memset(req, 0, sizeof(*req));
	if (!mp_next(&w, &head) || head.type != MP_MAP)
		return wrong(why, "a message of a client must be a map");
	code = find_op(msg, local ? PROTO_LOCAL_OPS : PROTO_OPS, &req->op, why);
	if (!code)
		code = parse_fields(
		    &requests[req->op], local, &w, head.n, req, why);
	if (!code && req->op == PROTO_SUBSCRIBE)
		code = check_subscribe(req, why);
	/* The refusal carries the id, also where it stands further on. */
	if (code)
		req->id = proto_get_uint(msg, "id");
	return code;
}

enum proto_code
proto_request_parse(
    struct slice msg, struct proto_request *req, struct reason *why)
{
	return parse_request(msg, false, req, why);
}

enum proto_code
proto_request_parse_local(
    struct slice msg, struct proto_request *req, struct reason *why)
{
	return parse_request(msg, true, req, why);
}

static enum proto_code
parse_element(
    const struct shape *shape, struct mp_walk *w, void *out, struct reason *why)
{
	struct mp_item head;

	if (!mp_next(w, &head) || head.type != MP_MAP) {
		(void)reason_set(why, 0, "%s must be a map", shape->noun);
		return PROTO_BAD_REQUEST;
	}
	return parse_fields(shape, true, w, head.n, out, why);
}

enum proto_code
proto_append_event_parse(
    struct mp_walk *w, struct proto_append_event *ev, struct reason *why)
{
	memset(ev, 0, sizeof(*ev));
	return parse_element(&event_shape, w, ev, why);
}

enum proto_code
proto_check_parse(
    struct mp_walk *w, struct proto_check *check, struct reason *why)
{
	memset(check, 0, sizeof(*check));
	return parse_element(&check_shape, w, check, why);
}
