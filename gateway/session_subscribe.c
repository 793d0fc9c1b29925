/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Subscriptions as clients ask for them: checked here, kept by the sender.
 * What was refused has left no trace.
 */

#include "core/conf.h"
#include "core/mp.h"
#include "gateway/alloc.h"
#include "gateway/attach.h"
#include "gateway/catchup.h"
#include "gateway/counters.h"
#include "gateway/session_priv.h"

/* Elements of an array value; 0 when it is absent. */
static unsigned
count(struct slice array)
{
	struct mp_walk w = mp_walk(array);
	struct mp_item item;

	if (array.len == 0 || !mp_next(&w, &item) || item.type != MP_ARRAY)
		return 0;
	return item.n;
}

static unsigned
count_patterns(const struct session *s)
{
	const struct send_sub *sub;
	unsigned n = 0;

	LIST_FOREACH (sub, &s->sender.subs, link)
		if (!send_is_query(sub))
			n += sub->filter->n_pairs;
	return n;
}

bool
session_readable(const struct session *s, struct slice topics)
{
	struct mp_walk w = mp_walk(topics);
	struct mp_item item;

	if (!mp_next(&w, &item))
		return false;
	while (mp_next(&w, &item))
		if (acl_pattern_readable(&s->acl, item.s))
			return true;
	return false;
}

/* One interval for the whole connection. */
static enum proto_code
check_pace(const struct session *s, const struct proto_request *req,
    struct reason *why)
{
	uint64_t most = conf_uint(s->gw->conf, CONF_gateway_mark_interval);
	struct proto_uint asked = req->subscribe.conflate;
	uint32_t now = s->sender.pace.conflate_ms;

	if (!asked.set || asked.v == now)
		return PROTO_OK;
	if (now > 0)
		reason_set(why, 0, "this connection conflates %u ms already",
		    (unsigned)now);
	else if (asked.v > most)
		reason_set(why, 0,
		    "field \"conflate\" of subscribe: at most %llu ms",
		    (unsigned long long)most);
	else
		return PROTO_OK;
	return PROTO_BAD_REQUEST;
}

/* From here on the connection conflates, if this is what was asked for. */
static void
set_pace(struct session *s, const struct proto_request *req)
{
	if (req->subscribe.conflate.set && s->sender.pace.conflate_ms == 0)
		send_conflate(
		    &s->sender, (uint32_t)req->subscribe.conflate.v, s->rules);
}

static bool
patterns_fit(struct slice topics, uint64_t most)
{
	struct mp_walk w = mp_walk(topics);
	struct mp_item item;

	if (!mp_next(&w, &item))
		return true;
	while (mp_next(&w, &item))
		if (item.s.len > most)
			return false;
	return true;
}

static enum proto_code
check_limits(const struct session *s, const struct proto_request *req,
    struct reason *why)
{
	const struct conf *conf = s->gw->conf;
	uint64_t max_subs = conf_uint(conf, CONF_gateway_subscriptions);
	uint64_t max_patterns = conf_uint(conf, CONF_gateway_patterns);
	unsigned patterns = count_patterns(s);

	if (max_subs > 0 && send_count(&s->sender, false) >= max_subs) {
		COUNTERS_ADD(limited_subscriptions, 1);
		reason_set(why, 0,
		    "a connection has at most %llu subscriptions",
		    (unsigned long long)max_subs);
		return PROTO_TOO_LARGE;
	}
	if (max_patterns > 0 &&
	    patterns + count(req->subscribe.topics) > max_patterns) {
		COUNTERS_ADD(limited_patterns, 1);
		reason_set(why, 0, "a connection has at most %llu patterns",
		    (unsigned long long)max_patterns);
		return PROTO_TOO_LARGE;
	}
	if (!patterns_fit(req->subscribe.topics,
		conf_uint(conf, CONF_gateway_pattern_bytes))) {
		COUNTERS_ADD(limited_patterns, 1);
		reason_set(why, 0, "a pattern has at most %llu bytes",
		    (unsigned long long)conf_uint(
			conf, CONF_gateway_pattern_bytes));
		return PROTO_TOO_LARGE;
	}
	if (req->subscribe.types.p && count(req->subscribe.types) == 0) {
		reason_set(why, 0, "'types' must name at least one type");
		return PROTO_BAD_REQUEST;
	}
	return check_pace(s, req, why);
}

/* Is there such a position in this log? */
static enum proto_code
check_position(const struct session *s, struct slice log, uint64_t position,
    struct reason *why)
{
	if (!slice_is(log, s->gw->log)) {
		reason_set(why, 0, "the position is one of another log");
		return PROTO_LOG_CHANGED;
	}
	if (position <= s->gw->groups.done)
		return PROTO_OK;
	if (!attach_live(s->gw->attach)) {
		reason_set(why, 0, "no writer runs: the log ends here for now");
		return PROTO_UNAVAILABLE;
	}
	reason_set(why, 0, "the position is beyond the head of the log");
	return PROTO_AHEAD;
}

static enum proto_code
check(const struct session *s, const struct proto_request *req,
    struct reason *why)
{
	enum proto_code code;

	if (!req->id.set) {
		reason_set(why, 0, "a subscription needs an 'id'");
		return PROTO_BAD_REQUEST;
	}
	code = check_limits(s, req, why);
	if (code != PROTO_OK)
		return code;
	if (!session_readable(s, req->subscribe.topics)) {
		reason_set(why, 0, "none of 'topics' may be read");
		return PROTO_FORBIDDEN;
	}
	if (req->subscribe.since.set &&
	    !slice_is(req->subscribe.log, s->gw->log)) {
		reason_set(why, 0, "'since' is a position of another log");
		return PROTO_LOG_CHANGED;
	}
	return PROTO_OK;
}

static void
say_subscribed(struct session *s, struct proto_uint id, struct proto_uint seq)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "subscribed", id, seq.set);
	if (seq.set)
		mp_pair_uint(&b, "seq", seq.v);
	session_say(s, &b);
}

/* What comes behind the position is gone for good. */
static void
say_too_old(struct session *s, struct proto_uint id, uint64_t position)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "lagged", id, 4);
	mp_pair_cstr(&b, "reason", "retention");
	mp_pair_uint(&b, "position", position);
	mp_pair_uint(&b, "oldest", send_oldest(&s->gw->hub));
	mp_pair_uint(&b, "head", s->gw->groups.done);
	session_say(s, &b);
}

static struct filter *
filter_of(const struct session *s, const struct proto_request *req)
{
	return filter_make(s->gw->groups.filters, req->subscribe.topics,
	    req->subscribe.types, &s->acl);
}

/* It has begun: presence knows of it, and it gets what is there. */
static void
begun(struct session *s, const struct proto_request *req)
{
	session_present(s, send_find(&s->sender, req->id.v));
	send_pump(&s->sender);
}

void
session_subscribe_from(
    struct session *s, const struct proto_request *req, uint64_t position)
{
	struct filter *filter CLEANUP(filter_unrefp) = NULL;
	struct gateway *gw = s->gw;
	struct reason why = { "" };
	enum proto_code code;

	gateway_drink(gw, position);
	if (s->closing)
		return;
	code = check_position(s, slice_cstr(gw->log), position, &why);
	/* It may have waited for its stored position beside others. */
	if (code == PROTO_OK)
		code = check_limits(s, req, &why);
	if (code == PROTO_OK &&
	    position + 1 < catchup_log_oldest(gw->catchup)) {
		say_too_old(s, req->id, position);
		return;
	}
	if (code == PROTO_OK && position + 1 < catchup_oldest(gw->catchup) &&
	    !fetch_is_up(gw->fetch)) {
		reason_set(&why, 0,
		    "the ring no longer holds what came after 'from', and the "
		    "broker, which reads the log, is away");
		code = PROTO_UNAVAILABLE;
	}
	if (code != PROTO_OK) {
		session_error(s, req->id, code, why.text);
		return;
	}
	filter = filter_of(s, req);
	set_pace(s, req);
	COUNTERS_ADD(resumes, 1);
	send_subscribe_from(&s->sender, req->id.v, filter, position);
	say_subscribed(s, req->id, (struct proto_uint){ 0 });
	begun(s, req);
}

static void
subscribe_now(struct session *s, const struct proto_request *req)
{
	struct filter *filter CLEANUP(filter_unrefp) = filter_of(s, req);
	uint64_t seq;

	set_pace(s, req);
	seq = send_subscribe_now(&s->sender, req->id.v, filter);
	say_subscribed(s, req->id, (struct proto_uint){ true, seq });
	begun(s, req);
}

/* Does `scope` still stand for what this client would get? */
static bool
scope_holds(
    const struct session *s, const struct filter *filter, struct slice scope)
{
	struct mp_walk w = mp_walk(scope);
	char now[SEND_SCOPE];
	struct mp_item item;

	if (scope.len == 0)
		return true;
	send_scope(&s->gw->hub, filter, now);
	return mp_next(&w, &item) && item.type == MP_STR &&
	       slice_is(item.s, now);
}

static void
subscribe_snapshot(struct session *s, const struct proto_request *req)
{
	struct filter *filter CLEANUP(filter_unrefp) = filter_of(s, req);
	const struct send_snapshot ask = {
		.id = req->id,
		.filter = filter,
		.since = req->subscribe.since,
		.full = !scope_holds(s, filter, req->subscribe.scope),
		.min_seq = req->subscribe.min_seq.v,
	};

	set_pace(s, req);
	COUNTERS_ADD(snapshots, 1);
	send_subscribe_snapshot(&s->sender, &ask);
	begun(s, req);
}

void
session_subscribe(struct session *s, const struct proto_request *req)
{
	struct reason why = { "" };
	enum proto_code code;

	gateway_drink(s->gw, 0);
	if (s->closing)
		return;
	code = check(s, req, &why);
	if (code == PROTO_OK && req->subscribe.from == PROTO_FROM_SEQ &&
	    !slice_is(req->subscribe.log, s->gw->log))
		code = check_position(s, req->subscribe.log, 0, &why);
	if (code != PROTO_OK) {
		session_error(s, req->id, code, why.text);
		return;
	}
	switch (req->subscribe.from) {
	case PROTO_FROM_NOW:
		subscribe_now(s, req);
		break;
	case PROTO_FROM_SNAPSHOT:
		subscribe_snapshot(s, req);
		break;
	case PROTO_FROM_ACK:
		session_subscribe_ack(s, req);
		break;
	case PROTO_FROM_SEQ:
		session_subscribe_from(s, req, req->subscribe.from_seq);
		break;
	}
}

void
session_permissions(struct session *s)
{
	send_permit(&s->sender, &s->acl);
	session_query_again(s);
	send_pump(&s->sender);
}

void
session_unsubscribe(struct session *s, const struct proto_request *req)
{
	struct session_query *asked;
	struct send_sub *sub;

	if (!req->id.set) {
		session_error(s, req->id, PROTO_BAD_REQUEST,
		    "'id' must name a subscription");
		return;
	}
	sub = send_find(&s->sender, req->id.v);
	asked = session_query_find(s, req->id.v);
	if (sub && !send_is_query(sub))
		send_unsubscribe(&s->sender, sub);
	else if (asked && asked->op == PROTO_SUBSCRIBE)
		session_query_free(asked);
	session_ok(s, req->id);
	send_pump(&s->sender);
}
