/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Repairing a log of which acknowledged events are damaged or missing, and no
 * backup has them.  The log itself stays as it is: what is whole goes into a
 * new directory, and each event that is lost has another in its place that
 * says so.
 */

#ifndef PEAL_LOG_REPAIR_H
#define PEAL_LOG_REPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/loss.h"
#include "log/problem.h"
#include "log/witness.h"

struct reason;

struct log_repair {
	/* Asked. */
	const struct log_witness *witnesses; /* on top of durable.wit */
	unsigned n_witnesses;
	uint64_t now_us;
	uint64_t segment_bytes;
	/* Each problem of the log; or NULL. */
	void (*problem)(void *arg, const struct log_problem *problem);
	void (*note)(const char *sentence); /* or NULL */
	/* While the new log is made; or NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t segments);
	void *arg;
	/* Planned. */
	struct log_range *lost; /* in order, apart from each other */
	size_t n_lost;
	uint64_t events_lost;
	uint64_t events_kept; /* of the segments that are made anew */
	uint64_t largest;     /* bytes of the largest frame of these */
	bool open;	   /* the last range may go on, nobody knows how far */
	uint64_t segments; /* that there are */
	uint64_t linked;   /* of them, the first ones, that stay as they are */
	uint64_t last_seq; /* of the log, with what is lost */
	uint64_t was_epoch;
	uint64_t epoch;
	/* Answered. */
	uint64_t epoch_seq; /* of the event that says what was done */
};

enum log_repair_plan {
	LOG_REPAIR_NONE = 0, /* the log is whole */
	LOG_REPAIR_PLANNED,
	LOG_REPAIR_REFUSED, /* something else has to be done: *why says what */
};

/*
 * Look at the log in dirfd, which nobody writes and nothing changes.  To be
 * ended with log_repair_deinit(), whatever comes.
 */
MUST_CHECK int log_repair_plan(const struct sysio *io, int dirfd,
    struct log_repair *repair, struct reason *why);
/*
 * Make the repaired log in tofd, an empty directory of the same file system.
 * What stands there after anything but 0 is worth nothing.
 */
MUST_CHECK int log_repair_make(const struct sysio *io, int dirfd, int tofd,
    struct log_repair *repair, struct reason *why);
void log_repair_deinit(struct log_repair *repair);

#endif
