/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal append`: one event, acknowledged once it is on the disk.  Without
 * --key a repeat stores the event twice; with it, once.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/grant.h"
#include "core/json.h"
#include "core/reason.h"
#include "core/topic.h"
#include "tools/cmd.h"
#include "tools/tool.h"
#include "tools/writer_client.h"

struct append_options {
	const char *expect;
	const char *key;
	const char *actor;
};

static const char append_text[] =
    "Append one event and print its seq and its version within the topic "
    "once it is\ndurable.  JSON is the event's data (default: null); '-' "
    "reads it from stdin.";

/* "any", "exists" or a version. */
static int
append_expect(struct tool *t, const char *text, struct writer_append *append)
{
	if (!text || !strcmp(text, "any"))
		append->expect = PROTO_EXPECT_ANY;
	else if (!strcmp(text, "exists"))
		append->expect = PROTO_EXPECT_EXISTS;
	else if (tool_number(text, 0, PROTO_SEQ_MAX, &append->version))
		append->expect = PROTO_EXPECT_VERSION;
	else
		return tool_usage_error(t,
		    "--expect takes 'any', 'exists' or a version, not '%.60s'",
		    text);
	return TOOL_OK;
}

static int
append_data(struct tool *t, struct mp_buf *data)
{
	CLEANUP(freep) char *text = NULL;
	struct slice json = SLICE_STR("null");
	struct reason why = REASON_NO_MEMORY;
	size_t len;

	if (t->argc > 2 && !strcmp(t->argv[2], "-")) {
		text = malloc(2 * EVENT_MAX + 1);
		if (!text)
			return tool_error(t, "out of memory");
		len = fread(text, 1, 2 * EVENT_MAX + 1, stdin);
		if (ferror(stdin))
			return tool_error(
			    t, "cannot read stdin: %s", strerror(errno));
		if (len > 2 * EVENT_MAX)
			return tool_error(t,
			    "stdin holds more than an event may carry (1 MiB)");
		json = slice_of(text, len);
	} else if (t->argc > 2) {
		json = slice_cstr(t->argv[2]);
	}
	if (json_to_mp(json, data, &why) < 0)
		return tool_error(t, "the data is no JSON: %s", why.text);
	return TOOL_OK;
}

static int
append_check(struct tool *t, const struct writer_append *append)
{
	struct reason why = REASON_NO_MEMORY;

	if (!topic_valid(append->topic, &why) ||
	    !topic_type_valid(append->type, &why) ||
	    (append->actor.p && !topic_actor_valid(append->actor, &why)))
		return tool_fail(t, &why);
	if (append->key.p && (append->key.len < 1 || append->key.len > 64))
		return tool_usage_error(t, "--key takes 1 to 64 bytes");
	return TOOL_OK;
}

static int
append_print(struct tool *t, const struct writer_reply *reply)
{
	struct mp_buf text = { 0 };

	if (reply->code == PROTO_UNKNOWN)
		return tool_error(t,
		    "%.*s (the event may be stored: repeat only with the same "
		    "--key)",
		    (int)reply->message.len, (const char *)reply->message.p);
	if (reply->code != PROTO_OK)
		return tool_error(t, "%s: %.*s", proto_code_name(reply->code),
		    (int)reply->message.len, (const char *)reply->message.p);
	if (t->json && json_from_mp(reply->body, &text) == 0)
		printf("%.*s\n", (int)text.len, (const char *)text.p);
	else
		printf("seq %llu version %llu%s\n",
		    (unsigned long long)reply->seq,
		    (unsigned long long)reply->version,
		    reply->duplicate ? " duplicate" : "");
	mp_buf_deinit(&text);
	return TOOL_OK;
}

/*
 * On these topics anything is an event, and what makes no sense is not just
 * ignored: it takes away what the user had.
 */
static void
append_remark(struct tool *t, const struct writer_append *append)
{
	int n = (int)append->topic.len;
	const char *topic = (const char *)append->topic.p;
	struct acl acl = { 0 };
	struct reason why = { "" };

	switch (grant_topic(append->topic, NULL)) {
	case GRANT_ACL:
		if (grant_patterns(append->data, &acl, &why) < 0)
			break;
		if (acl.n_read + acl.n_write == 0)
			tool_note(t, "'%.*s' now grants nothing%s%s", n, topic,
			    why.text[0] ? ": " : "", why.text);
		acl_deinit(&acl);
		break;
	case GRANT_REVOKE:
		(void)grant_before(append->data, &why);
		if (why.text[0])
			tool_note(t, "'%.*s': %s (see peal-revoke(1))", n,
			    topic, why.text);
		break;
	default:
		if (topic_match(SLICE_STR("$acl.>"), append->topic) ||
		    topic_match(SLICE_STR("$revoke.>"), append->topic))
			tool_note(t,
			    "'%.*s' names no user: it grants and revokes "
			    "nothing",
			    n, topic);
	}
}

static int
append_send(struct tool *t, const struct writer_append *append)
{
	struct writer_client wc;
	struct writer_reply reply;
	struct reason why = REASON_NO_MEMORY;
	struct mp_buf request = { 0 };
	int status = TOOL_ERROR, got;

	if (writer_client_open(&wc, house_run_dir(&t->house), &why) < 0)
		return tool_fail(t, &why);
	writer_client_pack(&request, 1, append);
	got = request.failed
		  ? reason_set(&why, -ENOMEM, "cannot append")
		  : writer_client_call(&wc, slice_of(request.p, request.len),
			-1, &reply, &why);
	if (got == -EPIPE)
		(void)tool_error(t,
		    "unknown: %s (the event may be stored: repeat only with "
		    "the same --key)",
		    why.text);
	else if (got < 0)
		(void)tool_fail(t, &why);
	else
		status = append_print(t, &reply);
	if (status == TOOL_OK)
		append_remark(t, append);
	writer_client_close(&wc);
	mp_buf_deinit(&request);
	return status;
}

int
cmd_append(int argc, char **argv)
{
	struct append_options opt = { 0 };
	const struct tool_option options[] = {
		{ .name = "expect",
		    .kind = TOOL_TEXT,
		    .value = &opt.expect,
		    .arg = "VERSION",
		    .help = "version the topic must have; 'exists', 'any'" },
		{ .name = "key",
		    .kind = TOOL_TEXT,
		    .value = &opt.key,
		    .arg = "KEY",
		    .help = "makes a repeat harmless" },
		{ .name = "actor",
		    .kind = TOOL_TEXT,
		    .value = &opt.actor,
		    .arg = "NAME",
		    .help = "who did it (default: you)" },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "append",
		.operands = "TOPIC TYPE [JSON]",
		.text = append_text,
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
		.min_operands = 2,
		.max_operands = 3 };
	struct writer_append append = { 0 };
	struct mp_buf data = { 0 };
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	append.topic = slice_cstr(t.argv[0]);
	append.type = slice_cstr(t.argv[1]);
	if (opt.key)
		append.key = slice_cstr(opt.key);
	if (opt.actor)
		append.actor = slice_cstr(opt.actor);
	status = append_expect(&t, opt.expect, &append);
	if (status == TOOL_OK)
		status = append_check(&t, &append);
	if (status == TOOL_OK)
		status = append_data(&t, &data);
	append.data = slice_of(data.p, data.len);
	if (status == TOOL_OK)
		status = append_send(&t, &append);
	mp_buf_deinit(&data);
	return tool_end(&t, status);
}
