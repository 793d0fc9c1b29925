/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Past events as a tool reads them: page after page of `history`, until the
 * end or as many as were wanted.
 */

#ifndef PEAL_TOOLS_PAGES_H
#define PEAL_TOOLS_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/proto.h"

struct event;
struct query;
struct reason;

struct pages {
	/* Asked; p NULL: any. */
	struct slice topic, actor, type;
	struct proto_uint after, before; /* they move on with the pages */
	struct proto_uint from_us, to_us;
	uint64_t min_seq;
	bool reverse;
	uint64_t left; /* events still wanted */
	/* As in struct snapshot. */
	int (*event)(void *arg, const struct event *ev, struct slice bytes,
	    struct reason *why);
	void *arg;
	/* Answered. */
	uint64_t events;
	bool more; /* it ended because enough had come */
};

enum pages_end {
	PAGES_END = 0,
	PAGES_STOPPED, /* the function did not want to go on */
};

/* Below zero with a sentence. */
MUST_CHECK int pages_read(
    struct query *q, struct pages *pages, struct reason *why);

#endif
