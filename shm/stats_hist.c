/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Copies of histograms.  They may come from strangers: no count is believed
 * to be less than it can be, and sums wrap instead of failing.
 */

#include "shm/stats_hist.h"

enum {
	HIST_SUBS = 1 << STATS_HIST_SUB
};

uint64_t
stats_hist_low(unsigned b)
{
	unsigned shift = b >> STATS_HIST_SUB;

	if (shift < 2)
		return b;
	shift--;
	return (uint64_t)(HIST_SUBS + b % HIST_SUBS) << shift;
}

uint64_t
stats_hist_high(unsigned b)
{
	return b >= STATS_HIST_BUCKETS - 1 ? UINT64_MAX
					   : stats_hist_low(b + 1) - 1;
}

void
stats_hist_merge(struct stats_hist *to, const struct stats_hist *from)
{
	for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++)
		to->n[b] += from->n[b];
	to->count += from->count;
	to->sum += from->sum;
	to->max = MAX(to->max, from->max);
}

void
stats_hist_since(struct stats_hist *now, const struct stats_hist *before)
{
	unsigned last = 0;

	for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++)
		if (before->n[b] > now->n[b])
			return;
	for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++) {
		now->n[b] -= before->n[b];
		if (now->n[b])
			last = b;
	}
	now->count -= before->count;
	now->sum -= before->sum;
	now->max = now->count ? MIN(now->max, stats_hist_high(last)) : 0;
}

uint64_t
stats_hist_percentile(const struct stats_hist *h, double percent)
{
	double exact = (double)h->count * percent / 100;
	/* Of 2^64 - 1, which strangers may say, exact is too large. */
	uint64_t want = percent < 100 ? (uint64_t)exact : h->count;
	uint64_t sum = 0;

	want += (double)want < exact;
	want = MAX(want, 1);
	for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++) {
		sum += h->n[b];
		if (sum >= want)
			return MIN(stats_hist_high(b), h->max);
	}
	return h->max;
}

double
stats_hist_mean(const struct stats_hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}

uint64_t
stats_hist_below(const struct stats_hist *h, uint64_t v)
{
	uint64_t sum = 0;

	for (unsigned b = 0; b < STATS_HIST_BUCKETS && stats_hist_high(b) < v;
	     b++)
		sum += h->n[b];
	return sum;
}
