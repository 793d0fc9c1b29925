/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The judge of connections, shown chains that doc/protocol.md allows and then,
 * one by one, what it forbids.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/viewfix.h"

static void
who_is_ahead_joins_where_a_batch_ends(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 9, 5);
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 8, true, LAST, RA(7, 2)));
	assert_int_equal(view_state(w->view, 1), VIEW_AHEAD);
	ALLOWED("[5,6]");
	ALLOWED("[6,8," A(7, 2) "]");
	assert_int_equal(view_state(w->view, 1), VIEW_LIVE);
	ALLOWED("[8,9," A(9, 3) "]");
}

static void
lagged_with_an_id_in_a_snapshot_leaves_the_chain(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 9, 5);
	viewfix_snapshot(w, 1, 4);
	ALLOWED(PART(1, 9, false, MORE, ""));
	ALLOWED(LAGGED(4, ",\"id\":1"));
	ALLOWED("[5,6," A(6, 2) "]");
}

static void
who_waits_begins_the_next_chain(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 9, 5);
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 8, true, LAST, RA(7, 2)));
	ALLOWED(LAGGED(5, ""));
	assert_int_equal(view_state(w->view, 1), VIEW_LIVE);
	ALLOWED("[8,9," A(9, 3) "]");
}

static void
ephemeral_events_move_nothing(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	ALLOWED("[5,5," A(0, 0) "," A(0, 0) "]");
	assert_int_equal(rows_count(view_rows(w->view, 1)), 0);
}

static void
a_batch_while_nobody_is_live_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED("[7,7]", "no subscription is live");
}

static void
a_chain_that_begins_elsewhere_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, ""));
	REFUSED("[6,8]", "repetition");
}

static void
a_gap_in_the_chain_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	ALLOWED("[5,6]");
	REFUSED("[7,8]", "gap");
}

static void
a_batch_that_goes_back_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	REFUSED("[5,4]", "back to 4");
}

static void
an_event_outside_its_batch_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	REFUSED("[5,8," A(9, 1) "]", "event 9 comes in (5, 8]");
}

static void
an_event_twice_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	REFUSED("[5,8," A(7, 1) "," A(7, 1) "]", "event 7 comes in (7, 8]");
}

static void
an_event_of_another_topic_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	REFUSED("[5,6," EVENT(6, "\"b.x\"", 1, "\"t_set\"") "]",
	    "was not asked for");
}

static void
an_ephemeral_event_of_another_topic_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	REFUSED("[5,5," EVENT(0, "\"b.x\"", 0, "\"t_set\"") "]",
	    "was not asked for");
}

static void
an_event_of_another_type_is_refused(void **state)
{
	const struct view_ask a = { .id = 1,
		.topics = { "a.>" },
		.types = { "*_set" },
		.from = VIEW_NOW,
		.position = VIEW_NO_POSITION };
	struct viewfix *w = *state;

	assert_true(view_asked(w->view, &a));
	ALLOWED("{\"op\":\"subscribed\",\"id\":1,\"seq\":5}");
	ALLOWED("[5,6," A(6, 1) "]");
	REFUSED("[6,7," EVENT(7, "\"a.x\"", 2, "\"t_moved\"") "]",
	    "was not asked for");
}

static void
an_event_that_may_not_be_read_is_refused(void **state)
{
	static const char *const read[] = { "a.y", "b.>", NULL };
	struct viewfix *w = *state;

	view_may_read(w->view, read);
	viewfix_live(w, 1, 5);
	ALLOWED("[5,6," EVENT(6, "\"a.y\"", 1, "\"t_set\"") "]");
	REFUSED("[6,7," A(7, 1) "]", "was not asked for");
}

static void
an_event_for_one_that_is_not_live_yet_is_refused(void **state)
{
	const struct view_ask a = { .id = 2,
		.topics = { "b.>" },
		.from = VIEW_SNAPSHOT,
		.position = VIEW_NO_POSITION };
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	assert_true(view_asked(w->view, &a));
	ALLOWED("{\"op\":\"subscribed\",\"id\":2}");
	ALLOWED(PART(2, 8, true, LAST, ""));
	REFUSED("[5,7," EVENT(7, "\"b.x\"", 1, "\"t_set\"") "]",
	    "was not asked for");
}

static void
a_batch_past_where_one_joins_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 9, 5);
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 8, true, LAST, RA(7, 2)));
	REFUSED("[5,9]", "does not end where subscription 1 joins");
}

static void
one_that_goes_live_behind_the_chain_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 9, 5);
	ALLOWED("[5,20]");
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED(PART(1, 8, true, LAST, RA(7, 2)), "behind the chain at 20");
}

static void
a_replay_that_ends_behind_the_chain_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 9, 5);
	ALLOWED("[5,20]");
	viewfix_ask(w, 1, VIEW_POSITION, 0);
	ALLOWED("{\"op\":\"subscribed\",\"id\":1}");
	REFUSED(REPLAY(1, 0, 19, true, ""), "behind the chain at 20");
}

static void
a_version_left_out_of_a_batch_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, RA(5, 2)));
	REFUSED("[7,9," A(8, 4) "]",
	    "leaves versions out: subscription 1 knows version 2 at 5");
}

static void
the_first_version_left_out_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, ""));
	REFUSED("[7,9," A(8, 2) "]", "leaves versions out");
}

static void
who_conflates_may_miss_versions_but_the_first(void **state)
{
	struct viewfix *w = *state;
	const struct rows_row *row;

	view_conflates(w->view);
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, RA(5, 2)));
	ALLOWED("[7,9," A(8, 4) "]");
	row = rows_get(view_rows(w->view, 1), SLICE_STR("a.x"));
	assert_non_null(row);
	assert_false(row->hole);
	assert_int_equal(row->row.version, 4);
	REFUSED("[9,10," EVENT(10, "\"a.y\"", 2, "\"t_set\"") "]",
	    "leaves versions out");
}

static void
a_version_that_goes_back_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, RA(5, 2)));
	REFUSED("[7,9," A(8, 2) "]", "does not follow");
}

static void
a_replay_that_does_not_chain_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_ask(w, 1, VIEW_POSITION, 0);
	ALLOWED("{\"op\":\"subscribed\",\"id\":1}");
	ALLOWED(REPLAY(1, 0, 4, false, A(1, 1)));
	REFUSED(REPLAY(1, 5, 6, true, ""), "subscription 1 at 4");
}

static void
a_replay_that_leaves_a_version_out_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_ask(w, 1, VIEW_POSITION, 0);
	ALLOWED("{\"op\":\"subscribed\",\"id\":1}");
	REFUSED(REPLAY(1, 0, 4, false, A(4, 2)), "leaves versions out");
}

static void
an_ephemeral_event_in_a_replay_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_ask(w, 1, VIEW_POSITION, 0);
	ALLOWED("{\"op\":\"subscribed\",\"id\":1}");
	REFUSED(REPLAY(1, 0, 4, true, A(0, 0)), "and replayed");
}

static void
lagged_at_another_position_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	REFUSED(LAGGED(6, ""), "the chain is at 5");
}

static void
lagged_while_nobody_is_live_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, 4);
	REFUSED(LAGGED(4, ""), "no subscription is live");
}

static void
what_comes_for_an_id_that_ended_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED("{\"op\":\"ok\",\"id\":1}");
	REFUSED(PART(1, 9, true, LAST, ""), "which is none");
}

static void
a_batch_after_the_last_subscription_ended_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	ALLOWED("[5,6]");
	ALLOWED("{\"op\":\"ok\",\"id\":1}");
	REFUSED("[6,7]", "no subscription is live");
}

static void
a_message_that_ends_within_a_request_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	ALLOWED("[5,8]");
	ALLOWED("[8,9]");
	assert_true(view_request(w->view, 6, 8));
	assert_true(view_request(w->view, 9, 9));
	assert_false(view_request(w->view, 8, 9));
	assert_non_null(strstr(view_fault(w->view), "ends at 8 within"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		VIEWFIX_TEST(who_is_ahead_joins_where_a_batch_ends),
		VIEWFIX_TEST(lagged_with_an_id_in_a_snapshot_leaves_the_chain),
		VIEWFIX_TEST(who_waits_begins_the_next_chain),
		VIEWFIX_TEST(ephemeral_events_move_nothing),
		VIEWFIX_TEST(a_batch_while_nobody_is_live_is_refused),
		VIEWFIX_TEST(a_chain_that_begins_elsewhere_is_refused),
		VIEWFIX_TEST(a_gap_in_the_chain_is_refused),
		VIEWFIX_TEST(a_batch_that_goes_back_is_refused),
		VIEWFIX_TEST(an_event_outside_its_batch_is_refused),
		VIEWFIX_TEST(an_event_twice_is_refused),
		VIEWFIX_TEST(an_event_of_another_topic_is_refused),
		VIEWFIX_TEST(an_ephemeral_event_of_another_topic_is_refused),
		VIEWFIX_TEST(an_event_of_another_type_is_refused),
		VIEWFIX_TEST(an_event_that_may_not_be_read_is_refused),
		VIEWFIX_TEST(an_event_for_one_that_is_not_live_yet_is_refused),
		VIEWFIX_TEST(a_batch_past_where_one_joins_is_refused),
		VIEWFIX_TEST(one_that_goes_live_behind_the_chain_is_refused),
		VIEWFIX_TEST(a_replay_that_ends_behind_the_chain_is_refused),
		VIEWFIX_TEST(a_version_left_out_of_a_batch_is_refused),
		VIEWFIX_TEST(the_first_version_left_out_is_refused),
		VIEWFIX_TEST(who_conflates_may_miss_versions_but_the_first),
		VIEWFIX_TEST(a_version_that_goes_back_is_refused),
		VIEWFIX_TEST(a_replay_that_does_not_chain_is_refused),
		VIEWFIX_TEST(a_replay_that_leaves_a_version_out_is_refused),
		VIEWFIX_TEST(an_ephemeral_event_in_a_replay_is_refused),
		VIEWFIX_TEST(lagged_at_another_position_is_refused),
		VIEWFIX_TEST(lagged_while_nobody_is_live_is_refused),
		VIEWFIX_TEST(what_comes_for_an_id_that_ended_is_refused),
		VIEWFIX_TEST(
		    a_batch_after_the_last_subscription_ended_is_refused),
		VIEWFIX_TEST(a_message_that_ends_within_a_request_is_refused),
	};

	return cmocka_run_group_tests_name(
	    "chains of a view", tests, NULL, NULL);
}
