/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Server-Sent Events over real TLS, with sessions that the test plays: what
 * is asked for, what a batch becomes, and how a stream ends.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "gateway/counters.h"
#include "gateway/form.h"
#include "tests/lib/doorfix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

static struct block *
batch(uint64_t after, uint64_t upto)
{
	struct block *b = block_new(100);

	block_add(b, (const uint8_t *)"\x92\x05\xa1\n", 4);
	block_finish_batch(b, after, upto);
	return b;
}

static const char *
next_event(struct edge_client *c)
{
	return doorfix_read_to(c, "\n\n\r\n");
}

static void
what_is_asked_for_becomes_a_subscription(void **state)
{
	static const struct {
		const char *request, *asked;
	} rows[] = {
		{ DOOR_GET("/v1/stream?topic=a.%3e&topic=b", ""),
		    "{'op':'subscribe','topics':['a.>','b'],'id':1,"
		    "'from':'now'}" },
		{ DOOR_GET("/v1/stream?from=now&topic=a", ""),
		    "{'op':'subscribe','topics':['a'],'id':1,'from':'now'}" },
		{ DOOR_GET("/v1/stream?from=0&topic=a", ""),
		    "{'op':'subscribe','topics':['a'],'id':1,'from':0,"
		    "'log':'log-1'}" },
		{ DOOR_GET("/v1/stream?topic=a&type=*_set&conflate=100", ""),
		    "{'op':'subscribe','topics':['a'],'types':['*_set'],"
		    "'conflate':100,'id':1,'from':'now'}" },
		/* What was seen last counts for more. */
		{ DOOR_GET("/v1/stream?topic=a&from=5",
		      "Last-Event-ID: log-2:77\r\n"),
		    "{'op':'subscribe','topics':['a'],'id':1,'from':77,"
		    "'log':'log-2'}" },
		{ DOOR_GET("/v1/stream?topic=a", "Last-Event-ID: x:y:0\r\n"),
		    "{'op':'subscribe','topics':['a'],'id':1,'from':0,"
		    "'log':'x:y'}" },
		{ DOOR_GET("/v1/stream?topic=a&from=5", "Last-Event-ID:\r\n"),
		    "{'op':'subscribe','topics':['a'],'id':1,'from':5,"
		    "'log':'log-1'}" },
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		edge_free(c);
		c = edge_open(fx);
		doorfix_ask(c, rows[i].request);
		assert_string_equal(doorfix_asked, rows[i].asked);
	}
	edge_free(c);
}

static void
what_cannot_be_asked_for_is_refused(void **state)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{ DOOR_GET("/v1/stream?topic=a&from=snapshot", ""), 400 },
		{ DOOR_GET("/v1/stream?topic=a&from=-1", ""), 400 },
		{ DOOR_GET("/v1/stream?topic=a&since=1", ""), 400 },
		{ DOOR_GET("/v1/stream?topic=a&token=x", ""), 400 },
		{ DOOR_GET("/v1/stream?topic=a", "Last-Event-ID: 5\r\n"), 400 },
		{ DOOR_GET("/v1/stream?topic=a", "Last-Event-ID: :5\r\n"),
		    400 },
		{ DOOR_GET("/v1/stream?topic=a", "Last-Event-ID: l:\r\n"),
		    400 },
		{ DOOR_GET("/v1/stream?topic=a", "Last-Event-ID: l:05\r\n"),
		    400 },
		{ DOOR_GET("/v1/stream?topic=a", "Last-Event-ID: l:5 \x7f\r\n"),
		    400 },
		{ DOOR_GET("/v1/stream?topic=a", "Last-Event-ID: l:-5\r\n"),
		    400 },
		{ DOOR_GET("/v1/stream?topic=a",
		      "Last-Event-ID: l:99999999999999999999\r\n"),
		    400 },
		{ DOOR_GET("/v1/stream?topic=a",
		      "Last-Event-ID: l:18446744073709551616\r\n"),
		    400 },
		{ DOOR_GET("/v1/stream?topic=a",
		      "Last-Event-ID: l:5\r\nLast-Event-ID: l:6\r\n"),
		    400 },
		{ DOOR_GET("/v1/stream?topic=a", "Origin: https://b.org\r\n"),
		    403 },
		{ DOOR_HEAD("/v1/stream?topic=a"), 405 },
		{ DOOR_GET("/v1/stream/?topic=a", ""), 404 },
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		edge_free(c);
		c = edge_open(fx);
		doorfix_refused(c, rows[i].request, rows[i].status);
	}
	assert_int_equal(doorfix_questions, 0);
	edge_free(c);
}

static struct edge_client *
streaming(struct edgefix *fx)
{
	struct edge_client *c = doorfix_start(fx, NULL);

	doorfix_ask(c, DOOR_GET("/v1/stream?topic=a", ""));
	doorfix_says(fx, "{'op':'subscribed','id':1,'seq':5}");
	doorfix_contains(doorfix_read_to(c, "\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
	doorfix_contains(next_event(c), "\r\nid: log-1:5\ndata: [5,5]\n\n\r\n");
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	return c;
}

static void
the_head_says_what_it_is(void **state)
{
	static const char *const options[] = { "gateway.origins=https://a.org",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, options);
	const char *head;

	doorfix_ask(c,
	    DOOR_GET("/v1/stream?topic=a", "Origin: https://a.org\r\n"
					   "Authorization: Bearer x.y.z\r\n"));
	assert_string_equal(fx->bearer, "x.y.z");
	doorfix_says(fx, "{'op':'subscribed','id':1,'seq':0}");
	head = doorfix_read_to(c, "\r\n\r\n");
	doorfix_contains(head, "HTTP/1.1 200 OK\r\n");
	doorfix_contains(head, "\r\nContent-Type: text/event-stream\r\n");
	doorfix_contains(head, "\r\nCache-Control: no-store\r\n");
	doorfix_contains(head, "\r\nTransfer-Encoding: chunked\r\n");
	doorfix_contains(
	    head, "\r\nAccess-Control-Allow-Origin: https://a.org\r\n");
	edge_free(c);
}

static void
a_batch_is_one_event_made_once(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = streaming(fx);
	struct block *b = batch(5, 9), *events;

	assert_int_equal(conn_send(fx->conn, b), CONN_SENT);
	assert_string_equal(next_event(c),
	    "22\r\nid: log-1:9\ndata: [5,9,[5,\"\\n\"]]\n\n\r\n");
	events = b->events;
	assert_non_null(events);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	assert_int_equal(conn_send(fx->conn, b), CONN_SENT);
	(void)next_event(c);
	assert_ptr_equal(b->events, events);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn) && events->refs == 1);
	(void)block_unref(b);
	edge_free(c);
}

static void
a_batch_that_is_text_already_is_not_made_anew(void **state)
{
	static const char want[] = "\ndata: [5,9,[5,\"\\n\"]]\n\n";
	struct block *b = batch(5, 9), *events;

	assert_non_null(form_of(b, FORM_JSON));
	events = form_events(b, "l");
	assert_non_null(events);
	assert_non_null(memmem(events->bytes + events->start,
	    events->end - events->start, want, sizeof(want) - 1));
	(void)block_unref(b);
}

static void
a_replay_is_a_batch_like_others(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	doorfix_ask(c, DOOR_GET("/v1/stream?topic=a&from=3", ""));
	doorfix_says(fx, "{'op':'subscribed','id':1}");
	(void)doorfix_read_to(c, "\r\n\r\n");
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	doorfix_gives(fx, "{'op':'replay','id':1,'after':3,'upto':7,"
			  "'events':[[4,'x'],[6,'y']],'last':false}");
	doorfix_contains(next_event(c),
	    "\r\nid: log-1:7\ndata: [3,7,[4,\"x\"],[6,\"y\"]]\n\n");
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	doorfix_gives(fx, "{'op':'replay','id':1,'after':7,'upto':7,"
			  "'events':[],'last':true}");
	doorfix_contains(next_event(c), "\r\nid: log-1:7\ndata: [7,7]\n\n");
	edge_free(c);
}

static void
who_was_lagged_is_told_and_the_answer_is_whole(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = streaming(fx);
	const char *rest;

	doorfix_says(fx, "{'op':'lagged','reason':'ring','position':5,"
			 "'oldest':2,'head':9}");
	rest = doorfix_read_to(c, "\r\n0\r\n\r\n");
	doorfix_contains(rest,
	    "\r\nevent: lagged\ndata: {\"op\":\"lagged\",\"reason\":\"ring\","
	    "\"position\":5,\"oldest\":2,\"head\":9}\n\n");
	doorfix_lacks(rest, "id:");
	EDGE_UNTIL(fx, fx->closed == 1);
	/* The connection may be used for something else. */
	doorfix_ask(c, DOOR_GET("/v1/history", ""));
	doorfix_says(fx, "{'op':'history'}");
	doorfix_contains(doorfix_read_to(c, "}\n"), "HTTP/1.1 200 ");
	edge_free(c);
}

static void
what_is_gone_is_410(void **state)
{
	static const struct {
		const char *said, *head, *body;
	} rows[] = {
		{ "{'op':'lagged','id':1,'reason':'retention','position':5,"
		  "'oldest':8,'head':9}",
		    "HTTP/1.1 410 Gone\r\n", "\"oldest\":8" },
		{ "{'op':'error','id':1,'code':'log_changed'}",
		    "HTTP/1.1 410 Gone\r\n", "log_changed" },
		{ "{'op':'error','id':1,'code':'ahead'}", "HTTP/1.1 409 ",
		    "ahead" },
		{ "{'op':'error','id':1,'code':'forbidden'}", "HTTP/1.1 403 ",
		    "forbidden" },
		{ "{'op':'lagged','id':1,'reason':'permissions','oldest':8,"
		  "'head':9}",
		    "HTTP/1.1 503 ", "unavailable" },
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	const char *answer;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		edge_free(c);
		c = edge_open(fx);
		doorfix_ask(c, DOOR_GET("/v1/stream?topic=a",
				   "Last-Event-ID: log-1:5\r\n"));
		doorfix_says(fx, rows[i].said);
		answer = doorfix_read_to(c, "}\n");
		doorfix_contains(answer, rows[i].head);
		doorfix_contains(answer, rows[i].body);
		/* Nobody has given that number. */
		assert_null(strstr(answer, "\"id\":"));
	}
	edge_free(c);
}

static void
a_session_that_closes_ends_the_stream_in_order(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = streaming(fx);

	doorfix_says(fx, "{'op':'draining','in':100}");
	doorfix_says(fx, "{'op':'expiring','in':100}");
	conn_close(fx->conn, 1012, "restart");
	assert_string_equal(doorfix_read_all(c), "0\r\n\r\n");
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	edge_free(c);
}

static void
a_batch_that_is_no_value_ends_the_connection(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = streaming(fx);
	struct block *b = block_message(SLICE_STR("\x92\x01"));

	assert_int_equal(conn_send(fx->conn, b), CONN_DEAD);
	(void)block_unref(b);
	edge_until_eof(c);
	edge_free(c);
}

/* Zeros, as many as a block usually holds. */
static struct block *
full_batch(uint64_t after)
{
	static const uint8_t event[BLOCK_BYTES - BLOCK_HEADROOM] = { 0xdc,
		(BLOCK_BYTES - BLOCK_HEADROOM - 3) >> 8,
		(BLOCK_BYTES - BLOCK_HEADROOM - 3) & 0xff };
	struct block *b = block_new(sizeof(event));

	block_add(b, event, sizeof(event));
	block_finish_batch(b, after, after + 1);
	return b;
}

static void
who_reads_slowly_holds_one_event(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = streaming(fx);
	unsigned n = 0, got = 0;

	for (enum conn_send sent = CONN_SENT; sent == CONN_SENT; n++) {
		struct block *b = full_batch(n);

		assert_true(conn_is_ready(fx->conn));
		sent = conn_send(fx->conn, b);
		assert_int_not_equal(sent, CONN_DEAD);
		(void)block_unref(b);
		assert_true(n < 1000);
	}
	assert_false(conn_is_ready(fx->conn));
	assert_int_equal(conn_control_queued(fx->conn), 0);
	for (; got < n; got++) {
		char want[40];

		snprintf(want, sizeof(want), "\r\nid: log-1:%u\n", got + 1);
		doorfix_contains(next_event(c), want);
	}
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	edge_free(c);
}

static void
give_another(struct edgefix *fx)
{
	struct block *b = full_batch(5);

	while (conn_is_ready(fx->conn))
		(void)conn_send(fx->conn, b);
	(void)block_unref(b);
}

/* As those of WebSockets: by gateway.stall_seconds. */
static void
who_never_reads_is_ended_when_it_has_stalled(void **state)
{
	static const char *const options[] = { "gateway.stall_seconds=1",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, options);
	uint64_t before = COUNTERS_GET(stalled);

	fx->on_ready = give_another;
	doorfix_ask(c, DOOR_GET("/v1/stream?topic=a", ""));
	doorfix_says(fx, "{'op':'subscribed','id':1,'seq':5}");
	give_another(fx);
	assert_false(conn_is_ready(fx->conn));
	EDGE_UNTIL(fx, fx->closed == 1);
	assert_int_equal(COUNTERS_GET(stalled), before + 1);
	edge_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_asked_for_becomes_a_subscription),
		TEST(what_cannot_be_asked_for_is_refused),
		TEST(the_head_says_what_it_is),
		TEST(a_batch_is_one_event_made_once),
		cmocka_unit_test(a_batch_that_is_text_already_is_not_made_anew),
		TEST(a_replay_is_a_batch_like_others),
		TEST(who_was_lagged_is_told_and_the_answer_is_whole),
		TEST(what_is_gone_is_410),
		TEST(a_session_that_closes_ends_the_stream_in_order),
		TEST(a_batch_that_is_no_value_ends_the_connection),
		TEST(who_reads_slowly_holds_one_event),
		TEST(who_never_reads_is_ended_when_it_has_stalled),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
