/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The validator in front of everything that reads MessagePack: no recursion,
 * no allocation that a declared count could inflate, and a sentence for each
 * refusal.  Whatever passed may be walked without further checks.
 */

#ifndef PEAL_CORE_MPVALID_H
#define PEAL_CORE_MPVALID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;

enum {
	MPVALID_DEPTH = 32
};

enum mpvalid {
	MPVALID_OK = 0, /* valid and canonical as it is */
	MPVALID_LOOSE,	/* valid, but an integer or a length is not shortest */
	MPVALID_BAD,	/* refused, *why says what and at which byte */
};

/*
 * Check that the len bytes at p are exactly one well-formed value: nesting
 * at most MPVALID_DEPTH, no duplicate key in a map (compared by value), str
 * is UTF-8, extensions only -1 (of 4, 8 or 12 bytes) and 0 to 127, no rest.
 * Below zero: -ENOMEM.
 */
MUST_CHECK int mpvalid_check(const uint8_t *p, size_t len, struct reason *why);

/* UTF-8 of RFC 3629: no surrogates, nothing overlong. */
bool mpvalid_utf8(const uint8_t *p, size_t len);

#endif
