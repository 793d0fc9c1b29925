/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A map from topics to rows, filled from snapshots and by folding events, as
 * a client keeps it.  What does not follow from what is known is a hole: its
 * place is known, its value is not.
 */

#ifndef PEAL_TESTS_LIB_ROWS_H
#define PEAL_TESTS_LIB_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/event.h"
#include "core/row.h"

struct rows;

struct rows_row {
	struct row row;	    /* slices into bytes */
	struct slice bytes; /* as encoded; of a hole the value is nil */
	bool hole;
	uint64_t mark; /* for the caller */
};

/*
 * fold: the value of that name in a `welcome`, or len 0 for the default
 * rules.  NULL: no memory, or no rules.
 */
struct rows *rows_new(struct slice fold);
struct rows *rows_free(struct rows *r);

size_t rows_count(const struct rows *r);
/* NULL: nothing is known; until the next call that changes the topic. */
struct rows_row *rows_get(const struct rows *r, struct slice topic);
/* Keep a row as it came, in place of what is there; NULL: it is no row. */
struct rows_row *rows_put(struct rows *r, struct slice bytes);
/* Versions may be left out from now on: what comes is folded all the same. */
void rows_conflated(struct rows *r);
/*
 * Fold an event into the row of its topic: one that follows the row known, or
 * begins its topic, gives the next row; any other a hole.  NULL: no memory.
 */
struct rows_row *rows_fold(struct rows *r, const struct event *ev);

/* In order of topics, until fn returns false. */
void rows_each(const struct rows *r,
    bool (*fn)(void *arg, struct rows_row *row), void *arg);

/*
 * Both hold the same rows, byte for byte, of the topics that pattern matches
 * and one of read, too (NULL behind the last; NULL: all of them); false: text
 * says where they differ first.
 */
bool rows_equal(const struct rows *have, const struct rows *want,
    const char *pattern, const char *const *read, char *text, size_t size);

/* Fold the whole log in directory; false and a line on stderr: can't. */
bool rows_of_log(struct rows *r, const char *directory);
/* One row a line, in the JSON form of doc/protocol.md; false: can't. */
bool rows_print(const struct rows *r, const char *path);

#endif
