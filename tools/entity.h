/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An entity of the memory graph with its relations, as the folded state has
 * them.  Names are those in the rows' values; a topic only leads to them.
 */

#ifndef PEAL_TOOLS_ENTITY_H
#define PEAL_TOOLS_ENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct entity_other;
struct map;
struct query;
struct reason;

/* A relation that is not deleted. */
struct entity_relation {
	uint8_t *bytes; /* its row */
	size_t len;
	struct slice type;	    /* into bytes */
	struct slice name;	    /* of the other end, into bytes */
	struct entity_other *other; /* what is known of that */
};

struct entity_relations {
	struct entity_relation *v;
	size_t n, cap;
};

struct entity {
	struct slice name; /* the caller's */
	uint64_t seq;	   /* of rows; the other ends are no older */
	uint8_t *bytes;	   /* its row, maybe a deleted one; NULL: none */
	size_t len;
	struct entity_relations out, in;
	struct map *others; /* by topic */
};

/*
 * Ask for everything about name.  entity_deinit() is the caller's, also
 * after an error.
 */
MUST_CHECK int entity_read(struct query *q, struct slice name, uint64_t min_seq,
    struct entity *e, struct reason *why);
void entity_deinit(struct entity *e);

/* Is the other end of the relation missing or deleted? */
bool entity_dangles(const struct entity_relation *relation);

#endif
