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
static uint32_t (*crc32c_best)(uint32_t, const void *, size_t) = crc32c_table;

uint32_t
crc32c_table(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	crc = ~crc;
	while (len--)
		crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
	return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_hardware(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint64_t c = ~crc;

	for (; len >= 8; len -= 8, p += 8)
		c = __builtin_ia32_crc32di(c, get_le64(p));
	for (; len; len--, p++)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p);
	return ~(uint32_t)c;
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
	if (__builtin_cpu_supports("sse4.2"))
		crc32c_best = crc32c_hardware;
#endif
}

uint32_t
crc32c(uint32_t crc, const void *buf, size_t len)
{
	return crc32c_best(crc, buf, len);
}
