/* SPDX-License-Identifier: BSD-2-Clause */

/* The listener without TLS: served as with TLS, and behind a proxy. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/reason.h"
#include "gateway/block.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/listen.h"
#include "tests/lib/edgefix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

#define PLAIN	"gateway.listen_plain=127.0.0.1:0"
#define TRUSTED "gateway.trusted=127.0.0.1"
#define HEALTH	"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static const char *const bare[] = { PLAIN, NULL };
static const char *const behind[] = { PLAIN, TRUSTED, NULL };

/* A header for TCP over IPv4 from 192.0.2.n, or for nobody: LOCAL. */
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define LOCAL	  SIGNATURE "\x20\0\0\0"

static void
put_proxy(struct edge_client *c, unsigned n)
{
	uint8_t p[28] = SIGNATURE "\x21\x11\0\x0c\xc0\0\x02";

	p[19] = (uint8_t)n;
	edge_write(c, p, sizeof(p));
}

static void
put_local(struct edge_client *c)
{
	edge_write(c, LOCAL, sizeof(LOCAL) - 1);
}

static void
drop_all(struct edgefix *fx, struct edge_client *c)
{
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
}

static void
http_and_websockets_are_served_without_tls(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;

	edgefix_start(fx, bare);
	fx->echo = true;
	c = edge_connect_plain(fx);
	assert_non_null(strstr(edge_request(c, HEALTH), "HTTP/1.1 200 "));
	edge_free(c);
	c = edge_connect_plain(fx);
	edge_upgrade(c, "");
	edge_send(c, 0x82, "\x93\1\2\3", 4);
	assert_true(edge_next(c, &f));
	assert_int_equal(f.first, 0x82);
	assert_memory_equal(f.payload.p, "\x93\1\2\3", 4);
	edge_consume(c, f.whole);
	edge_send(c, 0x88, "\x03\xe8", 2);
	edge_expect_close(c, 1000);
	drop_all(fx, c);
}

/* A write that the socket takes in parts goes on where it stopped. */
static void
a_blocked_block_leaves_whole(void **state)
{
	static uint8_t bytes[BLOCK_BYTES - BLOCK_HEADROOM];
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;
	struct block *b;
	unsigned n = 0, came = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i ^ i >> 8);
	b = block_message(slice_of(bytes, sizeof(bytes)));
	edgefix_start(fx, bare);
	fx->hello = true;
	c = edge_connect_plain(fx);
	edge_upgrade(c, "");
	edge_send(c, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 1 && conn_is_ready(fx->conn));
	while (conn_send(fx->conn, b) == CONN_SENT)
		assert_true(++n < 10000);
	conn_control(fx->conn, SLICE_STR("\xc0"));
	while (came <= n) {
		assert_true(edge_next(c, &f));
		assert_int_equal(f.payload.len, sizeof(bytes));
		assert_memory_equal(f.payload.p, bytes, sizeof(bytes));
		edge_consume(c, f.whole);
		came++;
	}
	assert_true(edge_next(c, &f));
	assert_int_equal(f.payload.len, 1);
	assert_int_equal(b->refs, 1);
	block_unref(b);
	drop_all(fx, c);
}

static void
whom_nobody_trusts_may_send_no_header(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, bare);
	c = edge_connect_plain(fx);
	put_proxy(c, 1);
	assert_non_null(strstr(edge_request(c, HEALTH), "HTTP/1.1 400 "));
	drop_all(fx, c);
}

static void
a_trusted_peer_has_to_send_a_header(void **state)
{
	static const char *const others[] = { HEALTH,
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" HEALTH };
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, behind);
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		c = edge_connect_plain(fx);
		edge_puts(c, others[i]);
		edge_until_eof(c);
		assert_int_equal(c->len, 0);
		drop_all(fx, c);
	}
	assert_int_equal(COUNTERS_GET(bad_proxy), ARRAY_LEN(others));
	c = edge_connect_plain(fx);
	put_proxy(c, 1);
	assert_non_null(strstr(edge_request(c, HEALTH), "HTTP/1.1 200 "));
	drop_all(fx, c);
	c = edge_connect_plain(fx);
	put_local(c);
	assert_non_null(strstr(edge_request(c, HEALTH), "HTTP/1.1 200 "));
	drop_all(fx, c);
}

static void
header_and_request_may_be_cut_anywhere(void **state)
{
	static const char rest[] = "\x21\x11\0\x10\xc0\0\x02\1\xc0\0\x02\2"
				   "\0\1\0\2\x03\0\1x" HEALTH;
	struct edgefix *fx = *state;
	uint8_t all[12 + sizeof(rest) - 1];

	memcpy(all, SIGNATURE, 12);
	memcpy(all + 12, rest, sizeof(rest) - 1);
	edgefix_start(fx, behind);
	for (size_t cut = 1; cut < sizeof(all); cut++) {
		struct edge_client *c = edge_connect_plain(fx);

		edge_write(c, all, cut);
		for (unsigned i = 0; i < 3; i++)
			edgefix_pass(fx);
		edge_write(c, all + cut, sizeof(all) - cut);
		edge_until_eof(c);
		assert_memory_equal(c->in, "HTTP/1.1 200 ", 13);
		drop_all(fx, c);
	}
}

static void
the_clients_address_counts_and_not_the_proxys(void **state)
{
	static const char *const options[] = { PLAIN, TRUSTED,
		"gateway.address_connections=2", NULL };
	struct edgefix *fx = *state;
	struct edge_client *c, *held[6];
	unsigned n = 0;

	edgefix_start(fx, options);
	/* Two of each of two clients, and two of the proxy itself. */
	for (unsigned i = 0; i < 6; i++) {
		held[n] = edge_connect_plain(fx);
		if (i < 4)
			put_proxy(held[n], 1 + i % 2);
		else
			put_local(held[n]);
		edge_upgrade(held[n++], "");
	}
	c = edge_connect_plain(fx);
	put_proxy(c, 1);
	assert_non_null(
	    strstr(edge_request(c,
		       "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS "\r\n"),
		"HTTP/1.1 503 "));
	edge_free(c);
	assert_int_equal(COUNTERS_GET(refused_address), 1);
	c = edge_connect_plain(fx);
	put_local(c);
	edge_upgrade(c, "");
	edge_free(c);
	/* One of them goes: its place is there again. */
	edge_free(held[0]);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 5);
	held[0] = edge_connect_plain(fx);
	put_proxy(held[0], 1);
	edge_upgrade(held[0], "");
	while (n > 0)
		edge_free(held[--n]);
}

static void
what_a_client_says_of_its_address_is_not_read(void **state)
{
	static const char *const options[] = { PLAIN, TRUSTED,
		"gateway.address_connections=1", NULL };
	struct edgefix *fx = *state;
	struct edge_client *a, *b;

	edgefix_start(fx, options);
	a = edge_connect_plain(fx);
	put_proxy(a, 1);
	edge_upgrade(a, "X-Forwarded-For: 198.51.100.1\r\n");
	b = edge_connect_plain(fx);
	put_proxy(b, 1);
	assert_non_null(strstr(
	    edge_request(b, "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS
			    "X-Forwarded-For: 198.51.100.2\r\n"
			    "Forwarded: for=198.51.100.2\r\n\r\n"),
	    "HTTP/1.1 503 "));
	edge_free(a);
	edge_free(b);
}

static void
a_header_has_a_deadline(void **state)
{
	static const char *const options[] = { PLAIN, TRUSTED,
		"gateway.hello_seconds=1", NULL };
	struct edgefix *fx = *state;
	struct edge_client *silent, *half;

	edgefix_start(fx, options);
	silent = edge_connect_plain(fx);
	half = edge_connect_plain(fx);
	edge_write(half, LOCAL, 13);
	edge_until_eof(silent);
	edge_until_eof(half);
	assert_int_equal(COUNTERS_GET(slow_handshake), 2);
	edge_free(silent);
	edge_free(half);
}

static unsigned
status_for(struct edgefix *fx, const char *origin)
{
	char request[600];
	struct edge_client *c = edge_connect_plain(fx);
	const char *answer;
	unsigned status;

	snprintf(request, sizeof(request),
	    "GET /v1/ws HTTP/1.1\r\n"
	    "Host: a.example\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Origin: %s\r\n\r\n",
	    origin);
	put_proxy(c, 1);
	edge_puts(c, request);
	assert_true(edge_fill(c, 12));
	answer = (const char *)c->in;
	status = (unsigned)(answer[9] - '0') * 100 +
		 (unsigned)(answer[10] - '0') * 10 +
		 (unsigned)(answer[11] - '0');
	edge_free(c);
	return status;
}

static void
behind_a_proxy_the_same_origin_may_be_https_or_http(void **state)
{
	struct edgefix *fx = *state;

	edgefix_start(fx, behind);
	assert_int_equal(status_for(fx, "https://a.example"), 101);
	assert_int_equal(status_for(fx, "https://a.example:443"), 101);
	assert_int_equal(status_for(fx, "http://a.example"), 101);
	assert_int_equal(status_for(fx, "http://a.example:80"), 101);
	assert_int_equal(status_for(fx, "https://a.example:80"), 403);
	assert_int_equal(status_for(fx, "http://a.example:443"), 403);
	assert_int_equal(status_for(fx, "https://b.example"), 403);
	assert_int_equal(status_for(fx, "null"), 403);
	assert_int_equal(status_for(fx, "ws://a.example"), 403);
}

static void
over_tls_no_header_is_taken(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, behind);
	c = edge_open(fx);
	put_proxy(c, 1);
	assert_non_null(strstr(edge_request(c, HEALTH), "HTTP/1.1 400 "));
	drop_all(fx, c);
}

static int
dial_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(strlen(path) < sizeof(un.sun_path));
	memcpy(un.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void
a_local_socket_serves_too(void **state)
{
	struct edgefix *fx = *state;
	char option[200], path[100], answer[13];
	const char *const options[] = { option, "gateway.trusted=unix", NULL };
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/s", fx->dir);
	snprintf(option, sizeof(option), "gateway.listen_plain=unix:%s", path);
	edgefix_start(fx, options);
	assert_int_equal(listen_port(fx->listen, true), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	fd = dial_unix(path);
	assert_int_equal(send(fd, LOCAL HEALTH, sizeof(LOCAL HEALTH) - 1, 0),
	    sizeof(LOCAL HEALTH) - 1);
	EDGE_UNTIL(fx, recv(fd, answer, sizeof(answer), 0) == sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
	close(fd);
	unlink(path);
}

static void
a_plain_listener_that_others_could_reach_is_refused(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "", true },
		{ "127.0.0.1:80", true },
		{ "127.9.9.9:80", true },
		{ "[::1]:80", true },
		{ "unix:/run/peal/plain.sock", true },
		{ "0.0.0.0:80", false },
		{ "[::]:80", false },
		{ "192.168.0.1:80", false },
		{ "[::ffff:127.0.0.1]:80", false },
		{ "[fe80::1]:80", false },
		{ "unix:plain.sock", false },
		{ "unix:", false },
		{ "localhost:80", false },
		{ "127.0.0.1", false },
		{ "8080", false },
	};
	char option[200];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(conf_freep) struct conf *conf = conf_new();
		struct reason why = { "" };
		int r;

		snprintf(option, sizeof(option), "gateway.listen_plain=%s",
		    rows[i].text);
		assert_int_equal(conf_set(conf, option, &why), 0);
		r = listen_check(conf, &why);
		if ((r == 0) != rows[i].good)
			fail_msg("%s: %d %s", rows[i].text, r, why.text);
		assert_true(r == 0 || strstr(why.text, "listen_plain") ||
			    strstr(why.text, rows[i].text));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(http_and_websockets_are_served_without_tls),
		TEST(a_blocked_block_leaves_whole),
		TEST(whom_nobody_trusts_may_send_no_header),
		TEST(a_trusted_peer_has_to_send_a_header),
		TEST(header_and_request_may_be_cut_anywhere),
		TEST(the_clients_address_counts_and_not_the_proxys),
		TEST(what_a_client_says_of_its_address_is_not_read),
		TEST(a_header_has_a_deadline),
		TEST(behind_a_proxy_the_same_origin_may_be_https_or_http),
		TEST(over_tls_no_header_is_taken),
		TEST(a_local_socket_serves_too),
		TEST(a_plain_listener_that_others_could_reach_is_refused),
	};

	return cmocka_run_group_tests_name("conn_plain", tests, NULL, NULL);
}
