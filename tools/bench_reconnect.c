/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal bench reconnect`: what it costs to come, and what happens when many
 * come back at once.  This file is the command line and the handshakes.
 */

#include <stdio.h>
#include <string.h>

#include "tools/bench.h"
#include "tools/bench_reconnect_priv.h"
#include "tools/tool.h"

static const char reconnect_text[] =
    "handshakes: the server's CPU for each client from SYN to live, beside "
    "clients that only\nopen a WebSocket (upgrade), a bare server, and others "
    "that --beside names.\nstorm: clients over several gateways lose their "
    "connections at once, come back after a\nrandom time, and resume from "
    "their positions while events go on. Told is when they are\nlive again, "
    "and the latency of some that stayed. Each must get every event, once.\n"
    "kill: the same where a gateway is killed.\n"
    "Without an operand all of them.";

static struct reconnect_words words = {
	.clients = 10000,
	.stay = 200,
	.gateways = 2,
	.rate = 10,
	.jitter = 2000,
	.seconds = 12,
	.pairs = 3,
	.generators = 4,
	.beside = "upgrade,bare",
};

static const struct tool_option reconnect_options[] = {
	{ .name = "clients",
	    .kind = TOOL_UINT,
	    .value = &words.clients,
	    .arg = "N",
	    .help = "that come, or come back (default: 10000)",
	    .min = 1,
	    .max = 100000 },
	{ .name = "stay",
	    .kind = TOOL_UINT,
	    .value = &words.stay,
	    .arg = "N",
	    .help = "further clients, which keep their connections (default: "
		    "200)",
	    .min = 1,
	    .max = 10000 },
	{ .name = "gateways",
	    .kind = TOOL_UINT,
	    .value = &words.gateways,
	    .arg = "N",
	    .help = "of a storm (default: 2)",
	    .min = 1,
	    .max = 64 },
	{ .name = "rate",
	    .kind = TOOL_UINT,
	    .value = &words.rate,
	    .arg = "R",
	    .help = "events per second during a storm (default: 10)",
	    .min = 1,
	    .max = 100000 },
	{ .name = "jitter",
	    .kind = TOOL_UINT,
	    .value = &words.jitter,
	    .arg = "MS",
	    .help = "clients come back after a random time up to this "
		    "(default: 2000)",
	    .max = 60000 },
	{ .name = "seconds",
	    .kind = TOOL_UINT,
	    .value = &words.seconds,
	    .arg = "S",
	    .help = "that events go on, the storm after two of them "
		    "(default: 12)",
	    .min = 3,
	    .max = 600 },
	{ .name = "pairs",
	    .kind = TOOL_UINT,
	    .value = &words.pairs,
	    .arg = "N",
	    .help = "windows of each (default: 3)",
	    .min = 1,
	    .max = CONTEST_PAIRS_MAX },
	{ .name = "generators",
	    .kind = TOOL_UINT,
	    .value = &words.generators,
	    .arg = "N",
	    .help = "processes with clients in a storm (default: 4)",
	    .min = 1,
	    .max = FAN_GENERATORS_MAX - 1 },
	{ .name = "beside",
	    .kind = TOOL_TEXT,
	    .value = &words.beside,
	    .arg = "LIST",
	    .help = "whose handshakes are measured, too: upgrade, bare, nats, "
		    "nchan, mosquitto, or none (default: upgrade,bare)" },
	{ .name = "own",
	    .kind = TOOL_FLAG,
	    .value = &words.own,
	    .help = "start a peal in a temporary directory; for a storm with "
		    "the limits that gateways have by default" },
	{ .name = NULL },
};

/* --- handshakes --- */

static double
figure_connect_us(const struct contest_result *r)
{
	return r->connect_ns / 1e3 / r->clients;
}

static double
figure_per_core(const struct contest_result *r)
{
	return r->clients / (r->connect_ns / 1e9);
}

static const struct contest_figure reconnect_figures[] = {
	{ "cpu_us_per_client", figure_connect_us },
	{ "clients_per_cpu_s", figure_per_core },
};

static int
reconnect_handshakes(struct bench_contest *b)
{
	struct reason why = REASON_NO_MEMORY;
	int err, status = bench_contest_beside(b, words.beside);

	if (status != TOOL_OK)
		return status;
	b->own = words.own;
	b->idle = true;
	b->pairs = (unsigned)words.pairs;
	b->house.gateways = 1;
	b->plan.clients = (unsigned)words.clients;
	b->plan.size = 128;
	err = bench_contest_open(b, &why);
	if (err >= 0)
		err = bench_contest_run(b, &why);
	if (err >= 0)
		bench_contest_report(b, "handshakes", reconnect_figures,
		    ARRAY_LEN(reconnect_figures));
	bench_contest_close(b);
	return err < 0 ? tool_fail(&b->t, &why) : TOOL_OK;
}

static int
reconnect_storm(struct bench_contest *b)
{
	return bench_storm_run(b, &words, false);
}

static int
reconnect_kill(struct bench_contest *b)
{
	return bench_storm_run(b, &words, true);
}

/* --- the command --- */

static const struct {
	const char *name;
	int (*run)(struct bench_contest *b);
} reconnect_parts[] = {
	{ "handshakes", reconnect_handshakes },
	{ "storm", reconnect_storm },
	{ "kill", reconnect_kill },
};

static int
reconnect_check(const struct tool *t)
{
	bool known;

	for (int i = 0; i < t->argc; i++) {
		known = false;
		for (unsigned k = 0; k < ARRAY_LEN(reconnect_parts); k++)
			known |= !strcmp(t->argv[i], reconnect_parts[k].name);
		if (!known)
			return tool_usage_error(
			    t, "there is no part '%.60s'", t->argv[i]);
	}
	return TOOL_OK;
}

static bool
reconnect_wanted(const struct tool *t, const char *name)
{
	for (int i = 0; i < t->argc; i++)
		if (!strcmp(t->argv[i], name))
			return true;
	return t->argc == 0;
}

/* Each part has a house and a contest of its own. */
static int
reconnect_main(const struct tool *t)
{
	struct bench_contest *b = NULL;
	int status = reconnect_check(t);

	tool_catch_stop();
	for (unsigned i = 0;
	     status == TOOL_OK && i < ARRAY_LEN(reconnect_parts); i++) {
		if (!reconnect_wanted(t, reconnect_parts[i].name))
			continue;
		b = calloc(1, sizeof(*b));
		if (!b)
			return TOOL_ERROR;
		b->t = *t;
		status = reconnect_parts[i].run(b);
		free(b);
	}
	return status;
}

int
bench_reconnect(int argc, char **argv)
{
	const struct tool_usage usage = { .name = "bench reconnect",
		.operands = "[PART...]",
		.text = reconnect_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON,
		.options = reconnect_options,
		.max_operands = -1 };
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	return tool_end(&t, reconnect_main(&t));
}
