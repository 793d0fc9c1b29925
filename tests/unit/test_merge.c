/* SPDX-License-Identifier: BSD-2-Clause */

/* Merging by examples, and against a slow way to do the same over a tree. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/merge.h"
#include "core/reason.h"
#include "tests/lib/mergefix.h"

enum {
	ROUNDS = 30000
};

typedef int merge_fn(struct slice value, struct slice by, struct mp_buf *out);

static struct slice
bytes_of(const char *json, struct mp_buf *b)
{
	struct reason why;

	if (!json)
		return slice_of(NULL, 0);
	if (json_to_mp(slice_cstr(json), b, &why))
		fail_msg("'%s': %s", json, why.text);
	return slice_of(b->p, b->len);
}

/* value NULL: there is none; want NULL: unfit. */
static void
gives(merge_fn *fn, const char *value, const char *by, const char *want)
{
	CLEANUP(mp_buf_deinit) struct mp_buf v = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	int got = fn(bytes_of(value, &v), bytes_of(by, &b), &out);

	assert_int_equal(got, want ? MERGE_DONE : MERGE_UNFIT);
	if (!want) {
		assert_int_equal(out.len, 0);
		return;
	}
	assert_int_equal(json_from_mp(slice_of(out.p, out.len), &text), 0);
	if (!slice_is(slice_of(text.p, text.len), want))
		fail_msg("%s by %s gave %.*s", value, by, (int)text.len,
		    (char *)text.p);
}

/* Appendix A, but for the order of members, which is kept here. */
static void
the_examples_of_rfc_7396_hold(void **state)
{
	static const char *const cases[][3] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}",
		    "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}",
		    "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		    "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"a\":\"foo\"}", "null", "null" },
		{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}",
		    "{\"a\":{\"bb\":{}}}" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		gives(merge_patch, cases[i][0], cases[i][1], cases[i][2]);
}

static void
keys_keep_their_places_and_new_ones_follow_in_the_patchs_order(void **state)
{
	gives(merge_patch, "{\"x\":1,\"y\":2,\"z\":3}",
	    "{\"b\":4,\"z\":5,\"a\":6,\"x\":7}",
	    "{\"x\":7,\"y\":2,\"z\":5,\"b\":4,\"a\":6}");
	gives(merge_patch, NULL, "{\"b\":1,\"n\":null,\"a\":[null]}",
	    "{\"b\":1,\"a\":[null]}");
	gives(merge_patch, "{\"$map\":[[1,\"a\"],[null,\"b\"]]}",
	    "{\"$map\":[[1.0,\"c\"],[1,\"d\"]]}",
	    "{\"$map\":[[1,\"d\"],[null,\"b\"],[1.0,\"c\"]]}");
}

static void
an_element_is_added_once(void **state)
{
	gives(merge_add, NULL, "{\"t\":1}", "{\"t\":[1]}");
	gives(merge_add, "null", "{\"t\":1}", "{\"t\":[1]}");
	gives(merge_add, "{\"a\":0}", "{\"t\":1}", "{\"a\":0,\"t\":[1]}");
	gives(merge_add, "{\"t\":[1],\"a\":0}", "{\"t\":1}",
	    "{\"t\":[1],\"a\":0}");
	gives(merge_add, "{\"t\":[1],\"a\":0}", "{\"t\":1.0}",
	    "{\"t\":[1,1.0],\"a\":0}");
	gives(merge_add, "{\"t\":[]}", "{\"t\":null}", "{\"t\":[null]}");
	gives(merge_add, "{\"t\":[[1,2]]}", "{\"t\":[1,2]}", "{\"t\":[[1,2]]}");
}

static void
all_equal_elements_are_removed(void **state)
{
	gives(merge_remove, NULL, "{\"t\":1}", "{}");
	gives(merge_remove, "{\"a\":0}", "{\"t\":1}", "{\"a\":0}");
	gives(merge_remove, "{\"t\":[1],\"a\":0}", "{\"t\":1}",
	    "{\"t\":[],\"a\":0}");
	gives(
	    merge_remove, "{\"t\":[1,2,1,3,1]}", "{\"t\":1}", "{\"t\":[2,3]}");
	gives(merge_remove, "{\"t\":[1,2]}", "{\"t\":1.0}", "{\"t\":[1,2]}");
}

static void
a_change_of_another_shape_is_unfit(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"t\":[]}", "{}" },
		{ "{\"t\":[]}", "{\"t\":1,\"u\":2}" },
		{ "{\"t\":[]}", "[\"t\",1]" },
		{ "{\"t\":[]}", "null" },
		{ "[1]", "{\"t\":1}" },
		{ "5", "{\"t\":1}" },
		{ "{\"t\":1}", "{\"t\":1}" },
		{ "{\"t\":null}", "{\"t\":1}" },
		{ "{\"t\":{\"a\":1}}", "{\"t\":1}" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		gives(merge_add, cases[i][0], cases[i][1], NULL);
		gives(merge_remove, cases[i][0], cases[i][1], NULL);
	}
}

/* Nested so deep, in arrays or maps. */
static void
pack_nested(struct mp_buf *b, unsigned depth, bool maps)
{
	for (unsigned i = 0; i < depth; i++) {
		if (maps) {
			mp_pack_map(b, 1);
			mp_pack_cstr(b, "t");
		} else {
			mp_pack_array(b, 1);
		}
	}
	mp_pack_uint(b, 1);
}

static void
an_element_that_nests_too_deep_is_unfit(void **state)
{
	/* In arrays, and in maps, whose values are as deep as their keys. */
	for (unsigned i = 0; i < 8; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
		unsigned depth = MERGE_DEPTH - 3 + i / 2;
		int want = depth <= MERGE_DEPTH - 2 ? MERGE_DONE : MERGE_UNFIT;

		mp_pack_map(&b, 1);
		mp_pack_cstr(&b, "t");
		pack_nested(&b, depth, i % 2);
		assert_int_equal(
		    merge_add(slice_of(NULL, 0), slice_of(b.p, b.len), &out),
		    want);
	}
}

/* No memory is asked for it. */
static void
a_patch_of_more_pairs_than_it_has_bytes_is_unfit(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };

	assert_int_equal(merge_patch(slice_of(NULL, 0),
			     slice_of("\xdf\xff\xff\xff\xff", 5), &out),
	    MERGE_UNFIT);
}

static void
maps_merge_down_to_the_depth_that_values_have(void **state)
{
	for (unsigned depth = MPVALID_DEPTH - 1; depth <= MPVALID_DEPTH + 1;
	     depth++) {
		CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
		CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
		struct slice v;
		int got;

		pack_nested(&b, depth, true);
		v = slice_of(b.p, b.len);
		got = merge_patch(v, v, &out);
		if (depth <= MPVALID_DEPTH) {
			assert_int_equal(got, MERGE_DONE);
			assert_true(slice_equal(slice_of(out.p, out.len), v));
		} else {
			assert_int_equal(got, MERGE_UNFIT);
		}
	}
}

/* n keys from first on, each with the value v. */
static struct slice
pack_numbers(struct mp_buf *b, uint32_t first, uint32_t n, uint32_t v)
{
	b->len = 0;
	mp_pack_map(b, n);
	for (uint32_t i = 0; i < n; i++) {
		mp_pack_uint(b, first + i);
		mp_pack_uint(b, v);
	}
	return slice_of(b->p, b->len);
}

/* Maps of n and n keys, half of them in common, to each side of a limit. */
static void
maps_of_all_sizes_merge(void **state)
{
	static const uint32_t sizes[] = { 1, 7, 8, 10, 11, 12, 13, 14, 15, 16,
		17, 300, 43690, 43691, 65535, 65536 };
	CLEANUP(mp_buf_deinit) struct mp_buf v = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf p = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf want = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		uint32_t n = sizes[i], half = n / 2;
		struct slice value = pack_numbers(&v, 0, n, 1);
		struct slice patch = pack_numbers(&p, half, n, 2);

		want.len = 0;
		mp_pack_map(&want, n + half);
		for (uint32_t k = 0; k < n + half; k++) {
			mp_pack_uint(&want, k);
			mp_pack_uint(&want, k < half ? 1 : 2);
		}
		out.len = 0;
		assert_int_equal(merge_patch(value, patch, &out), MERGE_DONE);
		assert_true(slice_equal(
		    slice_of(out.p, out.len), slice_of(want.p, want.len)));
	}
}

static struct mpgen gen;

static void
random_merges_give_what_the_slow_way_gives(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf v = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf p = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf want = { 0 };
	unsigned sizeable = 0;

	mpgen_seed(&gen);
	for (unsigned i = 0; i < ROUNDS; i++) {
		v.len = p.len = out.len = 0;
		if (i % 16)
			mergefix_value(&gen, 4, &v);
		mergefix_value(&gen, 4, &p);
		mergefix_patch(
		    slice_of(v.p, v.len), slice_of(p.p, p.len), &want);
		assert_int_equal(merge_patch(slice_of(v.p, v.len),
				     slice_of(p.p, p.len), &out),
		    MERGE_DONE);
		assert_int_equal(out.len, want.len);
		assert_memory_equal(out.p, want.p, want.len);
		sizeable += out.len > MAX(v.len, p.len);
	}
	assert_true(sizeable > ROUNDS / 10);
}

static void
random_changes_give_what_the_slow_way_gives(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf v = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf c = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf want = { 0 };
	unsigned fit = 0, moved = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		bool add = mpgen_below(&gen, 2), fits;
		struct slice value, change;

		v.len = c.len = out.len = 0;
		mergefix_value(&gen, 3, &v);
		mergefix_change(&gen, &c);
		value = slice_of(v.p, v.len);
		change = slice_of(c.p, c.len);
		fits = mergefix_list(add, value, change, &want);
		assert_int_equal(
		    (add ? merge_add : merge_remove)(value, change, &out),
		    fits ? MERGE_DONE : MERGE_UNFIT);
		assert_int_equal(out.len, fits ? want.len : 0);
		assert_memory_equal(out.p, want.p, out.len);
		fit += fits;
		moved += fits && !slice_equal(slice_of(out.p, out.len), value);
	}
	assert_true(fit > ROUNDS / 10 && moved > ROUNDS / 20);
	assert_true(fit < ROUNDS);
}

/* A key given twice would have its new value written twice. */
static void
a_value_that_the_validator_refuses_is_unfit(void **state)
{
	static const char same[] = "\x8f\xa1k\1\xa1k\1\xa1k\1\xa1k\1\xa1k\1"
				   "\xa1k\1\xa1k\1\xa1k\1\xa1k\1\xa1k\1"
				   "\xa1k\1\xa1k\1\xa1k\1\xa1k\1\xa1k\1";
	CLEANUP(mp_buf_deinit) struct mp_buf patch = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	char text[1000] = "";

	mp_pack_map(&patch, 1);
	mp_pair_str(&patch, "k", slice_of(text, sizeof(text)));
	assert_int_equal(merge_patch(slice_of(same, sizeof(same) - 1),
			     slice_of(patch.p, patch.len), &out),
	    MERGE_UNFIT);
	assert_int_equal(out.len, 0);
	assert_int_equal(
	    merge_add(SLICE_STR("\x80\0"), SLICE_STR("\x81\1\1"), &out),
	    MERGE_UNFIT);
	assert_int_equal(
	    merge_add(SLICE_STR("\x80"), SLICE_STR("\x81\1\1\1"), &out),
	    MERGE_UNFIT);
	assert_int_equal(
	    merge_patch(SLICE_STR("\x82\1\1"), SLICE_STR("\x81\1\1"), &out),
	    MERGE_UNFIT);
	assert_int_equal(
	    merge_patch(SLICE_STR("\x80"), SLICE_STR("\x82\1\1"), &out),
	    MERGE_UNFIT);
}

/* Bytes nobody validated, in memory of exactly their length. */
static void
no_damage_leads_beyond_the_bytes_that_are_there(void **state)
{
	static merge_fn *const fns[] = { merge_patch, merge_add, merge_remove };
	CLEANUP(mp_buf_deinit) struct mp_buf v = { 0 };

	for (unsigned i = 0; i < ROUNDS; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
		uint8_t *value, *change;
		size_t value_len, cut;

		v.len = 0;
		mergefix_value(&gen, 3, &v);
		value_len = v.len;
		mergefix_change(&gen, &v);
		if (v.len > MPGEN_MAX / 2)
			continue;
		gen.len = v.len;
		memcpy(gen.bytes, v.p, v.len);
		mpgen_mutate(&gen);
		cut = MIN(value_len, gen.len);
		value = malloc(cut + !cut);
		change = malloc(gen.len - cut + 1);
		assert_true(value && change);
		memcpy(value, gen.bytes, cut);
		memcpy(change, gen.bytes + cut, gen.len - cut);
		(void)!fns[i % 3](slice_of(value, cut),
		    slice_of(change, gen.len - cut), &out);
		free(value);
		free(change);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_rfc_7396_hold),
		cmocka_unit_test(
		    keys_keep_their_places_and_new_ones_follow_in_the_patchs_order),
		cmocka_unit_test(an_element_is_added_once),
		cmocka_unit_test(all_equal_elements_are_removed),
		cmocka_unit_test(a_change_of_another_shape_is_unfit),
		cmocka_unit_test(an_element_that_nests_too_deep_is_unfit),
		cmocka_unit_test(
		    a_patch_of_more_pairs_than_it_has_bytes_is_unfit),
		cmocka_unit_test(maps_merge_down_to_the_depth_that_values_have),
		cmocka_unit_test(maps_of_all_sizes_merge),
		cmocka_unit_test(random_merges_give_what_the_slow_way_gives),
		cmocka_unit_test(random_changes_give_what_the_slow_way_gives),
		cmocka_unit_test(a_value_that_the_validator_refuses_is_unfit),
		cmocka_unit_test(
		    no_damage_leads_beyond_the_bytes_that_are_there),
	};

	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
