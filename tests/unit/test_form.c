/* SPDX-License-Identifier: BSD-2-Clause */

/* Clients that speak JSON: what they send, what they get, and what it costs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/reason.h"
#include "gateway/form.h"
#include "gateway/ws.h"
#include "tests/lib/edgefix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

#define JSON_OFFER "Sec-WebSocket-Protocol: peal.v1.json\r\n"

enum {
	FIN = 0x80
};

static struct edge_client *
json_client(struct edgefix *fx)
{
	struct edge_client *c = edge_open(fx);

	edge_upgrade(c, JSON_OFFER);
	return c;
}

static void
say(struct edge_client *c, const char *text)
{
	edge_send(c, FIN | WS_TEXT, text, strlen(text));
}

/* The next message is this text. */
static void
expect(struct edge_client *c, const char *text)
{
	struct edge_frame f;

	assert_true(edge_next(c, &f));
	assert_int_equal(f.first, FIN | WS_TEXT);
	if (!slice_is(f.payload, text))
		fail_msg("'%.*s' came, not '%s'", (int)f.payload.len,
		    (const char *)f.payload.p, text);
	edge_consume(c, f.whole);
}

static struct block *
batch(void)
{
	struct block *b = block_new(100);

	block_add(b, (const uint8_t *)"\x93\x01\xc0\xc4\x01\x00", 6);
	block_finish_batch(b, 6, 7);
	return b;
}

static const char batch_text[] = "[6,7,[1,null,{\"$bin\":\"AA==\"}]]";

static void
a_block_is_made_json_once_and_keeps_it(void **state)
{
	struct block *b = batch(), *json;

	assert_ptr_equal(form_of(b, FORM_MSGPACK), b);
	assert_null(b->json);
	json = form_of(b, FORM_JSON);
	assert_true(slice_is(block_payload(json), batch_text));
	assert_int_equal(json->bytes[json->start], FIN | WS_TEXT);
	assert_ptr_equal(form_of(b, FORM_JSON), json);
	assert_int_equal(json->refs, 1);
	/* Who still sends the text needs no block. */
	(void)block_ref(json);
	(void)block_unref(b);
	assert_true(slice_is(block_payload(json), batch_text));
	(void)block_unref(json);
}

static void
a_block_that_is_no_value_has_no_json(void **state)
{
	struct block *b = block_message(SLICE_STR("\x92\x01"));

	assert_null(form_of(b, FORM_JSON));
	(void)block_unref(b);
}

static void
text_is_a_value_to_the_session_and_its_answers_are_text(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	fx->echo = true;
	c = json_client(fx);
	say(c, " {\"op\" : \"ping\",\"t\":{\"$bin\":\"AQ==\"}} ");
	expect(c, "{\"op\":\"ping\",\"t\":{\"$bin\":\"AQ==\"}}");
	assert_int_equal(fx->last_len, 14);
	assert_memory_equal(
	    fx->last, "\x82\xa2op\xa4ping\xa1t\xc4\x01\x01", 14);
	edge_free(c);
}

static void
text_may_be_cut_within_a_character(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	fx->echo = true;
	c = json_client(fx);
	edge_send(c, WS_TEXT, "\"\xe2", 2);
	edge_send(c, WS_CONTINUATION, "\x82", 1);
	edge_send(c, FIN | WS_PING, "p", 1);
	edge_send(c, FIN | WS_CONTINUATION, "\xac\"", 2);
	EDGE_UNTIL(fx, fx->messages == 1);
	assert_memory_equal(fx->last, "\xa3\xe2\x82\xac", 4);
	edge_free(c);
}

static void
blocks_are_sent_as_text(void **state)
{
	struct edgefix *fx = *state;
	struct block *b = batch();
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = json_client(fx);
	for (unsigned i = 0; i < 2; i++) {
		EDGE_UNTIL(fx, conn_is_ready(fx->conn));
		assert_int_equal(conn_send(fx->conn, b), CONN_SENT);
		expect(c, batch_text);
	}
	assert_int_equal(b->json->refs, 1);
	(void)block_unref(b);
	edge_free(c);
}

static void
a_blocked_text_is_pinned_without_its_block(void **state)
{
	/* Twice as long as text, and several records. */
	static uint8_t bytes[4 * BLOCK_BYTES];
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;
	unsigned n = 0;

	bytes[0] = 0xdc;
	bytes[1] = (sizeof(bytes) - 3) >> 8;
	bytes[2] = (sizeof(bytes) - 3) & 0xff;
	edgefix_start(fx, NULL);
	c = json_client(fx);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	for (enum conn_send sent = CONN_SENT; sent == CONN_SENT; n++) {
		struct block *b = block_message(slice_of(bytes, sizeof(bytes)));

		sent = conn_send(fx->conn, b);
		assert_int_not_equal(sent, CONN_DEAD);
		(void)block_unref(b);
		assert_true(n < 1000);
	}
	for (; n > 0; n--) {
		assert_true(edge_next(c, &f));
		assert_int_equal(f.payload.len, 2 * (sizeof(bytes) - 3) + 1);
		assert_int_equal(f.payload.p[f.payload.len - 1], ']');
		edge_consume(c, f.whole);
	}
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	edge_free(c);
}

static void
a_block_that_is_no_value_ends_the_connection_that_needs_it_as_text(void **state)
{
	struct block *b = block_message(SLICE_STR("\x92\x01"));
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = json_client(fx);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	assert_int_equal(conn_send(fx->conn, b), CONN_DEAD);
	edge_expect_close(c, 1011);
	(void)block_unref(b);
	edge_free(c);
}

static void
what_is_no_json_is_refused(void **state)
{
	static const char *const texts[] = { "", " ", "{\"op\":\"ping\"",
		"{\"op\":\"ping\"} x", "{\"a\":1,\"a\":2}", "\"\\ud800\"",
		"{\"$bin\":\"?\"}", "{\"$what\":1}", "nul",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[0]"
		"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]" };
	struct edgefix *fx = *state;

	edgefix_start(fx, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		struct edge_client *c = json_client(fx);

		say(c, texts[i]);
		edge_expect_close(c, 1007);
		edge_free(c);
	}
	assert_int_equal(fx->messages, 0);
}

static void
text_that_is_not_utf8_is_refused_before_its_end(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = json_client(fx);
	edge_send(c, WS_TEXT, "\"\xed\xa0", 3);
	edge_expect_close(c, 1007);
	edge_free(c);
	c = json_client(fx);
	edge_send(c, FIN | WS_TEXT, "\"\xe2\x82", 3);
	edge_expect_close(c, 1007);
	edge_free(c);
}

static void
binary_messages_are_refused_on_json_and_text_on_msgpack(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = json_client(fx);
	edge_send(c, FIN | WS_BINARY, "1", 1);
	edge_expect_close(c, 1003);
	edge_free(c);
	c = edge_websocket(fx);
	say(c, "1");
	edge_expect_close(c, 1003);
	edge_free(c);
}

/* A string of so many bytes with its quotes. */
static void
say_length(struct edge_client *c, size_t len)
{
	static char text[1 << 17];

	assert_true(len <= sizeof(text));
	memset(text, 'x', sizeof(text));
	text[0] = text[len - 1] = '"';
	edge_send(c, FIN | WS_TEXT, text, len);
}

static void
the_length_of_the_text_counts(void **state)
{
	static const char *const options[] = { "gateway.max_message=65536",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, options);
	c = json_client(fx);
	say_length(c, 8192);
	EDGE_UNTIL(fx, fx->messages == 1);
	say_length(c, 8193);
	edge_expect_close(c, 1009);
	edge_free(c);

	fx->hello = true;
	c = json_client(fx);
	say_length(c, 8192);
	EDGE_UNTIL(fx, fx->messages == 2);
	say_length(c, 65536);
	EDGE_UNTIL(fx, fx->messages == 3);
	say_length(c, 65537);
	edge_expect_close(c, 1009);
	edge_free(c);
	assert_int_equal(fx->messages, 3);
}

/* Four bytes of text each, nine of the value. */
static void
a_value_is_little_longer_than_its_text(void **state)
{
	static char text[8193];
	const size_t n = sizeof(text) / 4;
	struct edgefix *fx = *state;
	struct edge_client *c;

	for (size_t i = 0; i < n; i++)
		memcpy(text + 4 * i, ",1.5", 4);
	text[0] = '[';
	text[4 * n - 2] = ']';
	text[4 * n - 1] = ' ';
	edgefix_start(fx, NULL);
	c = json_client(fx);
	edge_send(c, FIN | WS_TEXT, text, 4 * n);
	EDGE_UNTIL(fx, fx->messages == 1);
	assert_in_range(fx->last_len, 8 * n, 9 * n);
	edge_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_made_json_once_and_keeps_it),
		cmocka_unit_test(a_block_that_is_no_value_has_no_json),
		TEST(text_is_a_value_to_the_session_and_its_answers_are_text),
		TEST(text_may_be_cut_within_a_character),
		TEST(blocks_are_sent_as_text),
		TEST(a_blocked_text_is_pinned_without_its_block),
		TEST(
		    a_block_that_is_no_value_ends_the_connection_that_needs_it_as_text),
		TEST(what_is_no_json_is_refused),
		TEST(text_that_is_not_utf8_is_refused_before_its_end),
		TEST(binary_messages_are_refused_on_json_and_text_on_msgpack),
		TEST(the_length_of_the_text_counts),
		TEST(a_value_is_little_longer_than_its_text),
	};

	return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
