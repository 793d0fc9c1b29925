/* SPDX-License-Identifier: BSD-2-Clause */

/* The MessagePack validator: what it lets through, what it refuses and why. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/macros.h"
#include "core/mp.h"
#include "core/mpvalid.h"
#include "core/reason.h"

#define CHECK(...)                                      \
	mpvalid_check((const uint8_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint8_t[]){ __VA_ARGS__ }), &why)

#define assert_refused(sentence, ...)                              \
	do {                                                       \
		assert_int_equal(CHECK(__VA_ARGS__), MPVALID_BAD); \
		assert_non_null(strstr(why.text, sentence));       \
	} while (0)

static struct reason why;

static void
every_first_byte_of_canonical_form_passes(void **state)
{
	assert_int_equal(CHECK(0x00), MPVALID_OK);
	assert_int_equal(CHECK(0x7f), MPVALID_OK);
	assert_int_equal(CHECK(0xe0), MPVALID_OK);
	assert_int_equal(CHECK(0xff), MPVALID_OK);
	assert_int_equal(CHECK(0xc0), MPVALID_OK);
	assert_int_equal(CHECK(0xc2), MPVALID_OK);
	assert_int_equal(CHECK(0xc3), MPVALID_OK);
	assert_int_equal(CHECK(0xcc, 0x80), MPVALID_OK);
	assert_int_equal(CHECK(0xcd, 1, 0), MPVALID_OK);
	assert_int_equal(CHECK(0xce, 0, 1, 0, 0), MPVALID_OK);
	assert_int_equal(CHECK(0xcf, 0, 0, 0, 1, 0, 0, 0, 0), MPVALID_OK);
	assert_int_equal(CHECK(0xd0, 0xdf), MPVALID_OK);
	assert_int_equal(CHECK(0xd0, 0x80), MPVALID_OK);
	assert_int_equal(CHECK(0xd1, 0xff, 0x7f), MPVALID_OK);
	assert_int_equal(CHECK(0xd2, 0xff, 0xff, 0x7f, 0xff), MPVALID_OK);
	assert_int_equal(
	    CHECK(0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff),
	    MPVALID_OK);
	assert_int_equal(CHECK(0xca, 0, 0, 0, 0), MPVALID_OK);
	assert_int_equal(CHECK(0xcb, 0, 0, 0, 0, 0, 0, 0, 0), MPVALID_OK);
	assert_int_equal(CHECK(0xa1, 'a'), MPVALID_OK);
	assert_int_equal(CHECK(0xc4, 1, 0xff), MPVALID_OK);
	assert_int_equal(CHECK(0xd4, 5, 0), MPVALID_OK);
	assert_int_equal(CHECK(0xc7, 3, 127, 0, 0, 0), MPVALID_OK);
	assert_int_equal(CHECK(0x90), MPVALID_OK);
	assert_int_equal(CHECK(0x80), MPVALID_OK);
	assert_int_equal(CHECK(0x92, 1, 0x81, 1, 2), MPVALID_OK);
}

static void
what_is_not_shortest_is_loose(void **state)
{
	assert_int_equal(CHECK(0xcc, 0x7f), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xcd, 0, 0xff), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xce, 0, 0, 0xff, 0xff), MPVALID_LOOSE);
	assert_int_equal(
	    CHECK(0xcf, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xd0, 0xe0), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xd0, 5), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xd1, 0x7f, 0xff), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xd1, 0xff, 0x80), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xd2, 0xff, 0xff, 0x80, 0), MPVALID_LOOSE);
	assert_int_equal(
	    CHECK(0xd3, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xd9, 1, 'a'), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xda, 0, 1, 'a'), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xdb, 0, 0, 0, 1, 'a'), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xc5, 0, 1, 'a'), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xc6, 0, 0, 0, 1, 'a'), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xc7, 1, 7, 'a'), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xc8, 0, 3, 7, 1, 2, 3), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xc9, 0, 0, 0, 0, 7), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xdc, 0, 1, 1), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xdd, 0, 0, 0, 1, 1), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xde, 0, 1, 1, 1), MPVALID_LOOSE);
	assert_int_equal(CHECK(0xdf, 0, 0, 0, 1, 1, 1), MPVALID_LOOSE);
	assert_int_equal(CHECK(0x91, 0x91, 0xcc, 1), MPVALID_LOOSE);
}

static void
a_header_of_5_bytes_that_declares_2_to_32_values_is_refused(void **state)
{
	assert_refused("declares more", 0xdd, 0xff, 0xff, 0xff, 0xff);
	assert_refused("declares more", 0xdf, 0xff, 0xff, 0xff, 0xff);
	assert_refused("beyond the end", 0xdb, 0xff, 0xff, 0xff, 0xff);
	assert_refused("beyond the end", 0xc6, 0xff, 0xff, 0xff, 0xff);
	assert_refused("beyond the end", 0xc9, 0xff, 0xff, 0xff, 0xff, 0);
	assert_refused("declares more", 0xdc, 0xff, 0xff, 0);
	assert_refused("declares more", 0x92, 0);
	assert_refused("declares more", 0x81, 0);
}

static void
a_value_cut_short_at_any_byte_is_refused(void **state)
{
	static const uint8_t whole[] = { 0x95, 0x82, 0xa1, 'a', 0xcd, 1, 0,
		0xa1, 'b', 0xc4, 2, 1, 2, 0xcb, 1, 2, 3, 4, 5, 6, 7, 8, 0xd6,
		0xff, 1, 2, 3, 4, 0xc7, 3, 9, 1, 2, 3, 0x91, 0xc0 };

	assert_int_equal(mpvalid_check(whole, sizeof(whole), &why), MPVALID_OK);
	for (size_t len = 0; len < sizeof(whole); len++) {
		/* On the heap, so that a sanitizer sees a byte too far. */
		CLEANUP(freep) uint8_t *cut = malloc(len + !len);

		memcpy(cut, whole, len);
		assert_int_equal(mpvalid_check(cut, len, &why), MPVALID_BAD);
	}
}

static void
bytes_behind_the_value_and_the_reserved_byte_are_refused(void **state)
{
	assert_refused("byte 1: bytes follow", 0xc0, 0xc0);
	assert_refused("bytes follow", 0x91, 1, 0);
	assert_refused("byte 0: 0xc1", 0xc1);
	assert_refused("byte 1: 0xc1", 0x91, 0xc1);
}

static void
nesting_ends_at_32_levels(void **state)
{
	uint8_t buf[64];

	memset(buf, 0x91, sizeof(buf));
	buf[31] = 0xc0;
	assert_int_equal(mpvalid_check(buf, 32, &why), MPVALID_OK);
	buf[31] = 0x91;
	buf[32] = 0xc0;
	assert_int_equal(mpvalid_check(buf, 33, &why), MPVALID_OK);
	buf[31] = 0x90;
	assert_int_equal(mpvalid_check(buf, 32, &why), MPVALID_OK);
	buf[31] = 0x91;
	buf[32] = 0x91;
	buf[33] = 0xc0;
	assert_int_equal(mpvalid_check(buf, 34, &why), MPVALID_BAD);
	assert_non_null(strstr(why.text, "32 levels"));
	buf[32] = 0x90;
	assert_int_equal(mpvalid_check(buf, 33, &why), MPVALID_BAD);
	buf[32] = 0x80;
	assert_int_equal(mpvalid_check(buf, 33, &why), MPVALID_BAD);
}

static void
a_str_is_utf8(void **state)
{
	assert_refused("UTF-8", 0xa1, 0x80);
	assert_refused("UTF-8", 0xa1, 0xc3);
	assert_refused("UTF-8", 0xa2, 0xc0, 0x80);
	assert_refused("UTF-8", 0xa3, 0xed, 0xa0, 0x80);
	assert_refused("UTF-8", 0xa4, 0xf4, 0x90, 0x80, 0x80);
	assert_refused(
	    "UTF-8", 0xaa, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 0xff);
	assert_int_equal(CHECK(0xa2, 0xc3, 0xa4), MPVALID_OK);
	assert_int_equal(CHECK(0xa4, 0xf4, 0x8f, 0xbf, 0xbf), MPVALID_OK);
	assert_int_equal(CHECK(0xa1, 0), MPVALID_OK);
	assert_int_equal(CHECK(0xc4, 1, 0x80), MPVALID_OK);
}

static void
extensions_are_timestamps_or_0_to_127(void **state)
{
	assert_refused("extension", 0xd4, 0xfe, 0);
	assert_refused("extension", 0xd6, 0x80, 0, 0, 0, 0);
	assert_refused("timestamp", 0xd4, 0xff, 0);
	assert_refused("timestamp", 0xc7, 0, 0xff);
	assert_int_equal(CHECK(0xd6, 0xff, 0, 0, 0, 0), MPVALID_OK);
	/* 999,999,999 ns, and a second of them. */
	assert_int_equal(
	    CHECK(0xd7, 0xff, 0xee, 0x6b, 0x27, 0xfc, 0, 0, 0, 0), MPVALID_OK);
	assert_refused(
	    "timestamp", 0xd7, 0xff, 0xee, 0x6b, 0x28, 0, 0, 0, 0, 0);
	assert_int_equal(CHECK(0xc7, 12, 0xff, 0x3b, 0x9a, 0xc9, 0xff, 0xff,
			     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
	    MPVALID_OK);
	assert_refused("timestamp", 0xc7, 12, 0xff, 0x3b, 0x9a, 0xca, 0, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	/* 2^32 seconds need 8 bytes, 2^34 need 12; one less does not. */
	assert_int_equal(CHECK(0xd7, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff),
	    MPVALID_LOOSE);
	assert_int_equal(CHECK(0xd7, 0xff, 0, 0, 0, 1, 0, 0, 0, 0), MPVALID_OK);
	assert_int_equal(CHECK(0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 3, 0xff,
			     0xff, 0xff, 0xff),
	    MPVALID_LOOSE);
	assert_int_equal(
	    CHECK(0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0),
	    MPVALID_OK);
	/* Longer than the time needs. */
	assert_int_equal(
	    CHECK(0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 1), MPVALID_LOOSE);
	assert_int_equal(
	    CHECK(0xc7, 12, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1),
	    MPVALID_LOOSE);
}

static void
keys_are_compared_by_value(void **state)
{
	assert_refused("twice", 0x82, 5, 0, 5, 0);
	assert_refused("twice", 0x82, 5, 0, 0xcc, 5, 0);
	assert_refused("twice", 0x82, 0xcd, 0, 5, 0, 0xcc, 5, 0);
	assert_refused("twice", 0x82, 5, 0, 0xd1, 0, 5, 0);
	assert_refused("twice", 0x82, 0xa1, 'a', 0, 0xd9, 1, 'a', 0);
	assert_refused("twice", 0x82, 0x91, 5, 0, 0x91, 0xcc, 5, 0);
	assert_refused("twice", 0x82, 0xc0, 0, 0xc0, 0);
	assert_refused("twice", 0x82, 0x80, 0, 0xde, 0, 0, 0);
	assert_refused("twice", 0x82, 0xd6, 0xff, 0, 0, 0, 1, 0, 0xd7, 0xff, 0,
	    0, 0, 0, 0, 0, 0, 1, 0);
	/* In a map that is a key, and one that is a value. */
	assert_refused("twice", 0x81, 0x82, 1, 0, 1, 0, 0);
	assert_refused("twice", 0x81, 0, 0x82, 1, 0, 1, 0);
	/* Different kinds are different keys. */
	assert_int_equal(
	    CHECK(0x82, 0xa1, 'a', 0, 0xc4, 1, 'a', 0), MPVALID_OK);
	assert_int_equal(
	    CHECK(0x82, 1, 0, 0xca, 0x3f, 0x80, 0, 0, 0), MPVALID_OK);
	assert_int_equal(CHECK(0x82, 0xc2, 0, 0, 0), MPVALID_OK);
	/* The same key in different maps. */
	assert_int_equal(
	    CHECK(0x92, 0x81, 1, 0, 0x81, 1, 0x81, 1, 0), MPVALID_OK);
	assert_int_equal(CHECK(0x82, 1, 0x81, 1, 0, 2, 0), MPVALID_OK);
}

/* n keys, the last of them equal to number same (none: n). */
static int
check_keys(unsigned n, unsigned same)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	char text[40];

	mp_pack_map(&b, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = i == n - 1 && same < n ? same : i;

		snprintf(text, sizeof(text), "a common beginning %u", k);
		mp_pack_cstr(&b, text);
		mp_pack_uint(&b, i);
	}
	return mpvalid_check(b.p, b.len, &why);
}

static void
a_duplicate_is_found_in_maps_of_any_size(void **state)
{
	static const unsigned sizes[] = { 2, 3, 11, 12, 13, 14, 63, 64, 65, 66,
		127, 128, 129, 1000, 100000 };

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		unsigned n = sizes[i];

		assert_int_equal(check_keys(n, n), MPVALID_OK);
		assert_int_equal(check_keys(n, 0), MPVALID_BAD);
		assert_int_equal(check_keys(n, n / 3), MPVALID_BAD);
		assert_int_equal(check_keys(n, n - 2), MPVALID_BAD);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_first_byte_of_canonical_form_passes),
		cmocka_unit_test(what_is_not_shortest_is_loose),
		cmocka_unit_test(
		    a_header_of_5_bytes_that_declares_2_to_32_values_is_refused),
		cmocka_unit_test(a_value_cut_short_at_any_byte_is_refused),
		cmocka_unit_test(
		    bytes_behind_the_value_and_the_reserved_byte_are_refused),
		cmocka_unit_test(nesting_ends_at_32_levels),
		cmocka_unit_test(a_str_is_utf8),
		cmocka_unit_test(extensions_are_timestamps_or_0_to_127),
		cmocka_unit_test(keys_are_compared_by_value),
		cmocka_unit_test(a_duplicate_is_found_in_maps_of_any_size),
	};

	return cmocka_run_group_tests_name("mpvalid", tests, NULL, NULL);
}
