/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * CRC32C: both forms give the same number for every input.  Which one serves
 * is decided once, before main().
 */

#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"

#define POLY UINT32_C(0x82f63b78) /* 0x1edc6f41 reflected */

static uint32_t table[256];

static void crc32c_both_table(
    uint32_t *a, uint32_t *b, const void *buf, size_t len);

static uint32_t (*crc32c_best)(uint32_t, const void *, size_t) = crc32c_table;
static void (*crc32c_best_both)(
    uint32_t *, uint32_t *, const void *, size_t) = crc32c_both_table;

uint32_t
crc32c_table(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	crc = ~crc;
	while (len--)
		crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
	return ~crc;
}

static void
crc32c_both_table(uint32_t *a, uint32_t *b, const void *buf, size_t len)
{
	*a = crc32c_table(*a, buf, len);
	*b = crc32c_table(*b, buf, len);
}

#if defined(__x86_64__)
/* All of len bytes, fewer than eight. */
__attribute__((target("sse4.2"))) static inline uint32_t
crc32c_few(uint32_t c, const uint8_t *p, size_t len)
{
	if (len & 4) {
		c = __builtin_ia32_crc32si(c, get_le32(p));
		p += 4;
	}
	if (len & 2) {
		c = __builtin_ia32_crc32hi(c, get_le16(p));
		p += 2;
	}
	if (len & 1)
		c = __builtin_ia32_crc32qi(c, *p);
	return c;
}

/*
 * The last 1 to 8 bytes, the high ones of word, in one step: zeros before
 * them do not count where what they are added to is zero as well.  Lengths
 * are anything, and a branch on each bit of them would often be mispredicted.
 */
__attribute__((target("sse4.2"))) static inline uint32_t
crc32c_last(uint32_t c, uint64_t word, size_t len)
{
	unsigned bits = 8 * (unsigned)len, zeros = 64 - bits;
	uint64_t added = (word >> zeros << zeros) ^ ((uint64_t)c << zeros);
	/* What c has beyond len bytes; shifted twice, for 64 is too far. */
	uint64_t left = (uint64_t)c >> (bits - 1) >> 1;

	return (uint32_t)(__builtin_ia32_crc32di(0, added) ^ left);
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_hardware(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf, *end = p + len;
	uint64_t c = ~crc;

	if (len < 8)
		return ~crc32c_few((uint32_t)c, p, len);
	for (; end - p > 8; p += 8)
		c = __builtin_ia32_crc32di(c, get_le64(p));
	return ~crc32c_last((uint32_t)c, get_le64(end - 8), (size_t)(end - p));
}

/* A step waits for the one before; the other sum's fits in between. */
__attribute__((target("sse4.2"))) static void
crc32c_both_hardware(uint32_t *a, uint32_t *b, const void *buf, size_t len)
{
	const uint8_t *p = buf, *end = p + len;
	uint64_t c = ~*a, d = ~*b, word;

	if (len < 8) {
		*a = ~crc32c_few((uint32_t)c, p, len);
		*b = ~crc32c_few((uint32_t)d, p, len);
		return;
	}
	for (; end - p > 8; p += 8) {
		word = get_le64(p);
		c = __builtin_ia32_crc32di(c, word);
		d = __builtin_ia32_crc32di(d, word);
	}
	word = get_le64(end - 8);
	*a = ~crc32c_last((uint32_t)c, word, (size_t)(end - p));
	*b = ~crc32c_last((uint32_t)d, word, (size_t)(end - p));
}
#endif

__attribute__((constructor)) static void
crc32c_setup(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = (c >> 1) ^ (POLY & -(c & 1));
		table[i] = c;
	}
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("sse4.2")) {
		crc32c_best = crc32c_hardware;
		crc32c_best_both = crc32c_both_hardware;
	}
#endif
}

uint32_t
crc32c(uint32_t crc, const void *buf, size_t len)
{
	return crc32c_best(crc, buf, len);
}

void
crc32c_both(uint32_t *a, uint32_t *b, const void *buf, size_t len)
{
	crc32c_best_both(a, b, buf, len);
}
