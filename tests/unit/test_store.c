/* SPDX-License-Identifier: BSD-2-Clause */

/* The store: rows and indexes as events make them, and what survives. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "core/time.h"
#include "tests/lib/storefix.h"

static void
events_become_rows(void **state)
{
	struct storefix *fx = *state;
	struct store_status s;

	storefix_fold(fx, "a.b", "thing_created", "{\"x\":1}");
	storefix_fold(fx, "a.b", "thing_changed", "{\"y\":2}");
	storefix_fold(fx, "a.c", "thing_created", "7");
	assert_string_equal(storefix_row(fx, "a.b"), "-");
	storefix_commit(fx);
	assert_string_equal(
	    storefix_row(fx, "a.b"), "[a.b, 2, 2, false, {\"x\":1,\"y\":2}]");
	storefix_fold(fx, "a.b", "thing_deleted", "null");
	storefix_commit(fx);
	assert_string_equal(
	    storefix_row(fx, "a.b"), "[a.b, 3, 4, true, {\"x\":1,\"y\":2}]");
	assert_string_equal(storefix_row(fx, "a.c"), "[a.c, 1, 3, false, 7]");
	assert_string_equal(storefix_row(fx, "a"), "-");
	store_status(fx->st, &s);
	assert_int_equal(s.seq, 4);
	assert_int_equal(s.history_seq, 4);
	assert_int_equal(s.rows, 2);
	assert_int_equal(s.commits, 3); /* the log's name was one */
}

static void
rows_are_walked_by_topic_and_by_change(void **state)
{
	struct storefix *fx = *state;

	storefix_fold(fx, "b", "x_set", "1");
	storefix_fold(fx, "a", "x_set", "1");
	storefix_fold(fx, "c", "x_set", "1");
	storefix_commit(fx);
	storefix_fold(fx, "b", "x_set", "2");
	storefix_fold(fx, "b", "x_set", "2");
	storefix_fold(fx, "a", "x_set", "2");
	storefix_commit(fx);
	assert_string_equal(storefix_rows(fx, "", false), "a b c");
	assert_string_equal(storefix_rows(fx, "b", false), "b c");
	assert_string_equal(storefix_rows(fx, "b.", false), "c");
	assert_string_equal(storefix_rows(fx, "d", false), "");
	assert_string_equal(storefix_changed(fx, 0), "3:c 5:b 6:a");
	assert_string_equal(storefix_changed(fx, 4), "5:b 6:a");
	assert_string_equal(storefix_changed(fx, 5), "6:a");
	assert_string_equal(storefix_changed(fx, 6), "");
	assert_string_equal(storefix_changed(fx, UINT64_MAX), "");
}

static void
history_is_walked_both_ways(void **state)
{
	struct storefix *fx = *state;

	for (int i = 0; i < 3; i++) {
		storefix_fold(fx, "a", "x_set", "1");
		assert_int_equal(storefix_try(fx, "b", "x_set", "", "1"), 0);
	}
	storefix_fold(fx, "c", "x_set", "1");
	storefix_commit(fx);
	assert_string_equal(storefix_topic(fx, "a", 0, false), "1 3 5");
	assert_string_equal(storefix_topic(fx, "a", 1, false), "3 5");
	assert_string_equal(storefix_topic(fx, "a", 5, false), "");
	assert_string_equal(storefix_topic(fx, "a", UINT64_MAX, false), "");
	assert_string_equal(storefix_topic(fx, "a", UINT64_MAX, true), "5 3 1");
	assert_string_equal(storefix_topic(fx, "a", 6, true), "5 3 1");
	assert_string_equal(storefix_topic(fx, "a", 5, true), "3 1");
	assert_string_equal(storefix_topic(fx, "a", 1, true), "");
	assert_string_equal(storefix_topic(fx, "c", 0, false), "7");
	assert_string_equal(storefix_topic(fx, "c", 7, false), "");
	assert_string_equal(storefix_topic(fx, "c", 8, true), "7");
	assert_string_equal(storefix_topic(fx, "c", 7, true), "");
	assert_string_equal(storefix_topic(fx, "d", 0, false), "");
	assert_string_equal(storefix_topic(fx, "", 9, true), "");
	assert_string_equal(storefix_actor(fx, "", 0, false), "2 4 6");
	assert_string_equal(storefix_actor(fx, "", 6, true), "4 2");
	assert_string_equal(storefix_actor(fx, "ann", 3, false), "5 7");
	assert_string_equal(storefix_actor(fx, "bob", 0, false), "");
}

static void
long_histories_are_walked_both_ways(void **state)
{
	struct storefix *fx = *state;
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	struct store_item item;
	struct store_iter *it;
	uint64_t seq = 0;

	for (int i = 0; i < 30000; i++) {
		storefix_fold(fx, "busy", "x_touched", "1");
		if (i % 1000 == 0)
			storefix_commit(fx);
	}
	storefix_commit(fx);
	assert_int_equal(store_read_begin(fx->st, &r), 0);
	assert_int_equal(
	    store_iter_topic(r, slice_cstr("busy"), 10, false, &it), 0);
	for (seq = 11; store_iter_next(it, &item) == STORE_FOUND; seq++)
		assert_int_equal(item.seq, seq);
	assert_int_equal(seq, 30001);
	it = store_iter_free(it);
	assert_int_equal(
	    store_iter_topic(r, slice_cstr("busy"), 20000, true, &it), 0);
	for (seq = 19999; store_iter_next(it, &item) == STORE_FOUND; seq--)
		assert_int_equal(item.seq, seq);
	assert_int_equal(seq, 0);
	store_iter_free(it);
}

static void
what_can_not_be_folded_is_counted(void **state)
{
	struct storefix *fx = *state;
	struct store_status s;

	storefix_fold(fx, "a", "x_set", "{\"n\":1}");
	storefix_fold(fx, "a", "x_added", "[1]");
	assert_int_equal(
	    store_fold_event(fx->st, ++fx->seq, slice_of("\x93\1\2\3", 4)), 0);
	storefix_fold(fx, "a", "x_touched", "null");
	storefix_commit(fx);
	store_status(fx->st, &s);
	assert_int_equal(s.unfoldable, 2);
	assert_int_equal(s.seq, 4);
	assert_string_equal(
	    storefix_row(fx, "a"), "[a, 3, 4, false, {\"n\":1}]");
}

static void
events_that_were_folded_are_not_folded_again(void **state)
{
	struct storefix *fx = *state;
	struct slice ev;

	storefix_fold(fx, "a", "x_set", "1");
	storefix_fold(fx, "a", "x_set", "2");
	ev = slice_of(fx->event.p, fx->event.len);
	assert_int_equal(store_fold_event(fx->st, 2, ev), 0);
	assert_int_equal(store_fold_event(fx->st, 4, ev), 0);
	storefix_commit(fx);
	assert_int_equal(store_fold_seq(fx->st), 2);
	assert_string_equal(storefix_topic(fx, "a", 0, false), "1 2");
}

/* In a child that ends without closing anything, as if it were killed. */
static void
killed(struct storefix *fx, void (*fn)(struct storefix *fx))
{
	int status;
	pid_t pid;

	fx->st = store_free(fx->st);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		storefix_open(fx);
		fn(fx);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	storefix_open(fx);
}

static void
commit_one_begin_another(struct storefix *fx)
{
	storefix_fold(fx, "a", "x_set", "1");
	storefix_commit(fx);
	storefix_fold(fx, "a", "x_set", "2");
	storefix_fold(fx, "b", "x_set", "2");
}

static void
a_kill_leaves_what_was_committed(void **state)
{
	struct storefix *fx = *state;
	struct store_status s;

	killed(fx, commit_one_begin_another);
	store_status(fx->st, &s);
	assert_int_equal(s.seq, 1);
	assert_int_equal(s.rows, 1);
	assert_string_equal(storefix_row(fx, "a"), "[a, 1, 1, false, 1]");
	assert_string_equal(storefix_row(fx, "b"), "-");
	assert_string_equal(storefix_topic(fx, "a", 0, false), "1");
}

static void
another_boot_without_the_clean_mark_begins_anew(void **state)
{
	struct storefix *fx = *state;
	static const char *const marks[] = {
		"peal-state 1 00000000-0000-0000-0000-000000000000 open\n",
		"peal-state 1 00000000-0000-0000-0000-000000000000 damaged\n",
		"peal-state 1",
		"",
	};
	static const char clean[] =
	    "peal-state 1 00000000-0000-0000-0000-000000000000 clean\n";

	storefix_fold(fx, "a", "x_set", "1");
	storefix_commit(fx);
	fx->st = store_free(fx->st);
	tmpdir_text(fx->dir, "broker/state.mark", clean);
	storefix_open(fx);
	assert_int_equal(store_fold_seq(fx->st), 1);
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		fx->st = store_free(fx->st);
		tmpdir_text(fx->dir, "broker/state.mark", marks[i]);
		storefix_open(fx);
		assert_int_equal(store_fold_seq(fx->st), 0);
		assert_string_equal(storefix_rows(fx, "", true), "");
		fx->seq = 0;
		storefix_fold(fx, "a", "x_set", "1");
		storefix_commit(fx);
	}
}

static void
a_damaged_environment_begins_anew(void **state)
{
	struct storefix *fx = *state;
	const char *path = tmpdir_path(fx->dir, "broker/state/data.mdb");

	for (int i = 0; i < 3; i++) {
		fx->seq = 0;
		storefix_fold(fx, "a", "x_set", "1");
		storefix_commit(fx);
		fx->st = store_free(fx->st);
		if (i == 0)
			tmpdir_text(fx->dir, "broker/state/data.mdb", "no");
		else
			assert_int_equal(truncate(path, 4096 * i * 2), 0);
		storefix_open(fx);
		assert_int_equal(store_fold_seq(fx->st), 0);
	}
}

static void
a_second_store_in_the_same_place_is_refused(void **state)
{
	struct storefix *fx = *state;
	struct store *other = NULL;
	struct reason why = { "" };

	assert_int_equal(store_open(&fx->opt, &other, &why), -EBUSY);
	assert_null(other);
	assert_non_null(strstr(why.text, "held by another broker"));
}

static void
another_log_or_one_that_is_behind_begins_anew(void **state)
{
	struct storefix *fx = *state;
	struct store_status s;
	char was[PROTO_LOG_NAME];

	storefix_fold(fx, "a", "x_set", "1");
	storefix_fold(fx, "b", "x_set", "1");
	storefix_commit(fx);
	store_status(fx->st, &s);
	strcpy(was, s.log);
	assert_int_equal(
	    store_fold_log(fx->st, fx->log_id, 1, 2), STORE_LOG_SAME);
	assert_int_equal(
	    store_fold_log(fx->st, fx->log_id, 1, 1), STORE_LOG_NEW);
	store_status(fx->st, &s);
	assert_int_equal(s.seq + s.history_seq + s.rows, 0);
	assert_string_equal(s.log, was);
	assert_string_equal(storefix_rows(fx, "", true), "");
	assert_string_equal(storefix_topic(fx, "a", 0, false), "");
	fx->seq = 0;
	storefix_fold(fx, "a", "x_set", "1");
	storefix_commit(fx);
	assert_int_equal(
	    store_fold_log(fx->st, fx->log_id, 2, 1), STORE_LOG_NEW);
	store_status(fx->st, &s);
	assert_string_not_equal(s.log, was);
	assert_int_equal(store_fold_seq(fx->st), 0);
}

static void
a_reader_keeps_its_position(void **state)
{
	struct storefix *fx = *state;
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	struct slice row;
	bool dropped;

	storefix_fold(fx, "a", "x_set", "1");
	storefix_commit(fx);
	assert_int_equal(store_read_begin(fx->st, &r), 0);
	storefix_fold(fx, "b", "x_set", "1");
	storefix_commit(fx);
	/* All of it is emptied meanwhile. */
	assert_int_equal(
	    store_fold_log(fx->st, fx->log_id, 2, 0), STORE_LOG_NEW);
	assert_int_equal(store_read_seq(r), 1);
	assert_int_equal(
	    store_row(r, slice_cstr("a"), &row, &dropped), STORE_FOUND);
	assert_int_equal(
	    store_row(r, slice_cstr("b"), &row, &dropped), STORE_END);
}

static void
tombstones_are_hidden_when_their_time_has_passed(void **state)
{
	struct storefix *fx = *state;
	uint64_t now = time_wall_us(), late = now + 200 * US_PER_S;
	struct store_status s;

	storefix_fold(fx, "a", "x_set", "1");
	storefix_fold(fx, "b", "x_set", "1");
	storefix_fold(fx, "a", "x_deleted", "null");
	storefix_fold(fx, "b", "x_deleted", "null");
	storefix_commit(fx);
	storefix_fold(fx, "b", "x_restored", "2");
	storefix_commit(fx);
	assert_int_equal(store_fold_tombs(fx->st, now + 99 * US_PER_S), 0);
	assert_string_equal(storefix_rows(fx, "", false), "a b");
	assert_int_equal(store_fold_tombs(fx->st, late), 0);
	store_status(fx->st, &s);
	assert_int_equal(s.rows, 1);
	assert_int_equal(s.tombstone_floor, 3);
	assert_string_equal(storefix_rows(fx, "", false), "b");
	assert_string_equal(storefix_rows(fx, "", true), "~a b");
	assert_string_equal(storefix_changed(fx, 0), "5:b");
	assert_string_equal(
	    storefix_row(fx, "a"), "dropped [a, 2, 3, true, 1]");
	/* It comes back as if it had never been hidden. */
	storefix_fold(fx, "a", "x_touched", "null");
	storefix_commit(fx);
	assert_string_equal(storefix_row(fx, "a"), "[a, 3, 6, true, 1]");
	assert_string_equal(storefix_changed(fx, 0), "5:b 6:a");
	store_status(fx->st, &s);
	assert_int_equal(s.rows, 2);
	assert_int_equal(store_fold_tombs(fx->st, late + 200 * US_PER_S), 0);
	store_status(fx->st, &s);
	assert_int_equal(s.tombstone_floor, 6);
	assert_int_equal(s.rows, 1);
}

static void
many_tombstones_take_several_rounds(void **state)
{
	struct storefix *fx = *state;
	uint64_t late = time_wall_us() + 200 * US_PER_S;
	struct store_status s;
	char topic[32];

	for (int i = 0; i < 2500; i++) {
		snprintf(topic, sizeof(topic), "t.%d", i);
		storefix_fold(fx, topic, "x_deleted", "null");
	}
	storefix_commit(fx);
	assert_int_equal(store_fold_tombs(fx->st, late), 1);
	store_status(fx->st, &s);
	assert_int_equal(s.rows, 1500);
	assert_int_equal(store_fold_tombs(fx->st, late), 1);
	assert_int_equal(store_fold_tombs(fx->st, late), 0);
	store_status(fx->st, &s);
	assert_int_equal(s.rows, 0);
	assert_int_equal(s.tombstone_floor, 2500);
}

/* Ten kilobytes a row: returns the error that ended it. */
static int
fill(struct storefix *fx, int n)
{
	static char data[10100];
	char topic[32];
	int err = 0;

	memset(data, 'x', sizeof(data) - 1);
	data[0] = data[sizeof(data) - 2] = '"';
	for (int i = 0; i < n && err == 0; i++) {
		snprintf(topic, sizeof(topic), "t.%d", i);
		err = storefix_try(fx, topic, "x_set", "ann", data);
		if (err == 0 && i % 100 == 99)
			err = store_fold_commit(fx->st);
	}
	return err;
}

static void
a_full_map_stops_folding_and_nothing_else(void **state)
{
	struct storefix *fx = *state;
	struct store_status before, after;
	uint64_t seq;

	fx->st = store_free(fx->st);
	fx->opt.map_bytes = 16 << 20;
	storefix_open(fx);
	assert_int_equal(fill(fx, 10000), -ENOSPC);
	store_status(fx->st, &before);
	assert_int_equal(store_fold_fail(fx->st, -ENOSPC), STORE_FULL);
	store_status(fx->st, &after);
	assert_int_equal(after.commit_failed, 1);
	assert_int_equal(after.seq, before.seq);
	assert_int_equal(store_fold_seq(fx->st), before.seq);
	assert_true(before.seq > 500);
	assert_string_not_equal(storefix_row(fx, "t.1"), "-");
	/* The same map is served, and from a larger one it goes on. */
	seq = before.seq;
	fx->st = store_free(fx->st);
	storefix_open(fx);
	assert_string_not_equal(storefix_row(fx, "t.1"), "-");
	fx->st = store_free(fx->st);
	fx->opt.map_bytes = 64 << 20;
	storefix_open(fx);
	assert_int_equal(store_fold_seq(fx->st), seq);
	fx->seq = seq;
	assert_int_equal(fill(fx, 1000), 0);
	storefix_commit(fx);
	assert_int_equal(store_fold_seq(fx->st), seq + 1000);
}

static void
a_damaged_environment_is_marked_for_the_next_start(void **state)
{
	struct storefix *fx = *state;

	storefix_fold(fx, "a", "x_set", "1");
	storefix_commit(fx);
	assert_int_equal(store_fold_fail(fx->st, -EBADMSG), STORE_DAMAGED);
	fx->st = store_free(fx->st);
	storefix_open(fx);
	assert_int_equal(store_fold_seq(fx->st), 0);
}

#define T(test) \
	cmocka_unit_test_setup_teardown(test, storefix_setup, storefix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(events_become_rows),
		T(rows_are_walked_by_topic_and_by_change),
		T(history_is_walked_both_ways),
		T(long_histories_are_walked_both_ways),
		T(what_can_not_be_folded_is_counted),
		T(events_that_were_folded_are_not_folded_again),
		T(a_kill_leaves_what_was_committed),
		T(another_boot_without_the_clean_mark_begins_anew),
		T(a_damaged_environment_begins_anew),
		T(a_second_store_in_the_same_place_is_refused),
		T(another_log_or_one_that_is_behind_begins_anew),
		T(a_reader_keeps_its_position),
		T(tombstones_are_hidden_when_their_time_has_passed),
		T(many_tombstones_take_several_rounds),
		T(a_full_map_stops_folding_and_nothing_else),
		T(a_damaged_environment_is_marked_for_the_next_start),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
