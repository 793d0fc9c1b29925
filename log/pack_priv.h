/* SPDX-License-Identifier: BSD-2-Clause */

/* What pack.c and pack_mend.c share: a packed file that is open. */

#ifndef PEAL_LOG_PACK_PRIV_H
#define PEAL_LOG_PACK_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/mp.h"
#include "core/sysio.h"
#include "core/zstd.h"

enum {
	PACK_BLOCK = 256 << 10,		  /* bytes of the segment in a block */
	PACK_BLOCK_MOST = 2 * PACK_BLOCK, /* packed */
	PACK_BLOCK_LEAST = 8, /* less has no length, and nothing in it */
	PACK_HEADER = 64,
	/* Entry of the index. */
	PACK_ENTRY = 24,
	PACK_ENTRY_AT = 0,
	PACK_ENTRY_BYTES = 8,
	PACK_ENTRY_CRC = 12,   /* of these bytes */
	PACK_ENTRY_FRAME = 16, /* where the first one begins */
};

struct packed {
	const struct sysio *io;
	int fd;
	uint64_t file_bytes;
	uint64_t capacity;
	uint64_t covered; /* bytes of the segment that are in blocks */
	uint64_t index_at;
	uint32_t index_crc;
	uint32_t salt;	/* of the segment */
	uint64_t first; /* bytes of the segment in the first block */
	uint64_t n;	/* blocks */
	uint64_t known; /* entries of the index; no more blocks are there */
	uint8_t *index;
	bool sure;   /* the index is what it was */
	bool mended; /* ... but not as it is in the file */
	/* The block that was read last. */
	uint64_t have; /* its number and 1; 0: none */
	struct mp_buf packed, raw;
	struct zstd zstd;
};

/* Bytes of the segment that are in block i. */
size_t packed_raw_len(const struct packed *pk, uint64_t i);
/*
 * Unpack the block of which the entry at e speaks, want bytes, to pk->raw:
 * stripped.  1; 0: it does not verify; or -errno.
 */
MUST_CHECK int packed_unpack(struct packed *pk, const uint8_t *e, size_t want);

/*
 * The index in the file, as far as that goes, is in pk->index and does not
 * verify: look for the blocks themselves.  pk->sure: all of them are where the
 * index has them now; else each is one whose sum is right.  0 or -errno.
 */
MUST_CHECK int packed_mend(struct packed *pk);

#endif
