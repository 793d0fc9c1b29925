/* SPDX-License-Identifier: BSD-2-Clause */

/* An editor of segments.  What he can't do is the test's failure. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/audit.h"
#include "tests/lib/editor.h"

void
editor_open(struct editor *ed, uint8_t *bytes, uint64_t size)
{
	struct frame_header f;
	uint32_t version;
	uint64_t at = SEGMENT_FRAMES;

	assert_true(size <= EDITOR_BYTES);
	*ed = (struct editor){ .bytes = bytes, .size = size };
	memcpy(ed->was, bytes, size);
	assert_int_equal(format_get_segment(bytes, &ed->header, &version),
	    FORMAT_SEGMENT_GOOD);
	for (; at < size - LOG_PAGE &&
	       format_get_frame(ed->was + at, ed->header.salt, &f);
	     at = ALIGN_UP(
		 at + LOG_FRAME_HEADER + f.payload_len, (uint64_t)LOG_PAGE)) {
		assert_true(ed->n < EDITOR_FRAMES);
		ed->frames[ed->n].at = at;
		ed->frames[ed->n++].len = LOG_FRAME_HEADER + f.payload_len;
	}
	ed->sealed = !format_is_zero(bytes + size - LOG_PAGE, LOG_PAGE);
}

unsigned
editor_frame_of(const struct editor *ed, uint64_t seq)
{
	for (unsigned i = 0; i < ed->n; i++) {
		const uint8_t *f = ed->was + ed->frames[i].at;

		if (seq >= frame_first_seq(f) &&
		    seq - frame_first_seq(f) < frame_n_events(f))
			return i;
	}
	fail_msg("event %d is not in the segment", (int)seq);
	return 0;
}

void
editor_change(struct editor *ed, uint64_t seq)
{
	uint8_t *f = ed->was + ed->frames[editor_frame_of(ed, seq)].at;
	uint8_t *p = f + LOG_FRAME_HEADER;

	for (uint64_t i = frame_first_seq(f); i < seq; i++)
		p += LOG_EVENT_HEADER + get_le32(p);
	p[LOG_EVENT_HEADER + get_le32(p) - 1] ^= 1;
	put_le32(p + 4, crc32c(0, p + LOG_EVENT_HEADER, get_le32(p)));
}

void
editor_swap(struct editor *ed, unsigned a, unsigned b)
{
	__typeof__(ed->frames[0]) frame = ed->frames[a];

	ed->frames[a] = ed->frames[b];
	ed->frames[b] = frame;
}

void
editor_remove(struct editor *ed, unsigned frame)
{
	ed->n--;
	memmove(ed->frames + frame, ed->frames + frame + 1,
	    (ed->n - frame) * sizeof(ed->frames[0]));
}

void
editor_repeat(struct editor *ed, unsigned from, unsigned before)
{
	__typeof__(ed->frames[0]) frame = ed->frames[from];

	assert_true(ed->n < EDITOR_FRAMES);
	memmove(ed->frames + before + 1, ed->frames + before,
	    (ed->n - before) * sizeof(ed->frames[0]));
	ed->frames[before] = frame;
	ed->n++;
}

static void
editor_put_header(struct editor *ed)
{
	format_put_segment(&ed->header, ed->bytes);
	memcpy(ed->bytes + LOG_PAGE, ed->bytes, LOG_PAGE);
}

/* The seal says what the frames say, which end at `at` with frame f. */
static void
editor_put_seal(struct editor *ed, const uint8_t *f, uint64_t at,
    uint64_t next_seq, uint64_t flush, const struct audit *audit)
{
	uint8_t *page = ed->bytes + ed->size - LOG_PAGE;
	struct segment_predecessor end = { .number = ed->header.number,
		.first_seq = ed->header.first_seq,
		.last_seq = next_seq - 1,
		.valid_length = at,
		.tail_crc = get_le32(f + FRAME_HEADER_CRC) };
	struct segment_footer footer = { .first_seq = end.first_seq,
		.last_seq = end.last_seq,
		.frames = ed->n,
		.valid_length = at,
		.tail_crc = end.tail_crc };

	audit_now(audit, end.digest);
	format_chain(&ed->header, &end);
	memcpy(footer.digest, end.digest, LOG_DIGEST);
	memcpy(footer.chain, end.chain, sizeof(footer.chain));
	format_put_seal(&footer, frame_time_us(f), page);
	format_stamp(page, ed->header.salt, next_seq - 1,
	    LOG_FRAME_HEADER + frame_payload_len(f), flush);
}

void
editor_close(struct editor *ed, enum editor_digests digests)
{
	uint64_t at = SEGMENT_FRAMES, seq = ed->header.first_seq, end = 0;
	uint64_t flush = get_le64(ed->was + at + FRAME_FLUSH);
	struct audit audit = { { NULL } };
	uint32_t before = 0;
	uint8_t *f = NULL;

	memset(ed->bytes + at, 0, ed->size - LOG_PAGE - at);
	audit_begin(&audit, &ed->header);
	for (unsigned i = 0; i < ed->n; i++) {
		size_t len = ed->frames[i].len;

		assert_true(at + len <= ed->size - LOG_PAGE);
		f = ed->bytes + at;
		memcpy(f, ed->was + ed->frames[i].at, len);
		put_le64(f + FRAME_FIRST_SEQ, seq);
		if (digests >= EDITOR_MARKS && frame_type_of(f) == FRAME_IDLE)
			audit_now(&audit, f + LOG_FRAME_HEADER);
		format_stamp(f, ed->header.salt, seq - 1, before, flush++);
		audit_add(&audit, f, len);
		seq += frame_n_events(f);
		before = (uint32_t)len;
		end = at + len;
		at = ALIGN_UP(end, (uint64_t)LOG_PAGE);
	}
	if (ed->sealed && digests >= EDITOR_SEAL)
		editor_put_seal(ed, f, end, seq, flush, &audit);
	audit_deinit(&audit);
}

void
editor_follow(struct editor *ed, const uint8_t *before, uint64_t size)
{
	struct segment_predecessor *pred = &ed->header.pred;
	struct segment_header header;
	struct segment_footer footer;
	struct frame_header frame;
	uint32_t version;

	assert_int_equal(
	    format_get_segment(before, &header, &version), FORMAT_SEGMENT_GOOD);
	assert_true(format_get_seal(
	    before + size - LOG_PAGE, &header, &footer, &frame));
	pred->last_seq = footer.last_seq;
	pred->valid_length = footer.valid_length;
	pred->tail_crc = footer.tail_crc;
	memcpy(pred->chain, footer.chain, sizeof(pred->chain));
	memcpy(pred->digest, footer.digest, LOG_DIGEST);
	editor_put_header(ed);
}
