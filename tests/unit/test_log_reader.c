/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Who reads a log while no writer guards it: what is no segment's any more is
 * not read, and what may have been one is not passed over.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log/format_priv.h"
#include "log/log_reader.h"
#include "tests/lib/modelfix.h"

/* It may have been used: who reads to the end is told. */
static void
a_newest_segment_without_headers_is_no_end(void **state)
{
	struct modelfix *m = *state;
	int outcome;

	modelfix_fill_segments(m);
	logfix_stop(&m->fx);
	modelfix_spoil(m, modelfix_named(m, 49), 33, 1);
	modelfix_spoil(m, modelfix_named(m, 49), LOG_PAGE + 33, 1);
	assert_int_equal(logfix_read(&m->fx, UINT64_MAX, &outcome), 48);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "events from 49 on are"));
	/* One of zeros never was. */
	modelfix_wipe(m, modelfix_named(m, 49), 0,
	    (size_t)filemodel_size(m->fm, modelfix_named(m, 49)));
	assert_int_equal(logfix_read(&m->fx, UINT64_MAX, &outcome), 48);
	assert_int_equal(outcome, LOG_READ_END);
}

/* Nothing in the log says that there was another segment. */
static void
an_end_before_what_was_durable_is_no_end(void **state)
{
	struct modelfix *m = *state;
	int outcome;

	modelfix_fill_segments(m);
	logfix_stop(&m->fx);
	modelfix_store_witness(m, 60);
	assert_int_equal(
	    sysio_unlink(m->fx.io, m->fx.dirfd, modelfix_named(m, 49)), 0);
	assert_int_equal(logfix_read(&m->fx, UINT64_MAX, &outcome), 48);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "lost tail"));
	assert_non_null(strstr(m->fx.why.text, "events 49 to 60 are"));
	/* Nor is it where somebody says how far to read. */
	assert_int_equal(logfix_read(&m->fx, 49, &outcome), 48);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "events 49 to 49 are"));
	assert_int_equal(logfix_read(&m->fx, 48, &outcome), 48);
	assert_int_equal(outcome, LOG_READ_END);
	modelfix_store_witness(m, 48);
	assert_int_equal(logfix_read(&m->fx, UINT64_MAX, &outcome), 48);
	assert_int_equal(outcome, LOG_READ_END);
}

/* Where nothing bounds the newest segment the writer's witness does. */
static void
frames_that_end_before_what_was_durable_are_told(void **state)
{
	struct modelfix *m = *state;
	int outcome;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 5, 1);
	logfix_stop(&m->fx);
	modelfix_store_witness(m, 7);
	assert_int_equal(logfix_read(&m->fx, UINT64_MAX, &outcome), 5);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "events 6 to 7 are"));
}

/* How many calls a verification that finds n problems takes. */
static uint64_t
calls_to_verify(struct modelfix *m, uint64_t n)
{
	uint64_t before = filemodel_calls(m->fm);
	char sentence[LOG_PROBLEM_SENTENCE];

	assert_int_equal(modelfix_problems(m, sentence), n);
	return filemodel_calls(m->fm) - before;
}

/* A file system's own damage may give it any length. */
static void
a_segment_that_grew_is_read_no_further_than_it_was(void **state)
{
	struct modelfix *m = *state;
	uint64_t whole;
	int fd;

	modelfix_fill_segments(m);
	logfix_stop(&m->fx);
	whole = calls_to_verify(m, 0);
	fd = sysio_openat(m->fx.io, m->fx.dirfd,
	    modelfix_named(m, modelfix_nth(m, 4)), O_RDWR, 0);
	assert_int_equal(sysio_ftruncate(m->fx.io, fd, 64 << 20), 0);
	(void)sysio_close(m->fx.io, fd);
	modelfix_expect_damage(m, LOG_DAMAGED_SEGMENT, "its header says");
	assert_in_range(calls_to_verify(m, 1), whole / 2, whole + 20);
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_newest_segment_without_headers_is_no_end),
		TEST(an_end_before_what_was_durable_is_no_end),
		TEST(frames_that_end_before_what_was_durable_are_told),
		TEST(a_segment_that_grew_is_read_no_further_than_it_was),
	};

	return cmocka_run_group_tests_name("log_reader", tests, NULL, NULL);
}
