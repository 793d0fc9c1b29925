/* SPDX-License-Identifier: BSD-2-Clause */

/* Jobs: run in threads, done in the loop, in a fair order. */

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/jobs.h"
#include "core/loop.h"

enum {
	TASKS = 32
};

struct world;

struct task {
	struct job job;
	struct world *w;
	sem_t *gate; /* waited for before it ends; NULL: none */
	pthread_t thread;
	unsigned begun; /* the how-manieth it was, from 1 */
	bool done, ran;
};

struct world {
	struct loop *loop;
	struct jobs *jobs;
	struct jobs_lane lanes[3];
	struct task tasks[TASKS];
	sem_t gate, started;
	pthread_mutex_t lock;
	unsigned begun;
	unsigned done;
};

static void
run(struct job *job)
{
	struct task *t = CONTAINER_OF(job, struct task, job);

	t->thread = pthread_self();
	pthread_mutex_lock(&t->w->lock);
	t->begun = ++t->w->begun;
	pthread_mutex_unlock(&t->w->lock);
	sem_post(&t->w->started);
	if (t->gate)
		sem_wait(t->gate);
}

static void
done(struct job *job, bool ran)
{
	struct task *t = CONTAINER_OF(job, struct task, job);

	assert_false(t->done);
	t->done = true;
	t->ran = ran;
	t->w->done++;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->loop = loop_new();
	sem_init(&w->gate, 0, 0);
	sem_init(&w->started, 0, 0);
	pthread_mutex_init(&w->lock, NULL);
	*state = w;
	return w->loop ? 0 : -1;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	w->jobs = jobs_free(w->jobs);
	w->loop = loop_free(w->loop);
	sem_destroy(&w->gate);
	sem_destroy(&w->started);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static void
start(struct world *w, unsigned threads)
{
	const unsigned each[JOBS_PACES] = { threads, threads, threads };

	assert_int_equal(jobs_new(w->loop, each, &w->jobs, NULL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(w->lanes); i++)
		jobs_lane_init(&w->lanes[i], w->jobs);
}

static void
put(struct world *w, unsigned task, unsigned lane, enum jobs_pace pace,
    sem_t *gate)
{
	struct task *t = &w->tasks[task];

	*t = (struct task){ .w = w, .gate = gate };
	t->job.pace = pace;
	t->job.run = run;
	t->job.done = done;
	jobs_put(&w->lanes[lane], &t->job);
}

static void
await_started(struct world *w, unsigned n)
{
	while (n-- > 0)
		sem_wait(&w->started);
}

static void
await_done(struct world *w, unsigned n)
{
	while (w->done < n)
		assert_int_equal(loop_once(w->loop, 1), 0);
}

static void
a_job_runs_in_a_thread_and_is_done_in_the_loop(void **state)
{
	struct world *w = *state;

	start(w, 2);
	put(w, 0, 0, JOBS_QUICK, NULL);
	await_started(w, 1);
	assert_int_equal(w->done, 0);
	await_done(w, 1);
	assert_true(w->tasks[0].ran);
	assert_false(pthread_equal(w->tasks[0].thread, pthread_self()));
}

static void
lanes_take_turns(void **state)
{
	struct world *w = *state;

	start(w, 1);
	put(w, 0, 2, JOBS_QUICK, &w->gate);
	await_started(w, 1);
	for (unsigned i = 0; i < 6; i++)
		put(w, 1 + i, 0, JOBS_QUICK, NULL);
	for (unsigned i = 0; i < 3; i++)
		put(w, 7 + i, 1, JOBS_QUICK, NULL);
	assert_int_equal(jobs_waiting(w->jobs), 9);
	sem_post(&w->gate);
	await_done(w, 10);
	assert_int_equal(w->tasks[1].begun, 2);
	assert_int_equal(w->tasks[7].begun, 3);
	assert_int_equal(w->tasks[2].begun, 4);
	assert_int_equal(w->tasks[8].begun, 5);
	assert_int_equal(w->tasks[3].begun, 6);
	assert_int_equal(w->tasks[9].begun, 7);
	assert_int_equal(w->tasks[4].begun, 8);
	assert_int_equal(w->tasks[6].begun, 10);
	assert_int_equal(jobs_waiting(w->jobs), 0);
}

static void
no_pace_waits_for_another(void **state)
{
	struct world *w = *state;

	start(w, 2);
	for (unsigned held = 0; held < JOBS_PACES; held++) {
		unsigned begin = w->done;

		for (unsigned i = 0; i < 5; i++)
			put(w, i, i % 2, held, &w->gate);
		await_started(w, 2);
		for (unsigned i = 1; i < JOBS_PACES; i++)
			put(w, 5 + i, 0, (held + i) % JOBS_PACES, NULL);
		await_done(w, begin + JOBS_PACES - 1);
		assert_int_equal(jobs_waiting(w->jobs), 3);
		for (unsigned i = 0; i < 5; i++)
			sem_post(&w->gate);
		await_done(w, begin + 5 + JOBS_PACES - 1);
		await_started(w, 3 + JOBS_PACES - 1);
	}
}

static void
a_paused_lane_keeps_its_jobs(void **state)
{
	struct world *w = *state;

	start(w, 1);
	jobs_lane_pause(&w->lanes[0], true);
	put(w, 0, 0, JOBS_QUICK, NULL);
	put(w, 1, 0, JOBS_SLOW, NULL);
	put(w, 2, 1, JOBS_QUICK, NULL);
	await_done(w, 1);
	assert_true(w->tasks[2].ran);
	assert_int_equal(jobs_waiting(w->jobs), 2);
	jobs_lane_pause(&w->lanes[0], false);
	await_done(w, 3);
}

static void
what_does_not_run_is_dropped_with_its_lane(void **state)
{
	struct world *w = *state;

	start(w, 1);
	put(w, 0, 0, JOBS_QUICK, &w->gate);
	await_started(w, 1);
	put(w, 1, 0, JOBS_QUICK, NULL);
	put(w, 2, 0, JOBS_QUICK, NULL);
	put(w, 3, 1, JOBS_QUICK, NULL);
	jobs_lane_deinit(&w->lanes[0]);
	assert_true(w->tasks[1].done && !w->tasks[1].ran);
	assert_true(w->tasks[2].done && !w->tasks[2].ran);
	assert_false(w->tasks[0].done);
	assert_int_equal(jobs_waiting(w->jobs), 1);
	sem_post(&w->gate);
	await_done(w, 4);
	assert_true(w->tasks[0].ran && w->tasks[3].ran);
}

static void
the_end_reports_every_job(void **state)
{
	struct world *w = *state;

	start(w, 1);
	put(w, 0, 0, JOBS_QUICK, &w->gate);
	await_started(w, 1);
	put(w, 1, 0, JOBS_QUICK, NULL);
	jobs_lane_pause(&w->lanes[1], true);
	put(w, 2, 1, JOBS_SLOW, NULL);
	sem_post(&w->gate);
	w->jobs = jobs_free(w->jobs);
	assert_int_equal(w->done, 3);
	assert_true(w->tasks[0].ran);
	assert_false(w->tasks[2].ran);
	/* A lane may outlive its jobs. */
	for (unsigned i = 0; i < ARRAY_LEN(w->lanes); i++)
		jobs_lane_deinit(&w->lanes[i]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_runs_in_a_thread_and_is_done_in_the_loop),
		TEST(lanes_take_turns),
		TEST(no_pace_waits_for_another),
		TEST(a_paused_lane_keeps_its_jobs),
		TEST(what_does_not_run_is_dropped_with_its_lane),
		TEST(the_end_reports_every_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
