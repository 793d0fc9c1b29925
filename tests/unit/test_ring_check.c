/* SPDX-License-Identifier: BSD-2-Clause */

/* What must hold of a ring, broken one by one; and how far behind readers are. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/time.h"
#include "shm/ring_map.h"
#include "tests/lib/ringfix.h"
#include "tools/lag.h"
#include "tools/ring_check.h"

/* Writable, as nobody but the writer has it. */
static struct ring_map
map_ring(const struct ringfix *fx)
{
	struct ring_header head;
	struct ring_map map;
	int fd = openat(fx->dirfd, "ring", O_RDWR | O_CLOEXEC);

	assert_int_equal(ring_map_header(fd, "it", &head, NULL), 0);
	assert_int_equal(ring_map_init(&map, fd, &head, true, NULL), 0);
	(void)close(fd);
	return map;
}

static void
a_ring_is_sound_at_every_fill(void **state)
{
	struct reason broken[RING_CHECKS];
	struct ringfix *fx = *state;

	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(ring_check(fx->reader, broken), 0);
		ringfix_publish(fx, 1);
		assert_int_equal(ring_check(fx->reader, broken), 0);
		ringfix_emit(fx, i % 3);
	}
}

/* Put v there: exactly this is broken, and told in these words. */
static void
assert_broken(struct ringfix *fx, ring_word *word, uint64_t v, const char *text)
{
	struct reason broken[RING_CHECKS];
	uint64_t was = ring_load(word);

	ring_store(word, v);
	assert_int_equal(ring_check(fx->reader, broken), 1);
	if (!strstr(broken[0].text, text))
		fail_msg("'%s' lacks '%s'", broken[0].text, text);
	ring_store(word, was);
	assert_int_equal(ring_check(fx->reader, broken), 0);
}

static void
what_does_not_hold_is_named(void **state)
{
	struct ringfix *fx = *state;
	struct ring_map map = map_ring(fx);
	struct ring_hot *hot = map.hot;
	uint64_t later = time_mono_ns() + 3600 * NS_PER_S;

	ringfix_publish(fx, 20);
	assert_broken(fx, &hot->rung_ord, 21,
	    "rung for ordinal 21, and 20 is the newest");
	assert_broken(fx, &hot->oldest_seq, 22,
	    "the log begins at seq 22, and 20 is its newest");
	assert_broken(fx, &hot->publish_ns, later, "in the future");
	assert_broken(fx, &map.life->heartbeat_ns, later, "in the future");
	ring_store(&map.seats[3].pid, 77);
	assert_broken(fx, &map.seats[3].position, 21,
	    "reader 77 () says it is at seq 21, and 20 is the newest");
	ring_map_deinit(&map);
}

static void
ordinals_that_cannot_be_are_named(void **state)
{
	struct reason broken[RING_CHECKS];
	struct ringfix *fx = *state;
	struct ring_map map = map_ring(fx);

	ringfix_publish(fx, 20);
	ring_store(&map.hot->valid_ord, 22);
	assert_true(ring_check(fx->reader, broken) >= 1);
	assert_non_null(
	    strstr(broken[0].text, "the oldest event, ordinal 22, is beyond"));
	ring_store(&map.hot->valid_ord, 12);
	assert_true(ring_check(fx->reader, broken) >= 1);
	assert_non_null(
	    strstr(broken[0].text, "ordinals 12 to 20 do not fit into 8"));
	ring_store(&map.hot->valid_ord, 0);
	assert_true(ring_check(fx->reader, broken) >= 1);
	ring_map_deinit(&map);
}

static void
seqs_need_ordinals(void **state)
{
	struct ringfix *fx = *state;
	struct ring_map map = map_ring(fx);

	ringfix_publish(fx, 20);
	assert_broken(fx, &map.hot->tail_seq, 100,
	    "events of the log do not fit into 8 slots");
	ring_map_deinit(&map);
}

/* --- lag --- */

static struct lag
lag_at(struct ringfix *fx, uint64_t position, uint64_t beat_ns)
{
	struct ring_seat_info seat = { .position = position,
		.heartbeat_ns = beat_ns };
	struct lag lag;

	lag_of(fx->reader, fx->seq, &seat, &lag);
	return lag;
}

static void
lag_is_in_events_bytes_and_share(void **state)
{
	struct ringfix *fx = *state;
	struct lag lag;
	uint64_t all;

	ringfix_publish(fx, 8);
	lag = lag_at(fx, 8, 0);
	assert_true(lag.known);
	assert_int_equal(lag.events + lag.bytes + lag.us, 0);
	assert_float_equal(lag.share, 0, 0);
	all = lag_at(fx, 0, 0).bytes;
	lag = lag_at(fx, 4, 0);
	assert_true(lag.known);
	assert_int_equal(lag.events, 4);
	assert_in_range(lag.bytes, 1, all - 1);
	/* Half of the slots, and less of the bytes. */
	assert_float_equal(lag.share, 0.5, 1e-9);
	ringfix_emit(fx, 2);
	lag = lag_at(fx, 4, 0);
	assert_int_equal(lag.events, 4);
	assert_float_equal(lag.share, 0.75, 1e-9);
	lag = lag_at(fx, 1, 0);
	assert_false(lag.known);
	assert_int_equal(lag.events, 7);
}

static void
lag_counts_from_publication(void **state)
{
	struct ringfix *fx = *state;
	uint64_t now = time_mono_ns();

	/* The times of these events are of 1970. */
	ringfix_publish(fx, 8);
	assert_in_range(lag_at(fx, 4, now).us, 0, 300 * US_PER_S);
}

static void
who_is_silent_for_longer_than_stamps_last_is_late(void **state)
{
	struct ringfix *fx = *state;
	struct ring_map map = map_ring(fx);
	uint64_t now = time_mono_ns();
	uint64_t word, hours3 = UINT64_C(3) * 3600 * NS_PER_S;

	if (now <= hours3 + 60 * NS_PER_S) {
		print_message("the machine was started too recently\n");
		ring_map_deinit(&map);
		return;
	}
	ringfix_publish(fx, 8);
	/* All that it lacks came a minute after its last sign of life. */
	for (uint64_t ord = 1; ord <= 8; ord++) {
		ring_word *w = &ring_map_slot(&map, ord)->word[7];

		word = ring_load(w) & UINT32_MAX;
		ring_store(w,
		    word |
			(uint64_t)ring_event_stamp(now - hours3 + 60 * NS_PER_S)
			    << 32);
	}
	assert_in_range(lag_at(fx, 4, now - hours3).us,
	    (hours3 - 61 * NS_PER_S) / 1000, (hours3 + 240 * NS_PER_S) / 1000);
	ring_map_deinit(&map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, ringfix_setup, ringfix_teardown)
		T(a_ring_is_sound_at_every_fill),
		T(what_does_not_hold_is_named),
		T(ordinals_that_cannot_be_are_named),
		T(seqs_need_ordinals),
		T(lag_is_in_events_bytes_and_share),
		T(lag_counts_from_publication),
		T(who_is_silent_for_longer_than_stamps_last_is_late),
	};

	return cmocka_run_group_tests_name("ring_check", tests, NULL, NULL);
}
