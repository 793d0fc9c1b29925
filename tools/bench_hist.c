/* SPDX-License-Identifier: BSD-2-Clause */

/* Bucket index: the exponent, then the seven bits behind the leading one. */

#include "tools/bench_hist.h"
#include "core/macros.h"

static unsigned
bench_hist_bucket(uint64_t ns)
{
	unsigned shift;

	if (ns < (1u << BENCH_HIST_SUB))
		return (unsigned)ns;
	shift = 63u - (unsigned)__builtin_clzll(ns) - BENCH_HIST_SUB;
	return ((shift + 1) << BENCH_HIST_SUB) +
	       (unsigned)((ns >> shift) - (1u << BENCH_HIST_SUB));
}

/* The longest duration that falls into the bucket. */
static uint64_t
bench_hist_value(unsigned bucket)
{
	unsigned shift = bucket >> BENCH_HIST_SUB;
	uint64_t low = bucket & ((1u << BENCH_HIST_SUB) - 1);

	if (shift == 0)
		return low;
	shift--;
	return ((low + (1u << BENCH_HIST_SUB) + 1) << shift) - 1;
}

void
bench_hist_add(struct bench_hist *h, uint64_t ns, uint64_t times)
{
	h->n[bench_hist_bucket(ns)] += times;
	h->count += times;
	h->max = MAX(h->max, ns);
}

void
bench_hist_merge(struct bench_hist *to, const struct bench_hist *from)
{
	for (unsigned i = 0; i < BENCH_HIST_BUCKETS; i++)
		to->n[i] += from->n[i];
	to->count += from->count;
	to->max = MAX(to->max, from->max);
}

uint64_t
bench_hist_percentile(const struct bench_hist *h, double percent)
{
	uint64_t want = (uint64_t)((double)h->count * percent / 100 + 0.5);
	uint64_t sum = 0;

	want = MAX(want, 1);
	for (unsigned i = 0; i < BENCH_HIST_BUCKETS; i++) {
		sum += h->n[i];
		if (sum >= want)
			return MIN(bench_hist_value(i), h->max);
	}
	return h->max;
}

uint64_t
bench_hist_above(const struct bench_hist *h, uint64_t ns)
{
	uint64_t sum = 0;

	for (unsigned i = bench_hist_bucket(ns) + 1; i < BENCH_HIST_BUCKETS;
	     i++)
		sum += h->n[i];
	return sum;
}
