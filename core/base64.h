/* SPDX-License-Identifier: BSD-2-Clause */

/* Base64 of RFC 4648, section 4: padded, strict, one form for each value. */

#ifndef PEAL_CORE_BASE64_H
#define PEAL_CORE_BASE64_H

#include <stdbool.h>

#include "core/bytes.h"

/* Bytes of the text of len bytes, without NUL. */
static inline size_t
base64_size(size_t len)
{
	return (len + 2) / 3 * 4;
}

/* Most bytes that a text of len bytes holds. */
static inline size_t
base64_room(size_t len)
{
	return len / 4 * 3;
}

/* Writes base64_size(bytes.len) characters. */
void base64_encode(struct slice bytes, char *text);

/*
 * Writes at most base64_room(text.len) bytes.  false for anything that
 * base64_encode() would not have written.
 */
bool base64_decode(struct slice text, uint8_t *bytes, size_t *len);

#endif
