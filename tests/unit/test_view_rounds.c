/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The judge of connections, shown rounds of a snapshot that doc/protocol.md
 * allows and then, one by one, what it forbids.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/reason.h"
#include "tests/lib/viewfix.h"

static void
a_snapshot_is_followed_by_batches(void **state)
{
	struct viewfix *w = *state;
	struct rows_row *row;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, MORE, RA(5, 2)));
	ALLOWED(PART(1, 7, true, LAST, RB(7, 1)));
	assert_int_equal(view_state(w->view, 1), VIEW_LIVE);
	ALLOWED("[7,7]");
	ALLOWED("[7,9," A(8, 3) "]");
	assert_int_equal(view_position(w->view, 1), 9);
	assert_int_equal(view_chain(w->view), 9);
	assert_true(slice_is(view_scope(w->view, 1), "\xa1s"));
	row = rows_get(view_rows(w->view, 1), SLICE_STR("a.x"));
	assert_int_equal(row->row.version, 3);
	assert_int_equal(row->row.seq, 8);
	assert_int_equal(row->row.created_us, 1000);
	assert_false(row->hole);
	assert_int_equal(rows_count(view_rows(w->view, 1)), 2);
}

static void
an_empty_snapshot_is_one_last_part(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 0, true, LAST, ""));
	ALLOWED("[0,1," A(1, 1) "]");
}

static void
further_rounds_and_a_replay_lead_to_the_chain(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 9, 5);
	ALLOWED("[5,20," A(18, 4) "]");
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 10, true, BEHIND, RA(9, 2) "," RB(7, 1)));
	assert_int_equal(view_state(w->view, 1), VIEW_BEHIND);
	ALLOWED("[20,21]");
	ALLOWED(PART(1, 12, false, BEHIND, RA(12, 3)));
	ALLOWED(REPLAY(1, 12, 19, false, A(18, 4)));
	ALLOWED("[21,22]");
	ALLOWED(REPLAY(1, 19, 22, true, ""));
	assert_int_equal(view_state(w->view, 1), VIEW_LIVE);
	ALLOWED("[22,23," A(23, 5) "]");
}

static void
lagged_ends_the_chain_and_the_rest_is_taken_since(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, RA(5, 2) "," RB(7, 1)));
	ALLOWED("[7,9," A(8, 3) "]");
	ALLOWED(LAGGED(9, ""));
	assert_int_equal(view_state(w->view, 1), VIEW_ENDED);
	assert_int_equal(view_position(w->view, 1), 9);
	viewfix_snapshot(w, 1, 9);
	ALLOWED(PART(1, 30, false, LAST, RA(20, 6)));
	ALLOWED("[30,31," A(31, 7) "]");
	ALLOWED("{\"op\":\"ok\",\"id\":1}");
	assert_int_equal(view_chain(w->view), VIEW_NO_POSITION);
}

static void
a_replay_from_the_beginning_gives_rows(void **state)
{
	struct viewfix *w = *state;

	viewfix_ask(w, 1, VIEW_POSITION, 0);
	ALLOWED("{\"op\":\"subscribed\",\"id\":1}");
	ALLOWED(REPLAY(1, 0, 4, false, A(1, 1) "," A(4, 2)));
	ALLOWED(REPLAY(1, 4, 6, true, ""));
	ALLOWED("[6,9," A(9, 3) "]");
	assert_int_equal(
	    rows_get(view_rows(w->view, 1), SLICE_STR("a.x"))->row.version, 3);
}

static void
parts_of_different_seq_are_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, MORE, RA(5, 2)));
	REFUSED(PART(1, 8, true, LAST, ""), "parts of one round at 7 and 8");
}

static void
parts_full_and_not_are_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, 3);
	ALLOWED(PART(1, 7, true, MORE, RA(5, 2)));
	REFUSED(PART(1, 7, false, LAST, ""), "or full and not");
}

static void
a_row_twice_in_a_round_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, MORE, RA(5, 2)));
	REFUSED(PART(1, 7, true, LAST, RA(5, 2)), "twice in a round");
}

static void
a_row_that_was_not_asked_for_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED(
	    PART(1, 7, true, LAST, ROW(5, "\"b.x\"", 2)), "was not asked for");
}

static void
a_row_newer_than_its_snapshot_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED(PART(1, 7, true, LAST, RA(8, 2)), "newer than its snapshot");
}

static void
a_row_that_has_not_changed_since_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, 5);
	REFUSED(PART(1, 7, false, LAST, RA(5, 2)), "has not changed since");
}

static void
a_row_older_than_the_one_known_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, RA(5, 2)));
	ALLOWED("[7,9," A(8, 3) "]");
	ALLOWED(LAGGED(9, ""));
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED(PART(1, 12, true, LAST, RA(5, 2)), "older than the row known");
}

static void
a_row_that_its_events_do_not_give_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, RA(5, 2)));
	ALLOWED("[7,9," A(8, 3) "]");
	ALLOWED(LAGGED(9, ""));
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED(PART(1, 12, true, LAST,
		    "[\"a.x\",3,8,1000,\"me\",1000,\"me\",true,{\"n\":8}]"),
	    "not what its events give");
}

static void
a_row_left_out_of_a_full_snapshot_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, RA(5, 2) "," RB(7, 1)));
	ALLOWED(LAGGED(7, ""));
	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED(PART(1, 9, true, LAST, RB(7, 1)), "'a.x', known at 5, is left");
}

static void
a_row_left_out_of_what_changed_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_live(w, 1, 5);
	ALLOWED("[5,8," A(8, 3) "]");
	ALLOWED(LAGGED(8, ""));
	viewfix_snapshot(w, 1, 4);
	REFUSED(PART(1, 8, false, LAST, ""), "is left out");
}

static void
a_part_of_the_rows_for_who_asked_for_all_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED(PART(1, 7, false, LAST, ""), "asked for all");
}

static void
a_snapshot_from_before_since_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, 8);
	REFUSED(PART(1, 7, false, LAST, ""), "at 7 since 8");
}

static void
a_last_part_without_scope_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	REFUSED(PART(1, 7, true, "\"last\":true", ""), "no scope");
}

static void
a_snapshot_after_the_last_part_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, LAST, ""));
	REFUSED(PART(1, 9, false, LAST, ""), "waits not for");
}

static void
a_snapshot_before_subscribed_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_ask(w, 1, VIEW_SNAPSHOT, VIEW_NO_POSITION);
	REFUSED(PART(1, 7, true, LAST, ""), "waits not for");
}

static void
a_further_round_that_is_not_newer_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, BEHIND, ""));
	REFUSED(PART(1, 7, false, LAST, ""), "not newer");
}

static void
a_further_round_that_is_full_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, VIEW_NO_POSITION);
	ALLOWED(PART(1, 7, true, BEHIND, ""));
	REFUSED(PART(1, 9, true, LAST, ""), "further round that is full");
}

static void
lagged_at_another_position_of_a_snapshot_is_refused(void **state)
{
	struct viewfix *w = *state;

	viewfix_snapshot(w, 1, 4);
	ALLOWED(PART(1, 9, false, MORE, ""));
	REFUSED(LAGGED(9, ",\"id\":1"), "lagged at position 9");
}

static void
put(struct rows *r, const char *json)
{
	struct mp_buf b = { 0 };
	struct reason why;

	assert_int_equal(json_to_mp(slice_cstr(json), &b, &why), 0);
	assert_non_null(rows_put(r, slice_of(b.p, b.len)));
	mp_buf_deinit(&b);
}

static void
rows_that_differ_are_told_apart(void **state)
{
	struct rows *want = rows_new((struct slice){ 0 });
	struct rows *have = rows_new((struct slice){ 0 });
	char text[800];

	put(have, RA(5, 2));
	put(want, RA(5, 2));
	put(want, ROW(6, "\"b.x\"", 1));
	assert_true(rows_equal(have, want, "a.>", NULL, text, sizeof(text)));
	assert_false(rows_equal(have, want, ">", NULL, text, sizeof(text)));
	assert_non_null(strstr(text, "there is no"));
	assert_false(rows_equal(want, have, ">", NULL, text, sizeof(text)));
	assert_non_null(strstr(text, "there should be no"));
	put(have, ROW(6, "\"b.x\"", 2));
	assert_false(rows_equal(have, want, ">", NULL, text, sizeof(text)));
	assert_non_null(strstr(text, "should be"));
	assert_true(rows_equal(have, want, ">",
	    (const char *const[]){ "a.*", NULL }, text, sizeof(text)));
	rows_free(have);
	rows_free(want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		VIEWFIX_TEST(a_snapshot_is_followed_by_batches),
		VIEWFIX_TEST(an_empty_snapshot_is_one_last_part),
		VIEWFIX_TEST(further_rounds_and_a_replay_lead_to_the_chain),
		VIEWFIX_TEST(lagged_ends_the_chain_and_the_rest_is_taken_since),
		VIEWFIX_TEST(a_replay_from_the_beginning_gives_rows),
		VIEWFIX_TEST(parts_of_different_seq_are_refused),
		VIEWFIX_TEST(parts_full_and_not_are_refused),
		VIEWFIX_TEST(a_row_twice_in_a_round_is_refused),
		VIEWFIX_TEST(a_row_that_was_not_asked_for_is_refused),
		VIEWFIX_TEST(a_row_newer_than_its_snapshot_is_refused),
		VIEWFIX_TEST(a_row_that_has_not_changed_since_is_refused),
		VIEWFIX_TEST(a_row_older_than_the_one_known_is_refused),
		VIEWFIX_TEST(a_row_that_its_events_do_not_give_is_refused),
		VIEWFIX_TEST(a_row_left_out_of_a_full_snapshot_is_refused),
		VIEWFIX_TEST(a_row_left_out_of_what_changed_is_refused),
		VIEWFIX_TEST(
		    a_part_of_the_rows_for_who_asked_for_all_is_refused),
		VIEWFIX_TEST(a_snapshot_from_before_since_is_refused),
		VIEWFIX_TEST(a_last_part_without_scope_is_refused),
		VIEWFIX_TEST(a_snapshot_after_the_last_part_is_refused),
		VIEWFIX_TEST(a_snapshot_before_subscribed_is_refused),
		VIEWFIX_TEST(a_further_round_that_is_not_newer_is_refused),
		VIEWFIX_TEST(a_further_round_that_is_full_is_refused),
		VIEWFIX_TEST(
		    lagged_at_another_position_of_a_snapshot_is_refused),
		VIEWFIX_TEST(rows_that_differ_are_told_apart),
	};

	return cmocka_run_group_tests_name(
	    "rounds of a view", tests, NULL, NULL);
}
