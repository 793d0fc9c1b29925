/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The header by which a proxy says whose connection it passes on: version 2
 * of HAProxy's PROXY protocol, for streams.  Only the client's address is
 * read; what stands behind the addresses (TLVs) is skipped.
 */

#ifndef PEAL_GATEWAY_PROXY_H
#define PEAL_GATEWAY_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

enum {
	PROXY_FIXED = 16,	/* signature, command, family, length */
	PROXY_HEADER_MAX = 2048 /* the longest that is let in */
};

/*
 * How long the header is going to be, as far as its first bytes tell
 * (PROXY_FIXED until they say more).  0, and *why: no header begins so.
 */
size_t proxy_length(struct slice begun, struct reason *why);

struct proxy_client {
	bool known; /* false: the proxy speaks for itself, or can't tell */
	struct sockaddr_storage address;
};

/*
 * Read a whole header, of proxy_length() bytes.  false: refused, *why says
 * why and never repeats it.
 */
MUST_CHECK bool proxy_parse(
    struct slice header, struct proxy_client *out, struct reason *why);

#endif
