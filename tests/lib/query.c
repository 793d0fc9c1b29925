/* SPDX-License-Identifier: BSD-2-Clause */

/* Whatever comes for other ids meanwhile is passed over. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/lib/query.h"

/* cmocka keeps a sentence to itself in this form of output. */
#define QUERY_FAIL(...)                   \
	do {                              \
		printf("# " __VA_ARGS__); \
		printf("\n");             \
		fail();                   \
	} while (0)

static void
query_copy(char *to, size_t size, const msgpack_object *o)
{
	(void)snprintf(to, size, "%.*s",
	    o != NULL && o->type == MSGPACK_OBJECT_STR ? (int)o->via.str.size
						       : 0,
	    o != NULL && o->type == MSGPACK_OBJECT_STR ? o->via.str.ptr : "");
}

static bool
query_flag(const struct client *c, const char *key, bool fallback)
{
	const msgpack_object *o = client_get(c, key);

	return o != NULL && o->type == MSGPACK_OBJECT_BOOLEAN ? o->via.boolean
							      : fallback;
}

/* Elements of an array in the message whose topic is element or member. */
static unsigned
query_each(const struct client *c, struct query *q, const char *key, int topic)
{
	const msgpack_object *o = client_get(c, key), *name;

	if (o == NULL)
		return 0;
	assert_int_equal(o->type, MSGPACK_OBJECT_ARRAY);
	for (uint32_t i = 0; i < o->via.array.size; i++) {
		const msgpack_object *one = &o->via.array.ptr[i];

		if (topic < 0)
			continue;
		assert_int_equal(one->type, MSGPACK_OBJECT_ARRAY);
		assert_true(one->via.array.size > (uint32_t)topic);
		name = &one->via.array.ptr[topic];
		assert_int_equal(name->type, MSGPACK_OBJECT_STR);
		if (name->via.str.size >= 7 &&
		    !memcmp(name->via.str.ptr, "secret.", 7))
			q->secret++;
	}
	return o->via.array.size;
}

/* One message of the answer; true at its end. */
static bool
query_message(struct client *c, struct query *q)
{
	if (strcmp(c->op, "error") == 0) {
		query_copy(q->code, sizeof(q->code), client_get(c, "code"));
		query_copy(q->text, sizeof(q->text), client_get(c, "message"));
		return true;
	}
	/* Also in what has no topics of its own. */
	if (memmem(c->bytes, c->len, "secret.", 7) != NULL)
		q->secret++;
	if (strcmp(c->op, "snapshot") == 0) {
		q->rows += query_each(c, q, "rows", 0);
		assert_true(
		    q->parts == 0 || q->seq == client_uint(c, "seq", 0));
		q->parts++;
		q->seq = client_uint(c, "seq", UINT64_MAX);
		q->full = query_flag(c, "full", false);
		q->live = query_flag(c, "live", true);
		return query_flag(c, "last", false);
	}
	if (strcmp(c->op, "history") == 0) {
		q->events = query_each(c, q, "events", 2);
		q->next = client_uint(c, "next", 0);
		return true;
	}
	if (strcmp(c->op, "presence") == 0) {
		q->members = query_each(c, q, "members", -1);
		return true;
	}
	if (strcmp(c->op, "replay") == 0) {
		q->events += query_each(c, q, "events", 2);
		return query_flag(c, "last", false);
	}
	return strcmp(c->op, "lagged") == 0;
}

void
query_answer(struct client *c, uint64_t id, struct query *q)
{
	int64_t begun = wire_now_ms();
	enum client_kind kind;

	memset(q, 0, sizeof(*q));
	do {
		kind = client_next(c, WIRE_DEADLINE_MS);
		if (kind == CLIENT_ENDED)
			QUERY_FAIL("closed with %u", wire_close_code(c->wire));
		if (kind != CLIENT_BATCH && kind != CLIENT_CONTROL)
			QUERY_FAIL("no answer: %s", c->wrong);
	} while (kind == CLIENT_BATCH || c->id != id || !query_message(c, q));
	q->ms = wire_now_ms() - begun;
}

void
query_ask(struct client *c, uint64_t id, struct query *q, const char *json)
{
	live_say(c->wire, json);
	query_answer(c, id, q);
	if (q->code[0] != '\0')
		printf("# %s: %s (%s)\n", json, q->code, q->text);
}

void
query_refused(struct client *c, const char *json, const char *code)
{
	struct query q;

	live_say(c->wire, json);
	query_answer(c, 1, &q);
	if (strcmp(q.code, code) != 0)
		QUERY_FAIL("'%s' (%s) came after %s, not '%s'",
		    q.code[0] != '\0' ? q.code : c->op, q.text, json, code);
	live_answered(c, "{\"op\":\"ping\",\"id\":4000000000}", "pong");
}

char *
query_token(const char *sub, const char *permissions)
{
	char claims[1024];
	long now = (long)time(NULL);

	snprintf(claims, sizeof(claims),
	    "{\"sub\":\"%s\",\"iat\":%ld,\"exp\":%ld,\"peal\":%s}", sub, now,
	    now + 3600, permissions);
	return live_sign("{\"alg\":\"ES256\",\"typ\":\"JWT\"}", claims);
}

uint64_t
query_append(struct client *c, const char *topic, const char *type)
{
	char json[400];

	snprintf(json, sizeof(json),
	    "{\"op\":\"append\",\"id\":3999999999,\"events\":[{\"topic\":"
	    "\"%s\",\"type\":\"%s\",\"data\":{\"n\":1}}]}",
	    topic, type);
	live_say(c->wire, json);
	for (;;) {
		enum client_kind kind = client_next(c, WIRE_DEADLINE_MS);

		if (kind != CLIENT_BATCH && kind != CLIENT_CONTROL)
			QUERY_FAIL("no answer to %s", json);
		if (kind != CLIENT_CONTROL || c->id != 3999999999)
			continue;
		assert_string_equal(c->op, "appended");
		return client_uint(c, "seq", 0);
	}
}
