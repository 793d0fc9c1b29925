/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Clients that take their time, against a gateway that gives them two
 * seconds ($PEAL_LATE_PORT): each is cut off, and not before.
 */

#include <arpa/inet.h>
#include <poll.h>
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

enum {
	LEAST_MS = 2000 - 300, /* a tick of its clock, and some */
	PATIENCE_MS = 300000,
};

static struct wire_to late;

static int
late_setup(void **state)
{
	const char *port = getenv("PEAL_LATE_PORT");

	assert_non_null(port);
	late = *live_to();
	late.port = (unsigned)atoi(port);
	return live_setup(state);
}

/*
 * A connection to it on which the handshake is over.  On a busy machine that
 * alone may take too long: then another one.
 */
static struct wire *
late_dial(void)
{
	int64_t until = wire_now_ms() + PATIENCE_MS;
	struct wire *w = NULL;

	while (!w && wire_now_ms() < until)
		w = wire_dial(&late, PATIENCE_MS);
	assert_non_null(w);
	return w;
}

static struct wire *
late_websocket(void)
{
	int64_t until = wire_now_ms() + PATIENCE_MS;
	struct wire *w;

	while (wire_now_ms() < until) {
		w = late_dial();
		if (wire_upgrade(w, "") == 101)
			return w;
		wire_free(w);
	}
	fail_msg("the upgrade never came through in time");
	return NULL;
}

/* A byte now and then until the peer ends it; returns milliseconds. */
static int64_t
trickle(const uint8_t *bytes, size_t n)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)late.port) };
	struct pollfd pfd = { .events = POLLIN | POLLRDHUP };
	int64_t begin = wire_now_ms();
	size_t sent = 0;

	pfd.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, late.host, &sin.sin_addr), 1);
	assert_int_equal(
	    connect(pfd.fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	while (wire_now_ms() - begin < PATIENCE_MS) {
		if (sent < n &&
		    send(pfd.fd, bytes + sent++, 1, MSG_NOSIGNAL) != 1)
			break;
		if (poll(&pfd, 1, 100) == 1)
			break;
	}
	close(pfd.fd);
	return wire_now_ms() - begin;
}

static void
a_handshake_byte_by_byte_is_cut_off(void **state)
{
	uint8_t bytes[4096];
	size_t n = live_client_hello(bytes, sizeof(bytes));

	assert_in_range(trickle(bytes, n), LEAST_MS, PATIENCE_MS - 1);
}

static void
a_client_that_never_speaks_is_cut_off(void **state)
{
	assert_in_range(trickle(NULL, 0), LEAST_MS, PATIENCE_MS - 1);
}

/* A header line now and then is no reason to wait any longer. */
static void
a_head_line_by_line_is_cut_off(void **state)
{
	static const char begin[] = "GET /v1/ws HTTP/1.1\r\nHost: a\r\n";
	int64_t until = wire_now_ms() + PATIENCE_MS;
	struct wire *w = late_dial();
	char answer[512];
	ssize_t n = -1;

	(void)wire_write(w, begin, sizeof(begin) - 1);
	while (n < 0 && wire_now_ms() < until) {
		if (!wire_write(w, "X-More: a\r\n", 11))
			n = 0;
		else
			n = wire_read(w, answer, sizeof(answer), 100);
	}
	assert_int_equal(n, 0);
	wire_free(w);
}

static void
a_body_that_stays_away_is_not_waited_for(void **state)
{
	int64_t until = wire_now_ms() + PATIENCE_MS;
	char request[5000], answer[512];
	struct wire *w;
	ssize_t n = 0;

	snprintf(request, sizeof(request),
	    "POST /v1/events HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: 30000\r\n\r\n{",
	    live_token());
	/* On a busy machine the head, too, may come too late for an answer. */
	while (n <= 12 && wire_now_ms() < until) {
		w = late_dial();
		(void)wire_write(w, request, strlen(request));
		n = wire_read(w, answer, sizeof(answer) - 1, PATIENCE_MS);
		wire_free(w);
	}
	assert_in_range(n, 13, sizeof(answer) - 1);
	answer[n] = '\0';
	assert_int_equal(atoi(answer + 9), 408);
}

static void
a_websocket_without_hello_is_closed_with_4408(void **state)
{
	struct wire *w = late_websocket();

	live_ends(w, 4408);
	wire_free(w);
}

static void
half_a_hello_is_closed_with_4408(void **state)
{
	static const uint8_t half[] = { 0x82, 0x90, 1, 2, 3, 4, 5, 6, 7 };
	struct wire *w = late_websocket();

	(void)wire_write(w, half, sizeof(half));
	live_ends(w, 4408);
	wire_free(w);
}

static void
a_hello_without_its_last_fragment_is_closed_with_4408(void **state)
{
	static const uint8_t begun[] = { 0x02, 0x83, 0, 0, 0, 0, 0x81, 0xa2,
		'o', 0x00, 0x80, 0, 0, 0, 0 };
	struct wire *w = late_websocket();

	(void)wire_write(w, begun, sizeof(begun));
	live_ends(w, 4408);
	wire_free(w);
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(a_handshake_byte_by_byte_is_cut_off),
		HOSTILE(a_client_that_never_speaks_is_cut_off),
		HOSTILE(a_head_line_by_line_is_cut_off),
		HOSTILE(a_body_that_stays_away_is_not_waited_for),
		HOSTILE(a_websocket_without_hello_is_closed_with_4408),
		HOSTILE(half_a_hello_is_closed_with_4408),
		HOSTILE(a_hello_without_its_last_fragment_is_closed_with_4408),
	};

	if (!live_init())
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile and late", tests, late_setup, NULL);
}
