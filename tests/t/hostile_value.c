/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Values and requests that no honest client sends: malformed MessagePack ends
 * the connection, a wrong request gets an error and the connection stays.
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

/* The bytes as one message; the connection ends with 1007. */
static void
malformed(const void *bytes, size_t len)
{
	struct client c;

	live_open(&c, live_token());
	assert_true(wire_frame(c.wire, WIRE_FIN | WIRE_BINARY, bytes, len));
	live_ends(c.wire, 1007);
	client_close(&c);
}

#define MALFORMED(literal) malformed(literal, sizeof(literal) - 1)

static void
counts_that_nothing_follows_are_refused(void **state)
{
	MALFORMED("\xdd\xff\xff\xff\xff");
	MALFORMED("\xdf\xff\xff\xff\xff");
	MALFORMED("\xdb\xff\xff\xff\xff");
	MALFORMED("\xc6\xff\xff\xff\xff");
	MALFORMED("\xc9\xff\xff\xff\xff\x01");
	MALFORMED("\xdc\xff\xff");
	MALFORMED("\x81");
	MALFORMED("\x81\xa2op");
}

static void
what_is_not_one_value_is_refused(void **state)
{
	MALFORMED("");
	MALFORMED("\xc1");
	MALFORMED("\x80\x80");
	MALFORMED("\x81\xa2op\xa4ping\x00");
}

static void
text_that_is_not_utf8_is_refused(void **state)
{
	MALFORMED("\x82\xa2op\xa4ping\xa1t\xa2\xc0\x80");
	MALFORMED("\x82\xa2op\xa4ping\xa1t\xa3\xed\xa0\x80");
	MALFORMED("\x82\xa2op\xa4ping\xa1t\xa4\xf4\x90\x80\x80");
	MALFORMED("\x82\xa2op\xa4ping\xa1t\xa1\xff");
}

static void
a_key_given_twice_is_refused(void **state)
{
	MALFORMED("\x82\xa2op\xa4ping\xa2op\xa4ping");
	/* The same number in two lengths is the same key. */
	MALFORMED("\x83\xa2op\xa4ping\x01\x01\xcc\x01\x01");
}

static void
extensions_without_a_meaning_are_refused(void **state)
{
	MALFORMED("\x82\xa2op\xa4ping\xa1t\xd4\xfe\x00");
	MALFORMED("\x82\xa2op\xa4ping\xa1t\xd4\xff\x00");
}

static void
nesting_beyond_the_limit_is_refused(void **state)
{
	static const char head[] = "\x82\xa2op\xa4ping\xa1t";
	char deep[5000];
	size_t n = sizeof(head) - 1;

	memcpy(deep, head, n);
	memset(deep + n, 0x91, sizeof(deep) - n - 1);
	deep[sizeof(deep) - 1] = 0;
	malformed(deep, sizeof(deep));
	malformed(deep, n + 32);
}

static void
messages_that_are_no_map_are_refused_and_the_connection_stays_or_ends(
    void **state)
{
	static const char *const texts[] = { "[]", "[1,2]", "1", "null",
		"\"ping\"" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct client c;
		enum client_kind kind;

		live_open(&c, live_token());
		live_say(c.wire, texts[i]);
		kind = client_next(&c, WIRE_DEADLINE_MS);
		assert_true(kind == CLIENT_ENDED ||
			    (kind == CLIENT_CONTROL && !strcmp(c.op, "error")));
		client_close(&c);
	}
}

static void
requests_of_wrong_shape_are_refused_and_the_connection_stays(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"op\":1}",
		"{\"op\":\"conjure\"}",
		"{\"op\":\"conjure\",\"id\":7}",
		"{\"op\":\"ping\",\"id\":-1}",
		"{\"op\":\"ping\",\"id\":\"1\"}",
		"{\"op\":\"subscribe\"}",
		"{\"op\":\"subscribe\",\"id\":1}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":\"a\"}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[],\"from\":\"now\"}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[1],\"from\":\"now\"}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"a\"]}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"a\"],\"from\":0}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"a\"],"
		"\"from\":\"then\"}",
		"{\"op\":\"subscribe\",\"topics\":[\"a\"],\"from\":\"now\"}",
		"{\"op\":\"unsubscribe\"}",
		"{\"op\":\"append\",\"id\":1}",
		"{\"op\":\"append\",\"id\":1,\"events\":[]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[1]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{}]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a\"}]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a\","
		"\"type\":\"\",\"data\":1}]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a\","
		"\"type\":\"t\",\"data\":1,\"expect\":-1}]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a\","
		"\"type\":\"t\",\"data\":1,\"key\":\"\"}]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a\","
		"\"type\":\"t\",\"data\":1,\"key\":\"k\"},{\"topic\":\"a\","
		"\"type\":\"t\",\"data\":1}]}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a\","
		"\"type\":\"t\",\"data\":1}],\"checks\":1}",
		"{\"op\":\"emit\",\"id\":1,\"topic\":\"a\"}",
	};
	struct client c;

	live_open(&c, live_token());
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		live_refused(&c, texts[i], "bad_request");
	client_close(&c);
}

static void
topics_that_are_none_are_refused_and_the_connection_stays(void **state)
{
	static const char *const names[] = { "", ".", "a.", ".a", "a..b", "a b",
		"a\\tb", "a\\u0000b", "a\\r\\nb", "a\\u007fb", "a\\u00a0b",
		"a.*", "a.>", "a*", ">a", "\\u2028" };
	char json[1024], longest[257];
	struct client c;

	live_open(&c, live_token());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(json, sizeof(json),
		    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"%s\","
		    "\"type\":\"t\",\"data\":1}]}",
		    names[i]);
		live_refused(&c, json, "bad_request");
		snprintf(json, sizeof(json),
		    "{\"op\":\"emit\",\"id\":1,\"topic\":\"%s\","
		    "\"type\":\"t\",\"data\":1}",
		    names[i]);
		live_refused(&c, json, "bad_request");
	}
	memset(longest, 'a', 256);
	longest[256] = '\0';
	snprintf(json, sizeof(json),
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"%s\","
	    "\"type\":\"t\",\"data\":1}]}",
	    longest);
	live_refused(&c, json, "bad_request");
	client_close(&c);
}

static void
patterns_that_are_none_are_refused_and_the_connection_stays(void **state)
{
	static const char *const names[] = { "", "a..b", "a.>.b", ">.a", "a*",
		"a.b>", "a b", "a\\u0000" };
	char json[1024];
	struct client c;

	live_open(&c, live_token());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(json, sizeof(json),
		    "{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"%s\"],"
		    "\"from\":\"now\"}",
		    names[i]);
		live_refused(&c, json, "bad_request");
	}
	client_close(&c);
}

static void
system_topics_are_not_written_by_clients(void **state)
{
	struct client c;

	live_open(&c, live_token());
	live_refused(&c,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"$acl.me\","
	    "\"type\":\"acl_changed\",\"data\":{\"read\":[\">\"]}}]}",
	    "forbidden");
	live_refused(&c,
	    "{\"op\":\"emit\",\"id\":1,\"topic\":\"$acl.me\","
	    "\"type\":\"t\",\"data\":1}",
	    "forbidden");
	client_close(&c);
}

static void
positions_beyond_the_log_are_refused_and_the_connection_stays(void **state)
{
	static const uint64_t positions[] = { UINT64_MAX - 1,
		(uint64_t)INT64_MAX, UINT64_C(1) << 53,
		(UINT64_C(1) << 53) - 1 };
	struct client c;

	live_open(&c, live_token());
	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		assert_true(client_subscribe(&c, 1 + i, "a.>", positions[i]));
		assert_int_equal(client_await(&c, "error", WIRE_DEADLINE_MS),
		    CLIENT_CONTROL);
		assert_true(client_is(&c, "code", "ahead") ||
			    client_is(&c, "code", "bad_request"));
	}
	live_refused(&c,
	    "{\"op\":\"history\",\"id\":1,\"limit\":9223372036854775807}",
	    "bad_request");
	client_close(&c);
}

static void
a_position_of_another_log_is_refused(void **state)
{
	struct client c;

	live_open(&c, live_token());
	live_refused(&c,
	    "{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"a\"],\"from\":0,"
	    "\"log\":\"00000000000000000000000000000000-1\"}",
	    "log_changed");
	live_refused(&c,
	    "{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"a\"],\"from\":0,"
	    "\"log\":\"\"}",
	    "log_changed");
	client_close(&c);
}

/* Text on a connection that speaks JSON, as its first message. */
static void
json_ends(const char *text, unsigned code)
{
	struct wire *w = wire_dial(live_to(), WIRE_DEADLINE_MS);

	assert_non_null(w);
	assert_int_equal(
	    wire_upgrade(w, "Sec-WebSocket-Protocol: peal.v1.json\r\n"), 101);
	assert_true(wire_frame(w, WIRE_FIN | WIRE_TEXT, text, strlen(text)));
	live_ends(w, code);
	wire_free(w);
}

static void
text_that_is_no_json_closes_with_1007(void **state)
{
	static const char *const texts[] = { "", " ", "{", "}", "{\"op\":}",
		"{\"op\":\"ping\"} {}", "{\"a\":1,\"a\":2}", "[1,]", "01", "1e",
		"\"\\ud800\"", "\"\\x\"", "\"a\nb\"", "nul", "NaN",
		"{\"$bin\":\"!\"}", "{\"$int\":\"1e9\"}",
		"{\"$time\":\"yesterday\"}", "{\"$ext\":999,\"data\":\"\"}",
		"{\"$map\":[[1]]}", "{\"$what\":1}", "1e999" };
	char deep[4000];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		json_ends(texts[i], 1007);
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	json_ends(deep, 1007);
	json_ends("\"\xff\"", 1007);
	json_ends("\xed\xa0\x80", 1007);
}

static void
binary_where_json_is_spoken_closes_with_1003(void **state)
{
	struct wire *w = wire_dial(live_to(), WIRE_DEADLINE_MS);

	assert_int_equal(
	    wire_upgrade(w, "Sec-WebSocket-Protocol: peal.v1.json\r\n"), 101);
	assert_true(wire_frame(w, WIRE_FIN | WIRE_BINARY, "{}", 2));
	live_ends(w, 1003);
	wire_free(w);
}

static void
nothing_is_served_before_hello(void **state)
{
	static const char *const texts[] = { "{\"op\":\"ping\",\"id\":1}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"a\"],"
		"\"from\":\"now\"}",
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a\","
		"\"type\":\"t\",\"data\":1}]}",
		"{\"op\":\"emit\",\"id\":1,\"topic\":\"a\",\"type\":\"t\","
		"\"data\":1}",
		"{\"op\":\"auth\",\"id\":1,\"token\":\"a.b.c\"}",
		"{\"op\":\"unsubscribe\",\"id\":1}",
		"{\"op\":\"state\",\"id\":1,\"topics\":[\"a\"]}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct client c = { 0 };
		enum client_kind kind;

		msgpack_unpacked_init(&c.value);
		c.wire = live_wire();
		live_say(c.wire, texts[i]);
		kind = client_next(&c, WIRE_DEADLINE_MS);
		if (kind == CLIENT_CONTROL) {
			assert_string_equal(c.op, "error");
			assert_true(client_is(&c, "code", "unauthorized"));
		} else {
			assert_int_equal(kind, CLIENT_ENDED);
			assert_int_equal(wire_close_code(c.wire), 4401);
		}
		client_close(&c);
	}
}

static void
a_second_hello_is_refused(void **state)
{
	struct client c;

	live_open(&c, live_token());
	live_refused(&c, "{\"op\":\"hello\",\"id\":1,\"v\":1}", "bad_request");
	client_close(&c);
}

static void
an_unknown_version_is_closed_with_4505(void **state)
{
	struct wire *w = live_wire();

	live_say(w, "{\"op\":\"hello\",\"v\":2}");
	live_ends(w, 4505);
	wire_free(w);
}

static void
an_id_in_use_is_refused(void **state)
{
	struct client c;

	live_open(&c, live_token());
	live_answered(&c,
	    "{\"op\":\"subscribe\",\"id\":9,\"topics\":[\"a\"],"
	    "\"from\":\"now\"}",
	    "subscribed");
	live_refused(&c,
	    "{\"op\":\"subscribe\",\"id\":9,\"topics\":[\"b\"],"
	    "\"from\":\"now\"}",
	    "bad_request");
	live_answered(&c, "{\"op\":\"unsubscribe\",\"id\":9}", "ok");
	live_answered(&c, "{\"op\":\"unsubscribe\",\"id\":9}", "ok");
	client_close(&c);
}

static void
subscriptions_beyond_the_limit_are_refused(void **state)
{
	char json[200];
	struct client c;

	live_open(&c, live_token());
	for (unsigned id = 1; id <= 64; id++) {
		snprintf(json, sizeof(json),
		    "{\"op\":\"subscribe\",\"id\":%u,\"topics\":[\"a.%u\"],"
		    "\"from\":\"now\"}",
		    id, id);
		live_answered(&c, json, "subscribed");
	}
	live_answered(&c,
	    "{\"op\":\"subscribe\",\"id\":65,\"topics\":[\"a\"],"
	    "\"from\":\"now\"}",
	    "error");
	client_close(&c);
}

static void
an_event_beyond_a_mebibyte_is_too_large_and_the_connection_stays(void **state)
{
	size_t len = (1 << 20) + 1;
	char *json = malloc(len + 200), *p = json;
	struct client c;

	assert_non_null(json);
	p += sprintf(p,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a\","
	    "\"type\":\"t\",\"data\":\"");
	memset(p, 'x', len);
	strcpy(p + len, "\"}]}");
	live_open(&c, live_token());
	live_refused(&c, json, "too_large");
	client_close(&c);
	free(json);
}

static void
more_events_than_a_request_may_have_are_refused(void **state)
{
	static const char event[] =
	    "{\"topic\":\"a\",\"type\":\"t\",\"data\":1}";
	char *json = malloc(1025 * (sizeof(event) + 1) + 100), *p = json;
	struct client c;

	assert_non_null(json);
	p += sprintf(p, "{\"op\":\"append\",\"id\":1,\"events\":[%s", event);
	for (unsigned i = 0; i < 1024; i++)
		p += sprintf(p, ",%s", event);
	strcpy(p, "]}");
	live_open(&c, live_token());
	live_answered(&c, json, "error");
	assert_true(client_is(&c, "code", "too_large") ||
		    client_is(&c, "code", "bad_request"));
	live_answered(&c, "{\"op\":\"ping\",\"id\":2}", "pong");
	client_close(&c);
	free(json);
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(counts_that_nothing_follows_are_refused),
		HOSTILE(what_is_not_one_value_is_refused),
		HOSTILE(text_that_is_not_utf8_is_refused),
		HOSTILE(a_key_given_twice_is_refused),
		HOSTILE(extensions_without_a_meaning_are_refused),
		HOSTILE(nesting_beyond_the_limit_is_refused),
		HOSTILE(
		    messages_that_are_no_map_are_refused_and_the_connection_stays_or_ends),
		HOSTILE(
		    requests_of_wrong_shape_are_refused_and_the_connection_stays),
		HOSTILE(
		    topics_that_are_none_are_refused_and_the_connection_stays),
		HOSTILE(
		    patterns_that_are_none_are_refused_and_the_connection_stays),
		HOSTILE(system_topics_are_not_written_by_clients),
		HOSTILE(
		    positions_beyond_the_log_are_refused_and_the_connection_stays),
		HOSTILE(a_position_of_another_log_is_refused),
		HOSTILE(text_that_is_no_json_closes_with_1007),
		HOSTILE(binary_where_json_is_spoken_closes_with_1003),
		HOSTILE(nothing_is_served_before_hello),
		HOSTILE(a_second_hello_is_refused),
		HOSTILE(an_unknown_version_is_closed_with_4505),
		HOSTILE(an_id_in_use_is_refused),
		HOSTILE(subscriptions_beyond_the_limit_are_refused),
		HOSTILE(
		    an_event_beyond_a_mebibyte_is_too_large_and_the_connection_stays),
		HOSTILE(more_events_than_a_request_may_have_are_refused),
	};

	if (!live_init())
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile values", tests, live_setup, NULL);
}
