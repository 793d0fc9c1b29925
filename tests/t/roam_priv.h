/* SPDX-License-Identifier: BSD-2-Clause */

/* What roam.c and roam_ask.c share: clients, and what they ask for. */

#ifndef PEAL_TESTS_T_ROAM_PRIV_H
#define PEAL_TESTS_T_ROAM_PRIV_H

#include <stdio.h>

#include "core/mp.h"
#include "tests/lib/client.h"
#include "tests/lib/view.h"

enum {
	ROAM_SUBS = 6,
	ROAM_TICK_MS = 5,
	ROAM_PAUSE_MS = 50,    /* between attempts to connect */
	ROAM_HURRY_MS = 20000, /* from the end of the load to the head */
};

struct roam {
	struct wire_to to;
	char *tokens[2]; /* the second one of few rights, or NULL */
	unsigned clients;
	uint64_t seed;
	int64_t deadline_ms;
	const char *log;
	const char *ready, *stop;
	const char *trace; /* directory for what faulty clients saw, or NULL */
	bool lossy;	   /* connections may be lost */
	int64_t head;	   /* -1: the load goes on */
};

struct roam_sub {
	struct view_ask ask;
	bool used, ending;
	bool snapshot;	  /* what it knows came of one */
	int64_t retry_ms; /* is asked again then, 0: is asked for */
	struct mp_buf scope;
};

struct roamer {
	const struct roam *plan;
	unsigned number;
	struct client client;
	struct mp_buf fold;
	struct view *view;
	const char *const *read;
	uint64_t conflate_ms; /* of this connection; 0: it does not */
	struct roam_sub subs[ROAM_SUBS];
	uint64_t next_id, random;
	int64_t wake_ms; /* reads nothing before */
	bool down;	 /* has no connection, and nothing of the last one */
	unsigned connections, requests, errors, forbidden, resumed;
	struct view_counts sum;
	char last[300]; /* what it asked for last */
	FILE *trace;	/* what it asked and was told, without events */
	char *traced;
	size_t trace_len;
	char fault[2400];
};

uint64_t roam_random(struct roamer *r, uint64_t below);
/* The first fault of a client stays. */
void roam_blame(struct roamer *r, const char *what, const char *detail);
/* A line for each message; what a batch or part holds is left out. */
void roam_trace(struct roamer *r, struct slice message);

/* A new subscription, anything. */
void roam_begin(struct roamer *r, struct roam_sub *sub);
/* One that ended by itself goes on from where it was. */
void roam_again(struct roamer *r, struct roam_sub *sub);
void roam_unsubscribe(struct roamer *r, struct roam_sub *sub);

#endif
