/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The invariants of a ring.  A writer moves on between any two loads: what
 * may only be smaller is loaded first.
 */

#include <inttypes.h>

#include "core/time.h"
#include "shm/ring_reader.h"
#include "tools/ring_check.h"

/* Loaded in the order in which they stand here. */
struct ring_look {
	struct ring_info info;
	struct ring_seat_info seats[RING_SEATS];
	unsigned n;
	uint64_t rung_ord;
	struct ring_status before; /* the tail of before the rest */
	struct ring_status status;
	struct ring_status after; /* and of behind it */
	uint64_t held;		  /* durable events in the ring */
	uint64_t mono_ns;
};

static void
ring_look(struct ring_reader *rd, struct ring_look *look)
{
	uint64_t before;

	look->info = *ring_reader_info(rd);
	look->n = ring_reader_seats(rd, look->seats, RING_SEATS);
	look->rung_ord = ring_reader_rung(rd);
	ring_reader_status(rd, &look->before);
	ring_reader_status(rd, &look->status);
	ring_reader_status(rd, &look->after);
	before = ring_reader_seek_oldest(rd);
	look->held =
	    look->before.tail_seq > before ? look->before.tail_seq - before : 0;
	look->mono_ns = time_mono_ns();
}

static bool
ring_oldest_is_known(const struct ring_look *l, struct reason *why)
{
	if (l->status.valid_ord && l->status.valid_ord - 1 <= l->after.tail_ord)
		return true;
	(void)reason_set(why, 0,
	    "the oldest event, ordinal %" PRIu64
	    ", is beyond the newest, %" PRIu64,
	    l->status.valid_ord, l->after.tail_ord);
	return false;
}

static bool
ring_fits_into_its_slots(const struct ring_look *l, struct reason *why)
{
	uint64_t first = l->status.valid_ord, last = l->before.tail_ord;

	if (last < first || last - first < l->info.slots)
		return true;
	(void)reason_set(why, 0,
	    "ordinals %" PRIu64 " to %" PRIu64 " do not fit into %" PRIu32
	    " slots",
	    first, last, l->info.slots);
	return false;
}

static bool
ring_has_ordinals_for_seqs(const struct ring_look *l, struct reason *why)
{
	if (l->held <= l->info.slots)
		return true;
	(void)reason_set(why, 0,
	    "%" PRIu64 " events of the log do not fit into %" PRIu32 " slots",
	    l->held, l->info.slots);
	return false;
}

static bool
ring_rings_for_what_is_there(const struct ring_look *l, struct reason *why)
{
	if (l->rung_ord <= l->before.tail_ord)
		return true;
	(void)reason_set(why, 0,
	    "doorbells were rung for ordinal %" PRIu64 ", and %" PRIu64
	    " is the newest",
	    l->rung_ord, l->before.tail_ord);
	return false;
}

static bool
ring_log_begins_in_time(const struct ring_look *l, struct reason *why)
{
	if (l->status.oldest_seq - 1 <= l->after.tail_seq ||
	    l->status.oldest_seq == 0)
		return true;
	(void)reason_set(why, 0,
	    "the log begins at seq %" PRIu64 ", and %" PRIu64 " is its newest",
	    l->status.oldest_seq, l->after.tail_seq);
	return false;
}

static bool
ring_goes_forward(const struct ring_look *l, struct reason *why)
{
	if (l->before.tail_ord <= l->after.tail_ord &&
	    l->before.tail_seq <= l->after.tail_seq &&
	    l->before.valid_ord <= l->after.valid_ord)
		return true;
	(void)reason_set(why, 0,
	    "its newest event went back from ordinal %" PRIu64 " to %" PRIu64,
	    l->before.tail_ord, l->after.tail_ord);
	return false;
}

static bool
ring_times_are_past(const struct ring_look *l, struct reason *why)
{
	if (l->after.heartbeat_ns <= l->mono_ns &&
	    l->after.publish_ns <= l->mono_ns)
		return true;
	(void)reason_set(why, 0,
	    "its heartbeat or last event is %" PRIu64 " ms in the future",
	    (MAX(l->after.heartbeat_ns, l->after.publish_ns) - l->mono_ns) /
		NS_PER_MS);
	return false;
}

static bool
ring_readers_are_behind(const struct ring_look *l, struct reason *why)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->seats[i].position <= l->before.tail_seq)
			continue;
		(void)reason_set(why, 0,
		    "reader %ld (%s) says it is at seq %" PRIu64
		    ", and %" PRIu64 " is the newest",
		    l->seats[i].pid, l->seats[i].role, l->seats[i].position,
		    l->before.tail_seq);
		return false;
	}
	return true;
}

static bool (*const ring_checks[])(
    const struct ring_look *l, struct reason *why) = {
	ring_oldest_is_known,
	ring_fits_into_its_slots,
	ring_has_ordinals_for_seqs,
	ring_rings_for_what_is_there,
	ring_log_begins_in_time,
	ring_goes_forward,
	ring_times_are_past,
	ring_readers_are_behind,
};

_Static_assert(ARRAY_LEN(ring_checks) == RING_CHECKS, "all are announced");

unsigned
ring_check(struct ring_reader *rd, struct reason broken[RING_CHECKS])
{
	struct ring_look look;
	unsigned n = 0;

	ring_look(rd, &look);
	for (unsigned i = 0; i < ARRAY_LEN(ring_checks); i++)
		n += !ring_checks[i](&look, &broken[n]);
	return n;
}
