/* SPDX-License-Identifier: BSD-2-Clause */

/* The event loop: libevent's, with objects that are embedded and deinit'ed. */

#ifndef PEAL_CORE_LOOP_H
#define PEAL_CORE_LOOP_H

#include <stdint.h>

#include "core/macros.h"

struct event;
struct event_base;
struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_EDGE = 4 };

struct loop *loop_new(void);
struct loop *loop_free(struct loop *loop);
CLEANUP_FN(struct loop *, loop_free)

/* For files that talk to libevent themselves. */
struct event_base *loop_base(struct loop *loop);

/* Dispatch until loop_stop(). */
MUST_CHECK int loop_run(struct loop *loop);
/* One pass; with wait it blocks until something happens. */
MUST_CHECK int loop_once(struct loop *loop, int wait);
void loop_stop(struct loop *loop);

/* A descriptor.  {0} is one that was never added. */
struct loop_io {
	struct event *ev;
	void (*fn)(void *arg, unsigned what);
	void *arg;
};

MUST_CHECK int loop_io_add(struct loop *loop, struct loop_io *io, int fd,
    unsigned what, void (*fn)(void *arg, unsigned what), void *arg);
/* Change what is waited for; 0 for nothing. */
MUST_CHECK int loop_io_want(struct loop_io *io, unsigned what);
void loop_io_deinit(struct loop_io *io);

/* A timer; repeats when set so. */
struct loop_timer {
	struct event *ev;
	void (*fn)(void *arg);
	void *arg;
};

MUST_CHECK int loop_timer_init(struct loop *loop, struct loop_timer *t,
    void (*fn)(void *arg), void *arg);
MUST_CHECK int loop_timer_set(
    struct loop_timer *t, uint64_t after_us, int repeat);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_deinit(struct loop_timer *t);

/* A signal. */
MUST_CHECK int loop_signal_add(struct loop *loop, struct loop_io *io,
    int signo, void (*fn)(void *arg, unsigned signo), void *arg);

#endif
