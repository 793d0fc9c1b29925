/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The event loop.  The only file of core/ that knows libevent; what it hands
 * out are structs of ours that hold one libevent object each.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <event2/event.h>

#include "core/diag.h"
#include "core/loop.h"

struct loop {
	struct event_base *base;
	bool stopped;
};

static void
loop_say(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		diag_limited("libevent", "libevent: %s", text);
}

/*
 * The precise timer costs one timerfd_settime() a pass.  Without it libevent
 * reads the coarse clock, whose tick of 4 ms is as long as what the gateway
 * waits for when it gathers a batch.
 */
static struct event_base *
loop_base_new(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base = NULL;

	if (!cfg)
		return NULL;
	if (event_config_require_features(cfg, EV_FEATURE_ET | EV_FEATURE_O1) ==
		0 &&
	    event_config_set_flag(cfg,
		EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	return base;
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	event_set_log_callback(loop_say);
	loop->base = loop_base_new();
	if (!loop->base)
		return loop_free(loop);
	return loop;
}

struct loop *
loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	if (loop->base)
		event_base_free(loop->base);
	free(loop);
	return NULL;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

static int
loop_pass(struct loop *loop, int flags)
{
	if (event_base_loop(loop->base, flags | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		return -EIO;
	return 0;
}

int
loop_run(struct loop *loop)
{
	int err = 0;

	while (!loop->stopped && err == 0)
		err = loop_pass(loop, 0);
	return err;
}

int
loop_once(struct loop *loop, int wait)
{
	/* EVLOOP_NONBLOCK alone goes on for as long as something is ready. */
	return loop_pass(loop, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK));
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
	(void)event_base_loopbreak(loop->base);
}

bool
loop_stopped(const struct loop *loop)
{
	return loop->stopped;
}

static void
loop_io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;
	unsigned ready = 0;

	if (what & EV_READ)
		ready |= LOOP_READ;
	if (what & EV_WRITE)
		ready |= LOOP_WRITE;
	io->fn(io->arg, ready);
}

static short
loop_flags(unsigned what)
{
	short flags = EV_PERSIST;

	if (what & LOOP_READ)
		flags |= EV_READ;
	if (what & LOOP_WRITE)
		flags |= EV_WRITE;
	if (what & LOOP_EDGE)
		flags |= EV_ET;
	return flags;
}

int
loop_io_add(struct loop *loop, struct loop_io *io, int fd, unsigned what,
    void (*fn)(void *arg, unsigned what), void *arg)
{
	struct event *ev =
	    event_new(loop->base, fd, loop_flags(what), loop_io_ready, io);

	if (!ev)
		return -ENOMEM;
	*io = (struct loop_io){ .ev = ev, .fn = fn, .arg = arg };
	if ((what & (LOOP_READ | LOOP_WRITE)) && event_add(ev, NULL) < 0) {
		loop_io_deinit(io);
		return -EIO;
	}
	return 0;
}

int
loop_io_want(struct loop_io *io, unsigned what)
{
	struct event *ev = io->ev;
	short flags = loop_flags(what);
	bool on = what & (LOOP_READ | LOOP_WRITE);

	if (event_get_events(ev) == flags &&
	    on == !!event_pending(ev, EV_READ | EV_WRITE, NULL))
		return 0;
	if (event_del(ev) < 0)
		return -EIO;
	if (!on)
		return 0;
	if (event_assign(ev, event_get_base(ev), event_get_fd(ev), flags,
		loop_io_ready, io) < 0 ||
	    event_add(ev, NULL) < 0)
		return -EIO;
	return 0;
}

void
loop_io_deinit(struct loop_io *io)
{
	if (io->ev)
		event_free(io->ev);
	*io = (struct loop_io){ 0 };
}

static void
loop_timer_fires(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	t->fn(t->arg);
}

int
loop_timer_init(
    struct loop *loop, struct loop_timer *t, void (*fn)(void *arg), void *arg)
{
	struct event *ev = event_new(loop->base, -1, 0, loop_timer_fires, t);

	if (!ev)
		return -ENOMEM;
	*t = (struct loop_timer){ .ev = ev, .fn = fn, .arg = arg };
	return 0;
}

int
loop_timer_set(struct loop_timer *t, uint64_t after_us, int repeat)
{
	struct timeval tv = { .tv_sec = (time_t)(after_us / 1000000),
		.tv_usec = (suseconds_t)(after_us % 1000000) };
	struct event *ev = t->ev;
	short flags = repeat ? EV_PERSIST : 0;

	if (event_get_events(ev) != flags) {
		(void)event_del(ev);
		if (event_assign(ev, event_get_base(ev), -1, flags,
			loop_timer_fires, t) < 0)
			return -EIO;
	}
	return event_add(ev, &tv) < 0 ? -ENOMEM : 0;
}

void
loop_timer_stop(struct loop_timer *t)
{
	if (t->ev)
		(void)event_del(t->ev);
}

bool
loop_timer_pending(const struct loop_timer *t)
{
	return t->ev && event_pending(t->ev, EV_TIMEOUT, NULL);
}

void
loop_timer_deinit(struct loop_timer *t)
{
	if (t->ev)
		event_free(t->ev);
	*t = (struct loop_timer){ 0 };
}

static void
loop_signal_came(evutil_socket_t signo, short what, void *arg)
{
	struct loop_io *io = arg;

	io->fn(io->arg, (unsigned)signo);
}

int
loop_signal_add(struct loop *loop, struct loop_io *io, int signo,
    void (*fn)(void *arg, unsigned signo), void *arg)
{
	struct event *ev =
	    evsignal_new(loop->base, signo, loop_signal_came, io);
	sigset_t held;

	if (!ev)
		return -ENOMEM;
	*io = (struct loop_io){ .ev = ev, .fn = fn, .arg = arg };
	if (event_add(ev, NULL) < 0) {
		loop_io_deinit(io);
		return -EIO;
	}
	sigemptyset(&held);
	sigaddset(&held, signo);
	pthread_sigmask(SIG_UNBLOCK, &held, NULL);
	return 0;
}
