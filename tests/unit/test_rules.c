/* SPDX-License-Identifier: BSD-2-Clause */

/* The default fold rules, and their form in `welcome`. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mpvalid.h"
#include "core/rules.h"

static const char *
fold(const char *topic, const char *type)
{
	return rules_fold_name(rules_fold(slice_cstr(topic), slice_cstr(type)));
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

	rules_pack(&b);
	assert_int_equal(mpvalid_check(b.p, b.len, NULL), MPVALID_OK);
	assert_int_equal(json_from_mp(slice_of(b.p, b.len), &text), 0);
	assert_true(slice_is(slice_of(text.p, text.len),
	    "{\"version\":1,\"rules\":[[\"*created\",\"set\"],"
	    "[\"*restored\",\"set\"],[\"*reverted\",\"set\"],"
	    "[\"*set\",\"set\"],[\"*sampled\",\"set\"],"
	    "[\"*reported\",\"set\"],[\"*removed\",\"remove\"],"
	    "[\"*added\",\"add\"],[\"*updated\",\"merge\"],"
	    "[\"*changed\",\"merge\"],[\"*renamed\",\"merge\"],"
	    "[\"*moved\",\"merge\"],[\"*deleted\",\"delete\"]]}"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(past_tense_names_fold_as_the_table_says),
		cmocka_unit_test(topics_of_the_system_always_fold_as_set),
		cmocka_unit_test(rules_are_packed_as_welcome_has_them),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
