/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The producers' socket, fed with what no honest producer sends: the writer
 * answers with an error or ends the connection, and serves on.
 */

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/client.h"

static const char *socket_path;

/* {"op":"ping","id":1} */
static const char ping[] = "\x82\xa2op\xa4ping\xa2id\x01";

static int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && strlen(socket_path) < sizeof(sun.sun_path));
	memcpy(sun.sun_path, socket_path, strlen(socket_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void
say(int fd, uint32_t len, const void *value, size_t n)
{
	const uint8_t head[4] = { (uint8_t)len, (uint8_t)(len >> 8),
		(uint8_t)(len >> 16), (uint8_t)(len >> 24) };

	assert_int_equal(send(fd, head, 4, MSG_NOSIGNAL), 4);
	/* The writer may have ended it already. */
	if (n > 0)
		(void)!send(fd, value, n, MSG_NOSIGNAL);
}

#define SAY(fd, literal) \
	say((fd), sizeof(literal) - 1, (literal), sizeof(literal) - 1)

/* Exactly n bytes in time; false: the other side has ended it. */
static bool
hear_bytes(int fd, uint8_t *buf, size_t n)
{
	while (n > 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t got;

		assert_int_equal(poll(&pfd, 1, WIRE_DEADLINE_MS), 1);
		got = recv(fd, buf, n, 0);
		if (got <= 0)
			return false;
		buf += got;
		n -= (size_t)got;
	}
	return true;
}

/* The next answer's bytes in buf; 0: ended. */
static size_t
hear(int fd, uint8_t *buf, size_t size)
{
	uint8_t head[4];
	size_t len;

	if (!hear_bytes(fd, head, sizeof(head)))
		return 0;
	len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 |
	      (size_t)head[3] << 24;
	assert_true(len <= size);
	assert_true(hear_bytes(fd, buf, len));
	return len;
}

static bool
holds(const uint8_t *buf, size_t len, const char *text)
{
	return memmem(buf, len, text, strlen(text)) != NULL;
}

/* An answer comes, and has text in it. */
static void
answered(int fd, const char *text)
{
	uint8_t buf[65536];
	size_t len = hear(fd, buf, sizeof(buf));

	if (len == 0 || !holds(buf, len, text))
		fail_msg("no '%s' in %zu bytes", text, len);
}

static void
ended(int fd)
{
	uint8_t buf[65536];

	/* A last word is allowed. */
	if (hear(fd, buf, sizeof(buf)) != 0) {
		assert_true(holds(buf, sizeof(buf), "error"));
		assert_int_equal(hear(fd, buf, sizeof(buf)), 0);
	}
	close(fd);
}

static int
still_serves(void **state)
{
	int fd = dial();

	SAY(fd, ping);
	answered(fd, "pong");
	close(fd);
	return 0;
}

static void
frames_that_are_too_long_end_the_connection(void **state)
{
	static const uint32_t lengths[] = { UINT32_MAX, INT32_MAX, 1u << 28 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		int fd = dial();

		say(fd, lengths[i], "\x81\xa2op", 4);
		ended(fd);
	}
}

static void
frames_that_are_no_value_end_the_connection(void **state)
{
	int fd = dial();

	SAY(fd, "\xdd\xff\xff\xff\xff");
	ended(fd);
	fd = dial();
	SAY(fd, "\xc1");
	ended(fd);
	fd = dial();
	say(fd, 0, NULL, 0);
	ended(fd);
	fd = dial();
	SAY(fd, "\x82\xa2op\xa4ping\xa2op\xa4ping");
	ended(fd);
	fd = dial();
	SAY(fd, "\x80\x80");
	ended(fd);
}

static void
a_frame_that_is_cut_off_is_forgotten(void **state)
{
	for (uint32_t n = 0; n < sizeof(ping); n++) {
		int fd = dial();

		say(fd, sizeof(ping) - 1, ping, n);
		close(fd);
	}
}

static void
a_frame_byte_by_byte_is_answered(void **state)
{
	uint8_t frame[4 + sizeof(ping) - 1] = { sizeof(ping) - 1 };
	int fd = dial();

	memcpy(frame + 4, ping, sizeof(ping) - 1);
	for (size_t i = 0; i < sizeof(frame); i++)
		assert_int_equal(send(fd, frame + i, 1, MSG_NOSIGNAL), 1);
	answered(fd, "pong");
	close(fd);
}

static void
wrong_requests_are_answered_and_the_connection_stays(void **state)
{
	int fd = dial();

	SAY(fd, "\x81\xa2op\xa7"
		"conjure");
	answered(fd, "bad_request");
	SAY(fd, "\x80");
	answered(fd, "bad_request");
	SAY(fd, "\x82\xa2op\xa6"
		"append\xa2id\x05");
	answered(fd, "bad_request");
	SAY(fd, "\x83\xa2op\xa6"
		"append\xa2id\x05\xa6"
		"events\x90");
	answered(fd, "bad_request");
	SAY(fd, "\x83\xa2op\xa6"
		"append\xa2id\x05\xa6"
		"events\x91\x83\xa5topic\xa3"
		"a.*\xa4type\xa1t\xa4"
		"data\x01");
	answered(fd, "bad_request");
	SAY(fd, ping);
	answered(fd, "pong");
	close(fd);
}

/*
 * A producer that sends and never reads its answers is read no further at
 * some point; it costs the others nothing.
 */
static void
a_producer_that_never_reads_is_read_no_further(void **state)
{
	uint8_t frame[4 + sizeof(ping) - 1] = { sizeof(ping) - 1 };
	struct pollfd pfd = { .fd = dial(), .events = POLLOUT };
	size_t sent = 0;

	memcpy(frame + 4, ping, sizeof(ping) - 1);
	while (sent < (64u << 20) && poll(&pfd, 1, 1000) == 1) {
		ssize_t n = send(
		    pfd.fd, frame, sizeof(frame), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n != (ssize_t)sizeof(frame))
			break;
		sent += sizeof(frame);
		if (sent % (1 << 20) < sizeof(frame))
			assert_int_equal(still_serves(NULL), 0);
	}
	assert_true(sent < (64u << 20));
	assert_int_equal(still_serves(NULL), 0);
	close(pfd.fd);
}

static void
many_connections_at_once_are_served(void **state)
{
	int fds[200];

	for (unsigned i = 0; i < 200; i++)
		fds[i] = dial();
	for (unsigned i = 0; i < 200; i++)
		SAY(fds[i], ping);
	for (unsigned i = 0; i < 200; i++) {
		answered(fds[i], "pong");
		close(fds[i]);
	}
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, still_serves)
	const struct CMUnitTest tests[] = {
		HOSTILE(frames_that_are_too_long_end_the_connection),
		HOSTILE(frames_that_are_no_value_end_the_connection),
		HOSTILE(a_frame_that_is_cut_off_is_forgotten),
		HOSTILE(a_frame_byte_by_byte_is_answered),
		HOSTILE(wrong_requests_are_answered_and_the_connection_stays),
		HOSTILE(a_producer_that_never_reads_is_read_no_further),
		HOSTILE(many_connections_at_once_are_served),
	};

	signal(SIGPIPE, SIG_IGN);
	socket_path = getenv("PEAL_SOCKET");
	if (socket_path == NULL)
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile producers", tests, NULL, NULL);
}
