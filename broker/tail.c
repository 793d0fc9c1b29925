/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Following ring and log.  The position is a seq, and whatever is read must
 * continue it by one.  A ring whose writer has gone is read to its end before
 * the next one is attached.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "broker/meters.h"
#include "broker/tail.h"
#include "core/diag.h"
#include "core/event.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/doorbell.h"
#include "shm/ring_late.h"
#include "shm/ring_reader.h"

enum {
	RUN = 1024,
	BUFFER = 2 * EVENT_MAX,
	WAIT_MS = 100, /* a lost wake-up costs no more */
	RETRY_MS = 50,
};

struct tail {
	const char *run_dir;
	const char *log_dir;
	pthread_mutex_t mutex; /* of bell and rd, against tail_status() */
	struct doorbell *bell;
	struct ring_reader *rd; /* NULL: there was none yet */
	atomic_bool ended;	/* its writer has gone */
	uint64_t seq;		/* last one handed on */
	bool placed;		/* rd stands behind seq */
	bool distrust;		/* of what rd has next: the log is asked */
	struct slices *slices;	/* where the ring has moved on */
	int stop_fd;
	atomic_bool stopped;
	_Atomic uint64_t lapped;
	_Atomic uint64_t events; /* handed on */
	uint64_t attached_ns;
	struct ring_event ev[RUN];
	uint8_t *buf;
};

int
tail_new(const char *run_dir, const char *log_dir, struct tail **out)
{
	CLEANUP(tail_freep) struct tail *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->mutex, NULL);
	t->run_dir = run_dir;
	t->log_dir = log_dir;
	t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->stop_fd < 0)
		return -errno;
	t->buf = malloc(BUFFER);
	if (!t->buf)
		return -ENOMEM;
	*out = TAKE(t);
	return 0;
}

struct tail *
tail_free(struct tail *t)
{
	if (!t)
		return NULL;
	t->slices = slices_free(t->slices);
	t->bell = doorbell_free(t->bell);
	t->rd = ring_reader_free(t->rd);
	closep(&t->stop_fd);
	pthread_mutex_destroy(&t->mutex);
	free(t->buf);
	free(t);
	return NULL;
}

void
tail_seek(struct tail *t, uint64_t after)
{
	t->slices = slices_free(t->slices);
	t->seq = after;
	t->placed = false;
}

/* --- attaching --- */

static int
attach(struct tail *t)
{
	struct doorbell *bell CLEANUP(doorbell_freep) = NULL;
	struct ring_reader *rd CLEANUP(ring_reader_freep) = NULL;
	struct reason why = { "" };
	int err = doorbell_attach(t->run_dir, "broker", &bell, &rd, &why);

	if (err < 0) {
		if (err != -ENOENT && err != -ECONNREFUSED)
			diag_limited("attach", "%s", why.text);
		return TAIL_NONE;
	}
	pthread_mutex_lock(&t->mutex);
	(void)doorbell_free(t->bell);
	(void)ring_reader_free(t->rd);
	t->bell = TAKE(bell);
	t->rd = TAKE(rd);
	t->ended = false;
	pthread_mutex_unlock(&t->mutex);
	t->distrust = false;
	t->attached_ns = time_mono_ns();
	tail_seek(t, t->seq);
	return TAIL_ATTACHED;
}

void
tail_log(const struct tail *t, struct tail_log *log)
{
	const struct ring_info *info = ring_reader_info(t->rd);
	struct ring_status status;

	ring_reader_status(t->rd, &status);
	memcpy(log->id, info->log_id, sizeof(log->id));
	log->epoch = info->epoch;
	log->head = status.tail_seq;
	log->oldest = MAX(status.oldest_seq, 1);
}

/* --- reading --- */

static int
read_log(struct tail *t, slices_event *fn, void *arg, struct reason *why)
{
	struct ring_status status;
	int err;

	if (!t->slices) {
		ring_reader_status(t->rd, &status);
		err = slices_open(
		    t->log_dir, t->seq, status.tail_seq, &t->slices, why);
		if (err == -ENOENT)
			return TAIL_DAMAGED;
		if (err < 0)
			return err;
		atomic_fetch_add(&t->lapped, 1);
	}
	err = slices_read(t->slices, fn, arg, why);
	if (err == SLICES_READ)
		return TAIL_EVENTS;
	t->slices = slices_free(t->slices);
	if (err == SLICES_END)
		t->distrust = false;
	return err == SLICES_DAMAGED ? TAIL_DAMAGED : err;
}

static void
handed_on(struct tail *t, uint64_t seq)
{
	t->seq = seq;
	atomic_store_explicit(&t->events,
	    atomic_load_explicit(&t->events, memory_order_relaxed) + 1,
	    memory_order_relaxed);
}

/* Hand on what was copied from the ring. */
static int
hand_on(
    struct tail *t, uint32_t n, slices_event *fn, void *arg, struct reason *why)
{
	const uint8_t *p = t->buf;
	int err;

	for (uint32_t i = 0; i < n; p += t->ev[i++].len) {
		const struct ring_event *ev = &t->ev[i];

		if (ev->flags & RING_EPHEMERAL)
			continue;
		if (ev->seq != t->seq + 1) {
			t->placed = false;
			t->distrust = true;
			return reason_set(why, TAIL_DAMAGED,
			    "the ring has seq %llu behind seq %llu",
			    (unsigned long long)ev->seq,
			    (unsigned long long)t->seq);
		}
		err = fn(arg, ev->seq, slice_of(p, ev->len),
		    ev->flags & RING_LAST_OF_REQUEST);
		if (err < 0)
			return err;
		handed_on(t, ev->seq);
	}
	return TAIL_EVENTS;
}

/* enum ring_next: some were handed on, or what hand_on() returned in *got. */
static int
read_ring(
    struct tail *t, slices_event *fn, void *arg, int *got, struct reason *why)
{
	size_t need;
	uint32_t n;
	int found = t->placed ? RING_EVENT : ring_reader_seek(t->rd, t->seq);

	if (found == RING_LAPPED || found < 0)
		return found;
	t->placed = true;
	found = ring_reader_read(t->rd, t->ev, RUN, t->buf, BUFFER, &n, &need);
	if (found == RING_EVENT) {
		ring_late_record(&meters_cells,
		    STATS_BROKER_HIST_published_read, t->ev, n, t->attached_ns,
		    time_mono_ns());
		*got = hand_on(t, n, fn, arg, why);
	}
	if (found == RING_TOO_SMALL)
		return reason_say(
		    why, -EPROTO, "the ring has an event of %zu bytes", need);
	return found;
}

/* The position moves with the events of a slice. */
struct moving {
	struct tail *t;
	slices_event *fn;
	void *arg;
};

static int
of_log(void *arg, uint64_t seq, struct slice bytes, bool last)
{
	struct moving *m = arg;
	int err = m->fn(m->arg, seq, bytes, last);

	if (err == 0)
		handed_on(m->t, seq);
	return err;
}

static int
read_some(struct tail *t, slices_event *fn, void *arg, struct reason *why)
{
	struct moving log = { t, fn, arg };
	int found, got = TAIL_EVENTS;

	if (!t->slices && !t->distrust) {
		found = read_ring(t, fn, arg, &got, why);
		if (found == RING_EVENT)
			return got;
		if (found == RING_EMPTY)
			return t->ended ? attach(t) : TAIL_EMPTY;
		if (found < 0)
			return reason_set(
			    why, found, "the ring contradicts itself");
		t->placed = false;
	}
	got = read_log(t, of_log, &log, why);
	/* At the limit: what is behind it is the ring's, or the log's again. */
	return got == SLICES_END ? TAIL_EVENTS : got;
}

int
tail_read(struct tail *t, slices_event *fn, void *arg, struct reason *why)
{
	int got;

	if (!t->rd)
		return attach(t);
	got = read_some(t, fn, arg, why);
	/* Its writer has gone: the ring of the next one may lead further. */
	if (t->ended && (got == TAIL_DAMAGED || (got < 0 && why->text[0])) &&
	    attach(t) == TAIL_ATTACHED)
		return TAIL_ATTACHED;
	return got;
}

/* --- waiting --- */

void
tail_wait(struct tail *t, unsigned max_ms)
{
	bool belled = t->bell && !t->ended;
	struct pollfd pfd[2] = {
		{ .fd = t->stop_fd, .events = POLLIN },
		{ .fd = belled ? doorbell_fd(t->bell) : -1, .events = POLLIN },
	};

	if (belled && !doorbell_park(t->bell, t->rd))
		return;
	max_ms = MIN(max_ms, (unsigned)(belled ? WAIT_MS : RETRY_MS));
	(void)poll(pfd, 2, (int)max_ms);
	if (belled && !doorbell_awake(t->bell, t->rd, pfd[1].revents != 0))
		t->ended = true;
}

void
tail_pause(struct tail *t, unsigned ms)
{
	struct pollfd pfd = { .fd = t->stop_fd, .events = POLLIN };

	(void)poll(&pfd, 1, (int)ms);
	/* Who cannot go on hears, too, that its writer has gone. */
	if (t->bell && !t->ended && !doorbell_awake(t->bell, t->rd, true))
		t->ended = true;
}

void
tail_report(struct tail *t, uint64_t position)
{
	const struct doorbell_report report = { .position = position,
		.lapped = atomic_load(&t->lapped) };

	if (t->bell && !t->ended)
		doorbell_report(t->bell, &report);
}

void
tail_stop(struct tail *t)
{
	uint64_t one = 1;

	atomic_store(&t->stopped, true);
	if (write(t->stop_fd, &one, sizeof(one)) < 0)
		return; /* it is full of them */
}

bool
tail_stopped(const struct tail *t)
{
	return atomic_load(&t->stopped);
}

void
tail_status(struct tail *t, struct tail_status *s)
{
	struct ring_status status;

	*s = (struct tail_status){ .lapped = atomic_load(&t->lapped),
		.events = atomic_load(&t->events) };
	pthread_mutex_lock(&t->mutex);
	if (t->rd) {
		ring_reader_status(t->rd, &status);
		s->attached = status.state == RING_RUNNING && !t->ended;
		s->head = status.tail_seq;
		s->oldest = status.oldest_seq;
	}
	pthread_mutex_unlock(&t->mutex);
}
