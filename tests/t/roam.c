/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Clients that subscribe to whatever from wherever, unsubscribe, stop reading
 * for a while, and come back, all at random.  Each connection is judged by a
 * view of its own; at the end what it was told since a snapshot has to be
 * what folding the log gives.
 */

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/proto.h"
#include "tests/lib/truth.h"
#include "tests/t/roam_priv.h"

/* What the second token may read. */
static const char *const roam_read[] = { "quiet.>", "load.3.>", "load.*.7",
	NULL };

static void __attribute__((noreturn))
roam_die(const char *what, const char *detail)
{
	printf("# roam: %s%s\n", what, detail);
	exit(1);
}

/* --- a connection --- */

/* false: nobody is there, which may be. */
static bool
roam_open(struct roamer *r)
{
	const struct roam *plan = r->plan;
	bool guest = plan->tokens[1] != NULL && roam_random(r, 3) == 0;
	struct slice fold;

	wire_narrow(roam_random(r, 2) == 0 ? 16384 : 0);
	if (!client_open(&r->client, &plan->to, plan->tokens[guest])) {
		if (!plan->lossy)
			roam_die("no welcome: ", r->client.wrong);
		client_close(&r->client);
		return false;
	}
	r->down = false;
	r->connections++;
	r->read = guest ? roam_read : NULL;
	fold = proto_get(slice_of(r->client.bytes, r->client.len), "fold");
	mp_pack_raw(&r->fold, fold);
	r->view = view_new(slice_of(r->fold.p, r->fold.len));
	if (r->view == NULL || fold.len == 0)
		roam_die("no room, or no fold rules in welcome", "");
	view_may_read(r->view, r->read);
	r->conflate_ms = 0;
	if (roam_random(r, 3) == 0) {
		r->conflate_ms = 10 + roam_random(r, 490);
		view_conflates(r->view);
	}
	if (plan->trace != NULL)
		r->trace = open_memstream(&r->traced, &r->trace_len);
	r->next_id = 1;
	return true;
}

/* A faulty client's goes to a file. */
static void
roam_trace_keep(struct roamer *r)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/client%u", r->plan->trace, r->number);
	f = r->fault[0] != '\0' ? fopen(path, "we") : NULL;
	if (f == NULL)
		return;
	fprintf(f, "%s%s\n", r->traced, r->fault);
	fclose(f);
}

static void
roam_close(struct roamer *r)
{
	view_counts_add(&r->sum, view_counts(r->view));
	for (unsigned i = 0; i < ROAM_SUBS; i++) {
		mp_buf_deinit(&r->subs[i].scope);
		memset(&r->subs[i], 0, sizeof(r->subs[i]));
	}
	view_free(r->view);
	mp_buf_deinit(&r->fold);
	memset(&r->fold, 0, sizeof(r->fold));
	client_close(&r->client);
	if (r->trace != NULL) {
		fclose(r->trace);
		roam_trace_keep(r);
		free(r->traced);
	}
}

/* Come back, with or without having left; later where nobody is there. */
static void
roam_back(struct roamer *r)
{
	if (!r->down)
		roam_close(r);
	r->down = !roam_open(r);
	if (r->down)
		r->wake_ms = wire_now_ms() + ROAM_PAUSE_MS;
}

/* The connection has ended. */
static void
roam_lost(struct roamer *r, const char *how)
{
	if (!r->plan->lossy) {
		roam_blame(r, "the connection ended with ", how);
		return;
	}
	roam_close(r);
	r->down = true;
	r->wake_ms = wire_now_ms() + ROAM_PAUSE_MS;
}

static bool
roam_meets(const struct roamer *r, const char *pattern)
{
	return r->read == NULL || strcmp(pattern, "none.>") != 0;
}

static void
roam_error(struct roamer *r, struct slice message)
{
	struct slice code = proto_get_str(message, "code");
	struct slice text = proto_get_str(message, "message");
	struct proto_uint retry = proto_get_uint(message, "retry_ms");
	struct proto_uint id = proto_get_uint(message, "id");
	struct roam_sub *sub = NULL;
	char said[300];

	for (unsigned i = 0; i < ROAM_SUBS; i++)
		if (r->subs[i].used && id.set && r->subs[i].ask.id == id.v)
			sub = &r->subs[i];
	snprintf(said, sizeof(said), "%.*s: %.*s", (int)code.len,
	    (const char *)code.p, (int)text.len, (const char *)text.p);
	r->errors++;
	if (sub != NULL && slice_is(code, "forbidden") &&
	    !roam_meets(r, sub->ask.topics[0])) {
		r->forbidden++;
		sub->used = false;
	} else if (sub != NULL &&
		   (slice_is(code, "unavailable") || slice_is(code, "behind") ||
		       slice_is(code, "rate_limited"))) {
		sub->retry_ms =
		    wire_now_ms() + (int64_t)(retry.set ? retry.v : 100);
	} else {
		roam_blame(r, "error ", said);
	}
}

static void
roam_message(struct roamer *r, const struct wire_message *m)
{
	struct slice message = slice_of(m->p, m->len);

	roam_trace(r, message);
	if (m->opcode != WIRE_BINARY || !view_message(r->view, message)) {
		roam_blame(r, view_fault(r->view), "");
		return;
	}
	if (m->len > 0 && (m->p[0] & 0xf0) == 0x80 &&
	    slice_is(proto_get_str(message, "op"), "error"))
		roam_error(r, message);
	for (unsigned i = 0; i < ROAM_SUBS; i++) {
		struct roam_sub *sub = &r->subs[i];
		struct slice scope = view_scope(r->view, sub->ask.id);

		if (!sub->used || sub->retry_ms != 0)
			continue;
		if (scope.len != 0) {
			sub->scope.len = 0;
			mp_buf_bytes(&sub->scope, scope.p, scope.len);
		}
		if (view_state(r->view, sub->ask.id) != VIEW_ENDED)
			continue;
		if (sub->ending)
			sub->used = false;
		else
			roam_again(r, sub);
	}
}

/* Some messages; true when there were any. */
static bool
roam_read_some(struct roamer *r)
{
	struct wire_message m;
	char code[20];

	for (unsigned i = 0; i < 20 && r->fault[0] == '\0'; i++) {
		switch (wire_next(r->client.wire, &m, 0)) {
		case WIRE_LATE:
			return i > 0;
		case WIRE_ENDED:
			snprintf(code, sizeof(code), "%u",
			    wire_close_code(r->client.wire));
			roam_lost(r, code);
			return true;
		default:
			roam_message(r, &m);
		}
	}
	return true;
}

/* --- what it does --- */

static bool
roam_level(const struct roamer *r)
{
	if (r->down)
		return false;
	for (unsigned i = 0; i < ROAM_SUBS; i++) {
		const struct roam_sub *sub = &r->subs[i];

		if (sub->used &&
		    (sub->ending ||
			view_state(r->view, sub->ask.id) != VIEW_LIVE ||
			view_position(r->view, sub->ask.id) < r->plan->head))
			return false;
	}
	return true;
}

static void
roam_act(struct roamer *r)
{
	struct roam_sub *sub = &r->subs[roam_random(r, ROAM_SUBS)];
	int64_t now = wire_now_ms();

	for (unsigned i = 0; i < ROAM_SUBS; i++)
		if (r->subs[i].used && r->subs[i].retry_ms != 0 &&
		    now >= r->subs[i].retry_ms)
			roam_again(r, &r->subs[i]);
	if (r->plan->head >= 0)
		return;
	switch (roam_random(r, 60)) {
	case 0:
	case 1:
	case 2:
		if (!sub->used)
			roam_begin(r, sub);
		break;
	case 3:
		if (sub->used && !sub->ending && sub->retry_ms == 0)
			roam_unsubscribe(r, sub);
		break;
	case 4:
		r->wake_ms = now + (int64_t)roam_random(r, 2000);
		break;
	case 5:
		if (roam_random(r, 5) == 0)
			roam_back(r);
		break;
	default:
		break;
	}
}

/* What is its to do now; true when it was told something. */
static bool
roam_turn(struct roamer *r)
{
	bool some;

	if (r->down) {
		roam_back(r);
		return false;
	}
	some = roam_read_some(r);
	if (!r->down)
		roam_act(r);
	return some;
}

static void
roam_stopped(struct roam *plan)
{
	char *text = client_read_file(plan->stop);

	if (text != NULL && text[0] != '\0')
		plan->head = strtoll(text, NULL, 10);
	free(text);
}

static void
roam_wait(struct roamer *all, unsigned n, struct pollfd *fds)
{
	int64_t now = wire_now_ms();
	nfds_t count = 0;

	for (unsigned i = 0; i < n; i++)
		if (all[i].fault[0] == '\0' && now >= all[i].wake_ms &&
		    !all[i].down)
			fds[count++] =
			    (struct pollfd){ .fd = wire_fd(all[i].client.wire),
				    .events = POLLIN };
	(void)poll(fds, count, ROAM_TICK_MS);
}

static void
roam_run(struct roamer *all, struct roam *plan)
{
	struct pollfd *fds = calloc(plan->clients, sizeof(*fds));

	fclose(fopen(plan->ready, "we"));
	for (;;) {
		int64_t now = wire_now_ms();
		unsigned done = 0;
		bool some = false;

		if (plan->head < 0) {
			roam_stopped(plan);
			if (plan->head >= 0)
				plan->deadline_ms = now + ROAM_HURRY_MS;
		}
		for (unsigned i = 0; i < plan->clients; i++) {
			struct roamer *r = &all[i];

			if (r->fault[0] == '\0' && now >= r->wake_ms)
				some |= roam_turn(r);
			done += r->fault[0] != '\0' ||
				(plan->head >= 0 && roam_level(r));
		}
		if (done == plan->clients || now > plan->deadline_ms)
			break;
		if (!some)
			roam_wait(all, plan->clients, fds);
	}
	free(fds);
}

/* --- the end --- */

struct roam_truth {
	struct roamer *all;
	unsigned n;
	uint64_t request;
};

static bool
roam_requests(void *arg, const struct truth_event *ev)
{
	struct roam_truth *t = arg;

	if (ev->first != t->request)
		for (unsigned i = 0; i < t->n; i++)
			if (!t->all[i].down)
				(void)view_request(
				    t->all[i].view, ev->first, ev->last);
	t->request = ev->first;
	return true;
}

static void
roam_compare_one(struct roamer *r, const struct rows *truth)
{
	char text[900], more[200];

	if (r->down) {
		roam_blame(r, "it never came back", "");
		return;
	}
	if (view_fault(r->view)[0] != '\0')
		roam_blame(r, view_fault(r->view), "");
	for (unsigned i = 0; i < ROAM_SUBS; i++) {
		const struct roam_sub *sub = &r->subs[i];

		if (!sub->used || r->fault[0] != '\0')
			continue;
		if (view_state(r->view, sub->ask.id) != VIEW_LIVE ||
		    view_position(r->view, sub->ask.id) < r->plan->head) {
			snprintf(more, sizeof(more),
			    "%" PRIu64 " in state %d at %" PRId64
			    " of %" PRId64,
			    sub->ask.id, view_state(r->view, sub->ask.id),
			    view_position(r->view, sub->ask.id), r->plan->head);
			roam_blame(r, "never level: subscription ", more);
		} else if (sub->snapshot &&
			   !rows_equal(view_rows(r->view, sub->ask.id), truth,
			       sub->ask.topics[0], r->read, text,
			       sizeof(text))) {
			roam_blame(r, text, "");
		}
	}
}

static int
roam_report(struct roamer *all, const struct roam *plan)
{
	unsigned bad = 0, connections = 0, requests = 0, errors = 0;
	unsigned forbidden = 0, resumed = 0;
	struct view_counts sum = { 0 };

	for (unsigned i = 0; i < plan->clients; i++) {
		struct roamer *r = &all[i];

		if (r->fault[0] != '\0' && bad++ < 10)
			printf("# client %u: %s\n", i, r->fault);
		if (!r->down)
			roam_close(r);
		connections += r->connections;
		requests += r->requests;
		errors += r->errors;
		forbidden += r->forbidden;
		resumed += r->resumed;
		view_counts_add(&sum, &r->sum);
	}
	printf("clients=%u faulty=%u connections=%u requests=%u errors=%u "
	       "forbidden=%u resumed=%u ",
	    plan->clients, bad, connections, requests, errors, forbidden,
	    resumed);
	view_counts_print(&sum);
	printf("\n");
	return bad != 0;
}

static void
roam_options(struct roam *plan, int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "p:C:t:T:n:S:d:l:r:s:D:R")) != -1)
		switch (o) {
		case 'p':
			plan->to.port = (unsigned)atoi(optarg);
			break;
		case 'C':
			plan->to.cafile = optarg;
			break;
		case 't':
			plan->tokens[0] = client_read_file(optarg);
			break;
		case 'T':
			plan->tokens[1] = client_read_file(optarg);
			break;
		case 'n':
			plan->clients = (unsigned)atoi(optarg);
			break;
		case 'S':
			plan->seed = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			plan->deadline_ms =
			    wire_now_ms() + 1000 * atoll(optarg);
			break;
		case 'l':
			plan->log = optarg;
			break;
		case 'r':
			plan->ready = optarg;
			break;
		case 's':
			plan->stop = optarg;
			break;
		case 'R':
			plan->lossy = true;
			break;
		case 'D':
			plan->trace = optarg;
			break;
		default:
			exit(2);
		}
	if (plan->to.port == 0 || plan->to.cafile == NULL ||
	    plan->tokens[0] == NULL || plan->clients == 0 ||
	    plan->log == NULL || plan->ready == NULL || plan->stop == NULL)
		roam_die("usage: roam -p PORT -C CAFILE -t TOKENFILE ",
		    "[-T TOKENFILE] -n CLIENTS -l LOGDIR -r READYFILE "
		    "-s STOPFILE [-S SEED] [-d SECONDS] [-D DIRECTORY] [-R]");
}

int
main(int argc, char **argv)
{
	struct roam plan = { .to = { "127.0.0.1", 0, NULL },
		.seed = (uint64_t)wire_now_ms(),
		.deadline_ms = wire_now_ms() + WIRE_DEADLINE_MS,
		.head = -1 };
	struct roam_truth truth = { 0 };
	struct roamer *all;
	struct rows *rows;
	int status;

	roam_options(&plan, argc, argv);
	printf("# roam: seed %" PRIu64 "\n", plan.seed);
	all = calloc(plan.clients, sizeof(*all));
	rows = rows_new((struct slice){ 0 });
	if (all == NULL || rows == NULL)
		return 2;
	for (unsigned i = 0; i < plan.clients; i++) {
		all[i].plan = &plan;
		all[i].number = i;
		all[i].random =
		    (plan.seed + i + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
		all[i].down = true;
		roam_back(&all[i]);
	}
	roam_run(all, &plan);
	truth.all = all;
	truth.n = plan.clients;
	if (!rows_of_log(rows, plan.log) ||
	    !truth_each(plan.log, roam_requests, &truth))
		roam_die("the log cannot be folded", "");
	for (unsigned i = 0; i < plan.clients; i++)
		roam_compare_one(&all[i], rows);
	rows_free(rows);
	status = roam_report(all, &plan);
	free(all);
	free(plan.tokens[0]);
	free(plan.tokens[1]);
	return status;
}
