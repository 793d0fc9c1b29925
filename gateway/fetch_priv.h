/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the two files of fetching share: fetch.c has items, parts and pages
 * alike, fetch_snap.c the snapshots that parts are of.
 */

#ifndef PEAL_GATEWAY_FETCH_PRIV_H
#define PEAL_GATEWAY_FETCH_PRIV_H

#include "gateway/ask.h"
#include "gateway/fetch.h"

enum {
	FETCH_BUCKETS = 1024
};

LIST_HEAD(fetch_waits, fetch_wait);
struct fetch_item;

struct fetch {
	struct ask *ask;
	uint64_t generation; /* of what the broker has open for us */
	uint64_t next_snap;
	LIST_HEAD(, fetch_item) items[FETCH_BUCKETS];
	TAILQ_HEAD(fetch_kept, fetch_item) kept; /* oldest use first */
	size_t kept_n, kept_bytes;
	LIST_HEAD(, fetch_snap) snaps[FETCH_BUCKETS];
};

struct fetch_snap {
	uint32_t refs;
	LIST_ENTRY(fetch_snap) link; /* while it may be shared */
	bool listed;
	struct fetch *fetch;
	uint64_t number; /* ours: no two have the same */
	uint64_t generation;
	struct filter *filter; /* a reference */
	struct proto_uint since;
	uint64_t min_seq;
	uint64_t born_ns;
	bool open;
	uint64_t handle; /* the broker's */
	uint64_t seq;
	bool full;
	struct ask_call *call; /* while it is being opened */
	struct fetch_waits waits;
};

/* All of from, which is empty then. */
void fetch_move(struct fetch_waits *from, struct fetch_waits *to);
/* Everybody in waits is told; nobody is left in it. */
void fetch_tell(struct fetch_waits *waits, const struct fetch_refusal *no);
void fetch_join(struct fetch_waits *waits, struct fetch_wait *w);

#endif
