/* SPDX-License-Identifier: BSD-2-Clause */

/* WebSocket frames of a client: what it sends, and what it lets a server do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/reason.h"
#include "tools/ws_client.h"

static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

/* RFC 6455, 5.7: a masked "Hello", as text there, as binary here. */
static void
a_frame_is_masked_as_the_standard_shows(void **state)
{
	static const uint8_t want[] = { 0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d,
		0x7f, 0x9f, 0x4d, 0x51, 0x58 };
	struct mp_buf out = { 0 };

	ws_client_pack(&out, WS_BINARY, "Hello", 5, mask);
	assert_int_equal(out.len, sizeof(want));
	assert_memory_equal(out.p, want, sizeof(want));
	mp_buf_deinit(&out);
}

/* What a server would make of len: the same header without the mask. */
static void
header_of(size_t len, struct ws_frame *frame)
{
	uint8_t *payload = calloc(1, len + 1);
	struct mp_buf out = { 0 };
	struct reason why;

	ws_client_pack(&out, WS_BINARY, payload, len, mask);
	out.p[1] &= 0x7f;
	assert_int_equal(
	    ws_client_parse(out.p, out.len, SIZE_MAX, frame, &why), WS_HEADER);
	assert_int_equal(out.len, frame->header + 4 + len);
	mp_buf_deinit(&out);
	free(payload);
}

static void
lengths_take_their_shortest_form(void **state)
{
	static const struct {
		size_t len, header;
	} cases[] = {
		{ 0, 2 },
		{ 125, 2 },
		{ 126, 4 },
		{ 65535, 4 },
		{ 65536, 10 },
	};
	struct ws_frame frame;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		header_of(cases[i].len, &frame);
		assert_int_equal(frame.len, cases[i].len);
		assert_int_equal(frame.header, cases[i].header);
		assert_true(frame.fin);
		assert_int_equal(frame.opcode, WS_BINARY);
	}
}

static void
a_header_in_pieces_is_waited_for(void **state)
{
	static const uint8_t bytes[] = { 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0 };
	struct ws_frame frame;
	struct reason why;

	for (size_t n = 0; n < sizeof(bytes); n++)
		assert_int_equal(
		    ws_client_parse(bytes, n, SIZE_MAX, &frame, &why),
		    WS_PARTIAL);
	assert_int_equal(
	    ws_client_parse(bytes, sizeof(bytes), SIZE_MAX, &frame, &why),
	    WS_HEADER);
	assert_int_equal(frame.len, 65536);
}

static void
what_the_standard_forbids_a_server_is_refused(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[10];
	} cases[] = {
		{ "reserved bit 1", { 0xc2, 1 } },
		{ "reserved bit 3", { 0x92, 1 } },
		{ "masked", { 0x82, 0x81 } },
		{ "opcode 3", { 0x83, 1 } },
		{ "opcode 11", { 0x8b, 1 } },
		{ "split ping", { 0x09, 1 } },
		{ "long ping", { 0x89, 126, 0, 126 } },
		{ "two bytes for 125", { 0x82, 126, 0, 125 } },
		{ "eight bytes for 65535",
		    { 0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff } },
		{ "2^63", { 0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0 } },
		{ "one beyond the limit",
		    { 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 1 } },
	};
	struct ws_frame frame;
	struct reason why;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		why.text[0] = '\0';
		if (ws_client_parse(cases[i].bytes, 10, 65536, &frame, &why) >=
		    0)
			fail_msg("%s was let in", cases[i].what);
		assert_true(why.text[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_masked_as_the_standard_shows),
		cmocka_unit_test(lengths_take_their_shortest_form),
		cmocka_unit_test(a_header_in_pieces_is_waited_for),
		cmocka_unit_test(what_the_standard_forbids_a_server_is_refused),
	};

	return cmocka_run_group_tests_name("ws_client", tests, NULL, NULL);
}
