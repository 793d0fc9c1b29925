/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What sources and generators have in common.  Which event goes to whom
 * follows from its number, so that clients know what they are to get.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/mp.h"
#include "tools/bench_fan.h"

void
bench_fan_source_failed(const struct fan_plan *plan, const struct reason *why)
{
	struct fan_shared *shared = plan->shared;

	shared->source_fault = *why;
	atomic_store(&shared->source_failed, true);
}

bool
bench_fan_await(const struct fan_plan *plan, enum fan_phase phase)
{
	enum fan_phase now;

	while ((now = atomic_load(&plan->shared->phase)) < phase)
		(void)poll(NULL, 0, 1);
	return now != FAN_QUIT;
}

uint64_t
bench_fan_slowest(const struct fan_shared *shared)
{
	uint64_t slowest = UINT64_MAX;

	for (unsigned i = 0; i < shared->generators; i++) {
		uint64_t seq = atomic_load_explicit(
		    &shared->generator[i].min_seq, memory_order_relaxed);

		slowest = MIN(slowest, seq);
	}
	return slowest;
}

uint64_t
bench_fan_due(const struct fan_plan *plan, uint64_t start_ns, uint64_t n)
{
	return start_ns + (uint64_t)((double)n * 1e9 / plan->rate);
}

/* --- who gets what --- */

int
bench_fan_owner(const struct fan_plan *plan, uint64_t n)
{
	uint64_t mixed = n * 0x9e3779b97f4a7c15u;

	if (!plan->owned ||
	    n * plan->personal / 1000 == (n - 1) * plan->personal / 1000)
		return -1;
	return (int)((mixed >> 32) % plan->owned);
}

void
bench_fan_topic(const struct fan_plan *plan, int owner, char topic[FAN_TOPIC])
{
	if (owner < 0)
		snprintf(topic, FAN_TOPIC, "%s", plan->topic);
	else
		snprintf(topic, FAN_TOPIC, "%s.of.%d", plan->topic, owner);
}

uint64_t
bench_fan_count(const struct fan_plan *plan, uint64_t n, uint64_t *counts)
{
	uint64_t shared = 0;
	int owner;

	if (!plan->owned || !plan->personal)
		return n;
	for (uint64_t i = 1; i <= n; i++) {
		owner = bench_fan_owner(plan, i);
		if (owner < 0)
			shared++;
		else
			counts[owner]++;
	}
	return shared;
}

/* --- data --- */

void
bench_fan_pack_data(
    struct mp_buf *b, uint64_t size, uint64_t n, uint64_t due_ns)
{
	uint8_t bytes[FAN_MARK];
	uint8_t *rest;

	/* The head of a bin, its first bytes, then zeros. */
	put_le64(bytes, due_ns);
	put_le64(bytes + 8, n);
	if (size <= UINT8_MAX) {
		mp_buf_bytes(b, (uint8_t[]){ 0xc4, (uint8_t)size }, 2);
	} else if (size <= UINT16_MAX) {
		mp_buf_bytes(b,
		    (uint8_t[]){ 0xc5, (uint8_t)(size >> 8), (uint8_t)size },
		    3);
	} else {
		mp_buf_bytes(b,
		    (uint8_t[]){ 0xc6, (uint8_t)(size >> 24),
			(uint8_t)(size >> 16), (uint8_t)(size >> 8),
			(uint8_t)size },
		    5);
	}
	mp_buf_bytes(b, bytes, sizeof(bytes));
	rest = mp_buf_reserve(b, size - FAN_MARK);
	if (rest) {
		memset(rest, 0, size - FAN_MARK);
		b->len += size - FAN_MARK;
	}
}

void
bench_fan_pack_text(
    struct mp_buf *b, uint64_t size, uint64_t n, uint64_t due_ns)
{
	char mark[FAN_MARK_TEXT + 1];
	uint8_t *rest;

	snprintf(mark, sizeof(mark), "%016llx%016llx",
	    (unsigned long long)due_ns, (unsigned long long)n);
	mp_buf_bytes(b, mark, FAN_MARK_TEXT);
	rest = size > FAN_MARK_TEXT ? mp_buf_reserve(b, size - FAN_MARK_TEXT)
				    : NULL;
	if (rest) {
		memset(rest, '.', size - FAN_MARK_TEXT);
		b->len += size - FAN_MARK_TEXT;
	}
}
