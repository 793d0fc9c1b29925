/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Plan: the topics at which a query has to look, as few as its patterns and
 * permissions allow.  Whether a topic is wanted is still topic_set_matches()'s
 * to say.
 */

#ifndef PEAL_BROKER_PLAN_H
#define PEAL_BROKER_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct topic_set;

/* One topic, or all that begin with text. */
struct plan_range {
	struct slice text;
	bool point;
	bool exact; /* all topics of it are wanted, but for those with '$' */
};

/* {0} at first; to be ended with plan_deinit(). */
struct plan {
	/* In bytewise order of text; no two have a topic in common. */
	struct plan_range *v;
	size_t n, cap;
	/*
	 * Last tokens of relations that are wanted besides, each once; none
	 * where a range has all relations.
	 */
	struct slice *names;
	size_t n_names, cap_names;
	/* Texts, freed with the plan. */
	void **kept;
	size_t n_kept, cap_kept;
};

/*
 * Of a set; NULL: all there is.  names: a pattern graph.relation.*.TYPE.NAME,
 * TYPE '*' or not, is a name rather than a range.  0 or -ENOMEM.
 */
MUST_CHECK int plan_make(
    struct plan *plan, const struct topic_set *set, bool names);
void plan_deinit(struct plan *plan);

/*
 * Add a topic, which is copied, or all relations in place of names; then
 * plan_settle() before the ranges are used.  0 or -ENOMEM.
 */
MUST_CHECK int plan_add_point(struct plan *plan, struct slice topic);
MUST_CHECK int plan_add_relations(struct plan *plan);
void plan_settle(struct plan *plan);
/* Is a topic a relation's, which the names of a plan may stand for? */
bool plan_is_relation(struct slice topic);

/* Is a topic of the range wanted?  set: what the plan was made of. */
bool plan_wants(const struct plan_range *range, const struct topic_set *set,
    struct slice topic);

/* Nothing but single topics. */
bool plan_is_points(const struct plan *plan);
/* Bytewise: below zero, zero, above. */
int plan_compare(struct slice a, struct slice b);
bool plan_begins(struct slice topic, struct slice prefix);

#endif
