/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The `peal` command: a table of subcommands, from which help and dispatch
 * are made.  Nothing else belongs here.
 */

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "tools/cmd.h"
#include "tools/tool.h"

struct peal_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
};

static const struct peal_command peal_commands[] = {
	{ "up", cmd_up, "run everything, here, now" },
	{ "append", cmd_append, "append an event" },
	{ "import", cmd_import, "append the events of a file" },
	{ "demo", cmd_demo, "something true to look at" },
	{ "tail", cmd_tail, "follow events" },
	{ "state", cmd_state, "the folded state" },
	{ "at", cmd_at, "the folded state as it was" },
	{ "history", cmd_history, "past events" },
	{ "graph", cmd_graph, "an entity of the memory graph" },
	{ "revert", cmd_revert, "bring a topic back to what it was" },
	{ "verify", cmd_verify, "compare the state with the log" },
	{ "log", cmd_log,
	    "the log on the disk: list, check, back up, restore, repair" },
	{ "ring", cmd_ring, "the ring: header, counters, events, proof" },
	{ "readers", cmd_readers, "who reads the ring, and how far behind" },
	{ "clients", cmd_clients, "who is connected, and how far behind" },
	{ "top", cmd_top, "the busiest topics, and clients by lag, live" },
	{ "stat", cmd_stat, "the counters of all processes" },
	{ "hist", cmd_hist, "how long stages took, as histograms" },
	{ "metrics", cmd_metrics, "the same for Prometheus, once or served" },
	{ "token", cmd_token, "sign a token" },
	{ "grant", cmd_grant, "what a user may beyond his token" },
	{ "revoke", cmd_revoke, "refuse a user's tokens" },
	{ "config", cmd_config, "print what is configured, and where" },
	{ "bench", cmd_bench, "measure, beside the bare system calls" },
};

static void
peal_help(FILE *to)
{
	fprintf(to, "usage: peal COMMAND [ARGUMENT...]\n\ncommands:\n");
	for (unsigned i = 0; i < ARRAY_LEN(peal_commands); i++)
		fprintf(to, "  %-10s %s\n", peal_commands[i].name,
		    peal_commands[i].text);
	fprintf(to, "\n'peal COMMAND --help' says more; "
		    "'peal --version' says which this is.\n");
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		peal_help(stderr);
		return TOOL_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		peal_help(stdout);
		return fflush(stdout) == 0 ? TOOL_OK : TOOL_ERROR;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("peal %s\n", PACKAGE_VERSION);
		return fflush(stdout) == 0 ? TOOL_OK : TOOL_ERROR;
	}
	for (unsigned i = 0; i < ARRAY_LEN(peal_commands); i++)
		if (!strcmp(argv[1], peal_commands[i].name))
			return peal_commands[i].run(argc - 1, argv + 1);
	fprintf(stderr,
	    "peal: there is no command '%.60s'\n"
	    "try 'peal --help'\n",
	    argv[1]);
	return TOOL_USAGE;
}
