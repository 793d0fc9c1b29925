/* SPDX-License-Identifier: BSD-2-Clause */

/* SipHash-1-3: vectors of CPython 3.11, whose str hash it is, key zero. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"

static void
known_vectors_are_met(void **state)
{
	const struct hash_key zero = { { 0, 0 } };
	uint8_t buf[63];

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	assert_true(hash_bytes(&zero, "a", 1) == 0x407448d2b89b1813);
	assert_true(hash_bytes(&zero, "abc", 3) == 0xc03bc3a0042630f2);
	assert_true(hash_bytes(&zero, buf, 7) == 0x2f098ab0c751325a);
	assert_true(hash_bytes(&zero, buf, 8) == 0xead411e67ebe2eea);
	assert_true(hash_bytes(&zero, buf, 63) == 0x385d3e39e5f37359);
}

static void
each_half_of_the_key_and_each_byte_counts(void **state)
{
	const struct hash_key base = { { 1, 2 } };
	const struct hash_key first = { { 3, 2 } }, second = { { 1, 3 } };
	uint8_t buf[20] = { 0 };
	uint64_t sum = hash_bytes(&base, buf, sizeof(buf));

	assert_true(hash_bytes(&first, buf, sizeof(buf)) != sum);
	assert_true(hash_bytes(&second, buf, sizeof(buf)) != sum);
	assert_true(hash_bytes(&base, buf, sizeof(buf) - 1) != sum);
	for (unsigned i = 0; i < sizeof(buf); i++) {
		buf[i] = 1;
		assert_true(hash_bytes(&base, buf, sizeof(buf)) != sum);
		buf[i] = 0;
	}
}

static void
two_random_keys_differ(void **state)
{
	struct hash_key a = hash_key_random(), b = hash_key_random();

	assert_memory_not_equal(&a, &b, sizeof(a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vectors_are_met),
		cmocka_unit_test(each_half_of_the_key_and_each_byte_counts),
		cmocka_unit_test(two_random_keys_differ),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
