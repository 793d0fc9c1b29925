/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sets of patterns under permissions.  A topic is in the set when a pattern
 * matches it and, where restricted, a readable pattern does too; '$' topics
 * need admin besides, as in core/acl.
 */

#include <errno.h>
#include <string.h>

#include "core/mp.h"
#include "core/topic.h"
#include "core/topic_set.h"

/* The strs of an array into v, at most max; how many. */
static unsigned
take_strs(struct slice array, struct slice *v, uint32_t max)
{
	struct mp_walk w = mp_walk(array);
	struct mp_item head, item;
	unsigned n = 0;

	if (!mp_next(&w, &head) || head.type != MP_ARRAY)
		return 0;
	while (
	    n < MIN(head.n, max) && mp_next(&w, &item) && item.type == MP_STR)
		v[n++] = item.s;
	return n;
}

static uint32_t
count_of(struct slice array)
{
	struct mp_walk w = mp_walk(array);
	struct mp_item head;

	if (!mp_next(&w, &head) || head.type != MP_ARRAY)
		return 0;
	/* A declared count is never more than the bytes that are there. */
	return (uint32_t)MIN(head.n, array.len);
}

int
topic_set_init(
    struct topic_set *set, struct slice topics, struct slice read, bool admin)
{
	uint32_t n = count_of(topics), n_read = count_of(read);
	uint8_t *text = malloc(topics.len + read.len + 1);
	struct slice *v = calloc((size_t)n + n_read + 1, sizeof(*v));

	if (!text || !v) {
		free(text);
		free(v);
		return -ENOMEM;
	}
	if (topics.len)
		memcpy(text, topics.p, topics.len);
	if (read.len)
		memcpy(text + topics.len, read.p, read.len);
	*set = (struct topic_set){
		.patterns = v,
		.read = v + n,
		.restricted = read.p,
		.admin = admin,
		.text = text,
	};
	set->n = take_strs(slice_of(text, topics.len), set->patterns, n);
	set->n_read =
	    take_strs(slice_of(text + topics.len, read.len), set->read, n_read);
	return 0;
}

void
topic_set_deinit(struct topic_set *set)
{
	free(set->patterns);
	free(set->text);
	*set = (struct topic_set){ 0 };
}

static bool
any_matches(const struct slice *v, unsigned n, struct slice topic)
{
	for (unsigned i = 0; i < n; i++)
		if (topic_match(v[i], topic))
			return true;
	return false;
}

bool
topic_set_matches(const struct topic_set *set, struct slice topic)
{
	if (!any_matches(set->patterns, set->n, topic))
		return false;
	if (!set->restricted)
		return true;
	return (set->admin || !topic_is_system(topic)) &&
	       any_matches(set->read, set->n_read, topic);
}

/* Is any topic of pattern, which set's patterns match, readable? */
static bool
is_readable(const struct topic_set *set, struct slice pattern)
{
	if (!set->restricted)
		return true;
	if (!set->admin && topic_is_system(pattern))
		return false;
	for (unsigned i = 0; i < set->n_read; i++)
		if (topic_patterns_meet(set->read[i], pattern))
			return true;
	return false;
}

bool
topic_set_meets(const struct topic_set *set, struct slice pattern)
{
	char buf[2 * TOPIC_MAX + 2];
	size_t len;

	for (unsigned i = 0; i < set->n; i++) {
		len = topic_cross(set->patterns[i], pattern, buf);
		if (len && is_readable(set, slice_of(buf, len)))
			return true;
	}
	return false;
}

static inline bool
is_token(struct slice token, char c)
{
	return token.len == 1 && *token.p == c;
}

static bool
begins_with_wildcard(struct slice pattern)
{
	return pattern.len && (*pattern.p == '*' || *pattern.p == '>');
}

static size_t
append(char *buf, size_t len, struct slice s)
{
	memcpy(buf + len, s.p, s.len);
	return len + s.len;
}

/*
 * No topic that both match is shorter than the crossed pattern: a literal is
 * as long as it is, a wildcard stands for one byte or more.
 */
static size_t
of_a_topics_length(size_t len)
{
	return len <= TOPIC_MAX ? len : 0;
}

size_t
topic_cross(struct slice a, struct slice b, char *buf)
{
	struct slice ta, tb;
	size_t len = 0;

	if ((topic_is_system(a) && begins_with_wildcard(b)) ||
	    (topic_is_system(b) && begins_with_wildcard(a)))
		return 0;
	while (a.len && b.len) {
		if (*a.p == '>')
			return of_a_topics_length(append(buf, len, b));
		if (*b.p == '>')
			return of_a_topics_length(append(buf, len, a));
		(void)topic_next_token(&a, &ta);
		(void)topic_next_token(&b, &tb);
		if (is_token(ta, '*'))
			len = append(buf, len, tb);
		else if (is_token(tb, '*') || slice_equal(ta, tb))
			len = append(buf, len, ta);
		else
			return 0;
		if (a.len && b.len)
			buf[len++] = '.';
	}
	return a.len == b.len ? of_a_topics_length(len) : 0;
}
