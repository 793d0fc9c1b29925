/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal bench fanout`: one source, many TLS WebSocket clients.  Windows of
 * peal and of a bare server alternate; each has its own clients, and a
 * window counts only when every client got every event, once and in order.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/event.h"
#include "core/fs.h"
#include "core/time.h"
#include "tools/bench.h"
#include "tools/bench_fan.h"
#include "tools/bench_fanout_priv.h"
#include "tools/bench_house.h"
#include "tools/tool.h"

enum {
	FANOUT_CHILDREN = FAN_GENERATORS_MAX + 1,
	FANOUT_LIVE_MS = 120000,
	FANOUT_SETTLE_MS = 300,
	FANOUT_GATHER_FROM = 500, /* events/s from which bare gathers, too */
};

/* --- the processes of a window --- */

struct fanout_window {
	struct fan_plan plan;
	pid_t pids[FANOUT_CHILDREN];
	unsigned n;
	pid_t source;
};

/* In the child, run as; in the parent, note its id. */
static bool
fanout_fork(struct fanout_window *w, struct reason *why)
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

static int
fanout_start(struct fanout_window *w, struct reason *why)
{
	struct fan_plan *plan = &w->plan;
	unsigned left = plan->clients, each;
	unsigned total = (left + FAN_CLIENTS_EACH - 1) / FAN_CLIENTS_EACH;

	plan->shared->generators = total;
	if (fanout_fork(w, why)) {
		if (plan->bare)
			bench_fan_bare(plan);
		else
			bench_fan_publish(plan);
		_exit(TOOL_OK);
	}
	for (unsigned i = 0; i < total; i++) {
		each = left / (total - i);
		left -= each;
		if (fanout_fork(w, why)) {
			bench_fan_clients(plan, i, each);
			_exit(TOOL_OK);
		}
	}
	w->source = w->pids[0];
	return w->n == total + 1 ? 0 : -EAGAIN;
}

static void
fanout_stop(struct fanout_window *w)
{
	atomic_store(&w->plan.shared->phase, FAN_QUIT);
	for (unsigned i = 0; i < w->n; i++) {
		/* One that hangs in a write to a dead client must not hang us. */
		if (w->pids[i] == w->source && w->plan.bare)
			(void)kill(w->pids[i], SIGKILL);
		(void)waitpid(w->pids[i], NULL, 0);
	}
	w->n = 0;
}

static int
fanout_fault(const struct fan_shared *shared, struct reason *why)
{
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
		return reason_set(why, -EINTR, "stopped");
	return 0;
}

static uint64_t
fanout_live(const struct fan_shared *shared)
{
	uint64_t live = 0;

	for (unsigned i = 0; i < shared->generators; i++)
		live += atomic_load(&shared->generator[i].live);
	return live;
}

static bool
fanout_done(const struct fan_shared *shared)
{
	for (unsigned i = 0; i < shared->generators; i++)
		if (!atomic_load(&shared->generator[i].done))
			return false;
	return true;
}

static int
fanout_await_live(const struct fanout_window *w, struct reason *why)
{
	const struct fan_shared *shared = w->plan.shared;
	uint64_t deadline = time_mono_ns() + FANOUT_LIVE_MS * NS_PER_MS;
	int err = 0;

	while (err >= 0 && fanout_live(shared) < w->plan.clients) {
		(void)poll(NULL, 0, 10);
		err = fanout_fault(shared, why);
		if (err >= 0 && time_mono_ns() > deadline)
			err = reason_set(why, -ETIMEDOUT,
			    "only %" PRIu64 " of %u clients are live",
			    fanout_live(shared), w->plan.clients);
	}
	return err;
}

/* --- what a window costs --- */

static int
fanout_usage(
    const struct fanout_window *w, struct fanout_usage *u, struct reason *why)
{
	const struct tool *t = w->plan.t;
	int err;

	*u = (struct fanout_usage){ 0 };
	if (w->plan.bare)
		return bench_house_usage_of(w->source, &u->gateways, why);
	err = bench_house_usage(t, "peal-gateway", &u->gateways, why);
	if (err >= 0)
		err = bench_house_usage(t, "peal-writer", &u->writer, why);
	if (err >= 0 && (!u->gateways.processes || !u->writer.processes))
		err = reason_set(why, -ESRCH,
		    "no peal-gateway and peal-writer of this house run here");
	return err;
}

static void
fanout_sum(const struct fanout_window *w, const struct fanout_usage *before,
    const struct fanout_usage *after, uint64_t done_ns, struct fanout_result *r)
{
	const struct fan_shared *shared = w->plan.shared;
	struct bench_hist *all = &r->latency;

	*r = (struct fanout_result){ .clients = w->plan.clients };
	for (unsigned i = 0; i < shared->generators; i++) {
		r->deliveries += (double)shared->generator[i].deliveries;
		r->messages += (double)shared->generator[i].messages;
		bench_hist_merge(all, &shared->generator[i].latency);
	}
	r->events = (double)atomic_load(&shared->published);
	r->seconds = (double)(done_ns - atomic_load(&shared->start_ns)) / 1e9;
	r->late_ms = (double)shared->late_ns / 1e6;
	r->gateway_ns =
	    (double)(after->gateways.cpu_ns - before->gateways.cpu_ns);
	r->writer_ns = (double)(after->writer.cpu_ns - before->writer.cpu_ns);
}

/* Publish, and wait until everybody has everything. */
static int
fanout_measure(
    struct fanout_window *w, struct fanout_result *r, struct reason *why)
{
	struct fan_shared *shared = w->plan.shared;
	struct fanout_usage before, after;
	uint64_t done_ns = 0;
	int err;

	err = fanout_usage(w, &before, why);
	if (err < 0)
		return err;
	atomic_store(&shared->phase, FAN_GO);
	while (err >= 0 && !fanout_done(shared)) {
		(void)poll(NULL, 0, 2);
		err = fanout_fault(shared, why);
	}
	done_ns = time_mono_ns();
	if (err >= 0)
		err = fanout_usage(w, &after, why);
	if (err >= 0)
		fanout_sum(w, &before, &after, done_ns, r);
	return err;
}

static int
fanout_idle(
    struct fanout_window *w, struct fanout_result *r, struct reason *why)
{
	struct fanout_usage after;
	int err;

	(void)poll(NULL, 0, FANOUT_SETTLE_MS);
	err = fanout_usage(w, &after, why);
	if (err < 0)
		return err;
	r->clients = w->plan.clients;
	r->idle_pss = (double)after.gateways.pss_bytes;
	r->idle_rss = (double)after.gateways.rss_bytes;
	return 0;
}

/* Before there is a client: what idle memory is compared with. */
static int
fanout_empty(
    struct fanout_window *w, struct fanout_result *r, struct reason *why)
{
	struct fanout_usage before;
	int err;

	while (w->plan.bare && !atomic_load(&w->plan.shared->port)) {
		err = fanout_fault(w->plan.shared, why);
		if (err < 0)
			return err;
		(void)poll(NULL, 0, 1);
	}
	err = fanout_usage(w, &before, why);
	if (err < 0)
		return err;
	r->empty_pss = (double)before.gateways.pss_bytes;
	r->empty_rss = (double)before.gateways.rss_bytes;
	return 0;
}

static int
fanout_window(struct fanout_bench *b, bool bare, struct fanout_result *r,
    struct reason *why)
{
	struct fanout_window w = { .plan = b->plan };
	double empty_pss = 0, empty_rss = 0;
	int err;

	w.plan.bare = bare;
	w.plan.shared = mmap(NULL, sizeof(*w.plan.shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w.plan.shared == MAP_FAILED)
		return reason_set(why, -errno, "cannot measure");
	/* The house has no clients yet; a bare server is yet to be started. */
	err = b->idle && !bare ? fanout_empty(&w, r, why) : 0;
	if (err >= 0)
		err = fanout_start(&w, why);
	if (err >= 0 && b->idle && bare)
		err = fanout_empty(&w, r, why);
	empty_pss = r->empty_pss;
	empty_rss = r->empty_rss;
	if (err >= 0)
		err = fanout_await_live(&w, why);
	if (err >= 0 && b->idle)
		err = fanout_idle(&w, r, why);
	else if (err >= 0)
		err = fanout_measure(&w, r, why);
	r->empty_pss = empty_pss;
	r->empty_rss = empty_rss;
	fanout_stop(&w);
	(void)munmap(w.plan.shared, sizeof(*w.plan.shared));
	return err;
}

/* --- the command --- */

static int
fanout_run(struct fanout_bench *b, struct reason *why)
{
	int err = 0;

	for (unsigned i = 0; err >= 0 && i < b->pairs; i++) {
		err = fanout_window(b, false, &b->ours[i], why);
		if (err >= 0)
			err = fanout_window(b, true, &b->bare[i], why);
		if (err >= 0)
			bench_fanout_pair(b, i);
	}
	return err;
}

static int
fanout_text(const char *path, char **out, struct reason *why)
{
	uint8_t *text;
	size_t len;
	int err;

	err = fs_read(&sysio_posix, AT_FDCWD, path, 8192, &text, &len, why);
	if (err < 0)
		return err;
	text[strcspn((char *)text, " \r\n")] = '\0';
	*out = (char *)text;
	return 0;
}

/* Descriptors for all clients, as far as we may. */
static void
fanout_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
fanout_prepare(struct fanout_bench *b, struct reason *why)
{
	struct tool *t = &b->t;
	struct fan_plan *plan = &b->plan;
	int err;

	fanout_raise_limit();
	plan->t = t;
	plan->url = t->url ? t->url : house_url(&t->house, b->url);
	plan->cert = house_path(&t->house, "tls/cert.pem", b->cert);
	plan->key = house_path(&t->house, "tls/key.pem", b->key);
	plan->cafile = t->cafile ? t->cafile : plan->cert;
	if (!*plan->cert)
		return reason_set(
		    why, -EINVAL, "which house? say --data DIR, or --own");
	err = fanout_text(
	    t->token_file ? t->token_file
			  : house_path(&t->house, "dev.token", b->token_path),
	    &b->token, why);
	plan->token = b->token;
	snprintf(plan->topic, sizeof(plan->topic), "bench.fanout.%" PRIx64,
	    time_wall_us());
	return err;
}

static int
fanout_main(struct fanout_bench *b)
{
	struct bench_house own = { 0 };
	struct reason why;
	int err = 0;

	tool_catch_stop();
	if (b->own)
		err =
		    bench_house_start(&own, &b->t, (unsigned)b->gateways, &why);
	if (err >= 0)
		err = fanout_prepare(b, &why);
	if (err >= 0)
		err = fanout_run(b, &why);
	if (err >= 0)
		bench_fanout_report(b);
	free(b->token);
	bench_house_stop(&own);
	return err < 0 ? tool_fail(&b->t, &why) : TOOL_OK;
}

/* A number of events per second, or "max". */
static int
fanout_rate(struct fanout_bench *b, const char *text)
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

/* What the command line says in numbers. */
struct fanout_numbers {
	uint64_t clients, seconds, size, pairs, gather;
	const char *rate;
};

static int
fanout_take(struct fanout_bench *b, const struct fanout_numbers *n)
{
	int status = fanout_rate(b, n->rate);

	b->plan.clients = (unsigned)n->clients;
	b->plan.seconds = (double)n->seconds;
	b->plan.size = n->size;
	b->plan.gather_ms = n->gather;
	if (n->gather == UINT64_MAX)
		b->plan.gather_ms = b->plan.rate >= FANOUT_GATHER_FROM ? 5 : 0;
	b->pairs = b->idle ? 1 : (unsigned)n->pairs;
	return status;
}

static int
fanout_begin(struct fanout_bench *b, int argc, char **argv)
{
	struct fanout_numbers n = { 1000, 5, 128, 3, UINT64_MAX, "100" };
	const struct tool_option options[] = {
		{ .name = "clients",
		    .kind = TOOL_UINT,
		    .value = &n.clients,
		    .arg = "N",
		    .help = "TLS clients (default: 1000)",
		    .min = 1,
		    .max = 28000 },
		{ .name = "rate",
		    .kind = TOOL_TEXT,
		    .value = &n.rate,
		    .arg = "R",
		    .help = "events per second, or 'max': as fast as every "
			    "client takes them (default: 100)" },
		{ .name = "seconds",
		    .kind = TOOL_UINT,
		    .value = &n.seconds,
		    .arg = "S",
		    .help = "of each window (default: 5)",
		    .min = 1,
		    .max = 3600 },
		{ .name = "size",
		    .kind = TOOL_UINT,
		    .value = &n.size,
		    .arg = "BYTES",
		    .help = "data of an event (default: 128)",
		    .min = FAN_MARK,
		    .max = 8192 },
		{ .name = "pairs",
		    .kind = TOOL_UINT,
		    .value = &n.pairs,
		    .arg = "N",
		    .help = "windows of peal and of the bare server "
			    "(default: 3)",
		    .min = 1,
		    .max = FANOUT_PAIRS_MAX },
		{ .name = "gather",
		    .kind = TOOL_UINT,
		    .value = &n.gather,
		    .arg = "MS",
		    .help = "the bare server gathers so long (default: 5 from "
			    "500 events/s on, else 0)",
		    .max = 1000 },
		{ .name = "idle",
		    .kind = TOOL_FLAG,
		    .value = &b->idle,
		    .help = "publish nothing: memory of each client" },
		{ .name = "own",
		    .kind = TOOL_FLAG,
		    .value = &b->own,
		    .help = "start a peal in a temporary directory" },
		{ .name = "gateways",
		    .kind = TOOL_UINT,
		    .value = &b->gateways,
		    .arg = "N",
		    .help = "gateways of --own (default: 1)",
		    .min = 1,
		    .max = 64 },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "bench fanout",
		.text = bench_fanout_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON,
		.options = options };
	int status;

	if (!tool_begin(&b->t, &usage, argc, argv, &status))
		return status;
	status = fanout_take(b, &n);
	if (status == TOOL_OK)
		status = fanout_main(b);
	return tool_end(&b->t, status);
}

int
bench_fanout(int argc, char **argv)
{
	struct fanout_bench *b = calloc(1, sizeof(*b));
	int status = TOOL_ERROR;

	if (b) {
		b->gateways = 1;
		status = fanout_begin(b, argc, argv);
	}
	free(b);
	return status;
}
