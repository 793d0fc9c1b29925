/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One ring of lanes for each pace, behind one lock: the lane at its front
 * gives a job and goes to its end.
 */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "broker/jobs.h"
#include "core/loop.h"
#include "core/reason.h"

enum {
	THREADS_MAX = 16
};

TAILQ_HEAD(lane_list, jobs_lane);

struct jobs {
	pthread_mutex_t lock;
	pthread_cond_t work[JOBS_PACES];
	LIST_HEAD(, jobs_lane) lanes;
	struct lane_list turns[JOBS_PACES];
	struct job_list finished;
	uint64_t waiting;
	bool stopping;

	int wake_fd;
	struct loop_io wake_io;
	unsigned n;
	struct worker {
		struct jobs *jobs;
		pthread_t thread;
		enum jobs_pace pace;
	} workers[THREADS_MAX];
};

/* --- lanes; the lock is held --- */

/* Is it to stand in the ring of that pace, or not? */
static void
lane_settle(struct jobs_lane *lane, enum jobs_pace pace)
{
	struct jobs *jobs = lane->jobs;
	bool due = !lane->paused && !TAILQ_EMPTY(&lane->of[pace].queue);

	if (due == lane->of[pace].in_turn)
		return;
	if (due)
		TAILQ_INSERT_TAIL(&jobs->turns[pace], lane, of[pace].turn);
	else
		TAILQ_REMOVE(&jobs->turns[pace], lane, of[pace].turn);
	lane->of[pace].in_turn = due;
}

/* The first job of the lane whose turn it is, which goes to the end. */
static struct job *
take(struct jobs *jobs, enum jobs_pace pace)
{
	struct jobs_lane *lane = TAILQ_FIRST(&jobs->turns[pace]);
	struct job *job;

	if (!lane)
		return NULL;
	job = TAILQ_FIRST(&lane->of[pace].queue);
	TAILQ_REMOVE(&lane->of[pace].queue, job, link);
	TAILQ_REMOVE(&jobs->turns[pace], lane, of[pace].turn);
	lane->of[pace].in_turn = false;
	lane_settle(lane, pace);
	jobs->waiting--;
	return job;
}

/* --- threads --- */

static void
wake_loop(struct jobs *jobs)
{
	const uint64_t one = 1;

	/* It fails only where the loop has not seen 2^64 wake-ups. */
	if (write(jobs->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct jobs *jobs = w->jobs;
	struct job *job;

	pthread_mutex_lock(&jobs->lock);
	while (!jobs->stopping) {
		job = take(jobs, w->pace);
		if (!job) {
			pthread_cond_wait(&jobs->work[w->pace], &jobs->lock);
			continue;
		}
		pthread_mutex_unlock(&jobs->lock);
		job->run(job);
		pthread_mutex_lock(&jobs->lock);
		if (TAILQ_EMPTY(&jobs->finished))
			wake_loop(jobs);
		TAILQ_INSERT_TAIL(&jobs->finished, job, link);
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

static void
on_wake(void *arg, unsigned what)
{
	struct jobs *jobs = arg;
	struct job_list list = TAILQ_HEAD_INITIALIZER(list);
	struct job *job;
	uint64_t n;

	if (read(jobs->wake_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&jobs->lock);
	TAILQ_CONCAT(&list, &jobs->finished, link);
	pthread_mutex_unlock(&jobs->lock);
	while ((job = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, job, link);
		job->done(job, true);
	}
}

/* Signals are the loop's. */
static int
start_threads(struct jobs *jobs, const unsigned threads[JOBS_PACES])
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned pace = 0; pace < JOBS_PACES; pace++)
		for (unsigned i = 0; i < threads[pace] && !err; i++) {
			struct worker *w = &jobs->workers[jobs->n];

			assert(jobs->n < THREADS_MAX);
			w->jobs = jobs;
			w->pace = pace;
			err = pthread_create(&w->thread, NULL, work, w);
			if (!err)
				jobs->n++;
		}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int
jobs_new(struct loop *loop, const unsigned threads[JOBS_PACES],
    struct jobs **out, struct reason *why)
{
	CLEANUP(jobs_freep) struct jobs *jobs = calloc(1, sizeof(*jobs));
	int err;

	if (!jobs)
		return reason_set(why, -ENOMEM, "cannot start workers");
	pthread_mutex_init(&jobs->lock, NULL);
	TAILQ_INIT(&jobs->finished);
	LIST_INIT(&jobs->lanes);
	for (unsigned i = 0; i < JOBS_PACES; i++) {
		pthread_cond_init(&jobs->work[i], NULL);
		TAILQ_INIT(&jobs->turns[i]);
	}
	jobs->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (jobs->wake_fd < 0)
		return reason_set(why, -errno, "cannot start workers");
	err = loop_io_add(
	    loop, &jobs->wake_io, jobs->wake_fd, LOOP_READ, on_wake, jobs);
	if (!err)
		err = start_threads(jobs, threads);
	if (err)
		return reason_set(why, err, "cannot start workers");
	*out = TAKE(jobs);
	return 0;
}

/* What the lane has and does not run yet; the lock is held. */
static void
lane_empty(struct jobs_lane *lane, struct job_list *list)
{
	struct job *job;

	for (unsigned i = 0; i < JOBS_PACES; i++) {
		TAILQ_FOREACH (job, &lane->of[i].queue, link)
			lane->jobs->waiting--;
		TAILQ_CONCAT(list, &lane->of[i].queue, link);
		lane_settle(lane, i);
	}
	LIST_REMOVE(lane, all);
	lane->jobs = NULL;
}

static void
report_dropped(struct job_list *list)
{
	struct job *job;

	while ((job = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, job, link);
		job->done(job, false);
	}
}

struct jobs *
jobs_free(struct jobs *jobs)
{
	struct job_list dropped = TAILQ_HEAD_INITIALIZER(dropped);

	if (!jobs)
		return NULL;
	pthread_mutex_lock(&jobs->lock);
	jobs->stopping = true;
	for (unsigned i = 0; i < JOBS_PACES; i++)
		pthread_cond_broadcast(&jobs->work[i]);
	pthread_mutex_unlock(&jobs->lock);
	for (unsigned i = 0; i < jobs->n; i++)
		(void)pthread_join(jobs->workers[i].thread, NULL);
	if (jobs->wake_fd >= 0)
		on_wake(jobs, LOOP_READ);
	while (!LIST_EMPTY(&jobs->lanes))
		lane_empty(LIST_FIRST(&jobs->lanes), &dropped);
	report_dropped(&dropped);
	loop_io_deinit(&jobs->wake_io);
	closep(&jobs->wake_fd);
	for (unsigned i = 0; i < JOBS_PACES; i++)
		pthread_cond_destroy(&jobs->work[i]);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
	return NULL;
}

/* --- the loop's side --- */

void
jobs_lane_init(struct jobs_lane *lane, struct jobs *jobs)
{
	*lane = (struct jobs_lane){ .jobs = jobs };
	for (unsigned i = 0; i < JOBS_PACES; i++)
		TAILQ_INIT(&lane->of[i].queue);
	LIST_INSERT_HEAD(&jobs->lanes, lane, all);
}

void
jobs_lane_deinit(struct jobs_lane *lane)
{
	struct job_list dropped = TAILQ_HEAD_INITIALIZER(dropped);
	struct jobs *jobs = lane->jobs;

	if (!jobs)
		return;
	pthread_mutex_lock(&jobs->lock);
	lane_empty(lane, &dropped);
	pthread_mutex_unlock(&jobs->lock);
	report_dropped(&dropped);
}

void
jobs_lane_pause(struct jobs_lane *lane, bool paused)
{
	struct jobs *jobs = lane->jobs;

	if (!jobs || lane->paused == paused)
		return;
	pthread_mutex_lock(&jobs->lock);
	lane->paused = paused;
	for (unsigned i = 0; i < JOBS_PACES; i++) {
		lane_settle(lane, i);
		if (!paused)
			pthread_cond_broadcast(&jobs->work[i]);
	}
	pthread_mutex_unlock(&jobs->lock);
}

void
jobs_put(struct jobs_lane *lane, struct job *job)
{
	struct jobs *jobs = lane->jobs;

	pthread_mutex_lock(&jobs->lock);
	TAILQ_INSERT_TAIL(&lane->of[job->pace].queue, job, link);
	lane_settle(lane, job->pace);
	jobs->waiting++;
	pthread_cond_signal(&jobs->work[job->pace]);
	pthread_mutex_unlock(&jobs->lock);
}

uint64_t
jobs_waiting(struct jobs *jobs)
{
	uint64_t n;

	pthread_mutex_lock(&jobs->lock);
	n = jobs->waiting;
	pthread_mutex_unlock(&jobs->lock);
	return n;
}
