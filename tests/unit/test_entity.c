/* SPDX-License-Identifier: BSD-2-Clause */

/* An entity gathered from what a broker says, names before topics. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/reason.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/tmpdir.h"
#include "tools/entity.h"
#include "tools/query.h"
#include "tools/tool.h"

#define ROW(topic, deleted, value) \
	"[\"" topic "\",1,3,5,\"ann\",6,\"bo\"," deleted "," value "]"
#define RELATION(topic, from, type, to)                       \
	ROW("graph.relation." topic, "false",                 \
	    "{\"from\":\"" from "\",\"relationType\":\"" type \
	    "\",\"to\":\"" to "\"}")
#define ENTITY(topic, deleted) \
	ROW("graph.entity." topic, deleted, "{\"name\":\"x\"}")
#define PART(rows) \
	"{\"op\":\"snapshot\",\"seq\":9,\"rows\":[" rows "],\"last\":true}"

struct script {
	const char *rows, *others;
	unsigned asked, topics;
	char first[500];
};

static unsigned
count_topics(struct slice body)
{
	struct mp_walk w = mp_walk(proto_get(body, "topics"));
	struct mp_item item;

	return mp_next(&w, &item) && item.type == MP_ARRAY ? item.n : 0;
}

/* First the entity's own rows, then those of the other ends. */
static bool
say_graph(void *arg, struct frame_stream *fs, const struct proto_reply *request)
{
	struct script *s = arg;
	struct mp_buf json = { 0 };

	if (s->asked++ == 0) {
		(void)!json_from_mp(proto_get(request->body, "topics"), &json);
		snprintf(s->first, sizeof(s->first), "%.*s", (int)json.len,
		    (char *)json.p);
		mp_buf_deinit(&json);
		fakebroker_say(fs, request, s->rows);
		return true;
	}
	s->topics += count_topics(request->body);
	fakebroker_say(fs, request, s->others);
	return true;
}

static int
gather(struct tmpdir *dir, struct script *script, const char *name,
    struct entity *e, struct reason *why)
{
	struct fakebroker fb = { .answer = say_graph, .arg = script };
	struct query *q;
	struct tool t;
	int err;

	fakebroker_house(&t, dir->path);
	fakebroker_start(&fb, dir->path);
	assert_int_equal(query_open(&t, &q, why), 0);
	err = entity_read(q, slice_cstr(name), 0, e, why);
	q = query_free(q);
	fakebroker_stop(&fb);
	house_deinit(&t.house);
	return err;
}

static void
relations_go_out_and_in_and_some_dangle(void **state)
{
	struct script script = {
		.rows = PART(ENTITY("a%2Eb", "false") "," RELATION(
		    "a%2Eb.knows.bo", "a.b", "knows",
		    "bo") "," RELATION("a%2Eb.knows.gone", "a.b", "knows",
		    "gone") "," RELATION("a%2Eb.knows.never", "a.b", "knows",
		    "never") "," RELATION("bo.likes.a%2Eb", "bo", "likes",
		    "a.b")),
		.others = PART(ENTITY("bo", "false") "," ENTITY("gone", "true"))
	};
	struct entity e;
	struct reason why = { "" };

	if (gather(*state, &script, "a.b", &e, &why) < 0)
		fail_msg("%s", why.text);
	assert_string_equal(script.first,
	    "[\"graph.entity.a%2Eb\",\"graph.relation.a%2Eb.>\","
	    "\"graph.relation.*.*.a%2Eb\",\"graph.relation.~.*\"]");
	assert_int_equal(script.asked, 2);
	assert_int_equal(script.topics, 3);
	assert_int_equal(e.seq, 9);
	assert_non_null(e.bytes);
	assert_int_equal(e.out.n, 3);
	assert_int_equal(e.in.n, 1);
	assert_true(slice_is(e.out.v[0].name, "bo"));
	assert_true(slice_is(e.out.v[0].type, "knows"));
	assert_false(entity_dangles(&e.out.v[0]));
	assert_true(entity_dangles(&e.out.v[1]));
	assert_true(entity_dangles(&e.out.v[2]));
	assert_true(slice_is(e.in.v[0].name, "bo"));
	assert_false(entity_dangles(&e.in.v[0]));
	entity_deinit(&e);
}

static void
of_hashed_relations_those_that_name_it_are_taken(void **state)
{
	struct script script = {
		.rows = PART(RELATION("~.1", "x", "knows", "y") "," RELATION(
		    "~.2", "a", "knows", "y") "," RELATION("~.3", "x", "knows",
		    "a") "," RELATION("~.4", "a", "is",
		    "a") "," ROW("graph.relation.~.5", "false",
		    "7") "," ROW("graph.relation.~.6", "false",
		    "{\"from\":\"a\"}") "," ROW("graph.relation.~.7", "true",
		    "{\"from\":\"a\",\"relationType\":\"t\",\"to\":\"y\"}")),
		.others = PART("")
	};
	struct entity e;
	struct reason why = { "" };

	assert_int_equal(gather(*state, &script, "a", &e, &why), 0);
	assert_null(e.bytes);
	assert_int_equal(e.out.n, 2);
	assert_int_equal(e.in.n, 2);
	assert_true(slice_is(e.out.v[1].name, "a"));
	assert_true(slice_is(e.in.v[1].name, "a"));
	assert_true(entity_dangles(&e.in.v[1]));
	entity_deinit(&e);
}

static void
without_relations_nothing_more_is_asked(void **state)
{
	struct script script = { .rows = PART(ENTITY("a", "true")) };
	struct entity e;
	struct reason why = { "" };

	assert_int_equal(gather(*state, &script, "a", &e, &why), 0);
	assert_int_equal(script.asked, 1);
	assert_non_null(e.bytes);
	assert_int_equal(e.out.n + e.in.n, 0);
	entity_deinit(&e);
}

/* Around the number of patterns that one request may have. */
static void
other_ends_are_asked_for_in_batches(void **state)
{
	static const unsigned ends[] = { 255, 256, 257, 600 };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		struct script script = { .others = PART("") };
		size_t room = ends[i] * 150 + 100, at;
		char *rows = malloc(room);
		struct entity e;
		struct reason why = { "" };

		assert_non_null(rows);
		at = (size_t)sprintf(
		    rows, "{\"op\":\"snapshot\",\"seq\":9,\"rows\":[");
		for (unsigned n = 0; n < ends[i]; n++)
			at += (size_t)snprintf(rows + at, room - at,
			    "%s[\"graph.relation.a.t.x%u\",1,3,5,\"\",6,\"\","
			    "false,{\"from\":\"a\",\"relationType\":\"t\","
			    "\"to\":\"x%u\"}]",
			    n ? "," : "", n, n);
		snprintf(rows + at, room - at, "],\"last\":true}");
		script.rows = rows;
		if (gather(*state, &script, "a", &e, &why) < 0)
			fail_msg("%s", why.text);
		assert_int_equal(e.out.n, ends[i]);
		assert_int_equal(script.topics, ends[i]);
		assert_int_equal(script.asked, 1 + (ends[i] + 255) / 256);
		entity_deinit(&e);
		free(rows);
	}
}

static void
a_refusal_is_handed_on(void **state)
{
	struct script script = {
		.rows =
		    "{\"op\":\"error\",\"code\":\"behind\",\"message\":\"m\"}"
	};
	struct entity e;
	struct reason why = { "" };

	assert_int_equal(gather(*state, &script, "a", &e, &why), -EPROTO);
	assert_string_equal(why.text, "behind: m");
	entity_deinit(&e);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(relations_go_out_and_in_and_some_dangle),
		TEST(of_hashed_relations_those_that_name_it_are_taken),
		TEST(without_relations_nothing_more_is_asked),
		TEST(other_ends_are_asked_for_in_batches),
		TEST(a_refusal_is_handed_on),
	};

	return cmocka_run_group_tests_name("entity", tests, NULL, NULL);
}
