/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Over all events of a ring, once, up to where it ended when the walk began.
 * A writer that overtakes the walk is no fault: it goes on at the oldest.
 */

#ifndef PEAL_TOOLS_RING_WALK_H
#define PEAL_TOOLS_RING_WALK_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "shm/ring_reader.h"

struct reason;

/*
 * Call fn for each event behind seq, with its bytes, which live for the
 * call.  It goes on while fn returns 0; another value is returned.
 */
typedef int (*ring_walk_fn)(void *arg, const struct ring_event *ev,
    uint64_t ordinal, struct slice bytes, struct reason *why);
MUST_CHECK int ring_walk(struct ring_reader *rd, uint64_t seq, ring_walk_fn fn,
    void *arg, struct reason *why);

struct ring_walk_result {
	uint64_t events;
	uint64_t first_seq;
	uint64_t last_seq;
	uint64_t overtaken; /* times the writer was faster */
};

enum ring_walk_verdict {
	RING_WALK_SOUND = 0,
	RING_WALK_FAULT
};

/*
 * Check each event against its CRC, its record and the event before it.
 * RING_WALK_FAULT: *why names the event.
 */
MUST_CHECK int ring_walk_verify(struct ring_reader *rd,
    struct ring_walk_result *result, struct reason *why);

#endif
