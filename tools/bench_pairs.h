/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Pairs of figures, ours and the bare counterpart's, taken in turns.  What is
 * told are medians, so that one disturbed round says nothing.
 */

#ifndef PEAL_TOOLS_BENCH_PAIRS_H
#define PEAL_TOOLS_BENCH_PAIRS_H

enum {
	BENCH_PAIRS_MAX = 99
};

struct bench_pairs {
	double ours[BENCH_PAIRS_MAX];
	double bare[BENCH_PAIRS_MAX];
	double ratio[BENCH_PAIRS_MAX];
	unsigned n;
};

/* Both in ns for one operation. */
void bench_pairs_add(struct bench_pairs *p, double ours, double bare);
/* One line; the pairs are sorted by it. */
void bench_pairs_print(
    struct bench_pairs *p, const char *name, const char *bare);

#endif
