/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Quarantine: bytes that recovery found in the log and that are not of it.
 * They are kept for whoever wants to look; nobody reads them again.
 */

#ifndef PEAL_LOG_QUARANTINE_H
#define PEAL_LOG_QUARANTINE_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/segment.h"

struct reason;

#define QUARANTINE_DIR "quarantine"

struct quarantine {
	const struct sysio *io;
	int dirfd;
	void (*notes)(const char *sentence); /* or NULL */
};

/* Move the file called name there, for good. */
MUST_CHECK int quarantine_move(
    const struct quarantine *q, const char *name, struct reason *why);

/*
 * Copy the bytes from at to end of seg there, where there is room.  A
 * failure is only noted: the bytes stay where they are, too.
 */
void quarantine_copy(const struct quarantine *q, const struct segment *seg,
    uint64_t at, uint64_t end);

#endif
