/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Copies of histograms, each of one process until they are merged.  A process
 * is the same as before when name, pid and start are.
 */

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "tools/hists.h"
#include "tools/watch.h"

void
hists_deinit(struct hists *hs)
{
	for (unsigned i = 0; i < hs->n; i++)
		free(hs->v[i]);
	free(hs->v);
	*hs = (struct hists){ 0 };
}

static bool
is_wanted(const char *glob, const char *process, const char *name)
{
	char whole[80];

	snprintf(whole, sizeof(whole), "%s.%s", process, name);
	return !glob || fnmatch(glob, whole, 0) == 0 ||
	       fnmatch(glob, name, 0) == 0;
}

static int
add(struct hists *hs, const struct watch_process *p,
    const struct stats_item *item, struct hists_one **out)
{
	struct hists_one **v, *one;

	v = realloc(hs->v, (hs->n + 1) * sizeof(struct hists_one *));
	if (!v)
		return -ENOMEM;
	hs->v = v;
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	memcpy(one->process, p->view.process, sizeof(one->process));
	one->pid = p->view.pid;
	one->started_us = p->view.started_us;
	one->processes = 1;
	one->dead = !p->alive;
	one->item = *item;
	hs->v[hs->n++] = one;
	*out = one;
	return 0;
}

static int
take_process(struct hists *hs, const struct watch_process *p, const char *glob,
    struct reason *why)
{
	struct stats_item item;
	struct hists_one *one;

	for (unsigned i = 0; i < p->view.n; i++) {
		if (stats_view_item(&p->view, i, &item) < 0 ||
		    item.kind != STATS_HISTOGRAM ||
		    !is_wanted(glob, p->view.process, item.name))
			continue;
		if (hs->n == HISTS_MAX)
			return reason_say(why, -E2BIG,
			    "there are more than %d histograms", HISTS_MAX);
		if (add(hs, p, &item, &one) < 0)
			return reason_set(why, -ENOMEM, "out of memory");
		if (stats_view_hist(&p->view, i, &one->hist) < 0)
			one->hist = (struct stats_hist){ 0 };
	}
	return 0;
}

int
hists_take(struct hists *hs, const struct watch *w, const char *glob,
    struct reason *why)
{
	int err = 0;

	for (unsigned i = 0; i < w->n && err == 0; i++)
		err = take_process(hs, &w->processes[i], glob, why);
	return err;
}

static bool
is_like(const struct hists_one *a, const struct hists_one *b)
{
	return !strcmp(a->process, b->process) &&
	       !strcmp(a->item.name, b->item.name) &&
	       !strcmp(a->item.unit, b->item.unit);
}

void
hists_since(struct hists *now, const struct hists *before)
{
	for (unsigned i = 0; i < now->n; i++) {
		struct hists_one *one = now->v[i];

		for (unsigned k = 0; k < before->n; k++) {
			const struct hists_one *was = before->v[k];

			if (is_like(one, was) && one->pid == was->pid &&
			    one->started_us == was->started_us) {
				stats_hist_since(&one->hist, &was->hist);
				break;
			}
		}
	}
}

void
hists_merge(struct hists *hs)
{
	unsigned n = 0;

	for (unsigned i = 0; i < hs->n; i++) {
		struct hists_one *one = hs->v[i];
		unsigned k = 0;

		while (k < n && !is_like(hs->v[k], one))
			k++;
		if (k == n) {
			hs->v[n++] = one;
			continue;
		}
		stats_hist_merge(&hs->v[k]->hist, &one->hist);
		hs->v[k]->processes += one->processes;
		hs->v[k]->dead += one->dead;
		free(one);
	}
	hs->n = n;
}

/* --- rows --- */

static bool
find_ends(const struct stats_hist *h, unsigned *first, unsigned *last)
{
	bool found = false;

	for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++) {
		if (!h->n[b])
			continue;
		if (!found)
			*first = b;
		found = true;
		*last = b;
	}
	return found;
}

unsigned
hists_rows(const struct stats_hist *h, struct hists_row *rows, unsigned max)
{
	unsigned first = 0, last = 0, shift = 0, n = 0;
	uint64_t upto = 0;

	if (!find_ends(h, &first, &last))
		return 0;
	/* Twice as many buckets for a row, until it is a power of two. */
	while ((last >> shift) - (first >> shift) + 1 > max)
		shift++;
	for (unsigned r = first >> shift; r <= last >> shift; r++) {
		struct hists_row *row = &rows[n++];

		*row = (struct hists_row){ .low = stats_hist_low(r << shift),
			.high = stats_hist_high(((r + 1) << shift) - 1) };
		for (unsigned b = r << shift;
		     b < (r + 1) << shift && b < STATS_HIST_BUCKETS; b++)
			row->n += h->n[b];
		upto += row->n;
		row->upto = upto;
	}
	return n;
}

/* --- values --- */

struct scale {
	const char *of; /* a unit of the table */
	double factor;
	const char *name;
};

/* Each unit's in a row, the smallest first. */
static const struct scale scales[] = {
	{ "ns", 1, "ns" },
	{ "ns", 1e3, "us" },
	{ "ns", 1e6, "ms" },
	{ "ns", 1e9, "s" },
	{ "ns", 60e9, "min" },
	{ "bytes", 1, "B" },
	{ "bytes", 1024, "KiB" },
	{ "bytes", 1048576, "MiB" },
	{ "bytes", 1073741824, "GiB" },
	{ "bytes", 1099511627776, "TiB" },
};

const char *
hists_text(const char *unit, double v, char buf[HISTS_TEXT])
{
	const struct scale *best = NULL;
	double shown = v;

	for (unsigned i = 0; i < ARRAY_LEN(scales); i++)
		if (!strcmp(scales[i].of, unit) &&
		    (!best || v >= scales[i].factor))
			best = &scales[i];
	if (best)
		shown = v / best->factor;
	snprintf(buf, HISTS_TEXT, "%.*f%s%s",
	    shown >= 99.95 || shown == (double)(uint64_t)shown ? 0
	    : shown >= 9.995				       ? 1
							       : 2,
	    shown, best ? " " : "", best ? best->name : "");
	return buf;
}
