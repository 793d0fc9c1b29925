/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One clock counts every sending and every answer: what was answered before
 * something else was asked for has to come before it in the log.  Nothing is
 * believed twice: what one answer says has to hold against all the others.
 */

#include "tests/lib/history.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_NEVER UINT64_MAX

struct history_op {
	struct history_ask ask;
	uint64_t asked;	   /* when it was first sent */
	uint64_t answered; /* when it was first said to be stored */
	uint64_t sent;	   /* when it was last sent */
	uint64_t new_at;   /* when the sending began that stored it, 0: none */
	uint32_t new_over; /* its connection */
	uint64_t seq, time;
	uint64_t version[HISTORY_EVENTS];
	uint32_t connection; /* that it was last sent over */
	unsigned open;	     /* sendings without an answer yet */
	bool unknown;	     /* one ended so */
	bool conflict, never;
	/* Of the conflict. */
	unsigned topic;
	uint64_t actual, conflict_sent, conflict_at;
	/* In the log. */
	uint64_t found;
	unsigned n_found;
};

struct history_topic {
	uint64_t told; /* the newest version of an answer */
	/* Of each event in the log: its request. */
	uint32_t *ops;
	size_t n, cap;
};

struct history {
	pthread_mutex_t mutex;
	struct history_op *ops;
	size_t n, cap;
	uint64_t clock;
	struct history_topic topics[HISTORY_TOPICS];
	struct history_counts counts;
	uint64_t last_seq, last_time;
	uint32_t *order; /* requests as they stand in the log */
	size_t n_order, cap_order;
	uint32_t connections;
	char fault[400];
};

static bool __attribute__((format(printf, 2, 3)))
history_blame(struct history *h, const char *fmt, ...)
{
	va_list ap;

	if (h->fault[0] != '\0')
		return false;
	va_start(ap, fmt);
	(void)vsnprintf(h->fault, sizeof(h->fault), fmt, ap);
	va_end(ap);
	return false;
}

/* Room for one more; who has none cannot judge. */
static void
history_grow(void *array, size_t n, size_t *cap, size_t size)
{
	void **p = array;

	if (n < *cap)
		return;
	*cap = *cap != 0 ? 2 * *cap : 256;
	*p = realloc(*p, *cap * size);
	if (*p == NULL)
		abort();
}

struct history *
history_new(void)
{
	struct history *h = calloc(1, sizeof(*h));

	if (h != NULL)
		pthread_mutex_init(&h->mutex, NULL);
	return h;
}

struct history *
history_free(struct history *h)
{
	if (h == NULL)
		return NULL;
	for (unsigned i = 0; i < HISTORY_TOPICS; i++)
		free(h->topics[i].ops);
	pthread_mutex_destroy(&h->mutex);
	free(h->ops);
	free(h->order);
	free(h);
	return NULL;
}

static void
history_lock(const struct history *h)
{
	pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&h->mutex);
}

static void
history_unlock(const struct history *h)
{
	pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&h->mutex);
}

/* --- what producers do --- */

uint32_t
history_ask(struct history *h, const struct history_ask *ask)
{
	uint32_t number;

	history_lock(h);
	history_grow(&h->ops, h->n, &h->cap, sizeof(*h->ops));
	number = (uint32_t)h->n++;
	h->ops[number] =
	    (struct history_op){ .ask = *ask, .answered = HISTORY_NEVER };
	if (ask->key == HISTORY_OWN_KEY)
		h->ops[number].ask.key = number;
	h->counts.asked++;
	history_unlock(h);
	return number;
}

void
history_sent(struct history *h, uint32_t op, uint32_t connection)
{
	struct history_op *o;

	history_lock(h);
	o = &h->ops[op];
	o->sent = ++h->clock;
	if (o->asked == 0)
		o->asked = o->sent;
	o->connection = connection;
	o->open++;
	if (connection > h->connections)
		h->connections = connection;
	h->counts.sent++;
	history_unlock(h);
}

/* May the answer be, after what came before it? */
static void
history_may_answer(struct history *h, uint32_t op, const struct history_op *o,
    const struct history_answer *a)
{
	bool before = o->answered != HISTORY_NEVER;

	if (o->ask.key != HISTORY_NO_KEY && o->ask.key != op)
		history_blame(h,
		    "request %" PRIu32 " was answered as stored, with the keys "
		    "of request %" PRIu32,
		    op, o->ask.key);
	if (before &&
	    (a->seq != o->seq || a->time != o->time ||
		memcmp(a->version, o->version, sizeof(o->version)) != 0))
		history_blame(h,
		    "request %" PRIu32 " was answered with seq %" PRIu64
		    ", and another time with %" PRIu64,
		    op, o->seq, a->seq);
	if (a->duplicate && !before && !o->unknown && o->open == 0)
		history_blame(h,
		    "request %" PRIu32 " was answered as a duplicate of "
		    "nothing, at seq %" PRIu64,
		    op, a->seq);
	if (!a->duplicate && before)
		history_blame(h,
		    "request %" PRIu32 " was answered as new twice, the "
		    "second time at seq %" PRIu64,
		    op, a->seq);
}

static void
history_stored(struct history *h, uint32_t op, struct history_op *o,
    const struct history_answer *a)
{
	h->counts.stored++;
	h->counts.duplicates += a->duplicate;
	history_may_answer(h, op, o, a);
	if (o->answered == HISTORY_NEVER) {
		o->answered = h->clock;
		o->seq = a->seq;
		o->time = a->time;
		memcpy(o->version, a->version, sizeof(o->version));
		h->counts.resolved += o->unknown;
	}
	if (!a->duplicate) {
		o->new_at = o->sent;
		o->new_over = o->connection;
	}
	for (unsigned i = 0; i < o->ask.n; i++) {
		struct history_topic *t = &h->topics[o->ask.ev[i].topic];

		if (a->version[i] > t->told)
			t->told = a->version[i];
	}
}

/* The expectation that was told to be wrong; false: there is none. */
static bool
history_expected(const struct history_op *o, unsigned topic, int64_t *expect)
{
	for (unsigned i = 0; i < o->ask.n; i++)
		if (o->ask.ev[i].topic == topic) {
			*expect = o->ask.ev[i].expect;
			return *expect != HISTORY_ANY;
		}
	return false;
}

static void
history_conflict(struct history *h, uint32_t op, struct history_op *o,
    const struct history_answer *a)
{
	int64_t expect = HISTORY_ANY;

	h->counts.conflicts++;
	if (o->answered != HISTORY_NEVER)
		history_blame(h,
		    "request %" PRIu32 " was answered as stored, then with a "
		    "conflict",
		    op);
	/* Keys are looked at before expectations. */
	if (o->ask.key != HISTORY_NO_KEY && o->ask.key != op &&
	    h->ops[o->ask.key].answered < o->asked)
		history_blame(h,
		    "request %" PRIu32 " got a conflict, with the keys of "
		    "request %" PRIu32,
		    op, o->ask.key);
	if (!history_expected(o, a->topic, &expect) ||
	    (expect == HISTORY_EXISTS ? a->actual != 0
				      : a->actual == (uint64_t)expect))
		history_blame(h,
		    "request %" PRIu32 " got a conflict at version %" PRIu64
		    " that it did not exclude",
		    op, a->actual);
	o->conflict = true;
	o->topic = a->topic;
	o->actual = a->actual;
	o->conflict_sent = o->sent;
	o->conflict_at = h->clock;
	/* Versions only grow: what expects less is never stored any more. */
	o->never = expect >= 0 && a->actual > (uint64_t)expect;
}

static void
history_reused(struct history *h, uint32_t op, const struct history_op *o)
{
	h->counts.reused++;
	if (o->ask.key == HISTORY_NO_KEY || o->ask.key == op)
		history_blame(h,
		    "request %" PRIu32 " was answered key_reused, and used no "
		    "key again",
		    op);
}

void
history_answered(
    struct history *h, uint32_t op, const struct history_answer *answer)
{
	struct history_op *o;

	history_lock(h);
	o = &h->ops[op];
	h->clock++;
	o->open--;
	switch (answer->outcome) {
	case HISTORY_STORED:
		history_stored(h, op, o, answer);
		break;
	case HISTORY_CONFLICT:
		history_conflict(h, op, o, answer);
		break;
	case HISTORY_REUSED:
		history_reused(h, op, o);
		break;
	case HISTORY_REFUSED:
		h->counts.refused++;
		break;
	case HISTORY_UNKNOWN:
		o->unknown = true;
		h->counts.unknown++;
		break;
	}
	history_unlock(h);
}

static struct history_ask
history_asked(const struct history *h, uint32_t op)
{
	struct history_ask ask;

	history_lock(h);
	ask = h->ops[op].ask;
	history_unlock(h);
	return ask;
}

unsigned
history_events(const struct history *h, uint32_t op)
{
	return history_asked(h, op).n;
}

bool
history_is_keyed(const struct history *h, uint32_t op)
{
	return history_asked(h, op).key != HISTORY_NO_KEY;
}

int64_t
history_expect(const struct history *h, uint32_t op, unsigned i)
{
	return history_asked(h, op).ev[i].expect;
}

uint64_t
history_version(struct history *h, unsigned topic)
{
	uint64_t told;

	history_lock(h);
	told = h->topics[topic].told;
	history_unlock(h);
	return told;
}

void
history_texts(const struct history *h, uint32_t op, unsigned i,
    struct history_texts *texts)
{
	static const char *const types[] = { "thing_set", "thing_changed",
		"thing_seen" };
	const struct history_ask ask = history_asked(h, op);
	size_t len;

	snprintf(texts->topic, sizeof(texts->topic), "load.%u.%u",
	    ask.ev[i].topic % 4, ask.ev[i].topic);
	snprintf(texts->type, sizeof(texts->type), "%s", types[(op + i) % 3]);
	texts->key[0] = '\0';
	if (ask.key != HISTORY_NO_KEY)
		snprintf(texts->key, sizeof(texts->key), "%" PRIu32 ".%u",
		    ask.key, i);
	snprintf(texts->data, sizeof(texts->data), "%" PRIu32 ".%u.", op, i);
	len = strlen(texts->data);
	memset(texts->data + len, 'x', op % 400);
	texts->data[len + op % 400] = '\0';
}

/* --- the log --- */

/* Whose event it is, by its data. */
static struct history_op *
history_find(struct history *h, const struct history_event *ev, uint32_t *op,
    unsigned *i)
{
	unsigned long number;
	char *end;

	number = strtoul(ev->data, &end, 10);
	if (end == ev->data || *end != '.' || number >= h->n)
		return NULL;
	*op = (uint32_t)number;
	*i = (unsigned)strtoul(end + 1, NULL, 10);
	return *i < h->ops[*op].ask.n ? &h->ops[*op] : NULL;
}

static bool
history_same(
    struct history *h, const struct history_event *ev, uint32_t op, unsigned i)
{
	struct history_texts t;

	history_texts(h, op, i, &t);
	return !strcmp(t.topic, ev->topic) && !strcmp(t.type, ev->type) &&
	       !strcmp(t.key, ev->key) && !strcmp(t.data, ev->data);
}

/* What the log alone has to be: without a hole, and in order of time. */
static bool
history_line(struct history *h, const struct history_event *ev)
{
	if (ev->seq != h->last_seq + 1)
		return history_blame(h,
		    "the log has event %" PRIu64 " behind %" PRIu64, ev->seq,
		    h->last_seq);
	if (ev->time < h->last_time)
		return history_blame(h,
		    "event %" PRIu64 " is older than the one before it",
		    ev->seq);
	h->last_seq = ev->seq;
	h->last_time = ev->time;
	return true;
}

/* May it be there at all? */
static bool
history_allowed(struct history *h, const struct history_event *ev, uint32_t op)
{
	const struct history_op *o = &h->ops[op];

	if (o->asked == 0)
		return history_blame(h,
		    "phantom: event %" PRIu64 " is of request %" PRIu32
		    ", which was never sent",
		    ev->seq, op);
	if (o->ask.key != HISTORY_NO_KEY && o->ask.key != op)
		return history_blame(h,
		    "phantom: event %" PRIu64 " is of request %" PRIu32
		    ", whose keys were of request %" PRIu32,
		    ev->seq, op, o->ask.key);
	if (o->answered != HISTORY_NEVER)
		return true;
	if (o->never || (!o->unknown && o->open == 0))
		return history_blame(h,
		    "phantom: event %" PRIu64 " is of request %" PRIu32
		    ", which was refused",
		    ev->seq, op);
	return true;
}

/* Its request, whole and once. */
static bool
history_whole(
    struct history *h, const struct history_event *ev, uint32_t op, unsigned i)
{
	struct history_op *o = &h->ops[op];

	if (o->n_found > i)
		return history_blame(h,
		    "event %u of request %" PRIu32
		    " is stored twice, at %" PRIu64 " and %" PRIu64,
		    i, op, o->found + i, ev->seq);
	if (i != o->n_found || ev->seq != ev->first + i ||
	    ev->last != ev->first + o->ask.n - 1)
		return history_blame(h,
		    "event %" PRIu64 " is event %u of request %" PRIu32
		    ", which is not there in one piece",
		    ev->seq, i, op);
	if (i == 0) {
		o->found = ev->seq;
		history_grow(
		    &h->order, h->n_order, &h->cap_order, sizeof(*h->order));
		h->order[h->n_order++] = op;
	}
	o->n_found++;
	return true;
}

/* What was answered, and what was expected. */
static bool
history_agrees(
    struct history *h, const struct history_event *ev, uint32_t op, unsigned i)
{
	const struct history_op *o = &h->ops[op];
	struct history_topic *t = &h->topics[o->ask.ev[i].topic];
	int64_t expect = o->ask.ev[i].expect;

	history_grow(&t->ops, t->n, &t->cap, sizeof(*t->ops));
	t->ops[t->n++] = op;
	if (ev->version != t->n)
		return history_blame(h,
		    "event %" PRIu64 " is version %" PRIu64
		    " of '%s' and has to be %zu",
		    ev->seq, ev->version, ev->topic, t->n);
	if (expect == HISTORY_EXISTS
		? ev->version == 1
		: (expect >= 0 && ev->version - 1 != (uint64_t)expect))
		return history_blame(h,
		    "event %" PRIu64 " is version %" PRIu64
		    " of '%s', against its expectation %" PRId64,
		    ev->seq, ev->version, ev->topic, expect);
	if (o->answered == HISTORY_NEVER)
		return true;
	if (o->seq + i != ev->seq || o->version[i] != ev->version ||
	    (i == 0 && o->time != ev->time))
		return history_blame(h,
		    "event %u of request %" PRIu32
		    " was answered with seq %" PRIu64 ", version %" PRIu64
		    " and time %" PRIu64 ", and has %" PRIu64 ", %" PRIu64
		    " and %" PRIu64,
		    i, op, o->seq + i, o->version[i], o->time, ev->seq,
		    ev->version, ev->time);
	return true;
}

bool
history_truth(struct history *h, const struct history_event *ev)
{
	struct history_op *o;
	uint32_t op;
	unsigned i;

	if (!history_line(h, ev))
		return false;
	o = history_find(h, ev, &op, &i);
	if (o == NULL || !history_same(h, ev, op, i))
		return history_blame(h,
		    "phantom: event %" PRIu64 " of '%s' is nobody's: '%.40s'",
		    ev->seq, ev->topic, ev->data);
	return history_allowed(h, ev, op) && history_whole(h, ev, op, i) &&
	       history_agrees(h, ev, op, i);
}

static bool
history_lost(struct history *h)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct history_op *o = &h->ops[i];

		if (o->answered != HISTORY_NEVER && o->n_found == 0)
			return history_blame(h,
			    "lost: request %zu was answered with seq %" PRIu64
			    " and is not in the log",
			    i, o->seq);
		if (o->n_found != 0 && o->n_found != o->ask.n)
			return history_blame(h,
			    "request %zu is in the log with %u of %u events", i,
			    o->n_found, o->ask.n);
	}
	return true;
}

/* Answered before the other was asked for: in the log before it. */
static bool
history_real_time(struct history *h)
{
	uint64_t soonest = HISTORY_NEVER;
	uint32_t by = 0;

	for (size_t i = h->n_order; i-- > 0;) {
		const struct history_op *o = &h->ops[h->order[i]];

		if (soonest < o->asked)
			return history_blame(h,
			    "reordered: request %" PRIu32
			    " was answered before request %" PRIu32
			    " was asked for, and is behind it",
			    by, h->order[i]);
		if (o->answered < soonest) {
			soonest = o->answered;
			by = h->order[i];
		}
	}
	return true;
}

/* One connection's requests are sequenced as they were sent. */
static bool
history_connections(struct history *h)
{
	uint64_t *last = calloc(h->connections + 1, sizeof(*last));
	bool ok = true;

	if (last == NULL)
		return history_blame(h, "out of memory");
	for (size_t i = 0; ok && i < h->n_order; i++) {
		const struct history_op *o = &h->ops[h->order[i]];

		if (o->new_at == 0)
			continue;
		if (o->new_at < last[o->new_over])
			ok = history_blame(h,
			    "reordered: request %" PRIu32
			    " was sent before one that it is behind, on "
			    "connection %" PRIu32,
			    h->order[i], o->new_over);
		last[o->new_over] = o->new_at;
	}
	free(last);
	return ok;
}

/* The version that a conflict told of was there at that time. */
static bool
history_conflicts(struct history *h)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct history_op *o = &h->ops[i];
		const struct history_topic *t = &h->topics[o->topic];

		if (!o->conflict)
			continue;
		if (o->actual > t->n ||
		    (o->actual > 0 &&
			h->ops[t->ops[o->actual - 1]].asked > o->conflict_at))
			return history_blame(h,
			    "request %zu got a conflict with version %" PRIu64
			    ", which was not there",
			    i, o->actual);
		if (o->actual < t->n &&
		    h->ops[t->ops[o->actual]].answered < o->conflict_sent)
			return history_blame(h,
			    "request %zu got a conflict with version %" PRIu64
			    ", and the next one had been answered",
			    i, o->actual);
	}
	return true;
}

bool
history_truth_end(struct history *h)
{
	return h->fault[0] == '\0' && history_lost(h) && history_real_time(h) &&
	       history_connections(h) && history_conflicts(h);
}

const char *
history_fault(const struct history *h)
{
	return h->fault;
}

void
history_count(const struct history *h, struct history_counts *n)
{
	history_lock(h);
	*n = h->counts;
	for (size_t i = 0; i < h->n; i++) {
		const struct history_op *o = &h->ops[i];

		if (o->answered != HISTORY_NEVER || o->conflict || !o->unknown)
			continue;
		n->silent++;
		n->found += o->n_found != 0;
	}
	history_unlock(h);
}
