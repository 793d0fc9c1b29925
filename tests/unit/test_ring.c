/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring as its two sides see it: what was published comes back whole and
 * in order, and a reader that was overtaken is told.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/time.h"
#include "shm/ring_late.h"
#include "shm/ring_reader_priv.h"
#include "shm/ring_window.h"
#include "shm/stats.h"
#include "tests/lib/ringfix.h"

static void
events_come_back_in_order_and_whole(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev[8];
	uint8_t buf[4096], *p = buf;
	uint32_t n = 0;
	size_t need;

	ringfix_publish(fx, 3);
	ringfix_emit(fx, 1);
	ringfix_publish(fx, 1);
	assert_int_equal(
	    ring_reader_read(fx->reader, ev, 8, buf, sizeof(buf), &n, &need),
	    RING_EVENT);
	assert_int_equal(n, 5);
	for (unsigned i = 0; i < n; p += ev[i++].len)
		assert_true(ringfix_right(&ev[i], p));
	assert_int_equal(ev[2].seq, 3);
	assert_int_equal(ev[3].seq, 3);
	assert_int_equal(ev[3].flags, RING_EPHEMERAL);
	assert_int_equal(ev[4].seq, 4);
	assert_int_equal(
	    ring_reader_read(fx->reader, ev, 8, buf, sizeof(buf), &n, &need),
	    RING_EMPTY);
	assert_true(ring_reader_level(fx->reader));
}

static void
nothing_of_a_pass_is_visible_before_its_commit(void **state)
{
	struct ringfix *fx = *state;
	uint8_t buf[RINGFIX_EVENT];
	struct ring_event ev = ringfix_event(1, false, buf);

	ring_writer_begin(fx->writer, 1, ev.len);
	ring_writer_add(fx->writer, &ev, buf);
	assert_int_equal(ringfix_next(fx, &ev), RING_EMPTY);
	assert_true(ring_reader_level(fx->reader));
	ring_writer_commit(fx->writer);
	assert_false(ring_reader_level(fx->reader));
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 1);
}

static void
a_read_is_bounded_by_max_and_by_room(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev[8];
	uint8_t one[RINGFIX_EVENT], buf[4096];
	uint32_t n = 0, first, second;
	size_t need = 0;

	ringfix_publish(fx, 3);
	first = ringfix_bytes(1, false, one);
	second = ringfix_bytes(2, false, one);
	assert_int_equal(
	    ring_reader_read(fx->reader, ev, 8, buf, first - 1, &n, &need),
	    RING_TOO_SMALL);
	assert_int_equal(need, first);
	assert_int_equal(ring_reader_read(fx->reader, ev, 8, buf,
			     first + second - 1, &n, &need),
	    RING_EVENT);
	assert_int_equal(n, 1);
	assert_int_equal(
	    ring_reader_read(fx->reader, ev, 8, buf, second, &n, &need),
	    RING_EVENT);
	assert_int_equal(n, 1);
	assert_int_equal(ev[0].seq, 2);
	assert_int_equal(ring_reader_seek(fx->reader, 0), RING_EVENT);
	assert_int_equal(
	    ring_reader_read(fx->reader, ev, 2, buf, sizeof(buf), &n, &need),
	    RING_EVENT);
	assert_int_equal(n, 2);
}

/* Room for 8 events, of some 16 bytes to 1 KiB: the slots are what ends. */
static void
the_reader_is_lapped_by_one_event_more_than_there_are_slots(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev;

	ringfix_publish(fx, 7);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 1);
	assert_int_equal(ring_reader_seek(fx->reader, 0), RING_EVENT);
	ringfix_publish(fx, 1);
	assert_int_equal(ring_reader_seek(fx->reader, 0), RING_EVENT);
	ringfix_publish(fx, 1);
	assert_int_equal(ringfix_next(fx, &ev), RING_LAPPED);
	assert_int_equal(ringfix_next(fx, &ev), RING_LAPPED);
	assert_int_equal(ring_reader_seek(fx->reader, 0), RING_LAPPED);
	assert_int_equal(ring_reader_seek(fx->reader, 1), RING_EVENT);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 2);
}

static void
the_reader_is_lapped_by_one_byte_more_than_there_is_payload(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev;

	ringfix_publish_long(fx, 1000);
	ringfix_publish_long(fx, 3095);
	assert_int_equal(ring_reader_seek(fx->reader, 0), RING_EVENT);
	ringfix_publish_long(fx, 1);
	assert_int_equal(ring_reader_seek(fx->reader, 0), RING_EVENT);
	ringfix_publish_long(fx, 1);
	assert_int_equal(ringfix_next(fx, &ev), RING_LAPPED);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 1);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 2);
	assert_int_equal(ev.len, 3095);
}

static void
a_pass_that_has_begun_has_lapped_already(void **state)
{
	struct ringfix *fx = *state;
	uint8_t buf[RINGFIX_EVENT];
	struct ring_event ev;

	ringfix_publish(fx, 8);
	ev = ringfix_event(9, false, buf);
	ring_writer_begin(fx->writer, 1, ev.len);
	assert_int_equal(ringfix_next(fx, &ev), RING_LAPPED);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 1);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 2);
}

static void
a_pass_of_the_whole_ring_leaves_nothing_until_its_commit(void **state)
{
	struct ringfix *fx = *state;
	uint8_t buf[RINGFIX_EVENT];
	struct ring_event ev;
	uint64_t bytes = 0;

	ringfix_publish(fx, 5);
	for (uint64_t seq = 6; seq < 14; seq++)
		bytes += ringfix_bytes(seq, false, buf);
	ring_writer_begin(fx->writer, 8, bytes);
	assert_int_equal(ringfix_next(fx, &ev), RING_LAPPED);
	assert_int_equal(ring_reader_seek(fx->reader, 4), RING_LAPPED);
	assert_int_equal(ring_reader_seek(fx->reader, 5), RING_EMPTY);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 5);
	assert_int_equal(ring_reader_seek_tail(fx->reader), 5);
	for (uint64_t seq = 6; seq < 14; seq++) {
		ev = ringfix_event(seq, false, buf);
		ring_writer_add(fx->writer, &ev, buf);
	}
	ring_writer_commit(fx->writer);
	for (uint64_t seq = 6; seq < 14; seq++) {
		assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
		assert_int_equal(ev.seq, seq);
	}
	assert_int_equal(ringfix_next(fx, &ev), RING_EMPTY);
}

static struct ringfix *overtaken;
static uint8_t *barrier;
static int barrier_opens; /* as what */

/* In the midst of a reader's copy the writer goes round. */
static void
go_round(int sig)
{
	assert_int_equal(mprotect(barrier, 4096, barrier_opens), 0);
	ringfix_publish(overtaken, overtaken->opt.slots);
}

static void
bytes_that_are_overwritten_while_they_are_copied_are_not_used(void **state)
{
	struct ringfix *fx = *state;
	struct sigaction act = { .sa_handler = go_round }, old;
	uint8_t *buf = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ring_event ev;
	uint32_t n = 0;
	size_t need;

	assert_ptr_not_equal(buf, MAP_FAILED);
	barrier = buf + 4096;
	barrier_opens = PROT_READ | PROT_WRITE;
	overtaken = fx;
	ringfix_publish_long(fx, 1000);
	assert_int_equal(mprotect(barrier, 4096, PROT_NONE), 0);
	assert_int_equal(sigaction(SIGSEGV, &act, &old), 0);
	assert_int_equal(ring_reader_read(fx->reader, &ev, 1, barrier - 100,
			     4096, &n, &need),
	    RING_LAPPED);
	assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fx->seq, 1 + fx->opt.slots);
	(void)munmap(buf, 8192);
}

/*
 * Of two pages of records the search is on the first one until it comes to
 * the last event, and finds it gone: what it has seen before says nothing.
 */
static void
a_search_that_is_overtaken_does_not_pass_over_what_it_lost(void **state)
{
	struct ringfix *fx = *state;
	struct sigaction act = { .sa_handler = go_round }, old;
	struct ring_event ev;

	ringfix_close(fx);
	ringfix_dir(fx);
	fx->opt.slots = 128;
	fx->opt.payload_bytes = 1 << 16;
	ringfix_open(fx);
	ringfix_publish(fx, 192);
	barrier = (void *)ring_map_slot(fx->reader->map, 192);
	barrier_opens = PROT_READ;
	overtaken = fx;
	assert_int_equal(mprotect(barrier, 4096, PROT_NONE), 0);
	assert_int_equal(sigaction(SIGSEGV, &act, &old), 0);
	assert_int_equal(ring_reader_seek(fx->reader, 191), RING_LAPPED);
	assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);
	assert_int_equal(fx->seq, 192 + fx->opt.slots);
	assert_int_equal(ring_reader_seek(fx->reader, 192), RING_EVENT);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 193);
}

static void
an_event_over_the_end_of_the_payload_is_one_slice(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev;

	/* 512 lie before the end of the payload, 500 behind it. */
	ringfix_publish_long(fx, 3584);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	ringfix_publish_long(fx, 1012);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.len, 1012);
}

static void
seek_finds_the_first_durable_event_behind_a_seq(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev;

	/* 1 2 2' 2" 3 4 4' */
	ringfix_publish(fx, 2);
	ringfix_emit(fx, 2);
	ringfix_publish(fx, 2);
	ringfix_emit(fx, 1);
	for (uint64_t seq = 0; seq < 4; seq++) {
		assert_int_equal(ring_reader_seek(fx->reader, seq), RING_EVENT);
		assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
		assert_int_equal(ev.seq, seq + 1);
		assert_false(ev.flags & RING_EPHEMERAL);
	}
	assert_int_equal(ring_reader_seek(fx->reader, 4), RING_EMPTY);
	assert_int_equal(ringfix_next(fx, &ev), RING_EMPTY);
	assert_int_equal(ring_reader_seek(fx->reader, 5), RING_EMPTY);
	assert_int_equal(ringfix_next(fx, &ev), RING_EMPTY);
	ringfix_publish(fx, 1);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 5);
}

static void
ephemeral_events_that_push_a_durable_one_out_lap_its_readers(void **state)
{
	struct ringfix *fx = *state;

	ringfix_publish(fx, 2);
	ringfix_emit(fx, 7);
	assert_int_equal(ring_reader_seek(fx->reader, 0), RING_LAPPED);
	assert_int_equal(ring_reader_seek(fx->reader, 1), RING_EVENT);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 1);
	ringfix_emit(fx, 1);
	assert_int_equal(ring_reader_seek(fx->reader, 1), RING_LAPPED);
	assert_int_equal(ring_reader_seek(fx->reader, 2), RING_EMPTY);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 2);
	assert_int_equal(ring_reader_seek_tail(fx->reader), 2);
}

static void
an_empty_ring_stands_at_the_head_of_the_log(void **state)
{
	struct ringfix *fx = *state;
	struct ring_status status;

	ringfix_close(fx);
	ringfix_dir(fx);
	fx->opt.head_seq = 100;
	ringfix_open(fx);
	assert_int_equal(ring_reader_seek(fx->reader, 99), RING_LAPPED);
	assert_int_equal(ring_reader_seek(fx->reader, 100), RING_EMPTY);
	assert_int_equal(ring_reader_seek(fx->reader, 101), RING_EMPTY);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 100);
	assert_int_equal(ring_reader_seek_tail(fx->reader), 100);
	ring_reader_status(fx->reader, &status);
	assert_int_equal(status.tail_seq, 100);
	assert_int_equal(status.tail_ord, 0);
	assert_int_equal(status.valid_ord, 1);
	/* The first pass is between its two stores: nothing is there yet. */
	ring_store(&ring_writer_map(fx->writer)->hot->tail_seq, 101);
	assert_int_equal(ring_reader_seek(fx->reader, 100), RING_EMPTY);
	assert_int_equal(ring_reader_seek_tail(fx->reader), 100);
	ring_store(&ring_writer_map(fx->writer)->hot->tail_seq, 100);
	ringfix_emit(fx, 1);
	assert_int_equal(ring_reader_seek(fx->reader, 99), RING_LAPPED);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 100);
	ringfix_publish(fx, 1);
	assert_int_equal(ring_reader_seek(fx->reader, 100), RING_EVENT);
	assert_int_equal(ring_reader_seek_tail(fx->reader), 101);
}

static void
go_around(struct ringfix *fx, uint64_t ord, uint64_t pos)
{
	struct ring_event ev;

	ringfix_close(fx);
	ringfix_dir(fx);
	fx->opt.start_ord = ord;
	fx->opt.start_pos = pos;
	ringfix_open(fx);
	for (uint64_t seq = 1; seq < 200; seq++) {
		assert_int_equal(ringfix_next(fx, &ev), RING_EMPTY);
		ringfix_publish(fx, 1);
		assert_int_equal(ring_reader_ordinal(fx->reader), ord++);
		assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
		assert_int_equal(ev.seq, seq);
		if (seq > 8) {
			assert_int_equal(
			    ring_reader_seek(fx->reader, seq - 9), RING_LAPPED);
			assert_int_equal(
			    ring_reader_seek(fx->reader, seq - 8), RING_EVENT);
		}
		assert_int_equal(ring_reader_seek(fx->reader, seq), RING_EMPTY);
	}
}

static void
counters_may_pass_two_to_the_32_and_63(void **state)
{
	for (unsigned bits = 32; bits < 64; bits += 31) {
		uint64_t edge = UINT64_C(1) << bits;

		go_around(*state, edge - 50, 0);
		go_around(*state, 1, edge - 5000);
		go_around(*state, edge - 1, edge - 1);
		go_around(*state, edge, edge);
	}
}

static void
a_clone_has_a_position_of_its_own(void **state)
{
	struct ringfix *fx = *state;
	struct ring_reader *first = fx->reader;
	struct ring_event ev;

	ringfix_publish(fx, 2);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ring_reader_clone(first, &fx->reader), 0);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 0);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 1);
	assert_int_equal(ring_reader_ordinal(first), 2);
	/* The mapping stays as long as one of both. */
	assert_null(ring_reader_free(first));
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 2);
}

static void
the_ring_can_be_read_when_its_writer_has_gone(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev;

	ringfix_publish(fx, 2);
	fx->writer = ring_writer_free(fx->writer);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ringfix_next(fx, &ev), RING_EMPTY);
}

static void
a_backlog_is_measured_without_reading_it(void **state)
{
	struct ringfix *fx = *state;
	uint8_t one[RINGFIX_EVENT];
	struct ring_backlog backlog;
	struct ring_event ev;
	uint64_t bytes = 0;

	assert_int_equal(ring_reader_backlog(fx->reader, &backlog), RING_EMPTY);
	assert_int_equal(backlog.events, 0);
	ringfix_publish(fx, 3);
	ringfix_emit(fx, 1);
	assert_int_equal(ring_reader_seek(fx->reader, 1), RING_EVENT);
	assert_int_equal(ring_reader_backlog(fx->reader, &backlog), RING_EVENT);
	assert_int_equal(backlog.events, 3);
	for (unsigned seq = 2; seq <= 3; seq++)
		bytes += ringfix_bytes(seq, false, one);
	assert_int_equal(backlog.bytes, bytes + ringfix_bytes(3, true, one));
	/* It has read nothing. */
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 2);
	assert_int_equal(ev.time_us, backlog.oldest_us);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.time_us, backlog.newest_us);
	assert_int_equal(ring_reader_backlog(fx->reader, &backlog), RING_EMPTY);
	/* One slot too few for where it was. */
	assert_int_equal(ring_reader_seek(fx->reader, 1), RING_EVENT);
	ringfix_publish(fx, 6);
	assert_int_equal(
	    ring_reader_backlog(fx->reader, &backlog), RING_LAPPED);
}

/* By the stamp a reader knows how late it is. */
static void
an_event_tells_when_its_pass_began(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev;
	uint64_t before = time_mono_ns(), after;

	ringfix_publish(fx, 1);
	after = time_mono_ns();
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_not_equal(ev.stamp, 0);
	assert_true(
	    ring_event_age_ns(ev.stamp, after) <= after - before + 1024);
	assert_true(
	    ring_event_age_ns(ev.stamp, after + NS_PER_S) > NS_PER_S - 2048);
	assert_int_equal(ring_writer_published_ns(fx->writer) >= before, 1);
	assert_true(ring_writer_published_ns(fx->writer) <= after);
}

static void
stamps_go_round(void **state)
{
	const uint64_t round = UINT64_C(1) << 42;
	const uint64_t at[] = { round - 1024, round, round + 1024 };

	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		uint32_t stamp = ring_event_stamp(at[i]);

		assert_int_not_equal(stamp, 0);
		assert_in_range(ring_event_age_ns(stamp, at[i] + 1024 * 1024),
		    1023 * 1024, 1024 * 1024);
		assert_int_equal(ring_event_age_ns(stamp, at[i]), 0);
		/* From after: a clock that was read before the pass began. */
		assert_int_equal(
		    ring_event_age_ns(stamp, at[i] - NS_PER_S / 2), 0);
		assert_in_range(
		    ring_event_age_ns(stamp, at[i] + 4000 * NS_PER_S),
		    4000 * NS_PER_S - 2048, 4000 * NS_PER_S);
	}
}

/*
 * Two passes a second apart, of three events and one, then one that was there
 * before readers came, read five seconds after the first.
 */
static void
a_run_is_as_late_as_each_of_its_passes(void **state)
{
	static struct stats_cell cells[1];
	static struct stats_buckets late[1];
	const struct stats st = { cells, late };
	const uint64_t at = 100 * NS_PER_S, now = at + 5 * NS_PER_S;
	const struct ring_event run[] = {
		{ .stamp = ring_event_stamp(at) },
		{ .stamp = ring_event_stamp(at) },
		{ .stamp = ring_event_stamp(at) },
		{ .stamp = ring_event_stamp(at + NS_PER_S) },
		{ .stamp = 0 },
	};
	const unsigned five = stats_hist_bucket(5 * NS_PER_S),
		       four = stats_hist_bucket(4 * NS_PER_S);

	ring_late_record(&st, 0, run, ARRAY_LEN(run), 0, now);
	assert_int_equal(late[0].n[five], 3);
	assert_int_equal(late[0].n[four], 1);
	assert_in_range(late[0].sum, 19 * NS_PER_S - 4096, 19 * NS_PER_S);
	/* A reader that came between the two. */
	ring_late_record(&st, 0, run, ARRAY_LEN(run), at + NS_PER_S / 2, now);
	assert_int_equal(late[0].n[five], 3);
	assert_int_equal(late[0].n[four], 2);
	ring_late_record(&st, 0, run, 0, 0, now);
	assert_in_range(late[0].sum, 23 * NS_PER_S - 8192, 23 * NS_PER_S);
}

/* A pass of n events of len bytes each, at a second since the beginning. */
static void
window_pass(struct ring_window *w, uint64_t *ord, uint64_t *pos, unsigned n,
    unsigned len, uint64_t second)
{
	const struct ring_window_mark from = { *ord, *pos, second * NS_PER_S };
	uint64_t valid;

	*ord += n;
	*pos += n * len;
	/* As much as there are slots and bytes for, of this length. */
	valid = *ord - MIN(w->slots, w->bytes / len);
	ring_window_pass(w, &from, *ord, *pos, valid);
}

static uint64_t
window_s(const struct ring_window *w, uint64_t second)
{
	return ring_window_ms(w, second * NS_PER_S) / 1000;
}

/* 1024 slots and 1 MiB; counters pass 2^64 on the way. */
static void
the_window_is_how_long_an_event_stays(void **state)
{
	static struct ring_window w;
	uint64_t ord = UINT64_MAX - 3000, pos = UINT64_MAX - 5000, t;

	ring_window_begin(&w, 1024, 1 << 20,
	    &(struct ring_window_mark){ ord, pos, 100 * NS_PER_S });
	assert_int_equal(window_s(&w, 100), RING_WINDOW_MAX_MS / 1000);
	/* Too little to say how long it will be. */
	window_pass(&w, &ord, &pos, 127, 1, 101);
	assert_int_equal(window_s(&w, 101), RING_WINDOW_MAX_MS / 1000);
	/* A quarter in ten seconds, as it would go on. */
	window_pass(&w, &ord, &pos, 129, 1, 110);
	assert_int_equal(window_s(&w, 110), 40);
	assert_int_equal(window_s(&w, 120), 80);
	/* Asked by one who took the time before it began. */
	assert_int_equal(window_s(&w, 99), 0);
	/* Sixteen a second: sixty-four seconds of them. */
	for (t = 110; t < 410; t++)
		window_pass(&w, &ord, &pos, 16, 1, t);
	assert_in_range(window_s(&w, 410), 62, 66);
	/* It grows while nothing comes. */
	assert_in_range(window_s(&w, 510), 155, 165);
	/* Bytes run out before slots: 16 passes of 64 KiB are all. */
	for (t = 510; t < 610; t++)
		window_pass(&w, &ord, &pos, 1, 65536, t);
	assert_in_range(window_s(&w, 610), 15, 17);
	/* All of it at once. */
	for (unsigned i = 0; i < 100; i++)
		window_pass(&w, &ord, &pos, 128, 1, 700);
	assert_int_equal(window_s(&w, 700), 0);
	assert_in_range(w.n, 1, 130);
	assert_int_equal(ring_window_ms(&w, UINT64_MAX), RING_WINDOW_MAX_MS);
}

/* Whatever times events have. */
static void
the_writer_knows_the_window_of_its_ring(void **state)
{
	struct ringfix *fx = *state;
	uint64_t began = time_mono_ns(), ms;

	assert_int_equal(ring_writer_window_ms(fx->writer, time_mono_ns()),
	    RING_WINDOW_MAX_MS);
	ringfix_publish(fx, 100);
	ms = ring_writer_window_ms(fx->writer, time_mono_ns());
	assert_true(ms <= (time_mono_ns() - began) / NS_PER_MS + 1);
	ms = ring_writer_window_ms(fx->writer, time_mono_ns() + NS_PER_S);
	assert_in_range(ms, 900, 60000);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, ringfix_setup, ringfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_come_back_in_order_and_whole),
		TEST(nothing_of_a_pass_is_visible_before_its_commit),
		TEST(a_read_is_bounded_by_max_and_by_room),
		TEST(
		    the_reader_is_lapped_by_one_event_more_than_there_are_slots),
		TEST(
		    the_reader_is_lapped_by_one_byte_more_than_there_is_payload),
		TEST(a_pass_that_has_begun_has_lapped_already),
		TEST(a_pass_of_the_whole_ring_leaves_nothing_until_its_commit),
		TEST(
		    bytes_that_are_overwritten_while_they_are_copied_are_not_used),
		TEST(
		    a_search_that_is_overtaken_does_not_pass_over_what_it_lost),
		TEST(an_event_over_the_end_of_the_payload_is_one_slice),
		TEST(seek_finds_the_first_durable_event_behind_a_seq),
		TEST(
		    ephemeral_events_that_push_a_durable_one_out_lap_its_readers),
		TEST(an_empty_ring_stands_at_the_head_of_the_log),
		TEST(counters_may_pass_two_to_the_32_and_63),
		TEST(a_backlog_is_measured_without_reading_it),
		TEST(a_clone_has_a_position_of_its_own),
		TEST(the_ring_can_be_read_when_its_writer_has_gone),
		TEST(an_event_tells_when_its_pass_began),
		TEST(stamps_go_round),
		TEST(a_run_is_as_late_as_each_of_its_passes),
		TEST(the_window_is_how_long_an_event_stays),
		TEST(the_writer_knows_the_window_of_its_ring),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
