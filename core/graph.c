/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Topics of entities and relations.  The digest stands for the escaped
 * tokens joined by dots, so that equal relations share a topic whatever
 * their length.
 */

#include <stdio.h>
#include <string.h>

#include "core/graph.h"
#include "core/sha256.h"

enum {
	GRAPH_DIGEST = 12, /* bytes of the SHA-256, two hex digits each */
};

static const char graph_entity[] = "graph.entity.";
static const char graph_relation[] = "graph.relation.";

_Static_assert(sizeof(graph_entity) - 1 + TOPIC_ESCAPED_MAX <= TOPIC_MAX,
    "the topic of an entity fits however long its name is");

size_t
graph_entity_topic(struct slice name, char buf[TOPIC_MAX + 1])
{
	size_t at = sizeof(graph_entity) - 1;

	memcpy(buf, graph_entity, at);
	return at + topic_escape(name, buf + at);
}

static size_t
graph_digest(const char *tokens, size_t len, char *buf)
{
	uint8_t sum[SHA256_BYTES];
	size_t at = 2;

	sha256(tokens, len, sum);
	/* A token of its own, so that these are a range of topics. */
	memcpy(buf, "~.", at);
	for (unsigned i = 0; i < GRAPH_DIGEST; i++)
		at += (size_t)sprintf(buf + at, "%02x", sum[i]);
	return at;
}

size_t
graph_relation_topic(struct slice from, struct slice type, struct slice to,
    char buf[TOPIC_MAX + 1])
{
	char tokens[3 * (TOPIC_ESCAPED_MAX + 1)];
	size_t head = sizeof(graph_relation) - 1, len;

	len = topic_escape(from, tokens);
	tokens[len++] = '.';
	len += topic_escape(type, tokens + len);
	tokens[len++] = '.';
	len += topic_escape(to, tokens + len);
	memcpy(buf, graph_relation, head);
	if (head + len > TOPIC_MAX)
		return head + graph_digest(tokens, len, buf + head);
	memcpy(buf + head, tokens, len + 1);
	return head + len;
}

bool
graph_relation_to(struct slice topic, struct slice *to)
{
	const size_t head = sizeof(graph_relation) - 1;
	struct slice from, type, rest;

	if (topic.len <= head || memcmp(topic.p, graph_relation, head) != 0)
		return false;
	rest = slice_of(topic.p + head, topic.len - head);
	return topic_next_token(&rest, &from) &&
	       topic_next_token(&rest, &type) && topic_next_token(&rest, to) &&
	       to->len > 0 && rest.len == 0;
}
