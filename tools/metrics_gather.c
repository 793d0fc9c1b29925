/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * From tables of counters to metrics.  Each counter becomes the metric of its
 * own name, so that `peal stat`, a graph and an alert speak of the same
 * thing.
 */

#include <string.h>

#include "config.h"
#include "core/reason.h"
#include "shm/stats.h"
#include "tools/metrics_gather.h"
#include "tools/metrics_ring.h"
#include "tools/metrics_text.h"
#include "tools/watch.h"

static const struct metrics_about about_up = { "process", "up", "",
	"1 while the process runs, 0 where only its counters are left",
	METRICS_GAUGE };
static const struct metrics_about about_started = { "process", "start_time",
	"us", "when the process began to count, since 1970", METRICS_GAUGE };
static const struct metrics_about about_bad = { "metrics", "bad_files", "",
	"files of counters and rings that can't be understood", METRICS_GAUGE };
static const struct metrics_about about_build = { "", "build_info", "",
	"1, with the version of what serves this", METRICS_GAUGE };

/* --- histograms --- */

/* Powers of two: from 1 µs to 69 s, from 64 bytes to 1 GiB, up to 2^20. */
static const struct edges {
	const char *unit;
	unsigned from, to;
	bool middles;
} edges[] = {
	{ "ns", 10, 36, true },
	{ "bytes", 6, 30, false },
	{ "", 0, 20, false },
};

static void
edge_add(const struct stats_hist *from, uint64_t end, struct metrics_hist *to)
{
	if (to->n == METRICS_EDGES)
		return;
	/* Values are whole numbers: below end is at most end - 1. */
	to->edge[to->n] = end - 1;
	to->upto[to->n] = stats_hist_below(from, end);
	to->n++;
}

void
metrics_gather_hist(
    const struct stats_hist *from, const char *unit, struct metrics_hist *to)
{
	const struct edges *e = edges;

	while (*e->unit && strcmp(e->unit, unit) != 0)
		e++;
	*to = (struct metrics_hist){ .count = from->count, .sum = from->sum };
	for (unsigned i = e->from; i <= e->to; i++) {
		uint64_t power = UINT64_C(1) << i;

		edge_add(from, power, to);
		if (e->middles && i < e->to)
			edge_add(from, power + power / 2, to);
	}
}

/* --- processes --- */

static void
gather_item(struct metrics *m, const struct watch_process *p, unsigned i,
    bool up, const struct metrics_labels *labels)
{
	struct metrics_about about = { .room = p->view.process };
	struct metrics_hist hist;
	struct stats_hist whole;
	struct stats_item item;

	if (stats_view_item(&p->view, i, &item) < 0)
		return;
	about.name = item.name;
	about.unit = item.unit;
	about.text = item.text;
	switch (item.kind) {
	case STATS_COUNTER:
		about.type = METRICS_COUNTER;
		metrics_add(m, &about, labels, item.value);
		break;
	case STATS_GAUGE:
		about.type = METRICS_GAUGE;
		if (up)
			metrics_add(m, &about, labels, item.value);
		break;
	case STATS_HISTOGRAM:
		about.type = METRICS_HISTOGRAM;
		if (stats_view_hist(&p->view, i, &whole) < 0)
			break;
		metrics_gather_hist(&whole, item.unit, &hist);
		metrics_add_hist(m, &about, labels, &hist);
	}
}

static void
gather_process(struct metrics *m, const struct watch_process *p, bool up)
{
	struct metrics_labels whose = { "" }, labels = { "" };

	/* There is one ring, and its counters go on through restarts. */
	if (p->page)
		metrics_label_uint(&labels, "pid", p->view.pid);
	metrics_label(&whose, "process", p->view.process);
	metrics_label_uint(&whose, "pid", p->view.pid);
	metrics_add(m, &about_up, &whose, up);
	metrics_add(m, &about_started, &whose, p->view.started_us);
	for (unsigned i = 0; i < p->view.n; i++)
		gather_item(m, p, i, up, &labels);
}

/* Those that run, or those that do not. */
static void
gather_processes(
    struct metrics *m, const struct watch *w, bool served, bool running)
{
	for (unsigned i = 0; i < w->n; i++) {
		const struct watch_process *p = &w->processes[i];
		bool up = p->page ? p->alive : p->alive && served;

		if (up == running)
			gather_process(m, p, up);
	}
}

int
metrics_gather(struct watch *w, struct metrics *m, struct reason *why)
{
	struct metrics_labels version = { "" };
	int err = watch_counters(w, why);
	unsigned bad = w->bad_n;
	struct metrics_ring ring;
	struct reason torn;

	metrics_label(&version, "version", PACKAGE_VERSION);
	metrics_add(m, &about_build, &version, 1);
	if (metrics_ring_read(w, &ring, &torn) < 0)
		bad++;
	/* The living first: a copy of their page is not to speak for them. */
	gather_processes(m, w, ring.served, true);
	gather_processes(m, w, ring.served, false);
	metrics_ring_add(&ring, m);
	metrics_add(m, &about_bad, NULL, bad);
	return err;
}
