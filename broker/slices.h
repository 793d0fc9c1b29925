/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The log a slice at a time, for one who has other things to do between.  A
 * slice ends at the end of a request.
 */

#ifndef PEAL_BROKER_SLICES_H
#define PEAL_BROKER_SLICES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;
struct slices;

/*
 * An event of the log; last: of its request.  0, or below zero to end the
 * reading with that.
 */
typedef int slices_event(
    void *arg, uint64_t seq, struct slice bytes, bool last);

/*
 * Events behind after, up to limit, which the log is known to have: both are
 * ends of requests.  -ENOENT: the log no longer has after + 1.  The caller
 * owns *out.
 */
MUST_CHECK int slices_open(const char *log_dir, uint64_t after, uint64_t limit,
    struct slices **out, struct reason *why);
struct slices *slices_free(struct slices *sl);
CLEANUP_FN(struct slices *, slices_free)

enum slices_read {
	SLICES_END = 0, /* limit is reached */
	SLICES_READ,	/* something was read */
	SLICES_DAMAGED, /* the log is: *why says where */
};

/* The next slice.  Below zero: of fn, or the disk's. */
MUST_CHECK int slices_read(
    struct slices *sl, slices_event *fn, void *arg, struct reason *why);

#endif
