/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counters begin in static cells, so that counting never asks whether there
 * is a page; a process that can't make one counts all the same.
 */

#include <string.h>

#include "gateway/counters.h"

static struct stats_cell own[STATS_GATEWAY_ALL];

struct stats counters_cells = { own };

void
counters_use(const struct stats *cells)
{
	const struct stats before = counters_cells;

	for (unsigned i = 0; i < STATS_GATEWAY_ALL; i++)
		stats_set(cells, i, stats_get(&before, i));
	counters_cells = *cells;
}

void
counters_reset(void)
{
	memset(own, 0, sizeof(own));
	counters_cells = (struct stats){ own };
}
