/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Storms: thousands of clients lose their connections at once and come back.
 * A window counts only when each of them has got every event, once and in
 * order, those that came while it was away included.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "tools/bench_reconnect_priv.h"
#include "tools/bench_window.h"
#include "tools/token_sign.h"

enum {
	STORM_CALM_MS = 2000,	  /* before it */
	STORM_BACK_MS = 120000,	  /* it may take so long */
	STORM_USER_CLIENTS = 200, /* clients of one user */
	STORM_TOKEN_S = 86400,
};

struct storm_result {
	double lost;	/* connections */
	double refused; /* attempts to come back */
	double back_p50_s, back_p99_s, all_live_s;
	double calm_p99_ms; /* before and after */
	double stay_p50_ms, stay_p99_ms, stay_max_ms;
	/* For each client that came back, of the server and of clients. */
	double cpu_us, client_us;
	double events;
	struct reason refusal; /* the first */
};

struct storm {
	struct bench_contest *b;
	bool kill;
	char **tokens;
	unsigned n_tokens;
	struct storm_result results[CONTEST_PAIRS_MAX];
};

/* --- tokens of many users --- */

static int
storm_tokens(struct storm *s, unsigned clients, struct reason *why)
{
	static const char *const all[] = { ">" };
	const struct house *h = &s->b->t.house;
	char key[PATH_MAX], user[24];
	struct token_sign_claims claims = { .sub = user,
		.kid = "dev",
		.read = all,
		.n_read = 1,
		.ttl_s = STORM_TOKEN_S };
	unsigned n = clients / STORM_USER_CLIENTS + 1;
	int err = 0;

	house_path(h, "auth/dev.key", key);
	s->tokens = calloc(n, sizeof(*s->tokens));
	if (!s->tokens)
		return reason_set(why, -ENOMEM, "cannot make tokens");
	while (err >= 0 && s->n_tokens < n) {
		snprintf(user, sizeof(user), "user%u", s->n_tokens);
		err = token_sign(key, &claims, &s->tokens[s->n_tokens], why);
		s->n_tokens += err >= 0;
	}
	return err;
}

/* --- a window --- */

static uint64_t
storm_lost(const struct bench_window *w)
{
	const struct fan_shared *shared = w->plan.shared;
	uint64_t lost = 0;

	for (unsigned i = 0; i < shared->generators; i++)
		lost += atomic_load(&shared->generator[i].lost);
	return lost;
}

static int
storm_cpu(const struct tool *t, uint64_t *cpu_ns, struct reason *why)
{
	static const char *const names[] = { "peal-gateway", "peal-writer",
		"peal-broker" };
	struct bench_usage usage;
	int err = 0;

	*cpu_ns = 0;
	for (unsigned i = 0; err >= 0 && i < ARRAY_LEN(names); i++) {
		err = bench_house_usage(t, names[i], &usage, why);
		*cpu_ns += err >= 0 ? usage.cpu_ns : 0;
	}
	return err;
}

static uint64_t
storm_clients(const struct ring_seat_info *seats, unsigned n, pid_t pid)
{
	uint64_t clients = 0;

	for (unsigned i = 0; i < n; i++)
		if (seats[i].pid == (long)pid)
			clients = MAX(clients, seats[i].clients);
	return clients;
}

/* The one with most clients: another may have none at all to lose. */
static int
storm_kill(const struct tool *t, struct reason *why)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct ring_seat_info seats[RING_SEATS];
	char path[PATH_MAX];
	pid_t pids[RING_SEATS], busiest;
	unsigned seated;
	int n;

	snprintf(path, sizeof(path), "%s/ring", house_run_dir(&t->house));
	n = ring_reader_open(path, &rd, why);
	if (n < 0)
		return n;
	seated = ring_reader_seats(rd, seats, RING_SEATS);
	/* Who left the ring in a hurry may still have a seat. */
	n = bench_house_pids(t, "peal-gateway", pids, RING_SEATS, why);
	if (n == 0)
		n = reason_say(why, -ESRCH, "there is no gateway to kill");
	if (n < 0)
		return n;
	busiest = pids[0];
	for (int i = 1; i < n; i++)
		if (storm_clients(seats, seated, pids[i]) >
		    storm_clients(seats, seated, busiest))
			busiest = pids[i];
	if (kill(busiest, SIGKILL) < 0)
		return reason_set(why, -errno, "cannot kill a gateway");
	return 0;
}

/* It begins; wait until all are back. */
static int
storm_blow(const struct storm *s, struct bench_window *w, struct reason *why)
{
	struct fan_shared *shared = w->plan.shared;
	uint64_t begin = time_mono_ns(), passed_ms = 0;
	uint64_t due = s->kill ? 1 : w->plan.clients - w->plan.stay;
	int err;

	atomic_store(&shared->storm_ns, begin);
	atomic_store(&shared->phase, FAN_STORM);
	err = s->kill ? storm_kill(&s->b->t, why) : 0;
	while (err >= 0) {
		(void)poll(NULL, 0, 2);
		passed_ms = (time_mono_ns() - begin) / NS_PER_MS;
		/* Who lost a connection to a gateway that is dead knows soon. */
		if (storm_lost(w) >= due &&
		    bench_window_live(w) == w->plan.clients &&
		    (!s->kill || passed_ms > w->plan.jitter_ms + 500))
			break;
		err = bench_window_fault(w, why);
		if (err >= 0 && passed_ms > STORM_BACK_MS)
			err = reason_say(why, -ETIMEDOUT,
			    "%" PRIu64 " of %u clients are back",
			    bench_window_live(w), w->plan.clients);
	}
	atomic_store(&shared->phase, FAN_BACK);
	return err;
}

static double
storm_of(const struct bench_hist *h, double percent, double unit_ns)
{
	return (double)bench_hist_percentile(h, percent) / unit_ns;
}

static void
storm_sum(const struct bench_window *w, uint64_t cpu_ns, struct storm_result *r)
{
	const struct fan_shared *shared = w->plan.shared;
	struct bench_hist *h = calloc(3, sizeof(*h));

	if (!h)
		return;
	for (unsigned i = 0; i < shared->generators; i++) {
		bench_hist_merge(&h[0], &shared->generator[i].back);
		bench_hist_merge(&h[1], &shared->generator[i].latency);
		bench_hist_merge(&h[2], &shared->generator[i].meanwhile);
		if (shared->generator[i].refused)
			r->refusal = shared->generator[i].refusal;
		r->refused += (double)shared->generator[i].refused;
		r->client_us += (double)shared->generator[i].cpu_ns / 1e3;
	}
	r->lost = (double)storm_lost(w);
	r->back_p50_s = storm_of(&h[0], 50, 1e9);
	r->back_p99_s = storm_of(&h[0], 99, 1e9);
	r->all_live_s = (double)h[0].max / 1e9;
	r->calm_p99_ms = storm_of(&h[1], 99, 1e6);
	r->stay_p50_ms = storm_of(&h[2], 50, 1e6);
	r->stay_p99_ms = storm_of(&h[2], 99, 1e6);
	r->stay_max_ms = (double)h[2].max / 1e6;
	r->cpu_us = (double)cpu_ns / 1e3 / MAX(r->lost, 1);
	r->client_us /= MAX(r->lost, 1);
	r->events = (double)atomic_load(&shared->published);
	free(h);
}

static int
storm_window(struct storm *s, struct storm_result *r, struct reason *why)
{
	struct bench_window w = { .plan = s->b->plan };
	uint64_t before = 0, after = 0;
	int err = bench_window_open(&w, why);

	if (err >= 0)
		err = bench_window_start(&w, why);
	if (err >= 0)
		err = bench_window_await_live(&w, why);
	if (err >= 0) {
		atomic_store(&w.plan.shared->phase, FAN_GO);
		(void)poll(NULL, 0, STORM_CALM_MS);
		err = storm_cpu(&s->b->t, &before, why);
	}
	if (err >= 0)
		err = storm_blow(s, &w, why);
	/* A gateway that was killed has taken its figures along. */
	if (err >= 0 && !s->kill)
		err = storm_cpu(&s->b->t, &after, why);
	if (err >= 0)
		err = bench_window_await_done(&w, why);
	if (err >= 0)
		storm_sum(&w, s->kill ? 0 : after - before, r);
	bench_window_close(&w);
	return err;
}

/* --- telling --- */

static void
storm_tell(struct storm *s, unsigned n)
{
	const struct bench_contest *b = s->b;
	const struct storm_result *r = &s->results[n];

	if (b->t.json) {
		printf("{\"bench\":\"%s\",\"clients\":%u,\"lost\":%.0f,"
		       "\"refused\":%.0f,\"all_live_s\":%.3f,"
		       "\"back_p50_s\":%.3f,\"back_p99_s\":%.3f,"
		       "\"stay_p50_ms\":%.2f,\"stay_p99_ms\":%.2f,"
		       "\"stay_max_ms\":%.2f,\"calm_p99_ms\":%.2f,"
		       "\"cpu_us_per_client\":%.1f,"
		       "\"client_cpu_us\":%.1f,\"events\":%.0f}\n",
		    s->kill ? "kill" : "storm", b->plan.clients, r->lost,
		    r->refused, r->all_live_s, r->back_p50_s, r->back_p99_s,
		    r->stay_p50_ms, r->stay_p99_ms, r->stay_max_ms,
		    r->calm_p99_ms, r->cpu_us, r->client_us, r->events);
	} else {
		printf("%s %u: %.0f of %u clients lost their connection; all "
		       "live after %.2f s\n"
		       "  (half of them %.2f s, 99 %% %.2f s), %.0f attempts "
		       "were refused\n"
		       "  who stayed: p50 %.1f ms, p99 %.1f, max %.1f; before "
		       "and after p99 %.1f\n"
		       "  each client got %.0f events, once and in order",
		    s->kill ? "kill" : "storm", n + 1, r->lost, b->plan.clients,
		    r->all_live_s, r->back_p50_s, r->back_p99_s, r->refused,
		    r->stay_p50_ms, r->stay_p99_ms, r->stay_max_ms,
		    r->calm_p99_ms, r->events);
		if (r->refused > 0)
			printf("\n  refused, for example: %s", r->refusal.text);
		printf("; CPU of the clients %.0f us each", r->client_us);
		if (!s->kill)
			printf(", of the server %.0f us", r->cpu_us);
		printf("\n");
	}
	(void)tool_flush(&s->b->t);
}

/* --- all of it --- */

static int
storm_main(struct storm *s, struct reason *why)
{
	struct bench_contest *b = s->b;
	int err = bench_contest_open(b, why);

	if (err >= 0 && b->own) {
		err = storm_tokens(s, b->plan.clients, why);
		b->plan.tokens = s->tokens;
		b->plan.n_tokens = s->n_tokens;
	}
	for (unsigned i = 0; err >= 0 && i < b->pairs; i++) {
		err = storm_window(s, &s->results[i], why);
		if (err >= 0)
			storm_tell(s, i);
	}
	bench_contest_close(b);
	for (unsigned i = 0; i < s->n_tokens; i++)
		free(s->tokens[i]);
	free(s->tokens);
	return err;
}

int
bench_storm_run(
    struct bench_contest *b, const struct reconnect_words *words, bool kill)
{
	struct fan_plan *plan = &b->plan;
	struct storm s = { .b = b, .kill = kill };
	struct reason why = REASON_NO_MEMORY;
	unsigned clients = (unsigned)words->clients;

	b->own = words->own;
	b->pairs = (unsigned)words->pairs;
	b->house.gateways = (unsigned)words->gateways;
	b->house.limits = true;
	plan->kind = FAN_PEAL;
	plan->stay = (unsigned)words->stay;
	plan->clients = clients + plan->stay;
	plan->each =
	    MAX(plan->stay, (clients + (unsigned)words->generators - 1) /
				(unsigned)words->generators);
	plan->rate = (double)words->rate;
	plan->seconds = (double)words->seconds;
	plan->size = 128;
	plan->resume = true;
	plan->cut = !kill;
	plan->jitter_ms = (unsigned)words->jitter;
	return storm_main(&s, &why) < 0 ? tool_fail(&b->t, &why) : TOOL_OK;
}
