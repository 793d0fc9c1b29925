/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blocks: the bytes that many connections send.  Events are laid down first,
 * heads are written backwards in front of them: nothing is ever moved.
 */

#include <assert.h>

#include "gateway/block.h"

enum {
	FIN_TEXT = 0x81,
	FIN_BINARY = 0x82,
	LEN_16BIT = 126, /* RFC 6455, 5.2: the length follows in 2 bytes */
	LEN_64BIT = 127, /* the same in 8 bytes */
};

struct block *
block_new(uint32_t payload)
{
	struct block *b;
	uint32_t cap;

	if (payload > UINT32_MAX - BLOCK_HEADROOM)
		return NULL;
	cap = BLOCK_HEADROOM + payload;
	b = malloc(sizeof(*b) + cap);
	if (!b)
		return NULL;
	*b = (struct block){
		.refs = 1,
		.cap = cap,
		.start = BLOCK_HEADROOM,
		.end = BLOCK_HEADROOM,
	};
	return b;
}

struct block *
block_unref(struct block *b)
{
	if (!b)
		return NULL;
	assert(b->refs > 0);
	if (--b->refs > 0)
		return NULL;
	(void)block_unref(b->json);
	(void)block_unref(b->events);
	free(b);
	return NULL;
}

uint64_t
block_bytes(const struct block *b)
{
	uint64_t bytes = b->end - b->start;

	if (b->json)
		bytes += b->json->end - b->json->start;
	if (b->events)
		bytes += b->events->end - b->events->start;
	return bytes;
}

void
block_add(struct block *b, const uint8_t *event, uint32_t len)
{
	assert(b->start == BLOCK_HEADROOM && len <= b->cap - b->end);
	memcpy(b->bytes + b->end, event, len);
	b->end += len;
	b->n_events++;
}

/* Put one byte, then n bytes of x (big-endian), in front of the message. */
static void
put_front(struct block *b, uint8_t first, unsigned n, uint64_t x)
{
	assert(b->start > n);
	b->start -= n + 1;
	b->bytes[b->start] = first;
	for (unsigned i = 0; i < n; i++)
		b->bytes[b->start + 1 + i] = (uint8_t)(x >> 8 * (n - 1 - i));
}

/* MessagePack, in shortest form. */
static void
put_uint(struct block *b, uint64_t v)
{
	if (v < 0x80)
		put_front(b, (uint8_t)v, 0, 0);
	else if (v <= UINT8_MAX)
		put_front(b, 0xcc, 1, v);
	else if (v <= UINT16_MAX)
		put_front(b, 0xcd, 2, v);
	else if (v <= UINT32_MAX)
		put_front(b, 0xce, 4, v);
	else
		put_front(b, 0xcf, 8, v);
}

static void
put_array(struct block *b, uint32_t n)
{
	if (n < 16)
		put_front(b, (uint8_t)(0x90 | n), 0, 0);
	else if (n <= UINT16_MAX)
		put_front(b, 0xdc, 2, n);
	else
		put_front(b, 0xdd, 4, n);
}

/* From a server: final, not masked. */
static void
put_websocket_head(struct block *b, uint8_t first)
{
	uint64_t len = b->end - b->start;

	if (len < LEN_16BIT) {
		put_front(b, (uint8_t)len, 0, 0);
	} else if (len <= UINT16_MAX) {
		put_front(b, LEN_16BIT, 2, len);
	} else {
		put_front(b, LEN_64BIT, 8, len);
	}
	put_front(b, first, 0, 0);
}

void
block_finish_batch(struct block *b, uint64_t after, uint64_t upto)
{
	b->after = after;
	b->upto = upto;
	put_uint(b, upto);
	put_uint(b, after);
	put_array(b, b->n_events + 2);
	put_websocket_head(b, FIN_BINARY);
}

static struct block *
message(struct slice value, uint8_t first)
{
	struct block *b;

	if (value.len > UINT32_MAX)
		return NULL;
	b = block_new((uint32_t)value.len);
	if (!b)
		return NULL;
	if (value.len > 0)
		memcpy(b->bytes + b->end, value.p, value.len);
	b->end += (uint32_t)value.len;
	put_websocket_head(b, first);
	return b;
}

struct block *
block_raw(struct slice bytes)
{
	struct block *b =
	    bytes.len > UINT32_MAX ? NULL : block_new((uint32_t)bytes.len);

	if (!b)
		return NULL;
	if (bytes.len > 0)
		memcpy(b->bytes + b->end, bytes.p, bytes.len);
	b->end += (uint32_t)bytes.len;
	return b;
}

struct block *
block_message(struct slice value)
{
	return message(value, FIN_BINARY);
}

struct block *
block_text(struct slice text)
{
	return message(text, FIN_TEXT);
}

struct slice
block_payload(const struct block *b)
{
	const uint8_t *p = b->bytes + b->start;
	size_t head = 2;

	if (p[1] == LEN_16BIT)
		head += 2;
	else if (p[1] == LEN_64BIT)
		head += 8;
	return slice_of(p + head, b->end - b->start - head);
}
