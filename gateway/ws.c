/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * WebSocket frames from clients.  wslay decodes and unmasks, but shows a
 * frame's head only with its first byte of payload, and its event interface
 * allocates what a head declares: so a gate of our own checks each head as
 * soon as its length is there, and memory grows only with what has arrived.
 *
 * wslay gets the bytes of one frame at a time.  At a frame's end its context
 * is empty, and may serve another connection.
 */

#include <assert.h>
#include <string.h>
#include <wslay/wslay.h>

#include "core/mpvalid.h"
#include "gateway/counters.h"
#include "gateway/utf8.h"
#include "gateway/ws.h"

enum {
	HEAD_MAX = 10, /* without the mask's key */
	KEY_BYTES = 4,
	SPARE_MAX = 64,
	KEEP_BYTES = 4096, /* a buffer that goes back to the pool with its ws */
	FIN_BIT = 0x80,
	RESERVED_BITS = 0x70,
	MASK_BIT = 0x80,
};

struct ws {
	struct ws_pool *pool;
	struct ws *next; /* in the pool */
	struct wslay_frame_context *frame;
	struct slice feed; /* what wslay may have now */

	uint8_t head[HEAD_MAX];
	uint8_t head_len;
	bool fin;
	uint8_t opcode;	 /* of the frame */
	uint8_t message; /* opcode of the message under way, 0: none */
	uint32_t fragments;
	uint64_t left; /* of the frame: key and payload yet to come */

	uint8_t control[WS_CONTROL_MAX];
	uint8_t control_len;
	struct utf8 utf8; /* where the text under way stands */
	uint8_t *buf;	  /* the message under way */
	size_t len;
	size_t cap;
};

struct ws_pool {
	struct ws *spare;
	unsigned n_spare;
	size_t bytes_max;
	size_t bytes; /* of all buffers */
	uint32_t fragments_max;
	uint32_t controls_max;
};

/* One call of ws_take(). */
struct turn {
	struct ws_state *state;
	uint64_t max;
	uint32_t now_s;
	const struct ws_sink *sink;
	const char *text;
	bool stop;
};

static unsigned
refuse(struct turn *t, unsigned code, const char *text)
{
	t->text = text;
	return code;
}

static ssize_t
feed_wslay(uint8_t *buf, size_t size, int flags, void *arg)
{
	struct ws *ws = arg;
	size_t n = MIN(size, ws->feed.len);

	if (n == 0)
		return -1;
	memcpy(buf, ws->feed.p, n);
	ws->feed.p += n;
	ws->feed.len -= n;
	return (ssize_t)n;
}

static struct ws *
ws_free(struct ws *ws)
{
	if (!ws)
		return NULL;
	if (ws->frame)
		wslay_frame_context_free(ws->frame);
	ws->pool->bytes -= ws->cap;
	free(ws->buf);
	free(ws);
	return NULL;
}
CLEANUP_FN(struct ws *, ws_free)

static struct ws *
ws_new(struct ws_pool *pool)
{
	static const struct wslay_frame_callbacks callbacks = {
		.recv_callback = feed_wslay,
	};
	CLEANUP(ws_freep) struct ws *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return NULL;
	ws->pool = pool;
	if (wslay_frame_context_init(&ws->frame, &callbacks, ws) != 0)
		return NULL;
	return TAKE(ws);
}

struct ws_pool *
ws_pool_new(size_t bytes_max)
{
	struct ws_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->bytes_max = bytes_max;
	ws_pool_limit(pool, WS_FRAGMENTS_MAX, WS_CONTROL_PER_S);
	return pool;
}

void
ws_pool_limit(struct ws_pool *pool, uint32_t fragments, uint32_t controls)
{
	pool->fragments_max = fragments > 0 ? fragments : UINT32_MAX;
	pool->controls_max = controls > 0 ? controls : UINT32_MAX;
}

struct ws_pool *
ws_pool_free(struct ws_pool *pool)
{
	if (!pool)
		return NULL;
	while (pool->spare) {
		struct ws *ws = pool->spare;

		pool->spare = ws->next;
		ws_free(ws);
	}
	free(pool);
	return NULL;
}

bool
ws_pool_charge(struct ws_pool *pool, size_t n)
{
	if (n > pool->bytes_max - pool->bytes)
		return false;
	pool->bytes += n;
	return true;
}

void
ws_pool_discharge(struct ws_pool *pool, size_t n)
{
	assert(n <= pool->bytes);
	pool->bytes -= n;
}

static struct ws *
pool_take(struct ws_pool *pool)
{
	struct ws *ws = pool->spare;

	if (!ws)
		return ws_new(pool);
	pool->spare = ws->next;
	pool->n_spare--;
	return ws;
}

/* Only one that is between messages: wslay's context holds nothing then. */
static void
pool_give(struct ws_pool *pool, struct ws *ws)
{
	if (pool->n_spare == SPARE_MAX) {
		ws_free(ws);
		return;
	}
	if (ws->cap > KEEP_BYTES) {
		pool->bytes -= ws->cap;
		free(ws->buf);
		ws->buf = NULL;
		ws->cap = 0;
	}
	ws->next = pool->spare;
	pool->spare = ws;
	pool->n_spare++;
}

void
ws_state_deinit(struct ws_pool *pool, struct ws_state *state)
{
	state->partial = ws_free(state->partial);
}

static bool
is_control(unsigned opcode)
{
	return opcode >= WS_CLOSE;
}

/* How long the head is going to be, as far as its bytes tell. */
static unsigned
head_need(const struct ws *ws)
{
	if (ws->head_len < 2)
		return 2;
	switch (ws->head[1] & ~MASK_BIT) {
	case 126:
		return 4;
	case 127:
		return 10;
	default:
		return 2;
	}
}

/* A message of that kind begins. */
static unsigned
check_begin(const struct ws *ws, struct turn *t)
{
	unsigned kinds = t->state->kinds;

	if (ws->opcode == WS_TEXT && kinds == WS_KINDS_BINARY)
		return refuse(
		    t, WS_CODE_TYPE, "messages are binary here, not text");
	if (ws->opcode == WS_BINARY && kinds == WS_KINDS_TEXT)
		return refuse(
		    t, WS_CODE_TYPE, "messages are text here, not binary");
	if (ws->message != 0)
		return refuse(
		    t, WS_CODE_PROTOCOL, "a message begins inside another");
	return 0;
}

/* What the first two bytes forbid. */
static unsigned
check_head_start(struct ws *ws, struct turn *t)
{
	unsigned len = ws->head[1] & ~MASK_BIT & 0xff;

	ws->fin = ws->head[0] & FIN_BIT;
	ws->opcode = ws->head[0] & 0x0f;
	if (ws->head[0] & RESERVED_BITS)
		return refuse(
		    t, WS_CODE_PROTOCOL, "reserved bits of a frame are set");
	if (!(ws->head[1] & MASK_BIT))
		return refuse(t, WS_CODE_PROTOCOL, "a frame is not masked");

	switch (ws->opcode) {
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		if (!ws->fin)
			return refuse(t, WS_CODE_PROTOCOL,
			    "a control frame is fragmented");
		if (len > WS_CONTROL_MAX)
			return refuse(t, WS_CODE_PROTOCOL,
			    "a control frame is longer than 125 bytes");
		return 0;
	case WS_TEXT:
	case WS_BINARY:
		return check_begin(ws, t);
	case WS_CONTINUATION:
		if (ws->message == 0)
			return refuse(t, WS_CODE_PROTOCOL,
			    "a continuation of no message");
		return 0;
	default:
		return refuse(t, WS_CODE_PROTOCOL, "unknown opcode");
	}
}

static uint64_t
declared_length(const struct ws *ws)
{
	uint64_t len = 0;

	if (ws->head_len == 2)
		return ws->head[1] & ~MASK_BIT & 0xff;
	for (unsigned i = 2; i < ws->head_len; i++)
		len = len << 8 | ws->head[i];
	return len;
}

static unsigned
count_control(const struct ws *ws, struct turn *t)
{
	struct ws_state *s = t->state;

	if (s->control_from != t->now_s) {
		s->control_from = t->now_s;
		s->controls = 0;
	}
	if (++s->controls > ws->pool->controls_max) {
		COUNTERS_ADD(bad_controls, 1);
		return refuse(
		    t, WS_CODE_POLICY, "too many control frames in a second");
	}
	return 0;
}

/* The head is whole: may the frame come? */
static unsigned
check_head(struct ws *ws, struct turn *t)
{
	uint64_t len = declared_length(ws);

	if (ws->head_len == 4 && len < 126)
		return refuse(
		    t, WS_CODE_PROTOCOL, "a length is not in shortest form");
	if (ws->head_len == 10 && (len <= UINT16_MAX || len >> 63))
		return refuse(t, WS_CODE_PROTOCOL,
		    "a length is not in shortest form, or beyond 2^63");
	if (is_control(ws->opcode)) {
		ws->control_len = 0;
		ws->left = len + KEY_BYTES;
		return count_control(ws, t);
	}
	if (len > t->max || ws->len > t->max - len) {
		COUNTERS_ADD(bad_size, 1);
		return refuse(t, WS_CODE_TOO_BIG, "the message is too long");
	}
	if (++ws->fragments > ws->pool->fragments_max) {
		COUNTERS_ADD(bad_fragments, 1);
		return refuse(
		    t, WS_CODE_POLICY, "a message comes in too many fragments");
	}
	if (ws->opcode != WS_CONTINUATION)
		ws->message = ws->opcode;
	ws->left = len + KEY_BYTES;
	return 0;
}

/* Take bytes of a head; *whole once it has passed, and wslay has it. */
static unsigned
take_head(struct ws *ws, struct turn *t, struct slice *in, bool *whole)
{
	struct wslay_frame_iocb iocb;
	unsigned code;

	while (ws->head_len < head_need(ws)) {
		if (in->len == 0)
			return 0;
		ws->head[ws->head_len++] = *in->p++;
		in->len--;
		if (ws->head_len != 2)
			continue;
		code = check_head_start(ws, t);
		if (code)
			return code;
	}
	code = check_head(ws, t);
	if (code)
		return code;
	ws->feed = slice_of(ws->head, ws->head_len);
	if (wslay_frame_recv(ws->frame, &iocb) != WSLAY_ERR_WANT_READ)
		return refuse(t, WS_CODE_PROTOCOL, "a frame is malformed");
	assert(ws->feed.len == 0);
	*whole = true;
	return 0;
}

/* Room for n more bytes of the message. */
static unsigned
grow(struct ws *ws, struct turn *t, size_t n)
{
	size_t cap = MAX(ws->cap * 2, ws->len + n);
	uint8_t *buf;

	if (n <= ws->cap - ws->len)
		return 0;
	if (cap - ws->cap > ws->pool->bytes_max - ws->pool->bytes)
		return refuse(t, WS_CODE_LATER,
		    "too many long messages at once, come back later");
	buf = realloc(ws->buf, cap);
	if (!buf)
		return refuse(t, WS_CODE_INTERNAL, "out of memory");
	ws->pool->bytes += cap - ws->cap;
	ws->buf = buf;
	ws->cap = cap;
	return 0;
}

static unsigned
keep(struct ws *ws, struct turn *t, const uint8_t *p, size_t n)
{
	unsigned code;

	if (is_control(ws->opcode)) {
		assert(n <= sizeof(ws->control) - ws->control_len);
		memcpy(ws->control + ws->control_len, p, n);
		ws->control_len += (uint8_t)n;
		return 0;
	}
	if (ws->message == WS_TEXT && !utf8_take(&ws->utf8, p, n))
		return refuse(t, WS_CODE_MALFORMED, "text is not UTF-8");
	code = grow(ws, t, n);
	if (code)
		return code;
	memcpy(ws->buf + ws->len, p, n);
	ws->len += n;
	return 0;
}

/* Have wslay unmask what is there of the frame's key and payload. */
static unsigned
take_payload(struct ws *ws, struct turn *t, struct slice *in)
{
	size_t n = MIN(in->len, ws->left);
	struct wslay_frame_iocb iocb;
	unsigned code = 0;
	ssize_t r;

	ws->feed = slice_of(in->p, n);
	in->p += n;
	in->len -= n;
	ws->left -= n;
	do {
		r = wslay_frame_recv(ws->frame, &iocb);
		if (r > 0)
			code = keep(ws, t, iocb.data, iocb.data_length);
	} while (r > 0 && code == 0 && ws->feed.len > 0);
	if (r < 0 && r != WSLAY_ERR_WANT_READ)
		return refuse(t, WS_CODE_PROTOCOL, "a frame is malformed");
	return code;
}

/* RFC 6455, 7.4, and the registered ones since. */
static bool
is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) ||
	       (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static unsigned
finish_close(struct ws *ws, struct turn *t)
{
	unsigned code = WS_CODE_NONE;

	if (ws->control_len == 1)
		return refuse(t, WS_CODE_PROTOCOL, "a close frame of one byte");
	if (ws->control_len >= 2) {
		code = (unsigned)ws->control[0] << 8 | ws->control[1];
		if (!is_close_code(code))
			return refuse(t, WS_CODE_PROTOCOL,
			    "the code of a close frame is not allowed");
		if (!mpvalid_utf8(ws->control + 2, ws->control_len - 2U))
			return refuse(t, WS_CODE_MALFORMED,
			    "the text of a close frame is not UTF-8");
	}
	t->stop = true;
	t->sink->closed(t->sink->arg, code);
	return 0;
}

static unsigned
finish_frame(struct ws *ws, struct turn *t)
{
	ws->head_len = 0;
	if (ws->opcode == WS_CLOSE)
		return finish_close(ws, t);
	if (is_control(ws->opcode)) {
		t->stop = !t->sink->message(t->sink->arg, ws->opcode,
		    slice_of(ws->control, ws->control_len));
		return 0;
	}
	if (!ws->fin)
		return 0;
	if (!utf8_is_whole(&ws->utf8))
		return refuse(t, WS_CODE_MALFORMED,
		    "text ends within a character of UTF-8");
	t->stop = !t->sink->message(
	    t->sink->arg, ws->message, slice_of(ws->buf, ws->len));
	ws->message = 0;
	ws->fragments = 0;
	ws->len = 0;
	return 0;
}

static unsigned
take_frames(struct ws *ws, struct turn *t, struct slice in)
{
	unsigned code = 0;
	bool whole;

	while (in.len > 0 && code == 0 && !t->stop) {
		whole = ws->left > 0;
		if (!whole)
			code = take_head(ws, t, &in, &whole);
		if (code || !whole)
			break;
		code = take_payload(ws, t, &in);
		if (code == 0 && ws->left == 0)
			code = finish_frame(ws, t);
	}
	return code;
}

unsigned
ws_take(struct ws_pool *pool, struct ws_state *state, uint64_t max,
    uint32_t now_s, struct slice in, const struct ws_sink *sink,
    const char **text)
{
	struct turn t = {
		.state = state,
		.max = max,
		.now_s = now_s,
		.sink = sink,
	};
	struct ws *ws = TAKE(state->partial);
	unsigned code;

	if (!ws)
		ws = pool_take(pool);
	if (!ws) {
		*text = "out of memory";
		return WS_CODE_INTERNAL;
	}
	code = take_frames(ws, &t, in);
	if (code) {
		*text = t.text;
		ws_free(ws);
	} else if (ws->head_len > 0 || ws->left > 0 || ws->message != 0) {
		state->partial = ws;
	} else {
		pool_give(pool, ws);
	}
	return code;
}

unsigned
ws_head(uint8_t head[WS_HEAD_MAX], unsigned opcode, uint64_t len)
{
	unsigned bytes = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;

	head[0] = (uint8_t)(FIN_BIT | opcode);
	head[1] = (uint8_t)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
	for (unsigned i = 0; i < bytes; i++)
		head[2 + i] = (uint8_t)(len >> 8 * (bytes - 1 - i));
	return 2 + bytes;
}

unsigned
ws_close_payload(uint8_t buf[WS_CONTROL_MAX], unsigned code, const char *text)
{
	size_t n = MIN(strlen(text), (size_t)WS_CONTROL_MAX - 2);

	if (code == WS_CODE_NONE)
		return 0;
	buf[0] = (uint8_t)(code >> 8);
	buf[1] = (uint8_t)code;
	memcpy(buf + 2, text, n);
	return (unsigned)n + 2;
}
