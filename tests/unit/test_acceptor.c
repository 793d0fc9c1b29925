/* SPDX-License-Identifier: BSD-2-Clause */

/* A listening socket: who comes is accepted, also after descriptors ran out. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/acceptor.h"
#include "core/time.h"

enum {
	CLIENTS = 3,
	FEW = 200, /* turns of a loop that waits where it should */
};

struct world {
	struct loop *loop;
	struct acceptor door;
	struct sockaddr_un at; /* a name of the kernel's choice */
	socklen_t at_len;
	int listening;
	int clients[CLIENTS];
	int accepted[CLIENTS];
	unsigned n;
};

static void
on_client(void *arg, int fd)
{
	struct world *w = arg;

	assert_true(w->n < CLIENTS);
	w->accepted[w->n++] = fd;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	*state = w;
	w->at.sun_family = AF_UNIX;
	w->loop = loop_new();
	w->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	w->at_len = sizeof(w->at);
	return !w->loop ||
	       bind(w->listening, (struct sockaddr *)&w->at,
		   sizeof(w->at.sun_family)) < 0 ||
	       listen(w->listening, CLIENTS) < 0 ||
	       getsockname(
		   w->listening, (struct sockaddr *)&w->at, &w->at_len) < 0 ||
	       acceptor_open(w->loop, &w->door, w->listening, on_client, w) < 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	acceptor_close(&w->door);
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (w->clients[i] > 0)
			(void)close(w->clients[i]);
		if (i < w->n)
			(void)close(w->accepted[i]);
	}
	(void)close(w->listening);
	w->loop = loop_free(w->loop);
	free(w);
	return 0;
}

static void
come(struct world *w, unsigned i)
{
	w->clients[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_return_code(
	    connect(w->clients[i], (struct sockaddr *)&w->at, w->at_len), 0);
}

/* Turns until n are accepted. */
static unsigned
turns_until(struct world *w, unsigned n)
{
	unsigned turns = 0;

	for (; w->n < n; turns++)
		assert_return_code(loop_once(w->loop, 1), 0);
	return turns;
}

static void
who_comes_is_accepted(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < CLIENTS; i++)
		come(w, i);
	turns_until(w, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_true(fcntl(w->accepted[i], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(w->accepted[i], F_GETFD) & FD_CLOEXEC);
	}
}

static void
give_back(void *arg)
{
	const struct rlimit *limit = arg;

	assert_return_code(setrlimit(RLIMIT_NOFILE, limit), 0);
}

static void
without_descriptors_it_rests_and_accepts_later(void **state)
{
	struct world *w = *state;
	struct loop_timer relief = { 0 };
	struct rlimit was, none;
	unsigned turns;

	assert_return_code(
	    loop_timer_init(w->loop, &relief, give_back, &was), 0);
	come(w, 0);
	assert_return_code(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &none), 0);
	/* The socket is looked at several times meanwhile, not all the time. */
	assert_return_code(loop_timer_set(&relief, US_PER_S / 2, 0), 0);
	turns = turns_until(w, 1);
	give_back(&was);
	loop_timer_deinit(&relief);
	assert_true(turns > 1);
	assert_true(turns < FEW);
}

static void
a_closed_one_accepts_nobody(void **state)
{
	struct world *w = *state;

	acceptor_close(&w->door);
	come(w, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_return_code(loop_once(w->loop, 0), 0);
	assert_int_equal(w->n, 0);
	acceptor_close(&w->door);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    who_comes_is_accepted, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    without_descriptors_it_rests_and_accepts_later, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_closed_one_accepts_nobody, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
