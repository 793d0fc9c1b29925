/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Characters that are no text, by Unicode's own lists: controls, and those
 * formats that reorder or hide what stands around them.  Locales are not
 * asked: what is harmless does not depend on them.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/macros.h"
#include "core/mpvalid.h"
#include "tools/plain.h"

static const struct {
	uint32_t first, last;
} refused[] = {
	{ 0x0000, 0x001f },    /* C0 */
	{ 0x007f, 0x009f },    /* DEL and C1 */
	{ 0x00ad, 0x00ad },    /* soft hyphen */
	{ 0x061c, 0x061c },    /* Arabic letter mark */
	{ 0x180b, 0x180f },    /* Mongolian selectors */
	{ 0x200b, 0x200f },    /* zero width, directions */
	{ 0x2028, 0x202e },    /* separators, embeddings, overrides */
	{ 0x2060, 0x206f },    /* joiners, isolates */
	{ 0xfe00, 0xfe0f },    /* variation selectors */
	{ 0xfeff, 0xfeff },    /* byte order mark */
	{ 0xfff0, 0xfffb },    /* specials but the replacement characters */
	{ 0xe0000, 0x10ffff }, /* tags, private use */
};

/* Bytes of the character at p, of which len are there; 0: it is none. */
static size_t
character(const uint8_t *p, size_t len, uint32_t *c)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (n > len || !mpvalid_utf8(p, n))
		return 0;
	*c = n == 1 ? p[0] : p[0] & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++)
		*c = *c << 6 | (p[i] & 0x3f);
	return n;
}

static bool
is_refused(uint32_t c)
{
	for (unsigned i = 0; i < ARRAY_LEN(refused); i++)
		if (c >= refused[i].first && c <= refused[i].last)
			return true;
	return false;
}

const char *
plain_text(char *buf, size_t size, struct slice text)
{
	size_t at = 0, fits = 0; /* up to where "..." still has room */

	for (size_t i = 0; i < text.len;) {
		char piece[8];
		uint32_t c;
		size_t n = character(text.p + i, text.len - i, &c);
		size_t len = n;

		if (n > 0 && !is_refused(c)) {
			memcpy(piece, text.p + i, n);
		} else {
			n = 1;
			len = (size_t)snprintf(
			    piece, sizeof(piece), "\\x%02x", text.p[i]);
		}
		if (at + len >= size) {
			strcpy(buf + fits, "...");
			return buf;
		}
		memcpy(buf + at, piece, len);
		at += len;
		i += n;
		if (at + 4 <= size)
			fits = at;
	}
	buf[at] = '\0';
	return buf;
}
