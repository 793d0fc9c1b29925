/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Appends and emits on their way to the writer, over one socket per process.
 * Each is answered exactly once: by the writer, or with `unknown` when the
 * connection to it was lost in between.
 */

#ifndef PEAL_GATEWAY_FORWARD_H
#define PEAL_GATEWAY_FORWARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/proto.h"

struct forward;
struct loop;
struct quota;

/* A request that waits for its answer. */
struct forward_pending {
	LIST_ENTRY(forward_pending) owner_link; /* in the session's list */
	struct forward_pending *next;		/* in its bucket */
	void *owner;				/* NULL: the session is gone */
	struct proto_uint id;			/* the client's */
	uint64_t wire_id;			/* ours */
	struct quota *quota;
	uint32_t bytes; /* that count against it */
	bool emit;
};

LIST_HEAD(forward_list, forward_pending);

/* Takes an answer: one whole message for the client. */
typedef void forward_answer(void *owner, struct slice message);

/* Keep trying to reach dir/writer.sock; the caller owns *out. */
MUST_CHECK int forward_new(struct loop *loop, const char *dir,
    forward_answer *answer, struct forward **out);
struct forward *forward_free(struct forward *f);
CLEANUP_FN(struct forward *, forward_free)

/* Is the writer there, and does it keep up? */
bool forward_up(const struct forward *f);

/*
 * Begin a request: returns the buffer to pack its map into, with the id that
 * it has to carry.  Then forward_end(), or forward_cancel().
 */
struct mp_buf *forward_begin(struct forward *f, uint64_t *wire_id);
void forward_cancel(struct forward *f);
/*
 * It is whole, and goes with the next flush; the answer goes to owner, and
 * the request stands in list until then.  false when memory ran out: nothing
 * was sent.
 */
bool forward_end(struct forward *f, struct forward_list *list,
    const struct forward_pending *request);

/* Send what was packed; at the end of each turn of the loop. */
void forward_flush(struct forward *f);

/* Ask the writer how far back it knows keys; done at each connect too. */
void forward_hello(struct forward *f);
/* What it said last; 0, which promises nothing, before it has said it. */
uint64_t forward_keys_seconds(const struct forward *f);

/* The owner goes: its answers are dropped. */
void forward_disown(struct forward_list *list);

/* Requests without an answer; all of them get `unknown`, emits `unavailable`. */
uint64_t forward_waiting(const struct forward *f);
void forward_give_up(struct forward *f);

#endif
