/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Quota of ephemeral events: at most a quarter of the ring in ten seconds, so
 * that emits never push durable events out before a reader had its time.
 */

#ifndef PEAL_WRITER_QUOTA_H
#define PEAL_WRITER_QUOTA_H

#include <stdint.h>

struct quota {
	uint64_t slots_max;
	uint64_t bytes_max;
	double slots; /* left */
	double bytes;
	uint64_t last_ns;
};

void quota_init(
    struct quota *q, uint64_t ring_slots, uint64_t ring_bytes, uint64_t now_ns);
/* 0: taken; else the milliseconds after which it will be possible. */
uint64_t quota_take(struct quota *q, uint64_t bytes, uint64_t now_ns);

#endif
