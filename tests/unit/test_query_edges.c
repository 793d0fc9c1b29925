/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Relations that are looked up by where they lead: the rows are those that a
 * look at every topic gives, whatever else is asked for with them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/plan.h"
#include "broker/spool.h"
#include "core/reason.h"
#include "core/topic_set.h"
#include "tests/lib/queryfix.h"

enum {
	NAMES = 6,
};

/* The next row of several; false at their end. */
static bool
next_row(struct mp_walk *w, struct slice *bytes, struct row *row)
{
	if (!mp_skip(w, bytes))
		return false;
	assert_int_equal(row_decode(*bytes, row, NULL), 0);
	return true;
}

/* Rows of b in the order of topics or, where by_seq is fine, of seqs. */
static void
expect_order(struct slice b, bool by_seq)
{
	struct mp_walk w = mp_walk(b);
	bool topics = true, seqs = true;
	struct row row, last;
	struct slice bytes;

	for (unsigned n = 0; next_row(&w, &bytes, &row); n++) {
		if (n > 0) {
			topics &= plan_compare(last.topic, row.topic) < 0;
			seqs &= last.seq < row.seq;
		}
		last = row;
	}
	assert_true(topics || (by_seq && seqs));
}

static bool
has_row(struct slice rows, struct slice wanted)
{
	struct mp_walk w = mp_walk(rows);
	struct slice bytes;

	while (mp_skip(&w, &bytes))
		if (slice_equal(bytes, wanted))
			return true;
	return false;
}

/* s has what folding gives at its seq, of rows that changed after since. */
static void
expect_rows(
    struct queryfix *fx, const char *json, struct spool *s, uint64_t since)
{
	CLEANUP(mp_buf_deinit) struct mp_buf got = { 0 }, want = { 0 };
	struct proto_request req = queryfix_request(fx, json);
	struct topic_set set;
	struct slice bytes;
	uint32_t n, rows = 0;
	struct mp_walk w;
	struct row row;

	assert_int_equal(
	    topic_set_init(&set, req.state.topics, req.read, req.admin), 0);
	queryfix_rows(s, &got);
	queryfix_fold(fx, spool_seq(s), &set, &want, &n);
	topic_set_deinit(&set);
	w = mp_walk(slice_of(want.p, want.len));
	while (next_row(&w, &bytes, &row)) {
		if (!spool_full(s) && row.seq <= since)
			continue;
		rows++;
		if (!has_row(slice_of(got.p, got.len), bytes))
			fail_msg("'%s': %.*s is missing", json,
			    (int)row.topic.len, (const char *)row.topic.p);
	}
	if (spool_rows(s) != rows)
		fail_msg("'%s': %u rows, not %u", json, (unsigned)spool_rows(s),
		    rows);
	expect_order(slice_of(got.p, got.len), !spool_full(s));
}

/* --- at random --- */

static void
append_relations(struct queryfix *fx, unsigned n)
{
	static const char *const types[] = { "relation_created",
		"relation_changed", "relation_deleted" };
	static const char *const verbs[] = { "uses", "is" };
	char topic[64], data[40];

	for (unsigned i = 0; i < n; i++) {
		unsigned to = queryfix_random(fx, NAMES), from;

		/* Some that were there, some that were not. */
		from = queryfix_random(fx, 2) ? NAMES : 999;
		from = queryfix_random(fx, from);
		if (queryfix_random(fx, 5) == 0)
			snprintf(topic, sizeof(topic), "t.%u", to);
		else if (queryfix_random(fx, 9) == 0)
			snprintf(topic, sizeof(topic),
			    "graph.relation.e1.is.not.e%u", to);
		else
			snprintf(topic, sizeof(topic),
			    "graph.relation.e%u.%s.e%u", from,
			    verbs[queryfix_random(fx, 2)], to);
		/* What the data says of its ends does not count. */
		snprintf(data, sizeof(data), "{\"to\":\"e%u\"}",
		    queryfix_random(fx, NAMES));
		queryfix_add(
		    fx, topic, types[queryfix_random(fx, 3)], "ada", data);
		if (queryfix_random(fx, 4) == 0 || i + 1 == n)
			queryfix_commit(fx);
	}
	queryfix_flush(fx);
}

static size_t
random_pattern(struct queryfix *fx, char *buf, size_t cap)
{
	unsigned a = queryfix_random(fx, NAMES), b = queryfix_random(fx, NAMES);
	int n;

	switch (queryfix_random(fx, 15)) {
	case 0:
		n = snprintf(buf, cap, "graph.relation.e%u.*.e%u", a, b);
		break;
	case 1:
		n = snprintf(buf, cap, "graph.relation.e%u.uses.e%u", a, b);
		break;
	case 2:
		n = snprintf(buf, cap, "graph.relation.e%u.>", a);
		break;
	case 3:
		n = snprintf(buf, cap, "graph.relation.*.is.*");
		break;
	case 4:
		n = snprintf(buf, cap, "*.relation.*.*.e%u", a);
		break;
	case 5:
		n = snprintf(buf, cap, "%s", a > 2 ? "graph.>" : ">");
		break;
	case 6:
		n = snprintf(buf, cap, "t.%u", a);
		break;
	case 7:
		n = snprintf(buf, cap, "t.*");
		break;
	case 8:
		n = snprintf(buf, cap, "graph.relation.*.*.*.e%u", a);
		break;
	case 9:
	case 10:
		n = snprintf(buf, cap, "graph.relation.*.uses.e%u", a);
		break;
	default:
		n = snprintf(buf, cap, "graph.relation.*.*.e%u", a);
		break;
	}
	return (size_t)n;
}

static size_t
random_patterns(struct queryfix *fx, unsigned n, char *buf)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		len += (size_t)sprintf(buf + len, "%s\"", i ? "," : "");
		len += random_pattern(fx, buf + len, 60);
		len += (size_t)sprintf(buf + len, "\"");
	}
	return len;
}

static void
random_request(struct queryfix *fx, uint64_t since, char json[1000])
{
	size_t len = (size_t)sprintf(json, "{\"op\":\"open\",\"topics\":[");

	len += random_patterns(fx, 1 + queryfix_random(fx, 3), json + len);
	len += (size_t)sprintf(json + len, "]");
	if (queryfix_random(fx, 2)) {
		len += (size_t)sprintf(json + len, ",\"read\":[");
		len += random_patterns(fx, queryfix_random(fx, 4), json + len);
		len += (size_t)sprintf(json + len, "]");
	}
	if (since != UINT64_MAX)
		len += (size_t)sprintf(
		    json + len, ",\"since\":%u", (unsigned)since);
	sprintf(json + len, ",\"min_seq\":%zu}", fx->n);
}

static void
change_some(void *arg)
{
	struct queryfix *fx = arg;

	if (fx->n < 3000)
		append_relations(fx, queryfix_random(fx, 4));
}

static void
expect_random(struct queryfix *fx, unsigned rounds, void (*change)(void *arg))
{
	char json[1000];

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t since = UINT64_MAX;
		struct spool *s;

		if (queryfix_random(fx, 2))
			since = queryfix_random(fx, (unsigned)fx->n + 1);
		if (queryfix_random(fx, 3) == 0 && since != UINT64_MAX)
			since = fx->n - queryfix_random(fx, 10);
		if (queryfix_random(fx, 10) == 0)
			append_relations(fx, 10);
		random_request(fx, since, json);
		fakestore_on_read(fx->store, change, fx);
		s = queryfix_snapshot(fx, json);
		fakestore_on_read(fx->store, NULL, NULL);
		expect_rows(fx, json, s, since);
		(void)spool_unref(s);
	}
}

static void
any_set_of_patterns_gives_what_a_scan_gives(void **state)
{
	struct queryfix *fx = *state;

	append_relations(fx, 20);
	expect_random(fx, 100, NULL);
	append_relations(fx, 200);
	expect_random(fx, 300, NULL);
}

static void
slices_under_change_give_what_a_scan_gives(void **state)
{
	struct queryfix *fx = *state;

	append_relations(fx, 200);
	for (unsigned i = 0; i < 30; i++) {
		fx->q.slice_rows = 5 + queryfix_random(fx, 12);
		expect_random(fx, 10, change_some);
	}
}

/* --- by hand --- */

static void
deleted_relations_are_shown_and_dropped_ones_are_not(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append(fx, "graph.relation.b.x.e", "created", "ada", "1");
	queryfix_append(fx, "graph.relation.a.x.e", "created", "ada", "1");
	queryfix_append(fx, "graph.relation.c.x.e", "created", "ada", "1");
	queryfix_append(fx, "graph.relation.a.x.e", "deleted", "ada", "null");
	queryfix_append(fx, "graph.relation.b.x.e", "deleted", "ada", "null");
	fakestore_drop(fx->store, SLICE_STR("graph.relation.b.x.e"));
	queryfix_expect_topics(fx,
	    "{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e\"]}",
	    "graph.relation.a.x.e graph.relation.c.x.e ");
	queryfix_expect_topics(fx,
	    "{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e\"],"
	    "\"since\":0}",
	    "graph.relation.a.x.e graph.relation.c.x.e ");
	queryfix_expect_topics(fx,
	    "{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e\"],"
	    "\"since\":3}",
	    "graph.relation.a.x.e ");
	queryfix_expect_topics(fx,
	    "{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e\"],"
	    "\"since\":5}",
	    "");
}

static void
only_what_leads_there_is_looked_at(void **state)
{
	static const struct {
		const char *json;
		unsigned rows;
	} cases[] = {
		{ "{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e7\"]}",
		    10 },
		{ "{\"op\":\"open\",\"topics\":[\"graph.relation.*.a.e7\"]}",
		    10 },
		{ "{\"op\":\"open\",\"topics\":[\"graph.>\"],"
		  "\"read\":[\"graph.relation.*.*.e7\","
		  "\"graph.relation.*.*.e8\"]}",
		    20 },
		{ "{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e7\"],"
		  "\"read\":[\">\"]}",
		    10 },
		{ "{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e\"]}",
		    0 },
	};
	struct queryfix *fx = *state;
	char topic[64];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(topic, sizeof(topic), "graph.relation.f%u.a.e%u",
		    i % 10, i / 10);
		queryfix_add(fx, topic, "created", "ada", "1");
		queryfix_commit(fx);
	}
	queryfix_flush(fx);
	fx->q.slice_rows = 1;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned reads = fakestore_reads(fx->store);
		struct spool *s = queryfix_snapshot(fx, cases[i].json);
		uint64_t rows = spool_rows(s);

		reads = fakestore_reads(fx->store) - reads;
		expect_rows(fx, cases[i].json, s, 0);
		(void)spool_unref(s);
		assert_int_equal(rows, cases[i].rows);
		/* One for the generation, one that finds no more. */
		assert_int_equal(reads, cases[i].rows + 2);
	}
}

/* So many that a scan is shorter; the bound is 1000 and a quarter. */
static void
relations_of_a_hub_are_all_there(void **state)
{
	struct queryfix *fx = *state;
	char json[160], topic[64];

	for (unsigned i = 0; i < 1336; i++) {
		struct spool *s;

		snprintf(topic, sizeof(topic), "graph.relation.f%u.a.hub", i);
		queryfix_add(fx, topic, "created", "ada", "1");
		queryfix_commit(fx);
		if (i < 1331)
			continue;
		queryfix_flush(fx);
		snprintf(json, sizeof(json),
		    "{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.hub\","
		    "\"graph.relation.*.*.none\"],\"min_seq\":%zu}",
		    fx->n);
		s = queryfix_snapshot(fx, json);
		assert_int_equal(spool_rows(s), i + 1);
		(void)spool_unref(s);
	}
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, queryfix_setup, queryfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_set_of_patterns_gives_what_a_scan_gives),
		TEST(slices_under_change_give_what_a_scan_gives),
		TEST(deleted_relations_are_shown_and_dropped_ones_are_not),
		TEST(only_what_leads_there_is_looked_at),
		TEST(relations_of_a_hub_are_all_there),
	};

	return cmocka_run_group_tests_name("query_edges", tests, NULL, NULL);
}
