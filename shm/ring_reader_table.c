/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What tools see beside the events: the readers' table and the counters.
 * Nothing in them is believed further than that it can be printed.
 */

#include "shm/ring_reader_priv.h"
#include "shm/stats.h"

_Static_assert((int)RING_SEATS == (int)RING_READERS, "one number");

/* When a seat is being rewritten. */
enum {
	SEAT_TRIES = 8
};

/* Role of a stranger, made fit to print. */
static void
role_copy(char role[RING_ROLE], const uint64_t word[RING_ROLE / 8])
{
	memcpy(role, word, RING_ROLE);
	role[RING_ROLE - 1] = '\0';
	for (char *c = role; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

static bool
seat_copy(const struct ring_seat *seat, struct ring_seat_info *info)
{
	uint64_t generation = ring_load_acquire(&seat->generation);
	uint64_t role[RING_ROLE / 8];

	for (unsigned i = 0; i < ARRAY_LEN(role); i++)
		role[i] = ring_load(&seat->role[i]);
	*info = (struct ring_seat_info){
		.pid = (long)ring_load(&seat->pid),
		.attached_us = ring_load(&seat->attached_us),
		.position = ring_load(&seat->position),
		.clients = ring_load(&seat->clients),
		.lapped = ring_load(&seat->lapped),
		.wakeups = ring_load(&seat->wakeups),
		.missed = ring_load(&seat->missed),
		.parked = ring_load(&seat->parked) != 0,
		.heartbeat_ns = ring_load(&seat->heartbeat_ns),
	};
	role_copy(info->role, role);
	atomic_thread_fence(memory_order_acquire);
	return !(generation & 1) && generation == ring_load(&seat->generation);
}

unsigned
ring_reader_seats(
    const struct ring_reader *rd, struct ring_seat_info *seats, unsigned max)
{
	struct ring_seat_info info = { 0 };
	unsigned n = 0;

	for (unsigned i = 0; i < rd->map->head.readers && n < max; i++) {
		bool whole = false;

		for (unsigned try = 0; try < SEAT_TRIES && !whole; try++)
			whole = seat_copy(&rd->map->seats[i], &info);
		if (!whole || info.pid <= 0)
			continue;
		info.seat = i;
		seats[n++] = info;
	}
	return n;
}

int
ring_reader_stats(
    const struct ring_reader *rd, struct stats_view *view, struct reason *why)
{
	return stats_view_init(
	    view, rd->map->stats, rd->map->head.stats_bytes, why);
}
