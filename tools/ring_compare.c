/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Comparing ring and log.  Events of the ring are remembered by a keyed hash
 * of 64 bits, a few at a time, and then looked for in the log: neither waits
 * for the other, and a writer may go on.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "core/hash.h"
#include "core/reason.h"
#include "shm/ring_reader.h"
#include "tools/log_walk.h"
#include "tools/ring_compare.h"
#include "tools/ring_walk.h"

enum {
	COMPARE_EVENTS = 1 << 16 /* remembered: 1 MiB */
};

struct compare_event {
	uint64_t seq;
	uint64_t hash;
};

struct compare {
	const struct house *house;
	struct ring_reader *twin; /* of the walk's reader: for its status */
	struct hash_key key;
	struct ring_compare_result result;
	struct compare_event *events;
	unsigned n, at; /* at: the next to be found in the log */
};

/* Older than the log is now? */
static bool
compare_is_older(const struct compare *c, uint64_t seq)
{
	struct ring_status status;

	ring_reader_status(c->twin, &status);
	return seq < status.oldest_seq;
}

static int
compare_missing(struct compare *c, struct reason *why)
{
	uint64_t seq = c->events[c->at].seq;

	if (!compare_is_older(c, seq))
		return reason_set(why, RING_COMPARE_DIFFERS,
		    "event %" PRIu64 " is in the ring and not in the log", seq);
	c->result.older++;
	c->at++;
	return 0;
}

static int
compare_logged(void *arg, uint64_t seq, struct slice bytes, struct reason *why)
{
	struct compare *c = arg;
	int err = 0;

	while (!err && c->at < c->n && c->events[c->at].seq < seq)
		err = compare_missing(c, why);
	if (err || c->at == c->n)
		return 1;
	/* The ring was faster than its reader there. */
	if (c->events[c->at].seq > seq)
		return 0;
	if (hash_bytes(&c->key, bytes.p, bytes.len) != c->events[c->at].hash) {
		(void)reason_set(why, 0,
		    "event %" PRIu64 " has other bytes in the log", seq);
		return 1;
	}
	c->at++;
	if (!c->result.events)
		c->result.first_seq = seq;
	c->result.last_seq = seq;
	c->result.events++;
	return 0;
}

/* Find what is remembered in the log, and forget it. */
static int
compare_chunk(struct compare *c, struct reason *why)
{
	int err;

	if (!c->n)
		return 0;
	why->text[0] = '\0';
	err = log_walk(c->house, c->events[0].seq, c->events[c->n - 1].seq,
	    compare_logged, c, why);
	if (err < 0)
		return err;
	if (err == LOG_WALK_DAMAGED || (err == LOG_WALK_STOPPED && *why->text))
		return RING_COMPARE_DIFFERS;
	err = 0;
	while (!err && c->at < c->n)
		err = compare_missing(c, why);
	c->n = c->at = 0;
	return err;
}

static int
compare_ring(void *arg, const struct ring_event *ev, uint64_t ordinal,
    struct slice bytes, struct reason *why)
{
	struct compare *c = arg;

	(void)ordinal;
	if (ev->flags & RING_EPHEMERAL) {
		c->result.ephemeral++;
		return 0;
	}
	c->events[c->n++] = (struct compare_event){
		.seq = ev->seq,
		.hash = hash_bytes(&c->key, bytes.p, bytes.len),
	};
	return c->n < COMPARE_EVENTS ? 0 : compare_chunk(c, why);
}

int
ring_compare(const struct house *house, struct ring_reader *rd,
    struct ring_compare_result *result, struct reason *why)
{
	CLEANUP(ring_reader_freep) struct ring_reader *twin = NULL;
	CLEANUP(freep) struct compare_event *events = NULL;
	struct compare c = { .house = house };
	int err;

	events = calloc(COMPARE_EVENTS, sizeof(*events));
	if (!events || ring_reader_clone(rd, &twin) < 0)
		return reason_set(why, -ENOMEM, "cannot compare");
	c.events = events;
	c.twin = twin;
	c.key = ring_reader_info(rd)->topic_key;
	err = ring_walk(rd, 0, compare_ring, &c, why);
	if (!err)
		err = compare_chunk(&c, why);
	*result = c.result;
	return err;
}
