/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A listening socket in the loop: whoever comes is accepted, a bounded number
 * in a turn.  Without a descriptor for him the socket rests for a while: it
 * stays readable, and looking again at once would be all that is done.
 */

#ifndef PEAL_CORE_ACCEPTOR_H
#define PEAL_CORE_ACCEPTOR_H

#include "core/loop.h"
#include "core/macros.h"

/* {0} is one that was never opened. */
struct acceptor {
	struct loop_io io;
	struct loop_timer again;
	int fd; /* the caller's */
	void (*fn)(void *arg, int fd);
	void *arg;
};

/*
 * Watch the non-blocking listening socket fd, which stays the caller's.  fn
 * owns each descriptor that it is given (non-blocking, closed on exec), and
 * must not close the acceptor.  0, -ENOMEM or -EIO.
 */
MUST_CHECK int acceptor_open(struct loop *loop, struct acceptor *a, int fd,
    void (*fn)(void *arg, int fd), void *arg);
/* Watch it no more.  Idempotent. */
void acceptor_close(struct acceptor *a);

#endif
