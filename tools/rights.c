/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Written through the writer's socket, read from the broker's: neither needs
 * a token.  A user's name is escaped into one token of the topic.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/topic.h"
#include "tools/query.h"
#include "tools/refuse.h"
#include "tools/rights.h"
#include "tools/show.h"
#include "tools/snapshot.h"
#include "tools/tool.h"
#include "tools/writer_client.h"

#define RIGHTS_US_PER_S UINT64_C(1000000)

bool
rights_user_valid(const char *user, struct reason *why)
{
	if (*user == '\0') {
		(void)reason_set(why, 0, "a user has a name");
		return false;
	}
	return topic_actor_valid(slice_cstr(user), why);
}

char *
rights_escape(const char *user)
{
	char *name = malloc(TOPIC_ESCAPED_MAX + 1);

	if (name)
		(void)topic_escape(slice_cstr(user), name);
	return name;
}

/* The topic that speaks of the user; free() it. */
static char *
rights_topic(const char *prefix, const char *user)
{
	CLEANUP(freep) char *name = rights_escape(user);
	char *topic;

	if (!name || asprintf(&topic, "%s%s", prefix, name) < 0)
		return NULL;
	return topic;
}

/* --- saying it --- */

static int
rights_answer(
    struct tool *t, const char *topic, const struct writer_reply *reply)
{
	struct mp_buf text = { 0 };

	if (reply->code == PROTO_FORBIDDEN)
		return tool_error(t,
		    "forbidden: only root, the writer's account and group "
		    "peal-admin may say this");
	if (reply->code != PROTO_OK)
		return tool_error(t, "%s: %.*s", proto_code_name(reply->code),
		    (int)reply->message.len, (const char *)reply->message.p);
	if (t->json && json_from_mp(reply->body, &text) == 0)
		printf("%.*s\n", (int)text.len, (const char *)text.p);
	else
		printf("seq %" PRIu64 " version %" PRIu64 " of %s\n",
		    reply->seq, reply->version, topic);
	mp_buf_deinit(&text);
	return TOOL_OK;
}

static int
rights_call(struct tool *t, const struct rights *r, const char *topic)
{
	const struct writer_append append = {
		.topic = slice_cstr(topic),
		.type = slice_cstr(r->type),
		.data = r->data,
		.actor = r->actor ? slice_cstr(r->actor) : slice_of(NULL, 0),
	};
	struct mp_buf request = { 0 };
	struct writer_client wc;
	struct writer_reply reply;
	struct reason why;
	int status, got;

	if (writer_client_open(&wc, house_run_dir(&t->house), &why) < 0)
		return tool_fail(t, &why);
	writer_client_pack(&request, 1, &append);
	got = request.failed
		  ? reason_set(&why, -ENOMEM, "cannot append")
		  : writer_client_call(&wc, slice_of(request.p, request.len),
			-1, &reply, &why);
	/* It says the whole: repeating it is harmless. */
	if (got == -EPIPE)
		status = tool_error(t,
		    "unknown: %s (it may be stored: say it again)", why.text);
	else if (got < 0)
		status = tool_fail(t, &why);
	else
		status = rights_answer(t, topic, &reply);
	writer_client_close(&wc);
	mp_buf_deinit(&request);
	return status;
}

int
rights_append(struct tool *t, const struct rights *r)
{
	CLEANUP(freep) char *topic = rights_topic(r->prefix, r->user);

	if (!topic)
		return tool_error(t, "out of memory");
	return rights_call(t, r, topic);
}

/* --- what was said --- */

struct rights_read {
	const char *user;
	struct slice topics[2]; /* the grant's and the revocation's */
	struct mp_buf grant;	/* its data, len 0: none */
	struct mp_buf revoke;
};

static int
rights_row(
    void *arg, const struct row *row, struct slice bytes, struct reason *why)
{
	struct rights_read *r = arg;
	struct mp_buf *to =
	    slice_equal(row->topic, r->topics[0]) ? &r->grant : &r->revoke;

	(void)bytes;
	to->len = 0;
	mp_pack_raw(to, row->value);
	if (to->failed)
		return reason_set(why, -ENOMEM, "cannot keep it");
	return 0;
}

/* The member of a map; len 0 where the value is none, or lacks it. */
static struct slice
rights_member(const struct mp_buf *data, const char *name)
{
	struct slice value = slice_of(data->p, data->len);
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	if (data->len == 0 || !mp_next(&w, &item) || item.type != MP_MAP)
		return slice_of(NULL, 0);
	return proto_get(value, name);
}

/* Returns how many there are. */
static unsigned
rights_print_list(const struct mp_buf *grant, const char *name)
{
	struct slice list = rights_member(grant, name);
	struct mp_walk w = mp_walk(list);
	struct mp_item item;
	unsigned n = 0;

	if (list.len == 0 || !mp_next(&w, &item) || item.type != MP_ARRAY)
		return 0;
	for (; mp_next(&w, &item) && item.type == MP_STR; n++) {
		printf("%-6s", name);
		show_name(item.s);
		putchar('\n');
	}
	return n;
}

static void
rights_print(const struct rights_read *r)
{
	struct slice before = rights_member(&r->revoke, "before");
	struct mp_walk w = mp_walk(before);
	char text[TOOL_TIME_BYTES];
	struct mp_item item;
	unsigned n = rights_print_list(&r->grant, "read");

	n += rights_print_list(&r->grant, "write");
	if (n == 0)
		printf("nothing is granted beyond tokens\n");
	if (r->revoke.len == 0)
		return;
	if (before.len == 0 || !mp_next(&w, &item) || item.type != MP_UINT)
		printf("all tokens are refused\n");
	else if (item.u > 0 && item.u < UINT64_MAX / RIGHTS_US_PER_S)
		printf("tokens issued before %.19s are refused\n",
		    tool_time(item.u * RIGHTS_US_PER_S, text));
	else if (item.u > 0)
		printf(
		    "tokens issued before %" PRIu64 " are refused\n", item.u);
}

static int
rights_print_json(const struct rights_read *r)
{
	static const char *const names[] = { "read", "write", "before" };
	struct show show = { 0 };
	struct mp_buf b = { 0 };
	int err = -ENOMEM;

	mp_pack_map(&b, 1 + ARRAY_LEN(names));
	mp_pair_cstr(&b, "user", r->user);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct slice value =
		    rights_member(i < 2 ? &r->grant : &r->revoke, names[i]);

		mp_pack_cstr(&b, names[i]);
		if (value.len > 0)
			mp_pack_raw(&b, value);
		else if (i < 2)
			mp_pack_array(&b, 0);
		else
			mp_pack_nil(&b);
	}
	if (!b.failed)
		err = show_value(&show, slice_of(b.p, b.len));
	show_deinit(&show);
	mp_buf_deinit(&b);
	return err;
}

static int
rights_read(struct tool *t, struct rights_read *r, struct reason *why)
{
	struct query *q CLEANUP(query_freep) = NULL;
	struct snapshot snap = {
		.patterns = r->topics, .n = 2, .row = rights_row, .arg = r
	};
	int err = query_open(t, &q, why);

	if (err < 0)
		return err;
	snap.min_seq = query_min_seq(q);
	return snapshot_read(q, &snap, why);
}

int
rights_show(struct tool *t, const char *user)
{
	CLEANUP(freep) char *grant = rights_topic("$acl.", user);
	CLEANUP(freep) char *revoke = rights_topic("$revoke.", user);
	struct rights_read r = { .user = user };
	struct reason why;
	int err, status = TOOL_OK;

	if (!grant || !revoke)
		return tool_error(t, "out of memory");
	r.topics[0] = slice_cstr(grant);
	r.topics[1] = slice_cstr(revoke);
	err = rights_read(t, &r, &why);
	if (err < 0)
		status = tool_fail(t, &why);
	else if (!t->json)
		rights_print(&r);
	else if (rights_print_json(&r) < 0)
		status = tool_error(t, "out of memory");
	mp_buf_deinit(&r.grant);
	mp_buf_deinit(&r.revoke);
	return status;
}
