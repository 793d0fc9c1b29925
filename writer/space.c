/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Space.  The sequencer spends from a budget of its own and comes here, under
 * the lock, only when that is used up.
 */

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "core/diag.h"
#include "core/event.h"
#include "core/reason.h"
#include "core/time.h"
#include "log/log_writer.h"
#include "writer/space.h"

/*
 * What a frame costs at most beyond its bytes: the padding of its flush, and
 * the page of the IDLE frame behind it.
 */
#define FRAME_EXTRA ((uint64_t)2 * LOG_PAGE)
/* What the end of a segment wastes at most: less than the longest frame. */
#define SEAM_WASTE ((uint64_t)EVENT_MAX + (64 << 10))

struct space {
	struct log_writer *lw;
	int wake_fd;

	/* the sequencer's alone */
	uint64_t budget;
	uint64_t asked; /* cost of all frames ever granted */

	pthread_mutex_t lock;
	pthread_cond_t cond;
	uint64_t flushed; /* cost of all frames ever flushed */
	uint64_t room;	  /* left in the open segment */
	int no_room;	  /* the last try to make a spare found none */
	int stop;
	int started;
	pthread_t thread;
};

static void
wake_sequencer(struct space *sp)
{
	uint64_t one = 1;

	/* Can fail only when it is signalled already. */
	if (sp->wake_fd >= 0 && write(sp->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void
wait_a_second(struct space *sp)
{
	struct timespec until;
	uint64_t ns = time_clock_ns(CLOCK_MONOTONIC) + NS_PER_S;

	until.tv_sec = (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);
	pthread_cond_timedwait(&sp->cond, &sp->lock, &until);
}

/* The lock is held, but not while the spare is made. */
static int
try_spare(struct space *sp)
{
	struct reason why = { "" };
	int err;

	pthread_mutex_unlock(&sp->lock);
	err = log_writer_prepare(sp->lw, &why);
	pthread_mutex_lock(&sp->lock);
	if (err && !sp->no_room)
		diag_warn(
		    "no spare segment, appends will be refused: %s", why.text);
	if (!err && sp->no_room)
		diag_note("there is room for segments again");
	sp->no_room = err != LOG_PREPARED;
	wake_sequencer(sp);
	return err;
}

void
space_try(struct space *sp)
{
	pthread_mutex_lock(&sp->lock);
	(void)try_spare(sp);
	pthread_mutex_unlock(&sp->lock);
}

/* Keeps a spare ready, and tries again every second where there is no room. */
static void *
prepare_spares(void *arg)
{
	struct space *sp = arg;

	pthread_mutex_lock(&sp->lock);
	while (!sp->stop) {
		if (log_writer_has_spare(sp->lw))
			pthread_cond_wait(&sp->cond, &sp->lock);
		else if (try_spare(sp) && !sp->stop)
			wait_a_second(sp);
	}
	pthread_mutex_unlock(&sp->lock);
	return NULL;
}

int
space_new(struct log_writer *lw, int wake_fd, struct space **out)
{
	struct space *sp = calloc(1, sizeof(*sp));
	pthread_condattr_t attr;

	if (!sp)
		return -ENOMEM;
	sp->lw = lw;
	sp->wake_fd = wake_fd;
	pthread_mutex_init(&sp->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sp->cond, &attr);
	pthread_condattr_destroy(&attr);
	sp->room = log_writer_room(lw);
	*out = sp;
	return 0;
}

int
space_start(struct space *sp, struct reason *why)
{
	int err = pthread_create(&sp->thread, NULL, prepare_spares, sp);

	if (err)
		return reason_set(why, -err, "cannot start a thread");
	(void)pthread_setname_np(sp->thread, "peal-spare");
	sp->started = 1;
	return 0;
}

struct space *
space_free(struct space *sp)
{
	if (!sp)
		return NULL;
	if (sp->started) {
		pthread_mutex_lock(&sp->lock);
		sp->stop = 1;
		pthread_cond_signal(&sp->cond);
		pthread_mutex_unlock(&sp->lock);
		pthread_join(sp->thread, NULL);
	}
	pthread_cond_destroy(&sp->cond);
	pthread_mutex_destroy(&sp->lock);
	free(sp);
	return NULL;
}

/* Under the lock: what may be spent beyond what is under way. */
static uint64_t
new_budget(struct space *sp, uint64_t under_way)
{
	uint64_t room = sp->room;

	if (log_writer_has_spare(sp->lw))
		room =
		    MAX(room, room + log_writer_capacity(sp->lw) - SEAM_WASTE);
	return room > under_way ? room - under_way : 0;
}

enum space_answer
space_ask(struct space *sp, uint64_t len)
{
	uint64_t cost = len + FRAME_EXTRA;
	enum space_answer answer = SPACE_GRANTED;

	if (UNLIKELY(sp->budget < cost)) {
		uint64_t under_way;

		pthread_mutex_lock(&sp->lock);
		under_way = sp->asked - sp->flushed;
		sp->budget = new_budget(sp, under_way);
		if (sp->budget < cost)
			answer = under_way == 0 && sp->no_room ? SPACE_FULL
							       : SPACE_WAIT;
		pthread_mutex_unlock(&sp->lock);
	}
	if (answer == SPACE_GRANTED) {
		sp->budget -= cost;
		sp->asked += cost;
	}
	return answer;
}

void
space_give_back(struct space *sp, uint64_t len)
{
	sp->budget += len + FRAME_EXTRA;
	sp->asked -= len + FRAME_EXTRA;
}

void
space_flushed(struct space *sp, uint64_t n, uint64_t len)
{
	pthread_mutex_lock(&sp->lock);
	sp->flushed += len + n * FRAME_EXTRA;
	sp->room = log_writer_room(sp->lw);
	pthread_mutex_unlock(&sp->lock);
}

void
space_rolled(struct space *sp)
{
	pthread_mutex_lock(&sp->lock);
	sp->room = log_writer_room(sp->lw);
	pthread_cond_signal(&sp->cond);
	pthread_mutex_unlock(&sp->lock);
}
