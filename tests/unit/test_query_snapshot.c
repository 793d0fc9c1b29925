/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Snapshots of the present: what they hold, and that they are at one seq
 * however many transactions they take and whatever changes meanwhile.
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/spool.h"
#include "core/map.h"
#include "core/reason.h"
#include "core/topic_set.h"
#include "tests/lib/queryfix.h"

/* Its rows are those of the fold at its seq. */
static void
expect_fold(struct queryfix *fx, const char *json, struct spool *s)
{
	CLEANUP(mp_buf_deinit) struct mp_buf got = { 0 }, want = { 0 };
	struct proto_request req = queryfix_request(fx, json);
	struct topic_set set;
	uint32_t n;

	assert_int_equal(
	    topic_set_init(&set, req.state.topics, req.read, req.admin), 0);
	queryfix_rows(s, &got);
	queryfix_fold(fx, spool_seq(s), &set, &want, &n);
	topic_set_deinit(&set);
	assert_int_equal(spool_rows(s), n);
	assert_int_equal(got.len, want.len);
	if (n)
		assert_memory_equal(got.p, want.p, want.len);
}

static void
expect_state(struct queryfix *fx, const char *json)
{
	struct spool *s = queryfix_snapshot(fx, json);

	assert_true(spool_full(s));
	expect_fold(fx, json, s);
	(void)spool_unref(s);
}

static const char *const requests[] = {
	"{\"op\":\"open\",\"topics\":[\">\"]}",
	"{\"op\":\"open\",\"topics\":[\"t.1.2\"]}",
	"{\"op\":\"open\",\"topics\":[\"t.3.4\",\"t.1.2\",\"t.1.2\",\"none\"]}",
	"{\"op\":\"open\",\"topics\":[\"t.*\"]}",
	"{\"op\":\"open\",\"topics\":[\"t.2.*\",\"t.2.>\",\"t.4.1\",\"t.2.3\"]}",
	"{\"op\":\"open\",\"topics\":[\"*.1.*\",\"graph.>\"]}",
	"{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e2\"]}",
	"{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e2\",\"t.1.>\"]}",
	"{\"op\":\"open\",\"topics\":[\"$acl.>\",\"t.5.5\"]}",
	"{\"op\":\"open\",\"topics\":[\">\"],\"read\":[\"t.1.*\",\"t.3\"]}",
	"{\"op\":\"open\",\"topics\":[\"t.>\"],\"read\":[\"*.*.3\"]}",
	"{\"op\":\"open\",\"topics\":[\"$acl.*\"],\"read\":[\"$acl.u1\"]}",
	"{\"op\":\"open\",\"topics\":[\"$acl.*\"],\"read\":[\"$acl.u1\"],"
	"\"admin\":true}",
	"{\"op\":\"open\",\"topics\":[\"nothing.here.>\"]}",
	"{\"op\":\"open\",\"topics\":[\">\"],\"read\":[]}",
};

static void
nothing_folded_gives_an_empty_snapshot(void **state)
{
	struct queryfix *fx = *state;
	struct spool *s = queryfix_snapshot(fx, requests[0]);

	assert_int_equal(spool_seq(s), 0);
	assert_int_equal(spool_rows(s), 0);
	assert_int_equal(spool_parts(s), 1);
	(void)spool_unref(s);
}

static void
rows_are_what_folding_gives_in_the_order_of_topics(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 600);
	for (unsigned i = 0; i < ARRAY_LEN(requests); i++)
		expect_state(fx, requests[i]);
}

static void
tombstones_are_shown_and_dropped_ones_are_not(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append(fx, "a.1", "created", "ada", "1");
	queryfix_append(fx, "a.2", "created", "ada", "2");
	queryfix_append(fx, "a.1", "deleted", "ada", "null");
	queryfix_append(fx, "a.2", "deleted", "ada", "null");
	queryfix_expect_topics(
	    fx, "{\"op\":\"open\",\"topics\":[\">\"]}", "a.1 a.2 ");
	fakestore_drop(fx->store, SLICE_STR("a.1"));
	queryfix_append(fx, "b", "created", "ada", "2");
	queryfix_expect_topics(
	    fx, "{\"op\":\"open\",\"topics\":[\">\"],\"min_seq\":5}", "a.2 b ");
	queryfix_expect_topics(
	    fx, "{\"op\":\"open\",\"topics\":[\"a.1\"],\"min_seq\":5}", "");
}

static void
since_gives_what_changed_after_it(void **state)
{
	struct queryfix *fx = *state;
	struct spool *s;

	queryfix_append(fx, "a.1", "created", "ada", "1");
	queryfix_append(fx, "a.2", "created", "ada", "2");
	queryfix_append(fx, "a.1", "deleted", "ada", "null");
	queryfix_append(fx, "b.1", "created", "ada", "3");
	queryfix_expect_topics(fx,
	    "{\"op\":\"open\",\"topics\":[\"a.*\"],\"since\":0}", "a.2 a.1 ");
	queryfix_expect_topics(fx,
	    "{\"op\":\"open\",\"topics\":[\"a.*\"],\"since\":1}", "a.2 a.1 ");
	queryfix_expect_topics(
	    fx, "{\"op\":\"open\",\"topics\":[\"a.*\"],\"since\":2}", "a.1 ");
	queryfix_expect_topics(
	    fx, "{\"op\":\"open\",\"topics\":[\"a.*\"],\"since\":3}", "");
	queryfix_expect_topics(fx,
	    "{\"op\":\"open\",\"topics\":[\"a.2\",\"a.1\"],\"since\":2}",
	    "a.1 ");
	s = queryfix_snapshot(
	    fx, "{\"op\":\"open\",\"topics\":[\">\"],\"since\":4}");
	assert_int_equal(spool_rows(s), 0);
	assert_int_equal(spool_seq(s), 4);
	assert_false(spool_full(s));
	(void)spool_unref(s);
}

static void
since_below_the_floor_gives_all_rows(void **state)
{
	struct queryfix *fx = *state;
	static const struct {
		unsigned since;
		bool full;
	} cases[] = { { 2, true }, { 3, false }, { 4, false } };

	queryfix_append_random(fx, 6);
	fakestore_set_floor(fx->store, 3);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct spool *s;
		char json[80];

		snprintf(json, sizeof(json),
		    "{\"op\":\"open\",\"topics\":[\">\"],\"since\":%u}",
		    cases[i].since);
		s = queryfix_snapshot(fx, json);
		assert_int_equal(spool_full(s), cases[i].full);
		if (cases[i].full)
			expect_fold(fx, requests[0], s);
		(void)spool_unref(s);
	}
}

static void
who_asks_for_the_same_gets_the_same_spool(void **state)
{
	struct queryfix *fx = *state;
	struct spools_status st;
	struct spool *a, *b;

	queryfix_append_random(fx, 100);
	a = queryfix_snapshot(fx, requests[0]);
	b = queryfix_snapshot(fx, requests[0]);
	assert_ptr_equal(a, b);
	(void)spool_unref(b);
	b = queryfix_snapshot(fx, requests[3]);
	assert_ptr_not_equal(a, b);
	(void)spool_unref(b);
	/* Other permissions are another snapshot. */
	b = queryfix_snapshot(
	    fx, "{\"op\":\"open\",\"topics\":[\">\"],\"read\":[\">\"]}");
	assert_ptr_not_equal(a, b);
	(void)spool_unref(b);
	fakestore_regenerate(fx->store);
	b = queryfix_snapshot(fx, requests[0]);
	assert_ptr_not_equal(a, b);
	(void)spool_unref(b);
	(void)spool_unref(a);
	spools_status(fx->q.spools, &st);
	assert_int_equal(st.built, 4);
	assert_int_equal(st.shared, 1);
}

static void
what_has_no_room_is_unavailable_or_too_large(void **state)
{
	struct queryfix *fx = *state;
	struct proto_request req;
	struct topic_set set;
	struct spool *s;

	(void)spools_free(fx->q.spools);
	assert_int_equal(spools_new(fx->dir->path, 1000, &fx->q.spools), 0);
	queryfix_append_random(fx, 200);
	req = queryfix_request(fx, requests[0]);
	assert_int_equal(
	    topic_set_init(&set, req.state.topics, req.read, false), 0);
	assert_int_equal(
	    query_snapshot(&fx->q, &req, &set, &s, &fx->no), PROTO_TOO_LARGE);
	topic_set_deinit(&set);
}

/* --- concurrent change --- */

static void
change_some(void *arg)
{
	struct queryfix *fx = arg;

	if (fx->n < 3000)
		queryfix_append_random(fx, queryfix_random(fx, 5));
}

static void
many_slices_under_change_give_one_seq(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 300);
	fakestore_on_read(fx->store, change_some, fx);
	for (unsigned round = 0; round < 60; round++) {
		unsigned i = round % ARRAY_LEN(requests);
		unsigned before;
		char json[200];
		struct spool *s;

		fx->q.slice_rows = 6 + queryfix_random(fx, 20);
		before = fakestore_reads(fx->store);
		/* One that is asked for nothing is a new one. */
		snprintf(json, sizeof(json), "%.*s,\"min_seq\":%zu}",
		    (int)strlen(requests[i]) - 1, requests[i], fx->n);
		s = queryfix_snapshot(fx, json);
		if (i == 0)
			assert_true(fakestore_reads(fx->store) - before > 3);
		fakestore_on_read(fx->store, NULL, NULL);
		expect_fold(fx, requests[i], s);
		fakestore_on_read(fx->store, change_some, fx);
		(void)spool_unref(s);
	}
}

/* Apply the rows of s to what was known of topics: newer versions win. */
static void
apply(struct map *known, struct spool *s, struct mp_buf *b)
{
	struct mp_walk w;
	struct slice value;
	struct map *once = map_new();

	b->len = 0;
	queryfix_rows(s, b);
	w = mp_walk(slice_of(b->p, b->len));
	while (mp_skip(&w, &value)) {
		struct row *row = malloc(sizeof(*row) + value.len);

		memcpy(row + 1, value.p, value.len);
		assert_int_equal(
		    row_decode(slice_of(row + 1, value.len), row, NULL), 0);
		assert_null(map_get(once, row->topic));
		free(map_take(known, row->topic));
		assert_int_equal(map_put(known, row->topic, row), 0);
		assert_int_equal(map_put(once, row->topic, row), 0);
		assert_true(row->seq <= spool_seq(s));
	}
	(void)map_free(once);
}

static void
rounds_of_since_under_change_end_in_the_fold(void **state)
{
	struct queryfix *fx = *state;
	CLEANUP(map_freep) struct map *known = map_new();
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 }, want = { 0 };
	struct proto_request req;
	struct slice value;
	struct topic_set set;
	struct mp_walk w;
	uint64_t since;
	struct row *row;
	uint32_t n;
	size_t at = 0;
	struct spool *s;

	queryfix_append_random(fx, 300);
	s = queryfix_snapshot(fx, requests[0]);
	apply(known, s, &b);
	since = spool_seq(s);
	(void)spool_unref(s);
	fakestore_on_read(fx->store, change_some, fx);
	for (unsigned round = 0; round < 100; round++) {
		char json[100];

		fx->q.slice_rows = 5 + queryfix_random(fx, 20);
		if (queryfix_random(fx, 2))
			queryfix_append_random(fx, 30);
		snprintf(json, sizeof(json),
		    "{\"op\":\"open\",\"topics\":[\">\"],\"since\":%u,"
		    "\"min_seq\":%zu}",
		    (unsigned)since, fx->n);
		s = queryfix_snapshot(fx, json);
		assert_false(spool_full(s));
		assert_true(spool_seq(s) >= since);
		apply(known, s, &b);
		since = spool_seq(s);
		(void)spool_unref(s);
	}
	req = queryfix_request(fx, requests[0]);
	assert_int_equal(
	    topic_set_init(&set, req.state.topics, req.read, false), 0);
	queryfix_fold(fx, since, &set, &want, &n);
	topic_set_deinit(&set);
	assert_int_equal(map_count(known), n);
	w = mp_walk(slice_of(want.p, want.len));
	while (mp_skip(&w, &value)) {
		struct row expected;

		assert_int_equal(row_decode(value, &expected, NULL), 0);
		row = map_get(known, expected.topic);
		assert_non_null(row);
		assert_memory_equal(row + 1, value.p, value.len);
	}
	while ((row = map_next(known, &at)))
		free(row);
}

/* A topic appears in a range that was walked to its end. */
static void
append_behind(void *arg)
{
	struct queryfix *fx = arg;

	if (fakestore_reads(fx->store) == 4)
		queryfix_append(fx, "a.zz", "created", "ada", "1");
}

static void
a_topic_that_appears_in_a_finished_range_is_not_missed(void **state)
{
	struct queryfix *fx = *state;
	static const char json[] =
	    "{\"op\":\"open\",\"topics\":[\"a.>\",\"b.>\"]}";
	struct spool *s;

	queryfix_append(fx, "a.1", "created", "ada", "1");
	for (unsigned i = 0; i < 9; i++) {
		char topic[8];

		snprintf(topic, sizeof(topic), "b.%u", i);
		queryfix_append(fx, topic, "created", "ada", "1");
	}
	fakestore_on_read(fx->store, append_behind, fx);
	fx->q.slice_rows = 2;
	s = queryfix_snapshot(fx, json);
	assert_int_equal(spool_seq(s), 11);
	assert_int_equal(spool_rows(s), 11);
	expect_fold(fx, json, s);
	(void)spool_unref(s);
}

/* The rows are folded anew while a snapshot is under way. */
static void
regenerate_once(void *arg)
{
	struct queryfix *fx = arg;

	if (fakestore_reads(fx->store) == 4) {
		fakestore_regenerate(fx->store);
		queryfix_append(fx, "t.0.0", "created", "ada", "1");
	}
}

static void
rows_folded_anew_meanwhile_begin_the_snapshot_anew(void **state)
{
	struct queryfix *fx = *state;
	struct spool *s;

	queryfix_append_random(fx, 200);
	fakestore_on_read(fx->store, regenerate_once, fx);
	fx->q.slice_rows = 5;
	s = queryfix_snapshot(fx, requests[0]);
	assert_int_equal(spool_seq(s), 201);
	expect_fold(fx, requests[0], s);
	(void)spool_unref(s);
}

/* The floor passes `since` while its round is under way. */
static void
raise_floor_once(void *arg)
{
	struct queryfix *fx = arg;

	if (fakestore_reads(fx->store) == 3)
		fakestore_set_floor(fx->store, 150);
}

static void
a_floor_that_passes_since_meanwhile_gives_all_rows(void **state)
{
	struct queryfix *fx = *state;
	struct spool *s;

	queryfix_append_random(fx, 200);
	fakestore_on_read(fx->store, raise_floor_once, fx);
	fx->q.slice_rows = 5;
	s = queryfix_snapshot(
	    fx, "{\"op\":\"open\",\"topics\":[\">\"],\"since\":100}");
	assert_true(spool_full(s));
	expect_fold(fx, requests[0], s);
	(void)spool_unref(s);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, queryfix_setup, queryfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_folded_gives_an_empty_snapshot),
		TEST(rows_are_what_folding_gives_in_the_order_of_topics),
		TEST(tombstones_are_shown_and_dropped_ones_are_not),
		TEST(since_gives_what_changed_after_it),
		TEST(since_below_the_floor_gives_all_rows),
		TEST(who_asks_for_the_same_gets_the_same_spool),
		TEST(what_has_no_room_is_unavailable_or_too_large),
		TEST(many_slices_under_change_give_one_seq),
		TEST(rounds_of_since_under_change_end_in_the_fold),
		TEST(a_topic_that_appears_in_a_finished_range_is_not_missed),
		TEST(rows_folded_anew_meanwhile_begin_the_snapshot_anew),
		TEST(a_floor_that_passes_since_meanwhile_gives_all_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
