/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One client instance with a stored position.  week ack stores it, week acks
 * prints what welcome says is stored, week resume goes on from it and judges
 * every event up to where a file says, against the log.
 */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "core/proto.h"
#include "tests/lib/checker.h"
#include "tests/lib/client.h"
#include "tests/lib/truth.h"

struct week {
	struct wire_to to;
	char *token;
	const char *instance;
	const char *name;    /* of the position */
	const char *pattern; /* that is followed */
	uint64_t seq;	     /* to be stored, or stored */
	const char *log;     /* directory */
	const char *stop;    /* once it is there, it holds the last seq */
	const char *live;    /* made when the replay is at its end */
	int64_t deadline_ms;
	struct client client;
};

static void __attribute__((noreturn))
week_die(const char *what, const char *detail)
{
	printf("# week: %s%s\n", what, detail);
	exit(1);
}

static void
week_open(struct week *w)
{
	if (!client_open_as(&w->client, &w->to, w->token, w->instance))
		week_die("no welcome: ", w->client.wrong);
}

static void
week_send(struct week *w, struct mp_buf *b)
{
	if (!wire_frame(w->client.wire, WIRE_FIN | WIRE_BINARY, b->p, b->len))
		week_die("cannot send", "");
	mp_buf_deinit(b);
}

/* Everything before it has been taken. */
static void
week_ping(struct week *w)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "ping", (struct proto_uint){ true, 77 }, 0);
	week_send(w, &b);
	for (;;)
		switch (client_next(&w->client, WIRE_DEADLINE_MS)) {
		case CLIENT_BATCH:
			continue;
		case CLIENT_CONTROL:
			if (strcmp(w->client.op, "pong") == 0)
				return;
			if (strcmp(w->client.op, "error") == 0)
				week_die("the ack was refused", "");
			continue;
		default:
			week_die("no pong: ", w->client.wrong);
		}
}

static void
week_ack(struct week *w, uint64_t seq)
{
	struct mp_buf b = { 0 };

	proto_pack_head(
	    &b, "ack", (struct proto_uint){ false, 0 }, 1 + (w->name != NULL));
	mp_pair_uint(&b, "seq", seq);
	if (w->name != NULL)
		mp_pair_cstr(&b, "name", w->name);
	week_send(w, &b);
}

/* "name"=seq, one a line; "absent". */
static int
week_acks(struct week *w)
{
	const msgpack_object *ack;

	week_open(w);
	ack = client_get(&w->client, "ack");
	if (ack == NULL || ack->type != MSGPACK_OBJECT_MAP) {
		printf("absent\n");
		client_close(&w->client);
		return 0;
	}
	for (uint32_t i = 0; i < ack->via.map.size; i++) {
		const msgpack_object_kv *kv = &ack->via.map.ptr[i];

		if (kv->key.type != MSGPACK_OBJECT_STR ||
		    kv->val.type != MSGPACK_OBJECT_POSITIVE_INTEGER)
			week_die("ack in welcome is no map of names", "");
		printf("\"%.*s\"=%" PRIu64 "\n", (int)kv->key.via.str.size,
		    kv->key.via.str.ptr, kv->val.via.u64);
	}
	client_close(&w->client);
	return 0;
}

static void
week_subscribe(struct week *w)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "subscribe", (struct proto_uint){ true, 1 },
	    2 + (w->name != NULL));
	mp_pack_cstr(&b, "topics");
	mp_pack_array(&b, 1);
	mp_pack_cstr(&b, w->pattern);
	mp_pair_cstr(&b, "from", "ack");
	if (w->name != NULL)
		mp_pair_cstr(&b, "name", w->name);
	week_send(w, &b);
}

struct week_resume {
	struct checker *checker;
	uint64_t parts, replayed, batches;
	bool answered, replay_over;
	uint64_t until; /* UINT64_MAX: not known yet */
	uint64_t request;
};

static void
week_span(struct week *w, struct week_resume *r)
{
	if (!checker_span(r->checker, &w->client.span))
		week_die("", checker_fault(r->checker));
}

static void
week_control(struct week *w, struct week_resume *r)
{
	struct client *c = &w->client;
	const msgpack_object *o;

	if (strcmp(c->op, "subscribed") == 0) {
		r->answered = true;
	} else if (strcmp(c->op, "replay") == 0) {
		if (!r->answered || r->replay_over)
			week_die("a replay that nobody waits for", "");
		week_span(w, r);
		r->parts++;
		r->replayed += c->span.n;
		r->replay_over = c->last;
		if (c->last && w->live != NULL)
			fclose(fopen(w->live, "we"));
	} else if (strcmp(c->op, "error") == 0) {
		o = client_get(c, "message");
		(void)snprintf(c->wrong, sizeof(c->wrong), "%.*s",
		    o != NULL ? (int)o->via.str.size : 0,
		    o != NULL ? o->via.str.ptr : "");
		week_die("error: ", c->wrong);
	} else if (strcmp(c->op, "lagged") == 0) {
		o = client_get(c, "reason");
		(void)snprintf(c->wrong, sizeof(c->wrong), "%.*s",
		    o != NULL ? (int)o->via.str.size : 0,
		    o != NULL ? o->via.str.ptr : "");
		week_die("lagged: ", c->wrong);
	}
}

static void
week_stopped(struct week *w, struct week_resume *r)
{
	char *text = client_read_file(w->stop);

	if (text != NULL && text[0] != '\0')
		r->until = strtoull(text, NULL, 10);
	free(text);
}

static bool
week_truth(void *arg, const struct truth_event *ev)
{
	struct week_resume *r = arg;

	(void)checker_truth(r->checker, &ev->event);
	if (ev->first != r->request)
		(void)checker_request(r->checker, ev->first, ev->last);
	r->request = ev->first;
	return true;
}

static int
week_resume(struct week *w)
{
	struct week_resume r = { .checker = checker_new(w->pattern, w->seq),
		.until = UINT64_MAX };

	week_open(w);
	week_subscribe(w);
	while (checker_position(r.checker) < r.until || !r.replay_over) {
		if (r.until == UINT64_MAX)
			week_stopped(w, &r);
		switch (client_next(&w->client, 500)) {
		case CLIENT_BATCH:
			if (!r.replay_over)
				week_die("a batch before the replay's end", "");
			week_span(w, &r);
			r.batches++;
			break;
		case CLIENT_CONTROL:
			week_control(w, &r);
			break;
		case CLIENT_LATE:
			if (wire_now_ms() > w->deadline_ms)
				week_die("the time is up", "");
			break;
		case CLIENT_ENDED:
			week_die("the connection ended", "");
		default:
			week_die("", w->client.wrong);
		}
	}
	/* This is how far it has got, for the next time. */
	week_ack(w, checker_position(r.checker));
	week_ping(w);
	if (!truth_each(w->log, week_truth, &r) ||
	    !checker_truth_end(r.checker))
		week_die("", checker_fault(r.checker));
	printf("from=%" PRIu64 " position=%" PRIu64 " events=%" PRIu64
	       " parts=%" PRIu64 " replayed=%" PRIu64 " batches=%" PRIu64 "\n",
	    w->seq, checker_position(r.checker), checker_events(r.checker),
	    r.parts, r.replayed, r.batches);
	client_close(&w->client);
	checker_free(r.checker);
	return 0;
}

static void
week_options(struct week *w, int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "p:C:t:I:N:P:q:l:s:L:d:")) != -1)
		switch (o) {
		case 'p':
			w->to.port = (unsigned)atoi(optarg);
			break;
		case 'C':
			w->to.cafile = optarg;
			break;
		case 't':
			w->token = client_read_file(optarg);
			break;
		case 'I':
			w->instance = optarg;
			break;
		case 'N':
			w->name = optarg;
			break;
		case 'P':
			w->pattern = optarg;
			break;
		case 'q':
			w->seq = strtoull(optarg, NULL, 10);
			break;
		case 'l':
			w->log = optarg;
			break;
		case 's':
			w->stop = optarg;
			break;
		case 'L':
			w->live = optarg;
			break;
		case 'd':
			w->deadline_ms = wire_now_ms() + 1000 * atoll(optarg);
			break;
		default:
			exit(2);
		}
}

static int
week_store(struct week *w)
{
	week_open(w);
	week_ack(w, w->seq);
	week_ping(w);
	client_close(&w->client);
	return 0;
}

int
main(int argc, char **argv)
{
	struct week w = { .to = { "127.0.0.1", 0, NULL },
		.pattern = ">",
		.deadline_ms = wire_now_ms() + WIRE_DEADLINE_MS };
	const char *what = argc > 1 ? argv[1] : "";
	int status;

	if (argc > 1)
		week_options(&w, argc - 1, argv + 1);
	if (w.to.port == 0 || w.to.cafile == NULL || w.token == NULL)
		week_die("usage: week ack|acks|resume -p PORT -C CAFILE ",
		    "-t TOKENFILE -I INSTANCE [-N NAME] [-q SEQ] "
		    "[-P PATTERN -l LOGDIR -s STOPFILE] [-L LIVEFILE] "
		    "[-d SECONDS]");
	if (strcmp(what, "acks") == 0)
		status = week_acks(&w);
	else if (strcmp(what, "resume") == 0 && w.log != NULL && w.stop != NULL)
		status = week_resume(&w);
	else if (strcmp(what, "ack") == 0)
		status = week_store(&w);
	else
		week_die("ack, acks or resume, not ", what);
	free(w.token);
	return status;
}
