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
	/* Texts, freed with the plan. */
	void **kept;
	size_t n_kept, cap_kept;
};

/* Of a set; NULL: all there is.  0 or -ENOMEM. */
MUST_CHECK int plan_make(struct plan *plan, const struct topic_set *set);
void plan_deinit(struct plan *plan);

/* Is a topic of the range wanted?  set: what the plan was made of. */
bool plan_wants(const struct plan_range *range, const struct topic_set *set,
    struct slice topic);

/* Nothing but single topics. */
bool plan_is_points(const struct plan *plan);
/* Bytewise: below zero, zero, above. */
int plan_compare(struct slice a, struct slice b);
bool plan_begins(struct slice topic, struct slice prefix);

#endif
