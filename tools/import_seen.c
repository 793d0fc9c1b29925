/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A table of 64-bit hashes: 16 bytes a line, whatever its length.  The hash
 * has a fixed key, so that every run counts alike; who makes lines collide
 * only changes keys of a file that is his own.
 */

#include <errno.h>
#include <stdio.h>

#include "core/hash.h"
#include "core/sha256.h"
#include "tools/import_seen.h"

enum {
	IMPORT_SEEN_FIRST = 1 << 14
};

static const struct hash_key import_seen_hash_key = { { UINT64_C(0x7065616c),
    UINT64_C(0x696d706f7274) } };

void
import_seen_deinit(struct import_seen *seen)
{
	free(seen->entries);
	*seen = (struct import_seen){ 0 };
}

/* The entry of hash, or the free one where it belongs. */
static struct import_seen_entry *
import_seen_find(const struct import_seen *seen, uint64_t hash)
{
	size_t at = (size_t)hash & (seen->cap - 1);

	while (seen->entries[at].hash && seen->entries[at].hash != hash)
		at = (at + 1) & (seen->cap - 1);
	return &seen->entries[at];
}

static int
import_seen_grow(struct import_seen *seen)
{
	struct import_seen bigger = { .used = seen->used,
		.cap = seen->cap ? 2 * seen->cap : IMPORT_SEEN_FIRST };

	bigger.entries = calloc(bigger.cap, sizeof(*bigger.entries));
	if (!bigger.entries)
		return -ENOMEM;
	for (size_t i = 0; i < seen->cap; i++)
		if (seen->entries[i].hash)
			*import_seen_find(&bigger, seen->entries[i].hash) =
			    seen->entries[i];
	import_seen_deinit(seen);
	*seen = bigger;
	return 0;
}

int
import_seen_count(
    struct import_seen *seen, struct slice line, uint32_t *occurrence)
{
	struct import_seen_entry *entry;
	uint64_t hash;

	if (2 * seen->used >= seen->cap && import_seen_grow(seen) < 0)
		return -ENOMEM;
	hash = hash_bytes(&import_seen_hash_key, line.p, line.len);
	hash += hash == 0;
	entry = import_seen_find(seen, hash);
	seen->used += entry->hash == 0;
	entry->hash = hash;
	*occurrence = ++entry->count;
	return 0;
}

void
import_seen_key(struct sha256 *sum, struct slice line, uint32_t occurrence,
    char key[IMPORT_KEY_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[SHA256_BYTES];
	char number[12];
	int len;

	len = snprintf(number, sizeof(number), "%u", occurrence);
	sha256_init(sum);
	sha256_update(sum, line.p, line.len);
	sha256_update(sum, "", 1);
	sha256_update(sum, number, (size_t)len);
	sha256_final(sum, bytes);
	for (unsigned i = 0; i < IMPORT_KEY_BYTES; i++)
		key[i] = digits[i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4];
	key[IMPORT_KEY_BYTES] = '\0';
}
