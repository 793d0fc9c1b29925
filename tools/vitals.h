/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The vitals of a running peal: once a second what the counters, the ring and
 * its readers' table say, as ephemeral events on $stat.writer, $stat.ring,
 * $stat.broker and $stat.gateway.PID.  Read from shared memory alone; a
 * writer that has gone or stands still is never waited for.
 */

#ifndef PEAL_TOOLS_VITALS_H
#define PEAL_TOOLS_VITALS_H

#include "core/macros.h"

struct reason;
struct vitals;

/* Of the house whose run directory this is.  NULL: out of memory. */
struct vitals *vitals_new(const char *run_dir);
struct vitals *vitals_free(struct vitals *v);

enum vitals_turn {
	VITALS_TOLD = 0,
	VITALS_EARLY,  /* their second is not over */
	VITALS_AWAY,   /* no writer serves here */
	VITALS_SILENT, /* it has yet to answer for those before */
};

/*
 * Tell them where they are due.  Never blocks.  Below zero, with a reason:
 * the writer refuses them, or there is no ring to read; the next turn tries
 * again.
 */
MUST_CHECK int vitals_turn(struct vitals *v, struct reason *why);

/* Milliseconds until they are due. */
int vitals_wait_ms(const struct vitals *v);

#endif
