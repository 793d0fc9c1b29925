/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A block may end only where a request ends.  While a request is being added,
 * cut remembers where it began, so that a full block can be closed in front
 * of it and the rest carried over into the next one.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/rules.h"
#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/conflate.h"
#include "gateway/counters.h"
#include "gateway/group.h"
#include "gateway/send.h"
#include "gateway/trim.h"

enum {
	EVENTS_BYTES = BLOCK_BYTES - BLOCK_HEADROOM,
	FIRST_BYTES = 1000, /* of a block whose group had little to say */
};

void
group_table_init(struct group_table *table)
{
	*table = (struct group_table){
		.filters = filter_table_new(),
		.match = match_new(),
		.policy = &split_usual,
	};
	LIST_INIT(&table->all);
	LIST_INIT(&table->dirty);
}

void
group_table_deinit(struct group_table *table)
{
	assert(LIST_EMPTY(&table->all));
	table->match = match_free(table->match);
	table->filters = filter_table_free(table->filters);
}

static struct group *
find(const struct filter *filter, const struct group_pace *pace)
{
	struct group *g = filter->groups;

	while (g && (g->pace.conflate_ms != pace->conflate_ms ||
			g->pace.rules != pace->rules))
		g = g->sibling;
	return g;
}

static void
set_pace(struct group *g, const struct group_pace *pace)
{
	if (pace->conflate_ms == 0)
		return;
	g->pace =
	    (struct group_pace){ pace->conflate_ms, rules_ref(pace->rules) };
	g->held = conflate_new();
	conflate_reset(g->held, g->pace.rules);
	g->table->n_conflating++;
}

static struct group *
new_group(struct group_table *table, struct filter *filter,
    const struct group_pace *pace)
{
	struct group *g = alloc_zero(1, sizeof(*g));

	g->table = table;
	g->filter = filter_ref(filter);
	g->tip = table->done;
	g->request = table->request;
	g->sent_ns = table->now_ns;
	g->sibling = filter->groups;
	filter->groups = g;
	set_pace(g, pace);
	LIST_INSERT_HEAD(&table->all, g, link);
	match_add(table->match, filter, (struct match_to){ .group = g });
	table->counts.groups++;
	return g;
}

struct group *
group_join(struct group_table *table, struct filter *filter,
    const struct group_pace *pace)
{
	struct group *g = find(filter, pace);

	if (!g)
		g = new_group(table, filter, pace);
	g->n_senders++;
	return g;
}

uint32_t
group_mark(const struct group *g)
{
	return g->held ? conflate_mark(g->held) : group_open_bytes(g);
}

/* What a conflating group may hold: all of them have the same share. */
static uint64_t
share(const struct group *g)
{
	uint64_t even = GROUP_HELD_ALL / MAX(g->table->n_conflating, 1u);

	return MIN(MAX(even, (uint64_t)BLOCK_BYTES), (uint64_t)GROUP_HELD);
}

static uint32_t
n_behind(const struct group *g)
{
	return g->n_senders - g->members.n - g->joiners.n;
}

static void
drop_kept(struct group *g)
{
	struct block **b = &g->kept[g->kept_first];

	*b = block_unref(*b);
	g->kept_first = (g->kept_first + 1) % GROUP_KEPT;
	g->kept_n--;
}

static void
drop_all_kept(struct group *g)
{
	while (g->kept_n > 0)
		drop_kept(g);
}

static bool
has_open(const struct group *g)
{
	return g->open || (g->held && conflate_mark(g->held) > 0);
}

/* After a change of what waits in the group. */
static void
set_dirty(struct group *g)
{
	bool dirty = has_open(g) || g->asides.n > 0;

	if (dirty && !g->dirty)
		LIST_INSERT_HEAD(&g->table->dirty, g, dirty_link);
	else if (!dirty && g->dirty)
		LIST_REMOVE(g, dirty_link);
	g->dirty = dirty;
}

/* What is held; the group no longer conflates. */
static void
drop_held(struct group *g)
{
	if (!g->held)
		return;
	g->held = conflate_free(g->held);
	g->pace.rules = rules_free(g->pace.rules);
	g->table->n_conflating--;
}

/* Out of its filter's list. */
static void
unlink_group(struct group *g)
{
	struct group **slot = &g->filter->groups;

	while (*slot != g)
		slot = &(*slot)->sibling;
	*slot = g->sibling;
}

void
group_leave(struct group *g)
{
	assert(g->n_senders > 0);
	g->n_senders--;
	if (n_behind(g) == 0)
		drop_all_kept(g);
	if (g->n_senders > 0)
		return;
	g->open = block_unref(g->open);
	drop_held(g);
	aside_clear(&g->asides);
	set_dirty(g);
	match_remove(
	    g->table->match, g->filter, (struct match_to){ .group = g });
	g->table->counts.groups--;
	LIST_REMOVE(g, link);
	unlink_group(g);
	(void)filter_unref(g->filter);
	free(g->members.v);
	free(g->joiners.v);
	aside_deinit(&g->asides);
	free(g);
}

void
group_senders_add(struct group_senders *list, struct sender *s)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 4;
		list->v = alloc_array(list->v, list->cap, sizeof(list->v[0]));
	}
	s->index = list->n;
	list->v[list->n++] = s;
}

void
group_senders_remove(struct group_senders *list, struct sender *s)
{
	assert(s->index < list->n && list->v[s->index] == s);
	list->v[s->index] = list->v[--list->n];
	list->v[s->index]->index = s->index;
}

struct block *
group_kept(const struct group *g, uint64_t seq)
{
	for (uint32_t i = 0; i < g->kept_n; i++) {
		struct block *b = g->kept[(g->kept_first + i) % GROUP_KEPT];

		if (b->upto > seq)
			return b;
	}
	return NULL;
}

uint64_t
group_kept_bytes(const struct group *g)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < g->kept_n; i++)
		bytes += block_bytes(g->kept[(g->kept_first + i) % GROUP_KEPT]);
	return bytes;
}

/*
 * Remember a closed block for those who could not take it.  Kept ones grow
 * by the forms in which they are sent, so they are counted each time.
 */
static void
keep(struct group *g, struct block *b)
{
	uint64_t len = block_bytes(b), kept, most = GROUP_KEPT_BYTES;

	if (g->held)
		most = MAX(most, share(g));
	if (b->after == b->upto)
		return; /* whoever is behind has no use for it */
	kept = group_kept_bytes(g);
	while (
	    g->kept_n > 0 && (g->kept_n == GROUP_KEPT || kept + len > most)) {
		kept -= block_bytes(g->kept[g->kept_first]);
		drop_kept(g);
	}
	if (len > most)
		return;
	g->kept[(g->kept_first + g->kept_n++) % GROUP_KEPT] = block_ref(b);
}

static void
deliver(struct group *g, struct block *b)
{
	uint32_t n = g->members.n, left = 0;
	struct sender **v = g->members.v;

	for (uint32_t k = 0, i = n ? g->rotor++ % n : 0; k < n; k++) {
		/* Each is a line or two of memory that nobody has touched. */
		__builtin_prefetch(v[(i + 4) % n]);
		__builtin_prefetch(v[(i + 2) % n]->conn);
		left += !send_take(v[i], b);
		if (++i == n)
			i = 0;
	}
	if (left == 0)
		return;
	g->members.n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (v[i]->state == SEND_MEMBER)
			group_senders_add(&g->members, v[i]);
}

/* Joiners get their part; those who could take it are members now. */
static void
deliver_parts(struct group *g, const struct block *b)
{
	uint32_t n = g->joiners.n;

	g->joiners.n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (send_take_part(g->joiners.v[i], b))
			group_senders_add(&g->members, g->joiners.v[i]);
}

/* The next block of the group to its members, and in part to joiners. */
static void
hand_out(struct group *g, struct block *b, uint64_t upto)
{
	struct group_table *table = g->table;
	uint64_t bytes;

	block_finish_batch(b, g->tip, upto);
	bytes = b->end - b->start;
	g->tip = upto;
	b->serial = g->serial;
	table->counts.blocks++;
	table->counts.deliveries += (uint64_t)b->n_events * g->members.n;
	table->counts.bytes += bytes * g->members.n;
	table->work += bytes * (g->members.n + g->joiners.n);
	deliver(g, b);
	if (!g->held)
		deliver_parts(g, b);
	aside_clear(&g->asides);
	if (n_behind(g) > 0)
		keep(g, b);
	else
		drop_all_kept(g);
	(void)block_unref(b);
}

/* An interval ends: what it leaves, in as many blocks as it takes. */
static void
close_held(struct group *g, uint64_t upto)
{
	struct conflate_walk walk = { .trim = { g->tip, upto, 0, NULL } };
	uint32_t n = g->joiners.n;

	g->serial++;
	g->sent_ns = g->table->now_ns;
	while (!walk.ended) {
		struct block *b = conflate_next(g->held, &walk);

		hand_out(g, b, walk.upto);
	}
	g->joiners.n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (send_take_held(g->joiners.v[i], upto))
			group_senders_add(&g->members, g->joiners.v[i]);
	COUNTERS_ADD(left_out, conflate_left_out(g->held));
	conflate_reset(g->held, g->pace.rules);
	set_dirty(g);
}

static void
close_block(struct group *g, uint64_t upto)
{
	struct block *b;

	if (g->held) {
		close_held(g, upto);
		return;
	}
	b = TAKE(g->open);
	if (!b)
		b = alloc_block(0);
	g->last_bytes = b->end - BLOCK_HEADROOM;
	g->serial++;
	g->sent_ns = g->table->now_ns;
	hand_out(g, b, upto);
	set_dirty(g);
}

/*
 * Room for twice what the last one held: a thousand groups that get an event
 * now and then would touch 16 MiB, and give them back.
 */
static void
open_block(struct group *g, uint32_t bytes)
{
	uint32_t usual = MIN(2 * g->last_bytes, (uint32_t)EVENTS_BYTES);

	g->open = alloc_block(MAX(bytes, MAX(usual, (uint32_t)FIRST_BYTES)));
	g->open->read_ns = g->table->now_ns;
	set_dirty(g);
}

/* Twice the room; beyond a block's usual size only for a request of its own. */
static void
grow(struct group *g, uint32_t more)
{
	struct slice events = trim_events(g->open);
	uint32_t need = (uint32_t)events.len + more;
	uint32_t twice = 2 * (uint32_t)events.len;
	struct block *b;

	if (need <= EVENTS_BYTES)
		twice = MIN(twice, (uint32_t)EVENTS_BYTES);
	b = alloc_block(MAX(need, twice));
	block_add(b, events.p, (uint32_t)events.len);
	b->n_events = g->open->n_events;
	b->ephemeral = g->open->ephemeral;
	b->read_ns = g->open->read_ns;
	(void)block_unref(g->open);
	g->open = b;
}

/* Close what was there before this request; carry the rest over. */
static void
split(struct group *g, uint32_t more)
{
	struct slice events = trim_events(g->open);
	struct slice rest = slice_of(events.p + g->cut, events.len - g->cut);
	uint32_t n = g->open->n_events - g->cut_n;
	struct block *whole = block_ref(g->open);
	struct asides asides;

	aside_take_rest(&g->asides, &asides);
	g->open->end -= (uint32_t)rest.len;
	g->open->n_events = g->cut_n;
	close_block(g, g->table->done);
	open_block(g, (uint32_t)rest.len + more);
	if (rest.len > 0) {
		block_add(g->open, rest.p, (uint32_t)rest.len);
		g->open->n_events = n;
		g->open->ephemeral = whole->ephemeral;
	}
	(void)block_unref(whole);
	for (uint32_t i = 0; i < asides.n; i++)
		if (asides.v[i].rider)
			send_aside(asides.v[i].rider, asides.v[i].at - g->cut,
			    aside_event(&asides, i));
	aside_deinit(&asides);
	g->cut = 0;
	g->cut_n = 0;
}

/* Where the present request begins in the group. */
static void
enter_request(struct group *g)
{
	if (g->request == g->table->request)
		return;
	g->request = g->table->request;
	g->cut = group_open_bytes(g);
	g->cut_n = g->open ? g->open->n_events : 0;
	g->asides.cut = g->asides.n;
}

/* For a group that conflates; its interval may end early. */
static void
hold(struct group *g, struct slice event)
{
	uint64_t done = g->table->done;

	if (conflate_mark(g->held) == 0 || g->request != g->table->request) {
		g->request = g->table->request;
		conflate_begin(g->held, done);
		if (conflate_size(g->held) >= share(g)) {
			COUNTERS_ADD(early_intervals, 1);
			close_held(g, done);
			conflate_begin(g->held, done);
		}
	}
	conflate_add(g->held, event);
	set_dirty(g);
}

void
group_add(struct group *g, struct slice event)
{
	uint32_t len = (uint32_t)event.len;

	if (g->held) {
		hold(g, event);
		return;
	}
	if (!g->open)
		open_block(g, len);
	enter_request(g);
	g->event = g->table->event;
	if (group_open_bytes(g) + len > EVENTS_BYTES && g->cut > 0)
		split(g, len);
	if (len > g->open->cap - g->open->end)
		grow(g, len);
	block_add(g->open, event.p, len);
	/* Behind the array's head comes the seq. */
	g->open->ephemeral = g->open->ephemeral || event.p[1] == 0;
}

/*
 * Every rider that has asides goes ahead of its group with them, so that the
 * others are not sent a block that would be empty for them.
 */
static void
give_asides(struct group *g)
{
	struct asides *a = &g->asides;

	g->asides_ns = g->table->now_ns;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->v[i].rider)
			send_ahead(a->v[i].rider);
	aside_clear(a);
	set_dirty(g);
}

void
group_add_aside(struct group *g, struct sender *s, struct slice event)
{
	struct asides *a = &g->asides;
	uint32_t at;

	enter_request(g);
	/* In front of a request, not in it. */
	if (a->cut == a->n && aside_is_full(a))
		give_asides(g);
	if (a->n == 0)
		a->read_ns = g->table->now_ns;
	at = group_open_bytes(g);
	if (s->aside > 0 && s->aside_last <= a->cut &&
	    at + s->aside_bytes + event.len > EVENTS_BYTES)
		send_ahead(s);
	send_aside(s, at, event);
	set_dirty(g);
}

void
group_table_request(struct group_table *table, uint64_t seq)
{
	table->done = MAX(table->done, seq);
	table->request++;
}

static void
roll_back(struct group *g)
{
	struct asides rest;

	aside_take_rest(&g->asides, &rest);
	aside_deinit(&rest);
	if (g->held)
		conflate_rollback(g->held);
	if (g->open) {
		g->open->end = BLOCK_HEADROOM + g->cut;
		g->open->n_events = g->cut_n;
	}
	if (g->cut == 0)
		g->open = block_unref(g->open);
	set_dirty(g);
}

void
group_table_rollback(struct group_table *table)
{
	struct group *g, *next;

	for (g = LIST_FIRST(&table->dirty); g; g = next) {
		next = LIST_NEXT(g, dirty_link);
		if (g->request != table->request)
			continue;
		roll_back(g);
	}
	table->request++;
}

/* When those who wait got something for the last time. */
static uint64_t
sent_ns(const struct group *g)
{
	return has_open(g) ? g->sent_ns : MAX(g->sent_ns, g->asides_ns);
}

/* How long a group rests between two blocks. */
static uint64_t
rest_ns(const struct group *g)
{
	if (g->held)
		return g->pace.conflate_ms * NS_PER_MS;
	return g->table->batch_ns;
}

static void
give_all(struct group *g)
{
	if (has_open(g))
		close_block(g, g->table->done);
	else
		give_asides(g);
}

uint64_t
group_table_flush(struct group_table *table)
{
	uint64_t due = 0;
	struct group *g, *next;

	for (g = LIST_FIRST(&table->dirty); g; g = next) {
		uint64_t at = sent_ns(g) + rest_ns(g);

		next = LIST_NEXT(g, dirty_link);
		if (at <= table->now_ns)
			give_all(g);
		else if (due == 0 || at < due)
			due = at;
	}
	return due;
}

void
group_table_close(struct group_table *table)
{
	while (!LIST_EMPTY(&table->dirty))
		give_all(LIST_FIRST(&table->dirty));
}

/* Ticks come every tick_ns, and none may be too late for the interval. */
void
group_table_tick(struct group_table *table, uint64_t tick_ns)
{
	struct group *g;

	LIST_FOREACH (g, &table->all, link) {
		uint64_t interval =
		    table->done > g->tip ? table->mark_ns : table->ping_ns;

		if (table->now_ns + tick_ns > g->sent_ns + interval)
			close_block(g, table->done);
	}
}
