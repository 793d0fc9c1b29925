/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The event: [seq, time, topic, version, type, actor, data] or with meta as
 * an eighth element.  The writer encodes it once; log, ring and WebSocket
 * carry the same bytes.
 */

#ifndef PEAL_CORE_EVENT_H
#define PEAL_CORE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

enum {
	EVENT_MAX = 1 << 20,	 /* bytes of an encoded event */
	EVENT_REQUEST_MAX = 1024 /* events in one request */
};

/* seq and version are below 2^53, so that every client can hold them. */
#define EVENT_SEQ_MAX ((UINT64_C(1) << 53) - 1)

struct event {
	uint64_t seq; /* 0: ephemeral */
	uint64_t time_us;
	uint64_t version; /* 0: ephemeral */
	struct slice topic;
	struct slice type;
	struct slice actor;
	struct slice data; /* canonical MessagePack, one value */
	struct slice meta; /* canonical map, or len 0: none */
};

/* Bytes that event_encode() writes. */
size_t event_size(const struct event *ev);

/* Encode at p (room for event_size()); returns one past the end. */
uint8_t *event_encode(const struct event *ev, uint8_t *p);

/*
 * Read an encoded event whose bytes are already trusted to be well-formed
 * (CRC of the log or ring) but not to be an event: 0, or -EPROTO with a
 * reason.  Slices point into bytes.  data and meta are not descended into.
 */
MUST_CHECK int event_decode(
    struct slice bytes, struct event *ev, struct reason *why);

/* The value of key in the meta map, whole; len 0 when there is none. */
struct slice event_meta_get(struct slice meta, const char *key);

#endif
