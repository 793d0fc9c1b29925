/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * HTTP requests with a good token and a bad mind: bodies, queries and tokens
 * that no honest client sends.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "tests/lib/live.h"

enum {
	HEAD_BYTES = 70000
};

static struct wire *
dial(void)
{
	struct wire *w = wire_dial(live_to(), WIRE_DEADLINE_MS);

	assert_non_null(w);
	return w;
}

/* A POST of len bytes, of which those at body are sent; returns its bytes. */
static size_t
make_post(char *out, const char *type, size_t len, struct slice body)
{
	size_t n = (size_t)snprintf(out, HEAD_BYTES,
	    "POST /v1/events HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer %s\r\nContent-Type: application/%s\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    live_token(), type, len);

	assert_true(n + body.len < HEAD_BYTES);
	memcpy(out + n, body.p, body.len);
	return n + body.len;
}

/* Send it, and read to the end; the status, 0 when there was none. */
static int
status_of(const char *request, size_t len, char *answer, size_t size)
{
	struct wire *w = dial();
	size_t n = 0;
	ssize_t got;

	assert_true(wire_write(w, request, len));
	while (n + 1 < size && (got = wire_read(w, answer + n, size - 1 - n,
				    WIRE_DEADLINE_MS)) > 0)
		n += (size_t)got;
	answer[n] = '\0';
	wire_free(w);
	return n > 9 ? atoi(answer + 9) : 0;
}

static int
post(const char *type, struct slice body, char *answer, size_t size)
{
	static char request[HEAD_BYTES];
	size_t n = make_post(request, type, body.len, body);
	char *at = strstr(request, "Host: a\r\n");

	/* The connection ends behind the answer. */
	assert_true(n + 19 < HEAD_BYTES);
	memmove(at + 19, at, n - (size_t)(at - request));
	memcpy(at, "Connection: close\r\n", 19);
	return status_of(request, n + 19, answer, size);
}

static int
get(const char *target, const char *headers)
{
	static char request[HEAD_BYTES];
	char answer[4096];
	int n = snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", target,
	    headers);

	assert_in_range(n, 1, HEAD_BYTES - 1);
	return status_of(request, (size_t)n, answer, sizeof(answer));
}

static int
get_as_me(const char *target)
{
	char headers[8192];

	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
	    live_token());
	return get(target, headers);
}

#define BYTES(literal) SLICE_STR(literal)

static void
values_that_are_none_are_refused(void **state)
{
	static const struct slice bodies[] = {
		BYTES(""),
		BYTES("\xc1"),
		BYTES("\xdf\xff\xff\xff\xff"),
		BYTES("\xdd\xff\xff\xff\xff"),
		BYTES("\xc6\xff\xff\xff\xff"),
		BYTES("\x81\xa6"
		      "events\xdd\xff\xff\xff\xff"),
		/* A key twice, a str that is no UTF-8, a value behind it. */
		BYTES("\x82\xa1"
		      "a\x01\xa1"
		      "a\x01"),
		BYTES("\x81\xa1\xff\x01"),
		BYTES("\x80\x80"),
		BYTES("\x90"),
		/* An extension that is the protocol's own. */
		BYTES("\x81\xa1"
		      "a\xd4\xfe\x00"),
	};
	char answer[4096];
	uint8_t deep[64];

	for (unsigned i = 0; i < ARRAY_LEN(bodies); i++)
		assert_int_equal(
		    post("msgpack", bodies[i], answer, sizeof(answer)), 400);
	memset(deep, 0x91, sizeof(deep));
	deep[sizeof(deep) - 1] = 1;
	assert_int_equal(post("msgpack", slice_of(deep, sizeof(deep)), answer,
			     sizeof(answer)),
	    400);
}

static void
texts_that_are_none_are_refused(void **state)
{
	static const char *const bodies[] = { "", "{", "{}x", "NaN", "[]",
		"{\"events\":[]}", "{\"a\":1,\"a\":1}", "{\"a\":\"\xff\"}",
		"{\"a\":\"\\ud800\"}", "\xef\xbb\xbf{}", "{'events':[]}" };
	static char deep[20001];
	char answer[4096];

	for (unsigned i = 0; i < ARRAY_LEN(bodies); i++)
		if (post("json", slice_cstr(bodies[i]), answer,
			sizeof(answer)) != 400)
			fail_msg("%s: %s", bodies[i], answer);
	memset(deep, '[', sizeof(deep) - 1);
	assert_int_equal(
	    post("json", slice_cstr(deep), answer, sizeof(answer)), 400);
}

static void
topics_that_are_none_are_refused(void **state)
{
	static const char *const topics[] = { "", ".", "a..b", "a b", "a.*",
		"a.>", "a\\u0000b", "a\\r\\nb" };
	char body[512], answer[4096], target[1200];

	for (unsigned i = 0; i < ARRAY_LEN(topics); i++) {
		snprintf(body, sizeof(body),
		    "{\"events\":[{\"topic\":\"%s\",\"type\":\"t\","
		    "\"data\":1}]}",
		    topics[i]);
		if (post("json", slice_cstr(body), answer, sizeof(answer)) !=
		    400)
			fail_msg("%s: %s", topics[i], answer);
	}
	assert_int_equal(get_as_me("/v1/state"), 400);
	assert_int_equal(get_as_me("/v1/state?topic="), 400);
	assert_int_equal(get_as_me("/v1/state?topic=a..b"), 400);
	assert_int_equal(get_as_me("/v1/state?topic=a%00b"), 400);
	assert_int_equal(get_as_me("/v1/state?topic=a%0d%0aX:%20y"), 400);
	assert_int_equal(get_as_me("/v1/state?topic=%ff"), 400);
	assert_int_equal(get_as_me("/v1/history?topic=a..b"), 400);
	strcpy(target, "/v1/state?topic=");
	memset(target + 16, 'a', 256);
	target[16 + 256] = '\0';
	assert_int_equal(get_as_me(target), 400);
	target[16 + 255] = '\0';
	assert_int_equal(get_as_me(target), 200);
}

static void
numbers_at_their_ends_are_refused(void **state)
{
	static const char *const names[] = { "after", "before", "limit",
		"from_time", "to_time", "min_seq" };
	static const char *const values[] = { "18446744073709551615",
		"18446744073709551616", "9223372036854775808", "-1", "1e9" };
	char target[200];

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		for (unsigned j = 0; j < ARRAY_LEN(values); j++) {
			int status;

			snprintf(target, sizeof(target), "/v1/history?%s=%s",
			    names[i], values[j]);
			status = get_as_me(target);
			if (status != 400 && status != 200)
				fail_msg("%d: %s", status, target);
		}
	assert_int_equal(get_as_me("/v1/history?limit=10001"), 400);
	assert_int_equal(
	    get_as_me("/v1/state?topic=a&at=18446744073709551615"), 400);
}

static void
tokens_that_are_none_are_refused(void **state)
{
	static const char claims[] =
	    "{\"sub\":\"x\",\"iat\":1,\"exp\":9999999999,"
	    "\"peal\":{\"read\":[\">\"],\"admin\":true}}";
	char *head = live_base64url("{\"alg\":\"none\"}", 14);
	char *body = live_base64url(claims, sizeof(claims) - 1);
	static char headers[66000];

	snprintf(headers, sizeof(headers), "Authorization: Bearer %s.%s.\r\n",
	    head, body);
	assert_int_equal(get("/v1/state?topic=a", headers), 401);
	free(head);
	free(body);
	assert_int_equal(
	    get("/v1/state?topic=a", "Authorization: Bearer \r\n"), 401);
	assert_int_equal(get("/v1/state?topic=a", ""), 401);
	strcpy(headers, "Authorization: Bearer ");
	memset(headers + 22, 'a', 7000);
	strcpy(headers + 22 + 7000, "\r\n");
	assert_int_equal(get("/v1/state?topic=a", headers), 401);
	memset(headers + 22, 'a', 65000);
	strcpy(headers + 22 + 65000, "\r\n");
	assert_int_equal(get("/v1/state?topic=a", headers), 431);
}

static void
an_actor_is_who_has_the_token(void **state)
{
	static const char body[] =
	    "{\"events\":[{\"topic\":\"hostile.door\",\"type\":\"t\","
	    "\"data\":1,\"actor\":\"root\",\"time\":1}]}";
	static char request[HEAD_BYTES], answer[65536];
	int n;

	assert_int_equal(
	    post("json", slice_cstr(body), answer, sizeof(answer)), 200);
	n = snprintf(request, sizeof(request),
	    "GET /v1/history?topic=hostile.door&limit=1 HTTP/1.1\r\nHost: a\r\n"
	    "Connection: close\r\nAuthorization: Bearer %s\r\n\r\n",
	    live_token());
	assert_int_equal(
	    status_of(request, (size_t)n, answer, sizeof(answer)), 200);
	assert_non_null(strstr(answer, "\"t\",\"dev\",1]"));
	assert_null(strstr(answer, "root"));
}

static void
a_reset_at_every_byte_of_a_post_is_survived(void **state)
{
	static const char body[] = "{\"events\":[{\"topic\":\"hostile.cut\","
				   "\"type\":\"t\",\"data\":1}]}";
	static char request[HEAD_BYTES];
	size_t n =
	    make_post(request, "json", sizeof(body) - 1, slice_cstr(body));
	size_t head = n - (sizeof(body) - 1);

	for (size_t cut = 0; cut <= n; cut += cut < head - 8 ? 7 : 1) {
		struct wire *w = dial();

		assert_true(wire_write(w, request, cut));
		wire_reset(w);
	}
}

static void
what_follows_a_body_is_a_request_of_its_own(void **state)
{
	static char request[HEAD_BYTES], answer[4096];
	size_t n =
	    make_post(request, "json", 2, slice_cstr("{}GARBAGE\r\n\r\n"));

	assert_int_equal(status_of(request, n, answer, sizeof(answer)), 400);
	assert_non_null(strstr(answer + 20, "HTTP/1.1 400 "));
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(values_that_are_none_are_refused),
		HOSTILE(texts_that_are_none_are_refused),
		HOSTILE(topics_that_are_none_are_refused),
		HOSTILE(numbers_at_their_ends_are_refused),
		HOSTILE(tokens_that_are_none_are_refused),
		HOSTILE(an_actor_is_who_has_the_token),
		HOSTILE(a_reset_at_every_byte_of_a_post_is_survived),
		HOSTILE(what_follows_a_body_is_a_request_of_its_own),
	};

	signal(SIGPIPE, SIG_IGN);
	if (!live_init())
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile doors", tests, live_setup, NULL);
}
