/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How often each line came so far.  Two lines that are counted together by
 * accident only get other numbers, the same ones in every run.
 */

#ifndef PEAL_TOOLS_IMPORT_SEEN_H
#define PEAL_TOOLS_IMPORT_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct import_seen_entry {
	uint64_t hash; /* 0: free */
	uint32_t count;
};

/* {0} is an empty one. */
struct import_seen {
	struct import_seen_entry *entries;
	size_t used;
	size_t cap; /* power of two */
};

void import_seen_deinit(struct import_seen *seen);

/* Count line: *occurrence is 1 the first time.  -ENOMEM. */
MUST_CHECK int import_seen_count(
    struct import_seen *seen, struct slice line, uint32_t *occurrence);

enum {
	IMPORT_KEY_BYTES = 32
};

/*
 * The idempotency key: the first 32 hex digits of the SHA-256 of the line, a
 * NUL and the occurrence's decimal number.
 */
struct sha256;
void import_seen_key(struct sha256 *sum, struct slice line, uint32_t occurrence,
    char key[IMPORT_KEY_BYTES + 1]);

#endif
