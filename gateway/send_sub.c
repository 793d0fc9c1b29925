/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Subscriptions of a connection: their beginning, and every way in which
 * they end.
 */

#include <assert.h>
#include <stdlib.h>

#include "core/diag.h"
#include "core/mp.h"
#include "core/proto.h"
#include "gateway/alloc.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/counters.h"
#include "gateway/send.h"
#include "gateway/send_priv.h"
#include "gateway/trim.h"

/* What a subscription waited for came, or it is not to be had. */
static void
on_fetched(struct fetch_wait *w, const struct fetch_refusal *no)
{
	struct send_sub *sub = CONTAINER_OF(w, struct send_sub, wait);

	if (sub->state == SEND_REPLAY)
		send_replay_came(sub, no);
	else
		send_rows_came(sub, no);
}

struct send_sub *
send_sub_new(struct sender *s, struct proto_uint id, struct filter *filter,
    enum send_sub_state state, uint64_t position)
{
	struct send_sub *sub = alloc_zero(1, sizeof(*sub));

	sub->sender = s;
	sub->id = id;
	sub->wait.fn = on_fetched;
	sub->filter = filter_ref(filter);
	sub->state = state;
	sub->position = sub->scan = position;
	sub->turn = s->turns;
	LIST_INSERT_HEAD(&s->subs, sub, link);
	return sub;
}

void
send_sub_free(struct send_sub *sub)
{
	struct send_hub *hub = sub->sender->hub;

	LIST_REMOVE(sub, link);
	if (send_is_query(sub) && hub->answered)
		hub->answered(hub->arg, sub->sender);
	fetch_leave(&sub->wait);
	send_taking_free(sub->taking);
	if (sub->member > 0)
		hub->absent(hub->arg, sub->member);
	(void)filter_unref(sub->filter);
	free(sub);
}

struct send_sub *
send_find(const struct sender *s, uint64_t id)
{
	struct send_sub *sub;

	LIST_FOREACH (sub, &s->subs, link)
		if (sub->id.set && sub->id.v == id)
			return sub;
	return NULL;
}

unsigned
send_count(const struct sender *s, bool queries)
{
	const struct send_sub *sub;
	unsigned n = 0;

	LIST_FOREACH (sub, &s->subs, link)
		n += send_is_query(sub) == queries;
	return n;
}

uint64_t
send_oldest(const struct send_hub *hub)
{
	if (hub->fetch && fetch_is_up(hub->fetch))
		return catchup_log_oldest(hub->catchup);
	return catchup_oldest(hub->catchup);
}

uint64_t
send_subscribe_now(struct sender *s, uint64_t id, struct filter *filter)
{
	uint64_t seq = s->hub->groups->done;

	(void)send_sub_new(
	    s, (struct proto_uint){ true, id }, filter, SEND_WAIT, seq);
	return seq;
}

void
send_subscribe_from(
    struct sender *s, uint64_t id, struct filter *filter, uint64_t position)
{
	assert(position <= s->hub->groups->done);
	(void)send_sub_new(
	    s, (struct proto_uint){ true, id }, filter, SEND_REPLAY, position);
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
say(struct sender *s, struct mp_buf *b)
{
	if (b->failed)
		alloc_failed();
	conn_control(s->conn, slice_of(b->p, b->len));
	mp_buf_deinit(b);
}

void
send_message(struct sender *s, struct mp_buf *b)
{
	struct block *block;

	if (b->failed)
		alloc_failed();
	block = alloc_message(slice_of(b->p, b->len));
	mp_buf_deinit(b);
	(void)conn_send(s->conn, block);
	(void)block_unref(block);
}

static void
say_lagged(struct sender *s, struct proto_uint id, const char *reason,
    struct proto_uint position)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "lagged", id, 3 + position.set);
	mp_pair_cstr(&b, "reason", reason);
	if (position.set)
		mp_pair_uint(&b, "position", position.v);
	mp_pair_uint(&b, "oldest", send_oldest(s->hub));
	mp_pair_uint(&b, "head", s->hub->groups->done);
	say(s, &b);
	s->hub->lagged++;
	COUNTERS_ADD(lagged, 1);
}

void
send_lagged(struct sender *s, const char *reason)
{
	struct proto_uint position = send_chain(s);
	struct send_sub *sub, *next;

	if (!position.set)
		return;
	for (sub = LIST_FIRST(&s->subs); sub; sub = next) {
		next = LIST_NEXT(sub, link);
		if (sub->state == SEND_LIVE)
			send_sub_free(sub);
	}
	send_leave_group(s);
	say_lagged(s, (struct proto_uint){ 0 }, reason, position);
}

struct proto_uint
send_sub_position(const struct send_sub *sub)
{
	if (sub->state == SEND_LIVE)
		return send_chain(sub->sender);
	if (sub->state < SEND_REPLAY)
		return send_rows_position(sub);
	return (struct proto_uint){ true, sub->position };
}

void
send_lagged_sub(struct sender *s, struct send_sub *sub, const char *reason)
{
	struct proto_uint position = send_sub_position(sub), id = sub->id;

	sub_end(s, sub, false);
	say_lagged(s, id, reason, position);
}

void
send_sub_error(struct send_sub *sub, const struct fetch_refusal *no)
{
	struct sender *s = sub->sender;
	struct mp_buf b = { 0 };

	proto_pack_error_head(&b, sub->id, no->code, no->message,
	    (no->retry_ms > 0) + no->oldest.set);
	if (no->retry_ms > 0)
		mp_pair_uint(&b, "retry_ms", no->retry_ms);
	if (no->oldest.set)
		mp_pair_uint(&b, "oldest", no->oldest.v);
	sub_end(s, sub, false);
	say(s, &b);
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
