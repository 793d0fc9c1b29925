/* SPDX-License-Identifier: BSD-2-Clause */

/* The event loop: descriptors, timers, signals, and objects that end early. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/loop.h"
#include "core/time.h"

/* A loop, a pair of sockets watched at one end, and what was seen. */
struct world {
	struct loop *loop;
	struct loop_io io;
	struct loop_io other;
	struct loop_timer timer;
	struct loop_timer second;
	int fds[2];
	unsigned calls;
	unsigned what;
	uint64_t last_ns;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->loop = loop_new();
	*state = w;
	return !w->loop ||
	       socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w->fds) < 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	loop_io_deinit(&w->io);
	loop_io_deinit(&w->other);
	loop_timer_deinit(&w->timer);
	loop_timer_deinit(&w->second);
	(void)close(w->fds[0]);
	(void)close(w->fds[1]);
	w->loop = loop_free(w->loop);
	free(w);
	return 0;
}

static void
seen(void *arg, unsigned what)
{
	struct world *w = arg;

	w->calls++;
	w->what |= what;
}

static void
send_byte(struct world *w)
{
	assert_int_equal(send(w->fds[1], "x", 1, 0), 1);
}

/* One pass that does not wait: what was seen in it. */
static unsigned
pass(struct world *w)
{
	w->what = 0;
	assert_int_equal(loop_once(w->loop, 0), 0);
	return w->what;
}

static void
a_descriptor_is_reported_for_what_is_wanted(void **state)
{
	struct world *w = *state;
	char c;

	assert_int_equal(
	    loop_io_add(w->loop, &w->io, w->fds[0], LOOP_READ, seen, w), 0);
	assert_int_equal(pass(w), 0);
	send_byte(w);
	assert_int_equal(pass(w), LOOP_READ);
	assert_int_equal(pass(w), LOOP_READ);
	assert_int_equal(loop_io_want(&w->io, LOOP_READ | LOOP_WRITE), 0);
	assert_int_equal(pass(w), LOOP_READ | LOOP_WRITE);
	assert_int_equal(loop_io_want(&w->io, LOOP_WRITE), 0);
	assert_int_equal(pass(w), LOOP_WRITE);
	assert_int_equal(loop_io_want(&w->io, 0), 0);
	assert_int_equal(pass(w), 0);
	assert_int_equal(loop_io_want(&w->io, LOOP_READ), 0);
	assert_int_equal(pass(w), LOOP_READ);
	assert_int_equal(recv(w->fds[0], &c, 1, 0), 1);
	assert_int_equal(pass(w), 0);
}

static void
a_descriptor_that_cannot_be_watched_is_refused(void **state)
{
	struct world *w = *state;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	/* The kernel waits for no file. */
	assert_true(fd >= 0);
	assert_int_equal(
	    loop_io_add(w->loop, &w->io, fd, LOOP_READ, seen, w), -EIO);
	assert_null(w->io.ev);
	assert_int_equal(loop_io_add(w->loop, &w->io, fd, 0, seen, w), 0);
	assert_int_equal(loop_io_want(&w->io, LOOP_READ), -EIO);
	(void)close(fd);
}

static void
an_edge_is_reported_once(void **state)
{
	struct world *w = *state;

	assert_int_equal(loop_io_add(w->loop, &w->io, w->fds[0],
			     LOOP_READ | LOOP_EDGE, seen, w),
	    0);
	send_byte(w);
	assert_int_equal(pass(w), LOOP_READ);
	assert_int_equal(pass(w), 0);
	send_byte(w);
	assert_int_equal(pass(w), LOOP_READ);
	assert_int_equal(pass(w), 0);
}

static void
a_descriptor_may_be_added_for_nothing_at_first(void **state)
{
	struct world *w = *state;

	assert_int_equal(
	    loop_io_add(w->loop, &w->io, w->fds[0], 0, seen, w), 0);
	send_byte(w);
	assert_int_equal(pass(w), 0);
	assert_int_equal(loop_io_want(&w->io, LOOP_READ), 0);
	assert_int_equal(pass(w), LOOP_READ);
}

static void
end_both(void *arg, unsigned what)
{
	struct world *w = arg;

	w->calls++;
	loop_io_deinit(&w->io);
	loop_io_deinit(&w->other);
}

static void
what_is_deinited_in_a_pass_is_not_called_in_it(void **state)
{
	struct world *w = *state;

	assert_int_equal(
	    loop_io_add(w->loop, &w->io, w->fds[0], LOOP_WRITE, end_both, w),
	    0);
	assert_int_equal(
	    loop_io_add(w->loop, &w->other, w->fds[1], LOOP_WRITE, end_both, w),
	    0);
	(void)pass(w);
	assert_int_equal(w->calls, 1);
	(void)pass(w);
	assert_int_equal(w->calls, 1);
}

static void
deinit_of_what_was_never_added_does_nothing(void **state)
{
	struct loop_timer t = { 0 };
	struct loop_io io = { 0 };

	loop_io_deinit(&io);
	loop_timer_stop(&t);
	assert_false(loop_timer_pending(&t));
	loop_timer_deinit(&t);
}

static void
stop(void *arg)
{
	struct world *w = arg;

	w->calls++;
	w->last_ns = time_mono_ns();
	loop_stop(w->loop);
}

static void
a_timer_fires_once_and_not_too_early(void **state)
{
	struct world *w = *state;
	uint64_t begin = time_mono_ns();

	assert_int_equal(loop_timer_init(w->loop, &w->timer, stop, w), 0);
	assert_false(loop_timer_pending(&w->timer));
	assert_int_equal(loop_timer_set(&w->timer, 3000, 0), 0);
	assert_true(loop_timer_pending(&w->timer));
	assert_int_equal(loop_run(w->loop), 0);
	assert_true(w->last_ns - begin >= 2900000);
	assert_false(loop_timer_pending(&w->timer));
	assert_int_equal(w->calls, 1);
}

static void
stop_after_five(void *arg)
{
	struct world *w = arg;

	w->last_ns = time_mono_ns();
	if (++w->calls == 5)
		loop_stop(w->loop);
}

static void
a_repeating_timer_goes_on(void **state)
{
	struct world *w = *state;
	uint64_t begin = time_mono_ns();

	assert_int_equal(
	    loop_timer_init(w->loop, &w->timer, stop_after_five, w), 0);
	assert_int_equal(loop_timer_set(&w->timer, 1000, 1), 0);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(w->calls, 5);
	/* From here on: on a busy machine the first one alone comes late. */
	assert_true(w->last_ns - begin >= 4900000);
	assert_true(loop_timer_pending(&w->timer));
	loop_timer_stop(&w->timer);
	assert_false(loop_timer_pending(&w->timer));
}

static void
a_timer_that_is_set_again_forgets_the_time_before(void **state)
{
	struct world *w = *state;

	assert_int_equal(loop_timer_init(w->loop, &w->timer, stop, w), 0);
	assert_int_equal(loop_timer_set(&w->timer, 1, 1), 0);
	assert_int_equal(
	    loop_timer_set(&w->timer, UINT64_C(3600) * US_PER_S, 0), 0);
	assert_int_equal(
	    loop_timer_init(w->loop, &w->second, stop_after_five, w), 0);
	assert_int_equal(loop_timer_set(&w->second, 1000, 1), 0);
	assert_int_equal(loop_run(w->loop), 0);
	/* All five are the second's. */
	assert_int_equal(w->calls, 5);
	assert_true(loop_timer_pending(&w->timer));
}

static void
end_timer(void *arg)
{
	struct world *w = arg;

	w->calls++;
	loop_timer_deinit(&w->timer);
	loop_stop(w->loop);
}

static void
a_timer_may_end_itself(void **state)
{
	struct world *w = *state;

	assert_int_equal(loop_timer_init(w->loop, &w->timer, end_timer, w), 0);
	assert_int_equal(loop_timer_set(&w->timer, 0, 1), 0);
	assert_int_equal(loop_run(w->loop), 0);
	(void)pass(w);
	assert_int_equal(w->calls, 1);
}

static void
a_loop_that_was_stopped_does_not_run_again(void **state)
{
	struct world *w = *state;

	assert_false(loop_stopped(w->loop));
	loop_stop(w->loop);
	assert_true(loop_stopped(w->loop));
	assert_int_equal(
	    loop_io_add(w->loop, &w->io, w->fds[0], LOOP_WRITE, seen, w), 0);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(w->calls, 0);
}

static void
a_signal_is_delivered_in_a_pass(void **state)
{
	struct world *w = *state;

	assert_int_equal(loop_signal_add(w->loop, &w->io, SIGUSR1, seen, w), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(w->calls, 0);
	while (w->calls == 0)
		assert_int_equal(loop_once(w->loop, 1), 0);
	assert_int_equal(w->what, SIGUSR1);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_descriptor_is_reported_for_what_is_wanted),
		IN_WORLD(a_descriptor_that_cannot_be_watched_is_refused),
		IN_WORLD(an_edge_is_reported_once),
		IN_WORLD(a_descriptor_may_be_added_for_nothing_at_first),
		IN_WORLD(what_is_deinited_in_a_pass_is_not_called_in_it),
		cmocka_unit_test(deinit_of_what_was_never_added_does_nothing),
		IN_WORLD(a_timer_fires_once_and_not_too_early),
		IN_WORLD(a_repeating_timer_goes_on),
		IN_WORLD(a_timer_that_is_set_again_forgets_the_time_before),
		IN_WORLD(a_timer_may_end_itself),
		IN_WORLD(a_loop_that_was_stopped_does_not_run_again),
		IN_WORLD(a_signal_is_delivered_in_a_pass),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
