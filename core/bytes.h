/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Bytes on disk and wire: little-endian numbers at any alignment, and the
 * slice, a borrowed run of bytes.
 */

#ifndef PEAL_CORE_BYTES_H
#define PEAL_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that belong to somebody else and outlive the slice. */
struct slice {
	const uint8_t *p;
	size_t len;
};

#define SLICE_STR(literal) \
	((struct slice){ (const uint8_t *)(literal), sizeof(literal) - 1 })

static inline struct slice
slice_of(const void *p, size_t len)
{
	return (struct slice){ p, len };
}

static inline struct slice
slice_cstr(const char *s)
{
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.p, b.p, a.len));
}

static inline bool
slice_is(struct slice a, const char *s)
{
	return slice_equal(a, slice_cstr(s));
}

/*
 * What stands before the first sep goes into *part, and *rest goes on behind
 * it.  false: there is no sep, and *part is all of it.
 */
static inline bool
slice_cut(struct slice *rest, char sep, struct slice *part)
{
	const uint8_t *at =
	    rest->len > 0 ? memchr(rest->p, sep, rest->len) : NULL;

	*part = *rest;
	if (at)
		part->len = (size_t)(at - rest->p);
	rest->p += part->len + (at != NULL);
	rest->len -= part->len + (at != NULL);
	return at != NULL;
}

static inline bool
slice_is_digits(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0;
}

/* A decimal number of digits alone; false for what is none, or too great. */
static inline bool
slice_uint(struct slice s, uint64_t *v)
{
	uint64_t n = 0;

	if (!slice_is_digits(s))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(s.p[i] - '0'), &n))
			return false;
	*v = n;
	return true;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_LE(bits, x) (x)
#else
#define BYTES_LE(bits, x) __builtin_bswap##bits(x)
#endif

#define BYTES_DEFINE(bits)                                         \
	static inline uint##bits##_t get_le##bits(const void *p)   \
	{                                                          \
		uint##bits##_t x;                                  \
                                                                   \
		memcpy(&x, p, sizeof(x));                          \
		return BYTES_LE(bits, x);                          \
	}                                                          \
	static inline void put_le##bits(void *p, uint##bits##_t x) \
	{                                                          \
		x = BYTES_LE(bits, x);                             \
		memcpy(p, &x, sizeof(x));                          \
	}

BYTES_DEFINE(16)
BYTES_DEFINE(32)
BYTES_DEFINE(64)

#endif
