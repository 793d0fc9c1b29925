/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Metrics in Prometheus' text format, version 0.0.4: gathered one by one,
 * written family by family.  What is added may come from strangers; what is
 * written is always a text that a scraper takes as a whole.
 */

#ifndef PEAL_TOOLS_METRICS_TEXT_H
#define PEAL_TOOLS_METRICS_TEXT_H

#include <stdint.h>

#include "core/macros.h"

struct metrics;
struct mp_buf;

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_HISTOGRAM,
};

/*
 * As a table of counters tells of it.  The name becomes peal_ROOM_NAME in
 * base units: "ns", "us" and "ms" are seconds there, and a counter ends in
 * _total.  Characters that no name may have become '_'.
 */
struct metrics_about {
	const char *room; /* "": peal itself */
	const char *name;
	const char *unit;
	const char *text;
	enum metrics_type type;
};

enum {
	METRICS_EDGES = 64,
	METRICS_LABELS = 160
};

/* Upper edges in the unit, rising, each with how many were at most that. */
struct metrics_hist {
	unsigned n;
	uint64_t edge[METRICS_EDGES];
	uint64_t upto[METRICS_EDGES];
	uint64_t count;
	uint64_t sum;
};

/* Labels under way: {0} is none, and what has no room is left out. */
struct metrics_labels {
	char text[METRICS_LABELS];
};

/* name is ours; value may hold anything. */
void metrics_label(
    struct metrics_labels *labels, const char *name, const char *value);
void metrics_label_uint(
    struct metrics_labels *labels, const char *name, uint64_t value);

/* NULL without memory. */
struct metrics *metrics_new(void);
struct metrics *metrics_free(struct metrics *m);
CLEANUP_FN(struct metrics *, metrics_free)

/* labels may be NULL: none.  What is added beyond METRICS_MAX is left out. */
void metrics_add(struct metrics *m, const struct metrics_about *about,
    const struct metrics_labels *labels, uint64_t value);
void metrics_add_hist(struct metrics *m, const struct metrics_about *about,
    const struct metrics_labels *labels, const struct metrics_hist *hist);

enum {
	METRICS_MAX = 16384
};

/*
 * Append all of it to out.  Of what has the same name and labels, the first
 * that was added counts; so does the first one's type.  Returns how many were
 * left out, or -ENOMEM.
 */
MUST_CHECK int metrics_write(struct metrics *m, struct mp_buf *out);

#endif
