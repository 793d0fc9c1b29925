/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Digest of a segment: SHA-256 of its header and of its frames, one behind
 * the other.  The header has the chain hash of the segment before, so that a
 * digest speaks for all of the log up to it.
 */

#ifndef PEAL_LOG_AUDIT_H
#define PEAL_LOG_AUDIT_H

#include "core/sha256.h"
#include "log/format.h"

/* {0} before the first audit_begin(). */
struct audit {
	struct sha256 sum;
};

void audit_begin(struct audit *a, const struct segment_header *seg);
/* Bytes of frames; padding is none of them. */
void audit_add(struct audit *a, const void *p, size_t len);
/* The digest so far. */
void audit_now(const struct audit *a, uint8_t digest[LOG_DIGEST]);
void audit_deinit(struct audit *a);

#endif
