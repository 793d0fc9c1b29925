/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal bench broker`: folding, snapshots, past states, starting, and what
 * all of it takes on disk and in memory.  Everything is measured on the real
 * processes, by what they answer and what /proc says they used.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "tools/bench.h"
#include "tools/bench_broker_priv.h"

enum {
	BROKER_EVENTS = 1000000,
	BROKER_TOPICS = 100000,
	BROKER_CLIENTS = 3,
	BROKER_RATE = 20000,
};

static const struct broker_figure {
	const char *name;
	int (*run)(struct broker_bench *b, struct reason *why);
} broker_figures[] = {
	{ "fold", bench_broker_fold },
	{ "snapshot", bench_broker_snapshot },
	{ "at", bench_broker_at },
	/* Before it starts anew: memory that it took is told. */
	{ "size", bench_broker_size },
	{ "start", bench_broker_start },
};

/* --- telling --- */

void
bench_broker_begin(
    const struct broker_bench *b, const char *name, const char *how)
{
	if (b->t.json)
		printf("{\"bench\":\"broker\",\"figure\":\"%s\",\"how\":\"%s\"",
		    name, how);
	else
		printf("%s, %s:", name, how);
}

void
bench_broker_tell(const struct broker_bench *b, const char *name, double value,
    const char *unit)
{
	int digits = value >= 1000 ? 0 : value >= 10 ? 1 : 3;

	if (b->t.json)
		printf(",\"%s\":%.*f", name, digits, value);
	else
		printf(" %s %.*f%s%s;", name, digits, value, *unit ? " " : "",
		    unit);
}

void
bench_broker_end(const struct broker_bench *b)
{
	printf(b->t.json ? "}\n" : "\n");
	(void)fflush(stdout);
}

/* --- the house --- */

int
bench_broker_move(struct broker_bench *b, struct reason *why)
{
	struct writer_client wc;
	struct writer_reply reply;
	struct slice request;
	int err = writer_client_open(&wc, house_run_dir(&b->t.house), why);

	if (err >= 0 && bench_load_request(&b->load, 0, 1, &request) < 0)
		err = reason_set(why, -ENOMEM, "cannot append");
	if (err >= 0)
		err = writer_client_call(&wc, request, -1, &reply, why);
	writer_client_close(&wc);
	if (err < 0)
		return err;
	if (reply.code != PROTO_OK)
		return reason_say(why, -EIO, "an append was refused");
	b->head = reply.seq;
	return bench_staff_folded(&b->staff, b->head, true, why);
}

static int
broker_open(struct broker_bench *b, struct reason *why)
{
	char topics[64];
	int err = bench_staff_open(&b->staff, &b->t, why);

	if (err < 0)
		return err;
	snprintf(topics, sizeof(topics), "writer.max_topics=%llu",
	    (unsigned long long)b->topics);
	err = bench_staff_start(
	    &b->staff, BENCH_WRITER, (const char *const[]){ topics }, 1, why);
	if (err >= 0)
		err = bench_load_fill(&b->t, &b->load, why);
	b->head = b->events;
	return err;
}

static int
broker_serve(struct broker_bench *b, struct reason *why)
{
	int err = 0;

	if (!b->staff.pid[BENCH_BROKER])
		err = bench_staff_start(&b->staff, BENCH_BROKER, NULL, 0, why);
	if (err >= 0)
		err = bench_staff_folded(&b->staff, b->head, true, why);
	return err;
}

static bool
broker_wanted(const struct broker_bench *b, const char *name)
{
	for (int i = 0; i < b->t.argc; i++)
		if (!strcmp(b->t.argv[i], name))
			return true;
	return b->t.argc == 0;
}

static int
broker_check(const struct broker_bench *b)
{
	bool known;

	for (int i = 0; i < b->t.argc; i++) {
		known = false;
		for (unsigned k = 0; k < ARRAY_LEN(broker_figures); k++)
			known |= !strcmp(b->t.argv[i], broker_figures[k].name);
		if (!known)
			return tool_usage_error(
			    &b->t, "there is no figure '%.60s'", b->t.argv[i]);
	}
	if (b->topics > b->events)
		return tool_usage_error(&b->t,
		    "each topic takes an event: --events %llu at least",
		    (unsigned long long)b->topics);
	if (b->t.data)
		return tool_usage_error(
		    &b->t, "it makes a directory of its own: no --data");
	return TOOL_OK;
}

static int
broker_main(struct broker_bench *b)
{
	struct reason why = { "" };
	int err, status = broker_check(b);

	if (status != TOOL_OK)
		return status;
	tool_catch_stop();
	bench_load_init(&b->load, b->events, b->topics);
	err = broker_open(b, &why);
	for (unsigned i = 0; i < ARRAY_LEN(broker_figures) && err >= 0; i++) {
		const struct broker_figure *f = &broker_figures[i];

		if (!broker_wanted(b, f->name))
			continue;
		/* Folding begins without a broker. */
		if (f->run != bench_broker_fold)
			err = broker_serve(b, &why);
		if (err >= 0)
			err = f->run(b, &why);
	}
	bench_staff_close(&b->staff);
	bench_load_deinit(&b->load);
	return err < 0 ? tool_fail(&b->t, &why) : TOOL_OK;
}

int
bench_broker(int argc, char **argv)
{
	struct broker_bench *b = calloc(1, sizeof(*b));
	bool own = false;
	int status = TOOL_ERROR;

	if (!b)
		return status;
	b->events = BROKER_EVENTS;
	b->topics = BROKER_TOPICS;
	b->clients = BROKER_CLIENTS;
	b->rate = BROKER_RATE;
	const struct tool_option options[] = {
		{ .name = "own",
		    .kind = TOOL_FLAG,
		    .value = &own,
		    .help = "in a temporary directory; it always is" },
		{ .name = "events",
		    .kind = TOOL_UINT,
		    .value = &b->events,
		    .arg = "N",
		    .help = "in the log (default: 1000000)",
		    .min = 1,
		    .max = UINT32_MAX },
		{ .name = "topics",
		    .kind = TOOL_UINT,
		    .value = &b->topics,
		    .arg = "N",
		    .help = "rows of the state (default: 100000)",
		    .min = 1,
		    .max = 100000000 },
		{ .name = "clients",
		    .kind = TOOL_UINT,
		    .value = &b->clients,
		    .arg = "N",
		    .help = "snapshots of each kind, one after another "
			    "(default: 3)",
		    .min = 1,
		    .max = 1000 },
		{ .name = "rate",
		    .kind = TOOL_UINT,
		    .value = &b->rate,
		    .arg = "N",
		    .help = "appends per second meanwhile (default: 20000)",
		    .min = 1,
		    .max = 1000000 },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "bench broker",
		.operands = "[FIGURE...]",
		.text = "Fill a log, and measure what the broker makes of it: "
			"fold, snapshot, at, start\nand size, or those that "
			"are named. Everything is in a temporary directory,\n"
			"which is removed afterwards.",
		.common = TOOL_FOUND | TOOL_JSON,
		.options = options,
		.max_operands = -1 };

	if (tool_begin(&b->t, &usage, argc, argv, &status))
		status = tool_end(&b->t, broker_main(b));
	free(b);
	return status;
}
