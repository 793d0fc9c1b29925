/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal hist`: how long the stages of an event took, and how large what is
 * done at once was.  Read from shared memory alone: it shows what a crash
 * left behind, too, and believes nothing.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "tools/cmd.h"
#include "tools/hists.h"
#include "tools/live.h"
#include "tools/show.h"
#include "tools/tool.h"
#include "tools/watch.h"
#include "tools/wrap.h"

enum {
	HIST_ROWS = 24, /* of one that is drawn, at most */
	HIST_BAR = 40,
	HIST_WIDTH = 160, /* of a line */
};

struct hist_command {
	struct tool t;
	struct live live;
	struct watch *watch;
	const char *glob; /* of PROCESS.NAME or NAME; NULL: all */
	bool each;	  /* process by itself */
	struct hists before;
	bool turned; /* there is one before */
	bool narrow; /* each takes two lines */
	struct mp_buf list;
	struct show show;
};

static const struct {
	const char *name;
	double percent;
} hist_percents[] = {
	{ "p50", 50 },
	{ "p90", 90 },
	{ "p99", 99 },
	{ "p999", 99.9 },
};

/* --- for people --- */

static const char *
hist_name(
    const struct hist_command *c, const struct hists_one *one, char buf[80])
{
	if (c->each)
		snprintf(buf, 80, "%s.%" PRIu32 ".%s", one->process, one->pid,
		    one->item.name);
	else
		snprintf(buf, 80, "%s.%s", one->process, one->item.name);
	return buf;
}

static void
hist_head(struct hist_command *c)
{
	c->narrow = !c->live.screen && wrap_narrow(&c->t, HIST_WIDTH);
	if (c->narrow)
		live_title(&c->live, "%16s %9s %9s %9s %9s %9s %9s", "count",
		    "mean", "p50", "p90", "p99", "p99.9", "max");
	else
		live_title(&c->live, "%-34s %12s %9s %9s %9s %9s %9s %9s  %s",
		    "name", "count", "mean", "p50", "p90", "p99", "p99.9",
		    "max", "what");
}

static const char *
hist_percentile(
    const struct hists_one *one, double percent, char buf[HISTS_TEXT])
{
	uint64_t v = stats_hist_percentile(&one->hist, percent);

	return one->hist.count ? hists_text(one->item.unit, (double)v, buf)
			       : "-";
}

/* One of many: a line. */
static void
hist_line(struct hist_command *c, const struct hists_one *one)
{
	char name[80], figures[240], v[6][HISTS_TEXT];
	const struct stats_hist *h = &one->hist;
	const char *mean = "-";

	if (h->count)
		mean = hists_text(one->item.unit, stats_hist_mean(h), v[0]);
	snprintf(figures, sizeof(figures),
	    "%12" PRIu64 " %9s %9s %9s %9s %9s %9s", h->count, mean,
	    hist_percentile(one, 50, v[1]), hist_percentile(one, 90, v[2]),
	    hist_percentile(one, 99, v[3]), hist_percentile(one, 99.9, v[4]),
	    hist_percentile(one, 100, v[5]));
	hist_name(c, one, name);
	if (c->narrow) {
		live_line(&c->live, "%s: %s", name, one->item.text);
		live_line(&c->live, "    %s", figures);
	} else {
		live_line(
		    &c->live, "%-34s %s  %s", name, figures, one->item.text);
	}
}

static void
hist_row(struct hist_command *c, const struct hists_one *one,
    const struct hists_row *row, uint64_t most)
{
	char low[HISTS_TEXT], bar[HIST_BAR + 1] = "";
	unsigned n = (unsigned)((double)row->n / (double)most * HIST_BAR);

	memset(bar, '#', MAX(n, row->n > 0));
	live_line(&c->live, "%12s |%-*s %12" PRIu64 " %6.2f %%",
	    hists_text(one->item.unit, (double)row->low, low), HIST_BAR, bar,
	    row->n, 100.0 * (double)row->upto / (double)one->hist.count);
}

/* One alone: drawn.  Each row begins with its least value. */
static void
hist_draw(struct hist_command *c, const struct hists_one *one)
{
	struct hists_row rows[HIST_ROWS];
	unsigned max = HIST_ROWS, n;
	uint64_t most = 1;

	if (c->live.screen && c->live.rows < HIST_ROWS + 6)
		max = MAX(c->live.rows, 8u) - 6;
	n = hists_rows(&one->hist, rows, max);
	hist_head(c);
	hist_line(c, one);
	if (n > 0)
		live_title(&c->live, "%12s  %-*s %12s %8s", "from", HIST_BAR,
		    "", "count", "upto");
	for (unsigned i = 0; i < n; i++)
		most = MAX(most, rows[i].n);
	for (unsigned i = 0; i < n; i++)
		hist_row(c, one, &rows[i], most);
}

static void
hist_print(struct hist_command *c, const struct hists *hs)
{
	if (hs->n == 1 && c->glob) {
		hist_draw(c, hs->v[0]);
		return;
	}
	hist_head(c);
	for (unsigned i = 0; i < hs->n; i++)
		hist_line(c, hs->v[i]);
}

/* --- for programs --- */

/* Those that have any, each with its least and greatest value. */
static void
hist_pack_buckets(struct mp_buf *b, const struct stats_hist *h)
{
	size_t at;
	uint32_t n = 0;

	mp_pack_cstr(b, "buckets");
	at = mp_begin(b);
	for (unsigned i = 0; i < STATS_HIST_BUCKETS; i++) {
		if (!h->n[i])
			continue;
		mp_pack_array(b, 3);
		mp_pack_uint(b, stats_hist_low(i));
		mp_pack_uint(b, MIN(stats_hist_high(i), h->max));
		mp_pack_uint(b, h->n[i]);
		n++;
	}
	mp_end_array(b, at, n);
}

static void
hist_pack(struct hist_command *c, const struct hists_one *one)
{
	const struct stats_hist *h = &one->hist;
	struct mp_buf *b = &c->list;

	mp_pack_map(b, 12 + ARRAY_LEN(hist_percents) + c->each);
	mp_pair_cstr(b, "process", one->process);
	if (c->each)
		mp_pair_uint(b, "pid", one->pid);
	mp_pair_uint(b, "processes", one->processes);
	mp_pair_uint(b, "dead", one->dead);
	mp_pair_cstr(b, "name", one->item.name);
	mp_pair_cstr(b, "unit", one->item.unit);
	mp_pair_cstr(b, "text", one->item.text);
	mp_pair_bool(b, "whole", !c->turned);
	mp_pair_uint(b, "count", h->count);
	mp_pair_uint(b, "sum", h->sum);
	mp_pack_cstr(b, "mean");
	mp_pack_double(b, stats_hist_mean(h));
	for (unsigned i = 0; i < ARRAY_LEN(hist_percents); i++)
		mp_pair_uint(b, hist_percents[i].name,
		    stats_hist_percentile(h, hist_percents[i].percent));
	mp_pair_uint(b, "max", h->max);
	hist_pack_buckets(b, h);
}

static int
hist_json(struct hist_command *c, const struct hists *hs)
{
	c->list.len = 0;
	mp_pack_array(&c->list, hs->n);
	for (unsigned i = 0; i < hs->n; i++)
		hist_pack(c, hs->v[i]);
	if (c->list.failed ||
	    show_value(&c->show, slice_of(c->list.p, c->list.len)) < 0)
		return tool_error(&c->t, "out of memory");
	return TOOL_OK;
}

/* --- one turn --- */

static int
hist_empty(const struct hist_command *c)
{
	if (c->watch->bad_n)
		return TOOL_ERROR;
	if (c->glob && c->watch->n)
		return tool_error(&c->t, "no histogram is named '%s'", c->glob);
	return tool_error(
	    &c->t, "no histograms in '%s'", house_run_dir(&c->t.house));
}

/* What was there, less what was there in the turn before. */
static int
hist_show(struct hist_command *c)
{
	CLEANUP(hists_deinit) struct hists shown = { 0 };
	struct reason why = REASON_NO_MEMORY;

	if (hists_take(&shown, c->watch, c->glob, &why) < 0)
		return tool_fail(&c->t, &why);
	hists_since(&shown, &c->before);
	if (!c->each)
		hists_merge(&shown);
	if (c->t.json)
		return hist_json(c, &shown);
	hist_print(c, &shown);
	return TOOL_OK;
}

static int
hist_turn(void *arg)
{
	struct hist_command *c = arg;
	struct hists now = { 0 };
	struct reason why = REASON_NO_MEMORY;
	int status;

	if (watch_counters(c->watch, &why) < 0)
		return tool_fail(&c->t, &why);
	live_complain(
	    &c->live, c->watch->bad, MIN(c->watch->bad_n, (unsigned)WATCH_BAD));
	if (hists_take(&now, c->watch, c->glob, &why) < 0) {
		hists_deinit(&now);
		return tool_fail(&c->t, &why);
	}
	/* Later on, what has gone may come again. */
	if (now.n == 0 && !c->turned) {
		hists_deinit(&now);
		return hist_empty(c);
	}
	status = hist_show(c);
	hists_deinit(&c->before);
	c->before = now;
	c->turned = true;
	return status;
}

static int
hist_run(struct hist_command *c)
{
	struct reason why = REASON_NO_MEMORY;

	if (watch_new(&c->t.house, &c->watch, &why) < 0)
		return tool_fail(&c->t, &why);
	return live_run(&c->live, &c->t, hist_turn, c);
}

int
cmd_hist(int argc, char **argv)
{
	struct hist_command c = { 0 };
	const struct tool_option options[] = {
		live_interval(
		    &c.live, "again and again, each time what came since"),
		live_count(&c.live, "end after N turns"),
		{ .name = "each",
		    .letter = 'e',
		    .kind = TOOL_FLAG,
		    .value = &c.each,
		    .help = "each process by itself" },
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "hist",
		.operands = "[GLOB]",
		.text = "Show how long the stages of an event took, and how "
			"large flushes and messages were:\na line each, or "
			"drawn, where NAME or PROCESS.NAME of one alone "
			"matches GLOB. Processes\nof a kind are put "
			"together. Asks no process.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
		.max_operands = 1,
	};
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	c.glob = c.t.argc > 0 ? c.t.argv[0] : NULL;
	status = hist_run(&c);
	c.watch = watch_free(c.watch);
	hists_deinit(&c.before);
	show_deinit(&c.show);
	mp_buf_deinit(&c.list);
	return tool_end(&c.t, status);
}
