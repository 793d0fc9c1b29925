/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The histograms of a house, copied at one look: those of several processes
 * put together, what came between two looks, and rows to be drawn.
 */

#ifndef PEAL_TOOLS_HISTS_H
#define PEAL_TOOLS_HISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "shm/stats.h"

struct reason;
struct watch;

enum {
	HISTS_MAX = 1024 /* 10 MiB of them: whatever files say */
};

struct hists_one {
	char process[32];
	uint32_t pid;
	uint64_t started_us;
	unsigned processes; /* that it is of */
	unsigned dead;	    /* of these */
	struct stats_item item;
	struct stats_hist hist;
};

/* {0} is empty. */
struct hists {
	struct hists_one **v;
	unsigned n;
};

void hists_deinit(struct hists *hs);

/*
 * Those of the last watch_counters() whose PROCESS.NAME, or NAME alone,
 * matches glob (NULL: all), into hs, which was empty.
 */
MUST_CHECK int hists_take(struct hists *hs, const struct watch *w,
    const char *glob, struct reason *why);
/* Leave what came since an earlier look; all of a process that is new. */
void hists_since(struct hists *now, const struct hists *before);
/* One of each name of each kind of process. */
void hists_merge(struct hists *hs);

/* A range of values, and how many there are. */
struct hists_row {
	uint64_t low, high;
	uint64_t n;
	uint64_t upto; /* all those of rows before, too */
};

/*
 * From the first value to the last in at most max (2 or more) rows, empty ones
 * between them too; as narrow as goes.  Returns how many rows.
 */
unsigned hists_rows(
    const struct stats_hist *h, struct hists_row *rows, unsigned max);

enum {
	HISTS_TEXT = 32
};

/* A value with its unit as people write it: "1.53 ms", "12.0 KiB", "17". */
const char *hists_text(const char *unit, double v, char buf[HISTS_TEXT]);

#endif
