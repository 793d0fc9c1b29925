/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Space: is there room on the disk for a frame before it is sequenced?  A
 * sequenced frame can't be refused any more, so room is promised beforehand,
 * counting each frame as if it were flushed alone.  A thread of its own keeps
 * the spare segment ready, the only place where a full disk is met.
 */

#ifndef PEAL_WRITER_SPACE_H
#define PEAL_WRITER_SPACE_H

#include <stdint.h>

#include "core/macros.h"

struct log_writer;
struct reason;
struct space;

/* wake_fd: an eventfd that is written to when a wait may be over; -1: none. */
MUST_CHECK int space_new(
    struct log_writer *lw, int wake_fd, struct space **out);
/* Keep spares ready in a thread. */
MUST_CHECK int space_start(struct space *sp, struct reason *why);
/* One try at a spare by hand, for tests that want no threads. */
void space_try(struct space *sp);
/* Ends the thread. */
struct space *space_free(struct space *sp);
CLEANUP_FN(struct space *, space_free)

enum space_answer {
	SPACE_GRANTED = 0, /* take it, or give it back */
	SPACE_WAIT,	   /* a flush or the spare is on its way */
	SPACE_FULL,	   /* the disk is full */
};

/* The sequencer asks for a frame of len bytes, header included. */
enum space_answer space_ask(struct space *sp, uint64_t len);
void space_give_back(struct space *sp, uint64_t len);

/* The syncer tells: n frames of len bytes in all were flushed; the spare was
 * taken where rolled. */
void space_flushed(struct space *sp, uint64_t n, uint64_t len);
void space_rolled(struct space *sp);

#endif
