/* SPDX-License-Identifier: BSD-2-Clause */

/* The tail: every durable event once and in order, wherever it comes from. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/tail.h"
#include "core/reason.h"
#include "core/time.h"
#include "log/segment.h"
#include "tests/lib/tailfix.h"

struct fix {
	struct tailfix w;
	struct tail *t;
	uint64_t seq;  /* of the last event that came */
	uint64_t ends; /* requests whose end came */
	int refuse;    /* to be answered to the next event */
	struct reason why;
};

static int
setup(void **state)
{
	struct fix *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	tailfix_init(&fx->w);
	assert_int_equal(tail_new(fx->w.run, fx->w.log, &fx->t), 0);
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	struct fix *fx = *state;

	fx->t = tail_free(fx->t);
	tailfix_deinit(&fx->w);
	free(fx);
	return 0;
}

static int
on_event(void *arg, uint64_t seq, struct slice bytes, bool last)
{
	struct fix *fx = arg;
	uint8_t want[LOGFIX_EVENT_MAX];

	if (fx->refuse)
		return fx->refuse;
	assert_int_equal(seq, fx->seq + 1);
	assert_true(
	    slice_equal(bytes, slice_of(want, logfix_event(seq, want))));
	fx->seq = seq;
	fx->ends += last;
	return 0;
}

static int
read_once(struct fix *fx)
{
	return tail_read(fx->t, on_event, fx, &fx->why);
}

/* To the end, or to what is no event: returns that. */
static int
read_all(struct fix *fx)
{
	int got;

	do
		got = read_once(fx);
	while (got == TAIL_EVENTS);
	return got;
}

static void
attach_at(struct fix *fx, uint64_t after)
{
	assert_int_equal(read_all(fx), TAIL_ATTACHED);
	fx->seq = after;
	tail_seek(fx->t, after);
}

static void
without_a_writer_there_is_none(void **state)
{
	struct fix *fx = *state;
	struct tail_status s;

	assert_int_equal(read_once(fx), TAIL_NONE);
	tail_wait(fx->t, 1);
	tail_status(fx->t, &s);
	assert_false(s.attached);
	assert_int_equal(s.head, 0);
}

static void
events_come_from_the_log_and_then_from_the_ring(void **state)
{
	struct fix *fx = *state;
	struct tail_status s;
	struct tail_log log;

	for (int i = 0; i < 50; i++)
		tailfix_fill(&fx->w, 7);
	tailfix_start(&fx->w);
	attach_at(fx, 0);
	tail_log(fx->t, &log);
	assert_int_equal(log.head, 350);
	assert_memory_equal(log.id, fx->w.lf.tail.log_id, 16);
	tailfix_fill(&fx->w, 2);
	tailfix_emit(&fx->w);
	tailfix_fill(&fx->w, 3);
	assert_int_equal(read_all(fx), TAIL_EMPTY);
	assert_int_equal(fx->seq, 355);
	assert_int_equal(fx->ends, 52);
	tail_status(fx->t, &s);
	assert_true(s.attached);
	assert_int_equal(s.head, 355);
	assert_int_equal(s.lapped, 1);
}

static void
a_position_within_a_request_is_kept_to(void **state)
{
	struct fix *fx = *state;

	tailfix_fill(&fx->w, 7);
	tailfix_start(&fx->w);
	tailfix_fill(&fx->w, 7);
	for (uint64_t after = 0; after <= 14; after++) {
		if (after == 0)
			attach_at(fx, 0);
		tail_seek(fx->t, after);
		fx->seq = after;
		assert_int_equal(read_all(fx), TAIL_EMPTY);
		assert_int_equal(fx->seq, 14);
	}
}

static void
a_reader_that_is_lapped_misses_nothing(void **state)
{
	struct fix *fx = *state;
	unsigned seed = (unsigned)time_mono_ns();
	struct tail_status s;

	print_message("# seed %u\n", seed);
	srand(seed);
	tailfix_start(&fx->w);
	attach_at(fx, 0);
	for (int round = 0; round < 300; round++) {
		for (int n = rand() % (round % 10 ? 8 : 60); n > 0; n--) {
			if (rand() % 8 == 0)
				tailfix_emit(&fx->w);
			else
				tailfix_fill(&fx->w, 1 + (unsigned)rand() % 8);
		}
		for (int n = rand() % 3; n > 0; n--)
			assert_in_range(read_once(fx), 0, TAIL_EVENTS);
	}
	assert_int_equal(read_all(fx), TAIL_EMPTY);
	assert_int_equal(fx->seq, fx->w.lf.durable_seq);
	tail_status(fx->t, &s);
	assert_true(s.lapped > 0);
}

static void
nothing_is_read_beyond_the_rings_tail(void **state)
{
	struct fix *fx = *state;
	uint8_t buf[LOGFIX_EVENT_MAX];
	struct slice ev;

	for (int i = 0; i < 10; i++)
		tailfix_fill(&fx->w, 10);
	tailfix_start(&fx->w);
	/* Durable, and not yet visible. */
	ev = slice_of(buf, logfix_event(101, buf));
	tailfix_append(&fx->w, &ev, 1, false);
	attach_at(fx, 0);
	assert_int_equal(read_all(fx), TAIL_EMPTY);
	assert_int_equal(fx->seq, 100);
}

static void
the_old_ring_is_read_to_its_end_before_the_next(void **state)
{
	struct fix *fx = *state;
	struct tail_status s;

	tailfix_start(&fx->w);
	attach_at(fx, 0);
	tailfix_fill(&fx->w, 5);
	assert_int_equal(read_once(fx), TAIL_EVENTS);
	tailfix_fill(&fx->w, 5);
	tailfix_stop(&fx->w);
	assert_int_equal(read_once(fx), TAIL_EVENTS);
	assert_int_equal(read_once(fx), TAIL_EMPTY);
	tail_wait(fx->t, 100);
	assert_int_equal(read_once(fx), TAIL_NONE);
	assert_int_equal(fx->seq, 10);
	tail_status(fx->t, &s);
	assert_false(s.attached);
	assert_int_equal(s.head, 10);
	tailfix_start(&fx->w);
	tailfix_fill(&fx->w, 4);
	attach_at(fx, 10);
	assert_int_equal(read_all(fx), TAIL_EMPTY);
	assert_int_equal(fx->seq, 14);
}

static void
a_wait_ends_when_something_comes(void **state)
{
	struct fix *fx = *state;

	tailfix_start(&fx->w);
	attach_at(fx, 0);
	assert_int_equal(read_once(fx), TAIL_EMPTY);
	tailfix_fill(&fx->w, 1);
	tail_wait(fx->t, 100);
	assert_int_equal(read_once(fx), TAIL_EVENTS);
	tail_report(fx->t, 1);
	assert_false(tail_stopped(fx->t));
	tail_stop(fx->t);
	tail_pause(fx->t, 1000000);
	assert_true(tail_stopped(fx->t));
}

static void
what_the_caller_refuses_comes_again(void **state)
{
	struct fix *fx = *state;

	tailfix_fill(&fx->w, 3);
	tailfix_start(&fx->w);
	tailfix_fill(&fx->w, 3);
	attach_at(fx, 0);
	for (int i = 0; i < 2; i++) {
		tail_seek(fx->t, i ? 4 : 0);
		fx->refuse = -ENOSPC;
		assert_int_equal(read_once(fx), -ENOSPC);
		assert_string_equal(fx->why.text, "");
		fx->refuse = 0;
		tail_seek(fx->t, i ? 4 : 0);
		fx->seq = i ? 4 : 0;
		assert_int_equal(read_all(fx), TAIL_EMPTY);
		assert_int_equal(fx->seq, 6);
	}
}

static void
events_that_the_log_has_lost_are_said(void **state)
{
	struct fix *fx = *state;
	struct segment_list list;

	for (int i = 0; i < 100; i++)
		tailfix_fill(&fx->w, 16);
	tailfix_start(&fx->w);
	attach_at(fx, 0);
	assert_int_equal(
	    segment_list_read(&sysio_posix, fx->w.lf.dirfd, &list, NULL), 0);
	assert_true(list.n > 2);
	assert_int_equal(unlinkat(fx->w.lf.dirfd, list.v[0].name, 0), 0);
	segment_list_deinit(&list);
	assert_int_equal(read_all(fx), TAIL_DAMAGED);
	assert_non_null(strstr(fx->why.text, "seq 1 is needed"));
	assert_int_equal(fx->seq, 0);
	/* What comes then is not missed for it. */
	fx->seq = 1600;
	tail_seek(fx->t, 1600);
	tailfix_fill(&fx->w, 1);
	assert_int_equal(read_all(fx), TAIL_EMPTY);
	assert_int_equal(fx->seq, 1601);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_a_writer_there_is_none),
		T(events_come_from_the_log_and_then_from_the_ring),
		T(a_position_within_a_request_is_kept_to),
		T(a_reader_that_is_lapped_misses_nothing),
		T(nothing_is_read_beyond_the_rings_tail),
		T(the_old_ring_is_read_to_its_end_before_the_next),
		T(a_wait_ends_when_something_comes),
		T(what_the_caller_refuses_comes_again),
		T(events_that_the_log_has_lost_are_said),
	};

	return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
