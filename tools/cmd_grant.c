/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal grant`: what a user may beyond his token.  The log keeps the whole
 * of it, so that what is not said again is taken away.
 */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/acl.h"
#include "core/reason.h"
#include "core/topic.h"
#include "tools/cmd.h"
#include "tools/rights.h"
#include "tools/tool.h"

static const char grant_text[] =
    "Grant USER what the patterns name, beyond what his token allows. It "
    "takes the place\nof what was granted before, on every gateway and at "
    "once. {sub} in a pattern stands\nfor the user. Without patterns: print "
    "what is granted, and what is revoked.";

struct grant_options {
	const char *user;
	struct tool_list read;
	struct tool_list write;
	bool none;
	const char *actor;
};

/* The pattern with the escaped user in place of each {sub}; free() it. */
static char *
grant_fill_in(const char *pattern, const char *user)
{
	static const char hole[] = "{sub}";
	CLEANUP(freep) char *name = rights_escape(user);
	size_t len = name ? strlen(name) : 0;
	char *text, *to;

	/* No pattern has more of them than it has characters. */
	text = malloc((strlen(pattern) + 1) * (TOPIC_ESCAPED_MAX + 1));
	if (!text || !name) {
		free(text);
		return NULL;
	}
	for (to = text; *pattern;) {
		if (strncmp(pattern, hole, strlen(hole)) != 0) {
			*to++ = *pattern++;
			continue;
		}
		memcpy(to, name, len);
		to += len;
		pattern += strlen(hole);
	}
	*to = '\0';
	return text;
}

static int
grant_add(struct tool *t, struct acl *acl, enum acl_list list,
    const struct tool_list *patterns, const char *user)
{
	const char *option = list == ACL_READ ? "--read" : "--write";

	for (unsigned i = 0; i < patterns->n; i++) {
		CLEANUP(freep)
		char *text = grant_fill_in(patterns->v[i], user);
		struct reason why = REASON_NO_MEMORY;
		int rc;

		if (!text)
			return tool_error(t, "out of memory");
		if (*text == '$' && list == ACL_WRITE)
			return tool_usage_error(t,
			    "%s %s: nobody may: only local peers write topics "
			    "of the system",
			    option, text);
		if (*text == '$')
			tool_note(t,
			    "%s %s: gives nothing unless the user's token is "
			    "an admin token",
			    option, text);
		rc = acl_add(acl, list, slice_cstr(text), &why);
		if (rc < 0)
			return tool_error(t, "out of memory");
		if (rc != ACL_ADDED)
			return tool_usage_error(t, "%s: %s", option, why.text);
	}
	return TOOL_OK;
}

static void
grant_pack(struct mp_buf *b, const char *name, char *const *list, unsigned n)
{
	mp_pack_cstr(b, name);
	mp_pack_array(b, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_cstr(b, list[i]);
}

static int
grant_append(
    struct tool *t, const struct grant_options *opt, const struct acl *acl)
{
	struct rights rights = { .user = opt->user,
		.prefix = "$acl.",
		.type = "acl_changed",
		.actor = opt->actor };
	struct mp_buf data = { 0 };
	int status;

	mp_pack_map(&data, 2);
	grant_pack(&data, "read", acl->read, acl->n_read);
	grant_pack(&data, "write", acl->write, acl->n_write);
	rights.data = slice_of(data.p, data.len);
	status = data.failed ? tool_error(t, "out of memory")
			     : rights_append(t, &rights);
	mp_buf_deinit(&data);
	return status;
}

static int
grant_run(struct tool *t, const struct grant_options *opt)
{
	bool some = opt->read.n > 0 || opt->write.n > 0;
	struct acl acl = { 0 };
	struct reason why = REASON_NO_MEMORY;
	int status;

	if (!rights_user_valid(opt->user, &why) ||
	    (opt->actor && !topic_actor_valid(slice_cstr(opt->actor), &why)))
		return tool_usage_error(t, "%s", why.text);
	if (some && opt->none)
		return tool_usage_error(
		    t, "--none goes with neither --read nor --write");
	if (!some && !opt->none)
		return rights_show(t, opt->user);
	status = grant_add(t, &acl, ACL_READ, &opt->read, opt->user);
	if (status == TOOL_OK)
		status = grant_add(t, &acl, ACL_WRITE, &opt->write, opt->user);
	if (status == TOOL_OK)
		status = grant_append(t, opt, &acl);
	acl_deinit(&acl);
	return status;
}

int
cmd_grant(int argc, char **argv)
{
	struct grant_options opt = { 0 };
	const struct tool_option options[] = {
		{ .name = "read",
		    .kind = TOOL_LIST,
		    .value = &opt.read,
		    .arg = "PATTERN",
		    .help = "topics the user may read" },
		{ .name = "write",
		    .kind = TOOL_LIST,
		    .value = &opt.write,
		    .arg = "PATTERN",
		    .help = "topics the user may append to" },
		{ .name = "none",
		    .kind = TOOL_FLAG,
		    .value = &opt.none,
		    .help = "nothing beyond the token" },
		{ .name = "actor",
		    .kind = TOOL_TEXT,
		    .value = &opt.actor,
		    .arg = "NAME",
		    .help = "who does it (default: you)" },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "grant",
		.operands = "USER",
		.text = grant_text,
		.common = TOOL_HOUSE | TOOL_JSON | TOOL_QUERY,
		.options = options,
		.min_operands = 1,
		.max_operands = 1 };
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	opt.user = t.argv[0];
	return tool_end(&t, grant_run(&t, &opt));
}
