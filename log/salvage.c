/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Salvage.  Behind a stop in a segment whose end nobody names, frames count
 * only where one of the same segment says that the place was durable: else
 * it may be a torn tail, whose seqs were given to others later.
 */

#include <errno.h>
#include <string.h>

#include "core/reason.h"
#include "log/headless.h"
#include "log/salvage.h"
#include "log/scan.h"

/* Events up to last were there. */
static void
salvage_know(struct salvage *sv, uint64_t last)
{
	sv->known = MAX(sv->known, last);
}

static int
salvage_gap(
    struct salvage *sv, uint64_t last, uint64_t time_us, struct reason *why)
{
	struct log_range range = { sv->next_seq, last };
	int err;

	if (last < sv->next_seq)
		return 0;
	err = sv->lost(sv->arg, &range, time_us, why);
	sv->next_seq = last + 1;
	return err;
}

/* 1: it was taken, or is of the past; 0: it is not whole. */
static int
salvage_frame(struct salvage *sv, const struct scan *sc,
    const struct frame_header *f, struct reason *why)
{
	uint64_t time_us = sv->time_us ? sv->time_us : f->time_us;
	int err;

	if (f->first_seq < sv->next_seq)
		return 1;
	if (sc->good_events < f->n_events)
		return 0;
	err = salvage_gap(sv, f->first_seq - 1, time_us, why);
	if (err == 0)
		err = sv->frame(sv->arg, f, sc->payload, why);
	if (err < 0)
		return err;
	sv->next_seq = f->first_seq + f->n_events;
	sv->time_us = MAX(sv->time_us, f->time_us);
	return 1;
}

/* The frames of s have stopped.  *more: others follow that count. */
static int
salvage_stop(struct salvage *sv, const struct segment *s, struct scan *sc,
    bool *more, bool *bad, struct reason *why)
{
	struct scan_ahead ahead;
	int err;

	*more = false;
	if (s->extent.number != 0) {
		if (scan_complete(sc, &s->extent))
			return 0;
	} else {
		err = scan_ahead(sc, &ahead, why);
		if (err < 0)
			return err;
		if (!ahead.found || ahead.durable_seq < sc->next_seq)
			return 0;
		salvage_know(sv, ahead.durable_seq);
	}
	*bad = true;
	return scan_resync(sc, more, why);
}

static int
salvage_frames(struct salvage *sv, const struct segment *s, struct scan *sc,
    bool *bad, struct reason *why)
{
	struct frame_header f;
	bool more = true;
	int got = 0;

	while (more && got >= 0) {
		got = scan_next(sc, &f, why);
		if (got == SCAN_STOP) {
			got = salvage_stop(sv, s, sc, &more, bad, why);
		} else if (got == SCAN_FRAME) {
			/* Also where its events are not: it was written. */
			salvage_know(sv, sc->next_seq - 1);
			if (f.type == FRAME_EVENTS) {
				got = salvage_frame(sv, sc, &f, why);
				*bad = *bad || got == 0;
			}
		}
	}
	return got < 0 ? got : 0;
}

static int
salvage_segment(struct salvage *sv, size_t i, bool *bad, struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd fd = { sv->io, -1 };
	struct segment s = sv->list->v[i];
	struct scan sc;
	int err = 0;

	fd.fd = segment_open(sv->io, sv->dirfd, &s, why);
	if (fd.fd < 0)
		return reason_set(why, fd.fd, "cannot open '%s'", s.name);
	if (!s.headed) {
		*bad = true;
		err = headless_find(sv->io, fd.fd, &s, why);
		if (err != HEADLESS_FOUND) {
			sv->blind = i + 1 == sv->n;
			return err;
		}
	}
	salvage_know(sv, s.header.first_seq - 1);
	if (s.extent.number != 0)
		salvage_know(sv, s.extent.last_seq);
	err = scan_init(&sc, sv->io, fd.fd, &s, true, why);
	if (err < 0)
		return err;
	*bad = *bad || s.header.first_seq != sv->next_seq;
	err = salvage_frames(sv, &s, &sc, bad, why);
	/* One that was begun and no more is no end of a log. */
	*bad = *bad || sc.frames == 0;
	scan_deinit(&sc);
	return err;
}

int
salvage_run(struct salvage *sv, size_t from, struct reason *why)
{
	int err = 0;

	sv->blind = false;
	for (size_t i = from; err == 0 && i < sv->n; i++) {
		bool bad = false;

		err = salvage_segment(sv, i, &bad, why);
		if (err == 0)
			sv->segment(sv->arg, i, bad);
	}
	return err ? err : salvage_gap(sv, sv->known, sv->time_us, why);
}
