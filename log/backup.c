/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Backup of a log.  A segment is kept as its frames, and its seal behind
 * them: the zeros between them come back when it is restored.  The frames of
 * the newest end with the last that may be looked at.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/reason.h"
#include "log/backup.h"
#include "log/base.h"
#include "log/chain.h"
#include "log/manifest.h"
#include "log/newfile.h"
#include "log/pack.h"
#include "log/problem.h"
#include "log/scan.h"
#include "log/sums.h"

enum {
	TRIES = 5
};

enum {
	BACKUP_COPY = 256 << 10
};

struct backup {
	const struct sysio *io;
	int dirfd, tofd;
	struct log_backup *b;
	struct reason *why;
	struct segment_list list;
	struct manifest old, new;
	struct manifest_file base; /* of the new one; no bytes: there is none */
	bool has_old;
	struct log_problem_sink sink;
};

/* The first problem is the one that is told. */
static void
backup_problem(void *arg, const struct log_problem *problem)
{
	struct backup *bk = arg;
	char sentence[LOG_PROBLEM_SENTENCE];

	if (bk->sink.told == 1)
		reason_set(
		    bk->why, 0, "%s", log_problem_sentence(problem, sentence));
}

/* What is there stays: it counts for more than a log that has lost its end. */
static int
backup_refuse_end(struct backup *bk, uint64_t has, uint64_t ends)
{
	return reason_say(bk->why, -EEXIST,
	    "the backup there has event %" PRIu64 ", this log ends at %" PRIu64,
	    has, ends);
}

static int
backup_check_old(struct backup *bk, const struct segment_header *h)
{
	const struct manifest *m = &bk->old;

	if (!bk->has_old)
		return 0;
	if (memcmp(m->log_id, h->log_id, sizeof(m->log_id)) != 0)
		return reason_say(
		    bk->why, -EEXIST, "the backup there is of another log");
	/* The same names may stand for other events then. */
	if (m->epoch != h->epoch)
		return reason_say(bk->why, -EEXIST,
		    "the backup there is of epoch %" PRIu64
		    " of this log, which is at %" PRIu64 ": begin another one",
		    m->epoch, h->epoch);
	return 0;
}

/* Is what was walked over what was written?  Its head is the backup's then. */
static void
backup_audit(struct backup *bk, const struct segment *s, struct scan *sc)
{
	struct log_problem at = { LOG_EDITED, .segment = s->name };

	if (sc->next_seq > s->header.first_seq) {
		bk->new.has_head = true;
		scan_head(sc, bk->new.head);
	}
	if (s->extent.number != 0 && scan_agrees(sc, &s->extent))
		scan_compare(sc, &s->extent);
	if (!sc->edit.found || bk->sink.told > 0)
		return;
	at.offset = sc->edit.at;
	at.first_seq = sc->edit.first_seq;
	at.last_seq = sc->edit.last_seq;
	log_problem_tell(&bk->sink, &at, LOG_EDITED_TEXT);
}

/*
 * Walk the frames of s as far as they may be looked at; *end is where they
 * end and *last the seq of the last event.
 */
static int
backup_scan(struct backup *bk, const struct segment *s, int fd, uint64_t *end,
    uint64_t *last)
{
	struct log_problem at = { .segment = s->name };
	struct frame_header frame;
	struct scan sc;
	int err = scan_init(&sc, bk->io, fd, s, false, bk->why);

	if (err < 0)
		return err;
	scan_audit(&sc, s);
	do {
		*end = sc.at;
		*last = sc.next_seq - 1;
		err = sc.next_seq > bk->b->limit_seq
			  ? SCAN_STOP
			  : scan_next(&sc, &frame, bk->why);
	} while (err == SCAN_FRAME);
	at.offset = sc.at;
	at.first_seq = sc.next_seq;
	at.last_seq =
	    s->extent.number != 0 ? s->extent.last_seq : bk->b->limit_seq;
	if (err == SCAN_STOP && s->extent.number != 0 &&
	    sc.next_seq <= bk->b->limit_seq && !scan_agrees(&sc, &s->extent))
		log_problem_tell(&bk->sink, &at, "no valid frame");
	else if (err == SCAN_STOP && s->extent.number == 0 &&
		 bk->b->limit_seq != UINT64_MAX &&
		 sc.next_seq <= bk->b->limit_seq)
		log_problem_tell(&bk->sink, &at, "no valid frame");
	backup_audit(bk, s, &sc);
	scan_deinit(&sc);
	return err < 0 ? err : 0;
}

/* Is the file there as it was left?  Its bytes are restoring's to check. */
static bool
backup_is_there(const struct backup *bk, const struct manifest_file *file,
    struct sysio_fd *f)
{
	uint64_t bytes;

	f->fd = sysio_openat(bk->io, bk->tofd, file->name, O_RDONLY, 0);
	return f->fd >= 0 && sysio_size(bk->io, f->fd, &bytes) == 0 &&
	       bytes == file->bytes;
}

/* Is s in the old backup as it is now?  Its name alone does not say so. */
static int
backup_has(
    struct backup *bk, const struct segment *s, const struct manifest_file *old)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { bk->io, -1 };
	uint8_t mine[LOG_PAGE], there[LOG_PAGE];

	if (!old || !old->sealed || s->seal != SEAL_GOOD ||
	    old->bytes != s->footer.valid_length + LOG_PAGE)
		return 0;
	if (!backup_is_there(bk, old, &f))
		return 0;
	/* The header has the salt, and what came before. */
	if (sysio_pread(bk->io, f.fd, there, LOG_PAGE, 0) != LOG_PAGE)
		return 0;
	format_put_segment(&s->header, mine);
	return memcmp(mine, there, LOG_PAGE) == 0;
}

/* Bytes of the segment, which may be packed: a backup has it as it was. */
static int
backup_copy_part(struct backup *bk, struct newfile *to, const struct segment *s,
    int fd, uint64_t from, uint64_t len)
{
	CLEANUP(packed_freep) struct packed *pk = NULL;
	CLEANUP(freep) uint8_t *buf = NULL;
	uint64_t end = from + len;
	int err;

	if (!s->packed)
		return newfile_copy(to, fd, from, len, s->name, bk->why);
	buf = malloc(BACKUP_COPY);
	err = buf ? packed_open(bk->io, fd, &pk, bk->why) : -ENOMEM;
	while (err == 0 && from < end) {
		ssize_t n = packed_pread(pk, buf,
		    (size_t)MIN(end - from, (uint64_t)BACKUP_COPY), from);

		if (n <= 0)
			err = n < 0 ? (int)n : -ENODATA;
		else
			err = newfile_put(to, buf, (size_t)n, bk->why);
		from += err == 0 ? (uint64_t)n : 0;
	}
	return err == 0 ? 0
			: reason_set(bk->why, err < 0 ? err : -EUCLEAN,
			      "cannot copy '%s'", s->name);
}

static int
backup_copy(struct backup *bk, const struct segment *s, int fd, uint64_t end,
    struct manifest_file *f)
{
	struct newfile to;
	int err = newfile_begin(&to, bk->io, bk->tofd, f->name, bk->why);

	if (err == 0)
		err = backup_copy_part(bk, &to, s, fd, 0, end);
	if (err == 0 && f->sealed)
		err = backup_copy_part(
		    bk, &to, s, fd, s->header.capacity - LOG_PAGE, LOG_PAGE);
	if (err == 0) {
		f->bytes = to.put;
		newfile_sum(&to, f->sha256);
		err = newfile_end(&to, to.put, bk->why);
	}
	newfile_deinit(&to);
	bk->b->copied += err == 0 ? f->bytes : 0;
	return err;
}

/* A file of the log as it is. */
static int
backup_whole(struct backup *bk, int fd, struct manifest_file *f)
{
	struct newfile to;
	uint64_t bytes;
	int err = sysio_size(bk->io, fd, &bytes);

	if (err < 0)
		return reason_set(bk->why, err, "cannot read '%s'", f->name);
	err = newfile_begin(&to, bk->io, bk->tofd, f->name, bk->why);
	if (err == 0)
		err = newfile_copy(&to, fd, 0, bytes, f->name, bk->why);
	if (err == 0) {
		f->bytes = to.put;
		newfile_sum(&to, f->sha256);
		err = newfile_end(&to, to.put, bk->why);
	}
	newfile_deinit(&to);
	bk->b->copied += err == 0 ? bytes : 0;
	return err;
}

/* The sums of s: those that the backup has were made earlier. */
static int
backup_sums(struct backup *bk, const struct segment *s)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { bk->io, -1 };
	CLEANUP(sysio_fdp) struct sysio_fd there = { bk->io, -1 };
	const struct manifest_file *old;
	struct manifest_file file = { .bytes = 0 };
	int err;

	sums_name(file.name, &s->header);
	old = manifest_find(&bk->old, file.name);
	if (old && backup_is_there(bk, old, &there)) {
		bk->b->kept += old->bytes;
		return manifest_add(&bk->new, old);
	}
	f.fd = sysio_openat(bk->io, bk->dirfd, file.name, O_RDONLY, 0);
	if (f.fd < 0)
		return 0; /* a cache */
	err = backup_whole(bk, f.fd, &file);
	return err < 0 ? err : manifest_add(&bk->new, &file);
}

static int
backup_segment(struct backup *bk, struct segment *s)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { bk->io, -1 };
	const struct manifest_file *old;
	struct manifest_file file = { .capacity = s->header.capacity,
		.first_seq = s->header.first_seq };
	uint64_t end;
	int err;

	segment_name(
	    file.name, s->header.first_seq, s->header.incarnation, ".seg");
	old = manifest_find(&bk->old, file.name);
	if (backup_has(bk, s, old)) {
		bk->b->kept += old->bytes;
		bk->b->seq = old->last_seq;
		err = manifest_add(&bk->new, old);
		return err < 0 ? err : backup_sums(bk, s);
	}
	f.fd = segment_open(bk->io, bk->dirfd, s, bk->why);
	if (f.fd < 0)
		return reason_set(bk->why, f.fd, "cannot open '%s'", s->name);
	err = backup_scan(bk, s, f.fd, &end, &file.last_seq);
	if (err < 0 || bk->sink.told > 0)
		return err;
	if (old && old->last_seq > file.last_seq)
		return backup_refuse_end(bk, old->last_seq, file.last_seq);
	/* A segment that has just begun is nothing yet. */
	if (end == SEGMENT_FRAMES)
		return 0;
	file.sealed = s->seal == SEAL_GOOD && end == s->footer.valid_length;
	err = backup_copy(bk, s, f.fd, end, &file);
	if (err < 0)
		return err;
	bk->b->seq = file.last_seq;
	err = manifest_add(&bk->new, &file);
	return err < 0 ? err : backup_sums(bk, s);
}

/* Has the floor moved since the list was read? */
static int
backup_floor_moved(const struct backup *bk)
{
	struct log_floor floor;
	int got = floor_read(bk->io, bk->dirfd, &floor, bk->why);

	return got < 0 ? got : floor.seq != bk->list.floor.seq;
}

/*
 * What the events below the floor have left behind; the floor itself is where
 * the first segment begins.  It comes first: by the time that all segments
 * are copied retention may have made another one of it.
 */
static int
backup_base(struct backup *bk)
{
	const struct log_floor *floor = &bk->list.floor;
	CLEANUP(base_freep) struct base *base = NULL;
	CLEANUP(sysio_fdp) struct sysio_fd there = { bk->io, -1 };
	const struct manifest_file *old;
	int err;

	if (floor->seq == 1)
		return 0;
	base_name(bk->base.name, floor->seq - 1);
	err = base_open(
	    bk->io, bk->dirfd, floor->seq - 1, floor->log_id, &base, bk->why);
	if (err == BASE_OPENED)
		err = base_verify(base, bk->why);
	if (err == BASE_DAMAGED) {
		err = backup_floor_moved(bk);
		bk->sink.told += err == 0;
		return err > 0 ? -ENOENT : err;
	}
	if (err < 0)
		return err;
	old = manifest_find(&bk->old, bk->base.name);
	if (!old || !backup_is_there(bk, old, &there))
		return backup_whole(bk, base_fd(base), &bk->base);
	bk->b->kept += old->bytes;
	bk->base = *old;
	return 0;
}

/* What the old manifest names and the new one does not is of no use. */
static void
backup_drop_old(struct backup *bk)
{
	for (size_t i = 0; i < bk->old.n; i++)
		if (!manifest_find(&bk->new, bk->old.files[i].name))
			(void)sysio_unlink(
			    bk->io, bk->tofd, bk->old.files[i].name);
}

static int
backup_finish(struct backup *bk)
{
	const struct segment_list *l = &bk->list;
	int err;

	if (bk->has_old && bk->old.seq > bk->b->seq)
		return backup_refuse_end(bk, bk->old.seq, bk->b->seq);
	/* A segment has begun, and nothing is in it. */
	if (bk->b->seq == 0)
		return reason_say(
		    bk->why, -ENODATA, "the log has no event yet");
	bk->new.seq = bk->b->seq;
	bk->new.taken_us = bk->b->now_us;
	/* All that there is may have been there. */
	if (!bk->new.has_head && bk->has_old && bk->old.seq == bk->b->seq) {
		bk->new.has_head = bk->old.has_head;
		memcpy(bk->new.head, bk->old.head, sizeof(bk->new.head));
	}
	memcpy(bk->new.log_id, l->v[0].header.log_id, 16);
	for (size_t i = 0; i < l->n && l->v[i].headed; i++)
		bk->new.epoch = l->v[i].header.epoch;
	err = sysio_fsync(bk->io, bk->tofd);
	if (err < 0)
		return reason_set(bk->why, err, "cannot sync the backup");
	err = manifest_store(bk->io, bk->tofd, &bk->new, bk->why);
	if (err == 0)
		backup_drop_old(bk);
	return err;
}

static int
backup_segments(struct backup *bk)
{
	struct segment_list *l = &bk->list;
	int err = 0;

	for (size_t i = 0; err == 0 && bk->sink.told == 0 && i < l->n; i++) {
		/* Made, and not yet begun. */
		if (!l->v[i].headed ||
		    l->v[i].header.first_seq > bk->b->limit_seq)
			break;
		err = backup_segment(bk, &l->v[i]);
		bk->b->segments += err == 0;
		if (err == 0 && bk->b->progress)
			bk->b->progress(bk->b->arg, i + 1, l->n);
	}
	return err;
}

static int
backup_run(struct backup *bk)
{
	struct segment_list *l = &bk->list;
	struct reason what = *bk->why;
	size_t n;
	int err;

	err = manifest_load(bk->io, bk->tofd, &bk->old, &what);
	bk->has_old = err == 0;
	if (err < 0 && err != -ENOENT) {
		*bk->why = what;
		return err == -EPROTO ? LOG_BACKUP_DAMAGED : err;
	}
	err = segment_list_read(bk->io, bk->dirfd, l, bk->why);
	if (err < 0)
		return err;
	n = segment_list_used(l);
	if (n == 0) {
		reason_set(bk->why, 0, "the log has no segment yet");
		return -ENODATA;
	}
	err = chain_check(
	    bk->io, bk->dirfd, l, n, bk->b->note, &bk->sink, bk->why);
	if (err == 0 && n < l->n)
		err = chain_check_headless(
		    bk->io, bk->dirfd, &l->v[n], &bk->sink, bk->why);
	if (err == 0 && bk->sink.told == 0)
		err = backup_check_old(bk, &l->v[n - 1].header);
	if (err == 0 && bk->sink.told == 0)
		err = backup_base(bk);
	if (err == 0)
		err = backup_segments(bk);
	if (err == 0 && bk->sink.told == 0 && bk->base.bytes > 0)
		err = manifest_add(&bk->new, &bk->base);
	if (err == 0 && bk->sink.told == 0)
		err = backup_finish(bk);
	return err;
}

static void
backup_deinit(struct backup *bk)
{
	segment_list_deinit(&bk->list);
	manifest_deinit(&bk->old);
	manifest_deinit(&bk->new);
}

int
log_backup(const struct sysio *io, int dirfd, int tofd,
    struct log_backup *backup, struct reason *why)
{
	struct backup bk;
	int err;

	/* Retention and packing may take a file away meanwhile. */
	for (unsigned tries = 0; tries < TRIES; tries++) {
		bk = (struct backup){ .io = io,
			.dirfd = dirfd,
			.tofd = tofd,
			.b = backup,
			.why = why };
		bk.sink.fn = backup_problem;
		bk.sink.arg = &bk;
		backup->seq = backup->segments = 0;
		backup->copied = backup->kept = 0;
		err = backup_run(&bk);
		backup_deinit(&bk);
		if (err != -ENOENT)
			break;
	}
	if (err < 0 || err == LOG_BACKUP_DAMAGED)
		return err;
	return bk.sink.told > 0 ? LOG_BACKUP_DAMAGED : LOG_BACKUP_DONE;
}
