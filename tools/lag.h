/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How far a reader of the ring is behind, from shared memory alone: the same
 * figures for people, metrics and vitals.
 */

#ifndef PEAL_TOOLS_LAG_H
#define PEAL_TOOLS_LAG_H

#include <stdbool.h>
#include <stdint.h>

struct ring_reader;
struct ring_seat_info;

struct lag {
	uint64_t events; /* of the log */
	/* The rest is known while what the reader lacks is in the ring. */
	bool known;
	uint64_t bytes; /* ephemeral ones included */
	uint64_t us;	/* since the oldest of them was published */
	double share;	/* of the ring's room, 0 to 1 */
};

/*
 * Of the reader in that seat; head is the newest seq, loaded behind the seat.
 * Moves rd, and reads two records however much there is.
 */
void lag_of(struct ring_reader *rd, uint64_t head,
    const struct ring_seat_info *seat, struct lag *lag);

/* Since it last gave a sign of life. */
uint64_t lag_beat_ns(const struct ring_seat_info *seat);

#endif
