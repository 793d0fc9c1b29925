/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every limit that a connection can reach: it is refused by name, counted by
 * its cause, and 0 switches the limit off.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "tests/lib/edgefix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

#define PLAIN	"gateway.listen_plain=127.0.0.1:0"
#define TRUSTED "gateway.trusted=127.0.0.1"
#define UPGRADE "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS "\r\n"

static void
start(struct edgefix *fx, const char *limit)
{
	const char *const options[] = { PLAIN, limit, NULL };

	edgefix_start(fx, options);
}

static struct edge_client *
websocket(struct edgefix *fx)
{
	struct edge_client *c = edge_connect_plain(fx);

	edge_upgrade(c, "");
	return c;
}

/* From 192.0.2.1, as a proxy says. */
static struct edge_client *
from_afar(struct edgefix *fx)
{
	static const char head[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
				   "\xc0\0\x02\1\xc0\0\x02\2\0\1\0\2";
	struct edge_client *c = edge_connect_plain(fx);

	edge_write(c, head, sizeof(head) - 1);
	return c;
}

static void
expect_503(struct edge_client *c)
{
	assert_non_null(strstr(edge_request(c, UPGRADE), "HTTP/1.1 503 "));
	edge_free(c);
}

static void
so_many_connections_in_all(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *a;

	start(fx, "gateway.max_connections=1");
	a = websocket(fx);
	expect_503(edge_connect_plain(fx));
	assert_int_equal(COUNTERS_GET(refused_full), 1);
	edge_free(a);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	edge_free(websocket(fx));
	assert_int_equal(COUNTERS_GET(refused_full), 1);
}

/* It is told so whatever it asks for, and holds no place by asking. */
static void
none_of_those_beyond_them_stays(void **state)
{
	static const char *const requests[] = {
		"GET /v1/state?topic=a HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n",
	};
	struct edgefix *fx = *state;
	struct edge_client *a;

	start(fx, "gateway.max_connections=1");
	a = websocket(fx);
	for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
		struct edge_client *b = edge_connect_plain(fx);
		const char *answer = edge_request(b, requests[i]);

		assert_non_null(strstr(answer, "\r\nConnection: close"));
		edge_free(b);
	}
	edge_free(a);
}

static void
as_many_as_nine_tenths_of_the_descriptors(void **state)
{
	struct edgefix *fx = *state;
	struct rlimit was, less;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	less = was;
	less.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
	start(fx, "gateway.max_connections=0");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(fx->conns->max_conns, 90);
}

static void
so_many_connections_of_an_address(void **state)
{
	static const char *const options[] = { PLAIN, TRUSTED,
		"gateway.address_connections=1", NULL };
	struct edgefix *fx = *state;
	struct edge_client *a;

	edgefix_start(fx, options);
	a = from_afar(fx);
	edge_upgrade(a, "");
	expect_503(from_afar(fx));
	assert_int_equal(COUNTERS_GET(refused_address), 1);
	edge_free(a);
}

/* What is over the rate is closed at once: an answer would cost as much. */
static void
so_many_new_ones_a_second_of_an_address(void **state)
{
	static const char *const options[] = { PLAIN, TRUSTED,
		"gateway.address_handshakes=1", NULL };
	struct edgefix *fx = *state;
	struct edge_client *a;
	bool refused = false;

	edgefix_start(fx, options);
	/* On a slow machine a second passes in between, now and then. */
	for (unsigned i = 0; i < 100 && !refused; i++) {
		a = from_afar(fx);
		edge_puts(a, UPGRADE);
		refused = !edge_fill(a, 1);
		edge_free(a);
	}
	assert_true(refused);
	assert_true(COUNTERS_GET(refused_address_rate) > 0);
}

static void
so_many_new_ones_a_second_in_all_and_the_others_wait(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c[4];

	start(fx, "gateway.handshake_rate=1");
	for (unsigned i = 0; i < 4; i++)
		c[i] = edge_connect_plain(fx);
	for (unsigned i = 0; i < 4; i++) {
		edge_upgrade(c[i], "");
		edge_free(c[i]);
	}
	assert_true(COUNTERS_GET(held_rate) > 0);
}

/* A binary message of len bytes, in so many fragments. */
static void
say(struct edge_client *c, size_t len, unsigned fragments)
{
	uint8_t *bytes = calloc(len, 1);
	size_t each = len / fragments;

	for (unsigned i = 0; i < fragments; i++)
		edge_send(c,
		    (i == 0 ? 0x02U : 0U) | (i == fragments - 1 ? 0x80U : 0U),
		    bytes, i == 0 ? len - each * (fragments - 1) : each);
	free(bytes);
}

static void
so_long_a_message_before_hello_and_after_it(void **state)
{
	static const char *const options[] = { PLAIN, "gateway.hello_bytes=100",
		"gateway.max_message=8192", NULL };
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, options);
	fx->hello = true;
	c = websocket(fx);
	say(c, 101, 1);
	edge_expect_close(c, 1009);
	edge_free(c);
	assert_int_equal(COUNTERS_GET(bad_size), 1);
	c = websocket(fx);
	say(c, 100, 1);
	say(c, 8192, 1);
	EDGE_UNTIL(fx, fx->messages == 2);
	say(c, 8193, 1);
	edge_expect_close(c, 1009);
	edge_free(c);
	assert_int_equal(COUNTERS_GET(bad_size), 2);
}

static void
before_hello_as_after_it_where_so_configured(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	start(fx, "gateway.hello_bytes=0");
	c = websocket(fx);
	say(c, 100000, 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	edge_free(c);
}

static void
so_many_fragments_of_a_message(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	start(fx, "gateway.fragments=3");
	c = websocket(fx);
	say(c, 9, 3);
	EDGE_UNTIL(fx, fx->messages == 1);
	say(c, 8, 4);
	edge_expect_close(c, 1008);
	edge_free(c);
	assert_int_equal(COUNTERS_GET(bad_fragments), 1);
}

static void
any_number_of_fragments(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	start(fx, "gateway.fragments=0");
	c = websocket(fx);
	say(c, 1000, 500);
	EDGE_UNTIL(fx, fx->messages == 1);
	edge_free(c);
}

static void
so_many_control_frames_a_second(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	start(fx, "gateway.control_frames=2");
	c = websocket(fx);
	/* All of them at once: one write, one second. */
	edge_write(c,
	    "\x8a\x80\0\0\0\0\x8a\x80\0\0\0\0"
	    "\x8a\x80\0\0\0\0\x8a\x80\0\0\0\0\x8a\x80\0\0\0\0",
	    30);
	edge_expect_close(c, 1008);
	edge_free(c);
	assert_int_equal(COUNTERS_GET(bad_controls), 1);
}

static void
any_number_of_control_frames(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	start(fx, "gateway.control_frames=0");
	c = websocket(fx);
	for (unsigned i = 0; i < 100; i++)
		edge_send(c, 0x8a, "", 0);
	say(c, 1, 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	edge_free(c);
}

static void
so_long_until_hello(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *silent, *open;

	start(fx, "gateway.hello_seconds=1");
	silent = edge_connect_plain(fx);
	open = websocket(fx);
	edge_expect_close(open, 4408);
	edge_until_eof(silent);
	assert_int_equal(COUNTERS_GET(slow_hello), 1);
	assert_int_equal(COUNTERS_GET(slow_handshake), 1);
	edge_free(silent);
	edge_free(open);
}

/* More than may wait: the client does not read what it is told. */
static void
so_many_answers_that_nobody_reads(void **state)
{
	static uint8_t bytes[BLOCK_BYTES - BLOCK_HEADROOM];
	struct block *b = block_message(slice_of(bytes, sizeof(bytes)));
	struct edgefix *fx = *state;
	struct edge_client *c;

	start(fx, "gateway.hello_seconds=0");
	c = websocket(fx);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	while (conn_send(fx->conn, b) == CONN_SENT)
		;
	for (unsigned i = 0; i < 1000 && fx->closed == 0; i++) {
		conn_control(fx->conn, slice_of(bytes, 1000));
		edgefix_pass(fx);
	}
	assert_int_equal(fx->closed, 1);
	assert_int_equal(COUNTERS_GET(unread_answers), 1);
	edge_free(c);
	block_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(so_many_connections_in_all),
		TEST(none_of_those_beyond_them_stays),
		TEST(as_many_as_nine_tenths_of_the_descriptors),
		TEST(so_many_connections_of_an_address),
		TEST(so_many_new_ones_a_second_of_an_address),
		TEST(so_many_new_ones_a_second_in_all_and_the_others_wait),
		TEST(so_long_a_message_before_hello_and_after_it),
		TEST(before_hello_as_after_it_where_so_configured),
		TEST(so_many_fragments_of_a_message),
		TEST(any_number_of_fragments),
		TEST(so_many_control_frames_a_second),
		TEST(any_number_of_control_frames),
		TEST(so_long_until_hello),
		TEST(so_many_answers_that_nobody_reads),
	};

	return cmocka_run_group_tests_name("conn_limits", tests, NULL, NULL);
}
