/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Timekeeper: the wall clock, but a leap of more than a minute ahead is
 * believed only after it has stood for ten.  Steps back are followed at once,
 * and so is the way forth again.
 */

#ifndef PEAL_CORE_TIMEKEEPER_H
#define PEAL_CORE_TIMEKEEPER_H

#include <stdbool.h>
#include <stdint.h>

struct timekeeper {
	int64_t offset_us;    /* wall - boottime, as believed */
	int64_t top_us;	      /* the most that was ever */
	uint64_t leapt_at_us; /* boottime of the leap; 0: none */
	int64_t leapt_to_us;  /* wall - boottime of it */
	uint64_t leaps;
	bool doubts;
};

/* Begin with what the clocks say now, microseconds. */
void timekeeper_init(struct timekeeper *k, uint64_t wall_us, uint64_t boot_us);
/* The time to be used, given what the clocks say. */
uint64_t timekeeper_now(
    struct timekeeper *k, uint64_t wall_us, uint64_t boot_us);

/*
 * For what age alone gives up and nobody brings back: begin in 1970, so that
 * nothing is old before the clock has stood for ten minutes, and take the way
 * forth again for a leap, too.
 */
void timekeeper_doubt(struct timekeeper *k);
/* The same as timekeeper_now() with what the clocks say. */
uint64_t timekeeper_ask(struct timekeeper *k);

#endif
