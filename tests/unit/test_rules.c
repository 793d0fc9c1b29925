/* SPDX-License-Identifier: BSD-2-Clause */

/* Fold rules: the default ones, those of a text, their form in `welcome`. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/rules.h"

static const char *
fold_by(const char *text, const char *topic, const char *type)
{
	struct rules *rules CLEANUP(rules_freep) = NULL;

	assert_int_equal(rules_parse(text, &rules, NULL), 0);
	return rules_fold_name(
	    rules_fold(rules, slice_cstr(topic), slice_cstr(type)));
}

static const char *
fold(const char *topic, const char *type)
{
	return fold_by("", topic, type);
}

static void
past_tense_names_fold_as_the_table_says(void **state)
{
	assert_string_equal(fold("a", "entity_created"), "set");
	assert_string_equal(fold("a", "restored"), "set");
	assert_string_equal(fold("a", "file_reverted"), "set");
	assert_string_equal(fold("a", "volume_set"), "set");
	assert_string_equal(fold("a", "cpu_sampled"), "set");
	assert_string_equal(fold("a", "status_reported"), "set");
	assert_string_equal(fold("a", "memory:updated"), "merge");
	assert_string_equal(fold("a", "name_changed"), "merge");
	assert_string_equal(fold("a", "renamed"), "merge");
	assert_string_equal(fold("a", "moved"), "merge");
	assert_string_equal(fold("a", "file_deleted"), "delete");
	assert_string_equal(fold("a", "tag_added"), "add");
	assert_string_equal(fold("a", "tag_removed"), "remove");
	assert_string_equal(fold("a", "viewed"), "touch");
	assert_string_equal(fold("a", "created_at"), "touch");
}

static void
topics_of_the_system_always_fold_as_set(void **state)
{
	assert_string_equal(fold("$acl.ada", "acl_changed"), "set");
	assert_string_equal(fold("$acl.ada", "acl_deleted"), "set");
	assert_string_equal(fold("acl.$ada", "acl_changed"), "merge");
}

static void
rules_are_packed_as_welcome_has_them(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	struct rules *rules CLEANUP(rules_freep) = NULL;
	struct rules *again CLEANUP(rules_freep) = NULL;

	assert_int_equal(rules_parse(" \n", &rules, NULL), 0);
	rules_pack(rules, &b);
	assert_int_equal(rules_unpack(slice_of(b.p, b.len), &again, NULL), 0);
	assert_int_equal(rules_version(again), rules_version(rules));
	assert_string_equal(rules_text(again), rules_text(rules));
	assert_int_equal(mpvalid_check(b.p, b.len, NULL), MPVALID_OK);
	assert_int_equal(json_from_mp(slice_of(b.p, b.len), &text), 0);
	assert_true(slice_is(slice_of(text.p, text.len),
	    "{\"version\":3839370237,\"rules\":[[\"*created\",\"set\"],"
	    "[\"*restored\",\"set\"],[\"*reverted\",\"set\"],"
	    "[\"*set\",\"set\"],[\"*sampled\",\"set\"],"
	    "[\"*reported\",\"set\"],[\"*removed\",\"remove\"],"
	    "[\"*added\",\"add\"],[\"*updated\",\"merge\"],"
	    "[\"*changed\",\"merge\"],[\"*renamed\",\"merge\"],"
	    "[\"*moved\",\"merge\"],[\"*deleted\",\"delete\"]]}"));
}

static void
the_first_match_of_configured_rules_wins(void **state)
{
	static const char text[] = "  a*=delete\tab*=set  *=b=touch *=merge ";

	assert_string_equal(fold_by(text, "t", "abc"), "delete");
	assert_string_equal(fold_by(text, "t", "x=b"), "touch");
	assert_string_equal(fold_by(text, "t", "x"), "merge");
	assert_string_equal(fold_by("a=set", "t", "x"), "touch");
	/* A star at the beginning, and another one. */
	assert_string_equal(fold_by("*a*b=set", "t", "xaxb"), "set");
	assert_string_equal(fold_by("*a*b=set", "t", "xa*b"), "set");
	assert_string_equal(fold_by("*a*b=set", "t", "xb"), "touch");
}

static void
rules_that_differ_have_versions_that_differ(void **state)
{
	struct rules *a CLEANUP(rules_freep) = NULL;
	struct rules *b CLEANUP(rules_freep) = NULL;
	struct rules *c CLEANUP(rules_freep) = NULL;

	assert_int_equal(rules_parse("a=set b=set", &a, NULL), 0);
	assert_int_equal(rules_parse(" a=set  b=set\n", &b, NULL), 0);
	assert_int_equal(rules_parse("b=set a=set", &c, NULL), 0);
	assert_int_equal(rules_version(a), rules_version(b));
	assert_int_not_equal(rules_version(a), rules_version(c));
}

static void
rules_live_as_long_as_the_last_who_uses_them(void **state)
{
	struct rules *rules = NULL, *mine;

	assert_int_equal(rules_parse("a=set", &rules, NULL), 0);
	mine = rules_ref(rules);
	assert_ptr_equal(mine, rules);
	assert_null(rules_free(rules));
	assert_string_equal(rules_text(mine), "a=set");
	assert_null(rules_free(mine));
	assert_null(rules_free(NULL));
}

#define FORM(bytes)                                         \
	{                                                   \
		(const uint8_t *)(bytes), sizeof(bytes) - 1 \
	}

static void
packed_rules_of_another_form_are_refused(void **state)
{
	static const struct slice no[] = {
		FORM(""),
		FORM("\x90"),		   /* no map */
		FORM("\x81"),		   /* a map that ends early */
		FORM("\x81\xc1"),	   /* a name that is none */
		FORM("\x81\xa1x"),	   /* a name without a value */
		FORM("\x81\xa5rules\xa1"), /* rules that are cut off */
		FORM("\x81\xa5rules\x80"), /* or no list */
		FORM("\x81\xa5rules\x81\x92\xa1"
		     "a\xa3set\x01"),
		FORM("\x81\xa5rules\x91"), /* or a list that ends early */
		FORM("\x81\xa5rules\x91\xc0"),
		FORM("\x81\xa5rules\x91\x90"),
		FORM("\x81\xa5rules\x91\x92"),
		FORM("\x81\xa5rules\x91\x92\x01"),
		FORM("\x81\xa5rules\x91\x92\xa1"
		     "a"),
		FORM("\x81\xa5rules\x91\x92\xa1"
		     "a\x01"),
		/* A pair of other types, of three, and a map of two. */
		FORM("\x81\xa5rules\x91\x92\xc4\x01"
		     "a\xa3set"),
		FORM("\x81\xa5rules\x91\x92\xa1"
		     "a\xc4\x03set"),
		FORM("\x81\xa5rules\x91\x93\xa1"
		     "a\xa3set\xa1"
		     "b"),
		FORM("\x81\xa5rules\x91\x82\xa1"
		     "a\xa3set\xa1"
		     "b\xa3set"),
	};

	for (unsigned i = 0; i < ARRAY_LEN(no); i++) {
		struct rules *rules = NULL;
		struct reason why = { "" };

		assert_int_equal(rules_unpack(no[i], &rules, &why), -EINVAL);
		assert_null(rules);
		if (!strstr(why.text, "have no known form"))
			fail_msg("row %u: '%s'", i, why.text);
	}
}

static void
what_later_versions_add_to_packed_rules_is_passed_over(void **state)
{
	static const char bytes[] = "\x83\xa1x\x92\x01\xc0\x07\xc3"
				    "\xa5rules\x91\x92\xa1"
				    "a\xa3set";
	struct rules *rules CLEANUP(rules_freep) = NULL;

	assert_int_equal(
	    rules_unpack(slice_of(bytes, sizeof(bytes) - 1), &rules, NULL), 0);
	assert_string_equal(rules_text(rules), "a=set");
}

static void
a_word_that_is_no_rule_is_refused_by_name(void **state)
{
	char glob[100] = "";
	struct rules *none = NULL;
	struct reason said = { "" };
	char many[1024 * 6 + 1] = "";
	static const struct {
		const char *text, *says;
	} no[] = {
		{ "a=set b", "'b' must be GLOB=FOLD" },
		{ "=set", "'=set' must be GLOB=FOLD" },
		{ "x=replace", "'x=replace' must end in set, merge" },
		{ "x=", "'x=' must end in" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(no); i++) {
		struct rules *rules = NULL;
		struct reason why;

		assert_int_equal(
		    rules_parse(no[i].text, &rules, &why), -EINVAL);
		assert_non_null(strstr(why.text, no[i].says));
	}
	memset(glob, 'g', 65);
	strcpy(glob + 65, "=set");
	assert_int_equal(rules_parse(glob, &none, &said), -EINVAL);
	assert_non_null(strstr(said.text, "has a glob of more than 64 bytes"));
	assert_int_equal(rules_parse(glob + 1, &none, &said), 0);
	none = rules_free(none);
	for (unsigned i = 0; i < 1024; i++)
		memcpy(many + i * 6, "a=set ", 6);
	assert_int_equal(rules_parse(many, &none, &said), -EINVAL);
	assert_non_null(strstr(said.text, "1023 are allowed"));
	assert_int_equal(rules_parse(many + 6, &none, &said), 0);
	none = rules_free(none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(past_tense_names_fold_as_the_table_says),
		cmocka_unit_test(topics_of_the_system_always_fold_as_set),
		cmocka_unit_test(rules_are_packed_as_welcome_has_them),
		cmocka_unit_test(the_first_match_of_configured_rules_wins),
		cmocka_unit_test(rules_that_differ_have_versions_that_differ),
		cmocka_unit_test(rules_live_as_long_as_the_last_who_uses_them),
		cmocka_unit_test(packed_rules_of_another_form_are_refused),
		cmocka_unit_test(
		    what_later_versions_add_to_packed_rules_is_passed_over),
		cmocka_unit_test(a_word_that_is_no_rule_is_refused_by_name),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
