/* SPDX-License-Identifier: BSD-2-Clause */

/* CRC32C: known vectors, and both forms against each other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/crc32c.h"

/* RFC 3720, B.4. */
static void
known_vectors_are_met(void **state)
{
	uint8_t buf[32];

	memset(buf, 0, sizeof(buf));
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x8a9136aa);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x46dd794e);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
}

static void
hardware_and_table_agree_at_every_length_and_alignment(void **state)
{
	uint8_t buf[300];

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 167 + 13);
	for (unsigned at = 0; at < 9; at++)
		for (unsigned len = 0; at + len <= sizeof(buf); len++)
			assert_int_equal(crc32c(at * 77, buf + at, len),
			    crc32c_table(at * 77, buf + at, len));
}

static void
two_sums_over_the_same_bytes_are_what_each_is_alone(void **state)
{
	uint8_t buf[100];

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 59 + 7);
	for (unsigned len = 0; len <= sizeof(buf); len++) {
		uint32_t a = len * 31, b = 0;

		crc32c_both(&a, &b, buf, len);
		assert_int_equal(a, crc32c_table(len * 31, buf, len));
		assert_int_equal(b, crc32c_table(0, buf, len));
	}
}

static void
two_steps_give_what_one_gives(void **state)
{
	const char text[] = "durable before visible";

	for (size_t cut = 0; cut < sizeof(text); cut++)
		assert_int_equal(crc32c(crc32c(7, text, cut), text + cut,
				     sizeof(text) - cut),
		    crc32c(7, text, sizeof(text)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vectors_are_met),
		cmocka_unit_test(
		    hardware_and_table_agree_at_every_length_and_alignment),
		cmocka_unit_test(
		    two_sums_over_the_same_bytes_are_what_each_is_alone),
		cmocka_unit_test(two_steps_give_what_one_gives),
	};

	return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
