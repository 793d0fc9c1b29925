/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal stat`: the counters of all processes of a house, and how fast they
 * grow.  Read from shared memory alone: it shows what a crash left behind,
 * too, and believes nothing.
 */

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/stats.h"
#include "tools/cmd.h"
#include "tools/hists.h"
#include "tools/live.h"
#include "tools/rates.h"
#include "tools/show.h"
#include "tools/tool.h"
#include "tools/vitals.h"
#include "tools/watch.h"
#include "tools/wrap.h"

struct stat_command {
	struct tool t;
	struct live live;
	struct watch *watch;
	struct rates *rates;
	const char *glob; /* of PROCESS.NAME; NULL: all */
	bool all;
	struct mp_buf list;
	struct show show;
	unsigned shown; /* counters in this turn */
	bool headed;	/* so has the head been */
	bool turned;	/* there was a turn that showed some */
};

/* One counter of one process, and what it does. */
struct stat_line {
	const struct watch_process *process;
	struct stats_item item;
	struct stats_hist hist; /* where it is one */
	bool known;		/* figures */
	struct rates_figures figures;
};

static bool
stat_once(const struct stat_command *c)
{
	return c->live.turns == 1;
}

static bool
stat_wanted(const struct stat_command *c, const struct stat_line *line)
{
	char whole[80];

	snprintf(whole, sizeof(whole), "%s.%s", line->process->view.process,
	    line->item.name);
	if (c->glob)
		return fnmatch(c->glob, whole, 0) == 0;
	return c->all || !c->live.screen || line->item.value;
}

/*
 * Growth for each second since the process began to count; there is none where
 * nothing was counted yet.
 */
static bool
stat_mean(const struct stat_line *line, double *mean)
{
	uint64_t now = time_wall_us();
	uint64_t since = line->process->view.started_us;

	if (line->item.kind == STATS_GAUGE || !line->process->alive ||
	    line->item.value == 0 || now <= since)
		return false;
	*mean =
	    (double)line->item.value * (double)US_PER_S / (double)(now - since);
	return true;
}

/* --- for people --- */

enum {
	STAT_NUMBER = 24,
	STAT_WIDTH = 170, /* of a line */
};

/* What is little is not nothing. */
static const char *
stat_number(char buf[STAT_NUMBER], bool known, double v)
{
	if (!known)
		snprintf(buf, STAT_NUMBER, "-");
	else if (v > 0 && v < 0.05)
		snprintf(buf, STAT_NUMBER, "<0.1");
	else
		snprintf(buf, STAT_NUMBER, v < 1000 ? "%.1f" : "%.0f", v);
	return buf;
}

/* The help, and of a histogram what stands in the middle and at the end. */
static const char *
stat_text(const struct stat_line *line, char buf[160])
{
	char p50[HISTS_TEXT], p99[HISTS_TEXT], most[HISTS_TEXT];
	const struct stats_item *item = &line->item;
	const struct stats_hist *h = &line->hist;

	if (item->kind == STATS_HISTOGRAM && h->count)
		snprintf(buf, 160, "%s (p50 %s, p99 %s, max %s)", item->text,
		    hists_text(
			item->unit, (double)stats_hist_percentile(h, 50), p50),
		    hists_text(
			item->unit, (double)stats_hist_percentile(h, 99), p99),
		    hists_text(item->unit, (double)h->max, most));
	else
		snprintf(buf, 160, "%s", item->text);
	return buf;
}

static void
stat_head(struct stat_command *c)
{
	if (!c->headed && !stat_once(c))
		live_title(&c->live, "%-30s %7s %14s %10s %10s %10s %-12s %s",
		    "name", "pid", "value", "rate/s", "avg 10 s", "avg 100 s",
		    "unit", "what");
	c->headed = true;
}

static void
stat_print(struct stat_command *c, const struct stat_line *line)
{
	bool grows = line->item.kind != STATS_GAUGE;
	char last[STAT_NUMBER], avg_10[STAT_NUMBER], avg_100[STAT_NUMBER];
	const struct stats_view *view = &line->process->view;
	const struct rates_figures *f = &line->figures;
	char name[80], text[160];
	double mean = 0;
	bool has_mean = stat_mean(line, &mean);

	snprintf(name, sizeof(name), "%s.%s", view->process, line->item.name);
	stat_head(c);
	if (stat_once(c) && wrap_narrow(&c->t, STAT_WIDTH)) {
		live_line(&c->live, "%-30s %7" PRIu32 " %14" PRIu64 " %10s %s",
		    name, view->pid, line->item.value,
		    stat_number(last, has_mean, mean),
		    stats_counts(&line->item));
		wrap_print("%s", stat_text(line, text));
	} else if (stat_once(c))
		live_line(&c->live,
		    "%-30s %7" PRIu32 " %14" PRIu64 " %10s %-12s %s", name,
		    view->pid, line->item.value,
		    stat_number(last, has_mean, mean),
		    stats_counts(&line->item), stat_text(line, text));
	else
		live_line(&c->live,
		    "%-30s %7" PRIu32 " %14" PRIu64 " %10s %10s %10s %-12s %s",
		    name, view->pid, line->item.value,
		    stat_number(last, line->known && grows, f->last),
		    stat_number(avg_10, line->known, f->avg_10),
		    stat_number(avg_100, line->known, f->avg_100),
		    stats_counts(&line->item), stat_text(line, text));
}

/* --- for programs --- */

static void
stat_pack_rate(struct mp_buf *b, const char *key, bool known, double v)
{
	mp_pack_cstr(b, key);
	if (known)
		mp_pack_double(b, v);
	else
		mp_pack_nil(b);
}

static void
stat_pack(struct stat_command *c, const struct stat_line *line)
{
	const struct rates_figures *f = &line->figures;
	bool is_hist = line->item.kind == STATS_HISTOGRAM;
	bool grows = line->item.kind != STATS_GAUGE;
	struct mp_buf *b = &c->list;
	double mean = 0;
	bool known = stat_mean(line, &mean);

	mp_pack_map(b, 6 + (is_hist ? 4 : 0) + (stat_once(c) ? 0 : 3));
	mp_pair_cstr(b, "name", line->item.name);
	mp_pair_cstr(b, "kind", stats_kind_name(line->item.kind));
	mp_pair_cstr(b, "unit", line->item.unit);
	mp_pair_cstr(b, "text", line->item.text);
	mp_pair_uint(b, "value", line->item.value);
	stat_pack_rate(b, "mean", known, mean);
	if (is_hist) {
		mp_pair_uint(b, "sum", line->hist.sum);
		mp_pair_uint(b, "max", line->hist.max);
		mp_pair_uint(b, "p50", stats_hist_percentile(&line->hist, 50));
		mp_pair_uint(b, "p99", stats_hist_percentile(&line->hist, 99));
	}
	if (stat_once(c))
		return;
	stat_pack_rate(b, "rate", line->known && grows, f->last);
	stat_pack_rate(b, "avg_10", line->known, f->avg_10);
	stat_pack_rate(b, "avg_100", line->known, f->avg_100);
}

static void
stat_pack_process(struct mp_buf *b, const struct watch_process *p)
{
	mp_pack_map(b, 6);
	mp_pair_cstr(b, "process", p->view.process);
	mp_pair_uint(b, "pid", p->view.pid);
	mp_pair_bool(b, "alive", p->alive);
	mp_pair_uint(b, "started", p->view.started_us);
	mp_pair_uint(b, "time", time_wall_us());
	mp_pack_cstr(b, "counters");
}

/* --- one turn --- */

static bool
stat_line_get(const struct watch_process *p, const struct rates_process *rates,
    unsigned i, struct stat_line *line)
{
	line->process = p;
	if (stats_view_item(&p->view, i, &line->item) < 0)
		return false;
	line->known = rates && rates_of(rates, i, &line->figures);
	return line->item.kind != STATS_HISTOGRAM ||
	       stats_view_hist(&p->view, i, &line->hist) == 0;
}

/* Before what it left, where any of that is asked for. */
static void
stat_gone(struct stat_command *c, const struct watch_process *p)
{
	if (!p->alive)
		live_title(&c->live,
		    "# %s %" PRIu32 " has gone; this is what it left",
		    p->view.process, p->view.pid);
}

/* The counters of one process that are asked for. */
static void
stat_process(struct stat_command *c, const struct watch_process *p)
{
	struct rates_process *rates = rates_take(c->rates, &p->view);
	struct stat_line line;
	uint32_t n = 0;
	size_t at;

	stat_pack_process(&c->list, p);
	at = mp_begin(&c->list);
	for (unsigned i = 0; i < p->view.n; i++) {
		if (!stat_line_get(p, rates, i, &line) ||
		    !stat_wanted(c, &line))
			continue;
		if (c->t.json) {
			stat_pack(c, &line);
		} else {
			if (n == 0)
				stat_gone(c, p);
			stat_print(c, &line);
		}
		n++;
	}
	mp_end_array(&c->list, at, n);
	c->shown += n;
}

static int
stat_empty(const struct stat_command *c)
{
	if (c->watch->bad_n)
		return TOOL_ERROR;
	if (c->glob && c->watch->n)
		return tool_error(&c->t, "no counter is named '%s'", c->glob);
	return tool_error(
	    &c->t, "no counters in '%s'", house_run_dir(&c->t.house));
}

static int
stat_turn(void *arg)
{
	struct stat_command *c = arg;
	struct reason why = REASON_NO_MEMORY;
	size_t at;

	if (watch_counters(c->watch, &why) < 0)
		return tool_fail(&c->t, &why);
	rates_turn(c->rates, time_mono_ns());
	c->shown = 0;
	c->list.len = 0;
	at = mp_begin(&c->list);
	c->headed = false;
	live_complain(
	    &c->live, c->watch->bad, MIN(c->watch->bad_n, (unsigned)WATCH_BAD));
	for (unsigned i = 0; i < c->watch->n; i++)
		stat_process(c, &c->watch->processes[i]);
	mp_end_array(&c->list, at, c->watch->n);
	/* Later on, what has gone may come again. */
	if (!c->shown && !c->turned)
		return stat_empty(c);
	c->turned = true;
	if (!c->t.json)
		return TOOL_OK;
	if (c->list.failed ||
	    show_value(&c->show, slice_of(c->list.p, c->list.len)) < 0)
		return tool_error(&c->t, "out of memory");
	return TOOL_OK;
}

static int
stat_run(struct stat_command *c)
{
	struct reason why = REASON_NO_MEMORY;

	c->rates = rates_new();
	if (!c->rates)
		return tool_error(&c->t, "out of memory");
	if (watch_new(&c->t.house, &c->watch, &why) < 0)
		return tool_fail(&c->t, &why);
	return live_run(&c->live, &c->t, stat_turn, c);
}

/* What `peal up` does by itself, for those who start programs one by one. */
static int
stat_emit(struct stat_command *c)
{
	struct vitals *v = vitals_new(house_run_dir(&c->t.house));
	int was = VITALS_TOLD, is;
	struct reason why = REASON_NO_MEMORY;

	if (!v)
		return tool_error(&c->t, "out of memory");
	tool_catch_stop();
	while (!tool_stopped()) {
		is = vitals_turn(v, &why);
		if (is == -EACCES)
			break;
		if (is != was && is == VITALS_AWAY)
			tool_note(&c->t, "waiting for a writer in '%s'",
			    house_run_dir(&c->t.house));
		else if (is != was && is < 0)
			tool_note(&c->t, "%s", why.text);
		was = is == VITALS_EARLY ? was : is;
		(void)poll(NULL, 0, vitals_wait_ms(v));
	}
	(void)vitals_free(v);
	return tool_stopped() ? TOOL_OK : tool_fail(&c->t, &why);
}

int
cmd_stat(int argc, char **argv)
{
	struct stat_command c = { .live = { .interval_s = 1 } };
	bool once = false, emit = false;
	const struct tool_option options[] = {
		{ .name = "once",
		    .letter = '1',
		    .kind = TOOL_FLAG,
		    .value = &once,
		    .help = "print them once, with means since each began" },
		live_interval(&c.live, "between two turns (default: 1)"),
		live_count(&c.live, "end after N turns"),
		{ .name = "all",
		    .letter = 'a',
		    .kind = TOOL_FLAG,
		    .value = &c.all,
		    .help = "on a terminal also those that are 0" },
		{ .name = "emit",
		    .kind = TOOL_FLAG,
		    .value = &emit,
		    .help = "instead tell them once a second on $stat.*, as "
			    "'peal up' does" },
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "stat",
		.operands = "[GLOB]",
		.text = "Show the counters of all processes, or those whose "
			"PROCESS.NAME matches GLOB, such\nas "
			"'gateway.refused*', and how fast they grow: since "
			"the turn before, over 10 s\nand over 100 s. Of a "
			"gauge it shows means. Asks no process.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
		.max_operands = 1,
	};
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	if (once)
		c.live.turns = 1;
	c.glob = c.t.argc > 0 ? c.t.argv[0] : NULL;
	status = emit ? stat_emit(&c) : stat_run(&c);
	c.watch = watch_free(c.watch);
	c.rates = rates_free(c.rates);
	show_deinit(&c.show);
	mp_buf_deinit(&c.list);
	return tool_end(&c.t, status);
}
