/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Two clients of one gateway, one of which speaks JSON, see the same: a real
 * history, values that JSON lacks, random ones, rows and pages.  What each
 * gets is read by a library that the gateway does not use for it.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/jsonform.h"
#include "tests/lib/live.h"
#include "tests/lib/mpgen.h"

#define OFFER "Sec-WebSocket-Protocol: peal.v1.json, peal.v1.msgpack\r\n"

/* The client that speaks JSON. */
struct texter {
	struct wire *wire;
	json_t *reply; /* the last message, where it is a map */
	json_t *items; /* events and rows, in order */
};

static void
text_say(struct texter *t, const char *json)
{
	assert_true(
	    wire_frame(t->wire, WIRE_FIN | WIRE_TEXT, json, strlen(json)));
}

/* Take one message; false when none comes in time. */
static bool
text_next(struct texter *t)
{
	struct wire_message m;
	json_error_t error;
	json_t *value, *inner;

	if (wire_next(t->wire, &m, WIRE_DEADLINE_MS) != WIRE_GOT)
		return false;
	assert_int_equal(m.opcode, WIRE_TEXT);
	value = json_loadb((const char *)m.p, m.len,
	    JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	if (value == NULL)
		fail_msg("no JSON: %s: %.*s", error.text, (int)m.len,
		    (const char *)m.p);
	json_decref(t->reply);
	t->reply = NULL;
	if (json_is_array(value)) {
		for (size_t i = 2; i < json_array_size(value); i++)
			json_array_append(t->items, json_array_get(value, i));
		json_decref(value);
		return true;
	}
	t->reply = value;
	inner = json_object_get(value, "events");
	if (inner == NULL)
		inner = json_object_get(value, "rows");
	if (inner != NULL)
		json_array_extend(t->items, inner);
	return true;
}

static const char *
text_op(const struct texter *t)
{
	const char *op = json_string_value(json_object_get(t->reply, "op"));

	return op != NULL ? op : "";
}

/* Take messages up to this reply; last: up to the one that says it is. */
static void
text_await(struct texter *t, const char *op, bool last)
{
	do {
		if (!text_next(t))
			fail_msg("no %s came, but %s", op, text_op(t));
	} while (strcmp(text_op(t), op) != 0 ||
		 (last && !json_is_true(json_object_get(t->reply, "last"))));
}

static void
text_open(struct texter *t, const char *token)
{
	char *hello;

	t->items = json_array();
	t->reply = NULL;
	t->wire = wire_dial(live_to(), WIRE_DEADLINE_MS);
	assert_non_null(t->wire);
	assert_int_equal(wire_upgrade(t->wire, OFFER), 101);
	assert_string_equal(wire_subprotocol(t->wire), "peal.v1.json");
	assert_true(asprintf(&hello,
			"{\"op\":\"hello\",\"v\":1,\"agent\":\"t\xc3\xa9xter\","
			"\"token\":\"%s\"}",
			token) > 0);
	text_say(t, hello);
	free(hello);
	text_await(t, "welcome", false);
}

static void
text_close(struct texter *t)
{
	json_decref(t->reply);
	json_decref(t->items);
	t->wire = wire_free(t->wire);
}

/* Both clients, and how many of the items of one the other has had. */
struct pair {
	struct texter text;
	struct client mp;
	size_t at;
	const char *query; /* that both have asked */
};

static int
pair_open(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	*state = p;
	live_open(&p->mp, live_token());
	text_open(&p->text, live_token());
	return 0;
}

static int
pair_close(void **state)
{
	struct pair *p = *state;

	client_close(&p->mp);
	text_close(&p->text);
	free(p);
	live_serves();
	return 0;
}

static void
same_item(struct pair *p, const msgpack_object *o)
{
	json_t *text = json_array_get(p->text.items, p->at);

	if (text == NULL)
		fail_msg("the one that speaks JSON has only %zu", p->at);
	if (!jsonform_same(o, text))
		fail_msg("item %zu is: %s", p->at,
		    json_dumps(text, JSON_ENCODE_ANY));
	p->at++;
}

static void
same_items(struct pair *p, const msgpack_object *array, uint32_t from)
{
	assert_non_null(array);
	for (uint32_t i = from; i < array->via.array.size; i++)
		same_item(p, &array->via.array.ptr[i]);
}

/* On a loaded machine the broker may be late; anything else is a fault. */
static bool
is_late(const char *code)
{
	return !strcmp(code, "behind") || !strcmp(code, "unavailable");
}

static void
ask_again(struct pair *p)
{
	assert_non_null(p->query);
	assert_true(client_is(&p->mp, "code", "behind") ||
		    client_is(&p->mp, "code", "unavailable"));
	live_say(p->mp.wire, p->query);
}

/* The other one takes messages until it has had as many items. */
static void
same_so_far(struct pair *p)
{
	while (p->at < json_array_size(p->text.items)) {
		enum client_kind kind = client_next(&p->mp, WIRE_DEADLINE_MS);

		if (kind == CLIENT_BATCH)
			same_items(p, &p->mp.value.data, 2);
		else if (kind != CLIENT_CONTROL)
			fail_msg("%s: after %zu of %zu", p->mp.wrong, p->at,
			    json_array_size(p->text.items));
		else if (strcmp(p->mp.op, "replay") == 0)
			same_items(p, client_get(&p->mp, "events"), 0);
		else if (strcmp(p->mp.op, "snapshot") == 0)
			same_items(p, client_get(&p->mp, "rows"), 0);
		else if (strcmp(p->mp.op, "error") == 0)
			ask_again(p);
	}
}

static void
both_say(struct pair *p, const char *json)
{
	text_say(&p->text, json);
	live_say(p->mp.wire, json);
}

/*
 * Both ask; the one that speaks JSON has its answer, up to the last part where
 * it has several.
 */
static void
both_ask(struct pair *p, const char *json, const char *op, bool last)
{
	int64_t until = wire_now_ms() + 3 * WIRE_DEADLINE_MS;
	const char *code;

	p->query = json;
	live_say(p->mp.wire, json);
	text_say(&p->text, json);
	do {
		if (!text_next(&p->text))
			fail_msg("no %s came", op);
		code =
		    json_string_value(json_object_get(p->text.reply, "code"));
		if (code == NULL)
			continue;
		if (!is_late(code) || wire_now_ms() > until)
			fail_msg("%s: %s", code, json);
		text_say(&p->text, json);
	} while (
	    strcmp(text_op(&p->text), op) != 0 ||
	    (last && !json_is_true(json_object_get(p->text.reply, "last"))));
}

/* Both watch everything from now on. */
static void
both_watch(struct pair *p)
{
	static const char watch[] = "{\"op\":\"subscribe\",\"id\":1,"
				    "\"topics\":[\">\"],\"from\":\"now\"}";

	both_say(p, watch);
	text_await(&p->text, "subscribed", false);
	assert_int_equal(client_await(&p->mp, "subscribed", WIRE_DEADLINE_MS),
	    CLIENT_CONTROL);
}

static void
text_until(struct texter *t, size_t n)
{
	while (json_array_size(t->items) < n)
		if (!text_next(t))
			fail_msg("%zu of %zu came, then %s (close code %u)",
			    json_array_size(t->items), n, text_op(t),
			    wire_close_code(t->wire));
	assert_int_equal(json_array_size(t->items), n);
}

static bool
judge(const char *bytes, size_t len, const char *json)
{
	json_t *text = json_loads(json, JSON_DECODE_ANY, NULL);
	msgpack_unpacked u;
	size_t off = 0;
	bool same;

	msgpack_unpacked_init(&u);
	assert_int_equal(
	    msgpack_unpack_next(&u, bytes, len, &off), MSGPACK_UNPACK_SUCCESS);
	assert_non_null(text);
	same = jsonform_same(&u.data, text);
	json_decref(text);
	msgpack_unpacked_destroy(&u);
	return same;
}

#define JUDGE(bytes, json) judge(bytes, sizeof(bytes) - 1, json)

static void
the_judge_tells_values_apart(void **state)
{
	static const char two[] = "\x82\xa1"
				  "a\x01\xa1"
				  "b\x02";

	assert_true(JUDGE("\x01", "1"));
	assert_false(JUDGE("\x01", "1.0"));
	assert_false(JUDGE("\xcb\x3f\xf0\0\0\0\0\0\0", "1"));
	assert_false(JUDGE("\xcb\x80\0\0\0\0\0\0\0", "0.0"));
	assert_true(JUDGE(two, "{\"a\":1,\"b\":2}"));
	assert_false(JUDGE(two, "{\"b\":2,\"a\":1}"));
	assert_false(JUDGE(two, "{\"$map\":[[\"a\",1],[\"b\",2]]}"));
	assert_false(JUDGE("\xa1"
			   "a",
	    "\"b\""));
	assert_true(JUDGE("\xc4\x02\x01\x02", "{\"$bin\":\"AQI=\"}"));
	assert_false(JUDGE("\xc4\x02\x01\x02", "{\"$bin\":\"AQM=\"}"));
	assert_false(JUDGE("\xa2\x01\x02", "{\"$bin\":\"AQI=\"}"));
	assert_false(JUDGE("\xcf\0\x20\0\0\0\0\0\x01", "9007199254740993"));
	assert_false(
	    JUDGE("\xd6\xff\0\0\0\1", "{\"$time\":\"1970-01-01T00:00:00Z\"}"));
}

static void
the_welcome_says_the_same(void **state)
{
	static const char *const keys[] = { "v", "user", "log", "node",
		"mark_interval", "max_message", "fold" };
	struct texter other;
	struct client c;

	live_open(&c, live_token());
	text_open(&other, live_token());
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const msgpack_object *o;

		/* Of the client it is in c.value still. */
		o = client_get(&c, keys[i]);
		assert_non_null(o);
		if (!jsonform_same(o, json_object_get(other.reply, keys[i])))
			fail_msg("%s differs", keys[i]);
	}
	client_close(&c);
	text_close(&other);
}

static void
a_real_history_is_replayed_alike(void **state)
{
	struct pair *p = *state;
	char *json;

	assert_true(asprintf(&json,
			"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\">\"],"
			"\"from\":0,\"log\":\"%s\"}",
			p->mp.log) > 0);
	both_say(p, json);
	free(json);
	text_await(&p->text, "replay", true);
	same_so_far(p);
	assert_true(p->at >= 2000);
}

static void
its_state_is_alike(void **state)
{
	struct pair *p = *state;

	both_ask(p,
	    "{\"op\":\"state\",\"id\":1,\"topics\":[\">\"],"
	    "\"min_seq\":2000}",
	    "snapshot", true);
	same_so_far(p);
	assert_true(p->at > 100);
}

static void
a_page_of_history_is_alike(void **state)
{
	struct pair *p = *state;

	both_ask(p,
	    "{\"op\":\"history\",\"id\":1,\"limit\":50,\"min_seq\":2000}",
	    "history", false);
	do {
		assert_int_equal(
		    client_next(&p->mp, WIRE_DEADLINE_MS), CLIENT_CONTROL);
		if (strcmp(p->mp.op, "error") == 0)
			ask_again(p);
	} while (strcmp(p->mp.op, "history") != 0);
	assert_true(jsonform_same(&p->mp.value.data, p->text.reply));
	assert_int_equal(json_array_size(p->text.items), 50);
}

static void
refusals_are_alike(void **state)
{
	static const char *const requests[] = { "{\"op\":\"fly\",\"id\":1}",
		"{\"id\":2}", "[]", "{\"op\":\"state\",\"id\":3}",
		"{\"op\":\"append\",\"id\":4,\"events\":[{\"topic\":\"a..b\","
		"\"type\":\"x\",\"data\":1}]}",
		"{\"op\":\"history\",\"id\":5,\"limit\":-1}" };
	struct pair *p = *state;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		both_say(p, requests[i]);
		text_await(&p->text, "error", false);
		assert_int_equal(
		    client_await(&p->mp, "error", WIRE_DEADLINE_MS),
		    CLIENT_CONTROL);
		assert_true(jsonform_same(&p->mp.value.data, p->text.reply));
	}
}

static const char *const hostile[] = { "null", "true", "0", "-1", "1.0", "-0.0",
	"1e300", "5e-324", "0.1", "9007199254740992", "-9007199254740992",
	"9007199254740993", "18446744073709551615", "-9223372036854775808",
	"{\"$int\":\"9007199254740993\"}", "{\"$float\":\"NaN\"}",
	"{\"$float\":\"-Infinity\"}", "{\"$bin\":\"\"}",
	"{\"$bin\":\"AAECAwQ=\"}", "{\"$ext\":0,\"data\":\"\"}",
	"{\"$ext\":127,\"data\":\"/w==\"}",
	"{\"$time\":\"2024-02-29T23:59:59.123456789Z\"}",
	"{\"$time\":\"0000-01-01T00:00:00Z\"}",
	"{\"$time\":\"9999-12-31T23:59:59Z\"}",
	"{\"$ext\":-1,\"data\":\"AAAAAH//////////\"}",
	"{\"$map\":[[1,2],[\"1\",3],[null,4],[[5],{\"$map\":[[6,7]]}]]}",
	"{\"$map\":[[\"$bin\",\"not base64\"]]}", "{\"$a\":1,\"$b\":2}",
	"{\"$map\":[[\"$map\",[]]]}", "{}", "[]", "\"\"", "{\"\":\"\"}",
	"{\"b\":1,\"a\":2,\"__proto__\":{\"constructor\":3}}",
	"\"\\u0000\\u001f\\\"\\\\\\/\\u2028\\u2029</script>\x7f\"",
	"\"\\ud83d\\ude00 \xf0\x9f\x98\x80 \xef\xbf\xbf \xef\xbb\xbf\"",
	"[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]" };

static void
values_that_json_lacks_go_both_ways(void **state)
{
	const size_t n = sizeof(hostile) / sizeof(hostile[0]);
	struct pair *p = *state;
	json_int_t seq = 0;
	char *json;

	both_watch(p);
	for (size_t i = 0; i < n; i++) {
		assert_true(asprintf(&json,
				"{\"op\":\"append\",\"id\":9,\"events\":["
				"{\"topic\":\"hostile.%zu\",\"type\":\"x_set\","
				"\"data\":%s,\"meta\":{\"n\":%zu}}]}",
				i, hostile[i], i) > 0);
		text_say(&p->text, json);
		free(json);
		text_await(&p->text, "appended", false);
		seq = json_integer_value(json_object_get(p->text.reply, "seq"));
	}
	text_until(&p->text, n);
	same_so_far(p);
	assert_int_equal(p->at, n);

	/* And once more as rows. */
	assert_true(asprintf(&json,
			"{\"op\":\"state\",\"id\":2,\"topics\":[\"hostile.*\"],"
			"\"min_seq\":%lld}",
			(long long)seq) > 0);
	both_ask(p, json, "snapshot", true);
	same_so_far(p);
	free(json);
	assert_int_equal(p->at, 2 * n);
}

static struct mpgen gen;

static bool
append_value(struct client *c, unsigned i)
{
	msgpack_sbuffer sb;
	msgpack_packer pk;
	char topic[40];
	bool ok;

	msgpack_sbuffer_init(&sb);
	msgpack_packer_init(&pk, &sb, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, 2);
	client_pack_str(&pk, "op");
	client_pack_str(&pk, "append");
	client_pack_str(&pk, "events");
	msgpack_pack_array(&pk, 1);
	msgpack_pack_map(&pk, 3);
	client_pack_str(&pk, "topic");
	(void)snprintf(topic, sizeof(topic), "random.%u", i);
	client_pack_str(&pk, topic);
	client_pack_str(&pk, "type");
	client_pack_str(&pk, "r_set");
	client_pack_str(&pk, "data");
	msgpack_sbuffer_write(&sb, (const char *)gen.bytes, gen.len);
	ok = client_send(c, &sb);
	msgpack_sbuffer_destroy(&sb);
	return ok;
}

static void
random_values_are_alike(void **state)
{
	enum {
		VALUES = 400
	};
	struct pair *p = *state;

	mpgen_seed(&gen);
	gen.loose = true;
	gen.timestamps = true;
	both_watch(p);
	for (unsigned i = 0; i < VALUES; i++) {
		mpgen_value(&gen, i % 6);
		assert_true(append_value(&p->mp, i));
	}
	text_until(&p->text, VALUES);
	same_so_far(p);
	assert_int_equal(p->at, VALUES);
}

static void
what_is_no_json_ends_only_who_says_it(void **state)
{
	static const char *const texts[] = { "{\"op\":\"ping\"",
		"{\"op\":\"ping\",\"op\":\"ping\"}", "\"\xff\"", "'a'",
		"{\"op\":\"ping\",\"t\":{\"$bin\":\"!\"}}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct texter t;

		text_open(&t, live_token());
		text_say(&t, texts[i]);
		live_ends(t.wire, 1007);
		text_close(&t);
	}
}

/* One map per level, whose key is no string: the most work for a reader. */
static void
a_text_of_four_mebibytes_is_answered(void **state)
{
	static char text[4 << 20];
	struct texter t;
	size_t len = 0;

	text_open(&t, live_token());
	len += (size_t)sprintf(text, "{\"op\":\"ping\",\"t\":");
	for (unsigned i = 0; i < 29; i++)
		len += (size_t)sprintf(text + len, "{\"$map\":[[1,");
	text[len++] = '[';
	while (len < sizeof(text) - 200)
		len += (size_t)sprintf(text + len, "\"\",");
	len += (size_t)sprintf(text + len, "0]");
	for (unsigned i = 0; i < 29; i++)
		len += (size_t)sprintf(text + len, "]]}");
	text[len++] = '}';
	assert_true(wire_frame(t.wire, WIRE_FIN | WIRE_TEXT, text, len));
	text_await(&t, "error", false);
	text_say(&t, "{\"op\":\"ping\"}");
	text_await(&t, "pong", false);
	text_close(&t);
}

#define PAIR(name)  cmocka_unit_test_setup_teardown(name, pair_open, pair_close)
#define ALONE(name) cmocka_unit_test_teardown(name, live_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_judge_tells_values_apart),
		ALONE(the_welcome_says_the_same),
		PAIR(a_real_history_is_replayed_alike),
		PAIR(its_state_is_alike),
		PAIR(a_page_of_history_is_alike),
		PAIR(refusals_are_alike),
		PAIR(values_that_json_lacks_go_both_ways),
		PAIR(random_values_are_alike),
		ALONE(what_is_no_json_ends_only_who_says_it),
		ALONE(a_text_of_four_mebibytes_is_answered),
	};

	if (!live_init())
		return 1;
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
