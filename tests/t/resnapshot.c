/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Clients that read at a fraction of what is appended, on a schedule.  Each
 * is judged by a view; told lagged, it asks for what changed since.  None may
 * ask again and again and stand still, and all end with what folding the log
 * gives.
 */

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/proto.h"
#include "tests/lib/client.h"
#include "tests/lib/truth.h"
#include "tests/lib/view.h"

enum {
	RESNAPSHOT_SUBS = 2,
	RESNAPSHOT_FRUITLESS = 20, /* questions of one that stands still */
	RESNAPSHOT_SLOWER_MS = 5000,
	RESNAPSHOT_RCVBUF = 32768,
	RESNAPSHOT_TICK_MS = 20,
};

struct resnapshot {
	struct wire_to to;
	char *token;
	unsigned clients;
	uint64_t rate;	      /* bytes a second that a client reads */
	uint64_t conflate_ms; /* 0: it gets every event */
	const char *pattern;  /* of all clients; NULL: some of load */
	int64_t deadline_ms, slower_ms;
	const char *log;   /* directory */
	const char *ready; /* made when all have a first position */
	const char *stop;  /* once it is there, it holds the last seq */
	const char *lags;  /* made when one was told lagged; NULL: never */
	const char *rows;  /* where the rows are printed */
	int64_t head;	   /* -1: the load goes on */
};

struct subscription {
	const char *pattern;
	uint64_t id;
	int64_t position;
	int64_t moved_ms;
	int64_t retry_ms; /* asked again then, 0: is asked for */
	int64_t longest_ms;
	unsigned fruitless, most; /* questions since it has moved */
	struct mp_buf scope;
};

struct slow {
	const struct resnapshot *plan;
	struct client client;
	struct mp_buf fold;
	struct view *view;
	struct subscription subs[RESNAPSHOT_SUBS];
	unsigned n;
	uint64_t next_id;
	double budget;
	uint64_t bytes;
	unsigned errors; /* unavailable, and the like */
	char fault[900];
};

static void __attribute__((noreturn))
resnapshot_die(const char *what, const char *detail)
{
	printf("# resnapshot: %s%s\n", what, detail);
	exit(1);
}

static void
resnapshot_leave_file(const char *path)
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		resnapshot_die("cannot make ", path);
	fclose(f);
}

static void
slow_blame(struct slow *s, const char *what, const char *detail)
{
	if (s->fault[0] == '\0')
		(void)snprintf(
		    s->fault, sizeof(s->fault), "%s%s", what, detail);
}

/* {op:"subscribe", ..., since?, scope?} */
static void
slow_subscribe(struct slow *s, struct subscription *sub)
{
	const struct view_ask ask = { .id = s->next_id++,
		.topics = { sub->pattern },
		.from = VIEW_SNAPSHOT,
		.position = sub->position,
		.heir_of = sub->position >= 0 ? sub->id : 0 };
	bool since = sub->position >= 0;
	bool conflate = s->plan->conflate_ms > 0;
	struct mp_buf b = { 0 };

	sub->id = ask.id;
	sub->retry_ms = 0;
	proto_pack_head(&b, "subscribe", (struct proto_uint){ true, sub->id },
	    2 + 2 * since + (since && sub->scope.len != 0) + conflate);
	if (conflate)
		mp_pair_uint(&b, "conflate", s->plan->conflate_ms);
	mp_pack_cstr(&b, "topics");
	mp_pack_array(&b, 1);
	mp_pack_cstr(&b, sub->pattern);
	mp_pair_cstr(&b, "from", "snapshot");
	if (since) {
		mp_pair_uint(&b, "since", (uint64_t)sub->position);
		mp_pair_cstr(&b, "log", s->client.log);
	}
	if (since && sub->scope.len != 0)
		mp_pair_raw(
		    &b, "scope", slice_of(sub->scope.p, sub->scope.len));
	if (!view_asked(s->view, &ask) || b.failed ||
	    !wire_frame(s->client.wire, WIRE_FIN | WIRE_BINARY, b.p, b.len))
		slow_blame(s, "cannot subscribe", "");
	mp_buf_deinit(&b);
}

/* An error may say when to come back; anything else is wrong. */
static void
slow_error(struct slow *s, struct slice message)
{
	struct slice code = proto_get_str(message, "code");
	struct slice text = proto_get_str(message, "message");
	struct proto_uint retry = proto_get_uint(message, "retry_ms");
	struct proto_uint id = proto_get_uint(message, "id");
	char said[300];

	s->errors++;
	for (unsigned i = 0; i < s->n; i++)
		if (id.set && id.v == s->subs[i].id)
			s->subs[i].retry_ms =
			    wire_now_ms() +
			    (int64_t)(retry.set ? retry.v : 100);
	/* `behind`: the broker has yet to come to the position. */
	if (slice_is(code, "unavailable") || slice_is(code, "rate_limited") ||
	    slice_is(code, "behind"))
		return;
	snprintf(said, sizeof(said), "%.*s: %.*s", (int)code.len,
	    (const char *)code.p, (int)text.len, (const char *)text.p);
	slow_blame(s, "error ", said);
}

/* What each subscription has come to by a message. */
static void
slow_look(struct slow *s, struct subscription *sub)
{
	int64_t position = view_position(s->view, sub->id);
	struct slice scope = view_scope(s->view, sub->id);
	int64_t now = wire_now_ms();
	char said[60];

	if (position > sub->position) {
		sub->longest_ms = MAX(sub->longest_ms, now - sub->moved_ms);
		sub->position = position;
		sub->moved_ms = now;
		sub->fruitless = 0;
	}
	if (scope.len != 0) {
		sub->scope.len = 0;
		mp_buf_bytes(&sub->scope, scope.p, scope.len);
	}
	if (view_state(s->view, sub->id) != VIEW_ENDED || sub->retry_ms != 0)
		return;
	snprintf(said, sizeof(said), "%" PRId64, sub->position);
	sub->most = MAX(sub->most, ++sub->fruitless);
	if (sub->fruitless > RESNAPSHOT_FRUITLESS)
		slow_blame(
		    s, "asks again and again, and stands still at ", said);
	slow_subscribe(s, sub);
}

static void
slow_message(struct slow *s, const struct wire_message *m)
{
	struct slice message = slice_of(m->p, m->len);

	if (m->opcode != WIRE_BINARY) {
		slow_blame(s, "a message that is not binary", "");
		return;
	}
	if (!view_message(s->view, message)) {
		slow_blame(s, view_fault(s->view), "");
		return;
	}
	if (m->len > 0 && (m->p[0] & 0xf0) == 0x80 &&
	    slice_is(proto_get_str(message, "op"), "error"))
		slow_error(s, message);
	for (unsigned i = 0; i < s->n; i++)
		slow_look(s, &s->subs[i]);
}

/* Read while the budget lasts; true when something came. */
static bool
slow_read(struct slow *s)
{
	struct wire_message m;
	bool some = false;
	char code[20];

	while (s->budget > 0 && s->fault[0] == '\0') {
		switch (wire_next(s->client.wire, &m, 0)) {
		case WIRE_LATE:
			return some;
		case WIRE_ENDED:
			snprintf(code, sizeof(code), "%u",
			    wire_close_code(s->client.wire));
			slow_blame(s, "the connection ended with ", code);
			return true;
		default:
			break;
		}
		some = true;
		s->budget -= (double)m.len;
		s->bytes += m.len;
		slow_message(s, &m);
	}
	return some;
}

static void
slow_retry(struct slow *s)
{
	int64_t now = wire_now_ms();

	for (unsigned i = 0; i < s->n; i++) {
		struct subscription *sub = &s->subs[i];

		if (sub->retry_ms != 0 && now >= sub->retry_ms)
			slow_subscribe(s, sub);
	}
}

static bool
slow_done(const struct slow *s, const struct resnapshot *plan)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->subs[i].position < plan->head ||
		    view_state(s->view, s->subs[i].id) != VIEW_LIVE)
			return s->fault[0] != '\0';
	return plan->head >= 0 || s->fault[0] != '\0';
}

static bool
slow_positioned(const struct slow *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->subs[i].position < 0)
			return false;
	return true;
}

static void
slow_begin(struct slow *s, const struct resnapshot *plan, unsigned i)
{
	static const char *const patterns[][RESNAPSHOT_SUBS] = { { "load.>",
								     NULL },
		{ "quiet.>", "load.>" }, { "load.3.>", "load.*.4" } };
	struct slice fold;

	wire_narrow(RESNAPSHOT_RCVBUF);
	if (!client_open(&s->client, &plan->to, plan->token))
		resnapshot_die("no welcome: ", s->client.wrong);
	fold = proto_get(slice_of(s->client.bytes, s->client.len), "fold");
	mp_pack_raw(&s->fold, fold);
	s->view = view_new(slice_of(s->fold.p, s->fold.len));
	if (s->view == NULL || fold.len == 0)
		resnapshot_die("no room, or no fold rules in welcome", "");
	s->plan = plan;
	if (plan->conflate_ms > 0)
		view_conflates(s->view);
	s->next_id = 1;
	for (unsigned k = 0; k < RESNAPSHOT_SUBS; k++) {
		struct subscription *sub = &s->subs[s->n];
		const char *pattern = plan->pattern;

		if (pattern == NULL)
			pattern = patterns[i % 3][k];
		else if (k > 0)
			pattern = NULL;
		if (pattern == NULL)
			continue;
		s->n++;
		sub->pattern = pattern;
		sub->position = VIEW_NO_POSITION;
		sub->moved_ms = wire_now_ms();
		slow_subscribe(s, sub);
	}
}

/* The file says where the log ended. */
static void
resnapshot_stopped(struct resnapshot *plan)
{
	char *text = client_read_file(plan->stop);

	if (text != NULL && text[0] != '\0')
		plan->head = strtoll(text, NULL, 10);
	free(text);
}

/* Wait for what is due: bytes for who may read, or budget for who may not. */
static void
resnapshot_wait(
    struct slow *all, const struct resnapshot *plan, struct pollfd *fds)
{
	nfds_t n = 0;

	for (unsigned i = 0; i < plan->clients; i++)
		if (all[i].budget > 0 && all[i].fault[0] == '\0')
			fds[n++] =
			    (struct pollfd){ .fd = wire_fd(all[i].client.wire),
				    .events = POLLIN };
	(void)poll(fds, n, RESNAPSHOT_TICK_MS);
}

/*
 * As slowly as it takes to be told lagged: how fast events come is not up to
 * the clients.
 */
static void
resnapshot_slower(const struct slow *all, struct resnapshot *plan, int64_t now)
{
	if (plan->lags == NULL)
		return;
	for (unsigned i = 0; i < plan->clients; i++)
		if (view_counts(all[i].view)->lagged > 0) {
			resnapshot_leave_file(plan->lags);
			plan->lags = NULL;
			return;
		}
	if (now < plan->slower_ms)
		return;
	plan->slower_ms = now + RESNAPSHOT_SLOWER_MS;
	plan->rate = MAX(plan->rate / 2, (uint64_t)RESNAPSHOT_RCVBUF);
}

static void
resnapshot_run(struct slow *all, struct resnapshot *plan)
{
	struct pollfd *fds = calloc(plan->clients, sizeof(*fds));
	int64_t last = wire_now_ms();
	bool ready = false;

	plan->slower_ms = last + RESNAPSHOT_SLOWER_MS;
	for (;;) {
		int64_t now = wire_now_ms();
		double more =
		    (double)((now - last) * (int64_t)plan->rate) / 1e3;
		unsigned done = 0, positioned = 0;
		bool some = false;

		last = now;
		resnapshot_slower(all, plan, now);
		if (plan->head < 0)
			resnapshot_stopped(plan);
		for (unsigned i = 0; i < plan->clients; i++) {
			struct slow *s = &all[i];

			/* What was not read in time is not read later. */
			s->budget =
			    MIN(s->budget + more, (double)plan->rate / 10);
			some |= slow_read(s);
			slow_retry(s);
			done += slow_done(s, plan);
			positioned += slow_positioned(s);
		}
		if (!ready && positioned == plan->clients) {
			ready = true;
			resnapshot_leave_file(plan->ready);
		}
		if (done == plan->clients || now > plan->deadline_ms)
			break;
		if (!some)
			resnapshot_wait(all, plan, fds);
	}
	free(fds);
}

struct resnapshot_truth {
	struct slow *all;
	unsigned n;
	uint64_t request;
};

static bool
resnapshot_requests(void *arg, const struct truth_event *ev)
{
	struct resnapshot_truth *t = arg;

	if (ev->first != t->request)
		for (unsigned i = 0; i < t->n; i++)
			(void)view_request(t->all[i].view, ev->first, ev->last);
	t->request = ev->first;
	return true;
}

static void
resnapshot_compare(struct slow *all, const struct resnapshot *plan)
{
	struct resnapshot_truth t = { all, plan->clients, 0 };
	struct rows *truth = rows_new((struct slice){ 0 });
	char text[800];

	if (truth == NULL || !rows_of_log(truth, plan->log) ||
	    !truth_each(plan->log, resnapshot_requests, &t))
		resnapshot_die("the log cannot be folded", "");
	for (unsigned i = 0; i < plan->clients; i++) {
		struct slow *s = &all[i];

		slow_blame(s, view_fault(s->view), "");
		if (!slow_done(s, plan))
			slow_blame(s, "did not come to the head", "");
		for (unsigned k = 0; k < s->n; k++)
			if (!rows_equal(view_rows(s->view, s->subs[k].id),
				truth, s->subs[k].pattern, NULL, text,
				sizeof(text)))
				slow_blame(s, text, "");
	}
	if (plan->rows != NULL && !rows_print(truth, plan->rows))
		resnapshot_die("cannot write ", plan->rows);
	rows_free(truth);
}

static int
resnapshot_report(const struct slow *all, const struct resnapshot *plan)
{
	struct view_counts sum = { 0 };
	uint64_t bytes = 0, errors = 0, bad = 0;
	int64_t longest = 0;
	unsigned most = 0;

	for (unsigned i = 0; i < plan->clients; i++) {
		view_counts_add(&sum, view_counts(all[i].view));
		bytes += all[i].bytes;
		errors += all[i].errors;
		for (unsigned k = 0; k < all[i].n; k++) {
			longest = MAX(longest, all[i].subs[k].longest_ms);
			most = MAX(most, all[i].subs[k].most);
		}
		if (all[i].fault[0] != '\0' && bad++ < 10)
			printf("# client %u: %s\n", i, all[i].fault);
	}
	printf("clients=%u faulty=%" PRIu64 " ", plan->clients, bad);
	view_counts_print(&sum);
	printf(" bytes=%" PRIu64 " errors=%" PRIu64 " longest_ms=%" PRId64
	       " fruitless=%u\n",
	    bytes, errors, longest, most);
	return bad != 0;
}

static void
resnapshot_options(struct resnapshot *plan, int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "p:C:t:n:b:c:P:d:l:r:s:L:o:")) != -1)
		switch (o) {
		case 'p':
			plan->to.port = (unsigned)atoi(optarg);
			break;
		case 'C':
			plan->to.cafile = optarg;
			break;
		case 't':
			plan->token = client_read_file(optarg);
			break;
		case 'n':
			plan->clients = (unsigned)atoi(optarg);
			break;
		case 'b':
			plan->rate = (uint64_t)atoll(optarg);
			break;
		case 'c':
			plan->conflate_ms = (uint64_t)atoll(optarg);
			break;
		case 'P':
			plan->pattern = optarg;
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
		case 'L':
			plan->lags = optarg;
			break;
		case 'o':
			plan->rows = optarg;
			break;
		default:
			exit(2);
		}
	if (plan->to.port == 0 || plan->to.cafile == NULL ||
	    plan->token == NULL || plan->clients == 0 || plan->rate == 0 ||
	    plan->log == NULL || plan->ready == NULL || plan->stop == NULL)
		resnapshot_die("usage: resnapshot -p PORT -C CAFILE ",
		    "-t TOKENFILE -n CLIENTS -b BYTES -l LOGDIR -r READYFILE "
		    "-s STOPFILE [-c CONFLATE_MS] [-P PATTERN] [-o ROWSFILE] "
		    "[-L LAGGEDFILE] [-d SECONDS]");
}

int
main(int argc, char **argv)
{
	struct resnapshot plan = { .to = { "127.0.0.1", 0, NULL },
		.deadline_ms = wire_now_ms() + WIRE_DEADLINE_MS,
		.head = -1 };
	struct slow *all;
	int status;

	resnapshot_options(&plan, argc, argv);
	all = calloc(plan.clients, sizeof(*all));
	if (all == NULL)
		return 2;
	for (unsigned i = 0; i < plan.clients; i++)
		slow_begin(&all[i], &plan, i);
	resnapshot_run(all, &plan);
	resnapshot_compare(all, &plan);
	status = resnapshot_report(all, &plan);
	for (unsigned i = 0; i < plan.clients; i++) {
		for (unsigned k = 0; k < all[i].n; k++)
			mp_buf_deinit(&all[i].subs[k].scope);
		view_free(all[i].view);
		mp_buf_deinit(&all[i].fold);
		client_close(&all[i].client);
	}
	free(all);
	free(plan.token);
	return status;
}
