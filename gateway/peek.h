/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the fan-out looks at in an encoded event: seq, topic, version, type.
 * Everything else passes through unread.
 */

#ifndef PEAL_GATEWAY_PEEK_H
#define PEAL_GATEWAY_PEEK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"

struct peek {
	uint64_t seq; /* 0: ephemeral */
	uint64_t version;
	struct slice topic;
	struct slice type;
};

/* false: the bytes do not begin like an event. */
bool peek_event(struct slice bytes, struct peek *peek);

/* The next event of a run that stands back to back; false at its end. */
bool peek_next(struct slice *run, struct slice *event);

#endif
