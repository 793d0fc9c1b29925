/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Windows.  A fault of any process is the window's, with the sentence that
 * it left in the shared memory.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_peer.h"
#include "tools/bench_window.h"
#include "tools/tool.h"

enum {
	WINDOW_LIVE_MS = 180000
};

int
bench_window_open(struct bench_window *w, struct reason *why)
{
	struct fan_shared *shared = mmap(NULL, sizeof(*shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return reason_set(why, -errno, "cannot measure");
	w->plan.shared = shared;
	return 0;
}

/* In the child, run as; in the parent, note its id. */
static bool
window_fork(struct bench_window *w, struct reason *why)
{
	pid_t parent = getpid(), pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid < 0) {
		(void)reason_set(why, -errno, "cannot start a process");
		return false;
	}
	if (pid > 0) {
		w->pids[w->n++] = pid;
		return false;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(TOOL_ERROR);
	return true;
}

/* n clients from first on, spread over further generators. */
static unsigned
window_spread(
    struct bench_window *w, unsigned at, unsigned first, unsigned n, bool stall)
{
	unsigned each = w->plan.each ? w->plan.each : FAN_CLIENTS_EACH;
	unsigned parts = (n + each - 1) / each;

	for (unsigned i = 0; i < parts && at < FAN_GENERATORS_MAX; i++) {
		w->share[at] = (struct fan_share){ .generator = at,
			.first = first,
			.n = n / (parts - i),
			.stalled = stall };
		n -= w->share[at].n;
		first += w->share[at++].n;
	}
	return at;
}

static void
window_source(const struct fan_plan *plan)
{
	if (plan->kind == FAN_BARE)
		bench_fan_bare(plan);
	else if (plan->kind == FAN_PEER)
		bench_peer_publish(plan);
	else
		bench_fan_publish(plan);
}

int
bench_window_start(struct bench_window *w, struct reason *why)
{
	struct fan_plan *plan = &w->plan;
	unsigned total;

	/* Those who stay are by themselves, so that they can be measured. */
	total = window_spread(w, 0, 0, plan->stay, false);
	total = window_spread(
	    w, total, plan->stay, plan->clients - plan->stay, false);
	total = window_spread(w, total, plan->clients, plan->stalled, true);
	plan->shared->generators = total;
	if (window_fork(w, why)) {
		window_source(plan);
		_exit(TOOL_OK);
	}
	for (unsigned i = 0; i < total; i++)
		if (window_fork(w, why)) {
			bench_fan_clients(plan, &w->share[i]);
			_exit(TOOL_OK);
		}
	w->source = w->pids[0];
	return w->n == total + 1 ? 0 : -EAGAIN;
}

void
bench_window_close(struct bench_window *w)
{
	if (!w->plan.shared)
		return;
	atomic_store(&w->plan.shared->phase, FAN_QUIT);
	for (unsigned i = 0; i < w->n; i++) {
		/* One that hangs in a write to a dead client must not hang us. */
		if (w->pids[i] == w->source && w->plan.kind == FAN_BARE)
			(void)kill(w->pids[i], SIGKILL);
		(void)waitpid(w->pids[i], NULL, 0);
	}
	w->n = 0;
	(void)munmap(w->plan.shared, sizeof(*w->plan.shared));
	w->plan.shared = NULL;
}

int
bench_window_fault(const struct bench_window *w, struct reason *why)
{
	const struct fan_shared *shared = w->plan.shared;

	if (atomic_load(&shared->source_failed)) {
		*why = shared->source_fault;
		return -EIO;
	}
	for (unsigned i = 0; i < shared->generators; i++)
		if (atomic_load(&shared->generator[i].failed)) {
			*why = shared->generator[i].fault;
			return -EIO;
		}
	if (tool_stopped())
		return reason_say(why, -EINTR, "stopped");
	return 0;
}

uint64_t
bench_window_live(const struct bench_window *w)
{
	const struct fan_shared *shared = w->plan.shared;
	uint64_t live = 0;

	for (unsigned i = 0; i < shared->generators; i++)
		live += atomic_load(&shared->generator[i].live);
	return live;
}

int
bench_window_await_live(const struct bench_window *w, struct reason *why)
{
	uint64_t deadline = time_mono_ns() + WINDOW_LIVE_MS * NS_PER_MS;
	unsigned all = w->plan.clients + w->plan.stalled;
	int err = 0;

	while (err >= 0 && bench_window_live(w) < all) {
		(void)poll(NULL, 0, 5);
		err = bench_window_fault(w, why);
		if (err >= 0 && time_mono_ns() > deadline)
			err = reason_say(why, -ETIMEDOUT,
			    "only %" PRIu64 " of %u clients are live",
			    bench_window_live(w), all);
	}
	return err;
}

static bool
window_done(const struct fan_shared *shared)
{
	for (unsigned i = 0; i < shared->generators; i++)
		if (!atomic_load(&shared->generator[i].done))
			return false;
	return true;
}

int
bench_window_await_done(const struct bench_window *w, struct reason *why)
{
	int err = 0;

	while (err >= 0 && !window_done(w->plan.shared)) {
		(void)poll(NULL, 0, 2);
		err = bench_window_fault(w, why);
	}
	return err;
}

void
bench_window_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}
