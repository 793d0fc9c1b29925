/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Histories for the tests of conflation, and their judge: whatever is left of
 * an interval has to fold to the rows of all of it, with nothing in it that
 * could have been left out.
 */

#ifndef PEAL_TESTS_LIB_CONFLATEFIX_H
#define PEAL_TESTS_LIB_CONFLATEFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"
#include "core/mp.h"
#include "core/rules.h"

enum {
	CONFLATEFIX_EVENTS = 600, /* of one history */
	CONFLATEFIX_TOPICS = 6,
	CONFLATEFIX_TYPES = 7
};

extern const char *const conflatefix_topics[];
extern const char *const conflatefix_types[];

struct conflatefix_entry {
	uint64_t seq; /* 0: ephemeral */
	uint64_t version;
	unsigned topic, type;
	bool last; /* of its request */
	uint32_t len;
	uint8_t *bytes;
};

struct conflatefix {
	uint64_t random;
	struct rules *rules;
	struct conflatefix_entry v[CONFLATEFIX_EVENTS];
	unsigned n;
	uint64_t seq;
	uint64_t versions[CONFLATEFIX_TOPICS];
	uint32_t max; /* bytes of data */
};

/* Rows as encoded; len 0: none. */
struct conflatefix_rows {
	struct mp_buf rows[CONFLATEFIX_TOPICS];
};

/* Without an event; the rules, too, follow from the seed. */
struct conflatefix *conflatefix_new(uint64_t seed);
/* Requests and ephemeral events by chance. */
struct conflatefix *conflatefix_random(uint64_t seed);
void conflatefix_free(struct conflatefix *h);
uint64_t conflatefix_chance(struct conflatefix *h, uint64_t below);
/* One more event; the caller fills in topic, type and last. */
struct conflatefix_entry *conflatefix_put(
    struct conflatefix *h, const struct event *ev);

void conflatefix_fold(struct conflatefix_rows *s, const struct conflatefix *h,
    const struct conflatefix_entry *e);
bool conflatefix_same(
    const struct conflatefix_rows *a, const struct conflatefix_rows *b);
void conflatefix_rows_deinit(struct conflatefix_rows *s);

/*
 * Does what is left of the entries [begin, end) stand for them?  kept says
 * of each whether it is left.  conflated and full are the rows before, and
 * then behind; NULL, or what is wrong.
 */
const char *conflatefix_judge(const struct conflatefix *h, unsigned begin,
    unsigned end, const bool *kept, struct conflatefix_rows *conflated,
    struct conflatefix_rows *full);

#endif
