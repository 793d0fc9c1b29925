/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * WebSocket framing for clients.  The server is as little trusted as any
 * peer: what RFC 6455 forbids it is refused.
 */

#include <errno.h>
#include <string.h>

#include "core/mp.h"
#include "core/reason.h"
#include "tools/refuse.h"
#include "tools/ws_client.h"

enum {
	WS_FIN = 0x80,
	WS_RESERVED = 0x70,
	WS_MASKED = 0x80
};

static void
ws_put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t
ws_get_be(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

void
ws_client_pack(struct mp_buf *out, enum ws_opcode opcode, const void *p,
    size_t len, const uint8_t mask[4])
{
	uint8_t *at = mp_buf_reserve(out, WS_HEADER_MAX + len);
	const uint8_t *from = p;
	size_t n = 2;

	if (!at)
		return;
	at[0] = (uint8_t)(WS_FIN | opcode);
	if (len < 126) {
		at[1] = (uint8_t)(WS_MASKED | len);
	} else if (len <= UINT16_MAX) {
		at[1] = WS_MASKED | 126;
		ws_put_be(at + 2, len, 2);
		n = 4;
	} else {
		at[1] = WS_MASKED | 127;
		ws_put_be(at + 2, len, 8);
		n = 10;
	}
	memcpy(at + n, mask, 4);
	n += 4;
	for (size_t i = 0; i < len; i++)
		at[n + i] = from[i] ^ mask[i % 4];
	out->len += n + len;
}

static int
ws_check_head(uint8_t b0, uint8_t b1, struct reason *why)
{
	unsigned opcode = b0 & 0x0f;

	if (b0 & WS_RESERVED)
		return REFUSE(why, "the server set reserved bits in a frame");
	if (b1 & WS_MASKED)
		return REFUSE(why, "the server sent a masked frame");
	if ((opcode > WS_BINARY && opcode < WS_CLOSE) || opcode > WS_PONG)
		return REFUSE(why, "the server sent opcode %u", opcode);
	if (opcode >= WS_CLOSE && (!(b0 & WS_FIN) || (b1 & 0x7f) > 125))
		return REFUSE(why,
		    "the server sent a control frame that is split or long");
	return 0;
}

int
ws_client_parse(const uint8_t *p, size_t len, size_t max,
    struct ws_frame *frame, struct reason *why)
{
	unsigned extra, short_len;
	uint64_t payload;
	int err;

	if (len < 2)
		return WS_PARTIAL;
	err = ws_check_head(p[0], p[1], why);
	if (err < 0)
		return err;
	short_len = p[1] & 0x7f;
	extra = short_len == 127 ? 8 : short_len == 126 ? 2 : 0;
	if (len < 2 + extra)
		return WS_PARTIAL;
	payload = extra ? ws_get_be(p + 2, extra) : short_len;
	if ((extra == 2 && payload < 126) ||
	    (extra == 8 && payload <= UINT16_MAX))
		return REFUSE(
		    why, "the server sent a length that is not shortest");
	if (payload > max)
		return REFUSE(why,
		    "the server sent a frame of %llu bytes, more than %zu",
		    (unsigned long long)payload, max);
	*frame = (struct ws_frame){ .fin = (p[0] & WS_FIN) != 0,
		.opcode = (enum ws_opcode)(p[0] & 0x0f),
		.header = 2 + extra,
		.len = (size_t)payload };
	return WS_HEADER;
}
