/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tokens that must not open anything, and what an honest one does not open:
 * other users' names, other topics.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tests/lib/live.h"

/* hello with the token gets unauthorized, or 4401. */
static void
refused(const char *token)
{
	struct client c;

	assert_false(client_open(&c, live_to(), token));
	if (c.wire == NULL)
		fail_msg("no connection: %s", c.wrong);
	if (strcmp(c.op, "error") == 0)
		assert_true(client_is(&c, "code", "unauthorized"));
	else
		assert_int_equal(wire_close_code(c.wire), 4401);
	client_close(&c);
}

static void
refused_and_free(char *token)
{
	refused(token);
	free(token);
}

static char *
joined(const char *a, const char *b, const char *c)
{
	char *token;

	assert_true(asprintf(&token, "%s.%s.%s", a, b, c) > 0);
	return token;
}

/* Claims that would open everything. */
static char *
all_rights(void)
{
	char *claims = live_claims("eve", 0, 600,
	    "{\"read\":[\">\"],\"write\":[\">\"],\"admin\":true}");
	char *coded = live_base64url(claims, strlen(claims));

	free(claims);
	return coded;
}

static void
a_right_token_is_accepted(void **state)
{
	char *token =
	    live_token_for("ann", -5, 600, "{\"read\":[\"a.>\"],\"write\":[]}");
	struct client c;

	live_open(&c, token);
	assert_true(client_is(&c, "user", "ann"));
	client_close(&c);
	free(token);
}

static void
no_token_is_refused(void **state)
{
	refused(NULL);
}

static void
algorithm_none_is_refused(void **state)
{
	static const char *const headers[] = { "{\"alg\":\"none\"}",
		"{\"alg\":\"None\"}", "{\"alg\":\"NONE\"}", "{\"alg\":\"\"}",
		"{}", "{\"alg\":null}" };
	char *claims = all_rights();

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		char *h = live_base64url(headers[i], strlen(headers[i]));

		refused_and_free(joined(h, claims, ""));
		refused_and_free(joined(h, claims, "AAAA"));
		free(h);
	}
	free(claims);
}

static void
an_hmac_keyed_with_the_public_key_is_refused(void **state)
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	char *h = live_base64url(header, strlen(header));
	char *c = all_rights(), *text, *signature;
	char key[2048];
	uint8_t mac[32];
	unsigned len = sizeof(mac);

	/* As the file has it, with and without its last newline. */
	for (unsigned i = 0; i < 2; i++) {
		snprintf(key, sizeof(key), "%s%s", live_file("PEAL_PUBLIC"),
		    i == 0 ? "\n" : "");
		assert_true(asprintf(&text, "%s.%s", h, c) > 0);
		HMAC(EVP_sha256(), key, (int)strlen(key), (uint8_t *)text,
		    strlen(text), mac, &len);
		signature = live_base64url(mac, len);
		refused_and_free(joined(h, c, signature));
		free(signature);
		free(text);
	}
	free(h);
	free(c);
}

static void
a_signature_of_zeros_is_refused(void **state)
{
	const uint8_t zeros[64] = { 0 };
	char *h = live_base64url(LIVE_ES256, strlen(LIVE_ES256));
	char *c = all_rights(), *s = live_base64url(zeros, sizeof(zeros));

	refused_and_free(joined(h, c, s));
	refused_and_free(joined(h, c, ""));
	free(h);
	free(c);
	free(s);
}

static void
a_token_that_was_changed_is_refused(void **state)
{
	char *token = live_token_for(
	    "ann", -5, 600, "{\"read\":[\">\"],\"write\":[\">\"]}");
	size_t len = strlen(token);

	for (size_t at = 0; at < len; at += 7) {
		char was = token[at];

		token[at] = was == 'A' ? 'Q' : 'A';
		if (was != '.')
			refused(token);
		token[at] = was;
	}
	free(token);
}

static void
times_that_do_not_hold_are_refused(void **state)
{
	static const char rights[] = "{\"read\":[\">\"],\"write\":[\">\"]}";
	char claims[300];
	long now = (long)time(NULL);

	refused_and_free(live_token_for("ann", -600, -60, rights));
	refused_and_free(live_token_for("ann", 300, 600, rights));
	snprintf(claims, sizeof(claims),
	    "{\"sub\":\"ann\",\"iat\":%ld,\"exp\":%ld,\"nbf\":%ld,"
	    "\"peal\":%s}",
	    now, now + 600, now + 300, rights);
	refused_and_free(live_sign(LIVE_ES256, claims));
}

static void
claims_that_are_missing_or_wrong_are_refused(void **state)
{
	/* All but the faults would hold until 2100. */
	static const char *const claims[] = {
		"{\"iat\":1700000000,\"exp\":4102444800}",
		"{\"sub\":\"\",\"iat\":1700000000,\"exp\":4102444800}",
		"{\"sub\":7,\"iat\":1700000000,\"exp\":4102444800}",
		"{\"sub\":\"ann\",\"iat\":\"1700000000\",\"exp\":4102444800}",
		"{\"sub\":\"ann\",\"iat\":1700000000,\"exp\":\"4102444800\"}",
		"{\"sub\":\"ann\",\"iat\":1700000000,\"exp\":4102444800,"
		"\"sub\":\"bob\"}",
		"{\"sub\":\"ann\",\"iat\":1700000000,\"exp\":4102444800,"
		"\"exp\":4102444801}",
		"{\"sub\":\"ann\",\"exp\":4102444800}",
		"{\"sub\":\"ann\",\"iat\":1700000000}",
		"[\"sub\",1700000000,4102444800]",
		"not JSON",
		"",
	};

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
		refused_and_free(live_sign(LIVE_ES256, claims[i]));
	refused_and_free(live_sign("{\"alg\":\"ES256\",\"alg\":\"none\"}",
	    "{\"sub\":\"ann\",\"iat\":1700000000,\"exp\":4102444800}"));
}

static void
what_is_no_token_at_all_is_refused(void **state)
{
	static const char *const texts[] = { "", ".", "..", "...", "a", "a.b",
		"a.b.c", "a.b.c.d", "!!!.???.***" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i]);
}

static void
a_token_of_64_kib_is_refused(void **state)
{
	char *token = malloc(65537);
	struct client c;

	assert_non_null(token);
	memset(token, 'a', 65536);
	token[65536] = '\0';
	/* Longer than a hello may be: closed before anybody looks at it. */
	assert_false(client_open(&c, live_to(), token));
	assert_int_equal(wire_close_code(c.wire), 1009);
	client_close(&c);
	/* Longer than a token may be, in a hello that is short enough. */
	token[5000] = '\0';
	refused_and_free(token);
}

static void
the_actor_is_the_tokens_user_whatever_the_client_says(void **state)
{
	char *token = live_token_for(
	    "ann", -5, 600, "{\"read\":[\"w.>\"],\"write\":[\"w.>\"]}");
	struct client c;
	const msgpack_object *event;
	uint64_t until;

	live_open(&c, token);
	live_answered(&c,
	    "{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"w.>\"],"
	    "\"from\":\"now\"}",
	    "subscribed");
	live_say(c.wire,
	    "{\"op\":\"append\",\"id\":2,\"events\":[{\"topic\":\"w.a\","
	    "\"type\":\"t\",\"data\":1,\"actor\":\"bob\"}]}");
	until = (uint64_t)wire_now_ms() + WIRE_DEADLINE_MS;
	do {
		enum client_kind kind = client_next(&c, WIRE_DEADLINE_MS);

		assert_true(kind == CLIENT_BATCH || kind == CLIENT_CONTROL);
		if (kind == CLIENT_CONTROL && strcmp(c.op, "error") == 0) {
			assert_true(client_is(&c, "code", "forbidden") ||
				    client_is(&c, "code", "bad_request"));
			client_close(&c);
			free(token);
			return;
		}
		if (kind == CLIENT_BATCH && c.span.n > 0)
			break;
	} while ((uint64_t)wire_now_ms() < until);
	event = &c.value.data.via.array.ptr[2];
	assert_int_equal(event->via.array.ptr[5].via.str.size, 3);
	assert_memory_equal(event->via.array.ptr[5].via.str.ptr, "ann", 3);
	client_close(&c);
	free(token);
}

static void
topics_beyond_the_token_are_not_written(void **state)
{
	char *token = live_token_for(
	    "ann", -5, 600, "{\"read\":[\">\"],\"write\":[\"w.{sub}.>\"]}");
	struct client c;

	live_open(&c, token);
	live_answered(&c,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"w.ann.a\","
	    "\"type\":\"t\",\"data\":1}]}",
	    "appended");
	live_refused(&c,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"w.bob.a\","
	    "\"type\":\"t\",\"data\":1}]}",
	    "forbidden");
	live_refused(&c,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"w.ann.a\","
	    "\"type\":\"t\",\"data\":1},{\"topic\":\"w.bob.a\","
	    "\"type\":\"t\",\"data\":1}]}",
	    "forbidden");
	live_refused(&c,
	    "{\"op\":\"emit\",\"id\":1,\"topic\":\"w.bob.a\","
	    "\"type\":\"t\",\"data\":1}",
	    "forbidden");
	client_close(&c);
	free(token);
}

/* One event on each of d.open.x and d.shut.x, by a client that may. */
static uint64_t
two_events(void)
{
	struct client c;
	uint64_t seq;

	live_open(&c, live_token());
	live_answered(&c,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"d.shut.x\","
	    "\"type\":\"t\",\"data\":1},{\"topic\":\"d.open.x\",\"type\":\"t\","
	    "\"data\":1}]}",
	    "appended");
	seq = client_uint(&c, "seq", 0) + 1;
	client_close(&c);
	return seq;
}

/* Read until seq; every event on the way is one of d.open. */
static void
reads_open_alone(struct client *c, uint64_t seq)
{
	uint64_t upto = 0, events = 0;

	while (upto < seq) {
		enum client_kind kind = client_next(c, WIRE_DEADLINE_MS);

		assert_true(kind == CLIENT_BATCH || kind == CLIENT_CONTROL);
		if (kind == CLIENT_CONTROL && strcmp(c->op, "replay") != 0)
			continue;
		for (size_t i = 0; i < c->span.n; i++) {
			assert_int_equal(c->span.events[i].topic_len, 8);
			assert_memory_equal(
			    c->span.events[i].topic, "d.open.x", 8);
			events++;
		}
		upto = c->span.upto;
	}
	assert_true(events > 0);
}

static void
topics_beyond_the_token_are_not_read_live_nor_replayed(void **state)
{
	char *token = live_token_for(
	    "ann", -5, 600, "{\"read\":[\"d.open.>\"],\"write\":[]}");
	uint64_t before = two_events(), after;
	struct client c;

	live_open(&c, token);
	live_refused(&c,
	    "{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"d.shut.>\"],"
	    "\"from\":\"now\"}",
	    "forbidden");
	/* A wildcard over both sees the one; first past, then present. */
	assert_true(client_subscribe(&c, 2, ">", before - 2));
	reads_open_alone(&c, before);
	after = two_events();
	reads_open_alone(&c, after);
	client_close(&c);
	free(token);
}

static void
a_checked_topic_must_be_readable(void **state)
{
	char *token =
	    live_token_for("ann", -5, 600, "{\"read\":[],\"write\":[\"d.>\"]}");
	struct client c;

	live_open(&c, token);
	live_refused(&c,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"d.a\","
	    "\"type\":\"t\",\"data\":1,\"expect\":0}]}",
	    "forbidden");
	live_refused(&c,
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"d.a\","
	    "\"type\":\"t\",\"data\":1}],\"checks\":[{\"topic\":\"d.b\","
	    "\"version\":0}]}",
	    "forbidden");
	client_close(&c);
	free(token);
}

static void
a_token_of_another_user_does_not_renew(void **state)
{
	char *ann = live_token_for("ann", -5, 600, "{\"read\":[\">\"]}");
	char *bob = live_token_for("bob", -5, 600, "{\"read\":[\">\"]}");
	char json[4096];
	struct client c;
	enum client_kind kind;

	live_open(&c, ann);
	snprintf(json, sizeof(json),
	    "{\"op\":\"auth\",\"id\":1,\"token\":\"%s\"}", ann);
	live_answered(&c, json, "ok");
	snprintf(json, sizeof(json),
	    "{\"op\":\"auth\",\"id\":1,\"token\":\"%s\"}", bob);
	live_say(c.wire, json);
	kind = client_next(&c, WIRE_DEADLINE_MS);
	assert_true(kind == CLIENT_ENDED ||
		    (kind == CLIENT_CONTROL && strcmp(c.op, "error") == 0));
	client_close(&c);
	free(ann);
	free(bob);
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(a_right_token_is_accepted),
		HOSTILE(no_token_is_refused),
		HOSTILE(algorithm_none_is_refused),
		HOSTILE(an_hmac_keyed_with_the_public_key_is_refused),
		HOSTILE(a_signature_of_zeros_is_refused),
		HOSTILE(a_token_that_was_changed_is_refused),
		HOSTILE(times_that_do_not_hold_are_refused),
		HOSTILE(claims_that_are_missing_or_wrong_are_refused),
		HOSTILE(what_is_no_token_at_all_is_refused),
		HOSTILE(a_token_of_64_kib_is_refused),
		HOSTILE(the_actor_is_the_tokens_user_whatever_the_client_says),
		HOSTILE(topics_beyond_the_token_are_not_written),
		HOSTILE(topics_beyond_the_token_are_not_read_live_nor_replayed),
		HOSTILE(a_checked_topic_must_be_readable),
		HOSTILE(a_token_of_another_user_does_not_renew),
	};

	if (!live_init())
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile tokens", tests, live_setup, NULL);
}
