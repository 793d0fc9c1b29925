/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The window of the ring: for how long an event stays in it.  Told by when
 * passes were made, since events may have times of their own from years ago.
 */

#ifndef PEAL_SHM_RING_WINDOW_H
#define PEAL_SHM_RING_WINDOW_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	RING_WINDOW_MARKS = 256,
	RING_WINDOW_MAX_MS = 86400000
};

/* Events from this ordinal and position on are not older. */
struct ring_window_mark {
	uint64_t ord;
	uint64_t pos;
	uint64_t ns; /* monotonic */
};

struct ring_window {
	uint64_t slots;
	uint64_t bytes;
	struct ring_window_mark marks[RING_WINDOW_MARKS]; /* a queue */
	unsigned first, n;
	_Atomic uint64_t oldest_ns;
	_Atomic uint64_t taken_ppm; /* of the ring, from there on */
};

/* Readers may come; what was loaded before is of no known age. */
void ring_window_begin(struct ring_window *w, uint64_t slots, uint64_t bytes,
    const struct ring_window_mark *now);
/*
 * A pass was made from that place up to ord and pos, and left valid_ord as
 * the oldest ordinal.
 */
void ring_window_pass(struct ring_window *w,
    const struct ring_window_mark *from, uint64_t ord, uint64_t pos,
    uint64_t valid_ord);

/*
 * The age of the oldest event, and where the ring is not full as much more as
 * there is room at the same pace; any thread.  RING_WINDOW_MAX_MS at most,
 * and as long as an eighth of the ring has not been used.
 */
uint64_t ring_window_ms(const struct ring_window *w, uint64_t now_ns);

#endif
