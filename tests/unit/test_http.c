/* SPDX-License-Identifier: BSD-2-Clause */

/* HTTP heads: what is let in, and what is refused with which status. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/reason.h"
#include "gateway/http.h"
#include "gateway/tls.h"

#define HOST "Host: example.org:8443\r\n"
#define UPGRADE                         \
	"Upgrade: websocket\r\n"        \
	"Connection: Upgrade\r\n"       \
	"Sec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define GET(headers) "GET / HTTP/1.1\r\n" headers "\r\n"
#define GET_WS(more) "GET /v1/ws HTTP/1.1\r\n" HOST UPGRADE more "\r\n"

static struct http_request req;

/* What a client would get for it: 0 or a status. */
static int
status_of(const char *head, size_t len)
{
	struct reason why = { "" };
	size_t seen = 0;
	int r;

	r = http_head_end((const uint8_t *)head, len, &seen, &why);
	if (r == 0)
		fail_msg("the head does not end");
	if (r < 0)
		r = -r;
	else
		r = http_parse(slice_of(head, (size_t)r), &req, &why);
	assert_true(r == 0 || why.text[0] != '\0');
	return r;
}

static int
status(const char *head)
{
	return status_of(head, strlen(head));
}

static void
a_good_head_is_taken_apart(void **state)
{
	assert_int_equal(status("GET /a/b?c=d&e HTTP/1.1\r\n" HOST
				"x-one: \t a b \t\r\nX-Two:\r\n\r\n"),
	    0);
	assert_int_equal(req.verb, HTTP_GET);
	assert_false(req.last);
	assert_true(slice_is(req.path, "/a/b"));
	assert_true(slice_is(req.query, "c=d&e"));
	assert_true(slice_is(req.host, "example.org:8443"));
	assert_true(slice_is(http_header(&req, "X-ONE", 0), "a b"));
	assert_true(slice_is(http_header(&req, "x-two", 0), ""));
	assert_null(http_header(&req, "x-three", 0).p);
	assert_null(http_header(&req, "x-two", 1).p);
}

static void
a_head_ends_wherever_it_is_cut(void **state)
{
	static const char head[] = GET(HOST "a: b\r\n");
	struct reason why;

	for (size_t cut = 0; cut < sizeof(head) - 1; cut++) {
		size_t seen = 0;

		assert_int_equal(
		    http_head_end((const uint8_t *)head, cut, &seen, &why), 0);
		assert_int_equal(http_head_end((const uint8_t *)head,
				     sizeof(head) - 1, &seen, &why),
		    sizeof(head) - 1);
	}
}

struct refusal {
	const char *head;
	int status;
};

static void
check_all(const struct refusal *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (status(rows[i].head) != rows[i].status)
			fail_msg("%d, not %d: %s", status(rows[i].head),
			    rows[i].status, rows[i].head);
}

static void
a_request_line_that_is_not_http_1_1_is_refused(void **state)
{
	static const struct refusal rows[] = {
		{ "GET / HTTP/1.0\r\n" HOST "\r\n", 505 },
		{ "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
		{ "PRI * HTTP/2.0\r\n\r\n", 505 },
		{ "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.10\r\n" HOST "\r\n", 400 },
		{ "GET / http/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /\r\n" HOST "\r\n", 400 },
		{ "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET http://a/ HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET * HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /a\rb HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "G\x01T / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "PUT / HTTP/1.1\r\n" HOST "\r\n", 405 },
		{ "DELETE / HTTP/1.1\r\n" HOST "\r\n", 405 },
		{ "OPTIONS / HTTP/1.1\r\n" HOST "\r\n", 0 },
		{ "HEAD / HTTP/1.1\r\n" HOST "\r\n", 0 },
		{ "BREW / HTTP/1.1\r\n" HOST "\r\n", 501 },
		{ "get / HTTP/1.1\r\n" HOST "\r\n", 501 },
	};

	check_all(rows, ARRAY_LEN(rows));
}

static void
a_header_that_two_parsers_could_read_differently_is_refused(void **state)
{
	static const struct refusal rows[] = {
		{ GET(""), 400 },
		{ GET("Host:\r\n"), 400 },
		{ GET("Host: a\r\nHost: a\r\n"), 400 },
		{ GET("Host: a b\r\n"), 400 },
		{ GET("Host: a/b\r\n"), 400 },
		{ GET("Host: a, b\r\n"), 400 },
		{ GET(HOST "folded: a\r\n b\r\n"), 400 },
		{ GET(HOST "folded: a\r\n\tb\r\n"), 400 },
		{ GET(" " HOST), 400 },
		{ GET(HOST "no colon\r\n"), 400 },
		{ GET(HOST ": no name\r\n"), 400 },
		{ GET(HOST "space : a\r\n"), 400 },
		{ GET(HOST "na(me: a\r\n"), 400 },
		{ GET(HOST "na\xc3\xa4me: a\r\n"), 400 },
		{ GET(HOST "a: b\rc: d\r\n"), 400 },
		{ GET(HOST "a: \x01\r\n"), 400 },
		{ GET(HOST "a: \x7f\r\n"), 400 },
		{ GET(HOST "a: b\n"), 400 },
		{ "GET / HTTP/1.1\n" HOST "\n", 400 },
		{ GET(HOST "Origin: a\r\norigin: b\r\n"), 400 },
		{ GET(HOST "Content-Length: 1\r\n"
			   "Transfer-Encoding: chunked\r\n"),
		    400 },
		{ GET(HOST "Content-Length: 0\r\nContent-Length: 0\r\n"), 400 },
		{ GET(HOST "Content-Length: +1\r\n"), 400 },
		{ GET(HOST "Content-Length: 0x1\r\n"), 400 },
		{ GET(HOST "Content-Length: -0\r\n"), 400 },
		{ GET(HOST "Content-Length:\r\n"), 400 },
		{ GET(HOST "Content-Length: 0\r\n"), 0 },
		{ GET(HOST "Content-Length: 18446744073709551616\r\n"), 413 },
		{ GET(HOST "Content-Length: 5\r\n"), 413 },
		{ GET(HOST "Transfer-Encoding: chunked\r\n"), 501 },
		{ GET(HOST "latin: \xe4\r\n"), 0 },
		{ GET("Host: [::1]:8443\r\n"), 0 },
	};

	check_all(rows, ARRAY_LEN(rows));
}

static void
a_nul_byte_is_refused_wherever_it_is(void **state)
{
	static const char head[] = GET(HOST "a: b\r\n");
	char bad[sizeof(head)];

	for (size_t at = 0; at < sizeof(head) - 1; at++) {
		memcpy(bad, head, sizeof(head));
		bad[at] = '\0';
		assert_int_equal(status_of(bad, sizeof(head) - 1), 400);
	}
}

/* A request with n headers beside Host. */
static size_t
with_headers(char *buf, unsigned n)
{
	size_t len = (size_t)sprintf(buf, "GET / HTTP/1.1\r\n" HOST);

	for (unsigned i = 0; i < n; i++)
		len += (size_t)sprintf(buf + len, "a%u: b\r\n", i);
	return len + (size_t)sprintf(buf + len, "\r\n");
}

static void
sixty_four_headers_are_let_in_and_no_more(void **state)
{
	static char buf[32768];

	assert_int_equal(status_of(buf, with_headers(buf, 62)), 0);
	assert_int_equal(status_of(buf, with_headers(buf, 63)), 0);
	assert_int_equal(status_of(buf, with_headers(buf, 64)), 431);
	assert_int_equal(status_of(buf, with_headers(buf, 2000)), 431);
}

/* A request of exactly len bytes. */
static void
of_length(char *buf, size_t len)
{
	static const char begin[] = "GET / HTTP/1.1\r\n" HOST "a: ";

	memset(buf, 'b', len);
	memcpy(buf, begin, sizeof(begin) - 1);
	memcpy(buf + len - 4, "\r\n\r\n", 4);
}

static void
eight_kilobytes_of_head_are_let_in_and_no_more(void **state)
{
	static char buf[HTTP_HEAD_MAX + 1];

	of_length(buf, HTTP_HEAD_MAX - 1);
	assert_int_equal(status_of(buf, HTTP_HEAD_MAX - 1), 0);
	of_length(buf, HTTP_HEAD_MAX);
	assert_int_equal(status_of(buf, HTTP_HEAD_MAX), 0);
	of_length(buf, HTTP_HEAD_MAX + 1);
	assert_int_equal(status_of(buf, HTTP_HEAD_MAX + 1), 431);
}

static struct http_upgrade up;

static int
upgrade(const char *head)
{
	struct reason why = { "" };
	int r;

	assert_int_equal(status(head), 0);
	r = http_upgrade(
	    &req, "https://a.example  https://b.example:444", &up, &why);
	assert_true(r == 0 || why.text[0] != '\0');
	return r;
}

static void
a_handshake_is_answered_as_the_standard_says(void **state)
{
	char accept[TLS_WS_ACCEPT + 1], buf[HTTP_ANSWER_MAX];

	assert_int_equal(upgrade(GET_WS("")), 0);
	assert_null(up.subprotocol);
	assert_false(up.json);
	assert_int_equal(up.bearer.len, 0);
	tls_websocket_accept(up.key.p, accept);
	/* The example of RFC 6455, 1.3. */
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	buf[http_switching(buf, accept, &up)] = '\0';
	assert_string_equal(buf,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
}

static void
a_handshake_that_lacks_something_is_refused(void **state)
{
	static const struct refusal rows[] = {
		{ GET(HOST), 426 },
		{ GET(HOST "Connection: Upgrade\r\n"), 426 },
		{ GET(HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n"), 426 },
		{ GET(HOST "Upgrade: websocket\r\nConnection: close\r\n"),
		    426 },
		{ GET(HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
		    426 },
		{ GET(HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 8\r\n"),
		    426 },
		{ GET(HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13, 8\r\n"),
		    426 },
		{ GET(HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13\r\n"),
		    400 },
		{ GET(HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13\r\n"
			   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n"),
		    400 },
		{ GET(HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13\r\n"
			   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===\r\n"),
		    400 },
		{ GET(HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13\r\n"
			   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n"),
		    400 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (upgrade(rows[i].head) != rows[i].status)
			fail_msg("%d, not %d: %s", upgrade(rows[i].head),
			    rows[i].status, rows[i].head);
}

/* Nor anywhere else below /v1/: see the doors. */
static void
a_token_in_the_url_of_a_handshake_is_refused(void **state)
{
	static const char *const queries[] = { "token=x",
		"access_token=", "a=b&token", "token=x&token=y" };
	char head[512];

	for (unsigned i = 0; i < ARRAY_LEN(queries); i++) {
		snprintf(head, sizeof(head),
		    "GET /v1/ws?%s HTTP/1.1\r\n" HOST UPGRADE "\r\n",
		    queries[i]);
		assert_int_equal(upgrade(head), 400);
	}
	assert_int_equal(
	    upgrade("GET /v1/ws?tokens=1 HTTP/1.1\r\n" HOST UPGRADE "\r\n"), 0);
}

static void
only_what_is_served_is_chosen_of_subprotocols(void **state)
{
	char buf[HTTP_ANSWER_MAX];

	assert_int_equal(
	    upgrade(
		GET_WS("Sec-WebSocket-Protocol: other , peal.v1.msgpack\r\n")),
	    0);
	assert_string_equal(up.subprotocol, "peal.v1.msgpack");
	assert_false(up.json);
	buf[http_switching(buf, "x", &up)] = '\0';
	assert_non_null(
	    strstr(buf, "\r\nSec-WebSocket-Protocol: peal.v1.msgpack\r\n"));
	assert_int_equal(
	    upgrade(GET_WS("Sec-WebSocket-Protocol: a\r\n"
			   "Sec-WebSocket-Protocol: peal.v1.msgpack\r\n")),
	    0);
	assert_string_equal(up.subprotocol, "peal.v1.msgpack");
	assert_int_equal(
	    upgrade(GET_WS("Sec-WebSocket-Protocol: a,peal.v1.json\r\n")), 0);
	assert_true(up.json);
	buf[http_switching(buf, "x", &up)] = '\0';
	assert_non_null(
	    strstr(buf, "\r\nSec-WebSocket-Protocol: peal.v1.json\r\n"));
	assert_int_equal(
	    upgrade(GET_WS("Sec-WebSocket-Protocol: PEAL.V1.JSON\r\n")), 400);
	assert_int_equal(
	    upgrade(GET_WS("Sec-WebSocket-Protocol: peal.v1.msgpackx\r\n")),
	    400);
	assert_int_equal(upgrade(GET_WS("Sec-WebSocket-Protocol:\r\n")), 400);
}

static void
of_two_subprotocols_the_one_offered_first_is_chosen(void **state)
{
	static const struct {
		const char *headers, *chosen;
	} rows[] = {
		{ "Sec-WebSocket-Protocol: peal.v1.json, peal.v1.msgpack\r\n",
		    HTTP_JSON },
		{ "Sec-WebSocket-Protocol: peal.v1.msgpack, peal.v1.json\r\n",
		    HTTP_MSGPACK },
		{ "Sec-WebSocket-Protocol: x, peal.v1.json\r\n"
		  "Sec-WebSocket-Protocol: peal.v1.msgpack\r\n",
		    HTTP_JSON },
		{ "Sec-WebSocket-Protocol: peal.v1.msgpack\r\n"
		  "Sec-WebSocket-Protocol: peal.v1.json\r\n",
		    HTTP_MSGPACK },
	};
	char head[600];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(head, sizeof(head), "%.*s%s\r\n",
		    (int)(sizeof(GET_WS("")) - 3), GET_WS(""), rows[i].headers);
		assert_int_equal(upgrade(head), 0);
		assert_string_equal(up.subprotocol, rows[i].chosen);
		assert_int_equal(
		    up.json, up.subprotocol != NULL &&
				 !strcmp(rows[i].chosen, HTTP_JSON));
	}
}

static void
eight_kilobytes_of_commas_are_refused(void **state)
{
	static const char begin[] =
	    "GET /v1/ws HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Protocol: ";
	static char buf[HTTP_HEAD_MAX + 1];

	memset(buf, ',', HTTP_HEAD_MAX);
	memcpy(buf, begin, sizeof(begin) - 1);
	memcpy(buf + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(upgrade(buf), 400);
}

static void
an_origin_is_the_same_or_listed_or_refused(void **state)
{
#define ORIGIN(o) GET_WS("Origin: " o "\r\n")
	static const struct refusal rows[] = {
		{ ORIGIN("https://example.org:8443"), 0 },
		{ ORIGIN("https://EXAMPLE.org:8443"), 0 },
		{ ORIGIN("https://example.org"), 403 },
		{ ORIGIN("http://example.org:8443"), 403 },
		{ ORIGIN("https://example.org:8443.evil"), 403 },
		{ ORIGIN("https://example.org:84430"), 403 },
		{ ORIGIN("https://xexample.org:8443"), 403 },
		{ ORIGIN("https://a.example"), 0 },
		{ ORIGIN("https://b.example:444"), 0 },
		{ ORIGIN("https://b.example"), 403 },
		{ ORIGIN("https://a.exampl"), 403 },
		{ ORIGIN("https://a.example "), 0 },
		{ ORIGIN("null"), 403 },
		{ ORIGIN(""), 403 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (upgrade(rows[i].head) != rows[i].status)
			fail_msg("%d, not %d: %s", upgrade(rows[i].head),
			    rows[i].status, rows[i].head);
}

static void
the_port_of_https_need_not_be_said(void **state)
{
	static const char *const heads[] = {
		"GET / HTTP/1.1\r\nHost: a.org\r\n" UPGRADE
		"Origin: https://a.org:443\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.org:443\r\n" UPGRADE
		"Origin: https://a.org\r\n\r\n",
	};

	for (unsigned i = 0; i < ARRAY_LEN(heads); i++)
		assert_int_equal(upgrade(heads[i]), 0);
}

static void
a_bearer_token_is_found(void **state)
{
	assert_int_equal(
	    upgrade(GET_WS("Authorization: bearer   a.b.c\r\n")), 0);
	assert_true(slice_is(up.bearer, "a.b.c"));
	assert_int_equal(upgrade(GET_WS("Authorization: Basic YTpi\r\n")), 401);
	assert_int_equal(upgrade(GET_WS("Authorization: Bearer\r\n")), 401);
}

static const char *
text_of(struct mp_buf *b)
{
	static char text[4096];

	assert_false(b->failed);
	assert_true(b->len < sizeof(text));
	memcpy(text, b->p, b->len);
	text[b->len] = '\0';
	mp_buf_deinit(b);
	*b = (struct mp_buf){ 0 };
	return text;
}

static void
a_refusal_names_what_is_served(void **state)
{
	struct http_answer a = { .status = 405, .allow = "GET", .last = true };
	struct mp_buf out = { 0 };
	const char *text;

	http_answer_text(&out, &a, "no");
	text = text_of(&out);
	assert_non_null(strstr(text, "HTTP/1.1 405 Method Not Allowed\r\n"));
	assert_non_null(strstr(text, "\r\nAllow: GET\r\n"));
	assert_non_null(strstr(text, "\r\nContent-Length: 3\r\n"));
	assert_non_null(strstr(text, "\r\nDate: "));
	assert_non_null(strstr(text, " GMT\r\n"));
	assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nno\n"));
	a.status = 426;
	http_answer_text(&out, &a, "no");
	text = text_of(&out);
	assert_non_null(strstr(text, "\r\nSec-WebSocket-Version: 13\r\n"));
	assert_non_null(strstr(text, "\r\nUpgrade: websocket\r\n"));
}

#define POST(headers) "POST / HTTP/1.1\r\n" HOST headers "\r\n"

static void
a_body_has_one_length_that_is_said(void **state)
{
	static const struct refusal rows[] = {
		{ POST(""), 411 },
		{ POST("Content-Length: 0\r\n"), 0 },
		{ POST("Content-Length: 1\r\n"), 0 },
		{ POST("Content-Length: 1, 1\r\n"), 400 },
		{ POST("Content-Length: 1\r\nContent-Length: 1\r\n"), 400 },
		{ POST("Content-Length: +1\r\n"), 400 },
		{ POST("Content-Length: 0x1\r\n"), 400 },
		{ POST("Transfer-Encoding: chunked\r\n"), 501 },
		{ POST("Transfer-Encoding: identity\r\n"), 501 },
		{ POST("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
		    400 },
	};
	static const struct {
		const char *digits;
		uint64_t length;
	} lengths[] = {
		{ "0", 0 },
		{ "007", 7 },
		{ "999999999999999", UINT64_C(999999999999999) },
		{ "1000000000000000", UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX },
	};
	char head[256];

	check_all(rows, ARRAY_LEN(rows));
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		snprintf(head, sizeof(head),
		    "POST / HTTP/1.1\r\n" HOST "Content-Length: %s\r\n\r\n",
		    lengths[i].digits);
		assert_int_equal(status(head), 0);
		assert_true(req.length == lengths[i].length);
	}
}

static void
a_client_may_ask_for_the_end(void **state)
{
	assert_int_equal(status(GET(HOST "Connection: Close\r\n")), 0);
	assert_true(req.last);
	assert_int_equal(
	    status(GET(HOST "Connection: keep-alive, close\r\n")), 0);
	assert_true(req.last);
	assert_int_equal(status(GET(HOST "Connection: closer\r\n")), 0);
	assert_false(req.last);
}

static void
the_form_of_an_answer_is_the_one_with_more_weight(void **state)
{
	static const struct {
		const char *accept;
		bool msgpack;
	} rows[] = {
		{ "", false },
		{ "Accept: */*\r\n", false },
		{ "Accept: text/html\r\n", false },
		{ "Accept: application/msgpack\r\n", true },
		{ "Accept: APPLICATION/VND.MSGPACK ; q=1\r\n", true },
		{ "Accept: application/x-msgpack\r\n", true },
		{ "Accept: application/msgpack, application/json\r\n", false },
		{ "Accept: application/msgpack, */*;q=0.9\r\n", true },
		{ "Accept: application/msgpack;q=0.8, */*;q=0.81\r\n", false },
		{ "Accept: application/msgpack;q=0.001\r\n", true },
		{ "Accept: application/msgpack;q=0\r\n", false },
		{ "Accept: application/msgpack;q=0.0x\r\n", false },
		{ "Accept: application/json\r\n"
		  "Accept: application/msgpack\r\n",
		    false },
		{ "Accept: ,,;;, ;q\r\n", false },
	};
	char head[256];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n" HOST "%s\r\n",
		    rows[i].accept);
		assert_int_equal(status(head), 0);
		if (http_wants_msgpack(&req) != rows[i].msgpack)
			fail_msg("%s", rows[i].accept);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_head_is_taken_apart),
		cmocka_unit_test(a_head_ends_wherever_it_is_cut),
		cmocka_unit_test(
		    a_request_line_that_is_not_http_1_1_is_refused),
		cmocka_unit_test(
		    a_header_that_two_parsers_could_read_differently_is_refused),
		cmocka_unit_test(a_nul_byte_is_refused_wherever_it_is),
		cmocka_unit_test(sixty_four_headers_are_let_in_and_no_more),
		cmocka_unit_test(
		    eight_kilobytes_of_head_are_let_in_and_no_more),
		cmocka_unit_test(a_handshake_is_answered_as_the_standard_says),
		cmocka_unit_test(a_handshake_that_lacks_something_is_refused),
		cmocka_unit_test(a_token_in_the_url_of_a_handshake_is_refused),
		cmocka_unit_test(only_what_is_served_is_chosen_of_subprotocols),
		cmocka_unit_test(
		    of_two_subprotocols_the_one_offered_first_is_chosen),
		cmocka_unit_test(eight_kilobytes_of_commas_are_refused),
		cmocka_unit_test(an_origin_is_the_same_or_listed_or_refused),
		cmocka_unit_test(the_port_of_https_need_not_be_said),
		cmocka_unit_test(a_bearer_token_is_found),
		cmocka_unit_test(a_refusal_names_what_is_served),
		cmocka_unit_test(a_body_has_one_length_that_is_said),
		cmocka_unit_test(a_client_may_ask_for_the_end),
		cmocka_unit_test(
		    the_form_of_an_answer_is_the_one_with_more_weight),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
