/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Whose turn it is: queries of one user, of whom a few are under way at once
 * and the others wait, over all of the user's connections.
 */

#ifndef PEAL_GATEWAY_TURNS_H
#define PEAL_GATEWAY_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/macros.h"

/* Of a connection: waits for its turn, or not. */
struct turn {
	TAILQ_ENTRY(turn) link;
	bool waits;
};

TAILQ_HEAD(turn_list, turn);
TAILQ_HEAD(turns_list, turns);

struct turns_table {
	uint64_t max_running; /* of one user; 0: no limit */
	uint64_t max_waiting; /* the same */
	struct turns_list due;
	/* The owner's: its turn may have come, to be taken or not. */
	void (*go)(struct turn *turn);
};

/* Of a user. */
struct turns {
	struct turns_table *table;
	uint64_t held;	  /* queries that wait or run */
	uint64_t running; /* of these */
	struct turn_list waiting;
	TAILQ_ENTRY(turns) due_link;
	bool due;
};

void turns_table_init(struct turns_table *table, void (*go)(struct turn *turn));
void turns_init(struct turns *t, struct turns_table *table);
void turns_deinit(struct turns *t);

/* One query more; false: too many wait. */
MUST_CHECK bool turns_hold(struct turns *t);
/* May it run now?  false: the connection waits, and is told by go(). */
MUST_CHECK bool turns_take(struct turns *t, struct turn *turn);
/* It is over, or given up before it ran. */
void turns_done(struct turns *t);
void turns_drop(struct turns *t);
/* The connection goes: what it held was given back. */
void turns_leave(struct turns *t, struct turn *turn);

/* Let those go on whose turn has come; once a pass. */
void turns_run(struct turns_table *table);
/* Is there anybody to go on? */
bool turns_due(const struct turns_table *table);

#endif
