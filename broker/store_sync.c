/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The syncer.  Nobody needs the state to be synced while the store is open:
 * after a crash of the system the mark has it dropped, whatever is on the
 * disk.  It is written out for the end not to take long, for an error to be
 * known, and not by the kernel, which would do it in one go.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "broker/store_priv.h"
#include "broker/store_sync.h"
#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"
#include "log/witness.h"

enum {
	/* Less than the kernel waits.  The same pages change all the time. */
	WRITE_OUT_S = 10
};

struct store_sync {
	struct store *st;
	pthread_t thread;
	int dirfd;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool stop;
	bool failed;	     /* what is on the disk is anybody's guess */
	uint64_t remembered; /* commits, as of the last witness */
	uint64_t written;    /* the same as they were last written out */
	uint64_t written_ns; /* when; CLOCK_MONOTONIC */
	struct witness *wit;
	struct store_meta of; /* whose log the witness names */
};

static void
remember(struct store_sync *sy, const struct store_meta *m)
{
	struct reason why = { "cannot write '" WITNESS_BROKER "'" };
	int err = 0;

	if (!m->named)
		return;
	if (sy->wit && (sy->of.epoch != m->epoch ||
			   memcmp(sy->of.log_id, m->log_id, 16) != 0))
		sy->wit = witness_free(sy->wit);
	if (!sy->wit)
		err = witness_open(&sysio_posix, sy->dirfd, WITNESS_BROKER,
		    m->log_id, m->epoch, &sy->wit, &why);
	sy->of = *m;
	if (err == 0)
		err = witness_store(sy->wit, m->gen[STORE_LIVE].seq);
	if (err < 0)
		diag_limited("broker witness", "%s", why.text);
}

/*
 * The kernel may have dropped the pages that it could not write, and the next
 * sync would succeed without them: nothing vouches for this environment any
 * more, and the next start folds anew.
 */
static void
fail(struct store_sync *sy, int err)
{
	struct store *st = sy->st;
	struct reason why = { "" };

	diag_error("the state can't be written: %s; the next start folds anew",
	    strerror(-err));
	sy->failed = true;
	pthread_mutex_lock(&st->mutex);
	st->unsynced = true;
	pthread_mutex_unlock(&st->mutex);
	if (store_mark_write(st->dirfd, STORE_LEFT_DAMAGED, &why) < 0)
		diag_error("%s", why.text);
}

static void
write_out(struct store_sync *sy, uint64_t commits)
{
	int err = store_env_write_out(&sy->st->e);

	if (err < 0)
		fail(sy, err);
	sy->written = commits;
	sy->written_ns = time_mono_ns();
}

static void
round_of(struct store_sync *sy)
{
	struct store *st = sy->st;
	struct store_meta m;
	uint64_t commits;

	pthread_mutex_lock(&st->mutex);
	commits = st->status.commits;
	m = st->published;
	pthread_mutex_unlock(&st->mutex);
	if (!sy->failed && commits != sy->remembered)
		remember(sy, &m);
	sy->remembered = commits;
	if (!sy->failed && commits != sy->written &&
	    time_mono_ns() - sy->written_ns >= WRITE_OUT_S * NS_PER_S)
		write_out(sy, commits);
}

static void *
run(void *arg)
{
	struct store_sync *sy = arg;
	struct timespec at;

	pthread_mutex_lock(&sy->mutex);
	while (!sy->stop) {
		clock_gettime(CLOCK_MONOTONIC, &at);
		at.tv_sec++;
		(void)pthread_cond_timedwait(&sy->cond, &sy->mutex, &at);
		pthread_mutex_unlock(&sy->mutex);
		round_of(sy);
		pthread_mutex_lock(&sy->mutex);
	}
	pthread_mutex_unlock(&sy->mutex);
	round_of(sy);
	return NULL;
}

int
store_sync_start(struct store *st, const char *dir, struct store_sync **out,
    struct reason *why)
{
	struct store_sync *sy = calloc(1, sizeof(*sy));
	pthread_condattr_t attr;
	int err;

	if (!sy)
		return -ENOMEM;
	sy->st = st;
	sy->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sy->dirfd < 0) {
		err = reason_set(why, -errno, "cannot open '%s'", dir);
		free(sy);
		return err;
	}
	pthread_mutex_init(&sy->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sy->cond, &attr);
	pthread_condattr_destroy(&attr);
	err = pthread_create(&sy->thread, NULL, run, sy);
	if (err) {
		closep(&sy->dirfd);
		free(sy);
		return reason_set(why, -err, "cannot start a thread");
	}
	(void)pthread_setname_np(sy->thread, "peal-state-sync");
	*out = sy;
	return 0;
}

struct store_sync *
store_sync_stop(struct store_sync *sy)
{
	if (!sy)
		return NULL;
	pthread_mutex_lock(&sy->mutex);
	sy->stop = true;
	pthread_cond_signal(&sy->cond);
	pthread_mutex_unlock(&sy->mutex);
	pthread_join(sy->thread, NULL);
	pthread_cond_destroy(&sy->cond);
	pthread_mutex_destroy(&sy->mutex);
	sy->wit = witness_free(sy->wit);
	closep(&sy->dirfd);
	free(sy);
	return NULL;
}
