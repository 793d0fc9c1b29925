/* SPDX-License-Identifier: BSD-2-Clause */

/* What the two files of `peal bench ring` share. */

#ifndef PEAL_TOOLS_BENCH_RING_PRIV_H
#define PEAL_TOOLS_BENCH_RING_PRIV_H

#include <stdint.h>

#include "core/reason.h"
#include "shm/ring_event.h"

enum {
	BENCH_RING_EVENT = 128, /* bytes */
	BENCH_RING_PASS = 64,	/* events */
};

struct doorbell_hub;
struct ring_reader;
struct ring_writer;

struct ring_bench {
	char dir[64];
	int dirfd;
	struct ring_writer *rw;
	struct ring_reader *rd;
	struct doorbell_hub *hub;
	uint64_t seq;
	struct ring_event events[BENCH_RING_PASS]; /* all but their seqs */
	uint8_t source[BENCH_RING_PASS * BENCH_RING_EVENT];
	uint8_t *bare; /* as large as the payload */
	uint64_t bare_pos;
	struct reason why;
};

/* In passes of so many events, at most BENCH_RING_PASS. */
void bench_ring_publish(struct ring_bench *b, unsigned events, unsigned pass);
/* Read what is there; returns how many, laps are counted in *laps. */
uint64_t bench_ring_drain(struct ring_reader *rd, uint64_t *laps);

/* Measure and print; below zero: -errno, and b->why says what failed. */
int bench_ring_wakeups(struct ring_bench *b, unsigned rounds);

#endif
