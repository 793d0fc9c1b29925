/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The syncer, round by round over a real log and a real ring, with a hand on
 * every flush: nothing may be visible before it has returned.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "shm/stats.h"
#include "tests/lib/syncfix.h"
#include "writer/space.h"

static void
nothing_is_visible_before_its_flush_has_returned(void **state)
{
	struct syncfix *f = *state;

	syncfix_spare(f);
	for (unsigned i = 1; i <= 20; i++) {
		syncfix_gather(f, 1 + i % 3, 100, false);
		f->tail_seen = UINT64_MAX;
		assert_int_equal(syncer_round(f->sy, &f->why), 1);
		assert_int_equal(f->tail_seen, f->seq - 1 - i % 3);
		assert_int_equal(ring_writer_tail_seq(f->rw), f->seq);
		assert_int_equal(syncer_durable_seq(f->sy), f->seq);
		assert_int_equal(syncer_done_serial(f->sy), f->serial);
	}
	assert_int_equal(syncer_round(f->sy, &f->why), 0);
}

static void
a_failed_flush_publishes_nothing(void **state)
{
	struct syncfix *f = *state;

	syncfix_spare(f);
	syncfix_gather(f, 1, 100, false);
	assert_int_equal(syncer_round(f->sy, &f->why), 1);
	syncfix_gather(f, 1, 100, false);
	f->fail_with = -EIO;
	assert_int_equal(syncer_round(f->sy, &f->why), -EIO);
	assert_true(strlen(f->why.text) > 0);
	assert_int_equal(ring_writer_tail_seq(f->rw), 1);
	assert_int_equal(syncer_durable_seq(f->sy), 1);
	assert_int_equal(syncer_done_serial(f->sy), 1);
}

static void
an_idle_frame_follows_what_was_flushed_once(void **state)
{
	struct syncfix *f = *state;

	syncfix_spare(f);
	f->flushes = 0;
	assert_int_equal(syncer_idle(f->sy, &f->why), 0);
	assert_int_equal(f->flushes, 0);
	syncfix_gather(f, 1, 10, false);
	assert_int_equal(syncer_round(f->sy, &f->why), 1);
	f->flushes = 0;
	assert_int_equal(syncer_idle(f->sy, &f->why), 0);
	assert_int_equal(f->flushes, 1);
	assert_int_equal(syncer_idle(f->sy, &f->why), 0);
	assert_int_equal(f->flushes, 1);
}

static void
ephemeral_events_are_published_without_a_flush(void **state)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct syncfix *f = *state;
	struct ring_event ev[8];
	uint8_t buf[4096];
	uint32_t n;
	size_t need;

	syncfix_spare(f);
	syncfix_gather(f, 1, 10, false);
	assert_int_equal(syncer_round(f->sy, &f->why), 1);
	f->writes = f->flushes = 0;
	syncfix_gather(f, 1, 10, true);
	assert_int_equal(syncer_round(f->sy, &f->why), 1);
	assert_int_equal(f->writes + f->flushes, 0);
	syncfix_gather(f, 1, 10, true);
	syncfix_gather(f, 2, 10, false);
	syncfix_gather(f, 1, 10, true);
	assert_int_equal(syncer_round(f->sy, &f->why), 3);

	assert_int_equal(
	    ring_reader_open(tmpdir_path(f->dir, "ring"), &rd, &f->why), 0);
	assert_int_equal(
	    ring_reader_read(rd, ev, 8, buf, sizeof(buf), &n, &need),
	    RING_EVENT);
	assert_int_equal(n, 6);
	for (unsigned i = 0; i < 6; i++) {
		const uint64_t seqs[] = { 1, 1, 1, 2, 3, 3 };
		const uint32_t flags[] = { 2, 3, 3, 0, 2, 3 };

		assert_int_equal(ev[i].seq, seqs[i]);
		assert_int_equal(ev[i].flags, flags[i]);
	}
}

/* A histogram of the writer, as it is now; the caller's. */
static struct stats_hist *
hist_of(struct syncfix *f, const char *name)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct stats_hist *h = calloc(1, sizeof(*h));
	struct stats_view view;
	struct stats_item item;

	assert_non_null(h);
	assert_int_equal(
	    ring_reader_open(tmpdir_path(f->dir, "ring"), &rd, &f->why), 0);
	assert_int_equal(ring_reader_stats(rd, &view, &f->why), 0);
	for (unsigned i = 0; i < view.n; i++) {
		assert_int_equal(stats_view_item(&view, i, &item), 0);
		if (!strcmp(item.name, name)) {
			assert_int_equal(stats_view_hist(&view, i, h), 0);
			return h;
		}
	}
	fail_msg("there is no '%s'", name);
	return h;
}

static void
hist_is(struct syncfix *f, const char *name, uint64_t count, uint64_t least,
    uint64_t most)
{
	CLEANUP(freep) struct stats_hist *h = hist_of(f, name);

	assert_int_equal(h->count, count);
	assert_in_range(stats_hist_percentile(h, 0), least, UINT64_MAX);
	assert_in_range(h->max, least, most);
}

/*
 * Of two requests and two ephemeral events around them, accepted an hour and
 * two hours ago, in one flush.
 */
static void
stages_are_timed_for_each_event_and_flushes_for_themselves(void **state)
{
	const uint64_t hour = 3600 * NS_PER_S;
	struct syncfix *f = *state;
	uint64_t began = time_mono_ns(), size, took;

	syncfix_spare(f);
	hist_is(f, "accept_durable", 0, 0, 0);
	size = syncfix_frame_size(f, 3, 10, false) +
	       syncfix_frame_size(f, 2, 1000, false);
	syncfix_gather(f, 1, 10, true);
	f->accepted_ns = time_clock_ns(CLOCK_BOOTTIME) - 2 * hour;
	syncfix_gather(f, 3, 10, false);
	f->accepted_ns += hour;
	syncfix_gather(f, 2, 1000, false);
	syncfix_gather(f, 1, 10, true);
	assert_int_equal(syncer_round(f->sy, &f->why), 4);
	took = time_mono_ns() - began;
	hist_is(f, "accept_durable", 5, hour, 2 * hour + took);
	hist_is(f, "durable_published", 5, 0, took);
	hist_is(f, "flush_time", 1, 1, took);
	hist_is(f, "flush_size", 1, size, size);
	hist_is(f, "batch_events", 1, 5, 5);
	/* What is not stored is of no stage, and needs no flush. */
	syncfix_gather(f, 1, 10, true);
	assert_int_equal(syncer_round(f->sy, &f->why), 1);
	hist_is(f, "accept_durable", 5, hour, 2 * hour + took);
	hist_is(f, "durable_published", 5, 0, took);
	hist_is(f, "flush_time", 1, 1, took);
}

static void
segments_are_rolled_where_a_frame_does_not_fit(void **state)
{
	struct syncfix *f = *state;

	for (unsigned i = 0; i < 160; i++) {
		if (!log_writer_has_spare(f->lw))
			syncfix_spare(f);
		syncfix_gather(f, 1, 100000, false);
		while (syncer_durable_seq(f->sy) < f->seq)
			assert_true(syncer_round(f->sy, &f->why) > 0);
	}
	assert_true(syncer_rolls(f->sy) >= 4);
	assert_int_equal(ring_writer_tail_seq(f->rw), 160);
}

/*
 * Spend what is granted with frames of an event of that size, each with an
 * IDLE frame behind it; there is one spare behind the open segment.  How many
 * were granted.
 */
static unsigned
spend(struct syncfix *f, size_t size)
{
	struct syncer_parts parts = syncfix_parts_of(f);
	const size_t len = syncfix_frame_size(f, 1, size, false);
	struct space *space = NULL;
	unsigned n = 0;

	syncfix_spare(f);
	syncfix_gather(f, 1, size, false);
	assert_int_equal(syncer_round(f->sy, &f->why), 1);
	syncfix_spare(f);
	parts.last_seq = f->seq;
	assert_int_equal(space_new(f->lw, -1, &space), 0);
	f->sy = syncer_free(f->sy);
	parts.space = space;
	assert_int_equal(syncer_new(&parts, &f->sy), 0);
	for (; space_ask(space, len) == SPACE_GRANTED; n++) {
		syncfix_gather(f, 1, size, false);
		if (syncer_round(f->sy, &f->why) != 1 ||
		    syncer_idle(f->sy, &f->why) != 0)
			fail_msg("frame %u: %s", n, f->why.text);
	}
	assert_int_equal(syncer_rolls(f->sy), 1);
	(void)space_free(space);
	return n;
}

static void
what_was_granted_finds_room_to_the_last_page(void **state)
{
	assert_true(spend(*state, 100) > 400);
}

/* What the seam of two segments wastes is as much as a frame's length. */
static void
what_was_granted_finds_room_whatever_its_length(void **state)
{
	const size_t sizes[] = { 10000, 100000, 300000, 600000, 900000 };
	struct syncfix *f = *state;

	f->ring_bytes = 1 << 20;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		syncfix_stop(f);
		syncfix_start(f);
		assert_true(spend(f, sizes[i]) > 3);
	}
}

/* No segment is open, and one spare is there. */
static void
what_is_given_back_is_granted_again(void **state)
{
	struct syncfix *f = *state;
	struct space *space = NULL;
	unsigned n;

	assert_int_equal(space_new(f->lw, -1, &space), 0);
	assert_int_equal(syncfix_grants(space, 1000, SPACE_WAIT), 0);
	space_try(space);
	n = syncfix_grants(space, 1000, SPACE_WAIT);
	assert_true(n > 100);
	space_give_back(space, 1000);
	assert_int_equal(syncfix_grants(space, 1000, SPACE_WAIT), 1);
	for (unsigned i = 0; i < n; i++)
		space_give_back(space, 1000);
	/* Nothing is under way now: all of it is counted anew. */
	assert_int_equal(space_ask(space, 2 * SYNCFIX_SEGMENT), SPACE_WAIT);
	assert_int_equal(syncfix_grants(space, 1000, SPACE_WAIT), n);
	(void)space_free(space);
}

/* A run of events behind seq after, as the ring gave them. */
static void
check_run(struct syncfix *f, const struct ring_event *ev, const uint8_t *buf,
    uint32_t n, uint64_t after)
{
	for (uint32_t i = 0; i < n; i++) {
		struct event e;

		assert_int_equal(ev[i].seq, after + 1 + i);
		assert_int_equal(crc32c(0, buf, ev[i].len), ev[i].crc);
		assert_int_equal(
		    event_decode(slice_of(buf, ev[i].len), &e, NULL), 0);
		assert_int_equal(e.seq, ev[i].seq);
		assert_int_equal(
		    ev[i].topic_hash, hash_bytes(&f->opt.topic_key, "t", 1));
		buf += ev[i].len;
	}
}

/* The ring after a restart holds what the old one held, byte for byte. */
static void
a_new_ring_is_preloaded_from_the_log(void **state)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct syncfix *f = *state;
	struct ring_event ev[1024];
	static uint8_t buf[1 << 18];
	uint32_t n;
	size_t need;
	uint64_t last, first, total = 0;

	for (unsigned i = 0; i < 3000; i++) {
		if (!log_writer_has_spare(f->lw))
			syncfix_spare(f);
		syncfix_gather(f, 1 + i % 4, i % 200, false);
		assert_int_equal(syncer_round(f->sy, &f->why), 1);
	}
	last = f->seq;
	syncfix_stop(f);
	syncfix_start(f);
	assert_int_equal(f->seq, last);
	assert_int_equal(ring_writer_tail_seq(f->rw), last);
	assert_int_equal(
	    ring_reader_open(tmpdir_path(f->dir, "ring"), &rd, &f->why), 0);
	first = ring_reader_seek_oldest(rd);
	while (ring_reader_read(rd, ev, 1024, buf, sizeof(buf), &n, &need) ==
	       RING_EVENT) {
		check_run(f, ev, buf, n, first + total);
		for (uint32_t i = 0; i < n; i++) {
			/* Requests of 1 to 4 end with 1, 3, 6, 10, 11, … */
			static const bool ends[10] = { 1, 1, 0, 1, 0, 0, 1 };

			assert_int_equal(ev[i].stamp, 0);
			/* As syncfix_gather() makes them. */
			assert_int_equal(ev[i].version, ev[i].seq);
			assert_int_equal(ev[i].time_us, 77);
			assert_int_equal(ev[i].flags,
			    ends[ev[i].seq % 10] ? RING_LAST_OF_REQUEST : 0);
		}
		total += n;
	}
	/* 7/8 of the slots or of the bytes, whichever is less. */
	assert_in_range(total, 500, 896);
	assert_int_equal(first + total, last);
}

/*
 * Both threads as in service, and the one that makes spares: whatever the
 * ring shows while they run is durable.
 */
static void
threads_store_and_publish_in_order(void **state)
{
	struct syncfix *f = *state;
	struct syncer_parts parts = syncfix_parts_of(f);
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct ring_status status;
	struct space *space = NULL;
	uint64_t done = 0, n = 0;
	int wake = eventfd(0, EFD_NONBLOCK);

	f->threads = true;
	assert_int_equal(space_new(f->lw, wake, &space), 0);
	assert_int_equal(space_start(space, &f->why), 0);
	assert_int_equal(
	    ring_reader_open(tmpdir_path(f->dir, "ring"), &rd, &f->why), 0);
	f->sy = syncer_free(f->sy);
	parts.space = space;
	parts.wake_fd = wake;
	assert_int_equal(syncer_new(&parts, &f->sy), 0);
	assert_int_equal(syncer_start(f->sy, &f->why), 0);
	while (n < 3000) {
		uint64_t durable;

		uint32_t events = n % 7 ? 1 + (uint32_t)n % 3 : 1;
		size_t size = 500 + n % 700;

		/* Room is asked for as the sequencer does. */
		if (n % 7 && space_ask(space,
				 syncfix_frame_size(f, events, size, false)) !=
				 SPACE_GRANTED)
			continue;
		syncfix_gather(f, events, size, n % 7 == 0);
		n++;
		/* The ring first: what it shows must be durable by then. */
		ring_reader_status(rd, &status);
		durable = syncer_durable_seq(f->sy);
		assert_true(status.tail_seq <= durable);
		assert_true(durable <= f->seq);
		assert_true(syncer_done_serial(f->sy) >= done);
		done = syncer_done_serial(f->sy);
	}
	gather_stop(f->g);
	syncer_join(f->sy);
	assert_false(syncer_failed(f->sy));
	assert_int_equal(syncer_durable_seq(f->sy), f->seq);
	assert_int_equal(syncer_done_serial(f->sy), f->serial);
	assert_int_equal(ring_writer_tail_seq(f->rw), f->seq);
	(void)space_free(space);
	close(wake);
}

/* The first error ends the thread, and whoever waits is told. */
static void
a_thread_whose_flush_fails_says_so_and_ends(void **state)
{
	struct syncfix *f = *state;
	struct syncer_parts parts = syncfix_parts_of(f);
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct ring_status status;
	uint64_t woken;

	syncfix_spare(f);
	f->threads = true;
	f->sy = syncer_free(f->sy);
	parts.wake_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(syncer_new(&parts, &f->sy), 0);
	syncfix_gather(f, 1, 100, false);
	f->fail_with = -EIO;
	assert_int_equal(syncer_start(f->sy, &f->why), 0);
	/* Blocks until it is woken. */
	assert_int_equal(
	    read(parts.wake_fd, &woken, sizeof(woken)), sizeof(woken));
	syncer_join(f->sy);
	assert_true(syncer_failed(f->sy));
	assert_true(strlen(syncer_failure(f->sy)) > 0);
	assert_int_equal(syncer_done_serial(f->sy), 0);
	assert_int_equal(
	    ring_reader_open(tmpdir_path(f->dir, "ring"), &rd, &f->why), 0);
	ring_reader_status(rd, &status);
	assert_int_equal(status.state, RING_FAILED);
	assert_int_equal(status.tail_seq, 0);
	close(parts.wake_fd);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, syncfix_setup, syncfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_visible_before_its_flush_has_returned),
		TEST(a_failed_flush_publishes_nothing),
		TEST(an_idle_frame_follows_what_was_flushed_once),
		TEST(ephemeral_events_are_published_without_a_flush),
		TEST(
		    stages_are_timed_for_each_event_and_flushes_for_themselves),
		TEST(segments_are_rolled_where_a_frame_does_not_fit),
		TEST(what_was_granted_finds_room_to_the_last_page),
		TEST(what_was_granted_finds_room_whatever_its_length),
		TEST(what_is_given_back_is_granted_again),
		TEST(a_new_ring_is_preloaded_from_the_log),
		TEST(threads_store_and_publish_in_order),
		TEST(a_thread_whose_flush_fails_says_so_and_ends),
	};

	return cmocka_run_group_tests_name("syncer", tests, NULL, NULL);
}
