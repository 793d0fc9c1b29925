/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The busiest topics, in bounded memory: how many events and bytes each has
 * in a second, now and over the last ten.  However many topics there are,
 * those that are much of the whole are among those that are remembered.
 */

#ifndef PEAL_TOOLS_BUSY_H
#define PEAL_TOOLS_BUSY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/hash.h"
#include "core/macros.h"
#include "core/topic.h"

struct busy;

struct busy_rates {
	double events, bytes;	    /* a second, since the turn before */
	double events_10, bytes_10; /* the same, over some ten seconds */
};

struct busy_topic {
	char name[TOPIC_MAX + 1];
	uint8_t len;
	struct busy_rates rates;
};

/* Remember up to so many topics, 4 or more.  NULL: no memory. */
struct busy *busy_new(unsigned room);
struct busy *busy_free(struct busy *b);
CLEANUP_FN(struct busy *, busy_free)

/* Hashes are made with another key from now on. */
void busy_rekey(struct busy *b, const struct hash_key *key);

/*
 * An event of the topic with this hash.  false: nobody knows the topic yet,
 * and nothing was counted; busy_meet() counts it and learns its name, where
 * there is room.
 */
bool busy_add(struct busy *b, uint64_t hash, uint32_t bytes);
void busy_meet(
    struct busy *b, uint64_t hash, struct slice topic, uint32_t bytes);

/*
 * Some time has passed: work out rates.  When there is little room left, the
 * less busy half is forgotten.
 */
void busy_turn(struct busy *b, uint64_t now_ns);

enum busy_order {
	BUSY_BY_EVENTS = 0,
	BUSY_BY_BYTES,
	BUSY_BY_NAME,
};

/*
 * Topics in order, the busiest first, at most n of them from the nth on;
 * they live until the next change.  Returns how many there are.
 */
unsigned busy_list(struct busy *b, enum busy_order order, unsigned from,
    const struct busy_topic **list, unsigned n);

/* Topics that are remembered, and all events, those of others included. */
unsigned busy_count(const struct busy *b);
const struct busy_rates *busy_all(const struct busy *b);
/* What those had for which there was no room. */
const struct busy_rates *busy_others(const struct busy *b);

#endif
