/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Jobs: work that may wait for the disk, done by a few threads and handed
 * back to the loop.  Lanes take turns, so that who asks for much delays
 * himself.
 */

#ifndef PEAL_BROKER_JOBS_H
#define PEAL_BROKER_JOBS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/macros.h"

struct jobs;
struct loop;
struct reason;

/* Each has threads of its own: none waits for another. */
enum jobs_pace {
	JOBS_QUICK,    /* milliseconds */
	JOBS_SNAPSHOT, /* of the present state; may wait for the same one */
	JOBS_SLOW,     /* reads the log, or all rows */
	JOBS_PACES
};

/* Embedded in what the job is about. */
struct job {
	TAILQ_ENTRY(job) link;
	enum jobs_pace pace;
	/* In a thread. */
	void (*run)(struct job *job);
	/* In the loop, and the last that is heard of it; ran false: dropped. */
	void (*done)(struct job *job, bool ran);
};

TAILQ_HEAD(job_list, job);

/* What belongs to one asker; embedded in it. */
struct jobs_lane {
	LIST_ENTRY(jobs_lane) all;
	struct jobs *jobs; /* NULL: they have ended before it */
	bool paused;
	struct {
		struct job_list queue;
		TAILQ_ENTRY(jobs_lane) turn;
		bool in_turn;
	} of[JOBS_PACES];
};

/* threads: of each pace.  The caller owns *out. */
MUST_CHECK int jobs_new(struct loop *loop, const unsigned threads[JOBS_PACES],
    struct jobs **out, struct reason *why);
/*
 * Waits for what runs, drops what does not run yet: done() is called for
 * each, which puts no other one, and all lanes are empty afterwards.
 */
struct jobs *jobs_free(struct jobs *jobs);
CLEANUP_FN(struct jobs *, jobs_free)

void jobs_lane_init(struct jobs_lane *lane, struct jobs *jobs);
/* Drops what does not run yet.  What runs goes on: it never names its lane. */
void jobs_lane_deinit(struct jobs_lane *lane);
/* A paused lane keeps its jobs, and none of them is begun. */
void jobs_lane_pause(struct jobs_lane *lane, bool paused);

void jobs_put(struct jobs_lane *lane, struct job *job);

/* Those that do not run yet. */
uint64_t jobs_waiting(struct jobs *jobs);

#endif
