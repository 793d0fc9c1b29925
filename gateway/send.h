/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Senders: how far each connection has got, and what it is given next.  A
 * sender owns the connection's subscriptions, from the replay to the end, and
 * keeps the chain: each batch begins where the last one ended.
 *
 *	NONE --a subscription goes live--> MEMBER <--> BEHIND
 *	  ^                                  ^           |
 *	  `--the last one ends---------------+-- JOINER <'
 *
 * A rider is a sender, in any of these states, with a part of its own beside
 * what its group has.
 */

#ifndef PEAL_GATEWAY_SEND_H
#define PEAL_GATEWAY_SEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/proto.h"
#include "gateway/block.h"
#include "gateway/fetch.h"
#include "gateway/filter.h"
#include "gateway/group.h"
#include "gateway/split.h"

struct catchup;
struct conn;

enum send_state {
	SEND_NONE = 0, /* nothing is live */
	SEND_MEMBER,   /* at its group's tip: gets the next block */
	SEND_JOINER,   /* beyond the tip: gets a part of the next block */
	SEND_BEHIND,   /* gets blocks of its own until it is at the tip */
};

/*
 * A subscription's way; a query for state ends with its last part.
 *
 *	OPENING -> TAKING -> REPLAY -> WAIT -> LIVE
 *	    ^--------'  another round, where the ring has moved on
 */
enum send_sub_state {
	SEND_OPENING, /* the broker makes its snapshot */
	SEND_TAKING,  /* rows, part by part */
	SEND_REPLAY,  /* past events, up to where the group is */
	SEND_WAIT,    /* goes live when the chain has got to its position */
	SEND_LIVE,
};

struct send_taking;
struct sender;

struct send_sub {
	LIST_ENTRY(send_sub) link;
	struct sender *sender;
	struct proto_uint id;  /* queries may have none */
	struct filter *filter; /* a reference */
	enum send_sub_state state;
	uint64_t position; /* replayed up to here; waiting: goes live here */
	uint64_t scan;	   /* nothing matches in (position, scan] */
	uint64_t turn;	   /* of its last step */
	bool outdated;	   /* what it may see has changed: it ends */
	uint64_t member;   /* what presence calls it; 0: nothing */
	uint64_t since_us; /* wall clock, for presence */
	struct fetch_wait wait;
	struct send_taking *taking; /* of a snapshot and its rounds, or NULL */
};

/* What is asked for by who wants rows. */
struct send_snapshot {
	struct proto_uint id;
	struct filter *filter;
	struct proto_uint since;
	bool full; /* all rows, whatever since says */
	uint64_t min_seq;
	struct slice at; /* len 0: the present; copied */
	bool query;	 /* `state`: no subscription */
};

LIST_HEAD(send_subs, send_sub);

/* What all senders share. */
struct send_hub {
	struct group_table *groups;
	struct catchup *catchup;
	struct fetch *fetch;   /* NULL: nothing comes from the broker */
	uint64_t fold_version; /* a part of what `scope` stands for */
	/* A subscription that presence knows has ended. */
	void (*absent)(void *arg, uint64_t member);
	/* A query for state has ended, this way or another; or NULL. */
	void (*answered)(void *arg, struct sender *s);
	void *arg;
	TAILQ_HEAD(send_running, sender)
	running;	 /* have more to send at once */
	uint32_t budget; /* blocks that a pass gives them altogether ... */
	uint32_t left;	 /* ... and what is left of it */
	LIST_HEAD(, sender) all;
	LIST_HEAD(send_ahead, sender) ahead; /* wait for the feed */
	bool paused;			     /* nobody is given anything */
	uint64_t ahead_done; /* where the feed was when they were looked at */
	uint64_t lagged;     /* messages of that name */
};

struct sender {
	struct send_hub *hub;
	struct conn *conn;
	LIST_ENTRY(sender) link;
	TAILQ_ENTRY(sender) run_link;
	LIST_ENTRY(sender) ahead_link;
	struct send_subs subs;
	struct group *group; /* of what it shares; NULL in SEND_NONE */
	struct split split;  /* the live set, and what the group lacks of it */
	uint64_t position;   /* upto of the last batch; not of a member */
	uint64_t scan;	     /* nothing matches in (position, scan] */
	uint64_t turns;	     /* of those that are not live yet */
	uint64_t joined;     /* the group's serial then, ... */
	uint32_t fresh;	     /* and its group_mark() */
	uint32_t index;	     /* in the group's array */
	struct group_pace pace; /* of the connection */
	/* Of a rider. */
	uint64_t own_upto;    /* the group lacks events of its own up to here */
	uint32_t aside;	      /* its first one of the group's, + 1; 0: none */
	uint32_t aside_last;  /* the last one, + 1 */
	uint32_t aside_bytes; /* and how much they are */
	uint8_t state;	      /* enum send_state */
	bool running;
	bool ahead;
};

void send_hub_init(
    struct send_hub *hub, struct group_table *groups, struct catchup *catchup);

void send_init(struct sender *s, struct send_hub *hub, struct conn *conn);
void send_deinit(struct sender *s);

struct send_sub *send_find(const struct sender *s, uint64_t id);
/* Start from now; returns the seq behind which events reach it. */
uint64_t send_subscribe_now(
    struct sender *s, uint64_t id, struct filter *filter);
/* Start behind position, which is not beyond the head. */
void send_subscribe_from(
    struct sender *s, uint64_t id, struct filter *filter, uint64_t position);
/*
 * Rows first, then live.  `subscribed`, or an error, is said when the broker
 * has answered.
 */
void send_subscribe_snapshot(struct sender *s, const struct send_snapshot *ask);
/* Subscriptions, or queries, that are there. */
unsigned send_count(const struct sender *s, bool queries);
/* What `scope` is at present: hex digits and a NUL. */
enum {
	SEND_SCOPE = 33
};
void send_scope(const struct send_hub *hub, const struct filter *filter,
    char scope[SEND_SCOPE]);
/* The oldest seq that can be replayed here. */
uint64_t send_oldest(const struct send_hub *hub);
void send_unsubscribe(struct sender *s, struct send_sub *sub);
/*
 * Give what is due after a change; also when the connection is writable, and
 * when the hub was paused.
 */
void send_pump(struct sender *s);

/*
 * The connection conflates from now on, by these rules (a reference is
 * taken); once.
 */
void send_conflate(struct sender *s, uint32_t ms, struct rules *rules);

/* End the live subscriptions, or one of any state, with a message. */
void send_lagged(struct sender *s, const char *reason);
void send_lagged_sub(
    struct sender *s, struct send_sub *sub, const char *reason);
/* End one with an error, of any state. */
void send_sub_error(struct send_sub *sub, const struct fetch_refusal *no);
/*
 * The permissions have changed: all that now let other events through end,
 * live ones with `lagged`.
 */
void send_permit(struct sender *s, const struct acl *acl);
/* Is it a query for state, and no subscription? */
bool send_is_query(const struct send_sub *sub);
/* End all subscriptions, silently. */
void send_end(struct sender *s);
/* How far a connection is, for those who look. */
struct send_look {
	uint64_t position;	/* it got all that it asked for up to here */
	uint64_t lag;		/* seqs that were matched and not yet given */
	unsigned subscriptions; /* live or on their way */
	bool loads;		/* one of them is on its way */
	bool behind;
};

void send_look(const struct sender *s, struct send_look *look);

/* The gateway itself was lapped. */
void send_hub_lagged(struct send_hub *hub);

/* A turn for everyone who has more to send; true when some still have. */
bool send_hub_run(struct send_hub *hub);

/* For groups: give a member the block.  false: it is behind from now on. */
bool send_take(struct sender *s, struct block *b);
/* Give a joiner its part of it; the same. */
bool send_take_part(struct sender *s, const struct block *b);
/* An event that a rider's own part matches; its group may have it, too. */
void send_own(struct sender *s, struct slice event);
/* It is to get this one with its group's block, before that byte. */
void send_aside(struct sender *s, uint32_t at, struct slice event);
/* A member or joiner goes to the head, with the asides that it has. */
void send_ahead(struct sender *s);
/* Give it its part of what its group holds, up to that seq; the same. */
bool send_take_held(struct sender *s, uint64_t upto);

#endif
