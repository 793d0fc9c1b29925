/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log that gives up its oldest segments, for tests: bases have one row, and
 * a state that is none.
 */

#ifndef PEAL_TESTS_LIB_RETAINFIX_H
#define PEAL_TESTS_LIB_RETAINFIX_H

#include <stdint.h>

#include "log/archive.h"
#include "log/floor.h"
#include "log/retain.h"
#include "tests/lib/modelfix.h"

enum {
	RETAINFIX_DAMAGED = 100 /* the log, as chain_read() finds */
};

/*
 * retain_look(), retain_pack() and sums_make(), once, by a list of their own
 * and by nothing that was known before.
 */
int retainfix_look(const struct sysio *io, int dirfd,
    const struct retain_policy *policy, struct log_floor *floor,
    struct reason *why);
int retainfix_pack(const struct sysio *io, int dirfd, struct reason *why);
int retainfix_sum(const struct sysio *io, int dirfd, struct reason *why);
/* All that may be packed. */
void retainfix_pack_all(struct logfix *fx);

/* Rows as of an event, in a file of the log's directory: its descriptor. */
int retainfix_rows(
    struct logfix *fx, const struct archive_id *id, int *fd, uint64_t *bytes);
/* Give up what is beyond keep_bytes; how far that came is in *floor. */
int retainfix_retain(
    struct logfix *fx, uint64_t keep_bytes, struct log_floor *floor);
/* The same, and it comes somewhere. */
void retainfix_expect(struct modelfix *m, uint64_t keep_bytes);

#endif
