/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The parts of a gateway around its sessions.  Attachment and tokens are
 * played here: tokens say in clear what they grant.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/crc32c.h"
#include "core/event.h"
#include "core/json.h"
#include "core/reason.h"
#include "core/rules.h"
#include "core/time.h"
#include "gateway/ask.h"
#include "gateway/attach.h"
#include "gateway/catchup.h"
#include "gateway/feed.h"
#include "gateway/forward.h"
#include "gateway/grants.h"
#include "gateway/session.h"
#include "gateway/token.h"
#include "gateway/ws.h"
#include "tests/lib/sessionfix.h"

static struct sessionfix *world;

/* --- played parts of the gateway --- */

struct ring_reader *
attach_ring_of(const struct attach *a)
{
	return world->ring.reader;
}

bool
attach_live(const struct attach *a)
{
	return !world->no_writer;
}

void
gateway_drink(struct gateway *gw, uint64_t seq)
{
	while (feed_pass(gw->feed, time_mono_ns()) == FEED_MORE)
		;
}

static void
grant(struct acl *acl, enum acl_list list, char *patterns)
{
	char *rest = NULL;

	for (char *p = strtok_r(patterns, ",", &rest); p;
	     p = strtok_r(NULL, ",", &rest))
		if (strcmp(p, "-") != 0)
			assert_int_equal(
			    acl_add(acl, list, slice_cstr(p), NULL), ACL_ADDED);
}

int
token_verify(struct token_keys *keys, struct slice jwt, uint64_t now_s,
    struct token *token, struct reason *why)
{
	char text[200], read[100], write[100];
	long seconds, issued = 1000;

	snprintf(text, sizeof(text), "%.*s", (int)jwt.len, (const char *)jwt.p);
	*token = (struct token){ 0 };
	if (sscanf(text, "%100s %99s %99s %ld %ld", token->sub, read, write,
		&seconds, &issued) < 4) {
		reason_set(why, 0, "the token is bad");
		return TOKEN_BAD;
	}
	token->expires_s = now_s + (uint64_t)seconds;
	token->issued_s = (uint64_t)issued;
	grant(&token->acl, ACL_READ, read);
	grant(&token->acl, ACL_WRITE, write);
	return TOKEN_GOOD;
}

void
token_deinit(struct token *token)
{
	acl_deinit(&token->acl);
}

/* --- text --- */

static char *
to_text(struct slice value)
{
	struct mp_buf b = { 0 };

	assert_int_equal(json_from_mp(value, &b), 0);
	mp_buf_bytes(&b, "", 1);
	for (size_t i = 0; i < b.len; i++)
		if (b.p[i] == '"')
			b.p[i] = '\'';
	return (char *)b.p;
}

static void PRINTF(1, 0)
    to_value(const char *fmt, va_list ap, struct mp_buf *out)
{
	struct reason why = { "" };
	char *text;
	int len = vasprintf(&text, fmt, ap);

	assert_true(len > 0);
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (json_to_mp(slice_of(text, (size_t)len), out, &why) < 0)
		fail_msg("%s: %s", text, why.text);
	free(text);
}

/* --- clients --- */

static void
got(void *arg, struct slice value)
{
	struct sessionfix_client *c = arg;

	assert_true(c->n < SESSIONFIX_MESSAGES);
	c->got[c->n++] = to_text(value);
}

static void
ready(void *arg)
{
	struct sessionfix_client *c = arg;

	if (c->session)
		c->fx->handler.ready(c->session);
}

struct sessionfix_client *
sessionfix_client(struct sessionfix *fx, unsigned i, const char *token)
{
	struct sessionfix_client *c = &fx->clients[i];

	assert_null(c->session);
	c->fx = fx;
	c->conn = (struct fakeconn){
		.got = got, .ready = ready, .arg = c, .room = UINT32_MAX
	};
	c->session = fx->handler.open(
	    fx->handler.arg, fakeconn_conn(&c->conn), slice_of(NULL, 0));
	assert_non_null(c->session);
	if (token) {
		sessionfix_say(c, "{'op':'hello','v':1,'token':'%s'}", token);
		sessionfix_expect(c, "'op':'welcome'", NULL);
		fakeconn_flush(&c->conn);
	}
	return c;
}

void
sessionfix_say(struct sessionfix_client *c, const char *fmt, ...)
{
	struct mp_buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	to_value(fmt, ap, &b);
	va_end(ap);
	c->fx->handler.message(c->session, WS_BINARY, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
	fakeconn_flush(&c->conn);
}

const char *
sessionfix_next(struct sessionfix_client *c)
{
	if (c->read == c->n)
		fail_msg("the client got no message");
	return c->got[c->read++];
}

void
sessionfix_quiet(struct sessionfix_client *c)
{
	if (c->read < c->n)
		fail_msg("the client got %s", c->got[c->read]);
}

void
sessionfix_expect(struct sessionfix_client *c, ...)
{
	const char *text = sessionfix_next(c), *part;
	va_list ap;

	va_start(ap, c);
	while ((part = va_arg(ap, const char *)))
		if (!strstr(text, part))
			fail_msg("%s has no %s", text, part);
	va_end(ap);
}

/* --- the ring --- */

/* What an event says beside its seq. */
struct said {
	const char *topic, *type;
	uint64_t version;
	struct slice data;
	bool more; /* of its request */
};

/* The bytes of one event; returns their number. */
static uint32_t
encode(struct sessionfix *fx, const struct said *said, struct ring_event *ev,
    uint8_t *bytes)
{
	struct event event = {
		.seq = ++fx->ring.seq,
		.time_us = fx->ring.seq,
		.version = said->version,
		.topic = slice_cstr(said->topic),
		.type = slice_cstr(said->type),
		.actor = SLICE_STR("me"),
		.data = said->data,
	};

	*ev = (struct ring_event){
		.seq = event.seq,
		.topic_hash = hash_bytes(
		    &fx->ring.opt.topic_key, said->topic, strlen(said->topic)),
		.version = (uint32_t)said->version,
		.len = (uint32_t)(event_encode(&event, bytes) - bytes),
		.flags = said->more ? 0 : RING_LAST_OF_REQUEST,
	};
	ev->crc = crc32c(0, bytes, ev->len);
	return ev->len;
}

static void
publish_one(struct sessionfix *fx, const char *topic, const char *type,
    uint64_t version)
{
	const struct said said = { topic, type, version, slice_of("\x01", 1),
		false };
	struct ring_event ev;
	uint8_t bytes[300];
	uint32_t len = encode(fx, &said, &ev, bytes);

	ring_writer_begin(fx->ring.writer, 1, len);
	ring_writer_add(fx->ring.writer, &ev, bytes);
	ring_writer_commit(fx->ring.writer);
}

void
sessionfix_publish(struct sessionfix *fx, const char *topic, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		publish_one(fx, topic, "set", 1);
	sessionfix_turn(fx);
}

void
sessionfix_publish_as(struct sessionfix *fx, const char *topic,
    const char *type, uint64_t version)
{
	publish_one(fx, topic, type, version);
	sessionfix_turn(fx);
}

void
sessionfix_publish_unseen(
    struct sessionfix *fx, const struct sessionfix_event *v, unsigned n)
{
	struct ring_event ev[8];
	uint8_t bytes[8][1000];
	uint32_t len = 0;

	assert_true(n > 0 && n <= ARRAY_LEN(ev));
	for (unsigned i = 0; i < n; i++) {
		struct mp_buf data = { 0 };
		char *json = strdup(v[i].data);

		for (char *p = json; *p; p++)
			if (*p == '\'')
				*p = '"';
		assert_int_equal(json_to_mp(slice_cstr(json), &data, NULL), 0);
		len += encode(fx,
		    &(const struct said){ v[i].topic, "set", 1,
			slice_of(data.p, data.len), i < n - 1 },
		    &ev[i], bytes[i]);
		mp_buf_deinit(&data);
		free(json);
	}
	ring_writer_begin(fx->ring.writer, n, len);
	for (unsigned i = 0; i < n; i++)
		ring_writer_add(fx->ring.writer, &ev[i], bytes[i]);
	ring_writer_commit(fx->ring.writer);
}

void
sessionfix_publish_data(
    struct sessionfix *fx, const struct sessionfix_event *v, unsigned n)
{
	sessionfix_publish_unseen(fx, v, n);
	sessionfix_turn(fx);
}

/* --- the writer and the broker --- */

static void
accept_gateway(struct sessionfix_peer *p)
{
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		frame_stream_init(&p->stream, fd, 1 << 22);
}

void
sessionfix_turn(struct sessionfix *fx)
{
	struct sessionfix_peer *peers[] = { &fx->writer, &fx->broker };

	for (unsigned i = 0; i < ARRAY_LEN(peers); i++)
		if (peers[i]->listener >= 0 && peers[i]->stream.fd < 0)
			accept_gateway(peers[i]);
	gateway_drink(&fx->gw, 0);
	turns_run(&fx->gw.quotas.turns);
	(void)send_hub_run(&fx->gw.hub);
	for (unsigned i = 0; i < SESSIONFIX_CLIENTS; i++)
		if (fx->clients[i].session)
			fakeconn_flush(&fx->clients[i].conn);
	forward_flush(fx->gw.forward);
	ask_flush(fx->gw.ask);
	assert_int_equal(loop_once(fx->gw.loop, 0), 0);
}

static void
say(struct sessionfix_peer *p, const char *fmt, va_list ap)
{
	struct mp_buf *b;
	size_t mark;

	b = frame_begin(&p->stream, &mark);
	to_value(fmt, ap, b);
	assert_int_equal(frame_end(&p->stream, mark), 0);
	assert_int_equal(frame_flush(&p->stream), FRAME_IO_DONE);
}

static void PRINTF(2, 3) says(struct sessionfix_peer *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(p, fmt, ap);
	va_end(ap);
}

/* The broker's side answers each hello, with the fold rules that it has. */
static void
welcome(struct sessionfix_peer *p, uint64_t id)
{
	says(p,
	    "{'op':'welcome','id':%llu,'v':1,'log':'%s','fold':{'version':1,"
	    "'rules':[['*','%s']]}}",
	    (unsigned long long)id, p->log, p->fold);
}

/*
 * The next request of a client, if one is there: the gateway's own hello,
 * which comes with each connection, is not what tests wait for.
 */
static bool
next_request(struct sessionfix_peer *p, struct slice *value)
{
	while (frame_next(&p->stream, value) == FRAME_ONE) {
		if (!slice_is(proto_get_str(*value, "op"), "hello"))
			return true;
		if (p->fold)
			welcome(p, proto_get_uint(*value, "id").v);
	}
	return false;
}

static const char *
got_by(struct sessionfix *fx, struct sessionfix_peer *p)
{
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;
	struct slice value;
	char *text;

	while (p->stream.fd < 0 || !next_request(p, &value)) {
		assert_true(time_mono_ns() < deadline);
		sessionfix_turn(fx);
		if (p->stream.fd >= 0)
			assert_true(frame_fill(&p->stream) != FRAME_IO_CLOSED);
	}
	text = to_text(value);
	fx->text.len = 0;
	mp_buf_bytes(&fx->text, text, strlen(text) + 1);
	free(text);
	return (const char *)fx->text.p;
}

const char *
sessionfix_writer_got(struct sessionfix *fx)
{
	return got_by(fx, &fx->writer);
}

const char *
sessionfix_broker_got(struct sessionfix *fx)
{
	return got_by(fx, &fx->broker);
}

static void
quiet(struct sessionfix *fx, struct sessionfix_peer *p)
{
	struct slice value;

	sessionfix_turn(fx);
	if (p->stream.fd < 0)
		return;
	assert_true(frame_fill(&p->stream) != FRAME_IO_CLOSED);
	assert_false(next_request(p, &value));
}

void
sessionfix_writer_quiet(struct sessionfix *fx)
{
	quiet(fx, &fx->writer);
}

void
sessionfix_broker_quiet(struct sessionfix *fx)
{
	quiet(fx, &fx->broker);
}

void
sessionfix_writer_says(struct sessionfix *fx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(&fx->writer, fmt, ap);
	va_end(ap);
	sessionfix_turn(fx);
}

void
sessionfix_broker_says(struct sessionfix *fx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(&fx->broker, fmt, ap);
	va_end(ap);
	sessionfix_turn(fx);
}

static void
leave(struct sessionfix *fx, struct sessionfix_peer *p)
{
	closep(&p->listener);
	p->listener = -1;
	frame_stream_deinit(&p->stream);
	p->stream.fd = -1;
	sessionfix_turn(fx);
}

void
sessionfix_writer_leave(struct sessionfix *fx)
{
	leave(fx, &fx->writer);
}

void
sessionfix_broker_leave(struct sessionfix *fx)
{
	leave(fx, &fx->broker);
}

static void
listen_as(struct sessionfix *fx, struct sessionfix_peer *p, const char *name)
{
	char path[100];
	struct reason why;

	snprintf(path, sizeof(path), "%s/%s", fx->ring.dir, name);
	if (frame_listen(path, SOCK_STREAM | SOCK_NONBLOCK, 0600, &p->listener,
		&why) < 0)
		fail_msg("%s", why.text);
}

void
sessionfix_writer_come(struct sessionfix *fx)
{
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;

	listen_as(fx, &fx->writer, "writer.sock");
	while (fx->writer.stream.fd < 0) {
		assert_true(time_mono_ns() < deadline);
		if (fx->gw.forward)
			sessionfix_turn(fx);
		else
			assert_int_equal(forward_new(fx->gw.loop, fx->ring.dir,
					     session_answer, &fx->gw.forward),
			    0);
	}
	assert_true(forward_up(fx->gw.forward));
}

void
sessionfix_broker_come(struct sessionfix *fx)
{
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;

	listen_as(fx, &fx->broker, "broker.sock");
	while (!ask_is_up(fx->gw.ask)) {
		struct slice value;

		assert_true(time_mono_ns() < deadline);
		sessionfix_turn(fx);
		if (fx->broker.stream.fd >= 0 &&
		    frame_fill(&fx->broker.stream) == FRAME_IO_DONE)
			assert_false(next_request(&fx->broker, &value));
	}
}

static void
on_broker(void *arg, struct slice value)
{
	struct gateway *gw = arg;

	fetch_forget(gw->fetch);
	session_broker_up(gw);
}

static void
on_news(void *arg, struct slice value)
{
}

static void
open_ask(struct sessionfix *fx)
{
	struct gateway *gw = &fx->gw;
	const struct ask_handler handler = { on_broker, on_news, gw };

	assert_int_equal(
	    ask_new(gw->loop, fx->ring.dir, &handler, &gw->ask), 0);
	gw->fetch = fetch_new(gw->ask);
	gw->hub.fetch = gw->fetch;
	gw->hub.absent = session_absent;
	gw->hub.answered = session_answered;
	gw->hub.arg = gw;
	TAILQ_INIT(&gw->greetings);
	assert_int_equal(
	    loop_timer_init(gw->loop, &gw->greet_timer, session_greet_due, gw),
	    0);
	assert_int_equal(
	    loop_timer_init(gw->loop, &gw->shed_timer, session_shed_due, gw),
	    0);
}

int
sessionfix_setup(void **state)
{
	struct sessionfix *fx = calloc(1, sizeof(*fx));
	struct gateway *gw = &fx->gw;

	world = fx;
	ringfix_dir(&fx->ring);
	fx->ring.opt.slots = 64;
	fx->ring.opt.payload_bytes = 16384;
	ringfix_open(&fx->ring);
	fx->writer = fx->broker = (struct sessionfix_peer){ .listener = -1 };
	fx->writer.stream.fd = fx->broker.stream.fd = -1;
	fx->broker.fold = "set";
	fx->broker.log = "log-1";
	fx->conf = conf_new();
	gw->conf = fx->conf;
	gw->loop = loop_new();
	assert_non_null(gw->loop);
	group_table_init(&gw->groups);
	assert_int_equal(rules_parse("", &gw->rules, NULL), 0);
	gw->catchup = catchup_new();
	gw->grants = grants_new(session_granted, gw);
	grants_all_known(gw->grants, 0);
	gw->feed = feed_new(&gw->groups);
	feed_follow(gw->feed, gw->grants);
	send_hub_init(&gw->hub, &gw->groups, gw->catchup);
	quota_table_init(&gw->quotas);
	gw->quotas.turns.go = session_query_go;
	gw->quotas.max_bytes = 1 << 22;
	LIST_INIT(&gw->sessions);
	snprintf(gw->log, sizeof(gw->log), "log-1");
	assert_int_equal(feed_ring(gw->feed, fx->ring.reader), FEED_IDLE);
	assert_int_equal(catchup_ring(gw->catchup, fx->ring.reader), 0);
	session_handler(gw, &fx->handler);
	open_ask(fx);
	sessionfix_writer_come(fx);
	*state = fx;
	return 0;
}

int
sessionfix_teardown(void **state)
{
	struct sessionfix *fx = *state;

	for (unsigned i = 0; i < SESSIONFIX_CLIENTS; i++) {
		struct sessionfix_client *c = &fx->clients[i];

		if (c->session)
			fx->handler.closed(c->session);
		for (unsigned j = 0; j < c->n; j++)
			free(c->got[j]);
	}
	(void)forward_free(fx->gw.forward);
	quota_table_deinit(&fx->gw.quotas);
	(void)fetch_free(fx->gw.fetch);
	(void)ask_free(fx->gw.ask);
	loop_timer_deinit(&fx->gw.greet_timer);
	loop_timer_deinit(&fx->gw.shed_timer);
	if (fx->writer.stream.fd >= 0)
		frame_stream_deinit(&fx->writer.stream);
	if (fx->broker.stream.fd >= 0)
		frame_stream_deinit(&fx->broker.stream);
	closep(&fx->writer.listener);
	closep(&fx->broker.listener);
	(void)feed_free(fx->gw.feed);
	(void)grants_free(fx->gw.grants);
	(void)catchup_free(fx->gw.catchup);
	group_table_deinit(&fx->gw.groups);
	acl_deinit(&fx->gw.anonymous);
	(void)rules_free(fx->gw.rules);
	(void)loop_free(fx->gw.loop);
	(void)conf_free(fx->conf);
	mp_buf_deinit(&fx->text);
	ringfix_close(&fx->ring);
	free(fx);
	return 0;
}
