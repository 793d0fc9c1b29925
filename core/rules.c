/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The default fold rules.  They fit the usual past-tense names of events; a
 * change of them is a change of RULES_VERSION.
 */

#include "core/rules.h"
#include "core/topic.h"

enum {
	RULES_VERSION = 1
};

static const char *const fold_names[] = {
	[RULES_SET] = "set",
	[RULES_MERGE] = "merge",
	[RULES_DELETE] = "delete",
	[RULES_ADD] = "add",
	[RULES_REMOVE] = "remove",
	[RULES_TOUCH] = "touch",
};

static const struct {
	const char *glob;
	enum rules_fold fold;
} rules[] = {
	{ "*created", RULES_SET },
	{ "*restored", RULES_SET },
	{ "*reverted", RULES_SET },
	{ "*set", RULES_SET },
	{ "*sampled", RULES_SET },
	{ "*reported", RULES_SET },
	/* Before "*moved", which matches it too. */
	{ "*removed", RULES_REMOVE },
	{ "*added", RULES_ADD },
	{ "*updated", RULES_MERGE },
	{ "*changed", RULES_MERGE },
	{ "*renamed", RULES_MERGE },
	{ "*moved", RULES_MERGE },
	{ "*deleted", RULES_DELETE },
};

const char *
rules_fold_name(enum rules_fold fold)
{
	return fold_names[fold];
}

enum rules_fold
rules_fold(struct slice topic, struct slice type)
{
	if (topic_is_system(topic))
		return RULES_SET;
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++)
		if (topic_glob_match(slice_cstr(rules[i].glob), type))
			return rules[i].fold;
	return RULES_TOUCH;
}

void
rules_pack(struct mp_buf *b)
{
	mp_pack_map(b, 2);
	mp_pack_cstr(b, "version");
	mp_pack_uint(b, RULES_VERSION);
	mp_pack_cstr(b, "rules");
	mp_pack_array(b, ARRAY_LEN(rules));
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
		mp_pack_array(b, 2);
		mp_pack_cstr(b, rules[i].glob);
		mp_pack_cstr(b, fold_names[rules[i].fold]);
	}
}
