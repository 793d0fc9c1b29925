/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Restoring a log from a backup, up to any event or time.  Every byte is
 * checked against the manifest, every frame against its CRC, and what comes
 * out is a history of its own: it has a new epoch.
 */

#ifndef PEAL_LOG_RESTORE_H
#define PEAL_LOG_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct reason;

struct log_restore {
	/* Asked. */
	uint64_t until_seq; /* UINT64_MAX: all */
	uint64_t until_us;  /* time of the newest event; UINT64_MAX: all */
	uint64_t now_us;
	uint64_t segment_bytes;
	void (*note)(const char *sentence); /* or NULL */
	/* After each file; or NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t files);
	void *arg;
	/* Answered. */
	uint64_t epoch;
	uint64_t seq;	    /* the newest event that was in the backup */
	uint64_t epoch_seq; /* of the event that says what was done */
	uint64_t dropped;   /* events of the backup that were left out */
	bool split;	    /* until_seq was within a request: before it */
};

enum log_restore_end {
	LOG_RESTORED = 0,
	LOG_RESTORE_DAMAGED, /* the backup is; *why says where */
};

/*
 * From the backup in fromfd into the directory tofd, which is empty
 * (-ENOTEMPTY).  What stands there after anything but LOG_RESTORED is worth
 * nothing.  -ERANGE: the backup has nothing as old as that, or at all.
 */
MUST_CHECK int log_restore(const struct sysio *io, int fromfd, int tofd,
    struct log_restore *restore, struct reason *why);

#endif
