/* SPDX-License-Identifier: BSD-2-Clause */

/* Ledger; everything is found by going through the array. */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/mp.h"
#include "tests/lib/ledger.h"

uint64_t
ledger_version(const struct ledger *l, unsigned topic)
{
	uint64_t version = 0;

	for (uint64_t i = 0; i < l->n; i++)
		version += l->ev[i].is.topic == topic;
	return version;
}

unsigned
ledger_topics(const struct ledger *l)
{
	unsigned n = 0;

	for (unsigned t = 0; t < LEDGER_TOPICS; t++)
		n += ledger_version(l, t) > 0;
	return n;
}

/* Index of the first event of the request under key; l->n: none. */
static uint64_t
ledger_find(const struct ledger *l, int key)
{
	uint64_t i = 0;

	while (i < l->n && l->ev[i].key != key)
		i++;
	return i;
}

bool
ledger_keyed(const struct ledger *l, int key, struct ask *a)
{
	uint64_t i = ledger_find(l, key);

	*a = (struct ask){ .key = key };
	for (; i < l->n && l->ev[i].key == key; i++) {
		a->ev[a->n] = l->ev[i].is;
		a->ev[a->n++].expect = ASK_ANY;
	}
	return a->n > 0;
}

/* What is repeated is the request without its expectations. */
static bool
ledger_same(const struct ask *a, const struct ask *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (a->ev[i].topic != b->ev[i].topic ||
		    a->ev[i].data != b->ev[i].data)
			return false;
	return true;
}

/* The seq of the topic's newest event; 0: it has none. */
static uint64_t
ledger_last(const struct ledger *l, unsigned topic)
{
	uint64_t seq = l->n;

	while (seq > 0 && l->ev[seq - 1].is.topic != topic)
		seq--;
	return seq;
}

struct ledger_answer
ledger_judge(const struct ledger *l, const struct ask *a)
{
	struct ledger_answer is = { .code = PROTO_OK, .seq = l->n + 1 };
	struct ask stored;

	if (a->key >= 0 && ledger_keyed(l, a->key, &stored)) {
		is.seq = ledger_find(l, a->key) + 1;
		is.relies_on = is.seq + stored.n - 1;
		is.duplicate = ledger_same(a, &stored);
		is.code = is.duplicate ? PROTO_OK : PROTO_KEY_REUSED;
		return is;
	}
	for (unsigned i = 0; i < a->n; i++) {
		const struct ask_event *e = &a->ev[i];
		uint64_t version = ledger_version(l, e->topic);

		for (unsigned k = 0; k < i; k++)
			version += a->ev[k].topic == e->topic;
		if ((e->expect == ASK_EXISTS && version == 0) ||
		    (e->expect >= 0 && (uint64_t)e->expect != version)) {
			is.code = PROTO_CONFLICT;
			is.relies_on = ledger_last(l, e->topic);
			return is;
		}
	}
	is.relies_on = l->n + a->n;
	return is;
}

void
ledger_store(struct ledger *l, const struct ask *a, uint64_t time_us)
{
	for (unsigned i = 0; i < a->n; i++) {
		struct ledger_event *e = &l->ev[l->n];

		assert(l->n < LEDGER_EVENTS);
		*e = (struct ledger_event){ .is = a->ev[i],
			.key = a->key,
			.time_us = time_us,
			.ends = i == a->n - 1 };
		l->n++;
		e->version = ledger_version(l, e->is.topic);
	}
}

void
ledger_cut(struct ledger *l, uint64_t seq)
{
	assert(seq <= l->n);
	l->n = seq;
}

bool
ledger_may_end(const struct ledger *l, uint64_t seq)
{
	return seq >= l->promised && seq <= l->n &&
	       (seq == 0 || l->ev[seq - 1].ends);
}

void
ledger_text(
    const struct ask_event *e, int key, unsigned nth, struct ledger_text *t)
{
	size_t len = e->data < LEDGER_LARGE ? 1 + e->data * 97 % 700
					    : LEDGER_LARGE_BYTES;

	snprintf(t->topic, sizeof(t->topic), "topic.%u", e->topic);
	snprintf(t->key, sizeof(t->key), "key.%d.%u", key, nth);
	t->data[0] = 0xc5; /* bin 16 */
	if (len < 256) {
		t->data[0] = 0xc4;
		t->data[1] = (uint8_t)len;
		t->data_len = 2;
	} else {
		t->data[1] = (uint8_t)(len >> 8);
		t->data[2] = (uint8_t)len;
		t->data_len = 3;
	}
	for (size_t i = 0; i < len; i++)
		t->data[t->data_len++] = (uint8_t)(e->data * 131 + i * 7 + 1);
}

bool
ledger_holds(const struct ledger *l, const struct event *ev)
{
	const struct ledger_event *e;
	struct slice key = event_meta_get(ev->meta, "key");
	struct mp_walk w = mp_walk(key);
	struct ledger_text t;
	struct slice text;
	unsigned nth = 0;

	if (ev->seq == 0 || ev->seq > l->n)
		return false;
	e = &l->ev[ev->seq - 1];
	while (
	    e->key >= 0 && nth < ev->seq - 1 && e[-1 - (int)nth].key == e->key)
		nth++;
	ledger_text(&e->is, e->key, nth, &t);
	if (ev->version != e->version || ev->time_us != e->time_us ||
	    !slice_is(ev->topic, t.topic) || !slice_is(ev->type, "changed") ||
	    !slice_is(ev->actor, "tester") ||
	    !slice_equal(ev->data, slice_of(t.data, t.data_len)))
		return false;
	if (e->key < 0)
		return ev->meta.len == 0;
	return mp_next_str(&w, 1, sizeof(t.key), &text) &&
	       slice_is(text, t.key);
}
