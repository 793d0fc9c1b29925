/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Follow peal with many clients at once, each a thread with one connection at
 * a time: who loses it connects again and resumes from its position.  Every
 * client has its own judge, and all are compared with the log at the end.
 */

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/macros.h"
#include "tests/lib/checker.h"
#include "tests/lib/client.h"
#include "tests/lib/truth.h"

enum {
	FOLLOW_PATTERNS = 8,
	FOLLOW_PAUSE_MS = 20, /* between attempts to connect */
	FOLLOW_LOOK_MS = 200, /* whether the end is known by now */
};

struct follow {
	struct wire_to to;
	char *token;
	const char *patterns[FOLLOW_PATTERNS];
	unsigned n_patterns;
	unsigned clients;
	uint64_t from;
	_Atomic uint64_t until;
	const char *until_file; /* that names it, later; NULL: it is known */
	int64_t deadline_ms;
	uint64_t kill_at;     /* 0: never */
	const char *kill_who; /* a process, or the file that names it then */
	const char *log;      /* directory, NULL: no comparison */
	const char *ready;    /* file to make when all are subscribed */
};

struct follower {
	const struct follow *plan;
	const char *pattern;
	pthread_t thread;
	struct checker *checker;
	bool subscribed; /* at least once */
	unsigned connections;
	unsigned refused; /* attempts to come back that failed */
	unsigned lagged;
	int64_t lost_ms; /* when the last connection ended, 0: it did not */
	unsigned gap_ms; /* the longest from there to the next answer */
	char fault[320];
};

static atomic_flag follow_killed = ATOMIC_FLAG_INIT;
static atomic_uint follow_subscribed;

static bool
follow_late(const struct follower *f)
{
	return wire_now_ms() > f->plan->deadline_ms;
}

static bool
follow_blame(struct follower *f, const char *what)
{
	if (f->fault[0] == '\0')
		snprintf(f->fault, sizeof(f->fault), "%s", what);
	return false;
}

/* The first client that gets so far kills who is to die. */
static void
follow_maybe_kill(const struct follower *f)
{
	const struct follow *plan = f->plan;
	char *named = NULL;
	pid_t pid;

	if (plan->kill_at == 0 ||
	    checker_position(f->checker) < plan->kill_at ||
	    atomic_flag_test_and_set(&follow_killed))
		return;
	if (plan->kill_who[0] == '/')
		named = client_read_file(plan->kill_who);
	pid = (pid_t)atol(named != NULL ? named : plan->kill_who);
	free(named);
	if (pid > 0 && kill(pid, SIGKILL) == 0)
		printf("killed %ld at %" PRIu64 "\n", (long)pid,
		    checker_position(f->checker));
	fflush(stdout);
}

static void
follow_count_subscribed(const struct follower *f)
{
	FILE *file;

	if (atomic_fetch_add(&follow_subscribed, 1) + 1 != f->plan->clients ||
	    f->plan->ready == NULL)
		return;
	file = fopen(f->plan->ready, "we");
	if (file != NULL)
		fclose(file);
}

/* What comes from now on comes again. */
static void
follow_end_gap(struct follower *f)
{
	if (f->lost_ms > 0)
		f->gap_ms =
		    MAX(f->gap_ms, (unsigned)(wire_now_ms() - f->lost_ms));
	f->lost_ms = 0;
}

/* One control message; false ends the connection. */
static bool
follow_control(struct follower *f, struct client *c, bool *again)
{
	if (!strcmp(c->op, "subscribed")) {
		follow_end_gap(f);
		if (!f->subscribed)
			follow_count_subscribed(f);
		f->subscribed = true;
		return true;
	}
	if (!strcmp(c->op, "replay"))
		return checker_span(f->checker, &c->span) ||
		       follow_blame(f, checker_fault(f->checker));
	if (!strcmp(c->op, "lagged")) {
		f->lagged++;
		*again = true;
		return true;
	}
	if (!strcmp(c->op, "draining") || !strcmp(c->op, "expiring"))
		return true;
	/* The writer starts again: come back. */
	if (!strcmp(c->op, "error") && client_is(c, "code", "unavailable"))
		return false;
	snprintf(f->fault, sizeof(f->fault), "unexpected '%s' %.*s", c->op,
	    client_get(c, "message") != NULL
		? (int)client_get(c, "message")->via.str.size
		: 0,
	    client_get(c, "message") != NULL
		? client_get(c, "message")->via.str.ptr
		: "");
	return false;
}

/* How long to wait for a message: no longer than until one looks up. */
static int
follow_patience(const struct follower *f)
{
	int64_t left = f->plan->deadline_ms - wire_now_ms();

	return (int)(f->plan->until_file != NULL ? MIN(left, FOLLOW_LOOK_MS)
						 : left);
}

/* Follow on one connection until it ends, or until all is there. */
static void
follow_connection(struct follower *f, struct client *c, const char *pattern)
{
	uint64_t id = 1;
	bool again = true;

	while (checker_position(f->checker) < f->plan->until) {
		if (again && !client_subscribe(c, id++, pattern,
				 checker_position(f->checker)))
			return;
		again = false;
		switch (client_next(c, follow_patience(f))) {
		case CLIENT_BATCH:
			if (!checker_span(f->checker, &c->span)) {
				follow_blame(f, checker_fault(f->checker));
				return;
			}
			break;
		case CLIENT_CONTROL:
			if (!follow_control(f, c, &again))
				return;
			break;
		case CLIENT_WRONG:
			follow_blame(f, c->wrong);
			return;
		case CLIENT_LATE:
			if (follow_late(f))
				return;
			break;
		default:
			return;
		}
		follow_maybe_kill(f);
	}
}

static void *
follow_client(void *arg)
{
	struct follower *f = arg;
	const struct follow *plan = f->plan;
	char log[128] = "";
	struct client c;

	while (
	    f->fault[0] == '\0' && checker_position(f->checker) < plan->until) {
		if (follow_late(f)) {
			follow_blame(f, "the time is up");
			break;
		}
		if (!client_open(&c, &plan->to, plan->token)) {
			/* Nobody is there yet, or a writer starts again. */
			f->refused += f->subscribed;
			client_close(&c);
			(void)poll(NULL, 0, FOLLOW_PAUSE_MS);
			continue;
		}
		if (log[0] != '\0' && strcmp(log, c.log) != 0)
			follow_blame(f, "the log is another one");
		memcpy(log, c.log, sizeof(log));
		f->connections++;
		follow_connection(f, &c, f->pattern);
		f->lost_ms = wire_now_ms();
		client_close(&c);
		if (checker_position(f->checker) < plan->until)
			(void)poll(NULL, 0, FOLLOW_PAUSE_MS);
	}
	return NULL;
}

struct follow_all {
	struct follower *f;
	unsigned n;
	uint64_t request; /* the last one that was shown */
};

static bool
follow_compare(void *arg, const struct truth_event *ev)
{
	struct follow_all *all = arg;

	for (unsigned i = 0; i < all->n; i++) {
		struct checker *checker = all->f[i].checker;

		(void)checker_truth(checker, &ev->event);
		if (ev->first != all->request)
			(void)checker_request(checker, ev->first, ev->last);
	}
	all->request = ev->first;
	return true;
}

/* Compare each history with the log; false where the log can't be read. */
static bool
follow_truth(const struct follow *plan, struct follower *f)
{
	struct follow_all all = { f, plan->clients, 0 };

	if (plan->log == NULL)
		return true;
	if (!truth_each(plan->log, follow_compare, &all))
		return false;
	for (unsigned i = 0; i < plan->clients; i++)
		(void)checker_truth_end(f[i].checker);
	return true;
}

static int
follow_by_gap(const void *a, const void *b)
{
	const struct follower *x = a, *y = b;

	return (x->gap_ms > y->gap_ms) - (x->gap_ms < y->gap_ms);
}

/* Of those who lost a connection, the longest time without one; sorts. */
static void
follow_report_gaps(const struct follow *plan, struct follower *f)
{
	unsigned n = plan->clients, none = 0;

	qsort(f, n, sizeof(*f), follow_by_gap);
	while (none < n && f[none].gap_ms == 0)
		none++;
	if (none == n)
		return;
	f += none;
	n -= none;
	printf("gaps=%u p50=%u ms p99=%u ms longest=%u ms\n", n,
	    f[n / 2].gap_ms, f[n - 1 - n / 100].gap_ms, f[n - 1].gap_ms);
}

static int
follow_report(const struct follow *plan, struct follower *f)
{
	unsigned bad = 0, connections = 0, lagged = 0, refused = 0;
	uint64_t events = 0;

	for (unsigned i = 0; i < plan->clients; i++) {
		(void)follow_blame(&f[i], checker_fault(f[i].checker));
		connections += f[i].connections;
		lagged += f[i].lagged;
		refused += f[i].refused;
		events += checker_events(f[i].checker);
		if (f[i].fault[0] == '\0')
			continue;
		if (bad++ < 10)
			printf("# client %u at %" PRIu64 ": %s\n", i,
			    checker_position(f[i].checker), f[i].fault);
	}
	printf("clients=%u faulty=%u events=%" PRIu64
	       " connections=%u lagged=%u refused=%u\n",
	    plan->clients, bad, events, connections, lagged, refused);
	follow_report_gaps(plan, f);
	return bad == 0 ? 0 : 1;
}

static uint64_t
follow_number(const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0') {
		fprintf(stderr, "follow: '%s' is no number\n", text);
		exit(2);
	}
	return v;
}

static void
follow_options(struct follow *plan, int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "p:C:t:n:P:f:u:U:d:k:K:l:r:")) != -1)
		switch (o) {
		case 'p':
			plan->to.port = (unsigned)follow_number(optarg);
			break;
		case 'C':
			plan->to.cafile = optarg;
			break;
		case 't':
			plan->token = client_read_file(optarg);
			break;
		case 'n':
			plan->clients = (unsigned)follow_number(optarg);
			break;
		case 'P':
			if (plan->n_patterns < FOLLOW_PATTERNS)
				plan->patterns[plan->n_patterns++] = optarg;
			break;
		case 'f':
			plan->from = follow_number(optarg);
			break;
		case 'u':
			plan->until = follow_number(optarg);
			break;
		case 'U':
			plan->until_file = optarg;
			plan->until = UINT64_MAX;
			break;
		case 'd':
			plan->deadline_ms =
			    wire_now_ms() +
			    1000 * (int64_t)follow_number(optarg);
			break;
		case 'k':
			plan->kill_at = follow_number(optarg);
			break;
		case 'K':
			plan->kill_who = optarg;
			break;
		case 'l':
			plan->log = optarg;
			break;
		case 'r':
			plan->ready = optarg;
			break;
		default:
			exit(2);
		}
}

/* The end is told when it is known; clients look at it with each message. */
static void
follow_await_until(struct follow *plan)
{
	char *text = NULL;

	while (plan->until_file && text == NULL &&
	       wire_now_ms() < plan->deadline_ms) {
		(void)poll(NULL, 0, FOLLOW_PAUSE_MS);
		text = client_read_file(plan->until_file);
	}
	if (text != NULL)
		plan->until = follow_number(text);
	free(text);
}

int
main(int argc, char **argv)
{
	struct follow plan = { .to = { "127.0.0.1", 0, NULL },
		.clients = 1,
		.deadline_ms = wire_now_ms() + WIRE_DEADLINE_MS };
	struct follower *f;
	int status;

	follow_options(&plan, argc, argv);
	if (plan.to.port == 0 || plan.to.cafile == NULL || plan.token == NULL ||
	    plan.n_patterns == 0 || plan.clients == 0) {
		fprintf(stderr,
		    "usage: follow -p PORT -C CAFILE -t TOKENFILE -P PATTERN... "
		    "-u SEQ|-U FILE [-f SEQ] [-n CLIENTS] [-d SECONDS] "
		    "[-k SEQ -K PID] [-l LOGDIR] [-r READYFILE]\n");
		return 2;
	}
	f = calloc(plan.clients, sizeof(*f));
	if (f == NULL)
		return 2;
	for (unsigned i = 0; i < plan.clients; i++) {
		f[i].plan = &plan;
		f[i].pattern = plan.patterns[i % plan.n_patterns];
		f[i].checker = checker_new(f[i].pattern, plan.from);
		if (f[i].checker == NULL || pthread_create(&f[i].thread, NULL,
						follow_client, &f[i]) != 0) {
			fprintf(stderr, "follow: no room for a client\n");
			return 2;
		}
	}
	follow_await_until(&plan);
	for (unsigned i = 0; i < plan.clients; i++)
		pthread_join(f[i].thread, NULL);
	status = follow_truth(&plan, f) ? follow_report(&plan, f) : 1;
	for (unsigned i = 0; i < plan.clients; i++)
		checker_free(f[i].checker);
	free(f);
	free(plan.token);
	return status;
}
