/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Headless segments.  A CRC is linear in the value from which it starts, so
 * that one frame header gives away the salt; the payload, whose CRC starts
 * from it, too, says whether it was a frame.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "log/format_priv.h"
#include "log/headless.h"
#include "log/scan.h"

/* Gaussian elimination over GF(2): which start values give the difference? */
uint32_t
headless_salt(const uint8_t frame[LOG_FRAME_HEADER])
{
	const uint8_t *p = frame + FRAME_COVERED;
	const size_t len = LOG_FRAME_HEADER - FRAME_COVERED;
	uint32_t zero = crc32c(0, p, len);
	uint32_t left = get_le32(frame + FRAME_HEADER_CRC) ^ zero, salt = 0;
	struct {
		uint32_t gives, start;
	} by_bit[32] = { 0 };

	for (int i = 0; i < 32; i++) {
		uint32_t start = UINT32_C(1) << i;
		uint32_t gives = crc32c(start, p, len) ^ zero;

		for (int k = 31; k >= 0 && gives != 0; k--) {
			if (!(gives >> k & 1))
				continue;
			if (by_bit[k].gives == 0) {
				by_bit[k].gives = gives;
				by_bit[k].start = start;
				break;
			}
			gives ^= by_bit[k].gives;
			start ^= by_bit[k].start;
		}
	}
	for (int k = 31; k >= 0; k--) {
		if (left >> k & 1) {
			left ^= by_bit[k].gives;
			salt ^= by_bit[k].start;
		}
	}
	return salt;
}

struct headless_search {
	struct segment with; /* as if it had a header */
	struct scan look;    /* for its window */
	struct scan try;
	bool found;
	uint32_t salt;	 /* of the frames that were found */
	uint64_t behind; /* the last of them that carry on from each other */
	struct reason *why;
};

/*
 * An IDLE frame says of which version its segment is: where it is taken for
 * one of another, it and what is behind it carry on from nothing.
 */
static void
headless_learn(struct headless_search *hl, const uint8_t *p)
{
	struct frame_header f;

	if (!hl->found || !format_get_frame(p, hl->salt, &f) ||
	    f.type != FRAME_IDLE)
		return;
	for (uint32_t v = SEGMENT_VERSION_OLDEST; v <= SEGMENT_VERSION; v++)
		if (f.payload_len == format_idle_len(v))
			hl->with.header.version = v;
}

/*
 * Look at the frame header that was found at offset; 0 or -errno.  What lies
 * in a frame that verifies is no frame, but where that one is damaged an
 * event's bytes may look like one.
 */
static int
headless_try(struct headless_search *hl, uint64_t offset, const uint8_t *p)
{
	uint64_t first_seq = get_le64(p + FRAME_FIRST_SEQ);
	struct frame_header frame;
	int got;

	if (offset < hl->behind)
		return 0;
	headless_learn(hl, p);
	if (p[FRAME_TYPE] != FRAME_EVENTS ||
	    first_seq < hl->with.header.first_seq)
		return 0;
	hl->try.salt = headless_salt(p);
	scan_jump(&hl->try, offset, first_seq);
	got = scan_next(&hl->try, &frame, hl->why);
	if (got != SCAN_FRAME || hl->try.frame_at != offset)
		return MIN(got, 0);
	if (hl->found && hl->try.salt != hl->salt)
		return reason_say(hl->why, -EBADMSG,
		    "'%s' has no header, and what looks like its frames is of "
		    "two segments, at offset %" PRIu64 " for one: restore it "
		    "from a backup",
		    hl->with.name, offset);
	hl->found = true;
	hl->salt = hl->try.salt;
	while (got == SCAN_FRAME) {
		hl->behind = hl->try.at;
		got = scan_next(&hl->try, &frame, hl->why);
	}
	return got;
}

/* Look through n bytes at p, which are those at offset. */
static int
headless_look(
    struct headless_search *hl, const uint8_t *p, size_t n, uint64_t offset)
{
	const uint8_t *end = p + n, *hit = p;
	uint8_t sync[4];
	int got = 0;

	put_le32(sync, FRAME_SYNC_WORD);
	while (got == 0 && end - hit >= LOG_FRAME_HEADER) {
		hit = memmem(hit, (size_t)(end - hit), sync, sizeof(sync));
		if (!hit || end - hit < LOG_FRAME_HEADER)
			break;
		got = headless_try(hl, offset + (uint64_t)(hit - p), hit);
		hit++;
	}
	return got;
}

static int
headless_run(struct headless_search *hl)
{
	uint64_t offset = SEGMENT_FRAMES;
	const uint8_t *p;
	int got = 0;

	while (got == 0) {
		ssize_t n;

		offset = window_data(&hl->look.win, offset);
		n = window_get(&hl->look.win, offset, &p);
		if (n < 0)
			return reason_set(
			    hl->why, (int)n, "cannot read '%s'", hl->with.name);
		if (n < LOG_FRAME_HEADER)
			return hl->found ? HEADLESS_FOUND : HEADLESS_NONE;
		got = headless_look(hl, p, (size_t)n, offset);
		/* A header may lie across the pieces. */
		offset += (uint64_t)(n - LOG_FRAME_HEADER + 1);
	}
	return got;
}

int
headless_find(
    const struct sysio *io, int fd, struct segment *s, struct reason *why)
{
	struct headless_search hl = { .with = *s, .why = why };
	int got;

	if (s->file_bytes < SEGMENT_BYTES_MIN)
		return HEADLESS_NONE;
	hl.with.headed = true;
	hl.with.header = (struct segment_header){
		.version = SEGMENT_VERSION,
		.first_seq = s->name_first_seq,
		/* The seal is no frame, and what was cut off has none. */
		.capacity = s->file_bytes + LOG_PAGE,
		.incarnation = s->name_incarnation,
	};
	got = scan_init(&hl.look, io, fd, &hl.with, false, why);
	if (got < 0)
		return got;
	got = scan_init(&hl.try, io, fd, &hl.with, false, why);
	if (got == 0) {
		got = headless_run(&hl);
		scan_deinit(&hl.try);
	}
	scan_deinit(&hl.look);
	if (got == HEADLESS_FOUND) {
		hl.with.header.salt = hl.salt;
		*s = hl.with;
	}
	return got;
}
