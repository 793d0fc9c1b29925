/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Integers and short strs written by hand, for what is encoded once for each
 * event: rows and events.  The caller has counted the bytes before.
 */

#ifndef PEAL_CORE_MP_PUT_PRIV_H
#define PEAL_CORE_MP_PUT_PRIV_H

#include <stdint.h>
#include <string.h>

#include "core/bytes.h"
#include "core/mp_head_priv.h"

static inline size_t
mp_put_uint_size(uint64_t v)
{
	return v < 0x80 ? 1 : 1 + mp_head_width(v);
}

/* Of at most UINT16_MAX bytes. */
static inline size_t
mp_put_str_size(size_t len)
{
	return (len < 0x20 ? 1 : 1 + mp_head_width(len)) + len;
}

static inline uint8_t *
mp_put_uint(uint8_t *p, uint64_t v)
{
	uint64_t u64 = __builtin_bswap64(v);
	uint32_t u32 = __builtin_bswap32((uint32_t)v);
	uint16_t u16 = __builtin_bswap16((uint16_t)v);

	if (v < 0x80) {
		*p = (uint8_t)v;
		return p + 1;
	}
	switch (mp_head_width(v)) {
	case 1:
		p[0] = 0xcc;
		p[1] = (uint8_t)v;
		return p + 2;
	case 2:
		p[0] = 0xcd;
		memcpy(p + 1, &u16, sizeof(u16));
		return p + 3;
	case 4:
		p[0] = 0xce;
		memcpy(p + 1, &u32, sizeof(u32));
		return p + 5;
	default:
		p[0] = 0xcf;
		memcpy(p + 1, &u64, sizeof(u64));
		return p + 9;
	}
}

static inline uint8_t *
mp_put_bytes(uint8_t *p, struct slice s)
{
	if (s.len)
		memcpy(p, s.p, s.len);
	return p + s.len;
}

static inline uint8_t *
mp_put_str(uint8_t *p, struct slice s)
{
	if (s.len < 0x20) {
		*p++ = (uint8_t)(0xa0 | s.len);
	} else if (s.len <= UINT8_MAX) {
		*p++ = 0xd9;
		*p++ = (uint8_t)s.len;
	} else {
		*p++ = 0xda;
		*p++ = (uint8_t)(s.len >> 8);
		*p++ = (uint8_t)s.len;
	}
	return mp_put_bytes(p, s);
}

#endif
