/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Questions to the broker, over one socket per process (broker/DESIGN.md has
 * what can be asked).  Each is answered exactly once: by the broker, or with
 * nothing when the broker went away or hangs.
 */

#ifndef PEAL_GATEWAY_ASK_H
#define PEAL_GATEWAY_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct ask;
struct ask_call;
struct loop;

/*
 * The reply, a map that may be an error; p NULL: none comes any more.  It
 * lives until this returns.
 */
typedef void ask_answer(void *arg, struct slice reply);

struct ask_handler {
	/* The broker is there, perhaps again: its `welcome`. */
	void (*up)(void *arg, struct slice welcome);
	/* Its `welcome` once a second from then on. */
	void (*news)(void *arg, struct slice welcome);
	void *arg;
};

/* Keep trying to reach dir/broker.sock; the caller owns *out. */
MUST_CHECK int ask_new(struct loop *loop, const char *dir,
    const struct ask_handler *handler, struct ask **out);
/* Calls that are under way are answered with nothing. */
struct ask *ask_free(struct ask *a);
CLEANUP_FN(struct ask *, ask_free)

/* Has the broker answered of late, and does it take what is asked? */
bool ask_is_up(const struct ask *a);

/*
 * Does it take what has no reply?  Also when it is late: it has forgotten
 * nothing, and would not hear of it again.
 */
bool ask_takes(const struct ask *a);

/*
 * Begin a request where the broker is up: returns the buffer to pack its map
 * into, with the id that it has to carry.  Then ask_end(), or ask_tell() for
 * what has no reply.
 */
struct mp_buf *ask_begin(struct ask *a, uint64_t *id);
/* The call lives until fn was called, or until it is cancelled. */
struct ask_call *ask_end(struct ask *a, ask_answer *fn, void *arg);
void ask_tell(struct ask *a);
/* Its answer will not be waited for.  NULL is fine; returns NULL. */
struct ask_call *ask_cancel(struct ask_call *call);

/* Send what was packed; at the end of each turn of the loop. */
void ask_flush(struct ask *a);
/* Once a second: is it still there? */
void ask_tick(struct ask *a);

#endif
