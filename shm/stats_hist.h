/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Histograms in the manner of HdrHistogram: 32 buckets for each power of two,
 * so that a value is known to within 1/32 of itself, and values below 64
 * exactly.  Here is what a bucket holds, and what can be said of a copy.
 */

#ifndef PEAL_SHM_STATS_HIST_H
#define PEAL_SHM_STATS_HIST_H

#include <stdint.h>

#include "core/macros.h"

enum {
	STATS_HIST_SUB = 5, /* log2 of the buckets for each power of two */
	/* Up to 2^41: 36 minutes in ns.  The last takes what is beyond. */
	STATS_HIST_BUCKETS = (41 - STATS_HIST_SUB + 1) << STATS_HIST_SUB,
};

/* The bucket of a value. */
static inline unsigned
stats_hist_bucket(uint64_t v)
{
	unsigned shift = 63u - STATS_HIST_SUB -
			 (unsigned)__builtin_clzll(v | 1u << STATS_HIST_SUB);
	uint64_t b = ((uint64_t)shift << STATS_HIST_SUB) + (v >> shift);

	return (unsigned)MIN(b, (uint64_t)STATS_HIST_BUCKETS - 1);
}

/* The least value of bucket b, which may be STATS_HIST_BUCKETS: one past. */
uint64_t stats_hist_low(unsigned b);
/* The greatest; UINT64_MAX of the last. */
uint64_t stats_hist_high(unsigned b);

/* A copy: what was recorded until it was made, or between two copies. */
struct stats_hist {
	uint64_t count; /* of values: the sum of n */
	uint64_t sum;	/* of them */
	uint64_t max;
	uint64_t n[STATS_HIST_BUCKETS];
};

/* Add what another has, of another process for instance. */
void stats_hist_merge(struct stats_hist *to, const struct stats_hist *from);
/*
 * Leave what came since an earlier copy of the same histogram; all of it
 * where the earlier has more, as after a restart.  The maximum becomes what
 * its bucket says, and no more than it was.
 */
void stats_hist_since(struct stats_hist *now, const struct stats_hist *before);

/*
 * The value that percent (0 to 100) of all values do not exceed: the greatest
 * one of its bucket, and no more than the maximum.  0 of nothing.
 */
uint64_t stats_hist_percentile(const struct stats_hist *h, double percent);
double stats_hist_mean(const struct stats_hist *h);
/*
 * How many values are below v.  Exact where a bucket begins with v, as with
 * every power of two; else the bucket of v is left out.
 */
uint64_t stats_hist_below(const struct stats_hist *h, uint64_t v);

#endif
