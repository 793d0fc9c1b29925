/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Log reader.  It goes through the segments with one scan at a time, bounded
 * by what each segment's successor or seal says; where the last one has no
 * such bound it ends at the limit, or else where frames stop verifying, if
 * neither what is behind nor the writer's witness says that there was more.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/reason.h"
#include "log/chain.h"
#include "log/format_priv.h"
#include "log/index.h"
#include "log/log_reader.h"
#include "log/scan.h"
#include "log/segment.h"
#include "log/witness.h"

struct log_reader {
	const struct sysio *io;
	int dirfd; /* borrowed */
	uint64_t limit_seq;
	struct segment_list list;
	size_t at; /* the segment being read; list.n: behind the last */
	int fd;	   /* -1: it is not open yet */
	struct scan scan;
	struct index index; /* of the open segment, as far as known */
	uint64_t next_seq;  /* events before it are stepped over */
	uint64_t known_seq; /* that was durable; 0: nothing says */
	/* The first segment that does not fit the others; list.n: none. */
	size_t misfit;
	struct reason misfit_why;
};

static void
log_reader_keep_misfit(void *arg, const struct log_problem *problem)
{
	struct log_reader *rd = arg;
	char sentence[LOG_PROBLEM_SENTENCE];
	size_t i = 0;

	while (
	    i < rd->list.n && strcmp(rd->list.v[i].name, problem->segment) != 0)
		i++;
	/* What no segment is told of is the floor, on which all stand. */
	if (i == rd->list.n && strcmp(problem->segment, FLOOR_NAME) == 0)
		i = 0;
	if (rd->misfit_why.text[0] && i >= rd->misfit)
		return;
	rd->misfit = i;
	reason_set(
	    &rd->misfit_why, 0, "%s", log_problem_sentence(problem, sentence));
}

/*
 * How far the log must go: to the limit; without one, as far as the writer's
 * witness knows, which is read first, for it grows after the segments.
 */
static int
log_reader_ask_witness(
    struct log_reader *rd, struct log_witness *wit, struct reason *why)
{
	int got;

	*wit = (struct log_witness){ .seq = 0 };
	if (rd->limit_seq != UINT64_MAX)
		return 0;
	got = witness_load(rd->io, rd->dirfd, WITNESS_NAME, wit, why);
	return MIN(got, 0);
}

static void
log_reader_believe(struct log_reader *rd, const struct log_witness *wit)
{
	const struct segment_list *l = &rd->list;

	rd->known_seq = rd->limit_seq;
	if (rd->limit_seq == UINT64_MAX)
		rd->known_seq =
		    l->n == 0 || witness_is_of(wit, &l->v[l->n - 1].header)
			? wit->seq
			: 0;
}

/* Segments that fit each other may end before what was durable. */
static void
log_reader_check_end(struct log_reader *rd)
{
	const struct segment *s =
	    rd->list.n > 0 ? &rd->list.v[rd->list.n - 1] : NULL;
	struct log_problem at = { LOG_LOST_TAIL,
		.segment = s ? s->name : WITNESS_NAME,
		.first_seq = s ? s->extent.last_seq + 1 : rd->list.floor.seq,
		.last_seq = rd->known_seq };
	struct log_problem_sink sink = { log_problem_keep, &rd->misfit_why, 0 };

	/* Of one that may grow, reading says where it ends. */
	if (rd->misfit_why.text[0] || (s && s->extent.number == 0) ||
	    at.last_seq < at.first_seq)
		return;
	log_problem_tell(&sink, &at,
	    "the log ends too early: %" PRIu64 " was durable", rd->known_seq);
}

int
log_reader_open(const struct sysio *io, int dirfd, uint64_t limit_seq,
    struct log_reader **out, struct reason *why)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_problem_sink sink = { .fn = log_reader_keep_misfit };
	struct log_witness wit;
	size_t all;
	int err;

	rd = calloc(1, sizeof(*rd));
	if (!rd)
		return -ENOMEM;
	rd->io = io;
	rd->dirfd = dirfd;
	rd->limit_seq = limit_seq;
	rd->fd = -1;
	err = log_reader_ask_witness(rd, &wit, why);
	if (err == 0)
		err = segment_list_read(io, dirfd, &rd->list, why);
	if (err < 0)
		return err;
	all = rd->list.n;
	rd->list.n = segment_list_used(&rd->list);
	rd->misfit = rd->list.n;
	sink.arg = rd;
	err = chain_check(io, dirfd, &rd->list, rd->list.n, NULL, &sink, why);
	if (err == 0 && rd->list.n < all)
		err = chain_check_headless(
		    io, dirfd, &rd->list.v[rd->list.n], &sink, why);
	if (err < 0)
		return err;
	log_reader_believe(rd, &wit);
	log_reader_check_end(rd);
	rd->next_seq = log_reader_oldest(rd);
	*out = TAKE(rd);
	return 0;
}

static void
log_reader_close_segment(struct log_reader *rd)
{
	if (rd->fd < 0)
		return;
	scan_deinit(&rd->scan);
	(void)sysio_close(rd->io, rd->fd);
	rd->fd = -1;
	index_clear(&rd->index);
}

struct log_reader *
log_reader_free(struct log_reader *rd)
{
	if (!rd)
		return NULL;
	log_reader_close_segment(rd);
	index_deinit(&rd->index);
	segment_list_deinit(&rd->list);
	free(rd);
	return NULL;
}

bool
log_reader_fits(const struct log_reader *rd, struct reason *why)
{
	if (!rd->misfit_why.text[0])
		return true;
	(void)reason_set(why, 0, "%s", rd->misfit_why.text);
	return false;
}

uint64_t
log_reader_oldest(const struct log_reader *rd)
{
	return rd->list.floor.seq;
}

/* A segment went away: has the floor passed it? */
static int
log_reader_look_for(
    struct log_reader *rd, const struct segment *s, struct reason *why)
{
	struct log_floor floor;
	int got = floor_read(rd->io, rd->dirfd, &floor, why);

	if (got < 0)
		return got;
	if (floor.seq <= s->name_first_seq)
		return reason_set(
		    why, LOG_READ_DAMAGED, "segment '%s' is missing", s->name);
	rd->list.floor = floor;
	return reason_set(why, LOG_READ_GONE,
	    "events before %" PRIu64 " are not kept any more", floor.seq);
}

/* 0, LOG_READ_GONE, LOG_READ_DAMAGED or below zero. */
static int
log_reader_open_segment(struct log_reader *rd, struct reason *why)
{
	struct segment *s = &rd->list.v[rd->at];
	int err, fd;

	fd = segment_open(rd->io, rd->dirfd, s, why);
	if (fd == -ENOENT)
		return log_reader_look_for(rd, s, why);
	if (fd < 0)
		return reason_set(why, fd, "cannot open '%s'", s->name);
	err = scan_init(&rd->scan, rd->io, fd, s, true, why);
	if (err < 0) {
		(void)sysio_close(rd->io, fd);
		return err;
	}
	rd->fd = fd;
	/* Without one it is read from its beginning. */
	if (s->seal == SEAL_GOOD)
		(void)index_read(rd->io, rd->dirfd, &s->header, &rd->index);
	return 0;
}

/* Events from next to last are not to be had at offset. */
static int
log_reader_tell(struct log_reader *rd, uint64_t offset, uint64_t next,
    uint64_t last, const char *text, struct reason *why)
{
	struct log_problem at = { LOG_DAMAGED_FRAME, rd->list.v[rd->at].name,
		offset };
	struct log_problem_sink sink = { log_problem_keep, why, 0 };

	if (last >= next) {
		at.first_seq = next;
		at.last_seq = last;
	}
	log_problem_tell(&sink, &at, "%s", text);
	return LOG_READ_DAMAGED;
}

/* The scan has stopped, and events up to last are known to have been there. */
static int
log_reader_miss(struct log_reader *rd, uint64_t last, struct reason *why)
{
	return log_reader_tell(rd, rd->scan.at, rd->scan.next_seq, last,
	    "no valid frame where one must be", why);
}

/*
 * Frames of the newest segment, which nothing bounds, have stopped.  It may
 * be written to: what is behind is looked at first, then the frame again, so
 * that a flush under way is not taken for damage.
 */
static int
log_reader_stop_open(
    struct log_reader *rd, struct frame_header *f, struct reason *why)
{
	uint64_t next = rd->scan.next_seq, known = rd->known_seq;
	struct scan_ahead ahead;
	int got;

	scan_refresh(&rd->scan);
	if (rd->limit_seq == UINT64_MAX) {
		got = scan_ahead(&rd->scan, &ahead, why);
		if (got < 0)
			return got;
		if (ahead.found)
			known = MAX(known, ahead.durable_seq);
		scan_refresh(&rd->scan);
	}
	got = scan_next(&rd->scan, f, why);
	scan_refresh(&rd->scan);
	if (got != SCAN_STOP)
		return got < 0 ? got : LOG_READ_FRAME;
	return known < next ? LOG_READ_END : log_reader_miss(rd, known, why);
}

/* The frames of the open segment have stopped: rightly? */
static int
log_reader_stop(
    struct log_reader *rd, struct frame_header *f, struct reason *why)
{
	const struct segment *s = &rd->list.v[rd->at];

	if (s->extent.number == 0)
		return log_reader_stop_open(rd, f, why);
	if (scan_complete(&rd->scan, &s->extent))
		return LOG_READ_END;
	return log_reader_miss(rd, s->extent.last_seq, why);
}

/*
 * Step over the next frame of the open segment, or to the next segment.
 * LOG_READ_FRAME: over one, with events or without.
 */
static int
log_reader_step(
    struct log_reader *rd, struct frame_header *f, struct reason *why)
{
	int got;

	for (;;) {
		if (rd->misfit_why.text[0] && rd->at >= rd->misfit) {
			reason_set(why, 0, "%s", rd->misfit_why.text);
			return LOG_READ_DAMAGED;
		}
		if (rd->at == rd->list.n)
			return LOG_READ_END;
		if (rd->fd < 0) {
			got = log_reader_open_segment(rd, why);
			if (got != 0)
				return got;
		}
		if (rd->scan.next_seq > rd->limit_seq)
			return LOG_READ_END;
		got = scan_next(&rd->scan, f, why);
		if (got == SCAN_STOP)
			got = log_reader_stop(rd, f, why);
		if (got == LOG_READ_FRAME)
			index_note(&rd->index, f->first_seq, rd->scan.frame_at,
			    f->time_us);
		if (got != LOG_READ_END ||
		    (rd->at + 1 == rd->list.n && !rd->misfit_why.text[0]))
			return got;
		log_reader_close_segment(rd);
		rd->at++;
	}
}

/* CRCs say what was written; is it n_events events? */
static bool
log_reader_shaped(const struct log_frame *frame)
{
	struct slice event;
	uint32_t crc, n = 0;
	size_t at = 0;

	while (log_frame_event(frame, &at, &event, &crc))
		n++;
	return n == frame->n_events && at == frame->payload.len;
}

int
log_reader_next(
    struct log_reader *rd, struct log_frame *frame, struct reason *why)
{
	struct log_frame out;
	struct frame_header f;
	int got;

	do {
		got = log_reader_step(rd, &f, why);
		if (got != LOG_READ_FRAME)
			return got;
	} while (
	    f.type != FRAME_EVENTS || f.first_seq + f.n_events <= rd->next_seq);
	out.type = f.type;
	out.n_events = f.n_events;
	out.first_seq = f.first_seq;
	out.time_us = f.time_us;
	out.durable_seq = f.durable_seq;
	out.flush = f.flush;
	out.offset = rd->scan.frame_at;
	out.segment = rd->list.v[rd->at].header.first_seq;
	out.payload = slice_of(rd->scan.payload, f.payload_len);
	if (!log_reader_shaped(&out))
		return log_reader_tell(rd, rd->scan.frame_at, f.first_seq,
		    f.first_seq + f.n_events - 1,
		    "its events do not fill the frame", why);
	rd->next_seq = f.first_seq + f.n_events;
	*frame = out;
	return LOG_READ_FRAME;
}

/*
 * Jump to where the index says; where that is no such frame the index is
 * wrong, and the segment is read from its beginning.
 */
static int
log_reader_jump(struct log_reader *rd, uint64_t seq, struct reason *why)
{
	const struct index_entry *e = index_find(&rd->index, seq);
	struct frame_header f;
	int got;

	scan_rewind(&rd->scan, &rd->list.v[rd->at]);
	if (!e || e->offset < SEGMENT_FRAMES)
		return 0;
	scan_jump(&rd->scan, e->offset, e->seq);
	got = scan_next(&rd->scan, &f, why);
	if (got < 0)
		return got;
	if (got == SCAN_FRAME) {
		scan_jump(&rd->scan, e->offset, e->seq);
	} else {
		index_clear(&rd->index);
		scan_rewind(&rd->scan, &rd->list.v[rd->at]);
	}
	return 0;
}

int
log_reader_seek(struct log_reader *rd, uint64_t seq, struct reason *why)
{
	size_t i = rd->list.n;
	int err;

	while (i > 0 && rd->list.v[i - 1].name_first_seq > seq)
		i--;
	if (i == 0 || seq > rd->limit_seq || seq < rd->list.floor.seq)
		return -ENOENT;
	i--;
	if (rd->list.v[i].extent.number != 0 &&
	    seq > rd->list.v[i].extent.last_seq)
		return -ENOENT;
	rd->next_seq = seq;
	if (i >= rd->misfit) {
		log_reader_close_segment(rd);
		rd->at = i; /* and log_reader_next() says why */
		return 0;
	}
	if (rd->fd < 0 || rd->at != i) {
		log_reader_close_segment(rd);
		rd->at = i;
		err = log_reader_open_segment(rd, why);
		if (err == LOG_READ_GONE)
			return -ENOENT;
		if (err != 0)
			return err < 0 ? err : -EUCLEAN;
	}
	return log_reader_jump(rd, seq, why);
}

bool
log_frame_event(const struct log_frame *frame, size_t *at, struct slice *event,
    uint32_t *crc)
{
	size_t left = frame->payload.len - *at;
	const uint8_t *p;
	uint32_t len;

	if (left < LOG_EVENT_HEADER)
		return false;
	p = frame->payload.p + *at;
	len = get_le32(p);
	if (len > left - LOG_EVENT_HEADER)
		return false;
	*event = slice_of(p + LOG_EVENT_HEADER, len);
	*crc = get_le32(p + 4);
	*at += LOG_EVENT_HEADER + len;
	return true;
}
