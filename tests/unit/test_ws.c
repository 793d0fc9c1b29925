/* SPDX-License-Identifier: BSD-2-Clause */

/* WebSocket frames from clients: good ones however cut, and hostile ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/ws.h"

enum {
	MAX_MESSAGE = 100000,
	POOL_BYTES = 1000000,
};

struct fix {
	struct ws_pool *pool;
	struct ws_state state;
	uint32_t now_s;

	unsigned messages, texts, pings, pongs, closed;
	unsigned close_code;
	uint8_t last[MAX_MESSAGE];
	size_t last_len;
	const char *text;
	bool stop;
};

static bool
on_message(void *arg, unsigned opcode, struct slice payload)
{
	struct fix *fx = arg;

	fx->messages += opcode == WS_BINARY;
	fx->texts += opcode == WS_TEXT;
	fx->pings += opcode == WS_PING;
	fx->pongs += opcode == WS_PONG;
	fx->last_len = payload.len;
	if (payload.len > 0)
		memcpy(fx->last, payload.p, payload.len);
	return !fx->stop;
}

static void
on_closed(void *arg, unsigned code)
{
	struct fix *fx = arg;

	fx->closed++;
	fx->close_code = code;
}

static unsigned
take(struct fix *fx, const void *p, size_t len)
{
	const struct ws_sink sink = { on_message, on_closed, fx };

	return ws_take(fx->pool, &fx->state, MAX_MESSAGE, fx->now_s,
	    slice_of(p, len), &sink, &fx->text);
}

static int
setup(void **state)
{
	struct fix *fx = calloc(1, sizeof(*fx));

	fx->pool = ws_pool_new(POOL_BYTES);
	*state = fx;
	return fx->pool ? 0 : -1;
}

static int
teardown(void **state)
{
	struct fix *fx = *state;

	ws_state_deinit(fx->pool, &fx->state);
	ws_pool_free(fx->pool);
	free(fx);
	return 0;
}

/* A masked frame; first is its first byte. */
static size_t
frame(uint8_t *buf, unsigned first, const void *p, size_t len)
{
	static const uint8_t key[4] = { 0xa1, 0, 0xff, 0x5c };
	size_t n = ws_head(buf, first & 0x0f, len);

	buf[0] = (uint8_t)first;
	buf[1] |= 0x80;
	memcpy(buf + n, key, 4);
	n += 4;
	for (size_t i = 0; i < len; i++)
		buf[n++] = ((const uint8_t *)p)[i] ^ key[i % 4];
	return n;
}

/* The code that a frame is refused with, on a connection of its own. */
static unsigned
refused(const void *p, size_t len)
{
	void *state;
	unsigned code;
	struct fix *fx;

	assert_int_equal(setup(&state), 0);
	fx = state;
	code = take(fx, p, len);
	assert_true(code == 0 || fx->text);
	assert_int_equal(fx->messages, 0);
	teardown(&state);
	return code;
}

static void
messages_of_each_width_arrive(void **state)
{
	static const size_t lengths[] = { 0, 1, 125, 126, 4095, 4096, 4097,
		65535, 65536, MAX_MESSAGE };
	static uint8_t bytes[MAX_MESSAGE], buf[MAX_MESSAGE + 14];
	struct fix *fx = *state;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i ^ i >> 8);
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t n = frame(buf, 0x82, bytes, lengths[i]);

		assert_int_equal(take(fx, buf, n), 0);
		assert_int_equal(fx->messages, i + 1);
		assert_int_equal(fx->last_len, lengths[i]);
		assert_memory_equal(fx->last, bytes, lengths[i]);
		assert_null(fx->state.partial);
	}
}

static void
a_stream_arrives_the_same_wherever_it_is_cut(void **state)
{
	uint8_t buf[600], bytes[200];
	struct fix *fx = *state;
	size_t n = 0;

	memset(bytes, 0x5a, sizeof(bytes));
	n += frame(buf + n, 0x82, "abc", 3);
	n += frame(buf + n, 0x02, bytes, 200);
	n += frame(buf + n, 0x89, "ping", 4);
	n += frame(buf + n, 0x80, "end", 3);
	n += frame(buf + n, 0x82, "", 0);
	for (size_t cut = 0; cut <= n; cut++) {
		fx->now_s++;
		fx->messages = fx->pings = 0;
		assert_int_equal(take(fx, buf, cut), 0);
		assert_int_equal(take(fx, buf + cut, n - cut), 0);
		assert_int_equal(fx->messages, 3);
		assert_int_equal(fx->pings, 1);
		assert_null(fx->state.partial);
	}
	fx->now_s++;
	fx->messages = 0;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(take(fx, buf + i, 1), 0);
	assert_int_equal(fx->messages, 3);
	assert_null(fx->state.partial);
}

static void
fragments_are_put_together(void **state)
{
	struct fix *fx = *state;
	uint8_t buf[100];
	size_t n = 0;

	n += frame(buf + n, 0x02, "one ", 4);
	n += frame(buf + n, 0x00, "two ", 4);
	n += frame(buf + n, 0x80, "three", 5);
	assert_int_equal(take(fx, buf, n), 0);
	assert_int_equal(fx->messages, 1);
	assert_int_equal(fx->last_len, 13);
	assert_memory_equal(fx->last, "one two three", 13);
}

static void
two_connections_do_not_mix(void **state)
{
	struct fix *fx = *state;
	struct ws_state other = { 0 }, mine;
	uint8_t a[40], b[40];
	size_t n = frame(a, 0x82, "aaaaaaaa", 8);

	frame(b, 0x82, "bbbbbbbb", 8);
	assert_int_equal(take(fx, a, n / 2), 0);
	mine = fx->state;
	fx->state = other;
	assert_int_equal(take(fx, b, n), 0);
	assert_memory_equal(fx->last, "bbbbbbbb", 8);
	fx->state = mine;
	assert_int_equal(take(fx, a + n / 2, n - n / 2), 0);
	assert_memory_equal(fx->last, "aaaaaaaa", 8);
}

static void
a_head_is_judged_before_its_payload_comes(void **state)
{
	static const struct {
		const char *head;
		unsigned len, code;
	} rows[] = {
		/* Lengths: 2^63, 2^63 - 1, 2^32, one beyond the limit. */
		{ "\x82\xff\x80\0\0\0\0\0\0\0", 10, 1002 },
		{ "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, 1002 },
		{ "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 1009 },
		{ "\x82\xff\0\0\0\x01\0\0\0\0", 10, 1009 },
		{ "\x82\xff\0\0\0\0\0\x01\x86\xa1", 10, 1009 },
		{ "\x82\xff\0\0\0\0\0\x01\x86\xa0", 10, 0 },
		/* Not in shortest form. */
		{ "\x82\xfe\0\0", 4, 1002 },
		{ "\x82\xfe\0\x7d", 4, 1002 },
		{ "\x82\xfe\0\x7e", 4, 0 },
		{ "\x82\xff\0\0\0\0\0\0\0\x05", 10, 1002 },
		{ "\x82\xff\0\0\0\0\0\0\xff\xff", 10, 1002 },
		{ "\x82\xff\0\0\0\0\0\x01\0\0", 10, 0 },
		/* Not masked. */
		{ "\x82\x05", 2, 1002 },
		{ "\x89\x00", 2, 1002 },
		/* Reserved bits. */
		{ "\xc2\x85", 2, 1002 },
		{ "\xa2\x85", 2, 1002 },
		{ "\x92\x85", 2, 1002 },
		{ "\xc9\x80", 2, 1002 },
		/* Opcodes. */
		{ "\x83\x80", 2, 1002 },
		{ "\x87\x80", 2, 1002 },
		{ "\x8b\x80", 2, 1002 },
		{ "\x8f\x80", 2, 1002 },
		{ "\x80\x80", 2, 1002 },
		{ "\x00\x80", 2, 1002 },
		{ "\x81\x85", 2, 1003 },
		{ "\x01\x85", 2, 1003 },
		/* Control frames: fragmented, long. */
		{ "\x09\x80", 2, 1002 },
		{ "\x08\x80", 2, 1002 },
		{ "\x89\xfe", 2, 1002 },
		{ "\x88\xff", 2, 1002 },
		{ "\x8a\xfd", 2, 0 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned code = refused(rows[i].head, rows[i].len);

		if (code != rows[i].code)
			fail_msg("row %u: %u, not %u", i, code, rows[i].code);
	}
}

/* The code for text in pieces of so many bytes, frames of so many. */
static unsigned
text_taken(struct fix *fx, const char *text, size_t per_frame, size_t piece)
{
	size_t len = strlen(text), at = 0, n = 0;
	uint8_t buf[600];
	unsigned code = 0;

	do {
		size_t part = MIN(len - at, per_frame);
		unsigned first =
		    (at == 0 ? WS_TEXT : 0) | (at + part == len ? 0x80u : 0);

		n += frame(buf + n, first, text + at, part);
		at += part;
	} while (at < len);
	for (at = 0; at < n && code == 0; at += piece)
		code = take(fx, buf + at, MIN(piece, n - at));
	return code;
}

static void
text_arrives_where_text_is_let_in(void **state)
{
	static const char text[] = "h\xc3\xa9llo \xf0\x9f\x8c\x8d";
	struct fix *fx = *state;

	fx->state.kinds = WS_KINDS_BOTH;
	for (unsigned i = 1; i <= sizeof(text); i++)
		for (unsigned piece = 1; piece < 30; piece++) {
			assert_int_equal(text_taken(fx, text, i, piece), 0);
			assert_int_equal(fx->last_len, sizeof(text) - 1);
			assert_memory_equal(fx->last, text, sizeof(text) - 1);
			assert_null(fx->state.partial);
		}
	assert_int_equal(fx->texts, sizeof(text) * 29);
	assert_int_equal(fx->messages, 0);
}

static void
a_kind_that_is_not_let_in_is_refused_with_1003(void **state)
{
	static const struct {
		unsigned kinds, opcode, code;
	} rows[] = {
		{ WS_KINDS_BINARY, WS_TEXT, 1003 },
		{ WS_KINDS_BINARY, WS_BINARY, 0 },
		{ WS_KINDS_TEXT, WS_TEXT, 0 },
		{ WS_KINDS_TEXT, WS_BINARY, 1003 },
		{ WS_KINDS_BOTH, WS_TEXT, 0 },
		{ WS_KINDS_BOTH, WS_BINARY, 0 },
	};
	struct fix *fx = *state;
	uint8_t buf[20];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = frame(buf, 0x80 | rows[i].opcode, "a", 1);

		fx->state.kinds = (uint8_t)rows[i].kinds;
		assert_int_equal(take(fx, buf, n), rows[i].code);
	}
}

static void
text_that_is_no_utf8_is_refused_at_its_first_bad_byte(void **state)
{
	static const struct {
		const char *bytes;
		unsigned good; /* so many of them may come */
	} rows[] = {
		{ "\xff", 0 },
		{ "a\x80", 1 },
		{ "\xc0", 0 },
		{ "\xc3\x28", 1 },
		{ "\xe0\x9f", 1 },
		{ "\xed\xa0", 1 },
		{ "\xe2\x82\x28", 2 },
		{ "\xf0\x8f", 1 },
		{ "\xf4\x90", 1 },
		{ "\xf5", 0 },
		{ "\xf0\x9f\x8c\x41", 3 },
	};
	/* Of a frame of 100 bytes that is not the last of its message. */
	static const uint8_t head[] = { 0x01, 0x80 | 100, 0, 0, 0, 0 };
	struct fix *fx = *state;

	fx->state.kinds = WS_KINDS_TEXT;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(take(fx, head, sizeof(head)), 0);
		for (unsigned n = 0; n < rows[i].good; n++)
			assert_int_equal(take(fx, rows[i].bytes + n, 1), 0);
		assert_int_equal(
		    take(fx, rows[i].bytes + rows[i].good, 1), 1007);
	}
}

static void
text_that_ends_within_a_character_is_refused(void **state)
{
	struct fix *fx = *state;

	fx->state.kinds = WS_KINDS_TEXT;
	assert_int_equal(text_taken(fx, "a\xc3", 5, 20), 1007);
	assert_int_equal(text_taken(fx, "a\xe2\x82", 1, 1), 1007);
	assert_int_equal(text_taken(fx, "a\xf0\x9f\x8c", 2, 3), 1007);
	assert_int_equal(fx->texts, 0);
	/* Nothing of it is left for the next. */
	assert_int_equal(text_taken(fx, "\xc2\xa3", 2, 20), 0);
}

static void
a_message_inside_a_message_is_refused(void **state)
{
	struct fix *fx = *state;
	uint8_t buf[50];
	size_t n = frame(buf, 0x02, "a", 1);

	n += frame(buf + n, 0x82, "b", 1);
	assert_int_equal(take(fx, buf, n), 1002);
	assert_int_equal(fx->messages, 0);
}

static void
fragments_are_added_up_against_the_limit(void **state)
{
	static uint8_t bytes[MAX_MESSAGE], buf[MAX_MESSAGE + 14];
	struct fix *fx = *state;
	uint8_t more[20];

	assert_int_equal(
	    take(fx, buf, frame(buf, 0x02, bytes, MAX_MESSAGE)), 0);
	assert_int_equal(take(fx, more, frame(more, 0x00, "", 0)), 0);
	assert_int_equal(take(fx, more, frame(more, 0x00, "a", 1)), 1009);
}

static void
a_length_that_would_wrap_around_is_too_big(void **state)
{
	static const uint8_t head[] = { 0x00, 0xff, 0x7f, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff };
	struct fix *fx = *state;
	uint8_t buf[20];

	assert_int_equal(take(fx, buf, frame(buf, 0x02, "abc", 3)), 0);
	assert_int_equal(take(fx, head, sizeof(head)), 1009);
}

static void
messages_under_way_are_bounded_in_all(void **state)
{
	static uint8_t bytes[MAX_MESSAGE], buf[MAX_MESSAGE + 14];
	struct fix *fx = *state;
	struct ws_state others[20] = { 0 };
	size_t n = frame(buf, 0x82, bytes, MAX_MESSAGE);
	unsigned held = 0, code = 0;

	for (; held < ARRAY_LEN(others) && code == 0; held++) {
		code = take(fx, buf, n - 1);
		others[held] = fx->state;
		fx->state = (struct ws_state){ 0 };
	}
	assert_int_equal(code, 1013);
	assert_in_range(held, POOL_BYTES / MAX_MESSAGE / 2, 11);
	/* When they are gone there is room again, and those held go on. */
	fx->state = others[0];
	assert_int_equal(take(fx, buf + n - 1, 1), 0);
	assert_int_equal(fx->messages, 1);
	assert_int_equal(take(fx, buf, n), 0);
	for (unsigned i = 1; i < held; i++)
		ws_state_deinit(fx->pool, &others[i]);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(take(fx, buf, n), 0);
	assert_int_equal(fx->messages, 32);
}

static void
sixteen_fragments_are_let_in_and_no_more(void **state)
{
	struct fix *fx = *state;
	uint8_t buf[20];

	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(take(fx, buf, frame(buf, 0x02, "a", 1)), 0);
		for (unsigned i = 2; i < WS_FRAGMENTS_MAX; i++)
			assert_int_equal(
			    take(fx, buf, frame(buf, 0x00, "", 0)), 0);
		assert_int_equal(take(fx, buf, frame(buf, 0x80, "z", 1)), 0);
		assert_int_equal(fx->messages, round + 1);
	}
	assert_int_equal(take(fx, buf, frame(buf, 0x02, "a", 1)), 0);
	for (unsigned i = 2; i <= WS_FRAGMENTS_MAX; i++)
		assert_int_equal(take(fx, buf, frame(buf, 0x00, "", 0)), 0);
	assert_int_equal(take(fx, buf, frame(buf, 0x80, "", 0)), 1008);
}

static void
ten_control_frames_a_second_are_let_in_and_no_more(void **state)
{
	struct fix *fx = *state;
	uint8_t buf[20];
	size_t n = frame(buf, 0x89, "a", 1);

	for (unsigned second = 0; second < 3; second++) {
		fx->now_s++;
		for (unsigned i = 0; i < WS_CONTROL_PER_S; i++)
			assert_int_equal(take(fx, buf, n), 0);
	}
	assert_int_equal(fx->pings, 30);
	buf[0] = 0x8a;
	assert_int_equal(take(fx, buf, n), 1008);
	assert_int_equal(fx->pongs, 0);
}

static unsigned
closing(const void *payload, size_t len)
{
	uint8_t buf[200];

	return refused(buf, frame(buf, 0x88, payload, len));
}

static void
a_bad_close_frame_is_refused(void **state)
{
	static const unsigned bad[] = { 0, 999, 1004, 1005, 1006, 1015, 1016,
		1100, 2000, 2999, 5000, 65535 };
	uint8_t payload[5];

	assert_int_equal(closing("a", 1), 1002);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		payload[0] = (uint8_t)(bad[i] >> 8);
		payload[1] = (uint8_t)bad[i];
		assert_int_equal(closing(payload, 2), 1002);
	}
	assert_int_equal(closing("\x03\xe8\xff", 3), 1007);
	assert_int_equal(closing("\x03\xe8\xed\xa0\x80", 5), 1007);
	assert_int_equal(closing("\x03\xe8\xc3", 3), 1007);
}

static void
a_good_close_frame_ends_the_stream(void **state)
{
	static const unsigned good[] = { 1000, 1001, 1003, 1007, 1011, 1014,
		3000, 4000, 4401, 4999 };
	struct fix *fx = *state;
	uint8_t buf[60], payload[5] = { 0, 0, 'b', 'y', 'e' };
	size_t n;

	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		fx->now_s++;
		payload[0] = (uint8_t)(good[i] >> 8);
		payload[1] = (uint8_t)good[i];
		n = frame(buf, 0x88, payload, 5);
		n += frame(buf + n, 0x82, "late", 4);
		assert_int_equal(take(fx, buf, n), 0);
		assert_int_equal(fx->closed, i + 1);
		assert_int_equal(fx->close_code, good[i]);
	}
	assert_int_equal(fx->messages, 0);
	fx->now_s++;
	assert_int_equal(take(fx, buf, frame(buf, 0x88, "", 0)), 0);
	assert_int_equal(fx->close_code, WS_CODE_NONE);
}

static void
nothing_follows_when_the_sink_has_enough(void **state)
{
	struct fix *fx = *state;
	uint8_t buf[60];
	size_t n = frame(buf, 0x82, "a", 1);

	n += frame(buf + n, 0x82, "b", 1);
	fx->stop = true;
	assert_int_equal(take(fx, buf, n), 0);
	assert_int_equal(fx->messages, 1);
	assert_memory_equal(fx->last, "a", 1);
}

static void
a_close_payload_is_cut_to_what_a_frame_holds(void **state)
{
	uint8_t buf[WS_CONTROL_MAX];
	char text[300];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(ws_close_payload(buf, 1008, text), WS_CONTROL_MAX);
	assert_int_equal(ws_close_payload(buf, 4401, "abc"), 5);
	assert_memory_equal(buf,
	    "\x11\x31"
	    "abc",
	    5);
	assert_int_equal(ws_close_payload(buf, WS_CODE_NONE, "abc"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_of_each_width_arrive),
		TEST(a_stream_arrives_the_same_wherever_it_is_cut),
		TEST(fragments_are_put_together),
		TEST(two_connections_do_not_mix),
		TEST(a_head_is_judged_before_its_payload_comes),
		TEST(text_arrives_where_text_is_let_in),
		TEST(a_kind_that_is_not_let_in_is_refused_with_1003),
		TEST(text_that_is_no_utf8_is_refused_at_its_first_bad_byte),
		TEST(text_that_ends_within_a_character_is_refused),
		TEST(a_message_inside_a_message_is_refused),
		TEST(fragments_are_added_up_against_the_limit),
		TEST(a_length_that_would_wrap_around_is_too_big),
		TEST(messages_under_way_are_bounded_in_all),
		TEST(sixteen_fragments_are_let_in_and_no_more),
		TEST(ten_control_frames_a_second_are_let_in_and_no_more),
		TEST(a_bad_close_frame_is_refused),
		TEST(a_good_close_frame_ends_the_stream),
		TEST(nothing_follows_when_the_sink_has_enough),
		TEST(a_close_payload_is_cut_to_what_a_frame_holds),
	};

	return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
