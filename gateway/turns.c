/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turns are given at the end of a pass, never from within turns_done(): who
 * is done may be in the middle of its own lists.
 */

#include <assert.h>

#include "gateway/turns.h"

void
turns_table_init(struct turns_table *table, void (*go)(struct turn *turn))
{
	*table = (struct turns_table){ .go = go };
	TAILQ_INIT(&table->due);
}

void
turns_init(struct turns *t, struct turns_table *table)
{
	*t = (struct turns){ .table = table };
	TAILQ_INIT(&t->waiting);
}

static void
set_due(struct turns *t, bool due)
{
	if (due == t->due)
		return;
	t->due = due;
	if (due)
		TAILQ_INSERT_TAIL(&t->table->due, t, due_link);
	else
		TAILQ_REMOVE(&t->table->due, t, due_link);
}

void
turns_deinit(struct turns *t)
{
	assert(t->held == 0 && TAILQ_EMPTY(&t->waiting));
	set_due(t, false);
}

static bool
has_room(const struct turns *t)
{
	return t->table->max_running == 0 || t->running < t->table->max_running;
}

bool
turns_hold(struct turns *t)
{
	const struct turns_table *table = t->table;

	if (table->max_running > 0 && table->max_waiting > 0 &&
	    t->held >= table->max_running + table->max_waiting)
		return false;
	t->held++;
	return true;
}

bool
turns_take(struct turns *t, struct turn *turn)
{
	if (has_room(t)) {
		t->running++;
		return true;
	}
	if (!turn->waits)
		TAILQ_INSERT_TAIL(&t->waiting, turn, link);
	turn->waits = true;
	return false;
}

void
turns_done(struct turns *t)
{
	assert(t->running > 0);
	t->running--;
	turns_drop(t);
	set_due(t, !TAILQ_EMPTY(&t->waiting));
}

void
turns_drop(struct turns *t)
{
	assert(t->held > 0);
	t->held--;
}

void
turns_leave(struct turns *t, struct turn *turn)
{
	if (turn->waits)
		TAILQ_REMOVE(&t->waiting, turn, link);
	turn->waits = false;
}

void
turns_run(struct turns_table *table)
{
	struct turns *t;

	while ((t = TAILQ_FIRST(&table->due)) != NULL) {
		set_due(t, false);
		while (has_room(t) && !TAILQ_EMPTY(&t->waiting)) {
			struct turn *turn = TAILQ_FIRST(&t->waiting);

			turns_leave(t, turn);
			table->go(turn);
		}
	}
}

bool
turns_due(const struct turns_table *table)
{
	return !TAILQ_EMPTY(&table->due);
}
