/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Scan: walks the frames of one segment and says where they stop verifying.
 * What the stop means is for the caller to decide, with scan_ahead()'s help.
 */

#ifndef PEAL_LOG_SCAN_H
#define PEAL_LOG_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/audit.h"
#include "log/format_priv.h"
#include "log/segment.h"
#include "log/window.h"

struct reason;

struct scan {
	struct window win;
	char name[SEGMENT_NAME_SIZE];
	uint32_t salt;
	uint32_t idle_len; /* of an IDLE frame's payload */
	uint64_t limit;	   /* no frame reaches beyond */
	uint64_t at;	   /* end of the last frame that verified */
	uint64_t frame_at; /* its beginning */
	uint64_t next_seq;
	/* Of that frame; its successor must carry on from them. */
	bool linked; /* false: the next frame's links are not known */
	uint32_t prev_len;
	uint64_t flush;
	/* Totals. */
	uint64_t frames;
	uint64_t time_us;
	uint32_t tail_crc;
	/* Header and payload of the last frame, where they are kept. */
	bool keep;
	uint8_t head[LOG_FRAME_HEADER];
	uint8_t *payload;
	size_t payload_cap;
	/*
	 * Of its events so many verify, from the first on; all of them only
	 * where nothing else is in it.
	 */
	uint32_t good_events;
	/* Digest of what was scanned, where that was asked for. */
	const struct segment_header *audited; /* of this segment; or NULL */
	struct audit audit;
	bool idle;		  /* IDLE frames are behind the last event */
	uint8_t mark[LOG_DIGEST]; /* before these */
	uint64_t agreed; /* events before were those of a digest in the log */
	struct scan_edit {
		bool found;  /* a digest that is not that of the frames */
		uint64_t at; /* offset where it was due */
		uint64_t first_seq, last_seq; /* the first edited is of them */
	} edit;
};

/*
 * Scan the segment open as fd (borrowed), a file of bytes, up to limit: its
 * extent where that is known, else up to the seal's page.  keep: hold on to
 * each frame's bytes.  To be ended with scan_deinit().  Below zero: why.
 */
MUST_CHECK int scan_init(struct scan *sc, const struct sysio *io, int fd,
    const struct segment *seg, bool keep, struct reason *why);
void scan_deinit(struct scan *sc);
/*
 * Sum up seg, which outlives the scan, from its first frame on, and compare
 * with what its IDLE frames say.  Until scan_jump(), which leaves some out.
 */
void scan_audit(struct scan *sc, const struct segment *seg);

/* Back to the first frame. */
void scan_rewind(struct scan *sc, const struct segment *seg);
/* Go on at the frame that should begin at offset with seq. */
void scan_jump(struct scan *sc, uint64_t offset, uint64_t seq);

enum scan_next {
	SCAN_STOP = 0, /* nothing that verifies and carries on follows */
	SCAN_FRAME,
};

/*
 * Step over the next frame.  -ENOTSUP: a verified frame of a type that this
 * version does not know.
 */
MUST_CHECK int scan_next(
    struct scan *sc, struct frame_header *frame, struct reason *why);

/* What stands behind the last frame that verified, up to the file's end. */
struct scan_ahead {
	uint64_t end; /* behind the last byte that is not zero; 0: all are */
	bool found;   /* a frame header verifies somewhere */
	uint64_t found_at;
	uint64_t durable_seq; /* the largest of all those */
};

/*
 * Look at everything behind the stop.  A header that verifies counts even
 * where its payload does not: its durable_seq was true when it was written.
 */
MUST_CHECK int scan_ahead(
    struct scan *sc, struct scan_ahead *ahead, struct reason *why);

/* Forget what was read: the file may have grown on. */
void scan_refresh(struct scan *sc);

/*
 * After a stop in damaged frames: jump to the next one that verifies whole
 * and is not of the past.  *found says whether there is one; its first event
 * is sc->next_seq then.
 */
MUST_CHECK int scan_resync(struct scan *sc, bool *found, struct reason *why);

/* Does what was scanned end as at says?  For a scan that has stopped. */
bool scan_agrees(const struct scan *sc, const struct segment_predecessor *at);
/*
 * Are all its events there, though it need not agree?  What is missing then
 * is an IDLE frame, which nothing depends on any more.
 */
bool scan_complete(const struct scan *sc, const struct segment_predecessor *at);
/* The digest of all that was scanned; zeros where it is not summed up. */
void scan_digest(const struct scan *sc, uint8_t digest[LOG_DIGEST]);
/* The same at the last frame with events. */
void scan_head(const struct scan *sc, uint8_t digest[LOG_DIGEST]);
/*
 * Compare the digest of a segment, all of whose frames were scanned, with what
 * its seal or its successor says: sc->edit is set where they differ.
 */
void scan_compare(struct scan *sc, const struct segment_predecessor *at);

#endif
