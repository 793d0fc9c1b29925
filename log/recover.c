/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Recovery.  First everything is looked at and judged, from the disk itself
 * and after a sync; only a log that is found whole is touched afterwards, and
 * never a byte of it: what is not the log's is copied or moved aside.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/reason.h"
#include "log/base.h"
#include "log/chain.h"
#include "log/foreign.h"
#include "log/format_priv.h"
#include "log/quarantine.h"
#include "log/recover.h"
#include "log/scan.h"
#include "log/segment.h"

enum {
	COMPARED_BYTES = 4 << 20
};

struct recovery {
	const struct sysio *io;
	int dirfd;
	void (*notes)(const char *sentence);
	struct reason *why;
	struct log_problem_sink sink; /* keeps the first problem in why */

	struct segment_list list;
	size_t headed; /* all but newest ones without a header */
	size_t used;   /* of them, all but newest ones without a frame */
	struct log_witness durable;
	bool has_durable;

	/* Where the last used segment ends. */
	uint64_t next_seq;
	uint64_t time_us;
	uint64_t valid_length;
	uint64_t torn_end; /* last byte behind that is not zero; 0: none */
	uint32_t tail_crc;
	uint8_t digest[LOG_DIGEST];
};

static void
recover_keep_problem(void *arg, const struct log_problem *problem)
{
	struct recovery *rc = arg;
	char sentence[LOG_PROBLEM_SENTENCE];

	if (rc->sink.told == 1)
		reason_set(
		    rc->why, 0, "%s", log_problem_sentence(problem, sentence));
}

/* Judge the stop of sc, whose segment is s. */
static void
recover_judge(struct recovery *rc, const struct segment *s,
    const struct scan *sc, const struct scan_ahead *ahead)
{
	struct log_problem at = { LOG_DAMAGED_FRAME, s->name, sc->at };

	if (ahead->found && ahead->durable_seq >= sc->next_seq) {
		at.first_seq = sc->next_seq;
		at.last_seq = ahead->durable_seq;
		log_problem_tell(&rc->sink, &at,
		    "no valid frame, though one at %" PRIu64
		    " says that %" PRIu64 " was durable",
		    ahead->found_at, ahead->durable_seq);
	} else if (s->extent.number != 0 && !scan_complete(sc, &s->extent)) {
		at.first_seq = sc->next_seq;
		at.last_seq = s->extent.last_seq;
		log_problem_tell(&rc->sink, &at,
		    "its frames end otherwise than its seal or successor says");
	} else if (sc->edit.found) {
		at.kind = LOG_EDITED;
		at.offset = sc->edit.at;
		at.first_seq = sc->edit.first_seq;
		at.last_seq = sc->edit.last_seq;
		log_problem_tell(&rc->sink, &at, LOG_EDITED_TEXT);
	}
}

/* What the next segment's header will say of s, which sc has walked through. */
static void
recover_take_end(struct recovery *rc, const struct segment *s,
    const struct scan *sc, const struct scan_ahead *ahead)
{
	/* A seal says it also where an IDLE frame is lost. */
	bool sealed = s->seal == SEAL_GOOD;

	rc->next_seq = sc->next_seq;
	rc->time_us = sc->time_us;
	rc->valid_length = sealed ? s->extent.valid_length : sc->at;
	rc->tail_crc = sealed ? s->extent.tail_crc : sc->tail_crc;
	rc->torn_end = sealed ? 0 : ahead->end;
	if (sealed)
		memcpy(rc->digest, s->extent.digest, LOG_DIGEST);
	else
		scan_digest(sc, rc->digest);
}

/*
 * Say so where the page cache shows other bytes than the disk behind the last
 * frame: a write has failed there.  A flush is far shorter than what is
 * compared.
 */
static int
recover_compare(struct recovery *rc, const struct segment *s, struct scan *sc)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { rc->io, -1 };
	uint64_t at = sc->at, end = MIN(at + COMPARED_BYTES, s->file_bytes);
	const uint8_t *disk, *cache;
	struct window win;
	ssize_t n = 0, m = 0;
	int err;

	f.fd = sysio_openat(rc->io, rc->dirfd, s->name, O_RDONLY, 0);
	if (f.fd < 0)
		return reason_set(rc->why, f.fd, "cannot open '%s'", s->name);
	err = window_init(&win, rc->io, f.fd, s->file_bytes);
	if (err < 0)
		return err;
	while (at < end) {
		n = window_get(&sc->win, at, &disk);
		m = n > 0 ? window_get(&win, at, &cache) : 0;
		if (n <= 0 || m <= 0)
			break;
		n = MIN(n, m);
		if (memcmp(disk, cache, (size_t)n) != 0) {
			log_note(rc->notes,
			    "the page cache shows what the disk lacks at the "
			    "end of '%s'",
			    s->name);
			break;
		}
		at += (uint64_t)n;
	}
	window_deinit(&win);
	n = MIN(n, m);
	return n < 0 ? reason_set(rc->why, (int)n, "cannot read '%s'", s->name)
		     : 0;
}

/* Scan s from the disk; its frames' number goes to *frames. */
static int
recover_scan(struct recovery *rc, const struct segment *s, uint64_t *frames)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { rc->io, -1 };
	struct scan_ahead ahead;
	struct frame_header frame;
	struct scan sc;
	int err;

	/* A packed one is not aligned, and was compared with what it packs. */
	f.fd = s->packed ? sysio_openat(rc->io, rc->dirfd, s->name, O_RDONLY, 0)
			 : sysio_open_disk(rc->io, rc->dirfd, s->name);
	if (f.fd < 0)
		return reason_set(rc->why, f.fd, "cannot open '%s'", s->name);
	err = sysio_fdatasync(rc->io, f.fd);
	if (err < 0)
		return reason_set(rc->why, err, "cannot sync '%s'", s->name);
	err = scan_init(&sc, rc->io, f.fd, s, false, rc->why);
	if (err < 0)
		return err;
	scan_audit(&sc, s);
	do {
		err = scan_next(&sc, &frame, rc->why);
	} while (err == SCAN_FRAME);
	if (err == SCAN_STOP)
		err = scan_ahead(&sc, &ahead, rc->why);
	if (err == 0)
		err = recover_compare(rc, s, &sc);
	if (err == 0) {
		if (s->extent.number != 0 && scan_agrees(&sc, &s->extent))
			scan_compare(&sc, &s->extent);
		recover_judge(rc, s, &sc, &ahead);
		recover_take_end(rc, s, &sc, &ahead);
		*frames = sc.frames;
	}
	scan_deinit(&sc);
	return err;
}

/* Find the last segment with a frame, and judge what stands behind it. */
static int
recover_find_end(struct recovery *rc)
{
	struct log_problem floor = { LOG_LOST_TAIL, .segment = FLOOR_NAME,
		.first_seq = rc->list.floor.seq, .last_seq = UINT64_MAX };

	rc->next_seq = rc->list.floor.seq;
	rc->used = rc->headed;
	while (rc->used > 0 && rc->sink.told == 0) {
		const struct segment *s = &rc->list.v[rc->used - 1];
		struct log_problem at = { .segment = s->name };
		uint64_t frames = 0;
		int err = recover_scan(rc, s, &frames);

		if (err < 0)
			return err;
		if (frames > 0)
			break;
		if (s->extent.number != 0)
			log_problem_tell(&rc->sink, &at,
			    "it has no frame, but a seal or a successor");
		rc->used--;
	}
	if (rc->used == 0 && rc->list.floor.seq > 1 && rc->sink.told == 0)
		log_problem_tell(&rc->sink, &floor,
		    "no segment has a frame, and the log goes on with event "
		    "%" PRIu64,
		    rc->list.floor.seq);
	return 0;
}

/* Whose log it is, from any header. */
static void
recover_identify(struct recovery *rc, struct log_tail *tail)
{
	const struct segment_header *h;

	tail->epoch = 1;
	tail->incarnation = 1;
	tail->next_segment = 1;
	tail->oldest_seq = rc->list.floor.seq;
	for (size_t i = 0; i < rc->headed; i++) {
		h = &rc->list.v[i].header;
		if (i == 0) {
			memcpy(tail->log_id, h->log_id, sizeof(tail->log_id));
			tail->epoch = h->epoch;
			tail->oldest_seq = h->first_seq;
		}
		if (i < rc->used)
			tail->epoch = h->epoch;
		tail->incarnation = MAX(tail->incarnation, h->incarnation + 1);
	}
}

/* No segment is there at all; is that what a witness says? */
static void
recover_check_emptied(struct recovery *rc, const struct log_witness *wit)
{
	if (wit->seq == 0 || rc->sink.told > 0)
		return;
	rc->sink.told++;
	reason_set(rc->why, 0,
	    "%s: no segment is there, though '%s' says that events 1 to "
	    "%" PRIu64 " were durable; for a new log, remove it",
	    log_problem_name(LOG_LOST_TAIL), wit->name, wit->seq);
}

static void
recover_check_witness(struct recovery *rc, const struct log_tail *tail,
    const struct log_witness *wit)
{
	const struct segment *s = &rc->list.v[rc->used > 0 ? rc->used - 1 : 0];
	struct log_problem at = { LOG_LOST_TAIL, .segment = s->name };

	/* The log's own witness goes where the log goes: its epoch was here. */
	if (memcmp(wit->log_id, tail->log_id, sizeof(wit->log_id)) != 0 ||
	    wit->epoch < tail->epoch ||
	    (wit->epoch > tail->epoch && wit != &rc->durable)) {
		log_note(rc->notes, "'%s' is a witness of another log or epoch",
		    wit->name);
		return;
	}
	if (wit->seq < rc->next_seq || rc->sink.told > 0)
		return;
	if (rc->used > 0)
		at.offset = rc->valid_length;
	at.first_seq = rc->next_seq;
	at.last_seq = wit->seq;
	log_problem_tell(&rc->sink, &at,
	    "no valid frame, though '%s' says that %" PRIu64 " was durable",
	    wit->name, wit->seq);
}

static void
recover_ask(struct recovery *rc, const struct log_tail *tail,
    const struct log_witness *wit)
{
	if (rc->headed == 0)
		recover_check_emptied(rc, wit);
	else
		recover_check_witness(rc, tail, wit);
}

static int
recover_load_witness(struct recovery *rc)
{
	int got = witness_load(
	    rc->io, rc->dirfd, WITNESS_NAME, &rc->durable, rc->why);

	rc->has_durable = got == WITNESS_LOADED;
	if (got == WITNESS_BAD)
		log_note(rc->notes,
		    "'" WITNESS_NAME "' is damaged and says nothing");
	return got < 0 ? got : 0;
}

/* What is below the floor is in its base alone. */
static int
recover_check_base(struct recovery *rc)
{
	const struct log_floor *floor = &rc->list.floor;
	struct log_problem at = { LOG_DAMAGED_BASE, FLOOR_NAME };
	CLEANUP(base_freep) struct base *base = NULL;
	struct reason what = REASON_NO_MEMORY;
	int got;

	if (floor->seq == 1 || rc->sink.told > 0)
		return 0;
	got = base_open(
	    rc->io, rc->dirfd, floor->seq - 1, floor->log_id, &base, &what);
	if (got == BASE_DAMAGED)
		log_problem_tell(&rc->sink, &at, "%s", what.text);
	return got < 0 ? reason_say(rc->why, got, "%s", what.text) : 0;
}

/* Look at everything; nothing is changed.  Problems are in rc->sink. */
static int
recover_examine(struct recovery *rc)
{
	struct segment_list *list = &rc->list;
	int err = sysio_fsync(rc->io, rc->dirfd);

	if (err < 0)
		return reason_set(
		    rc->why, err, "cannot sync the log's directory");
	err = recover_load_witness(rc);
	if (err == 0)
		err = segment_list_read(rc->io, rc->dirfd, list, rc->why);
	if (err < 0)
		return err;
	rc->headed = segment_list_used(list);
	if (rc->headed < list->n)
		err = chain_check_headless(rc->io, rc->dirfd,
		    &list->v[rc->headed], &rc->sink, rc->why);
	if (err == 0)
		err = chain_check(rc->io, rc->dirfd, list, rc->headed,
		    rc->notes, &rc->sink, rc->why);
	if (err == 0)
		err = recover_check_base(rc);
	if (err == 0 && rc->sink.told == 0)
		err = recover_find_end(rc);
	return err;
}

/* The log is whole: say where it ends. */
static void
recover_fill_tail(struct recovery *rc, struct log_tail *tail)
{
	const struct segment_header *h;
	struct segment_predecessor *pred = &tail->predecessor;

	if (rc->used == 0)
		return;
	h = &rc->list.v[rc->used - 1].header;
	tail->last_seq = rc->next_seq - 1;
	tail->last_time_us = rc->time_us;
	tail->next_segment = h->number + 1;
	pred->number = h->number;
	pred->first_seq = h->first_seq;
	pred->last_seq = tail->last_seq;
	pred->valid_length = rc->valid_length;
	pred->tail_crc = rc->tail_crc;
	if (h->version > 1)
		memcpy(pred->digest, rc->digest, LOG_DIGEST);
	format_chain(h, pred);
}

/* Set aside what no frame of the log is. */
static int
recover_set_aside(struct recovery *rc)
{
	struct quarantine q = { rc->io, rc->dirfd, rc->notes };
	int err = 0;

	for (size_t i = rc->used; err == 0 && i < rc->list.n; i++)
		err = quarantine_move(&q, rc->list.v[i].name, rc->why);
	if (err == 0 && rc->used > 0 && rc->torn_end > rc->valid_length)
		quarantine_copy(&q, &rc->list.v[rc->used - 1], rc->valid_length,
		    rc->torn_end);
	return err;
}

/*
 * A log without a segment: a new one, or one that was served and got no event
 * yet, whose id clients know already.
 */
static int
recover_found(struct recovery *rc, struct log_tail *tail)
{
	int err;

	if (rc->has_durable) {
		memcpy(tail->log_id, rc->durable.log_id, sizeof(tail->log_id));
		tail->epoch = rc->durable.epoch;
		return 0;
	}
	err = sysio_random(rc->io, tail->log_id, sizeof(tail->log_id));
	if (err < 0)
		return reason_set(rc->why, err, "cannot draw a log id");
	return 0;
}

static int
recover_run(struct recovery *rc, const struct log_witness *witnesses,
    unsigned n_witnesses, struct log_tail *tail)
{
	int err = recover_examine(rc);

	if (err < 0)
		return err;
	/* Whose the witnesses have to be is not known of a damaged log. */
	if (rc->sink.told > 0)
		return RECOVER_DAMAGED;
	recover_identify(rc, tail);
	if (rc->has_durable)
		recover_ask(rc, tail, &rc->durable);
	for (unsigned i = 0; i < n_witnesses; i++)
		recover_ask(rc, tail, &witnesses[i]);
	if (rc->sink.told > 0)
		return RECOVER_DAMAGED;
	recover_fill_tail(rc, tail);
	if (rc->headed == 0) {
		err = recover_found(rc, tail);
		if (err < 0)
			return err;
	}
	return recover_set_aside(rc);
}

int
recover_log(const struct sysio *io, int dirfd,
    const struct log_witness *witnesses, unsigned n_witnesses,
    void (*notes)(const char *sentence), struct log_tail *tail,
    struct reason *why)
{
	struct recovery rc = {
		.io = io, .dirfd = dirfd, .notes = notes, .why = why
	};
	struct log_problem_sink foreign = { log_problem_keep, why, 0 };
	struct log_tail found = { 0 };
	int err;

	rc.sink.fn = recover_keep_problem;
	rc.sink.arg = &rc;
	err = recover_run(&rc, witnesses, n_witnesses, &found);
	if (err < 0 && foreign_check(io, dirfd, &foreign))
		err = RECOVER_DAMAGED;
	segment_list_deinit(&rc.list);
	if (err == RECOVER_OK)
		*tail = found;
	return err;
}
