/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sets of patterns and the crossing of two, against every topic of a small
 * alphabet.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/acl.h"
#include "core/mp.h"
#include "core/topic.h"
#include "core/topic_set.h"

enum {
	DEPTH = 3,	 /* tokens of a pattern, at most */
	TOPIC_DEPTH = 4, /* of a topic: '>' takes more than one */
	TOPICS_MAX = 2000,
	TEXT_MAX = 24
};

/* "z" is in no pattern: only wildcards match it. */
static const char *const words[] = { "a", "b", "$a", "z" };
static const char *const pieces[] = { "a", "b", "$a", "*", ">" };

static char topics[TOPICS_MAX][TEXT_MAX];
static char patterns[TOPICS_MAX][TEXT_MAX];
static unsigned n_topics, n_patterns;

/* All lists of 1 to depth tokens that begin with what is in text. */
static void
spell(char (*to)[TEXT_MAX], unsigned *n, const char *text, unsigned depth,
    const char *const *tokens, unsigned n_tokens)
{
	for (unsigned i = 0; i < n_tokens; i++) {
		char longer[TEXT_MAX];

		snprintf(longer, sizeof(longer), "%s%s%s", text,
		    *text ? "." : "", tokens[i]);
		assert_true(*n < TOPICS_MAX);
		strcpy(to[(*n)++], longer);
		if (depth > 1 && strcmp(tokens[i], ">") != 0)
			spell(to, n, longer, depth - 1, tokens, n_tokens);
	}
}

static int
spell_all(void **state)
{
	spell(topics, &n_topics, "", TOPIC_DEPTH, words, ARRAY_LEN(words));
	spell(patterns, &n_patterns, "", DEPTH, pieces, ARRAY_LEN(pieces));
	for (unsigned i = 0; i < n_topics; i++)
		assert_true(topic_valid(slice_cstr(topics[i]), NULL));
	for (unsigned i = 0; i < n_patterns; i++)
		assert_true(topic_pattern_valid(slice_cstr(patterns[i]), NULL));
	return 0;
}

/* Both match exactly the topics that the crossed pattern matches. */
static void
check_cross(struct slice a, struct slice b)
{
	char buf[2 * TOPIC_MAX + 2];
	size_t len = topic_cross(a, b, buf);
	struct slice both = slice_of(buf, len);
	bool any = false;

	assert_int_equal(len != 0, topic_patterns_meet(a, b));
	if (len)
		assert_true(topic_pattern_valid(both, NULL));
	for (unsigned i = 0; i < n_topics; i++) {
		struct slice t = slice_cstr(topics[i]);
		bool want = topic_match(a, t) && topic_match(b, t);

		any = any || want;
		if (want != (len && topic_match(both, t)))
			fail_msg("'%.*s' and '%.*s' gave '%.*s' for '%s'",
			    (int)a.len, a.p, (int)b.len, b.p, (int)len, buf,
			    topics[i]);
	}
	assert_int_equal(len != 0, any);
}

static void
a_crossed_pattern_matches_what_both_match(void **state)
{
	for (unsigned i = 0; i < n_patterns; i++)
		for (unsigned j = 0; j < n_patterns; j++)
			check_cross(
			    slice_cstr(patterns[i]), slice_cstr(patterns[j]));
}

static size_t
cross(const char *a, const char *b, char *buf)
{
	size_t len = topic_cross(slice_cstr(a), slice_cstr(b), buf);

	buf[len] = '\0';
	return len;
}

static void
crossed_patterns_are_spelled_in_one_way(void **state)
{
	char buf[2 * TOPIC_MAX + 2];

	cross("a.>", "*.b", buf);
	assert_string_equal(buf, "a.b");
	cross(">", "a.*.>", buf);
	assert_string_equal(buf, "a.*.>");
	cross("*.*.>", "a.>", buf);
	assert_string_equal(buf, "a.*.>");
	assert_int_equal(cross("a", "a.>", buf), 0);
	assert_int_equal(cross(">", "$a", buf), 0);
	assert_int_equal(cross("$a.>", "$a.b", buf), 4);
	assert_int_equal(cross("a.$a", "*.*", buf), 4);
}

/* x...x.* and *.y...y have lengths n - 2 - more and more + 2. */
static void
a_crossed_pattern_longer_than_a_topic_matches_none(void **state)
{
	char a[TOPIC_MAX + 1], b[TOPIC_MAX + 1], buf[2 * TOPIC_MAX + 2];

	for (size_t n = TOPIC_MAX - 1; n <= TOPIC_MAX + 1; n++) {
		size_t half = 120, rest = n - half - 1;

		memset(a, 'x', half);
		strcpy(a + half, ".*");
		strcpy(b, "*.");
		memset(b + 2, 'y', rest);
		b[2 + rest] = '\0';
		assert_int_equal(cross(a, b, buf), n <= TOPIC_MAX ? n : 0);
	}
	/* The longest that is ever written. */
	memset(a, 'x', TOPIC_MAX - 2);
	strcpy(a + TOPIC_MAX - 2, ".*");
	strcpy(b, "*.");
	memset(b + 2, 'y', TOPIC_MAX - 2);
	b[TOPIC_MAX] = '\0';
	assert_int_equal(
	    topic_cross(slice_of(a, TOPIC_MAX), slice_of(b, TOPIC_MAX), buf),
	    0);
}

static void
pack_patterns(struct mp_buf *b, const char *const *v, unsigned n)
{
	b->len = 0;
	mp_pack_array(b, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_cstr(b, v[i]);
	assert_false(b->failed);
}

/* Patterns two by two, so that sets have more than one: i, and i + step. */
static void
make_set(
    struct topic_set *set, unsigned i, unsigned j, bool restricted, bool admin)
{
	CLEANUP(mp_buf_deinit) struct mp_buf t = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf r = { 0 };
	const char *wanted[2] = { patterns[i], patterns[(i + 7) % n_patterns] };
	const char *read[2] = { patterns[j], patterns[(j + 31) % n_patterns] };

	pack_patterns(&t, wanted, 1 + i % 2);
	pack_patterns(&r, read, 1 + j % 2);
	assert_int_equal(
	    topic_set_init(set, slice_of(t.p, t.len),
		restricted ? slice_of(r.p, r.len) : slice_of(NULL, 0), admin),
	    0);
}

static bool
any_matches(const struct slice *v, unsigned n, struct slice topic)
{
	for (unsigned i = 0; i < n; i++)
		if (topic_match(v[i], topic))
			return true;
	return false;
}

/* What core/acl says of the set's readable patterns. */
static bool
may_read(const struct topic_set *set, struct slice topic)
{
	struct acl acl = { .admin = set->admin };
	bool may;

	if (!set->restricted)
		return true;
	for (unsigned i = 0; i < set->n_read; i++)
		assert_int_equal(
		    acl_add(&acl, ACL_READ, set->read[i], NULL), ACL_ADDED);
	may = acl_may_read(&acl, topic);
	acl_deinit(&acl);
	return may;
}

static void
check_set(const struct topic_set *set)
{
	static bool in[TOPICS_MAX];
	bool want;

	for (unsigned t = 0; t < n_topics; t++) {
		struct slice topic = slice_cstr(topics[t]);

		in[t] = any_matches(set->patterns, set->n, topic) &&
			may_read(set, topic);
		assert_int_equal(topic_set_matches(set, topic), in[t]);
	}
	for (unsigned p = 0; p < n_patterns; p++) {
		struct slice pattern = slice_cstr(patterns[p]);

		want = false;
		for (unsigned t = 0; !want && t < n_topics; t++)
			want = in[t] &&
			       topic_match(pattern, slice_cstr(topics[t]));
		if (want != topic_set_meets(set, pattern))
			fail_msg("'%s' should%s meet", patterns[p],
			    want ? "" : " not");
	}
}

static void
a_set_has_what_its_patterns_match_and_may_be_read(void **state)
{
	struct topic_set set;

	for (unsigned i = 0; i < n_patterns; i++) {
		for (unsigned j = i % 7; j < n_patterns; j += 7) {
			make_set(&set, i, j, true, (i + j) % 2);
			check_set(&set);
			topic_set_deinit(&set);
		}
		make_set(&set, i, 0, false, i % 2);
		check_set(&set);
		topic_set_deinit(&set);
	}
}

static void
a_set_without_patterns_matches_nothing(void **state)
{
	struct topic_set none = { 0 };
	struct topic_set set;

	assert_false(topic_set_matches(&none, SLICE_STR("a")));
	assert_false(topic_set_meets(&none, SLICE_STR(">")));
	topic_set_deinit(&none);
	assert_int_equal(topic_set_init(&set, SLICE_STR("\x91\xa1>"),
			     SLICE_STR("\x90"), true),
	    0);
	assert_true(set.restricted);
	assert_false(topic_set_matches(&set, SLICE_STR("a")));
	assert_false(topic_set_meets(&set, SLICE_STR(">")));
	topic_set_deinit(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crossed_pattern_matches_what_both_match),
		cmocka_unit_test(crossed_patterns_are_spelled_in_one_way),
		cmocka_unit_test(
		    a_crossed_pattern_longer_than_a_topic_matches_none),
		cmocka_unit_test(
		    a_set_has_what_its_patterns_match_and_may_be_read),
		cmocka_unit_test(a_set_without_patterns_matches_nothing),
	};

	return cmocka_run_group_tests_name("topic_set", tests, spell_all, NULL);
}
