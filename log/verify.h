/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verification of a whole log: chain, every frame, every event.  Nothing is
 * changed and nothing is synced; a writer may be at work.
 */

#ifndef PEAL_LOG_VERIFY_H
#define PEAL_LOG_VERIFY_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/problem.h"

struct reason;

struct log_verify {
	/* Asked. */
	uint64_t limit_seq; /* as for log_reader_open() */
	void (*problem)(void *arg, const struct log_problem *problem);
	void (*note)(const char *sentence); /* odd and harmless; or NULL */
	/* After each segment; or NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t segments);
	void *arg;
	/* Answered. */
	uint64_t problems;
	uint64_t segments;
	uint64_t frames;
	uint64_t events; /* that verify */
	uint64_t bytes;	 /* of frames that verify */
	uint64_t first_seq;
	uint64_t last_seq; /* the newest that verifies */
};

/*
 * Verify the log in dirfd.  Returns 0 when all was read, with or without
 * problems; below zero: -errno.  -EIO is no problem of the log's but of the
 * disk's, and ends the verification.
 */
MUST_CHECK int log_verify(const struct sysio *io, int dirfd,
    struct log_verify *verify, struct reason *why);

#endif
