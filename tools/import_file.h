/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The file that is imported: its lines one after the other in bounded
 * memory, with offset, number and a checksum of all that was read, by which
 * a later run knows the same file again.
 */

#ifndef PEAL_TOOLS_IMPORT_FILE_H
#define PEAL_TOOLS_IMPORT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

/* Beyond it a line can't be an event of 1 MiB, however it is escaped. */
enum {
	IMPORT_LINE_MAX = 8 << 20
};

struct import_file {
	int fd;
	uint64_t size;
	uint8_t *buf;
	size_t start; /* of what is unread in buf */
	size_t end;
	bool ended; /* the descriptor has no more */
	/* Behind the last line that was handed out: */
	uint64_t offset;
	uint64_t line; /* lines so far */
	uint32_t crc;  /* of the bytes before offset */
	bool whole;    /* the last line ended in a newline */
};

MUST_CHECK int import_file_open(
    struct import_file *f, const char *path, struct reason *why);
void import_file_close(struct import_file *f);
/* Begin again at the first line. */
MUST_CHECK int import_file_rewind(struct import_file *f, struct reason *why);

enum import_line {
	IMPORT_END = 0,
	IMPORT_LINE,
	IMPORT_TOO_LONG
};

/*
 * The next line, without its line feed and a carriage return before it.
 * *line lives until the next call.  IMPORT_TOO_LONG: it was stepped over.
 */
MUST_CHECK int import_file_next(
    struct import_file *f, struct slice *line, struct reason *why);

#endif
