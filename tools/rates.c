/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rates of counters.  For each process a matrix of samples: a row is what
 * all of its counters said at one time, so that one time serves them all.
 */

#include <string.h>

#include "core/time.h"
#include "shm/stats.h"
#include "tools/rates.h"

struct rates_process {
	struct rates_process *next;
	char name[32];
	uint32_t pid;
	uint64_t started_us;
	unsigned n;
	bool taken; /* in this turn */
	unsigned turns;

	uint64_t now_ns, before_ns;
	uint64_t *now;	  /* n values each */
	uint64_t *before; /* of the turn before */
	uint64_t *row;	  /* RATES_SAMPLES of n values */
	uint64_t row_ns[RATES_SAMPLES];
	unsigned rows; /* how many were ever sampled */
	bool gauge[];
};

struct rates {
	struct rates_process *processes;
	unsigned series;
	uint64_t now_ns;
};

struct rates *
rates_new(void)
{
	return calloc(1, sizeof(struct rates));
}

static void
rates_forget(struct rates *r, struct rates_process **at)
{
	struct rates_process *p = *at;

	*at = p->next;
	r->series -= p->n;
	free(p->now);
	free(p);
}

struct rates *
rates_free(struct rates *r)
{
	if (!r)
		return NULL;
	while (r->processes)
		rates_forget(r, &r->processes);
	free(r);
	return NULL;
}

void
rates_turn(struct rates *r, uint64_t now_ns)
{
	struct rates_process **at = &r->processes;

	r->now_ns = now_ns;
	while (*at) {
		if ((*at)->taken) {
			(*at)->taken = false;
			at = &(*at)->next;
		} else {
			rates_forget(r, at);
		}
	}
}

static bool
rates_is(const struct rates_process *p, const struct stats_view *view)
{
	return p->pid == view->pid && p->started_us == view->started_us &&
	       p->n == view->n && strcmp(p->name, view->process) == 0;
}

static struct rates_process *
rates_find(struct rates *r, const struct stats_view *view)
{
	struct rates_process *p = r->processes;

	while (p && !rates_is(p, view))
		p = p->next;
	return p;
}

static struct rates_process *
rates_add(struct rates *r, const struct stats_view *view)
{
	struct rates_process *p;
	size_t n = view->n;

	if (n > RATES_SERIES - r->series)
		return NULL;
	p = calloc(1, sizeof(*p) + n * sizeof(p->gauge[0]));
	if (!p)
		return NULL;
	p->now = calloc((RATES_SAMPLES + 2) * n + 1, sizeof(*p->now));
	if (!p->now) {
		free(p);
		return NULL;
	}
	p->before = p->now + n;
	p->row = p->before + n;
	p->n = view->n;
	p->pid = view->pid;
	p->started_us = view->started_us;
	memcpy(p->name, view->process, sizeof(p->name));
	r->series += p->n;
	p->next = r->processes;
	r->processes = p;
	return p;
}

static void
rates_sample(struct rates_process *p)
{
	unsigned slot = p->rows % RATES_SAMPLES;

	if (p->rows &&
	    p->now_ns - p->row_ns[(p->rows - 1) % RATES_SAMPLES] < NS_PER_S)
		return;
	p->row_ns[slot] = p->now_ns;
	memcpy(p->row + (size_t)slot * p->n, p->now, p->n * sizeof(*p->now));
	p->rows++;
}

struct rates_process *
rates_take(struct rates *r, const struct stats_view *view)
{
	struct rates_process *p = rates_find(r, view);
	struct stats_item item;

	if (!p)
		p = rates_add(r, view);
	/* A second file of the same process is a copy, and nobody's. */
	if (!p || p->taken)
		return NULL;
	if (p->turns)
		/* Behind the turn before, so that the oldest stays longest. */
		rates_sample(p);
	memcpy(p->before, p->now, p->n * sizeof(*p->now));
	p->before_ns = p->now_ns;
	p->now_ns = r->now_ns;
	for (unsigned i = 0; i < p->n; i++) {
		if (stats_view_item(view, i, &item) < 0)
			item = (struct stats_item){ .kind = STATS_GAUGE };
		p->now[i] = item.value;
		p->gauge[i] = item.kind == STATS_GAUGE;
	}
	p->turns += p->turns < 2;
	p->taken = true;
	return p;
}

/* The newest row that is as old as that, or the oldest there is. */
static unsigned
rates_row(const struct rates_process *p, uint64_t age_ns)
{
	unsigned oldest = p->rows > RATES_SAMPLES ? p->rows - RATES_SAMPLES : 0;
	unsigned i = p->rows - 1;

	while (i > oldest && p->now_ns - p->row_ns[i % RATES_SAMPLES] < age_ns)
		i--;
	return i;
}

static uint64_t
rates_sampled(const struct rates_process *p, unsigned row, unsigned i)
{
	return p->row[(size_t)(row % RATES_SAMPLES) * p->n + i];
}

static bool
rates_growth(uint64_t then, uint64_t then_ns, uint64_t now, uint64_t now_ns,
    double *rate)
{
	if (now < then || now_ns <= then_ns)
		return false;
	*rate = (double)(now - then) * (double)NS_PER_S /
		(double)(now_ns - then_ns);
	return true;
}

static bool
rates_average(
    const struct rates_process *p, unsigned i, uint64_t age_ns, double *avg)
{
	unsigned row = rates_row(p, age_ns);

	return rates_growth(rates_sampled(p, row, i),
	    p->row_ns[row % RATES_SAMPLES], p->now[i], p->now_ns, avg);
}

static double
rates_mean(const struct rates_process *p, unsigned i, uint64_t age_ns)
{
	unsigned first = rates_row(p, age_ns);
	double sum = (double)p->now[i];

	for (unsigned row = first; row < p->rows; row++)
		sum += (double)rates_sampled(p, row, i);
	return sum / (p->rows - first + 1);
}

bool
rates_of(
    const struct rates_process *p, unsigned i, struct rates_figures *figures)
{
	struct rates_figures f = { 0 };

	if (p->turns < 2 || i >= p->n)
		return false;
	if (p->gauge[i]) {
		f.last = (double)p->now[i];
		f.avg_10 = rates_mean(p, i, 10 * NS_PER_S);
		f.avg_100 = rates_mean(p, i, 100 * NS_PER_S);
	} else if (!rates_growth(p->before[i], p->before_ns, p->now[i],
		       p->now_ns, &f.last) ||
		   !rates_average(p, i, 10 * NS_PER_S, &f.avg_10) ||
		   !rates_average(p, i, 100 * NS_PER_S, &f.avg_100)) {
		return false;
	}
	*figures = f;
	return true;
}
