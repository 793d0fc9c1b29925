/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Strangers at the metrics: each gets an answer or is sent away, and whoever
 * asks as he should gets the text meanwhile.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/loop.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/metrics_http.h"

enum {
	LONG_US = 60 * 1000 * 1000,
	SHORT_US = 20 * 1000,
	DEADLINE_S = 300,
	BIG = 4 << 20
};

struct world {
	struct loop *loop;
	struct metrics_http *http;
	struct metrics_http_options options;
	struct sockaddr_un at;
	socklen_t at_len;
	int listening;
	unsigned made;
	size_t size; /* of the text */
	bool broken;
	uint64_t until_ns;
};

static int
make(void *arg, struct mp_buf *out, struct reason *why)
{
	struct world *w = arg;

	w->made++;
	if (w->broken)
		return reason_set(why, -ENOMEM, "nothing can be told");
	for (size_t i = 0; i < w->size; i++)
		mp_buf_bytes(out, "x", 1);
	return 0;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	*state = w;
	w->options = (struct metrics_http_options){
		.path = "/metrics",
		.type = "text/x-test",
		.make = make,
		.arg = w,
		.stay_us = LONG_US,
	};
	w->size = 5;
	w->until_ns = time_mono_ns() + DEADLINE_S * NS_PER_S;
	w->at.sun_family = AF_UNIX;
	w->loop = loop_new();
	w->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	w->at_len = sizeof(w->at);
	return !w->loop ||
	       bind(w->listening, (struct sockaddr *)&w->at,
		   sizeof(w->at.sun_family)) < 0 ||
	       listen(w->listening, 128) < 0 ||
	       getsockname(
		   w->listening, (struct sockaddr *)&w->at, &w->at_len) < 0 ||
	       metrics_http_new(w->loop, &w->options, &w->http) < 0 ||
	       metrics_http_listen(w->http, w->listening) < 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	w->http = metrics_http_free(w->http);
	w->loop = loop_free(w->loop);
	(void)close(w->listening);
	free(w);
	return 0;
}

static int
come(struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_return_code(
	    connect(fd, (struct sockaddr *)&w->at, w->at_len), errno);
	return fd;
}

static void
turn(struct world *w)
{
	assert_true(time_mono_ns() < w->until_ns);
	assert_return_code(loop_once(w->loop, 0), 0);
}

static void
say_bytes(struct world *w, int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		turn(w);
		if (n < 0 && errno == EPIPE)
			return;
		assert_true(n >= 0 || errno == EAGAIN);
		bytes += MAX(n, 0);
		len -= (size_t)MAX(n, 0);
	}
}

static void
say(struct world *w, int fd, const char *text)
{
	say_bytes(w, fd, text, strlen(text));
}

/* All that comes until the end, which is an orderly one; closes fd. */
static char *
hear(struct world *w, int fd, size_t *len)
{
	char *heard = calloc(1, BIG + 4096);
	size_t at = 0;
	ssize_t n;

	assert_non_null(heard);
	do {
		turn(w);
		n = recv(fd, heard + at, BIG + 4095 - at, 0);
		assert_true(n >= 0 || errno == EAGAIN);
		at += (size_t)MAX(n, 0);
	} while (n != 0);
	(void)close(fd);
	if (len)
		*len = at;
	return heard;
}

static char *
ask(struct world *w, const char *request)
{
	int fd = come(w);

	say(w, fd, request);
	return hear(w, fd, NULL);
}

static void
expect(struct world *w, const char *request, const char *status)
{
	char *heard = ask(w, request);

	if (strncmp(heard, status, strlen(status)) != 0)
		fail_msg("%s, not %s, of: %s", heard, status, request);
	free(heard);
}

static void
who_asks_gets_the_text_and_what_it_is(void **state)
{
	char *heard = ask(*state, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");

	assert_string_equal(heard, "HTTP/1.1 200 OK\r\n"
				   "Content-Type: text/x-test\r\n"
				   "Content-Length: 5\r\n"
				   "Cache-Control: no-store\r\n"
				   "X-Content-Type-Options: nosniff\r\n"
				   "Connection: close\r\n\r\nxxxxx");
	free(heard);
	expect(*state, "GET /metrics?a=b HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ");
}

static void
head_is_the_same_without_it(void **state)
{
	char *heard = ask(*state, "HEAD /metrics HTTP/1.1\r\n\r\n");

	assert_non_null(strstr(heard, "Content-Length: 5\r\n"));
	assert_string_equal(strstr(heard, "\r\n\r\n"), "\r\n\r\n");
	free(heard);
	heard = ask(*state, "HEAD /other HTTP/1.1\r\n\r\n");
	assert_string_equal(strstr(heard, "\r\n\r\n"), "\r\n\r\n");
	free(heard);
}

static void
a_head_may_come_byte_by_byte(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
	struct world *w = *state;
	int fd = come(w);
	char *heard;

	for (const char *p = request; *p; p++)
		say_bytes(w, fd, p, 1);
	heard = hear(w, fd, NULL);
	assert_non_null(strstr(heard, "200 OK"));
	free(heard);
}

static void
what_is_no_request_is_told_so(void **state)
{
	static const struct {
		const char *request, *status;
	} cases[] = {
		{ "\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET /metrics\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET  /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET http://a/metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET /metrics HTTP/1.1 \r\n\r\n", "HTTP/1.1 400 " },
		{ "GET /met\trics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET /\xff HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET /metrics HTTP/2.0\r\n\r\n", "HTTP/1.1 505 " },
		{ "GET /metrics XTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
		{ "\x16\x03\x01\x02\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 " },
		{ "GET /metrics/ HTTP/1.1\r\n\r\n", "HTTP/1.1 404 " },
		{ "GET /../metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 404 " },
		{ "POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 " },
		{ "get /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 " },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 " },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		expect(*state, cases[i].request, cases[i].status);
}

static void
a_nul_in_a_head_is_refused(void **state)
{
	static const char request[] = "GET /metrics\0 HTTP/1.1\r\n\r\n";
	struct world *w = *state;
	int fd = come(w);
	char *heard;

	say_bytes(w, fd, request, sizeof(request) - 1);
	heard = hear(w, fd, NULL);
	assert_non_null(strstr(heard, " 400 "));
	free(heard);
}

static void
a_head_without_end_is_cut_off(void **state)
{
	struct world *w = *state;
	char *heard, line[1024];
	int fd = come(w);

	memset(line, 'a', sizeof(line));
	say(w, fd, "GET /metrics HTTP/1.1\r\n");
	for (unsigned i = 0; i < METRICS_HTTP_HEAD / sizeof(line); i++)
		say_bytes(w, fd, line, sizeof(line));
	heard = hear(w, fd, NULL);
	assert_non_null(strstr(heard, "HTTP/1.1 431 "));
	free(heard);
}

static void
a_body_that_nobody_asked_for_takes_no_answer_away(void **state)
{
	struct world *w = *state;
	char *heard, body[8192];
	int fd = come(w);

	memset(body, 'b', sizeof(body));
	say(w, fd, "POST /metrics HTTP/1.1\r\nContent-Length: 8192\r\n\r\n");
	say_bytes(w, fd, body, sizeof(body));
	heard = hear(w, fd, NULL);
	assert_non_null(strstr(heard, "HTTP/1.1 405 "));
	assert_non_null(strstr(heard, "Allow: GET, HEAD\r\n"));
	free(heard);
}

static void
a_text_that_cannot_be_made_is_told_with_the_reason(void **state)
{
	struct world *w = *state;
	char *heard;

	w->broken = true;
	heard = ask(w, "GET /metrics HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(heard, "HTTP/1.1 503 "));
	assert_non_null(strstr(heard, "nothing can be told"));
	free(heard);
	w->broken = false;
	expect(w, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ");
}

static void
a_long_text_comes_whole_to_who_reads_slowly(void **state)
{
	struct world *w = *state;
	size_t len;
	char *heard;
	int fd;

	w->size = BIG;
	fd = come(w);
	say(w, fd, "GET /metrics HTTP/1.1\r\n\r\n");
	heard = hear(w, fd, &len);
	heard = strncmp(heard, "HTTP/1.1 200", 12) ? NULL : heard;
	assert_non_null(heard);
	assert_int_equal(heard + len - (strstr(heard, "\r\n\r\n") + 4), BIG);
	free(heard);
}

static void
a_fresh_text_is_not_made_again(void **state)
{
	struct world *w = *state;

	w->options.fresh_us = LONG_US;
	for (unsigned i = 0; i < 10; i++)
		expect(w, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ");
	assert_int_equal(w->made, 1);
	expect(w, "GET /other HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ");
	assert_int_equal(w->made, 1);
	w->options.fresh_us = 0;
	expect(w, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ");
	assert_int_equal(w->made, 2);
}

/* Has the other side closed, of whom not all was read? */
static bool
left(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static void
who_says_nothing_is_sent_away_after_his_time(void **state)
{
	struct world *w = *state;
	char *heard;
	size_t len;
	int silent, deaf;

	w->options.stay_us = SHORT_US;
	w->size = BIG;
	silent = come(w);
	deaf = come(w);
	say(w, silent, "GET /met");
	say(w, deaf, "GET /metrics HTTP/1.1\r\n\r\n");
	heard = hear(w, silent, &len);
	assert_int_equal(len, 0);
	free(heard);
	while (!left(deaf))
		turn(w);
	heard = hear(w, deaf, &len);
	assert_in_range(len, 1, BIG - 1);
	free(heard);
}

static void
a_crowd_that_says_nothing_keeps_nobody_out(void **state)
{
	int crowd[2 * METRICS_HTTP_CONNECTIONS];
	struct world *w = *state;
	unsigned there = 0;
	char byte;

	for (unsigned i = 0; i < ARRAY_LEN(crowd); i++) {
		crowd[i] = come(w);
		say(w, crowd[i], "G");
	}
	expect(w, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ");
	for (unsigned i = 0; i < ARRAY_LEN(crowd); i++) {
		there += recv(crowd[i], &byte, 1, 0) < 0 && errno == EAGAIN;
		(void)close(crowd[i]);
	}
	/* One had to give way for the one who asked. */
	assert_int_equal(there, METRICS_HTTP_CONNECTIONS - 1);
}

static void
who_leaves_at_any_time_leaves_nothing_behind(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
	struct world *w = *state;
	int before = dup(0), after;

	(void)close(before);
	w->size = BIG;
	for (size_t n = 0; n < sizeof(request); n++) {
		int fd = come(w);

		say_bytes(w, fd, request, n);
		(void)close(fd);
	}
	expect(w, request, "HTTP/1.1 200 ");
	do {
		turn(w);
		after = dup(0);
		(void)close(after);
	} while (after != before);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(who_asks_gets_the_text_and_what_it_is),
		IN_A_WORLD(head_is_the_same_without_it),
		IN_A_WORLD(a_head_may_come_byte_by_byte),
		IN_A_WORLD(what_is_no_request_is_told_so),
		IN_A_WORLD(a_nul_in_a_head_is_refused),
		IN_A_WORLD(a_head_without_end_is_cut_off),
		IN_A_WORLD(a_body_that_nobody_asked_for_takes_no_answer_away),
		IN_A_WORLD(a_text_that_cannot_be_made_is_told_with_the_reason),
		IN_A_WORLD(a_long_text_comes_whole_to_who_reads_slowly),
		IN_A_WORLD(a_fresh_text_is_not_made_again),
		IN_A_WORLD(who_says_nothing_is_sent_away_after_his_time),
		IN_A_WORLD(a_crowd_that_says_nothing_keeps_nobody_out),
		IN_A_WORLD(who_leaves_at_any_time_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
