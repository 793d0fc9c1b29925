/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * UTF-8 by the ranges of RFC 3629, section 4: only the byte behind the first
 * can be narrower than a continuation.  Runs of ASCII go eight at a time.
 */

#include <string.h>

#include "gateway/utf8.h"

enum {
	CONTINUES_LOW = 0x80,
	CONTINUES_HIGH = 0xbf,
};

static size_t
ascii_run(const uint8_t *p, size_t len)
{
	size_t n = 0;
	uint64_t eight;

	for (; len - n >= sizeof(eight); n += sizeof(eight)) {
		memcpy(&eight, p + n, sizeof(eight));
		if (eight & UINT64_C(0x8080808080808080))
			break;
	}
	while (n < len && p[n] < 0x80)
		n++;
	return n;
}

/* The first byte of a character beyond ASCII. */
static bool
begin(struct utf8 *u, uint8_t c)
{
	u->low = CONTINUES_LOW;
	u->high = CONTINUES_HIGH;
	if (c >= 0xc2 && c <= 0xdf) {
		u->need = 1;
	} else if (c >= 0xe0 && c <= 0xef) {
		u->need = 2;
		if (c == 0xe0) /* nothing overlong */
			u->low = 0xa0;
		if (c == 0xed) /* no surrogates */
			u->high = 0x9f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		u->need = 3;
		if (c == 0xf0)
			u->low = 0x90;
		if (c == 0xf4) /* nothing beyond U+10FFFF */
			u->high = 0x8f;
	} else {
		return false;
	}
	return true;
}

bool
utf8_take(struct utf8 *u, const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len) {
		if (u->need == 0) {
			i += ascii_run(p + i, len - i);
			if (i < len && !begin(u, p[i++]))
				return false;
			continue;
		}
		if (p[i] < u->low || p[i] > u->high)
			return false;
		u->need--;
		u->low = CONTINUES_LOW;
		u->high = CONTINUES_HIGH;
		i++;
	}
	return true;
}
