/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The folder's thread.  It goes in turns: some events from the tail, then, as
 * long as anything is behind, a slice of the log for that, then the commit
 * where one is due.  Nothing is committed within a request of the tail.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "broker/folder.h"
#include "broker/meters.h"
#include "broker/slices.h"
#include "broker/store_fold.h"
#include "broker/store_sync.h"
#include "broker/tail.h"
#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"

enum {
	WAIT_MS = 100,
	/*
	 * Between commits of what drains the ring: each writes every page on
	 * the way to what it changed, however little that is.  The first event
	 * in a while does not wait.
	 */
	GAP_MS = 10,
	TOMBS_S = 60,
};

struct folder {
	struct folder_options opt;
	struct store *st;
	struct tail *tail;
	struct store_sync *sync;
	pthread_t thread;
	struct slices *behind; /* the log, for what lags */
	bool ring;	       /* one was attached */
	bool placed;	       /* the tail stands where the store does */
	bool whole;	       /* ... at the end of a request */
	bool fresh;	       /* it gave events that are not committed */
	uint64_t retry_ns;     /* the tail is not read before; 0: now */
	uint64_t behind_ns;    /* and the log for what lags not before that */
	uint64_t tombs_ns;     /* when to look next */
	uint64_t commit_ns;    /* no commit before, unless it is due */
	atomic_bool stalled;
	atomic_bool failed;
};

/* --- what goes wrong --- */

/* All goes on from the last commit, in a second. */
static void
failed(struct folder *f, int err)
{
	struct reason why;

	reason_set(&why, err, "cannot store what was folded up to seq=%" PRIu64,
	    store_fold_seq(f->st));
	f->retry_ns = time_mono_ns() + NS_PER_S;
	if (store_fold_fail(f->st, err) == STORE_DAMAGED) {
		diag_error("the state is damaged, the next start makes it "
			   "anew: %s",
		    why.text);
		atomic_store(&f->failed, true);
		f->retry_ns = UINT64_MAX;
	} else {
		diag_limited("folding stalled", "%s", why.text);
	}
	atomic_store(&f->stalled, true);
	f->behind = slices_free(f->behind);
	f->placed = f->fresh = false;
}

static int
commit_now(struct folder *f)
{
	uint64_t began = time_mono_ns(), now;
	int err = store_fold_commit(f->st);

	if (err < 0)
		return err;
	now = time_mono_ns();
	if (f->fresh) {
		f->commit_ns = now + GAP_MS * NS_PER_MS;
		METERS_RECORD(commit_time, now - began, 1);
	}
	f->fresh = false;
	atomic_store(&f->stalled, false);
	tail_report(f->tail, store_fold_seq(f->st));
	return 0;
}

static void
commit(struct folder *f)
{
	int err = commit_now(f);

	if (err < 0)
		failed(f, err);
}

static void
say_unreadable(const struct folder *f, const struct reason *why)
{
	diag_limited("events unreadable",
	    "events can't be read, folding stands at seq=%" PRIu64 ": %s",
	    store_fold_seq(f->st), why->text);
}

/* --- the tail --- */

/* Is an event gone that has still to be read?  All is placed anew then. */
static bool
is_passed(struct folder *f, uint64_t seq)
{
	struct tail_log log;

	tail_log(f->tail, &log);
	if (seq + 1 >= log.oldest)
		return false;
	f->placed = false;
	return true;
}

/* The tail can't go on: what it gave is kept, and it is tried again. */
static void
unreadable(struct folder *f, const struct reason *why)
{
	say_unreadable(f, why);
	if (f->whole)
		commit(f);
	(void)is_passed(f, store_fold_seq(f->st));
	atomic_store(&f->stalled, true);
	f->retry_ns = MAX(f->retry_ns, time_mono_ns() + NS_PER_S);
}

/* What lags has a way to go, or the tail has. */
static bool
is_far(const struct folder *f)
{
	struct tail_log log;

	tail_log(f->tail, &log);
	return log.head > store_fold_behind(f->st) + STORE_FAR;
}

static bool
due(const struct folder *f)
{
	return store_fold_due(f->st, false) && store_fold_due(f->st, is_far(f));
}

static int
on_event(void *arg, uint64_t seq, struct slice bytes, bool last)
{
	struct folder *f = arg;
	int err = store_fold_event(f->st, seq, bytes);

	f->whole = last;
	f->fresh = true;
	if (err == 0 && last && due(f))
		err = commit_now(f);
	return err;
}

/* A ring was attached, or all begins from the last commit once more. */
static void
place(struct folder *f)
{
	struct reason why = { "" };
	struct tail_log log;
	int err;

	tail_log(f->tail, &log);
	f->behind = slices_free(f->behind);
	if (!f->whole)
		store_fold_abort(f->st);
	f->whole = true;
	err = store_fold_log(f->st, log.id, log.epoch, log.head);
	if (err >= 0)
		err = store_fold_floor(f->st, log.oldest);
	if (err >= 0 && f->opt.restore)
		err = store_fold_restore(
		    f->st, log.head, f->opt.restore, f->opt.restore_arg, &why);
	if (err < 0) {
		failed(f, err);
		return;
	}
	tail_seek(f->tail, store_fold_seq(f->st));
	f->placed = true;
	tail_report(f->tail, store_fold_seq(f->st));
}

/* Some events; true: there may be more. */
static bool
read_tail(struct folder *f)
{
	struct reason why = { "" };
	int got = tail_read(f->tail, on_event, f, &why);

	if (got == TAIL_ATTACHED) {
		f->ring = true;
		f->placed = false;
	} else if (got == TAIL_DAMAGED || (got < 0 && why.text[0])) {
		unreadable(f, &why);
	} else if (got < 0) {
		failed(f, got);
	}
	return got == TAIL_EVENTS || got == TAIL_ATTACHED;
}

/* --- what lags --- */

static int
on_old_event(void *arg, uint64_t seq, struct slice bytes, bool last)
{
	struct folder *f = arg;

	return store_fold_event(f->st, seq, bytes);
}

static bool
lags(const struct folder *f, uint64_t now)
{
	return now >= f->behind_ns &&
	       store_fold_behind(f->st) < store_fold_seq(f->st);
}

/* A slice of the log for what stands behind the served rows. */
static void
catch_up(struct folder *f, uint64_t now)
{
	struct reason why = { "" };
	int err = 0;

	if (!f->behind)
		err = slices_open(f->opt.log_dir, store_fold_behind(f->st),
		    store_fold_seq(f->st), &f->behind, &why);
	if (err == 0)
		err = slices_read(f->behind, on_old_event, f, &why);
	if (err == SLICES_READ)
		return;
	f->behind = slices_free(f->behind);
	if (err == SLICES_DAMAGED || (err < 0 && why.text[0])) {
		if (is_passed(f, store_fold_behind(f->st)))
			return;
		say_unreadable(f, &why);
		f->behind_ns = now + NS_PER_S;
	} else if (err < 0) {
		failed(f, err);
	}
}

/* --- the thread --- */

static void
hide_tombs(struct folder *f, uint64_t now)
{
	int more = store_fold_tombs(f->st, time_wall_us());

	if (more < 0)
		failed(f, more);
	else if (more == 0)
		f->tombs_ns = now + TOMBS_S * NS_PER_S;
}

static bool
rested(const struct folder *f)
{
	return !f->fresh || time_mono_ns() >= f->commit_ns;
}

/* For how long nothing is to be done. */
static unsigned
wait_ms(const struct folder *f)
{
	uint64_t now = time_mono_ns();

	if (!f->fresh)
		return WAIT_MS;
	return f->commit_ns > now
		   ? (unsigned)((f->commit_ns - now) / NS_PER_MS) + 1
		   : 0;
}

/* One turn; true: there is more to do at once. */
static bool
turn(struct folder *f, uint64_t now)
{
	bool more, old;

	if (f->ring && !f->placed)
		place(f);
	if (f->retry_ns)
		return false;
	more = read_tail(f);
	old = f->placed && !f->retry_ns && lags(f, now);
	if (old)
		catch_up(f, now);
	if (f->retry_ns)
		return false;
	if (f->whole && (due(f) || (!more && (f->fresh || !old) && rested(f))))
		commit(f);
	if (f->whole && !f->retry_ns && now >= f->tombs_ns)
		hide_tombs(f, now);
	return !f->retry_ns && (more || old);
}

static void *
run(void *arg)
{
	struct folder *f = arg;
	uint64_t now;

	while (!tail_stopped(f->tail)) {
		now = time_mono_ns();
		if (f->retry_ns > now) {
			tail_pause(f->tail, WAIT_MS);
			continue;
		}
		f->retry_ns = 0;
		if (!turn(f, now) && !f->retry_ns)
			tail_wait(f->tail, wait_ms(f));
	}
	if (f->whole && !f->retry_ns)
		commit(f);
	store_fold_abort(f->st);
	return NULL;
}

int
folder_start(const struct folder_options *opt, struct store *store,
    struct folder **out, struct reason *why)
{
	struct folder *f = calloc(1, sizeof(*f));
	int err = f ? tail_new(opt->run_dir, opt->log_dir, &f->tail) : -ENOMEM;

	if (err == 0)
		err = store_sync_start(store, opt->dir, &f->sync, why);
	if (err == 0) {
		f->opt = *opt;
		f->st = store;
		f->whole = true;
		err = -pthread_create(&f->thread, NULL, run, f);
		if (err < 0)
			reason_set(why, err, "cannot start a thread");
	}
	if (err < 0) {
		if (f) {
			f->sync = store_sync_stop(f->sync);
			f->tail = tail_free(f->tail);
		}
		free(f);
		return err;
	}
	(void)pthread_setname_np(f->thread, "peal-folder");
	*out = f;
	return 0;
}

struct folder *
folder_stop(struct folder *f)
{
	if (!f)
		return NULL;
	tail_stop(f->tail);
	pthread_join(f->thread, NULL);
	f->sync = store_sync_stop(f->sync);
	f->behind = slices_free(f->behind);
	f->tail = tail_free(f->tail);
	free(f);
	return NULL;
}

void
folder_status(const struct folder *f, struct folder_status *out)
{
	struct tail_status t;

	tail_status(f->tail, &t);
	*out = (struct folder_status){
		.attached = t.attached,
		.tail_seq = t.head,
		.oldest_seq = t.oldest,
		.lapped = t.lapped,
		.events = t.events,
		.stalled = atomic_load(&f->stalled),
		.failed = atomic_load(&f->failed),
	};
}
