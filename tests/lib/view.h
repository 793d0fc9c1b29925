/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The judge of one connection, written from doc/protocol.md: is told what the
 * client asks for and shown every message it gets, and says what is wrong
 * with the first one that is not allowed.  For each subscription it keeps the
 * rows that the client would know by then.
 */

#ifndef PEAL_TESTS_LIB_VIEW_H
#define PEAL_TESTS_LIB_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "tests/lib/rows.h"

enum {
	VIEW_TOPICS = 8,
	VIEW_NO_POSITION = -1
};

enum view_from {
	VIEW_NOW,
	VIEW_SNAPSHOT,
	VIEW_POSITION, /* from a uint; also "ack" once the position is known */
};

/* A subscription as asked for; strings live as long as the view. */
struct view_ask {
	uint64_t id;
	const char *topics[VIEW_TOPICS]; /* NULL behind the last */
	const char *types[VIEW_TOPICS];	 /* none: all */
	enum view_from from;
	int64_t position; /* of from, or since; VIEW_NO_POSITION: none */
	uint64_t heir_of; /* goes on with the rows of this one, 0: of none */
};

enum view_state {
	VIEW_ENDED, /* or never asked for */
	VIEW_ASKED,
	VIEW_ROUND,  /* inside a round of snapshot parts */
	VIEW_BEHIND, /* a round has ended with live:false */
	VIEW_REPLAY,
	VIEW_AHEAD, /* waits for the chain to come to its position */
	VIEW_LIVE,
};

struct view_counts {
	uint64_t rounds, full, parts, rows;
	uint64_t batches, events, replays, replayed, ephemeral, lagged;
};

struct view;

/* fold: as for rows_new(); lives as long.  NULL: no memory. */
struct view *view_new(struct slice fold);
/* All that the token may read; NULL behind the last; lives as long. */
void view_may_read(struct view *v, const char *const *patterns);
/* It conflates: versions may be left out, but the first; before it asks. */
void view_conflates(struct view *v);
struct view *view_free(struct view *v);

/* The client subscribes; false where it may not (its id is in use). */
bool view_asked(struct view *v, const struct view_ask *ask);
/* A whole message from the server: true, or false and view_fault(). */
bool view_message(struct view *v, struct slice message);
/* In one sentence, "" when there is none. */
const char *view_fault(const struct view *v);

enum view_state view_state(const struct view *v, uint64_t id);
/* How far the subscription is complete; VIEW_NO_POSITION: not at all yet. */
int64_t view_position(const struct view *v, uint64_t id);
/* What is known of its topics; NULL: there was no such subscription. */
struct rows *view_rows(const struct view *v, uint64_t id);
/* The last scope its snapshot carried, len 0: none. */
struct slice view_scope(const struct view *v, uint64_t id);
/* Of the last lagged: its position, VIEW_NO_POSITION where it had none. */
int64_t view_lagged(const struct view *v);
/* upto of the last batch, where a chain is running. */
int64_t view_chain(const struct view *v);
const struct view_counts *view_counts(const struct view *v);
void view_counts_add(struct view_counts *sum, const struct view_counts *more);
/* name=value, separated by spaces. */
void view_counts_print(const struct view_counts *n);

/*
 * The log said that seqs first to last are one request: no batch, part of a
 * replay or snapshot may end within it.
 */
bool view_request(struct view *v, uint64_t first, uint64_t last);

#endif
