/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Index of a segment: where the frame of about every 64th KiB begins.  A
 * cache: whoever follows an entry checks the frame that it leads to.
 */

#ifndef PEAL_LOG_INDEX_H
#define PEAL_LOG_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/format.h"

struct reason;

struct index_entry {
	uint64_t seq; /* first of the frame */
	uint64_t offset;
	uint64_t time_us;
};

struct index {
	struct index_entry *v; /* ascending by all three */
	size_t n, cap;
};

void index_deinit(struct index *ix);
void index_clear(struct index *ix);

/*
 * Tell of a frame: it becomes an entry when it is far enough behind the last
 * one.  Without memory there is no entry.
 */
void index_note(
    struct index *ix, uint64_t seq, uint64_t offset, uint64_t time_us);

/* The last entry at or before seq; NULL when there is none. */
const struct index_entry *index_find(const struct index *ix, uint64_t seq);

/* The file beside the segment; not synced.  A failure may be passed over. */
int index_write(const struct sysio *io, int dirfd,
    const struct segment_header *seg, const struct index *ix);

enum index_read {
	INDEX_READ = 0,
	INDEX_NONE
};

/*
 * INDEX_NONE: no file, one that is damaged or another segment's, or no memory
 * for it; ix is as it was then.
 */
enum index_read index_read(const struct sysio *io, int dirfd,
    const struct segment_header *seg, struct index *ix);

#endif
