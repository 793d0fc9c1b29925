/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The table of folds, row by row; chains of random events against the slow
 * way; and that the same events give the same bytes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fold.h"
#include "core/json.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "tests/lib/mergefix.h"

enum {
	CHAINS = 300,
	CHAIN = 60
};

static struct rules *rules;
static struct fold fold;
static struct mpgen gen;

/* A row that owns its bytes. */
static struct mp_buf kept;
static struct row row;
static uint64_t version;

static void
keep(const struct row *after)
{
	struct mp_buf next = { 0 };
	size_t len = row_size(after);
	uint8_t *p = mp_buf_reserve(&next, len);

	assert_non_null(p);
	next.len = (size_t)(row_encode(after, p) - p);
	assert_int_equal(next.len, len);
	mp_buf_deinit(&kept);
	kept = next;
	assert_int_equal(row_decode(slice_of(kept.p, kept.len), &row, NULL), 0);
}

/* The next event of the topic; its result. */
static int
happens_as(
    const char *topic, const char *type, const char *actor, struct slice data)
{
	struct event ev = {
		.seq = 10 * (version + 1),
		.time_us = 1000 + version,
		.version = version + 1,
		.topic = slice_cstr(topic),
		.type = slice_cstr(type),
		.actor = slice_cstr(actor),
		.data = data,
	};
	struct row after;
	int result =
	    fold_event(&fold, rules, version ? &row : NULL, &ev, &after);

	assert_true(result >= 0);
	version++;
	keep(&after);
	return result;
}

static int
happens(const char *type, const char *json)
{
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };

	assert_int_equal(json_to_mp(slice_cstr(json), &data, NULL), 0);
	return happens_as("a.b", type, "ada", slice_of(data.p, data.len));
}

static int
begin(void **state)
{
	version = 0;
	return 0;
}

/* The row's value, and whether it is deleted. */
static void
is(const char *json, bool deleted)
{
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };

	assert_int_equal(json_from_mp(row.value, &text), 0);
	if (!slice_is(slice_of(text.p, text.len), json))
		fail_msg("%.*s, not %s", (int)text.len, (char *)text.p, json);
	assert_int_equal(row.deleted, deleted);
}

static void
set_replaces_the_value(void **state)
{
	assert_int_equal(happens("x_created", "{\"a\":1}"), FOLD_DONE);
	is("{\"a\":1}", false);
	assert_int_equal(happens("x_set", "[null]"), FOLD_DONE);
	is("[null]", false);
	assert_int_equal(happens("x_reported", "null"), FOLD_DONE);
	is("null", false);
}

static void
merge_merges(void **state)
{
	assert_int_equal(
	    happens("updated", "{\"a\":{\"b\":null,\"c\":1}}"), FOLD_DONE);
	is("{\"a\":{\"c\":1}}", false);
	assert_int_equal(
	    happens("changed", "{\"a\":{\"c\":null},\"b\":2}"), FOLD_DONE);
	is("{\"a\":{},\"b\":2}", false);
	assert_int_equal(happens("renamed", "\"x\""), FOLD_DONE);
	is("\"x\"", false);
	assert_int_equal(happens("moved", "{\"y\":1}"), FOLD_DONE);
	is("{\"y\":1}", false);
}

static void
delete_keeps_the_value_and_only_set_brings_it_back(void **state)
{
	happens("created", "{\"a\":1}");
	assert_int_equal(happens("deleted", "{\"why\":1}"), FOLD_DONE);
	is("{\"a\":1}", true);
	assert_int_equal(happens("updated", "{\"b\":2}"), FOLD_DONE);
	is("{\"a\":1,\"b\":2}", true);
	assert_int_equal(happens("added", "{\"t\":1}"), FOLD_DONE);
	assert_int_equal(happens("removed", "{\"t\":1}"), FOLD_DONE);
	assert_int_equal(happens("seen", "1"), FOLD_DONE);
	is("{\"a\":1,\"b\":2,\"t\":[]}", true);
	assert_int_equal(happens("restored", "{\"c\":3}"), FOLD_DONE);
	is("{\"c\":3}", false);
}

static void
a_topic_that_begins_with_its_end_has_no_value(void **state)
{
	assert_int_equal(happens("deleted", "{\"a\":1}"), FOLD_DONE);
	is("null", true);
	assert_int_equal(happens("added", "{\"t\":1}"), FOLD_DONE);
	is("{\"t\":[1]}", true);
}

static void
touch_moves_what_tells_when_and_by_whom(void **state)
{
	assert_int_equal(happens("seen", "{\"a\":1}"), FOLD_DONE);
	is("{\"a\":1}", false);
	assert_int_equal(
	    happens_as("a.b", "seen", "bob", SLICE_STR("\x02")), FOLD_DONE);
	is("{\"a\":1}", false);
	assert_true(slice_is(row.topic, "a.b"));
	assert_int_equal(row.version, 2);
	assert_int_equal(row.seq, 20);
	assert_int_equal(row.created_us, 1000);
	assert_true(slice_is(row.created_by, "ada"));
	assert_int_equal(row.updated_us, 1001);
	assert_true(slice_is(row.updated_by, "bob"));
	happens("created", "3");
	assert_int_equal(row.created_us, 1000);
	assert_true(slice_is(row.created_by, "ada"));
	assert_true(slice_is(row.updated_by, "ada"));
}

static void
what_does_not_fit_its_rule_touches(void **state)
{
	assert_int_equal(happens("added", "[1]"), FOLD_UNFOLDABLE);
	is("[1]", false);
	assert_int_equal(happens("added", "{\"t\":1}"), FOLD_UNFOLDABLE);
	is("[1]", false);
	assert_int_equal(row.version, 2);
	happens("set", "{\"t\":\"x\"}");
	assert_int_equal(happens("removed", "{\"t\":\"x\"}"), FOLD_UNFOLDABLE);
	is("{\"t\":\"x\"}", false);
}

static void
topics_of_the_system_fold_as_set(void **state)
{
	assert_int_equal(
	    happens_as("$acl.ada", "x_deleted", "", SLICE_STR("\x01")),
	    FOLD_DONE);
	is("1", false);
	assert_int_equal(
	    happens_as("$acl.ada", "x_changed", "", SLICE_STR("\x80")),
	    FOLD_DONE);
	is("{}", false);
}

/* A str that makes a row with the given other bytes so long. */
static void
pack_filler(struct mp_buf *data, size_t len)
{
	static const char x[] = "xxxxxxxxxxxxxxxx";

	mp_pack_map(data, 1);
	mp_pack_cstr(data, "a");
	/* Head of a str of more than 65,535 bytes. */
	mp_buf_bytes(data,
	    (uint8_t[]){ 0xdb, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
		(uint8_t)(len >> 8), (uint8_t)len },
	    5);
	for (; len > 0; len -= MIN(len, sizeof(x) - 1))
		mp_buf_bytes(data, x, MIN(len, sizeof(x) - 1));
	assert_false(data->failed);
}

/* What the filler's row has beside the x: found by folding one. */
static size_t
filler_for(size_t row_bytes)
{
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };

	pack_filler(&data, 70000);
	version = 0;
	happens_as("a.b", "set", "ada", slice_of(data.p, data.len));
	version = 0;
	return row_bytes - (kept.len - 70000);
}

static void
a_first_row_beyond_the_limit_has_no_value(void **state)
{
	size_t exact = filler_for(ROW_MAX);
	static const char *const types[] = { "set", "updated", "seen" };

	for (unsigned i = 0; i < 9; i++) {
		CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };
		size_t len = exact - 1 + i % 3;
		bool fits = len <= exact;

		pack_filler(&data, len);
		version = 0;
		assert_int_equal(happens_as("a.b", types[i / 3], "ada",
				     slice_of(data.p, data.len)),
		    fits ? FOLD_DONE : FOLD_TOO_LARGE);
		if (fits)
			assert_int_equal(kept.len, ROW_MAX - exact + len);
		else
			is("null", false);
	}
}

static void
a_row_that_would_pass_the_limit_keeps_its_value(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };
	size_t exact = filler_for(ROW_MAX);

	pack_filler(&data, exact + 1);
	happens("created", "{\"b\":1}");
	happens("deleted", "{}");
	assert_int_equal(
	    happens_as("a.b", "set", "ada", slice_of(data.p, data.len)),
	    FOLD_TOO_LARGE);
	is("{\"b\":1}", true);
	assert_int_equal(row.version, 3);
	assert_int_equal(
	    happens_as("a.b", "updated", "ada", slice_of(data.p, data.len)),
	    FOLD_TOO_LARGE);
	is("{\"b\":1}", true);
}

static void
a_full_row_is_touched_deleted_and_shrunk(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };
	size_t exact = filler_for(ROW_MAX);
	struct slice value;

	pack_filler(&data, exact);
	value = slice_of(data.p, data.len);
	assert_int_equal(happens_as("a.b", "set", "ada", value), FOLD_DONE);
	assert_int_equal(kept.len, ROW_MAX);
	assert_int_equal(
	    happens_as("a.b", "seen", "ada lovelace", SLICE_STR("\x01")),
	    FOLD_DONE);
	assert_true(kept.len > ROW_MAX && slice_equal(row.value, value));
	assert_int_equal(happens("added", "{\"t\":1}"), FOLD_TOO_LARGE);
	assert_int_equal(happens("deleted", "{}"), FOLD_DONE);
	assert_true(row.deleted && slice_equal(row.value, value));
	assert_int_equal(happens("updated", "{\"a\":null,\"b\":2}"), FOLD_DONE);
	is("{\"b\":2}", true);
}

/* The value as the slow way makes it, into want; false: as it was. */
static bool
slowly(
    unsigned type, struct slice value, struct slice data, struct mp_buf *want)
{
	switch (type) {
	case 0:
		want->len = 0;
		mp_pack_raw(want, data);
		return true;
	case 1:
		mergefix_patch(value, data, want);
		return true;
	case 2:
	case 3:
		return mergefix_list(type == 2, value, data, want);
	default:
		return false;
	}
}

static void
random_data(unsigned type, struct mp_buf *data)
{
	data->len = 0;
	if (type == 2 || type == 3)
		mergefix_change(&gen, data);
	else
		mergefix_value(&gen, 3, data);
	assert_false(data->failed);
}

static const char *const types[] = { "x_set", "x_changed", "x_added",
	"x_removed", "x_deleted", "x_seen" };

/* One event more of a chain, and what its row must be. */
static void
one_more(struct mp_buf *data, struct mp_buf *want)
{
	unsigned type = mpgen_below(&gen, ARRAY_LEN(types));
	struct slice before = version ? row.value : slice_of(NULL, 0);
	bool was_deleted = version && row.deleted, changes;
	struct reason why;

	/* Mostly what leaves a trace. */
	if (type == 0 && mpgen_below(&gen, 4))
		type = 1 + mpgen_below(&gen, 3);
	random_data(type, data);
	changes = slowly(type, before, slice_of(data->p, data->len), want);
	if (!changes) {
		want->len = 0;
		if (version)
			mp_pack_raw(want, before);
		else if (type == 4)
			mp_pack_nil(want);
		else
			mp_pack_raw(want, slice_of(data->p, data->len));
	}
	assert_int_equal(
	    happens_as("a.b", types[type], "ada", slice_of(data->p, data->len)),
	    changes || type > 3 ? FOLD_DONE : FOLD_UNFOLDABLE);
	assert_true(slice_equal(row.value, slice_of(want->p, want->len)));
	assert_int_equal(row.deleted, type == 4 || (was_deleted && type != 0));
	assert_int_equal(
	    mpvalid_check(row.value.p, row.value.len, &why), MPVALID_OK);
}

static void
chains_of_random_events_fold_as_the_slow_way_says(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf want = { 0 };

	for (unsigned i = 0; i < CHAINS; i++) {
		version = 0;
		for (unsigned j = 0; j < CHAIN; j++)
			one_more(&data, &want);
	}
}

static void
the_same_events_give_the_same_bytes(void **state)
{
	uint64_t seed = gen.random;
	struct mp_buf first[CHAIN] = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };

	for (unsigned round = 0; round < 2; round++) {
		gen.random = seed;
		version = 0;
		for (unsigned i = 0; i < CHAIN; i++) {
			unsigned type = mpgen_below(&gen, ARRAY_LEN(types));

			random_data(type, &data);
			happens_as(
			    "a.b", types[type], "", slice_of(data.p, data.len));
			if (round == 0)
				mp_buf_bytes(&first[i], kept.p, kept.len);
			assert_true(slice_equal(slice_of(kept.p, kept.len),
			    slice_of(first[i].p, first[i].len)));
		}
		/* Working memory of another's past makes no difference. */
		fold_deinit(&fold);
	}
	for (unsigned i = 0; i < CHAIN; i++)
		mp_buf_deinit(&first[i]);
}

static int
set_up(void **state)
{
	mpgen_seed(&gen);
	return rules_parse("", &rules, NULL);
}

static int
tear_down(void **state)
{
	rules = rules_free(rules);
	fold_deinit(&fold);
	mp_buf_deinit(&kept);
	return 0;
}

#define FOLD_TEST(fn) cmocka_unit_test_setup(fn, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FOLD_TEST(set_replaces_the_value),
		FOLD_TEST(merge_merges),
		FOLD_TEST(delete_keeps_the_value_and_only_set_brings_it_back),
		FOLD_TEST(a_topic_that_begins_with_its_end_has_no_value),
		FOLD_TEST(touch_moves_what_tells_when_and_by_whom),
		FOLD_TEST(what_does_not_fit_its_rule_touches),
		FOLD_TEST(topics_of_the_system_fold_as_set),
		FOLD_TEST(a_first_row_beyond_the_limit_has_no_value),
		FOLD_TEST(a_row_that_would_pass_the_limit_keeps_its_value),
		FOLD_TEST(a_full_row_is_touched_deleted_and_shrunk),
		FOLD_TEST(chains_of_random_events_fold_as_the_slow_way_says),
		FOLD_TEST(the_same_events_give_the_same_bytes),
	};

	return cmocka_run_group_tests_name("fold", tests, set_up, tear_down);
}
