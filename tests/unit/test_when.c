/* SPDX-License-Identifier: BSD-2-Clause */

/* A seq or a time, as people write them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "core/reason.h"
#include "tools/when.h"

static void
expect(const char *text, enum when_kind kind, uint64_t v)
{
	struct reason why = { "" };
	struct when when;

	if (!when_parse(text, &when, &why))
		fail_msg("%s: %s", text, why.text);
	assert_int_equal(when.kind, kind);
	assert_int_equal(when.v, v);
}

static void
refuse(const char *text, const char *says)
{
	struct reason why = { "" };
	struct when when;

	if (when_parse(text, &when, &why))
		fail_msg("taken for a time: %s", text);
	if (!strstr(why.text, says))
		fail_msg("%s: %s", text, why.text);
}

static void
digits_are_a_seq(void **state)
{
	expect("0", WHEN_SEQ, 0);
	expect("53828", WHEN_SEQ, 53828);
	expect("9007199254740991", WHEN_SEQ, UINT64_C(9007199254740991));
	refuse("9007199254740992", "is beyond any seq");
	refuse("18446744073709551615",
	    "is beyond any seq: the last is 9007199254740991");
	refuse("99999999999999999999999999999999", "is beyond any seq");
	refuse("-1", "is no time");
	refuse("", "is no time");
}

static void
an_at_sign_begins_seconds_since_the_epoch(void **state)
{
	expect("@0", WHEN_TIME, 0);
	expect("@1420070400", WHEN_TIME, UINT64_C(1420070400000000));
	expect("@1.5", WHEN_TIME, 1500000);
	expect("@1.000001", WHEN_TIME, 1000001);
	refuse("@", "is no time");
	refuse("@1.", "is no time");
	refuse("@.5", "is no time");
	refuse("@1.0000001", "is no time");
	refuse("@-5", "is no time");
	refuse("@9007199255", "is no time");
}

static void
rfc_3339_has_its_own_zone(void **state)
{
	expect("2015-01-01T00:00:00Z", WHEN_TIME, UINT64_C(1420070400000000));
	expect("2015-01-01T01:00:00.25+01:00", WHEN_TIME,
	    UINT64_C(1420070400250000));
	/* Whole microseconds: what is beyond has not come yet. */
	expect("1970-01-01T00:00:00.0000019Z", WHEN_TIME, 1);
	refuse("1969-12-31T23:59:59Z", "before 1970");
	refuse("2015-02-29T00:00:00Z", "is no time");
}

static void
others_are_of_the_local_zone(void **state)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	expect("2015-01-01", WHEN_TIME, UINT64_C(1420066800000000));
	expect("2015-01-01 01:00", WHEN_TIME, UINT64_C(1420070400000000));
	expect("2015-01-01 01:00:07", WHEN_TIME, UINT64_C(1420070407000000));
	expect("2015-07-01 02:00", WHEN_TIME, UINT64_C(1435708800000000));
	refuse("2015-01-01 1:00", "is no time");
	refuse("2015-13-01", "is no time");
	refuse("2015-02-29", "is no time");
	refuse("2015-01-01 24:00", "is no time");
	refuse("2015-01-01 00:60", "is no time");
	refuse("2015-01-01 ", "is no time");
	refuse("yesterday", "is no time");
}

static void
an_hour_that_was_left_out_is_no_time(void **state)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	expect("2015-03-29 01:59:59", WHEN_TIME, UINT64_C(1427590799000000));
	refuse("2015-03-29 02:30", "is no time");
	expect("2015-03-29 03:00", WHEN_TIME, UINT64_C(1427590800000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits_are_a_seq),
		cmocka_unit_test(an_at_sign_begins_seconds_since_the_epoch),
		cmocka_unit_test(rfc_3339_has_its_own_zone),
		cmocka_unit_test(others_are_of_the_local_zone),
		cmocka_unit_test(an_hour_that_was_left_out_is_no_time),
	};

	return cmocka_run_group_tests_name("when", tests, NULL, NULL);
}
