/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Messages that a generator's clients got.  Clients get the same messages,
 * so a message is checked in full once, kept, and compared byte by byte for
 * all who get it later.
 */

#ifndef PEAL_TOOLS_BENCH_KNOWN_H
#define PEAL_TOOLS_BENCH_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;

enum {
	BENCH_KNOWN_MAX = 256
};

/* A message that was checked, and when its events were due. */
struct known_message {
	uint64_t after;
	uint64_t upto;
	uint32_t n;
	struct mp_buf bytes;
	uint64_t *due_ns;
};

struct bench_known {
	bool json; /* messages are text */
	struct known_message kept[BENCH_KNOWN_MAX];
	struct known_message odd; /* one that is not what others get */
};

void bench_known_init(struct bench_known *k, bool json);
void bench_known_deinit(struct bench_known *k);

/*
 * The batch msg that begins behind after.  NULL, *err and a reason where it
 * is malformed, or holds events of somebody else.
 */
const struct known_message *bench_known_find(struct bench_known *k,
    struct slice msg, uint64_t after, int *err, struct reason *why);

#endif
