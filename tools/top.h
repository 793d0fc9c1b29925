/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What `peal top` shows: the busiest topics, taken from the ring as any
 * reader takes them, and the clients that are furthest behind.  It attaches
 * to no process, and goes on when the writer starts anew.
 */

#ifndef PEAL_TOOLS_TOP_H
#define PEAL_TOOLS_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/reason.h"
#include "shm/ring_reader.h"
#include "tools/busy.h"
#include "tools/crowd.h"

struct house;
struct watch;

enum {
	TOP_TOPICS = 8192,  /* that are remembered */
	TOP_CLIENTS = 1000, /* the same */
};

struct top {
	struct watch *watch;
	struct busy *busy;
	struct crowd crowd;
	struct crowd_ask ask;
	char run_path[4096]; /* the run directory */

	bool attached;		   /* status and info are of a ring */
	struct ring_status status; /* as of the last turn */
	uint64_t missed;	   /* events that were overwritten before */
	uint64_t starts;	   /* of the writer, that were seen */
	struct reason ring_why;	   /* where there is no ring, or a bad one */
	struct reason crowd_why;   /* where no clients can be seen */

	struct ring_event *events;
	uint8_t *bytes;
};

MUST_CHECK int top_init(
    struct top *top, const struct house *house, struct reason *why);
void top_deinit(struct top *top);

/* Take what the ring has, for some 50 ms at most; often enough, all of it. */
void top_take(struct top *top);
/* Who is connected, in the order that ask says. */
void top_clients(struct top *top);
/* A second has passed, or another time: rates, and clients. */
void top_turn(struct top *top);

#endif
