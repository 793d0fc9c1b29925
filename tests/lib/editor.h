/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Somebody who edits a segment and knows how: CRCs, links and, as far as he is
 * told, digests are made anew.  In the segment each frame begins a flush.
 */

#ifndef PEAL_TESTS_LIB_EDITOR_H
#define PEAL_TESTS_LIB_EDITOR_H

#include <stddef.h>
#include <stdint.h>

#include "log/format_priv.h"

enum {
	EDITOR_FRAMES = 64,
	EDITOR_BYTES = 128 << 10,
};

struct editor {
	uint8_t *bytes; /* borrowed: the segment */
	uint64_t size;
	struct segment_header header;
	struct {
		size_t at, len;
	} frames[EDITOR_FRAMES];
	unsigned n;
	bool sealed;
	uint8_t was[EDITOR_BYTES]; /* where at of the frames leads */
};

void editor_open(struct editor *ed, uint8_t *bytes, uint64_t size);

/* Change a byte of event seq; its length stays. */
void editor_change(struct editor *ed, uint64_t seq);
/* The frame that has event seq. */
unsigned editor_frame_of(const struct editor *ed, uint64_t seq);
void editor_swap(struct editor *ed, unsigned a, unsigned b);
void editor_remove(struct editor *ed, unsigned frame);
/* Frame from once more, in front of frame before. */
void editor_repeat(struct editor *ed, unsigned from, unsigned before);

enum editor_digests {
	EDITOR_CRCS = 0, /* digests stay as they were */
	EDITOR_MARKS,	 /* those of IDLE frames are made anew ... */
	EDITOR_SEAL,	 /* ... and that of the seal, and its chain hash */
};

/* Put the frames back where they were, as others. */
void editor_close(struct editor *ed, enum editor_digests digests);
/* Make the header of a segment carry on from the one before, too. */
void editor_follow(struct editor *ed, const uint8_t *before, uint64_t size);

#endif
