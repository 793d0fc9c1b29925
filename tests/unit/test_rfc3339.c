/* SPDX-License-Identifier: BSD-2-Clause */

/* RFC 3339, against the calendar of the C library. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/macros.h"
#include "core/rfc3339.h"

#define YEAR_0000  INT64_C(-62167219200)
#define YEAR_10000 INT64_C(253402300800)

static void
every_day_of_10000_years_agrees_with_the_c_library(void **state)
{
	char got[RFC3339_MAX], want[64];
	int64_t step = 86400 + 3661, seconds;
	uint32_t ns;

	for (int64_t t = YEAR_0000; t < YEAR_10000; t += step) {
		time_t tt = (time_t)t;
		struct tm tm;
		size_t len = rfc3339_format(t, 0, got);

		assert_non_null(gmtime_r(&tt, &tm));
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02dZ",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		    tm.tm_min, tm.tm_sec);
		assert_string_equal(got, want);
		assert_int_equal(len, strlen(got));
		assert_true(rfc3339_parse(slice_of(got, len), &seconds, &ns));
		assert_true(seconds == t && ns == 0);
	}
}

static void
the_years_end_at_0000_and_9999(void **state)
{
	char buf[RFC3339_MAX];

	assert_int_equal(rfc3339_format(YEAR_0000, 0, buf), 20);
	assert_string_equal(buf, "0000-01-01T00:00:00Z");
	assert_int_equal(rfc3339_format(YEAR_0000 - 1, 0, buf), 0);
	assert_int_equal(rfc3339_format(YEAR_10000 - 1, 999999999, buf), 30);
	assert_string_equal(buf, "9999-12-31T23:59:59.999999999Z");
	assert_int_equal(rfc3339_format(YEAR_10000, 0, buf), 0);
	assert_int_equal(rfc3339_format(INT64_MAX, 0, buf), 0);
	assert_int_equal(rfc3339_format(INT64_MIN, 0, buf), 0);
}

static void
a_fraction_has_as_many_digits_as_it_takes(void **state)
{
	static const struct {
		uint32_t ns;
		const char *text;
	} cases[] = {
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ 100000000, "1970-01-01T00:00:00.1Z" },
		{ 120000, "1970-01-01T00:00:00.00012Z" },
		{ 999999999, "1970-01-01T00:00:00.999999999Z" },
	};
	char buf[RFC3339_MAX];
	int64_t seconds;
	uint32_t ns;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		rfc3339_format(0, cases[i].ns, buf);
		assert_string_equal(buf, cases[i].text);
		assert_true(rfc3339_parse(slice_cstr(buf), &seconds, &ns));
		assert_true(seconds == 0 && ns == cases[i].ns);
	}
}

static int64_t
parsed(const char *text)
{
	int64_t seconds;
	uint32_t ns;

	assert_true(rfc3339_parse(slice_cstr(text), &seconds, &ns));
	return seconds;
}

static void
offsets_are_taken_off(void **state)
{
	assert_int_equal(parsed("1970-01-01T00:00:00+00:00"), 0);
	assert_int_equal(parsed("1970-01-01T00:00:00-00:00"), 0);
	assert_int_equal(parsed("1970-01-01t01:30:00.5+01:30"), 0);
	assert_int_equal(parsed("1969-12-31T23:00:00-01:00"), 0);
	assert_int_equal(parsed("1970-01-01T00:00:00z"), 0);
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const no[] = { "", "1970", "1970-01-01",
		"1970-01-01T00:00:00", "1970-01-01 00:00:00Z",
		"70-01-01T00:00:00Z", "1970-1-01T00:00:00Z",
		"1970-00-01T00:00:00Z", "1970-13-01T00:00:00Z",
		"1970-01-00T00:00:00Z", "1970-01-32T00:00:00Z",
		"1970-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
		"1970-04-31T00:00:00Z", "1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z", "1970-01-01T23:59:60Z",
		"1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.1234567890Z",
		"1970-01-01T00:00:00+0100", "1970-01-01T00:00:00+1:00",
		"1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+01:60",
		"1970-01-01T00:00:00ZZ", "1970-01-01T00:00:00+01:00Z",
		"+970-01-01T00:00:00Z", "1970-01-01T00:00:00.5",
		" 1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z " };
	int64_t seconds = 7;
	uint32_t ns = 7;

	for (unsigned i = 0; i < ARRAY_LEN(no); i++)
		if (rfc3339_parse(slice_cstr(no[i]), &seconds, &ns))
			fail_msg("'%s' was taken", no[i]);
	assert_true(seconds == 7 && ns == 7);
	assert_int_equal(parsed("2000-02-29T00:00:00Z"), 951782400);
	assert_int_equal(parsed("1972-02-29T00:00:00Z"), 68169600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_day_of_10000_years_agrees_with_the_c_library),
		cmocka_unit_test(the_years_end_at_0000_and_9999),
		cmocka_unit_test(a_fraction_has_as_many_digits_as_it_takes),
		cmocka_unit_test(offsets_are_taken_off),
		cmocka_unit_test(what_is_no_time_is_refused),
	};

	return cmocka_run_group_tests_name("rfc3339", tests, NULL, NULL);
}
