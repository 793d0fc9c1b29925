/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a client that conflates checks: an event is left out only where a
 * newer one sets its topic, and that one comes; version 1 never is.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rules.h"
#include "tests/lib/chainfix.h"

#define CHECK CHAINFIX_CHECK

static unsigned
topic_of(const struct chainfix_event *ev)
{
	unsigned i = 0;

	while (strcmp(chainfix_topics[i], ev->topic) != 0)
		i++;
	return i;
}

static bool
sets(const struct chainfix *w, const struct chainfix_event *ev)
{
	return rules_fold(w->rules, slice_cstr(ev->topic),
		   slice_cstr(ev->type)) == RULES_SET;
}

/* Is there a newer one that makes up for it, and will come? */
static bool
is_covered(const struct chainfix_client *c, uint64_t seq)
{
	const struct chainfix *w = c->world;
	const char *topic = w->events[seq - 1].topic;

	for (uint64_t i = seq; i < w->n_events; i++) {
		const struct chainfix_event *ev = &w->events[i];

		if (strcmp(ev->topic, topic) == 0 && sets(w, ev) &&
		    chainfix_wanted(
			c, slice_cstr(ev->topic), slice_cstr(ev->type)))
			return true;
	}
	return false;
}

void
chainfix_left_out(struct chainfix_client *c, uint64_t seq)
{
	const struct chainfix_event *ev = &c->world->events[seq - 1];

	CHECK(ev->version > 1, "event %" PRIu64 ", a version 1, is left out",
	    seq);
	CHECK(is_covered(c, seq),
	    "event %" PRIu64 " is left out, and nothing newer sets its topic",
	    seq);
	c->owed[topic_of(ev)] = seq;
	c->left_out++;
}

void
chainfix_came(struct chainfix_client *c, uint64_t seq)
{
	const struct chainfix_event *ev = &c->world->events[seq - 1];

	if (sets(c->world, ev))
		c->owed[topic_of(ev)] = 0;
}

void
chainfix_forgive(struct chainfix_client *c)
{
	for (unsigned i = 0; i < chainfix_n_topics; i++)
		if (c->owed[i] > 0 && !is_covered(c, c->owed[i]))
			c->owed[i] = 0;
}

void
chainfix_conflate(struct chainfix_client *c)
{
	static const uint32_t intervals[] = { 10, 100, 1000 };
	struct chainfix *w = c->world;

	if (c->conflate_ms > 0)
		return;
	/* What is given on the way to it may still be every event. */
	c->conflate_ms = intervals[chainfix_random(w, 3)];
	send_conflate(&c->sender, c->conflate_ms, w->rules);
}
