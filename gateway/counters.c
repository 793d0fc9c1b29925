/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counters begin in static cells, so that counting never asks whether there
 * is a page; a process that can't make one counts all the same.
 */

#include <string.h>

#include "gateway/counters.h"

static struct stats_cell own[STATS_GATEWAY_ALL];
static struct stats_buckets own_hists[STATS_GATEWAY_HIST_ALL];

struct stats counters_cells = { own, own_hists };

void
counters_use(const struct stats *cells)
{
	stats_take(cells, &counters_cells, &stats_gateway_table);
	counters_cells = *cells;
}

void
counters_reset(void)
{
	memset(own, 0, sizeof(own));
	memset(own_hists, 0, sizeof(own_hists));
	counters_cells = (struct stats){ own, own_hists };
}
