/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The retainer's thread.  It shares no lock with anybody: what others see of
 * it are single words, and it runs only when nothing else wants processor or
 * disk.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/timekeeper.h"
#include "log/chain.h"
#include "log/log_writer.h"
#include "log/reserve.h"
#include "log/retain.h"
#include "log/sums.h"
#include "writer/rebase.h"
#include "writer/retainer.h"

enum {
	LOOK_MS = 10000,
	RETRY_MS = 60000, /* behind a try that came to nothing */
	NICE_LEAST = 19,
	/* ioprio_set(2): of a thread, and only when the disk is idle. */
	IOPRIO_WHO_THREAD = 1,
	IOPRIO_IDLE = 3 << 13,
};

struct retainer {
	struct retainer_options opt;
	pthread_t thread;
	int wake_fd;
	atomic_bool stop;
	_Atomic uint64_t wanted;
	_Atomic uint64_t oldest;
	_Atomic uint64_t needed; /* by clients; 0: nothing */
	atomic_bool busy;
	atomic_int handed; /* a descriptor and 1; 0: none */
	_Atomic uint64_t moves;
	_Atomic uint64_t packed;
	_Atomic uint64_t failed;
	_Atomic uint64_t held;
	struct sysio io; /* ends with stop */
	/* The thread's own. */
	struct timekeeper timekeeper;
	struct log_floor floor; /* to come, where something is wanted */
	bool released;		/* the reserve; its room is left free */
	struct sums_maker sums;
	uint64_t left; /* see retain_pack() */
};

/*
 * A base may take minutes, and a writer that is told to end has none: all long
 * ways read or write, and fail then.  What is left is removed at the next
 * start.
 */
static ssize_t
pread_unless_stopped(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	struct retainer *r = ctx;

	return atomic_load(&r->stop)
		   ? -ECANCELED
		   : sysio_posix.pread(NULL, fd, buf, len, at);
}

static ssize_t
pwritev_unless_stopped(
    void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	struct retainer *r = ctx;

	return atomic_load(&r->stop)
		   ? -ECANCELED
		   : sysio_posix.pwritev(NULL, fd, iov, n, at);
}

static void
come_to_nothing(struct retainer *r)
{
	atomic_fetch_add(&r->failed, 1);
	atomic_store(&r->wanted, 0);
}

/* The sentence, unless nothing is wrong but the end. */
static void
say(struct retainer *r, const char *what, const struct reason *why)
{
	if (!atomic_load(&r->stop))
		diag_limited("retention", "%s: %s", what, why->text);
	come_to_nothing(r);
}

/* Where there is hardly room for rows and base, the reserve makes some. */
static void
release(struct retainer *r)
{
	struct reason why;

	if (r->opt.reserve == 0 ||
	    !reserve_is_needed(&r->io, r->opt.dirfd, r->opt.reserve))
		return;
	/* First: a spare that is just being made would take the room. */
	log_writer_leave(r->opt.log, r->opt.reserve);
	if (reserve_release(&r->io, r->opt.dirfd, &why) == 0) {
		r->released = true;
		diag_note("the reserve is given up, so that the oldest events "
			  "can be");
	} else if (!r->released) {
		log_writer_leave(r->opt.log, 0);
	}
}

/* The reserve is made anew when there is room, and nothing wants it. */
static void
stock(struct retainer *r)
{
	struct reason why = REASON_NO_MEMORY;
	int got;

	if (r->opt.reserve == 0 || atomic_load(&r->wanted))
		return;
	got = reserve_keep(&r->io, r->opt.dirfd, r->opt.reserve, &why);
	if (got == RESERVE_THERE && r->released) {
		r->released = false;
		log_writer_leave(r->opt.log, 0);
	} else if (got < 0 && !atomic_load(&r->stop)) {
		diag_limited("reserve", "there is no reserve: %s", why.text);
	}
}

/* Clients may hold back so much; nothing while the disk is nearly full. */
static uint64_t
hold_bytes(const struct retainer *r)
{
	if (r->opt.hold_bytes > 0 &&
	    reserve_is_needed(&r->io, r->opt.dirfd, r->opt.reserve))
		return 0;
	return r->opt.hold_bytes;
}

/*
 * Is there something to give up?  What is wanted stays so until it comes: the
 * broker takes its time.
 */
static void
look(struct retainer *r, const struct segment_list *list)
{
	const struct retain_policy policy = { .keep_bytes = r->opt.keep_bytes,
		.keep_us = r->opt.keep_us,
		.now_us = timekeeper_ask(&r->timekeeper),
		.needed = atomic_load(&r->needed),
		.hold_bytes = hold_bytes(r) };
	uint64_t held;
	int got;

	if (atomic_load(&r->wanted))
		return;
	got = retain_look(list, &policy, &r->floor, &held);
	atomic_store(&r->held, held);
	if (got != RETAIN_FLOOR)
		return;
	release(r);
	atomic_store(&r->wanted, r->floor.seq - 1);
}

/* Of halves that a crash left, before we begin any. */
static void
tidy(struct retainer *r)
{
	struct reason why = REASON_NO_MEMORY;

	if (retain_tidy(&r->io, r->opt.dirfd, &why) < 0)
		say(r, "what is half made stays", &why);
}

static bool
clean(struct retainer *r)
{
	struct reason why = REASON_NO_MEMORY;

	if (retain_remove(&r->io, r->opt.dirfd, &why) == 0)
		return true;
	say(r, "what the floor has passed stays", &why);
	return false;
}

/* The rows in fd were wanted: a base is made of them. */
static bool
rebase(struct retainer *r, int fd)
{
	const struct rebase rb = { .io = &r->io,
		.dirfd = r->opt.dirfd,
		.floor = r->floor,
		.max_keys = r->opt.max_keys,
		.rows_io = &r->io,
		.rows_fd = fd };
	struct reason why = REASON_NO_MEMORY;
	uint64_t began = time_mono_ns();
	int got = rebase_run(&rb, &why);

	if (got != REBASE_DONE) {
		say(r, "no base could be made, and nothing is given up", &why);
		return false;
	}
	atomic_store(&r->wanted, 0);
	atomic_store(&r->oldest, r->floor.seq);
	atomic_fetch_add(&r->moves, 1);
	diag_note("the log now begins with seq=%" PRIu64 " ms=%" PRIu64,
	    r->floor.seq, (time_mono_ns() - began) / NS_PER_MS);
	return clean(r);
}

/* Pack what there is, until something else is to be done. */
static bool
pack(struct retainer *r, struct segment_list *list)
{
	struct reason why = REASON_NO_MEMORY;
	int got = RETAIN_PACKED;

	while (got > RETAIN_NOTHING && !atomic_load(&r->stop) &&
	       !atomic_load(&r->handed)) {
		got = retain_pack(&r->io, r->opt.dirfd, list, &r->left, &why);
		if (got == RETAIN_PACKED) {
			atomic_fetch_add(&r->packed, 1);
		} else if (got == RETAIN_DIFFERS) {
			diag_limited(
			    "packing", "one segment stays: %s", why.text);
			atomic_fetch_add(&r->failed, 1);
		}
	}
	if (got >= 0 || atomic_load(&r->stop))
		return true;
	diag_limited("packing", "no segment is packed: %s", why.text);
	atomic_fetch_add(&r->failed, 1);
	return false;
}

/* Sums of what has none, before it is packed. */
static bool
sum(struct retainer *r, const struct segment_list *list)
{
	struct reason why = REASON_NO_MEMORY;
	int got = SUMS_MADE;

	sums_round(&r->sums, list);
	while (got > SUMS_NOTHING && !atomic_load(&r->stop) &&
	       !atomic_load(&r->handed)) {
		got = sums_make(&r->io, r->opt.dirfd, &r->sums, &why);
		if (got >= 0 && got != SUMS_DAMAGED)
			continue;
		if (!atomic_load(&r->stop))
			diag_limited("sums", "no sums are made: %s", why.text);
		atomic_fetch_add(&r->failed, 1);
	}
	return got >= 0 || atomic_load(&r->stop);
}

/* What there is to do, by one list of the segments: with many it is long. */
static bool
work(struct retainer *r)
{
	struct reason why = REASON_NO_MEMORY;
	struct segment_list list;
	int got = chain_read(&r->io, r->opt.dirfd, &list, &why);
	bool good = got == CHAIN_WHOLE;

	if (good) {
		look(r, &list);
		good = sum(r, &list);
		good = (!r->opt.pack || pack(r, &list)) && good;
	} else {
		say(r, "the log is left as it is", &why);
	}
	if (got >= 0)
		segment_list_deinit(&list);
	return good;
}

static bool
turn(struct retainer *r)
{
	int fd = atomic_exchange(&r->handed, 0) - 1;
	bool good = true;

	if (fd >= 0) {
		good = rebase(r, fd);
		(void)close(fd);
		atomic_store(&r->busy, false);
	}
	return good && work(r);
}

static void
wait_for(struct retainer *r, int ms)
{
	struct pollfd pfd = { .fd = r->wake_fd, .events = POLLIN };
	uint64_t n;

	if (poll(&pfd, 1, ms) > 0 && read(r->wake_fd, &n, sizeof(n)) < 0)
		return; /* it was empty already */
}

/* Rolls of the log shorten no wait behind a failure. */
static void
rest(struct retainer *r)
{
	uint64_t until = time_mono_ns() + RETRY_MS * NS_PER_MS;

	while (!atomic_load(&r->stop) && time_mono_ns() < until)
		wait_for(r, LOOK_MS);
}

static void *
run(void *arg)
{
	struct retainer *r = arg;
	bool waited = false;

	/* Where that is not allowed it competes with the others. */
	(void)setpriority(PRIO_PROCESS, 0, NICE_LEAST);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_THREAD, 0, IOPRIO_IDLE);
	tidy(r);
	(void)clean(r);
	while (!atomic_load(&r->stop)) {
		bool good = turn(r);

		/* Not at once: a start has more to write than that. */
		if (waited)
			stock(r);
		waited = true;
		if (good)
			wait_for(r, LOOK_MS);
		else
			rest(r);
	}
	return NULL;
}

int
retainer_start(const struct retainer_options *opt, struct retainer **out,
    struct reason *why)
{
	struct retainer *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->opt = *opt;
	timekeeper_doubt(&r->timekeeper);
	r->io = sysio_posix;
	r->io.ctx = r;
	r->io.pread = pread_unless_stopped;
	r->io.pwritev = pwritev_unless_stopped;
	atomic_init(&r->oldest, opt->oldest);
	atomic_init(&r->needed, 1);
	r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = r->wake_fd < 0 ? -errno : 0;
	if (err == 0)
		err = -pthread_create(&r->thread, NULL, run, r);
	if (err < 0) {
		closep(&r->wake_fd);
		free(r);
		return reason_set(why, err, "cannot start a thread");
	}
	(void)pthread_setname_np(r->thread, "peal-retainer");
	*out = r;
	return 0;
}

void
retainer_nudge(struct retainer *r)
{
	uint64_t one = 1;

	if (write(r->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is full of them */
}

struct retainer *
retainer_stop(struct retainer *r)
{
	int fd;

	if (!r)
		return NULL;
	atomic_store(&r->stop, true);
	retainer_nudge(r);
	pthread_join(r->thread, NULL);
	fd = atomic_load(&r->handed) - 1;
	closep(&fd);
	closep(&r->wake_fd);
	sums_maker_deinit(&r->sums);
	free(r);
	return NULL;
}

void
retainer_need(struct retainer *r, uint64_t seq)
{
	atomic_store(&r->needed, seq);
}

bool
retainer_holds(const struct retainer *r)
{
	return r->opt.hold_bytes > 0;
}

uint64_t
retainer_wanted(const struct retainer *r)
{
	return atomic_load(&r->busy) ? 0 : atomic_load(&r->wanted);
}

int
retainer_hand(struct retainer *r, uint64_t seq, int fd)
{
	if (atomic_load(&r->busy))
		return RETAINER_BUSY;
	if (seq == 0 || seq != atomic_load(&r->wanted))
		return RETAINER_UNWANTED;
	atomic_store(&r->busy, true);
	atomic_store(&r->handed, fd + 1);
	retainer_nudge(r);
	return RETAINER_TAKEN;
}

uint64_t
retainer_oldest(const struct retainer *r)
{
	return atomic_load(&r->oldest);
}

void
retainer_counts(const struct retainer *r, struct retainer_counts *c)
{
	c->moves = atomic_load(&r->moves);
	c->packed = atomic_load(&r->packed);
	c->failed = atomic_load(&r->failed);
	c->held = atomic_load(&r->held);
}
