/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The peal that a benchmark measures: one that runs already, or with --own
 * one of its own in a temporary directory, gone when the benchmark ends.
 */

#ifndef PEAL_TOOLS_BENCH_HOUSE_H
#define PEAL_TOOLS_BENCH_HOUSE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/macros.h"

struct reason;
struct tool;

struct bench_house {
	unsigned gateways;
	bool limits; /* those of the gateways stay as they are by default */
	pid_t pid;   /* of `peal up`; 0: not ours */
	char dir[PATH_MAX];
};

/* Make the temporary directory alone. */
MUST_CHECK int bench_house_make(struct bench_house *own, struct reason *why);
/*
 * Start `peal up` as own says on a free port, wait until it is ready and make
 * it the house of t.
 */
MUST_CHECK int bench_house_start(
    struct bench_house *own, struct tool *t, struct reason *why);
/* Stop it and remove its directory. */
void bench_house_stop(struct bench_house *own);

/* What the processes of a house have used, read from /proc. */
struct bench_usage {
	uint64_t cpu_ns; /* user and system time */
	uint64_t rss_bytes;
	uint64_t pss_bytes;
	uint64_t anon_bytes; /* of pss_bytes: what is not in any file */
	unsigned processes;
};

enum {
	BENCH_HOUSE_PIDS = 64
};

/*
 * The processes with this name whose ring is the house's, max of them at
 * most: how many there are.
 */
MUST_CHECK int bench_house_pids(const struct tool *t, const char *process,
    pid_t *pids, unsigned max, struct reason *why);
/* Of all of them. */
MUST_CHECK int bench_house_usage(const struct tool *t, const char *process,
    struct bench_usage *usage, struct reason *why);

/* Of one process. */
MUST_CHECK int bench_house_usage_of(
    pid_t pid, struct bench_usage *usage, struct reason *why);
/* The CPU time alone, which does not stop the process to look at its memory. */
MUST_CHECK int bench_house_cpu_of(
    pid_t pid, uint64_t *cpu_ns, struct reason *why);

#endif
