/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * await SECONDS COMMAND [ARGUMENT...]: run a command again and again until it
 * succeeds, for shell tests that wait for a condition.  1: the time is up.
 */

#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double
await_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	double until;
	int status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: await SECONDS COMMAND [ARGUMENT...]\n");
		return 2;
	}
	until = await_now() + atof(argv[1]);
	for (;;) {
		if (posix_spawnp(
			&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
		    waitpid(pid, &status, 0) != pid)
			return 2;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return 0;
		if (await_now() > until)
			return 1;
		(void)poll(NULL, 0, 10);
	}
}
