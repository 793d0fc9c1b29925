/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What one user may have at once, over all of the user's connections here:
 * connections, bytes of appends in flight, appends a second, queries.
 */

#ifndef PEAL_GATEWAY_QUOTA_H
#define PEAL_GATEWAY_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/hash.h"
#include "core/macros.h"
#include "gateway/turns.h"

enum {
	QUOTA_BUCKETS = 1024
};

struct quota {
	struct quota *next; /* in its bucket */
	struct quota_table *table;
	uint32_t conns;
	uint32_t pending;  /* appends in flight: they outlive connections */
	uint64_t bytes;	   /* of appends in flight */
	uint64_t spare_ns; /* appends that may come at once, as time */
	uint64_t seen_ns;
	struct turns turns; /* of queries */
	bool resting;	    /* unused: stays until its rate is forgotten */
	uint8_t len;
	char user[];
};

struct quota_table {
	struct hash_key key;
	uint64_t max_bytes;
	uint64_t rate; /* appends a second, and at once; 0: no limit */
	uint64_t max_conns;
	struct turns_table turns;
	uint64_t resting; /* how many there are */
	struct quota *buckets[QUOTA_BUCKETS];
};

void quota_table_init(struct quota_table *table);
/* No user has a connection or an append any more. */
void quota_table_deinit(struct quota_table *table);

/* The user's quota, for one connection more; NULL: too many. */
struct quota *quota_enter(struct quota_table *table, struct slice user);
/* One connection less. */
void quota_leave(struct quota *q);
/* Once a second or so: what nobody uses any more goes. */
void quota_tick(struct quota_table *table, uint64_t now_ns);

/*
 * May an append of so many bytes go now?  0: yes, and it is counted;
 * otherwise in how many ms to try again.
 */
uint64_t quota_append(struct quota *q, uint64_t bytes, uint64_t now_ns);
/* It was answered. */
void quota_answered(struct quota *q, uint64_t bytes);

#endif
