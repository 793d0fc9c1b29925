/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verification of a whole log.  Behind damage it goes on at the next frame
 * that verifies, so that one run names every range that is lost.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "log/base.h"
#include "log/chain.h"
#include "log/foreign.h"
#include "log/verify_priv.h"
#include "log/witness.h"

/* The payload of an EVENTS frame that was just scanned. */
static void
verify_events(struct verify *vf, const struct frame_header *f)
{
	struct log_problem at = { LOG_DAMAGED_FRAME, .segment = vf->seg->name,
		.offset = vf->scan.frame_at };
	uint32_t n = vf->scan.good_events;

	vf->v->events += n;
	if (n == f->n_events)
		return;
	at.first_seq = f->first_seq + n;
	at.last_seq = f->first_seq + f->n_events - 1;
	log_problem_tell(
	    &vf->sink, &at, "an event does not verify in a frame that does");
}

/* The last event that must be in the segment at hand; 0: none needs to. */
static int
verify_known(struct verify *vf, uint64_t *last)
{
	struct scan_ahead ahead;
	int err;

	*last = vf->seg->extent.last_seq;
	if (vf->seg->extent.number != 0)
		return 0;
	*last = vf->v->limit_seq;
	if (*last != UINT64_MAX)
		return 0;
	err = scan_ahead(&vf->scan, &ahead, vf->why);
	if (err < 0)
		return err;
	*last = ahead.found ? ahead.durable_seq : 0;
	return 0;
}

/* The frames have stopped: judge it.  *more: others follow. */
static int
verify_stop(struct verify *vf, bool *more)
{
	const struct segment *s = vf->seg;
	struct scan *sc = &vf->scan;
	struct log_problem at = { LOG_DAMAGED_FRAME, s->name, sc->at,
		.first_seq = sc->next_seq };
	int err;

	*more = false;
	if (s->extent.number != 0 && scan_agrees(sc, &s->extent))
		return 0;
	err = verify_known(vf, &at.last_seq);
	if (err < 0)
		return err;
	if (s->extent.number == 0) {
		if (at.last_seq < sc->next_seq)
			return 0;
		/* A flush may have been under way: it has ended since. */
		scan_refresh(sc);
		*more = vf->looked_again != sc->at;
		vf->looked_again = sc->at;
		if (*more)
			return 0;
	}
	err = scan_resync(sc, more, vf->why);
	if (err < 0)
		return err;
	if (*more)
		at.last_seq = sc->next_seq - 1;
	if (at.last_seq < at.first_seq)
		at.first_seq = 0;
	log_problem_tell(&vf->sink, &at, "%s",
	    at.first_seq ? "no valid frame where one must be"
			 : "a frame without events is damaged; no event is");
	return 0;
}

static int
verify_frames(struct verify *vf)
{
	struct scan *sc = &vf->scan;
	struct frame_header f;
	bool more = true;
	int got = 0;

	while (more && got >= 0 && sc->next_seq <= vf->v->limit_seq) {
		got = scan_next(sc, &f, vf->why);
		if (got == SCAN_STOP)
			got = verify_stop(vf, &more);
		else if (got == SCAN_FRAME) {
			vf->v->frames++;
			vf->v->bytes += LOG_FRAME_HEADER + f.payload_len;
			vf->v->last_seq = sc->next_seq - 1;
			if (f.type == FRAME_EVENTS) {
				verify_events(vf, &f);
				verify_audit_frame(vf, &f);
			}
		}
	}
	return got < 0 ? got : 0;
}

/* Where all frames verify, the seal has counted the same. */
static void
verify_count(struct verify *vf)
{
	const struct segment *s = vf->seg;
	struct log_problem at = { .segment = s->name,
		.offset = s->header.capacity - LOG_PAGE };

	if (s->seal == SEAL_GOOD && vf->sink.told == vf->told_before &&
	    scan_agrees(&vf->scan, &s->extent) &&
	    vf->scan.frames != s->footer.frames)
		log_problem_tell(&vf->sink, &at,
		    "its seal counts other frames than there are");
}

/* s went away: what the floor has passed is not of the log any more. */
static int
verify_gone(struct verify *vf, const struct segment *s)
{
	struct log_floor floor;
	int got = floor_read(vf->io, vf->dirfd, &floor, vf->why);

	if (got < 0)
		return got;
	if (floor.seq <= s->name_first_seq)
		return reason_set(
		    vf->why, -ENOENT, "cannot open '%s'", s->name);
	vf->v->first_seq = floor.seq;
	vf->v->last_seq = floor.seq - 1;
	return 0;
}

static int
verify_segment(struct verify *vf, struct segment *s, const struct segment *next)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { vf->io, -1 };
	int err;

	vf->told_before = vf->sink.told;
	f.fd = segment_open(vf->io, vf->dirfd, s, vf->why);
	if (f.fd == -ENOENT)
		return verify_gone(vf, s);
	if (f.fd < 0)
		return reason_set(vf->why, f.fd, "cannot open '%s'", s->name);
	err = scan_init(&vf->scan, vf->io, f.fd, s, true, vf->why);
	if (err < 0)
		return err;
	vf->seg = s;
	vf->looked_again = 0;
	scan_audit(&vf->scan, s);
	err = verify_frames(vf);
	if (err == 0)
		verify_count(vf);
	if (err == 0)
		err = verify_audit_segment(vf, next);
	scan_deinit(&vf->scan);
	return err;
}

/* The newest of the log's own; NULL: there is none. */
static const struct segment *
verify_newest(const struct segment_list *list, size_t n)
{
	while (n > 0 && list->v[n - 1].foreign)
		n--;
	return n > 0 ? &list->v[n - 1] : NULL;
}

/* The log's own goes where the log goes: an epoch that it knows was here. */
static bool
verify_is_of(const struct log_witness *wit, bool own,
    const struct segment_header *newest)
{
	return witness_is_of(wit, newest) &&
	       (own || wit->epoch == newest->epoch);
}

/* All is whole; is it all that the witness knows of? */
static void
verify_ask(struct verify *vf, const struct segment *newest,
    const struct log_witness *wit, bool own)
{
	struct log_verify *v = vf->v;
	struct log_problem at = {
		.kind = LOG_LOST_TAIL,
		.segment = newest ? newest->name : wit->name,
		.first_seq = v->last_seq + 1,
		.last_seq = MIN(wit->seq, v->limit_seq),
	};

	/* Of which epoch a newest one without a header is, nobody knows. */
	if (!wit->name || (newest && !newest->headed))
		return;
	if (newest && !verify_is_of(wit, own, &newest->header)) {
		log_note(v->note, "'%s' is a witness of another log or epoch",
		    wit->name);
		v->wit_noted = v->wit_noted || own;
		return;
	}
	if (at.last_seq < at.first_seq)
		return;
	log_problem_tell(&vf->sink, &at,
	    "the log ends too early: '%s' says that %" PRIu64 " was durable",
	    wit->name, wit->seq);
}

/* One witness is enough to say that the end is lost. */
static void
verify_end(struct verify *vf, const struct segment_list *list, size_t n,
    const struct log_witness *wit)
{
	const struct log_verify *v = vf->v;
	const struct segment *newest = verify_newest(list, n);
	uint64_t told = vf->sink.told;

	verify_ask(vf, newest, wit, true);
	for (unsigned i = 0; i < v->n_witnesses && vf->sink.told == told; i++)
		verify_ask(vf, newest, &v->witnesses[i], false);
}

static int
verify_one_base(
    struct verify *vf, const struct log_floor *floor, struct reason *what)
{
	CLEANUP(base_freep) struct base *base = NULL;
	int got = base_open(
	    vf->io, vf->dirfd, floor->seq - 1, floor->log_id, &base, what);

	return got == BASE_OPENED ? base_verify(base, what) : got;
}

/* All of the base, where there is a floor; of the next where that moved. */
static int
verify_base(struct verify *vf, const struct log_floor *floor)
{
	struct log_floor now = *floor;
	struct reason what = REASON_NO_MEMORY;
	struct log_problem at = { LOG_DAMAGED_BASE, FLOOR_NAME };
	uint64_t seq = 1;
	int err, got = BASE_OPENED;

	while (now.seq > seq) {
		seq = now.seq;
		got = verify_one_base(vf, &now, &what);
		if (got != BASE_DAMAGED)
			break;
		err = floor_read(vf->io, vf->dirfd, &now, vf->why);
		if (err < 0)
			return err;
	}
	if (got == BASE_DAMAGED)
		log_problem_tell(&vf->sink, &at, "%s", what.text);
	return got < 0 ? reason_say(vf->why, got, "%s", what.text) : 0;
}

/*
 * One of another log, a copy of another segment, or one whose place others
 * take, says nothing of this log: that it is there was told with its name, and
 * that is all.
 */
static bool
verify_skips(const struct verify *vf, const struct segment *s)
{
	if (!s->headed || s->foreign || s->name_first_seq < vf->v->first_seq)
		return true;
	return vf->sink.told > 0 && (s->header.first_seq != s->name_first_seq ||
					s->header.first_seq <= vf->v->last_seq);
}

static int
verify_run(
    struct verify *vf, struct segment_list *list, const struct log_witness *wit)
{
	struct log_verify *v = vf->v;
	uint64_t told = 0;
	size_t n = segment_list_used(list);
	int err;

	err = chain_check(
	    vf->io, vf->dirfd, list, n, v->note, &vf->sink, vf->why);
	if (err == 0 && n < list->n)
		err = chain_check_headless(
		    vf->io, vf->dirfd, &list->v[n], &vf->sink, vf->why);
	if (err == 0)
		err = verify_base(vf, &list->floor);
	v->first_seq = n > 0 ? list->v[0].name_first_seq : list->floor.seq;
	v->last_seq = v->first_seq - 1;
	if (err == 0 && v->anchor_seq != 0 && v->anchor_seq < v->first_seq)
		return reason_say(vf->why, -ERANGE,
		    "the log begins with event %" PRIu64
		    ", behind the anchor's",
		    v->first_seq);
	for (size_t i = 0; err == 0 && i < n; i++) {
		told = vf->sink.told;
		if (!verify_skips(vf, &list->v[i]))
			err = verify_segment(vf, &list->v[i],
			    i + 1 < n ? &list->v[i + 1] : NULL);
		v->segments++;
		if (v->progress)
			v->progress(v->arg, i + 1, n);
	}
	if (err == 0 && vf->sink.told == told)
		verify_end(vf, list, n, wit);
	if (err == 0)
		verify_audit_end(vf);
	return err;
}

static int
verify_all(struct verify *vf)
{
	const struct log_verify *v = vf->v;
	struct log_witness wit = { .seq = 0 };
	struct segment_list list;
	int err;

	/* First: what it knows of was on the disk before it was written. */
	err = witness_load(vf->io, vf->dirfd, WITNESS_NAME, &wit, vf->why);
	if (err < 0)
		return err;
	/* Whoever accepts a loss has to know that it may be larger. */
	if (err == WITNESS_BAD)
		log_note(
		    v->note, "'" WITNESS_NAME "' is damaged and says nothing");
	err = segment_list_read(vf->io, vf->dirfd, &list, vf->why);
	if (err < 0)
		return err;
	err = verify_run(vf, &list, &wit);
	segment_list_deinit(&list);
	return err;
}

int
log_verify(const struct sysio *io, int dirfd, struct log_verify *verify,
    struct reason *why)
{
	struct verify vf = { .io = io,
		.dirfd = dirfd,
		.v = verify,
		.why = why,
		.sink = { verify->problem, verify->arg, 0 } };
	int err;

	verify->segments = verify->frames = verify->events = 0;
	verify->bytes = verify->head_seq = 0;
	verify->first_seq = verify->last_seq = 0;
	verify->wit_noted = false;
	err = verify_all(&vf);
	if (err < 0 && foreign_check(io, dirfd, &vf.sink))
		err = 0;
	verify->problems = vf.sink.told;
	return err;
}
