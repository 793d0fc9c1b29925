/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Log writer.  Everything is written forwards into space that was filled with
 * zeros beforehand, a flush begins on a page of its own, and after the first
 * error nothing more is written: what the disk then holds is recovery's to
 * find out.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "core/reason.h"
#include "log/audit.h"
#include "log/format_priv.h"
#include "log/index.h"
#include "log/log_writer.h"
#include "log/recover.h"
#include "log/segment.h"

#define SPARE_NAME "next.tmp"

enum {
	ZERO_BYTES = 1 << 20,  /* one write while filling the spare */
	ROOM_MARGIN = 1 << 20, /* left on the disk beside the spare */
	FLUSH_IOV_MAX = 512,
};

static const uint8_t zero_page[LOG_PAGE];

struct log_writer {
	const struct sysio *io;
	int dirfd; /* borrowed */
	bool failed;
	uint64_t segment_bytes;
	uint64_t flush; /* number of the flush that is being gathered */
	uint64_t last_time_us;

	/* The open segment; fd is -1 before the first roll. */
	int fd;
	struct segment_header seg;
	uint64_t written;  /* the next flush begins here */
	uint64_t stamped;  /* the next frame goes here */
	uint64_t valid;	   /* end of the last flushed frame */
	uint64_t last_seq; /* flushed */
	uint64_t frames;
	uint32_t prev_len;
	uint32_t tail_crc;
	struct index index;
	struct audit audit;
	uint64_t unsummed; /* bytes that were synced last */

	/* What the next segment's header says of the one before. */
	struct segment_predecessor pred;
	uint64_t next_number;

	/* Shared with the thread that prepares. */
	_Atomic uint64_t left;	    /* room that a spare leaves to others */
	pthread_mutex_t spare_lock; /* whoever touches SPARE_NAME holds it */
	atomic_int spare_fd;	    /* -1: none */
};

int
log_writer_open(const struct sysio *io, int dirfd, const struct log_tail *tail,
    uint64_t segment_bytes, struct log_writer **out, struct reason *why)
{
	struct log_writer *lw;

	segment_bytes = ALIGN_UP(segment_bytes, LOG_PAGE);
	if (segment_bytes < SEGMENT_BYTES_MIN)
		return reason_say(why, -EINVAL,
		    "a segment cannot have less than %d bytes",
		    SEGMENT_BYTES_MIN);
	lw = calloc(1, sizeof(*lw));
	if (!lw)
		return -ENOMEM;
	lw->io = io;
	lw->dirfd = dirfd;
	lw->segment_bytes = segment_bytes;
	lw->flush = 1;
	lw->last_time_us = tail->last_time_us;
	lw->fd = -1;
	lw->seg.version = SEGMENT_VERSION;
	memcpy(lw->seg.log_id, tail->log_id, sizeof(lw->seg.log_id));
	lw->seg.epoch = tail->epoch;
	lw->seg.incarnation = tail->incarnation;
	lw->last_seq = tail->last_seq;
	lw->pred = tail->predecessor;
	lw->next_number = tail->next_segment;
	pthread_mutex_init(&lw->spare_lock, NULL);
	atomic_init(&lw->spare_fd, -1);
	atomic_init(&lw->left, 0);
	*out = lw;
	return 0;
}

struct log_writer *
log_writer_free(struct log_writer *lw)
{
	int spare;

	if (!lw)
		return NULL;
	spare = atomic_load(&lw->spare_fd);
	if (spare >= 0)
		(void)sysio_close(lw->io, spare);
	if (lw->fd >= 0)
		(void)sysio_close(lw->io, lw->fd);
	pthread_mutex_destroy(&lw->spare_lock);
	index_deinit(&lw->index);
	audit_deinit(&lw->audit);
	free(lw);
	return NULL;
}

/* Fill fd with zeros and sync it. */
static int
log_writer_zero_fill(const struct sysio *io, int fd, uint64_t bytes)
{
	CLEANUP(freep) uint8_t *zeros = calloc(1, ZERO_BYTES);
	int err = 0;

	if (!zeros)
		return -ENOMEM;
	for (uint64_t at = 0; err == 0 && at < bytes; at += ZERO_BYTES)
		err = sysio_write_behind(io, fd, zeros,
		    (size_t)MIN(bytes - at, (uint64_t)ZERO_BYTES), at);
	return err < 0 ? err : sysio_fsync(io, fd);
}

/*
 * A spare that a crash or an earlier start left is made anew: to trust its
 * zeros they would have to be read, which takes as long as writing them.
 */
static int
log_writer_make_spare(struct log_writer *lw, struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { lw->io, -1 };
	uint64_t room;
	int err;

	f.fd = sysio_openat(
	    lw->io, lw->dirfd, SPARE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (f.fd < 0)
		return reason_set(why, f.fd, "cannot create '%s'", SPARE_NAME);
	err = sysio_room(lw->io, f.fd, &room);
	if (err < 0)
		return reason_set(
		    why, err, "cannot ask for the room on the disk");
	if (room < lw->segment_bytes + ROOM_MARGIN + atomic_load(&lw->left))
		err = -ENOSPC;
	else
		err = log_writer_zero_fill(lw->io, f.fd, lw->segment_bytes);
	if (err < 0) {
		(void)sysio_unlink(lw->io, lw->dirfd, SPARE_NAME);
		return reason_set(why, err,
		    "cannot prepare a segment of %llu bytes with %llu free",
		    (unsigned long long)lw->segment_bytes,
		    (unsigned long long)room);
	}
	atomic_store(&lw->spare_fd, TAKE_FD(f.fd));
	return 0;
}

int
log_writer_prepare(struct log_writer *lw, struct reason *why)
{
	int err = 0;

	pthread_mutex_lock(&lw->spare_lock);
	if (atomic_load(&lw->spare_fd) < 0)
		err = log_writer_make_spare(lw, why);
	pthread_mutex_unlock(&lw->spare_lock);
	if (err == -ENOSPC || err == -EDQUOT)
		return LOG_NO_ROOM;
	return err < 0 ? err : LOG_PREPARED;
}

void
log_writer_leave(struct log_writer *lw, uint64_t bytes)
{
	atomic_store(&lw->left, bytes);
}

int
log_writer_has_spare(const struct log_writer *lw)
{
	return atomic_load(&lw->spare_fd) >= 0;
}

/* Frames with events end here: behind it, a page for an idle frame, the seal. */
static uint64_t
log_writer_limit(uint64_t capacity)
{
	return capacity - LOG_PAGE - LOG_PAGE;
}

uint64_t
log_writer_room(const struct log_writer *lw)
{
	uint64_t limit;

	if (lw->fd < 0)
		return 0;
	limit = log_writer_limit(lw->seg.capacity);
	return lw->stamped < limit ? limit - lw->stamped : 0;
}

uint64_t
log_writer_capacity(const struct log_writer *lw)
{
	return log_writer_limit(lw->segment_bytes) - SEGMENT_FRAMES;
}

/* The first failure ends all writing. */
static int
log_writer_fail(
    struct log_writer *lw, struct reason *why, int err, const char *what)
{
	char name[SEGMENT_NAME_SIZE];

	lw->failed = true;
	segment_name(name, lw->seg.first_seq, lw->seg.incarnation, ".seg");
	return reason_set(why, err, "cannot %s segment '%s'", what, name);
}

static int
log_writer_refuse(struct reason *why)
{
	return reason_say(why, -EIO, "the log failed before");
}

/* What is now known of the open segment, for its seal and its successor. */
static void
log_writer_settle(struct log_writer *lw)
{
	lw->pred.number = lw->seg.number;
	lw->pred.first_seq = lw->seg.first_seq;
	lw->pred.last_seq = lw->last_seq;
	lw->pred.valid_length = lw->valid;
	lw->pred.tail_crc = lw->tail_crc;
	audit_now(&lw->audit, lw->pred.digest);
	format_chain(&lw->seg, &lw->pred);
}

static int
log_writer_seal(struct log_writer *lw, struct reason *why)
{
	uint8_t page[LOG_PAGE];
	struct segment_footer footer;
	int err;

	log_writer_settle(lw);
	footer.first_seq = lw->pred.first_seq;
	footer.last_seq = lw->pred.last_seq;
	footer.frames = lw->frames;
	footer.valid_length = lw->pred.valid_length;
	footer.tail_crc = lw->pred.tail_crc;
	memcpy(footer.chain, lw->pred.chain, sizeof(footer.chain));
	memcpy(footer.digest, lw->pred.digest, sizeof(footer.digest));
	format_put_seal(&footer, lw->last_time_us, page);
	format_stamp(page, lw->seg.salt, lw->last_seq, lw->prev_len, lw->flush);
	err = sysio_pwrite(
	    lw->io, lw->fd, page, LOG_PAGE, lw->seg.capacity - LOG_PAGE);
	if (err == 0)
		err = sysio_fdatasync(lw->io, lw->fd);
	if (err < 0)
		return log_writer_fail(lw, why, err, "seal");
	lw->flush++;
	/* Without it the segment is scanned: nothing to die of. */
	(void)index_write(lw->io, lw->dirfd, &lw->seg, &lw->index);
	(void)sysio_close(lw->io, lw->fd);
	lw->fd = -1;
	return 0;
}

static int
log_writer_draw_salt(struct log_writer *lw, uint32_t *salt)
{
	int err;

	do {
		err = sysio_random(lw->io, salt, sizeof(*salt));
	} while (err == 0 && *salt == 0);
	return err;
}

/* Turn the spare into the segment of lw->seg.  The lock is held. */
static int
log_writer_begin(struct log_writer *lw, int fd, struct reason *why)
{
	uint8_t pages[SEGMENT_FRAMES];
	char name[SEGMENT_NAME_SIZE];
	int err;

	format_put_segment(&lw->seg, pages);
	memcpy(pages + LOG_PAGE, pages, LOG_PAGE);
	segment_name(name, lw->seg.first_seq, lw->seg.incarnation, ".seg");
	err = sysio_pwrite(lw->io, fd, pages, sizeof(pages), 0);
	if (err == 0)
		err = sysio_fdatasync(lw->io, fd);
	if (err < 0)
		return log_writer_fail(lw, why, err, "write the header of");
	err = sysio_rename(lw->io, lw->dirfd, SPARE_NAME, name);
	if (err < 0)
		return log_writer_fail(lw, why, err, "rename the spare to");
	err = sysio_fsync(lw->io, lw->dirfd);
	if (err < 0)
		return log_writer_fail(lw, why, err, "sync the directory of");
	return 0;
}

int
log_writer_roll(struct log_writer *lw, uint64_t first_seq, struct reason *why)
{
	int err, fd;

	if (lw->failed)
		return log_writer_refuse(why);
	assert(lw->stamped == lw->written);
	assert(first_seq == lw->last_seq + 1);
	/* Still without events: its name would be taken. */
	if (lw->fd >= 0 && lw->seg.first_seq == first_seq)
		return 0;
	if (lw->fd >= 0) {
		err = log_writer_seal(lw, why);
		if (err < 0)
			return err;
	}
	lw->seg.number = lw->next_number;
	lw->seg.first_seq = first_seq;
	lw->seg.capacity = lw->segment_bytes;
	lw->seg.pred = lw->pred;
	err = log_writer_draw_salt(lw, &lw->seg.salt);
	if (err < 0)
		return log_writer_fail(lw, why, err, "draw a salt for");

	pthread_mutex_lock(&lw->spare_lock);
	fd = atomic_exchange(&lw->spare_fd, -1);
	assert(fd >= 0);
	err = log_writer_begin(lw, fd, why);
	pthread_mutex_unlock(&lw->spare_lock);
	if (err < 0) {
		(void)sysio_close(lw->io, fd);
		return err;
	}
	lw->fd = fd;
	lw->next_number++;
	lw->written = lw->stamped = lw->valid = SEGMENT_FRAMES;
	lw->frames = 0;
	lw->prev_len = 0;
	lw->tail_crc = 0;
	index_clear(&lw->index);
	audit_begin(&lw->audit, &lw->seg);
	return 0;
}

void
log_writer_stamp(struct log_writer *lw, uint8_t *frame, uint64_t durable_seq)
{
	uint64_t first_seq = frame_first_seq(frame);
	uint32_t len = LOG_FRAME_HEADER + frame_payload_len(frame);

	assert(lw->fd >= 0);
	assert(lw->unsummed == 0);
	assert(durable_seq < first_seq);
	assert(lw->stamped + len <= lw->seg.capacity - LOG_PAGE);
	format_stamp(frame, lw->seg.salt, durable_seq, lw->prev_len, lw->flush);
	if (frame_n_events(frame) > 0)
		index_note(
		    &lw->index, first_seq, lw->stamped, frame_time_us(frame));
	lw->last_time_us = MAX(lw->last_time_us, frame_time_us(frame));
	lw->stamped += len;
	lw->prev_len = len;
	lw->tail_crc = get_le32(frame + FRAME_HEADER_CRC);
	lw->frames++;
}

int
log_writer_sync(struct log_writer *lw, const struct iovec *iov, int n,
    uint64_t last_seq, struct reason *why)
{
	uint64_t end = ALIGN_UP(lw->stamped, LOG_PAGE);
	struct iovec all[FLUSH_IOV_MAX + 1];
	uint64_t bytes = 0;
	int err;

	if (lw->failed)
		return log_writer_refuse(why);
	assert(n > 0 && n <= FLUSH_IOV_MAX);
	assert(last_seq >= lw->last_seq);
	for (int i = 0; i < n; i++) {
		all[i] = iov[i];
		bytes += iov[i].iov_len;
	}
	assert(bytes == lw->stamped - lw->written);
	all[n].iov_base = (void *)zero_page;
	all[n].iov_len = (size_t)(end - lw->stamped);
	err = sysio_pwritev(lw->io, lw->fd, all, n + 1, lw->written);
	if (err < 0)
		return log_writer_fail(lw, why, err, "write");
	err = sysio_fdatasync(lw->io, lw->fd);
	if (err < 0)
		return log_writer_fail(lw, why, err, "flush");
	lw->valid = lw->stamped;
	lw->written = lw->stamped = end;
	lw->last_seq = last_seq;
	lw->flush++;
	lw->unsummed = bytes;
	return 0;
}

void
log_writer_sum(struct log_writer *lw, const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++) {
		assert(lw->unsummed >= iov[i].iov_len);
		lw->unsummed -= iov[i].iov_len;
		audit_add(&lw->audit, iov[i].iov_base, iov[i].iov_len);
	}
	assert(lw->unsummed == 0);
}

int
log_writer_flush(struct log_writer *lw, const struct iovec *iov, int n,
    uint64_t last_seq, struct reason *why)
{
	int err = log_writer_sync(lw, iov, n, last_seq, why);

	if (err == 0)
		log_writer_sum(lw, iov, n);
	return err;
}

int
log_writer_idle(struct log_writer *lw, uint64_t last_seq, struct reason *why)
{
	uint8_t frame[LOG_FRAME_HEADER + LOG_DIGEST];
	struct iovec iov = { frame, sizeof(frame) };

	if (lw->failed)
		return log_writer_refuse(why);
	assert(lw->stamped == lw->written);
	/* The reserved page is used up only by an idle frame itself. */
	if (lw->fd < 0 || lw->stamped + LOG_PAGE > lw->seg.capacity - LOG_PAGE)
		return 0;
	frame_compose(frame, FRAME_IDLE, 0, last_seq + 1, lw->last_time_us, 0,
	    LOG_DIGEST);
	audit_now(&lw->audit, frame + LOG_FRAME_HEADER);
	log_writer_stamp(lw, frame, last_seq);
	return log_writer_flush(lw, &iov, 1, last_seq, why);
}
