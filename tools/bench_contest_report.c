/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Figures of contestants: medians of windows, and peal's ratio to each, which
 * is the median of the pairs' ratios: what disturbs the machine disturbs both
 * of a pair.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/bench_contest.h"

static int
report_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
report_middle(double *v, unsigned n)
{
	qsort(v, n, sizeof(v[0]), report_compare);
	return n ? v[n / 2] : 0;
}

static double
report_median(const struct contestant *c, const struct contest_figure *f)
{
	double v[CONTEST_PAIRS_MAX];

	for (unsigned i = 0; i < c->n; i++)
		v[i] = f->of(&c->results[i]);
	return report_middle(v, c->n);
}

static double
report_ratio(const struct contestant *ours, const struct contestant *c,
    const struct contest_figure *f)
{
	unsigned n = MIN(ours->n, c->n);
	double v[CONTEST_PAIRS_MAX];

	for (unsigned i = 0; i < n; i++) {
		double mine = f->of(&ours->results[i]);
		double other = f->of(&c->results[i]);

		/* Nothing beside nothing is the same. */
		v[i] = mine == 0 && other == 0 ? 1 : mine / other;
	}
	return report_middle(v, n);
}

/* A ratio to nothing is no number in JSON. */
static void
report_json_ratio(double ratio)
{
	if (isfinite(ratio))
		printf("%.4f", ratio);
	else
		printf("null");
}

static void
report_json(struct bench_contest *b, const char *bench,
    const struct contest_figure *figures, unsigned n)
{
	printf("{\"bench\":\"%s\",\"clients\":%u,\"rate\":%.0f,"
	       "\"seconds\":%.0f,\"size\":%llu,\"pairs\":%u,"
	       "\"gather_ms\":%llu",
	    bench, b->plan.clients, b->plan.rate, b->plan.seconds,
	    (unsigned long long)b->plan.size, b->pairs,
	    (unsigned long long)b->plan.gather_ms);
	for (unsigned i = 0; i < n; i++) {
		printf(",\"%s\":%.4f", figures[i].name,
		    report_median(&b->c[0], &figures[i]));
		for (unsigned k = 1; k < b->n; k++)
			if (b->c[k].n) {
				printf(",\"%s_%s\":%.4f,\"ratio_%s_%s\":",
				    b->c[k].name, figures[i].name,
				    report_median(&b->c[k], &figures[i]),
				    b->c[k].name, figures[i].name);
				report_json_ratio(report_ratio(
				    &b->c[0], &b->c[k], &figures[i]));
			}
	}
	printf("}\n");
}

void
bench_contest_report(struct bench_contest *b, const char *bench,
    const struct contest_figure *figures, unsigned n)
{
	if (b->t.json) {
		report_json(b, bench, figures, n);
		return;
	}
	printf("medians of %u windows each", b->pairs);
	if (b->n > 1)
		printf(", and peal's ratio to the others");
	printf(":\n%-28s %11s", "", "peal");
	for (unsigned k = 1; k < b->n; k++)
		printf(" %11s %6s", b->c[k].name, "");
	printf("\n");
	for (unsigned i = 0; i < n; i++) {
		printf("%-28s %11.3f", figures[i].name,
		    report_median(&b->c[0], &figures[i]));
		for (unsigned k = 1; k < b->n; k++)
			printf(" %11.3f (%4.2f)",
			    report_median(&b->c[k], &figures[i]),
			    report_ratio(&b->c[0], &b->c[k], &figures[i]));
		printf("\n");
	}
}
