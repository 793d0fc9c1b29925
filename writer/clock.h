/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The clock that events get their time from: the wall clock, but a leap of
 * more than a minute ahead is believed only after it has stood for ten.
 */

#ifndef PEAL_WRITER_CLOCK_H
#define PEAL_WRITER_CLOCK_H

#include <stdint.h>

struct writer_clock {
	int64_t offset_us;    /* wall - boottime, as believed */
	uint64_t leapt_at_us; /* boottime of the leap; 0: none */
	uint64_t leaps;
};

/* Begin with what the clocks say now, microseconds. */
void writer_clock_init(
    struct writer_clock *c, uint64_t wall_us, uint64_t boot_us);
/* The time to be used, given what the clocks say. */
uint64_t writer_clock_now(
    struct writer_clock *c, uint64_t wall_us, uint64_t boot_us);

#endif
