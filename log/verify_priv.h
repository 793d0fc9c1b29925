/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verification, for the files that share it: what verify.c walks over,
 * verify_audit.c compares with what was written down of it.
 */

#ifndef PEAL_LOG_VERIFY_PRIV_H
#define PEAL_LOG_VERIFY_PRIV_H

#include "log/scan.h"
#include "log/verify.h"

struct verify {
	const struct sysio *io;
	int dirfd;
	struct log_verify *v;
	struct reason *why;
	struct log_problem_sink sink;
	struct segment *seg;
	struct scan scan;
	uint64_t looked_again; /* offset of the stop that was retried */
	uint64_t told_before;  /* problems, of segments before this one */
};

/* A frame with events was stepped over. */
void verify_audit_frame(struct verify *vf, const struct frame_header *f);
/*
 * The segment's frames have ended; next is the segment behind it, or NULL.
 * Problems go to vf->sink; below zero: -errno.
 */
MUST_CHECK int verify_audit_segment(
    struct verify *vf, const struct segment *next);
/* All segments have ended. */
void verify_audit_end(struct verify *vf);

#endif
