/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The world of the fan-out's tests: the writer's side of the ring, turns of
 * the gateway, and chance, all of which follows from the seed.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/rules.h"
#include "core/time.h"
#include "tests/lib/chainbroker.h"
#include "tests/lib/chainfix.h"

#define CHECK CHAINFIX_CHECK

static const char *const types[] = { "set", "add", "sum" };
static const char *const rule_texts[] = { "", "s*=set", "*=set", "*=merge" };

uint64_t
chainfix_random(struct chainfix *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return below ? (w->random >> 11) % below : 0;
}

static unsigned
topic_number(const char *topic)
{
	for (unsigned i = 0; i < chainfix_n_topics; i++)
		if (strcmp(topic, chainfix_topics[i]) == 0)
			return i;
	CHECK(false, "'%s' is no topic", topic);
	return 0;
}

static void
add_event(struct chainfix *w, const char *topic, uint32_t len, bool last)
{
	static uint8_t data[1 << 20];
	struct chainfix_event *ev;
	struct mp_buf b = { 0 };
	struct event event = {
		.seq = w->n_events + 1,
		.time_us = 1000 + w->n_events,
		.topic = slice_cstr(topic),
		.actor = SLICE_STR("somebody"),
	};

	if (w->n_events == w->cap) {
		w->cap = w->cap * 2 + 64;
		w->events = realloc(w->events, w->cap * sizeof(*w->events));
	}
	ev = &w->events[w->n_events++];
	ev->topic = topic;
	ev->version = ++w->versions[topic_number(topic)];
	event.version = ev->version;
	ev->type = types[chainfix_random(w, ARRAY_LEN(types))];
	ev->last = last;
	event.type = slice_cstr(ev->type);
	data[0] = (uint8_t)w->n_events;
	mp_pack_bin(&b, slice_of(data, len));
	event.data = slice_of(b.p, b.len);
	ev->len = (uint32_t)event_size(&event);
	ev->bytes = malloc(ev->len);
	(void)event_encode(&event, ev->bytes);
	mp_buf_deinit(&b);
}

static void
ring_add(struct chainfix *w, const char *topic, const uint8_t *bytes,
    uint32_t len, uint64_t seq, uint32_t flags)
{
	struct ring_event ev = {
		.seq = seq,
		.topic_hash =
		    hash_bytes(&w->ring.opt.topic_key, topic, strlen(topic)),
		.version = 1,
		.len = len,
		.crc = crc32c(0, bytes, len),
		.flags = flags,
	};

	ring_writer_add(w->ring.writer, &ev, bytes);
}

static void
publish_from(struct chainfix *w, uint64_t first)
{
	uint64_t bytes = 0;

	for (uint64_t i = first; i < w->n_events; i++)
		bytes += w->events[i].len;
	ring_writer_begin(
	    w->ring.writer, (uint32_t)(w->n_events - first), bytes);
	for (uint64_t i = first; i < w->n_events; i++)
		ring_add(w, w->events[i].topic, w->events[i].bytes,
		    w->events[i].len, i + 1,
		    w->events[i].last ? RING_LAST_OF_REQUEST : 0);
	ring_writer_commit(w->ring.writer);
}

void
chainfix_append(struct chainfix *w, const char *topic, unsigned n, uint32_t len)
{
	uint64_t first = w->n_events;

	for (unsigned i = 0; i < n; i++)
		add_event(w, topic, len, i + 1 == n);
	publish_from(w, first);
}

void
chainfix_emit(struct chainfix *w, const char *topic)
{
	struct mp_buf b = { 0 };
	struct event event = {
		.topic = slice_cstr(topic),
		.type = slice_cstr(types[w->n_ephemeral % 2]),
		.actor = SLICE_STR(""),
	};
	uint8_t bytes[200];
	uint32_t len;

	CHECK(w->n_ephemeral < CHAINFIX_EPHEMERAL, "too many of them");
	mp_pack_uint(&b, w->n_ephemeral++);
	event.data = slice_of(b.p, b.len);
	len = (uint32_t)(event_encode(&event, bytes) - bytes);
	mp_buf_deinit(&b);
	ring_writer_begin(w->ring.writer, 1, len);
	ring_add(w, topic, bytes, len, 0, RING_EPHEMERAL);
	ring_writer_commit(w->ring.writer);
}

/* Requests until the pass is full, or chance ends it. */
void
chainfix_publish(struct chainfix *w)
{
	uint64_t first = w->n_events, bytes = 0;
	uint64_t max_bytes = ring_writer_pass_bytes(w->ring.writer);
	uint32_t max = ring_writer_pass_events(w->ring.writer);

	do {
		uint64_t n = 1 + chainfix_random(w, 4);
		uint64_t len = chainfix_random(w, 20)
				   ? chainfix_random(w, 60)
				   : chainfix_random(w, w->event_bytes);

		if (w->n_events - first + n > max ||
		    bytes + n * (len + 100) > max_bytes)
			break;
		bytes += n * (len + 100);
		for (uint64_t i = 0; i < n; i++)
			add_event(w,
			    chainfix_topics[chainfix_random(
				w, chainfix_n_topics)],
			    (uint32_t)len, i + 1 == n);
	} while (chainfix_random(w, 4));
	if (w->n_events > first)
		publish_from(w, first);
	while (
	    chainfix_random(w, 3) == 0 && w->n_ephemeral < CHAINFIX_EPHEMERAL)
		chainfix_emit(
		    w, chainfix_topics[chainfix_random(w, chainfix_n_topics)]);
}

void
chainfix_turn(struct chainfix *w, uint64_t us)
{
	int rc;

	w->now_ns += us * 1000;
	rc = feed_pass(w->feed, w->now_ns);
	CHECK(rc >= 0, "the feed failed");
	if (rc == FEED_LAPPED) {
		w->lapped = true;
		send_hub_lagged(&w->hub);
	}
	(void)send_hub_run(&w->hub);
	for (unsigned i = 0; i < CHAINFIX_CLIENTS; i++)
		if (w->clients[i].open)
			fakeconn_flush(&w->clients[i].conn);
}

void
chainfix_settle(struct chainfix *w)
{
	for (unsigned i = 0; i < CHAINFIX_CLIENTS; i++)
		w->clients[i].conn.room = UINT32_MAX;
	chainbroker_come(w->broker);
	w->hub.budget = UINT32_MAX;
	/* Each turn gives each client four blocks at least. */
	for (unsigned i = 0; i < 400; i++) {
		chainbroker_fold(w->broker, true);
		while (chainbroker_answer(w->broker))
			;
		chainfix_turn(w, 10000);
	}
	w->now_ns += w->groups.ping_ns;
	w->groups.now_ns = w->now_ns;
	group_table_tick(&w->groups, 1);
	chainfix_turn(w, 10000);
}

/* Read patterns that clients have. */
static const char *const acls[CHAINFIX_ACLS][4] = {
	{ ">" },
	{ "a.>", "*.y" },
	{ "a.>", "u.1" },
	{ "a.>", "c.*", "u.2" },
	{ "a.x", "b.>", "u.*" },
};

static void
make_acls(struct chainfix *w)
{
	struct reason why;

	for (unsigned i = 0; i < CHAINFIX_ACLS; i++)
		for (unsigned j = 0; j < 4 && acls[i][j]; j++)
			CHECK(acl_add(&w->acls[i], ACL_READ,
				  slice_cstr(acls[i][j]), &why) == 0,
			    "%s", why.text);
}

struct chainfix *
chainfix_new(uint64_t seed, uint32_t slots, uint64_t payload_bytes)
{
	struct chainfix *w = calloc(1, sizeof(*w));
	struct reason why;

	assert(w);
	CHECK(rules_parse(rule_texts[seed % ARRAY_LEN(rule_texts)], &w->rules,
		  &why) == 0,
	    "%s", why.text);
	w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	w->event_bytes = 1000;
	make_acls(w);
	ringfix_dir(&w->ring);
	w->ring.opt.slots = slots;
	w->ring.opt.payload_bytes = payload_bytes;
	ringfix_open(&w->ring);
	group_table_init(&w->groups);
	w->groups.batch_ns = 5 * NS_PER_MS;
	w->groups.mark_ns = NS_PER_S;
	w->groups.ping_ns = 5 * NS_PER_S;
	w->catchup = catchup_new();
	w->feed = feed_new(&w->groups);
	send_hub_init(&w->hub, &w->groups, w->catchup);
	w->broker = chainbroker_new(w);
	w->fetch = fetch_new(w->broker);
	w->hub.fetch = w->fetch;
	CHECK(feed_ring(w->feed, w->ring.reader) == FEED_IDLE, "feed");
	CHECK(catchup_ring(w->catchup, w->ring.reader) == 0, "catchup");
	w->now_ns = NS_PER_S;
	for (unsigned i = 0; i < CHAINFIX_CLIENTS; i++)
		w->clients[i].world = w;
	return w;
}

struct chainfix *
chainfix_free(struct chainfix *w)
{
	for (unsigned i = 0; i < CHAINFIX_CLIENTS; i++)
		if (w->clients[i].open)
			chainfix_disconnect(&w->clients[i]);
	w->fetch = fetch_free(w->fetch);
	w->broker = chainbroker_free(w->broker);
	w->feed = feed_free(w->feed);
	w->catchup = catchup_free(w->catchup);
	group_table_deinit(&w->groups);
	ringfix_close(&w->ring);
	for (uint64_t i = 0; i < w->n_events; i++)
		free(w->events[i].bytes);
	for (unsigned i = 0; i < CHAINFIX_ACLS; i++)
		acl_deinit(&w->acls[i]);
	free(w->events);
	(void)rules_free(w->rules);
	free(w);
	return NULL;
}
