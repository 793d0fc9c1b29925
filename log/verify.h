/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verification of a whole log: chain, every frame, every event.  Nothing is
 * changed and nothing is synced; a writer may be at work.
 */

#ifndef PEAL_LOG_VERIFY_H
#define PEAL_LOG_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/format.h"
#include "log/problem.h"
#include "log/witness.h"

struct reason;

struct log_verify {
	/* Asked. */
	uint64_t limit_seq; /* as for log_reader_open() */
	/* A head as below that somebody has kept; seq 0: none. */
	uint64_t anchor_seq;
	uint8_t anchor[LOG_DIGEST];
	const struct log_witness *witnesses; /* on top of durable.wit */
	unsigned n_witnesses;
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
	/*
	 * The newest event and the digest that speaks for all up to it, where
	 * there is no problem; seq 0: there is no event.
	 */
	uint64_t head_seq;
	uint8_t head[LOG_DIGEST];
	bool wit_noted; /* durable.wit is of another log or epoch */
};

/*
 * Verify the log in dirfd.  Returns 0 when all was read, with or without
 * problems; below zero: -errno.  -EIO is no problem of the log's but of the
 * disk's, and ends the verification; -ERANGE: the log does not go back to the
 * anchor.
 */
MUST_CHECK int log_verify(const struct sysio *io, int dirfd,
    struct log_verify *verify, struct reason *why);

#endif
