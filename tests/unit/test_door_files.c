/* SPDX-License-Identifier: BSD-2-Clause */

/* Files over HTTP: what browsers are told of them, and how big ones go. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "gateway/site.h"
#include "tests/lib/doorfix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

static void
put_file(struct edgefix *fx, const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A big one fills more than the socket takes at once. */
static void
put_big_file(struct edgefix *fx, size_t len)
{
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	memcpy(text + len - 4, "end\n", 5);
	put_file(fx, "big.js", text);
	free(text);
}

static void
drop_files(struct edgefix *fx, struct site *site)
{
	char path[200];

	(void)site_free(site);
	snprintf(path, sizeof(path), "%s/index.html", fx->dir);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/big.js", fx->dir);
	(void)unlink(path);
}

static void
files_are_served_with_what_browsers_need_to_know(void **state)
{
	static const char not_modified[] = "HTTP/1.1 304 Not Modified\r\n";
	struct edgefix *fx = *state;
	struct reason why = { "" };
	struct edge_client *c;
	struct site *site = NULL;
	char request[300];
	const char *answer;

	put_file(fx, "index.html", "<p>hello</p>\n");
	assert_int_equal(site_open(fx->dir, &site, &why), 0);
	c = doorfix_start(fx, NULL);
	edge_puts(c, DOOR_GET("/", ""));
	doorfix_contains(
	    doorfix_read_to(c, "here (gateway.static)\n"), "HTTP/1.1 404 ");
	conns_serve(fx->conns, site);
	edge_puts(c,
	    DOOR_GET("/", "") DOOR_GET("/index.html",
		"If-None-Match: \"x\"\r\n") DOOR_HEAD("/") DOOR_GET("/none", "")
		DOOR_HEAD("/healthz") DOOR_GET("/../index.html", ""));
	for (unsigned i = 0; i < 2; i++) {
		answer = doorfix_read_to(c, "<p>hello</p>\n");
		doorfix_contains(answer, "HTTP/1.1 200 OK\r\n");
		doorfix_contains(
		    answer, "\r\nContent-Type: text/html; charset=utf-8");
		doorfix_contains(answer, "\r\nContent-Length: 13\r\n");
		doorfix_contains(
		    answer, "\r\nContent-Security-Policy: default-src");
		doorfix_contains(
		    answer, "\r\nX-Content-Type-Options: nosniff\r\n");
		doorfix_contains(answer, "\r\nETag: \"");
	}
	answer = doorfix_read_to(c, "\r\n\r\n");
	doorfix_contains(answer, "\r\nContent-Length: 13\r\n");
	answer = doorfix_read_to(c, "there is nothing here\n");
	assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
	answer = doorfix_read_to(c, "\r\n\r\n");
	assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
	answer = doorfix_read_to(c, "there is nothing here\n");
	assert_memory_equal(answer, "HTTP/1.1 404 ", 13);

	snprintf(request, sizeof(request),
	    "GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: %s\r\n\r\n",
	    site_find(site, SLICE_STR("/"))->etag);
	edge_puts(c, request);
	answer = doorfix_read_to(c, "\r\n\r\n");
	assert_memory_equal(answer, not_modified, sizeof(not_modified) - 1);
	doorfix_lacks(answer, "Content-Length");
	edge_puts(c, "POST / HTTP/1.1\r\nHost: localhost\r\n"
		     "Content-Length: 3\r\n\r\nabc");
	answer = doorfix_read_all(c);
	doorfix_contains(answer, "HTTP/1.1 405 ");
	doorfix_contains(answer, "\r\nAllow: GET, HEAD\r\n");
	edge_free(c);
	drop_files(fx, site);
}

/* Whether the method is one that another path serves, or that none does. */
static void
a_405_names_the_methods_of_its_path(void **state)
{
	static const char *const methods[] = { "PUT", "DELETE", "TRACE",
		"POST" };
	static const struct {
		const char *path, *allow;
	} rows[] = {
		{ "/", "\r\nAllow: GET, HEAD\r\n" },
		{ "/peal.js?a=b", "\r\nAllow: GET, HEAD\r\n" },
		{ "/healthz", "\r\nAllow: GET, HEAD\r\n" },
		{ "/v1/ws", "\r\nAllow: GET\r\n" },
		{ "/v1/state?topic=a", "\r\nAllow: GET, OPTIONS\r\n" },
		{ "/v1/history", "\r\nAllow: GET, OPTIONS\r\n" },
		{ "/v1/stream", "\r\nAllow: GET, OPTIONS\r\n" },
		{ "/v1/events", "\r\nAllow: POST, OPTIONS\r\n" },
		{ "/v1/none", NULL },
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	edge_free(c);
	for (unsigned i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(methods); i++) {
		const char *method = methods[i % ARRAY_LEN(methods)];
		const char *path = rows[i / ARRAY_LEN(methods)].path;
		const char *allow = rows[i / ARRAY_LEN(methods)].allow;
		char request[200];
		const char *answer;

		if (!strcmp(method, "POST") && !strcmp(path, "/v1/events"))
			continue;
		snprintf(request, sizeof(request),
		    "%s %s HTTP/1.1\r\nHost: localhost\r\n"
		    "Connection: close\r\nContent-Length: 0\r\n\r\n",
		    method, path);
		c = edge_open(fx);
		edge_puts(c, request);
		answer = doorfix_read_all(c);
		doorfix_contains(
		    answer, allow ? "HTTP/1.1 405 " : "HTTP/1.1 404 ");
		if (allow)
			doorfix_contains(answer, allow);
		edge_free(c);
	}
}

static void
a_big_file_goes_as_fast_as_it_is_read_and_then_the_next(void **state)
{
	enum {
		BIG = 9 << 20
	};
	struct edgefix *fx = *state;
	struct reason why = { "" };
	struct site *site = NULL;
	struct edge_client *c;
	size_t got = 0;

	put_big_file(fx, BIG);
	assert_int_equal(site_open(fx->dir, &site, &why), 0);
	c = doorfix_start(fx, NULL);
	conns_serve(fx->conns, site);
	edge_puts(c, DOOR_GET("/big.js", "") DOOR_GET("/healthz", ""));
	(void)doorfix_read_to(c, "\r\n\r\n");
	/* It may be replaced while it is on its way. */
	conns_serve(fx->conns, NULL);
	drop_files(fx, site);
	/* A gateway that stops waits for it. */
	assert_true(conns_sending(fx->conns));
	while (got < BIG - 4) {
		size_t n;

		assert_true(c->len > 0 || edge_fill(c, 1));
		n = MIN(c->len, BIG - 4 - got);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(c->in[i], 'x');
		edge_consume(c, n);
		got += n;
	}
	doorfix_contains(
	    doorfix_read_to(c, "{\"status\":\"ok\"}"), "end\nHTTP/1.1 200 OK");
	assert_false(conns_sending(fx->conns));
	edge_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_served_with_what_browsers_need_to_know),
		TEST(a_405_names_the_methods_of_its_path),
		TEST(a_big_file_goes_as_fast_as_it_is_read_and_then_the_next),
	};

	return cmocka_run_group_tests_name("door files", tests, NULL, NULL);
}
