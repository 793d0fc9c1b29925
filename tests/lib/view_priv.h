/* SPDX-License-Identifier: BSD-2-Clause */

/* What the files of the judge share; for them alone. */

#ifndef PEAL_TESTS_LIB_VIEW_PRIV_H
#define PEAL_TESTS_LIB_VIEW_PRIV_H

#include "core/mp.h"
#include "tests/lib/view.h"

enum {
	VIEW_SUBS = 64
};

struct view_sub {
	struct view_ask ask;
	enum view_state state;
	bool answered; /* subscribed has come */
	struct rows *rows;
	int64_t position;
	/* Where a row is known as of here or later, no version is left out. */
	int64_t base;
	uint64_t round; /* its number, the mark of its rows */
	int64_t round_seq, round_since;
	bool round_full;
	struct mp_buf scope;
};

struct view {
	struct slice fold;
	const char *const *read; /* NULL: everything */
	struct view_sub subs[VIEW_SUBS];
	unsigned next; /* where a free one is looked for */
	bool conflates;
	bool chain;
	int64_t at; /* of the chain */
	uint64_t last_time;
	uint64_t rounds;
	int64_t lagged;
	struct view_counts counts;
	int64_t *ends; /* where messages ended */
	size_t n_ends, cap_ends;
	char fault[800];
};

/* Keep the first fault; false. */
bool view_blame(struct view *v, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The subscription asks for its topic and type, and may have it. */
bool view_wants(
    const struct view *v, const struct view_sub *s, const struct event *ev);
/* A message ended there. */
bool view_ended_at(struct view *v, int64_t seq);
/* All it has to catch up with is there: live, or as soon as the chain is. */
bool view_ready(struct view *v, struct view_sub *s);

/* Members of a message: VIEW_NO_POSITION, or -1, where there is none. */
int64_t view_uint(struct slice message, const char *key);
int view_bool(struct slice message, const char *key);
/* w stands at its first element; false: there is none. */
bool view_array(
    struct slice message, const char *key, struct mp_walk *w, uint32_t *n);

/* A part of a snapshot for s. */
bool view_snapshot(struct view *v, struct view_sub *s, struct slice message);

#endif
