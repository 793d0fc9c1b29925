/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What only local peers may say: their operations and fields are read by the
 * local parser, and mean nothing to the one that clients reach.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/proto.h"
#include "core/reason.h"

static struct mp_buf msg;
static struct reason why;

static struct slice
bytes_of(const char *json)
{
	msg.len = 0;
	if (json_to_mp(slice_cstr(json), &msg, &why))
		fail_msg("'%s': %s", json, why.text);
	return slice_of(msg.p, msg.len);
}

static struct proto_request
locally(const char *json)
{
	struct proto_request req;

	if (proto_request_parse_local(bytes_of(json), &req, &why))
		fail_msg("'%s': %s", json, why.text);
	return req;
}

static struct proto_request
publicly(const char *json)
{
	struct proto_request req;

	if (proto_request_parse(bytes_of(json), &req, &why))
		fail_msg("'%s': %s", json, why.text);
	return req;
}

static void
refused(const char *json, const char *sentence)
{
	struct proto_request req;

	assert_int_equal(proto_request_parse_local(bytes_of(json), &req, &why),
	    PROTO_BAD_REQUEST);
	if (!strstr(why.text, sentence))
		fail_msg("'%s': '%s'", json, why.text);
}

/* An array of one str. */
static bool
is_list(struct slice array, const char *only)
{
	struct mp_walk w = mp_walk(array);
	struct mp_item item;

	return mp_next(&w, &item) && item.type == MP_ARRAY && item.n == 1 &&
	       mp_next(&w, &item) && item.type == MP_STR &&
	       slice_is(item.s, only) && w.p == w.end;
}

/* Each with all its fields. */
static const struct {
	enum proto_op op;
	const char *json;
} requests[] = {
	{ PROTO_OPEN,
	    "{\"op\":\"open\",\"id\":1,\"topics\":[\"a.>\"],\"at\":9,"
	    "\"since\":5,\"min_seq\":6,\"read\":[\"a.*\"],\"admin\":true}" },
	{ PROTO_PART, "{\"op\":\"part\",\"id\":1,\"snapshot\":2,\"n\":3}" },
	{ PROTO_CLOSE, "{\"op\":\"close\",\"snapshot\":2}" },
	{ PROTO_PAGE,
	    "{\"op\":\"page\",\"id\":1,\"topics\":[\"a.>\"],"
	    "\"types\":[\"*d\"],\"after\":4,\"upto\":5,\"read\":[\"a.*\"],"
	    "\"admin\":true}" },
	{ PROTO_CURSORS,
	    "{\"op\":\"cursors\",\"id\":1,\"user\":\"\",\"client\":\"c\"}" },
	{ PROTO_LEAVE, "{\"op\":\"leave\",\"user\":\"u\",\"client\":\"c\"}" },
	{ PROTO_PRESENT,
	    "{\"op\":\"present\",\"member\":7,\"since\":8,\"user\":\"u\","
	    "\"client\":\"\",\"topics\":[\"a.>\"],\"read\":[\"a.*\"],"
	    "\"admin\":true}" },
	{ PROTO_ABSENT, "{\"op\":\"absent\",\"member\":7}" },
};

static void
local_operations_are_known_to_local_peers_alone(void **state)
{
	struct proto_request req;

	assert_int_equal(ARRAY_LEN(requests), PROTO_LOCAL_OPS - PROTO_OPS);
	for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
		assert_int_equal(requests[i].op, PROTO_OPS + i);
		req = locally(requests[i].json);
		assert_int_equal(req.op, requests[i].op);
		assert_int_equal(
		    proto_request_parse(bytes_of(requests[i].json), &req, &why),
		    PROTO_BAD_REQUEST);
		assert_non_null(strstr(why.text, "unknown op"));
	}
}

static void
operations_of_everybody_are_known_to_local_peers_too(void **state)
{
	assert_int_equal(locally("{\"op\":\"ping\",\"id\":3}").op, PROTO_PING);
	assert_int_equal(
	    locally("{\"op\":\"state\",\"topics\":[\"a\"]}").op, PROTO_STATE);
	refused("{\"op\":\"opened\",\"id\":3}", "unknown op \"opened\"");
}

static void
what_a_snapshot_is_asked_with_is_stored(void **state)
{
	struct proto_request req = locally(requests[0].json);

	assert_true(is_list(req.state.topics, "a.>"));
	assert_true(req.state.at.len == 1 && *req.state.at.p == 9);
	assert_true(req.state.since.set && req.state.since.v == 5);
	assert_true(req.state.min_seq.set && req.state.min_seq.v == 6);
	assert_true(is_list(req.read, "a.*") && req.admin);
	req = locally(requests[1].json);
	assert_int_equal(req.part.snapshot.v, 2);
	assert_int_equal(req.part.n.v, 3);
	req = locally(requests[2].json);
	assert_false(req.id.set);
	assert_int_equal(req.part.snapshot.v, 2);
	refused("{\"op\":\"open\",\"topics\":[\"a\"]}", "\"id\" of open");
	refused("{\"op\":\"part\",\"id\":1,\"n\":3}", "\"snapshot\" of part");
}

static void
what_a_page_is_asked_with_is_stored(void **state)
{
	struct proto_request req = locally(requests[3].json);

	assert_true(is_list(req.page.topics, "a.>"));
	assert_true(is_list(req.page.types, "*d"));
	assert_int_equal(req.page.after.v, 4);
	assert_int_equal(req.page.upto.v, 5);
	assert_true(is_list(req.read, "a.*") && req.admin);
	refused("{\"op\":\"page\",\"id\":1,\"topics\":[\"a\"],\"after\":1}",
	    "\"upto\" of page");
}

static void
whose_cursors_and_presence_it_is_is_stored(void **state)
{
	struct proto_request req = locally(requests[4].json);

	assert_true(req.ack.user.p && req.ack.user.len == 0);
	assert_true(slice_is(req.ack.client, "c"));
	req = locally(requests[5].json);
	assert_true(slice_is(req.ack.user, "u"));
	assert_true(slice_is(req.ack.client, "c"));
	req = locally(requests[6].json);
	assert_int_equal(req.present.member.v, 7);
	assert_int_equal(req.present.since.v, 8);
	assert_true(slice_is(req.present.user, "u"));
	assert_true(req.present.client.p && req.present.client.len == 0);
	assert_true(is_list(req.present.topics, "a.>"));
	assert_true(is_list(req.read, "a.*") && req.admin);
	assert_int_equal(locally(requests[7].json).present.member.v, 7);
	refused("{\"op\":\"leave\",\"user\":\"u\"}", "\"client\" of leave");
}

static void
an_ack_of_a_local_peer_says_whose_and_in_which_log(void **state)
{
	static const char ack[] =
	    "{\"op\":\"ack\",\"seq\":5,\"name\":\"n\",\"user\":\"u\","
	    "\"client\":\"c\",\"log\":\"l-1\"}";
	struct proto_request req = locally(ack);

	assert_int_equal(req.ack.seq.v, 5);
	assert_true(slice_is(req.ack.user, "u"));
	assert_true(slice_is(req.ack.client, "c"));
	assert_true(slice_is(req.ack.log, "l-1"));
	refused("{\"op\":\"ack\",\"seq\":5}", "\"user\" of ack is missing");
	req = publicly(ack);
	assert_int_equal(req.ack.seq.v, 5);
	assert_true(slice_is(req.ack.name, "n"));
	assert_null(req.ack.user.p);
	assert_null(req.ack.client.p);
	assert_null(req.ack.log.p);
	req = publicly("{\"op\":\"ack\",\"seq\":5,\"user\":7,\"log\":[]}");
	assert_null(req.ack.user.p);
}

static void
a_client_cannot_say_what_it_may_read(void **state)
{
	static const char *const queries[] = {
		"{\"op\":\"state\",\"topics\":[\"a\"],",
		"{\"op\":\"history\",",
		"{\"op\":\"presence\",\"topics\":[\"a\"],",
	};

	for (unsigned i = 0; i < ARRAY_LEN(queries); i++) {
		struct proto_request req;
		char json[200];

		snprintf(json, sizeof(json),
		    "%s\"read\":[\"secret.>\"],\"admin\":true}", queries[i]);
		req = locally(json);
		assert_true(is_list(req.read, "secret.>") && req.admin);
		req = publicly(json);
		assert_null(req.read.p);
		assert_false(req.admin);
		/* Ignored, whatever it is. */
		snprintf(json, sizeof(json), "%s\"read\":5,\"admin\":\"x\"}",
		    queries[i]);
		req = publicly(json);
		assert_null(req.read.p);
		assert_false(req.admin);
		refused(json, "field \"read\" of");
	}
}

static void
no_permissions_and_empty_ones_differ(void **state)
{
	struct proto_request req;

	req = locally("{\"op\":\"state\",\"topics\":[\"a\"]}");
	assert_null(req.read.p);
	req = locally("{\"op\":\"state\",\"topics\":[\"a\"],\"read\":[]}");
	assert_true(req.read.p && req.read.len == 1);
	refused("{\"op\":\"state\",\"topics\":[\"a\"],\"read\":[\"a..b\"]}",
	    "field \"read\" of state: pattern \"a..b\"");
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
		cmocka_unit_test(
		    local_operations_are_known_to_local_peers_alone),
		cmocka_unit_test(
		    operations_of_everybody_are_known_to_local_peers_too),
		cmocka_unit_test(what_a_snapshot_is_asked_with_is_stored),
		cmocka_unit_test(what_a_page_is_asked_with_is_stored),
		cmocka_unit_test(whose_cursors_and_presence_it_is_is_stored),
		cmocka_unit_test(
		    an_ack_of_a_local_peer_says_whose_and_in_which_log),
		cmocka_unit_test(a_client_cannot_say_what_it_may_read),
		cmocka_unit_test(no_permissions_and_empty_ones_differ),
	};

	return cmocka_run_group_tests_name(
	    "proto_local", tests, NULL, free_message);
}
