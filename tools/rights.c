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

#include "core/grant.h"
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
	struct reason why = REASON_NO_MEMORY;
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

/* As gateways take it: what makes no sense grants nothing. */
static int
rights_granted(const struct rights_read *r, struct acl *acl, struct reason *why)
{
	if (r->grant.len == 0)
		return ACL_ADDED;
	return grant_patterns(slice_of(r->grant.p, r->grant.len), acl, why);
}

static void
rights_print_list(const char *name, char *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		printf("%-6s", name);
		show_name(slice_cstr(list[i]));
		putchar('\n');
	}
}

static void
rights_print_revoked(const struct rights_read *r)
{
	uint64_t before =
	    grant_before(slice_of(r->revoke.p, r->revoke.len), NULL);
	char text[TOOL_TIME_BYTES];

	if (before == UINT64_MAX)
		printf("all tokens are refused\n");
	else if (before > 0 && before < UINT64_MAX / RIGHTS_US_PER_S)
		printf("tokens issued before %.19s are refused\n",
		    tool_time(before * RIGHTS_US_PER_S, text));
	else if (before > 0)
		printf(
		    "tokens issued before %" PRIu64 " are refused\n", before);
}

static int
rights_print(struct tool *t, const struct rights_read *r)
{
	struct acl acl = { 0 };
	struct reason why = REASON_NO_MEMORY;
	int rc = rights_granted(r, &acl, &why);

	if (rc < 0)
		return -ENOMEM;
	if (rc == ACL_REFUSED)
		tool_note(t, "'%.*s' grants nothing: %s", (int)r->topics[0].len,
		    (const char *)r->topics[0].p, why.text);
	rights_print_list("read", acl.read, acl.n_read);
	rights_print_list("write", acl.write, acl.n_write);
	if (acl.n_read + acl.n_write == 0)
		printf("nothing is granted beyond tokens\n");
	if (r->revoke.len > 0)
		rights_print_revoked(r);
	acl_deinit(&acl);
	return 0;
}

static void
rights_pack_list(
    struct mp_buf *b, const char *name, char *const *list, unsigned n)
{
	mp_pack_cstr(b, name);
	mp_pack_array(b, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_cstr(b, list[i]);
}

static int
rights_print_json(const struct rights_read *r)
{
	struct show show = { 0 };
	struct acl acl = { 0 };
	struct mp_buf b = { 0 };
	int err = -ENOMEM;

	if (rights_granted(r, &acl, NULL) < 0)
		return -ENOMEM;
	mp_pack_map(&b, 4);
	mp_pair_cstr(&b, "user", r->user);
	rights_pack_list(&b, "read", acl.read, acl.n_read);
	rights_pack_list(&b, "write", acl.write, acl.n_write);
	mp_pack_cstr(&b, "before");
	if (r->revoke.len > 0)
		mp_pack_uint(&b,
		    grant_before(slice_of(r->revoke.p, r->revoke.len), NULL));
	else
		mp_pack_nil(&b);
	if (!b.failed)
		err = show_value(&show, slice_of(b.p, b.len));
	acl_deinit(&acl);
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
	struct reason why = REASON_NO_MEMORY;
	int err, status = TOOL_OK;

	if (!grant || !revoke)
		return tool_error(t, "out of memory");
	r.topics[0] = slice_cstr(grant);
	r.topics[1] = slice_cstr(revoke);
	err = rights_read(t, &r, &why);
	if (err < 0)
		status = tool_fail(t, &why);
	else if ((t->json ? rights_print_json(&r) : rights_print(t, &r)) < 0)
		status = tool_error(t, "out of memory");
	mp_buf_deinit(&r.grant);
	mp_buf_deinit(&r.revoke);
	return status;
}
