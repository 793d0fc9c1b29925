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
 * Is an atom that so many connections hold a part of their own, when so many
 * hold the most common one of the set?  Whatever it answers, the two parts
 * let through what the set does.
 */
typedef bool split_rule(uint32_t holders, uint32_t most);

/* At most half of those who hold the most common one. */
bool split_few(uint32_t holders, uint32_t most);

/* One more connection has this live set, or one fewer. */
void split_hold(struct filter *set);
void split_release(struct filter *set);

/*
 * The parts of a live set that is held; the caller owns a reference to each.
 * *own is NULL where everything is shared.
 */
void split_set(struct filter *set, split_rule *rule, struct filter **shared,
    struct filter **own);

#endif
