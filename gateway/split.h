/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Live sets in two parts: what many connections ask for, which they get as a
 * group, and what few do, which each of them gets beside it.
 */

#ifndef PEAL_GATEWAY_SPLIT_H
#define PEAL_GATEWAY_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/filter.h"

/*
 * What is shared.  Whatever it says, the two parts of a set let through what
 * the set does.
 */
struct split_policy {
	/*
	 * May an atom that so many connections hold be somebody's own, when
	 * so many hold the most common one of the set?
	 */
	bool (*own)(uint32_t holders, uint32_t most);
	uint32_t crowd; /* as many make a group worth while */
};

extern const struct split_policy split_usual;

/* A live set that a connection has, and what was made of it. */
struct split {
	struct filter *set;  /* a reference, as the others; NULL: none */
	struct filter *wish; /* the part that it would share with a crowd */
	struct filter *own;  /* NULL: everything is shared */
};

/* One more connection has this live set; returns what it shares, one ref. */
struct filter *split_enter(
    struct split *split, struct filter *set, const struct split_policy *policy);
/* The same where all of it is shared. */
struct filter *split_enter_whole(struct split *split, struct filter *set);
/* One fewer.  Nothing happens where there is none. */
void split_leave(struct split *split);

#endif
