/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Fold rules as configured.  The default ones fit the usual past-tense names
 * of events.  Their version is a checksum of their text, so that nobody has
 * to count.
 */

#include <errno.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/diag.h"
#include "core/reason.h"
#include "core/rules.h"
#include "core/topic.h"

enum {
	RULES_MAX = 1024
};

struct rule {
	struct slice glob; /* into text */
	bool ending;	   /* a star, and then none: compared from behind */
	enum rules_fold fold;
};

struct rules {
	unsigned refs;
	uint64_t version;
	unsigned n;
	struct rule *v;
	char *text; /* normal: words with one space between */
};

static const char *const fold_names[] = {
	[RULES_SET] = "set",
	[RULES_MERGE] = "merge",
	[RULES_DELETE] = "delete",
	[RULES_ADD] = "add",
	[RULES_REMOVE] = "remove",
	[RULES_TOUCH] = "touch",
};

/* "*removed" stands before "*moved", which matches it too. */
static const char defaults[] =
    "*created=set *restored=set *reverted=set *set=set *sampled=set "
    "*reported=set *removed=remove *added=add *updated=merge *changed=merge "
    "*renamed=merge *moved=merge *deleted=delete";

const char *
rules_fold_name(enum rules_fold fold)
{
	return fold_names[fold];
}

static int
fold_find(struct slice name)
{
	for (unsigned i = 0; i < ARRAY_LEN(fold_names); i++)
		if (slice_is(name, fold_names[i]))
			return (int)i;
	return -1;
}

struct rules *
rules_ref(struct rules *rules)
{
	rules->refs++;
	return rules;
}

struct rules *
rules_free(struct rules *rules)
{
	if (!rules || --rules->refs > 0)
		return NULL;
	free(rules->v);
	free(rules->text);
	free(rules);
	return NULL;
}

static int
refuse(struct reason *why, struct slice word, const char *what)
{
	char quoted[100];

	reason_set(why, 0, "fold rule '%s' %s",
	    diag_quote(quoted, sizeof(quoted), word.p, word.len), what);
	return -EINVAL;
}

/* One word of the text into the next rule. */
static int
take_word(struct rules *rules, struct slice word, struct reason *why)
{
	const uint8_t *at = memrchr(word.p, '=', word.len);
	struct rule *rule = &rules->v[rules->n];
	struct slice name;
	int fold;

	if (!at || at == word.p)
		return refuse(why, word, "must be GLOB=FOLD");
	rule->glob = slice_of(word.p, (size_t)(at - word.p));
	if (rule->glob.len > TOPIC_TYPE_MAX)
		return refuse(why, word, "has a glob of more than 64 bytes");
	name = slice_of(at + 1, word.len - rule->glob.len - 1);
	fold = fold_find(name);
	if (fold < 0)
		return refuse(why, word,
		    "must end in set, merge, delete, add, remove or touch");
	rule->fold = (enum rules_fold)fold;
	rule->ending = *rule->glob.p == '*' &&
		       !memchr(rule->glob.p + 1, '*', rule->glob.len - 1);
	if (++rules->n < RULES_MAX)
		return 0;
	return refuse(why, word, "is one too many: 1023 are allowed");
}

static int
take_text(struct rules *rules, struct reason *why)
{
	const char *p = rules->text;

	while (*p) {
		size_t len = strcspn(p, " ");
		int err = take_word(rules, slice_of(p, len), why);

		if (err < 0)
			return err;
		p += len + (p[len] != '\0');
	}
	return 0;
}

/* The words of text with one space between each two. */
static char *
normal(const char *text)
{
	static const char white[] = " \t\r\n";
	char *out = malloc(strlen(text) + 1), *to = out;

	if (!out)
		return NULL;
	for (text += strspn(text, white); *text;) {
		size_t len = strcspn(text, white);

		memcpy(to, text, len);
		to += len;
		text += len;
		text += strspn(text, white);
		if (*text)
			*to++ = ' ';
	}
	*to = '\0';
	return out;
}

int
rules_parse(const char *text, struct rules **out, struct reason *why)
{
	struct rules *rules CLEANUP(rules_freep) = calloc(1, sizeof(*rules));
	int err;

	if (!rules)
		return -ENOMEM;
	rules->refs = 1;
	rules->v = calloc(RULES_MAX, sizeof(rules->v[0]));
	rules->text = normal(text);
	if (rules->text && !rules->text[0]) {
		free(rules->text);
		rules->text = strdup(defaults);
	}
	if (!rules->v || !rules->text)
		return -ENOMEM;
	err = take_text(rules, why);
	if (err < 0)
		return err;
	rules->version = crc32c(0, rules->text, strlen(rules->text));
	*out = TAKE(rules);
	return 0;
}

/* [glob, fold] as a word of the text. */
static bool
unpack_rule(struct mp_walk *w, struct mp_buf *text)
{
	struct mp_item pair, glob, fold;

	if (!mp_next(w, &pair) || pair.type != MP_ARRAY || pair.n != 2 ||
	    !mp_next(w, &glob) || glob.type != MP_STR || !mp_next(w, &fold) ||
	    fold.type != MP_STR)
		return false;
	mp_buf_bytes(text, glob.s.p, glob.s.len);
	mp_buf_bytes(text, "=", 1);
	mp_buf_bytes(text, fold.s.p, fold.s.len);
	mp_buf_bytes(text, " ", 1);
	return true;
}

static bool
unpack_rules(struct mp_walk *w, struct mp_buf *text)
{
	struct mp_item map, list;
	struct slice name, skipped;

	if (!mp_next(w, &map) || map.type != MP_MAP)
		return false;
	for (uint32_t i = 0; i < map.n; i++) {
		if (!mp_next_name(w, &name))
			return false;
		if (!name.p || !slice_is(name, "rules")) {
			if (!mp_skip(w, &skipped))
				return false;
			continue;
		}
		if (!mp_next(w, &list) || list.type != MP_ARRAY)
			return false;
		for (uint32_t j = 0; j < list.n; j++)
			if (!unpack_rule(w, text))
				return false;
	}
	mp_buf_bytes(text, "", 1);
	return true;
}

int
rules_unpack(struct slice value, struct rules **out, struct reason *why)
{
	struct mp_walk w = mp_walk(value);
	struct mp_buf text = { 0 };
	int err = 0;

	if (!unpack_rules(&w, &text)) {
		reason_set(why, 0, "the fold rules have no known form");
		err = -EINVAL;
	} else if (text.failed) {
		err = -ENOMEM;
	}
	if (err == 0)
		err = rules_parse((const char *)text.p, out, why);
	mp_buf_deinit(&text);
	return err;
}

const char *
rules_text(const struct rules *rules)
{
	return rules->text;
}

uint64_t
rules_version(const struct rules *rules)
{
	return rules->version;
}

static inline bool
matches(const struct rule *rule, struct slice type)
{
	size_t len = rule->glob.len - 1;

	if (!rule->ending)
		return topic_glob_match(rule->glob, type);
	return type.len >= len &&
	       !memcmp(type.p + type.len - len, rule->glob.p + 1, len);
}

enum rules_fold
rules_fold(const struct rules *rules, struct slice topic, struct slice type)
{
	if (topic_is_system(topic))
		return RULES_SET;
	for (unsigned i = 0; i < rules->n; i++)
		if (matches(&rules->v[i], type))
			return rules->v[i].fold;
	return RULES_TOUCH;
}

void
rules_pack(const struct rules *rules, struct mp_buf *b)
{
	mp_pack_map(b, 2);
	mp_pair_uint(b, "version", rules->version);
	mp_pack_cstr(b, "rules");
	mp_pack_array(b, rules->n);
	for (unsigned i = 0; i < rules->n; i++) {
		mp_pack_array(b, 2);
		mp_pack_str(b, rules->v[i].glob);
		mp_pack_cstr(b, fold_names[rules->v[i].fold]);
	}
}
