/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A new epoch: from here on the history is another one than whoever followed
 * the log has seen.  It begins with a segment of its own and one event that
 * says why.
 */

#ifndef PEAL_LOG_EPOCH_H
#define PEAL_LOG_EPOCH_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/sysio.h"

struct reason;

struct log_epoch {
	/* Asked. */
	const char *type;  /* of the event, on topic $log.EPOCH */
	struct slice data; /* of the event, MessagePack */
	uint64_t now_us;
	uint64_t after; /* an epoch that was, too; 0: none */
	uint64_t segment_bytes;
	void (*notes)(const char *sentence); /* or NULL */
	/* Answered. */
	uint64_t epoch;
	uint64_t seq; /* of that event */
};

enum log_epoch_end {
	LOG_EPOCH_BEGUN = 0,
	LOG_EPOCH_DAMAGED, /* the log in dirfd is; *why names the place */
};

/*
 * Of the log in dirfd, which nobody writes and has an event.  The epoch's
 * number is the time in seconds where that is higher than the last: what is
 * restored twice from one place must not become twice the same history.
 */
MUST_CHECK int log_epoch_begin(const struct sysio *io, int dirfd,
    struct log_epoch *epoch, struct reason *why);

#endif
