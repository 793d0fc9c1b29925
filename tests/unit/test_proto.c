/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests and replies as doc/protocol.md has them: what is stored, what is
 * refused, and that each refusal names the field.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/json.h"
#include "core/mpvalid.h"
#include "core/proto.h"
#include "core/reason.h"

static struct mp_buf msg;
static struct reason why;

/* The JSON form of a message as bytes in msg. */
static struct slice
bytes_of(const char *json)
{
	msg.len = 0;
	if (json_to_mp(slice_cstr(json), &msg, &why))
		fail_msg("'%s': %s", json, why.text);
	return slice_of(msg.p, msg.len);
}

static struct proto_request
accepted(const char *json)
{
	struct proto_request req;
	enum proto_code code = proto_request_parse(bytes_of(json), &req, &why);

	if (code)
		fail_msg("'%s': %s", json, why.text);
	return req;
}

static void
refused_with(enum proto_code want, const char *json, const char *sentence)
{
	struct proto_request req;
	enum proto_code code;

	code = proto_request_parse(bytes_of(json), &req, &why);
	if (code != want || !strstr(why.text, sentence))
		fail_msg("'%s': code %d, '%s'", json, (int)code, why.text);
	assert_true(req.id.set && req.id.v == 7);
}

static void
refused(const char *json, const char *sentence)
{
	refused_with(PROTO_BAD_REQUEST, json, sentence);
}

static void
hello_and_auth_are_stored(void **state)
{
	struct proto_request req = accepted(
	    "{\"op\":\"hello\",\"v\":1,\"token\":\"t\",\"client\":\"c\","
	    "\"agent\":\"a\",\"later\":[1,{\"x\":2}]}");

	assert_int_equal(req.op, PROTO_HELLO);
	assert_false(req.id.set);
	assert_true(req.hello.v.set && req.hello.v.v == 1);
	assert_true(slice_is(req.hello.token, "t"));
	assert_true(slice_is(req.hello.client, "c"));
	assert_true(slice_is(req.hello.agent, "a"));
	req = accepted("{\"op\":\"hello\",\"v\":2}");
	assert_null(req.hello.token.p);
	assert_null(req.hello.client.p);
	req = accepted("{\"op\":\"auth\",\"id\":1,\"token\":\"\"}");
	assert_int_equal(req.op, PROTO_AUTH);
	assert_true(req.hello.token.p && req.hello.token.len == 0);
	refused(
	    "{\"op\":\"hello\",\"id\":7}", "field \"v\" of hello is missing");
	refused("{\"op\":\"auth\",\"id\":7}", "\"token\" of auth is missing");
	refused("{\"op\":\"hello\",\"v\":1,\"client\":\"\",\"id\":7}",
	    "field \"client\" of hello: 0 bytes are not within 1 to 128");
}

static void
subscribe_is_stored(void **state)
{
	struct proto_request req =
	    accepted("{\"op\":\"subscribe\",\"id\":9007199254740991,"
		     "\"topics\":[\"a.>\",\"*.b\"],\"from\":42,\"log\":\"l-1\","
		     "\"types\":[\"*created\"],\"conflate\":100,\"min_seq\":5,"
		     "\"name\":\"n\"}");
	struct mp_walk w = mp_walk(req.subscribe.topics);
	struct mp_item item;

	assert_true(req.id.v == PROTO_SEQ_MAX);
	assert_true(mp_next(&w, &item) && item.type == MP_ARRAY);
	assert_int_equal(item.n, 2);
	assert_true(mp_next(&w, &item) && slice_is(item.s, "a.>"));
	assert_true(mp_next(&w, &item) && slice_is(item.s, "*.b"));
	assert_true(w.p == w.end);
	assert_int_equal(req.subscribe.from, PROTO_FROM_SEQ);
	assert_int_equal(req.subscribe.from_seq, 42);
	assert_int_equal(req.subscribe.conflate.v, 100);
	assert_int_equal(req.subscribe.min_seq.v, 5);
	assert_false(req.subscribe.since.set);
	assert_non_null(req.subscribe.types.p);
	assert_true(slice_is(req.subscribe.name, "n"));
	assert_true(slice_is(req.subscribe.log, "l-1"));
	req = accepted("{\"op\":\"subscribe\",\"id\":0,\"topics\":[\">\"],"
		       "\"from\":\"snapshot\",\"since\":3,\"log\":\"l\","
		       "\"scope\":{\"a\":1}}");
	assert_int_equal(req.subscribe.from, PROTO_FROM_SNAPSHOT);
	assert_true(req.subscribe.since.set && req.subscribe.since.v == 3);
	assert_int_equal(req.subscribe.scope.len, 4);
	req = accepted("{\"op\":\"subscribe\",\"id\":0,\"topics\":[\">\"],"
		       "\"from\":\"now\"}");
	assert_int_equal(req.subscribe.from, PROTO_FROM_NOW);
	assert_null(req.subscribe.types.p);
	req = accepted("{\"op\":\"subscribe\",\"id\":0,\"topics\":[\">\"],"
		       "\"from\":\"ack\"}");
	assert_int_equal(req.subscribe.from, PROTO_FROM_ACK);
}

#define SUBSCRIBE "{\"op\":\"subscribe\",\"id\":7,"

static void
a_subscribe_that_makes_no_sense_is_refused(void **state)
{
	struct proto_request req;

	refused(SUBSCRIBE "\"from\":\"now\"}",
	    "\"topics\" of subscribe is missing");
	refused(SUBSCRIBE "\"topics\":[\"a\"]}",
	    "\"from\" of subscribe is missing");
	refused(SUBSCRIBE "\"topics\":\"a\",\"from\":\"now\"}",
	    "field \"topics\" of subscribe: must be an array");
	refused(SUBSCRIBE "\"topics\":[],\"from\":\"now\"}",
	    "0 elements are not within 1 to 256");
	refused(SUBSCRIBE "\"topics\":[1],\"from\":\"now\"}", "must be a str");
	refused(SUBSCRIBE "\"topics\":[\"ok\",\"a..b\"],\"from\":\"now\"}",
	    "field \"topics\" of subscribe: pattern \"a..b\": an empty token");
	refused(SUBSCRIBE "\"topics\":[\"a\"],\"from\":\"then\"}",
	    "field \"from\" of subscribe");
	refused(SUBSCRIBE "\"topics\":[\"a\"],\"from\":-1}", "\"from\"");
	refused(SUBSCRIBE "\"topics\":[\"a\"],\"from\":1.0}", "\"from\"");
	refused(SUBSCRIBE "\"topics\":[\"a\"],\"from\":9007199254740992}",
	    "\"from\"");
	refused(SUBSCRIBE "\"topics\":[\"a\"],\"from\":5}", "field \"log\"");
	refused(SUBSCRIBE
	    "\"topics\":[\"a\"],\"from\":\"snapshot\",\"since\":5}",
	    "field \"log\"");
	refused(SUBSCRIBE "\"topics\":[\"a\"],\"from\":\"snapshot\","
			  "\"types\":[\"*\"]}",
	    "field \"types\"");
	refused(SUBSCRIBE "\"topics\":[\"a\"],\"from\":\"now\",\"log\":\"l\","
			  "\"since\":1}",
	    "field \"since\"");
	refused(SUBSCRIBE "\"topics\":[\"a\"],\"from\":\"now\","
			  "\"conflate\":9}",
	    "9 is not within 10 to");
	/* Without an id there is nothing to subscribe under. */
	assert_int_equal(
	    proto_request_parse(bytes_of("{\"op\":\"subscribe\",\"topics\":"
					 "[\"a\"],\"from\":\"now\"}"),
		&req, &why),
	    PROTO_BAD_REQUEST);
	assert_false(req.id.set);
	assert_non_null(strstr(why.text, "field \"id\" of subscribe is"));
}

static void
the_other_requests_are_stored(void **state)
{
	struct proto_request req;

	req = accepted("{\"op\":\"unsubscribe\",\"id\":3}");
	assert_int_equal(req.op, PROTO_UNSUBSCRIBE);
	assert_int_equal(req.id.v, 3);
	req = accepted("{\"op\":\"emit\",\"topic\":\"a\",\"type\":\"moved\","
		       "\"data\":[1],\"actor\":\"ada\"}");
	assert_true(slice_is(req.emit.topic, "a"));
	assert_true(slice_is(req.emit.type, "moved"));
	assert_true(slice_is(req.emit.data, "\x91\x01"));
	assert_true(slice_is(req.emit.actor, "ada"));
	req = accepted("{\"op\":\"ack\",\"seq\":5}");
	assert_true(req.ack.seq.v == 5 && !req.ack.name.p);
	req = accepted("{\"op\":\"state\",\"topics\":[\"a\"],\"at\":7}");
	assert_true(slice_is(req.state.at, "\x07"));
	req = accepted("{\"op\":\"state\",\"topics\":[\"a\"],"
		       "\"at\":{\"time\":5}}");
	assert_int_equal(req.state.at.len, 7);
	req = accepted("{\"op\":\"presence\",\"topics\":[\"a.*\"]}");
	assert_non_null(req.state.topics.p);
	req = accepted("{\"op\":\"history\",\"topic\":\"a.>\",\"type\":\"*d\","
		       "\"actor\":\"\",\"after\":1,\"before\":9,"
		       "\"from_time\":2,\"to_time\":3,\"limit\":10000,"
		       "\"reverse\":true}");
	assert_true(slice_is(req.history.topic, "a.>"));
	assert_true(req.history.actor.p && req.history.actor.len == 0);
	assert_true(req.history.after.v == 1 && req.history.before.v == 9);
	assert_true(req.history.limit.v == 10000 && req.history.reverse);
	req = accepted("{\"op\":\"history\"}");
	assert_false(req.history.limit.set || req.history.reverse);
	req = accepted("{\"op\":\"ping\",\"t\":null}");
	assert_int_equal(req.ping.t.len, 1);
	req = accepted("{\"op\":\"ping\"}");
	assert_int_equal(req.ping.t.len, 0);
}

static void
the_other_requests_are_refused_by_field(void **state)
{
	refused("{\"op\":\"emit\",\"id\":7,\"type\":\"x\",\"data\":1}",
	    "field \"topic\" of emit is missing");
	refused("{\"op\":\"emit\",\"id\":7,\"topic\":\"a.*\",\"type\":\"x\","
		"\"data\":1}",
	    "field \"topic\" of emit: topic \"a.*\": a wildcard");
	refused("{\"op\":\"ack\",\"id\":7,\"seq\":\"5\"}",
	    "field \"seq\" of ack: must be an integer");
	refused("{\"op\":\"state\",\"id\":7,\"topics\":[\"a\"],\"at\":\"x\"}",
	    "field \"at\" of state");
	refused("{\"op\":\"state\",\"id\":7,\"topics\":[\"a\"],"
		"\"at\":{\"tim\":1}}",
	    "field \"at\" of state");
	refused("{\"op\":\"history\",\"id\":7,\"limit\":0}",
	    "0 is not within 1 to 10000");
	refused("{\"op\":\"history\",\"id\":7,\"limit\":10001}",
	    "10001 is not within");
	refused("{\"op\":\"history\",\"id\":7,"
		"\"limit\":{\"$int\":\"18446744073709551615\"}}",
	    "18446744073709551615 is not within");
	refused("{\"op\":\"history\",\"id\":7,"
		"\"after\":{\"$int\":\"18446744073709551615\"}}",
	    "field \"after\" of history");
	refused("{\"op\":\"history\",\"id\":7,\"reverse\":1}",
	    "must be true or false");
	refused("{\"op\":\"dance\",\"id\":7}", "unknown op \"dance\"");
	refused("{\"op\":\"da\\u0000\\u001b\",\"id\":7}",
	    "unknown op \"da\\x00\\x1b\"");
	refused("{\"op\":5,\"id\":7}", "field \"op\"");
	refused("{\"id\":7}", "field \"op\"");
}

static void
a_refusal_carries_only_an_id_that_is_one(void **state)
{
	static const char *const no[] = { "[1,2]", "5", "null", "\"op\"",
		"{\"op\":\"ping\",\"id\":-1}", "{\"op\":\"ping\",\"id\":\"a\"}",
		"{\"op\":\"ping\",\"id\":9007199254740992}",
		"{\"op\":\"ping\",\"id\":1.0}", "{}" };
	struct proto_request req;

	for (unsigned i = 0; i < ARRAY_LEN(no); i++) {
		assert_int_equal(
		    proto_request_parse(bytes_of(no[i]), &req, &why),
		    PROTO_BAD_REQUEST);
		assert_false(req.id.set);
		assert_true(why.text[0] != '\0');
	}
}

/* An append of one event, given as JSON, and the code of parsing that. */
static enum proto_code
append_event(const char *event, struct proto_append_event *ev)
{
	char json[1000];
	struct proto_request req;
	struct mp_item head;
	struct mp_walk w;
	enum proto_code code;

	snprintf(json, sizeof(json), "{\"op\":\"append\",\"events\":[%s,{}]}",
	    event);
	req = accepted(json);
	w = mp_walk(req.append.events);
	assert_true(mp_next(&w, &head) && head.n == 2);
	code = proto_append_event_parse(&w, ev, &why);
	/* The walk stands on the next one. */
	if (!code)
		assert_true(w.p + 1 == w.end && *w.p == 0x80);
	return code;
}

static void
an_event_of_an_append_is_stored(void **state)
{
	struct proto_append_event ev;

	assert_int_equal(
	    append_event("{\"topic\":\"a.b\",\"type\":\"made\","
			 "\"data\":{\"x\":1},\"expect\":\"exists\","
			 "\"key\":\"k\",\"schema\":3,\"meta\":{\"m\":1},"
			 "\"actor\":\"ada\",\"time\":5,\"other\":[]}",
		&ev),
	    PROTO_OK);
	assert_true(slice_is(ev.topic, "a.b") && slice_is(ev.type, "made"));
	assert_int_equal(ev.data.len, 4);
	assert_int_equal(ev.expect, PROTO_EXPECT_EXISTS);
	assert_true(slice_is(ev.key, "k") && slice_is(ev.actor, "ada"));
	assert_true(ev.schema.set && ev.schema.v == 3);
	assert_true(ev.time_us.set && ev.time_us.v == 5);
	assert_int_equal(ev.meta.len, 4);
	assert_int_equal(append_event("{\"data\":null,\"type\":\"t\","
				      "\"topic\":\"a\",\"meta\":{}}",
			     &ev),
	    PROTO_OK);
	assert_int_equal(ev.expect, PROTO_EXPECT_ANY);
	assert_true(!ev.key.p && !ev.actor.p && !ev.meta.len);
	assert_true(!ev.schema.set && !ev.time_us.set);
	assert_int_equal(append_event("{\"data\":1,\"type\":\"t\","
				      "\"topic\":\"a\",\"expect\":0}",
			     &ev),
	    PROTO_OK);
	assert_int_equal(ev.expect, PROTO_EXPECT_VERSION);
	assert_int_equal(ev.version, 0);
}

static void
event_refused(const char *event, const char *sentence)
{
	struct proto_append_event ev;

	if (append_event(event, &ev) != PROTO_BAD_REQUEST ||
	    !strstr(why.text, sentence))
		fail_msg("'%s': '%s'", event, why.text);
}

static void
an_event_of_an_append_is_refused_by_field(void **state)
{
	event_refused("{}", "field \"topic\" of an event is missing");
	event_refused("{\"topic\":\"a\",\"type\":\"t\"}",
	    "field \"data\" of an event is missing");
	event_refused("{\"topic\":\"a\",\"data\":1,\"actor\":\"x\","
		      "\"key\":\"k\",\"schema\":1,\"meta\":{},"
		      "\"time\":1,\"expect\":0}",
	    "field \"type\" of an event is missing");
	event_refused("{\"topic\":\"a.>\"}", "topic \"a.>\": a wildcard");
	event_refused("{\"topic\":\"a\\r\\nb\"}", "white space at byte 1");
	event_refused("{\"topic\":\"a\\u0000b\"}", "control character");
	event_refused("{\"type\":\"\"}", "field \"type\" of an event: type");
	event_refused("{\"key\":\"\"}", "0 bytes are not within 1 to 64");
	event_refused("{\"key\":{\"$bin\":\"AA==\"}}",
	    "field \"key\" of an event: must be a str");
	event_refused("{\"key\":\"0123456789012345678901234567890123456789"
		      "0123456789012345678901234\"}",
	    "65 bytes are not within 1 to 64");
	event_refused("{\"expect\":\"none\"}", "field \"expect\"");
	event_refused("{\"expect\":-1}", "field \"expect\"");
	event_refused("{\"expect\":9007199254740992}", "field \"expect\"");
	event_refused("{\"meta\":[]}", "must be a map");
	event_refused("{\"schema\":-5}", "field \"schema\"");
	event_refused("{\"time\":1.5}", "field \"time\"");
	event_refused("{\"actor\":\"a\\u0007\"}", "field \"actor\"");
}

static void
an_append_has_1_to_1024_events(void **state)
{
	struct proto_request req;

	for (unsigned n = 1023; n <= 1025; n++) {
		CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };

		proto_pack_head(
		    &b, "append", (struct proto_uint){ true, 1 }, 1);
		mp_pack_cstr(&b, "events");
		mp_pack_array(&b, n);
		for (unsigned i = 0; i < n; i++)
			mp_pack_map(&b, 0);
		assert_int_equal(
		    proto_request_parse(slice_of(b.p, b.len), &req, &why),
		    n <= EVENT_REQUEST_MAX ? PROTO_OK : PROTO_TOO_LARGE);
	}
	refused("{\"op\":\"append\",\"id\":7,\"events\":[]}",
	    "field \"events\" of append: 0 elements");
	refused("{\"op\":\"append\",\"id\":7,\"events\":[1]}",
	    "must be an array of maps");
	refused("{\"op\":\"append\",\"id\":7}", "\"events\" of append is");
	refused("{\"op\":\"append\",\"id\":7,\"events\":[{}],\"checks\":{}}",
	    "field \"checks\" of append: must be an array");
}

static void
a_check_has_a_topic_and_a_version(void **state)
{
	struct proto_check check;
	struct mp_walk w;

	w = mp_walk(bytes_of("{\"topic\":\"a\",\"version\":4}"));
	assert_int_equal(proto_check_parse(&w, &check, &why), PROTO_OK);
	assert_true(slice_is(check.topic, "a") && check.version.v == 4);
	w = mp_walk(bytes_of("{\"topic\":\"a\"}"));
	assert_int_equal(
	    proto_check_parse(&w, &check, &why), PROTO_BAD_REQUEST);
	assert_non_null(strstr(why.text, "\"version\" of a check is missing"));
	w = mp_walk(bytes_of("5"));
	assert_int_equal(
	    proto_check_parse(&w, &check, &why), PROTO_BAD_REQUEST);
}

/* What was packed, as JSON. */
static const char *
json_of(const struct mp_buf *b)
{
	static struct mp_buf text;

	assert_int_equal(mpvalid_check(b->p, b->len, NULL), MPVALID_OK);
	text.len = 0;
	assert_int_equal(json_from_mp(slice_of(b->p, b->len), &text), 0);
	mp_buf_bytes(&text, "", 1);
	return (const char *)text.p;
}

static void
errors_are_packed_as_the_protocol_has_them(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };

	proto_pack_error(
	    &b, (struct proto_uint){ true, 5 }, PROTO_BAD_REQUEST, "no", 0);
	assert_string_equal(json_of(&b),
	    "{\"op\":\"error\",\"id\":5,\"code\":\"bad_request\","
	    "\"message\":\"no\"}");
	b.len = 0;
	proto_pack_error(&b, (struct proto_uint){ false, 0 }, PROTO_UNAVAILABLE,
	    "later", 250);
	assert_string_equal(json_of(&b),
	    "{\"op\":\"error\",\"code\":\"unavailable\","
	    "\"message\":\"later\",\"retry_ms\":250}");
	b.len = 0;
	proto_pack_error_head(
	    &b, (struct proto_uint){ true, 0 }, PROTO_KEY_REUSED, "again", 1);
	mp_pair_cstr(&b, "key", "k");
	assert_string_equal(json_of(&b),
	    "{\"op\":\"error\",\"id\":0,\"code\":\"key_reused\","
	    "\"message\":\"again\",\"key\":\"k\"}");
}

static void
every_code_and_op_is_found_by_its_name(void **state)
{
	for (unsigned i = 0; i < PROTO_CODES; i++)
		assert_int_equal(
		    proto_code_find(slice_cstr(proto_code_name(i))), i);
	assert_int_equal(proto_code_find(SLICE_STR("nothing")), PROTO_CODES);
	assert_null(proto_code_name(PROTO_CODES));
	for (unsigned i = 0; i < PROTO_LOCAL_OPS; i++)
		assert_non_null(proto_op_name(i));
	assert_string_equal(proto_op_name(PROTO_UNSUBSCRIBE), "unsubscribe");
	assert_null(proto_op_name(PROTO_LOCAL_OPS));
}

static void
replies_are_read(void **state)
{
	struct proto_reply reply;

	assert_int_equal(proto_reply_parse(
			     bytes_of("{\"op\":\"appended\",\"id\":9,\"seq\":4,"
				      "\"versions\":[1],\"note\":\"\"}"),
			     &reply, &why),
	    PROTO_OK);
	assert_true(slice_is(reply.op, "appended") && reply.id.v == 9);
	assert_true(proto_get_uint(reply.body, "seq").v == 4);
	assert_int_equal(proto_get(reply.body, "versions").len, 2);
	assert_non_null(proto_get_str(reply.body, "note").p);
	assert_null(proto_get_str(reply.body, "seq").p);
	assert_false(proto_get_uint(reply.body, "op").set);
	assert_int_equal(proto_get(reply.body, "none").len, 0);
	assert_int_equal(proto_reply_parse(bytes_of("[1]"), &reply, &why),
	    PROTO_BAD_REQUEST);
	assert_int_equal(
	    proto_reply_parse(bytes_of("{\"id\":1}"), &reply, &why),
	    PROTO_BAD_REQUEST);
}

static void
a_log_is_named_by_its_id_and_epoch(void **state)
{
	uint8_t id[16];
	char name[PROTO_LOG_NAME];

	for (unsigned i = 0; i < sizeof(id); i++)
		id[i] = (uint8_t)(i * 17);
	proto_log_name(id, 3, name);
	assert_string_equal(name, "00112233445566778899aabbccddeeff-3");
	proto_log_name(id, UINT64_MAX, name);
	assert_string_equal(
	    name, "00112233445566778899aabbccddeeff-18446744073709551615");
}

/* Bytes that nobody validated are refused or parsed, never run over. */
static void
no_bytes_lead_beyond_their_end(void **state)
{
	struct slice whole = bytes_of(
	    "{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a.b\","
	    "\"type\":\"t\",\"data\":{\"x\":[1,2]},\"meta\":{\"a\":1},"
	    "\"key\":\"k\",\"expect\":3}],\"checks\":[{\"topic\":\"c\","
	    "\"version\":1}]}");
	uint32_t x = 11;

	for (unsigned round = 0; round < 30000; round++) {
		size_t cut = round % (whole.len + 1);
		CLEANUP(freep) uint8_t *bytes = malloc(cut + !cut);
		struct proto_append_event ev;
		struct proto_request req;
		struct mp_item head;
		struct mp_walk w;

		memcpy(bytes, whole.p, cut);
		for (unsigned i = 0; cut && i < round % 4; i++) {
			x = x * 1664525 + 1013904223;
			bytes[(x >> 8) % cut] = (uint8_t)(x >> 24);
		}
		if (proto_request_parse(slice_of(bytes, cut), &req, &why) ||
		    req.op != PROTO_APPEND)
			continue;
		w = mp_walk(req.append.events);
		if (mp_next(&w, &head))
			(void)!proto_append_event_parse(&w, &ev, &why);
	}
}

static int
free_message(void **state)
{
	mp_buf_deinit(&msg);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_and_auth_are_stored),
		cmocka_unit_test(subscribe_is_stored),
		cmocka_unit_test(a_subscribe_that_makes_no_sense_is_refused),
		cmocka_unit_test(the_other_requests_are_stored),
		cmocka_unit_test(the_other_requests_are_refused_by_field),
		cmocka_unit_test(a_refusal_carries_only_an_id_that_is_one),
		cmocka_unit_test(an_event_of_an_append_is_stored),
		cmocka_unit_test(an_event_of_an_append_is_refused_by_field),
		cmocka_unit_test(an_append_has_1_to_1024_events),
		cmocka_unit_test(a_check_has_a_topic_and_a_version),
		cmocka_unit_test(errors_are_packed_as_the_protocol_has_them),
		cmocka_unit_test(every_code_and_op_is_found_by_its_name),
		cmocka_unit_test(replies_are_read),
		cmocka_unit_test(a_log_is_named_by_its_id_and_epoch),
		cmocka_unit_test(no_bytes_lead_beyond_their_end),
	};

	return cmocka_run_group_tests_name("proto", tests, NULL, free_message);
}
