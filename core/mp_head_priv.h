/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The head of a MessagePack value: its first byte and the number behind it.
 * Shared by the validator and the walk, so that both read the same values;
 * nothing is read beyond the bytes that are there.
 *
 *	00-7f uint     80-8f map   90-9f array   a0-bf str   e0-ff int
 *	c0-df         as in mp_head_wide[]
 */

#ifndef PEAL_CORE_MP_HEAD_PRIV_H
#define PEAL_CORE_MP_HEAD_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/macros.h"
#include "core/mp.h"

struct mp_head {
	uint8_t type; /* enum mp_type */
	uint8_t size; /* bytes of the head; a float is all head */
	int8_t ext;
	/*
	 * The integer (sign-extended), the bits of the float, the bytes of
	 * str, bin or ext that follow, the elements or pairs.
	 */
	uint64_t arg;
};

enum mp_head_result {
	MP_HEAD_OK = 0,
	MP_HEAD_SHORT,
	MP_HEAD_RESERVED
};

struct mp_head_wide {
	uint8_t type;
	uint8_t bytes; /* of the number that follows */
	uint8_t fixed; /* the value of an ext's length that does not */
};

static const struct mp_head_wide mp_head_wide[32] = {
	{ MP_NIL, 0, 0 },
	{ MP_NIL, 0, 0 },
	{ MP_BOOL, 0, 0 },
	{ MP_BOOL, 0, 0 },
	{ MP_BIN, 1, 0 },
	{ MP_BIN, 2, 0 },
	{ MP_BIN, 4, 0 },
	{ MP_EXT, 1, 0 },
	{ MP_EXT, 2, 0 },
	{ MP_EXT, 4, 0 },
	{ MP_FLOAT, 4, 0 },
	{ MP_FLOAT, 8, 0 },
	{ MP_UINT, 1, 0 },
	{ MP_UINT, 2, 0 },
	{ MP_UINT, 4, 0 },
	{ MP_UINT, 8, 0 },
	{ MP_INT, 1, 0 },
	{ MP_INT, 2, 0 },
	{ MP_INT, 4, 0 },
	{ MP_INT, 8, 0 },
	{ MP_EXT, 0, 1 },
	{ MP_EXT, 0, 2 },
	{ MP_EXT, 0, 4 },
	{ MP_EXT, 0, 8 },
	{ MP_EXT, 0, 16 },
	{ MP_STR, 1, 0 },
	{ MP_STR, 2, 0 },
	{ MP_STR, 4, 0 },
	{ MP_ARRAY, 2, 0 },
	{ MP_ARRAY, 4, 0 },
	{ MP_MAP, 2, 0 },
	{ MP_MAP, 4, 0 },
};

/* A big-endian number of 0, 1, 2, 4 or 8 bytes. */
static inline uint64_t
mp_head_number(const uint8_t *p, unsigned bytes)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (bytes) {
	case 1:
		return p[0];
	case 2:
		memcpy(&u16, p, sizeof(u16));
		return __builtin_bswap16(u16);
	case 4:
		memcpy(&u32, p, sizeof(u32));
		return __builtin_bswap32(u32);
	case 8:
		memcpy(&u64, p, sizeof(u64));
		return __builtin_bswap64(u64);
	default:
		return 0;
	}
}

/* c0 to df. */
static inline enum mp_head_result
mp_head_read_wide(const uint8_t *p, size_t left, struct mp_head *h)
{
	const struct mp_head_wide *wide = &mp_head_wide[p[0] - 0xc0];
	unsigned shift = 64 - 8 * wide->bytes;

	if (p[0] == 0xc1)
		return MP_HEAD_RESERVED;
	h->type = wide->type;
	h->size = (uint8_t)(1 + wide->bytes + (wide->type == MP_EXT));
	if (left < h->size)
		return MP_HEAD_SHORT;
	h->arg = mp_head_number(p + 1, wide->bytes);
	switch (wide->type) {
	case MP_BOOL:
		h->arg = p[0] & 1;
		break;
	case MP_INT:
		h->arg = (uint64_t)((int64_t)(h->arg << shift) >> shift);
		if ((int64_t)h->arg >= 0)
			h->type = MP_UINT;
		break;
	case MP_EXT:
		h->ext = (int8_t)p[1 + wide->bytes];
		h->arg += wide->fixed;
		break;
	default:
		break;
	}
	return MP_HEAD_OK;
}

/* Read the head at p; left is 1 or more. */
static inline enum mp_head_result
mp_head_read(const uint8_t *p, size_t left, struct mp_head *h)
{
	uint8_t b = p[0];

	h->size = 1;
	h->ext = 0;
	if (b >= 0xa0 && b < 0xc0) {
		h->type = MP_STR;
		h->arg = b & 0x1f;
	} else if (b < 0x80) {
		h->type = MP_UINT;
		h->arg = b;
	} else if (b < 0x90) {
		h->type = MP_MAP;
		h->arg = b & 0x0f;
	} else if (b < 0xa0) {
		h->type = MP_ARRAY;
		h->arg = b & 0x0f;
	} else if (b >= 0xe0) {
		h->type = MP_INT;
		h->arg = (uint64_t)(int64_t)(int8_t)b;
	} else {
		return mp_head_read_wide(p, left, h);
	}
	return MP_HEAD_OK;
}

/* Bytes of the shortest of the four widths that holds n. */
static inline unsigned
mp_head_width(uint64_t n)
{
	return n <= UINT8_MAX	 ? 1
	       : n <= UINT16_MAX ? 2
	       : n <= UINT32_MAX ? 4
				 : 8;
}

/* Bytes of the shortest head that says the same. */
static inline unsigned
mp_head_shortest(const struct mp_head *h)
{
	uint64_t n = h->arg;

	switch (h->type) {
	case MP_UINT:
		return n < 0x80 ? 1 : 1 + mp_head_width(n);
	case MP_INT:
		return ~n < 0x20 ? 1 : 1 + mp_head_width(~n << 1);
	case MP_STR:
		return n < 0x20 ? 1 : 1 + mp_head_width(n);
	case MP_BIN:
		return 1 + mp_head_width(n);
	case MP_EXT:
		if (n && n <= 16 && !(n & (n - 1)))
			return 2;
		return 2 + mp_head_width(n);
	case MP_ARRAY:
	case MP_MAP:
		return n < 0x10 ? 1 : 1 + MAX(2, mp_head_width(n));
	default:
		return h->size;
	}
}

/* Is this head of first byte b the one that canonical form has? */
static inline bool
mp_head_canonical(const struct mp_head *h, uint8_t b)
{
	if (h->size == 1)
		return true;
	/* What is zero or above has the unsigned forms. */
	if (h->type == MP_UINT && b >= 0xd0)
		return false;
	return h->size == mp_head_shortest(h);
}

#endif
