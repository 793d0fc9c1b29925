/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The timekeeper.  It holds the difference between the wall clock and the time
 * since the machine started, which nobody sets, and lets it grow slowly only.
 */

#include "core/timekeeper.h"
#include "core/macros.h"
#include "core/time.h"

#define LEAP_US	   ((int64_t)(60 * US_PER_S))
#define BELIEVE_US (600 * US_PER_S)

void
timekeeper_init(struct timekeeper *k, uint64_t wall_us, uint64_t boot_us)
{
	int64_t offset = (int64_t)(wall_us - boot_us);

	*k = (struct timekeeper){ .offset_us = offset, .top_us = offset };
}

static uint64_t
believe(struct timekeeper *k, int64_t offset, uint64_t wall_us)
{
	k->offset_us = offset;
	k->top_us = k->doubts ? offset : MAX(k->top_us, offset);
	k->leapt_at_us = 0;
	return wall_us;
}

uint64_t
timekeeper_now(struct timekeeper *k, uint64_t wall_us, uint64_t boot_us)
{
	int64_t offset = (int64_t)(wall_us - boot_us);

	if (offset - k->top_us <= LEAP_US)
		return believe(k, offset, wall_us);
	/* What leaps once more has to stand once more. */
	if (!k->leapt_at_us || offset - k->leapt_to_us > LEAP_US ||
	    k->leapt_to_us - offset > LEAP_US) {
		k->leapt_to_us = offset;
		k->leapt_at_us = boot_us;
		k->leaps++;
	}
	if (boot_us - k->leapt_at_us >= BELIEVE_US)
		return believe(k, offset, wall_us);
	return boot_us + (uint64_t)k->offset_us;
}

void
timekeeper_doubt(struct timekeeper *k)
{
	timekeeper_init(k, 0, time_clock_ns(CLOCK_BOOTTIME) / 1000);
	k->doubts = true;
}

uint64_t
timekeeper_ask(struct timekeeper *k)
{
	return timekeeper_now(
	    k, time_wall_us(), time_clock_ns(CLOCK_BOOTTIME) / 1000);
}
