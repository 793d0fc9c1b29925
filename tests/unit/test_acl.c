/* SPDX-License-Identifier: BSD-2-Clause */

/* Permissions: what patterns let through, and what they never do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/acl.h"
#include "core/reason.h"

static struct acl
acl_of(const char *read, const char *write, bool admin)
{
	struct acl acl = { .admin = admin };

	if (read)
		assert_int_equal(
		    acl_add(&acl, ACL_READ, slice_cstr(read), NULL), ACL_ADDED);
	if (write)
		assert_int_equal(
		    acl_add(&acl, ACL_WRITE, slice_cstr(write), NULL),
		    ACL_ADDED);
	return acl;
}

static bool
may_read(const struct acl *acl, const char *topic)
{
	return acl_may_read(acl, slice_cstr(topic));
}

static bool
may_write(const struct acl *acl, const char *topic)
{
	return acl_may_write(acl, slice_cstr(topic));
}

static bool
readable(const struct acl *acl, const char *pattern)
{
	return acl_pattern_readable(acl, slice_cstr(pattern));
}

static void
an_empty_list_permits_nothing(void **state)
{
	struct acl acl = { .admin = true };

	assert_false(may_read(&acl, "a"));
	assert_false(may_write(&acl, "a"));
	assert_false(readable(&acl, ">"));
	acl_deinit(&acl);
}

static void
reading_and_writing_are_apart(void **state)
{
	struct acl acl = acl_of("a.*", "b.>", false);

	assert_true(may_read(&acl, "a.x"));
	assert_false(may_read(&acl, "a.x.y"));
	assert_false(may_read(&acl, "b.x"));
	assert_true(may_write(&acl, "b.x.y"));
	assert_false(may_write(&acl, "b"));
	assert_false(may_write(&acl, "a.x"));
	acl_deinit(&acl);
}

static void
a_pattern_is_readable_when_it_shares_a_topic(void **state)
{
	struct acl acl = acl_of("a.*.c", NULL, false);

	assert_true(readable(&acl, ">"));
	assert_true(readable(&acl, "a.>"));
	assert_true(readable(&acl, "*.b.*"));
	assert_true(readable(&acl, "a.b.c"));
	assert_false(readable(&acl, "a.b"));
	assert_false(readable(&acl, "a.b.d"));
	assert_false(readable(&acl, "b.>"));
	acl_deinit(&acl);
}

static void
the_systems_topics_need_a_pattern_of_their_own_and_an_administrator(
    void **state)
{
	struct acl user = acl_of(">", ">", false);
	struct acl named = acl_of("$acl.>", "$acl.>", false);
	struct acl wide = acl_of(">", ">", true);
	struct acl admin = acl_of("$acl.>", "$acl.>", true);

	assert_true(may_read(&user, "acl.x"));
	assert_false(may_read(&user, "$acl.x"));
	assert_false(may_read(&named, "$acl.x"));
	assert_false(readable(&named, "$acl.x"));
	assert_false(may_read(&wide, "$acl.x"));
	assert_false(readable(&wide, "$acl.>"));
	assert_true(may_read(&admin, "$acl.x"));
	assert_true(readable(&admin, "$acl.*"));
	assert_false(readable(&admin, "$revoke.*"));
	assert_false(readable(&admin, ">"));
	acl_deinit(&user);
	acl_deinit(&named);
	acl_deinit(&wide);
	acl_deinit(&admin);
}

static void
nobody_writes_the_systems_topics(void **state)
{
	struct acl acl = acl_of("$acl.>", "$acl.>", true);

	assert_false(may_write(&acl, "$acl.x"));
	acl_deinit(&acl);
}

static void
equal_permissions_have_equal_lists_in_any_order(void **state)
{
	static const char *const order[][4] = { { "a", "b", "c", "b" },
		{ "c", "b", "a", "a" }, { "b", "c", "c", "a" } };
	struct acl acls[3] = { { 0 } };
	struct acl other = acl_of("a", NULL, false);

	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 4; j++)
			assert_int_equal(acl_add(&acls[i], ACL_READ,
					     slice_cstr(order[i][j]), NULL),
			    ACL_ADDED);
		assert_int_equal(acls[i].n_read, 3);
		assert_string_equal(acls[i].read[0], "a");
		assert_string_equal(acls[i].read[1], "b");
		assert_string_equal(acls[i].read[2], "c");
		assert_true(acl_equal(&acls[0], &acls[i]));
	}
	assert_false(acl_equal(&acls[0], &other));
	acls[1].admin = true;
	assert_false(acl_equal(&acls[0], &acls[1]));
	assert_int_equal(
	    acl_add(&acls[2], ACL_WRITE, SLICE_STR("a"), NULL), ACL_ADDED);
	assert_false(acl_equal(&acls[0], &acls[2]));
	for (size_t i = 0; i < 3; i++)
		acl_deinit(&acls[i]);
	acl_deinit(&other);
}

static void
a_copy_is_equal_and_its_own(void **state)
{
	struct acl acl = acl_of("a.>", "b", true);
	struct acl empty = { 0 };
	struct acl copy;

	assert_int_equal(acl_copy(&acl, &copy), 0);
	assert_true(acl_equal(&acl, &copy));
	acl_deinit(&acl);
	assert_true(may_read(&copy, "a.x"));
	assert_true(may_write(&copy, "b"));
	acl_deinit(&copy);
	assert_int_equal(acl_copy(&empty, &copy), 0);
	assert_true(acl_equal(&empty, &copy));
	acl_deinit(&copy);
}

static void
lists_that_are_joined_permit_what_either_did(void **state)
{
	struct acl acl = acl_of("a.>", "b", false);
	struct acl more = acl_of("c", "d", true);
	struct acl long_one = { 0 };
	char pattern[16];

	assert_int_equal(acl_join(&acl, &more), 0);
	assert_true(may_read(&acl, "a.x"));
	assert_true(may_read(&acl, "c"));
	assert_false(may_read(&acl, "d"));
	assert_true(may_write(&acl, "b"));
	assert_true(may_write(&acl, "d"));
	assert_false(may_write(&acl, "c"));
	/* Nobody becomes an administrator by what others may read. */
	assert_false(acl.admin);
	assert_int_equal(acl_join(&acl, &more), 0);
	assert_int_equal(acl.n_read, 2);
	assert_int_equal(acl.n_write, 2);
	/* Beyond what one list may have, from either. */
	for (int i = 0; i < ACL_PATTERNS_MAX; i++) {
		snprintf(pattern, sizeof(pattern), "p%d", i);
		assert_int_equal(
		    acl_add(&long_one, ACL_READ, slice_cstr(pattern), NULL),
		    ACL_ADDED);
	}
	assert_int_equal(acl_join(&acl, &long_one), 0);
	assert_int_equal(acl.n_read, ACL_PATTERNS_MAX + 2);
	assert_true(may_read(&acl, "p63"));
	assert_true(may_read(&acl, "c"));
	assert_false(acl_equal(&acl, &long_one));
	acl_deinit(&acl);
	acl_deinit(&more);
	acl_deinit(&long_one);
}

static void
what_is_no_pattern_or_one_too_many_is_refused(void **state)
{
	struct reason why = { "" };
	struct acl acl = { 0 };
	char pattern[16];

	assert_int_equal(
	    acl_add(&acl, ACL_READ, SLICE_STR("a..b"), &why), ACL_REFUSED);
	assert_non_null(strstr(why.text, "a..b"));
	assert_int_equal(
	    acl_add(&acl, ACL_READ, slice_of(NULL, 0), &why), ACL_REFUSED);
	for (int i = 0; i < ACL_PATTERNS_MAX; i++) {
		snprintf(pattern, sizeof(pattern), "p%d", i);
		assert_int_equal(
		    acl_add(&acl, ACL_READ, slice_cstr(pattern), &why),
		    ACL_ADDED);
	}
	assert_int_equal(
	    acl_add(&acl, ACL_READ, SLICE_STR("q"), &why), ACL_REFUSED);
	assert_non_null(strstr(why.text, "more than 64 read patterns"));
	/* One that is there is no new one. */
	assert_int_equal(
	    acl_add(&acl, ACL_READ, SLICE_STR("p7"), &why), ACL_ADDED);
	assert_int_equal(
	    acl_add(&acl, ACL_WRITE, SLICE_STR("q"), &why), ACL_ADDED);
	assert_int_equal(acl.n_read, ACL_PATTERNS_MAX);
	acl_deinit(&acl);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_list_permits_nothing),
		cmocka_unit_test(reading_and_writing_are_apart),
		cmocka_unit_test(a_pattern_is_readable_when_it_shares_a_topic),
		cmocka_unit_test(
		    the_systems_topics_need_a_pattern_of_their_own_and_an_administrator),
		cmocka_unit_test(nobody_writes_the_systems_topics),
		cmocka_unit_test(
		    equal_permissions_have_equal_lists_in_any_order),
		cmocka_unit_test(a_copy_is_equal_and_its_own),
		cmocka_unit_test(lists_that_are_joined_permit_what_either_did),
		cmocka_unit_test(what_is_no_pattern_or_one_too_many_is_refused),
	};

	return cmocka_run_group_tests_name("acl", tests, NULL, NULL);
}
