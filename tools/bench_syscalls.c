/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * System calls of other processes, counted in the kernel by perf stat, which
 * unlike a tracer does not stop them.  Where perf may not, nothing is told.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/macros.h"
#include "tools/bench_contest.h"

enum {
	SYSCALLS_SETTLE_MS = 200 /* perf attaches */
};

void
bench_syscalls_begin(struct bench_syscalls *s, const pid_t *pids, unsigned n)
{
	char list[BENCH_HOUSE_PIDS * 12] = "";
	size_t len = 0;
	int out[2];

	*s = (struct bench_syscalls){ .out = -1 };
	for (unsigned i = 0; i < n && len < sizeof(list) - 12; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%ld",
		    i ? "," : "", (long)pids[i]);
	if (pipe2(out, O_CLOEXEC) < 0)
		return;
	s->perf = fork();
	if (s->perf == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(out[1], STDERR_FILENO);
		execlp("perf", "perf", "stat", "-x,", "-e",
		    "raw_syscalls:sys_enter", "-p", list, (char *)NULL);
		_exit(1);
	}
	(void)close(out[1]);
	s->out = out[0];
	(void)poll(NULL, 0, SYSCALLS_SETTLE_MS);
}

double
bench_syscalls_end(struct bench_syscalls *s)
{
	char text[4096];
	size_t len = 0;
	ssize_t n;

	if (s->perf <= 0)
		return 0;
	(void)kill(s->perf, SIGINT);
	while (len < sizeof(text) - 1 &&
	       (n = read(s->out, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)waitpid(s->perf, NULL, 0);
	closep(&s->out);
	s->perf = 0;
	/* COUNT,,raw_syscalls:sys_enter,... */
	return strstr(text, "raw_syscalls") ? strtod(text, NULL) : 0;
}
