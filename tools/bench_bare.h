/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What an append can't do without: a pwrite and an fdatasync, into a file of
 * zeros in the log's own directory.
 */

#ifndef PEAL_TOOLS_BENCH_BARE_H
#define PEAL_TOOLS_BENCH_BARE_H

#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

struct bench_hist;
struct reason;

struct bench_bare {
	int fd;
	uint64_t size;
	uint64_t at;
	uint8_t *page;
	size_t page_len;
};

/*
 * Make the file of zeros (unlinked at once) for writes of len bytes, which
 * is rounded up to pages.
 */
MUST_CHECK int bench_bare_open(
    struct bench_bare *b, const char *dir, size_t len, struct reason *why);
void bench_bare_close(struct bench_bare *b);
/* Write and flush n times; *ns is the time it took in all. */
MUST_CHECK int bench_bare_run(struct bench_bare *b, uint64_t n,
    struct bench_hist *hist, uint64_t *ns, struct reason *why);

#endif
