/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Backup of a log, beside its writer or without one: everything up to one
 * seq, verified on the way.  What an earlier backup in the same place has
 * already is not copied again, and until the new manifest is there the old
 * one counts.
 */

#ifndef PEAL_LOG_BACKUP_H
#define PEAL_LOG_BACKUP_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct reason;

struct log_backup {
	/* Asked. */
	uint64_t limit_seq; /* as for log_reader_open() */
	uint64_t now_us;
	void (*note)(const char *sentence); /* odd and harmless; or NULL */
	/* After each segment; or NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t segments);
	void *arg;
	/* Answered. */
	uint64_t seq; /* the newest event in it; 0: the log has none */
	uint64_t segments;
	uint64_t copied, kept; /* bytes; of those that were there */
};

enum log_backup_end {
	LOG_BACKUP_DONE = 0,
	/* The log is; *why names the first problem.  Or the old manifest is. */
	LOG_BACKUP_DAMAGED,
};

/*
 * Bring the backup in the directory tofd up to date with the log in dirfd.
 * -EEXIST: it is of another log or epoch, or has more of this one.
 */
MUST_CHECK int log_backup(const struct sysio *io, int dirfd, int tofd,
    struct log_backup *backup, struct reason *why);

#endif
