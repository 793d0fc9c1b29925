/* SPDX-License-Identifier: BSD-2-Clause */

/* The JSON form: every rule of doc/protocol.md, and round trips both ways. */

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "tests/lib/mpgen.h"

enum {
	ROUNDS = 20000,
	DEPTH = 7,
};

static struct reason why;
static struct mpgen gen;

/* The text packs to these bytes, and they print as the text want. */
static void
check(const char *text, struct slice bytes, const char *want)
{
	CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
	int err = json_to_mp(slice_cstr(text), &mp, &why);

	if (err)
		fail_msg("'%s': %s", text, why.text);
	assert_int_equal(mpvalid_check(mp.p, mp.len, &why), MPVALID_OK);
	if (!slice_equal(slice_of(mp.p, mp.len), bytes))
		fail_msg("'%s' packs to other bytes", text);
	assert_int_equal(json_from_mp(bytes, &back), 0);
	if (!slice_is(slice_of(back.p, back.len), want))
		fail_msg("'%s' came back as '%.*s'", text, (int)back.len,
		    (const char *)back.p);
}

#define same(text, bytes)	 check(text, SLICE_STR(bytes), text)
#define turns(text, bytes, want) check(text, SLICE_STR(bytes), want)

static void
refused(const char *text, const char *sentence)
{
	CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 };

	mp_pack_nil(&mp);
	assert_int_equal(json_to_mp(slice_cstr(text), &mp, &why), -EPROTO);
	if (!strstr(why.text, sentence))
		fail_msg("'%s': the reason is '%s'", text, why.text);
	assert_int_equal(mp.len, 1);
}

static void
plain_values_are_the_same_in_both(void **state)
{
	same("null", "\xc0");
	same("true", "\xc3");
	same("false", "\xc2");
	same("0", "\x00");
	same("-1", "\xff");
	same("1000", "\xcd\x03\xe8");
	same("\"\"", "\xa0");
	same("\"h\xc3\xa4\"", "\xa3h\xc3\xa4");
	same("[]", "\x90");
	same("{}", "\x80");
	same("[1,[2],{}]", "\x93\x01\x91\x02\x80");
	same("{\"b\":1,\"a\":2}", "\x82\xa1"
				  "b\x01\xa1"
				  "a\x02");
	same("\"\\n\\r\\t\\\"\\\\\\u0000\\u001f\"", "\xa7\n\r\t\"\\\0\x1f");
	turns("\"\\u00e4\\ud83d\\udd14\\/\\b\\f\"",
	    "\xa9\xc3\xa4\xf0\x9f\x94\x94/\b\f",
	    "\"\xc3\xa4\xf0\x9f\x94\x94/\\u0008\\u000c\"");
	turns(" [ 1 , 2 ]\r\n", "\x92\x01\x02", "[1,2]");
}

static void
integers_beyond_2_to_53_are_decimal_text(void **state)
{
	same("9007199254740991", "\xcf\x00\x1f\xff\xff\xff\xff\xff\xff");
	same("9007199254740992", "\xcf\x00\x20\0\0\0\0\0\0");
	same("-9007199254740992", "\xd3\xff\xe0\0\0\0\0\0\0");
	same("{\"$int\":\"9007199254740993\"}", "\xcf\x00\x20\0\0\0\0\0\x01");
	same("{\"$int\":\"-9007199254740993\"}",
	    "\xd3\xff\xdf\xff\xff\xff\xff\xff\xff");
	same("{\"$int\":\"18446744073709551615\"}",
	    "\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
	same("{\"$int\":\"-9223372036854775808\"}", "\xd3\x80\0\0\0\0\0\0\0");
	turns("9007199254740993", "\xcf\x00\x20\0\0\0\0\0\x01",
	    "{\"$int\":\"9007199254740993\"}");
	turns("{\"$int\":\"7\"}", "\x07", "7");
	refused("{\"$int\":\"18446744073709551616\"}", "$int");
	refused("{\"$int\":\"99999999999999999999\"}", "$int");
	refused("{\"$int\":\"-9223372036854775809\"}", "$int");
	refused("{\"$int\":\"\"}", "$int");
	refused("{\"$int\":\"-\"}", "$int");
	refused("{\"$int\":\"-0\"}", "$int");
	refused("{\"$int\":\"07\"}", "$int");
	refused("{\"$int\":\"+7\"}", "$int");
	refused("{\"$int\":\"7 \"}", "$int");
	refused("{\"$int\":\"0x7\"}", "$int");
	refused("{\"$int\":7}", "$int");
}

static void
floats_stay_floats(void **state)
{
	same("1.0", "\xcb\x3f\xf0\0\0\0\0\0\0");
	same("-0.0", "\xcb\x80\0\0\0\0\0\0\0");
	same("0.1", "\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a");
	same("1.0e+22", "\xcb\x44\x80\xf0\xcf\x06\x4d\xd5\x92");
	turns("5e-324", "\xcb\0\0\0\0\0\0\0\x01", "4.94065645841247e-324");
	same("1.7976931348623157e+308", "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff");
	same("{\"$float\":\"NaN\"}", "\xcb\x7f\xf8\0\0\0\0\0\0");
	same("{\"$float\":\"Infinity\"}", "\xcb\x7f\xf0\0\0\0\0\0\0");
	same("{\"$float\":\"-Infinity\"}", "\xcb\xff\xf0\0\0\0\0\0\0");
	turns("1e0", "\xcb\x3f\xf0\0\0\0\0\0\0", "1.0");
	refused("{\"$float\":\"nan\"}", "$float");
	refused("{\"$float\":1.0}", "$float");
	refused("NaN", "line 1");
}

static void
binary_data_is_base64(void **state)
{
	same("{\"$bin\":\"\"}", "\xc4\x00");
	same("{\"$bin\":\"AA==\"}", "\xc4\x01\x00");
	same("{\"$bin\":\"+/8=\"}", "\xc4\x02\xfb\xff");
	same("{\"$bin\":\"AQID\"}", "\xc4\x03\x01\x02\x03");
	refused("{\"$bin\":\"A\"}", "base64");
	refused("{\"$bin\":\"AA\"}", "base64");
	refused("{\"$bin\":\"AB==\"}", "base64");
	refused("{\"$bin\":\"AAB=\"}", "base64");
	refused("{\"$bin\":\"A===\"}", "base64");
	refused("{\"$bin\":\"====\"}", "base64");
	refused("{\"$bin\":\"AA==AQID\"}", "base64");
	refused("{\"$bin\":\"A-_A\"}", "base64");
	refused("{\"$bin\":\"AA= \"}", "base64");
	refused("{\"$bin\":5}", "base64");
	refused("{\"$bin\":\"\",\"x\":1}", "no known form");
}

static void
timestamps_are_rfc_3339_and_other_extensions_base64(void **state)
{
	same("{\"$time\":\"1970-01-01T00:00:00Z\"}", "\xd6\xff\0\0\0\0");
	same("{\"$time\":\"2023-11-14T22:13:20Z\"}", "\xd6\xff\x65\x53\xf1\0");
	same("{\"$time\":\"1970-01-01T00:00:01.5Z\"}",
	    "\xd7\xff\x77\x35\x94\0\0\0\0\x01");
	same("{\"$time\":\"1969-12-31T23:59:59.999999999Z\"}",
	    "\xc7\x0c\xff\x3b\x9a\xc9\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	turns("{\"$time\":\"2023-11-15T00:13:20.000+02:00\"}",
	    "\xd6\xff\x65\x53\xf1\0", "{\"$time\":\"2023-11-14T22:13:20Z\"}");
	/* Beyond the year 9999. */
	same("{\"$ext\":-1,\"data\":\"AAAAAH//////////\"}",
	    "\xc7\x0c\xff\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
	same("{\"$ext\":0,\"data\":\"AA==\"}", "\xd4\x00\x00");
	same("{\"$ext\":127,\"data\":\"\"}", "\xc7\x00\x7f");
	turns("{\"data\":\"AA==\",\"$ext\":1}", "\xd4\x01\x00",
	    "{\"$ext\":1,\"data\":\"AA==\"}");
	refused("{\"$time\":\"yesterday\"}", "RFC 3339");
	refused("{\"$time\":0}", "RFC 3339");
	refused("{\"$ext\":128,\"data\":\"\"}", "$ext");
	refused("{\"$ext\":-2,\"data\":\"\"}", "$ext");
	refused("{\"$ext\":-1,\"data\":\"AA==\"}", "timestamp");
	refused("{\"$ext\":1}", "no known form");
	refused("{\"$ext\":1,\"data\":7}", "base64");
	refused("{\"$ext\":1,\"data\":\"\",\"more\":1}", "no known form");
}

static void
maps_that_no_object_can_be_are_pairs(void **state)
{
	same("{\"$map\":[[1,2]]}", "\x81\x01\x02");
	same("{\"$map\":[[\"a\",1],[null,2]]}", "\x82\xa1"
						"a\x01\xc0\x02");
	same("{\"$map\":[[\"$ref\",\"x\"]]}", "\x81\xa4$ref\xa1x");
	same("{\"$map\":[[\"$\",1],[\"b\",2]]}", "\x82\xa1$\x01\xa1"
						 "b\x02");
	same("{\"$map\":[[{\"$map\":[[1,1]]},[]]]}", "\x81\x81\x01\x01\x90");
	/* No form has two keys with '$'. */
	same("{\"$a\":1,\"$b\":2}", "\x82\xa2$a\x01\xa2$b\x02");
	same("{\"a$\":1}", "\x81\xa2"
			   "a$\x01");
	turns("{\"$map\":[]}", "\x80", "{}");
	turns("{\"$map\":[[\"a\",1]]}",
	    "\x81\xa1"
	    "a\x01",
	    "{\"a\":1}");
	refused("{\"$map\":[[1]]}", "pairs");
	refused("{\"$map\":[[1,2,3]]}", "pairs");
	refused("{\"$map\":{}}", "pairs");
	refused("{\"$map\":[1]}", "pairs");
	refused("{\"$ref\":\"x\"}", "no known form");
	refused("{\"$ref\":\"x\",\"b\":1}", "no known form");
	refused("{\"b\":1,\"$map\":[]}", "no known form");
	refused("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,"
		"\"h\":8,\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,"
		"\"n\":14,\"o\":15,\"$bin\":\"\"}",
	    "no known form");
}

static void
text_that_is_no_json_is_refused_by_its_place(void **state)
{
	refused("", "line 1, column 1: a value is missing");
	refused(" \n ", "line 2, column 2: a value is missing");
	refused("{\"a\":1", "line 1, column 7: an object goes on");
	refused("{\"a\" 1}", "line 1, column 6: a key is followed by ':'");
	refused("{a:1}", "line 1, column 2: a key of an object");
	refused("{\"a\":1,}", "line 1, column 8: a key of an object");
	refused("[1,]", "line 1, column 4: no value begins like this");
	refused("[1 2]", "line 1, column 4: an array goes on");
	refused("[1,\n2,\n}", "line 3, column 1: no value");
	refused("1 2", "line 1, column 3: text follows the value");
	refused("{}}", "line 1, column 3: text follows");
	refused("tru", "no value begins like this");
	refused("nulll", "column 5: text follows");
	refused("'a'", "no value begins like this");
	refused("\xef\xbb\xbf{}", "line 1, column 1: no value");
	refused("{\"a\":{\"b\":[0,{\"$bin\":1}]}}", "column 24: base64");
}

static void
a_key_given_twice_is_refused(void **state)
{
	refused("{\"a\":1,\"a\":2}", "a map has the key \"a\" twice");
	refused("[{\"x\":{\"b\":1,\"\\u0062\":2}}]", "the key \"b\" twice");
	refused("{\"$map\":[[1,2],[1,3]]}", "a map has a key twice");
	refused("{\"$map\":[[1,2],[{\"$int\":\"1\"},3]]}", "a key twice");
}

static void
strings_are_utf8_with_the_escapes_of_json(void **state)
{
	turns("\"\\u0041\\u00df\\u20ac\\ud83d\\ude00\"",
	    "\xaa"
	    "A\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80",
	    "\"A\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80\"");
	turns("\"\\uDBFF\\uDFFF\"", "\xa4\xf4\x8f\xbf\xbf",
	    "\"\xf4\x8f\xbf\xbf\"");
	same("{\"a\\u0000b\":1}", "\x81\xa3"
				  "a\0b\x01");
	refused("\"a", "line 1, column 3: a string has no end");
	refused("\"\\\"", "a string has no end");
	refused("\"a\\", "an escape");
	refused("\"\\x41\"", "line 1, column 2: an escape");
	refused("\"\\u12g4\"", "an escape");
	refused("\"\\u123", "an escape");
	refused("\"\\ud800\"", "an escape");
	refused("\"\\ud800\\n\"", "an escape");
	refused("\"\\ud800\\ud800\"", "an escape");
	refused("\"\\udc00\"", "an escape");
	refused("\"a\nb\"", "a control character");
	refused("\"\x01\"", "a control character");
	refused("\"\\n\x1f\"", "a control character");
	refused("\"\xff\"", "UTF-8");
	refused("\"\\n\xc0\xaf\"", "UTF-8");
	refused("\"\xed\xa0\x80\"", "UTF-8");
	refused("{\"\xff\":1}", "UTF-8");
}

static void
numbers_are_those_of_json(void **state)
{
	static const char *const no[] = { "-", "+1", "01", "-01", "00", ".5",
		"1.", "1.e5", "1e", "1e+", "1E-", "0x10", "1_000", "--1",
		"Infinity", "-Infinity", "1.5.5", "1e5e5" };

	for (unsigned i = 0; i < ARRAY_LEN(no); i++)
		refused(no[i], "line 1");
	turns("-0", "\x00", "0");
	turns("1E2", "\xcb\x40\x59\0\0\0\0\0\0", "100.0");
	turns("1e-2", "\xcb\x3f\x84\x7a\xe1\x47\xae\x14\x7b", "0.01");
	turns("-0.0e+0", "\xcb\x80\0\0\0\0\0\0\0", "-0.0");
	turns("18446744073709551615", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
	    "{\"$int\":\"18446744073709551615\"}");
	turns("-9223372036854775808", "\xd3\x80\0\0\0\0\0\0\0",
	    "{\"$int\":\"-9223372036854775808\"}");
	refused("18446744073709551616", "an integer beyond 64 bits");
	refused("-9223372036854775809", "an integer beyond 64 bits");
	refused("99999999999999999999999", "an integer beyond 64 bits");
	refused("1e309", "beyond what a double holds");
}

static void
counts_of_any_size_are_packed(void **state)
{
	static const unsigned counts[] = { 15, 16, 17, 65535, 65536 };

	for (unsigned i = 0; i < ARRAY_LEN(counts) * 2; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 };
		unsigned n = counts[i / 2];
		bool map = i % 2;
		struct mp_item head;
		struct mp_walk w;
		char one[40];

		mp_buf_bytes(&text, map ? "{" : "[", 1);
		for (unsigned k = 0; k < n; k++) {
			int len = snprintf(one, sizeof(one),
			    map ? "%s\"%u\":0" : "%s%u", k ? "," : "", k);

			mp_buf_bytes(&text, one, (size_t)len);
		}
		mp_buf_bytes(&text, map ? "}" : "]", 1);
		assert_int_equal(
		    json_to_mp(slice_of(text.p, text.len), &mp, &why), 0);
		assert_int_equal(mpvalid_check(mp.p, mp.len, &why), MPVALID_OK);
		w = mp_walk(slice_of(mp.p, mp.len));
		assert_true(mp_next(&w, &head));
		assert_int_equal(head.type, map ? MP_MAP : MP_ARRAY);
		assert_int_equal(head.n, n);
	}
}

/* depth times open, a value, depth times close. */
static int
nest(unsigned depth, const char *open, const char *close)
{
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 };

	for (unsigned i = 0; i < depth; i++)
		mp_buf_bytes(&text, open, strlen(open));
	mp_buf_bytes(&text, "0", 1);
	for (unsigned i = 0; i < depth; i++)
		mp_buf_bytes(&text, close, strlen(close));
	return json_to_mp(slice_of(text.p, text.len), &mp, &why);
}

static void
nesting_ends_at_32_levels(void **state)
{
	static const struct {
		const char *open, *close;
	} kinds[] = {
		{ "[", "]" },
		{ "{\"a\":", "}" },
		/* One level of a map is three of text. */
		{ "{\"$map\":[[1,", "]]}" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *open = kinds[i].open, *close = kinds[i].close;

		assert_int_equal(nest(31, open, close), 0);
		assert_int_equal(nest(32, open, close), 0);
		assert_int_equal(nest(33, open, close), -EPROTO);
		assert_non_null(strstr(why.text, "deeper than 32 levels"));
		assert_int_equal(nest(100000, open, close), -EPROTO);
	}
}

static void
bytes_that_are_no_value_give_no_text(void **state)
{
	static const struct slice no[] = { SLICE_STR(""), SLICE_STR("\x91"),
		SLICE_STR("\x01\x01"), SLICE_STR("\xdf\xff\xff\xff\xff"),
		SLICE_STR("\x81\x01"), SLICE_STR("\xc1") };
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	uint8_t deep[40];

	for (unsigned i = 0; i < ARRAY_LEN(no); i++)
		assert_int_equal(json_from_mp(no[i], &out), -EPROTO);
	memset(deep, 0x91, sizeof(deep));
	deep[sizeof(deep) - 1] = 0xc0;
	assert_int_equal(
	    json_from_mp(slice_of(deep, sizeof(deep)), &out), -EPROTO);
	assert_int_equal(out.len, 0);
}

/* A double as printf would have it with 15 digits, and a fraction. */
static void
decimal_is(double d)
{
	CLEANUP(mp_buf_deinit) struct mp_buf value = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	char want[40];
	int n = snprintf(want, sizeof(want), "%.15g", d);

	if (strchr(want, 'e') || strtod(want, NULL) != d)
		return; /* another matter */
	if (!strchr(want, '.'))
		snprintf(want + n, sizeof(want) - (size_t)n, ".0");
	mp_pack_double(&value, d);
	assert_int_equal(json_from_mp(slice_of(value.p, value.len), &text), 0);
	if (!slice_is(slice_of(text.p, text.len), want))
		fail_msg(
		    "%.*s, not %s", (int)text.len, (const char *)text.p, want);
}

/* The next double, or the one before. */
static double
neighbour(double d, int step)
{
	uint64_t bits;

	if (d <= 0)
		return d;
	memcpy(&bits, &d, sizeof(bits));
	bits += (uint64_t)step;
	memcpy(&d, &bits, sizeof(d));
	return d;
}

static void
decimals_are_written_as_printf_would(void **state)
{
	static const double edges[] = { 0, 1e-4, 1e14, 1e15, 999999999999999,
		999999999999999.9, 99999999999999.9, 0.000123456789012345, 0.5,
		123456789012345, 0.1, 0.3, 1e-5, 1.5e-4 };

	for (unsigned i = 0; i < ARRAY_LEN(edges); i++) {
		const double d = edges[i];

		decimal_is(d);
		decimal_is(-d);
		decimal_is(neighbour(d, -1));
		decimal_is(neighbour(d, 1));
	}
	for (unsigned i = 0; i < 4 * ROUNDS; i++) {
		uint64_t digits = (uint64_t)mpgen_below(&gen, UINT32_MAX) *
				  mpgen_below(&gen, 1 << 22);
		double scale = 1;

		for (uint32_t n = mpgen_below(&gen, 20); n > 0; n--)
			scale *= 10;
		digits >>= mpgen_below(&gen, 54);
		decimal_is((double)digits / scale);
		decimal_is(-(double)digits / scale);
		decimal_is((double)digits * scale);
	}
}

/* What JSON may change: floats come back as doubles, a NaN as the usual one. */
static void
widen_floats(struct slice value, struct mp_buf *out)
{
	struct mp_walk w = mp_walk(value);
	const uint8_t *from = w.p;
	struct mp_item item;

	for (; mp_next(&w, &item); from = w.p) {
		if (item.type == MP_FLOAT)
			mp_pack_double(
			    out, isnan(item.d) ? (double)NAN : item.d);
		else
			mp_buf_bytes(out, from, (size_t)(w.p - from));
	}
}

static void
any_value_survives_the_way_through_json(void **state)
{
	gen.timestamps = true;
	for (unsigned i = 0; i < ROUNDS; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf want = { 0 };
		int err;

		mpgen_value(&gen, i % DEPTH);
		widen_floats(slice_of(gen.bytes, gen.len), &want);
		assert_int_equal(
		    json_from_mp(slice_of(gen.bytes, gen.len), &text), 0);
		err = json_to_mp(slice_of(text.p, text.len), &back, &why);
		if (err || back.len != want.len ||
		    memcmp(back.p, want.p, want.len) != 0)
			fail_msg("round %u, %s: %.*s", i,
			    err ? why.text : "other bytes", (int)text.len,
			    (const char *)text.p);
	}
}

/* As far as they are read at all: most of the damaged ones are not. */
static void
any_text_that_is_read_survives_the_way_back(void **state)
{
	unsigned read = 0;

	gen.timestamps = true;
	for (unsigned i = 0; i < 4 * ROUNDS; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf value = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf again = { 0 };

		mpgen_value(&gen, i % DEPTH);
		assert_int_equal(
		    json_from_mp(slice_of(gen.bytes, gen.len), &text), 0);
		if (text.len > MPGEN_MAX / 2)
			continue;
		memcpy(gen.bytes, text.p, text.len);
		gen.len = text.len;
		mpgen_mutate(&gen);
		if (json_to_mp(slice_of(gen.bytes, gen.len), &value, &why) < 0)
			continue;
		read++;
		text.len = 0;
		assert_int_equal(
		    json_from_mp(slice_of(value.p, value.len), &text), 0);
		assert_int_equal(
		    json_to_mp(slice_of(text.p, text.len), &again, &why), 0);
		assert_true(slice_equal(slice_of(value.p, value.len),
		    slice_of(again.p, again.len)));
	}
	assert_true(read > ROUNDS / 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_values_are_the_same_in_both),
		cmocka_unit_test(integers_beyond_2_to_53_are_decimal_text),
		cmocka_unit_test(floats_stay_floats),
		cmocka_unit_test(binary_data_is_base64),
		cmocka_unit_test(
		    timestamps_are_rfc_3339_and_other_extensions_base64),
		cmocka_unit_test(maps_that_no_object_can_be_are_pairs),
		cmocka_unit_test(text_that_is_no_json_is_refused_by_its_place),
		cmocka_unit_test(a_key_given_twice_is_refused),
		cmocka_unit_test(strings_are_utf8_with_the_escapes_of_json),
		cmocka_unit_test(numbers_are_those_of_json),
		cmocka_unit_test(counts_of_any_size_are_packed),
		cmocka_unit_test(nesting_ends_at_32_levels),
		cmocka_unit_test(bytes_that_are_no_value_give_no_text),
		cmocka_unit_test(decimals_are_written_as_printf_would),
		cmocka_unit_test(any_value_survives_the_way_through_json),
		cmocka_unit_test(any_text_that_is_read_survives_the_way_back),
	};

	mpgen_seed(&gen);

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
