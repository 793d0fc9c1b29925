/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A segment both of whose headers are gone: what they said of its frames
 * follows from its name and the frames themselves.
 */

#ifndef PEAL_LOG_HEADLESS_H
#define PEAL_LOG_HEADLESS_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/format.h"
#include "log/segment.h"

struct reason;

/* The salt under which the CRC of this frame header is right. */
uint32_t headless_salt(const uint8_t frame[LOG_FRAME_HEADER]);

enum headless {
	HEADLESS_NONE = 0, /* nothing in it is a frame */
	HEADLESS_FOUND,	   /* s is as if it had a header, without neighbours */
};

/* s is not headed and open as fd; seqs below that of its name are not its. */
MUST_CHECK int headless_find(
    const struct sysio *io, int fd, struct segment *s, struct reason *why);

#endif
