/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring against the log: what readers were shown is what the disk holds,
 * byte for byte.  Bounded memory, whatever their sizes.
 */

#ifndef PEAL_TOOLS_RING_COMPARE_H
#define PEAL_TOOLS_RING_COMPARE_H

#include <stdint.h>

#include "core/macros.h"

struct house;
struct reason;
struct ring_reader;

struct ring_compare_result {
	uint64_t events; /* that are the same */
	uint64_t first_seq;
	uint64_t last_seq;
	uint64_t older;	    /* in the ring, and kept in the log no longer */
	uint64_t ephemeral; /* in the ring alone, as they should */
};

enum ring_compare {
	RING_COMPARE_SAME = 0,
	RING_COMPARE_DIFFERS, /* why names the event, or the log's damage */
};

MUST_CHECK int ring_compare(const struct house *house, struct ring_reader *rd,
    struct ring_compare_result *result, struct reason *why);

#endif
