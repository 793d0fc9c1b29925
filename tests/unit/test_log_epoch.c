/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * New epochs in the file model: later than any that was, and begun by an event
 * that nobody can lose unnoticed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "log/epoch.h"
#include "log/log_reader.h"
#include "log/witness.h"
#include "tests/lib/modelfix.h"

enum {
	LAST = 3,
	SECOND = 1000000, /* in us */
};

static void
fill(struct modelfix *m)
{
	logfix_start(&m->fx);
	logfix_fill(&m->fx, LAST, 1);
	logfix_stop(&m->fx);
}

/* Begin one behind epoch `after`, at that second; the epoch. */
static uint64_t
begin(struct modelfix *m, uint64_t after, uint64_t now_s)
{
	struct log_epoch ep = { .type = "log_restored",
		.data = SLICE_STR("\xc0"),
		.now_us = now_s * SECOND,
		.after = after,
		.segment_bytes = LOGFIX_SEGMENT };

	if (log_epoch_begin(m->fx.io, m->fx.dirfd, &ep, &m->fx.why) != 0)
		fail_msg("%s", m->fx.why.text);
	logfix_start(&m->fx);
	assert_int_equal(m->fx.tail.epoch, ep.epoch);
	assert_int_equal(m->fx.tail.last_seq, ep.seq);
	logfix_stop(&m->fx);
	return ep.epoch;
}

static void
it_is_later_than_any_that_was(void **state)
{
	struct modelfix *m = *state;

	fill(m);
	assert_int_equal(begin(m, 0, 0), 2);
	/* Of a log that is elsewhere, too. */
	assert_int_equal(begin(m, 5, 0), 6);
	assert_int_equal(begin(m, 5, 4), 7);
	assert_int_equal(begin(m, 5, 7), 8);
	assert_int_equal(begin(m, 20, 90), 90);
}

static void
its_event_is_missed_where_it_is_rotten(void **state)
{
	struct modelfix *m = *state;

	fill(m);
	(void)begin(m, 0, 0);
	/* Where the witness is lost, too, the frame behind knows. */
	filemodel_put_aside(m->fm, WITNESS_NAME, NULL);
	modelfix_spoil(
	    m, modelfix_named(m, LAST + 1), modelfix_page(0) + 70, 1);
	modelfix_expect_damage(m, LOG_DAMAGED_FRAME, "events 4 to 4 are");
}

static void
its_event_is_missed_with_its_segment(void **state)
{
	struct modelfix *m = *state;

	fill(m);
	(void)begin(m, 0, 0);
	filemodel_put_aside(m->fm, modelfix_named(m, LAST + 1), NULL);
	modelfix_expect_damage(m, LOG_LOST_TAIL, "events 4 to 4 are");
}

/* A clock that is behind, or a log that was written by one ahead. */
static void
its_event_is_no_older_than_those_before(void **state)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct modelfix *m = *state;
	struct log_frame frame = { .n_events = 0 };
	struct slice bytes;
	struct event ev;
	uint32_t crc;
	size_t at = 0;

	fill(m);
	(void)begin(m, 0, 0);
	assert_int_equal(
	    log_reader_open(m->fx.io, m->fx.dirfd, UINT64_MAX, &rd, &m->fx.why),
	    0);
	assert_int_equal(log_reader_seek(rd, LAST + 1, &m->fx.why), 0);
	assert_int_equal(
	    log_reader_next(rd, &frame, &m->fx.why), LOG_READ_FRAME);
	assert_true(log_frame_event(&frame, &at, &bytes, &crc));
	assert_int_equal(event_decode(bytes, &ev, NULL), 0);
	assert_int_equal(ev.seq, LAST + 1);
	assert_int_equal(ev.version, 1);
	assert_true(slice_equal(ev.topic, SLICE_STR("$log.2")));
	/* As logfix_fill() has dated the last one. */
	assert_int_equal(ev.time_us, SECOND + LAST);
	assert_int_equal(frame.time_us, SECOND + LAST);
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(it_is_later_than_any_that_was),
		MODEL_TEST(its_event_is_missed_where_it_is_rotten),
		MODEL_TEST(its_event_is_missed_with_its_segment),
		MODEL_TEST(its_event_is_no_older_than_those_before),
	};

	return cmocka_run_group_tests_name("log_epoch", tests, NULL, NULL);
}
