/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Was history edited?  CRCs say nothing of it, for whoever edits can make them
 * anew.  What is compared: digests that stand in the log, in IDLE frames,
 * seals and headers, and one that somebody has kept elsewhere.
 */

#include <inttypes.h>
#include <string.h>

#include "log/verify_priv.h"
#include "log/witness.h"

static void
verify_tell_edit(struct verify *vf, uint64_t at_byte, uint64_t first,
    uint64_t last, const char *text)
{
	struct log_problem at = { LOG_EDITED, vf->seg->name, at_byte,
		.first_seq = last < first ? 0 : first, .last_seq = last };

	log_problem_tell(&vf->sink, &at, "%s", text);
}

/* The frame that was just stepped over has the event that the anchor names. */
static void
verify_anchor(struct verify *vf)
{
	const struct log_verify *v = vf->v;
	uint8_t digest[LOG_DIGEST];

	if (!vf->scan.audited)
		return;
	scan_digest(&vf->scan, digest);
	if (vf->scan.next_seq - 1 != v->anchor_seq)
		verify_tell_edit(vf, vf->scan.frame_at, v->first_seq,
		    v->anchor_seq, "no request ends with the anchor's event");
	else if (memcmp(digest, v->anchor, LOG_DIGEST) != 0)
		verify_tell_edit(vf, vf->scan.at, v->first_seq, v->anchor_seq,
		    "the frames before it are not those of the anchor");
}

/* The log's end, as far as was walked, is that of the segment at hand. */
static void
verify_take_head(struct verify *vf, const uint8_t digest[LOG_DIGEST])
{
	vf->v->head_seq = vf->scan.next_seq - 1;
	memcpy(vf->v->head, digest, LOG_DIGEST);
	vf->head_due = false;
}

void
verify_audit_frame(struct verify *vf, const struct frame_header *f)
{
	const struct scan *sc = &vf->scan;
	uint64_t anchor = vf->v->anchor_seq;

	if (f->type == FRAME_EVENTS) {
		vf->head_due = true;
		if (anchor >= f->first_seq && anchor < sc->next_seq)
			verify_anchor(vf);
	} else if (vf->head_due && sc->audited) {
		verify_take_head(vf, sc->mark);
	}
}

/* What the next segment says, where the seal says otherwise. */
static void
verify_next(struct verify *vf, const struct segment *next)
{
	if (next->headed && next->header.pred.number == vf->seg->header.number)
		scan_compare(&vf->scan, &next->header.pred);
}

int
verify_audit_segment(struct verify *vf, const struct segment *next)
{
	struct scan *sc = &vf->scan;
	uint8_t digest[LOG_DIGEST];

	if (!sc->audited)
		return 0;
	if (vf->head_due) {
		scan_digest(sc, digest);
		verify_take_head(vf, digest);
	}
	if (scan_agrees(sc, &vf->seg->extent)) {
		scan_compare(sc, &vf->seg->extent);
		if (next)
			verify_next(vf, next);
	}
	if (sc->edit.found)
		verify_tell_edit(vf, sc->edit.at, sc->edit.first_seq,
		    sc->edit.last_seq, LOG_EDITED_TEXT);
	return 0;
}

void
verify_audit_end(struct verify *vf)
{
	const struct log_verify *v = vf->v;
	struct log_problem at = { LOG_LOST_TAIL, WITNESS_NAME,
		.first_seq = v->last_seq + 1, .last_seq = v->anchor_seq };

	if (v->anchor_seq > v->last_seq && vf->sink.told == 0) {
		at.segment = vf->seg ? vf->seg->name : WITNESS_NAME;
		log_problem_tell(
		    &vf->sink, &at, "the log ends before the anchor's event");
	}
}
