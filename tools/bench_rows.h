/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading a state as fast as it comes, and counting what came; and bare
 * servers that send as many of the same bytes to the same reader.
 */

#ifndef PEAL_TOOLS_BENCH_ROWS_H
#define PEAL_TOOLS_BENCH_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct bench_staff;
struct reason;
struct tool;

struct bench_rows {
	/* Asked. */
	const struct slice *topics; /* patterns */
	unsigned n;
	uint64_t at; /* a seq; 0: now */
	uint64_t min_seq;
	/* Answered. */
	uint64_t seq;
	uint64_t rows;
	uint64_t bytes; /* of all messages */
	uint64_t parts;
	uint64_t first_ns;    /* from the request to the first part */
	uint64_t all_ns;      /* ... and to the last */
	uint64_t cpu_ns;      /* of the bare server */
	struct mp_buf sample; /* the first message */
	bool last;
};

void bench_rows_deinit(struct bench_rows *r);

/* `state` on the broker's socket. */
MUST_CHECK int bench_rows_local(
    const struct tool *t, struct bench_rows *r, struct reason *why);
/* `subscribe` from a snapshot, through the gateway. */
MUST_CHECK int bench_rows_remote(
    const struct bench_staff *s, struct bench_rows *r, struct reason *why);

/*
 * The first message of like, as often as like had messages, written into a
 * Unix socket by a process that does nothing else; or over TLS.
 */
MUST_CHECK int bench_rows_bare(
    const struct bench_rows *like, struct bench_rows *r, struct reason *why);
MUST_CHECK int bench_rows_bare_tls(const struct tool *t,
    const struct bench_rows *like, struct bench_rows *r, struct reason *why);

#endif
