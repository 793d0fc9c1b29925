/* SPDX-License-Identifier: BSD-2-Clause */

/* Peers that stall, flood, break off or break the rules, over real TLS. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "gateway/block.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/listen.h"
#include "tests/lib/edgefix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

/* Gone on the gateway's side, and the client saw it end. */
static void
expect_gone(struct edgefix *fx, struct edge_client *c)
{
	edge_until_eof(c);
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
}

/* Send raw bytes on a WebSocket; it has to be closed with that code. */
static void
check_frame(struct edgefix *fx, const void *p, size_t len, unsigned code)
{
	struct edge_client *c = edge_websocket(fx);

	edge_write(c, p, len);
	edge_expect_close(c, code);
	expect_gone(fx, c);
}

static void
broken_frames_are_answered_with_their_code(void **state)
{
	struct edgefix *fx = *state;

	edgefix_start(fx, NULL);
	check_frame(fx, "\x82\x05hello", 7, 1002);
	check_frame(fx, "\xc2\x80\0\0\0\0", 6, 1002);
	check_frame(fx, "\x83\x80\0\0\0\0", 6, 1002);
	check_frame(fx, "\x81\x83\0\0\0\0\xff\xfe\xfd", 9, 1003);
	check_frame(fx, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 1009);
	check_frame(fx, "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, 1002);
	check_frame(fx, "\x88\x81\0\0\0\0\x03", 7, 1002);
	check_frame(fx, "\x88\x83\0\0\0\0\x03\xe8\xff", 9, 1007);
	assert_int_equal(COUNTERS_GET(bad_frames), 7);
	assert_int_equal(COUNTERS_GET(bad_size), 1);
	assert_int_equal(fx->closed, 8);
}

static void
messages_are_short_before_hello_and_long_after(void **state)
{
	static uint8_t bytes[1 << 20];
	static const char *const options[] = { "gateway.max_message=1M", NULL };
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, options);
	c = edge_websocket(fx);
	edge_send(c, 0x82, bytes, 8192);
	EDGE_UNTIL(fx, fx->messages == 1);
	edge_send(c, 0x82, bytes, 8192 + 1);
	edge_expect_close(c, 1009);
	expect_gone(fx, c);

	fx->hello = true;
	c = edge_websocket(fx);
	edge_send(c, 0x82, bytes, 1);
	edge_send(c, 0x82, bytes, sizeof(bytes));
	EDGE_UNTIL(fx, fx->messages == 3);
	assert_int_equal(fx->last_len, sizeof(bytes));
	edge_send(c, 0x82, bytes, sizeof(bytes) - 1);
	EDGE_UNTIL(fx, fx->messages == 4);
	edge_write(c, "\x82\xff\0\0\0\0\0\x10\0\x01", 10);
	edge_expect_close(c, 1009);
	expect_gone(fx, c);
}

static void
a_hundred_thousand_fragments_end_at_the_seventeenth(void **state)
{
	static uint8_t bytes[100000 * 7];
	struct edgefix *fx = *state;
	struct edge_client *c;
	size_t n = 0;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	n += edge_frame(bytes, 0x02, "a", 1);
	while (n < sizeof(bytes) - 7)
		n += edge_frame(bytes + n, 0x00, "a", 1);
	edge_write(c, bytes, n);
	edge_expect_close(c, 1008);
	assert_int_equal(fx->messages, 0);
	expect_gone(fx, c);
}

static void
a_flood_of_pings_is_cut_off(void **state)
{
	static uint8_t bytes[6 * 1000];
	struct edgefix *fx = *state;
	struct edge_client *c;
	size_t n = 0;

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	while (n < sizeof(bytes))
		n += edge_frame(bytes + n, 0x89, "", 0);
	edge_write(c, bytes, n);
	edge_until_eof(c);
	/* Some pongs, then a close frame with 1008 and a text. */
	assert_true(c->len > 4 && c->len < 200);
	assert_non_null(memmem(c->in, c->len, "\x03\xf0", 2));
	expect_gone(fx, c);
}

static void
who_does_not_read_its_answers_is_closed_with_1008(void **state)
{
	static uint8_t bytes[16384];
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;
	size_t most = 0;

	edgefix_start(fx, NULL);
	fx->hello = true;
	c = edge_websocket(fx);
	edge_send(c, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	for (unsigned i = 0; i < 10000 && fx->closed == 0; i++) {
		conn_control(fx->conn, slice_of(bytes, sizeof(bytes)));
		edgefix_pass(fx);
		if (fx->closed == 0)
			most = MAX(most, conn_control_queued(fx->conn));
	}
	assert_int_equal(fx->closed, 1);
	assert_true(most <= LANE_BYTES + WS_HEAD_MAX * 20);
	/* What was queued comes still, when it is read in time. */
	do {
		assert_true(edge_next(c, &f));
		edge_consume(c, f.first == 0x82 ? f.whole : 0);
	} while (f.first == 0x82);
	edge_expect_close(c, 1008);
	expect_gone(fx, c);
}

static void
one_pass_takes_64_kilobytes_of_a_flood_and_then_the_rest(void **state)
{
	enum {
		MESSAGE = 1000,
		MESSAGES = 150
	};
	static uint8_t bytes[MESSAGE];
	uint8_t frame[MESSAGE + 14];
	struct edgefix *fx = *state;
	struct edge_client *c;
	size_t n = edge_frame(frame, 0x82, bytes, MESSAGE);

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	for (unsigned i = 0; i < MESSAGES; i++)
		assert_int_equal(SSL_write(c->ssl, frame, (int)n), n);
	while (fx->total == 0)
		assert_true(edgefix_pass(fx));
	assert_true(fx->total <= TURN_BYTES + READ_BYTES);
	EDGE_UNTIL(fx, fx->total == (size_t)MESSAGE * MESSAGES);
	edge_free(c);
}

static void
a_stalled_peer_costs_one_block(void **state)
{
	static uint8_t bytes[BLOCK_BYTES - BLOCK_HEADROOM];
	struct block *b = block_message(slice_of(bytes, sizeof(bytes)));
	struct edgefix *fx = *state;
	struct edge_client *c;
	unsigned n = 0;

	edgefix_start(fx, NULL);
	fx->hello = true;
	c = edge_websocket(fx);
	edge_send(c, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	while (conn_send(fx->conn, b) == CONN_SENT)
		assert_true(++n < 1000);
	for (unsigned i = 0; i < 100; i++)
		edgefix_pass(fx);
	assert_int_equal(b->refs, 2);
	assert_int_equal(fx->closed, 0);
	edge_free(c);
	EDGE_UNTIL(fx, fx->closed == 1);
	assert_int_equal(b->refs, 1);
	block_unref(b);
}

static void
deadlines_end_what_gets_nowhere(void **state)
{
	static const char *const options[] = { "gateway.hello_seconds=1",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *silent, *shaken, *half, *open, *slow;
	unsigned i = 0;

	edgefix_start(fx, options);
	silent = edge_connect(fx);
	shaken = edge_open(fx);
	half = edge_open(fx);
	edge_puts(half, "GET /v1/ws HTTP/1.1\r\nHost: a\r\n");
	open = edge_websocket(fx);
	slow = edge_open(fx);
	edge_puts(slow, "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS);
	edgefix_deadline(fx);
	while (!slow->eof) {
		/* A header once in a while keeps nobody alive. */
		if (i++ % 1000 == 0 && i < 60000)
			edge_puts(slow, "a: b\r\n");
		edge_poll(slow);
		assert_true(edgefix_pass(fx));
	}
	edge_expect_close(open, 4408);
	edge_until_eof(shaken);
	assert_int_equal(shaken->len, 0);
	edge_until_eof(half);
	assert_false(edge_handshake(silent));
	assert_int_equal(COUNTERS_GET(slow_handshake), 4);
	assert_int_equal(COUNTERS_GET(slow_hello), 1);
	edge_free(silent);
	edge_free(shaken);
	edge_free(half);
	edge_free(open);
	expect_gone(fx, slow);
}

static void
hello_ends_the_deadline(void **state)
{
	static const char *const options[] = { "gateway.hello_seconds=1",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *c, *other;

	edgefix_start(fx, options);
	fx->hello = true;
	c = edge_websocket(fx);
	edge_send(c, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	other = edge_websocket(fx);
	edge_expect_close(other, 4408);
	edge_free(other);
	edge_send(c, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 2);
	edge_free(c);
}

static void
a_dead_peer_is_asked_and_dropped(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *dead, *alive;
	struct edge_frame f;

	edgefix_start(fx, NULL);
	fx->conns->quiet_ticks = 1;
	fx->conns->pong_ticks = 2;
	fx->hello = true;
	dead = edge_websocket(fx);
	edge_send(dead, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	alive = edge_websocket(fx);
	edge_send(alive, 0x82, "\xc0", 1);
	while (fx->closed == 0) {
		assert_true(edge_next(alive, &f));
		assert_int_equal(f.first, 0x89);
		edge_consume(alive, f.whole);
		edge_send(alive, 0x8a, "", 0);
	}
	assert_int_equal(fx->closed, 1);
	assert_true(edge_next(dead, &f));
	assert_int_equal(f.first, 0x89);
	edge_consume(dead, f.whole);
	edge_until_eof(dead);
	assert_int_equal(dead->len, 0);
	edge_free(dead);
	edge_free(alive);
}

static void
a_peer_that_has_not_read_yet_is_not_dead(void **state)
{
	static uint8_t bytes[BLOCK_BYTES - BLOCK_HEADROOM];
	struct block *b = block_message(slice_of(bytes, sizeof(bytes)));
	struct edgefix *fx = *state;
	struct edge_client *stalled, *other;
	struct conn *conn;

	edgefix_start(fx, NULL);
	fx->conns->quiet_ticks = 1;
	fx->conns->pong_ticks = 1;
	fx->hello = true;
	stalled = edge_websocket(fx);
	edge_send(stalled, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	conn = fx->conn;
	EDGE_UNTIL(fx, conn_is_ready(conn));
	while (conn_send(conn, b) == CONN_SENT)
		;
	/* One that can answer and does not measures the time. */
	other = edge_websocket(fx);
	edge_send(other, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->closed == 1);
	edge_until_eof(other);
	assert_int_equal(conn->state, CONN_OPEN);
	assert_false(conn->pinged);
	edge_free(other);
	edge_free(stalled);
	block_unref(b);
}

/* Read the blocks that were sent; the close frame is next, and answered. */
static void
read_up_to_close(struct edge_client *c)
{
	struct edge_frame f;

	assert_true(edge_next(c, &f));
	while (f.first != 0x88) {
		edge_consume(c, f.whole);
		assert_true(edge_next(c, &f));
	}
	edge_send(c, 0x88, f.payload.p, 2);
}

static void
who_reads_nothing_for_too_long_is_sent_away_and_told_so(void **state)
{
	static uint8_t bytes[BLOCK_BYTES - BLOCK_HEADROOM];
	struct block *b = block_message(slice_of(bytes, sizeof(bytes)));
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	fx->conns->stall_ticks = 2;
	fx->hello = true;
	c = edge_websocket(fx);
	edge_send(c, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	while (conn_send(fx->conn, b) == CONN_SENT)
		;
	EDGE_UNTIL(fx, fx->closed == 1);
	assert_int_equal(COUNTERS_GET(stalled), 1);
	/* It wakes up, in time to learn why. */
	read_up_to_close(c);
	edge_expect_close(c, 4409);
	expect_gone(fx, c);
	block_unref(b);
}

static void
handshakes_wait_for_a_place_and_stale_ones_make_room(void **state)
{
	static const char *const options[] = { "gateway.handshakes=2", NULL };
	struct edgefix *fx = *state;
	struct edge_client *a, *b, *c;

	edgefix_start(fx, options);
	a = edge_connect(fx);
	b = edge_connect(fx);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 2);
	c = edge_connect(fx);
	/* The two get their time first; then the older one goes. */
	assert_true(edge_handshake(c));
	assert_int_equal(COUNTERS_GET(slow_handshake), 1);
	assert_true(COUNTERS_GET(held_handshakes) > 0);
	assert_false(edge_handshake(a));
	assert_true(edge_handshake(b));
	edge_free(a);
	edge_free(b);
	edge_free(c);
}

static void
who_says_nothing_makes_room_before_who_has_begun(void **state)
{
	static const char *const options[] = { "gateway.handshakes=2", NULL };
	struct edgefix *fx = *state;
	struct edge_client *a, *b, *c;
	uint8_t byte;

	edgefix_start(fx, options);
	a = edge_connect(fx);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 1);
	b = edge_connect(fx);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 2);
	assert_true(SSL_do_handshake(a->ssl) < 1);
	EDGE_UNTIL(fx, recv(a->fd, &byte, 1, MSG_PEEK) == 1);
	c = edge_connect(fx);
	assert_true(edge_handshake(c));
	assert_true(edge_handshake(a));
	assert_false(edge_handshake(b));
	edge_free(a);
	edge_free(b);
	edge_free(c);
}

static void
beyond_the_limit_new_ones_are_refused_and_old_ones_stay(void **state)
{
	static const char *const options[] = { "gateway.max_connections=2",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *a, *b, *c;
	struct edge_frame f;

	edgefix_start(fx, options);
	fx->echo = true;
	a = edge_websocket(fx);
	b = edge_websocket(fx);
	c = edge_open(fx);
	assert_non_null(
	    strstr(edge_request(c,
		       "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS "\r\n"),
		"HTTP/1.1 503 "));
	edge_free(c);
	edge_send(a, 0x82, "\xc0", 1);
	assert_true(edge_next(a, &f));
	edge_free(a);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 1);
	c = edge_websocket(fx);
	edge_free(c);
	edge_free(b);
}

static void
without_descriptors_it_waits_and_goes_on(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct rlimit was, none;
	uint64_t shortages;

	edgefix_start(fx, NULL);
	c = edge_connect(fx);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = (rlim_t)c->fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	EDGE_UNTIL(fx, COUNTERS_GET(held_descriptors) > 0);
	/* It does not spin: pass after pass, at most a retry. */
	shortages = COUNTERS_GET(held_descriptors);
	for (unsigned i = 0; i < 100; i++)
		edgefix_pass(fx);
	assert_true(COUNTERS_GET(held_descriptors) <= shortages + 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(edge_handshake(c));
	edge_free(c);
}

static void
bytes_behind_the_request_are_refused(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = edge_open(fx);
	assert_non_null(strstr(
	    edge_request(c, "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS
			    "\r\n\x82\x80\x01\x01\x01\x01"),
	    "HTTP/1.1 400 "));
	expect_gone(fx, c);
	assert_int_equal(fx->opened, 0);
}

static void
a_head_may_come_byte_by_byte_and_no_longer_than_8_kilobytes(void **state)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n"
				      "Connection: close\r\n\r\n";
	struct edgefix *fx = *state;
	struct edge_client *c;
	char header[1100];

	edgefix_start(fx, NULL);
	c = edge_open(fx);
	for (size_t i = 0; i + 1 < sizeof(request); i++) {
		edge_write(c, request + i, 1);
		edgefix_pass(fx);
	}
	edge_until_eof(c);
	assert_memory_equal(c->in, "HTTP/1.1 200 ", 13);
	edge_free(c);

	memset(header, 'a', sizeof(header));
	c = edge_open(fx);
	edge_puts(c, "GET / HTTP/1.1\r\n");
	for (unsigned i = 0; i < 8; i++) {
		edge_write(c, header, sizeof(header));
		edgefix_pass(fx);
	}
	edge_until_eof(c);
	assert_memory_equal(c->in, "HTTP/1.1 431 ", 13);
	expect_gone(fx, c);
}

/* What a client's handshake and request are on the wire. */
static size_t
record_wire(struct edgefix *fx, uint8_t *wire, size_t size)
{
	struct edge_client *c = edge_connect(fx);
	BIO *out = BIO_new(BIO_s_mem());
	char *p;
	long n;

	SSL_set0_wbio(c->ssl, out);
	(void)SSL_connect(c->ssl);
	n = BIO_get_mem_data(out, &p);
	assert_true(n > 100 && (size_t)n <= size);
	memcpy(wire, p, (size_t)n);
	edge_free(c);
	return (size_t)n;
}

static void
a_reset_at_any_byte_of_the_handshake_leaves_nothing(void **state)
{
	const struct linger abort = { .l_onoff = 1, .l_linger = 0 };
	static uint8_t wire[4096];
	struct edgefix *fx = *state;
	struct edge_client *c;
	size_t n;

	edgefix_start(fx, NULL);
	n = record_wire(fx, wire, sizeof(wire));
	for (size_t cut = 0; cut <= n; cut += cut < 80 ? 1 : 7) {
		uint64_t accepted = COUNTERS_GET(accepted);

		c = edge_connect(fx);
		EDGE_UNTIL(fx, COUNTERS_GET(accepted) > accepted);
		assert_int_equal(send(c->fd, wire, cut, 0), cut);
		edgefix_pass(fx);
		if (cut & 1)
			setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort,
			    sizeof(abort));
		edge_free(c);
		EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	}
	assert_int_equal(fx->opened, 0);
}

static void
what_is_no_tls_is_dropped(void **state)
{
	static const char *const texts[] = { "GET / HTTP/1.1\r\n\r\n",
		"\x16\x03\x01\xff\xff\x01\0\0\0", "\0\0\0\0\0\0\0\0\0\0\0\0",
		"\x15\x03\x03\0\x02\x02\x28" };
	struct edgefix *fx = *state;

	edgefix_start(fx, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		struct edge_client *c = edge_connect(fx);
		size_t n = i == 0 ? strlen(texts[i]) : 7;
		char answer[64];

		assert_int_equal(send(c->fd, texts[i], n, 0), n);
		shutdown(c->fd, SHUT_WR);
		EDGE_UNTIL(fx, recv(c->fd, answer, sizeof(answer), 0) == 0);
		edge_free(c);
		EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(broken_frames_are_answered_with_their_code),
		TEST(messages_are_short_before_hello_and_long_after),
		TEST(a_hundred_thousand_fragments_end_at_the_seventeenth),
		TEST(a_flood_of_pings_is_cut_off),
		TEST(who_does_not_read_its_answers_is_closed_with_1008),
		TEST(one_pass_takes_64_kilobytes_of_a_flood_and_then_the_rest),
		TEST(a_stalled_peer_costs_one_block),
		TEST(deadlines_end_what_gets_nowhere),
		TEST(hello_ends_the_deadline),
		TEST(a_dead_peer_is_asked_and_dropped),
		TEST(a_peer_that_has_not_read_yet_is_not_dead),
		TEST(who_reads_nothing_for_too_long_is_sent_away_and_told_so),
		TEST(handshakes_wait_for_a_place_and_stale_ones_make_room),
		TEST(who_says_nothing_makes_room_before_who_has_begun),
		TEST(beyond_the_limit_new_ones_are_refused_and_old_ones_stay),
		TEST(without_descriptors_it_waits_and_goes_on),
		TEST(bytes_behind_the_request_are_refused),
		TEST(
		    a_head_may_come_byte_by_byte_and_no_longer_than_8_kilobytes),
		TEST(a_reset_at_any_byte_of_the_handshake_leaves_nothing),
		TEST(what_is_no_tls_is_dropped),
	};

	return cmocka_run_group_tests_name("conn_hostile", tests, NULL, NULL);
}
