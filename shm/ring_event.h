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
};

enum ring_state {
	RING_INIT = 0,
	RING_RUNNING,
	RING_DRAINING,
	RING_CLOSED,
	RING_FAILED,
};

#endif
