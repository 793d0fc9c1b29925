/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Questions that no honest client asks, and honest ones at their limits: a
 * wrong one gets an error and the connection stays; nobody sees what its
 * token may not read.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/macros.h"
#include "tests/lib/query.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* A request of id 1. */
#define STATE(rest) "{\"op\":\"state\",\"id\":1," rest "}"
#define ALL	    "\"topics\":[\"open.>\"]"
#define HISTORY	    "{\"op\":\"history\",\"id\":1"
#define SNAPSHOT(id, topics, rest)                                          \
	"{\"op\":\"subscribe\",\"id\":" #id ",\"topics\":[\"" topics "\"]," \
	"\"from\":\"snapshot\"" rest "}"
#define UNSUBSCRIBE(id) "{\"op\":\"unsubscribe\",\"id\":" #id "}"
#define BEYOND		"9007199254740992"
#define GREATEST	"9007199254740991"

static uint64_t seq_of_last; /* of what the group appended first */

static void
all_refused(const char *const *texts, size_t n, const char *code)
{
	struct client c;

	live_open(&c, live_token());
	for (size_t i = 0; i < n; i++)
		query_refused(&c, texts[i], code);
	client_close(&c);
}

/* Both are right: what limit 0 means is not told. */
static void
answered_or_refused(struct client *c, const char *json)
{
	struct query q;

	live_say(c->wire, json);
	query_answer(c, 1, &q);
	if (q.code[0] != '\0')
		assert_string_equal(q.code, "bad_request");
}

/* --- of wrong shape --- */

static void
questions_for_state_of_wrong_shape_are_refused(void **state)
{
	static const char *const texts[] = {
		"{\"op\":\"state\",\"id\":1}",
		STATE("\"topics\":[]"),
		STATE("\"topics\":\"open\""),
		STATE("\"topics\":{}"),
		STATE("\"topics\":[1]"),
		STATE("\"topics\":[\"a..b\"]"),
		STATE("\"topics\":[\"a.>.b\"]"),
		STATE("\"topics\":[\"\"]"),
		STATE("\"topics\":[null]"),
		STATE(ALL ",\"at\":-1"),
		STATE(ALL ",\"at\":1.5"),
		STATE(ALL ",\"at\":\"1\""),
		STATE(ALL ",\"at\":[1]"),
		STATE(ALL ",\"at\":" BEYOND),
		STATE(ALL ",\"at\":{}"),
		STATE(ALL ",\"at\":{\"time\":\"now\"}"),
		STATE(ALL ",\"at\":{\"times\":1}"),
		STATE(ALL ",\"at\":{\"time\":1.5}"),
		STATE(ALL ",\"min_seq\":-1"),
		STATE(ALL ",\"min_seq\":\"1\""),
		STATE(ALL ",\"min_seq\":" BEYOND),
	};

	all_refused(texts, N(texts), "bad_request");
}

static void
more_patterns_than_allowed_are_refused(void **state)
{
	char *json = malloc(257 * 8 + 100), *p = json;
	struct client c;

	assert_non_null(json);
	p += sprintf(p, "{\"op\":\"state\",\"id\":1,\"topics\":[\"a\"");
	for (unsigned i = 0; i < 256; i++)
		p += sprintf(p, ",\"b.%u\"", i);
	strcpy(p, "]}");
	live_open(&c, live_token());
	query_refused(&c, json, "bad_request");
	client_close(&c);
	free(json);
}

static void
questions_for_history_of_wrong_shape_are_refused(void **state)
{
	static const char *const texts[] = {
		HISTORY ",\"topic\":\"\"}",
		HISTORY ",\"topic\":\"a..b\"}",
		HISTORY ",\"topic\":[\"open.>\"]}",
		HISTORY ",\"actor\":1}",
		HISTORY ",\"type\":\"\"}",
		HISTORY ",\"type\":1}",
		HISTORY ",\"type\":\"ttttttttttttttttttttttttttttttttttttttttt"
			"tttttttttttttttttttttttt\"}",
		HISTORY ",\"after\":-1}",
		HISTORY ",\"after\":\"1\"}",
		HISTORY ",\"after\":" BEYOND "}",
		HISTORY ",\"before\":-1}",
		HISTORY ",\"before\":1.5}",
		HISTORY ",\"before\":" BEYOND "}",
		HISTORY ",\"from_time\":\"now\"}",
		HISTORY ",\"to_time\":{}}",
		HISTORY ",\"limit\":-1}",
		HISTORY ",\"limit\":10001}",
		HISTORY ",\"limit\":" GREATEST "}",
		HISTORY ",\"limit\":" BEYOND "}",
		HISTORY ",\"limit\":\"all\"}",
		HISTORY ",\"reverse\":1}",
		HISTORY ",\"reverse\":\"true\"}",
		HISTORY ",\"min_seq\":-1}",
	};

	all_refused(texts, N(texts), "bad_request");
}

static void
snapshots_asked_for_wrongly_are_refused(void **state)
{
	static const char *const texts[] = {
		SNAPSHOT(1, "open.>", ",\"since\":1"),
		SNAPSHOT(1, "open.>", ",\"since\":-1,\"log\":\"x\""),
		SNAPSHOT(1, "open.>", ",\"since\":\"1\",\"log\":\"x\""),
		SNAPSHOT(1, "open.>", ",\"since\":" BEYOND ",\"log\":\"x\""),
		SNAPSHOT(1, "open.>", ",\"since\":1,\"log\":1"),
		SNAPSHOT(1, "open.>", ",\"types\":[\"*_set\"]"),
		SNAPSHOT(1, "open.>", ",\"types\":[]"),
		SNAPSHOT(1, "open.>", ",\"min_seq\":-1"),
		SNAPSHOT(1, "a..b", ""),
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"a\"],"
		"\"from\":\"now\",\"since\":1,\"log\":\"x\"}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"a\"],"
		"\"from\":\"snapshots\"}",
		"{\"op\":\"subscribe\",\"topics\":[\"a\"],"
		"\"from\":\"snapshot\"}",
	};
	struct client c;

	all_refused(texts, N(texts) - 1, "bad_request");
	live_open(&c, live_token());
	live_refused(&c, texts[N(texts) - 1], "bad_request");
	client_close(&c);
}

static void
questions_for_presence_of_wrong_shape_are_refused(void **state)
{
	static const char *const texts[] = {
		"{\"op\":\"presence\",\"id\":1}",
		"{\"op\":\"presence\",\"id\":1,\"topics\":[]}",
		"{\"op\":\"presence\",\"id\":1,\"topics\":\"a\"}",
		"{\"op\":\"presence\",\"id\":1,\"topics\":[\"a..b\"]}",
	};

	all_refused(texts, N(texts), "bad_request");
}

/* --- at the limits --- */

static void
history_at_the_extremes_is_answered(void **state)
{
	static const struct {
		const char *json;
		bool some;
	} asked[] = {
		{ HISTORY ",\"limit\":1}", true },
		{ HISTORY ",\"limit\":10000}", true },
		{ HISTORY ",\"after\":0}", true },
		{ HISTORY ",\"after\":" GREATEST "}", false },
		{ HISTORY ",\"before\":" GREATEST "}", true },
		{ HISTORY ",\"before\":0}", false },
		{ HISTORY ",\"before\":1}", false },
		{ HISTORY ",\"after\":1,\"before\":2}", false },
		{ HISTORY ",\"after\":3,\"before\":1}", false },
		{ HISTORY ",\"before\":1,\"reverse\":true}", false },
		{ HISTORY ",\"after\":" GREATEST ",\"reverse\":true}", false },
		{ HISTORY ",\"before\":" GREATEST ",\"reverse\":true}", true },
		{ HISTORY ",\"from_time\":" GREATEST "}", false },
		{ HISTORY ",\"to_time\":0}", false },
		{ HISTORY ",\"from_time\":0,\"to_time\":" GREATEST "}", true },
		{ HISTORY ",\"from_time\":9,\"to_time\":8}", false },
		{ HISTORY ",\"actor\":\"\"}", false },
		{ HISTORY ",\"actor\":\"nobody\"}", false },
		{ HISTORY ",\"type\":\"nothing_*\"}", false },
		{ HISTORY ",\"topic\":\"nothing.>\"}", false },
		{ HISTORY ",\"topic\":\"$acl.>\"}", false },
	};
	struct client c;
	struct query q;

	live_open(&c, live_token());
	for (size_t i = 0; i < N(asked); i++) {
		query_ask(&c, 1, &q, asked[i].json);
		/* An empty page may have next; nothing may come then. */
		if (q.code[0] != '\0' && strstr(asked[i].json, "$acl") == NULL)
			fail_msg("%s: %s", asked[i].json, q.text);
		if (asked[i].some != (q.events > 0))
			fail_msg("%s: %u events", asked[i].json, q.events);
	}
	answered_or_refused(&c, HISTORY ",\"limit\":0}");
	client_close(&c);
}

static unsigned
walk(struct client *c, const char *rest, bool reverse)
{
	uint64_t next = reverse ? (UINT64_C(1) << 53) - 1 : 0, before = next;
	unsigned events = 0;
	char json[400];
	struct query q;

	do {
		snprintf(json, sizeof(json),
		    HISTORY ",\"limit\":7%s,\"reverse\":%s,\"%s\":%llu}", rest,
		    reverse ? "true" : "false", reverse ? "before" : "after",
		    (unsigned long long)next);
		query_ask(c, 1, &q, json);
		assert_string_equal(q.code, "");
		assert_true(q.events <= 7);
		events += q.events;
		before = next;
		next = q.next;
		/* It goes on, or it would never end. */
		assert_true(
		    next == 0 || (reverse ? next < before : next > before));
	} while (next != 0);
	return events;
}

static void
pages_lead_over_all_events_both_ways(void **state)
{
	static const char *const rest[] = { ",\"topic\":\"open.1.>\"",
		",\"type\":\"*_deleted\",\"topic\":\"open.>\"",
		",\"actor\":\"nobody\"" };
	struct client c;

	live_open(&c, live_token());
	for (size_t i = 0; i < N(rest); i++)
		assert_int_equal(
		    walk(&c, rest[i], false), walk(&c, rest[i], true));
	assert_true(walk(&c, rest[0], false) > 7);
	client_close(&c);
}

static void
state_at_the_extremes_is_answered_or_ahead(void **state)
{
	static const char *const ahead[] = {
		STATE(ALL ",\"at\":" GREATEST),
		STATE(ALL ",\"min_seq\":" GREATEST),
		HISTORY ",\"min_seq\":" GREATEST "}",
		SNAPSHOT(1, "open.>", ",\"min_seq\":" GREATEST),
	};
	struct client c;
	struct query q;

	live_open(&c, live_token());
	for (size_t i = 0; i < N(ahead); i++)
		query_refused(&c, ahead[i], "ahead");
	query_ask(&c, 1, &q, STATE(ALL ",\"at\":0"));
	assert_true(q.code[0] == '\0' || !strcmp(q.code, "not_found"));
	assert_int_equal(q.rows, 0);
	query_ask(&c, 1, &q, STATE(ALL ",\"at\":{\"time\":0}"));
	assert_true(q.code[0] == '\0' || !strcmp(q.code, "not_found"));
	assert_int_equal(q.rows, 0);
	query_ask(&c, 1, &q, STATE(ALL ",\"at\":{\"time\":" GREATEST "}"));
	assert_string_equal(q.code, "");
	assert_true(q.rows > 0);
	query_ask(&c, 1, &q, STATE("\"topics\":[\"open.>\",\"open.1.>\"]"));
	assert_string_equal(q.code, "");
	client_close(&c);
}

static void
a_seq_that_comes_while_it_is_waited_for_is_not_ahead(void **state)
{
	struct query q = { .code = "ahead" };
	struct client c, other;
	uint64_t seq = 0;
	char json[200];

	live_open(&c, live_token());
	live_open(&other, live_token());
	/* On a busy machine it may come when nobody waits any more. */
	for (unsigned i = 0; i < 20 && q.code[0] != '\0'; i++) {
		seq = query_append(&other, "open.e", "set");
		snprintf(json, sizeof(json), STATE(ALL ",\"min_seq\":%llu"),
		    (unsigned long long)seq + 1);
		live_say(c.wire, json);
		assert_true(query_append(&other, "open.e", "set") > seq);
		query_answer(&c, 1, &q);
	}
	assert_string_equal(q.code, "");
	assert_true(q.seq > seq);
	client_close(&c);
	client_close(&other);
}

/* --- snapshots --- */

static void
what_changed_since_needs_the_same_log_and_a_seq_it_has(void **state)
{
	char json[400];
	struct client c;
	struct query q;

	live_open(&c, live_token());
	query_refused(&c,
	    SNAPSHOT(1, "open.>",
		",\"since\":1,\"log\":\"00000000000000000000000000000000-1\""),
	    "log_changed");
	snprintf(json, sizeof(json),
	    SNAPSHOT(1, "open.>", ",\"since\":" GREATEST ",\"log\":\"%s\""),
	    c.log);
	query_refused(&c, json, "ahead");
	snprintf(json, sizeof(json),
	    SNAPSHOT(1, "open.>", ",\"since\":%llu,\"log\":\"%s\""),
	    (unsigned long long)seq_of_last, c.log);
	query_ask(&c, 1, &q, json);
	assert_string_equal(q.code, "");
	assert_false(q.full);
	client_close(&c);
}

static void
patterns_that_match_nothing_give_an_empty_last_part(void **state)
{
	struct client c;
	struct query q;

	live_open(&c, live_token());
	query_ask(&c, 1, &q, STATE("\"topics\":[\"nothing.>\",\"x.*.y\"]"));
	assert_string_equal(q.code, "");
	assert_int_equal(q.rows, 0);
	assert_int_equal(q.parts, 1);
	query_ask(&c, 2, &q, SNAPSHOT(2, "nothing.>", ""));
	assert_string_equal(q.code, "");
	assert_int_equal(q.rows, 0);
	assert_int_equal(q.parts, 1);
	assert_true(q.full);
	client_close(&c);
}

static void
an_id_in_use_by_a_snapshot_is_refused(void **state)
{
	struct client c;
	unsigned refused = 0, whole = 0;
	struct query q;

	live_open(&c, live_token());
	/* The snapshot and the refusal come in any order. */
	live_say(c.wire, SNAPSHOT(7, ">", ""));
	live_say(c.wire, SNAPSHOT(7, "open.>", ""));
	for (unsigned i = 0; i < 2; i++) {
		query_answer(&c, 7, &q);
		refused += !strcmp(q.code, "bad_request");
		whole += q.code[0] == '\0';
	}
	assert_int_equal(refused, 1);
	assert_int_equal(whole, 1);
	query_ask(&c, 7, &q, "{\"op\":\"state\",\"id\":7," ALL "}");
	assert_string_equal(q.code, "bad_request");
	live_answered(&c, UNSUBSCRIBE(7), "ok");
	query_ask(&c, 7, &q, SNAPSHOT(7, "open.>", ""));
	assert_string_equal(q.code, "");
	client_close(&c);
}

static void
nothing_comes_of_a_snapshot_after_its_unsubscribe(void **state)
{
	struct client c;
	struct query q;
	bool ok = false;

	live_open(&c, live_token());
	for (unsigned i = 0; i < 30; i++) {
		live_say(c.wire, SNAPSHOT(5, ">", ""));
		live_say(c.wire, UNSUBSCRIBE(5));
		live_say(c.wire, "{\"op\":\"ping\",\"id\":6}");
		ok = false;
		for (;;) {
			enum client_kind kind =
			    client_next(&c, WIRE_DEADLINE_MS);

			assert_true(
			    kind == CLIENT_CONTROL || kind == CLIENT_BATCH);
			if (kind == CLIENT_BATCH)
				continue;
			if (!strcmp(c.op, "pong"))
				break;
			assert_false(ok);
			ok = !strcmp(c.op, "ok");
		}
		/* The answers' order is not told: the last may be behind. */
		if (!ok)
			assert_int_equal(
			    client_await(&c, "ok", WIRE_DEADLINE_MS),
			    CLIENT_CONTROL);
	}
	query_ask(&c, 5, &q, SNAPSHOT(5, "open.>", ""));
	assert_string_equal(q.code, "");
	client_close(&c);
}

static void
as_many_snapshots_as_subscriptions_are_allowed_all_end(void **state)
{
	unsigned open = 64, rows = 0;
	char json[200];
	struct client c;
	struct query q;

	live_open(&c, live_token());
	for (unsigned i = 1; i <= 64; i++) {
		snprintf(json, sizeof(json),
		    "{\"op\":\"subscribe\",\"id\":%u,\"topics\":[\"open.%u.>\"],"
		    "\"from\":\"snapshot\"}",
		    i, i % 16);
		live_say(c.wire, json);
	}
	while (open > 0) {
		enum client_kind kind = client_next(&c, WIRE_DEADLINE_MS);
		const msgpack_object *last = client_get(&c, "last");

		assert_true(kind == CLIENT_CONTROL || kind == CLIENT_BATCH);
		if (kind == CLIENT_BATCH || !strcmp(c.op, "subscribed"))
			continue;
		assert_string_equal(c.op, "snapshot");
		rows += client_get(&c, "rows")->via.array.size;
		if (last->via.boolean)
			open--;
	}
	assert_true(rows > 64);
	query_ask(&c, 65, &q, SNAPSHOT(65, "open.>", ""));
	assert_true(q.code[0] != '\0');
	client_close(&c);
}

/* --- what a token may not read --- */

static void
secrets_are_not_seen_in_answers(void **state)
{
	static const char *const texts[] = { STATE("\"topics\":[\">\"]"),
		STATE("\"topics\":[\"*.x\",\"open.>\"]"),
		STATE("\"topics\":[\"*.>\"],\"at\":3"),
		STATE("\"topics\":[\">\"],\"at\":{\"time\":" GREATEST "}"),
		HISTORY "}", HISTORY ",\"topic\":\">\",\"limit\":10000}",
		HISTORY ",\"topic\":\"*.x\"}",
		HISTORY ",\"actor\":\"dev\",\"limit\":10000}",
		HISTORY ",\"type\":\"secret_*\",\"limit\":10000}",
		HISTORY ",\"reverse\":true,\"limit\":10000}",
		SNAPSHOT(1, ">", ""),
		"{\"op\":\"presence\",\"id\":1,\"topics\":[\">\"]}",
		"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\">\"],\"from\":0,"
		"\"log\":\"@\"}" };
	char *token = query_token(
	    "guest", "{\"read\":[\"open.>\"],\"write\":[\"open.>\"]}");
	struct client c, other;
	char json[400];
	struct query q;

	live_open(&other, live_token());
	live_answered(&other,
	    "{\"op\":\"subscribe\",\"id\":2,\"topics\":[\"secret.>\"],"
	    "\"from\":\"now\"}",
	    "subscribed");
	for (size_t i = 0; i < N(texts); i++) {
		live_open(&c, token);
		snprintf(json, sizeof(json), "%.*s%s%s",
		    (int)strcspn(texts[i], "@"), texts[i],
		    strchr(texts[i], '@') != NULL ? c.log : "",
		    texts[i] +
			MIN(strlen(texts[i]), strcspn(texts[i], "@") + 1));
		query_ask(&c, 1, &q, json);
		assert_string_equal(q.code, "");
		if (q.secret != 0)
			fail_msg("%s shows secrets", json);
		if (strstr(json, "secret_") != NULL)
			assert_int_equal(q.events, 0);
		client_close(&c);
	}
	client_close(&other);
	free(token);
}

static void
secrets_asked_for_alone_are_forbidden(void **state)
{
	static const char *const texts[] = {
		STATE("\"topics\":[\"secret.x\"]"),
		STATE("\"topics\":[\"secret.>\"]"),
		STATE("\"topics\":[\"secret.>\"],\"at\":1"),
		HISTORY ",\"topic\":\"secret.x\"}",
		SNAPSHOT(1, "secret.>", ""),
		"{\"op\":\"presence\",\"id\":1,\"topics\":[\"secret.>\"]}",
		STATE("\"topics\":[\"$acl.>\"]"),
		HISTORY ",\"topic\":\"$acl.>\"}",
	};
	char *token = query_token(
	    "guest", "{\"read\":[\"open.>\"],\"write\":[\"open.>\"]}");
	struct client c;

	live_open(&c, token);
	for (size_t i = 0; i < N(texts); i++)
		query_refused(&c, texts[i], "forbidden");
	client_close(&c);
	free(token);
}

static void
secrets_are_not_seen_live(void **state)
{
	char *token = query_token(
	    "guest", "{\"read\":[\"open.>\"],\"write\":[\"open.>\"]}");
	struct client c, other;
	struct query q;
	uint64_t seq;

	live_open(&c, token);
	live_open(&other, live_token());
	query_ask(&c, 1, &q, SNAPSHOT(1, ">", ""));
	assert_string_equal(q.code, "");
	assert_int_equal(q.secret, 0);
	(void)query_append(&other, "secret.x", "secret_set");
	seq = query_append(&other, "open.live", "thing_set");
	for (;;) {
		assert_int_equal(
		    client_next(&c, WIRE_DEADLINE_MS), CLIENT_BATCH);
		assert_null(memmem(c.bytes, c.len, "secret", 6));
		if (c.span.upto >= seq)
			break;
	}
	client_close(&c);
	client_close(&other);
	free(token);
}

/* --- stored positions --- */

static void
opened_as(struct client *c, const char *instance)
{
	if (!client_open_as(c, live_to(), live_token(), instance))
		fail_msg("no welcome: %s", c->wrong);
}

static void
acks_of_wrong_shape_are_refused(void **state)
{
	static const char *const texts[] = {
		"{\"op\":\"ack\",\"id\":1}",
		"{\"op\":\"ack\",\"id\":1,\"seq\":-1}",
		"{\"op\":\"ack\",\"id\":1,\"seq\":\"1\"}",
		"{\"op\":\"ack\",\"id\":1,\"seq\":1.5}",
		"{\"op\":\"ack\",\"id\":1,\"seq\":" BEYOND "}",
		"{\"op\":\"ack\",\"id\":1,\"seq\":1,\"name\":1}",
	};
	char json[300], name[130];
	struct client c;

	opened_as(&c, "shapes");
	for (size_t i = 0; i < N(texts); i++)
		query_refused(&c, texts[i], "bad_request");
	memset(name, 'n', 129);
	name[129] = '\0';
	snprintf(json, sizeof(json),
	    "{\"op\":\"ack\",\"id\":1,\"seq\":1,\"name\":\"%s\"}", name);
	query_refused(&c, json, "bad_request");
	query_refused(
	    &c, "{\"op\":\"ack\",\"id\":1,\"seq\":" GREATEST "}", "ahead");
	client_close(&c);
}

static void
an_ack_of_no_client_is_refused(void **state)
{
	struct client c;

	live_open(&c, live_token());
	query_refused(&c, "{\"op\":\"ack\",\"id\":1,\"seq\":1}", "bad_request");
	client_close(&c);
}

static void
more_names_than_allowed_are_refused(void **state)
{
	char json[200];
	struct client c;

	opened_as(&c, "names");
	for (unsigned i = 0; i < 16; i++) {
		snprintf(json, sizeof(json),
		    "{\"op\":\"ack\",\"seq\":1,\"name\":\"n%u\"}", i);
		live_say(c.wire, json);
	}
	query_refused(&c,
	    "{\"op\":\"ack\",\"id\":1,\"seq\":1,\"name\":\"n16\"}",
	    "too_large");
	live_say(c.wire, "{\"op\":\"ack\",\"seq\":2,\"name\":\"n3\"}");
	live_answered(&c, "{\"op\":\"ping\",\"id\":2}", "pong");
	client_close(&c);
}

static void
a_position_that_nobody_stored_is_not_found(void **state)
{
	static const char json[] = "{\"op\":\"subscribe\",\"id\":1,"
				   "\"topics\":[\"open.>\"],\"from\":\"ack\","
				   "\"name\":\"never\"}";
	struct client c;
	struct query q;

	opened_as(&c, "unknown");
	query_refused(&c, json, "not_found");
	client_close(&c);
	live_open(&c, live_token());
	query_ask(&c, 1, &q, json);
	assert_true(
	    !strcmp(q.code, "not_found") || !strcmp(q.code, "bad_request"));
	client_close(&c);
}

/* What the tests ask about. */
static int
group_setup(void **state)
{
	struct client c;

	live_open(&c, live_token());
	(void)query_append(&c, "open.x", "thing_set");
	(void)query_append(&c, "secret.x", "secret_set");
	seq_of_last = query_append(&c, "secret.y", "secret_deleted");
	client_close(&c);
	return 0;
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(questions_for_state_of_wrong_shape_are_refused),
		HOSTILE(more_patterns_than_allowed_are_refused),
		HOSTILE(questions_for_history_of_wrong_shape_are_refused),
		HOSTILE(snapshots_asked_for_wrongly_are_refused),
		HOSTILE(questions_for_presence_of_wrong_shape_are_refused),
		HOSTILE(history_at_the_extremes_is_answered),
		HOSTILE(pages_lead_over_all_events_both_ways),
		HOSTILE(state_at_the_extremes_is_answered_or_ahead),
		HOSTILE(a_seq_that_comes_while_it_is_waited_for_is_not_ahead),
		HOSTILE(what_changed_since_needs_the_same_log_and_a_seq_it_has),
		HOSTILE(patterns_that_match_nothing_give_an_empty_last_part),
		HOSTILE(an_id_in_use_by_a_snapshot_is_refused),
		HOSTILE(nothing_comes_of_a_snapshot_after_its_unsubscribe),
		HOSTILE(as_many_snapshots_as_subscriptions_are_allowed_all_end),
		HOSTILE(secrets_are_not_seen_in_answers),
		HOSTILE(secrets_asked_for_alone_are_forbidden),
		HOSTILE(secrets_are_not_seen_live),
		HOSTILE(acks_of_wrong_shape_are_refused),
		HOSTILE(an_ack_of_no_client_is_refused),
		HOSTILE(more_names_than_allowed_are_refused),
		HOSTILE(a_position_that_nobody_stored_is_not_found),
	};

	if (!live_init())
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile queries", tests, group_setup, NULL);
}
