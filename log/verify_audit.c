/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Was history edited?  CRCs say nothing of it, for whoever edits can make them
 * anew.  What is compared: digests that stand in the log, in IDLE frames,
 * seals and headers, and one that somebody has kept elsewhere.
 */

#include <inttypes.h>
#include <string.h>

#include "log/sums.h"
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

void
verify_audit_frame(struct verify *vf, const struct frame_header *f)
{
	uint64_t anchor = vf->v->anchor_seq;

	if (anchor >= f->first_seq && anchor < vf->scan.next_seq)
		verify_anchor(vf);
}

/*
 * What the next segment says, where the seal says otherwise.  One that was put
 * there from elsewhere follows on another: its hash is none of this segment's.
 */
static void
verify_next(struct verify *vf, const struct segment *next)
{
	struct segment_predecessor entry = next->header.pred;

	if (!next->headed || entry.number != vf->seg->header.number)
		return;
	format_chain(&vf->seg->header, &entry);
	if (memcmp(entry.chain, next->header.pred.chain, LOG_DIGEST) == 0)
		scan_compare(&vf->scan, &entry);
}

/*
 * Where the digest is not that of the segment's sums, or something is wrong
 * with it anyway, they know better which event it is.
 */
static int
verify_sums(struct verify *vf)
{
	CLEANUP(sums_deinit) struct sums sums = { 0 };
	struct scan_edit *edit = &vf->scan.edit;
	uint8_t digest[LOG_DIGEST];
	uint64_t seq = 0;
	int err;

	if (sums_read(vf->io, vf->dirfd, &vf->seg->header, &sums) != SUMS_READ)
		return 0;
	scan_digest(&vf->scan, digest);
	if (memcmp(digest, sums.digest, LOG_DIGEST) == 0 && !edit->found)
		return 0;
	err = sums_compare(vf->io, vf->dirfd, vf->seg, &sums, &seq, vf->why);
	if (err < 0)
		return err;
	if (seq != 0)
		*edit = (struct scan_edit){ true, edit->at, seq, seq };
	else if (vf->sink.told == vf->told_before && !edit->found)
		verify_tell_edit(vf, 0, 1, 0,
		    "frames without events are not those of its sums");
	return 0;
}

/* Compare the digest of all frames with whatever says what it should be. */
static void
verify_digest(struct verify *vf, const struct segment *next)
{
	struct scan *sc = &vf->scan;

	if (!sc->audited)
		return;
	if (sc->next_seq > vf->seg->header.first_seq) {
		vf->v->head_seq = sc->next_seq - 1;
		scan_head(sc, vf->v->head);
	}
	if (scan_agrees(sc, &vf->seg->extent)) {
		scan_compare(sc, &vf->seg->extent);
		if (next)
			verify_next(vf, next);
	}
}

int
verify_audit_segment(struct verify *vf, const struct segment *next)
{
	struct scan *sc = &vf->scan;
	int err = 0;

	verify_digest(vf, next);
	if (vf->seg->extent.number != 0)
		err = verify_sums(vf);
	if (sc->edit.found)
		verify_tell_edit(vf, sc->edit.at, sc->edit.first_seq,
		    sc->edit.last_seq, LOG_EDITED_TEXT);
	return err;
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
