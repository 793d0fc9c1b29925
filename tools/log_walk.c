/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading the log for people.  The limit is taken before the log is opened:
 * everything up to it is in the segments that are seen then.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "core/fs.h"
#include "core/reason.h"
#include "log/log_reader.h"
#include "shm/ring_reader.h"
#include "tools/guard.h"
#include "tools/house.h"
#include "tools/log_walk.h"

int
log_walk_open(const struct house *h, struct reason *why)
{
	int fd = open(house_log_dir(h), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return reason_set(why, -errno, "cannot read the log in '%s'",
		    house_log_dir(h));
	return fd;
}

void
log_walk_bounds(const struct house *h, struct log_walk_bounds *bounds)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	CLEANUP(closep) int dirfd = log_walk_open(h, NULL);
	struct ring_status status;
	char path[PATH_MAX];
	long replaced;

	*bounds = (struct log_walk_bounds){ .limit = UINT64_MAX };
	if (dirfd < 0 || fs_lock_held(dirfd, "LOCK") <= 0)
		return;
	snprintf(path, sizeof(path), "%s/ring", house_run_dir(h));
	guard_begin();
	replaced = guard_replaced();
	if (ring_reader_open(path, &rd, NULL) < 0)
		return;
	ring_reader_status(rd, &status);
	if (guard_replaced() != replaced)
		return;
	if (status.state != RING_RUNNING && status.state != RING_DRAINING)
		return;
	bounds->live = true;
	bounds->limit = status.tail_seq;
}

static int
log_walk_frame(const struct log_frame *frame, uint64_t first, uint64_t last,
    int (*fn)(void *arg, uint64_t seq, struct slice bytes, struct reason *why),
    void *arg, struct reason *why)
{
	uint64_t seq = frame->first_seq;
	struct slice event;
	size_t at = 0;
	uint32_t crc;
	int err = 0;

	for (; !err && log_frame_event(frame, &at, &event, &crc); seq++)
		if (seq >= first && seq <= last)
			err = fn(arg, seq, event, why);
	return err;
}

int
log_walk(const struct house *h, uint64_t first, uint64_t last,
    int (*fn)(void *arg, uint64_t seq, struct slice bytes, struct reason *why),
    void *arg, struct reason *why)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	CLEANUP(closep) int dirfd = -1;
	struct log_walk_bounds bounds;
	struct log_frame frame;
	int err, got;

	log_walk_bounds(h, &bounds);
	last = MIN(last, bounds.limit);
	if (first > last)
		return LOG_WALK_END;
	dirfd = log_walk_open(h, why);
	if (dirfd < 0)
		return dirfd;
	err = log_reader_open(&sysio_posix, dirfd, bounds.limit, &rd, why);
	if (err < 0)
		return err;
	first = MAX(first, log_reader_oldest(rd));
	err = log_reader_seek(rd, first, why);
	if (err == -ENOENT)
		return log_reader_fits(rd, why) ? LOG_WALK_END
						: LOG_WALK_DAMAGED;
	if (err < 0)
		return err;
	while ((got = log_reader_next(rd, &frame, why)) == LOG_READ_FRAME) {
		if (frame.first_seq > last)
			return LOG_WALK_END;
		err = log_walk_frame(&frame, first, last, fn, arg, why);
		if (err)
			return err < 0 ? err : LOG_WALK_STOPPED;
	}
	if (got == LOG_READ_GONE)
		return reason_say(why, -ENOENT, "%s", why->text);
	return got == LOG_READ_DAMAGED ? LOG_WALK_DAMAGED : got;
}
