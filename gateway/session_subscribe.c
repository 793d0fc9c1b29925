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
count_subs(const struct session *s, unsigned *patterns)
{
	const struct send_sub *sub;
	unsigned n = 0;

	*patterns = 0;
	LIST_FOREACH (sub, &s->sender.subs, link) {
		n++;
		*patterns += sub->filter->n_pairs;
	}
	return n;
}

/* Has any of the patterns a topic in common with what may be read? */
static bool
readable(const struct acl *acl, struct slice topics)
{
	struct mp_walk w = mp_walk(topics);
	struct mp_item item;

	if (!mp_next(&w, &item))
		return false;
	while (mp_next(&w, &item))
		if (acl_pattern_readable(acl, item.s))
			return true;
	return false;
}

/* What this version does not serve; NULL: nothing of it is asked for. */
static const char *
not_served(const struct proto_request *req)
{
	if (req->subscribe.from == PROTO_FROM_SNAPSHOT)
		return "snapshots are not served yet";
	if (req->subscribe.from == PROTO_FROM_ACK)
		return "stored positions are not served yet";
	if (req->subscribe.conflate.set)
		return "conflation is not served yet";
	return NULL;
}

static enum proto_code
check_limits(const struct session *s, const struct proto_request *req,
    struct reason *why)
{
	const struct conf *conf = s->gw->conf;
	uint64_t max_subs = conf_uint(conf, CONF_gateway_subscriptions);
	uint64_t max_patterns = conf_uint(conf, CONF_gateway_patterns);
	unsigned patterns, n = count_subs(s, &patterns);

	if (n >= max_subs) {
		reason_set(why, 0,
		    "a connection has at most %llu subscriptions",
		    (unsigned long long)max_subs);
		return PROTO_TOO_LARGE;
	}
	if (patterns + count(req->subscribe.topics) > max_patterns) {
		reason_set(why, 0, "a connection has at most %llu patterns",
		    (unsigned long long)max_patterns);
		return PROTO_TOO_LARGE;
	}
	if (req->subscribe.types.p && count(req->subscribe.types) == 0) {
		reason_set(why, 0, "'types' must name at least one type");
		return PROTO_BAD_REQUEST;
	}
	return PROTO_OK;
}

static enum proto_code
check_position(const struct session *s, const struct proto_request *req,
    struct reason *why)
{
	if (req->subscribe.from != PROTO_FROM_SEQ)
		return PROTO_OK;
	if (!req->subscribe.log.p) {
		reason_set(why, 0, "'log' must say of which log 'from' is");
		return PROTO_BAD_REQUEST;
	}
	if (!slice_is(req->subscribe.log, s->gw->log)) {
		reason_set(why, 0, "'from' is a position of another log");
		return PROTO_LOG_CHANGED;
	}
	if (req->subscribe.from_seq <= s->gw->groups.done)
		return PROTO_OK;
	if (!attach_live(s->gw->attach)) {
		reason_set(why, 0, "no writer runs: the log ends here for now");
		return PROTO_UNAVAILABLE;
	}
	reason_set(why, 0, "'from' is beyond the head of the log");
	return PROTO_AHEAD;
}

static enum proto_code
check(const struct session *s, const struct proto_request *req,
    struct reason *why)
{
	const char *missing = not_served(req);
	enum proto_code code;

	if (!req->id.set) {
		reason_set(why, 0, "a subscription needs an 'id'");
		return PROTO_BAD_REQUEST;
	}
	code = check_limits(s, req, why);
	if (code != PROTO_OK)
		return code;
	if (!readable(&s->acl, req->subscribe.topics)) {
		reason_set(why, 0, "none of 'topics' may be read");
		return PROTO_FORBIDDEN;
	}
	if (missing) {
		reason_set(why, 0, "%s", missing);
		return PROTO_UNAVAILABLE;
	}
	return check_position(s, req, why);
}

static void
say_subscribed(struct session *s, struct proto_uint id, struct proto_uint seq)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "subscribed", id, seq.set);
	if (seq.set) {
		mp_pack_cstr(&b, "seq");
		mp_pack_uint(&b, seq.v);
	}
	session_say(s, &b);
}

/* The ring no longer holds what comes behind the position. */
static void
say_too_old(struct session *s, const struct proto_request *req)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "lagged", req->id, 4);
	mp_pack_cstr(&b, "reason");
	mp_pack_cstr(&b, "ring");
	mp_pack_cstr(&b, "position");
	mp_pack_uint(&b, req->subscribe.from_seq);
	mp_pack_cstr(&b, "oldest");
	mp_pack_uint(&b, catchup_oldest(s->gw->catchup));
	mp_pack_cstr(&b, "head");
	mp_pack_uint(&b, s->gw->groups.done);
	session_say(s, &b);
}

void
session_subscribe(struct session *s, const struct proto_request *req)
{
	struct filter *filter CLEANUP(filter_unrefp) = NULL;
	struct proto_uint seq = { 0 };
	struct reason why = { "" };
	enum proto_code code;

	gateway_drink(s->gw, req->subscribe.from == PROTO_FROM_SEQ
				 ? req->subscribe.from_seq
				 : 0);
	code = check(s, req, &why);
	if (code != PROTO_OK) {
		session_error(s, req->id, code, why.text);
		return;
	}
	if (req->subscribe.from == PROTO_FROM_SEQ &&
	    req->subscribe.from_seq + 1 < catchup_oldest(s->gw->catchup)) {
		say_too_old(s, req);
		return;
	}
	filter = filter_make(s->gw->groups.filters, req->subscribe.topics,
	    req->subscribe.types, &s->acl);
	if (req->subscribe.from == PROTO_FROM_SEQ)
		send_subscribe_from(
		    &s->sender, req->id.v, filter, req->subscribe.from_seq);
	else
		seq = (struct proto_uint){ true,
			send_subscribe_now(&s->sender, req->id.v, filter) };
	say_subscribed(s, req->id, seq);
	send_pump(&s->sender);
}

void
session_permissions(struct session *s)
{
	struct send_sub *sub, *next;

	for (sub = LIST_FIRST(&s->sender.subs); sub; sub = next) {
		struct filter *set CLEANUP(filter_unrefp) =
		    filter_permit(sub->filter, &s->acl);

		next = LIST_NEXT(sub, link);
		if (set != sub->filter)
			send_lagged_sub(&s->sender, sub, "permissions");
	}
	send_pump(&s->sender);
}

void
session_unsubscribe(struct session *s, const struct proto_request *req)
{
	struct send_sub *sub;

	if (!req->id.set) {
		session_error(s, req->id, PROTO_BAD_REQUEST,
		    "'id' must name a subscription");
		return;
	}
	sub = send_find(&s->sender, req->id.v);
	if (sub)
		send_unsubscribe(&s->sender, sub);
	session_ok(s, req->id);
	send_pump(&s->sender);
}
