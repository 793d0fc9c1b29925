/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Restoring.  Segments get their zeros back as holes: nobody writes to them
 * again.  A segment in which the end lies loses what is behind it, and its
 * seal, as one that was open at a crash.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mp.h"
#include "core/proto.h"
#include "core/reason.h"
#include "log/epoch.h"
#include "log/manifest.h"
#include "log/newfile.h"
#include "log/restore.h"
#include "log/scan.h"
#include "log/sums.h"

struct restore {
	const struct sysio *io;
	int fromfd, tofd;
	struct log_restore *r;
	struct reason *why;
	struct manifest m;
	bool ended; /* what follows is left out */
	/* The segment that was restored last, and what its frames are. */
	struct segment last;
	uint8_t digest[LOG_DIGEST];
	uint8_t head[LOG_DIGEST]; /* at the newest event */
};

/* A file that is there is one too many. */
static int
restore_any(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return 1;
}

static int
restore_damaged(struct restore *rs, const char *name, const char *what)
{
	return reason_set(rs->why, LOG_RESTORE_DAMAGED,
	    "the backup is damaged: '%s' %s", name, what);
}

/* The first edited event of s is one of first to last, or its sums know. */
static int
restore_edited(
    struct restore *rs, const struct segment *s, uint64_t first, uint64_t last)
{
	CLEANUP(sums_deinit) struct sums sums = { 0 };
	uint64_t seq = 0;
	char text[100];

	if (sums_read(rs->io, rs->fromfd, &s->header, &sums) == SUMS_READ) {
		int err =
		    sums_compare(rs->io, rs->tofd, s, &sums, &seq, rs->why);

		if (err < 0)
			return err;
	}
	if (seq != 0)
		first = last = seq;
	snprintf(text, sizeof(text),
	    "was edited: the first such event is one of %" PRIu64
	    " to %" PRIu64,
	    first, last);
	if (first == last)
		snprintf(text, sizeof(text),
		    "was edited: the first such event is %" PRIu64, first);
	return restore_damaged(rs, s->name, text);
}

/* Is the segment before s the one that s carries on from? */
static int
restore_check_last(struct restore *rs, const struct segment *s)
{
	const struct segment *last = &rs->last;

	if (!last->headed || last->header.version < 2 ||
	    s->header.pred.number != last->header.number ||
	    memcmp(s->header.pred.digest, rs->digest, LOG_DIGEST) == 0)
		return 0;
	return restore_edited(
	    rs, last, last->header.first_seq, s->header.first_seq - 1);
}

/* The bytes of f as they are in the backup, at their places in to. */
static int
restore_bytes(
    struct restore *rs, struct newfile *to, const struct manifest_file *f)
{
	CLEANUP(sysio_fdp) struct sysio_fd from = { rs->io, -1 };
	uint64_t frames = f->sealed ? f->bytes - LOG_PAGE : f->bytes;
	int err;

	from.fd = sysio_openat(rs->io, rs->fromfd, f->name, O_RDONLY, 0);
	if (from.fd == -ENOENT)
		return restore_damaged(rs, f->name, "is missing");
	if (from.fd < 0)
		return reason_set(
		    rs->why, from.fd, "cannot open '%s'", f->name);
	err = newfile_copy(to, from.fd, 0, frames, f->name, rs->why);
	if (err == 0 && f->sealed) {
		newfile_skip(to, f->capacity - LOG_PAGE);
		err = newfile_copy(
		    to, from.fd, frames, LOG_PAGE, f->name, rs->why);
	}
	return err == -ENODATA ? restore_damaged(rs, f->name, "is too short")
			       : err;
}

static int
restore_file(struct restore *rs, const struct manifest_file *f)
{
	uint8_t sum[SHA256_BYTES];
	struct newfile to;
	int err = newfile_begin(&to, rs->io, rs->tofd, f->name, rs->why);

	if (err == 0)
		err = restore_bytes(rs, &to, f);
	if (err == 0) {
		newfile_sum(&to, sum);
		if (memcmp(sum, f->sha256, sizeof(sum)) != 0)
			err = restore_damaged(rs, f->name,
			    "has other bytes than when it was taken");
	}
	if (err == 0)
		err = newfile_end(
		    &to, f->capacity > 0 ? f->capacity : f->bytes, rs->why);
	newfile_deinit(&to);
	return err;
}

/* Is the frame that was just scanned behind the end that was asked for? */
static bool
restore_is_behind(const struct restore *rs, const struct scan *sc,
    const struct frame_header *frame)
{
	return frame->type == FRAME_EVENTS &&
	       (sc->next_seq - 1 > rs->r->until_seq ||
		   frame->time_us > rs->r->until_us);
}

/*
 * Walk the frames of s.  *cut: offset of the first that is to go, 0 where
 * all may stay.
 */
static int
restore_scan(struct restore *rs, const struct segment *s, int fd, uint64_t *cut)
{
	struct frame_header frame;
	struct scan sc;
	int err = scan_init(&sc, rs->io, fd, s, false, rs->why);

	if (err < 0)
		return err;
	*cut = 0;
	scan_audit(&sc, s);
	while ((err = scan_next(&sc, &frame, rs->why)) == SCAN_FRAME) {
		if (restore_is_behind(rs, &sc, &frame)) {
			*cut = sc.frame_at;
			rs->r->split = frame.first_seq <= rs->r->until_seq &&
				       sc.next_seq - 1 > rs->r->until_seq;
			break;
		}
		rs->r->seq = sc.next_seq - 1;
	}
	if (*cut == 0 && scan_agrees(&sc, &s->extent))
		scan_compare(&sc, &s->extent);
	rs->last = *s;
	scan_digest(&sc, rs->digest);
	scan_head(&sc, rs->head);
	err = MIN(err, 0);
	if (err == 0 && sc.edit.found)
		err =
		    restore_edited(rs, s, sc.edit.first_seq, sc.edit.last_seq);
	scan_deinit(&sc);
	return err;
}

/* Take away what is behind offset cut of the segment open as fd. */
static int
restore_cut(struct restore *rs, const struct segment *s, int fd, uint64_t cut)
{
	int err;

	if (cut == SEGMENT_FRAMES) {
		err = sysio_unlink(rs->io, rs->tofd, s->name);
	} else {
		err = sysio_ftruncate(rs->io, fd, cut);
		if (err == 0)
			err = sysio_ftruncate(rs->io, fd, s->header.capacity);
		if (err == 0)
			err = sysio_fsync(rs->io, fd);
	}
	return err < 0 ? reason_set(rs->why, err, "cannot cut '%s'", s->name)
		       : 0;
}

/* Where the backup begins later than at 1, retention had moved the floor. */
static int
restore_floor(struct restore *rs, const struct segment_header *first)
{
	struct log_floor floor = { .epoch = first->epoch,
		.seq = first->first_seq,
		.number = first->number };

	if (first->first_seq == 1)
		return 0;
	memcpy(floor.log_id, first->log_id, sizeof(floor.log_id));
	memcpy(floor.chain, first->pred.chain, sizeof(floor.chain));
	return floor_write(rs->io, rs->tofd, &floor, rs->why);
}

/* Is s of the log that the manifest is of, and of no later epoch? */
static int
restore_check_log(struct restore *rs, const struct segment *s)
{
	char its[PROTO_LOG_NAME], ours[PROTO_LOG_NAME], text[200];

	if (memcmp(s->header.log_id, rs->m.log_id, sizeof(rs->m.log_id)) == 0 &&
	    s->header.epoch <= rs->m.epoch)
		return 0;
	proto_log_name(s->header.log_id, s->header.epoch, its);
	proto_log_name(rs->m.log_id, rs->m.epoch, ours);
	snprintf(text, sizeof(text), "is of log %s, '" MANIFEST_NAME "' of %s",
	    its, ours);
	return restore_damaged(rs, s->name, text);
}

static int
restore_segment(struct restore *rs, const struct manifest_file *f)
{
	CLEANUP(sysio_fdp) struct sysio_fd fd = { rs->io, -1 };
	uint64_t cut = 0;
	struct segment s;
	int err = restore_file(rs, f);

	if (err != 0)
		return err;
	err = segment_read(rs->io, rs->tofd, f->name, &s, rs->why);
	if (err < 0)
		return err;
	if (!s.headed)
		return restore_damaged(rs, f->name, "has no header");
	if (s.header.capacity != f->capacity)
		return restore_damaged(
		    rs, f->name, "has another size than the manifest says");
	err = restore_check_log(rs, &s);
	if (err == 0)
		err = restore_check_last(rs, &s);
	if (err != 0)
		return err;
	if (f == rs->m.files)
		err = restore_floor(rs, &s.header);
	if (err < 0)
		return err;
	fd.fd = sysio_openat(rs->io, rs->tofd, f->name, O_RDWR, 0);
	if (fd.fd < 0)
		return reason_set(rs->why, fd.fd, "cannot open '%s'", f->name);
	err = restore_scan(rs, &s, fd.fd, &cut);
	if (err == 0 && cut == 0 && rs->r->seq != f->last_seq)
		return restore_damaged(
		    rs, f->name, "has other events than the manifest says");
	rs->ended = cut > 0;
	return err == 0 && cut > 0 ? restore_cut(rs, &s, fd.fd, cut) : err;
}

static int
restore_files(struct restore *rs)
{
	int err = 0;

	if (rs->m.n == 0)
		return reason_say(rs->why, -ERANGE, "the backup has no event");
	for (size_t i = 0; err == 0 && i < rs->m.n; i++) {
		const struct manifest_file *f = &rs->m.files[i];

		if (f->capacity > 0)
			err = rs->ended ? 0 : restore_segment(rs, f);
		else if (!rs->ended || !sums_is_name(f->name))
			err = restore_file(rs, f);
		if (err == 0 && rs->r->progress)
			rs->r->progress(rs->r->arg, i + 1, rs->m.n);
	}
	if (err == 0 && !rs->ended && rs->m.has_head &&
	    memcmp(rs->m.head, rs->head, LOG_DIGEST) != 0)
		return restore_edited(
		    rs, &rs->last, rs->m.files[0].first_seq, rs->m.seq);
	if (err == 0 && rs->r->seq == 0)
		return reason_say(rs->why, -ERANGE,
		    "the backup has no event as old as that: it begins with "
		    "seq %" PRIu64,
		    rs->m.files[0].first_seq);
	rs->r->dropped = rs->m.seq - rs->r->seq;
	return err;
}

static int
restore_epoch(struct restore *rs)
{
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };
	struct log_epoch epoch = { .type = "log_restored",
		.now_us = rs->r->now_us,
		.after = rs->m.epoch,
		.segment_bytes = rs->r->segment_bytes,
		.notes = rs->r->note };
	int err;

	mp_pack_map(&data, 4);
	mp_pack_cstr(&data, "epoch");
	mp_pack_uint(&data, rs->m.epoch);
	mp_pack_cstr(&data, "seq");
	mp_pack_uint(&data, rs->r->seq);
	mp_pack_cstr(&data, "backup_seq");
	mp_pack_uint(&data, rs->m.seq);
	mp_pack_cstr(&data, "backup_taken");
	mp_pack_uint(&data, rs->m.taken_us);
	if (data.failed)
		return -ENOMEM;
	epoch.data = slice_of(data.p, data.len);
	err = log_epoch_begin(rs->io, rs->tofd, &epoch, rs->why);
	if (err == LOG_EPOCH_DAMAGED)
		return LOG_RESTORE_DAMAGED;
	rs->r->epoch = epoch.epoch;
	rs->r->epoch_seq = epoch.seq;
	return err;
}

int
log_restore(const struct sysio *io, int fromfd, int tofd,
    struct log_restore *restore, struct reason *why)
{
	struct restore rs = { .io = io,
		.fromfd = fromfd,
		.tofd = tofd,
		.r = restore,
		.why = why };
	int err = sysio_list(io, tofd, restore_any, NULL);

	if (err > 0)
		return reason_say(why, -ENOTEMPTY, "something is there");
	if (err < 0)
		return reason_set(why, err, "cannot list the directory");
	err = manifest_load(io, fromfd, &rs.m, why);
	if (err == -EPROTO)
		return LOG_RESTORE_DAMAGED;
	if (err < 0)
		return err;
	err = restore_files(&rs);
	if (err == 0)
		err = restore_epoch(&rs);
	manifest_deinit(&rs.m);
	return err;
}
