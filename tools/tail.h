/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Following events: from the ring of this machine, or from a gateway.  Both
 * print what matches, in order, and say on stderr what they could not get.
 */

#ifndef PEAL_TOOLS_TAIL_H
#define PEAL_TOOLS_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "tools/show.h"

struct tool;

enum tail_from {
	TAIL_NOW,
	TAIL_OLDEST,
	TAIL_SEQ
};

struct tail {
	struct tool *t;
	const char *const *patterns; /* one or more */
	unsigned n_patterns;
	enum tail_from from;
	uint64_t from_seq;    /* first to be shown, with TAIL_SEQ */
	uint64_t left;	      /* events still to be shown */
	uint64_t conflate_ms; /* of a gateway; 0: every event */
	struct show show;
};

/* Each returns an exit code. */
int tail_local(struct tail *tail);
int tail_remote(struct tail *tail);

/* Does the topic of this encoded event match? */
bool tail_wants(const struct tail *tail, struct slice topic);

#endif
