/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Windows of contestants in turns.  What a server costs is the CPU time of
 * all its processes; publisher and clients are not counted.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/fs.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_contest.h"
#include "tools/bench_peer.h"
#include "tools/bench_window.h"

enum {
	CONTEST_SETTLE_MS = 300,
	CONTEST_TOKEN_MAX = 8192,
};

struct contest_usage {
	struct bench_usage clients; /* of the processes that have clients */
	struct bench_usage others;
};

/* --- who takes part --- */

static const struct contestant contest_known[] = {
	{ .name = "bare", .kind = FAN_BARE },
	{ .name = "plain", .kind = FAN_PEAL, .plain = true },
	{ .name = "upgrade", .kind = FAN_PEAL, .upgrade_only = true },
};

static int
contest_add(struct bench_contest *b, const char *name)
{
	struct contestant *c = &b->c[b->n];

	if (b->n == CONTESTANTS_MAX)
		return tool_usage_error(&b->t, "too many in --beside");
	for (unsigned i = 0; i < ARRAY_LEN(contest_known); i++)
		if (!strcmp(contest_known[i].name, name)) {
			*c = contest_known[i];
			b->n++;
			return TOOL_OK;
		}
	c->peer = bench_peer_find(name);
	if (!c->peer)
		return tool_usage_error(&b->t,
		    "--beside knows none, bare, plain, upgrade, nats, nchan "
		    "and mosquitto, not '%.40s'",
		    name);
	c->name = c->peer->name;
	c->kind = FAN_PEER;
	if (bench_peer_installed(c->peer))
		b->n++;
	else
		tool_note(&b->t, "%s is not measured: %s is not installed",
		    name, c->peer->program);
	return TOOL_OK;
}

int
bench_contest_beside(struct bench_contest *b, const char *names)
{
	char text[200], *rest = text, *name;
	int status = TOOL_OK;

	snprintf(text, sizeof(text), "%s", names);
	b->c[0] = (struct contestant){ .name = "peal", .kind = FAN_PEAL };
	b->n = 1;
	while (status == TOOL_OK && (name = strsep(&rest, ",")))
		if (*name && strcmp(name, "none") != 0)
			status = contest_add(b, name);
	return status;
}

/* --- what a window costs --- */

static int
contest_usage(
    const struct bench_window *w, struct contest_usage *u, struct reason *why)
{
	const struct tool *t = w->plan.t;
	struct bench_usage broker;
	int err;

	*u = (struct contest_usage){ 0 };
	if (w->plan.kind == FAN_BARE)
		return bench_house_usage_of(w->source, &u->clients, why);
	if (w->plan.kind == FAN_PEER)
		return bench_house_usage_of(
		    w->plan.peer->pid, &u->clients, why);
	err = bench_house_usage(t, "peal-gateway", &u->clients, why);
	if (err >= 0)
		err = bench_house_usage(t, "peal-writer", &u->others, why);
	if (err >= 0 && (!u->clients.processes || !u->others.processes))
		err = reason_say(why, -ESRCH,
		    "no peal-gateway and peal-writer of this house run here");
	if (err >= 0)
		err = bench_house_usage(t, "peal-broker", &broker, why);
	if (err >= 0)
		u->others.cpu_ns += broker.cpu_ns;
	return err;
}

static double
contest_cpu(
    const struct contest_usage *before, const struct contest_usage *after)
{
	return (double)(after->clients.cpu_ns - before->clients.cpu_ns) +
	       (double)(after->others.cpu_ns - before->others.cpu_ns);
}

static void
contest_count(const struct bench_contest *b, const struct bench_window *w,
    struct bench_syscalls *s)
{
	pid_t pids[BENCH_HOUSE_PIDS] = { w->source };
	struct reason why = REASON_NO_MEMORY;
	int n = 1;

	*s = (struct bench_syscalls){ .out = -1 };
	if (!b->syscalls)
		return;
	if (w->plan.kind == FAN_PEER)
		pids[0] = w->plan.peer->pid;
	else if (w->plan.kind == FAN_PEAL)
		n = bench_house_pids(
		    &b->t, "peal-gateway", pids, BENCH_HOUSE_PIDS, &why);
	if (n > 0)
		bench_syscalls_begin(s, pids, (unsigned)n);
}

static void
contest_sum(
    const struct bench_window *w, uint64_t done_ns, struct contest_result *r)
{
	const struct fan_shared *shared = w->plan.shared;

	for (unsigned i = 0; i < shared->generators; i++) {
		const struct fan_generator *g = &shared->generator[i];

		r->deliveries += (double)g->deliveries;
		r->messages += (double)g->messages;
		r->missed += (double)g->missed;
		bench_hist_merge(&r->latency, &g->latency);
	}
	r->events = (double)atomic_load(&shared->published);
	r->seconds = (double)(done_ns - atomic_load(&shared->start_ns)) / 1e9;
	r->late_ms = (double)shared->late_ns / 1e6;
}

/* Publish, and wait until everybody has everything. */
static int
contest_measure(const struct bench_contest *b, struct bench_window *w,
    struct contest_result *r, struct reason *why)
{
	struct contest_usage before, after;
	struct bench_syscalls counted;
	int err = contest_usage(w, &before, why);

	if (err < 0)
		return err;
	contest_count(b, w, &counted);
	atomic_store(&w->plan.shared->phase, FAN_GO);
	err = bench_window_await_done(w, why);
	contest_sum(w, time_mono_ns(), r);
	r->syscalls = bench_syscalls_end(&counted);
	if (err >= 0)
		err = contest_usage(w, &after, why);
	if (err < 0)
		return err;
	r->server_ns = contest_cpu(&before, &after);
	r->gateway_ns = (double)(after.clients.cpu_ns - before.clients.cpu_ns);
	r->end_pss = (double)after.clients.pss_bytes;
	return 0;
}

/* A bare server is there once it listens. */
static int
contest_await_source(const struct bench_window *w, struct reason *why)
{
	int err = 0;

	while (err >= 0 && w->plan.kind == FAN_BARE &&
	       !atomic_load(&w->plan.shared->port)) {
		err = bench_window_fault(w, why);
		(void)poll(NULL, 0, 1);
	}
	return err;
}

/* From no client until all are live. */
static int
contest_connect(
    struct bench_window *w, struct contest_result *r, struct reason *why)
{
	bool early = w->plan.kind != FAN_BARE;
	struct contest_usage before, after;
	int err = early ? contest_usage(w, &before, why) : 0;

	if (err >= 0)
		err = bench_window_start(w, why);
	if (err >= 0 && !early)
		err = contest_await_source(w, why);
	if (err >= 0 && !early)
		err = contest_usage(w, &before, why);
	if (err >= 0)
		err = bench_window_await_live(w, why);
	(void)poll(NULL, 0, CONTEST_SETTLE_MS);
	if (err >= 0)
		err = contest_usage(w, &after, why);
	if (err < 0)
		return err;
	r->clients = w->plan.clients;
	r->connect_ns = contest_cpu(&before, &after);
	r->empty_pss = (double)before.clients.pss_bytes;
	r->idle_pss = (double)after.clients.pss_bytes;
	return 0;
}

/* --- the house --- */

static int
contest_text(const char *path, char **out, struct reason *why)
{
	uint8_t *text;
	size_t len;
	int err;

	err = fs_read(
	    &sysio_posix, AT_FDCWD, path, CONTEST_TOKEN_MAX, &text, &len, why);
	if (err < 0)
		return err;
	text[strcspn((char *)text, " \r\n")] = '\0';
	*out = (char *)text;
	return 0;
}

/* What clients need of the house. */
static int
contest_find(struct bench_contest *b, struct reason *why)
{
	struct tool *t = &b->t;
	struct fan_plan *plan = &b->plan;
	int err;

	plan->t = t;
	plan->url = t->url ? t->url : house_url(&t->house, b->url);
	plan->cert = house_path(&t->house, "tls/cert.pem", b->cert);
	plan->key = house_path(&t->house, "tls/key.pem", b->key);
	plan->cafile = t->cafile ? t->cafile : plan->cert;
	if (!*plan->cert)
		return reason_say(
		    why, -EINVAL, "which house? say --data DIR, or --own");
	free(b->token);
	b->token = NULL;
	err = contest_text(
	    t->token_file ? t->token_file
			  : house_path(&t->house, "dev.token", b->token_path),
	    &b->token, why);
	plan->tokens = &b->token;
	plan->n_tokens = 1;
	snprintf(plan->topic, sizeof(plan->topic), "bench.fanout.%" PRIx64,
	    time_wall_us());
	return err;
}

int
bench_contest_open(struct bench_contest *b, struct reason *why)
{
	int err;

	bench_window_raise_limit();
	err = b->own ? bench_house_start(&b->house, &b->t, why) : 0;
	return err < 0 ? err : contest_find(b, why);
}

/* --- a window --- */

static void
contest_plan(const struct bench_contest *b, const struct contestant *c,
    const struct bench_peer *peer, struct fan_plan *plan)
{
	*plan = b->plan;
	plan->kind = c->kind;
	plan->peer = peer;
	plan->upgrade_only = c->upgrade_only;
	if (c->kind == FAN_PEAL && !c->plain)
		return;
	/* The same shared events, and nothing else. */
	plan->rate *= 1 - plan->personal / 1000.0;
	plan->owned = plan->personal = plan->stalled = 0;
	plan->json = false;
}

/*
 * A process that has had clients keeps their memory for the next ones, so
 * that memory is measured in a house that has had none.
 */
static int
contest_fresh_house(struct bench_contest *b, struct reason *why)
{
	int err;

	if (!b->own || !b->idle)
		return 0;
	bench_house_stop(&b->house);
	err = bench_house_start(&b->house, &b->t, why);
	return err < 0 ? err : contest_find(b, why);
}

static int
contest_window(struct bench_contest *b, struct contestant *c,
    struct contest_result *r, struct reason *why)
{
	struct bench_peer peer = { 0 };
	struct bench_window w = { 0 };
	int err = 0;

	*r = (struct contest_result){ 0 };
	if (c->kind == FAN_PEAL && c->n > 0)
		err = contest_fresh_house(b, why);
	if (c->peer)
		err = bench_peer_start(
		    &peer, c->peer, b->plan.cert, b->plan.key, why);
	contest_plan(b, c, &peer, &w.plan);
	if (err >= 0)
		err = bench_window_open(&w, why);
	if (err >= 0)
		err = contest_connect(&w, r, why);
	if (err >= 0 && !b->idle)
		err = contest_measure(b, &w, r, why);
	bench_window_close(&w);
	bench_peer_stop(&peer);
	return err;
}

int
bench_contest_run(struct bench_contest *b, struct reason *why)
{
	int err = 0;

	for (unsigned i = 0; err >= 0 && i < b->pairs; i++) {
		for (unsigned k = 0; err >= 0 && k < b->n; k++) {
			struct contestant *c = &b->c[k];

			if (c->n < i)
				continue;
			err = contest_window(b, c, &c->results[i], why);
			if (err >= 0)
				c->n++;
			/* A peer that can't keep up ends nobody else. */
			if (err < 0 && c->peer && !tool_stopped()) {
				tool_note(&b->t, "%s: %s", c->name, why->text);
				err = 0;
			}
		}
		if (err >= 0 && b->told)
			b->told(b, i);
	}
	return err;
}

void
bench_contest_close(struct bench_contest *b)
{
	free(b->token);
	b->token = NULL;
	bench_house_stop(&b->house);
}
