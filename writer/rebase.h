/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rebase: the broker's rows and the sequencer's state as of the last event
 * before a floor become its base, and then the floor moves.  The rows are
 * believed only where the log itself says the same of every topic.
 */

#ifndef PEAL_WRITER_REBASE_H
#define PEAL_WRITER_REBASE_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/floor.h"

struct reason;

struct rebase {
	const struct sysio *io;
	int dirfd;
	struct log_floor floor; /* the new one */
	uint64_t max_keys;
	/* An archive of the seq before the floor. */
	const struct sysio *rows_io;
	int rows_fd;
};

enum rebase_result {
	REBASE_DONE = 0,
	REBASE_REFUSED, /* the rows are not those of the log: *why says how */
};

/*
 * Takes as long as reading what the floor gives up.  Nothing has changed
 * where it is not done.
 */
MUST_CHECK int rebase_run(const struct rebase *rb, struct reason *why);

#endif
