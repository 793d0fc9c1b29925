/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log that takes another one's place: it is made beside it and gets its
 * name when it is whole; the other one is kept under a name of its own.
 */

#ifndef PEAL_TOOLS_LOG_PLACE_H
#define PEAL_TOOLS_LOG_PLACE_H

#include <limits.h>
#include <stdbool.h>

#include "core/macros.h"

struct house;
struct reason;

struct log_place {
	char path[PATH_MAX];  /* of the house's log */
	char made[PATH_MAX];  /* where the new one is made */
	char kept[PATH_MAX];  /* where the old one is then; "": there is none */
	char found[PATH_MAX]; /* what a swap that was cut short left, now */
	int fd;		      /* of made; -1: not yet; owned */
	int old;	      /* of the old one; -1: there is none; owned */
	int lock;	      /* nobody writes to it meanwhile */
};

enum log_place_begin {
	LOG_PLACE_READY = 0,
	LOG_PLACE_HELD, /* a writer has the log; *why names it */
};

/*
 * Lock the log of the house, if there is one; `kept` will end with suffix.
 * To be ended with log_place_end(), whatever comes.
 */
MUST_CHECK int log_place_begin(struct log_place *p, const struct house *h,
    const char *suffix, struct reason *why);
/* Make an empty directory beside it, in place of what an attempt left. */
MUST_CHECK int log_place_make(struct log_place *p, struct reason *why);
/* Is there anything in the old one's place but what peal leaves in passing? */
bool log_place_taken(const struct log_place *p);
/*
 * The new one is whole: it gets owner and mode of the old one, is synced, and
 * changes places with it.  At each moment one of them has the log's name.
 */
MUST_CHECK int log_place_swap(struct log_place *p, struct reason *why);
/* Without a swap, what was made is removed. */
void log_place_end(struct log_place *p);

#endif
