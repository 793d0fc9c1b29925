/* SPDX-License-Identifier: BSD-2-Clause */

/* Base64: the vectors of RFC 4648, and that each value has one text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base64.h"
#include "core/macros.h"

static void
the_vectors_of_the_rfc_are_met(void **state)
{
	static const struct {
		const char *bytes, *text;
	} vectors[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(vectors); i++) {
		struct slice text = slice_cstr(vectors[i].text);
		uint8_t bytes[8];
		char got[16];
		size_t len;

		base64_encode(slice_cstr(vectors[i].bytes), got);
		assert_int_equal(
		    base64_size(strlen(vectors[i].bytes)), text.len);
		assert_memory_equal(got, text.p, text.len);
		assert_true(base64_decode(text, bytes, &len));
		assert_true(slice_is(slice_of(bytes, len), vectors[i].bytes));
	}
}

static void
every_pair_of_bytes_comes_back(void **state)
{
	for (unsigned i = 0; i < 65536; i++) {
		uint8_t bytes[2] = { (uint8_t)(i >> 8), (uint8_t)i }, back[3];
		char text[4];
		size_t len;

		base64_encode(slice_of(bytes, 2), text);
		assert_true(base64_decode(slice_of(text, 4), back, &len));
		assert_int_equal(len, 2);
		assert_memory_equal(back, bytes, 2);
	}
}

/* Of all texts of four characters over a few, those are taken that return. */
static void
only_what_the_encoder_writes_is_decoded(void **state)
{
	static const char some[] = "AQgw9+/=-_ \n";
	unsigned n = sizeof(some) - 1, taken = 0;

	for (unsigned i = 0; i < n * n * n * n; i++) {
		char text[4] = { some[i % n], some[i / n % n],
			some[i / n / n % n], some[i / n / n / n] };
		uint8_t bytes[3];
		char back[4];
		size_t len;

		if (!base64_decode(slice_of(text, 4), bytes, &len))
			continue;
		taken++;
		base64_encode(slice_of(bytes, len), back);
		assert_memory_equal(back, text, 4);
	}
	for (unsigned len = 1; len < 4; len++) {
		uint8_t bytes[6];
		size_t got;

		assert_false(
		    base64_decode(slice_of("AAAAAAAA", len), bytes, &got));
		assert_false(
		    base64_decode(slice_of("AAAAAAAA", 4 + len), bytes, &got));
	}
	assert_int_equal(taken, 7 * 7 * 7 * 7 + 7 * 7 * 4 + 7 * 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_rfc_are_met),
		cmocka_unit_test(every_pair_of_bytes_comes_back),
		cmocka_unit_test(only_what_the_encoder_writes_is_decoded),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
