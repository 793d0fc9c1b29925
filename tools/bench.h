/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Benchmarks: bench_NAME.c each, entered through the table in cmd_bench.c.
 * Each runs its bare counterpart beside it, interleaved, and tells both.
 */

#ifndef PEAL_TOOLS_BENCH_H
#define PEAL_TOOLS_BENCH_H

int bench_append(int argc, char **argv);
int bench_broker(int argc, char **argv);
int bench_fanout(int argc, char **argv);
int bench_reconnect(int argc, char **argv);
int bench_ring(int argc, char **argv);

#endif
