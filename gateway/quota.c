/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Quotas live as long as a connection or an append of their user, and until
 * the rate of what was appended is forgotten.  The rate is a bucket that holds
 * one second's worth and is kept as time: an append costs 1 s / rate of it.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/counters.h"
#include "gateway/quota.h"

void
quota_table_init(struct quota_table *table)
{
	*table = (struct quota_table){ .key = hash_key_random() };
	turns_table_init(&table->turns, NULL);
}

static struct quota **
slot_of(struct quota_table *table, struct slice user)
{
	uint64_t hash = hash_bytes(&table->key, user.p, user.len);
	struct quota **at = &table->buckets[hash % QUOTA_BUCKETS];

	while (*at && !slice_equal(slice_of((*at)->user, (*at)->len), user))
		at = &(*at)->next;
	return at;
}

struct quota *
quota_enter(struct quota_table *table, struct slice user)
{
	struct quota **at = slot_of(table, user);
	struct quota *q = *at;

	if (!q) {
		q = alloc_zero(1, sizeof(*q) + user.len);
		q->table = table;
		q->spare_ns = NS_PER_S;
		q->seen_ns = time_mono_ns();
		q->len = (uint8_t)user.len;
		turns_init(&q->turns, &table->turns);
		if (user.len > 0)
			memcpy(q->user, user.p, user.len);
		*at = q;
	}
	/* Those without a token are one user by name only. */
	if (user.len > 0 && table->max_conns > 0 &&
	    q->conns >= table->max_conns)
		return NULL;
	table->resting -= q->resting;
	q->resting = false;
	q->conns++;
	return q;
}

/* What could be appended at once has grown to a second's worth again. */
static bool
is_rested(const struct quota *q, uint64_t now_ns)
{
	return now_ns > q->seen_ns &&
	       now_ns - q->seen_ns >= NS_PER_S - q->spare_ns;
}

/*
 * A user who comes again has what is left of the rate: a new connection, or a
 * request over HTTP, is no new second.
 */
static void
rest(struct quota *q)
{
	if (q->conns > 0 || q->pending > 0 || q->resting)
		return;
	q->resting = true;
	q->table->resting++;
}

void
quota_tick(struct quota_table *table, uint64_t now_ns)
{
	for (unsigned i = 0; i < QUOTA_BUCKETS && table->resting > 0; i++) {
		struct quota **at = &table->buckets[i];

		while (*at) {
			struct quota *q = *at;

			if (!q->resting || !is_rested(q, now_ns)) {
				at = &q->next;
				continue;
			}
			*at = q->next;
			turns_deinit(&q->turns);
			free(q);
			table->resting--;
		}
	}
}

void
quota_table_deinit(struct quota_table *table)
{
	quota_tick(table, UINT64_MAX);
	assert(table->resting == 0);
}

void
quota_leave(struct quota *q)
{
	assert(q->conns > 0);
	q->conns--;
	rest(q);
}

uint64_t
quota_append(struct quota *q, uint64_t bytes, uint64_t now_ns)
{
	const struct quota_table *table = q->table;
	uint64_t cost = table->rate > 0 ? NS_PER_S / table->rate : 0;

	/* The first one may be of any size, or it could never go. */
	if (q->pending > 0 && table->max_bytes > 0 &&
	    q->bytes + bytes > table->max_bytes) {
		COUNTERS_ADD(limited_append_bytes, 1);
		return 100;
	}
	if (now_ns > q->seen_ns) {
		q->spare_ns =
		    MIN(NS_PER_S, q->spare_ns + (now_ns - q->seen_ns));
		q->seen_ns = now_ns;
	}
	if (q->spare_ns < cost) {
		COUNTERS_ADD(limited_append_rate, 1);
		return 1 + (cost - q->spare_ns) / NS_PER_MS;
	}
	q->spare_ns -= cost;
	q->pending++;
	q->bytes += bytes;
	return 0;
}

void
quota_answered(struct quota *q, uint64_t bytes)
{
	assert(q->pending > 0 && q->bytes >= bytes);
	q->pending--;
	q->bytes -= bytes;
	rest(q);
}
