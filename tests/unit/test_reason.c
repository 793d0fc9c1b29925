/* SPDX-License-Identifier: BSD-2-Clause */

/* Sentences that travel with errors: what they say, and that they fit. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/reason.h"

static void
a_call_that_failed_is_told_with_its_cause(void **state)
{
	struct reason why;

	assert_int_equal(
	    reason_set(&why, -ENOENT, "cannot open '%s'", "a"), -ENOENT);
	assert_string_equal(
	    why.text, "cannot open 'a': No such file or directory");
	assert_int_equal(reason_set(&why, 400, "no %d", 1), 400);
	assert_string_equal(why.text, "no 1");
}

static void
a_sentence_that_says_all_stays_as_it_is(void **state)
{
	struct reason why;

	assert_int_equal(
	    reason_say(&why, -EPROTO, "'%s' is no ring", "a"), -EPROTO);
	assert_string_equal(why.text, "'a' is no ring");
}

static void
a_sentence_may_be_made_of_the_one_before(void **state)
{
	struct reason why;

	(void)reason_set(&why, -EIO, "cannot read '%s'", "a");
	(void)reason_say(&why, -EIO, "b: %s", why.text);
	assert_string_equal(why.text, "b: cannot read 'a': Input/output error");
}

static void
a_sentence_that_is_too_long_is_cut(void **state)
{
	char text[2 * sizeof(struct reason)];
	struct reason why;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)reason_set(&why, -EIO, "%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	(void)reason_say(&why, -EIO, "%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

static void
nobody_has_to_ask_for_a_sentence(void **state)
{
	assert_int_equal(reason_set(NULL, -EIO, "a"), -EIO);
	assert_int_equal(reason_say(NULL, -EIO, "a"), -EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_failed_is_told_with_its_cause),
		cmocka_unit_test(a_sentence_that_says_all_stays_as_it_is),
		cmocka_unit_test(a_sentence_may_be_made_of_the_one_before),
		cmocka_unit_test(a_sentence_that_is_too_long_is_cut),
		cmocka_unit_test(nobody_has_to_ask_for_a_sentence),
	};

	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
