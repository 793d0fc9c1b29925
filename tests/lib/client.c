/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every message is taken apart in full before anything of it is believed: a
 * batch is an array, a control message a map with "op", an event an array of
 * seven or eight of the right types.
 */

#include "tests/lib/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum client_kind __attribute__((format(printf, 2, 3)))
client_blame(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(c->wrong, sizeof(c->wrong), fmt, ap);
	va_end(ap);
	return CLIENT_WRONG;
}

void
client_pack_str(msgpack_packer *pk, const char *s)
{
	msgpack_pack_str_with_body(pk, s, strlen(s));
}

bool
client_send(struct client *c, const msgpack_sbuffer *value)
{
	return wire_frame(
	    c->wire, WIRE_FIN | WIRE_BINARY, value->data, value->size);
}

static const msgpack_object *
client_member(const msgpack_object *map, const char *key)
{
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object_kv *kv = &map->via.map.ptr[i];

		if (kv->key.type == MSGPACK_OBJECT_STR &&
		    kv->key.via.str.size == strlen(key) &&
		    !memcmp(kv->key.via.str.ptr, key, strlen(key)))
			return &kv->val;
	}
	return NULL;
}

const msgpack_object *
client_get(const struct client *c, const char *key)
{
	return c->value.data.type == MSGPACK_OBJECT_MAP
		   ? client_member(&c->value.data, key)
		   : NULL;
}

bool
client_is(const struct client *c, const char *key, const char *text)
{
	const msgpack_object *o = client_get(c, key);

	return o != NULL && o->type == MSGPACK_OBJECT_STR &&
	       o->via.str.size == strlen(text) &&
	       !memcmp(o->via.str.ptr, text, strlen(text));
}

uint64_t
client_uint(const struct client *c, const char *key, uint64_t fallback)
{
	const msgpack_object *o = client_get(c, key);

	return o != NULL && o->type == MSGPACK_OBJECT_POSITIVE_INTEGER
		   ? o->via.u64
		   : fallback;
}

/* The head of an array of MessagePack; returns its length, 0: it is none. */
static size_t
client_array_head(const uint8_t *p, size_t len, uint32_t *n)
{
	if (len >= 1 && (p[0] & 0xf0) == 0x90) {
		*n = p[0] & 0x0f;
		return 1;
	}
	if (len >= 3 && p[0] == 0xdc) {
		*n = (uint32_t)p[1] << 8 | p[2];
		return 3;
	}
	if (len >= 5 && p[0] == 0xdd) {
		*n = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 |
		     (uint32_t)p[3] << 8 | p[4];
		return 5;
	}
	return 0;
}

static bool
client_event(const msgpack_object *o, struct checker_event *ev)
{
	const msgpack_object *f;

	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size < 7 ||
	    o->via.array.size > 8)
		return false;
	f = o->via.array.ptr;
	if (f[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
	    f[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
	    f[2].type != MSGPACK_OBJECT_STR ||
	    f[3].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
	    f[4].type != MSGPACK_OBJECT_STR ||
	    f[5].type != MSGPACK_OBJECT_STR ||
	    (o->via.array.size == 8 && f[7].type != MSGPACK_OBJECT_MAP))
		return false;
	ev->seq = f[0].via.u64;
	ev->time = f[1].via.u64;
	ev->topic = f[2].via.str.ptr;
	ev->topic_len = f[2].via.str.size;
	ev->version = f[3].via.u64;
	return true;
}

static bool
client_room(struct client *c, size_t n)
{
	struct checker_event *more;

	if (n <= c->cap_events)
		return true;
	more = realloc(c->events, n * sizeof(*more));
	if (more == NULL)
		return false;
	c->events = more;
	c->cap_events = n;
	return true;
}

/*
 * Events and their bytes: objects has them decoded, p to end their bytes,
 * back to back.
 */
static bool
client_events(struct client *c, const msgpack_object *objects, size_t n,
    const uint8_t *p, const uint8_t *end)
{
	msgpack_unpacked one;
	size_t len;
	bool ok = client_room(c, n);

	msgpack_unpacked_init(&one);
	for (size_t i = 0; ok && i < n; i++) {
		len = 0;
		ok = msgpack_unpack_next(&one, (const char *)p,
			 (size_t)(end - p), &len) == MSGPACK_UNPACK_SUCCESS &&
		     client_event(&objects[i], &c->events[i]);
		c->events[i].bytes = p;
		c->events[i].len = len;
		p += len;
	}
	msgpack_unpacked_destroy(&one);
	c->span.events = c->events;
	c->span.n = n;
	return ok;
}

static enum client_kind
client_batch(struct client *c, const uint8_t *p, size_t len)
{
	const msgpack_object *o = &c->value.data;
	const uint8_t *end = p + len;
	msgpack_unpacked one;
	uint32_t n;

	if (o->via.array.size < 2 ||
	    o->via.array.ptr[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
	    o->via.array.ptr[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return client_blame(c, "a batch without after and upto");
	c->span.after = o->via.array.ptr[0].via.u64;
	c->span.upto = o->via.array.ptr[1].via.u64;
	p += client_array_head(p, len, &n);
	msgpack_unpacked_init(&one);
	for (int i = 0; i < 2; i++) {
		size_t step = 0;

		(void)msgpack_unpack_next(
		    &one, (const char *)p, (size_t)(end - p), &step);
		p += step;
	}
	msgpack_unpacked_destroy(&one);
	if (!client_events(
		c, o->via.array.ptr + 2, o->via.array.size - 2, p, end))
		return client_blame(c, "a batch with something in it that is "
				       "no event");
	return CLIENT_BATCH;
}

/* The bytes of an array inside the message, found by its decoded copy. */
static enum client_kind
client_replay(struct client *c, const uint8_t *p, size_t len)
{
	const msgpack_object *events = client_get(c, "events");
	const msgpack_object *last = client_get(c, "last");
	static const char key[] = "\xa6"
				  "events";
	const uint8_t *at;
	size_t head;
	uint32_t n;

	c->span.after = client_uint(c, "after", UINT64_MAX);
	c->span.upto = client_uint(c, "upto", UINT64_MAX);
	at = memmem(p, len, key, sizeof(key) - 1);
	if (events == NULL || events->type != MSGPACK_OBJECT_ARRAY ||
	    last == NULL || last->type != MSGPACK_OBJECT_BOOLEAN ||
	    c->span.after == UINT64_MAX || c->span.upto == UINT64_MAX ||
	    at == NULL)
		return client_blame(c, "a replay without its members");
	c->last = last->via.boolean;
	at += sizeof(key) - 1;
	head = client_array_head(at, (size_t)(p + len - at), &n);
	if (head == 0 || n != events->via.array.size ||
	    !client_events(c, events->via.array.ptr, n, at + head, p + len))
		return client_blame(c, "a replay with something in it that is "
				       "no event");
	return CLIENT_CONTROL;
}

static enum client_kind
client_control(struct client *c, const uint8_t *p, size_t len)
{
	const msgpack_object *op = client_get(c, "op");

	if (op == NULL || op->type != MSGPACK_OBJECT_STR ||
	    op->via.str.size >= sizeof(c->op))
		return client_blame(c, "a control message without op");
	memcpy(c->op, op->via.str.ptr, op->via.str.size);
	c->op[op->via.str.size] = '\0';
	c->id = client_uint(c, "id", 0);
	return strcmp(c->op, "replay") == 0 ? client_replay(c, p, len)
					    : CLIENT_CONTROL;
}

enum client_kind
client_next(struct client *c, int timeout_ms)
{
	struct wire_message m;
	size_t used = 0;

	switch (wire_next(c->wire, &m, timeout_ms)) {
	case WIRE_ENDED:
		return CLIENT_ENDED;
	case WIRE_LATE:
		return CLIENT_LATE;
	default:
		break;
	}
	c->bytes = m.p;
	c->len = m.len;
	if (m.opcode != WIRE_BINARY)
		return client_blame(c, "a message of opcode %u", m.opcode);
	if (msgpack_unpack_next(&c->value, (const char *)m.p, m.len, &used) !=
		MSGPACK_UNPACK_SUCCESS ||
	    used != m.len)
		return client_blame(c, "a message that is not one value");
	if (c->value.data.type == MSGPACK_OBJECT_ARRAY)
		return client_batch(c, m.p, m.len);
	if (c->value.data.type == MSGPACK_OBJECT_MAP)
		return client_control(c, m.p, m.len);
	return client_blame(c, "a message that is no array and no map");
}

enum client_kind
client_await(struct client *c, const char *op, int timeout_ms)
{
	int64_t until = wire_now_ms() + timeout_ms;
	enum client_kind kind;

	do
		kind = client_next(c, (int)(until - wire_now_ms()));
	while (kind == CLIENT_BATCH ||
	       (kind == CLIENT_CONTROL && strcmp(c->op, op) != 0));
	return kind;
}

static bool
client_hello(struct client *c, const char *token, const char *instance)
{
	msgpack_sbuffer sb;
	msgpack_packer pk;
	bool ok;

	msgpack_sbuffer_init(&sb);
	msgpack_packer_init(&pk, &sb, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, 2 + (token != NULL) + (instance != NULL));
	client_pack_str(&pk, "op");
	client_pack_str(&pk, "hello");
	client_pack_str(&pk, "v");
	msgpack_pack_uint64(&pk, 1);
	if (token != NULL) {
		client_pack_str(&pk, "token");
		client_pack_str(&pk, token);
	}
	if (instance != NULL) {
		client_pack_str(&pk, "client");
		client_pack_str(&pk, instance);
	}
	ok = client_send(c, &sb);
	msgpack_sbuffer_destroy(&sb);
	return ok;
}

static bool
client_welcome(struct client *c)
{
	const msgpack_object *log;
	enum client_kind kind = client_next(c, WIRE_DEADLINE_MS);

	if (kind == CLIENT_ENDED)
		(void)client_blame(c, "closed with %u instead of welcome",
		    wire_close_code(c->wire));
	if (kind != CLIENT_CONTROL || strcmp(c->op, "welcome") != 0) {
		if (kind == CLIENT_CONTROL)
			(void)client_blame(c, "'%s' instead of welcome", c->op);
		return false;
	}
	log = client_get(c, "log");
	if (log == NULL || log->type != MSGPACK_OBJECT_STR ||
	    log->via.str.size >= sizeof(c->log)) {
		(void)client_blame(c, "welcome without log");
		return false;
	}
	memcpy(c->log, log->via.str.ptr, log->via.str.size);
	c->log[log->via.str.size] = '\0';
	c->head = client_uint(c, "head", 0);
	c->oldest = client_uint(c, "oldest", 0);
	return true;
}

bool
client_open(struct client *c, const struct wire_to *to, const char *token)
{
	return client_open_as(c, to, token, NULL);
}

bool
client_open_as(struct client *c, const struct wire_to *to, const char *token,
    const char *instance)
{
	int status;

	memset(c, 0, sizeof(*c));
	msgpack_unpacked_init(&c->value);
	c->wire = wire_dial(to, WIRE_DEADLINE_MS);
	if (c->wire == NULL) {
		(void)client_blame(c, "no connection");
		return false;
	}
	status = wire_upgrade(
	    c->wire, "Sec-WebSocket-Protocol: peal.v1.msgpack\r\n");
	if (status != 101) {
		(void)client_blame(c, "status %d instead of 101", status);
		return false;
	}
	return client_hello(c, token, instance) && client_welcome(c);
}

void
client_close(struct client *c)
{
	c->wire = wire_free(c->wire);
	msgpack_unpacked_destroy(&c->value);
	free(c->events);
	c->events = NULL;
	c->cap_events = 0;
}

bool
client_subscribe(
    struct client *c, uint64_t id, const char *pattern, uint64_t from)
{
	msgpack_sbuffer sb;
	msgpack_packer pk;
	bool ok;

	msgpack_sbuffer_init(&sb);
	msgpack_packer_init(&pk, &sb, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, from == CLIENT_NOW ? 4 : 5);
	client_pack_str(&pk, "op");
	client_pack_str(&pk, "subscribe");
	client_pack_str(&pk, "id");
	msgpack_pack_uint64(&pk, id);
	client_pack_str(&pk, "topics");
	msgpack_pack_array(&pk, 1);
	client_pack_str(&pk, pattern);
	client_pack_str(&pk, "from");
	if (from == CLIENT_NOW) {
		client_pack_str(&pk, "now");
	} else {
		msgpack_pack_uint64(&pk, from);
		client_pack_str(&pk, "log");
		client_pack_str(&pk, c->log);
	}
	ok = client_send(c, &sb);
	msgpack_sbuffer_destroy(&sb);
	return ok;
}

char *
client_read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;

	if (f == NULL)
		return NULL;
	n = getdelim(&text, &cap, '\0', f);
	fclose(f);
	if (n < 0) {
		free(text);
		return NULL;
	}
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	return text;
}
