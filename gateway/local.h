/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection to a process of this host, over its Unix socket: kept up,
 * begun anew 50 ms after it was lost.  Frames gather until the end of a turn.
 */

#ifndef PEAL_GATEWAY_LOCAL_H
#define PEAL_GATEWAY_LOCAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bytes.h"
#include "core/frame.h"
#include "core/loop.h"
#include "core/macros.h"

struct reason;

struct local_handler {
	const char *peer; /* "writer": for diagnostics */
	size_t frame_max; /* longest frame that it may send */
	/* It was reached, perhaps again. */
	void (*up)(void *arg);
	/* A valid value came; false: this is no peer that we could talk to. */
	bool (*value)(void *arg, struct slice value, struct reason *why);
	/* It was lost; nothing more comes of what was asked. */
	void (*down)(void *arg);
};

struct local {
	struct loop *loop;
	const struct local_handler *handler;
	void *arg;
	char path[108];
	bool up;
	bool failed; /* a write failed: to be closed from the loop */
	bool dirty;  /* frames were packed since the last write */
	struct frame_stream stream;
	struct loop_io io;
	struct loop_timer retry;
	size_t mark;
};

/* Keep trying to reach dir/name, at once for the first time. */
MUST_CHECK int local_init(struct local *l, struct loop *loop, const char *dir,
    const char *name, const struct local_handler *handler, void *arg);
/* Closes; down() is not called. */
void local_deinit(struct local *l);

/* Is it there, and does it keep up? */
bool local_is_up(const struct local *l);

/* Begin a frame and get the buffer to pack into; end it, or drop it. */
struct mp_buf *local_begin(struct local *l);
/* false when memory ran out: the frame is dropped. */
bool local_end(struct local *l);
void local_cancel(struct local *l);
/* Send what was packed. */
void local_flush(struct local *l);

/* Give it up, and say why; calls down(). */
void local_hang_up(struct local *l, const char *why);

#endif
