/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Doors over real TLS, with sessions that the test plays: what a session is
 * asked, and what becomes of what it says.
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

#include "core/mp.h"
#include "gateway/block.h"
#include "gateway/counters.h"
#include "tests/lib/doorfix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

static void
a_query_is_asked_behind_hello_and_answered(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	const char *answer;

	doorfix_ask(
	    c, DOOR_GET(
		   "/v1/history?topic=a.%3e&actor=me%20too&limit=7&reverse=true"
		   "&from_time=1970-01-01T00:00:02Z&to_time=9",
		   "Authorization: Bearer a.b.c\r\n"));
	assert_int_equal(doorfix_hellos, 1);
	assert_string_equal(fx->bearer, "a.b.c");
	assert_string_equal(doorfix_asked,
	    "{'op':'history','topic':'a.>','actor':'me too','limit':7,"
	    "'reverse':true,'from_time':2000000,'to_time':9}");
	doorfix_gives(fx, "{'op':'history','events':[],'next':3}");
	answer = doorfix_read_to(c, "}\n");
	doorfix_contains(answer, "HTTP/1.1 200 OK\r\n");
	doorfix_contains(answer, "\r\nContent-Type: application/json\r\n");
	doorfix_contains(answer, "\r\nContent-Length: 38\r\n");
	doorfix_contains(answer, "\r\nVary: Origin\r\n");
	doorfix_contains(
	    answer, "\r\n\r\n{\"op\":\"history\",\"events\":[],\"next\":3}\n");
	edge_free(c);
}

static void
a_question_that_is_none_never_reaches_a_session(void **state)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{ DOOR_GET("/v1/state?topic=a&at=yesterday", ""), 400 },
		{ DOOR_GET("/v1/state?topic=a&at=1&at=1", ""), 400 },
		{ DOOR_GET("/v1/state?topic=a+b", ""), 400 },
		{ DOOR_GET("/v1/state?topic=%4", ""), 400 },
		{ DOOR_GET("/v1/state?topic=%gg", ""), 400 },
		{ DOOR_GET("/v1/state?topics=a", ""), 400 },
		{ DOOR_GET("/v1/state?topic=a&token=x", ""), 400 },
		{ DOOR_GET("/v1/state?topic=a&access_token=x", ""), 400 },
		{ DOOR_GET("/v1/history?reverse=1", ""), 400 },
		{ DOOR_GET("/v1/history?limit=18446744073709551616", ""), 400 },
		{ DOOR_GET("/v1/history?limit=-1", ""), 400 },
		{ DOOR_GET("/v1/state?topic=a", "Authorization: Basic x\r\n"),
		    401 },
		{ DOOR_GET("/v1/state?topic=a", "Origin: https://b.org\r\n"),
		    403 },
		{ DOOR_GET("/v1/states", ""), 404 },
		{ DOOR_GET("/v1/", ""), 404 },
		{ DOOR_GET("/v1/events", ""), 405 },
		{ "POST /v1/state HTTP/1.1\r\nHost: a\r\n"
		  "Content-Length: 0\r\n\r\n",
		    405 },
		{ "HEAD /v1/state HTTP/1.1\r\nHost: a\r\n\r\n", 405 },
		{ "PUT /v1/state HTTP/1.1\r\nHost: a\r\n\r\n", 405 },
		{ "POST /v1/events HTTP/1.1\r\nHost: a\r\n\r\n", 411 },
		{ DOOR_POST("4194305", ""), 413 },
		{ DOOR_POST("999999999999999999999", ""), 413 },
		{ "POST /v1/events HTTP/1.1\r\nHost: a\r\n"
		  "Content-Length: 2\r\n\r\n",
		    415 },
		{ DOOR_POST("2", "Content-Encoding: gzip\r\n"), 415 },
		{ DOOR_POST("2", "Expect: 200-ok\r\n"), 417 },
		{ "POST /v1/events HTTP/1.1\r\nHost: a\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n",
		    501 },
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	edge_free(c);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		c = edge_open(fx);
		doorfix_refused(c, rows[i].request, rows[i].status);
		edge_free(c);
	}
	assert_int_equal(fx->opened, 0);
}

static void
each_error_has_its_status(void **state)
{
	static const struct {
		const char *error;
		const char *head;
	} rows[] = {
		{ "'code':'bad_request'", "HTTP/1.1 400 " },
		{ "'code':'unauthorized'", "HTTP/1.1 401 " },
		{ "'code':'forbidden'", "HTTP/1.1 403 " },
		{ "'code':'not_found','oldest':7", "HTTP/1.1 404 " },
		{ "'code':'conflict','actual':3", "HTTP/1.1 409 " },
		{ "'code':'key_reused'", "HTTP/1.1 409 " },
		{ "'code':'ahead'", "HTTP/1.1 409 " },
		{ "'code':'too_large'", "HTTP/1.1 413 " },
		{ "'code':'rate_limited','retry_ms':1001", "HTTP/1.1 429 " },
		{ "'code':'internal'", "HTTP/1.1 500 " },
		{ "'code':'unheard_of'", "HTTP/1.1 500 " },
		{ "'code':'unavailable','retry_ms':1000", "HTTP/1.1 503 " },
		{ "'code':'storage_full'", "HTTP/1.1 503 " },
		{ "'code':'behind'", "HTTP/1.1 503 " },
		{ "'code':'unknown'", "HTTP/1.1 504 " },
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char error[200];
		const char *answer;

		doorfix_ask(c, DOOR_GET("/v1/state?topic=a", ""));
		snprintf(error, sizeof(error),
		    "{'op':'error',%s,'message':'so'}", rows[i].error);
		doorfix_says(fx, error);
		doorfix_swap(error, '\'', '"');
		answer = doorfix_read_to(c, "}\n");
		doorfix_contains(answer, rows[i].head);
		doorfix_contains(answer, error);
		if (strstr(error, "1001"))
			doorfix_contains(answer, "\r\nRetry-After: 2\r\n");
		if (strstr(error, "unauthorized"))
			doorfix_contains(
			    answer, "\r\nWWW-Authenticate: Bearer\r\n");
	}
	/* All of it over one connection, in a session each. */
	assert_int_equal(fx->opened, ARRAY_LEN(rows));
	EDGE_UNTIL(fx, fx->closed == ARRAY_LEN(rows));
	assert_int_equal(COUNTERS_GET(accepted), 1);
	edge_free(c);
}

static void
a_session_that_closes_answers_for_it(void **state)
{
	static const struct {
		unsigned code;
		const char *head;
	} rows[] = {
		{ 1007, "HTTP/1.1 400 " },
		{ 4401, "HTTP/1.1 401 " },
		{ 4429, "HTTP/1.1 429 " },
		{ 1012, "HTTP/1.1 503 " },
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		doorfix_ask(c, DOOR_GET("/v1/state?topic=a", ""));
		conn_close(fx->conn, rows[i].code, "because");
		conn_close(fx->conn, 1000, "once only");
		doorfix_contains(doorfix_read_to(c, "because\""), rows[i].head);
		(void)doorfix_read_to(c, "}\n");
	}
	edge_free(c);
}

static void
who_is_revoked_while_he_asks_is_unauthorized(void **state)
{
	static const char *const requests[] = {
		DOOR_GET("/v1/state?topic=a", ""),
		DOOR_GET("/v1/history?topic=a", ""),
		DOOR_GET("/v1/stream?topic=a", ""),
		DOOR_POST("13", "") "{\"events\":[]}",
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
		doorfix_ask(c, requests[i]);
		doorfix_says(fx, "{'op':'revoked','reason':'because'}");
		conn_close(fx->conn, 4503, "because");
		doorfix_contains(
		    doorfix_read_to(c, "because\""), "HTTP/1.1 401 ");
		(void)doorfix_read_to(c, "}\n");
	}
	edge_free(c);
}

static void
nobody_asks_while_permissions_are_not_known(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	doorfix_ask(c, DOOR_GET("/v1/state?topic=a", ""));
	doorfix_gives(fx, "{'op':'snapshot','seq':9,'rows':[],'full':true,"
			  "'last':true}");
	(void)doorfix_read_to(c, "0\r\n\r\n");
	conns_hold(fx->conns, true);
	edge_puts(c, DOOR_GET("/v1/history", ""));
	doorfix_contains(doorfix_read_to(c, "}\n"), "HTTP/1.1 503 ");
	assert_int_equal(doorfix_hellos, 1);
	conns_hold(fx->conns, false);
	doorfix_ask(c, DOOR_GET("/v1/history", ""));
	assert_int_equal(doorfix_hellos, 2);
	edge_free(c);
}

static unsigned parts_given;

static void
give_part(struct edgefix *fx)
{
	static const char *const parts[] = {
		"{'op':'snapshot','seq':9,'rows':[[1,'a'],[2,'b']],"
		"'full':true,'last':false}",
		"{'op':'snapshot','seq':9,'rows':[],"
		"'full':true,'last':false}",
		"{'op':'snapshot','seq':9,'rows':[[3,'c']],"
		"'full':true,'last':true}",
	};

	while (doorfix_questions > 0 && parts_given < ARRAY_LEN(parts) &&
	       conn_is_ready(fx->conn))
		(void)doorfix_gives(fx, parts[parts_given++]);
}

static void
rows_are_one_value_in_json_and_parts_in_messagepack(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	const char *answer;

	parts_given = 0;
	doorfix_ask(
	    c, DOOR_GET("/v1/state?topic=a&topic=b.%2a&at=12&min_seq=3", ""));
	assert_string_equal(doorfix_asked,
	    "{'op':'state','topics':['a','b.*'],'at':12,'min_seq':3}");
	give_part(fx);
	assert_int_equal(parts_given, 3);
	answer = doorfix_read_to(c, "\r\n0\r\n\r\n");
	doorfix_contains(answer, "\r\nTransfer-Encoding: chunked\r\n");
	doorfix_lacks(answer, "Content-Length");
	doorfix_contains(answer,
	    "{\"op\":\"snapshot\",\"seq\":9,\"full\":true,\"last\":true,"
	    "\"rows\":[\n[1,\"a\"],\n[2,\"b\"]\r\n");
	doorfix_contains(answer, "\r\n,\n[3,\"c\"]]}\n\r\n0\r\n\r\n");

	parts_given = 0;
	doorfix_ask(
	    c, DOOR_GET("/v1/state?topic=a&at=1970-01-01T00:00:00.000007Z",
		   "Accept: application/msgpack\r\n"));
	assert_string_equal(
	    doorfix_asked, "{'op':'state','topics':['a'],'at':{'time':7}}");
	give_part(fx);
	answer = doorfix_read_to(c, "\r\n0\r\n\r\n");
	doorfix_contains(answer, "\r\nContent-Type: application/msgpack\r\n");
	edge_free(c);
}

static void
what_goes_wrong_behind_the_head_leaves_the_answer_without_its_end(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	const char *answer;

	doorfix_ask(c, DOOR_GET("/v1/state?topic=a", ""));
	doorfix_gives(fx, "{'op':'snapshot','seq':9,'rows':[[1]],'full':true,"
			  "'last':false}");
	doorfix_says(
	    fx, "{'op':'error','code':'unavailable','message':'gone'}");
	answer = doorfix_read_all(c);
	doorfix_contains(answer, "[1]");
	doorfix_lacks(answer, "\r\n0\r\n\r\n");
	doorfix_lacks(answer, "gone");
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	assert_int_equal(fx->closed, 1);
}

static void
a_slow_reader_holds_one_part(void **state)
{
	static char part[200000];
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	struct mp_buf b = { 0 };
	struct block *block;
	unsigned n = 0;

	doorfix_ask(c, DOOR_GET("/v1/state?topic=a", ""));
	memset(part, 'x', sizeof(part));
	mp_pack_map(&b, 2);
	mp_pack_cstr(&b, "rows");
	mp_pack_array(&b, 1);
	mp_pack_str(&b, slice_of(part, sizeof(part)));
	mp_pair_bool(&b, "full", true);
	block = block_message(slice_of(b.p, b.len));
	while (conn_is_ready(fx->conn) && n < 1000) {
		(void)conn_send(fx->conn, block);
		n++;
	}
	assert_in_range(n, 1, 999);
	for (unsigned i = 0; i < 20; i++)
		edgefix_pass(fx);
	assert_false(conn_is_ready(fx->conn));
	assert_int_equal(conn_control_queued(fx->conn), 0);
	/* When it has read, the next one may come. */
	while (!conn_is_ready(fx->conn)) {
		edge_poll(c);
		edge_consume(c, c->len);
		edgefix_pass(fx);
	}
	block_unref(block);
	mp_buf_deinit(&b);
	edge_free(c);
	EDGE_UNTIL(fx, fx->closed == 1);
}

static void
requests_in_a_row_are_answered_in_order(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	const char *answer;

	edge_puts(c,
	    DOOR_GET("/v1/history?after=1", "") DOOR_GET("/healthz", "")
		DOOR_GET("/v1/history?after=2", "Connection: close\r\n")
		    DOOR_GET("/v1/history?after=3", ""));
	EDGE_UNTIL(fx, doorfix_questions == 1);
	for (unsigned i = 0; i < 20; i++)
		edgefix_pass(fx);
	assert_int_equal(doorfix_questions, 1);
	doorfix_contains(doorfix_asked, "'after':1");
	doorfix_says(fx, "{'op':'history','n':1}");
	EDGE_UNTIL(fx, doorfix_questions == 2);
	doorfix_contains(doorfix_asked, "'after':2");
	doorfix_says(fx, "{'op':'history','n':2}");
	answer = doorfix_read_all(c);
	answer = strstr(answer, "\"n\":1}");
	assert_non_null(answer);
	answer = strstr(answer, "{\"status\":\"ok\"}");
	assert_non_null(answer);
	doorfix_contains(answer, "\"n\":2}");
	doorfix_contains(answer, "\r\nConnection: close\r\n");
	assert_int_equal(doorfix_questions, 2);
	edge_free(c);
}

static void
a_body_may_come_in_pieces_and_behind_a_continue(void **state)
{
	static const char body[] =
	    "{\"id\":4,\"events\":[{\"topic\":\"a\",\"type\":\"b\",\"data\":1}]}";
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	unsigned before;

	/* What is not ours is left out, and `op` need not be said. */
	for (unsigned i = 0; i < 2; i++) {
		before = doorfix_questions;
		edge_puts(c, i == 0
				 ? DOOR_POST("53", "")
				 : DOOR_POST("53", "Expect: 100-continue\r\n"));
		if (i == 1)
			doorfix_contains(
			    doorfix_read_to(c, "\r\n\r\n"), "HTTP/1.1 100 ");
		assert_int_equal(sizeof(body) - 1, 53);
		for (size_t at = 0; at + 1 < sizeof(body); at++) {
			assert_int_equal(doorfix_questions, before);
			edge_write(c, body + at, 1);
			edgefix_pass(fx);
		}
		EDGE_UNTIL(fx, doorfix_questions > before);
		assert_string_equal(doorfix_asked,
		    "{'op':'append','events':[{'topic':'a','type':'b',"
		    "'data':1}]}");
		doorfix_says(fx, "{'op':'appended','seq':5}");
		doorfix_contains(doorfix_read_to(c, "}\n"),
		    "{\"op\":\"appended\",\"seq\":5}");
	}
	/* The next request may stand right behind it. */
	doorfix_ask(c, DOOR_POST("2", "") "{}" DOOR_GET("/healthz", ""));
	assert_string_equal(doorfix_asked, "{'op':'append'}");
	doorfix_says(fx, "{'op':'error','code':'bad_request'}");
	doorfix_contains(
	    doorfix_read_to(c, "{\"status\":\"ok\"}"), "HTTP/1.1 400 ");
	edge_free(c);
}

static void
a_body_that_is_no_request_is_refused(void **state)
{
	static const struct {
		const char *request;
		const char *what;
	} rows[] = {
		{ DOOR_POST("1", "") "{", "" },
		{ DOOR_POST("0", ""), "" },
		{ DOOR_POST("2", "") "[]", "no map" },
		{ DOOR_POST("14", "") "{\"op\":\"hello\"}",
		    "no request to append" },
		{ DOOR_POST("8", "") "{\"op\":1}", "no request to append" },
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const char *answer;

		edge_puts(c, rows[i].request);
		answer = doorfix_read_to(c, "}\n");
		doorfix_contains(answer, "HTTP/1.1 400 ");
		doorfix_contains(answer, rows[i].what);
		doorfix_lacks(answer, "Connection: close");
	}
	assert_int_equal(doorfix_questions, 0);
	edge_free(c);
}

static void
refuse_hello(struct edgefix *fx, struct slice msg)
{
	doorfix_says(fx, "{'op':'error','code':'unauthorized','message':'no'}");
	conn_close(fx->conn, 4401, "no");
}

static void
who_may_not_come_in_need_not_send_the_body(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	const char *answer;

	fx->on_message = refuse_hello;
	for (unsigned i = 0; i < 2; i++) {
		edge_puts(c, DOOR_POST("4000000", "Expect: 100-continue\r\n"));
		answer = doorfix_read_all(c);
		doorfix_contains(
		    answer, i == 0 ? "HTTP/1.1 401 " : "HTTP/1.1 503 ");
		doorfix_contains(answer, "\r\nConnection: close\r\n");
		doorfix_lacks(answer, "100 Continue");
		edge_free(c);
		c = edge_open(fx);
		fx->refuse = true;
	}
	edge_free(c);
}

static void
a_body_that_does_not_come_is_not_waited_for(void **state)
{
	static const char *const options[] = { "gateway.hello_seconds=1",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, options);
	const char *answer;

	edge_puts(c, DOOR_POST("20", "") "{");
	answer = doorfix_read_all(c);
	doorfix_contains(answer, "HTTP/1.1 408 ");
	edge_free(c);
	EDGE_UNTIL(fx, fx->closed == 1 && conns_count(fx->conns) == 0);
	assert_int_equal(COUNTERS_GET(http_late), 1);
}

static void
an_idle_connection_is_closed_and_none_is_kept_where_none_may_be(void **state)
{
	static const char *const one[] = { "gateway.keepalive_seconds=1",
		NULL };
	static const char *const none[] = { "gateway.keepalive_seconds=0",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, one);
	const char *answer;

	edge_puts(c, DOOR_GET("/healthz", ""));
	answer = doorfix_read_all(c);
	doorfix_lacks(answer, "Connection: close");
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	assert_int_equal(COUNTERS_GET(http_late), 0);
	edgefix_reset(fx);
	c = doorfix_start(fx, none);
	doorfix_contains(
	    edge_request(c, DOOR_GET("/healthz", "")), "Connection: close");
	edge_free(c);
}

static void
a_client_that_leaves_takes_its_session_along(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);

	doorfix_ask(c, DOOR_GET("/v1/state?topic=a", ""));
	edge_free(c);
	EDGE_UNTIL(fx, fx->closed == 1 && conns_count(fx->conns) == 0);
}

/* Requests in a row, the last one of which ends the connection. */
static const char stream[] =
    DOOR_GET("/healthz", "") DOOR_GET("/v1/history?topic=a", "")
	DOOR_POST("13", "") "{\"events\":[]}" DOOR_HEAD("/readyz")
	    DOOR_POST("3", "") "{}\n" DOOR_GET("/nothing", "")
		DOOR_POST("0", "") DOOR_GET("/v1/none", "") DOOR_GET(
		    "/v1/history", "Accept: application/msgpack\r\n")
		    DOOR_GET("/v1/history?limit=x", "Connection: close\r\n");

/* The answers to it, sent in pieces of at most most bytes; without dates. */
static size_t
answers_to(struct edgefix *fx, unsigned most, char *out, size_t size)
{
	struct edge_client *c = doorfix_start(fx, NULL);
	size_t n = 0, len = sizeof(stream) - 1;
	const char *at, *line;

	doorfix_answer = "{'op':'answer','n':7}";
	for (size_t sent = 0; sent < len;) {
		size_t piece = 1 + (size_t)rand() % most;

		piece = MIN(piece, len - sent);

		edge_write(c, stream + sent, piece);
		sent += piece;
		if (rand() % 2)
			edgefix_pass(fx);
	}
	at = doorfix_read_all(c);
	assert_true(c->len < size);
	while ((line = strstr(at, "Date: ")) != NULL) {
		memcpy(out + n, at, (size_t)(line - at));
		n += (size_t)(line - at);
		at = strchr(line, '\n') + 1;
	}
	strcpy(out + n, at);
	n += strlen(at);
	edge_free(c);
	edgefix_reset(fx);
	return n;
}

static void
however_requests_are_cut_the_answers_are_the_same(void **state)
{
	static char whole[16384], cut[16384];
	struct edgefix *fx = *state;
	const char *given = getenv("PEAL_SEED");
	unsigned seed = given ? (unsigned)atoi(given) : (unsigned)time(NULL);
	size_t n = answers_to(fx, sizeof(stream), whole, sizeof(whole));

	print_message("# seed %u\n", seed);
	srand(seed);
	assert_int_equal(doorfix_questions, 4);
	for (unsigned i = 0; i < 12; i++) {
		unsigned most = i < 2 ? 1 : 1 + (unsigned)rand() % 200;

		assert_int_equal(answers_to(fx, most, cut, sizeof(cut)), n);
		assert_string_equal(cut, whole);
	}
}

static void
a_second_head_is_not_waited_for_longer_than_the_first(void **state)
{
	static const char *const options[] = { "gateway.hello_seconds=1",
		NULL };
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, options);

	edge_puts(c, DOOR_GET("/healthz", "") "GET /healthz HT");
	doorfix_contains(doorfix_read_all(c), "{\"status\":\"ok\"}\n");
	assert_int_equal(COUNTERS_GET(http_late), 1);
	edge_free(c);
}

static void
pages_of_listed_origins_may_read_answers(void **state)
{
	static const char *const options[] = {
		"gateway.origins=https://a.org http://b.org:81", NULL
	};
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, options);
	const char *answer;

	edge_puts(c, "OPTIONS /v1/events HTTP/1.1\r\nHost: localhost\r\n"
		     "Origin: http://b.org:81\r\n"
		     "Access-Control-Request-Method: POST\r\n\r\n");
	answer = doorfix_read_to(c, "\r\n\r\n");
	doorfix_contains(answer, "HTTP/1.1 204 ");
	doorfix_contains(
	    answer, "\r\nAccess-Control-Allow-Origin: http://b.org:81\r\n");
	doorfix_contains(
	    answer, "\r\nAccess-Control-Allow-Methods: GET, POST\r\n");
	doorfix_contains(answer, "Authorization");
	doorfix_contains(answer, "\r\nVary: Origin\r\n");
	doorfix_lacks(answer, "Content-Length");
	doorfix_ask(c, DOOR_GET("/v1/history", "Origin: https://a.org\r\n"));
	doorfix_says(fx, "{'op':'error','code':'forbidden'}");
	doorfix_contains(doorfix_read_to(c, "}\n"),
	    "\r\nAccess-Control-Allow-Origin: https://a.org\r\n");
	doorfix_ask(
	    c, DOOR_GET("/v1/history", "Origin: https://localhost\r\n"));
	doorfix_says(fx, "{'op':'history'}");
	doorfix_lacks(doorfix_read_to(c, "}\n"), "Access-Control-Allow-Origin");
	edge_puts(c, DOOR_GET("/v1/history", "Origin: https://c.org\r\n"));
	doorfix_lacks(doorfix_read_to(c, "}\n"), "Access-Control-Allow-Origin");
	edge_free(c);
}

static void
a_stopping_gateway_answers_and_ends(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c = doorfix_start(fx, NULL);
	const char *answer;

	doorfix_ask(c, DOOR_GET("/v1/history", ""));
	conns_refuse(fx->conns);
	doorfix_says(fx, "{'op':'history'}");
	doorfix_contains(doorfix_read_to(c, "}\n"), "HTTP/1.1 200 ");
	answer = edge_request(c, DOOR_GET("/v1/history", ""));
	doorfix_contains(answer, "HTTP/1.1 503 ");
	doorfix_contains(answer, "\r\nConnection: close\r\n");
	assert_int_equal(doorfix_questions, 1);
	edge_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_query_is_asked_behind_hello_and_answered),
		TEST(a_question_that_is_none_never_reaches_a_session),
		TEST(each_error_has_its_status),
		TEST(a_session_that_closes_answers_for_it),
		TEST(who_is_revoked_while_he_asks_is_unauthorized),
		TEST(nobody_asks_while_permissions_are_not_known),
		TEST(rows_are_one_value_in_json_and_parts_in_messagepack),
		TEST(
		    what_goes_wrong_behind_the_head_leaves_the_answer_without_its_end),
		TEST(a_slow_reader_holds_one_part),
		TEST(requests_in_a_row_are_answered_in_order),
		TEST(a_body_may_come_in_pieces_and_behind_a_continue),
		TEST(a_body_that_is_no_request_is_refused),
		TEST(who_may_not_come_in_need_not_send_the_body),
		TEST(a_body_that_does_not_come_is_not_waited_for),
		TEST(
		    an_idle_connection_is_closed_and_none_is_kept_where_none_may_be),
		TEST(a_client_that_leaves_takes_its_session_along),
		TEST(however_requests_are_cut_the_answers_are_the_same),
		TEST(a_second_head_is_not_waited_for_longer_than_the_first),
		TEST(pages_of_listed_origins_may_read_answers),
		TEST(a_stopping_gateway_answers_and_ends),
	};

	return cmocka_run_group_tests_name("door", tests, NULL, NULL);
}
