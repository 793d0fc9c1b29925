/* SPDX-License-Identifier: BSD-2-Clause */

/* The log as its writer and readers see it while nothing goes wrong. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log/format_priv.h"
#include "log/index.h"
#include "log/log_reader.h"
#include "log/segment.h"
#include "log/verify.h"
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

/* Seek every third event, and read it. */
static void
seek_about(struct logfix *fx, uint64_t last)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_frame frame;

	assert_int_equal(
	    log_reader_open(fx->io, fx->dirfd, last, &rd, &fx->why), 0);
	for (uint64_t seq = last; seq > 3; seq -= 3) {
		assert_int_equal(log_reader_seek(rd, seq, &fx->why), 0);
		assert_int_equal(
		    log_reader_next(rd, &frame, &fx->why), LOG_READ_FRAME);
		assert_true(frame.first_seq <= seq);
		assert_true(seq < frame.first_seq + frame.n_events);
	}
}

static void
an_index_that_is_wrong_leads_nobody_astray(void **state)
{
	struct logfix *fx = *state;
	struct segment_list list;
	struct index ix = { 0 };

	fx->segment_bytes = 256 << 10;
	logfix_start(fx);
	logfix_fill(fx, 90, 4);
	seek_about(fx, 360);
	assert_int_equal(
	    segment_list_read(fx->io, fx->dirfd, &list, &fx->why), 0);
	/* There are frames at both places, but not these. */
	index_note(&ix, 3, 8192 + (72 << 10), 1);
	index_note(&ix, 5, 8192 + (144 << 10), 2);
	assert_int_equal(
	    index_write(fx->io, fx->dirfd, &list.v[0].header, &ix), 0);
	seek_about(fx, 360);
	logfix_expect(fx, 360);
	index_deinit(&ix);
	segment_list_deinit(&list);
}

/* Who seeks in the second is led past most of it, as in the first. */
static void
each_segment_has_an_index_of_its_own(void **state)
{
	struct logfix *fx = *state;
	struct segment_list list;
	struct index ix = { 0 };

	fx->segment_bytes = 256 << 10;
	logfix_start(fx);
	logfix_fill(fx, 200, 4);
	assert_int_equal(
	    segment_list_read(fx->io, fx->dirfd, &list, &fx->why), 0);
	assert_true(list.n > 2);
	for (size_t i = 0; i + 1 < list.n; i++) {
		assert_int_equal(
		    index_read(fx->io, fx->dirfd, &list.v[i].header, &ix),
		    INDEX_READ);
		assert_true(ix.n > 2);
		assert_int_equal(ix.v[0].seq, list.v[i].header.first_seq);
		assert_int_equal(ix.v[0].offset, SEGMENT_FRAMES);
		assert_true(ix.v[ix.n - 1].seq <= list.v[i].footer.last_seq);
	}
	index_deinit(&ix);
	segment_list_deinit(&list);
}

/* The operator has made segments smaller, and the last writer was killed. */
static void
a_spare_that_a_larger_segment_was_to_be_is_made_anew(void **state)
{
	struct logfix *fx = *state;
	struct segment_list list;

	fx->segment_bytes = 256 << 10;
	logfix_start(fx);
	assert_int_equal(log_writer_prepare(fx->lw, &fx->why), LOG_PREPARED);
	fx->segment_bytes = LOGFIX_SEGMENT;
	logfix_start(fx);
	logfix_fill(fx, 5, 4);
	assert_int_equal(
	    segment_list_read(fx->io, fx->dirfd, &list, &fx->why), 0);
	assert_int_equal(list.n, 1);
	assert_int_equal(list.v[0].file_bytes, LOGFIX_SEGMENT);
	segment_list_deinit(&list);
	logfix_start(fx);
	logfix_expect(fx, 20);
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

/* Clients know its id and epoch, though it has no segment yet. */
static void
an_empty_log_is_the_one_that_its_witness_names(void **state)
{
	struct logfix *fx = *state;
	CLEANUP(witness_freep) struct witness *wit = NULL;
	const uint8_t log_id[16] = "of an empty log";

	assert_int_equal(witness_open(fx->io, fx->dirfd, WITNESS_NAME, log_id,
			     7, &wit, &fx->why),
	    0);
	assert_int_equal(witness_store(wit, 0), 0);
	logfix_start(fx);
	assert_int_equal(fx->tail.last_seq, 0);
	assert_int_equal(fx->tail.epoch, 7);
	assert_memory_equal(fx->tail.log_id, log_id, 16);
}

static bool syncs_fail;

static int
fdatasync_failing(void *ctx, int fd)
{
	return syncs_fail ? -EIO : sysio_posix.fdatasync(NULL, fd);
}

/* Its next sync may succeed, and say nothing of what the first one lost. */
static void
a_disk_that_fails_a_seal_is_written_to_no_more(void **state)
{
	struct logfix *fx = *state;
	static struct sysio io;

	io = *fx->io;
	io.fdatasync = fdatasync_failing;
	fx->io = &io;
	syncs_fail = false;
	logfix_start(fx);
	logfix_fill(fx, 3, 1);
	assert_int_equal(log_writer_prepare(fx->lw, &fx->why), LOG_PREPARED);
	syncs_fail = true;
	assert_int_equal(log_writer_roll(fx->lw, 4, &fx->why), -EIO);
	assert_non_null(strstr(fx->why.text, "cannot seal segment"));
	syncs_fail = false;
	assert_int_equal(log_writer_roll(fx->lw, 4, &fx->why), -EIO);
	assert_int_equal(logfix_append(fx, 1), -EIO);
	assert_int_equal(log_writer_idle(fx->lw, 3, &fx->why), -EIO);
	logfix_start(fx);
	logfix_expect(fx, 3);
	logfix_stop(fx);
	fx->io = &sysio_posix;
}

static void *
prepare_spare(void *arg)
{
	struct logfix *fx = arg;
	struct reason why;

	return log_writer_prepare(fx->lw, &why) == LOG_PREPARED ? fx : NULL;
}

static void
a_spare_is_prepared_while_frames_are_written(void **state)
{
	struct logfix *fx = *state;
	void *done;

	logfix_start(fx);
	logfix_fill(fx, 1, 1);
	for (int i = 0; i < 8; i++) {
		pthread_t thread;

		assert_int_equal(
		    pthread_create(&thread, NULL, prepare_spare, fx), 0);
		while (log_writer_room(fx->lw) >= LOG_PAGE) {
			logfix_fill(fx, 1, 1);
			(void)log_writer_has_spare(fx->lw);
		}
		assert_int_equal(pthread_join(thread, &done), 0);
		assert_ptr_equal(done, fx);
		assert_int_equal(log_writer_has_spare(fx->lw), 1);
		assert_int_equal(
		    log_writer_roll(fx->lw, fx->next_seq, &fx->why), 0);
		assert_int_equal(log_writer_has_spare(fx->lw), 0);
	}
	logfix_fill(fx, 1, 1);
	logfix_expect(fx, fx->durable_seq);
}

enum {
	WRITTEN_FRAMES = 400
};

static void *
write_frames(void *arg)
{
	logfix_fill(arg, WRITTEN_FRAMES, 3);
	return arg;
}

static void
no_problem(void *arg, const struct log_problem *problem)
{
	log_problem_sentence(problem, arg);
}

/* Flushes under way and segments just begun are no damage. */
static void
reading_and_verifying_may_go_on_while_the_log_grows(void **state)
{
	struct logfix *fx = *state;
	struct logfix mine = *fx;
	char sentence[LOG_PROBLEM_SENTENCE] = "";
	struct log_verify verify = {
		.limit_seq = UINT64_MAX, .problem = no_problem, .arg = sentence
	};
	pthread_t thread;
	long n = 0, before;

	logfix_start(fx);
	assert_int_equal(pthread_create(&thread, NULL, write_frames, fx), 0);
	while (n < 3 * WRITTEN_FRAMES) {
		int outcome;

		before = n;
		n = logfix_read(&mine, UINT64_MAX, &outcome);
		if (outcome != LOG_READ_END)
			fail_msg("reading: %d %s", outcome, mine.why.text);
		assert_true(n >= before);
		assert_int_equal(
		    log_verify(mine.io, mine.dirfd, &verify, &mine.why), 0);
		if (verify.problems > 0)
			fail_msg("verifying: %s", sentence);
		assert_true(verify.last_seq >= (uint64_t)n);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(n, 3 * WRITTEN_FRAMES);
}

static void
a_witness_says_what_was_stored_last(void **state)
{
	struct logfix *fx = *state;
	CLEANUP(witness_freep) struct witness *wit = NULL;
	struct log_witness got;

	assert_int_equal(
	    witness_load(fx->io, fx->dirfd, WITNESS_NAME, &got, &fx->why),
	    WITNESS_NONE);
	logfix_start(fx);
	assert_int_equal(witness_open(fx->io, fx->dirfd, WITNESS_NAME,
			     fx->tail.log_id, 7, &wit, &fx->why),
	    0);
	assert_int_equal(
	    witness_load(fx->io, fx->dirfd, WITNESS_NAME, &got, &fx->why),
	    WITNESS_NONE);
	assert_int_equal(witness_store(wit, 41), 0);
	assert_int_equal(witness_store(wit, 42), 0);
	assert_int_equal(
	    witness_load(fx->io, fx->dirfd, WITNESS_NAME, &got, &fx->why),
	    WITNESS_LOADED);
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
		LOG_TEST(an_index_that_is_wrong_leads_nobody_astray),
		LOG_TEST(each_segment_has_an_index_of_its_own),
		LOG_TEST(a_spare_that_a_larger_segment_was_to_be_is_made_anew),
		LOG_TEST(reading_ends_at_the_limit),
		LOG_TEST(an_empty_log_is_the_one_that_its_witness_names),
		LOG_TEST(a_disk_that_fails_a_seal_is_written_to_no_more),
		LOG_TEST(a_spare_is_prepared_while_frames_are_written),
		LOG_TEST(reading_and_verifying_may_go_on_while_the_log_grows),
		LOG_TEST(a_witness_says_what_was_stored_last),
	};

	return cmocka_run_group_tests_name("log_writer", tests, NULL, NULL);
}
