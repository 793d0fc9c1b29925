/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What of a frame follows from the rest: sums, and numbers that go on from
 * the frame before.  Stripped of it, frames are as long as they were, mostly
 * zeros there, and so compress well; restored, they are the same to the bit.
 */

#ifndef PEAL_LOG_STRIP_H
#define PEAL_LOG_STRIP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where in the n bytes at p the first frame of a segment with this salt
 * begins; n: nowhere.
 */
size_t strip_find(const uint8_t *p, size_t n, uint32_t salt);

/* The same in bytes whose frames were stripped from there on. */
size_t strip_find_stripped(const uint8_t *p, size_t n);

/*
 * Strip the frames that lie wholly in the n bytes at p, which begin on a page
 * of the segment, from the one at `at` on.  strip_restore() undoes it, given
 * the same; any bytes may come, and come back.
 */
void strip_frames(uint8_t *p, size_t n, size_t at, uint32_t salt);
void strip_restore(uint8_t *p, size_t n, size_t at, uint32_t salt);

#endif
