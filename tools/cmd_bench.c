/* SPDX-License-Identifier: BSD-2-Clause */

/* `peal bench`: a table of benchmarks, and nothing else. */

#include <stdio.h>
#include <string.h>

#include "core/macros.h"
#include "tools/bench.h"
#include "tools/cmd.h"
#include "tools/tool.h"

static const struct bench_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
} bench_commands[] = {
	{ "append", bench_append, "appends, alone and many in flight" },
	{ "broker", bench_broker, "folding, snapshots, past states, starting" },
	{ "fanout", bench_fanout, "from one producer to many TLS clients" },
	{ "reconnect", bench_reconnect, "handshakes, and storms of them" },
	{ "ring", bench_ring, "publishing, reading and waking" },
};

static void
bench_help(FILE *to)
{
	fprintf(to,
	    "usage: peal bench WHAT [OPTION...]\n\n"
	    "Measure, each time beside the bare system calls that the work "
	    "can't do without.\n\nbenchmarks:\n");
	for (unsigned i = 0; i < ARRAY_LEN(bench_commands); i++)
		fprintf(to, "  %-9s %s\n", bench_commands[i].name,
		    bench_commands[i].text);
}

int
cmd_bench(int argc, char **argv)
{
	if (argc > 1 &&
	    (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		bench_help(stdout);
		return fflush(stdout) == 0 ? TOOL_OK : TOOL_ERROR;
	}
	for (unsigned i = 0; argc > 1 && i < ARRAY_LEN(bench_commands); i++)
		if (!strcmp(argv[1], bench_commands[i].name))
			return bench_commands[i].run(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "peal bench: there is no '%.60s'\n", argv[1]);
	bench_help(stderr);
	return TOOL_USAGE;
}
