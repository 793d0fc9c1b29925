/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The judge keeps what it was shown as one digest per event, and the last
 * version of each topic.  It believes nothing: every rule is looked at for
 * every event.
 */

#include "tests/lib/checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checker_seen {
	uint64_t seq;
	uint64_t digest;
};

struct checker_topic {
	uint64_t digest; /* of the name; 0: free */
	uint64_t version;
};

struct checker {
	char pattern[256];
	uint64_t from;
	uint64_t position;
	uint64_t last_time;
	uint64_t ephemeral;
	struct checker_seen *seen;
	size_t n_seen, cap_seen;
	uint64_t *ends; /* the upto of each message */
	size_t n_ends, cap_ends;
	struct checker_topic
	    *topics; /* open addressing, never over half full */
	size_t n_topics, cap_topics;
	size_t true_at; /* how far the truth has come in seen[] */
	char fault[300];
};

/* FNV-1a, 64 bits: different enough from anything that peal computes. */
static uint64_t
checker_digest(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h ? h : 1;
}

static bool __attribute__((format(printf, 2, 3)))
checker_blame(struct checker *c, const char *fmt, ...)
{
	va_list ap;

	if (c->fault[0] != '\0')
		return false;
	va_start(ap, fmt);
	(void)vsnprintf(c->fault, sizeof(c->fault), fmt, ap);
	va_end(ap);
	return false;
}

struct checker *
checker_new(const char *pattern, uint64_t from)
{
	struct checker *c = calloc(1, sizeof(*c));

	if (c == NULL || strlen(pattern) >= sizeof(c->pattern)) {
		free(c);
		return NULL;
	}
	memcpy(c->pattern, pattern, strlen(pattern) + 1);
	c->from = c->position = from;
	c->cap_topics = 1024;
	c->topics = calloc(c->cap_topics, sizeof(*c->topics));
	return c->topics != NULL ? c : checker_free(c);
}

struct checker *
checker_free(struct checker *c)
{
	if (c != NULL) {
		free(c->seen);
		free(c->ends);
		free(c->topics);
		free(c);
	}
	return NULL;
}

uint64_t
checker_position(const struct checker *c)
{
	return c->position;
}

uint64_t
checker_events(const struct checker *c)
{
	return c->n_seen;
}

uint64_t
checker_ephemeral(const struct checker *c)
{
	return c->ephemeral;
}

const char *
checker_fault(const struct checker *c)
{
	return c->fault;
}

bool
checker_match(const char *pattern, const char *topic, size_t len)
{
	const char *end = topic + len;
	bool first = true;

	for (;;) {
		size_t p = strcspn(pattern, ".");
		const char *dot = memchr(topic, '.', (size_t)(end - topic));
		size_t t = (size_t)((dot != NULL ? dot : end) - topic);
		bool literal = t == p && !memcmp(pattern, topic, t);

		if (t == 0 || (first && topic[0] == '$' && !literal))
			return false;
		if (p == 1 && pattern[0] == '>')
			return pattern[1] == '\0';
		if (!literal && !(p == 1 && pattern[0] == '*'))
			return false;
		if (pattern[p] == '\0' || dot == NULL)
			return pattern[p] == '\0' && dot == NULL;
		pattern += p + 1;
		topic = dot + 1;
		first = false;
	}
}

/* Make room for one more element at the end of *array. */
static bool
checker_grow(void *array, size_t n, size_t *cap, size_t size)
{
	void **p = array;
	size_t want = *cap != 0 ? 2 * *cap : 256;
	void *more;

	if (n < *cap)
		return true;
	more = realloc(*p, want * size);
	if (more == NULL)
		return false;
	*p = more;
	*cap = want;
	return true;
}

static struct checker_topic *
checker_slot(struct checker_topic *topics, size_t cap, uint64_t digest)
{
	size_t i = digest & (cap - 1);

	while (topics[i].digest != 0 && topics[i].digest != digest)
		i = (i + 1) & (cap - 1);
	return &topics[i];
}

static struct checker_topic *
checker_topic(struct checker *c, uint64_t digest)
{
	struct checker_topic *slot, *more;

	if (2 * c->n_topics >= c->cap_topics) {
		more = calloc(2 * c->cap_topics, sizeof(*more));
		if (more == NULL)
			return NULL;
		for (size_t i = 0; i < c->cap_topics; i++)
			if (c->topics[i].digest != 0)
				*checker_slot(more, 2 * c->cap_topics,
				    c->topics[i].digest) = c->topics[i];
		free(c->topics);
		c->topics = more;
		c->cap_topics *= 2;
	}
	slot = checker_slot(c->topics, c->cap_topics, digest);
	if (slot->digest == 0) {
		slot->digest = digest;
		c->n_topics++;
	}
	return slot;
}

/* All events of a topic match or none: each next one is the next version. */
static bool
checker_version(struct checker *c, const struct checker_event *ev)
{
	struct checker_topic *t =
	    checker_topic(c, checker_digest(ev->topic, ev->topic_len));

	if (t == NULL)
		return checker_blame(c, "out of memory");
	if (ev->version == 0)
		return checker_blame(c,
		    "event %" PRIu64 " is durable and has version 0", ev->seq);
	if (t->version == 0 ? (c->from == 0 && ev->version != 1)
			    : (ev->version != t->version + 1))
		return checker_blame(c,
		    "event %" PRIu64 " is version %" PRIu64
		    " of '%.*s' and follows version %" PRIu64,
		    ev->seq, ev->version, (int)ev->topic_len, ev->topic,
		    t->version);
	t->version = ev->version;
	return true;
}

static bool
checker_durable(struct checker *c, const struct checker_event *ev,
    uint64_t previous, uint64_t upto)
{
	if (ev->seq <= previous)
		return checker_blame(c,
		    "event %" PRIu64 " comes after event %" PRIu64, ev->seq,
		    previous);
	if (ev->seq > upto)
		return checker_blame(c,
		    "event %" PRIu64 " is in a message up to %" PRIu64, ev->seq,
		    upto);
	if (ev->time < c->last_time)
		return checker_blame(c,
		    "event %" PRIu64 " is older than the one before it",
		    ev->seq);
	if (!checker_version(c, ev))
		return false;
	if (!checker_grow(&c->seen, c->n_seen, &c->cap_seen, sizeof(*c->seen)))
		return checker_blame(c, "out of memory");
	c->last_time = ev->time;
	c->seen[c->n_seen].seq = ev->seq;
	c->seen[c->n_seen++].digest = checker_digest(ev->bytes, ev->len);
	return true;
}

bool
checker_span(struct checker *c, const struct checker_span *span)
{
	uint64_t previous = span->after;

	if (span->after > c->position)
		return checker_blame(c,
		    "gap: a message begins after %" PRIu64
		    " at position %" PRIu64,
		    span->after, c->position);
	if (span->after < c->position)
		return checker_blame(c,
		    "repetition: a message begins after %" PRIu64
		    " at position %" PRIu64,
		    span->after, c->position);
	if (span->upto < span->after)
		return checker_blame(c,
		    "a message goes from %" PRIu64 " back to %" PRIu64,
		    span->after, span->upto);
	for (size_t i = 0; i < span->n; i++) {
		const struct checker_event *ev = &span->events[i];

		if (!checker_match(c->pattern, ev->topic, ev->topic_len))
			return checker_blame(c,
			    "event %" PRIu64 " of '%.*s' was not asked for",
			    ev->seq, (int)ev->topic_len, ev->topic);
		if (ev->seq == 0) {
			c->ephemeral++;
			continue;
		}
		if (!checker_durable(c, ev, previous, span->upto))
			return false;
		previous = ev->seq;
	}
	if (!checker_grow(&c->ends, c->n_ends, &c->cap_ends, sizeof(*c->ends)))
		return checker_blame(c, "out of memory");
	c->ends[c->n_ends++] = span->upto;
	c->position = span->upto;
	return c->fault[0] == '\0';
}

bool
checker_request(struct checker *c, uint64_t first, uint64_t last)
{
	for (size_t i = 0; i < c->n_ends; i++)
		if (c->ends[i] >= first && c->ends[i] < last)
			return checker_blame(c,
			    "a message ends at %" PRIu64
			    " within the request %" PRIu64 " to %" PRIu64,
			    c->ends[i], first, last);
	return true;
}

bool
checker_truth(struct checker *c, const struct checker_event *ev)
{
	const struct checker_seen *seen;

	if (ev->seq <= c->from || ev->seq > c->position ||
	    !checker_match(c->pattern, ev->topic, ev->topic_len))
		return true;
	seen = c->true_at < c->n_seen ? &c->seen[c->true_at] : NULL;
	if (seen == NULL || seen->seq > ev->seq)
		return checker_blame(
		    c, "event %" PRIu64 " was never received", ev->seq);
	if (seen->seq < ev->seq)
		return checker_blame(
		    c, "event %" PRIu64 " is not in the log", seen->seq);
	if (seen->digest != checker_digest(ev->bytes, ev->len))
		return checker_blame(
		    c, "event %" PRIu64 " is not the one of the log", ev->seq);
	c->true_at++;
	return true;
}

bool
checker_truth_end(struct checker *c)
{
	if (c->true_at < c->n_seen)
		return checker_blame(c, "event %" PRIu64 " is not in the log",
		    c->seen[c->true_at].seq);
	return c->fault[0] == '\0';
}
