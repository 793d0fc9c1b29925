/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal revoke`: a user's tokens that were issued before a time are refused
 * from now on, and who is connected with one is sent away.
 */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "tools/cmd.h"
#include "tools/rights.h"
#include "tools/tool.h"
#include "tools/when.h"

static const char revoke_text[] =
    "Refuse USER's tokens that were issued before TIME, and close the "
    "connections that\nwere opened with one; every gateway does so at once. "
    "TIME is as for peal at, or 0 to\nlift it. The default is the end of "
    "this second.";

/* Unix seconds; what is not whole counts as the next one. */
static int
revoke_time(struct tool *t, const char *text, uint64_t *before)
{
	struct reason why = REASON_NO_MEMORY;
	struct when when;

	*before = time_wall_us() / US_PER_S + 1;
	if (!text)
		return TOOL_OK;
	if (!when_parse(text, &when, &why))
		return tool_usage_error(t, "--before: %s", why.text);
	if (when.kind == WHEN_SEQ && when.v > 0)
		return tool_usage_error(t,
		    "--before takes a time, and seconds since 1970 are written "
		    "@%.40s",
		    text);
	*before = when.v / US_PER_S + (when.v % US_PER_S > 0);
	return TOOL_OK;
}

static int
revoke_run(struct tool *t, const char *text, const char *actor)
{
	struct rights rights = { .user = t->argv[0],
		.prefix = "$revoke.",
		.type = "access_changed",
		.actor = actor };
	struct mp_buf data = { 0 };
	struct reason why = REASON_NO_MEMORY;
	uint64_t before;
	int status = revoke_time(t, text, &before);

	if (status != TOOL_OK)
		return status;
	if (!rights_user_valid(rights.user, &why) ||
	    (actor && !topic_actor_valid(slice_cstr(actor), &why)))
		return tool_usage_error(t, "%s", why.text);
	mp_pack_map(&data, 1);
	mp_pair_uint(&data, "before", before);
	rights.data = slice_of(data.p, data.len);
	status = data.failed ? tool_error(t, "out of memory")
			     : rights_append(t, &rights);
	mp_buf_deinit(&data);
	return status;
}

int
cmd_revoke(int argc, char **argv)
{
	const char *before = NULL, *actor = NULL;
	const struct tool_option options[] = {
		{ .name = "before",
		    .kind = TOOL_TEXT,
		    .value = &before,
		    .arg = "TIME",
		    .help = "refuse what was issued before; 0: refuse none" },
		{ .name = "actor",
		    .kind = TOOL_TEXT,
		    .value = &actor,
		    .arg = "NAME",
		    .help = "who does it (default: you)" },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "revoke",
		.operands = "USER",
		.text = revoke_text,
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
		.min_operands = 1,
		.max_operands = 1 };
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	return tool_end(&t, revoke_run(&t, before, actor));
}
