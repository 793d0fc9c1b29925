/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The topics of a memory graph: graph.entity.NAME and
 * graph.relation.FROM.TYPE.TO, tokens escaped, as in doc/protocol.md.  The
 * exact names are in the events' data, never read from a topic.
 */

#ifndef PEAL_CORE_GRAPH_H
#define PEAL_CORE_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bytes.h"
#include "core/topic.h"

/*
 * Each takes any names of at least one byte, and returns the length of a
 * valid topic; buf is NUL-ended.
 */
size_t graph_entity_topic(struct slice name, char buf[TOPIC_MAX + 1]);
/* Beyond TOPIC_MAX bytes it is graph.relation.~.DIGEST. */
size_t graph_relation_topic(struct slice from, struct slice type,
    struct slice to, char buf[TOPIC_MAX + 1]);
/*
 * Has the topic, or pattern, the five tokens of a relation?  *to is the last
 * of them, as it stands there.
 */
bool graph_relation_to(struct slice topic, struct slice *to);

#endif
