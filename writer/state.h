/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The sequencer's state: where the log ends, every topic's version, the keys.
 * It is ahead of the disk by what is being flushed, and it can always be made
 * again from the log.
 */

#ifndef PEAL_WRITER_STATE_H
#define PEAL_WRITER_STATE_H

#include <stdint.h>

#include "core/hash.h"
#include "core/macros.h"
#include "core/sha256.h"
#include "log/loss.h"
#include "writer/keys.h"
#include "writer/versions.h"

struct log_frame;
struct reason;
struct sysio;

struct state {
	struct versions *versions;
	struct keys *keys;
	struct hash_key topic_key; /* the ring's */
	uint64_t head_seq;
	uint64_t last_time_us;
	struct log_loss loss; /* versions may skip what is lost */
	struct sha256 sum;    /* kept for its context */
};

/* An empty state under keys that io draws. */
MUST_CHECK int state_init(
    struct state *st, const struct sysio *io, uint64_t max_keys);
void state_deinit(struct state *st);

/*
 * Take in a stored frame, which must follow head_seq.  -EPROTO with a reason
 * where its bytes are no events.
 */
MUST_CHECK int state_replay(
    struct state *st, const struct log_frame *frame, struct reason *why);

#endif
