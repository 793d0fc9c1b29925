/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The load.  Topics come into being in an order that has nothing to do with
 * that of their names, since a tree that only grows at its end is the easy
 * case and nobody's.
 */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/proto.h"
#include "core/reason.h"
#include "tools/bench_load.h"
#include "tools/tool.h"

enum {
	LOAD_INFLIGHT = 64, /* requests */
	LOAD_ACTORS = 64,
	LOAD_TAGS = 16,
	LOAD_TITLE = 40, /* bytes of text in what is created ... */
	LOAD_NOTE = 80,	 /* ... and in what is updated */
};

/* A prime, so that i * LOAD_STRIDE mod topics meets each topic once. */
#define LOAD_STRIDE UINT64_C(2654435761)
#define LOAD_SEED   UINT64_C(0x9e3779b97f4a7c15)

void
bench_load_init(struct bench_load *load, uint64_t events, uint64_t topics)
{
	assert(topics > 0 && topics <= events && topics < LOAD_STRIDE);
	*load = (struct bench_load){
		.events = events, .topics = topics, .random = LOAD_SEED
	};
}

void
bench_load_deinit(struct bench_load *load)
{
	for (unsigned i = 0; i < BENCH_LOAD_REQUEST; i++)
		mp_buf_deinit(&load->slot[i].data);
	mp_buf_deinit(&load->request);
}

/* Marsaglia's xorshift64. */
static uint64_t
load_random(struct bench_load *load, uint64_t below)
{
	load->random ^= load->random << 13;
	load->random ^= load->random >> 7;
	load->random ^= load->random << 17;
	return (load->random >> 11) % below;
}

void
bench_load_topic(const struct bench_load *load, uint64_t i, char buf[32])
{
	snprintf(
	    buf, 32, "bench.item.%08" PRIu64, (i * LOAD_STRIDE) % load->topics);
}

/* --- data --- */

static void
load_pack_text(struct bench_load *load, struct mp_buf *b, unsigned len)
{
	char text[LOAD_NOTE];

	assert(len <= sizeof(text));
	for (unsigned i = 0; i < len; i++)
		text[i] = (char)('a' + load_random(load, 26));
	mp_pack_str(b, slice_of(text, len));
}

static void
load_pack_state(struct bench_load *load, struct mp_buf *b)
{
	static const char *const states[] = { "open", "held", "done" };

	mp_pair_cstr(b, "state", states[load_random(load, ARRAY_LEN(states))]);
	mp_pair_uint(b, "count", load_random(load, 100000));
}

static void
load_pack_whole(struct bench_load *load, struct mp_buf *b)
{
	mp_pack_map(b, 4);
	mp_pack_cstr(b, "title");
	load_pack_text(load, b, LOAD_TITLE);
	load_pack_state(load, b);
	mp_pack_cstr(b, "note");
	load_pack_text(load, b, LOAD_TITLE);
}

static void
load_pack_part(struct bench_load *load, struct mp_buf *b)
{
	mp_pack_map(b, 3);
	load_pack_state(load, b);
	mp_pack_cstr(b, "note");
	load_pack_text(load, b, LOAD_NOTE);
}

static void
load_pack_tag(struct bench_load *load, struct mp_buf *b)
{
	char tag[16];

	snprintf(
	    tag, sizeof(tag), "tag-%02" PRIu64, load_random(load, LOAD_TAGS));
	mp_pack_map(b, 1);
	mp_pair_cstr(b, "tags", tag);
}

static void
load_pack_none(struct bench_load *load, struct mp_buf *b)
{
	mp_pack_map(b, 0);
}

/* What happens to a topic that is there, in hundredths. */
static const struct load_kind {
	unsigned share;
	const char *type;
	void (*pack)(struct bench_load *load, struct mp_buf *b);
} load_kinds[] = {
	{ 65, "item_updated", load_pack_part },
	{ 10, "item_set", load_pack_whole },
	{ 8, "tag_added", load_pack_tag },
	{ 5, "tag_removed", load_pack_tag },
	{ 7, "item_viewed", load_pack_part },
	{ 3, "item_deleted", load_pack_none },
	{ 2, "item_restored", load_pack_whole },
};

static const struct load_kind load_created = { 0, "item_created",
	load_pack_whole };

/* Is it time for another topic? */
static bool
load_creates(const struct bench_load *load)
{
	return load->created == 0 ||
	       (load->created < load->topics &&
		   (double)load->created * (double)load->events <=
		       (double)load->made * (double)load->topics);
}

static void
load_next(struct bench_load *load, unsigned at)
{
	struct writer_append *append = &load->append[at];
	struct mp_buf *data = &load->slot[at].data;
	const struct load_kind *kind = load_kinds;
	uint64_t topic, draw = load_random(load, 100);

	if (load_creates(load)) {
		topic = load->created++;
		kind = &load_created;
	} else {
		topic = load_random(load, load->created);
		for (; draw >= kind->share; kind++)
			draw -= kind->share;
	}
	bench_load_topic(load, topic, load->slot[at].topic);
	snprintf(load->slot[at].actor, sizeof(load->slot[at].actor),
	    "user-%02" PRIu64, load_random(load, LOAD_ACTORS));
	data->len = 0;
	kind->pack(load, data);
	*append = (struct writer_append){
		.topic = slice_cstr(load->slot[at].topic),
		.type = slice_cstr(kind->type),
		.actor = slice_cstr(load->slot[at].actor),
		.data = slice_of(data->p, data->len),
	};
	load->made++;
}

int
bench_load_request(
    struct bench_load *load, uint64_t id, unsigned n, struct slice *request)
{
	bool failed = false;

	assert(n > 0 && n <= BENCH_LOAD_REQUEST);
	for (unsigned i = 0; i < n; i++) {
		load_next(load, i);
		failed = failed || load->slot[i].data.failed;
	}
	load->request.len = 0;
	proto_pack_head(
	    &load->request, "append", (struct proto_uint){ true, id }, 1);
	mp_pack_cstr(&load->request, "events");
	writer_client_pack_events(&load->request, load->append, n);
	if (failed || load->request.failed)
		return -ENOMEM;
	*request = slice_of(load->request.p, load->request.len);
	return 0;
}

/* --- the producer --- */

static int
load_answers(struct writer_client *wc, uint64_t *answered, struct reason *why)
{
	struct writer_reply reply;
	int got = writer_client_wait(wc, -1, why);

	if (got == WRITER_CLOSED)
		return reason_say(why, -EPIPE, "the writer went away");
	while (got >= 0 && (got = writer_client_reply(wc, &reply, why)) > 0) {
		if (reply.code != PROTO_OK)
			return reason_say(why, -EIO, "%s: %.*s",
			    proto_code_name(reply.code), (int)reply.message.len,
			    (const char *)reply.message.p);
		(*answered)++;
	}
	return got;
}

static int
load_fill(struct writer_client *wc, struct bench_load *load, struct reason *why)
{
	uint64_t sent = 0, answered = 0;
	struct slice request;
	int err = 0;

	while (err >= 0 && (load->made < load->events || answered < sent)) {
		while (err >= 0 && load->made < load->events &&
		       sent - answered < LOAD_INFLIGHT) {
			err = bench_load_request(load, sent,
			    (unsigned)MIN(load->events - load->made,
				(uint64_t)BENCH_LOAD_REQUEST),
			    &request);
			if (err >= 0)
				err = writer_client_send(wc, request);
			if (err < 0)
				return reason_set(why, err, "cannot append");
			sent++;
		}
		err = load_answers(wc, &answered, why);
		if (err >= 0 && tool_stopped())
			return reason_say(why, -EINTR, "stopped");
	}
	return err;
}

int
bench_load_fill(
    const struct tool *t, struct bench_load *load, struct reason *why)
{
	struct writer_client wc;
	int err = writer_client_open(&wc, house_run_dir(&t->house), why);

	if (err >= 0)
		err = load_fill(&wc, load, why);
	writer_client_close(&wc);
	return err;
}
