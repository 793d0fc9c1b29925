/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * UTF-8 that comes in pieces: the first byte that can't belong to it is
 * refused when it comes, wherever the pieces were cut.
 */

#ifndef PEAL_GATEWAY_UTF8_H
#define PEAL_GATEWAY_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of a character that is under way; zero between two. */
struct utf8 {
	uint8_t need;	   /* bytes yet to come ... */
	uint8_t low, high; /* ... the next of them within these */
};

/* false: no UTF-8 (RFC 3629) begins like all that was taken so far. */
bool utf8_take(struct utf8 *u, const uint8_t *p, size_t len);

/* The text may end here. */
static inline bool
utf8_is_whole(const struct utf8 *u)
{
	return u->need == 0;
}

#endif
