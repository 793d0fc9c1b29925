/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * WebSocket frames that no honest client sends, each against the running
 * gateway: it closes with the code that the protocol names, and serves on.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/live.h"

/* Bytes on a fresh WebSocket that said hello, as they are. */
static struct wire *
sent(const void *bytes, size_t len)
{
	struct client c;
	struct wire *w;

	live_open(&c, live_token());
	w = c.wire;
	c.wire = NULL;
	client_close(&c);
	/* It may be closed before all is written. */
	(void)wire_write(w, bytes, len);
	return w;
}

static void
ends(const void *bytes, size_t len, unsigned code, unsigned other)
{
	struct wire *w = sent(bytes, len);

	live_ends_either(w, code, other);
	wire_free(w);
}

static void
lengths_that_nobody_can_hold_are_refused(void **state)
{
	static const uint8_t top_bit[] = { 0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0,
		0, 1, 2, 3, 4 };
	static const uint8_t most[] = { 0x82, 0xff, 0x7f, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4 };
	static const uint8_t four_gib[] = { 0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0,
		1, 2, 3, 4 };

	ends(top_bit, sizeof(top_bit), 1002, 1009);
	ends(most, sizeof(most), 1009, 1002);
	ends(four_gib, sizeof(four_gib), 1009, 1009);
}

static void
lengths_that_are_not_minimal_are_refused(void **state)
{
	static const uint8_t two[] = { 0x82, 0xfe, 0, 1, 1, 2, 3, 4, 0xc1 };
	static const uint8_t eight[] = { 0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 1,
		2, 3, 4, 0xc1 };

	ends(two, sizeof(two), 1002, 1002);
	ends(eight, sizeof(eight), 1002, 1002);
}

static void
an_unmasked_frame_is_refused(void **state)
{
	static const uint8_t frame[] = { 0x82, 0x01, 0x80 };

	ends(frame, sizeof(frame), 1002, 1002);
}

static void
reserved_bits_are_refused(void **state)
{
	for (unsigned bit = 0x10; bit <= 0x40; bit <<= 1) {
		const uint8_t frame[] = { (uint8_t)(0x82 | bit), 0x81, 1, 2, 3,
			4, 0x80 ^ 1 };

		ends(frame, sizeof(frame), 1002, 1002);
	}
}

static void
opcodes_without_a_meaning_are_refused(void **state)
{
	static const unsigned opcodes[] = { 3, 7, 11, 15 };

	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		const uint8_t frame[] = { (uint8_t)(0x80 | opcodes[i]), 0x80, 1,
			2, 3, 4 };

		ends(frame, sizeof(frame), 1002, 1002);
	}
}

static void
a_continuation_of_nothing_is_refused(void **state)
{
	static const uint8_t frame[] = { 0x80, 0x80, 1, 2, 3, 4 };

	ends(frame, sizeof(frame), 1002, 1002);
}

static void
a_message_within_a_message_is_refused(void **state)
{
	static const uint8_t frames[] = { 0x02, 0x80, 1, 2, 3, 4, 0x82, 0x80, 1,
		2, 3, 4 };

	ends(frames, sizeof(frames), 1002, 1002);
}

static void
control_frames_too_long_or_in_parts_are_refused(void **state)
{
	static const uint8_t in_parts[] = { 0x09, 0x80, 1, 2, 3, 4 };
	uint8_t too_long[8 + 126] = { 0x89, 0xfe, 0, 126 };

	ends(in_parts, sizeof(in_parts), 1002, 1002);
	ends(too_long, sizeof(too_long), 1002, 1002);
}

static void
close_codes_that_may_not_be_sent_are_refused(void **state)
{
	static const uint16_t codes[] = { 0, 999, 1004, 1005, 1006, 1015, 2999,
		5000 };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		const uint8_t frame[] = { 0x88, 0x82, 0, 0, 0, 0,
			(uint8_t)(codes[i] >> 8), (uint8_t)codes[i] };

		ends(frame, sizeof(frame), 1002, 1002);
	}
}

static void
a_close_of_one_byte_is_refused(void **state)
{
	static const uint8_t frame[] = { 0x88, 0x81, 0, 0, 0, 0, 3 };

	ends(frame, sizeof(frame), 1002, 1002);
}

static void
a_close_is_answered_with_a_close(void **state)
{
	static const uint8_t frame[] = { 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8 };

	ends(frame, sizeof(frame), 1000, 1000);
}

static void
text_is_refused_on_the_binary_subprotocol(void **state)
{
	static const uint8_t text[] = { 0x81, 0x82, 0, 0, 0, 0, '{', '}' };
	static const uint8_t broken[] = { 0x81, 0x82, 0, 0, 0, 0, 0xc0, 0x80 };

	ends(text, sizeof(text), 1003, 1003);
	ends(broken, sizeof(broken), 1003, 1007);
}

/* n fragments of len bytes each, without an end. */
static void
fragments(unsigned n, uint8_t len)
{
	uint8_t *bytes = malloc((size_t)n * (6 + len)), *p = bytes;

	assert_non_null(bytes);
	for (unsigned i = 0; i < n; i++) {
		*p++ = i == 0 ? 0x02 : 0x00;
		*p++ = 0x80 | len;
		memset(p, 0, 4u + len);
		p += 4 + len;
	}
	ends(bytes, (size_t)(p - bytes), 1008, 1009);
	free(bytes);
}

static void
a_hundred_thousand_fragments_are_refused(void **state)
{
	fragments(100000, 0);
	fragments(100000, 1);
}

static void
a_message_beyond_the_limit_is_refused_by_its_head(void **state)
{
	/* 4 MiB + 1; nothing of it is ever sent. */
	static const uint8_t head[] = { 0x82, 0xff, 0, 0, 0, 0, 0, 0x40, 0, 1,
		1, 2, 3, 4 };

	ends(head, sizeof(head), 1009, 1009);
}

static void
before_hello_eight_kib_are_the_limit(void **state)
{
	static const uint8_t head[] = { 0x82, 0xfe, 0x20, 0x01, 1, 2, 3, 4 };
	struct wire *w = live_wire();

	assert_true(wire_write(w, head, sizeof(head)));
	live_ends(w, 1009);
	wire_free(w);
}

static void
pings_that_are_never_read_back_end_the_connection(void **state)
{
	uint8_t ping[131] = { 0x89, 0x80 | 125 };
	struct client c;
	bool taken = true;

	live_open(&c, live_token());
	for (unsigned i = 0; taken && i < 200000; i++)
		taken = wire_write(c.wire, ping, sizeof(ping));
	/* Either it was cut off while writing, or it is now. */
	if (taken) {
		struct wire_message m;
		enum wire_got got;

		do
			got = wire_next(c.wire, &m, WIRE_DEADLINE_MS);
		while (got == WIRE_GOT);
		assert_int_equal(got, WIRE_ENDED);
	}
	client_close(&c);
}

static void
answers_that_are_never_read_end_the_connection(void **state)
{
	/* {"op":"ping"}; its answer is longer. */
	static const uint8_t value[] = "\x81\xa2op\xa4ping";
	struct client c;
	bool taken = true;

	live_open(&c, live_token());
	for (unsigned i = 0; taken && i < 500000; i++)
		taken = wire_frame(
		    c.wire, WIRE_FIN | WIRE_BINARY, value, sizeof(value) - 1);
	if (taken) {
		struct wire_message m;
		enum wire_got got;

		do
			got = wire_next(c.wire, &m, WIRE_DEADLINE_MS);
		while (got == WIRE_GOT);
		assert_int_equal(got, WIRE_ENDED);
		assert_int_equal(wire_close_code(c.wire), 1008);
	}
	client_close(&c);
}

static void
a_reset_in_the_middle_of_a_message_is_survived(void **state)
{
	static uint8_t frame[70000] = { 0x02, 0xff, 0, 0, 0, 0, 0, 0x0f, 0, 0 };

	for (size_t n = 1; n < sizeof(frame); n = n < 20 ? n + 1 : n * 3) {
		struct wire *w = sent(frame, n);

		wire_reset(w);
	}
}

static void
a_ping_is_answered_with_its_bytes(void **state)
{
	struct client c;
	struct wire_message m;

	live_open(&c, live_token());
	assert_true(wire_frame(c.wire, WIRE_FIN | WIRE_PING, "echo", 4));
	assert_int_equal(wire_next(c.wire, &m, WIRE_DEADLINE_MS), WIRE_GOT);
	assert_int_equal(m.opcode, WIRE_PONG);
	assert_int_equal(m.len, 4);
	assert_memory_equal(m.p, "echo", 4);
	client_close(&c);
}

static void
a_message_in_a_few_parts_is_put_together(void **state)
{
	/* {"op":"ping"} and a ping frame between its parts. */
	static const uint8_t value[] = "\x81\xa2op\xa4ping";
	struct client c;
	size_t len = sizeof(value) - 1;

	live_open(&c, live_token());
	assert_true(wire_frame(c.wire, WIRE_BINARY, value, 3));
	assert_true(wire_frame(c.wire, WIRE_FIN | WIRE_PONG, NULL, 0));
	assert_true(wire_frame(c.wire, 0, value + 3, 0));
	assert_true(wire_frame(c.wire, WIRE_FIN, value + 3, len - 3));
	assert_int_equal(client_next(&c, WIRE_DEADLINE_MS), CLIENT_CONTROL);
	assert_string_equal(c.op, "pong");
	client_close(&c);
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(lengths_that_nobody_can_hold_are_refused),
		HOSTILE(lengths_that_are_not_minimal_are_refused),
		HOSTILE(an_unmasked_frame_is_refused),
		HOSTILE(reserved_bits_are_refused),
		HOSTILE(opcodes_without_a_meaning_are_refused),
		HOSTILE(a_continuation_of_nothing_is_refused),
		HOSTILE(a_message_within_a_message_is_refused),
		HOSTILE(control_frames_too_long_or_in_parts_are_refused),
		HOSTILE(close_codes_that_may_not_be_sent_are_refused),
		HOSTILE(a_close_of_one_byte_is_refused),
		HOSTILE(a_close_is_answered_with_a_close),
		HOSTILE(text_is_refused_on_the_binary_subprotocol),
		HOSTILE(a_hundred_thousand_fragments_are_refused),
		HOSTILE(a_message_beyond_the_limit_is_refused_by_its_head),
		HOSTILE(before_hello_eight_kib_are_the_limit),
		HOSTILE(pings_that_are_never_read_back_end_the_connection),
		HOSTILE(answers_that_are_never_read_end_the_connection),
		HOSTILE(a_reset_in_the_middle_of_a_message_is_survived),
		HOSTILE(a_ping_is_answered_with_its_bytes),
		HOSTILE(a_message_in_a_few_parts_is_put_together),
	};

	if (!live_init())
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile frames", tests, live_setup, NULL);
}
