/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The attachment to a writer that the test plays, on the thread of the
 * gateway's loop: had anybody waited for anybody, nothing would come of it.
 */

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/loop.h"
#include "core/time.h"
#include "gateway/attach.h"
#include "tests/lib/ringfix.h"

enum {
	DEADLINE_S = 300
};

struct attachfix {
	struct ringfix ring;
	int sock;
	struct loop *loop;
	struct attach *attach;
	unsigned rings;
	bool refuse;
	uint64_t deadline_ns;
};

static bool
on_ring(void *arg, struct ring_reader *ring)
{
	struct attachfix *fx = arg;

	fx->rings++;
	return !fx->refuse;
}

static int
setup(void **state)
{
	struct attachfix *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	ringfix_dir(&fx->ring);
	ringfix_open(&fx->ring);
	ringfix_listen(&fx->ring, 0);
	fx->sock = -1;
	fx->loop = loop_new();
	fx->deadline_ns = time_mono_ns() + DEADLINE_S * NS_PER_S;
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	struct attachfix *fx = *state;

	fx->attach = attach_free(fx->attach);
	fx->loop = loop_free(fx->loop);
	closep(&fx->sock);
	ringfix_close(&fx->ring);
	free(fx);
	return 0;
}

static void
turn(struct attachfix *fx)
{
	assert_int_equal(loop_once(fx->loop, 0), 0);
	assert_true(time_mono_ns() < fx->deadline_ns);
}

static bool
readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 1) == 1;
}

/* The writer takes the gateway's request. */
static void
take_request(struct attachfix *fx)
{
	char role[DOORBELL_ROLE];

	closep(&fx->sock);
	while (!readable(fx->ring.listener))
		turn(fx);
	fx->sock = accept4(
	    fx->ring.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(fx->sock >= 0);
	while (!readable(fx->sock))
		turn(fx);
	assert_int_equal(doorbell_hub_request(fx->sock, role), 0);
	assert_string_equal(role, "gateway");
}

static void
answer(struct attachfix *fx)
{
	assert_true(
	    doorbell_hub_add(fx->ring.hub, fx->sock, "gateway", 1) >= 0);
}

static void
begin(struct attachfix *fx)
{
	assert_int_equal(
	    attach_new(fx->loop, fx->ring.dir, on_ring, fx, &fx->attach), 0);
}

static void
nobody_waits_for_the_writers_answer(void **state)
{
	struct attachfix *fx = *state;

	begin(fx);
	assert_null(attach_ring_of(fx->attach));
	take_request(fx);
	for (unsigned i = 0; i < 10; i++)
		turn(fx);
	assert_null(attach_ring_of(fx->attach));
	answer(fx);
	while (!attach_ring_of(fx->attach))
		turn(fx);
	assert_int_equal(fx->rings, 1);
	assert_true(attach_live(fx->attach));
}

static void
a_writer_that_hangs_up_or_is_refused_is_asked_again(void **state)
{
	struct attachfix *fx = *state;

	begin(fx);
	take_request(fx);
	closep(&fx->sock);
	take_request(fx);
	fx->refuse = true;
	answer(fx);
	while (fx->rings == 0)
		turn(fx);
	assert_null(attach_ring_of(fx->attach));
	fx->refuse = false;
	take_request(fx);
	answer(fx);
	while (!attach_ring_of(fx->attach))
		turn(fx);
	assert_int_equal(fx->rings, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    nobody_waits_for_the_writers_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_writer_that_hangs_up_or_is_refused_is_asked_again, setup,
		    teardown),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
