/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Ten times a second it is asked whether an archive is due: a log that is
 * folded from its beginning passes many.  One that could not be written is
 * tried again after a minute: what it lacks is mostly disk.
 */

#include <errno.h>

#include "broker/archiver.h"
#include "broker/archives.h"
#include "broker/jobs.h"
#include "broker/query.h"
#include "broker/store.h"
#include "core/diag.h"
#include "core/loop.h"
#include "core/reason.h"
#include "core/time.h"

#define LOOK_US	 (US_PER_S / 10)
#define RETRY_NS (60 * NS_PER_S)

struct archiver {
	struct query *query;
	struct jobs_lane lane;
	struct loop_timer timer;
	struct job job;
	bool running;
	uint64_t failed_ns; /* 0: the last one was written */
	int err;
	struct reason why;
};

static void
run(struct job *job)
{
	struct archiver *a = CONTAINER_OF(job, struct archiver, job);

	a->why = (struct reason){ "out of memory" };
	a->err = archives_write(a->query, &a->why);
}

static void
done(struct job *job, bool ran)
{
	struct archiver *a = CONTAINER_OF(job, struct archiver, job);

	a->running = false;
	if (!ran)
		return;
	a->failed_ns = a->err < 0 ? time_mono_ns() : 0;
	if (a->err < 0)
		diag_limited(
		    "archive", "no archive was written: %s", a->why.text);
}

static void
on_timer(void *arg)
{
	struct archiver *a = arg;
	struct store_status store;

	if (a->running ||
	    (a->failed_ns && time_mono_ns() - a->failed_ns < RETRY_NS))
		return;
	store_status(a->query->store, &store);
	if (!store.log[0] ||
	    !archives_due(a->query->archives, store.log, store.seq))
		return;
	a->running = true;
	jobs_put(&a->lane, &a->job);
}

int
archiver_new(struct loop *loop, struct jobs *jobs, struct query *query,
    struct archiver **out)
{
	CLEANUP(archiver_freep) struct archiver *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->query = query;
	a->job.pace = JOBS_SLOW;
	a->job.run = run;
	a->job.done = done;
	jobs_lane_init(&a->lane, jobs);
	err = loop_timer_init(loop, &a->timer, on_timer, a);
	if (!err)
		err = loop_timer_set(&a->timer, LOOK_US, 1);
	if (err)
		return err;
	*out = TAKE(a);
	return 0;
}

struct archiver *
archiver_free(struct archiver *a)
{
	if (!a)
		return NULL;
	loop_timer_deinit(&a->timer);
	jobs_lane_deinit(&a->lane);
	free(a);
	return NULL;
}
