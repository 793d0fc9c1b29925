/* SPDX-License-Identifier: BSD-2-Clause */

/* The format of archives, as in doc/formats.md. */

#ifndef PEAL_LOG_ARCHIVE_PRIV_H
#define PEAL_LOG_ARCHIVE_PRIV_H

#include <assert.h>

#include "core/sha256.h"

#define ARCHIVE_MAGIC	  "peal.arc"
#define ARCHIVE_MAGIC_END "peal.are"

enum {
	ARCHIVE_VERSION = 1,
	/* header */
	ARCHIVE_AT_VERSION = 8,
	ARCHIVE_AT_LOG = 16,
	ARCHIVE_AT_EPOCH = 32,
	ARCHIVE_AT_SEQ = 40,
	ARCHIVE_AT_RULES = 48,
	ARCHIVE_AT_FLOOR = 56,
	ARCHIVE_AT_CRC = 124,
	ARCHIVE_HEADER = 128,
	/* head of a block: compressed bytes, bytes, rows, CRC */
	ARCHIVE_BLOCK_CRC = 12,
	ARCHIVE_BLOCK_HEAD = 16,
	/* entry of the index, before the topic: offset, bytes of the topic */
	ARCHIVE_ENTRY_HEAD = 10,
	/* trailer */
	ARCHIVE_END_LOG = 8,
	ARCHIVE_END_EPOCH = 24,
	ARCHIVE_END_SEQ = 32,
	ARCHIVE_END_ROWS = 40,
	ARCHIVE_END_BLOCKS = 48,
	ARCHIVE_END_INDEX = 56,
	ARCHIVE_END_INDEX_BYTES = 64,
	ARCHIVE_END_INDEX_CRC = 72,
	ARCHIVE_END_CRC = 76,
	ARCHIVE_END_SHA = 80,
	ARCHIVE_TRAILER = 112,
	/* A block is closed before it passes this, unless one row does. */
	ARCHIVE_BLOCK = 96 << 10,
	/* No row comes near; a block that says more is damaged. */
	ARCHIVE_BLOCK_MAX = 8 << 20,
};

static_assert(ARCHIVE_END_SHA + SHA256_BYTES == ARCHIVE_TRAILER,
    "the hash ends the file");

#endif
