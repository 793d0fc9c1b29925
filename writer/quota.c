/* SPDX-License-Identifier: BSD-2-Clause */

/* Two token buckets, slots and bytes, that refill together. */

#include "writer/quota.h"
#include "core/macros.h"
#include "core/time.h"

#define REFILL_S 10.0

void
quota_init(
    struct quota *q, uint64_t ring_slots, uint64_t ring_bytes, uint64_t now_ns)
{
	*q = (struct quota){ .slots_max = MAX(ring_slots / 4, UINT64_C(1)),
		.bytes_max = ring_bytes / 4,
		.last_ns = now_ns };
	q->slots = (double)q->slots_max;
	q->bytes = (double)q->bytes_max;
}

uint64_t
quota_take(struct quota *q, uint64_t bytes, uint64_t now_ns)
{
	double share =
	    (double)(now_ns - q->last_ns) / (double)NS_PER_S / REFILL_S;
	double short_of;

	q->last_ns = now_ns;
	q->slots =
	    MIN((double)q->slots_max, q->slots + share * (double)q->slots_max);
	q->bytes =
	    MIN((double)q->bytes_max, q->bytes + share * (double)q->bytes_max);
	if (q->slots >= 1 && q->bytes >= (double)bytes) {
		q->slots -= 1;
		q->bytes -= (double)bytes;
		return 0;
	}
	short_of = MAX((1 - q->slots) / (double)q->slots_max,
	    ((double)bytes - q->bytes) / (double)q->bytes_max);
	return 1 + (uint64_t)(short_of * REFILL_S * 1000);
}
