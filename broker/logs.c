/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Shared readers of the log.  A reader knows the segments and the limit of
 * when it was opened, so that it serves only those who need no more; a few
 * that nobody uses stay open, the newest ones.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "broker/logs.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "log/log_reader.h"

enum {
	LOGS_KEPT = 8,
	LOGS_STEP = 256, /* seqs; farther on, seeking is quicker */
};

struct logs_idle {
	struct log_reader *rd;
	uint64_t limit;
};

struct logs {
	pthread_mutex_t lock;
	uint64_t oldest; /* of the log, as far as we were told */
	int dirfd;
	struct logs_idle idle[LOGS_KEPT];
	unsigned n;
};

int
logs_new(const char *dir, struct logs **out, struct reason *why)
{
	struct logs *logs = calloc(1, sizeof(*logs));

	if (!logs)
		return -ENOMEM;
	logs->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (logs->dirfd < 0) {
		free(logs);
		return reason_set(why, -errno, "cannot open '%s'", dir);
	}
	pthread_mutex_init(&logs->lock, NULL);
	*out = logs;
	return 0;
}

struct logs *
logs_free(struct logs *logs)
{
	if (!logs)
		return NULL;
	while (logs->n > 0)
		(void)log_reader_free(logs->idle[--logs->n].rd);
	(void)close(logs->dirfd);
	pthread_mutex_destroy(&logs->lock);
	free(logs);
	return NULL;
}

/* Under the lock: take entry i out. */
static struct logs_idle
logs_take(struct logs *logs, unsigned i)
{
	struct logs_idle idle = logs->idle[i];

	logs->idle[i] = logs->idle[--logs->n];
	return idle;
}

void
logs_note_oldest(struct logs *logs, uint64_t oldest)
{
	struct logs_idle stale[LOGS_KEPT];
	unsigned n = 0;

	pthread_mutex_lock(&logs->lock);
	logs->oldest = MAX(logs->oldest, oldest);
	for (unsigned i = logs->n; i-- > 0;)
		if (log_reader_oldest(logs->idle[i].rd) < logs->oldest)
			stale[n++] = logs_take(logs, i);
	pthread_mutex_unlock(&logs->lock);
	while (n > 0)
		(void)log_reader_free(stale[--n].rd);
}

/* An idle one that reaches need: of those the shortest. */
static bool
logs_reuse(struct logs *logs, uint64_t need, struct logs_idle *out)
{
	unsigned best = LOGS_KEPT;

	pthread_mutex_lock(&logs->lock);
	for (unsigned i = 0; i < logs->n; i++)
		if (logs->idle[i].limit >= need &&
		    (best == LOGS_KEPT ||
			logs->idle[i].limit < logs->idle[best].limit))
			best = i;
	if (best < LOGS_KEPT)
		*out = logs_take(logs, best);
	pthread_mutex_unlock(&logs->lock);
	return best < LOGS_KEPT;
}

int
logs_lease(struct logs *logs, uint64_t need, uint64_t tail,
    struct logs_lease *out, struct reason *why)
{
	struct logs_idle idle;
	int err;

	if (!logs_reuse(logs, need, &idle)) {
		idle.limit = tail;
		why->text[0] = '\0';
		err = log_reader_open(
		    &sysio_posix, logs->dirfd, tail, &idle.rd, why);
		if (err < 0 && !why->text[0])
			reason_set(why, err, "cannot read the log");
		if (err < 0)
			return err;
	}
	*out = (struct logs_lease){
		.logs = logs,
		.rd = idle.rd,
		.limit = idle.limit,
		.oldest = log_reader_oldest(idle.rd),
	};
	return 0;
}

/* Under the lock: the entry of the lowest limit. */
static unsigned
logs_shortest(const struct logs *logs)
{
	unsigned least = 0;

	for (unsigned i = 1; i < logs->n; i++)
		if (logs->idle[i].limit < logs->idle[least].limit)
			least = i;
	return least;
}

void
logs_return(struct logs_lease *lease)
{
	struct logs_idle idle = { lease->rd, lease->limit };
	struct logs *logs = lease->logs;

	if (!idle.rd)
		return;
	*lease = (struct logs_lease){ 0 };
	pthread_mutex_lock(&logs->lock);
	if (log_reader_oldest(idle.rd) < logs->oldest) {
		/* It was leased before the floor moved. */
	} else if (logs->n < LOGS_KEPT) {
		logs->idle[logs->n++] = idle;
		idle.rd = NULL;
	} else {
		unsigned least = logs_shortest(logs);

		if (logs->idle[least].limit < idle.limit) {
			struct logs_idle worse = logs->idle[least];

			logs->idle[least] = idle;
			idle = worse;
		}
	}
	pthread_mutex_unlock(&logs->lock);
	(void)log_reader_free(idle.rd);
}

void
logs_discard(struct logs_lease *lease)
{
	struct logs *logs = lease->logs;

	if (!lease->rd)
		return;
	(void)log_reader_free(lease->rd);
	*lease = (struct logs_lease){ 0 };
	pthread_mutex_lock(&logs->lock);
	while (logs->n > 0)
		(void)log_reader_free(logs->idle[--logs->n].rd);
	pthread_mutex_unlock(&logs->lock);
}

int
logs_next(struct logs_lease *lease, struct log_frame *frame, struct reason *why)
{
	int got;

	frame->n_events = 0;
	got = log_reader_next(lease->rd, frame, why);
	if (got == LOG_READ_FRAME)
		return got;
	frame->n_events = 0;
	if (got == LOG_READ_END) {
		reason_set(why, 0, "the log ends before seq %llu",
		    (unsigned long long)lease->limit);
		return LOG_READ_DAMAGED;
	}
	return got;
}

int
logs_fetch(struct logs_lease *lease, struct log_frame *frame, uint64_t seq,
    struct slice *bytes, struct reason *why)
{
	uint32_t crc;
	size_t at = 0;
	int got;

	if (frame->n_events == 0 || seq < frame->first_seq ||
	    seq >= frame->first_seq + frame->n_events + LOGS_STEP) {
		frame->n_events = 0;
		got = log_reader_seek(lease->rd, seq, why);
		if (got < 0)
			return got;
	}
	while (
	    frame->n_events == 0 || frame->first_seq + frame->n_events <= seq) {
		got = logs_next(lease, frame, why);
		if (got != LOG_READ_FRAME)
			return got;
	}
	for (uint64_t i = frame->first_seq; i <= seq; i++)
		if (!log_frame_event(frame, &at, bytes, &crc))
			return -EPROTO;
	return LOG_READ_FRAME;
}

/* The frame that holds seq. */
static int
logs_frame_at(struct logs_lease *lease, uint64_t seq, struct log_frame *frame,
    struct reason *why)
{
	int got = log_reader_seek(lease->rd, seq, why);

	return got < 0 ? got : logs_next(lease, frame, why);
}

int
logs_find_time(struct logs_lease *lease, uint64_t time_us, uint64_t *seq,
    struct reason *why)
{
	/* Events up to low are not later, those from high on are. */
	uint64_t low = lease->oldest - 1, high = lease->limit + 1;
	struct log_frame frame;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		int got = logs_frame_at(lease, middle, &frame, why);

		if (got != LOG_READ_FRAME)
			return got;
		if (frame.time_us <= time_us)
			low = MIN(frame.first_seq + frame.n_events, high) - 1;
		else
			high = frame.first_seq;
	}
	*seq = low < lease->oldest ? 0 : MIN(low, lease->limit);
	return LOG_READ_END;
}
