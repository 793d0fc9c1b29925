/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Admission, step by step in the order that protocol.md gives: a repeat is
 * recognised before its expectations could refuse it.
 */

#include <string.h>

#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "writer/admit.h"
#include "writer/fingerprint.h"
#include "writer/state.h"

void
admit_deinit(struct admit *ad)
{
	mp_buf_deinit(&ad->scratch);
	sha256_deinit(&ad->sum);
}

/* A slice from outside, for a sentence. */
#define QUOTED(s) diag_quote((char[300]){ 0 }, 300, (s).p, (s).len)

static enum proto_code
read_event(struct admit *ad, struct mp_walk *w, struct reason *why)
{
	struct admit_event *ev = &ad->ev[ad->n];
	enum proto_code code;

	code = proto_append_event_parse(w, &ev->in, why);
	if (code)
		return code;
	ev->actor = ev->in.actor.p ? ev->in.actor : ad->account;
	if (topic_is_system(ev->in.topic) && !ad->may_system)
		return reason_set(why, PROTO_FORBIDDEN,
		    "topic \"%s\" belongs to the system", QUOTED(ev->in.topic));
	if (ev->in.time_us.set && ev->in.time_us.v > ad->now_us + US_PER_S)
		return reason_set(why, PROTO_BAD_REQUEST,
		    "time %llu of an event on \"%s\" is in the future",
		    (unsigned long long)ev->in.time_us.v, QUOTED(ev->in.topic));
	if (ad->n > 0 && (ev->in.key.p != NULL) != ad->keyed)
		return reason_set(why, PROTO_BAD_REQUEST,
		    "either all events of a request carry a key or none");
	ad->keyed = ev->in.key.p != NULL;
	ad->n++;
	return PROTO_OK;
}

/* One time for the whole request: never before the newest event's. */
static uint64_t
request_time(const struct admit *ad, const struct state *st)
{
	uint64_t t = st->last_time_us;

	for (uint32_t i = 0; i < ad->n; i++) {
		const struct proto_uint *own = &ad->ev[i].in.time_us;

		t = MAX(t, own->set ? own->v : ad->now_us);
	}
	return t;
}

static enum proto_code
read_events(
    struct admit *ad, const struct admit_limits *limits, struct reason *why)
{
	struct mp_walk w = mp_walk(ad->events);
	struct mp_item array;
	enum proto_code code;

	ad->n = 0;
	ad->keyed = false;
	if (!mp_next(&w, &array) || array.type != MP_ARRAY || array.n == 0)
		return reason_set(
		    why, PROTO_BAD_REQUEST, "\"events\" holds no event");
	if (array.n > limits->events)
		return reason_set(why, PROTO_TOO_LARGE,
		    "a request of %u events, at most %u are taken", array.n,
		    limits->events);
	while (ad->n < array.n) {
		code = read_event(ad, &w, why);
		if (code)
			return code;
	}
	return PROTO_OK;
}

/* Pairs that are the writer's to say. */
static bool
is_reserved(const struct mp_item *key)
{
	return key->type == MP_STR &&
	       (slice_is(key->s, "key") || slice_is(key->s, "schema") ||
		   slice_is(key->s, "time"));
}

/* Copy the application's pairs of meta; returns how many (out may be NULL). */
static uint32_t
own_pairs(struct slice meta, struct mp_buf *out)
{
	struct mp_walk w = mp_walk(meta);
	struct mp_item map, key;
	struct slice name, value;
	uint32_t kept = 0;

	if (!meta.len || !mp_next(&w, &map))
		return 0;
	for (uint32_t i = 0; i < map.n; i++) {
		struct mp_walk at = w;

		if (!mp_skip(&w, &name) || !mp_skip(&w, &value))
			break;
		if (mp_next(&at, &key) && is_reserved(&key))
			continue;
		kept++;
		if (out) {
			mp_pack_raw(out, name);
			mp_pack_raw(out, value);
		}
	}
	return kept;
}

/*
 * The time of an event that its request can't have: of an import, which may be
 * earlier; else what the clock says, where that is not believed, or behind the
 * newest event's.  false: there is none.
 */
static bool
own_time(const struct admit *ad, const struct proto_uint *own, uint64_t *time)
{
	uint64_t wall = ad->wall_us ? ad->wall_us : ad->now_us;

	*time = own->set ? own->v : wall;
	if (own->set)
		return *time < ad->time_us;
	return wall > ad->time_us ? wall - ad->time_us > US_PER_S
				  : ad->time_us - wall > US_PER_S;
}

/* Meta as stored: the application's pairs, then key, schema and time. */
static void
build_meta(struct admit *ad, struct admit_event *ev)
{
	const struct proto_append_event *in = &ev->in;
	struct mp_buf *b = &ad->scratch;
	uint64_t time;
	bool apart = own_time(ad, &in->time_us, &time);
	uint32_t n;

	ev->meta_at = b->len;
	n = own_pairs(in->meta, NULL) + (in->key.p != NULL) + in->schema.set +
	    apart;
	if (n) {
		mp_pack_map(b, n);
		own_pairs(in->meta, b);
		if (in->key.p)
			mp_pair_str(b, "key", in->key);
		if (in->schema.set)
			mp_pair_uint(b, "schema", in->schema.v);
		if (apart)
			mp_pair_uint(b, "time", time);
	}
	ev->meta_len = b->len - ev->meta_at;
}

static struct slice
meta_of(const struct admit *ad, const struct admit_event *ev)
{
	return ev->meta_len
		   ? slice_of(ad->scratch.p + ev->meta_at, ev->meta_len)
		   : slice_of(NULL, 0);
}

static enum proto_code
look_at_keys(struct admit *ad, const struct state *st, struct reason *why)
{
	struct sha256 *h = &ad->sum;
	uint32_t which = 0;

	fingerprint_begin(h);
	for (uint32_t i = 0; i < ad->n; i++) {
		const struct admit_event *ev = &ad->ev[i];

		ad->ids[i] = keys_id(st->keys, ev->actor, ev->in.key);
		for (uint32_t k = 0; k < i; k++)
			if (!memcmp(
				&ad->ids[k], &ad->ids[i], sizeof(ad->ids[i])))
				return reason_set(why, PROTO_BAD_REQUEST,
				    "key \"%s\" stands twice in one request",
				    QUOTED(ev->in.key));
		fingerprint_event(
		    h, ev->in.topic, ev->in.type, ev->in.data, meta_of(ad, ev));
	}
	fingerprint_end(h, ad->fingerprint);
	switch (keys_look_up(st->keys, ad->ids, ad->n, ad->fingerprint,
	    &ad->stored, ad->versions, &which)) {
	case KEYS_NEW:
		return PROTO_OK;
	case KEYS_REPEAT:
		ad->repeat = true;
		return PROTO_OK;
	case KEYS_REUSED:
		break;
	}
	ad->key = ad->ev[which].in.key;
	return reason_set(why, PROTO_KEY_REUSED,
	    "key \"%s\" was used by another request", QUOTED(ad->key));
}

static enum proto_code
conflict(struct admit *ad, struct slice topic, enum proto_expect expect,
    uint64_t expected, uint64_t actual, struct reason *why)
{
	ad->topic = topic;
	ad->expect = expect;
	ad->expected = expected;
	ad->actual = actual;
	if (expect == PROTO_EXPECT_EXISTS)
		return reason_set(why, PROTO_CONFLICT,
		    "topic \"%s\" does not exist", QUOTED(topic));
	return reason_set(why, PROTO_CONFLICT,
	    "topic \"%s\" is at version %llu, not %llu", QUOTED(topic),
	    (unsigned long long)actual, (unsigned long long)expected);
}

static enum proto_code
look_at_checks(struct admit *ad, const struct state *st, struct reason *why)
{
	struct mp_walk w = mp_walk(ad->checks);
	struct mp_item array;
	enum proto_code code;

	if (!ad->checks.len || !mp_next(&w, &array))
		return PROTO_OK;
	for (uint32_t i = 0; i < array.n; i++) {
		struct proto_check check;
		struct version v;

		code = proto_check_parse(&w, &check, why);
		if (code)
			return code;
		for (uint32_t k = 0; k < ad->n; k++)
			if (slice_equal(check.topic, ad->ev[k].in.topic))
				return reason_set(why, PROTO_BAD_REQUEST,
				    "check of topic \"%s\", which the request "
				    "writes: use expect",
				    QUOTED(check.topic));
		v = versions_get(st->versions,
		    hash_bytes(&st->topic_key, check.topic.p, check.topic.len),
		    check.topic);
		if (v.version != check.version.v)
			return conflict(ad, check.topic, PROTO_EXPECT_VERSION,
			    check.version.v, v.version, why);
	}
	return PROTO_OK;
}

/* Undo the bumps of the first n events. */
static void
undo(struct admit *ad, struct state *st, uint32_t n)
{
	while (n-- > 0)
		versions_undo(st->versions, &ad->ev[n].undo);
}

static enum proto_code
look_at_version(struct admit *ad, struct state *st, uint32_t i,
    const struct admit_limits *limits, struct reason *why)
{
	struct admit_event *ev = &ad->ev[i];
	const struct proto_append_event *in = &ev->in;
	struct version v;

	ev->hash = hash_bytes(&st->topic_key, in->topic.p, in->topic.len);
	if (in->expect != PROTO_EXPECT_ANY) {
		v = versions_get(st->versions, ev->hash, in->topic);
		if (in->expect == PROTO_EXPECT_EXISTS
			? v.version == 0
			: v.version != in->version)
			return conflict(ad, in->topic, in->expect, in->version,
			    v.version, why);
	}
	ev->version = versions_bump(
	    st->versions, ev->hash, in->topic, st->head_seq + 1 + i, &ev->undo);
	if (!ev->version)
		return reason_set(why, PROTO_INTERNAL, "out of memory");
	ad->versions[i] = ev->version;
	if (versions_count(st->versions) > limits->topics) {
		versions_undo(st->versions, &ev->undo);
		return reason_set(why, PROTO_STORAGE_FULL,
		    "the log has %llu topics, its limit (writer.max_topics)",
		    (unsigned long long)limits->topics);
	}
	return PROTO_OK;
}

static enum proto_code
look_at_versions(struct admit *ad, struct state *st,
    const struct admit_limits *limits, struct reason *why)
{
	enum proto_code code;

	ad->bytes = 0;
	for (uint32_t i = 0; i < ad->n; i++) {
		struct event ev;

		code = look_at_version(ad, st, i, limits, why);
		if (code) {
			undo(ad, st, i);
			return code;
		}
		admit_stored(ad, i, &ev);
		ev.seq = st->head_seq + 1 + i;
		ad->bytes += event_size(&ev);
		if (ad->bytes > limits->event_bytes) {
			undo(ad, st, i + 1);
			return reason_set(why, PROTO_TOO_LARGE,
			    "the request has over %u bytes encoded, at most "
			    "that many are taken",
			    limits->event_bytes);
		}
	}
	return PROTO_OK;
}

enum proto_code
admit_request(struct admit *ad, struct state *st,
    const struct admit_limits *limits, struct reason *why)
{
	enum proto_code code;

	ad->repeat = false;
	mp_buf_reset(&ad->scratch);
	ad->topic = ad->key = slice_of(NULL, 0);
	code = read_events(ad, limits, why);
	if (code)
		return code;
	ad->time_us = request_time(ad, st);
	for (uint32_t i = 0; i < ad->n; i++)
		build_meta(ad, &ad->ev[i]);
	if (ad->scratch.failed)
		return reason_set(why, PROTO_INTERNAL, "out of memory");
	if (ad->keyed) {
		code = look_at_keys(ad, st, why);
		if (code || ad->repeat)
			return code;
	}
	code = look_at_checks(ad, st, why);
	if (code)
		return code;
	return look_at_versions(ad, st, limits, why);
}

void
admit_undo(struct admit *ad, struct state *st)
{
	undo(ad, st, ad->n);
}

void
admit_stored(const struct admit *ad, uint32_t i, struct event *ev)
{
	const struct admit_event *in = &ad->ev[i];

	*ev = (struct event){ .time_us = ad->time_us,
		.version = in->version,
		.topic = in->in.topic,
		.type = in->in.type,
		.actor = in->actor,
		.data = in->in.data,
		.meta = meta_of(ad, in) };
}
