/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Packed segments: the bytes of a sealed segment in compressed blocks, each
 * of which can be read alone.  Whoever reads sees the segment as it was; what
 * is damaged he sees as zeros, which no frame verifies.
 */

#ifndef PEAL_LOG_PACK_H
#define PEAL_LOG_PACK_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct packed;
struct reason;
struct segment;

#define PACK_TMP "pack.tmp"

enum packed_open {
	PACKED_OPENED = 0,
	PACKED_DAMAGED, /* its header does not verify, or no block is there */
};

/* fd stays the caller's and outlives *out. */
MUST_CHECK int packed_open(
    const struct sysio *io, int fd, struct packed **out, struct reason *why);
struct packed *packed_free(struct packed *pk);
CLEANUP_FN(struct packed *, packed_free)
/* Of the segment. */
uint64_t packed_capacity(const struct packed *pk);
/*
 * The next byte from `at` on that may be other than zero: between the blocks
 * and the seal there is none.
 */
uint64_t packed_data(const struct packed *pk, uint64_t at);
/*
 * What around its blocks is not as it was written, as a sentence's end; NULL:
 * nothing is.
 */
const char *packed_oddity(const struct packed *pk);
/* As sysio_pread() of the segment. */
MUST_CHECK ssize_t packed_pread(
    struct packed *pk, void *buf, size_t len, uint64_t at);

enum pack_segment {
	PACK_DONE = 0,
	PACK_DIFFERS, /* what was written reads otherwise: nothing is changed */
};

/*
 * Put a packed one in the place of the segment s, whose end is known:
 * written, synced, read again and compared before the other goes.
 */
MUST_CHECK int pack_segment(const struct sysio *io, int dirfd,
    const struct segment *s, struct reason *why);

#endif
