/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Held replies of one producer: packed when they are decided, sent when the
 * frame they rest on is done.
 */

#ifndef PEAL_WRITER_REPLIES_H
#define PEAL_WRITER_REPLIES_H

#include <stdint.h>

#include "core/macros.h"
#include "core/mp.h"
#include "core/proto.h"

struct held_reply {
	uint64_t serial;
	struct proto_uint id;
	uint32_t end;	  /* of its bytes in the buffer */
	uint32_t request; /* bytes of the request */
};

struct replies {
	struct mp_buf bytes;
	struct held_reply *queue; /* a ring of a power of two */
	uint32_t cap;
	uint32_t first;
	uint32_t n;
	uint64_t request_bytes; /* of all that are held */
};

void replies_deinit(struct replies *r);

/*
 * Hold a reply until serial is done: pack one value between the two calls.
 * replies_hold() returns -ENOMEM where the buffer or the queue ran out of it.
 */
struct mp_buf *replies_begin(struct replies *r);
MUST_CHECK int replies_hold(
    struct replies *r, uint64_t serial, struct proto_uint id, uint32_t request);

/*
 * Move what is done to the end of out as socket frames.  -ENOMEM: none of it
 * is there, and all of it is still held.
 */
MUST_CHECK int replies_release(
    struct replies *r, uint64_t done, struct mp_buf *out);
/*
 * Answer every held request with `unknown` instead; nothing is held any more.
 * -ENOMEM: out is good for nothing.
 */
MUST_CHECK int replies_fail(
    struct replies *r, const char *why, struct mp_buf *out);

#endif
