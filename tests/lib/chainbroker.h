/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The broker of the fan-out's small world: takes the place of gateway/ask,
 * answers from the list of all events, late, in any order, and goes away
 * when it is told to.
 */

#ifndef PEAL_TESTS_LIB_CHAINBROKER_H
#define PEAL_TESTS_LIB_CHAINBROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/chainfix.h"

struct ask;

struct ask *chainbroker_new(struct chainfix *w);
struct ask *chainbroker_free(struct ask *b);

/* Fold up to a request's end between where it is and the head. */
void chainbroker_fold(struct ask *b, bool all);
/* Answer one question, any; false: there is none that can be answered. */
bool chainbroker_answer(struct ask *b);
/* It goes: everything is answered with nothing. */
void chainbroker_leave(struct ask *b);
void chainbroker_come(struct ask *b);
/* It has to give up all spools. */
void chainbroker_drop(struct ask *b);

/* How often it was asked what. */
struct chainbroker_counts {
	uint64_t opens, parts, pages;
};
struct chainbroker_counts chainbroker_counts(const struct ask *b);

#endif
