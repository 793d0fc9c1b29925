/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of the broker's benchmark share: one log, and a house in
 * which the broker is started, stopped and asked.
 */

#ifndef PEAL_TOOLS_BENCH_BROKER_PRIV_H
#define PEAL_TOOLS_BENCH_BROKER_PRIV_H

#include <stdint.h>

#include "tools/bench_load.h"
#include "tools/bench_staff.h"
#include "tools/tool.h"

struct bench_rows;
struct reason;

struct broker_bench {
	struct tool t;
	uint64_t events;
	uint64_t topics;
	uint64_t clients; /* one after another, of each kind */
	uint64_t rate;	  /* of appends meanwhile */
	struct bench_staff staff;
	struct bench_load load;
	uint64_t head; /* of the log */
};

/*
 * The figures.  Before and after each the broker runs, has folded all, and
 * writes archives.
 */
MUST_CHECK int bench_broker_fold(struct broker_bench *b, struct reason *why);
MUST_CHECK int bench_broker_snapshot(
    struct broker_bench *b, struct reason *why);
MUST_CHECK int bench_broker_at(struct broker_bench *b, struct reason *why);
MUST_CHECK int bench_broker_start(struct broker_bench *b, struct reason *why);
MUST_CHECK int bench_broker_size(struct broker_bench *b, struct reason *why);

/* Append one event, so that the state moves on. */
MUST_CHECK int bench_broker_move(struct broker_bench *b, struct reason *why);

/*
 * Begin a line of figures: {"bench":"broker","figure":name,"how":how, or what
 * people read.
 */
void bench_broker_begin(
    const struct broker_bench *b, const char *name, const char *how);
/* A figure of the line, with its unit for people. */
void bench_broker_tell(const struct broker_bench *b, const char *name,
    double value, const char *unit);
void bench_broker_end(const struct broker_bench *b);

#endif
