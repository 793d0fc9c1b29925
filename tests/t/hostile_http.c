/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLS and HTTP as no honest client speaks them: cut off anywhere, heads that
 * mean two things.
 */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/live.h"

static const char upgrade[] = "GET /v1/ws HTTP/1.1\r\n"
			      "Host: localhost\r\n"
			      "Upgrade: websocket\r\n"
			      "Connection: Upgrade\r\n"
			      "Sec-WebSocket-Version: 13\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

static struct wire *
dial(void)
{
	struct wire *w = wire_dial(live_to(), WIRE_DEADLINE_MS);

	assert_non_null(w);
	return w;
}

/* The status of an answer to the head, which must be a refusal or nothing. */
static int
status_of(const char *head)
{
	struct wire *w = dial();
	int status = wire_request(w, head);

	wire_free(w);
	return status;
}

static void
refused(const char *head)
{
	int status = status_of(head);

	if (status != 0 && status != 501 && status != 505 && status / 100 != 4)
		fail_msg("status %d for %.60s", status, head);
}

static void
upgrade_with_is_refused(const char *more)
{
	char head[65536];

	snprintf(head, sizeof(head), "%s%s\r\n", upgrade, more);
	refused(head);
}

static void
the_honest_head_is_accepted(void **state)
{
	char head[1024];

	snprintf(head, sizeof(head), "%s\r\n", upgrade);
	assert_int_equal(status_of(head), 101);
}

static void
two_thousand_headers_are_refused(void **state)
{
	char more[60000];
	size_t n = 0;

	for (unsigned i = 0; i < 2000; i++)
		n += (size_t)snprintf(
		    more + n, sizeof(more) - n, "X-%u: %u\r\n", i, i);
	upgrade_with_is_refused(more);
}

static void
eight_kib_of_commas_are_refused(void **state)
{
	char more[9000];
	size_t n =
	    (size_t)snprintf(more, sizeof(more), "Sec-WebSocket-Protocol: ");

	memset(more + n, ',', 8192);
	memcpy(more + n + 8192, "\r\n", 3);
	upgrade_with_is_refused(more);
}

static void
heads_that_mean_two_things_are_refused(void **state)
{
	upgrade_with_is_refused("X-Folded: one\r\n two\r\n");
	upgrade_with_is_refused("X-Folded: one\r\n\ttwo\r\n");
	upgrade_with_is_refused(
	    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n");
	upgrade_with_is_refused("Content-Length: 3\r\nContent-Length: 4\r\n");
	upgrade_with_is_refused("Content-Length: -1\r\n");
	upgrade_with_is_refused("Content-Length: 18446744073709551616\r\n");
	upgrade_with_is_refused("Host: elsewhere\r\n");
	upgrade_with_is_refused("X-Space : one\r\n");
	upgrade_with_is_refused(" X-Space: one\r\n");
	upgrade_with_is_refused("no colon\r\n");
	upgrade_with_is_refused(": no name\r\n");
	upgrade_with_is_refused("X-Bare: one\nX-Line: two\r\n");
	upgrade_with_is_refused("X-Control: a\001b\r\n");
	upgrade_with_is_refused("X-Return: a\rb\r\n");
}

static void
request_lines_that_are_none_are_refused(void **state)
{
	refused("GET /v1/ws\r\n\r\n");
	refused("GET /v1/ws HTTP/1.0\r\nHost: a\r\n\r\n");
	refused("GET /v1/ws HTTP/2.0\r\nHost: a\r\n\r\n");
	refused("GET  /v1/ws HTTP/1.1\r\nHost: a\r\n\r\n");
	refused("GET /v1/ws HTTP/1.1 \r\nHost: a\r\n\r\n");
	refused("GET /v1/ws\tHTTP/1.1\r\nHost: a\r\n\r\n");
	refused("DELETE /v1/ws HTTP/1.1\r\nHost: a\r\n\r\n");
	refused("get /v1/ws HTTP/1.1\r\nHost: a\r\n\r\n");
	refused("GET /v1/ws HTTP/1.1\r\n\r\n");
	refused("GET http://elsewhere/v1/ws HTTP/1.1\r\nHost: a\r\n\r\n");
	refused("GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n");
	refused("\r\n\r\n");
	refused("\x16\x03\x01\x02\r\n\r\n");
}

static void
a_nul_in_the_head_is_refused(void **state)
{
	static const char head[] =
	    "GET /v1/ws HTTP/1.1\r\nHost: a\0b\r\nConnection: close\r\n\r\n";
	struct wire *w = dial();
	char answer[16] = "";

	assert_true(wire_write(w, head, sizeof(head) - 1));
	if (wire_read(w, answer, sizeof(answer) - 1, WIRE_DEADLINE_MS) > 0)
		assert_int_equal(atoi(answer + 9) / 100, 4);
	wire_free(w);
}

static void
upgrades_that_are_incomplete_are_refused(void **state)
{
	refused("GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n");
	refused("GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
	refused("GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: short\r\n\r\n");
	refused("GET /v1/ws HTTP/1.1\r\nHost: a\r\n\r\n");
	upgrade_with_is_refused(
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
}

static void
what_is_not_served_is_refused(void **state)
{
	upgrade_with_is_refused("Sec-WebSocket-Protocol: peal.v2.json\r\n");
	upgrade_with_is_refused("Sec-WebSocket-Protocol: chat, echo\r\n");
	refused("GET /v1/state?topic=a HTTP/1.1\r\nHost: a\r\n\r\n");
	refused("GET /v1/states HTTP/1.1\r\nHost: a\r\n\r\n");
	refused("POST /v1/events HTTP/1.1\r\nHost: a\r\n"
		"Content-Length: 2\r\n\r\n{}");
}

static void
an_origin_that_is_not_listed_is_refused(void **state)
{
	upgrade_with_is_refused("Origin: https://elsewhere.example\r\n");
	upgrade_with_is_refused("Origin: null\r\n");
}

static void
a_path_that_is_not_there_is_not_found(void **state)
{
	assert_int_equal(
	    status_of("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
	assert_int_equal(
	    status_of("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
	assert_int_equal(
	    status_of("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
}

static int
tcp(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)live_to()->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, live_to()->host, &sin.sin_addr), 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static void
reset(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void
a_reset_at_every_byte_of_the_tls_hello_is_survived(void **state)
{
	uint8_t bytes[4096];
	size_t n = live_client_hello(bytes, sizeof(bytes));

	for (size_t cut = 0; cut <= n; cut++) {
		int fd = tcp();

		assert_int_equal(
		    send(fd, bytes, cut, MSG_NOSIGNAL), (ssize_t)cut);
		reset(fd);
	}
}

static void
a_reset_at_every_byte_of_the_upgrade_is_survived(void **state)
{
	char head[1024];
	size_t n = (size_t)snprintf(head, sizeof(head), "%s\r\n", upgrade);

	for (size_t cut = 0; cut <= n; cut++) {
		struct wire *w = dial();

		assert_true(wire_write(w, head, cut));
		wire_reset(w);
	}
}

static void
garbage_in_place_of_tls_is_survived(void **state)
{
	static const char plain[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	uint8_t zeros[1024] = { 0 };
	char answer[64];
	int fd = tcp();

	assert_true(send(fd, plain, sizeof(plain) - 1, MSG_NOSIGNAL) > 0);
	while (recv(fd, answer, sizeof(answer), 0) > 0)
		;
	close(fd);
	fd = tcp();
	assert_true(send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0);
	while (recv(fd, answer, sizeof(answer), 0) > 0)
		;
	close(fd);
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(the_honest_head_is_accepted),
		HOSTILE(two_thousand_headers_are_refused),
		HOSTILE(eight_kib_of_commas_are_refused),
		HOSTILE(heads_that_mean_two_things_are_refused),
		HOSTILE(request_lines_that_are_none_are_refused),
		HOSTILE(a_nul_in_the_head_is_refused),
		HOSTILE(upgrades_that_are_incomplete_are_refused),
		HOSTILE(what_is_not_served_is_refused),
		HOSTILE(an_origin_that_is_not_listed_is_refused),
		HOSTILE(a_path_that_is_not_there_is_not_found),
		HOSTILE(a_reset_at_every_byte_of_the_tls_hello_is_survived),
		HOSTILE(a_reset_at_every_byte_of_the_upgrade_is_survived),
		HOSTILE(garbage_in_place_of_tls_is_survived),
	};

	if (!live_init())
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile heads", tests, live_setup, NULL);
}
