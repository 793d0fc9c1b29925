/* SPDX-License-Identifier: BSD-2-Clause */

/* The log as its writer and readers see it while nothing goes wrong. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/log_reader.h"
#include "log/segment.h"
#include "log/witness.h"
#include "tests/lib/logfix.h"

static void
an_empty_directory_is_an_empty_log(void **state)
{
	struct logfix *fx = *state;
	static const uint8_t none[16];

	logfix_start(fx);
	assert_int_equal(fx->tail.last_seq, 0);
	assert_int_equal(fx->tail.oldest_seq, 1);
	assert_int_equal(fx->tail.next_segment, 1);
	assert_int_equal(fx->tail.incarnation, 1);
	assert_memory_not_equal(fx->tail.log_id, none, sizeof(none));
	assert_int_equal(log_writer_room(fx->lw), 0);
	logfix_expect(fx, 0);
}

static void
what_was_flushed_is_read_back(void **state)
{
	struct logfix *fx = *state;

	logfix_start(fx);
	logfix_fill(fx, 3, 1);
	logfix_fill(fx, 2, 5);
	logfix_expect(fx, 13);
}

static void
frames_of_one_flush_stand_back_to_back(void **state)
{
	struct logfix *fx = *state;
	uint64_t room;

	logfix_start(fx);
	logfix_fill(fx, 1, 1);
	room = log_writer_room(fx->lw);
	for (int i = 0; i < 8; i++)
		assert_int_equal(logfix_stamp(fx, 1), 0);
	assert_int_equal(logfix_flush(fx), 0);
	assert_int_equal(room - log_writer_room(fx->lw), LOG_PAGE);
	logfix_expect(fx, 9);
}

static void
a_restart_goes_on_in_a_new_segment(void **state)
{
	struct logfix *fx = *state;
	struct log_tail before;

	logfix_start(fx);
	logfix_fill(fx, 4, 2);
	before = fx->tail;
	logfix_start(fx);
	assert_int_equal(fx->tail.last_seq, 8);
	assert_int_equal(fx->tail.last_time_us, 1000000 + 7);
	assert_int_equal(fx->tail.incarnation, before.incarnation + 1);
	assert_int_equal(fx->tail.next_segment, 2);
	assert_memory_equal(fx->tail.log_id, before.log_id, 16);
	logfix_fill(fx, 4, 2);
	logfix_expect(fx, 16);
	logfix_start(fx);
	assert_int_equal(fx->tail.last_seq, 16);
	assert_int_equal(fx->tail.next_segment, 3);
	assert_int_equal(logfix_notes(), 0);
}

static void
a_full_segment_is_followed_by_the_next(void **state)
{
	struct logfix *fx = *state;
	struct segment_list list;

	logfix_start(fx);
	logfix_fill(fx, 30, 8);
	logfix_expect(fx, 240);
	assert_int_equal(
	    segment_list_read(fx->io, fx->dirfd, &list, &fx->why), 0);
	assert_true(list.n >= 3);
	for (size_t i = 0; i + 1 < list.n; i++)
		assert_int_equal(list.v[i].seal, SEAL_GOOD);
	assert_int_equal(list.v[list.n - 1].seal, SEAL_NONE);
	segment_list_deinit(&list);
	logfix_start(fx);
	assert_int_equal(fx->tail.last_seq, 240);
}

static void
an_idle_frame_is_no_event(void **state)
{
	struct logfix *fx = *state;

	logfix_start(fx);
	logfix_fill(fx, 2, 1);
	assert_int_equal(logfix_idle(fx), 0);
	logfix_fill(fx, 1, 1);
	assert_int_equal(logfix_idle(fx), 0);
	logfix_expect(fx, 3);
	logfix_start(fx);
	assert_int_equal(fx->tail.last_seq, 3);
	assert_int_equal(fx->tail.last_time_us, 1000003);
}

static void
an_idle_frame_fits_a_segment_that_is_full(void **state)
{
	struct logfix *fx = *state;

	logfix_start(fx);
	do
		logfix_fill(fx, 1, 1);
	while (log_writer_room(fx->lw) >= LOG_PAGE);
	assert_int_equal(logfix_idle(fx), 0);
	logfix_expect(fx, fx->durable_seq);
	logfix_fill(fx, 1, 1);
	logfix_expect(fx, fx->durable_seq);
}

static void
every_seq_can_be_sought(void **state)
{
	struct logfix *fx = *state;
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_frame frame;

	logfix_start(fx);
	logfix_fill(fx, 60, 3);
	assert_int_equal(
	    log_reader_open(fx->io, fx->dirfd, 180, &rd, &fx->why), 0);
	assert_int_equal(log_reader_oldest(rd), 1);
	/* Forwards and backwards in turn. */
	for (uint64_t i = 1; i <= 180; i++) {
		uint64_t seq = i % 2 ? i : 181 - i;

		assert_int_equal(log_reader_seek(rd, seq, &fx->why), 0);
		assert_int_equal(
		    log_reader_next(rd, &frame, &fx->why), LOG_READ_FRAME);
		assert_true(frame.first_seq <= seq);
		assert_true(seq < frame.first_seq + frame.n_events);
	}
	assert_int_equal(log_reader_seek(rd, 0, &fx->why), -ENOENT);
	assert_int_equal(log_reader_seek(rd, 181, &fx->why), -ENOENT);
}

static void
reading_ends_at_the_limit(void **state)
{
	struct logfix *fx = *state;
	int outcome;

	logfix_start(fx);
	logfix_fill(fx, 20, 1);
	assert_int_equal(logfix_read(fx, 12, &outcome), 12);
	assert_int_equal(outcome, LOG_READ_END);
	assert_int_equal(logfix_read(fx, UINT64_MAX, &outcome), 20);
	assert_int_equal(outcome, LOG_READ_END);
	/* Somebody knows of more than there is. */
	assert_int_equal(logfix_read(fx, 21, &outcome), 20);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
}

static void
a_witness_says_what_was_stored_last(void **state)
{
	struct logfix *fx = *state;
	CLEANUP(witness_freep) struct witness *wit = NULL;
	struct log_witness got;

	assert_int_equal(
	    witness_load(fx->io, fx->dirfd, &got, &fx->why), WITNESS_NONE);
	logfix_start(fx);
	assert_int_equal(
	    witness_open(fx->io, fx->dirfd, fx->tail.log_id, 7, &wit, &fx->why),
	    0);
	assert_int_equal(
	    witness_load(fx->io, fx->dirfd, &got, &fx->why), WITNESS_NONE);
	assert_int_equal(witness_store(wit, 41), 0);
	assert_int_equal(witness_store(wit, 42), 0);
	assert_int_equal(
	    witness_load(fx->io, fx->dirfd, &got, &fx->why), WITNESS_LOADED);
	assert_int_equal(got.seq, 42);
	assert_int_equal(got.epoch, 7);
	assert_memory_equal(got.log_id, fx->tail.log_id, 16);
}

#define LOG_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, logfix_setup, logfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(an_empty_directory_is_an_empty_log),
		LOG_TEST(what_was_flushed_is_read_back),
		LOG_TEST(frames_of_one_flush_stand_back_to_back),
		LOG_TEST(a_restart_goes_on_in_a_new_segment),
		LOG_TEST(a_full_segment_is_followed_by_the_next),
		LOG_TEST(an_idle_frame_is_no_event),
		LOG_TEST(an_idle_frame_fits_a_segment_that_is_full),
		LOG_TEST(every_seq_can_be_sought),
		LOG_TEST(reading_ends_at_the_limit),
		LOG_TEST(a_witness_says_what_was_stored_last),
	};

	return cmocka_run_group_tests_name("log_writer", tests, NULL, NULL);
}
