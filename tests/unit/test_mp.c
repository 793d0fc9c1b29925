/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Packing, walking and validating against msgpack-c as the oracle, over
 * random values and random damage to them.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <msgpack.h>

#include "core/json.h"
#include "core/mp.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "tests/lib/mpgen.h"

enum {
	ROUNDS = 20000,
	DEPTH = 6
};

static struct mpgen gen;
static struct reason why;

/* A copy of exactly its size, so that a sanitizer sees a byte too far. */
static uint8_t *
exact_copy(void)
{
	uint8_t *copy = malloc(gen.len + !gen.len);

	assert_non_null(copy);
	memcpy(copy, gen.bytes, gen.len);
	return copy;
}

/* The walk gives what the oracle's object holds. */
static void
compare(struct mp_walk *w, const msgpack_object *o)
{
	struct mp_item item;

	assert_true(mp_next(w, &item));
	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		assert_int_equal(item.type, MP_NIL);
		break;
	case MSGPACK_OBJECT_BOOLEAN:
		assert_int_equal(item.type, MP_BOOL);
		assert_int_equal(item.boolean, o->via.boolean);
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		assert_int_equal(item.type, MP_UINT);
		assert_true(item.u == o->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		assert_int_equal(item.type, MP_INT);
		assert_true(item.i == o->via.i64);
		break;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		assert_int_equal(item.type, MP_FLOAT);
		assert_true(item.d == o->via.f64 ||
			    (item.d != item.d && o->via.f64 != o->via.f64));
		break;
	case MSGPACK_OBJECT_STR:
		assert_int_equal(item.type, MP_STR);
		assert_true(slice_equal(
		    item.s, slice_of(o->via.str.ptr, o->via.str.size)));
		break;
	case MSGPACK_OBJECT_BIN:
		assert_int_equal(item.type, MP_BIN);
		assert_true(slice_equal(
		    item.s, slice_of(o->via.bin.ptr, o->via.bin.size)));
		break;
	case MSGPACK_OBJECT_EXT:
		assert_int_equal(item.type, MP_EXT);
		assert_int_equal(item.ext, o->via.ext.type);
		assert_true(slice_equal(
		    item.s, slice_of(o->via.ext.ptr, o->via.ext.size)));
		break;
	case MSGPACK_OBJECT_ARRAY:
		assert_int_equal(item.type, MP_ARRAY);
		assert_int_equal(item.n, o->via.array.size);
		for (uint32_t i = 0; i < item.n; i++)
			compare(w, o->via.array.ptr + i);
		break;
	case MSGPACK_OBJECT_MAP:
		assert_int_equal(item.type, MP_MAP);
		assert_int_equal(item.n, o->via.map.size);
		for (uint32_t i = 0; i < item.n; i++) {
			compare(w, &o->via.map.ptr[i].key);
			compare(w, &o->via.map.ptr[i].val);
		}
		break;
	}
}

/* What the validator let through: the oracle reads the same from it. */
static void
oracle_agrees(const uint8_t *bytes, size_t len)
{
	struct mp_walk w = mp_walk(slice_of(bytes, len));
	msgpack_unpacked result;
	struct slice value;
	size_t off = 0;

	msgpack_unpacked_init(&result);
	assert_int_equal(
	    msgpack_unpack_next(&result, (const char *)bytes, len, &off),
	    MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(off, len);
	compare(&w, &result.data);
	assert_ptr_equal(w.p, w.end);
	msgpack_unpacked_destroy(&result);
	w = mp_walk(slice_of(bytes, len));
	assert_true(mp_skip(&w, &value));
	assert_int_equal(value.len, len);
}

static void
random_canonical_values_pass_as_they_are(void **state)
{
	gen.loose = false;
	gen.timestamps = true;
	for (unsigned i = 0; i < ROUNDS; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
		CLEANUP(freep) uint8_t *bytes = NULL;

		mpgen_value(&gen, i % DEPTH);
		bytes = exact_copy();
		if (mpvalid_check(bytes, gen.len, &why) != MPVALID_OK)
			fail_msg("round %u: %s", i, why.text);
		oracle_agrees(bytes, gen.len);
		/* Canonical bytes of canonical bytes are the same bytes. */
		assert_int_equal(
		    mp_canonical(slice_of(bytes, gen.len), &out), 0);
		assert_true(slice_equal(
		    slice_of(out.p, out.len), slice_of(bytes, gen.len)));
	}
}

static void
random_loose_values_pass_and_turn_canonical(void **state)
{
	gen.loose = true;
	gen.timestamps = true;
	for (unsigned i = 0; i < ROUNDS; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
		CLEANUP(freep) uint8_t *bytes = NULL;
		bool same;
		int got;

		mpgen_value(&gen, i % DEPTH);
		bytes = exact_copy();
		got = mpvalid_check(bytes, gen.len, &why);
		if (got != MPVALID_OK && got != MPVALID_LOOSE)
			fail_msg("round %u: %s", i, why.text);
		oracle_agrees(bytes, gen.len);
		assert_int_equal(
		    mp_canonical(slice_of(bytes, gen.len), &out), 0);
		assert_int_equal(
		    mpvalid_check(out.p, out.len, &why), MPVALID_OK);
		same = slice_equal(
		    slice_of(out.p, out.len), slice_of(bytes, gen.len));
		assert_int_equal(got, same ? MPVALID_OK : MPVALID_LOOSE);
	}
}

/* Floats through msgpack-c lose a signalling NaN; timestamps its form. */
static bool
has_float(const uint8_t *bytes, size_t len)
{
	struct mp_walk w = mp_walk(slice_of(bytes, len));
	struct mp_item item;

	while (mp_next(&w, &item))
		if (item.type == MP_FLOAT)
			return true;
	return false;
}

static void
canonical_bytes_are_those_that_the_oracle_packs(void **state)
{
	unsigned compared = 0;

	gen.loose = true;
	gen.timestamps = false;
	for (unsigned i = 0; i < ROUNDS; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
		msgpack_unpacked result;
		msgpack_sbuffer want;
		msgpack_packer pk;
		size_t off = 0;

		mpgen_value(&gen, i % 4);
		if (has_float(gen.bytes, gen.len))
			continue;
		compared++;
		msgpack_unpacked_init(&result);
		msgpack_sbuffer_init(&want);
		msgpack_packer_init(&pk, &want, msgpack_sbuffer_write);
		assert_int_equal(msgpack_unpack_next(&result,
				     (const char *)gen.bytes, gen.len, &off),
		    MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(msgpack_pack_object(&pk, result.data), 0);
		assert_int_equal(
		    mp_canonical(slice_of(gen.bytes, gen.len), &out), 0);
		assert_true(slice_equal(
		    slice_of(out.p, out.len), slice_of(want.data, want.size)));
		msgpack_sbuffer_destroy(&want);
		msgpack_unpacked_destroy(&result);
	}
	assert_true(compared > ROUNDS / 10);
}

static void
damaged_values_are_refused_or_read_alike_by_the_oracle(void **state)
{
	unsigned accepted = 0, refused = 0;

	gen.timestamps = true;
	for (unsigned i = 0; i < 3 * ROUNDS; i++) {
		CLEANUP(freep) uint8_t *bytes = NULL;
		CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
		struct slice value;
		struct mp_walk w;
		int got;

		gen.loose = i % 2;
		mpgen_value(&gen, i % DEPTH);
		mpgen_mutate(&gen);
		bytes = exact_copy();
		got = mpvalid_check(bytes, gen.len, &why);
		if (got == MPVALID_BAD) {
			refused++;
			assert_true(why.text[0] != '\0');
			/* Whatever they are, walks stay within them. */
			w = mp_walk(slice_of(bytes, gen.len));
			(void)mp_skip(&w, &value);
			(void)!mp_canonical(slice_of(bytes, gen.len), &out);
			(void)!json_from_mp(slice_of(bytes, gen.len), &out);
			continue;
		}
		accepted++;
		assert_true(got >= 0);
		oracle_agrees(bytes, gen.len);
	}
	assert_true(accepted > ROUNDS / 20 && refused > ROUNDS / 20);
}

static void
every_second_key_repeated_is_refused(void **state)
{
	gen.loose = true;
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
		uint32_t before = mpgen_below(&gen, 20);
		uint32_t between = mpgen_below(&gen, 20);
		uint32_t n = before + between + 2;

		mpgen_value(&gen, 2);
		mp_pack_map(&out, n);
		for (uint32_t k = 0; k < n; k++) {
			if (k == before || k == n - 1) {
				mp_pack_raw(&out, slice_of(gen.bytes, gen.len));
			} else {
				mp_pack_map(&out, 1);
				mp_pack_uint(&out, k);
				mp_pack_nil(&out);
			}
			mp_pack_nil(&out);
		}
		assert_int_equal(
		    mpvalid_check(out.p, out.len, &why), MPVALID_BAD);
		assert_non_null(strstr(why.text, "twice"));
	}
}

static void
a_pair_is_a_key_and_its_value(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf pairs = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	static const uint8_t nil[] = { 0xc0 };

	mp_pack_map(&pairs, 5);
	mp_pair_bool(&pairs, "b", true);
	mp_pair_uint(&pairs, "u", 65535);
	mp_pair_str(&pairs, "s", slice_of("one", 2));
	mp_pair_cstr(&pairs, "c", "");
	mp_pair_raw(&pairs, "r", slice_of(nil, sizeof(nil)));
	assert_int_equal(json_from_mp(slice_of(pairs.p, pairs.len), &text), 0);
	mp_buf_bytes(&text, "", 1);
	assert_string_equal((const char *)text.p,
	    "{\"b\":true,\"u\":65535,\"s\":\"on\","
	    "\"c\":\"\",\"r\":null}");
}

/* Floats of 32 bits come back as doubles: the generator's are left out. */
static void
values_come_back_from_json_as_the_same_bytes(void **state)
{
	unsigned compared = 0;

	gen.loose = false;
	gen.timestamps = true;
	for (unsigned i = 0; i < ROUNDS; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
		struct slice value;

		mpgen_value(&gen, i % 4);
		if (has_float(gen.bytes, gen.len))
			continue;
		compared++;
		value = slice_of(gen.bytes, gen.len);
		assert_int_equal(json_from_mp(value, &text), 0);
		if (json_to_mp(slice_of(text.p, text.len), &back, &why))
			fail_msg("%.*s: %s", (int)text.len, (char *)text.p,
			    why.text);
		if (!slice_equal(slice_of(back.p, back.len), value))
			fail_msg(
			    "other bytes: %.*s", (int)text.len, (char *)text.p);
	}
	assert_true(compared > ROUNDS / 10);
}

static void
doubles_come_back_from_json_as_the_same_bits(void **state)
{
	for (unsigned i = 0; i < 5 * ROUNDS; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
		uint64_t bits = (uint64_t)mpgen_below(&gen, UINT32_MAX) << 32 |
				mpgen_below(&gen, UINT32_MAX);
		double d;

		if (i % 3 == 0)
			bits &= UINT64_MAX << mpgen_below(&gen, 53);
		memcpy(&d, &bits, sizeof(d));
		if (d != d)
			continue;
		if (i % 5 == 0)
			d = (double)(int64_t)mpgen_below(&gen, 1000000) / 100;
		mp_pack_double(&mp, d);
		assert_int_equal(
		    json_from_mp(slice_of(mp.p, mp.len), &text), 0);
		assert_int_equal(
		    json_to_mp(slice_of(text.p, text.len), &back, &why), 0);
		assert_true(slice_equal(
		    slice_of(mp.p, mp.len), slice_of(back.p, back.len)));
	}
}

static void
a_float_keeps_its_bits(void **state)
{
	static const uint8_t signalling[] = { 0x92, 0xca, 0x7f, 0x80, 0, 1,
		0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 1 };
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };

	assert_int_equal(
	    mp_canonical(slice_of(signalling, sizeof(signalling)), &out), 0);
	assert_int_equal(out.len, sizeof(signalling));
	assert_memory_equal(out.p, signalling, sizeof(signalling));
}

static void
what_is_no_value_is_not_made_canonical(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };

	mp_pack_nil(&out);
	assert_int_equal(mp_canonical(SLICE_STR(""), &out), -EPROTO);
	assert_int_equal(mp_canonical(SLICE_STR("\x92\x01"), &out), -EPROTO);
	assert_int_equal(mp_canonical(SLICE_STR("\x01\x01"), &out), -EPROTO);
	assert_int_equal(mp_canonical(SLICE_STR("\xc1"), &out), -EPROTO);
	assert_int_equal(
	    mp_canonical(SLICE_STR("\xdd\xff\xff\xff\xff"), &out), -EPROTO);
	assert_int_equal(out.len, 1);
}

static void
names_of_a_map_are_stepped_over_whatever_they_are(void **state)
{
	struct mp_walk w =
	    mp_walk(SLICE_STR("\xa1"
			      "a\x92\x01\x81\x02\x03\xc4\x01x\x07"));
	struct slice name;

	assert_true(mp_next_name(&w, &name) && slice_is(name, "a"));
	assert_true(mp_next_name(&w, &name) && !name.p);
	assert_true(mp_next_name(&w, &name) && !name.p);
	assert_int_equal(*w.p, 7);
	assert_true(mp_next_name(&w, &name) && !name.p);
	assert_false(mp_next_name(&w, &name));
}

static void
a_buffer_that_failed_stays_failed(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };

	mp_pack_uint(&b, 1);
	assert_null(mp_buf_reserve(&b, SIZE_MAX / 2));
	assert_true(b.failed);
	mp_pack_uint(&b, 2);
	mp_pack_cstr(&b, "abc");
	assert_int_equal(b.len, 1);
	assert_null(mp_buf_reserve(&b, 1));
}

static void
a_buffer_of_any_size_holds_what_was_packed(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	CLEANUP(freep) char *text = malloc(70000);
	static const size_t lengths[] = { 0, 31, 32, 255, 256, 65535, 65536 };

	memset(text, 'x', 70000);
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		struct slice s = slice_of(text, lengths[i]);
		struct mp_item item;
		struct mp_walk w;

		b.len = 0;
		mp_pack_array(&b, 3);
		mp_pack_str(&b, s);
		mp_pack_bin(&b, s);
		mp_pack_ext(&b, 5, s);
		assert_int_equal(mpvalid_check(b.p, b.len, &why), MPVALID_OK);
		w = mp_walk(slice_of(b.p, b.len));
		assert_true(mp_next(&w, &item));
		assert_true(mp_next(&w, &item) && slice_equal(item.s, s));
		assert_true(mp_next(&w, &item) && slice_equal(item.s, s));
		assert_true(mp_next(&w, &item) && slice_equal(item.s, s));
		assert_int_equal(item.ext, 5);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_canonical_values_pass_as_they_are),
		cmocka_unit_test(random_loose_values_pass_and_turn_canonical),
		cmocka_unit_test(
		    canonical_bytes_are_those_that_the_oracle_packs),
		cmocka_unit_test(
		    damaged_values_are_refused_or_read_alike_by_the_oracle),
		cmocka_unit_test(every_second_key_repeated_is_refused),
		cmocka_unit_test(a_pair_is_a_key_and_its_value),
		cmocka_unit_test(values_come_back_from_json_as_the_same_bytes),
		cmocka_unit_test(doubles_come_back_from_json_as_the_same_bits),
		cmocka_unit_test(a_float_keeps_its_bits),
		cmocka_unit_test(what_is_no_value_is_not_made_canonical),
		cmocka_unit_test(
		    names_of_a_map_are_stepped_over_whatever_they_are),
		cmocka_unit_test(a_buffer_that_failed_stays_failed),
		cmocka_unit_test(a_buffer_of_any_size_holds_what_was_packed),
	};

	mpgen_seed(&gen);
	return cmocka_run_group_tests_name("mp", tests, NULL, NULL);
}
