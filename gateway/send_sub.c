/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Subscriptions of a connection: their beginning, their replays, and every
 * way in which they end.  A replay runs up to the head; there its
 * subscription waits until the chain is as far.
 */

#include <assert.h>
#include <stdlib.h>

#include "core/diag.h"
#include "core/mp.h"
#include "core/proto.h"
#include "gateway/alloc.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/send.h"
#include "gateway/send_priv.h"
#include "gateway/trim.h"

static struct send_sub *
sub_new(struct sender *s, uint64_t id, struct filter *filter,
    enum send_sub_state state, uint64_t position)
{
	struct send_sub *sub = alloc_zero(1, sizeof(*sub));

	sub->id = id;
	sub->filter = filter_ref(filter);
	sub->state = state;
	sub->position = sub->scan = position;
	LIST_INSERT_HEAD(&s->subs, sub, link);
	return sub;
}

void
send_sub_free(struct send_sub *sub)
{
	LIST_REMOVE(sub, link);
	(void)filter_unref(sub->filter);
	free(sub);
}

struct send_sub *
send_find(const struct sender *s, uint64_t id)
{
	struct send_sub *sub;

	LIST_FOREACH (sub, &s->subs, link)
		if (sub->id == id)
			return sub;
	return NULL;
}

uint64_t
send_subscribe_now(struct sender *s, uint64_t id, struct filter *filter)
{
	uint64_t seq = s->hub->groups->done;

	(void)sub_new(s, id, filter, SEND_WAIT, seq);
	return seq;
}

void
send_subscribe_from(
    struct sender *s, uint64_t id, struct filter *filter, uint64_t position)
{
	assert(position <= s->hub->groups->done);
	(void)sub_new(s, id, filter, SEND_REPLAY, position);
}

static void
sub_end(struct sender *s, struct send_sub *sub, bool whole)
{
	bool live = sub->state == SEND_LIVE;

	send_sub_free(sub);
	if (live)
		send_shrink(s, whole);
}

void
send_unsubscribe(struct sender *s, struct send_sub *sub)
{
	sub_end(s, sub, true);
}

static void
say_lagged(struct sender *s, struct proto_uint id, const char *reason,
    uint64_t position)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "lagged", id, 4);
	mp_pack_cstr(&b, "reason");
	mp_pack_cstr(&b, reason);
	mp_pack_cstr(&b, "position");
	mp_pack_uint(&b, position);
	mp_pack_cstr(&b, "oldest");
	mp_pack_uint(&b, catchup_oldest(s->hub->catchup));
	mp_pack_cstr(&b, "head");
	mp_pack_uint(&b, s->hub->groups->done);
	if (b.failed)
		alloc_failed();
	conn_control(s->conn, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
	s->hub->lagged++;
}

void
send_lagged(struct sender *s, const char *reason)
{
	struct send_sub *sub, *next;
	uint64_t position;

	if (s->state == SEND_NONE)
		return;
	position = s->state == SEND_MEMBER ? s->group->tip : s->position;
	for (sub = LIST_FIRST(&s->subs); sub; sub = next) {
		next = LIST_NEXT(sub, link);
		if (sub->state == SEND_LIVE)
			send_sub_free(sub);
	}
	send_leave_group(s);
	say_lagged(s, (struct proto_uint){ 0 }, reason, position);
}

void
send_lagged_sub(struct sender *s, struct send_sub *sub, const char *reason)
{
	uint64_t id = sub->id, position = sub->position;

	if (sub->state == SEND_LIVE)
		position =
		    s->state == SEND_MEMBER ? s->group->tip : s->position;
	sub_end(s, sub, false);
	say_lagged(s, (struct proto_uint){ true, id }, reason, position);
}

void
send_hub_lagged(struct send_hub *hub)
{
	struct sender *s;

	LIST_FOREACH (s, &hub->all, link) {
		struct send_sub *sub, *next;

		send_lagged(s, "ring");
		for (sub = LIST_FIRST(&s->subs); sub; sub = next) {
			next = LIST_NEXT(sub, link);
			if (sub->state == SEND_WAIT)
				send_lagged_sub(s, sub, "ring");
		}
	}
}

/* {"op":"replay","id":…,"after":…,"upto":…,"events":[…],"last":…} */
static void
send_part(struct sender *s, const struct send_sub *sub, uint64_t upto,
    const struct block *part, bool last)
{
	struct proto_uint id = { true, sub->id };
	struct mp_buf b = { 0 };
	struct block *block;

	proto_pack_head(&b, "replay", id, 4);
	mp_pack_cstr(&b, "after");
	mp_pack_uint(&b, sub->position);
	mp_pack_cstr(&b, "upto");
	mp_pack_uint(&b, upto);
	mp_pack_cstr(&b, "events");
	mp_pack_array(&b, part ? part->n_events : 0);
	if (part && part->n_events > 0)
		mp_pack_raw(&b, trim_events(part));
	mp_pack_cstr(&b, "last");
	mp_pack_bool(&b, last);
	if (b.failed)
		alloc_failed();
	block = alloc_message(slice_of(b.p, b.len));
	mp_buf_deinit(&b);
	(void)conn_send(s->conn, block);
	(void)block_unref(block);
}

void
send_step_replay(struct sender *s, struct send_sub *sub)
{
	struct block *b CLEANUP(block_unrefp) = NULL;
	uint64_t done = s->hub->groups->done;
	bool last;

	if (sub->scan < done) {
		int rc = catchup_block(
		    s->hub->catchup, sub->filter, sub->scan, done, &b);

		if (rc != CATCHUP_BLOCK) {
			if (rc < 0)
				diag_limited(
				    "ring", "the ring contradicts itself");
			send_lagged_sub(s, sub, "ring");
			return;
		}
		sub->scan = b->upto;
	}
	last = sub->scan == done;
	if (!last && b->n_events == 0)
		return;
	send_part(s, sub, sub->scan, b, last);
	sub->position = sub->scan;
	if (last)
		sub->state = SEND_WAIT;
}
