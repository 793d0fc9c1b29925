/* SPDX-License-Identifier: BSD-2-Clause */

/* The gather: frames come out whole and in order, between two threads. */

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "log/format.h"
#include "writer/gather.h"

enum {
	FRAMES = 20000,
	/* Two of these do not fit into one chunk. */
	LONG_PAYLOAD = 600000,
	SHORT_PAYLOAD = 10,
	INTERRUPTIONS = 3000,
	INTERRUPT_US = 50
};

/* Payload and notes are functions of the frame's number. */
static size_t
payload_of(uint64_t i)
{
	return i % 997 == 0 ? 1500000 : 1 + (i * 37) % 3000;
}

static void
put(struct gather *g, uint64_t i)
{
	uint32_t n = 1 + (uint32_t)(i % 5);
	struct gather_note *notes;
	uint8_t *frame = gather_begin(g, payload_of(i), n, &notes);

	memset(frame + LOG_FRAME_HEADER, (int)(i & 0xff), payload_of(i));
	for (uint32_t k = 0; k < n; k++)
		notes[k] = (struct gather_note){ i, k };
	frame_compose(frame,
	    i % 3 ? FRAME_EVENTS : (enum frame_type)GATHER_EMIT, n, i, 0, 0,
	    (uint32_t)payload_of(i));
	assert_int_equal(gather_commit(g, payload_of(i)), i);
}

static void
expect(const struct gather_item *item, uint64_t i)
{
	assert_int_equal(frame_first_seq(item->frame), i);
	assert_int_equal(item->len, LOG_FRAME_HEADER + payload_of(i));
	assert_int_equal(item->emit, i % 3 == 0);
	assert_int_equal(item->frame[LOG_FRAME_HEADER], i & 0xff);
	assert_int_equal(item->frame[item->len - 1], i & 0xff);
	for (uint32_t k = 0; k < frame_n_events(item->frame); k++) {
		assert_int_equal(item->notes[k].topic_hash, i);
		assert_int_equal(item->notes[k].version, k);
	}
}

static void *
produce(void *arg)
{
	for (uint64_t i = 1; i <= FRAMES; i++)
		put(arg, i);
	gather_stop(arg);
	return NULL;
}

static void
frames_cross_between_threads_whole_and_in_order(void **state)
{
	struct gather *g = gather_new();
	struct gather_item item;
	uint64_t i = 1;
	pthread_t t;

	pthread_create(&t, NULL, produce, g);
	while (gather_wait(g, 0) == GATHER_WORK) {
		for (unsigned k = 0;
		     k < 100 && gather_peek(g, &item) == GATHER_FRAME; k++) {
			expect(&item, i++);
			gather_step(g);
		}
		gather_release(g);
	}
	pthread_join(t, NULL);
	assert_int_equal(i, FRAMES + 1);
	gather_free(g);
}

#ifdef __SANITIZE_THREAD__
/* A handler allocates here where nobody else does, which TSan can't know. */
const char *__tsan_default_options(void);

const char *
__tsan_default_options(void)
{
	return "report_signal_unsafe=0";
}
#endif

static struct gather *interrupted;
static volatile sig_atomic_t interruptions;

/* Frame i, of which only the header matters. */
static void
put_bare(struct gather *g, uint64_t i, size_t payload)
{
	struct gather_note *notes;
	uint8_t *frame = gather_begin(g, payload, 1, &notes);

	frame_compose(frame, FRAME_EVENTS, 1, i, 0, 0, (uint32_t)payload);
	(void)gather_commit(g, payload);
}

/* The end of one chunk and the beginning of the next, in the midst of a peek. */
static void
produce_in_between(int sig)
{
	uint64_t i = 2 * (uint64_t)interruptions;

	if (interruptions == INTERRUPTIONS)
		return;
	put_bare(interrupted, i + 1, SHORT_PAYLOAD);
	put_bare(interrupted, i + 2, LONG_PAYLOAD);
	interruptions++;
}

/* The consumer stands at a chunk's end whenever the producer comes. */
static void
a_frame_that_ends_a_chunk_is_seen_wherever_the_consumer_looks(void **state)
{
	const struct sigaction act = { .sa_handler = produce_in_between };
	const struct itimerval often = { { 0, INTERRUPT_US },
		{ 0, INTERRUPT_US } };
	struct gather_item item;
	uint64_t i = 0;

	interrupted = gather_new();
	interruptions = 0;
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	while (i < 2 * INTERRUPTIONS) {
		sigset_t alarm, before;

		while (gather_peek(interrupted, &item) == GATHER_NONE)
			;
		sigemptyset(&alarm);
		sigaddset(&alarm, SIGALRM);
		(void)sigprocmask(SIG_BLOCK, &alarm, &before);
		while (gather_peek(interrupted, &item) == GATHER_FRAME) {
			i++;
			assert_int_equal(frame_first_seq(item.frame), i);
			gather_step(interrupted);
		}
		gather_release(interrupted);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
	}
	gather_free(interrupted);
}

/* Also where that has failed. */
static int
interrupt_no_more(void **state)
{
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };

	interruptions = INTERRUPTIONS;
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	return 0;
}

static void
a_stop_waits_for_what_has_gathered(void **state)
{
	struct gather *g = gather_new();
	struct gather_item item;

	put(g, 1);
	gather_stop(g);
	assert_int_equal(gather_wait(g, 0), GATHER_WORK);
	assert_int_equal(gather_peek(g, &item), GATHER_FRAME);
	gather_step(g);
	assert_int_equal(gather_wait(g, 0), GATHER_STOP);
	gather_free(g);
}

/* Whom to stop as soon as its consumer would sleep; NULL: nobody. */
static struct gather *stopped_asleep;

int __real_sem_wait(sem_t *sem);
int __wrap_sem_wait(sem_t *sem);

/* Takes the place of the C library's: the linker puts it there. */
int
__wrap_sem_wait(sem_t *sem)
{
	if (!stopped_asleep)
		return __real_sem_wait(sem);
	if (sem_trywait(sem) == 0)
		return 0;
	gather_stop(stopped_asleep);
	/* Nobody else would wake it. */
	assert_int_equal(sem_trywait(sem), 0);
	return 0;
}

static void
a_stop_wakes_who_sleeps(void **state)
{
	struct gather *g = gather_new();
	struct gather_item item;

	stopped_asleep = g;
	put(g, 1);
	assert_int_equal(gather_wait(g, 0), GATHER_WORK);
	assert_int_equal(gather_peek(g, &item), GATHER_FRAME);
	gather_step(g);
	assert_int_equal(gather_wait(g, 0), GATHER_STOP);
	stopped_asleep = NULL;
	gather_free(g);
}

static void
a_wait_ends_by_its_time(void **state)
{
	struct gather *g = gather_new();

	assert_int_equal(gather_wait(g, 10), GATHER_TIMEOUT);
	assert_int_equal(gather_wait(g, 10), GATHER_TIMEOUT);
	put(g, 1);
	assert_int_equal(gather_wait(g, 10), GATHER_WORK);
	gather_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    frames_cross_between_threads_whole_and_in_order),
		cmocka_unit_test_teardown(
		    a_frame_that_ends_a_chunk_is_seen_wherever_the_consumer_looks,
		    interrupt_no_more),
		cmocka_unit_test(a_stop_waits_for_what_has_gathered),
		cmocka_unit_test(a_stop_wakes_who_sleeps),
		cmocka_unit_test(a_wait_ends_by_its_time),
	};

	return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
