/* SPDX-License-Identifier: BSD-2-Clause */

/* What sources and generators have in common. */

#include <poll.h>
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
