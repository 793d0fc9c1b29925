/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The clock.  Steps back are followed at once: time never decreases anyway,
 * because the sequencer takes the newest event's where the clock is behind.
 */

#include "writer/clock.h"
#include "core/time.h"

#define LEAP_US	   ((int64_t)(60 * US_PER_S))
#define BELIEVE_US (600 * US_PER_S)

void
writer_clock_init(struct writer_clock *c, uint64_t wall_us, uint64_t boot_us)
{
	*c = (struct writer_clock){ .offset_us = (int64_t)(wall_us - boot_us) };
}

uint64_t
writer_clock_now(struct writer_clock *c, uint64_t wall_us, uint64_t boot_us)
{
	int64_t offset = (int64_t)(wall_us - boot_us);

	if (offset - c->offset_us <= LEAP_US) {
		c->offset_us = offset;
		c->leapt_at_us = 0;
		return wall_us;
	}
	if (!c->leapt_at_us) {
		c->leapt_at_us = boot_us;
		c->leaps++;
	}
	if (boot_us - c->leapt_at_us >= BELIEVE_US) {
		c->offset_us = offset;
		c->leapt_at_us = 0;
		return wall_us;
	}
	return boot_us + (uint64_t)c->offset_us;
}
