/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The model of the fan-out's tests.  What a client checks: batches follow on
 * each other, hold exactly the events of their range that its live
 * subscriptions match, and never an ephemeral event twice.
 */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "core/mp.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "gateway/ask.h"
#include "tests/lib/chainbroker.h"
#include "tests/lib/chainfix.h"

#define CHECK CHAINFIX_CHECK

const struct chainfix_spec chainfix_specs[] = {
	{ { ">" }, { NULL } },
	{ { "a.*" }, { NULL } },
	{ { "a.>", "b.x" }, { NULL } },
	{ { "*.y" }, { NULL } },
	{ { "b.>" }, { "set" } },
	{ { "c.deep.y", "a.x" }, { "add", "s*" } },
	{ { "a.x" }, { "add" } },
	{ { "none.at.all" }, { NULL } },
	{ { "c.>" }, { "*" } },
	{ { "a.>", "u.1" }, { NULL } },
	{ { "a.>", "u.2" }, { NULL } },
	{ { "a.>", "c.>", "u.3" }, { NULL } },
	{ { "u.1" }, { NULL } },
	{ { "u.*" }, { "set" } },
	{ { "u.2", "u.3" }, { NULL } },
};
const unsigned chainfix_n_specs = ARRAY_LEN(chainfix_specs);

const char *const chainfix_topics[] = { "a.x", "a.y", "a.z", "b.x", "b.y",
	"c.x", "c.deep.y", "u.1", "u.2", "u.3" };
const unsigned chainfix_n_topics = CHAINFIX_TOPICS;
/* --- what the client checks --- */

bool
chainfix_matches(
    const struct chainfix_sub *sub, struct slice topic, struct slice type)
{
	const struct chainfix_spec *spec = sub->spec;
	bool topic_ok = false, type_ok = spec->types[0] == NULL;

	for (unsigned i = 0; spec->topics[i]; i++)
		topic_ok =
		    topic_ok || topic_match(slice_cstr(spec->topics[i]), topic);
	for (unsigned i = 0; spec->types[i]; i++)
		type_ok = type_ok ||
			  topic_glob_match(slice_cstr(spec->types[i]), type);
	return topic_ok && type_ok && acl_may_read(sub->acl, topic);
}

bool
chainfix_wanted(
    const struct chainfix_client *c, struct slice topic, struct slice type)
{
	for (unsigned i = 0; i < CHAINFIX_SUBS; i++)
		if (c->subs[i].state == CHAINFIX_LIVE &&
		    chainfix_matches(&c->subs[i], topic, type))
			return true;
	return false;
}

static bool
wanted(const struct chainfix_client *c, const struct chainfix_sub *only,
    struct slice topic, struct slice type)
{
	if (only)
		return chainfix_matches(only, topic, type);
	return chainfix_wanted(c, topic, type);
}

static void
check_ephemeral(struct chainfix_client *c, const struct event *ev)
{
	struct mp_walk w = mp_walk(ev->data);
	struct mp_item id;

	CHECK(mp_next(&w, &id) && id.type == MP_UINT, "ephemeral data");
	CHECK(wanted(c, NULL, ev->topic, ev->type),
	    "ephemeral event %" PRIu64 " was not asked for", id.u);
	CHECK(!(c->seen[id.u / 8] & 1 << id.u % 8),
	    "ephemeral event %" PRIu64 " came twice", id.u);
	c->seen[id.u / 8] |= (uint8_t)(1 << id.u % 8);
	c->ephemeral++;
}

/* The next event of the model that is wanted, up to upto; 0: none. */
static uint64_t
next_wanted(const struct chainfix_client *c, const struct chainfix_sub *only,
    uint64_t after, uint64_t upto)
{
	const struct chainfix *w = c->world;

	for (uint64_t seq = after + 1; seq <= upto; seq++) {
		const struct chainfix_event *ev = &w->events[seq - 1];

		if (wanted(
			c, only, slice_cstr(ev->topic), slice_cstr(ev->type)))
			return seq;
	}
	return 0;
}

/* What conflation left out in front of seq; returns what is next. */
static uint64_t
skip_left_out(
    struct chainfix_client *c, uint64_t next, uint64_t seq, uint64_t upto)
{
	while (next > 0 && next < seq) {
		chainfix_left_out(c, next);
		next = next_wanted(c, NULL, next, upto);
	}
	return next;
}

/* n events of (after, upto]: exactly those that are wanted. */
static void
check_events(struct chainfix_client *c, const struct chainfix_sub *only,
    struct mp_walk *walk, uint32_t n, uint64_t after, uint64_t upto)
{
	const struct chainfix *w = c->world;
	uint64_t at = after, next;

	CHECK(upto <= w->n_events, "upto %" PRIu64 " beyond the head", upto);
	CHECK(upto == 0 || w->events[upto - 1].last || upto == after,
	    "upto %" PRIu64 " splits a request", upto);
	for (uint32_t i = 0; i < n; i++) {
		struct slice bytes;
		struct event ev;
		struct reason why;

		CHECK(mp_skip(walk, &bytes), "events end early");
		CHECK(event_decode(bytes, &ev, &why) == 0, "%s", why.text);
		if (ev.seq == 0) {
			CHECK(!only, "an ephemeral event in a replay");
			check_ephemeral(c, &ev);
			continue;
		}
		next = next_wanted(c, only, at, upto);
		if (!only && c->conflate_ms > 0)
			next = skip_left_out(c, next, ev.seq, upto);
		CHECK(ev.seq == next,
		    "got seq %" PRIu64 ", not %" PRIu64 " in (%" PRIu64
		    ", %" PRIu64 "]",
		    ev.seq, next, after, upto);
		CHECK(slice_equal(bytes, slice_of(w->events[next - 1].bytes,
					     w->events[next - 1].len)),
		    "event %" PRIu64 " has other bytes", next);
		at = next;
		c->events++;
		if (!only)
			chainfix_came(c, next);
	}
	next = next_wanted(c, only, at, upto);
	if (!only && c->conflate_ms > 0)
		next = skip_left_out(c, next, UINT64_MAX, upto);
	CHECK(next == 0,
	    "seq %" PRIu64 " is missing in (%" PRIu64 ", %" PRIu64 "]", next,
	    after, upto);
}

/* Who waited for this position is live. */
static void
promote(struct chainfix_client *c, uint64_t position)
{
	for (unsigned i = 0; i < CHAINFIX_SUBS; i++)
		if (c->subs[i].state == CHAINFIX_WAIT &&
		    c->subs[i].pos <= position)
			c->subs[i].state = CHAINFIX_LIVE;
}

static unsigned
count_state(const struct chainfix_client *c, enum chainfix_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CHAINFIX_SUBS; i++)
		n += c->subs[i].state == state;
	return n;
}

static uint64_t
next_stop(const struct chainfix_client *c)
{
	uint64_t stop = UINT64_MAX;

	for (unsigned i = 0; i < CHAINFIX_SUBS; i++)
		if (c->subs[i].state == CHAINFIX_WAIT)
			stop = MIN(stop, c->subs[i].pos);
	return stop;
}

static void
got_batch(struct chainfix_client *c, struct slice value)
{
	struct mp_walk w = mp_walk(value);
	struct mp_item array, after, upto;

	CHECK(mp_next(&w, &array) && array.n >= 2, "a batch without its head");
	CHECK(mp_next(&w, &after) && after.type == MP_UINT, "after");
	CHECK(mp_next(&w, &upto) && upto.type == MP_UINT, "upto");
	if (!c->chain) {
		CHECK(after.u == next_stop(c),
		    "the chain begins at %" PRIu64 ", not at %" PRIu64, after.u,
		    next_stop(c));
		c->chain = true;
		c->at = after.u;
	}
	CHECK(after.u == c->at, "after %" PRIu64 " follows upto %" PRIu64,
	    after.u, c->at);
	CHECK(upto.u >= after.u, "upto %" PRIu64 " before after", upto.u);
	promote(c, after.u);
	CHECK(next_stop(c) >= upto.u,
	    "no batch ends at %" PRIu64 ", where a subscription goes live",
	    next_stop(c));
	check_events(c, NULL, &w, array.n - 2, after.u, upto.u);
	CHECK(w.p == w.end, "bytes behind a batch");
	c->at = upto.u;
	c->batches++;
	c->longest = MAX(c->longest, value.len);
}

static struct chainfix_sub *
sub_of(struct chainfix_client *c, uint64_t id)
{
	for (unsigned i = 0; i < CHAINFIX_SUBS; i++)
		if (c->subs[i].state != CHAINFIX_NONE && c->subs[i].id == id)
			return &c->subs[i];
	CHECK(false, "no subscription has id %" PRIu64, id);
	return NULL;
}

static void
got_replay(struct chainfix_client *c, struct slice map)
{
	struct chainfix_sub *sub = sub_of(c, proto_get_uint(map, "id").v);
	uint64_t after = proto_get_uint(map, "after").v;
	uint64_t upto = proto_get_uint(map, "upto").v;
	struct mp_walk w = mp_walk(proto_get(map, "events"));
	struct mp_walk l = mp_walk(proto_get(map, "last"));
	struct mp_item array, last;

	c->parts++;
	if (sub->state == CHAINFIX_BETWEEN)
		sub->state = CHAINFIX_REPLAY;
	CHECK(sub->state == CHAINFIX_REPLAY, "a replay that is over goes on");
	CHECK(after == sub->pos, "replay after %" PRIu64 " follows %" PRIu64,
	    after, sub->pos);
	CHECK(mp_next(&w, &array) && array.type == MP_ARRAY, "events");
	check_events(c, sub, &w, array.n, after, upto);
	sub->pos = upto;
	CHECK(mp_next(&l, &last) && last.type == MP_BOOL, "last");
	if (last.boolean)
		sub->state = CHAINFIX_WAIT;
}

static void
lagged_one(struct chainfix_client *c, struct chainfix_sub *sub,
    struct proto_uint told, struct slice map)
{
	bool rows = slice_is(proto_get_str(map, "reason"), "snapshot");

	if (sub->state == CHAINFIX_ROWS || sub->state == CHAINFIX_BETWEEN)
		CHECK(told.set == sub->has_since && told.v == sub->since,
		    "position in a snapshot");
	else
		CHECK(told.set && told.v == sub->pos, "position of a replay");
	CHECK(!rows || sub->state <= CHAINFIX_BETWEEN, "reason");
	c->retold += rows;
	c->forbidden += sub->state == CHAINFIX_ENDING;
	sub->state = CHAINFIX_NONE;
	chainfix_forgive(c);
}

/* A snapshot that could not be begun. */
static void
got_error(struct chainfix_client *c, struct slice map)
{
	struct chainfix_sub *sub = sub_of(c, proto_get_uint(map, "id").v);

	CHECK(sub->state == CHAINFIX_ROWS && !sub->announced, "an error");
	CHECK(slice_is(proto_get_str(map, "code"), "unavailable"), "code");
	sub->state = CHAINFIX_NONE;
	c->errors++;
}

static void
got_subscribed(struct chainfix_client *c, struct slice map)
{
	struct chainfix_sub *sub = sub_of(c, proto_get_uint(map, "id").v);

	CHECK(sub->state == CHAINFIX_ROWS && !sub->announced, "subscribed");
	sub->announced = true;
}

static void
got_lagged(struct chainfix_client *c, struct slice map)
{
	struct proto_uint id = proto_get_uint(map, "id");
	struct proto_uint told = proto_get_uint(map, "position");
	uint64_t position = told.v;
	uint64_t oldest = proto_get_uint(map, "oldest").v;

	/* Where the broker is there, the log is. */
	CHECK(oldest > position + 1 || ask_is_up(c->world->broker) ||
		  slice_is(proto_get_str(map, "reason"), "snapshot") ||
		  slice_is(proto_get_str(map, "reason"), "permissions"),
	    "lagged at %" PRIu64 ", but %" PRIu64 " is there", position,
	    oldest);
	c->lagged++;
	if (id.set) {
		lagged_one(c, sub_of(c, id.v), told, map);
		return;
	}
	promote(c, position);
	CHECK(!c->chain || position == c->at,
	    "lagged at %" PRIu64 ", the chain is at %" PRIu64, position, c->at);
	CHECK(count_state(c, CHAINFIX_LIVE) > 0, "nothing lived to lag");
	c->chain = false;
	for (unsigned i = 0; i < CHAINFIX_SUBS; i++)
		if (c->subs[i].state == CHAINFIX_LIVE)
			c->subs[i].state = CHAINFIX_NONE;
	chainfix_forgive(c);
}

static void
got(void *arg, struct slice value)
{
	struct chainfix_client *c = arg;
	struct slice op;

	if ((value.p[0] & 0xf0) == 0x90 || value.p[0] == 0xdc) {
		got_batch(c, value);
		return;
	}
	op = proto_get_str(value, "op");
	if (slice_is(op, "replay"))
		got_replay(c, value);
	else if (slice_is(op, "snapshot"))
		chainfix_got_snapshot(
		    c, sub_of(c, proto_get_uint(value, "id").v), value);
	else if (slice_is(op, "subscribed"))
		got_subscribed(c, value);
	else if (slice_is(op, "error"))
		got_error(c, value);
	else if (slice_is(op, "lagged"))
		got_lagged(c, value);
	else
		CHECK(false, "unknown op");
}

static void
ready(void *arg)
{
	struct chainfix_client *c = arg;

	send_pump(&c->sender);
}

/* --- what the client does --- */

void
chainfix_connect(struct chainfix_client *c)
{
	struct chainfix *w = c->world;

	memset(c, 0, sizeof(*c));
	c->world = w;
	c->conn = (struct fakeconn){
		.got = got, .ready = ready, .arg = c, .room = UINT32_MAX
	};
	/* Some speak JSON: with the others they share groups and blocks. */
	if ((c - w->clients) % 3 == 1)
		c->conn.form = FORM_JSON;
	c->open = true;
	c->acl = &w->acls[0];
	if (chainfix_random(w, 3) == 0)
		c->acl = &w->acls[chainfix_random(w, CHAINFIX_ACLS)];
	send_init(&c->sender, &w->hub, fakeconn_conn(&c->conn));
}

void
chainfix_disconnect(struct chainfix_client *c)
{
	send_deinit(&c->sender);
	c->open = false;
}

static struct filter *
filter_of(struct chainfix_client *c, const struct chainfix_spec *spec)
{
	struct mp_buf t = { 0 }, y = { 0 };
	struct filter *f;
	unsigned n = 0;

	while (spec->topics[n])
		n++;
	mp_pack_array(&t, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_cstr(&t, spec->topics[i]);
	for (n = 0; spec->types[n];)
		n++;
	mp_pack_array(&y, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_cstr(&y, spec->types[i]);
	f = filter_make(c->world->groups.filters, slice_of(t.p, t.len),
	    n > 0 ? slice_of(y.p, y.len) : slice_of(NULL, 0), c->acl);
	mp_buf_deinit(&t);
	mp_buf_deinit(&y);
	return f;
}

static struct chainfix_sub *
new_sub(struct chainfix_client *c, const struct chainfix_spec *spec,
    enum chainfix_state state, uint64_t pos)
{
	for (unsigned i = 0; i < CHAINFIX_SUBS; i++)
		if (c->subs[i].state == CHAINFIX_NONE) {
			c->subs[i] = (struct chainfix_sub){ state, ++c->next_id,
				pos, spec, c->acl };
			return &c->subs[i];
		}
	return NULL;
}

void
chainfix_now(struct chainfix_client *c, const struct chainfix_spec *spec)
{
	struct chainfix_sub *sub = new_sub(c, spec, CHAINFIX_WAIT, 0);
	struct filter *filter = filter_of(c, spec);

	CHECK(sub, "too many subscriptions");
	sub->pos = send_subscribe_now(&c->sender, sub->id, filter);
	(void)filter_unref(filter);
	if (chainfix_random(c->world, 2))
		c->conn.lane = c->conn.want_ready = true; /* subscribed */
	send_pump(&c->sender);
}

void
chainfix_from(struct chainfix_client *c, const struct chainfix_spec *spec,
    uint64_t position)
{
	struct chainfix_sub *sub = new_sub(c, spec, CHAINFIX_REPLAY, position);
	struct filter *filter = filter_of(c, spec);

	CHECK(sub, "too many subscriptions");
	send_subscribe_from(&c->sender, sub->id, filter, position);
	(void)filter_unref(filter);
	if (chainfix_random(c->world, 2))
		c->conn.lane = c->conn.want_ready = true; /* subscribed */
	send_pump(&c->sender);
}

void
chainfix_snapshot(struct chainfix_client *c, const struct chainfix_spec *spec,
    struct proto_uint since)
{
	struct chainfix_sub *sub = new_sub(c, spec, CHAINFIX_ROWS, 0);
	struct filter *filter = filter_of(c, spec);

	CHECK(sub, "too many subscriptions");
	sub->has_since = since.set;
	sub->since = since.v;
	send_subscribe_snapshot(&c->sender,
	    &(const struct send_snapshot){
		.id = { true, sub->id }, .filter = filter, .since = since });
	(void)filter_unref(filter);
	send_pump(&c->sender);
}

void
chainfix_unsubscribe(struct chainfix_client *c, unsigned i)
{
	struct send_sub *sub = send_find(&c->sender, c->subs[i].id);

	CHECK(sub, "a subscription that the sender does not know");
	if (c->chain)
		promote(c, c->at);
	/* What comes before the answer is whole: the id was still in use. */
	send_unsubscribe(&c->sender, sub);
	c->subs[i].state = CHAINFIX_NONE;
	chainfix_forgive(c);
	if (count_state(c, CHAINFIX_LIVE) == 0)
		c->chain = false;
	send_pump(&c->sender);
}

/* One whose filter changes; what it would have matched comes no more. */
static void
forbid(struct chainfix_client *c, struct send_sub *sub)
{
	struct chainfix_sub *mine = sub_of(c, sub->id.v);

	if (c->chain)
		promote(c, c->at);
	if (mine->state == CHAINFIX_LIVE)
		mine->pos = c->at;
	if (mine->state == CHAINFIX_LIVE || mine->state == CHAINFIX_WAIT)
		mine->state = CHAINFIX_ENDING;
	send_lagged_sub(&c->sender, sub, "permissions");
	if (count_state(c, CHAINFIX_LIVE) == 0)
		c->chain = false;
}

void
chainfix_permit(struct chainfix_client *c, unsigned acl)
{
	struct send_sub *sub, *next;

	c->acl = &c->world->acls[acl];
	for (sub = LIST_FIRST(&c->sender.subs); sub; sub = next) {
		struct filter *set CLEANUP(filter_unrefp) =
		    filter_permit(sub->filter, c->acl);

		next = LIST_NEXT(sub, link);
		if (set != sub->filter)
			forbid(c, sub);
	}
	send_pump(&c->sender);
}

void
chainfix_check_level(const struct chainfix_client *c)
{
	CHECK(count_state(c, CHAINFIX_REPLAY) == 0, "a replay does not end");
	CHECK(count_state(c, CHAINFIX_ROWS) == 0 &&
		  count_state(c, CHAINFIX_BETWEEN) == 0,
	    "a snapshot does not end");
	CHECK(next_stop(c) >= c->world->n_events, "never went live");
	CHECK(count_state(c, CHAINFIX_LIVE) == 0 ||
		  (c->chain && c->at == c->world->n_events),
	    "the chain stands at %" PRIu64 ", the head is %" PRIu64, c->at,
	    c->world->n_events);
	for (unsigned i = 0; i < chainfix_n_topics; i++)
		CHECK(c->owed[i] == 0,
		    "no set came for event %" PRIu64 ", which was left out",
		    c->owed[i]);
}