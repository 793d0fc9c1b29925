/* SPDX-License-Identifier: BSD-2-Clause */

/* Readers that come to the ring's socket, also while descriptors are out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/loop.h"
#include "core/time.h"
#include "shm/doorbell.h"
#include "tests/lib/ringfix.h"
#include "writer/attach.h"

enum {
	DEADLINE_S = 300,
	FEW = 200, /* turns of a loop that waits where it should */
};

struct world {
	struct ringfix ring;
	struct loop *loop;
	struct attach *attach;
	struct rlimit was;
	bool relieved;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	*state = w;
	ringfix_dir(&w->ring);
	ringfix_open(&w->ring);
	ringfix_listen(&w->ring, SOCK_NONBLOCK);
	w->loop = loop_new();
	assert_non_null(w->loop);
	assert_int_equal(attach_new(w->loop, w->ring.listener, w->ring.hub,
			     (gid_t)-1, &w->attach, NULL),
	    0);
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	w->attach = attach_free(w->attach);
	w->loop = loop_free(w->loop);
	ringfix_close(&w->ring);
	free(w);
	return 0;
}

static void
relieve(void *arg)
{
	struct world *w = arg;

	assert_return_code(setrlimit(RLIMIT_NOFILE, &w->was), 0);
	w->relieved = true;
}

static void
expect_readers(struct world *w, uint64_t n)
{
	uint64_t deadline_ns = time_mono_ns() + DEADLINE_S * NS_PER_S;

	while (attach_readers(w->attach) != n) {
		assert_return_code(loop_once(w->loop, 1), 0);
		assert_true(time_mono_ns() < deadline_ns);
	}
}

static void
who_comes_is_attached_and_forgotten_when_he_goes(void **state)
{
	struct doorbell *a = NULL, *b = NULL;
	struct world *w = *state;

	assert_int_equal(doorbell_ask(w->ring.dir, "a", &a, NULL), 0);
	assert_int_equal(doorbell_ask(w->ring.dir, "b", &b, NULL), 0);
	expect_readers(w, 2);
	a = doorbell_free(a);
	expect_readers(w, 1);
	b = doorbell_free(b);
	expect_readers(w, 0);
}

static void
without_descriptors_the_socket_rests(void **state)
{
	struct loop_timer relief = { 0 };
	struct doorbell *bell = NULL;
	struct world *w = *state;
	struct rlimit none;
	unsigned turns = 0;

	assert_return_code(loop_timer_init(w->loop, &relief, relieve, w), 0);
	assert_int_equal(doorbell_ask(w->ring.dir, "late", &bell, NULL), 0);
	assert_return_code(getrlimit(RLIMIT_NOFILE, &w->was), 0);
	none = w->was;
	none.rlim_cur = 0;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_return_code(loop_timer_set(&relief, US_PER_S / 2, 0), 0);
	for (; !w->relieved; turns++)
		assert_return_code(loop_once(w->loop, 1), 0);
	loop_timer_deinit(&relief);
	assert_true(turns < FEW);
	expect_readers(w, 1);
	bell = doorbell_free(bell);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    who_comes_is_attached_and_forgotten_when_he_goes, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    without_descriptors_the_socket_rests, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
