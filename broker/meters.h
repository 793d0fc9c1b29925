/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What this process counts for tools: the table is STATS_BROKER of
 * shm/stats_defs.h.  Its parts count at home, and serving copies that here;
 * a histogram is its thread's own.
 */

#ifndef PEAL_BROKER_METERS_H
#define PEAL_BROKER_METERS_H

#include <stdint.h>

#include "core/macros.h"
#include "shm/stats.h"

struct reason;

extern struct stats meters_cells;

/*
 * Where tools can read it, in run_dir/stat; before any thread but the loop's.
 * What was counted is taken along.  meters_close() removes it.
 */
MUST_CHECK int meters_open(const char *run_dir, struct reason *why);
void meters_close(void);

/* name is one of STATS_BROKER_HIST. */
#define METERS_RECORD(name, v, times) \
	stats_record(&meters_cells, STATS_BROKER_HIST_##name, (v), (times))

#endif
