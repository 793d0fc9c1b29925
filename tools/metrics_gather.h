/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What there is to be told of a house, from shared memory alone: counters of
 * its processes, the ring, and who reads it.  A process that has gone is told
 * of as long as its counters are there, and nothing of it that was only true
 * while it ran.
 */

#ifndef PEAL_TOOLS_METRICS_GATHER_H
#define PEAL_TOOLS_METRICS_GATHER_H

#include "core/macros.h"

struct metrics;
struct reason;
struct stats_hist;
struct metrics_hist;
struct watch;

/*
 * Look at the house and add all of it to m.  What can't be understood is
 * counted there, and its sentences stay in w->bad.  Below zero: the house
 * can't be looked at, and m has what was found until then.
 */
MUST_CHECK int metrics_gather(
    struct watch *w, struct metrics *m, struct reason *why);

/*
 * Fewer buckets of the same histogram, always the same for a unit: each power
 * of two, and for times the middle between two of them as well.
 */
void metrics_gather_hist(
    const struct stats_hist *from, const char *unit, struct metrics_hist *to);

#endif
