/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A topic that may not be read is not seen in any way: not live, nor in
 * snapshots, replays, history, state and presence, over WebSocket and over
 * HTTP; neither asked for by name nor by a wildcard that covers it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/live.h"

#define SHUT "r.shut.x"
#define OPEN "r.open.x"

/* May read and write r.open.> alone. */
static char *
narrow_token(void)
{
	return live_token_for("eve", 0, 600,
	    "{\"read\":[\"r.open.>\"],\"write\":[\"r.open.>\"]}");
}

/* One event on each, the one that is shut first; the seq of the last. */
static uint64_t
two_events(void)
{
	struct client c;
	uint64_t seq;

	live_open(&c, live_token());
	live_answered(&c,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"" SHUT "\","
	    "\"type\":\"t\",\"data\":1},{\"topic\":\"" OPEN "\","
	    "\"type\":\"t\",\"data\":1}]}",
	    "appended");
	seq = client_uint(&c, "seq", 0) + 1;
	client_close(&c);
	return seq;
}

static bool
names(const void *bytes, size_t len, const char *topic)
{
	return memmem(bytes, len, topic, strlen(topic)) != NULL;
}

/* The next message: what the other topic is of is in none. */
static void
next_message(struct client *c)
{
	enum client_kind kind = client_next(c, WIRE_DEADLINE_MS);

	if (kind != CLIENT_BATCH && kind != CLIENT_CONTROL)
		fail_msg("nothing of what may be seen: %s", c->wrong);
	assert_false(names(c->bytes, c->len, SHUT));
}

/* Read until something names the open topic; nothing names the other. */
static void
sees_open_alone(struct client *c)
{
	do {
		next_message(c);
	} while (!names(c->bytes, c->len, OPEN));
}

/* On a busy machine the broker may be late, and is asked again. */
static void
asks(struct client *c, const char *json)
{
	int64_t until = wire_now_ms() + 3 * WIRE_DEADLINE_MS;

	do {
		live_say(c->wire, json);
		next_message(c);
	} while (names(c->bytes, c->len, "retry_ms") && wire_now_ms() < until);
	if (!names(c->bytes, c->len, OPEN))
		sees_open_alone(c);
}

static void
by_name_it_is_forbidden(void **state)
{
	static const char *const requests[] = {
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"" SHUT "\"],"
		"\"from\":\"now\"}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"" SHUT "\"],"
		"\"from\":\"snapshot\"}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"" SHUT "\"],"
		"\"from\":\"ack\",\"name\":\"n\"}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"r.shut.>\"],"
		"\"from\":\"now\"}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"$acl.>\"],"
		"\"from\":\"now\"}",
		"{\"op\":\"state\",\"id\":1,\"topics\":[\"" SHUT "\"]}",
		"{\"op\":\"state\",\"id\":1,\"topics\":[\"" SHUT "\"],"
		"\"at\":1}",
		"{\"op\":\"state\",\"id\":1,\"topics\":[\"$acl.eve\"]}",
		"{\"op\":\"history\",\"id\":1,\"topic\":\"" SHUT "\"}",
		"{\"op\":\"history\",\"id\":1,\"topic\":\"$revoke.>\"}",
		"{\"op\":\"presence\",\"id\":1,\"topics\":[\"" SHUT "\"]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"" SHUT
		"\",\"type\":\"t\",\"data\":1}]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"" OPEN
		"\",\"type\":\"t\",\"data\":1}],\"checks\":[{\"topic\":\"" SHUT
		"\",\"version\":0}]}",
		"{\"op\":\"emit\",\"id\":1,\"topic\":\"" SHUT "\","
		"\"type\":\"t\",\"data\":1}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":"
		"\"$acl.eve\",\"type\":\"acl_changed\",\"data\":{\"read\":"
		"[\">\"]}}]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":"
		"\"$revoke.dev\",\"type\":\"access_changed\",\"data\":"
		"{\"before\":9999999999}}]}",
	};
	char *token = narrow_token();
	struct client c;

	(void)two_events();
	live_open(&c, token);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		live_refused(&c, requests[i], "forbidden");
	client_close(&c);
	free(token);
}

static void
a_position_opens_it_no_more_than_now(void **state)
{
	char *token = narrow_token();
	char json[400];
	struct client c;

	(void)two_events();
	live_open(&c, token);
	snprintf(json, sizeof(json),
	    "{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"" SHUT "\"],"
	    "\"from\":0,\"log\":\"%s\"}",
	    c.log);
	live_refused(&c, json, "forbidden");
	client_close(&c);
	free(token);
}

static void
a_wildcard_over_both_shows_the_one(void **state)
{
	char *token = narrow_token();
	uint64_t seq = two_events();
	char json[400];
	struct client c;

	live_open(&c, token);
	asks(&c, "{\"op\":\"state\",\"id\":1,\"topics\":[\"r.>\"]}");
	snprintf(json, sizeof(json),
	    "{\"op\":\"state\",\"id\":2,\"topics\":[\">\"],\"at\":%llu}",
	    (unsigned long long)seq);
	asks(&c, json);
	asks(&c, "{\"op\":\"history\",\"id\":3,\"topic\":\"*.*.x\"}");
	asks(&c, "{\"op\":\"history\",\"id\":4,\"limit\":10000}");
	asks(&c, "{\"op\":\"history\",\"id\":5,\"reverse\":true,"
		 "\"actor\":\"dev\",\"type\":\"*\"}");
	asks(&c, "{\"op\":\"subscribe\",\"id\":6,\"topics\":[\"r.*.x\"],"
		 "\"from\":\"snapshot\"}");
	assert_true(client_subscribe(&c, 7, ">", seq - 2));
	sees_open_alone(&c);
	(void)two_events();
	sees_open_alone(&c);
	client_close(&c);
	free(token);
}

static void
who_listens_to_it_is_not_seen(void **state)
{
	int64_t until = wire_now_ms() + WIRE_DEADLINE_MS;
	char *token = narrow_token();
	struct client c, other;
	bool found = false;

	live_open(&other, live_token());
	live_answered(&other,
	    "{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"" SHUT "\"],"
	    "\"from\":\"now\"}",
	    "subscribed");
	live_answered(&other,
	    "{\"op\":\"subscribe\",\"id\":2,\"topics\":[\"" OPEN "\"],"
	    "\"from\":\"now\"}",
	    "subscribed");
	live_open(&c, token);
	/* The broker hears of the one before the other. */
	while (!found && wire_now_ms() < until) {
		live_answered(&c,
		    "{\"op\":\"presence\",\"id\":1,\"topics\":[\">\"]}",
		    "presence");
		assert_false(names(c.bytes, c.len, SHUT));
		found = names(c.bytes, c.len, OPEN);
	}
	assert_true(found);
	client_close(&c);
	client_close(&other);
	free(token);
}

/* The answer to a request whose connection ends behind it; free() it. */
static char *
http(const char *token, const char *head, const char *body, size_t *len)
{
	struct wire *w = wire_dial(live_to(), WIRE_DEADLINE_MS);
	char *request, *answer = calloc(1, 1 << 20);
	ssize_t n;

	assert_non_null(w);
	assert_non_null(answer);
	assert_true(asprintf(&request,
			"%s HTTP/1.1\r\nHost: localhost\r\n"
			"Authorization: Bearer %s\r\nConnection: close\r\n"
			"Content-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			head, token, strlen(body), body) > 0);
	assert_true(wire_write(w, request, strlen(request)));
	*len = 0;
	while ((n = wire_read(w, answer + *len, (1 << 20) - 1 - *len,
		    WIRE_DEADLINE_MS)) > 0)
		*len += (size_t)n;
	free(request);
	(void)wire_free(w);
	return answer;
}

static void
http_refuses_what_the_socket_refuses(void **state)
{
	static const struct {
		const char *head, *body;
	} requests[] = {
		{ "GET /v1/state?topic=" SHUT, "" },
		{ "GET /v1/history?topic=" SHUT, "" },
		{ "GET /v1/stream?topic=" SHUT, "" },
		{ "POST /v1/events", "{\"events\":[{\"topic\":\"" SHUT
				     "\",\"type\":\"t\",\"data\":1}]}" },
		{ "POST /v1/events",
		    "{\"events\":[{\"topic\":\"$acl.eve\",\"type\":\"t\","
		    "\"data\":{\"read\":[\">\"]}}]}" },
	};
	char *token = narrow_token();
	size_t len;

	(void)two_events();
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		char *answer =
		    http(token, requests[i].head, requests[i].body, &len);

		if (strncmp(answer, "HTTP/1.1 403 ", 13) != 0)
			fail_msg("%s: %.80s", requests[i].head, answer);
		free(answer);
	}
	free(token);
}

static void
http_shows_what_the_socket_shows(void **state)
{
	static const char *const heads[] = {
		"GET /v1/state?topic=r.%3E",
		"GET /v1/history?topic=r.%3E&limit=10000",
		"GET /v1/history?limit=10000",
	};
	char *token = narrow_token();
	size_t len;

	(void)two_events();
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		char *answer = http(token, heads[i], "", &len);

		if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
			fail_msg("%s: %.80s", heads[i], answer);
		assert_true(names(answer, len, OPEN));
		assert_false(names(answer, len, SHUT));
		free(answer);
	}
	free(token);
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(by_name_it_is_forbidden),
		HOSTILE(a_position_opens_it_no_more_than_now),
		HOSTILE(a_wildcard_over_both_shows_the_one),
		HOSTILE(who_listens_to_it_is_not_seen),
		HOSTILE(http_refuses_what_the_socket_refuses),
		HOSTILE(http_shows_what_the_socket_shows),
	};

	if (!live_init())
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile rights", tests, live_setup, NULL);
}
