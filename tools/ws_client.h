/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * WebSocket frames as a client sees them (RFC 6455): its own masked, the
 * server's checked.  Knows bytes alone, no socket.
 */

#ifndef PEAL_TOOLS_WS_CLIENT_H
#define PEAL_TOOLS_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

struct mp_buf;
struct reason;

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

enum {
	WS_HEADER_MAX = 14
};

/* Put a whole masked frame at the end of out. */
void ws_client_pack(struct mp_buf *out, enum ws_opcode opcode, const void *p,
    size_t len, const uint8_t mask[4]);

struct ws_frame {
	bool fin;
	enum ws_opcode opcode;
	size_t header; /* bytes before the payload */
	size_t len;    /* of the payload */
};

enum ws_parse {
	WS_PARTIAL = 0, /* the header is not whole yet */
	WS_HEADER,	/* *frame is filled in; the payload may be to come */
};

/*
 * Read the header of the server's frame at p.  -EPROTO with a reason: a
 * masked frame, reserved bits, an unknown opcode, a control frame that is
 * long or split, a length that is not shortest or beyond max.
 */
MUST_CHECK int ws_client_parse(const uint8_t *p, size_t len, size_t max,
    struct ws_frame *frame, struct reason *why);

#endif
