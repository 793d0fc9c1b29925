/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Fingerprints.  Every part goes in with its length in front, so that no two
 * different requests feed the hash the same bytes.
 */

#include <string.h>

#include "core/mp.h"
#include "writer/fingerprint.h"

void
fingerprint_begin(struct sha256 *h)
{
	sha256_init(h);
}

static void
add_part(struct sha256 *h, struct slice part)
{
	uint8_t len[4];

	put_le32(len, (uint32_t)part.len);
	sha256_update(h, len, sizeof(len));
	sha256_update(h, part.p, part.len);
}

/* Pairs of meta that a repeat of the same request may have otherwise. */
static bool
is_volatile(const struct mp_item *key)
{
	return key->type == MP_STR &&
	       (slice_is(key->s, "time") || slice_is(key->s, "trace"));
}

void
fingerprint_event(struct sha256 *h, struct slice topic, struct slice type,
    struct slice data, struct slice meta)
{
	struct mp_walk w = mp_walk(meta);
	struct mp_item map, key;
	struct slice pair, value;

	add_part(h, topic);
	add_part(h, type);
	add_part(h, data);
	if (meta.len && mp_next(&w, &map)) {
		for (uint32_t i = 0; i < map.n; i++) {
			struct mp_walk at = w;

			if (!mp_skip(&w, &pair) || !mp_skip(&w, &value))
				break;
			if (mp_next(&at, &key) && is_volatile(&key))
				continue;
			add_part(h, pair);
			add_part(h, value);
		}
	}
	/* Where one event's parts end and the next one's begin. */
	add_part(h, slice_of(NULL, 0));
}

void
fingerprint_end(struct sha256 *h, uint8_t out[FINGERPRINT_BYTES])
{
	uint8_t whole[32];

	sha256_final(h, whole);
	memcpy(out, whole, FINGERPRINT_BYTES);
}
