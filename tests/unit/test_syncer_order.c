/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The order of a round's steps, seen from the middle of it: the ring is made
 * read-only, so that the first byte which is published stops the syncer there.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/log_reader.h"
#include "shm/ring_map.h"
#include "shm/ring_reader.h"
#include "tests/lib/syncfix.h"

static struct syncfix *stopped;
static volatile sig_atomic_t stops;
static volatile uint64_t done_then, durable_then;
static struct log_witness witness_then;
static int witness_got;

/* The page with the ring's tail: a store to it is a publication. */
static int
protect(struct syncfix *f, int prot)
{
	return mprotect(ring_writer_map(f->rw)->hot, RING_PAGE, prot);
}

static void
on_publication(int sig)
{
	stops++;
	done_then = syncer_done_serial(stopped->sy);
	durable_then = syncer_durable_seq(stopped->sy);
	witness_got = witness_load(
	    &sysio_posix, stopped->dir->fd, WITNESS_NAME, &witness_then, NULL);
	(void)protect(stopped, PROT_READ | PROT_WRITE);
}

/* One round, looked at from where it begins to publish. */
static void
round_of(struct syncfix *f, unsigned n)
{
	struct sigaction act = { .sa_handler = on_publication }, old;

	stopped = f;
	stops = 0;
	assert_int_equal(sigaction(SIGSEGV, &act, &old), 0);
	assert_int_equal(protect(f, PROT_READ), 0);
	assert_int_equal(syncer_round(f->sy, &f->why), n);
	assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);
	assert_int_equal(stops, 1);
}

static void
an_answer_leaves_only_when_its_event_is_visible(void **state)
{
	struct syncfix *f = *state;

	syncfix_spare(f);
	syncfix_gather(f, 1, 100, false);
	round_of(f, 1);
	assert_int_equal(done_then, 0);
	syncfix_gather(f, 2, 100, false);
	syncfix_gather(f, 1, 100, true);
	round_of(f, 2);
	assert_int_equal(done_then, 1);
	assert_int_equal(syncer_done_serial(f->sy), 3);
}

static void
what_is_visible_is_durable_and_known_to_the_witness(void **state)
{
	struct syncfix *f = *state;

	syncfix_spare(f);
	for (unsigned i = 0; i < 10; i++) {
		syncfix_gather(f, 1 + i % 3, 100, false);
		round_of(f, 1);
		assert_int_equal(durable_then, f->seq);
		assert_int_equal(witness_got, WITNESS_LOADED);
		assert_int_equal(witness_then.seq, f->seq);
		assert_int_equal(witness_then.epoch, f->tail.epoch);
	}
}

/* Else a torn flush would look like one that was acknowledged. */
static void
no_frame_says_of_its_own_flush_that_it_is_durable(void **state)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct syncfix *f = *state;
	struct log_frame frame;

	syncfix_spare(f);
	for (unsigned flush = 0; flush < 3; flush++) {
		for (unsigned i = 0; i < 4; i++)
			syncfix_gather(f, 2, 100, false);
		assert_int_equal(syncer_round(f->sy, &f->why), 4);
	}
	assert_int_equal(
	    log_reader_open(&f->io, f->dir->fd, f->seq, &rd, &f->why), 0);
	for (uint64_t i = 0; i < 12; i++) {
		assert_int_equal(
		    log_reader_next(rd, &frame, &f->why), LOG_READ_FRAME);
		assert_int_equal(frame.durable_seq, i / 4 * 8);
	}
}

/* Each ephemeral event parts the memory of two frames. */
static void
a_flush_of_many_pieces_is_taken_in_parts(void **state)
{
	struct syncfix *f = *state;

	syncfix_spare(f);
	for (unsigned i = 0; i < 1200; i++) {
		syncfix_gather(f, 1, 1, false);
		syncfix_gather(f, 1, 1, true);
	}
	while (syncer_done_serial(f->sy) < f->serial)
		assert_true(syncer_round(f->sy, &f->why) > 0);
	assert_int_equal(ring_writer_tail_seq(f->rw), 1200);
}

/* An eighth of the ring, or one request: never both. */
static void
no_pass_takes_more_than_the_ring_holds(void **state)
{
	struct syncfix *f = *state;

	/* An eighth of its bytes, and nearly all of them. */
	syncfix_spare(f);
	syncfix_gather(f, 1, 16000, false);
	syncfix_gather(f, 1, 130000, false);
	assert_int_equal(syncer_round(f->sy, &f->why), 2);
	/* An eighth of its slots, and nearly all of them. */
	syncfix_stop(f);
	f->ring_bytes = 1 << 20;
	syncfix_start(f);
	syncfix_spare(f);
	syncfix_gather(f, 100, 1, false);
	syncfix_gather(f, 1000, 1, false);
	assert_int_equal(syncer_round(f->sy, &f->why), 2);
	assert_int_equal(ring_writer_tail_seq(f->rw), f->seq);
}

/* What the open segment has is spent first; then it depends. */
static void
a_full_disk_refuses_only_when_nothing_is_under_way(void **state)
{
	struct syncfix *f = *state;
	struct space *space = NULL;
	unsigned n;

	syncfix_spare(f);
	syncfix_gather(f, 1, 100, false);
	assert_int_equal(syncer_round(f->sy, &f->why), 1);
	assert_int_equal(space_new(f->lw, -1, &space), 0);
	f->write_fails = -ENOSPC;
	space_try(space);
	n = syncfix_grants(space, 1000, SPACE_WAIT);
	assert_true(n > 100);
	for (unsigned i = 0; i < n; i++)
		space_give_back(space, 1000);
	assert_int_equal(
	    syncfix_grants(space, 2 * SYNCFIX_SEGMENT, SPACE_FULL), 0);
	/* It has room again, and says so by and by. */
	f->write_fails = 0;
	space_try(space);
	assert_int_equal(
	    syncfix_grants(space, 2 * SYNCFIX_SEGMENT, SPACE_WAIT), 0);
	assert_true(syncfix_grants(space, 1000, SPACE_WAIT) > n);
	(void)space_free(space);
}

/* The sequencer learns of it by the wake-up alone. */
static void
a_disk_that_fails_the_spare_is_full_and_each_try_wakes(void **state)
{
	static const int errors[] = { -EIO, -EDQUOT };
	struct syncfix *f = *state;
	struct space *space = NULL;
	int wake = eventfd(0, EFD_NONBLOCK);
	uint64_t n;

	assert_int_equal(space_new(f->lw, wake, &space), 0);
	assert_int_equal(syncfix_grants(space, 1000, SPACE_WAIT), 0);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		f->write_fails = errors[i];
		space_try(space);
		assert_int_equal(read(wake, &n, sizeof(n)), sizeof(n));
		assert_int_equal(syncfix_grants(space, 1000, SPACE_FULL), 0);
	}
	f->write_fails = 0;
	space_try(space);
	assert_int_equal(read(wake, &n, sizeof(n)), sizeof(n));
	assert_true(syncfix_grants(space, 1000, SPACE_WAIT) > 100);
	(void)space_free(space);
	(void)close(wake);
}

/* Else new appends were refused, as on a disk that does not answer. */
static void
a_flush_has_an_age_only_while_it_is_under_way(void **state)
{
	struct syncfix *f = *state;

	syncfix_spare(f);
	for (int i = 0; i < 2; i++) {
		f->age_seen = 0;
		syncfix_gather(f, 1, 100, false);
		assert_int_equal(syncer_round(f->sy, &f->why), 1);
		assert_true(f->age_seen > 0);
		assert_int_equal(syncer_flush_age_ns(f->sy), 0);
	}
	f->fail_with = -EIO;
	syncfix_gather(f, 1, 100, false);
	assert_int_equal(syncer_round(f->sy, &f->why), -EIO);
	assert_int_equal(syncer_flush_age_ns(f->sy), 0);
}

static volatile sig_atomic_t wakes;

/* The write to the pipe has just been made. */
static void
on_wake_up(int sig)
{
	wakes++;
	done_then = syncer_done_serial(stopped->sy);
}

/* Who is woken and finds nothing done is not woken for it again. */
static void
a_wake_up_finds_done_what_it_is_for(void **state)
{
	struct sigaction act = { .sa_handler = on_wake_up }, old;
	struct syncfix *f = *state;
	struct syncer_parts parts = syncfix_parts_of(f);
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETOWN, getpid()), 0);
	assert_int_equal(sigaction(SIGIO, &act, &old), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_ASYNC), 0);
	f->sy = syncer_free(f->sy);
	parts.wake_fd = ends[1];
	assert_int_equal(syncer_new(&parts, &f->sy), 0);
	stopped = f;
	wakes = 0;
	syncfix_spare(f);
	for (int i = 1; i <= 3; i++) {
		syncfix_gather(f, 1, 100, i == 2);
		assert_int_equal(syncer_round(f->sy, &f->why), 1);
		assert_int_equal(wakes, i);
		assert_int_equal(done_then, i);
	}
	assert_int_equal(sigaction(SIGIO, &old, NULL), 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, syncfix_setup, syncfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_leaves_only_when_its_event_is_visible),
		TEST(what_is_visible_is_durable_and_known_to_the_witness),
		TEST(no_frame_says_of_its_own_flush_that_it_is_durable),
		TEST(a_flush_of_many_pieces_is_taken_in_parts),
		TEST(no_pass_takes_more_than_the_ring_holds),
		TEST(a_full_disk_refuses_only_when_nothing_is_under_way),
		TEST(a_disk_that_fails_the_spare_is_full_and_each_try_wakes),
		TEST(a_flush_has_an_age_only_while_it_is_under_way),
		TEST(a_wake_up_finds_done_what_it_is_for),
	};

	return cmocka_run_group_tests_name("syncer_order", tests, NULL, NULL);
}
