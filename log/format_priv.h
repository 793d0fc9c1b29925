/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Segment and frame format as bytes: the offsets of doc/formats.md, and the
 * functions that turn them into numbers and back.  For log/ alone.
 *
 *	0      4096   8192                     capacity - 4096    capacity
 *	header header frame frame 0… frame 0… …            seal
 *	              `-- one flush --'
 */

#ifndef PEAL_LOG_FORMAT_PRIV_H
#define PEAL_LOG_FORMAT_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "log/format.h"

/* "peal.seg", "peal.idx", "peal.wit", "peal.flr", "peal.bas",
 * "peal.sgz" and "peal.sum". */
#define SEGMENT_MAGIC UINT64_C(0x6765732e6c616570)
#define INDEX_MAGIC   UINT64_C(0x7864692e6c616570)
#define WITNESS_MAGIC UINT64_C(0x7469772e6c616570)
#define FLOOR_MAGIC   UINT64_C(0x726c662e6c616570)
#define BASE_MAGIC    UINT64_C(0x7361622e6c616570)
#define PACK_MAGIC    UINT64_C(0x7a67732e6c616570)
#define SUMS_MAGIC    UINT64_C(0x6d75732e6c616570)

enum {
	SEGMENT_VERSION = 2,
	SEGMENT_VERSION_OLDEST = 1, /* without digests; read, never written */
	SEGMENT_HEADERS = 2,	    /* copies, a page each, from offset 0 on */
	SEGMENT_FRAMES = SEGMENT_HEADERS * LOG_PAGE, /* offset of the first */
	/* Two headers, a frame, a page for an idle frame, the seal. */
	SEGMENT_BYTES_MIN = SEGMENT_FRAMES + 3 * LOG_PAGE,
};

/* No configuration asks for more; zeros that a file only names are bounded. */
#define SEGMENT_BYTES_MAX (UINT64_C(1) << 40)

/* Segment header; what is not named here is zero. */
enum {
	SEG_MAGIC = 0,
	SEG_VERSION = 8,
	SEG_SALT = 12,
	SEG_LOG_ID = 16,
	SEG_EPOCH = 32,
	SEG_NUMBER = 40,
	SEG_FIRST_SEQ = 48,
	SEG_CAPACITY = 56,
	SEG_INCARNATION = 64,
	SEG_PRED_NUMBER = 72,
	SEG_PRED_FIRST_SEQ = 80,
	SEG_PRED_LAST_SEQ = 88,
	SEG_PRED_VALID_LENGTH = 96,
	SEG_PRED_TAIL_CRC = 104,
	SEG_PRED_CHAIN = 112,
	SEG_PRED_DIGEST = 144,
	SEG_END = 176,
	SEG_CRC = LOG_PAGE - 4,
};

/* Frame header. */
#define FRAME_SYNC_WORD UINT32_C(0xf17a6ed5)

enum {
	FRAME_SYNC = 0,
	FRAME_HEADER_CRC = 4,
	FRAME_COVERED = 8, /* the header CRC covers what is from here on */
	FRAME_PAYLOAD_LEN = 8,
	FRAME_TYPE = 12,
	FRAME_FLAGS = 13,
	FRAME_N_EVENTS = 14,
	FRAME_FIRST_SEQ = 16,
	FRAME_DURABLE_SEQ = 24,
	FRAME_TIME_US = 32,
	FRAME_PAYLOAD_CRC = 40,
	FRAME_PREV_LEN = 44,
	FRAME_KEYS_HASH = 48,
	FRAME_FLUSH = 56,
};

/* Footer: the payload of the seal. */
enum {
	FOOTER_FIRST_SEQ = 0,
	FOOTER_LAST_SEQ = 8,
	FOOTER_FRAMES = 16,
	FOOTER_VALID_LENGTH = 24,
	FOOTER_TAIL_CRC = 32,
	FOOTER_CHAIN = 40,
	FOOTER_BYTES_1 = 72, /* of version 1 */
	FOOTER_DIGEST = 72,
	FOOTER_BYTES = 104,
};

_Static_assert(SEG_PRED_DIGEST + LOG_DIGEST == SEG_END, "segment header");
_Static_assert(FRAME_FLUSH + 8 == LOG_FRAME_HEADER, "frame header");
_Static_assert(FOOTER_DIGEST + LOG_DIGEST == FOOTER_BYTES, "footer");
_Static_assert(LOG_FRAME_HEADER + FOOTER_BYTES <= LOG_PAGE, "seal");

struct frame_header {
	enum frame_type type;
	uint32_t header_crc;
	uint32_t payload_len;
	uint32_t payload_crc;
	uint32_t prev_len;
	uint32_t n_events;
	uint64_t first_seq;
	uint64_t durable_seq;
	uint64_t time_us;
	uint64_t keys_hash;
	uint64_t flush;
};

void format_put_segment(
    const struct segment_header *seg, uint8_t page[LOG_PAGE]);

enum format_segment {
	FORMAT_SEGMENT_GOOD = 0,
	FORMAT_SEGMENT_BAD,
	FORMAT_SEGMENT_NEWER, /* whole, but *version is not ours */
};

/* *seg or *version is set as the outcome says. */
MUST_CHECK enum format_segment format_get_segment(const uint8_t page[LOG_PAGE],
    struct segment_header *seg, uint32_t *version);

/* Set what depends on the segment, then both CRCs. */
void format_stamp(uint8_t *frame, uint32_t salt, uint64_t durable_seq,
    uint32_t prev_len, uint64_t flush);

/*
 * Read the LOG_FRAME_HEADER bytes at p.  false when they do not verify under
 * salt; the payload is not looked at.
 */
MUST_CHECK bool format_get_frame(
    const uint8_t *p, uint32_t salt, struct frame_header *frame);

/* Bytes of an IDLE frame's payload, and of the seal's, by the version. */
uint32_t format_idle_len(uint32_t version);
uint32_t format_seal_len(uint32_t version);

/* A whole seal page, but for what format_stamp() sets. */
void format_put_seal(const struct segment_footer *footer, uint64_t time_us,
    uint8_t page[LOG_PAGE]);
/* false when the page is no seal of seg's that verifies. */
MUST_CHECK bool format_get_seal(const uint8_t page[LOG_PAGE],
    const struct segment_header *seg, struct segment_footer *footer,
    struct frame_header *frame);

/* The chain hash of the segment seg, which is at, put into at->chain. */
void format_chain(
    const struct segment_header *seg, struct segment_predecessor *at);

bool format_is_zero(const uint8_t *p, size_t len);

#endif
