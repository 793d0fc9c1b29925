/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A histogram of durations in the manner of HdrHistogram: buckets that are
 * never wider than 1 % of what they hold, in fixed memory.
 */

#ifndef PEAL_TOOLS_BENCH_HIST_H
#define PEAL_TOOLS_BENCH_HIST_H

#include <stdint.h>

enum {
	BENCH_HIST_SUB = 7, /* 128 buckets for each power of two */
	BENCH_HIST_BUCKETS = (64 - BENCH_HIST_SUB + 1) << BENCH_HIST_SUB,
};

struct bench_hist {
	uint64_t count;
	uint64_t max;
	uint64_t n[BENCH_HIST_BUCKETS];
};

void bench_hist_add(struct bench_hist *h, uint64_t ns, uint64_t times);
void bench_hist_merge(struct bench_hist *to, const struct bench_hist *from);
/* The duration that percent of all do not exceed; 0 of an empty one. */
uint64_t bench_hist_percentile(const struct bench_hist *h, double percent);
/* How many were longer than ns, to the bucket. */
uint64_t bench_hist_above(const struct bench_hist *h, uint64_t ns);

#endif
