/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The one struct that knows all parts of this process.  Only the files that
 * connect parts include it: main, gateway, session, drain.  The parts
 * themselves know what they are given.
 */

#ifndef PEAL_GATEWAY_GATEWAY_PRIV_H
#define PEAL_GATEWAY_GATEWAY_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/acl.h"
#include "core/loop.h"
#include "core/proto.h"
#include "gateway/group.h"
#include "gateway/quota.h"
#include "gateway/send.h"

struct ask;
struct attach;
struct catchup;
struct conf;
struct client_page;
struct conns;
struct feed;
struct fetch;
struct forward;
struct grants;
struct listen;
struct prime;
struct rules;
struct session;
struct stats_page;
struct tls;
struct token_keys;

struct gateway {
	struct loop *loop;
	const struct conf *conf;
	struct token_keys *keys;
	struct acl anonymous;
	struct rules *rules; /* that clients fold by */
	struct group_table groups;
	struct send_hub hub;
	struct catchup *catchup;
	struct feed *feed;
	struct attach *attach;
	struct forward *forward;
	struct ask *ask;
	struct fetch *fetch;
	struct grants *grants; /* nobody is served before they are known */
	struct prime *prime;   /* gets them from the broker */
	struct quota_table quotas;
	struct tls *tls;
	struct site *site; /* NULL: no files are served */
	struct conns *conns;
	struct listen *listen;
	struct stats_page *page;     /* of our counters; NULL: there is none */
	struct client_page *clients; /* for tools; NULL: they see none */
	LIST_HEAD(, session) sessions;
	struct session *look_next; /* whose figures are written next */
	unsigned looks;
	uint64_t n_sessions;
	TAILQ_HEAD(, session) greetings; /* wait for their stored positions */
	uint64_t next_member;		 /* numbers for presence */
	char node[65];			 /* this host's name */
	char log[PROTO_LOG_NAME];	 /* empty: not attached yet */
	bool draining; /* told to stop: nobody is accepted any more */
	bool leaving;  /* clients go, and nobody comes */
	bool stalled;  /* the broker cannot store what it folds */

	struct loop_timer due_timer;	/* a block is due */
	struct loop_timer mark_timer;	/* empty batches */
	struct loop_timer second_timer; /* tokens that end, reports */
	struct loop_timer greet_timer;	/* the first greeting waits no longer */
	struct loop_timer shed_timer;	/* clients go, one by one */
	struct loop_timer look_timer;	/* figures of some clients */
	uint64_t shed_ns;		/* since then */
	uint64_t mark_tick_ns;
};

/* gateway.c */
MUST_CHECK int gateway_open(
    struct gateway *gw, const struct conf *conf, struct reason *why);
/* Read the files that are served anew; a failure leaves them as they were. */
MUST_CHECK int gateway_read_site(struct gateway *gw, struct reason *why);
/*
 * May clients come?  The ring is attached, and the permissions are known;
 * otherwise *why is what it waits for.
 */
bool gateway_ready(const struct gateway *gw, const char **why);
/* Accept clients. */
MUST_CHECK int gateway_listen(struct gateway *gw, struct reason *why);
/* Also of what could not be opened. */
void gateway_close(struct gateway *gw);
/* One turn: events, clients, then wait for more.  Below zero: give up. */
MUST_CHECK int gateway_turn(struct gateway *gw);
/*
 * Take what the ring holds by now: a few passes, and as many as it takes up to
 * seq, where the ring has it.  Another gateway may have been faster.  What
 * comes may end any session, also the one that is being served.
 */
void gateway_drink(struct gateway *gw, uint64_t seq);
/* The limits that its configuration holds now. */
void gateway_configure(struct gateway *gw);

#endif
