/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Slices of the log.  Whoever reads counts on seqs that continue by one, so
 * that is checked here, whatever the log's own checks have found.
 */

#include <errno.h>
#include <fcntl.h>

#include "broker/slices.h"
#include "core/reason.h"
#include "log/log_reader.h"

enum {
	SLICE_EVENTS = 1024,
	SLICE_BYTES = 1 << 20,
};

struct slices {
	int dirfd;
	struct log_reader *rd;
	uint64_t seq; /* of the last event handed out */
	uint64_t limit;
};

struct slices *
slices_free(struct slices *sl)
{
	if (!sl)
		return NULL;
	sl->rd = log_reader_free(sl->rd);
	closep(&sl->dirfd);
	free(sl);
	return NULL;
}

int
slices_open(const char *log_dir, uint64_t after, uint64_t limit,
    struct slices **out, struct reason *why)
{
	CLEANUP(slices_freep) struct slices *sl = calloc(1, sizeof(*sl));
	int err;

	if (!sl)
		return -ENOMEM;
	sl->seq = after;
	sl->limit = limit;
	sl->dirfd = open(log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sl->dirfd < 0)
		return reason_set(why, -errno, "cannot open '%s'", log_dir);
	err = log_reader_open(&sysio_posix, sl->dirfd, limit, &sl->rd, why);
	if (err == 0 && after < limit)
		err = log_reader_seek(sl->rd, after + 1, why);
	if (err == -ENOENT)
		return reason_set(why, err,
		    "the log begins with seq %llu, seq %llu is needed",
		    (unsigned long long)log_reader_oldest(sl->rd),
		    (unsigned long long)after + 1);
	if (err < 0)
		return err;
	*out = TAKE(sl);
	return 0;
}

/* Hand on a frame's events, but for those that were before after. */
static int
hand_on(struct slices *sl, const struct log_frame *frame, slices_event *fn,
    void *arg)
{
	uint64_t seq = frame->first_seq;
	uint64_t end = seq + frame->n_events - 1;
	struct slice event;
	size_t at = 0;
	uint32_t crc;
	int err = 0;

	for (; !err && log_frame_event(frame, &at, &event, &crc); seq++) {
		if (seq <= sl->seq)
			continue;
		sl->seq = seq;
		err = fn(arg, seq, event, seq == end);
	}
	return err;
}

int
slices_read(struct slices *sl, slices_event *fn, void *arg, struct reason *why)
{
	uint64_t events = 0, bytes = 0;
	struct log_frame frame;
	int err, got;

	while (events < SLICE_EVENTS && bytes < SLICE_BYTES) {
		if (sl->seq >= sl->limit)
			return events ? SLICES_READ : SLICES_END;
		got = log_reader_next(sl->rd, &frame, why);
		if (got == LOG_READ_DAMAGED || got == LOG_READ_GONE)
			return events ? SLICES_READ : SLICES_DAMAGED;
		if (got < 0)
			return got;
		if (got == LOG_READ_END || frame.first_seq > sl->seq + 1)
			return reason_set(why, SLICES_DAMAGED,
			    "the log does not have seq %llu",
			    (unsigned long long)sl->seq + 1);
		err = hand_on(sl, &frame, fn, arg);
		if (err < 0)
			return err;
		events += frame.n_events;
		bytes += frame.payload.len;
	}
	return SLICES_READ;
}
