/* SPDX-License-Identifier: BSD-2-Clause */

/* What handshakes and storms share; nobody else includes it. */

#ifndef PEAL_TOOLS_BENCH_RECONNECT_PRIV_H
#define PEAL_TOOLS_BENCH_RECONNECT_PRIV_H

#include "tools/bench_contest.h"

/* The command line. */
struct reconnect_words {
	uint64_t clients, stay, gateways, rate, jitter, seconds, pairs,
	    generators;
	const char *beside;
	bool own;
};

/* Storms, one window after another; returns an exit code. */
int bench_storm_run(
    struct bench_contest *b, const struct reconnect_words *words, bool kill);

#endif
