/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The chain of one connection.  A subscription that is to go live at L waits
 * until a batch has ended at L; only then the live set, and with it the
 * group, changes.  So no event is given twice and none is left out.
 */

#include <assert.h>
#include <stdlib.h>

#include "core/diag.h"
#include "core/rules.h"
#include "gateway/alloc.h"
#include "gateway/catchup.h"
#include "gateway/conflate.h"
#include "gateway/conn.h"
#include "gateway/send.h"
#include "gateway/send_priv.h"
#include "gateway/trim.h"

enum {
	BLOCKS_A_TURN = 4,   /* for a connection that is behind */
	BLOCKS_A_PASS = 512, /* for all of them; the others are at the tip */
};

void
send_hub_init(
    struct send_hub *hub, struct group_table *groups, struct catchup *catchup)
{
	*hub = (struct send_hub){ .groups = groups,
		.catchup = catchup,
		.budget = BLOCKS_A_PASS,
		.left = BLOCKS_A_PASS };
	TAILQ_INIT(&hub->running);
	LIST_INIT(&hub->all);
	LIST_INIT(&hub->ahead);
}

void
send_init(struct sender *s, struct send_hub *hub, struct conn *conn)
{
	*s = (struct sender){ .hub = hub, .conn = conn };
	LIST_INIT(&s->subs);
	LIST_INSERT_HEAD(&hub->all, s, link);
}

void
send_end(struct sender *s)
{
	while (!LIST_EMPTY(&s->subs))
		send_sub_free(LIST_FIRST(&s->subs));
	send_leave_group(s);
}

void
send_deinit(struct sender *s)
{
	send_end(s);
	if (s->running)
		TAILQ_REMOVE(&s->hub->running, s, run_link);
	if (s->ahead)
		LIST_REMOVE(s, ahead_link);
	LIST_REMOVE(s, link);
	s->pace.rules = rules_free(s->pace.rules);
}

struct proto_uint
send_chain(const struct sender *s)
{
	if (s->state == SEND_NONE)
		return (struct proto_uint){ 0 };
	return (struct proto_uint){ true,
		s->state == SEND_MEMBER ? s->group->tip : s->position };
}

void
send_wait_ahead(struct sender *s)
{
	if (!s->ahead)
		LIST_INSERT_HEAD(&s->hub->ahead, s, ahead_link);
	s->ahead = true;
}

/* Hand over a block of the chain that was built for this connection alone. */
static void
give(struct sender *s, struct block *b, uint64_t upto)
{
	block_finish_batch(b, s->position, upto);
	(void)conn_send(s->conn, b);
	(void)block_unref(b);
	s->position = upto;
	s->scan = upto;
}

bool
send_take(struct sender *s, struct block *b)
{
	s->position = b->after;
	if (conn_make_ready(s->conn)) {
		bool sent;

		if (UNLIKELY(s->aside > 0))
			sent = send_with_asides(s, b);
		else
			sent = conn_send(s->conn, b) == CONN_SENT;
		s->position = b->upto;
		if (sent)
			return true;
	} else if (s->aside > 0) {
		send_lose_asides(s, b->upto);
	}
	s->scan = s->position;
	s->state = SEND_BEHIND;
	return false;
}

bool
send_take_part(struct sender *s, const struct block *b)
{
	struct trim trim = { s->scan, b->upto, s->fresh, NULL };
	struct block *part;

	s->state = SEND_BEHIND;
	if (!conn_make_ready(s->conn)) {
		if (s->aside > 0)
			send_lose_asides(s, b->upto);
		return false;
	}
	part = send_private(s, b, &trim);
	if (part->n_events == 0 && b->upto == s->position) {
		(void)block_unref(part);
	} else {
		give(s, part, b->upto);
		if (!conn_is_ready(s->conn))
			return false;
	}
	s->state = SEND_MEMBER;
	return true;
}

/*
 * What the group holds of trim, message by message; false: the connection
 * takes no more, and may stand in the middle.
 */
static bool
give_held(struct sender *s, const struct trim *trim)
{
	struct conflate_walk walk = { .trim = *trim };

	while (!walk.ended && conn_make_ready(s->conn)) {
		struct block *b = conflate_next(s->group->held, &walk);

		if (b->n_events == 0 && walk.upto == s->position)
			(void)block_unref(b);
		else
			give(s, b, walk.upto);
	}
	return walk.ended && conn_is_ready(s->conn);
}

bool
send_take_held(struct sender *s, uint64_t upto)
{
	struct trim trim = { s->scan, upto, s->fresh, NULL };

	s->state = SEND_BEHIND;
	if (!give_held(s, &trim))
		return false;
	s->state = SEND_MEMBER;
	return true;
}

/*
 * How much of what is open brings no ephemeral event to this connection:
 * what was there when it came.
 */
static uint32_t
fresh_from(const struct sender *s)
{
	return s->joined == s->group->serial ? s->fresh : 0;
}

/* What the open block holds now brings it no ephemeral event. */
void
send_have_all(struct sender *s)
{
	s->joined = s->group->serial;
	s->fresh = group_mark(s->group);
}

/* Where the chain has to stop for a subscription; none: UINT64_MAX. */
static uint64_t
next_stop(const struct sender *s)
{
	uint64_t stop = UINT64_MAX;
	const struct send_sub *sub;

	LIST_FOREACH (sub, &s->subs, link)
		if (sub->state == SEND_WAIT)
			stop = MIN(stop, sub->position);
	return stop;
}

void
send_place(struct sender *s)
{
	struct group *g = s->group;

	s->state = SEND_BEHIND;
	if (s->position < g->tip || send_lacks_own(s) ||
	    next_stop(s) != UINT64_MAX)
		return;
	if (s->position == g->tip && fresh_from(s) == 0) {
		s->state = SEND_MEMBER;
		group_senders_add(&g->members, s);
	} else {
		s->fresh = fresh_from(s);
		s->state = SEND_JOINER;
		group_senders_add(&g->joiners, s);
	}
}

void
send_take_out(struct sender *s)
{
	struct group *g = s->group;

	if (s->state == SEND_MEMBER) {
		group_senders_remove(&g->members, s);
		s->position = s->scan = g->tip;
	} else if (s->state == SEND_JOINER) {
		group_senders_remove(&g->joiners, s);
	}
	if (s->aside > 0)
		send_lose_asides(s, s->hub->groups->done);
	if (s->state != SEND_NONE)
		s->state = SEND_BEHIND;
}

/* Those that waited for this position are live from here on. */
static void
go_live(struct sender *s, uint64_t position)
{
	struct send_sub *sub;

	LIST_FOREACH (sub, &s->subs, link)
		if (sub->state == SEND_WAIT && sub->position == position)
			sub->state = SEND_LIVE;
	send_regroup(s);
}

/* Does it hold ephemeral events that were there when the sender joined? */
static bool
is_stale(const struct sender *s, const struct block *kept)
{
	return kept->ephemeral &&
	       (kept->serial <= s->joined ||
		   (s->fresh > 0 && kept->serial == s->joined + 1));
}

/* From a closed block of the group: itself, or a copy of a part. */
static void
step_kept(struct sender *s, struct block *kept, uint64_t stop)
{
	struct trim trim = { s->scan, MIN(stop, kept->upto), TRIM_NO_EPHEMERAL,
		NULL };

	if (kept->after != s->position || stop != UINT64_MAX ||
	    is_stale(s, kept)) {
		give(s, trim_block(kept, &trim), trim.upto);
		return;
	}
	(void)conn_send(s->conn, kept);
	s->position = s->scan = kept->upto;
}

/* Level with the group, but for what its open block holds. */
static void
step_open(struct sender *s, uint64_t stop)
{
	const struct group *g = s->group;
	struct trim trim = { s->scan, stop, TRIM_NO_EPHEMERAL, NULL };

	if (stop == UINT64_MAX) {
		if (s->position < g->tip)
			give(s, alloc_block(0), g->tip);
		send_place(s);
		return;
	}
	if (g->held) {
		struct conflate_walk walk = { .trim = trim };
		struct block *b = conflate_next(g->held, &walk);

		give(s, b, walk.upto);
	} else {
		give(s, trim_block(g->open, &trim), stop);
	}
}

static void
step_ring(struct sender *s, struct filter *filter, uint64_t upto)
{
	struct trim all = { s->scan, UINT64_MAX, TRIM_NO_EPHEMERAL, NULL };
	const struct catchup_ask ask = { filter, s->pace.rules, s->scan, upto };
	struct block *b CLEANUP(block_unrefp) = NULL;
	int rc = catchup_block(s->hub->catchup, &ask, &b);

	if (rc != CATCHUP_BLOCK) {
		if (rc < 0)
			diag_limited("ring", "the ring contradicts itself");
		send_lagged(s, "ring");
		return;
	}
	s->scan = b->upto;
	if (b->n_events == 0 && b->upto < upto)
		return;
	if (b->after != s->position) {
		give(s, trim_block(b, &all), b->upto);
		return;
	}
	(void)conn_send(s->conn, b);
	s->position = b->upto;
}

/*
 * A connection that is level with its group goes to the head at once: what
 * the open block holds, or as much of it as set lets through, is copied.
 */
static void
settle(struct sender *s, const struct filter *set)
{
	uint64_t done = s->hub->groups->done;
	struct trim trim = { .upto = done, .filter = set };
	struct block *b;

	trim.after = s->state == SEND_MEMBER ? s->group->tip : s->scan;
	trim.fresh = fresh_from(s);
	if (s->group->held) {
		send_take_out(s);
		(void)give_held(s, &trim);
		send_have_all(s);
		return;
	}
	b = send_private(s, s->group->open, &trim);
	send_take_out(s);
	if (b->n_events > 0 || s->position < done)
		give(s, b, done);
	else
		(void)block_unref(b);
	send_have_all(s);
}

void
send_ahead(struct sender *s)
{
	if (conn_make_ready(s->conn))
		settle(s, NULL);
	else
		send_take_out(s);
	send_place(s);
}

static bool
can_settle(const struct sender *s)
{
	return (s->state == SEND_MEMBER || s->state == SEND_JOINER) &&
	       conn_make_ready(s->conn);
}

/*
 * Has the chain come to where a subscription waits?  Then it goes live in
 * the same turn: ephemeral events that come in between would reach it twice.
 */
static void
arrive(struct sender *s)
{
	uint64_t stop = next_stop(s);

	if (stop == UINT64_MAX)
		return;
	if (s->state == SEND_NONE)
		s->position = s->scan = stop;
	else if (stop == s->hub->groups->done && can_settle(s))
		settle(s, NULL);
	else
		send_take_out(s);
	assert(s->position <= stop);
	if (s->position == stop)
		go_live(s, stop);
}

/* Towards the tip, or to where the chain has to stop; who is behind. */
static void
step_behind(struct sender *s)
{
	uint64_t stop = next_stop(s), tip = s->group->tip;
	struct block *kept = group_kept(s->group, s->scan);

	if (stop <= s->scan) {
		give(s, alloc_block(0), stop);
	} else if (send_lacks_own(s)) {
		step_ring(s, s->split.set, MIN(stop, s->hub->groups->done));
	} else {
		s->own_upto = 0;
		if (kept && kept->after <= s->scan)
			step_kept(s, kept, stop);
		else if (s->scan >= tip)
			step_open(s, stop);
		else
			step_ring(s, s->group->filter,
			    MIN(stop, kept ? kept->after : tip));
	}
}

/* One step along the chain; false: there is nothing to do now. */
static bool
step_chain(struct sender *s)
{
	arrive(s);
	if (s->state != SEND_BEHIND || !conn_is_ready(s->conn))
		return false;
	step_behind(s);
	arrive(s);
	return true;
}

/* The one that is not live yet and waits longest; NULL: there is none. */
static struct send_sub *
next_turn(const struct sender *s)
{
	struct send_sub *sub, *next = NULL;

	LIST_FOREACH (sub, &s->subs, link)
		if (sub->state < SEND_WAIT && !sub->wait.waiting &&
		    (!next || sub->turn <= next->turn))
			next = sub;
	return next;
}

/* Give one that is not live yet something; false: there is none. */
static bool
step_sub(struct sender *s)
{
	struct send_sub *sub = next_turn(s);

	if (!sub || !conn_is_ready(s->conn))
		return false;
	/* One that takes round after round leaves room for the others. */
	sub->turn = ++s->turns;
	if (sub->state == SEND_REPLAY)
		send_step_replay(s, sub);
	else
		send_step_rows(s, sub);
	arrive(s);
	return true;
}

static void
set_running(struct sender *s, bool running)
{
	if (running == s->running)
		return;
	s->running = running;
	if (running)
		TAILQ_INSERT_TAIL(&s->hub->running, s, run_link);
	else
		TAILQ_REMOVE(&s->hub->running, s, run_link);
}

/* A whole turn, or none, where the pass has nothing left for it. */
void
send_pump(struct sender *s)
{
	struct send_hub *hub = s->hub;
	unsigned given = 0;
	bool more = true;

	if (hub->paused)
		return;
	arrive(s);
	while (more && given < BLOCKS_A_TURN && hub->left > 0) {
		more = step_chain(s);
		given += more;
		if (given < BLOCKS_A_TURN && !s->ahead && step_sub(s)) {
			more = true;
			given++;
		}
	}
	hub->left -= MIN(hub->left, given);
	set_running(s, more && conn_is_ready(s->conn));
}

/* Those whose snapshot was of a seq that the feed had not come to. */
static void
run_ahead(struct send_hub *hub)
{
	struct sender *s, *next;

	if (hub->ahead_done == hub->groups->done)
		return;
	hub->ahead_done = hub->groups->done;
	for (s = LIST_FIRST(&hub->ahead); s; s = next) {
		next = LIST_NEXT(s, ahead_link);
		LIST_REMOVE(s, ahead_link);
		s->ahead = false;
		send_pump(s); /* which may put it back, in front */
	}
}

bool
send_hub_run(struct send_hub *hub)
{
	struct sender *last, *s = NULL;

	if (hub->paused)
		return false;
	hub->left = hub->budget;
	run_ahead(hub);
	last = TAILQ_LAST(&hub->running, send_running);
	while (s != last && hub->left > 0) {
		s = TAILQ_FIRST(&hub->running);
		set_running(s, false);
		send_pump(s);
	}
	return !TAILQ_EMPTY(&hub->running);
}

/*
 * A live one ended; the others go on without its events.  A batch that is
 * built here comes before the client is told.  Whole, it has the events of
 * the one that ended too, so that its upto counts for that one; not whole
 * when they may not be seen any more; then, where they covered some of the
 * others, all of them are read from the ring.
 */
void
send_shrink(struct sender *s, bool whole)
{
	struct filter *set CLEANUP(filter_unrefp) = send_live_set(s);

	if (set && set != s->split.set && can_settle(s) &&
	    (whole || !s->group->held))
		settle(s, whole ? NULL : set);
	send_regroup(s);
}

void
send_conflate(struct sender *s, uint32_t ms, struct rules *rules)
{
	assert(s->pace.conflate_ms == 0);
	if (can_settle(s))
		settle(s, NULL);
	s->pace = (struct group_pace){ ms, rules_ref(rules) };
	send_regroup(s);
}
