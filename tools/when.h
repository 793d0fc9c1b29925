/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A point in the past as people name it: a seq, or a time in one of three
 * spellings.
 */

#ifndef PEAL_TOOLS_WHEN_H
#define PEAL_TOOLS_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;

enum when_kind {
	WHEN_NONE = 0,
	WHEN_SEQ,
	WHEN_TIME, /* microseconds since the Unix epoch */
};

struct when {
	enum when_kind kind;
	uint64_t v;
};

/*
 * "53828": a seq.  "2026-11-21T05:57:10Z" (RFC 3339), "2026-11-21",
 * "2026-11-21 05:57" and "2026-11-21 05:57:10" in the local zone, and
 * "@1795240630" (seconds since the epoch, a fraction allowed): a time.
 * false with a sentence.
 */
MUST_CHECK bool when_parse(
    const char *text, struct when *when, struct reason *why);

#endif
