/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Any bytes as WebSocket frames: whole, byte by byte and cut at random they
 * mean the same, and the same as to a decoder of a few lines that sees all
 * of them at once.  As a libFuzzer target with -DPEAL_LIBFUZZER; else a test
 * that makes frames at random and spoils some.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "core/mpvalid.h"
#include "gateway/ws.h"
#include "tests/lib/fuzz.h"

enum {
	MAX_MESSAGE = 3000,
	EVENTS_MAX = 4096,
	KINDS = WS_KINDS_BOTH + 1,
};

/* What was received, in order. */
struct event {
	unsigned opcode;
	unsigned code; /* of a close frame */
	size_t len;
	uint32_t crc;
};

struct story {
	uint8_t kinds;
	unsigned refused; /* close code, or 0 */
	unsigned n;
	struct event events[EVENTS_MAX];
};

static bool
tell(void *arg, unsigned opcode, struct slice payload)
{
	struct story *s = arg;

	if (s->n < EVENTS_MAX)
		s->events[s->n++] = (struct event){
			.opcode = opcode,
			.len = payload.len,
			.crc = payload.len > 0
				   ? crc32c(0, payload.p, payload.len)
				   : 0,
		};
	return true;
}

static void
tell_close(void *arg, unsigned code)
{
	struct story *s = arg;

	if (s->n < EVENTS_MAX)
		s->events[s->n++] =
		    (struct event){ .opcode = WS_CLOSE, .code = code };
}

static bool
ended(const struct story *s)
{
	return s->refused ||
	       (s->n > 0 && s->events[s->n - 1].opcode == WS_CLOSE);
}

/* Pieces of 1 to piece_max bytes, each in memory of its own. */
static void
receive(const uint8_t *p, size_t len, size_t piece_max, struct story *s)
{
	const struct ws_sink sink = { tell, tell_close, s };
	struct ws_pool *pool = ws_pool_new(1 << 20);
	struct ws_state state = { .kinds = s->kinds };
	const char *text = NULL;

	FUZZ_MUST(pool);
	s->refused = 0;
	s->n = 0;
	while (len > 0 && !ended(s)) {
		size_t most = 1 + fuzz_roll(piece_max), n = MIN(len, most);
		uint8_t *piece = malloc(n);

		FUZZ_MUST(piece);
		memcpy(piece, p, n);
		s->refused = ws_take(pool, &state, MAX_MESSAGE, 7,
		    slice_of(piece, n), &sink, &text);
		FUZZ_MUST(!s->refused || text);
		free(piece);
		p += n;
		len -= n;
	}
	ws_state_deinit(pool, &state);
	ws_pool_free(pool);
}

/* The decoder to compare with: RFC 6455, 5.2, and our limits. */
struct reference {
	const uint8_t *p;
	size_t left;
	uint8_t message[MAX_MESSAGE];
	size_t len;
	unsigned open; /* opcode of the message under way, or 0 */
	unsigned fragments;
	unsigned controls;
	struct story *story;
};

static unsigned
reference_close(struct reference *r, const uint8_t *p, size_t len)
{
	unsigned code = len >= 2 ? (unsigned)p[0] << 8 | p[1] : WS_CODE_NONE;

	if (len == 1)
		return WS_CODE_PROTOCOL;
	if (len >= 2) {
		if (code < 1000 || code > 4999 ||
		    (code > 1003 && code < 1007) ||
		    (code > 1014 && code < 3000))
			return WS_CODE_PROTOCOL;
		if (!mpvalid_utf8(p + 2, len - 2))
			return WS_CODE_MALFORMED;
	}
	tell_close(r->story, code);
	return 0;
}

/*
 * Can the message under way, with these bytes, become UTF-8?  So it can when
 * it is but for a tail of up to three bytes, which some bytes would complete.
 */
static bool
reference_may_be_text(const struct reference *r, const uint8_t *p, size_t len)
{
	static const uint8_t completions[][3] = { { 0x80, 0x80, 0x80 },
		{ 0x90, 0x80, 0x80 }, { 0xa0, 0x80, 0x80 } };
	uint8_t text[MAX_MESSAGE + 3];
	size_t n = r->len + len;

	memcpy(text, r->message, r->len);
	memcpy(text + r->len, p, len);
	if (mpvalid_utf8(text, n))
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(completions); i++)
		for (unsigned more = 1; more <= 3; more++) {
			memcpy(text + n, completions[i], more);
			if (mpvalid_utf8(text, n + more))
				return true;
		}
	return false;
}

/* A whole frame is there, its payload unmasked at p. */
static unsigned
reference_frame(
    struct reference *r, unsigned first, const uint8_t *p, size_t len)
{
	unsigned opcode = first & 15;

	if (opcode == WS_CLOSE)
		return reference_close(r, p, len);
	if (opcode > WS_CLOSE) {
		tell(r->story, opcode, slice_of(p, len));
		return 0;
	}
	memcpy(r->message + r->len, p, len);
	r->len += len;
	if (opcode != WS_CONTINUATION)
		r->open = opcode;
	if (first & 0x80) {
		if (r->open == WS_TEXT && !mpvalid_utf8(r->message, r->len))
			return WS_CODE_MALFORMED;
		tell(r->story, r->open, slice_of(r->message, r->len));
		r->len = r->fragments = 0;
		r->open = 0;
	}
	return 0;
}

/* So much of a frame's payload is there, unmasked at p. */
static unsigned
reference_payload(
    const struct reference *r, unsigned first, const uint8_t *p, size_t len)
{
	unsigned opcode = first & 15;

	if (opcode == WS_CONTINUATION)
		opcode = r->open;
	if (opcode == WS_TEXT && !reference_may_be_text(r, p, len))
		return WS_CODE_MALFORMED;
	return 0;
}

/* What the head forbids. */
static unsigned
reference_head(struct reference *r, unsigned first, uint64_t len)
{
	if (first & 8)
		return ++r->controls > WS_CONTROL_PER_S ? WS_CODE_POLICY : 0;
	if (len > MAX_MESSAGE - r->len)
		return WS_CODE_TOO_BIG;
	return ++r->fragments > WS_FRAGMENTS_MAX ? WS_CODE_POLICY : 0;
}

static unsigned
reference_first(const struct reference *r, unsigned first, unsigned second)
{
	unsigned opcode = first & 15;

	if ((first & 0x70) || !(second & 0x80))
		return WS_CODE_PROTOCOL;
	if (opcode == WS_TEXT && r->story->kinds == WS_KINDS_BINARY)
		return WS_CODE_TYPE;
	if (opcode == WS_BINARY && r->story->kinds == WS_KINDS_TEXT)
		return WS_CODE_TYPE;
	if (opcode >= WS_CLOSE && opcode <= WS_PONG)
		return !(first & 0x80) || (second & 127) > 125
			   ? WS_CODE_PROTOCOL
			   : 0;
	if (opcode > WS_BINARY || (opcode != WS_CONTINUATION) == (r->open != 0))
		return WS_CODE_PROTOCOL;
	return 0;
}

/* One frame; false when there is no more, or no whole one. */
static bool
reference_next(struct reference *r)
{
	uint8_t payload[MAX_MESSAGE];
	size_t head = 2;
	uint64_t len, there;

	if (r->left < 2)
		return false;
	r->story->refused = reference_first(r, r->p[0], r->p[1]);
	if (r->story->refused)
		return false;
	len = r->p[1] & 127;
	if (len > 125) {
		head = len == 126 ? 4 : 10;
		if (r->left < head)
			return false;
		len = 0;
		for (size_t i = 2; i < head; i++)
			len = len << 8 | r->p[i];
		if (len >> 63 || len < (head == 4 ? 126 : 65536))
			r->story->refused = WS_CODE_PROTOCOL;
	}
	if (!r->story->refused)
		r->story->refused = reference_head(r, r->p[0], len);
	if (r->story->refused || r->left < head + 4)
		return false;
	there = MIN(len, r->left - head - 4);
	for (uint64_t i = 0; i < there; i++)
		payload[i] = r->p[head + 4 + i] ^ r->p[head + i % 4];
	r->story->refused = reference_payload(r, r->p[0], payload, there);
	if (r->story->refused || there < len)
		return false;
	r->story->refused = reference_frame(r, r->p[0], payload, len);
	r->p += head + 4 + len;
	r->left -= head + 4 + len;
	return !ended(r->story);
}

static void
refer(const uint8_t *p, size_t len, struct story *s)
{
	struct reference r = { .p = p, .left = len, .story = s };

	s->refused = 0;
	s->n = 0;
	while (reference_next(&r))
		;
}

static void
must_agree(const struct story *a, const struct story *b)
{
	FUZZ_MUST(a->refused == b->refused);
	FUZZ_MUST(a->n == b->n);
	FUZZ_MUST(!memcmp(a->events, b->events, a->n * sizeof(a->events[0])));
}

/* Returns what came of it, for those who want to know. */
static const struct story *
try_bytes(const uint8_t *p, size_t len, unsigned kinds)
{
	static struct story expected, found;

	memset(&expected, 0, sizeof(expected));
	memset(&found, 0, sizeof(found));
	expected.kinds = found.kinds = (uint8_t)kinds;
	refer(p, len, &expected);
	receive(p, len, SIZE_MAX >> 1, &found);
	must_agree(&expected, &found);
	receive(p, len, 1, &found);
	must_agree(&expected, &found);
	receive(p, len, 1 + fuzz_roll(len + 1), &found);
	must_agree(&expected, &found);
	return &expected;
}

#ifdef PEAL_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		(void)try_bytes(data + 1, size - 1, data[0] % KINDS);
	return 0;
}

#else

enum {
	ROUNDS = 5000,
	BYTES = 8192,
	HANG_SECONDS = 240,
};

static size_t
make_frame(uint8_t *p, unsigned first, size_t len)
{
	static const uint16_t codes[] = { 1000, 1001, 1004, 1005, 1006, 1007,
		1015, 2999, 3000, 4401, 4999, 5000 };
	unsigned head = ws_head(p, first & 15, len);
	uint8_t key[4], *payload = p + head + 4;
	uint64_t noise = fuzz_roll(4) ? UINT16_MAX : 8;

	p[0] = (uint8_t)first;
	p[1] |= 0x80;
	for (unsigned i = 0; i < 4; i++)
		p[head + i] = key[i] = (uint8_t)fuzz_roll(256);
	for (size_t i = 0; i < len; i++)
		payload[i] = (uint8_t)(fuzz_roll(noise) ? 'a' + fuzz_roll(26)
							: fuzz_roll(256));
	if (len >= 3 && !fuzz_roll(4))
		memcpy(payload + fuzz_roll(len - 2), "\xe2\x82\xac", 3);
	if ((first & 15) == WS_CLOSE && len >= 2) {
		uint16_t code = codes[fuzz_roll(ARRAY_LEN(codes))];

		payload[0] = (uint8_t)(code >> 8);
		payload[1] = (uint8_t)code;
	}
	for (size_t i = 0; i < len; i++)
		payload[i] ^= key[i % 4];
	return head + 4 + len;
}

static size_t
some_length(bool control)
{
	switch (fuzz_roll(8)) {
	case 0:
		return 0;
	case 1:
		return control ? 125 : 125 + fuzz_roll(4);
	case 2:
		return control ? 2 : fuzz_roll(MAX_MESSAGE);
	case 3:
		return control ? 1 : MAX_MESSAGE - fuzz_roll(3);
	default:
		return fuzz_roll(60);
	}
}

/* Mostly frames as they should be. */
static size_t
make_stream(uint8_t *p, unsigned kinds)
{
	size_t n = 0;
	bool open = false;

	for (uint64_t frames = fuzz_roll(30); frames > 0 && n < 4096;
	     frames--) {
		unsigned first = kinds == WS_KINDS_TEXT ? WS_TEXT : WS_BINARY;
		bool control = fuzz_roll(5) == 0;

		if (open)
			first = WS_CONTINUATION;
		else if (kinds == WS_KINDS_BOTH)
			first = 1 + (unsigned)fuzz_roll(2);
		if (control)
			first = 0x80 |
				(WS_CLOSE + fuzz_roll(20) % 3 + !fuzz_roll(2));
		else if (fuzz_roll(3))
			first |= 0x80;
		if (!control)
			open = !(first & 0x80);
		if (control && (first & 15) > WS_PONG)
			first = 0x80 | WS_PONG;
		n += make_frame(p + n, first, some_length(control));
	}
	return n;
}

static size_t
spoil(uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	switch (fuzz_roll(6)) {
	case 0:
		p[fuzz_roll(n)] ^= (uint8_t)(1 << fuzz_roll(8));
		return n;
	case 1:
		p[fuzz_roll(MIN(n, (size_t)16))] = (uint8_t)fuzz_roll(256);
		return n;
	case 2:
		return fuzz_roll(n);
	default:
		return n;
	}
}

static void
one(const uint8_t *p, size_t len)
{
	if (len > 0)
		(void)try_bytes(p + 1, len - 1, p[0] % KINDS);
}

int
main(void)
{
	bool kept;
	static uint8_t bytes[BYTES];
	unsigned refused = 0, closed = 0, messages = 0, texts = 0;

	printf("1..2\n");
	kept = fuzz_replay("ws", one);
	fuzz_seed();
	(void)alarm(HANG_SECONDS);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned kinds = i % KINDS;
		size_t n = spoil(bytes, make_stream(bytes, kinds));
		const struct story *s = try_bytes(bytes, n, kinds);

		refused += s->refused != 0;
		closed += !s->refused && ended(s);
		for (unsigned e = 0; e < s->n; e++) {
			messages += s->events[e].opcode == WS_BINARY;
			texts += s->events[e].opcode == WS_TEXT;
		}
	}
	printf("%sok 2 - frames mean the same however they are cut\n",
	    refused && closed && messages && texts ? "" : "not ");
	printf("# %u streams refused, %u closed, "
	       "%u messages, %u texts\n",
	    refused, closed, messages, texts);
	return !(kept && refused && closed && messages && texts);
}

#endif
