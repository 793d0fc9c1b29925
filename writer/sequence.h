/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The sequencer: gives an admitted request its seqs, encodes its events, the
 * only time this happens, and hands the frame to the syncer.  Nothing outside
 * this file assigns a seq.
 */

#ifndef PEAL_WRITER_SEQUENCE_H
#define PEAL_WRITER_SEQUENCE_H

#include <stdint.h>

#include "core/macros.h"
#include "core/proto.h"
#include "writer/admit.h"

struct gather;
struct space;
struct state;

struct sequencer {
	struct state *state;
	struct gather *gather;
	struct space *space; /* NULL: there always is room */
	struct admit_limits limits;
	uint64_t accepted_ns; /* CLOCK_BOOTTIME, of what is sequenced next */
};

enum sequence {
	SEQUENCE_DONE = 0, /* answer with *out */
	SEQUENCE_WAIT,	   /* no room yet: ask again, nothing has changed */
};

/*
 * The outcome of an append.  It may be told once the frame with this serial
 * is done, whatever the code: it rests on that frame.
 */
struct sequence_outcome {
	enum proto_code code;
	uint64_t serial;
	uint64_t seq; /* of the first event */
	uint64_t time_us;
	uint32_t n;
	const uint64_t *versions; /* n of them, until the next request */
	bool duplicate;
};

/* The request is in *ad as admit.h says; details of refusals stay there. */
MUST_CHECK enum sequence sequence_append(struct sequencer *sq, struct admit *ad,
    struct sequence_outcome *out, struct reason *why);

/* An ephemeral event.  PROTO_OK: done when the frame *serial is. */
MUST_CHECK enum proto_code sequence_emit(struct sequencer *sq,
    const struct event *ev, uint64_t *serial, struct reason *why);

#endif
