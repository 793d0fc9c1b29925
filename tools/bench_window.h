/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The processes of one window of a benchmark with clients: a source and the
 * generators.  They die with the benchmark.
 */

#ifndef PEAL_TOOLS_BENCH_WINDOW_H
#define PEAL_TOOLS_BENCH_WINDOW_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/macros.h"
#include "tools/bench_fan.h"

struct reason;

struct bench_window {
	struct fan_plan plan;
	struct fan_share share[FAN_GENERATORS_MAX];
	pid_t pids[FAN_GENERATORS_MAX + 1];
	unsigned n;
	pid_t source;
};

/* Make plan.shared; bench_window_close() ends what runs, and frees it. */
MUST_CHECK int bench_window_open(struct bench_window *w, struct reason *why);
void bench_window_close(struct bench_window *w);

/* Start all processes as the plan says. */
MUST_CHECK int bench_window_start(struct bench_window *w, struct reason *why);
/* Has one of them failed, or were we told to stop? */
MUST_CHECK int bench_window_fault(
    const struct bench_window *w, struct reason *why);
/* Wait until all clients are live, those that stall included. */
MUST_CHECK int bench_window_await_live(
    const struct bench_window *w, struct reason *why);
/* Wait until every client has everything. */
MUST_CHECK int bench_window_await_done(
    const struct bench_window *w, struct reason *why);
/* How many clients are live at the moment. */
uint64_t bench_window_live(const struct bench_window *w);
/* Descriptors for all clients, as far as we may. */
void bench_window_raise_limit(void);

#endif
