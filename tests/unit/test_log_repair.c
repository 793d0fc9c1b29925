/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Repairing logs in the file model: whatever is damaged, what is not stays at
 * its seq, what is lost is named, and the log that was stays as it is.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/format_priv.h"
#include "log/headless.h"
#include "tests/lib/repairfix.h"
#include "tests/lib/retainfix.h"
#include "tests/lib/seed.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
	EACH = 12, /* events in a segment of modelfix_fill_segments() */
	LAST = 60, /* of it */
};

static void
a_whole_log_is_not_repaired(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_NONE);
	assert_int_equal(r.last_seq, LAST);
	log_repair_deinit(&r);
	/* Nor one with a torn tail: nothing of it was acknowledged. */
	modelfix_spoil(
	    m, modelfix_named(m, 49), modelfix_page(3) + LOG_FRAME_HEADER, 9);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_NONE);
	assert_int_equal(r.last_seq, LAST - 3);
	log_repair_deinit(&r);
}

static void
a_damaged_frame_costs_its_request_and_no_other(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(
	    m, modelfix_named(m, 25), modelfix_page(1) + LOG_FRAME_HEADER, 1);
	repairfix_expect(m, "28..30", 2);
}

static void
one_in_the_newest_segment_costs_no_more(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 49), modelfix_page(1), 1);
	repairfix_expect(m, "52..54", 4);
}

/* One event: the header behind it knows, also where its payload is damaged. */
static void
the_last_that_was_durable_is_missed(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(1) + 20, 1);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(2) + 70, 1);
	repairfix_expect(m, "2..2", 0);
}

/* No frame behind it and no witness says that it was there. */
static void
a_newest_event_that_does_not_verify_is_named(void **state)
{
	const uint32_t len = LOG_EVENT_HEADER + 5;
	uint8_t *frame = calloc(1, LOG_FRAME_HEADER + len);
	struct modelfix *m = *state;

	assert_non_null(frame);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	/* Its frame does: the writer itself had other bytes in memory. */
	frame_compose(frame, FRAME_EVENTS, 1, 7, 7, 0, len);
	put_le32(frame + LOG_FRAME_HEADER, 5);
	assert_int_equal(logfix_stamp_frame(&m->fx, frame), 0);
	assert_int_equal(logfix_flush(&m->fx), 0);
	repairfix_expect(m, "7..7", 0);
}

static void
several_places_are_several_ranges(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(0), 1);
	modelfix_spoil(m, modelfix_named(m, 13), modelfix_page(3), 1);
	modelfix_spoil(m, modelfix_named(m, 25), modelfix_page(0), 1);
	modelfix_spoil(m, modelfix_named(m, 49), modelfix_page(2), 1);
	repairfix_expect(m, "1..3,22..27,55..57", 0);
}

static void
a_lost_end_is_made_up_as_far_as_a_witness_knows(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	modelfix_wipe(m, modelfix_named(m, 49), modelfix_page(2),
	    SEGMENT - modelfix_page(2));
	repairfix_expect(m, "55..60", 5);
}

static char told[LOG_PROBLEM_SENTENCE];

static void
keep_told(void *arg, const struct log_problem *problem)
{
	(void)arg;
	(void)log_problem_sentence(problem, told);
}

static void
so_is_one_that_only_others_remember(void **state)
{
	struct modelfix *m = *state;
	struct log_witness wit = { .name = "the old ring", .seq = 70 };
	struct log_repair r;

	modelfix_fill_segments(m);
	memcpy(wit.log_id, m->fx.tail.log_id, sizeof(wit.log_id));
	wit.epoch = m->fx.tail.epoch;
	r = (struct log_repair){ .witnesses = &wit,
		.n_witnesses = 1,
		.now_us = REPAIRFIX_NOW_S * UINT64_C(1000000),
		.segment_bytes = SEGMENT,
		.problem = keep_told };
	logfix_stop(&m->fx);
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "61..70");
	assert_non_null(strstr(told,
	    "'the old ring' says that 70 was durable; events 61 to 70 are"));
	(void)sysio_close(m->fx.io, repairfix_make(m, &r, 1));
	log_repair_deinit(&r);
	/* Of another epoch it says nothing. */
	wit.epoch++;
	r.n_witnesses = 1;
	r.witnesses = &wit;
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_NONE);
	log_repair_deinit(&r);
}

static unsigned witness_notes;
static const char *noted;

static void
count_witness_note(const char *sentence)
{
	witness_notes += strstr(sentence, noted) != NULL;
}

/* Somebody else's, say; the log's own, which a verification asks, too. */
static void
one_of_another_log_is_named_once(void **state)
{
	CLEANUP(witness_freep) struct witness *own = NULL;
	struct modelfix *m = *state;
	struct log_witness wit = { .name = "the old ring", .seq = 70 };
	struct log_repair r = { .witnesses = &wit,
		.n_witnesses = 1,
		.now_us = REPAIRFIX_NOW_S * UINT64_C(1000000),
		.segment_bytes = SEGMENT,
		.note = count_witness_note };

	noted = "is a witness of another log";
	witness_notes = 0;
	modelfix_fill_segments(m);
	wit.epoch = m->fx.tail.epoch;
	logfix_stop(&m->fx);
	assert_int_equal(witness_open(m->fx.io, m->fx.dirfd, WITNESS_NAME,
			     wit.log_id, wit.epoch, &own, &m->fx.why),
	    0);
	assert_int_equal(witness_store(own, 70), 0);
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_NONE);
	assert_int_equal(witness_notes, 2);
	log_repair_deinit(&r);
}

/* Nothing tells which of them is right. */
static void
where_no_segment_is_left_witnesses_of_two_logs_are_refused(void **state)
{
	struct modelfix *m = *state;
	struct log_witness wit[] = {
		{ .name = "the old ring", .epoch = 1, .seq = 70 },
		{ .name = WITNESS_BROKER, .epoch = 1, .seq = LAST },
	};
	struct log_repair r = { .witnesses = wit,
		.n_witnesses = 2,
		.now_us = REPAIRFIX_NOW_S * UINT64_C(1000000),
		.segment_bytes = SEGMENT };

	modelfix_fill_segments(m);
	memcpy(wit[1].log_id, m->fx.tail.log_id, sizeof(wit[1].log_id));
	wit[1].epoch = m->fx.tail.epoch;
	logfix_stop(&m->fx);
	for (uint64_t first = 1; first < LAST; first += EACH)
		filemodel_put_aside(m->fm, modelfix_named(m, first), NULL);
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_REFUSED);
	assert_non_null(strstr(m->fx.why.text, "are witnesses of two"));
	log_repair_deinit(&r);
	/* One alone is believed. */
	r.witnesses = &wit[1];
	r.n_witnesses = 1;
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "1..60");
	log_repair_deinit(&r);
}

static void
that_the_witness_is_damaged_is_said(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r = { .now_us = REPAIRFIX_NOW_S * UINT64_C(1000000),
		.segment_bytes = SEGMENT,
		.note = count_witness_note };

	noted = WITNESS_NAME "' is damaged";
	witness_notes = 0;
	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	logfix_stop(&m->fx);
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_NONE);
	assert_int_equal(witness_notes, 0);
	modelfix_spoil(m, WITNESS_NAME, 20, 1);
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_NONE);
	assert_int_equal(witness_notes, 1);
	log_repair_deinit(&r);
}

static void
a_missing_segment_is_lost_alone(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	filemodel_put_aside(m->fm, modelfix_named(m, 25), NULL);
	repairfix_expect(m, "25..36", 2);
}

/* Nothing but the header of the next one tells that it was there. */
static void
so_is_one_before_a_segment_without_a_frame(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	filemodel_put_aside(m->fm, modelfix_named(m, 37), NULL);
	modelfix_wipe(
	    m, modelfix_named(m, 49), SEGMENT_FRAMES, SEGMENT - SEGMENT_FRAMES);
	repairfix_expect(m, "37..48", 3);
}

static void
the_first_ones_are_too(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	filemodel_put_aside(m->fm, modelfix_named(m, 1), NULL);
	filemodel_put_aside(m->fm, modelfix_named(m, 13), NULL);
	repairfix_expect(m, "1..24", 0);
}

static void
a_log_without_a_segment_is_all_lost(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	for (uint64_t first = 1; first < LAST; first += EACH)
		filemodel_put_aside(m->fm, modelfix_named(m, first), NULL);
	repairfix_expect(m, "1..60", 0);
}

static void
a_salt_follows_from_a_frame(void **state)
{
	uint8_t frame[LOG_FRAME_HEADER];
	uint64_t seed = seed_draw();

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		uint32_t salt = (uint32_t)filemodel_next(&seed);

		frame_compose(frame, FRAME_EVENTS, 1, filemodel_next(&seed),
		    filemodel_next(&seed), filemodel_next(&seed), 0);
		format_stamp(frame, salt, filemodel_next(&seed), 7,
		    filemodel_next(&seed));
		assert_int_equal(headless_salt(frame), salt);
	}
}

static void
a_segment_without_headers_loses_nothing(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_wipe(m, modelfix_named(m, 25), 0, SEGMENT_FRAMES);
	repairfix_expect(m, "none", 2);
}

static void
nor_does_the_newest_one(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	modelfix_spoil(m, modelfix_named(m, 49), 0, SEGMENT_FRAMES);
	repairfix_expect(m, "none", 4);
}

/* The one in front, which nothing seals, stays where it is. */
static void
nor_does_one_behind_a_crash(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 3);
	modelfix_wipe(m, modelfix_named(m, 7), 0, SEGMENT_FRAMES);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_int_equal(r.events_kept, 9);
	log_repair_deinit(&r);
	repairfix_expect(m, "none", 1);
}

/* An IDLE frame is behind each of its frames but the last. */
static void
nor_does_one_with_idle_frames(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	for (unsigned i = 0; i < 4; i++) {
		logfix_fill(&m->fx, 1, 3);
		if (i < 3)
			assert_int_equal(logfix_idle(&m->fx), 0);
	}
	modelfix_wipe(m, modelfix_named(m, 1), 0, SEGMENT_FRAMES);
	modelfix_store_witness(m, 12);
	repairfix_expect(m, "none", 0);
}

/* That began with a restoration, say; its only headers are gone. */
static void
what_a_witness_of_a_later_epoch_knows_is_named(void **state)
{
	struct modelfix *m = *state;

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 4, 3);
	logfix_start(&m->fx);
	m->fx.lw = log_writer_free(m->fx.lw);
	m->fx.tail.epoch++;
	assert_int_equal(log_writer_open(m->fx.io, m->fx.dirfd, &m->fx.tail,
			     SEGMENT, &m->fx.lw, &m->fx.why),
	    0);
	logfix_fill(&m->fx, 4, 3);
	modelfix_store_witness(m, 24);
	modelfix_wipe(m, modelfix_named(m, 13), 0, SEGMENT_FRAMES);
	modelfix_wipe(m, modelfix_named(m, 13), modelfix_page(2),
	    SEGMENT - modelfix_page(2));
	repairfix_expect(m, "19..24", 1);
}

/*
 * An event may hold bytes that are a frame under a salt of their own.  Where
 * the frame around it is damaged nothing else tells them from the segment's.
 */
static void
frames_of_two_salts_are_not_chosen_from(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy c;

	modelfix_fill_segments(m);
	modelfix_put_inside(m, 25, 37, &c);
	repairfix_refused(m, "of two segments");
	/* Also where they come first. */
	memcpy(
	    c.bytes + modelfix_page(0), c.bytes + modelfix_page(1), LOG_PAGE);
	modelfix_put_file(m, modelfix_named(m, 25), &c);
	repairfix_refused(m, "of two segments");
}

static void
a_later_epoch_of_which_no_segment_is_left_is_named(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	m->fx.tail.epoch++;
	modelfix_store_witness(m, 64);
	repairfix_expect(m, "61..64", 5);
}

static void
one_that_also_lost_frames_loses_those(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 25), 0, modelfix_page(1) + 40);
	repairfix_expect(m, "25..30", 2);
}

static void
a_copy_without_headers_adds_nothing(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy copy;

	modelfix_fill_segments(m);
	filemodel_edit(m->fm, modelfix_named(m, 13), modelfix_take_copy, &copy);
	memset(copy.bytes, 0, SEGMENT_FRAMES);
	modelfix_put_file(m, "00000000000000000014-0000000001.seg", &copy);
	repairfix_expect(m, "none", 2);
}

/* Segments may have become smaller since. */
static void
a_frame_fits_where_it_did(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	logfix_fill(&m->fx, 1, 80);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(0), 1);
	m->fx.segment_bytes = SEGMENT_BYTES_MIN;
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "1..3");
	m->fx.segment_bytes = SEGMENT;
	(void)sysio_close(m->fx.io, repairfix_make(m, &r, 1));
	log_repair_deinit(&r);
}

static void
of_a_newest_one_that_is_noise_nobody_knows_what_was_in_it(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 57);
	modelfix_spoil(m, modelfix_named(m, 49), 0, SEGMENT);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "49..57");
	assert_true(r.open);
	(void)sysio_close(m->fx.io, repairfix_make(m, &r, 1));
	log_repair_deinit(&r);
}

/*
 * The successor gave these seqs to others: frames behind the tear were never
 * acknowledged, and must not take their place.
 */
static void
what_is_behind_a_torn_tail_does_not_come_back(void **state)
{
	struct modelfix *m = *state;

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	/* One flush that tears: its first frame is gone, the others stay. */
	assert_int_equal(logfix_stamp(&m->fx, 3), 0);
	assert_int_equal(logfix_stamp(&m->fx, 3), 0);
	assert_int_equal(logfix_stamp(&m->fx, 3), 0);
	assert_int_equal(logfix_flush(&m->fx), 0);
	logfix_stop(&m->fx);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(2), 8);
	logfix_start(&m->fx);
	assert_int_equal(m->fx.next_seq, 7);
	logfix_fill(&m->fx, 8, 3);
	filemodel_put_aside(m->fm, modelfix_named(m, 7), NULL);
	repairfix_expect(m, "7..18", 1);
}

static void
what_retention_left_is_repaired_above_its_floor(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	assert_int_equal(modelfix_nth(m, 0), 25);
	modelfix_wipe(m, modelfix_named(m, 25), 0, SEGMENT);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "25..36");
	(void)sysio_close(m->fx.io, repairfix_make(m, &r, 25));
	log_repair_deinit(&r);
	filemodel_put_aside(m->fm, "made", "moved");
	modelfix_spoil(m, modelfix_named(m, 37), modelfix_page(0), 1);
	filemodel_put_aside(m->fm, modelfix_named(m, 25), NULL);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "25..39");
	(void)sysio_close(m->fx.io, repairfix_make(m, &r, 25));
	log_repair_deinit(&r);
}

static void
nor_is_it_given_up_with_the_last_segment_above_it(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	retainfix_expect(m, 2 * SEGMENT);
	assert_int_equal(modelfix_nth(m, 0), 37);
	filemodel_put_aside(m->fm, modelfix_named(m, 49), NULL);
	modelfix_wipe(
	    m, modelfix_named(m, 37), SEGMENT_FRAMES, SEGMENT - SEGMENT_FRAMES);
	repairfix_refused(m, "nothing of the log is whole");
	modelfix_store_witness(m, LAST);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "37..60");
	(void)sysio_close(m->fx.io, repairfix_make(m, &r, 37));
	log_repair_deinit(&r);
}

static void
spoil_a_packed_segment(struct modelfix *m, uint64_t at)
{
	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	assert_non_null(strstr(modelfix_named(m, 13), ".segz"));
	modelfix_spoil(m, modelfix_named(m, 13), at, 1);
}

static void
a_packed_segment_is_repaired_as_any(void **state)
{
	struct modelfix *m = *state;

	/* In the block of its frames. */
	spoil_a_packed_segment(m, 600);
	repairfix_expect(m, "13..24", 1);
}

static void
so_is_one_that_has_lost_its_headers(void **state)
{
	struct modelfix *m = *state;

	spoil_a_packed_segment(m, 100);
	repairfix_expect(m, "none", 1);
}

static void
a_repaired_log_can_be_repaired_again(void **state)
{
	struct modelfix *m = *state;
	struct modelfix second;
	struct log_repair r;
	char name[SEGMENT_NAME_SIZE + 8];
	int fd;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 25), modelfix_page(1), 1);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	second = *m;
	second.fx.dirfd = repairfix_make(m, &r, 1);
	log_repair_deinit(&r);
	snprintf(name, sizeof(name), "%s", modelfix_named(&second, 25));
	assert_int_equal(sysio_unlink(m->fx.io, second.fx.dirfd, name), 0);
	assert_int_equal(repairfix_plan(&second, &r), LOG_REPAIR_PLANNED);
	assert_true(
	    r.was_epoch == REPAIRFIX_NOW_S && r.epoch == REPAIRFIX_NOW_S + 1);
	assert_int_equal(r.lost[0].first, 25);
	assert_int_equal(r.n_lost, 1);
	fd = modelfix_directory(m, "second");
	if (log_repair_make(m->fx.io, second.fx.dirfd, fd, &r, &m->fx.why) != 0)
		fail_msg("%s", m->fx.why.text);
	assert_int_equal(r.epoch_seq, r.last_seq + 1);
	log_repair_deinit(&r);
	(void)sysio_close(m->fx.io, fd);
	(void)sysio_close(m->fx.io, second.fx.dirfd);
}

static void
what_needs_somebody_who_looks_is_refused(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy copy;

	modelfix_fill_segments(m);
	filemodel_edit(m->fm, modelfix_named(m, 13), modelfix_take_copy, &copy);
	modelfix_put_file(m, "00000000000000000014-0000000001.seg", &copy);
	repairfix_refused(m, "move the file out of the log's directory");
	filemodel_put_aside(m->fm, "00000000000000000014-0000000001.seg", NULL);
	retainfix_expect(m, 3 * SEGMENT);
	modelfix_spoil(m, FLOOR_NAME, 41, 1);
	repairfix_refused(m, "put the file back from");
}

static void
a_log_of_which_nothing_is_left_is_refused(void **state)
{
	struct modelfix *m = *state;

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	modelfix_spoil(m, modelfix_named(m, 1), 0, SEGMENT);
	repairfix_refused(m, "nothing of the log is whole");
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_log_is_not_repaired),
		TEST(a_damaged_frame_costs_its_request_and_no_other),
		TEST(one_in_the_newest_segment_costs_no_more),
		TEST(the_last_that_was_durable_is_missed),
		TEST(a_newest_event_that_does_not_verify_is_named),
		TEST(several_places_are_several_ranges),
		TEST(a_lost_end_is_made_up_as_far_as_a_witness_knows),
		TEST(so_is_one_that_only_others_remember),
		TEST(one_of_another_log_is_named_once),
		TEST(
		    where_no_segment_is_left_witnesses_of_two_logs_are_refused),
		TEST(that_the_witness_is_damaged_is_said),
		TEST(a_missing_segment_is_lost_alone),
		TEST(so_is_one_before_a_segment_without_a_frame),
		TEST(the_first_ones_are_too),
		TEST(a_log_without_a_segment_is_all_lost),
		TEST(a_salt_follows_from_a_frame),
		TEST(a_segment_without_headers_loses_nothing),
		TEST(nor_does_one_with_idle_frames),
		TEST(nor_does_the_newest_one),
		TEST(nor_does_one_behind_a_crash),
		TEST(what_a_witness_of_a_later_epoch_knows_is_named),
		TEST(frames_of_two_salts_are_not_chosen_from),
		TEST(a_later_epoch_of_which_no_segment_is_left_is_named),
		TEST(one_that_also_lost_frames_loses_those),
		TEST(a_copy_without_headers_adds_nothing),
		TEST(a_frame_fits_where_it_did),
		TEST(of_a_newest_one_that_is_noise_nobody_knows_what_was_in_it),
		TEST(what_is_behind_a_torn_tail_does_not_come_back),
		TEST(what_retention_left_is_repaired_above_its_floor),
		TEST(nor_is_it_given_up_with_the_last_segment_above_it),
		TEST(a_packed_segment_is_repaired_as_any),
		TEST(so_is_one_that_has_lost_its_headers),
		TEST(a_repaired_log_can_be_repaired_again),
		TEST(what_needs_somebody_who_looks_is_refused),
		TEST(a_log_of_which_nothing_is_left_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
