/* SPDX-License-Identifier: BSD-2-Clause */

/* Packed segments as doc/formats.md has them, and not as log/ does. */

#ifndef PEAL_TESTS_LIB_PACKED_H
#define PEAL_TESTS_LIB_PACKED_H

enum {
	PACKED_AT_MAGIC = 0,
	PACKED_AT_VERSION = 8,
	PACKED_AT_BLOCK = 12,
	PACKED_AT_CAPACITY = 16,
	PACKED_AT_COVERED = 24,
	PACKED_AT_INDEX = 32,
	PACKED_AT_SALT = 40,
	PACKED_AT_INDEX_CRC = 56,
	PACKED_AT_CRC = 60,
	PACKED_HEADER = 64,
	PACKED_ENTRY = 24, /* bytes of one in the index */
	PACKED_ENTRY_OFFSET = 0,
	PACKED_ENTRY_BYTES = 8,
	PACKED_ENTRY_CRC = 12,
	PACKED_ENTRY_FRAME = 16,
	PACKED_BLOCK = 256 << 10, /* bytes of the segment in one */
};

#endif
