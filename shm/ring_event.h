/* SPDX-License-Identifier: BSD-2-Clause */

/* What the ring says of one event beside its bytes. */

#ifndef PEAL_SHM_RING_EVENT_H
#define PEAL_SHM_RING_EVENT_H

#include <stdint.h>

enum ring_event_flags {
	RING_EPHEMERAL = 1,	  /* emitted, not in the log */
	RING_LAST_OF_REQUEST = 2, /* a batch may end behind it */
};

struct ring_event {
	uint64_t seq; /* of an ephemeral event: the last durable one's */
	uint64_t time_us;
	uint64_t topic_hash; /* hash_bytes() under the ring's key */
	uint64_t version;    /* within its topic; 0 when ephemeral */
	uint32_t len;	     /* bytes of the encoded event */
	uint32_t crc;	     /* CRC32C of them, seed 0 */
	uint32_t flags;
	uint32_t stamp; /* of its pass, for readers; see below */
};

/*
 * When the pass of an event began: monotonic, in 1024 ns, which four bytes
 * hold for 73 minutes.  0: not known, or before readers could have it.
 */
static inline uint32_t
ring_event_stamp(uint64_t now_ns)
{
	uint32_t stamp = (uint32_t)(now_ns >> 10);

	return stamp ? stamp : 1;
}

/* How long ago that was; 0 for a stamp from up to a second after now_ns. */
static inline uint64_t
ring_event_age_ns(uint32_t stamp, uint64_t now_ns)
{
	uint32_t age = ring_event_stamp(now_ns) - stamp;

	return age < UINT32_MAX - (1u << 20) ? (uint64_t)age << 10 : 0;
}

enum ring_state {
	RING_INIT = 0,
	RING_RUNNING,
	RING_DRAINING,
	RING_CLOSED,
	RING_FAILED,
};

#endif
