/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal revert`: bring a topic back to what it was at a version.  Nothing is
 * undone: a further event says so, and only on top of the version that was
 * looked at.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/rules.h"
#include "core/topic.h"
#include "tools/cmd.h"
#include "tools/pages.h"
#include "tools/query.h"
#include "tools/refuse.h"
#include "tools/show.h"
#include "tools/snapshot.h"
#include "tools/tool.h"
#include "tools/writer_client.h"

static const char revert_text[] =
    "Append an event 'reverted' that gives TOPIC the value it had at "
    "VERSION, and where it\nwas deleted then an event 'deleted' with it. It "
    "is stored only on top of the version\nthat is the newest now. "
    "Reverting to the version before brings the value back.";

struct revert {
	struct tool t;
	struct query *q;
	struct slice topic;
	const char *actor;
	uint64_t to;	  /* the version */
	uint64_t current; /* the newest version */
	uint64_t min_seq;
	uint64_t seq; /* of the event that made version `to` */
	bool found;
	bool deleted; /* then */
	struct mp_buf value;
};

/* --- what was there --- */

static int
revert_current(
    void *arg, const struct event *ev, struct slice bytes, struct reason *why)
{
	struct revert *r = arg;

	(void)bytes;
	(void)why;
	r->current = ev->version;
	return 1;
}

static int
revert_find(
    void *arg, const struct event *ev, struct slice bytes, struct reason *why)
{
	struct revert *r = arg;

	(void)bytes;
	(void)why;
	if (ev->version == r->to) {
		r->found = true;
		r->seq = ev->seq;
	}
	return r->found;
}

/* The topic's newest version, which has to be beyond the wanted one. */
static int
revert_read_current(struct revert *r, struct reason *why)
{
	struct pages newest = { .topic = r->topic,
		.min_seq = r->min_seq,
		.reverse = true,
		.left = 1,
		.event = revert_current,
		.arg = r };
	int err = pages_read(r->q, &newest, why);

	if (err < 0)
		return err;
	if (r->current == 0)
		return REFUSE(why, "there is no event of '%.150s'",
		    (const char *)r->topic.p);
	if (r->to > r->current)
		return REFUSE(why,
		    "'%.100s' has no version %" PRIu64
		    ": the newest is %" PRIu64,
		    (const char *)r->topic.p, r->to, r->current);
	if (r->to == r->current)
		return REFUSE(why, "'%.150s' is at version %" PRIu64 " now",
		    (const char *)r->topic.p, r->to);
	return 0;
}

/* The event of the version, from whichever end is nearer. */
static int
revert_read_seq(struct revert *r, struct reason *why)
{
	struct pages pages = { .topic = r->topic,
		.min_seq = r->min_seq,
		.reverse = r->to > r->current / 2,
		.left = UINT64_MAX,
		.event = revert_find,
		.arg = r };
	int err = pages_read(r->q, &pages, why);

	if (err < 0)
		return err;
	if (!r->found)
		return REFUSE(why,
		    "version %" PRIu64 " of '%.100s' is older than what is "
		    "kept",
		    r->to, (const char *)r->topic.p);
	return 0;
}

static int
revert_row(
    void *arg, const struct row *row, struct slice bytes, struct reason *why)
{
	struct revert *r = arg;

	(void)bytes;
	if (!slice_equal(row->topic, r->topic) || row->version != r->to)
		return REFUSE(why,
		    "the state at seq %" PRIu64 " has version %" PRIu64
		    " of it, not %" PRIu64,
		    r->seq, row->version, r->to);
	r->deleted = row->deleted;
	r->value.len = 0;
	mp_pack_raw(&r->value, row->value);
	return 0;
}

static int
revert_read_value(struct revert *r, struct reason *why)
{
	struct snapshot then = { .patterns = &r->topic,
		.n = 1,
		.at = { WHEN_SEQ, r->seq },
		.row = revert_row,
		.arg = r };
	int err = snapshot_read(r->q, &then, why);

	if (err >= 0 && r->value.failed)
		return reason_set(why, -ENOMEM, "cannot keep the value");
	if (err >= 0 && r->value.len == 0)
		return REFUSE(
		    why, "the state at seq %" PRIu64 " lacks it", r->seq);
	return err;
}

/* Would the events do what they are for? */
static int
revert_rules(struct revert *r, struct reason *why)
{
	CLEANUP(rules_freep) struct rules *rules = NULL;
	int err;

	err = rules_unpack(proto_get(query_welcome(r->q), "fold"), &rules, why);
	if (err < 0)
		return err;
	if (rules_fold(rules, r->topic, SLICE_STR("reverted")) != RULES_SET)
		return REFUSE(why,
		    "the fold rules in force do not let 'reverted' set a "
		    "value: they need *reverted=set");
	if (r->deleted &&
	    rules_fold(rules, r->topic, SLICE_STR("deleted")) != RULES_DELETE)
		return REFUSE(why,
		    "the fold rules in force do not let 'deleted' delete: they "
		    "need *deleted=delete");
	return 0;
}

static int
revert_read(struct revert *r, struct reason *why)
{
	int err;

	err = query_open(&r->t, &r->q, why);
	if (err < 0)
		return err;
	/* What was stored before this began is looked at, too. */
	r->min_seq = query_min_seq(r->q);
	err = revert_read_current(r, why);
	if (err >= 0)
		err = revert_read_seq(r, why);
	if (err >= 0)
		err = revert_read_value(r, why);
	return err < 0 ? err : revert_rules(r, why);
}

/* --- what is to be there --- */

/* The events; returns how many. */
static uint32_t
revert_events(
    const struct revert *r, struct mp_buf *meta, struct writer_append v[2])
{
	static const uint8_t nil[] = { 0xc0 };

	mp_pack_map(meta, 1);
	mp_pair_uint(meta, "reverted_to", r->to);
	v[0] = (struct writer_append){ .topic = r->topic,
		.type = SLICE_STR("reverted"),
		.data = slice_of(r->value.p, r->value.len),
		.meta = slice_of(meta->p, meta->len),
		.expect = PROTO_EXPECT_VERSION,
		.version = r->current };
	if (r->actor)
		v[0].actor = slice_cstr(r->actor);
	v[1] = v[0];
	v[1].type = SLICE_STR("deleted");
	v[1].data = slice_of(nil, 1);
	v[1].version++;
	return r->deleted ? 2 : 1;
}

static int
revert_local(struct revert *r, const struct writer_append *v, uint32_t n,
    struct writer_reply *reply, struct reason *why)
{
	struct mp_buf request = { 0 };
	struct writer_client wc;
	int err;

	err = writer_client_open(&wc, house_run_dir(&r->t.house), why);
	if (err < 0)
		return err;
	proto_pack_head(&request, "append", (struct proto_uint){ true, 1 }, 1);
	mp_pack_cstr(&request, "events");
	writer_client_pack_events(&request, v, n);
	err = request.failed
		  ? reason_set(why, -ENOMEM, "cannot append")
		  : writer_client_call(&wc, slice_of(request.p, request.len),
			(int)r->t.timeout_s * 1000, reply, why);
	if (err >= 0 && reply->code != PROTO_OK)
		err = query_refused(reply->body, why);
	if (err == -EPIPE || err == -ETIMEDOUT)
		reply->code = PROTO_UNKNOWN;
	writer_client_close(&wc);
	mp_buf_deinit(&request);
	return err;
}

static int
revert_remote(struct revert *r, const struct writer_append *v, uint32_t n,
    struct writer_reply *reply, struct reason *why)
{
	struct mp_buf *b = query_begin(r->q, "append", 1);
	struct slice body;
	int err;

	mp_pack_cstr(b, "events");
	writer_client_pack_events(b, v, n);
	err = query_send(r->q, why);
	if (err < 0)
		return err;
	err = query_reply(r->q, "appended", &body, why);
	if (err >= 0)
		reply->seq = proto_get_uint(body, "seq").v;
	else
		reply->code =
		    query_code(r->q) ? query_code(r->q) : PROTO_UNKNOWN;
	return err;
}

static int
revert_failed(
    const struct revert *r, enum proto_code code, const struct reason *why)
{
	if (code == PROTO_CONFLICT)
		return tool_error(&r->t,
		    "%s; something else has happened since: look at `peal "
		    "history %.100s`, then do it again",
		    why->text, (const char *)r->topic.p);
	if (code == PROTO_UNKNOWN)
		return tool_error(&r->t,
		    "unknown: %s (it may be stored; done again it is not "
		    "stored twice, but is a conflict)",
		    why->text);
	return tool_fail(&r->t, why);
}

static int
revert_print(struct revert *r, uint64_t version, uint64_t seq)
{
	struct show show = { 0 };
	struct mp_buf b = { 0 };
	int status = TOOL_OK;

	if (!r->t.json) {
		show_name(r->topic);
		printf("@%" PRIu64 "  seq %" PRIu64 "  as at version %" PRIu64
		       "%s\n",
		    version, seq, r->to, r->deleted ? "  deleted" : "");
		return TOOL_OK;
	}
	mp_pack_map(&b, 5);
	mp_pair_str(&b, "topic", r->topic);
	mp_pair_uint(&b, "version", version);
	mp_pair_uint(&b, "seq", seq);
	mp_pair_uint(&b, "reverted_to", r->to);
	mp_pair_bool(&b, "deleted", r->deleted);
	if (b.failed || show_value(&show, slice_of(b.p, b.len)) < 0)
		status = tool_error(&r->t, "out of memory");
	show_deinit(&show);
	mp_buf_deinit(&b);
	return status;
}

static int
revert_append(struct revert *r)
{
	struct writer_reply reply = { 0 };
	struct writer_append v[2];
	struct mp_buf meta = { 0 };
	struct reason why = REASON_NO_MEMORY;
	uint32_t n = revert_events(r, &meta, v);
	int err, status;

	if (meta.failed)
		err = reason_set(&why, -ENOMEM, "cannot append");
	else
		err = r->t.url ? revert_remote(r, v, n, &reply, &why)
			       : revert_local(r, v, n, &reply, &why);
	status = err < 0 ? revert_failed(r, reply.code, &why)
			 : revert_print(r, r->current + n, reply.seq + n - 1);
	mp_buf_deinit(&meta);
	return status;
}

/* --- the command --- */

static int
revert_check(const struct revert *r)
{
	struct reason why = REASON_NO_MEMORY;

	if (!topic_valid(r->topic, &why) ||
	    (r->actor && !topic_actor_valid(slice_cstr(r->actor), &why)))
		return tool_usage_error(&r->t, "%s", why.text);
	if (r->to == 0)
		return tool_usage_error(
		    &r->t, "--to VERSION is missing (versions begin at 1)");
	if (r->actor && r->t.url)
		return tool_usage_error(&r->t,
		    "--actor does not go with --url: it is the token's user");
	return TOOL_OK;
}

static int
revert_run(struct revert *r)
{
	struct reason why = REASON_NO_MEMORY;
	int status = revert_check(r);

	if (status == TOOL_OK && revert_read(r, &why) < 0)
		status = tool_fail(&r->t, &why);
	if (status == TOOL_OK)
		status = revert_append(r);
	r->q = query_free(r->q);
	mp_buf_deinit(&r->value);
	return tool_end(&r->t, status);
}

int
cmd_revert(int argc, char **argv)
{
	struct revert r = { 0 };
	const struct tool_option options[] = {
		{ .name = "to",
		    .kind = TOOL_UINT,
		    .value = &r.to,
		    .arg = "VERSION",
		    .help = "the version that was right",
		    .min = 1,
		    .max = PROTO_SEQ_MAX },
		{ .name = "actor",
		    .kind = TOOL_TEXT,
		    .value = &r.actor,
		    .arg = "NAME",
		    .help = "who does it (default: you)" },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "revert",
		.operands = "TOPIC --to VERSION",
		.text = revert_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON | TOOL_QUERY,
		.options = options,
		.min_operands = 1,
		.max_operands = 1 };
	int status;

	if (!tool_begin(&r.t, &usage, argc, argv, &status))
		return status;
	r.topic = slice_cstr(r.t.argv[0]);
	return revert_run(&r);
}
