/* SPDX-License-Identifier: BSD-2-Clause */

/* Connections over real TLS: opening, messages both ways, closing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "gateway/block.h"
#include "gateway/conn_priv.h"
#include "tests/lib/edgefix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

static void
a_websocket_opens_with_the_token_of_its_request(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = edge_open(fx);
	edge_upgrade(c, "Authorization: Bearer abc.def.ghi\r\n");
	assert_int_equal(fx->opened, 1);
	assert_string_equal(fx->bearer, "abc.def.ghi");
	assert_int_equal(conns_count(fx->conns), 1);
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	assert_int_equal(fx->closed, 1);
}

static void
messages_arrive_whole_and_answers_leave(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;

	edgefix_start(fx, NULL);
	fx->echo = true;
	c = edge_websocket(fx);
	edge_send(c, 0x82, "\x81\x01\x02", 3);
	assert_true(edge_next(c, &f));
	assert_int_equal(f.first, 0x82);
	assert_int_equal(f.payload.len, 3);
	assert_memory_equal(f.payload.p, "\x81\x01\x02", 3);
	assert_int_equal(fx->messages, 1);
	edge_free(c);
}

static void
a_block_is_sent_as_it_is(void **state)
{
	struct edgefix *fx = *state;
	struct block *b = block_new(100);
	struct edge_client *c;
	struct edge_frame f;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	block_add(b, (const uint8_t *)"\x93\x01\x02\x03", 4);
	block_finish_batch(b, 6, 7);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	assert_int_equal(conn_send(fx->conn, b), CONN_SENT);
	assert_int_equal(b->refs, 1);
	assert_true(edge_next(c, &f));
	assert_int_equal(f.first, 0x82);
	assert_int_equal(f.payload.len, 7);
	assert_memory_equal(f.payload.p, "\x93\x06\x07\x93\x01\x02\x03", 7);
	block_unref(b);
	edge_free(c);
}

static struct block *
big_block(void)
{
	static uint8_t bytes[BLOCK_BYTES - BLOCK_HEADROOM];

	return block_message(slice_of(bytes, sizeof(bytes)));
}

/* Send blocks until the socket takes no more; returns how many. */
static unsigned
send_until_blocked(struct edgefix *fx, struct block *b)
{
	unsigned n = 0;

	for (;;) {
		n++;
		switch (conn_send(fx->conn, b)) {
		case CONN_SENT:
			break;
		case CONN_BLOCKED:
			return n;
		default:
			fail_msg("the connection died");
		}
		assert_true(n < 1000);
	}
}

static void
a_blocked_block_stays_pinned_until_it_has_left(void **state)
{
	struct edgefix *fx = *state;
	struct block *b = big_block();
	struct edge_client *c;
	struct edge_frame f;
	unsigned n, ready;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	ready = fx->ready;
	n = send_until_blocked(fx, b);
	assert_int_equal(b->refs, 2);
	assert_false(conn_is_ready(fx->conn));
	for (unsigned i = 0; i < n; i++) {
		assert_true(edge_next(c, &f));
		assert_int_equal(f.payload.len, BLOCK_BYTES - BLOCK_HEADROOM);
		edge_consume(c, f.whole);
	}
	assert_int_equal(b->refs, 1);
	assert_int_equal(fx->ready, ready + 1);
	assert_true(conn_is_ready(fx->conn));
	block_unref(b);
	edge_free(c);
}

static void
control_messages_go_before_the_next_block(void **state)
{
	struct edgefix *fx = *state;
	struct block *b = big_block();
	struct edge_client *c;
	struct edge_frame f;
	unsigned n;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	n = send_until_blocked(fx, b);
	conn_control(fx->conn, SLICE_STR("\x01"));
	conn_control(fx->conn, SLICE_STR("\x02"));
	assert_true(conn_control_queued(fx->conn) > 0);
	for (unsigned i = 0; i < n; i++) {
		assert_true(edge_next(c, &f));
		edge_consume(c, f.whole);
	}
	for (unsigned i = 1; i <= 2; i++) {
		assert_true(edge_next(c, &f));
		assert_int_equal(f.payload.len, 1);
		assert_int_equal(f.payload.p[0], i);
		edge_consume(c, f.whole);
	}
	assert_int_equal(conn_control_queued(fx->conn), 0);
	block_unref(b);
	edge_free(c);
}

static void
answers_that_wait_keep_their_order_and_bytes(void **state)
{
	static uint8_t bytes[3000];
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;
	unsigned sent = 0;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	do {
		put_le32(bytes, sent++);
		conn_control(fx->conn, slice_of(bytes, sizeof(bytes)));
		edgefix_pass(fx);
	} while (conn_control_queued(fx->conn) == 0);
	/* The lane grows behind a write that has begun. */
	for (unsigned i = 0; i < 50; i++) {
		put_le32(bytes, sent++);
		conn_control(fx->conn, slice_of(bytes, 100));
	}
	for (unsigned i = 0; i < sent; i++) {
		assert_true(edge_next(c, &f));
		assert_int_equal(f.payload.len, i < sent - 50 ? 3000 : 100);
		assert_int_equal(get_le32(f.payload.p), i);
		edge_consume(c, f.whole);
	}
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	edge_free(c);
}

static void
closing_sends_what_is_queued_then_the_code(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	conn_control(fx->conn, SLICE_STR("\x07"));
	conn_close(fx->conn, 4401, "the token has expired");
	conn_close(fx->conn, 1000, "not this one");
	assert_true(edge_next(c, &f));
	assert_int_equal(f.payload.p[0], 7);
	edge_consume(c, f.whole);
	assert_true(edge_next(c, &f));
	assert_int_equal(f.first, 0x88);
	assert_memory_equal(f.payload.p, "\x11\x31the token has expired", 23);
	edge_consume(c, f.whole);
	assert_int_equal(fx->closed, 1);
	edge_send(c, 0x88, "\x11\x31", 2);
	edge_until_eof(c);
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	assert_int_equal(fx->closed, 1);
}

static void
a_close_frame_is_answered_with_its_code(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	edge_send(c, 0x88,
	    "\x0f\xa0"
	    "bye",
	    5);
	edge_expect_close(c, 4000);
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	assert_int_equal(fx->closed, 1);
}

static void
a_ping_is_answered_with_its_payload(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	edge_send(c, 0x89, "abc", 3);
	assert_true(edge_next(c, &f));
	assert_int_equal(f.first, 0x8a);
	assert_memory_equal(f.payload.p, "abc", 3);
	edge_free(c);
}

static void
a_session_that_is_refused_is_closed_with_1013(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	fx->refuse = true;
	c = edge_websocket(fx);
	edge_expect_close(c, 1013);
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	assert_int_equal(fx->closed, 0);
}

static void
health_is_told_over_https(void **state)
{
	static const char get[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
				  "Connection: close\r\n\r\n";
	struct edgefix *fx = *state;
	struct edge_client *c;
	const char *answer;

	edgefix_start(fx, NULL);
	c = edge_open(fx);
	answer = edge_request(c, get);
	assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(answer, "\r\n\r\n{\"status\":\"ok\"}"));
	edge_free(c);
}

static void
readiness_says_why_not(void **state)
{
	static const char get[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n"
				  "Connection: close\r\n\r\n";
	struct edgefix *fx = *state;
	struct edge_client *c;
	const char *answer;

	edgefix_start(fx, NULL);
	c = edge_open(fx);
	assert_non_null(strstr(edge_request(c, get), "HTTP/1.1 200 OK\r\n"));
	edge_free(c);
	fx->not_serving = true;
	c = edge_open(fx);
	answer = edge_request(c, get);
	assert_non_null(strstr(answer, "HTTP/1.1 503 "));
	assert_non_null(
	    strstr(answer, "{\"status\":\"unavailable\","
			   "\"reason\":\"the \\\"ring\\\" is not there\"}"));
	edge_free(c);
}

static void
a_stopping_gateway_lets_nobody_in(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	conns_refuse(fx->conns);
	c = edge_open(fx);
	assert_non_null(
	    strstr(edge_request(c,
		       "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS "\r\n"),
		"HTTP/1.1 503 "));
	assert_int_equal(fx->opened, 0);
	edge_free(c);
}

enum {
	EARLY = 20, /* more than have a step in one pass */
	LATE = 8
};

/* Say hello; the answer can't be there yet. */
static void
say_hello(struct edge_client *const *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_true(SSL_do_handshake(c[i]->ssl) < 1);
}

static unsigned
answered(struct edge_client *const *c, unsigned n)
{
	unsigned count = 0;
	uint8_t byte;

	for (unsigned i = 0; i < n; i++)
		count += recv(c[i]->fd, &byte, 1, MSG_PEEK) == 1;
	return count;
}

static void
handshakes_that_wait_go_before_new_ones(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c[EARLY + LATE];

	edgefix_start(fx, NULL);
	for (unsigned i = 0; i < EARLY + LATE; i++)
		c[i] = edge_connect(fx);
	EDGE_UNTIL(fx, conns_count(fx->conns) == EARLY + LATE);
	say_hello(c, EARLY);
	EDGE_UNTIL(fx, answered(c, EARLY) > 0);
	assert_true(answered(c, EARLY) < EARLY);
	say_hello(c + EARLY, LATE);
	edgefix_deadline(fx);
	do {
		assert_true(edgefix_pass(fx));
		if (answered(c + EARLY, LATE) > 0)
			assert_int_equal(answered(c, EARLY), EARLY);
	} while (answered(c + EARLY, LATE) < LATE);
	for (unsigned i = 0; i < EARLY + LATE; i++)
		edge_free(c[i]);
}

enum {
	CROWD = 300
};

static void
a_crowd_that_leaves_at_once_goes_in_several_passes(void **state)
{
	static const char *const options[] = { "gateway.handshakes=0",
		"gateway.handshake_rate=0", NULL };
	struct edgefix *fx = *state;
	struct edge_client *c[CROWD];
	uint64_t before;

	edgefix_start(fx, options);
	for (unsigned i = 0; i < CROWD; i++)
		c[i] = edge_open(fx);
	for (unsigned i = 0; i < CROWD; i++)
		edge_free(c[i]);
	edgefix_deadline(fx);
	while ((before = conns_count(fx->conns)) > 0) {
		assert_true(edgefix_pass(fx));
		assert_true(before - conns_count(fx->conns) <= SWEEPS_A_PASS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_websocket_opens_with_the_token_of_its_request),
		TEST(messages_arrive_whole_and_answers_leave),
		TEST(a_block_is_sent_as_it_is),
		TEST(a_blocked_block_stays_pinned_until_it_has_left),
		TEST(control_messages_go_before_the_next_block),
		TEST(answers_that_wait_keep_their_order_and_bytes),
		TEST(closing_sends_what_is_queued_then_the_code),
		TEST(a_close_frame_is_answered_with_its_code),
		TEST(a_ping_is_answered_with_its_payload),
		TEST(a_session_that_is_refused_is_closed_with_1013),
		TEST(health_is_told_over_https),
		TEST(readiness_says_why_not),
		TEST(a_stopping_gateway_lets_nobody_in),
		TEST(handshakes_that_wait_go_before_new_ones),
		TEST(a_crowd_that_leaves_at_once_goes_in_several_passes),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
