/* SPDX-License-Identifier: BSD-2-Clause */

/* Topics of entities and relations, whatever the names are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/graph.h"
#include "core/reason.h"

static void
expect_entity(const char *name, const char *topic)
{
	char buf[TOPIC_MAX + 1];
	size_t len = graph_entity_topic(slice_cstr(name), buf);

	assert_string_equal(buf, topic);
	assert_int_equal(len, strlen(topic));
	assert_true(topic_valid(slice_of(buf, len), NULL));
}

static void
an_entity_is_named_by_one_escaped_token(void **state)
{
	expect_entity("plain", "graph.entity.plain");
	expect_entity("src/a.c", "graph.entity.src/a%2Ec");
	expect_entity("two words", "graph.entity.two%20words");
	expect_entity("$acl", "graph.entity.%24acl");
	expect_entity("a$", "graph.entity.a$");
	expect_entity("100%~*>", "graph.entity.100%25%7E%2A%3E");
	expect_entity("gr\xc3\xbc\xc3\x9f", "graph.entity.gr\xc3\xbc\xc3\x9f");
}

static void
a_relation_is_named_by_its_ends_and_its_type(void **state)
{
	char buf[TOPIC_MAX + 1];
	size_t len;

	len = graph_relation_topic(
	    SLICE_STR("ann"), SLICE_STR("works on"), SLICE_STR("lib/x.h"), buf);
	assert_string_equal(buf, "graph.relation.ann.works%20on.lib/x%2Eh");
	assert_int_equal(len, strlen(buf));
}

/* A relation whose topic would have this many bytes. */
static size_t
relation_of(size_t bytes, char buf[TOPIC_MAX + 1])
{
	char from[128], to[128];
	size_t names = bytes - strlen("graph.relation..t.");

	memset(from, 'f', sizeof(from));
	memset(to, 't', sizeof(to));
	return graph_relation_topic(slice_of(from, names / 2), SLICE_STR("t"),
	    slice_of(to, names - names / 2), buf);
}

static void
a_relation_beyond_a_topics_length_is_hashed(void **state)
{
	char buf[TOPIC_MAX + 1];

	assert_int_equal(relation_of(TOPIC_MAX - 1, buf), TOPIC_MAX - 1);
	assert_int_equal(relation_of(TOPIC_MAX, buf), TOPIC_MAX);
	assert_int_equal(strlen(buf), TOPIC_MAX);
	assert_int_equal(relation_of(TOPIC_MAX + 1, buf), 15 + 2 + 24);
	assert_int_equal(strlen(buf), 15 + 2 + 24);
	assert_true(topic_valid(slice_cstr(buf), NULL));
}

/* What sha256sum says of the tokens joined by dots. */
static void
the_digest_is_that_of_the_escaped_tokens(void **state)
{
	char buf[TOPIC_MAX + 1], name[100];

	memset(name, ' ', sizeof(name));
	/* 100 spaces escape to 300 bytes: 40 of them, ~, and a digest. */
	graph_relation_topic(
	    slice_of(name, 100), SLICE_STR("t"), slice_of(name, 100), buf);
	assert_string_equal(buf, "graph.relation.~.fc3096ef59cfc82536f71d1c");
}

static void
the_last_of_five_tokens_is_what_a_relation_leads_to(void **state)
{
	static const char *const none[] = { "", "graph", "graph.relation",
		"graph.relation.", "graph.relation.a", "graph.relation.a.b",
		"graph.relation.a.b.", "graph.relation.a.b.c.d",
		"graph.relations.a.b.c", "graph.entity.a.b.c",
		"$graph.relation.a.b.c", "graph.relation.>" };
	struct slice to;

	for (unsigned i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_false(graph_relation_to(slice_cstr(none[i]), &to));
	assert_true(
	    graph_relation_to(SLICE_STR("graph.relation.a.b.c%2E"), &to));
	assert_true(slice_is(to, "c%2E"));
	assert_true(graph_relation_to(SLICE_STR("graph.relation.*.*.*"), &to));
	assert_true(slice_is(to, "*"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entity_is_named_by_one_escaped_token),
		cmocka_unit_test(a_relation_is_named_by_its_ends_and_its_type),
		cmocka_unit_test(a_relation_beyond_a_topics_length_is_hashed),
		cmocka_unit_test(the_digest_is_that_of_the_escaped_tokens),
		cmocka_unit_test(
		    the_last_of_five_tokens_is_what_a_relation_leads_to),
	};

	return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
