/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lag as a time counts from an event's publication, not from the time that
 * it carries: an import carries those of the past.
 */

#include "tools/lag.h"
#include "core/macros.h"
#include "core/time.h"
#include "shm/ring_reader.h"

static uint64_t
lag_since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

uint64_t
lag_beat_ns(const struct ring_seat_info *seat)
{
	return lag_since(seat->heartbeat_ns, time_mono_ns());
}

/* Stamps repeat after 73 minutes. */
#define LAG_STAMPS_NS (UINT64_C(1) << 42)

/*
 * Who has been silent for longer than stamps last is behind for about as
 * long.  Without a stamp the event was in the ring before its readers.
 */
static uint64_t
lag_age_us(const struct ring_info *info, const struct ring_backlog *backlog,
    uint64_t silent_ns)
{
	uint64_t now_us = time_wall_us(), age_ns;

	if (!backlog->oldest_stamp)
		return MIN(lag_since(backlog->oldest_us, now_us),
		    lag_since(info->created_us, now_us));
	age_ns = ring_event_age_ns(backlog->oldest_stamp, time_mono_ns());
	if (silent_ns > age_ns)
		age_ns += (silent_ns - age_ns) / LAG_STAMPS_NS * LAG_STAMPS_NS;
	return age_ns / 1000;
}

void
lag_of(struct ring_reader *rd, uint64_t head, const struct ring_seat_info *seat,
    struct lag *lag)
{
	const struct ring_info *info = ring_reader_info(rd);
	struct ring_backlog backlog = { 0 };
	int got = ring_reader_seek(rd, seat->position);

	if (got == RING_EVENT)
		got = ring_reader_backlog(rd, &backlog);
	*lag = (struct lag){
		.events = lag_since(seat->position, head),
		.known = got == RING_EVENT || got == RING_EMPTY,
		.bytes = backlog.bytes,
		.share = MAX((double)backlog.events / info->slots,
		    (double)backlog.bytes / (double)info->payload_bytes),
	};
	if (backlog.events)
		lag->us = lag_age_us(info, &backlog, lag_beat_ns(seat));
}
