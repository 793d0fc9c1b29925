/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counting begins in cells of our own, so that it never asks whether there is
 * a page; without one the broker serves all the same.
 */

#include <string.h>

#include "broker/meters.h"

static struct stats_cell own[STATS_BROKER_ALL];
static struct stats_buckets own_hists[STATS_BROKER_HIST_ALL];
static struct stats_page *page;

struct stats meters_cells = { own, own_hists };

int
meters_open(const char *run_dir, struct reason *why)
{
	int err =
	    stats_page_create_in(run_dir, &stats_broker_table, &page, why);

	if (err < 0)
		return err;
	stats_take(stats_page_stats(page), &meters_cells, &stats_broker_table);
	meters_cells = *stats_page_stats(page);
	return 0;
}

void
meters_close(void)
{
	memset(own, 0, sizeof(own));
	memset(own_hists, 0, sizeof(own_hists));
	meters_cells = (struct stats){ own, own_hists };
	page = stats_page_free(page);
}
