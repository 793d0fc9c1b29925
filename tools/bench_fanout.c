/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal bench fanout`: one source, many TLS WebSocket clients.  This file is
 * the command line and what is told; bench_contest measures.
 */

#include <stdio.h>
#include <string.h>

#include "tools/bench.h"
#include "tools/bench_contest.h"
#include "tools/tool.h"

enum {
	FANOUT_GATHER_FROM = 500, /* events/s from which bare gathers, too */
	FANOUT_CLIENTS_MAX = 100000,
};

static const char fanout_text[] =
    "Publish to many TLS WebSocket clients and measure latency from when an "
    "event was due\nuntil a client has it, deliveries per second, and the "
    "server's CPU for each delivery,\nbeside a bare server that does one "
    "SSL_write for each client and message, and\nbeside others that --beside "
    "names. Every client checks the chain and must get every\nevent. Needs a "
    "peal on this machine (its CPU is read from /proc), or --own. Beyond\n"
    "1,024 clients a running peal needs -o gateway.user_connections=0.";

/* --- figures --- */

static double
figure_rate(const struct contest_result *r)
{
	return r->deliveries / r->seconds;
}

static double
figure_cpu_us(const struct contest_result *r)
{
	return r->server_ns / 1e3 / r->deliveries;
}

static double
figure_gateway_us(const struct contest_result *r)
{
	return r->gateway_ns / 1e3 / r->deliveries;
}

static double
figure_per_core(const struct contest_result *r)
{
	return r->deliveries / (r->server_ns / 1e9);
}

static double
figure_p50_ms(const struct contest_result *r)
{
	return (double)bench_hist_percentile(&r->latency, 50) / 1e6;
}

static double
figure_p99_ms(const struct contest_result *r)
{
	return (double)bench_hist_percentile(&r->latency, 99) / 1e6;
}

static double
figure_p999_ms(const struct contest_result *r)
{
	return (double)bench_hist_percentile(&r->latency, 99.9) / 1e6;
}

static double
figure_max_ms(const struct contest_result *r)
{
	return (double)r->latency.max / 1e6;
}

static double
figure_per_message(const struct contest_result *r)
{
	return r->deliveries / r->messages;
}

static double
figure_idle(const struct contest_result *r)
{
	return (r->idle_pss - r->empty_pss) / r->clients;
}

static double
figure_pss_mib(const struct contest_result *r)
{
	return r->end_pss / 1048576;
}

static double
figure_syscalls(const struct contest_result *r)
{
	return r->syscalls / r->messages;
}

static double
figure_missed(const struct contest_result *r)
{
	return r->missed;
}

static double
figure_cores(const struct contest_result *r)
{
	return r->server_ns / 1e9 / r->seconds;
}

static const struct contest_figure fanout_figures[] = {
	{ "deliveries_per_s", figure_rate },
	{ "cpu_us_per_delivery", figure_cpu_us },
	{ "gateway_cpu_us_per_delivery", figure_gateway_us },
	{ "deliveries_per_cpu_s", figure_per_core },
	{ "cores", figure_cores },
	{ "p50_ms", figure_p50_ms },
	{ "p99_ms", figure_p99_ms },
	{ "p999_ms", figure_p999_ms },
	{ "max_ms", figure_max_ms },
	{ "events_per_message", figure_per_message },
	{ "pss_mib", figure_pss_mib },
	{ "missed", figure_missed },
	/* The last one only with --syscalls. */
	{ "syscalls_per_message", figure_syscalls },
};

static const struct contest_figure idle_figures[] = {
	{ "pss_bytes_per_client", figure_idle },
};

static void
fanout_told(struct bench_contest *b, unsigned pair)
{
	if (b->t.json || b->idle)
		return;
	printf("window %u of each: %u clients\n", pair + 1, b->plan.clients);
	for (unsigned i = 0; i < b->n; i++) {
		const struct contest_result *r = &b->c[i].results[pair];

		if (b->c[i].n <= pair)
			continue;
		printf("  %-9s %9.0f deliveries/s  %6.3f us CPU each  p50 "
		       "%.2f ms  p99 %.2f  max %.2f  %.1f events a message\n",
		    b->c[i].name, figure_rate(r), figure_cpu_us(r),
		    figure_p50_ms(r), figure_p99_ms(r), figure_max_ms(r),
		    figure_per_message(r));
		if (b->plan.rate > 0 && r->late_ms > 10)
			printf("  the publisher was up to %.1f ms late\n",
			    r->late_ms);
	}
	(void)tool_flush(&b->t);
}

static int
fanout_main(struct bench_contest *b)
{
	struct reason why = REASON_NO_MEMORY;
	int err;

	tool_catch_stop();
	b->told = fanout_told;
	err = bench_contest_open(b, &why);
	if (err >= 0)
		err = bench_contest_run(b, &why);
	if (err >= 0 && b->idle)
		bench_contest_report(
		    b, "fanout", idle_figures, ARRAY_LEN(idle_figures));
	else if (err >= 0)
		bench_contest_report(b, "fanout", fanout_figures,
		    ARRAY_LEN(fanout_figures) - !b->syscalls);
	bench_contest_close(b);
	return err < 0 ? tool_fail(&b->t, &why) : TOOL_OK;
}

/* --- the command line --- */

/* What it says in numbers and words. */
struct fanout_words {
	uint64_t clients, seconds, size, pairs, gather, gateways;
	uint64_t sets, personal, stalled;
	const char *rate, *beside;
	bool durable, text, syscalls, idle, own;
};

static struct fanout_words words = {
	.clients = 1000,
	.seconds = 5,
	.size = 128,
	.pairs = 3,
	.gather = UINT64_MAX,
	.gateways = 1,
	.rate = "100",
	.beside = "bare",
};

static const struct tool_option fanout_options[] = {
	{ .name = "clients",
	    .kind = TOOL_UINT,
	    .value = &words.clients,
	    .arg = "N",
	    .help = "TLS clients (default: 1000)",
	    .min = 1,
	    .max = FANOUT_CLIENTS_MAX },
	{ .name = "rate",
	    .kind = TOOL_TEXT,
	    .value = &words.rate,
	    .arg = "R",
	    .help =
		"events per second, or 'max': as fast as every client takes them (default: 100)" },
	{ .name = "seconds",
	    .kind = TOOL_UINT,
	    .value = &words.seconds,
	    .arg = "S",
	    .help = "of each window (default: 5)",
	    .min = 1,
	    .max = 3600 },
	{ .name = "size",
	    .kind = TOOL_UINT,
	    .value = &words.size,
	    .arg = "BYTES",
	    .help = "data of an event (default: 128)",
	    .min = FAN_MARK_TEXT,
	    .max = 8192 },
	{ .name = "pairs",
	    .kind = TOOL_UINT,
	    .value = &words.pairs,
	    .arg = "N",
	    .help = "windows of peal and of each other (default: 3)",
	    .min = 1,
	    .max = CONTEST_PAIRS_MAX },
	{ .name = "beside",
	    .kind = TOOL_TEXT,
	    .value = &words.beside,
	    .arg = "LIST",
	    .help =
		"what else is measured: bare, nats, nchan, mosquitto, plain (peal without what is special), or none; separated by commas (default: bare)" },
	{ .name = "gather",
	    .kind = TOOL_UINT,
	    .value = &words.gather,
	    .arg = "MS",
	    .help =
		"the bare server gathers so long (default: 5 from 500 events/s on, else 0)",
	    .max = 1000 },
	{ .name = "sets",
	    .kind = TOOL_UINT,
	    .value = &words.sets,
	    .arg = "N",
	    .help =
		"clients have N sets of subscriptions, in each the shared topic and one of its own (default: 0, all the same)",
	    .max = FANOUT_CLIENTS_MAX },
	{ .name = "personal",
	    .kind = TOOL_UINT,
	    .value = &words.personal,
	    .arg = "N",
	    .help =
		"of 1000 events go to a set alone; without --sets to one client",
	    .max = 999 },
	{ .name = "stalled",
	    .kind = TOOL_UINT,
	    .value = &words.stalled,
	    .arg = "N",
	    .help = "further clients that stop reading",
	    .max = 20000 },
	{ .name = "durable",
	    .kind = TOOL_FLAG,
	    .value = &words.durable,
	    .help =
		"peal's latency counts from when an event was published, not from when it was due" },
	{ .name = "text",
	    .kind = TOOL_FLAG,
	    .value = &words.text,
	    .help = "clients speak JSON; beside plain, MessagePack" },
	{ .name = "syscalls",
	    .kind = TOOL_FLAG,
	    .value = &words.syscalls,
	    .help = "count the server's system calls with perf" },
	{ .name = "idle",
	    .kind = TOOL_FLAG,
	    .value = &words.idle,
	    .help = "publish nothing: memory of each client" },
	{ .name = "own",
	    .kind = TOOL_FLAG,
	    .value = &words.own,
	    .help = "start a peal in a temporary directory" },
	{ .name = "gateways",
	    .kind = TOOL_UINT,
	    .value = &words.gateways,
	    .arg = "N",
	    .help = "gateways of --own (default: 1)",
	    .min = 1,
	    .max = 64 },
	{ .name = NULL },
};

/* A number of events per second, or "max". */
static int
fanout_rate(struct bench_contest *b, const char *text)
{
	uint64_t rate;

	if (!strcmp(text, "max"))
		b->plan.rate = 0;
	else if (tool_number(text, 1, 10000000, &rate))
		b->plan.rate = (double)rate;
	else
		return tool_usage_error(&b->t,
		    "--rate takes events per second or 'max', not '%.40s'",
		    text);
	return TOOL_OK;
}

static int
fanout_take(struct bench_contest *b, const struct fanout_words *w)
{
	struct fan_plan *plan = &b->plan;
	int status = fanout_rate(b, w->rate);

	plan->clients = (unsigned)w->clients;
	plan->stalled = (unsigned)w->stalled;
	plan->seconds = (double)w->seconds;
	plan->size = w->size;
	plan->personal = (unsigned)w->personal;
	plan->owned = (unsigned)w->sets;
	if (plan->personal && !plan->owned)
		plan->owned = plan->clients;
	plan->durable = w->durable;
	plan->json = w->text;
	b->syscalls = w->syscalls;
	b->idle = w->idle;
	b->own = w->own;
	plan->gather_ms = w->gather;
	if (w->gather == UINT64_MAX)
		plan->gather_ms = plan->rate >= FANOUT_GATHER_FROM ? 5 : 0;
	b->house.gateways = (unsigned)w->gateways;
	b->pairs = (unsigned)w->pairs;
	if (status == TOOL_OK)
		status = bench_contest_beside(b, w->beside);
	if (status == TOOL_OK && plan->personal && !plan->rate)
		status = tool_usage_error(
		    &b->t, "--personal needs a --rate that is no 'max'");
	return status;
}

static int
fanout_begin(struct bench_contest *b, int argc, char **argv)
{
	const struct tool_usage usage = { .name = "bench fanout",
		.text = fanout_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON,
		.options = fanout_options };
	int status;

	if (!tool_begin(&b->t, &usage, argc, argv, &status))
		return status;
	status = fanout_take(b, &words);
	if (status == TOOL_OK)
		status = fanout_main(b);
	return tool_end(&b->t, status);
}

int
bench_fanout(int argc, char **argv)
{
	struct bench_contest *b = calloc(1, sizeof(*b));
	int status = TOOL_ERROR;

	if (b)
		status = fanout_begin(b, argc, argv);
	free(b);
	return status;
}
