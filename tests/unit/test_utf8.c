/* SPDX-License-Identifier: BSD-2-Clause */

/* UTF-8 in pieces, judged beside the check of whole texts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/macros.h"
#include "core/mpvalid.h"
#include "gateway/utf8.h"

/* Bytes at which something changes, and their neighbours. */
static const uint8_t edges[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
	0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
	0xf1, 0xf3, 0xf4, 0xf5, 0xff };

/* Whole text, byte by byte. */
static bool
is_text(const uint8_t *p, size_t len)
{
	struct utf8 u = { 0 };

	for (size_t i = 0; i < len; i++)
		if (!utf8_take(&u, p + i, 1))
			return false;
	return utf8_is_whole(&u);
}

static void
four_bytes_mean_the_same_whole_and_one_by_one(void **state)
{
	uint8_t p[4];
	unsigned good = 0;

	for (unsigned i = 0; i < ARRAY_LEN(edges); i++)
		for (unsigned j = 0; j < ARRAY_LEN(edges); j++)
			for (unsigned k = 0; k < ARRAY_LEN(edges); k++)
				for (unsigned l = 0; l < ARRAY_LEN(edges);
				     l++) {
					p[0] = edges[i];
					p[1] = edges[j];
					p[2] = edges[k];
					p[3] = edges[l];
					for (unsigned n = 1; n <= 4; n++)
						if (is_text(p, n) !=
						    mpvalid_utf8(p, n))
							fail_msg("%02x %02x "
								 "%02x %02x, "
								 "%u bytes",
							    p[0], p[1], p[2],
							    p[3], n);
					good += is_text(p, 4);
				}
	assert_true(good > 100);
}

static void
a_bad_byte_is_seen_wherever_it_stands_in_a_long_text(void **state)
{
	uint8_t p[64];
	struct utf8 u;

	for (unsigned at = 0; at < sizeof(p); at++) {
		memset(p, 'a', sizeof(p));
		p[at] = 0x80;
		u = (struct utf8){ 0 };
		assert_false(utf8_take(&u, p, sizeof(p)));
		u = (struct utf8){ 0 };
		assert_true(utf8_take(&u, p, at));
		assert_true(utf8_is_whole(&u));
	}
}

static void
a_character_may_be_cut_anywhere(void **state)
{
	static const uint8_t p[] = "abcdefg\xf0\x90\x8d\x88hijklmnopq\xc2\xa2";
	struct utf8 u;

	for (size_t cut = 0; cut < sizeof(p); cut++) {
		u = (struct utf8){ 0 };
		assert_true(utf8_take(&u, p, cut));
		assert_int_equal(utf8_is_whole(&u),
		    !(cut > 7 && cut < 11) && cut != sizeof(p) - 2);
		assert_true(utf8_take(&u, p + cut, sizeof(p) - cut));
		assert_true(utf8_is_whole(&u));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_bytes_mean_the_same_whole_and_one_by_one),
		cmocka_unit_test(
		    a_bad_byte_is_seen_wherever_it_stands_in_a_long_text),
		cmocka_unit_test(a_character_may_be_cut_anywhere),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
