/* SPDX-License-Identifier: BSD-2-Clause */

/* Figures of the fan-out: a line for each window, then medians and ratios. */

#include <stdio.h>
#include <stdlib.h>

#include "tools/bench_fanout_priv.h"

const char bench_fanout_text[] =
    "Publish to many TLS WebSocket clients and measure latency from when an "
    "event was due\nuntil a client has it, deliveries per second, and the "
    "server's CPU for each delivery,\nbeside a bare server that does one "
    "SSL_write for each client and message. Every client\nchecks the chain "
    "and must get every event. Needs a peal on this machine (its CPU is\nread "
    "from /proc), or --own. Beyond 1,024 clients a running peal needs\n"
    "-o gateway.user_connections=0.";

/* What is told of a window, each with a median. */
struct fanout_figure {
	const char *name;
	double (*of)(const struct fanout_result *r);
};

static double
figure_rate(const struct fanout_result *r)
{
	return r->deliveries / r->seconds;
}

static double
figure_cpu_us(const struct fanout_result *r)
{
	return (r->gateway_ns + r->writer_ns) / 1e3 / r->deliveries;
}

static double
figure_gateway_us(const struct fanout_result *r)
{
	return r->gateway_ns / 1e3 / r->deliveries;
}

static double
figure_p50_ms(const struct fanout_result *r)
{
	return (double)bench_hist_percentile(&r->latency, 50) / 1e6;
}

static double
figure_p99_ms(const struct fanout_result *r)
{
	return (double)bench_hist_percentile(&r->latency, 99) / 1e6;
}

static double
figure_p999_ms(const struct fanout_result *r)
{
	return (double)bench_hist_percentile(&r->latency, 99.9) / 1e6;
}

static double
figure_max_ms(const struct fanout_result *r)
{
	return (double)r->latency.max / 1e6;
}

static double
figure_per_message(const struct fanout_result *r)
{
	return r->deliveries / r->messages;
}

static const struct fanout_figure figures[] = {
	{ "deliveries_per_s", figure_rate },
	{ "cpu_us_per_delivery", figure_cpu_us },
	{ "gateway_cpu_us_per_delivery", figure_gateway_us },
	{ "p50_ms", figure_p50_ms },
	{ "p99_ms", figure_p99_ms },
	{ "p999_ms", figure_p999_ms },
	{ "max_ms", figure_max_ms },
	{ "events_per_message", figure_per_message },
};

static int
fanout_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
fanout_middle(double *v, unsigned n)
{
	qsort(v, n, sizeof(v[0]), fanout_compare);
	return v[n / 2];
}

static double
fanout_median(const struct fanout_result *r, unsigned n,
    double (*of)(const struct fanout_result *r))
{
	double v[FANOUT_PAIRS_MAX];

	for (unsigned i = 0; i < n; i++)
		v[i] = of(&r[i]);
	return fanout_middle(v, n);
}

/* Of each pair: what disturbs the machine disturbs both of a pair. */
static double
fanout_ratio(
    const struct fanout_bench *b, double (*of)(const struct fanout_result *r))
{
	double v[FANOUT_PAIRS_MAX];

	for (unsigned i = 0; i < b->pairs; i++)
		v[i] = of(&b->ours[i]) / of(&b->bare[i]);
	return fanout_middle(v, b->pairs);
}

static void
fanout_line(const char *name, const struct fanout_result *r)
{
	printf("  %-5s %9.0f deliveries/s  %6.3f us CPU each  p50 %.2f ms  "
	       "p99 %.2f  p99.9 %.2f  max %.2f  %.1f events a message\n",
	    name, figure_rate(r), figure_cpu_us(r), figure_p50_ms(r),
	    figure_p99_ms(r), figure_p999_ms(r), figure_max_ms(r),
	    figure_per_message(r));
}

void
bench_fanout_pair(struct fanout_bench *b, unsigned pair)
{
	if (b->t.json || b->idle)
		return;
	printf("pair %u: %u clients, %.0f events in %.1f s\n", pair + 1,
	    b->plan.clients, b->ours[pair].events, b->ours[pair].seconds);
	fanout_line("peal", &b->ours[pair]);
	fanout_line("bare", &b->bare[pair]);
	if (b->plan.rate > 0 && b->ours[pair].late_ms > 10)
		printf("  the publisher was up to %.1f ms late\n",
		    b->ours[pair].late_ms);
	(void)tool_flush(&b->t);
}

static void
fanout_report_idle(const struct fanout_bench *b)
{
	const struct fanout_result *o = &b->ours[0], *l = &b->bare[0];
	double n = b->plan.clients;
	double pss = (o->idle_pss - o->empty_pss) / n;
	double rss = (o->idle_rss - o->empty_rss) / n;
	double bare = (l->idle_pss - l->empty_pss) / n;

	if (b->t.json)
		printf("{\"bench\":\"fanout\",\"idle\":true,\"clients\":%u,"
		       "\"pss_bytes_per_client\":%.0f,"
		       "\"rss_bytes_per_client\":%.0f,"
		       "\"bare_pss_bytes_per_client\":%.0f,\"ratio\":%.3f}\n",
		    b->plan.clients, pss, rss, bare, pss / bare);
	else
		printf("idle: %.0f bytes of memory (PSS) for each of %u "
		       "clients, RSS %.0f; bare %.0f, ratio %.2f\n",
		    pss, b->plan.clients, rss, bare, pss / bare);
}

static void
fanout_report_json(const struct fanout_bench *b)
{
	printf("{\"bench\":\"fanout\",\"clients\":%u,\"rate\":%.0f,"
	       "\"seconds\":%.0f,\"size\":%llu,\"pairs\":%u,"
	       "\"gather_ms\":%llu",
	    b->plan.clients, b->plan.rate, b->plan.seconds,
	    (unsigned long long)b->plan.size, b->pairs,
	    (unsigned long long)b->plan.gather_ms);
	for (unsigned i = 0; i < ARRAY_LEN(figures); i++)
		printf(",\"%s\":%.4f,\"bare_%s\":%.4f,\"ratio_%s\":%.4f",
		    figures[i].name,
		    fanout_median(b->ours, b->pairs, figures[i].of),
		    figures[i].name,
		    fanout_median(b->bare, b->pairs, figures[i].of),
		    figures[i].name, fanout_ratio(b, figures[i].of));
	printf("}\n");
}

void
bench_fanout_report(struct fanout_bench *b)
{
	if (b->idle) {
		fanout_report_idle(b);
		return;
	}
	if (b->t.json) {
		fanout_report_json(b);
		return;
	}
	printf("medians of %u pairs, peal and bare:\n", b->pairs);
	for (unsigned i = 0; i < ARRAY_LEN(figures); i++) {
		double ours = fanout_median(b->ours, b->pairs, figures[i].of);
		double bare = fanout_median(b->bare, b->pairs, figures[i].of);

		printf("  %-28s %12.3f %12.3f  ratio %.2f\n", figures[i].name,
		    ours, bare, fanout_ratio(b, figures[i].of));
	}
}
