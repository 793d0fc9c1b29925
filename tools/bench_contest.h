/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Contestants: peal, and what stands beside it in the same run.  Windows of
 * all of them alternate; a window of peal or of the bare server counts only
 * when every client got every event, once and in order.
 */

#ifndef PEAL_TOOLS_BENCH_CONTEST_H
#define PEAL_TOOLS_BENCH_CONTEST_H

#include <limits.h>
#include <stdbool.h>

#include "tools/bench_fan.h"
#include "tools/bench_house.h"
#include "tools/tool.h"

struct bench_peer_kind;

enum {
	CONTEST_PAIRS_MAX = 15,
	CONTESTANTS_MAX = 8,
};

/* One window. */
struct contest_result {
	unsigned clients;
	double events;
	double deliveries;
	double messages;
	double missed;	   /* deliveries; only peers may */
	double seconds;	   /* from the first event until all have the last */
	double late_ms;	   /* of the source */
	double server_ns;  /* CPU of all processes ... */
	double gateway_ns; /* ... and of those with clients */
	double connect_ns; /* all of it, while the clients came */
	double empty_pss, idle_pss, end_pss; /* memory of those with clients */
	double syscalls;
	struct bench_hist latency;
};

struct contestant {
	const char *name;
	enum fan_kind kind;
	bool plain;	   /* peal without what is special about this run */
	bool upgrade_only; /* clients that only open a WebSocket */
	const struct bench_peer_kind *peer;
	unsigned n; /* windows; fewer than there are pairs: it has failed */
	struct contest_result results[CONTEST_PAIRS_MAX];
};

struct bench_contest {
	struct tool t;
	struct bench_house house;
	struct fan_plan plan;
	unsigned pairs;
	bool own;
	bool idle;     /* publish nothing */
	bool syscalls; /* count them */
	char *token;
	char url[PATH_MAX];
	char cert[PATH_MAX];
	char key[PATH_MAX];
	char token_path[PATH_MAX];
	unsigned n;
	struct contestant c[CONTESTANTS_MAX]; /* the first is peal */
	void (*told)(struct bench_contest *b, unsigned pair);
};

/*
 * Take names, separated by commas, as further contestants; a peer that is
 * not installed is left out with a note.  TOOL_OK, or TOOL_USAGE.
 */
MUST_CHECK int bench_contest_beside(struct bench_contest *b, const char *names);
/* The house and what clients need of it; bench_contest_close() ends it. */
MUST_CHECK int bench_contest_open(struct bench_contest *b, struct reason *why);
void bench_contest_close(struct bench_contest *b);
/* All windows; told() is called behind each pair. */
MUST_CHECK int bench_contest_run(struct bench_contest *b, struct reason *why);

/* What is told of a window. */
struct contest_figure {
	const char *name;
	double (*of)(const struct contest_result *r);
};

/* A table, or JSON, of each figure's medians and the ratios of peal's. */
void bench_contest_report(struct bench_contest *b, const char *bench,
    const struct contest_figure *figures, unsigned n);

/* System calls of these processes from now on, counted by perf(1). */
struct bench_syscalls {
	pid_t perf;
	int out;
};

void bench_syscalls_begin(
    struct bench_syscalls *s, const pid_t *pids, unsigned n);
/* How many; 0 where perf cannot count them. */
double bench_syscalls_end(struct bench_syscalls *s);

#endif
