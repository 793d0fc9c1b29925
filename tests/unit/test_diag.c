/* SPDX-License-Identifier: BSD-2-Clause */

/* Diagnostics and the reasons that they print. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/diag.h"
#include "core/reason.h"

/* What say() writes to stderr, which is a file meanwhile. */
static void
heard(void (*say)(void), char *text, size_t size)
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t len;

	assert_non_null(f);
	assert_true(saved >= 0);
	assert_int_equal(dup2(fileno(f), STDERR_FILENO), STDERR_FILENO);
	diag_init("test");
	say();
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved);
	rewind(f);
	len = fread(text, 1, size - 1, f);
	text[len] = '\0';
	(void)fclose(f);
}

static void
say_all_levels(void)
{
	diag_error("one=%d", 1);
	diag_warn("two");
	diag_note("three\nfour\033[31m\177");
}

static void
lines_carry_level_and_name_and_no_control_character(void **state)
{
	char text[500];

	heard(say_all_levels, text, sizeof(text));
	assert_string_equal(
	    text, "<3>test: one=1\n<4>test: two\n<5>test: three?four?[31m?\n");
}

static void
say_too_much(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	diag_error("%.*s", (int)sizeof(text), text);
}

static void
a_long_line_is_cut_and_still_ends(void **state)
{
	char text[6000];

	heard(say_too_much, text, sizeof(text));
	assert_in_range(strlen(text), 900, 1024);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void
say_often(void)
{
	for (int i = 0; i < 100; i++) {
		diag_limited("one cause", "i=%d", i);
		if (i % 50 == 0)
			diag_limited("another", "j=%d", i);
	}
}

static void
one_cause_is_said_once_a_second(void **state)
{
	char text[6000];

	heard(say_often, text, sizeof(text));
	assert_string_equal(text, "<4>test: i=0\n<4>test: j=0\n");
}

static void
hostile_text_is_quoted_and_cut(void **state)
{
	char buf[16];

	assert_string_equal(
	    diag_quote(buf, sizeof(buf), "a\"\\\n\377", 5), "a\\x22\\x5c...");
	assert_string_equal(diag_quote(buf, sizeof(buf), "", 0), "");
	for (size_t size = 8; size <= sizeof(buf); size++)
		for (size_t len = 0; len <= 20; len++) {
			const char *q = diag_quote(
			    buf, size, "\1bcde\2ghijk\3mnopq\4st", len);

			assert_true(strlen(q) < size);
		}
	assert_string_equal(diag_quote(buf, 8, "abcdefgh", 8), "a...");
}

static void
a_reason_keeps_the_error_and_its_text(void **state)
{
	struct reason why = { "" };

	assert_int_equal(
	    reason_set(&why, -ENOENT, "cannot open '%s'", "x"), -ENOENT);
	assert_string_equal(
	    why.text, "cannot open 'x': No such file or directory");
	assert_int_equal(reason_set(&why, 7, "seven"), 7);
	assert_string_equal(why.text, "seven");
	assert_int_equal(reason_set(NULL, -EIO, "nobody asks"), -EIO);
	assert_int_equal(reason_set(&why, -99999, "odd"), -99999);
	assert_string_equal(why.text, "odd: unknown error");
}

static void
a_reason_may_be_told_in_its_successor(void **state)
{
	struct reason why = { "" };

	(void)reason_set(&why, 0, "the inner part");
	(void)reason_set(&why, 0, "while working: %s", why.text);
	assert_string_equal(why.text, "while working: the inner part");
}

static void
a_reason_is_cut_to_its_room(void **state)
{
	struct reason why;
	char text[500];

	memset(text, 'r', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)reason_set(&why, -EIO, "%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lines_carry_level_and_name_and_no_control_character),
		cmocka_unit_test(a_long_line_is_cut_and_still_ends),
		cmocka_unit_test(one_cause_is_said_once_a_second),
		cmocka_unit_test(hostile_text_is_quoted_and_cut),
		cmocka_unit_test(a_reason_keeps_the_error_and_its_text),
		cmocka_unit_test(a_reason_may_be_told_in_its_successor),
		cmocka_unit_test(a_reason_is_cut_to_its_room),
	};

	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
