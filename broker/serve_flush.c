/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * When cursors are flushed: every five seconds where there is anything new,
 * and as soon as a client has left.  One flush at a time, and one that failed
 * is tried again with the next.
 */

#include <string.h>

#include "broker/clients.h"
#include "broker/serve_priv.h"
#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"

#define EVERY_US (5 * US_PER_S)
#define SAY_NS	 (60 * NS_PER_S)

struct serve_flush {
	struct job job;
	struct serve *sv;
	uint64_t now_us;
	int err;
	struct reason why;
};

static void
run(struct job *job)
{
	struct serve_flush *f = CONTAINER_OF(job, struct serve_flush, job);

	f->why = (struct reason){ "out of memory" };
	f->err = clients_flush(f->sv->parts.clients, f->now_us, &f->why);
}

static void
say_failure(struct serve *sv, const struct serve_flush *f)
{
	uint64_t now = time_mono_ns();

	if (sv->flush_said_ns && now - sv->flush_said_ns < SAY_NS)
		return;
	sv->flush_said_ns = now;
	diag_warn("%s (it is tried again)", f->why.text);
}

static void
done(struct job *job, bool ran)
{
	struct serve_flush *f = CONTAINER_OF(job, struct serve_flush, job);
	struct serve *sv = f->sv;
	bool again = sv->flush_again && ran && !f->err;

	sv->flushing = NULL;
	sv->flush_again = false;
	if (ran && f->err)
		say_failure(sv, f);
	free(f);
	if (again)
		serve_flush_now(sv);
}

void
serve_flush_now(struct serve *sv)
{
	struct serve_flush *f;

	if (sv->flushing) {
		sv->flush_again = true;
		return;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return; /* the timer comes again */
	f->sv = sv;
	f->now_us = timekeeper_ask(&sv->timekeeper);
	f->job.pace = JOBS_QUICK;
	f->job.run = run;
	f->job.done = done;
	sv->flushing = f;
	jobs_put(&sv->flush_lane, &f->job);
}

static void
on_timer(void *arg)
{
	struct serve *sv = arg;

	uint64_t now_us = timekeeper_ask(&sv->timekeeper);

	if (!sv->flushing && clients_due(sv->parts.clients, now_us))
		serve_flush_now(sv);
}

int
serve_flush_init(struct serve *sv)
{
	int err =
	    loop_timer_init(sv->parts.loop, &sv->flush_timer, on_timer, sv);

	/* A clock that is wrong must not take everybody's position away. */
	timekeeper_doubt(&sv->timekeeper);
	return err ? err : loop_timer_set(&sv->flush_timer, EVERY_US, 1);
}

void
serve_flush_deinit(struct serve *sv)
{
	loop_timer_deinit(&sv->flush_timer);
}
