/* SPDX-License-Identifier: BSD-2-Clause */

/* What measuring the fan-out and telling about it share. */

#ifndef PEAL_TOOLS_BENCH_FANOUT_PRIV_H
#define PEAL_TOOLS_BENCH_FANOUT_PRIV_H

#include <limits.h>

#include "tools/bench_fan.h"
#include "tools/bench_house.h"
#include "tools/tool.h"

enum {
	FANOUT_PAIRS_MAX = 15
};

struct fanout_usage {
	struct bench_usage gateways; /* or the bare server */
	struct bench_usage writer;
};

/* One window. */
struct fanout_result {
	unsigned clients;
	double events;
	double deliveries;
	double messages;
	double seconds; /* from the first event until all have the last */
	double late_ms; /* of the source */
	double gateway_ns;
	double writer_ns;
	double empty_pss, empty_rss, idle_pss, idle_rss; /* with --idle */
	struct bench_hist latency;
};

struct fanout_bench {
	struct tool t;
	struct fan_plan plan;
	uint64_t gateways;
	unsigned pairs;
	bool own;
	bool idle;
	char *token;
	char url[PATH_MAX];
	char cert[PATH_MAX];
	char key[PATH_MAX];
	char token_path[PATH_MAX];
	struct fanout_result ours[FANOUT_PAIRS_MAX];
	struct fanout_result bare[FANOUT_PAIRS_MAX];
};

extern const char bench_fanout_text[];

/* Tell of one pair as it comes, to people. */
void bench_fanout_pair(struct fanout_bench *b, unsigned pair);
void bench_fanout_report(struct fanout_bench *b);

#endif
