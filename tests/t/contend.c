/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Producers that write the same topics at once, by socket and by gateway,
 * with keys, expectations, repeats and little patience, while whatever
 * happens to who serves them.  What they were told is judged against the log.
 */

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/macros.h"
#include "tests/lib/history.h"
#include "tests/lib/outlet.h"
#include "tests/lib/truth.h"

enum {
	CONTEND_WINDOW = 12,
	CONTEND_KNOWN = 64, /* stored requests to be repeated */
	CONTEND_PAUSE_MS = 20,
	CONTEND_TICK_MS = 10,
	CONTEND_PATIENCE_MS = 200, /* at least; at most ten times as long */
};

struct contend {
	struct outlet_to to;
	char *token;
	unsigned locals, remotes;
	uint64_t rate; /* requests a second of each */
	uint64_t seed;
	int64_t begun_ms, deadline_ms;
	const char *stop;  /* the file that ends it */
	const char *quiet; /* is made then, and gone before the judgement */
	const char *met;   /* is made when each kind of answer has come */
	const char *log;
	struct history *history;
	atomic_bool stopping;
	atomic_uint connections;
};

struct flight {
	uint64_t id; /* 0: free */
	uint32_t op;
};

struct contender {
	struct contend *all;
	struct outlet_to to;
	pthread_t thread;
	uint64_t random;
	struct outlet outlet;
	uint32_t connection;
	uint64_t last_id, asked;
	struct flight flight[CONTEND_WINDOW]; /* in the order of sending */
	unsigned n_flight;
	uint32_t again[2 * CONTEND_WINDOW]; /* to be sent once more */
	unsigned n_again;
	uint32_t known[CONTEND_KNOWN];
	unsigned n_known;
	int64_t patience_ms, heard_ms, hold_ms;
	unsigned impatient;
	char fault[800];
};

static uint64_t
contender_random(struct contender *c, uint64_t below)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return (c->random >> 11) % below;
}

static void
contender_blame(struct contender *c, const char *what, const char *detail)
{
	if (c->fault[0] == '\0')
		snprintf(c->fault, sizeof(c->fault), "%s%s", what, detail);
}

/* --- what is asked for --- */

static int64_t
contender_expect(struct contender *c, unsigned topic)
{
	uint64_t told, dice = contender_random(c, 20);

	if (dice < 12)
		return HISTORY_ANY;
	if (dice < 15)
		return HISTORY_EXISTS;
	if (dice == 15)
		return 0;
	told = history_version(c->all->history, topic);
	return (int64_t)(dice == 16 && told > 0 ? told - 1 : told);
}

/* A request of one to four events, each of another topic. */
static uint32_t
contender_fresh(struct contender *c, uint32_t key)
{
	struct history_ask ask = { .key = key };
	unsigned topic = (unsigned)contender_random(c, HISTORY_TOPICS);
	unsigned step = 1 + (unsigned)contender_random(c, 2);

	ask.n = 1 + (unsigned)contender_random(c, HISTORY_EVENTS);
	for (unsigned i = 0; i < ask.n; i++) {
		ask.ev[i].topic = (topic + i * step) % HISTORY_TOPICS;
		ask.ev[i].expect = contender_expect(c, ask.ev[i].topic);
	}
	return history_ask(c->all->history, &ask);
}

/* Something new, something again, or something else under an old key. */
static uint32_t
contender_choose(struct contender *c)
{
	uint64_t dice = contender_random(c, 20);
	uint32_t known;

	if (dice < 3 && c->n_known > 0) {
		known = c->known[contender_random(
		    c, MIN(c->n_known, (unsigned)CONTEND_KNOWN))];
		return dice < 2 ? known : contender_fresh(c, known);
	}
	return contender_fresh(c, dice < 8 ? HISTORY_NO_KEY : HISTORY_OWN_KEY);
}

static void
contender_pack_event(
    struct contender *c, msgpack_packer *pk, uint32_t op, unsigned i)
{
	int64_t expect = history_expect(c->all->history, op, i);
	struct history_texts t;

	history_texts(c->all->history, op, i, &t);
	msgpack_pack_map(pk, 3 + (expect != HISTORY_ANY) + (t.key[0] != '\0'));
	client_pack_str(pk, "topic");
	client_pack_str(pk, t.topic);
	client_pack_str(pk, "type");
	client_pack_str(pk, t.type);
	client_pack_str(pk, "data");
	client_pack_str(pk, t.data);
	if (t.key[0] != '\0') {
		client_pack_str(pk, "key");
		client_pack_str(pk, t.key);
	}
	if (expect == HISTORY_ANY)
		return;
	client_pack_str(pk, "expect");
	if (expect == HISTORY_EXISTS)
		client_pack_str(pk, "exists");
	else
		msgpack_pack_uint64(pk, (uint64_t)expect);
}

static bool
contender_send(struct contender *c, uint32_t op)
{
	unsigned n = history_events(c->all->history, op);
	msgpack_sbuffer sb;
	msgpack_packer pk;
	bool ok;

	msgpack_sbuffer_init(&sb);
	msgpack_packer_init(&pk, &sb, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, 3);
	client_pack_str(&pk, "op");
	client_pack_str(&pk, "append");
	client_pack_str(&pk, "id");
	msgpack_pack_uint64(&pk, ++c->last_id);
	client_pack_str(&pk, "events");
	msgpack_pack_array(&pk, n);
	for (unsigned i = 0; i < n; i++)
		contender_pack_event(c, &pk, op, i);
	if (c->n_flight == 0)
		c->heard_ms = wire_now_ms();
	c->flight[c->n_flight++] = (struct flight){ c->last_id, op };
	history_sent(c->all->history, op, c->connection);
	ok = outlet_send(&c->outlet, &sb);
	msgpack_sbuffer_destroy(&sb);
	return ok;
}

/* --- what is answered --- */

static const msgpack_object *
contender_member(const msgpack_object *map, const char *key)
{
	static const msgpack_object nil;

	for (uint32_t i = 0;
	     map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
		const msgpack_object_str *name =
		    &map->via.map.ptr[i].key.via.str;

		if (name->size == strlen(key) &&
		    !memcmp(name->ptr, key, name->size))
			return &map->via.map.ptr[i].val;
	}
	return &nil;
}

static void
contender_text(const msgpack_object *o, char *text, size_t size)
{
	bool is = o->type == MSGPACK_OBJECT_STR;

	snprintf(text, size, "%.*s", is ? (int)o->via.str.size : 0,
	    is ? o->via.str.ptr : "");
}

static uint64_t
contender_uint(struct contender *c, const msgpack_object *map, const char *key)
{
	const msgpack_object *o = contender_member(map, key);

	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		return o->via.u64;
	contender_blame(c, "an answer lacks ", key);
	return 0;
}

static struct history_answer
contender_appended(struct contender *c, const msgpack_object *reply, unsigned n)
{
	const msgpack_object *versions = contender_member(reply, "versions");
	const msgpack_object *dup = contender_member(reply, "duplicate");
	struct history_answer a = { .outcome = HISTORY_STORED,
		.seq = contender_uint(c, reply, "seq"),
		.time = contender_uint(c, reply, "time"),
		.duplicate = dup->via.boolean };

	if (dup->type != MSGPACK_OBJECT_BOOLEAN ||
	    versions->type != MSGPACK_OBJECT_ARRAY ||
	    versions->via.array.size != n)
		contender_blame(c, "an answer lacks members", "");
	else
		for (unsigned i = 0; i < n; i++)
			a.version[i] = versions->via.array.ptr[i].via.u64;
	return a;
}

/* What an error says of the request. */
static struct history_answer
contender_error(struct contender *c, const msgpack_object *reply)
{
	struct history_answer a = { .outcome = HISTORY_UNKNOWN };
	char code[64], topic[HISTORY_TEXT], message[160];
	unsigned group;

	contender_text(contender_member(reply, "code"), code, sizeof(code));
	contender_text(contender_member(reply, "topic"), topic, sizeof(topic));
	contender_text(
	    contender_member(reply, "message"), message, sizeof(message));
	if (!strcmp(code, "conflict")) {
		a.outcome = HISTORY_CONFLICT;
		a.actual = contender_uint(c, reply, "actual");
		if (sscanf(topic, "load.%u.%u", &group, &a.topic) != 2 ||
		    a.topic >= HISTORY_TOPICS)
			contender_blame(
			    c, "a conflict of another topic: ", topic);
	} else if (!strcmp(code, "key_reused")) {
		a.outcome = HISTORY_REUSED;
	} else if (!strcmp(code, "unavailable") ||
		   !strcmp(code, "storage_full") ||
		   !strcmp(code, "rate_limited")) {
		a.outcome = HISTORY_REFUSED;
	} else if (strcmp(code, "unknown") != 0) {
		contender_blame(c, "an append was refused: ", message);
	}
	return a;
}

/* Send it once more, where that is safe or nothing was stored. */
static void
contender_again(struct contender *c, uint32_t op, enum history_outcome outcome)
{
	if (outcome == HISTORY_REFUSED)
		c->hold_ms = wire_now_ms() + CONTEND_PAUSE_MS;
	if (outcome == HISTORY_REFUSED ||
	    (outcome == HISTORY_UNKNOWN &&
		history_is_keyed(c->all->history, op)))
		c->again[c->n_again++] = op;
}

static void
contender_answer(struct contender *c, const msgpack_object *reply)
{
	struct history *h = c->all->history;
	uint64_t id;
	struct history_answer a;
	char what[32];
	unsigned i = 0;
	uint32_t op;

	contender_text(contender_member(reply, "op"), what, sizeof(what));
	if (!strcmp(what, "draining") || !strcmp(what, "expiring"))
		return;
	id = contender_uint(c, reply, "id");
	while (i < c->n_flight && c->flight[i].id != id)
		i++;
	if (i == c->n_flight) {
		contender_blame(c, "an answer that nobody waits for: ", what);
		return;
	}
	op = c->flight[i].op;
	c->n_flight--;
	memmove(&c->flight[i], &c->flight[i + 1],
	    (c->n_flight - i) * sizeof(c->flight[0]));
	c->heard_ms = wire_now_ms();
	a = !strcmp(what, "appended")
		? contender_appended(c, reply, history_events(h, op))
		: contender_error(c, reply);
	history_answered(h, op, &a);
	contender_again(c, op, a.outcome);
	if (a.outcome == HISTORY_STORED && !a.duplicate &&
	    history_is_keyed(h, op))
		c->known[c->n_known++ % CONTEND_KNOWN] = op;
}

/* Nobody answers any more on this connection. */
static void
contender_lost(struct contender *c)
{
	const struct history_answer unknown = { .outcome = HISTORY_UNKNOWN };

	outlet_close(&c->outlet);
	for (unsigned i = 0; i < c->n_flight; i++) {
		history_answered(c->all->history, c->flight[i].op, &unknown);
		contender_again(c, c->flight[i].op, HISTORY_UNKNOWN);
	}
	c->n_flight = 0;
}

/* --- going on --- */

/* How many new requests are due by now. */
static bool
contender_due(const struct contender *c)
{
	uint64_t ms = (uint64_t)(wire_now_ms() - c->all->begun_ms);

	return !c->all->stopping && c->asked < ms * c->all->rate / 1000;
}

/* Fill the window; false where the connection is lost. */
static bool
contender_fill(struct contender *c)
{
	uint32_t op;

	while (c->n_flight < CONTEND_WINDOW) {
		if (c->n_again > 0 && wire_now_ms() >= c->hold_ms) {
			op = c->again[0];
			memmove(c->again, c->again + 1,
			    --c->n_again * sizeof(c->again[0]));
		} else if (c->n_again == 0 && contender_due(c)) {
			op = contender_choose(c);
			c->asked++;
		} else {
			return true;
		}
		if (!contender_send(c, op))
			return false;
	}
	return true;
}

static void
contender_step(struct contender *c)
{
	const msgpack_object *reply;

	if (!c->outlet.open) {
		if (!outlet_open(&c->outlet, &c->to)) {
			(void)poll(NULL, 0, CONTEND_PAUSE_MS);
			return;
		}
		c->connection = ++c->all->connections;
		c->patience_ms =
		    CONTEND_PATIENCE_MS +
		    (int64_t)contender_random(c, 9 * CONTEND_PATIENCE_MS);
	}
	if (!contender_fill(c)) {
		contender_lost(c);
		return;
	}
	switch (outlet_next(&c->outlet, CONTEND_TICK_MS, &reply)) {
	case OUTLET_ANSWER:
		contender_answer(c, reply);
		return;
	case OUTLET_WRONG:
		contender_blame(
		    c, "no message of the protocol: ", c->outlet.client.wrong);
		return;
	case OUTLET_LOST:
		contender_lost(c);
		return;
	case OUTLET_LATE:
		break;
	}
	/* At the end each answer comes, however slow the machine. */
	if (c->n_flight == 0 || c->all->stopping ||
	    wire_now_ms() - c->heard_ms <= c->patience_ms)
		return;
	c->impatient++;
	contender_lost(c);
}

static void *
contender_run(void *arg)
{
	struct contender *c = arg;
	struct contend *all = c->all;

	while (c->fault[0] == '\0') {
		if (all->stopping && c->n_flight == 0 && c->n_again == 0)
			break;
		if (wire_now_ms() > all->deadline_ms)
			contender_blame(c, "the time is up", "");
		contender_step(c);
	}
	contender_lost(c);
	return NULL;
}

/* --- the judgement --- */

/* The text of an encoded str. */
static void
contend_text(struct truth_text data, char *text, size_t size)
{
	msgpack_unpacked one;
	size_t used = 0;

	text[0] = '\0';
	msgpack_unpacked_init(&one);
	if (msgpack_unpack_next(&one, data.p, data.len, &used) ==
	    MSGPACK_UNPACK_SUCCESS)
		contender_text(&one.data, text, size);
	msgpack_unpacked_destroy(&one);
}

static bool
contend_compare(void *arg, const struct truth_event *ev)
{
	static struct history_texts t;
	struct contend *all = arg;

	snprintf(t.topic, sizeof(t.topic), "%.*s", (int)ev->event.topic_len,
	    ev->event.topic);
	snprintf(t.type, sizeof(t.type), "%.*s", (int)ev->type.len, ev->type.p);
	snprintf(t.key, sizeof(t.key), "%.*s", (int)ev->key.len,
	    ev->key.len != 0 ? ev->key.p : "");
	contend_text(ev->data, t.data, sizeof(t.data));
	return history_truth(
	    all->history, &(struct history_event){ .seq = ev->event.seq,
			      .time = ev->event.time,
			      .version = ev->event.version,
			      .first = ev->first,
			      .last = ev->last,
			      .topic = t.topic,
			      .type = t.type,
			      .key = t.key,
			      .data = t.data });
}

static int
contend_report(struct contend *all, struct contender *c, unsigned n)
{
	struct history_counts k;
	unsigned impatient = 0;
	bool ok = truth_each(all->log, contend_compare, all) &&
		  history_truth_end(all->history);

	for (unsigned i = 0; i < n; i++) {
		impatient += c[i].impatient;
		if (c[i].fault[0] == '\0')
			continue;
		printf("# producer %u: %s\n", i, c[i].fault);
		ok = false;
	}
	if (!ok)
		printf("# %s\n", history_fault(all->history));
	history_count(all->history, &k);
	printf("requests=%" PRIu64 " sent=%" PRIu64 " stored=%" PRIu64
	       " duplicates=%" PRIu64 " conflicts=%" PRIu64 " reused=%" PRIu64
	       " refused=%" PRIu64 "\n",
	    k.asked, k.sent, k.stored, k.duplicates, k.conflicts, k.reused,
	    k.refused);
	printf("unknown=%" PRIu64 " resolved=%" PRIu64 " silent=%" PRIu64
	       " found=%" PRIu64 " connections=%u impatient=%u\n",
	    k.unknown, k.resolved, k.silent, k.found, all->connections,
	    impatient);
	return ok ? 0 : 1;
}

static void
contend_leave_file(const char *path)
{
	FILE *f = fopen(path, "we");

	if (f != NULL)
		fclose(f);
}

/* Has each kind of answer come that a judgement is about? */
static bool
contend_has_met(const struct contend *all)
{
	struct history_counts k;

	history_count(all->history, &k);
	return k.duplicates > 0 && k.conflicts > 0 && k.reused > 0 &&
	       k.unknown > 0;
}

static void
contend_options(struct contend *all, int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "s:p:C:t:n:m:r:S:d:x:q:e:l:")) != -1) {
		uint64_t number = strtoull(optarg ? optarg : "", NULL, 10);

		switch (o) {
		case 's':
			all->to.socket = optarg;
			break;
		case 'p':
			all->to.wire.port = (unsigned)number;
			break;
		case 'C':
			all->to.wire.cafile = optarg;
			break;
		case 't':
			all->to.token = all->token = client_read_file(optarg);
			break;
		case 'n':
			all->locals = (unsigned)number;
			break;
		case 'm':
			all->remotes = (unsigned)number;
			break;
		case 'r':
			all->rate = number;
			break;
		case 'S':
			all->seed = number;
			break;
		case 'd':
			all->deadline_ms += 1000 * (int64_t)number;
			break;
		case 'x':
			all->stop = optarg;
			break;
		case 'q':
			all->quiet = optarg;
			break;
		case 'e':
			all->met = optarg;
			break;
		case 'l':
			all->log = optarg;
			break;
		default:
			exit(2);
		}
	}
}

static void
contend_await_judgement(const struct contend *all)
{
	if (all->quiet == NULL)
		return;
	contend_leave_file(all->quiet);
	while (
	    access(all->quiet, F_OK) == 0 && wire_now_ms() < all->deadline_ms)
		(void)poll(NULL, 0, CONTEND_PAUSE_MS);
}

static void
contend_await_stop(const struct contend *all)
{
	bool told = all->met == NULL;

	while (
	    access(all->stop, F_OK) != 0 && wire_now_ms() < all->deadline_ms) {
		if (!told && contend_has_met(all)) {
			contend_leave_file(all->met);
			told = true;
		}
		(void)poll(NULL, 0, CONTEND_PAUSE_MS);
	}
}

/* A thread for each, until told to stop; then all that is open is answered. */
static int
contend_run(struct contend *all)
{
	unsigned n = all->locals + all->remotes;
	struct contender *c = calloc(n, sizeof(*c));
	int status;

	if (c == NULL)
		return 2;
	for (unsigned i = 0; i < n; i++) {
		c[i].all = all;
		c[i].to = all->to;
		if (i >= all->locals)
			c[i].to.socket = NULL;
		c[i].random =
		    (all->seed + i) * UINT64_C(0x9e3779b97f4a7c15) | 1;
		if (pthread_create(&c[i].thread, NULL, contender_run, &c[i]))
			return 2;
	}
	contend_await_stop(all);
	all->stopping = true;
	for (unsigned i = 0; i < n; i++)
		pthread_join(c[i].thread, NULL);
	contend_await_judgement(all);
	status = contend_report(all, c, n);
	free(c);
	return status;
}

int
main(int argc, char **argv)
{
	struct contend all = { .to.wire.host = "127.0.0.1",
		.locals = 3,
		.remotes = 2,
		.rate = 100,
		.seed = 1,
		.begun_ms = wire_now_ms(),
		.deadline_ms = wire_now_ms() };
	int status;

	contend_options(&all, argc, argv);
	if (all.to.socket == NULL || all.locals + all.remotes == 0 ||
	    (all.remotes > 0 &&
		(all.to.wire.port == 0 || all.to.wire.cafile == NULL ||
		    all.token == NULL)) ||
	    all.stop == NULL || all.log == NULL) {
		fprintf(stderr,
		    "usage: contend -s SOCKET -x STOPFILE -l LOGDIR "
		    "-d SECONDS [-n LOCALS] "
		    "[-m REMOTES -p PORT -C CAFILE -t TOKENFILE] [-r RATE] "
		    "[-S SEED] [-q QUIETFILE] [-e METFILE]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	all.history = history_new();
	if (all.history == NULL)
		return 2;
	status = contend_run(&all);
	history_free(all.history);
	free(all.token);
	return status;
}
