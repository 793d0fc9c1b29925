/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How far an import got, in FILE.peal-progress beside the file: a hint that
 * saves work.  A wrong one costs time, never an event, because the keys make
 * a repeat harmless.
 */

#ifndef PEAL_TOOLS_IMPORT_PROGRESS_H
#define PEAL_TOOLS_IMPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/proto.h"

struct reason;

struct import_progress {
	char log[PROTO_LOG_NAME]; /* into which log */
	uint64_t offset;	  /* all before it is answered */
	uint64_t line;
	uint32_t crc; /* of the bytes before offset */
	uint64_t seq; /* highest that was acknowledged */
	uint64_t stored;
	uint64_t duplicates;
	uint64_t skipped;
	bool complete;
};

enum import_progress_read {
	IMPORT_PROGRESS_NONE = 0,
	IMPORT_PROGRESS_READ
};

/* What is there and makes sense; anything else is NONE. */
int import_progress_read(const char *file, struct import_progress *p);

/*
 * Replace it, so that a crash leaves the old or the new one.  -EACCES,
 * -EPERM and -EROFS: the directory is not ours to write.
 */
MUST_CHECK int import_progress_write(
    const char *file, const struct import_progress *p, struct reason *why);

#endif
