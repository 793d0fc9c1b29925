/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Our reader of JSON against jansson: random texts and random damage to them
 * are read alike by both, or refused by both.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/json.h"
#include "core/reason.h"
#include "tests/lib/mpgen.h"

enum {
	ROUNDS = 60000
};

static struct mpgen gen;

/* A text of JSON's own pieces, in any order; '$' begins no key. */
static struct slice
random_pieces(void)
{
	static const char *const pieces[] = { "{", "}", "[", "]", ",", ":",
		"\"", "\"a\"", "\"b\":", "\"a\":1", "1", "-2", "3.5", "1e3",
		"0", "-", ".", "true", "false", "null", " ", "\n", "\\n",
		"\\u00e4", "\\ud83d\\ude00", "\\u", "\xc3\xa4", "\xff", "e",
		"[1,2]", "{\"k\":[]}", "\"x y\"" };
	unsigned n = 1 + mpgen_below(&gen, 12);

	gen.len = 0;
	while (n-- > 0) {
		const char *piece =
		    pieces[mpgen_below(&gen, ARRAY_LEN(pieces))];

		memcpy(gen.bytes + gen.len, piece, strlen(piece));
		gen.len += strlen(piece);
	}
	return slice_of(gen.bytes, gen.len);
}

/* A valid text, of a few levels and with white space here and there. */
static void
put_text(unsigned depth)
{
	static const char *const scalars[] = { "0", "-1", "12345", "1.25",
		"-3e-7", "true", "false", "null", "\"\"", "\"a\\tb\"",
		"\"\\u20ac\"", "\"\xe2\x82\xac\"", "9007199254740993",
		"-9223372036854775808", "1E400", "\"\\ud800\"" };
	static const char *const spaces[] = { "", "", "", " ", "\n", "\t\r" };
	const char *text = spaces[mpgen_below(&gen, ARRAY_LEN(spaces))];
	uint32_t kind = mpgen_below(&gen, 4), n = mpgen_below(&gen, 5);

	gen.len += (size_t)sprintf((char *)gen.bytes + gen.len, "%s", text);
	if (depth == 0 || kind < 2) {
		text = scalars[mpgen_below(&gen,
		    ARRAY_LEN(scalars) - (mpgen_below(&gen, 20) ? 2 : 0))];
		gen.len +=
		    (size_t)sprintf((char *)gen.bytes + gen.len, "%s", text);
		return;
	}
	gen.bytes[gen.len++] = kind == 2 ? '[' : '{';
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			gen.bytes[gen.len++] = ',';
		if (kind == 3)
			gen.len += (size_t)sprintf((char *)gen.bytes + gen.len,
			    "\"k%u\":", mpgen_below(&gen, 40));
		put_text(depth - 1);
	}
	gen.bytes[gen.len++] = kind == 2 ? ']' : '}';
}

static void
compare(struct mp_walk *w, json_t *value)
{
	struct mp_item item;
	const char *key;
	json_t *member;

	assert_true(mp_next(w, &item));
	switch (json_typeof(value)) {
	case JSON_NULL:
		assert_int_equal(item.type, MP_NIL);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		assert_int_equal(item.type, MP_BOOL);
		assert_int_equal(item.boolean, json_is_true(value));
		break;
	case JSON_INTEGER:
		assert_true(item.type == MP_UINT || item.type == MP_INT);
		assert_true(item.i == json_integer_value(value));
		break;
	case JSON_REAL:
		assert_int_equal(item.type, MP_FLOAT);
		assert_true(item.d == json_real_value(value));
		break;
	case JSON_STRING:
		assert_int_equal(item.type, MP_STR);
		assert_true(
		    slice_equal(item.s, slice_of(json_string_value(value),
					    json_string_length(value))));
		break;
	case JSON_ARRAY:
		assert_int_equal(item.type, MP_ARRAY);
		assert_int_equal(item.n, json_array_size(value));
		for (uint32_t i = 0; i < item.n; i++)
			compare(w, json_array_get(value, i));
		break;
	case JSON_OBJECT:
		assert_int_equal(item.type, MP_MAP);
		assert_int_equal(item.n, json_object_size(value));
		json_object_foreach(value, key, member)
		{
			struct slice name;

			assert_true(mp_next_name(w, &name));
			assert_true(slice_is(name, key));
			compare(w, member);
		}
		break;
	}
}

/* Both refuse, or both read the same.  Returns whether they read. */
static bool
both_agree(struct slice text)
{
	CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 };
	CLEANUP(freep) uint8_t *exact = malloc(text.len + !text.len);
	struct reason why;
	json_error_t error;
	json_t *value;
	int err;

	/* Of exactly its size, so that a sanitizer sees a byte too far. */
	memcpy(exact, text.p, text.len);
	value = json_loadb((const char *)exact, text.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	err = json_to_mp(slice_of(exact, text.len), &mp, &why);
	/* jansson has no integers of 64 bits without a sign. */
	if (!err && !value && strstr(error.text, "too big integer"))
		return false;
	if ((err == 0) != (value != NULL))
		fail_msg("'%.*s': ours: %s; jansson: %s", (int)text.len,
		    (const char *)text.p, err ? why.text : "fine",
		    value ? "fine" : error.text);
	if (value) {
		struct mp_walk w = mp_walk(slice_of(mp.p, mp.len));

		compare(&w, value);
		assert_ptr_equal(w.p, w.end);
		json_decref(value);
	}
	return err == 0;
}

static void
texts_are_read_alike(void **state)
{
	unsigned read = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		gen.len = 0;
		put_text(i % 5);
		read += both_agree(slice_of(gen.bytes, gen.len));
	}
	assert_true(read > ROUNDS / 4 && read < ROUNDS);
}

/*
 * What begins with '$' is ours alone, and so is a NUL in a key; a NUL between
 * values jansson takes for nothing.
 */
static void
damaged_texts_are_read_alike_or_refused_by_both(void **state)
{
	unsigned read = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		gen.len = 0;
		put_text(i % 4);
		mpgen_mutate(&gen);
		if (memchr(gen.bytes, '$', gen.len) ||
		    memchr(gen.bytes, '\0', gen.len) ||
		    memmem(gen.bytes, gen.len, "\\u0000", 6))
			continue;
		read += both_agree(slice_of(gen.bytes, gen.len));
	}
	assert_true(read > ROUNDS / 20 && read < ROUNDS);
}

static void
heaps_of_pieces_are_read_alike_or_refused_by_both(void **state)
{
	unsigned read = 0;

	for (unsigned i = 0; i < 4 * ROUNDS; i++)
		read += both_agree(random_pieces());
	assert_true(read > ROUNDS / 50 && read < 4 * ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read_alike),
		cmocka_unit_test(
		    damaged_texts_are_read_alike_or_refused_by_both),
		cmocka_unit_test(
		    heaps_of_pieces_are_read_alike_or_refused_by_both),
	};

	mpgen_seed(&gen);
	return cmocka_run_group_tests_name("json_oracle", tests, NULL, NULL);
}
