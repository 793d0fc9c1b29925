/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checkpoint: the sequencer's state as of a seq, in the file writer.ckpt
 * beside the log.  A cache: whatever is wrong with it costs only the time to
 * read the log instead.  Format: doc/formats.md.
 */

#ifndef PEAL_WRITER_CHECKPOINT_H
#define PEAL_WRITER_CHECKPOINT_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct base;
struct base_writer;
struct reason;
struct state;

#define CHECKPOINT_NAME "writer.ckpt"
#define CHECKPOINT_TMP	"writer.ckpt.tmp"

/* Of which log. */
struct checkpoint_of {
	uint8_t log_id[16];
	uint64_t epoch;
};

/*
 * Write st into writer.ckpt.tmp and sync it.  Allocates nothing, so that a
 * forked child may do it while its parent goes on.
 */
MUST_CHECK int checkpoint_write(const struct sysio *io, int dirfd,
    const struct checkpoint_of *of, const struct state *st);
/* About how many bytes that will be. */
uint64_t checkpoint_size(const struct state *st);
/* Put what was written in its place. */
MUST_CHECK int checkpoint_install(const struct sysio *io, int dirfd);

enum checkpoint_load {
	CHECKPOINT_LOADED = 0,
	CHECKPOINT_NONE, /* not there, or of no use: *why says why */
};

/*
 * Load into the fresh state st what was saved at a seq up to last_seq.  Where
 * it is CHECKPOINT_NONE st may have been touched and is to be made anew.
 */
MUST_CHECK int checkpoint_load(const struct sysio *io, int dirfd,
    const struct checkpoint_of *of, uint64_t last_seq, struct state *st,
    struct reason *why);

/* --- the same as a part of a base (log/base.h) --- */

/* Append st to a base that is being written. */
MUST_CHECK int checkpoint_put(struct base_writer *base,
    const struct checkpoint_of *of, const struct state *st);
/*
 * Load the state of base, as checkpoint_load() does; CHECKPOINT_NONE: it is
 * damaged.
 */
MUST_CHECK int checkpoint_get(const struct sysio *io, const struct base *base,
    struct state *st, struct reason *why);

#endif
