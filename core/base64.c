/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Base64.  A decoder that skips what it doesn't know, or the bits that are
 * left over, gives one value many texts: this one refuses.
 */

#include <string.h>

#include "core/base64.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct slice bytes, char *text)
{
	const uint8_t *p = bytes.p;
	size_t left = bytes.len;
	uint32_t group;

	for (; left >= 3; left -= 3, p += 3) {
		group = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*text++ = digits[group >> 18];
		*text++ = digits[group >> 12 & 63];
		*text++ = digits[group >> 6 & 63];
		*text++ = digits[group & 63];
	}
	if (left == 0)
		return;
	group = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);
	*text++ = digits[group >> 18];
	*text++ = digits[group >> 12 & 63];
	*text++ = left == 2 ? digits[group >> 6 & 63] : '=';
	*text++ = '=';
}

/* 0 to 63, or 64. */
static uint32_t
digit_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26U;
	if (c >= '0' && c <= '9')
		return c - '0' + 52U;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool
base64_decode(struct slice text, uint8_t *bytes, size_t *len)
{
	const uint8_t *p = text.p, *end = p + text.len;
	uint8_t *to = bytes;

	if (text.len % 4)
		return false;
	for (; p < end; p += 4) {
		uint32_t group = 0;
		unsigned pad = 0;

		if (p + 4 == end && p[3] == '=')
			pad = p[2] == '=' ? 2 : 1;
		for (unsigned i = 0; i < 4; i++) {
			uint32_t v = i < 4 - pad ? digit_value(p[i]) : 0;

			if (v > 63)
				return false;
			group = group << 6 | v;
		}
		/* Bits that belong to no byte are zero. */
		if (group & ((1U << 8 * pad) - 1))
			return false;
		*to++ = (uint8_t)(group >> 16);
		if (pad < 2)
			*to++ = (uint8_t)(group >> 8);
		if (pad < 1)
			*to++ = (uint8_t)group;
	}
	*len = (size_t)(to - bytes);
	return true;
}
