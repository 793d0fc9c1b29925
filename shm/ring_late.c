/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Events of one pass have one stamp and come in a row, so that a run costs as
 * many values as it has passes.
 */

#include "shm/ring_late.h"
#include "shm/ring_event.h"
#include "shm/stats.h"

void
ring_late_record(const struct stats *st, unsigned hist,
    const struct ring_event *ev, uint32_t n, uint64_t since_ns, uint64_t now_ns)
{
	uint32_t i = 0, from;
	uint64_t age;

	while (i < n) {
		for (from = i++; i < n && ev[i].stamp == ev[from].stamp;)
			i++;
		age = ring_event_age_ns(ev[from].stamp, now_ns);
		if (ev[from].stamp && now_ns - since_ns >= age)
			stats_record(st, hist, age, i - from);
	}
}
