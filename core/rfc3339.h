/* SPDX-License-Identifier: BSD-2-Clause */

/* Times as text: RFC 3339, years 0000 to 9999, nanoseconds, no leap second. */

#ifndef PEAL_CORE_RFC3339_H
#define PEAL_CORE_RFC3339_H

#include <stdbool.h>

#include "core/bytes.h"

enum {
	RFC3339_MAX = 36 /* bytes that rfc3339_format() writes, with NUL */
};

/*
 * UTC, with as many digits behind the second as it takes; returns the length.
 * 0 when the year is not within 0000 to 9999; nanoseconds below 10^9.
 */
size_t rfc3339_format(
    int64_t seconds, uint32_t nanoseconds, char buf[RFC3339_MAX]);

/* Any offset, at most nine digits behind the second. */
bool rfc3339_parse(struct slice text, int64_t *seconds, uint32_t *nanoseconds);

#endif
