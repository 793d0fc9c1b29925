/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Facts: what was last said of each topic, so that only what has changed is
 * said again, and what has gone is deleted.  They know what an earlier run
 * said from the folded state.
 */

#ifndef PEAL_TOOLS_DEMO_FACTS_H
#define PEAL_TOOLS_DEMO_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct demo;
struct facts;
struct reason;

/* Facts that are looked at together, and go together. */
enum facts_group {
	FACTS_FAST,    /* with each interval */
	FACTS_SLOW,    /* once a second */
	FACTS_PROCESS, /* with them, one topic a process */
	FACTS_ENTITY,  /* of the graph */
	FACTS_RELATION,
	FACTS_NONE, /* of others */
};

/* The caller owns it; the demo outlives it.  NULL: out of memory. */
struct facts *facts_new(struct demo *d);
struct facts *facts_free(struct facts *f);

/* Take over what the log's state says of host.> and of our graph. */
MUST_CHECK int facts_load(struct facts *f, bool graph, struct reason *why);

/* A look at a group begins. */
void facts_begin(struct facts *f, enum facts_group group);

/*
 * Say that the topic's value is this one, a flat canonical map.  Nothing is
 * said where it is what it was.  NOUN_created sets it at first; then
 * NOUN_sampled sets it anew, or where merge is asked for NOUN_updated has
 * what differs.  Where the member `id` (NULL: none) differs it is another
 * thing under the same name, and the last one is deleted first.
 */
MUST_CHECK int facts_say(struct facts *f, enum facts_group group,
    const char *topic, const char *noun, struct slice value, bool merge,
    const char *id, struct reason *why);

/* The look came upon it, and has nothing new to say. */
void facts_same(struct facts *f, enum facts_group group, const char *topic);

/* Delete what the look did not come upon, as NOUN_deleted. */
MUST_CHECK int facts_end(
    struct facts *f, enum facts_group group, struct reason *why);

unsigned facts_count(const struct facts *f);

#endif
