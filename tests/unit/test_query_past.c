/* SPDX-License-Identifier: BSD-2-Clause */

/* States of the past: at any seq or time what folding the log up to it gives. */

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/archives.h"
#include "broker/spool.h"
#include "core/event.h"
#include "core/reason.h"
#include "core/topic_set.h"
#include "tests/lib/queryfix.h"

static const char *const patterns[] = {
	"\"topics\":[\">\"]",
	"\"topics\":[\"t.1.2\"]",
	"\"topics\":[\"t.3.4\",\"t.1.2\",\"t.1.2\",\"none\",\"t.2.7\"]",
	"\"topics\":[\"t.*\"]",
	"\"topics\":[\"t.2.*\",\"t.2.>\",\"t.4.1\",\"t.2.3\"]",
	"\"topics\":[\"graph.relation.*.*.e2\",\"t.1.>\"]",
	"\"topics\":[\"$acl.>\",\"t.5.5\"]",
	"\"topics\":[\">\"],\"read\":[\"t.1.*\",\"t.3\"]",
	"\"topics\":[\"nothing.here.>\"]",
	"\"topics\":[\"none\"]",
};

/* The answer to these patterns and this `at` is the state of seq. */
static void
expect_at(struct queryfix *fx, const char *patterns_json, const char *at,
    uint64_t seq)
{
	CLEANUP(mp_buf_deinit) struct mp_buf got = { 0 }, want = { 0 };
	struct proto_request req;
	struct topic_set set;
	char json[400];
	struct spool *s;
	uint32_t n;

	snprintf(json, sizeof(json), "{\"op\":\"open\",%s,\"at\":%s}",
	    patterns_json, at);
	if (queryfix_ask(fx, json, &s))
		fail_msg("'%s': %s", json, fx->no.text);
	assert_int_equal(spool_seq(s), seq);
	assert_true(spool_full(s));
	queryfix_rows(s, &got);
	req = queryfix_request(fx, json);
	assert_int_equal(
	    topic_set_init(&set, req.state.topics, req.read, req.admin), 0);
	queryfix_fold(fx, seq, &set, &want, &n);
	topic_set_deinit(&set);
	if (spool_rows(s) != n || got.len != want.len ||
	    (n && memcmp(got.p, want.p, want.len) != 0))
		fail_msg("'%s' is not the fold", json);
	(void)spool_unref(s);
}

static void
expect_seq(struct queryfix *fx, unsigned pattern, uint64_t seq)
{
	char at[30];

	snprintf(at, sizeof(at), "%" PRIu64, seq);
	expect_at(fx, patterns[pattern % ARRAY_LEN(patterns)], at, seq);
}

static void
expect_many(struct queryfix *fx)
{
	static const uint64_t edges[] = { 0, 1, 2, 99, 100, 101 };

	for (unsigned i = 0; i < ARRAY_LEN(edges); i++)
		for (unsigned k = 0; k < ARRAY_LEN(patterns); k++)
			expect_seq(fx, k, edges[i]);
	for (unsigned i = 0; i < 60; i++)
		expect_seq(fx, i, queryfix_random(fx, (unsigned)fx->n + 1));
	expect_seq(fx, 0, fx->n);
	expect_seq(fx, 0, fx->n - 1);
}

static void
archive_now(struct queryfix *fx)
{
	struct reason why;

	if (archives_write(&fx->q, &why) < 0)
		fail_msg("%s", why.text);
}

static void
without_archives_the_log_is_folded_from_its_beginning(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 400);
	expect_many(fx);
}

static void
with_archives_it_is_folded_on_from_the_one_before(void **state)
{
	struct queryfix *fx = *state;

	for (unsigned i = 0; i < 5; i++) {
		queryfix_append_random(fx, 100);
		archive_now(fx);
	}
	queryfix_append_random(fx, 50);
	expect_many(fx);
}

static void
dropped_tombstones_are_shown_in_the_past(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append(fx, "a", "created", "ada", "1");
	queryfix_append(fx, "a", "deleted", "ada", "1");
	queryfix_append(fx, "b", "created", "ada", "1");
	fakestore_drop(fx->store, SLICE_STR("a"));
	archive_now(fx);
	queryfix_append(fx, "c", "created", "ada", "1");
	for (uint64_t seq = 0; seq <= 4; seq++)
		expect_seq(fx, 0, seq);
}

static void
named_topics_take_their_events_from_the_index(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 100);
	archive_now(fx);
	/* More events than are fetched one by one, few of them named. */
	queryfix_append_random(fx, 2600);
	for (unsigned i = 0; i < 10; i++)
		expect_seq(fx, 2, 2200 + queryfix_random(fx, 500));
	/* Where the index does not reach as far, the log is read. */
	fakestore_set_history_seq(fx->store, 2000);
	expect_seq(fx, 2, 2650);
	fakestore_set_history_seq(fx->store, 2650);
	expect_seq(fx, 1, 2650);
}

static void
a_store_that_is_behind_does_not_matter(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 200);
	archive_now(fx);
	fx->store_waits = true;
	queryfix_append_random(fx, 100);
	expect_seq(fx, 0, 300);
	expect_seq(fx, 1, 250);
	expect_seq(fx, 0, 200);
}

static uint64_t
seq_at(const struct queryfix *fx, uint64_t time_us)
{
	uint64_t seq = 0;

	for (size_t i = 0; i < fx->n; i++) {
		struct event ev;

		assert_int_equal(
		    event_decode(
			slice_of(fx->v[i].bytes, fx->v[i].len), &ev, NULL),
		    0);
		if (ev.time_us <= time_us)
			seq = ev.seq;
	}
	return seq;
}

static void
a_time_is_after_the_last_event_at_or_before_it(void **state)
{
	struct queryfix *fx = *state;
	uint64_t first = fx->time_us;

	expect_at(fx, patterns[0], "{\"time\":5}", 0);
	queryfix_append_random(fx, 300);
	archive_now(fx);
	queryfix_append_random(fx, 100);
	for (uint64_t t = first - 2; t < fx->time_us + 3;
	     t += 1 + queryfix_random(fx, 9)) {
		char at[40];

		snprintf(at, sizeof(at), "{\"time\":%" PRIu64 "}", t);
		expect_at(fx, patterns[0], at, seq_at(fx, t));
	}
	expect_at(fx, patterns[0], "{\"time\":0}", 0);
	expect_at(fx, patterns[0], "{\"time\":9007199254740991}", fx->n);
}

static void
beyond_the_head_is_ahead(void **state)
{
	struct queryfix *fx = *state;
	struct spool *s;

	assert_int_equal(
	    queryfix_ask(
		fx, "{\"op\":\"open\",\"topics\":[\">\"],\"at\":1}", &s),
	    PROTO_AHEAD);
	queryfix_append_random(fx, 10);
	assert_int_equal(
	    queryfix_ask(
		fx, "{\"op\":\"open\",\"topics\":[\">\"],\"at\":11}", &s),
	    PROTO_AHEAD);
	assert_int_equal(queryfix_ask(fx,
			     "{\"op\":\"open\",\"topics\":[\">\"],"
			     "\"at\":9007199254740991}",
			     &s),
	    PROTO_AHEAD);
}

static void
a_present_state_that_is_refused_hands_out_nothing(void **state)
{
	struct queryfix *fx = *state;
	struct spool *const untouched = (struct spool *)fx;
	struct spool *s = untouched;

	queryfix_append_random(fx, 100);
	fx->q.spools = spools_free(fx->q.spools);
	assert_int_equal(spools_new(fx->dir->path, 100, &fx->q.spools), 0);
	assert_int_equal(
	    queryfix_ask(
		fx, "{\"op\":\"open\",\"topics\":[\">\"],\"at\":100}", &s),
	    PROTO_TOO_LARGE);
	assert_ptr_equal(s, untouched);
}

static void
who_asks_for_the_same_seq_gets_the_same_spool(void **state)
{
	struct queryfix *fx = *state;
	struct spools_status before, after;
	struct spool *a, *b;

	queryfix_append_random(fx, 100);
	assert_int_equal(
	    queryfix_ask(
		fx, "{\"op\":\"open\",\"topics\":[\">\"],\"at\":50}", &a),
	    PROTO_OK);
	spools_status(fx->q.spools, &before);
	queryfix_append_random(fx, 100);
	assert_int_equal(
	    queryfix_ask(
		fx, "{\"op\":\"open\",\"topics\":[\">\"],\"at\":50}", &b),
	    PROTO_OK);
	assert_ptr_equal(a, b);
	spools_status(fx->q.spools, &after);
	assert_int_equal(before.built, after.built);
	(void)spool_unref(a);
	(void)spool_unref(b);
}

/* Flip a byte, or bytes all over, of an archive. */
static void
damage(struct queryfix *fx, uint64_t seq, unsigned where)
{
	char name[ARCHIVE_NAME_SIZE];
	off_t size, at;
	uint8_t byte;
	int fd;

	archive_name(name, seq);
	fd = openat(fx->dir->fd, name, O_RDWR);
	assert_true(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	at = size * (off_t)where / 100;
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	(void)close(fd);
}

static void
a_damaged_archive_gives_way_to_the_one_before(void **state)
{
	static const unsigned places[] = { 0, 1, 20, 50, 80 };

	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		struct queryfix *fx;
		struct archives_status as;

		assert_int_equal(queryfix_setup((void **)&fx), 0);
		for (unsigned k = 0; k < 3; k++) {
			queryfix_append_random(fx, 100);
			archive_now(fx);
		}
		queryfix_append_random(fx, 20);
		damage(fx, 300, places[i]);
		expect_seq(fx, 0, 310);
		expect_seq(fx, 2, 312);
		expect_seq(fx, 0, 200);
		archives_status(fx->q.archives, &as);
		assert_int_equal(as.damaged, 1);
		damage(fx, 200, places[i]);
		damage(fx, 100, places[i]);
		expect_seq(fx, 0, 311);
		assert_int_equal(queryfix_teardown((void **)&fx), 0);
	}
}

static void
a_damaged_log_is_told_and_not_folded(void **state)
{
	struct queryfix *fx = *state;
	char name[200];
	struct spool *s;
	uint8_t byte;
	int fd;

	queryfix_append_random(fx, 300);
	snprintf(name, sizeof(name), "%s/%020d-%010d.seg", fx->log->path, 1, 1);
	fd = open(name, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 8192 + 70), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 8192 + 70), 1);
	(void)close(fd);
	assert_int_equal(
	    queryfix_ask(
		fx, "{\"op\":\"open\",\"topics\":[\">\"],\"at\":299}", &s),
	    PROTO_INTERNAL);
	assert_non_null(strstr(fx->no.text, ".seg"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, queryfix_setup, queryfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_archives_the_log_is_folded_from_its_beginning),
		TEST(with_archives_it_is_folded_on_from_the_one_before),
		TEST(dropped_tombstones_are_shown_in_the_past),
		TEST(named_topics_take_their_events_from_the_index),
		TEST(a_store_that_is_behind_does_not_matter),
		TEST(a_time_is_after_the_last_event_at_or_before_it),
		TEST(beyond_the_head_is_ahead),
		TEST(a_present_state_that_is_refused_hands_out_nothing),
		TEST(who_asks_for_the_same_seq_gets_the_same_spool),
		cmocka_unit_test(a_damaged_archive_gives_way_to_the_one_before),
		TEST(a_damaged_log_is_told_and_not_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
