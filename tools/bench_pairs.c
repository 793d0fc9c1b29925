/* SPDX-License-Identifier: BSD-2-Clause */

/* Medians of pairs, one line each. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/bench_pairs.h"

static int
compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare_double);
	return v[n / 2];
}

void
bench_pairs_add(struct bench_pairs *p, double ours, double bare)
{
	assert(p->n < BENCH_PAIRS_MAX);
	p->ours[p->n] = ours;
	p->bare[p->n] = bare;
	p->ratio[p->n++] = ours / bare;
}

void
bench_pairs_print(struct bench_pairs *p, const char *name, const char *bare)
{
	double ours = median(p->ours, p->n);

	printf("%-8s %.1f ns", name, ours);
	if (ours < 1000)
		printf(" (%.1f M/s)", 1e3 / ours);
	printf(", %s %.1f ns, ratio %.2f (median of %u pairs)\n", bare,
	    median(p->bare, p->n), median(p->ratio, p->n), p->n);
}
