/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring and its readers, read as a whole before anything of it is told: a
 * file that was cut short meanwhile tells nothing.
 */

#ifndef PEAL_TOOLS_METRICS_RING_H
#define PEAL_TOOLS_METRICS_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "shm/ring_reader.h"

struct metrics;
struct reason;
struct watch;

enum {
	METRICS_RING_VALUES = 10,
	METRICS_READER_VALUES = 11
};

struct metrics_reader {
	struct ring_seat_info seat;
	bool lag_known; /* what it lacks is still in the ring */
	uint64_t values[METRICS_READER_VALUES];
};

struct metrics_ring {
	bool found;
	bool served; /* in service, and its writer's loop comes round */
	uint64_t values[METRICS_RING_VALUES];
	unsigned n; /* readers; none where it is not served */
	struct metrics_reader readers[RING_SEATS];
};

/*
 * Read w->rd, all zeros where there is none.  -EPROTO with a sentence: it was
 * cut short, and *ring is all zeros, too.
 */
MUST_CHECK int metrics_ring_read(
    struct watch *w, struct metrics_ring *ring, struct reason *why);
void metrics_ring_add(const struct metrics_ring *ring, struct metrics *m);

#endif
