/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What verification looks at: each event, as far as it was told to, and no
 * less than a reader.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/verify.h"
#include "tests/lib/modelfix.h"

static void
tell_problem(void *arg, const struct log_problem *problem)
{
	log_problem_sentence(problem, arg);
}

static void
flush_payload(struct modelfix *m, const uint8_t *payload, uint32_t len)
{
	uint8_t frame[LOG_FRAME_HEADER + 64];
	struct iovec iov = { frame, LOG_FRAME_HEADER + len };

	assert_true(len <= 64);
	frame_compose(frame, FRAME_EVENTS, 2, m->fx.next_seq, 0, 0, len);
	memcpy(frame + LOG_FRAME_HEADER, payload, len);
	log_writer_stamp(m->fx.lw, frame, m->fx.next_seq - 1);
	m->fx.next_seq += 2;
	assert_int_equal(
	    log_writer_flush(m->fx.lw, &iov, 1, m->fx.next_seq - 1, &m->fx.why),
	    0);
}

static void
a_frame_that_is_not_its_events_is_not_handed_out(void **state)
{
	struct modelfix *m = *state;
	uint8_t payload[20] = { 2, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 1 };
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	char sentence[LOG_PROBLEM_SENTENCE];
	struct log_frame frame;
	int outcome;

	put_le32(payload + 4, crc32c(0, "ab", 2));
	put_le32(payload + 14, crc32c(0, "", 1));
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	/* Two events, and a byte that is of none. */
	flush_payload(m, payload, sizeof(payload));
	assert_int_equal(logfix_read(&m->fx, 3, &outcome), 1);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "events 2 to 3 are"));
	assert_int_equal(modelfix_problems(m, sentence), 1);
	assert_non_null(strstr(sentence, "events 3 to 3 are"));
	/* An event fewer than it says. */
	put_le32(payload, sizeof(payload) - LOG_EVENT_HEADER);
	flush_payload(m, payload, sizeof(payload));
	assert_int_equal(
	    log_reader_open(m->fx.io, m->fx.dirfd, UINT64_MAX, &rd, &m->fx.why),
	    0);
	assert_int_equal(log_reader_seek(rd, 4, &m->fx.why), 0);
	assert_int_equal(
	    log_reader_next(rd, &frame, &m->fx.why), LOG_READ_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "events 4 to 5 are"));
}

static void
verification_looks_at_each_event(void **state)
{
	struct modelfix *m = *state;
	uint8_t payload[18] = { 1, 0, 0, 0, 0, 0, 0, 0, 'a', 1, 0, 0, 0, 0, 0,
		0, 0, 'b' };
	char sentence[LOG_PROBLEM_SENTENCE] = "";
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = tell_problem,
		.arg = sentence };

	put_le32(payload + 4, crc32c(0, "a", 1));
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	flush_payload(m, payload, sizeof(payload));
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	assert_int_equal(verify.problems, 1);
	assert_int_equal(verify.events, 2);
	assert_non_null(strstr(sentence, "events 3 to 3 are"));
	/* Behind one that is not right nobody counts the request's others. */
	put_le32(payload + 4, 7);
	flush_payload(m, payload, sizeof(payload));
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	assert_int_equal(verify.problems, 2);
	assert_int_equal(verify.events, 2);
	assert_non_null(strstr(sentence, "events 4 to 5 are"));
}

/* What a running writer has not published is none of its business. */
static void
verification_looks_as_far_as_the_limit(void **state)
{
	struct modelfix *m = *state;
	struct log_verify verify = { .limit_seq = 3 };

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 5, 1);
	modelfix_store_witness(m, 5);
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	assert_int_equal(verify.problems, 0);
	assert_int_equal(verify.last_seq, 3);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(3) + 70, 1);
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	assert_int_equal(verify.problems, 0);
	verify.limit_seq = 4;
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	assert_int_equal(verify.problems, 1);
}

/* The frame around it is damaged: what it holds is no place to go on. */
static void
a_frame_of_the_past_within_an_event_is_none(void **state)
{
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	modelfix_append_frame_of(m, modelfix_named(m, 1), modelfix_page(1));
	logfix_fill(&m->fx, 2, 1);
	assert_int_equal(modelfix_problems(m, sentence), 0);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(3) + 20, 1);
	assert_int_equal(modelfix_problems(m, sentence), 1);
	assert_non_null(strstr(sentence, "events 4 to 4 are"));
}

static char noted[LOG_PROBLEM_SENTENCE];
static unsigned notes;

static void
keep_note(const char *sentence)
{
	snprintf(noted, sizeof(noted), "%s", sentence);
	notes++;
}

/* Problems, where somebody else remembers wit; sentence is the last one's. */
static uint64_t
problems_with(struct modelfix *m, const struct log_witness *wit,
    char sentence[LOG_PROBLEM_SENTENCE])
{
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.witnesses = wit,
		.n_witnesses = 1,
		.problem = tell_problem,
		.note = keep_note,
		.arg = sentence };

	notes = 0;
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	return verify.problems;
}

static void
other_witnesses_are_asked_as_well(void **state)
{
	struct log_witness wit = { .name = "position.wit", .seq = 60 };
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	memcpy(wit.log_id, m->fx.tail.log_id, sizeof(wit.log_id));
	wit.epoch = m->fx.tail.epoch;
	assert_int_equal(problems_with(m, &wit, sentence), 0);
	assert_int_equal(notes, 0);
	wit.seq = 61;
	assert_int_equal(problems_with(m, &wit, sentence), 1);
	assert_non_null(strstr(sentence, "'position.wit' says that 61 was"));
	/* Two that know of it name no second loss. */
	modelfix_store_witness(m, 62);
	assert_int_equal(problems_with(m, &wit, sentence), 1);
	assert_non_null(strstr(sentence, "'durable.wit' says that 62 was"));
}

static void
a_witness_of_another_epoch_or_log_is_noted(void **state)
{
	struct log_witness wit = { .name = "position.wit", .seq = 99 };
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	assert_int_equal(problems_with(m, &wit, sentence), 0);
	assert_int_equal(notes, 1);
	assert_non_null(
	    strstr(noted, "'position.wit' is a witness of another"));
	/* Only the log's own may know of an epoch that has no segment yet. */
	memcpy(wit.log_id, m->fx.tail.log_id, sizeof(wit.log_id));
	wit.epoch = m->fx.tail.epoch + 1;
	assert_int_equal(problems_with(m, &wit, sentence), 0);
	assert_int_equal(notes, 1);
}

static void
a_segment_cut_in_its_header_says_nothing_of_witnesses(void **state)
{
	struct log_witness wit = { .name = "position.wit", .seq = 99 };
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;
	int fd;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	memcpy(wit.log_id, m->fx.tail.log_id, sizeof(wit.log_id));
	wit.epoch = m->fx.tail.epoch;
	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, modelfix_named(m, 49), O_RDWR, 0);
	assert_true(fd >= 0);
	assert_int_equal(sysio_ftruncate(m->fx.io, fd, 100), 0);
	(void)sysio_close(m->fx.io, fd);
	assert_int_equal(problems_with(m, &wit, sentence), 1);
	assert_non_null(strstr(sentence, "neither copy of its header"));
	assert_int_equal(notes, 0);
}

static void
where_no_segment_is_left_another_witness_is_enough(void **state)
{
	struct log_witness wit = { .name = "position.wit", .seq = 5 };
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	assert_int_equal(problems_with(m, &wit, sentence), 1);
	assert_non_null(strstr(sentence, "events 1 to 5 are"));
	wit.seq = 0;
	assert_int_equal(problems_with(m, &wit, sentence), 0);
	assert_int_equal(notes, 0);
}

#define MODEL_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(a_frame_that_is_not_its_events_is_not_handed_out),
		MODEL_TEST(verification_looks_at_each_event),
		MODEL_TEST(verification_looks_as_far_as_the_limit),
		MODEL_TEST(a_frame_of_the_past_within_an_event_is_none),
		MODEL_TEST(other_witnesses_are_asked_as_well),
		MODEL_TEST(a_witness_of_another_epoch_or_log_is_noted),
		MODEL_TEST(
		    a_segment_cut_in_its_header_says_nothing_of_witnesses),
		MODEL_TEST(where_no_segment_is_left_another_witness_is_enough),
	};

	return cmocka_run_group_tests_name("log_verify", tests, NULL, NULL);
}
