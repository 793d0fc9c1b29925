/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Groups: all connections whose live sets have the same shared part.  A group
 * gathers matching events in one open block, closes it when it is full or
 * due, and hands it to every member.  Its tip is the chain's end for all of
 * them.  Riders among them have events of their own beside it.
 */

#ifndef PEAL_GATEWAY_GROUP_H
#define PEAL_GATEWAY_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/bytes.h"
#include "gateway/aside.h"
#include "gateway/block.h"
#include "gateway/filter.h"
#include "gateway/match.h"
#include "gateway/split.h"

struct conflate;
struct conflate_walk;
struct rules;
struct sender;

enum {
	GROUP_KEPT = 32,	       /* closed blocks for those behind */
	GROUP_KEPT_BYTES = 512 * 1024, /* and as many bytes */
	GROUP_WORK = 8 << 20,	       /* bytes to be sent that end a pass */
	GROUP_HELD = 4 << 20,	       /* of an interval, for conflation */
	GROUP_HELD_ALL = 64 << 20,     /* and of those of all groups */
};

/* How often a connection gets something, and what is left of it by then. */
struct group_pace {
	uint32_t conflate_ms; /* 0: every event, as soon as it comes */
	struct rules *rules;  /* a reference; NULL where it is 0 */
};

struct group_senders {
	struct sender **v;
	uint32_t n;
	uint32_t cap;
};

struct group {
	struct group_table *table;
	struct filter *filter;	/* a reference */
	struct group_pace pace; /* of all its members */
	struct group *sibling;	/* of the same filter */
	LIST_ENTRY(group) link;
	LIST_ENTRY(group) dirty_link; /* with an open block, or asides */

	uint64_t tip;	     /* upto of the last closed block */
	uint64_t serial;     /* of the last closing, and of its blocks */
	uint64_t sent_ns;    /* when the pass began in which it closed */
	uint32_t last_bytes; /* of the events that it held */
	struct block *open;
	struct conflate *held; /* in its place where the group conflates */
	uint64_t request;      /* the last one that added to open ... */
	uint32_t cut;	       /* ... began at this byte of its events ... */
	uint32_t cut_n;	       /* ... and behind so many of them */
	uint64_t event;	       /* the last one that was added */

	struct asides asides; /* for members and joiners */
	uint64_t asides_ns;   /* when the pass began that gave them alone */
	bool dirty;

	uint32_t n_senders;	      /* everyone whose live set this is */
	uint32_t rotor;		      /* who comes first */
	struct group_senders members; /* at the tip, and not blocked */
	struct group_senders joiners; /* get a part of the next block */

	struct block *kept[GROUP_KEPT]; /* a ring */
	uint32_t kept_first, kept_n;
};

LIST_HEAD(group_list, group);

struct group_counts {
	uint64_t groups;
	uint64_t blocks;     /* closed */
	uint64_t deliveries; /* events times members */
	uint64_t bytes;	     /* the same in bytes of messages */
	uint64_t visits;     /* events times groups and riders they went to */
	uint64_t private;    /* blocks for one rider */
};

struct group_table {
	struct filter_table *filters;
	struct match *match;
	struct group_list all;
	struct group_list dirty;
	uint32_t n_conflating; /* groups */
	uint64_t batch_ns, mark_ns, ping_ns;

	uint64_t done;	  /* every request up to this seq was matched */
	uint64_t request; /* counts requests, for cut */
	uint64_t event;	  /* counts events */
	const struct split_policy *policy; /* what a group shares */
	uint64_t now_ns;		   /* when the pass began */
	uint64_t work; /* bytes handed to members in this pass */
	struct group_counts counts;
};

void group_table_init(struct group_table *table);
/* No group is left. */
void group_table_deinit(struct group_table *table);

/*
 * The group of a live set and a pace, made where there is none; one sender
 * more.
 */
struct group *group_join(struct group_table *table, struct filter *filter,
    const struct group_pace *pace);
/* One sender less; it is in neither array. */
void group_leave(struct group *g);

/* Put a sender into an array, or take it out. */
void group_senders_add(struct group_senders *list, struct sender *s);
void group_senders_remove(struct group_senders *list, struct sender *s);

/* Bytes of the events in the open block. */
static inline uint32_t
group_open_bytes(const struct group *g)
{
	return g->open ? g->open->end - BLOCK_HEADROOM : 0;
}

/* How much is open: trim.fresh of who comes now. */
uint32_t group_mark(const struct group *g);

/* An event that matches; closes the open block where it has no room. */
void group_add(struct group *g, struct slice event);
/* One for a rider alone, a member or joiner, which the group does not get. */
void group_add_aside(struct group *g, struct sender *s, struct slice event);
/* A request is complete; it ended at seq. */
void group_table_request(struct group_table *table, uint64_t seq);
/* Forget what an incomplete request has added. */
void group_table_rollback(struct group_table *table);

/*
 * End of a pass: close what is due.  Returns when the next block will be due
 * (ns), 0 when none is open.
 */
uint64_t group_table_flush(struct group_table *table);
/* Close everything that is open. */
void group_table_close(struct group_table *table);
/* Marks: empty batches for groups that had nothing to say. */
void group_table_tick(struct group_table *table, uint64_t tick_ns);

/* The oldest kept block with an upto beyond seq, or NULL. */
struct block *group_kept(const struct group *g, uint64_t seq);
/* Bytes of all kept blocks, with the forms that they have by now. */
uint64_t group_kept_bytes(const struct group *g);

#endif
