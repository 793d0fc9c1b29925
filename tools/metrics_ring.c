/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring as metrics.  The values of a ring that nobody serves are told as
 * far as they stay true; its readers' are not.
 */

#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/lag.h"
#include "tools/metrics_ring.h"
#include "tools/metrics_text.h"
#include "tools/watch.h"

enum {
	BEAT_FRESH_S = 10
};

/* Order of struct metrics_ring's values. */
enum ring_value {
	RING_VALUE_STATE,
	RING_VALUE_BEAT,
	RING_VALUE_HEAD,
	RING_VALUE_OLDEST,
	RING_VALUE_ORDINAL,
	RING_VALUE_OVERWRITTEN,
	RING_VALUE_HELD,
	RING_VALUE_HELD_BYTES,
	RING_VALUE_SLOTS,
	RING_VALUE_PAYLOAD,
	RING_VALUES_KNOWN
};

_Static_assert((int)RING_VALUES_KNOWN == METRICS_RING_VALUES, "one each");

static const struct metrics_about ring_about[METRICS_RING_VALUES] = {
	[RING_VALUE_STATE] = { "ring", "running", "",
	    "1 while the ring is in service, 0 once it was closed",
	    METRICS_GAUGE },
	[RING_VALUE_BEAT] = { "ring", "heartbeat_age", "ns",
	    "since the writer's loop last came round", METRICS_GAUGE },
	[RING_VALUE_HEAD] = { "ring", "head_seq", "",
	    "seq of the newest event of the log", METRICS_GAUGE },
	[RING_VALUE_OLDEST] = { "ring", "oldest_seq", "",
	    "seq of the oldest event of the log", METRICS_GAUGE },
	[RING_VALUE_ORDINAL] = { "ring", "published", "events",
	    "published in the ring, ephemeral ones too", METRICS_COUNTER },
	[RING_VALUE_OVERWRITTEN] = { "ring", "overwritten", "events",
	    "that the ring no longer holds", METRICS_COUNTER },
	[RING_VALUE_HELD] = { "ring", "events", "events", "that the ring holds",
	    METRICS_GAUGE },
	[RING_VALUE_HELD_BYTES] = { "ring", "used", "bytes",
	    "of the events that the ring holds", METRICS_GAUGE },
	[RING_VALUE_SLOTS] = { "ring", "slots", "events",
	    "that the ring has room for", METRICS_GAUGE },
	[RING_VALUE_PAYLOAD] = { "ring", "room", "bytes",
	    "that the ring has room for", METRICS_GAUGE },
};

enum reader_value {
	READER_VALUE_POSITION,
	READER_VALUE_LAG_EVENTS,
	READER_VALUE_CLIENTS,
	READER_VALUE_LAPPED,
	READER_VALUE_WAKEUPS,
	READER_VALUE_MISSED,
	READER_VALUE_PARKED,
	READER_VALUE_BEAT,
	READER_VALUE_LOST, /* the ring has moved past it */
	/* Only where what it lacks is still in the ring. */
	READER_VALUE_LAG_BYTES,
	READER_VALUE_LAG_US,
	READER_VALUES_KNOWN
};

_Static_assert((int)READER_VALUES_KNOWN == METRICS_READER_VALUES, "one each");

static const struct metrics_about reader_about[METRICS_READER_VALUES] = {
	[READER_VALUE_POSITION] = { "reader", "position_seq", "",
	    "seq that it has read up to", METRICS_GAUGE },
	[READER_VALUE_LAG_EVENTS] = { "reader", "lag_events", "events",
	    "that it has yet to read", METRICS_GAUGE },
	[READER_VALUE_CLIENTS] = { "reader", "clients", "", "that it serves",
	    METRICS_GAUGE },
	[READER_VALUE_LAPPED] = { "reader", "lapped", "times",
	    "the ring moved past it", METRICS_COUNTER },
	[READER_VALUE_WAKEUPS] = { "reader", "wakeups", "times", "it was woken",
	    METRICS_COUNTER },
	[READER_VALUE_MISSED] = { "reader", "missed_wakeups", "times",
	    "its doorbell should have rung and did not", METRICS_COUNTER },
	[READER_VALUE_PARKED] = { "reader", "parked", "",
	    "1 while it waits for its doorbell", METRICS_GAUGE },
	[READER_VALUE_BEAT] = { "reader", "heartbeat_age", "ns",
	    "since it last reported", METRICS_GAUGE },
	[READER_VALUE_LOST] = { "reader", "lag_unknown", "",
	    "1 where what it has yet to read has left the ring",
	    METRICS_GAUGE },
	[READER_VALUE_LAG_BYTES] = { "reader", "lag", "bytes",
	    "that it has yet to read", METRICS_GAUGE },
	[READER_VALUE_LAG_US] = { "reader", "lag", "us",
	    "age of the oldest event that it has yet to read", METRICS_GAUGE },
};

static uint64_t
since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

static void
read_ring(struct ring_reader *rd, const struct ring_status *status,
    struct metrics_ring *ring)
{
	const struct ring_info *info = ring_reader_info(rd);
	uint64_t beat_ns = since(status->heartbeat_ns, time_mono_ns());
	struct ring_backlog held = { 0 };
	uint64_t *v = ring->values;

	v[RING_VALUE_STATE] = status->state == RING_RUNNING;
	v[RING_VALUE_BEAT] = beat_ns;
	v[RING_VALUE_HEAD] = status->tail_seq;
	v[RING_VALUE_OLDEST] = status->oldest_seq;
	v[RING_VALUE_ORDINAL] = status->tail_ord;
	v[RING_VALUE_OVERWRITTEN] = since(1, status->valid_ord);
	v[RING_VALUE_SLOTS] = info->slots;
	v[RING_VALUE_PAYLOAD] = info->payload_bytes;
	(void)ring_reader_seek_oldest(rd);
	if (ring_reader_backlog(rd, &held) < 0)
		return;
	v[RING_VALUE_HELD] = held.events;
	v[RING_VALUE_HELD_BYTES] = held.bytes;
	ring->found = true;
	ring->served =
	    status->state == RING_RUNNING && beat_ns < BEAT_FRESH_S * NS_PER_S;
}

static void
read_reader(struct ring_reader *rd, uint64_t head,
    const struct ring_seat_info *seat, struct metrics_reader *reader)
{
	uint64_t *v = reader->values;
	struct lag lag;

	lag_of(rd, head, seat, &lag);
	reader->seat = *seat;
	reader->lag_known = lag.known;
	v[READER_VALUE_POSITION] = seat->position;
	v[READER_VALUE_LAG_EVENTS] = lag.events;
	v[READER_VALUE_CLIENTS] = seat->clients;
	v[READER_VALUE_LAPPED] = seat->lapped;
	v[READER_VALUE_WAKEUPS] = seat->wakeups;
	v[READER_VALUE_MISSED] = seat->missed;
	v[READER_VALUE_PARKED] = seat->parked;
	v[READER_VALUE_BEAT] = lag_beat_ns(seat);
	v[READER_VALUE_LOST] = !reader->lag_known;
	v[READER_VALUE_LAG_BYTES] = lag.bytes;
	v[READER_VALUE_LAG_US] = lag.us;
}

int
metrics_ring_read(
    struct watch *w, struct metrics_ring *ring, struct reason *why)
{
	struct ring_seat_info seats[RING_SEATS];
	struct ring_status status;
	int err;

	memset(ring, 0, sizeof(*ring));
	if (!w->rd)
		return 0;
	ring_reader_status(w->rd, &status);
	read_ring(w->rd, &status, ring);
	if (ring->served)
		ring->n = ring_reader_seats(w->rd, seats, RING_SEATS);
	for (unsigned i = 0; i < ring->n; i++)
		read_reader(
		    w->rd, status.tail_seq, &seats[i], &ring->readers[i]);
	err = watch_whole(w, why);
	if (err < 0)
		memset(ring, 0, sizeof(*ring));
	return err;
}

static void
add_values(struct metrics *m, const struct metrics_about *about,
    const struct metrics_labels *labels, const uint64_t *values, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		metrics_add(m, &about[i], labels, values[i]);
}

void
metrics_ring_add(const struct metrics_ring *ring, struct metrics *m)
{
	if (ring->found)
		add_values(
		    m, ring_about, NULL, ring->values, METRICS_RING_VALUES);
	for (unsigned i = 0; i < ring->n; i++) {
		const struct metrics_reader *reader = &ring->readers[i];
		struct metrics_labels labels = { "" };

		metrics_label(&labels, "role", reader->seat.role);
		metrics_label_uint(&labels, "pid", (uint64_t)reader->seat.pid);
		add_values(m, reader_about, &labels, reader->values,
		    reader->lag_known ? METRICS_READER_VALUES
				      : READER_VALUE_LAG_BYTES);
	}
}
