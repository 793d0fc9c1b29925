/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * None makes the writer hold more than its bounds; who waits for room or for
 * others goes on with them, and who ends leaves nothing behind.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/proto.h"
#include "tests/lib/ingestfix.h"
#include "writer/ingest_priv.h"

enum {
	LARGE = 12 << 10
};

/*
 * Send what p has packed and hear n answers, each of which says appended;
 * where neither gets on, the disk does.
 */
static void
store_all(struct ingestfix *fx, struct frame_stream *p, uint64_t n)
{
	uint64_t heard = 0;
	unsigned idle = 0;

	while (heard < n) {
		size_t unsent = frame_unsent(p);
		uint64_t before = heard;
		struct slice value;

		assert_int_not_equal(frame_flush(p), FRAME_IO_CLOSED);
		ingestfix_turn(fx);
		while (ingestfix_next(p, &value))
			assert_int_equal(ingestfix_uint(value, "seq"), ++heard);
		idle =
		    frame_unsent(p) < unsent || heard > before ? 0 : idle + 1;
		if (idle == 0)
			continue;
		assert_true(idle < 4);
		if (!log_writer_has_spare(fx->f->lw))
			space_try(fx->space);
		ingestfix_done(fx);
	}
}

/* Nothing else is under way that would wake it. */
static void
a_request_waits_for_the_first_spare(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_bound(fx);
	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_append(&p, 2, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	/* Its bytes must stay where they are: what comes is not read. */
	assert_int_equal(TAILQ_FIRST(&fx->in->all)->wanted, 0);
	assert_false(ingest_drain(fx->in));
	fx->in->draining = false;
	space_try(fx->space);
	ingestfix_done(fx);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	(void)ingestfix_hear(&p, 2, "appended");
	frame_stream_deinit(&p);
}

/*
 * While there is no room yet a request stays in hand, and what comes behind it
 * must not take its place in memory.
 */
static void
a_request_that_found_no_room_is_tried_again(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	uint64_t n = 0;

	ingestfix_bound(fx);
	ingestfix_dial(fx, &p, geteuid());
	/* Some times what a segment and its spare hold before a flush. */
	while (n < 1600) {
		ingestfix_append_bytes(&p, ++n, LARGE);
		ingestfix_append(&p, ++n, "a", INGESTFIX_ANY, NULL);
	}
	store_all(fx, &p, n);
	assert_int_equal(ingestfix_counts(fx).appends, n);
	assert_int_equal(ingestfix_counts(fx).storage_full, 0);
	frame_stream_deinit(&p);
}

/* The writer says so while it has the disk to itself, and no longer. */
static void
a_full_disk_is_told_and_left_behind(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	uint64_t id = 0;

	ingestfix_bound(fx);
	ingestfix_dial(fx, &p, geteuid());
	space_try(fx->space);
	/* The spare becomes the segment, and there is no room for another. */
	while (ingestfix_counts(fx).storage_full == 0) {
		ingestfix_append_bytes(&p, ++id, LARGE);
		fx->f->write_fails = 0;
		ingestfix_send(fx, &p);
		ingestfix_done(fx);
		fx->f->write_fails = -ENOSPC;
		if (!log_writer_has_spare(fx->f->lw))
			space_try(fx->space);
		ingest_wake(fx->in);
		ingestfix_turn(fx);
		if (ingestfix_counts(fx).storage_full == 0)
			(void)ingestfix_hear(&p, id, "appended");
	}
	ingestfix_hear_error(&p, id, "storage_full");
	assert_int_equal(ingestfix_counts(fx).appends, id - 1);
	fx->f->write_fails = 0;
	space_try(fx->space);
	ingestfix_append_bytes(&p, ++id, LARGE);
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, id, "appended");
	assert_int_equal(ingestfix_counts(fx).storage_full, 1);
	frame_stream_deinit(&p);
}

/* --- bounds --- */

/* So many requests of one producer are in hand, and no more. */
static void
unanswered_requests_are_bounded(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p, other;
	const uint64_t n = INGEST_REQUESTS + 10;

	ingestfix_dial(fx, &p, geteuid());
	for (uint64_t id = 1; id <= n; id++)
		ingestfix_append(&p, id, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	assert_int_equal(ingestfix_counts(fx).appends, INGEST_REQUESTS);
	/* Others are served meanwhile. */
	ingestfix_dial(fx, &other, geteuid());
	ingestfix_append(&other, 1, "b", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &other);
	assert_int_equal(ingestfix_counts(fx).appends, INGEST_REQUESTS + 1);
	/* With the answers the next ones are taken, though nothing is sent. */
	ingestfix_done(fx);
	assert_int_equal(ingestfix_counts(fx).appends, n + 1);
	ingestfix_done(fx);
	for (uint64_t id = 1; id <= n; id++) {
		struct slice value;

		while (!ingestfix_next(&p, &value))
			ingestfix_turn(fx);
		assert_int_equal(ingestfix_uint(value, "id"), id);
	}
	(void)ingestfix_hear(&other, 1, "appended");
	assert_int_equal(fx->in->request_bytes, 0);
	frame_stream_deinit(&p);
	frame_stream_deinit(&other);
}

static void
their_bytes_are_bounded_and_given_back(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p, left;
	uint64_t id = 0, taken;

	ingestfix_dial(fx, &p, geteuid());
	while (frame_unsent(&p) < INGEST_REQUEST_BYTES + 8 * LARGE)
		ingestfix_append_bytes(&p, ++id, LARGE);
	/* Not all of it can be sent: the socket is full, and stays so. */
	while (frame_flush(&p) == FRAME_IO_AGAIN) {
		uint64_t before = ingestfix_counts(fx).appends;

		ingestfix_turn(fx);
		if (ingestfix_counts(fx).appends == before)
			break;
	}
	ingestfix_turn(fx);
	taken = ingestfix_counts(fx).appends;
	assert_true(taken < id);
	assert_true(fx->in->request_bytes >= INGEST_REQUEST_BYTES);
	assert_true(fx->in->request_bytes < INGEST_REQUEST_BYTES + 2 * LARGE);
	/* Who leaves takes what is his along, and nothing else. */
	ingestfix_dial(fx, &left, geteuid());
	ingestfix_append(&left, 1, "b", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &left);
	assert_int_equal(ingestfix_counts(fx).producers, 2);
	assert_int_equal(shutdown(p.fd, SHUT_RDWR), 0);
	frame_stream_deinit(&p);
	ingestfix_done(fx);
	ingestfix_done(fx);
	(void)ingestfix_hear(&left, 1, "appended");
	assert_int_equal(ingestfix_counts(fx).producers, 1);
	assert_int_equal(fx->in->request_bytes, 0);
	frame_stream_deinit(&left);
}

/* The bound of all is reached: whoever comes waits, until others are done. */
static void
requests_of_all_are_bounded_together(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	fx->in->request_bytes += INGEST_TOTAL_BYTES;
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	ingestfix_hear_nothing(&p);
	fx->in->request_bytes -= INGEST_TOTAL_BYTES;
	ingestfix_done(fx);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	frame_stream_deinit(&p);
}

static void
who_is_ended_gives_back_what_is_in_hand(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	size_t mark;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	assert_true(fx->in->request_bytes > 0);
	/* Longer than any may be, though not all of it will come. */
	mp_buf_bytes(frame_begin(&p, &mark), "\xc0", 1);
	assert_int_equal(frame_end(&p, mark), 0);
	put_le32(p.out.p + mark, INGEST_FRAME_MAX + 1);
	ingestfix_send(fx, &p);
	ingestfix_hear_end(&p);
	assert_int_equal(fx->in->request_bytes, 0);
	assert_int_equal(ingestfix_counts(fx).producers, 0);
	frame_stream_deinit(&p);
}

static void
producers_are_bounded(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream last, p;

	/* As if there were all but one. */
	fx->in->counts.producers += INGEST_PRODUCERS - 1;
	ingestfix_dial(fx, &last, geteuid());
	ingestfix_dial(fx, &p, geteuid());
	ingestfix_hear_end(&p);
	ingestfix_hear_nothing(&last);
	assert_int_equal(ingestfix_counts(fx).producers, INGEST_PRODUCERS);
	fx->in->counts.producers -= INGEST_PRODUCERS - 1;
	frame_stream_deinit(&last);
	frame_stream_deinit(&p);
}

/* Who reads no answers is not read either. */
static void
answers_that_nobody_reads_are_bounded(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	uint64_t asked = 0, heard = 0;
	size_t most = 0, unsent;
	struct slice value;

	ingestfix_dial(fx, &p, geteuid());
	do {
		for (unsigned i = 0; i < 1000; i++)
			ingestfix_ask(&p, ++asked, "ping", NULL, 0);
		unsent = frame_unsent(&p);
		(void)!frame_flush(&p);
		ingestfix_turn(fx);
		most = MAX(most, frame_unsent(&TAILQ_FIRST(&fx->in->all)->fs));
		assert_true(most < 2 * INGEST_UNSENT_BYTES);
	} while (frame_unsent(&p) < unsent);
	assert_true(most >= INGEST_UNSENT_BYTES);
	/* And from there it goes on. */
	while (heard < asked) {
		ingestfix_turn(fx);
		while (ingestfix_next(&p, &value))
			assert_int_equal(ingestfix_uint(value, "id"), ++heard);
		(void)!frame_flush(&p);
	}
	frame_stream_deinit(&p);
}

/* --- ends --- */

static void
who_drains_takes_nothing_and_answers_what_is_held(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	assert_false(ingest_drain(fx->in));
	ingestfix_append(&p, 2, "a", INGESTFIX_ANY, NULL);
	ingestfix_ask(&p, 3, "ping", NULL, 0);
	ingestfix_send(fx, &p);
	ingestfix_hear_error(&p, 2, "unavailable");
	(void)ingestfix_hear(&p, 3, "pong");
	assert_false(ingest_drain(fx->in));
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	assert_true(ingest_drain(fx->in));
	frame_stream_deinit(&p);
}

static void
after_a_failure_the_outcome_is_not_known(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p, waits;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_append(&p, 2, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	/* One that finds no room was not begun, and is not waited for. */
	assert_int_equal(space_new(fx->f->lw, -1, &fx->space), 0);
	fx->sq.space = fx->space;
	ingestfix_dial(fx, &waits, geteuid());
	ingestfix_append(&waits, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &waits);
	ingest_fail(fx->in, "it failed");
	assert_true(ingest_drain(fx->in));
	ingestfix_turn(fx);
	ingestfix_hear_error(&p, 1, "unknown");
	ingestfix_hear_error(&p, 2, "unknown");
	ingestfix_append(&p, 3, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	ingestfix_hear_error(&p, 3, "unavailable");
	ingestfix_hear_nothing(&waits);
	assert_int_equal(fx->in->request_bytes, 0);
	/* What was given back is not given back again by who leaves. */
	frame_stream_deinit(&waits);
	frame_stream_deinit(&p);
	ingestfix_turn(fx);
	assert_int_equal(ingestfix_counts(fx).producers, 0);
	assert_int_equal(fx->in->request_bytes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INGESTFIX_TEST(a_request_waits_for_the_first_spare),
		INGESTFIX_TEST(a_request_that_found_no_room_is_tried_again),
		INGESTFIX_TEST(a_full_disk_is_told_and_left_behind),
		INGESTFIX_TEST(unanswered_requests_are_bounded),
		INGESTFIX_TEST(their_bytes_are_bounded_and_given_back),
		INGESTFIX_TEST(requests_of_all_are_bounded_together),
		INGESTFIX_TEST(who_is_ended_gives_back_what_is_in_hand),
		INGESTFIX_TEST(producers_are_bounded),
		INGESTFIX_TEST(answers_that_nobody_reads_are_bounded),
		INGESTFIX_TEST(
		    who_drains_takes_nothing_and_answers_what_is_held),
		INGESTFIX_TEST(after_a_failure_the_outcome_is_not_known),
	};

	return cmocka_run_group_tests_name("ingest_bounds", tests, NULL, NULL);
}
