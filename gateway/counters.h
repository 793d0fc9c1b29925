/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What this process counts: the table is STATS_GATEWAY of shm/stats_defs.h.
 * There is one gateway in a process, so whoever counts needs no pointer; the
 * cells are this process's own until a page that tools can read takes over.
 */

#ifndef PEAL_GATEWAY_COUNTERS_H
#define PEAL_GATEWAY_COUNTERS_H

#include <stdint.h>

#include "shm/stats.h"

extern struct stats counters_cells;

/* Count in these cells from now on; what was counted is taken along. */
void counters_use(const struct stats *cells);
/* Back to cells of our own, at zero. */
void counters_reset(void);

/* name is one of STATS_GATEWAY. */
#define COUNTERS_ADD(name, n) \
	stats_add(&counters_cells, STATS_GATEWAY_##name, (n))
#define COUNTERS_SET(name, v) \
	stats_set(&counters_cells, STATS_GATEWAY_##name, (v))
/* name is one of STATS_GATEWAY_HIST. */
#define COUNTERS_RECORD(name, v, times) \
	stats_record(&counters_cells, STATS_GATEWAY_HIST_##name, (v), (times))
#define COUNTERS_GET(name) stats_get(&counters_cells, STATS_GATEWAY_##name)

#endif
