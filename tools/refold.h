/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The state folded afresh from events, to be compared with one that is
 * served: row by row, byte by byte.  One row is kept for each topic, and no
 * event.
 */

#ifndef PEAL_TOOLS_REFOLD_H
#define PEAL_TOOLS_REFOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/fold.h"
#include "core/macros.h"
#include "core/mp.h"
#include "log/loss.h"

struct map;
struct reason;
struct row;
struct rules;

struct refold {
	const struct rules *rules; /* the caller's */
	struct map *rows;
	struct fold fold;
	struct mp_buf scratch;
	struct log_loss loss; /* versions may skip what is lost */
	uint64_t seq;	      /* of the last event that was folded */
	uint64_t events;
	uint64_t unfoldable; /* events that only touched */
	uint64_t too_large;
};

/* -ENOMEM. */
MUST_CHECK int refold_init(struct refold *rf, const struct rules *rules);
void refold_deinit(struct refold *rf);

/*
 * Begin with a row that events before the first one have left; each topic's
 * once, before any event.  -EPROTO with a sentence, -ENOMEM.
 */
MUST_CHECK int refold_row(
    struct refold *rf, struct slice bytes, struct reason *why);

/*
 * Fold one encoded event, each beyond the one before.  -EPROTO with a
 * sentence when it is none or its version is not its topic's next, -ENOMEM.
 */
MUST_CHECK int refold_event(
    struct refold *rf, struct slice bytes, struct reason *why);

enum refold_verdict {
	REFOLD_EQUAL = 0,
	REFOLD_DIFFERS,
	REFOLD_UNKNOWN, /* no event of this topic was folded */
	REFOLD_TWICE,	/* this topic was compared already */
	REFOLD_PARTIAL, /* the topic's first events were not to be had */
};

/*
 * Compare a served row, once for each topic.  *folded is our row, len 0 when
 * there is none; it lives as long as rf.
 */
enum refold_verdict refold_compare(struct refold *rf, const struct row *row,
    struct slice bytes, struct slice *folded);

enum refold_left {
	REFOLD_NONE = 0, /* no row is left */
	REFOLD_MISSING,	 /* a row that should have been served */
	REFOLD_DROPPED,	 /* a deleted one: those are dropped in time */
};

/* Over the rows that were not compared; *at begins at 0. */
enum refold_left refold_left(
    const struct refold *rf, size_t *at, struct slice *folded);

size_t refold_rows(const struct refold *rf);

/*
 * The first tokens of topics of the system ("$acl"), each once, at most max
 * of them; returns how many there are, max + 1 where there are more.
 */
size_t refold_system(const struct refold *rf, struct slice *tokens, size_t max);

#endif
