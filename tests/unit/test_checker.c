/* SPDX-License-Identifier: BSD-2-Clause */

/* The judge of the process tests, shown wrong histories that it must refuse. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/checker.h"

#define TOPIC "repo.a"

/* Event seq, by default version seq of the one topic. */
static struct checker_event
event(uint64_t seq)
{
	static const uint8_t bytes[] = "an event";

	return (struct checker_event){ .seq = seq,
		.time = 1000 + seq,
		.version = seq,
		.topic = TOPIC,
		.topic_len = sizeof(TOPIC) - 1,
		.bytes = bytes,
		.len = sizeof(bytes) };
}

static bool
show(struct checker *c, uint64_t after, uint64_t upto,
    const struct checker_event *events, size_t n)
{
	const struct checker_span span = { after, upto, events, n };

	return checker_span(c, &span);
}

/* Events first to last in one message (after, upto]. */
static bool
show_run(struct checker *c, uint64_t after, uint64_t upto, uint64_t first,
    uint64_t last)
{
	struct checker_event events[16];
	size_t n = 0;

	for (uint64_t seq = first; seq <= last; seq++)
		events[n++] = event(seq);
	return show(c, after, upto, events, n);
}

static void
refused(struct checker *c, const char *text)
{
	assert_non_null(strstr(checker_fault(c), text));
	assert_null(checker_free(c));
}

static void
a_right_history_over_several_messages_is_accepted(void **state)
{
	struct checker *c = checker_new("repo.>", 0);
	struct checker_event ev;

	assert_true(show_run(c, 0, 3, 1, 3));
	assert_true(show_run(c, 3, 3, 1, 0));
	assert_true(show_run(c, 3, 9, 4, 7));
	for (uint64_t seq = 1; seq <= 12; seq++) {
		ev = event(seq);
		if (seq >= 8)
			ev.topic = "other.", ev.topic_len = 5;
		assert_true(checker_truth(c, &ev));
	}
	assert_true(checker_truth_end(c));
	assert_int_equal(checker_position(c), 9);
	assert_int_equal(checker_events(c), 7);
	assert_string_equal(checker_fault(c), "");
	checker_free(c);
}

static void
a_gap_between_messages_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);

	assert_true(show_run(c, 0, 3, 1, 3));
	assert_false(show_run(c, 4, 6, 5, 6));
	refused(c, "gap");
}

static void
a_repeated_message_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);

	assert_true(show_run(c, 0, 3, 1, 3));
	assert_false(show_run(c, 0, 3, 1, 3));
	refused(c, "repetition");
}

static void
a_message_that_goes_back_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 5);

	assert_false(show_run(c, 5, 4, 1, 0));
	refused(c, "back to 4");
}

static void
an_event_twice_in_a_message_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);
	const struct checker_event twice[] = { event(1), event(1) };

	assert_false(show(c, 0, 1, twice, 2));
	refused(c, "event 1 comes after event 1");
}

static void
events_out_of_order_are_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);
	struct checker_event wrong[] = { event(2), event(1) };

	wrong[0].version = 1;
	assert_false(show(c, 0, 2, wrong, 2));
	refused(c, "event 1 comes after event 2");
}

static void
an_event_that_was_sent_before_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);

	assert_true(show_run(c, 0, 3, 1, 3));
	assert_false(show_run(c, 3, 5, 3, 5));
	refused(c, "event 3 comes after event 3");
}

static void
an_event_beyond_its_message_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);

	assert_false(show_run(c, 0, 2, 1, 3));
	refused(c, "event 3 is in a message up to 2");
}

static void
an_event_of_another_topic_is_refused(void **state)
{
	struct checker *c = checker_new("repo.b", 0);

	assert_false(show_run(c, 0, 1, 1, 1));
	refused(c, "not asked for");
}

static void
a_version_left_out_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);
	struct checker_event wrong[] = { event(1), event(2) };

	wrong[1].version = 3;
	assert_false(show(c, 0, 2, wrong, 2));
	refused(c, "version 3");
}

static void
a_first_version_that_is_not_one_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);

	assert_false(show_run(c, 0, 2, 2, 2));
	refused(c, "version 2");
}

static void
time_that_runs_back_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);
	struct checker_event wrong[] = { event(1), event(2) };

	wrong[1].time = wrong[0].time - 1;
	assert_false(show(c, 0, 2, wrong, 2));
	refused(c, "older");
}

static void
an_event_of_the_log_that_never_came_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 2);
	struct checker_event ev = event(3);

	assert_true(show_run(c, 2, 4, 1, 0));
	assert_false(checker_truth(c, &ev));
	refused(c, "event 3 was never received");
}

static void
an_event_that_the_log_lacks_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);
	struct checker_event ev = event(1);

	assert_true(show_run(c, 0, 2, 1, 2));
	assert_true(checker_truth(c, &ev));
	assert_false(checker_truth_end(c));
	refused(c, "event 2 is not in the log");
}

static void
an_event_of_other_bytes_than_the_log_has_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);
	struct checker_event ev = event(1);

	ev.len--;
	assert_true(show_run(c, 0, 1, 1, 1));
	assert_false(checker_truth(c, &ev));
	refused(c, "not the one of the log");
}

static void
a_message_that_ends_within_a_request_is_refused(void **state)
{
	struct checker *c = checker_new("repo.>", 0);

	assert_true(show_run(c, 0, 2, 1, 2));
	assert_true(show_run(c, 2, 4, 3, 4));
	assert_true(checker_request(c, 1, 2));
	assert_false(checker_request(c, 2, 3));
	refused(c, "within the request 2 to 3");
}

static void
ephemeral_events_move_nothing(void **state)
{
	struct checker *c = checker_new("repo.>", 7);
	const struct checker_event shout = event(0);

	assert_true(show(c, 7, 7, &shout, 1));
	assert_int_equal(checker_position(c), 7);
	assert_int_equal(checker_events(c), 0);
	assert_int_equal(checker_ephemeral(c), 1);
	checker_free(c);
}

static void
patterns_match_as_the_protocol_says(void **state)
{
	static const struct {
		const char *pattern, *topic;
		bool matches;
	} rows[] = { { "a.b", "a.b", true }, { "a.b", "a.c", false },
		{ "a.b", "a", false }, { "a", "a.b", false },
		{ "a.*", "a.b", true }, { "a.*", "a.b.c", false },
		{ "*.b", "a.b", true }, { "a.>", "a.b", true },
		{ "a.>", "a.b.c", true }, { "a.>", "a", false },
		{ ">", "a.b", true }, { ">", "$acl.x", false },
		{ "*.x", "$acl.x", false }, { "$acl.>", "$acl.x", true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(checker_match(rows[i].pattern, rows[i].topic,
				     strlen(rows[i].topic)),
		    rows[i].matches);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_right_history_over_several_messages_is_accepted),
		cmocka_unit_test(a_gap_between_messages_is_refused),
		cmocka_unit_test(a_repeated_message_is_refused),
		cmocka_unit_test(a_message_that_goes_back_is_refused),
		cmocka_unit_test(an_event_twice_in_a_message_is_refused),
		cmocka_unit_test(events_out_of_order_are_refused),
		cmocka_unit_test(an_event_that_was_sent_before_is_refused),
		cmocka_unit_test(an_event_beyond_its_message_is_refused),
		cmocka_unit_test(an_event_of_another_topic_is_refused),
		cmocka_unit_test(a_version_left_out_is_refused),
		cmocka_unit_test(a_first_version_that_is_not_one_is_refused),
		cmocka_unit_test(time_that_runs_back_is_refused),
		cmocka_unit_test(
		    an_event_of_the_log_that_never_came_is_refused),
		cmocka_unit_test(an_event_that_the_log_lacks_is_refused),
		cmocka_unit_test(
		    an_event_of_other_bytes_than_the_log_has_is_refused),
		cmocka_unit_test(
		    a_message_that_ends_within_a_request_is_refused),
		cmocka_unit_test(ephemeral_events_move_nothing),
		cmocka_unit_test(patterns_match_as_the_protocol_says),
	};

	return cmocka_run_group_tests_name("checker", tests, NULL, NULL);
}
