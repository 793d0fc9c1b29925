/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The event loop: libevent's, with objects that are embedded and deinit'ed.
 * A callback may deinit its own object, and any other; what was about to be
 * called for that one is then not called.
 */

#ifndef PEAL_CORE_LOOP_H
#define PEAL_CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct event_base;
struct loop;

enum {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
	LOOP_EDGE = 4
};

struct loop *loop_new(void);
struct loop *loop_free(struct loop *loop);
CLEANUP_FN(struct loop *, loop_free)

/*
 * For files that talk to libevent themselves.  Such a file can't include
 * core/event.h: both define a struct event.
 */
struct event_base *loop_base(struct loop *loop);

/* Dispatch until loop_stop(): 0, or -EIO when the loop itself failed. */
MUST_CHECK int loop_run(struct loop *loop);
/* One pass; with wait it blocks until something happens. */
MUST_CHECK int loop_once(struct loop *loop, int wait);
/* For good: loop_run() returns, and returns at once from then on. */
void loop_stop(struct loop *loop);
bool loop_stopped(const struct loop *loop);

/* A descriptor.  {0} is one that was never added. */
struct loop_io {
	void *ev;			      /* libevent's */
	void (*fn)(void *arg, unsigned what); /* LOOP_READ, LOOP_WRITE */
	void *arg;
};

MUST_CHECK int loop_io_add(struct loop *loop, struct loop_io *io, int fd,
    unsigned what, void (*fn)(void *arg, unsigned what), void *arg);
/* Change what is waited for; 0 for nothing. */
MUST_CHECK int loop_io_want(struct loop_io *io, unsigned what);
/* The descriptor is the caller's: to be closed after this, not before. */
void loop_io_deinit(struct loop_io *io);

/* A timer; repeats when set so. */
struct loop_timer {
	void *ev; /* libevent's */
	void (*fn)(void *arg);
	void *arg;
};

MUST_CHECK int loop_timer_init(
    struct loop *loop, struct loop_timer *t, void (*fn)(void *arg), void *arg);
MUST_CHECK int loop_timer_set(
    struct loop_timer *t, uint64_t after_us, int repeat);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_pending(const struct loop_timer *t);
void loop_timer_deinit(struct loop_timer *t);

/*
 * A signal, delivered in a pass of the loop; one loop per process has them.
 * Where it was blocked it is no longer, and one that came meanwhile comes now.
 */
MUST_CHECK int loop_signal_add(struct loop *loop, struct loop_io *io, int signo,
    void (*fn)(void *arg, unsigned signo), void *arg);

#endif
