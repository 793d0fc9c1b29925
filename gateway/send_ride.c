/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The live set of a connection, and the two parts that it falls into: what it
 * shares with a group, and what it has beside it.  Every event is looked for
 * in both, and given once.
 */

#include <assert.h>
#include <stdlib.h>

#include "gateway/alloc.h"
#include "gateway/conn.h"
#include "gateway/peek.h"
#include "gateway/send.h"
#include "gateway/send_priv.h"

struct filter *
send_live_set(struct sender *s)
{
	struct filter **list, *set;
	struct send_sub *sub;
	unsigned n = 0;

	LIST_FOREACH (sub, &s->subs, link)
		n += sub->state == SEND_LIVE;
	if (n == 0)
		return NULL;
	list = alloc_array(NULL, n, sizeof(struct filter *));
	n = 0;
	LIST_FOREACH (sub, &s->subs, link)
		if (sub->state == SEND_LIVE)
			list[n++] = sub->filter;
	set = filter_union(s->hub->groups->filters, list, n);
	free(list);
	return set;
}

/* It is no rider any more, of no set. */
static void
drop_set(struct sender *s)
{
	if (s->split.own)
		match_remove(s->hub->groups->match, s->split.own,
		    (struct match_to){ .rider = s });
	split_leave(&s->split);
	s->own_upto = 0;
}

void
send_leave_group(struct sender *s)
{
	if (!s->group)
		return;
	send_take_out(s);
	drop_set(s);
	group_leave(s->group);
	s->group = NULL;
	s->state = SEND_NONE;
}

/* Into the group of what it shares, which may be the one where it is. */
static void
join(struct sender *s, struct filter *shared)
{
	struct group *old = s->group;
	struct group *g = group_join(s->hub->groups, shared, &s->pace);

	s->group = g;
	if (old)
		group_leave(old);
	if (g != old)
		send_have_all(s);
}

/* Who gets conflated batches has nothing beside its group. */
static void
take_set(struct sender *s, struct filter *set)
{
	struct group_table *groups = s->hub->groups;
	struct filter *shared;

	if (s->pace.conflate_ms > 0)
		shared = split_enter_whole(&s->split, set);
	else
		shared = split_enter(&s->split, set, groups->policy);
	join(s, shared);
	(void)filter_unref(shared);
	if (!s->split.own)
		return;
	match_add(groups->match, s->split.own, (struct match_to){ .rider = s });
	/* What was matched before it rode is in no block. */
	s->own_upto = groups->done;
}

void
send_regroup(struct sender *s)
{
	struct filter *set CLEANUP(filter_unrefp) = send_live_set(s);

	if (!set) {
		send_leave_group(s);
		return;
	}
	if (s->split.set != set ||
	    s->group->pace.conflate_ms != s->pace.conflate_ms) {
		send_take_out(s);
		drop_set(s);
		take_set(s, set);
	}
	if (s->state != SEND_MEMBER && s->state != SEND_JOINER)
		send_place(s);
}

bool
send_lacks_own(const struct sender *s)
{
	/* What was matched and taken back will be matched again. */
	return MIN(s->own_upto, s->hub->groups->done) > s->scan;
}

void
send_lose_asides(struct sender *s, uint64_t upto)
{
	s->own_upto = MAX(s->own_upto, upto);
	aside_forget(&s->group->asides, s);
}

struct block *
send_private(struct sender *s, const struct block *b, const struct trim *trim)
{
	if (s->aside == 0)
		return trim_block(b, trim);
	s->hub->groups->counts.private ++;
	return aside_block(&s->group->asides, s, b, trim);
}

bool
send_with_asides(struct sender *s, const struct block *b)
{
	struct block *mine = aside_block(&s->group->asides, s, b, NULL);
	enum conn_send rc;

	s->hub->groups->counts.private ++;
	block_finish_batch(mine, b->after, b->upto);
	rc = conn_send(s->conn, mine);
	(void)block_unref(mine);
	return rc == CONN_SENT;
}

void
send_aside(struct sender *s, uint32_t at, struct slice event)
{
	struct peek peek;

	if (s->state == SEND_MEMBER || s->state == SEND_JOINER)
		aside_add(&s->group->asides, s, at, event);
	else if (peek_event(event, &peek))
		s->own_upto = MAX(s->own_upto, peek.seq);
}

void
send_own(struct sender *s, struct slice event)
{
	struct group *g = s->group;

	if (g->event == s->hub->groups->event)
		return; /* it comes with the group's block */
	group_add_aside(g, s, event);
}
