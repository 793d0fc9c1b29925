/* SPDX-License-Identifier: BSD-2-Clause */

/* Names of strangers as a terminal may see them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/macros.h"
#include "tools/plain.h"

static void
becomes(const char *text, size_t len, const char *seen)
{
	char buf[64];

	assert_string_equal(
	    plain_text(buf, sizeof(buf), slice_of(text, len)), seen);
}

#define BECOMES(text, seen) becomes(text, sizeof(text) - 1, seen)

static void
text_stays_as_it_is(void **state)
{
	BECOMES("", "");
	BECOMES("jo.1 [x] \"y\" \\ ~", "jo.1 [x] \"y\" \\ ~");
	BECOMES("J\xc3\xb6rg \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\xa6",
	    "J\xc3\xb6rg \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\xa6");
	/* The last before what is refused, and the first behind it. */
	BECOMES("~\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf",
	    "~\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf");
}

static void
what_a_terminal_would_obey_is_written_out(void **state)
{
	BECOMES("\x1b[2J", "\\x1b[2J");
	BECOMES("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d");
	BECOMES("\x00", "\\x00");
	BECOMES("\x7f", "\\x7f");
	/* CSI as one character; the right-to-left override; zero width. */
	BECOMES("\xc2\x9b", "\\xc2\\x9b");
	BECOMES("\xe2\x80\xaegnp", "\\xe2\\x80\\xaegnp");
	BECOMES("\xe2\x80\x8b", "\\xe2\\x80\\x8b");
	BECOMES("\xef\xbb\xbf", "\\xef\\xbb\\xbf");
	BECOMES("\xf3\xa0\x80\x81", "\\xf3\\xa0\\x80\\x81");
}

static void
bytes_that_are_no_text_are_written_out(void **state)
{
	BECOMES("a\xff"
		"b",
	    "a\\xffb");
	BECOMES("\xc3", "\\xc3");
	BECOMES("\xe6\x97", "\\xe6\\x97");
	BECOMES("\xc0\x80", "\\xc0\\x80");
	BECOMES("\xed\xa0\x80", "\\xed\\xa0\\x80");
	BECOMES("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
}

/* In so little room. */
static void
fits(size_t size, const char *text, const char *seen)
{
	char buf[64];

	memset(buf, 'X', sizeof(buf));
	assert_string_equal(plain_text(buf, size, slice_cstr(text)), seen);
	assert_int_equal(buf[size], 'X');
}

static void
what_does_not_fit_is_cut_between_characters(void **state)
{
	fits(8, "1234567", "1234567");
	fits(8, "12345678", "1234...");
	fits(9, "12345678", "12345678");
	fits(8, "123\xc3\xa9xyz", "123...");
	fits(9, "123\xc3\xa9vxyz", "123\xc3\xa9...");
	fits(8, "123\x1b[2J", "123...");
	fits(8, "\x1b\x1b", "\\x1b...");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_as_it_is),
		cmocka_unit_test(what_a_terminal_would_obey_is_written_out),
		cmocka_unit_test(bytes_that_are_no_text_are_written_out),
		cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
