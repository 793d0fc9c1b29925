/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What counters do: how fast they grow since the turn before, and over the
 * last 10 and 100 seconds.  Times come from the caller, and whatever the
 * processes count costs bounded memory.
 */

#ifndef PEAL_TOOLS_RATES_H
#define PEAL_TOOLS_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct stats_view;

enum {
	RATES_SAMPLES = 101,  /* a second apart or more */
	RATES_SERIES = 16384, /* of all processes: 13 MiB; others have none */
};

struct rates;
struct rates_process;

struct rates *rates_new(void);
struct rates *rates_free(struct rates *r);
CLEANUP_FN(struct rates *, rates_free)

/* A turn begins; who was not in the last one is forgotten. */
void rates_turn(struct rates *r, uint64_t now_ns);

/*
 * Take what a process says in this turn.  It is the same as before when name,
 * pid and start are.  NULL: no room; else it is valid until the next turn.
 */
struct rates_process *rates_take(
    struct rates *r, const struct stats_view *view);

/*
 * Counters and histograms: growth per second.  Gauges: what it is, and its
 * mean over the samples of that time.
 */
struct rates_figures {
	double last; /* since the turn before; of a gauge, its value */
	double avg_10;
	double avg_100;
};

/*
 * Of entry i.  false: nothing can be said, because it is the first turn, or
 * a counter went back.  With less than 10 or 100 seconds behind it, an
 * average is over what there is.
 */
bool rates_of(
    const struct rates_process *p, unsigned i, struct rates_figures *figures);

#endif
