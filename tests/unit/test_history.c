/* SPDX-License-Identifier: BSD-2-Clause */

/* The judge of appends, shown wrong histories, which it must refuse. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/history.h"

static int
setup(void **state)
{
	*state = history_new();
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	*state = history_free(*state);
	return 0;
}

/* One event of topic, with this expectation. */
static uint32_t
ask_for(struct history *h, unsigned topic, int64_t expect, uint32_t key)
{
	const struct history_ask ask = {
		.n = 1, .key = key, .ev = { { topic, expect } }
	};

	return history_ask(h, &ask);
}

/* Two events without keys. */
static uint32_t
ask_two(struct history *h)
{
	const struct history_ask two = { .n = 2,
		.key = HISTORY_NO_KEY,
		.ev = { { 0, HISTORY_ANY }, { 1, HISTORY_ANY } } };

	return history_ask(h, &two);
}

static uint32_t
ask(struct history *h)
{
	return ask_for(h, 0, HISTORY_ANY, HISTORY_OWN_KEY);
}

static void
sent(struct history *h, uint32_t op)
{
	history_sent(h, op, 1);
}

static void
stored(struct history *h, uint32_t op, uint64_t seq, uint64_t version,
    bool duplicate)
{
	const struct history_answer a = { .outcome = HISTORY_STORED,
		.seq = seq,
		.time = 1000 + seq,
		.version = { version },
		.duplicate = duplicate };

	history_answered(h, op, &a);
}

/* Sent, and answered so. */
static void
told(struct history *h, uint32_t op, uint64_t seq, uint64_t version,
    bool duplicate)
{
	sent(h, op);
	stored(h, op, seq, version, duplicate);
}

static void
ended(struct history *h, uint32_t op, enum history_outcome outcome)
{
	const struct history_answer a = { .outcome = outcome };

	history_answered(h, op, &a);
}

/* Sent, and never answered. */
static void
silent(struct history *h, uint32_t op)
{
	sent(h, op);
	ended(h, op, HISTORY_UNKNOWN);
}

/* Sent, and answered so. */
static void
conflict(struct history *h, uint32_t op, unsigned topic, uint64_t actual)
{
	const struct history_answer a = {
		.outcome = HISTORY_CONFLICT, .topic = topic, .actual = actual
	};

	sent(h, op);
	history_answered(h, op, &a);
}

/* A request of one event that is asked for and stored at once. */
static uint32_t
append(struct history *h, uint64_t seq)
{
	uint32_t op = ask(h);

	told(h, op, seq, seq, false);
	return op;
}

/* One that was refused for now. */
static uint32_t
turned_away(struct history *h)
{
	uint32_t op = ask(h);

	sent(h, op);
	ended(h, op, HISTORY_REFUSED);
	return op;
}

/* Event i of a request, in the log at seq as the only one of its request. */
static struct history_event
in_log(struct history *h, struct history_texts *t, uint32_t op, unsigned i,
    uint64_t seq, uint64_t version)
{
	history_texts(h, op, i, t);
	return (struct history_event){ .seq = seq,
		.time = 1000 + seq,
		.version = version,
		.first = seq,
		.last = seq,
		.topic = t->topic,
		.type = t->type,
		.key = t->key,
		.data = t->data };
}

static bool
show_as(struct history *h, uint32_t op, uint64_t seq, uint64_t version)
{
	struct history_texts t;
	struct history_event ev = in_log(h, &t, op, 0, seq, version);

	return history_truth(h, &ev);
}

static bool
show(struct history *h, uint32_t op, uint64_t seq)
{
	return show_as(h, op, seq, seq);
}

static void
accepted(struct history *h)
{
	assert_true(history_truth_end(h));
	assert_string_equal(history_fault(h), "");
}

static void
refused(struct history *h, const char *text)
{
	assert_false(history_truth_end(h));
	if (strstr(history_fault(h), text) == NULL)
		fail_msg("'%s' does not say '%s'", history_fault(h), text);
}

/* --- right ones --- */

static void
requests_answered_and_stored_are_accepted(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1), b = append(h, 2);

	assert_true(show(h, a, 1) && show(h, b, 2));
	accepted(h);
}

static void
a_repeat_after_a_lost_answer_is_a_duplicate(void **state)
{
	struct history *h = *state;
	uint32_t a = ask(h);
	struct history_counts n;

	silent(h, a);
	told(h, a, 1, 1, true);
	told(h, a, 1, 1, true);
	assert_true(show(h, a, 1));
	accepted(h);
	history_count(h, &n);
	assert_int_equal(n.resolved, 1);
	assert_int_equal(n.silent, 0);
}

static void
what_got_no_answer_may_be_there_or_not(void **state)
{
	struct history *h = *state;
	uint32_t a = ask_for(h, 0, HISTORY_ANY, HISTORY_NO_KEY);
	uint32_t b = ask_for(h, 0, HISTORY_ANY, HISTORY_NO_KEY);
	struct history_counts n;

	sent(h, a);
	sent(h, b);
	ended(h, a, HISTORY_UNKNOWN);
	ended(h, b, HISTORY_UNKNOWN);
	assert_true(show(h, b, 1));
	accepted(h);
	history_count(h, &n);
	assert_int_equal(n.silent, 2);
	assert_int_equal(n.found, 1);
}

static void
a_conflict_with_what_was_there_is_accepted(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1), b = ask(h);

	conflict(h, ask_for(h, 0, 0, HISTORY_OWN_KEY), 0, 1);
	/* Also with keys of which nobody knows whether they are used. */
	silent(h, b);
	conflict(h, ask_for(h, 0, 0, b), 0, 1);
	assert_true(show(h, a, 1));
	accepted(h);
}

/*
 * It waits in a stopped writer, its sender asks again elsewhere and is told
 * that the topic does not exist; then the topic comes, and the writer goes on.
 */
static void
a_late_first_sending_may_be_stored_after_a_conflict(void **state)
{
	struct history *h = *state;
	uint32_t a = ask_for(h, 0, HISTORY_EXISTS, HISTORY_OWN_KEY), b = ask(h);

	silent(h, a);
	conflict(h, a, 0, 0);
	told(h, b, 1, 1, false);
	assert_true(show(h, b, 1) && show(h, a, 2));
	accepted(h);
}

/* --- wrong answers --- */

static void
another_seq_for_the_same_request_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);

	told(h, a, 2, 1, true);
	refused(h, "another time with 2");
}

static void
a_duplicate_of_nothing_is_refused(void **state)
{
	struct history *h = *state;
	/* What was refused for now is nothing. */
	uint32_t a = turned_away(h);

	told(h, a, 1, 1, true);
	refused(h, "duplicate of nothing");
}

static void
a_repeat_that_is_new_again_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);

	told(h, a, 1, 1, false);
	refused(h, "new twice");
}

static void
a_key_that_serves_for_other_content_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);
	uint32_t b = ask_for(h, 0, HISTORY_ANY, a);

	told(h, b, 1, 1, true);
	refused(h, "the keys of request 0");
}

static void
a_conflict_under_a_stored_key_is_refused(void **state)
{
	struct history *h = *state;

	conflict(h, ask_for(h, 0, 0, append(h, 1)), 0, 1);
	refused(h, "a conflict, with the keys of request 0");
}

static void
key_reused_for_a_fresh_key_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = ask(h);

	sent(h, a);
	ended(h, a, HISTORY_REUSED);
	refused(h, "used no key again");
}

static void
a_conflict_with_what_was_expected_is_refused(void **state)
{
	const int64_t expects[] = { 3, HISTORY_ANY, HISTORY_EXISTS };

	for (size_t i = 0; i < 3; i++) {
		struct history *h = history_new();
		uint32_t a = ask_for(h, 0, expects[i], HISTORY_OWN_KEY);

		conflict(h, a, 0, 3);
		refused(h, "that it did not exclude");
		history_free(h);
	}
	(void)state;
}

static void
a_conflict_after_it_was_stored_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = ask_for(h, 0, 0, HISTORY_OWN_KEY);

	told(h, a, 1, 1, false);
	conflict(h, a, 0, 1);
	refused(h, "then with a conflict");
}

/* --- wrong logs --- */

static void
an_answered_request_that_is_lost_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);

	append(h, 2);
	assert_true(show(h, a, 1));
	refused(h, "lost: request 1");
}

static void
a_request_stored_twice_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);

	assert_true(show(h, a, 1));
	assert_false(show(h, a, 2));
	refused(h, "stored twice, at 1 and 2");
}

static void
an_event_that_nobody_asked_for_like_that_is_refused(void **state)
{
	const struct wrong {
		const char *topic, *type, *key, *data;
	} wrong[] = { { .data = "what is this" }, { .data = "0.0.xy" },
		{ .data = "0.1." }, { .data = "1.0." }, { .key = "" },
		{ .topic = "load.1.1" }, { .type = "thing_seen" } };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct history *h = history_new();
		struct history_texts t;
		struct history_event ev = in_log(h, &t, append(h, 1), 0, 1, 1);

		ev.topic = wrong[i].topic != NULL ? wrong[i].topic : ev.topic;
		ev.type = wrong[i].type != NULL ? wrong[i].type : ev.type;
		ev.key = wrong[i].key != NULL ? wrong[i].key : ev.key;
		ev.data = wrong[i].data != NULL ? wrong[i].data : ev.data;
		assert_false(history_truth(h, &ev));
		refused(h, "phantom: event 1");
		history_free(h);
	}
	(void)state;
}

static void
a_request_that_was_never_sent_is_refused(void **state)
{
	struct history *h = *state;

	assert_false(show(h, ask(h), 1));
	refused(h, "never sent");
}

static void
a_refused_request_that_is_stored_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = turned_away(h);

	assert_false(show(h, a, 1));
	refused(h, "which was refused");
}

static void
a_conflict_that_is_stored_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);
	uint32_t b = ask_for(h, 0, 0, HISTORY_OWN_KEY);

	/* Also where an answer was lost: version 0 never comes again. */
	silent(h, b);
	conflict(h, b, 0, 1);
	assert_true(show(h, a, 1));
	assert_false(show(h, b, 2));
	refused(h, "which was refused");
}

static void
other_content_under_a_stored_key_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);
	uint32_t b = ask_for(h, 0, HISTORY_ANY, a);

	silent(h, b);
	assert_true(show(h, a, 1));
	assert_false(show(h, b, 2));
	refused(h, "whose keys were of request 0");
}

static void
a_request_at_another_seq_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 2);

	assert_false(show(h, a, 1));
	refused(h, "answered with seq 2");
}

static void
a_request_with_another_time_is_refused(void **state)
{
	struct history *h = *state;
	struct history_texts t;
	uint32_t a = append(h, 1), b = append(h, 2);
	struct history_event ev = in_log(h, &t, b, 0, 2, 2);

	assert_true(show(h, a, 1));
	ev.time++;
	assert_false(history_truth(h, &ev));
	refused(h, "time 1002");
}

static void
a_version_that_was_answered_otherwise_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = ask(h);

	told(h, a, 1, 2, false);
	assert_false(show(h, a, 1));
	refused(h, "version 2");
}

static void
a_hole_in_the_log_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1), b = append(h, 3);

	assert_true(show(h, a, 1));
	assert_false(show(h, b, 3));
	refused(h, "the log has event 3 behind 1");
}

static void
time_that_goes_back_is_refused(void **state)
{
	struct history *h = *state;
	struct history_texts t;
	uint32_t a = append(h, 1);
	struct history_event ev = in_log(h, &t, append(h, 2), 0, 2, 2);

	ev.time = 1000;
	assert_true(show(h, a, 1));
	assert_false(history_truth(h, &ev));
	refused(h, "older");
}

static void
a_version_that_is_left_out_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = ask(h);

	silent(h, a);
	assert_false(show_as(h, a, 1, 2));
	refused(h, "has to be 1");
}

static void
an_event_against_its_expectation_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);
	uint32_t b = ask_for(h, 0, 0, HISTORY_OWN_KEY);

	told(h, b, 2, 2, false);
	assert_true(show(h, a, 1));
	assert_false(show(h, b, 2));
	refused(h, "against its expectation 0");
}

static void
an_event_of_a_topic_that_should_exist_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = ask_for(h, 0, HISTORY_EXISTS, HISTORY_OWN_KEY);

	told(h, a, 1, 1, false);
	assert_false(show(h, a, 1));
	refused(h, "against its expectation -2");
}

static void
half_a_request_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = ask_two(h);
	struct history_texts t;
	struct history_event ev = in_log(h, &t, a, 0, 1, 1);

	silent(h, a);
	assert_false(history_truth(h, &ev));
	refused(h, "not there in one piece");
}

static void
a_request_in_two_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = ask_two(h), b = append(h, 2);
	struct history_texts t;
	struct history_event ev = in_log(h, &t, a, 0, 1, 1);

	silent(h, a);
	ev.last = 2;
	assert_true(history_truth(h, &ev));
	assert_true(show(h, b, 2));
	ev = in_log(h, &t, a, 1, 3, 1);
	assert_false(history_truth(h, &ev));
	refused(h, "not there in one piece");
}

static void
a_request_before_one_answered_earlier_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 2), b = ask(h);

	/* Its own answer was lost, and nobody has told its seq. */
	silent(h, b);
	assert_true(show_as(h, b, 1, 1));
	assert_true(show_as(h, a, 2, 2));
	refused(h, "reordered: request 0 was answered before request 1");
}

static void
requests_of_a_connection_out_of_order_are_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = ask(h), b = ask(h);

	sent(h, a);
	told(h, b, 1, 1, false);
	stored(h, a, 2, 2, false);
	assert_true(show(h, b, 1) && show(h, a, 2));
	refused(h, "on connection 1");
}

static void
requests_of_two_connections_have_no_order(void **state)
{
	struct history *h = *state;
	uint32_t a = ask(h), b = ask(h);

	history_sent(h, a, 1);
	history_sent(h, b, 2);
	stored(h, b, 1, 1, false);
	stored(h, a, 2, 2, false);
	/* A repeat elsewhere changes nothing. */
	history_sent(h, b, 1);
	stored(h, b, 1, 1, true);
	assert_true(show(h, b, 1) && show(h, a, 2));
	accepted(h);
}

static void
a_conflict_with_what_never_was_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1);
	uint32_t b = ask_for(h, 0, 0, HISTORY_OWN_KEY);

	conflict(h, b, 0, 2);
	assert_true(show(h, a, 1));
	refused(h, "version 2, which was not there");
}

static void
a_conflict_with_what_came_later_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t b = ask_for(h, 0, 0, HISTORY_OWN_KEY), a;

	conflict(h, b, 0, 1);
	a = append(h, 1);
	assert_true(show(h, a, 1));
	refused(h, "version 1, which was not there");
}

static void
a_conflict_with_what_was_long_past_is_refused(void **state)
{
	struct history *h = *state;
	uint32_t a = append(h, 1), b = append(h, 2);
	uint32_t c = ask_for(h, 0, 0, HISTORY_OWN_KEY);

	conflict(h, c, 0, 1);
	assert_true(show(h, a, 1) && show(h, b, 2));
	refused(h, "the next one had been answered");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_answered_and_stored_are_accepted),
		TEST(a_repeat_after_a_lost_answer_is_a_duplicate),
		TEST(what_got_no_answer_may_be_there_or_not),
		TEST(a_conflict_with_what_was_there_is_accepted),
		TEST(a_late_first_sending_may_be_stored_after_a_conflict),
		TEST(another_seq_for_the_same_request_is_refused),
		TEST(a_duplicate_of_nothing_is_refused),
		TEST(a_repeat_that_is_new_again_is_refused),
		TEST(a_key_that_serves_for_other_content_is_refused),
		TEST(a_conflict_under_a_stored_key_is_refused),
		TEST(key_reused_for_a_fresh_key_is_refused),
		TEST(a_conflict_with_what_was_expected_is_refused),
		TEST(a_conflict_after_it_was_stored_is_refused),
		TEST(an_answered_request_that_is_lost_is_refused),
		TEST(a_request_stored_twice_is_refused),
		TEST(an_event_that_nobody_asked_for_like_that_is_refused),
		TEST(a_request_that_was_never_sent_is_refused),
		TEST(a_refused_request_that_is_stored_is_refused),
		TEST(a_conflict_that_is_stored_is_refused),
		TEST(other_content_under_a_stored_key_is_refused),
		TEST(a_request_at_another_seq_is_refused),
		TEST(a_version_that_was_answered_otherwise_is_refused),
		TEST(a_request_with_another_time_is_refused),
		TEST(a_hole_in_the_log_is_refused),
		TEST(time_that_goes_back_is_refused),
		TEST(a_version_that_is_left_out_is_refused),
		TEST(an_event_against_its_expectation_is_refused),
		TEST(an_event_of_a_topic_that_should_exist_is_refused),
		TEST(half_a_request_is_refused),
		TEST(a_request_in_two_is_refused),
		TEST(a_request_before_one_answered_earlier_is_refused),
		TEST(requests_of_a_connection_out_of_order_are_refused),
		TEST(requests_of_two_connections_have_no_order),
		TEST(a_conflict_with_what_never_was_is_refused),
		TEST(a_conflict_with_what_came_later_is_refused),
		TEST(a_conflict_with_what_was_long_past_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
