/* SPDX-License-Identifier: BSD-2-Clause */

/* Topics, patterns, globs and escaped names, as doc/protocol.md has them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/macros.h"
#include "core/reason.h"
#include "core/topic.h"

static bool
valid(const char *topic)
{
	return topic_valid(slice_cstr(topic), NULL);
}

static bool
pattern(const char *text)
{
	return topic_pattern_valid(slice_cstr(text), NULL);
}

static bool
match(const char *p, const char *topic)
{
	return topic_match(slice_cstr(p), slice_cstr(topic));
}

static bool
meet(const char *a, const char *b)
{
	bool ab = topic_patterns_meet(slice_cstr(a), slice_cstr(b));

	assert_int_equal(topic_patterns_meet(slice_cstr(b), slice_cstr(a)), ab);
	return ab;
}

static bool
glob(const char *g, const char *text)
{
	return topic_glob_match(slice_cstr(g), slice_cstr(text));
}

static void
a_topic_has_1_to_255_bytes(void **state)
{
	char text[257];

	memset(text, 'a', sizeof(text));
	assert_false(topic_valid(slice_of(text, 0), NULL));
	assert_true(topic_valid(slice_of(text, 1), NULL));
	assert_true(topic_valid(slice_of(text, 254), NULL));
	assert_true(topic_valid(slice_of(text, 255), NULL));
	assert_false(topic_valid(slice_of(text, 256), NULL));
	assert_false(topic_pattern_valid(slice_of(text, 256), NULL));
}

static void
tokens_are_not_empty(void **state)
{
	assert_true(valid("a.b.c"));
	assert_false(valid("."));
	assert_false(valid(".a"));
	assert_false(valid("a."));
	assert_false(valid("a..b"));
	assert_false(pattern("a..>"));
	assert_false(pattern("*."));
	assert_false(pattern(".>"));
}

static void
white_space_control_and_wildcards_are_refused(void **state)
{
	static const char *const no[] = { "a b", " a", "a ", "a\tb", "a\r\nb",
		"a\vb", "a\fb", "\x01", "a\x1f", "a\x7f", "a\xc2\x80",
		"a\xc2\x85", "a\xc2\x9f", "a\xc2\xa0", "\xe1\x9a\x80",
		"\xe2\x80\x80", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
		"\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "*", "a.*",
		"a*", ">", "a.>", "a>b" };

	for (unsigned i = 0; i < ARRAY_LEN(no); i++)
		assert_false(valid(no[i]));
	assert_false(topic_valid(slice_of("a\0b", 3), NULL));
	/* Neighbours of what is refused. */
	assert_true(valid("!~%#@:;/\\\"'+-_(){}[]|^`$?=&,<"));
	assert_true(valid("a\xc2\xa1"));
	assert_true(valid("\xe2\x80\x8b"));
	assert_true(valid("\xe2\x81\xa0"));
	assert_true(valid("stra\xc3\x9f"
			  "e.\xf0\x9f\x94\x94"));
}

static void
broken_utf8_is_refused(void **state)
{
	static const char *const no[] = { "\x80", "a\xff", "\xc0\xaf",
		"\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xc3",
		"\xf0\x9f\x94" };

	for (unsigned i = 0; i < ARRAY_LEN(no); i++)
		assert_false(valid(no[i]));
}

static void
a_wildcard_is_a_whole_token_and_the_long_one_comes_last(void **state)
{
	assert_true(pattern("*"));
	assert_true(pattern(">"));
	assert_true(pattern("a.*.b.>"));
	assert_true(pattern("*.*.*"));
	assert_true(pattern("a.b"));
	assert_false(pattern("a*"));
	assert_false(pattern("*a"));
	assert_false(pattern("**"));
	assert_false(pattern("a.>b"));
	assert_false(pattern("a.>.b"));
	assert_false(pattern(">.a"));
	assert_false(pattern("a>"));
	assert_false(pattern("a.*>"));
}

static void
a_refusal_names_the_topic_the_byte_and_no_raw_bytes(void **state)
{
	struct reason why;

	assert_false(topic_valid(slice_cstr("a..b"), &why));
	assert_string_equal(
	    why.text, "topic \"a..b\": an empty token at byte 1");
	assert_false(topic_valid(slice_cstr("a.\x1b[31m"), &why));
	assert_null(strchr(why.text, '\x1b'));
	assert_non_null(strstr(why.text, "a control character at byte 2"));
	assert_false(topic_pattern_valid(slice_cstr("a.>.b"), &why));
	assert_non_null(strstr(why.text, "pattern \"a.>.b\""));
}

static void
types_and_actors_have_their_lengths_and_no_control_characters(void **state)
{
	char text[130];

	memset(text, 'x', sizeof(text));
	assert_false(topic_type_valid(slice_of(text, 0), NULL));
	assert_true(topic_type_valid(slice_of(text, 64), NULL));
	assert_false(topic_type_valid(slice_of(text, 65), NULL));
	assert_true(topic_actor_valid(slice_of(text, 0), NULL));
	assert_true(topic_actor_valid(slice_of(text, 128), NULL));
	assert_false(topic_actor_valid(slice_of(text, 129), NULL));
	assert_true(topic_type_valid(slice_cstr("memory:updated"), NULL));
	assert_true(topic_actor_valid(slice_cstr("Ada Lovelace"), NULL));
	assert_false(topic_type_valid(slice_cstr("a\nb"), NULL));
	assert_false(topic_actor_valid(slice_cstr("a\xc2\x9b"), NULL));
	assert_false(topic_actor_valid(slice_cstr("a\xff"), NULL));
}

static void
a_star_is_one_token_and_the_long_one_is_one_or_more(void **state)
{
	assert_true(match("a.b", "a.b"));
	assert_false(match("a.b", "a.b.c"));
	assert_false(match("a.b.c", "a.b"));
	assert_false(match("a.b", "a.bc"));
	assert_false(match("a.bc", "a.b"));
	assert_true(match("a.*", "a.b"));
	assert_false(match("a.*", "a"));
	assert_false(match("a.*", "a.b.c"));
	assert_true(match("*.b.*", "a.b.c"));
	assert_true(match("*", "abc"));
	assert_false(match("*", "a.b"));
	assert_true(match(">", "a"));
	assert_true(match(">", "a.b.c"));
	assert_true(match("a.>", "a.b"));
	assert_true(match("a.>", "a.b.c"));
	assert_false(match("a.>", "a"));
	assert_false(match("a.>", "ab.c"));
	assert_true(match("*.>", "a.b"));
	assert_false(match("*.>", "a"));
}

static void
system_topics_match_only_their_own_first_token(void **state)
{
	assert_false(match(">", "$acl.ada"));
	assert_false(match("*.ada", "$acl.ada"));
	assert_false(match("*", "$acl"));
	assert_true(match("$acl.>", "$acl.ada"));
	assert_true(match("$acl.*", "$acl.ada"));
	assert_false(match("$acl.>", "$revoke.ada"));
	assert_true(match("a.*", "a.$b"));
	assert_true(topic_is_system(slice_cstr("$acl.x")));
	assert_false(topic_is_system(slice_cstr("a.$x")));
	assert_false(topic_is_system(slice_cstr("")));
}

static void
patterns_meet_where_a_topic_matches_both(void **state)
{
	char a[256], b[256];

	assert_true(meet("a.b", "a.b"));
	assert_false(meet("a.b", "a.c"));
	assert_false(meet("a", "a.b"));
	assert_true(meet("a.*", "*.b"));
	assert_true(meet(">", "a"));
	assert_true(meet("a.>", "*.b.c"));
	assert_false(meet("a.>", "a"));
	assert_false(meet("a.>", "b.>"));
	assert_true(meet("a.>", "a.b.>"));
	assert_false(meet("*.*", "a.b.>"));
	assert_true(meet("*.*.*", "a.b.>"));
	assert_false(meet(">", "$acl.ada"));
	assert_false(meet("*.ada", "$acl.ada"));
	assert_true(meet("$acl.>", "$acl.*"));
	/* What both match would be longer than a topic may be. */
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	memcpy(a, "*.", 2);
	memcpy(b + 127, ".*", 3);
	a[129] = '\0';
	assert_true(meet(a, b));
	a[129] = 'a';
	a[130] = '\0';
	assert_false(meet(a, b));
	memcpy(b + 127, ".>", 3);
	assert_false(meet(a, b));
	a[129] = '\0';
	assert_true(meet(a, b));
}

static void
a_star_in_a_glob_is_any_run_of_bytes(void **state)
{
	assert_true(glob("*created", "entity_created"));
	assert_true(glob("*created", "created"));
	assert_false(glob("*created", "created_at"));
	assert_true(glob("*", ""));
	assert_true(glob("*", "x.y z"));
	assert_true(glob("", ""));
	assert_false(glob("", "a"));
	assert_true(glob("a*b*c", "a-b-b-c"));
	assert_false(glob("a*b*c", "a-c-b"));
	assert_true(glob("**", "x"));
	assert_true(glob("a?[b]", "a?[b]"));
	assert_false(glob("a?", "ab"));
	assert_true(glob("*ab", "aab"));
}

static const char *
escape(const char *name)
{
	static char buf[TOPIC_ESCAPED_MAX + 1];

	size_t len = topic_escape(slice_cstr(name), buf);

	assert_int_equal(len, strlen(buf));
	return buf;
}

static void
what_a_token_may_not_hold_is_escaped(void **state)
{
	assert_string_equal(escape("ada"), "ada");
	assert_string_equal(escape("a.b"), "a%2Eb");
	assert_string_equal(escape("100%~"), "100%25%7E");
	assert_string_equal(escape("a b\t\n"), "a%20b%09%0A");
	assert_string_equal(escape("*>"), "%2A%3E");
	assert_string_equal(escape("$a$"), "%24a$");
	assert_string_equal(escape("a\xc2\xa0z\xc2\x85"), "a%C2%A0z%C2%85");
	assert_string_equal(escape("\xc3\xa4"), "\xc3\xa4");
	assert_string_equal(escape("\xff\xc3"), "%FF%C3");
	assert_string_equal(escape("\x7f"), "%7F");
}

static void
an_escaped_name_is_a_valid_token_whatever_it_was(void **state)
{
	char buf[TOPIC_ESCAPED_MAX + 1];
	uint8_t name[300];
	uint32_t x = 1;

	for (unsigned round = 0; round < 2000; round++) {
		size_t len = 1 + round % sizeof(name);

		for (size_t i = 0; i < len; i++) {
			x = x * 1664525 + 1013904223;
			name[i] = (uint8_t)(x >> 24);
		}
		size_t n = topic_escape(slice_of(name, len), buf);

		assert_true(topic_valid(slice_of(buf, n), NULL));
		assert_int_equal(topic_tokens(slice_of(buf, n)), 1);
		assert_false(topic_is_system(slice_of(buf, n)));
	}
}

/* printf 'a%.0s' {1..151} | sha256sum */
static void
a_long_name_is_cut_and_ends_in_its_digest(void **state)
{
	char name[160], want[200];

	memset(name, 'a', sizeof(name));
	name[150] = '\0';
	assert_string_equal(escape(name), name);
	name[150] = 'a';
	name[151] = '\0';
	snprintf(
	    want, sizeof(want), "%.120s~%s", name, "5416d58d0995ead40b1732bf");
	assert_string_equal(escape(name), want);
}

static void
the_cut_splits_no_character_and_no_escape(void **state)
{
	char name[200];
	const char *got;

	/* 119 bytes, then one of two: the prefix ends before it. */
	memset(name, 'a', sizeof(name));
	memcpy(name + 119, "\xc3\xa4", 2);
	name[160] = '\0';
	got = escape(name);
	assert_int_equal(strlen(got), 119 + 1 + 24);
	assert_int_equal(got[119], '~');
	/* 118, then an escape of three. */
	memset(name, 'a', 160);
	name[118] = '.';
	got = escape(name);
	assert_int_equal(strlen(got), 118 + 1 + 24);
	/* 117: the escape just fits. */
	memset(name, 'a', 160);
	name[117] = '.';
	got = escape(name);
	assert_int_equal(strlen(got), 120 + 1 + 24);
	assert_memory_equal(got + 117, "%2E~", 4);
	/* A wide space is one character in six bytes. */
	memset(name, 'a', 160);
	memcpy(name + 115, "\xc2\xa0", 2);
	assert_int_equal(strlen(escape(name)), 115 + 1 + 24);
}

static void
tokens_are_counted_and_cut_off_in_order(void **state)
{
	struct slice rest = SLICE_STR("a.bc.d"), token;

	assert_int_equal(topic_tokens(rest), 3);
	assert_true(topic_next_token(&rest, &token));
	assert_true(slice_is(token, "a"));
	assert_true(topic_next_token(&rest, &token));
	assert_true(slice_is(token, "bc"));
	assert_true(topic_next_token(&rest, &token));
	assert_true(slice_is(token, "d"));
	assert_false(topic_next_token(&rest, &token));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_topic_has_1_to_255_bytes),
		cmocka_unit_test(tokens_are_not_empty),
		cmocka_unit_test(white_space_control_and_wildcards_are_refused),
		cmocka_unit_test(broken_utf8_is_refused),
		cmocka_unit_test(
		    a_wildcard_is_a_whole_token_and_the_long_one_comes_last),
		cmocka_unit_test(
		    a_refusal_names_the_topic_the_byte_and_no_raw_bytes),
		cmocka_unit_test(
		    types_and_actors_have_their_lengths_and_no_control_characters),
		cmocka_unit_test(
		    a_star_is_one_token_and_the_long_one_is_one_or_more),
		cmocka_unit_test(
		    system_topics_match_only_their_own_first_token),
		cmocka_unit_test(patterns_meet_where_a_topic_matches_both),
		cmocka_unit_test(a_star_in_a_glob_is_any_run_of_bytes),
		cmocka_unit_test(what_a_token_may_not_hold_is_escaped),
		cmocka_unit_test(
		    an_escaped_name_is_a_valid_token_whatever_it_was),
		cmocka_unit_test(a_long_name_is_cut_and_ends_in_its_digest),
		cmocka_unit_test(the_cut_splits_no_character_and_no_escape),
		cmocka_unit_test(tokens_are_counted_and_cut_off_in_order),
	};

	return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
