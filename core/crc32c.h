/* SPDX-License-Identifier: BSD-2-Clause */

/* CRC32C (Castagnoli, RFC 3720 appendix B.4), reflected, as in iSCSI. */

#ifndef PEAL_CORE_CRC32C_H
#define PEAL_CORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Extend crc (0 to begin, or a salt) over len bytes.  crc32c(crc32c(s, a), b)
 * equals crc32c(s, ab).  Uses the processor's instruction where it has one.
 */
uint32_t crc32c(uint32_t crc, const void *buf, size_t len);

/*
 * Extend *a and *b over the same len bytes, in the time that one of them takes
 * where the processor has the instruction.
 */
void crc32c_both(uint32_t *a, uint32_t *b, const void *buf, size_t len);

/* crc32c() by table: the fallback, and the oracle of the tests. */
uint32_t crc32c_table(uint32_t crc, const void *buf, size_t len);

#endif
