/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Segment and frame format: the only file that knows an offset.  Whatever is
 * read here may be anything; what does not verify is refused, never fixed.
 */

#include <assert.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/sha256.h"
#include "log/format.h"
#include "log/format_priv.h"

void
frame_compose(uint8_t *frame, enum frame_type type, uint32_t n_events,
    uint64_t first_seq, uint64_t time_us, uint64_t keys_hash,
    uint32_t payload_len)
{
	assert(n_events <= UINT16_MAX);
	memset(frame, 0, LOG_FRAME_HEADER);
	put_le32(frame + FRAME_SYNC, FRAME_SYNC_WORD);
	put_le32(frame + FRAME_PAYLOAD_LEN, payload_len);
	frame[FRAME_TYPE] = (uint8_t)type;
	put_le16(frame + FRAME_N_EVENTS, (uint16_t)n_events);
	put_le64(frame + FRAME_FIRST_SEQ, first_seq);
	put_le64(frame + FRAME_TIME_US, time_us);
	put_le64(frame + FRAME_KEYS_HASH, keys_hash);
}

uint64_t
frame_keys_hash(uint64_t hash, struct slice key)
{
	return hash * 31 + crc32c(0, key.p, key.len);
}

enum frame_type
frame_type_of(const uint8_t *frame)
{
	return (enum frame_type)frame[FRAME_TYPE];
}

uint32_t
frame_payload_len(const uint8_t *frame)
{
	return get_le32(frame + FRAME_PAYLOAD_LEN);
}

uint32_t
frame_n_events(const uint8_t *frame)
{
	return get_le16(frame + FRAME_N_EVENTS);
}

uint64_t
frame_first_seq(const uint8_t *frame)
{
	return get_le64(frame + FRAME_FIRST_SEQ);
}

uint64_t
frame_time_us(const uint8_t *frame)
{
	return get_le64(frame + FRAME_TIME_US);
}

void
format_stamp(uint8_t *frame, uint32_t salt, uint64_t durable_seq,
    uint32_t prev_len, uint64_t flush)
{
	put_le64(frame + FRAME_DURABLE_SEQ, durable_seq);
	put_le32(frame + FRAME_PREV_LEN, prev_len);
	put_le64(frame + FRAME_FLUSH, flush);
	put_le32(frame + FRAME_PAYLOAD_CRC,
	    crc32c(salt, frame + LOG_FRAME_HEADER, frame_payload_len(frame)));
	put_le32(
	    frame + FRAME_HEADER_CRC, crc32c(salt, frame + FRAME_COVERED,
					  LOG_FRAME_HEADER - FRAME_COVERED));
}

bool
format_get_frame(const uint8_t *p, uint32_t salt, struct frame_header *frame)
{
	uint32_t crc = get_le32(p + FRAME_HEADER_CRC);

	if (get_le32(p + FRAME_SYNC) != FRAME_SYNC_WORD)
		return false;
	if (crc32c(salt, p + FRAME_COVERED, LOG_FRAME_HEADER - FRAME_COVERED) !=
	    crc)
		return false;
	frame->header_crc = crc;
	frame->type = p[FRAME_TYPE];
	frame->payload_len = get_le32(p + FRAME_PAYLOAD_LEN);
	frame->payload_crc = get_le32(p + FRAME_PAYLOAD_CRC);
	frame->prev_len = get_le32(p + FRAME_PREV_LEN);
	frame->n_events = get_le16(p + FRAME_N_EVENTS);
	frame->first_seq = get_le64(p + FRAME_FIRST_SEQ);
	frame->durable_seq = get_le64(p + FRAME_DURABLE_SEQ);
	frame->time_us = get_le64(p + FRAME_TIME_US);
	frame->keys_hash = get_le64(p + FRAME_KEYS_HASH);
	frame->flush = get_le64(p + FRAME_FLUSH);
	return true;
}

void
format_put_segment(const struct segment_header *seg, uint8_t page[LOG_PAGE])
{
	memset(page, 0, LOG_PAGE);
	put_le64(page + SEG_MAGIC, SEGMENT_MAGIC);
	put_le32(page + SEG_VERSION, seg->version);
	put_le32(page + SEG_SALT, seg->salt);
	memcpy(page + SEG_LOG_ID, seg->log_id, sizeof(seg->log_id));
	put_le64(page + SEG_EPOCH, seg->epoch);
	put_le64(page + SEG_NUMBER, seg->number);
	put_le64(page + SEG_FIRST_SEQ, seg->first_seq);
	put_le64(page + SEG_CAPACITY, seg->capacity);
	put_le32(page + SEG_INCARNATION, seg->incarnation);
	put_le64(page + SEG_PRED_NUMBER, seg->pred.number);
	put_le64(page + SEG_PRED_FIRST_SEQ, seg->pred.first_seq);
	put_le64(page + SEG_PRED_LAST_SEQ, seg->pred.last_seq);
	put_le64(page + SEG_PRED_VALID_LENGTH, seg->pred.valid_length);
	put_le32(page + SEG_PRED_TAIL_CRC, seg->pred.tail_crc);
	memcpy(page + SEG_PRED_CHAIN, seg->pred.chain, 32);
	memcpy(page + SEG_PRED_DIGEST, seg->pred.digest, LOG_DIGEST);
	put_le32(page + SEG_CRC, crc32c(0, page, SEG_CRC));
}

enum format_segment
format_get_segment(
    const uint8_t page[LOG_PAGE], struct segment_header *seg, uint32_t *version)
{
	uint32_t v = get_le32(page + SEG_VERSION);

	if (get_le64(page + SEG_MAGIC) != SEGMENT_MAGIC ||
	    get_le32(page + SEG_CRC) != crc32c(0, page, SEG_CRC))
		return FORMAT_SEGMENT_BAD;
	if (v > SEGMENT_VERSION || v < SEGMENT_VERSION_OLDEST) {
		*version = v;
		return FORMAT_SEGMENT_NEWER;
	}
	seg->version = v;
	seg->salt = get_le32(page + SEG_SALT);
	memcpy(seg->log_id, page + SEG_LOG_ID, sizeof(seg->log_id));
	seg->epoch = get_le64(page + SEG_EPOCH);
	seg->number = get_le64(page + SEG_NUMBER);
	seg->first_seq = get_le64(page + SEG_FIRST_SEQ);
	seg->capacity = get_le64(page + SEG_CAPACITY);
	seg->incarnation = get_le32(page + SEG_INCARNATION);
	seg->pred.number = get_le64(page + SEG_PRED_NUMBER);
	seg->pred.first_seq = get_le64(page + SEG_PRED_FIRST_SEQ);
	seg->pred.last_seq = get_le64(page + SEG_PRED_LAST_SEQ);
	seg->pred.valid_length = get_le64(page + SEG_PRED_VALID_LENGTH);
	seg->pred.tail_crc = get_le32(page + SEG_PRED_TAIL_CRC);
	memcpy(seg->pred.chain, page + SEG_PRED_CHAIN, 32);
	memcpy(seg->pred.digest, page + SEG_PRED_DIGEST, LOG_DIGEST);
	return FORMAT_SEGMENT_GOOD;
}

uint32_t
format_idle_len(uint32_t version)
{
	return version > 1 ? LOG_DIGEST : 0;
}

uint32_t
format_seal_len(uint32_t version)
{
	return version > 1 ? FOOTER_BYTES : FOOTER_BYTES_1;
}

void
format_put_seal(const struct segment_footer *footer, uint64_t time_us,
    uint8_t page[LOG_PAGE])
{
	uint8_t *p = page + LOG_FRAME_HEADER;

	memset(page, 0, LOG_PAGE);
	frame_compose(page, FRAME_SEAL, 0, footer->last_seq + 1, time_us, 0,
	    FOOTER_BYTES);
	put_le64(p + FOOTER_FIRST_SEQ, footer->first_seq);
	put_le64(p + FOOTER_LAST_SEQ, footer->last_seq);
	put_le64(p + FOOTER_FRAMES, footer->frames);
	put_le64(p + FOOTER_VALID_LENGTH, footer->valid_length);
	put_le32(p + FOOTER_TAIL_CRC, footer->tail_crc);
	memcpy(p + FOOTER_CHAIN, footer->chain, 32);
	memcpy(p + FOOTER_DIGEST, footer->digest, LOG_DIGEST);
}

bool
format_get_seal(const uint8_t page[LOG_PAGE], const struct segment_header *seg,
    struct segment_footer *footer, struct frame_header *frame)
{
	const uint8_t *p = page + LOG_FRAME_HEADER;
	uint32_t len = format_seal_len(seg->version);

	if (!format_get_frame(page, seg->salt, frame) ||
	    frame->type != FRAME_SEAL || frame->payload_len != len ||
	    frame->payload_crc != crc32c(seg->salt, p, len))
		return false;
	footer->first_seq = get_le64(p + FOOTER_FIRST_SEQ);
	footer->last_seq = get_le64(p + FOOTER_LAST_SEQ);
	footer->frames = get_le64(p + FOOTER_FRAMES);
	footer->valid_length = get_le64(p + FOOTER_VALID_LENGTH);
	footer->tail_crc = get_le32(p + FOOTER_TAIL_CRC);
	memcpy(footer->chain, p + FOOTER_CHAIN, 32);
	memset(footer->digest, 0, LOG_DIGEST);
	if (seg->version > 1)
		memcpy(footer->digest, p + FOOTER_DIGEST, LOG_DIGEST);
	return true;
}

void
format_chain(const struct segment_header *seg, struct segment_predecessor *at)
{
	uint8_t text[32 + 16 + 4 * 8 + 4 + LOG_DIGEST];
	size_t len = sizeof(text) - (seg->version > 1 ? 0 : LOG_DIGEST);

	memcpy(text, seg->pred.chain, 32);
	memcpy(text + 32, seg->log_id, 16);
	put_le64(text + 48, at->number);
	put_le64(text + 56, at->first_seq);
	put_le64(text + 64, at->last_seq);
	put_le64(text + 72, at->valid_length);
	put_le32(text + 80, at->tail_crc);
	memcpy(text + 84, at->digest, LOG_DIGEST);
	sha256(text, len, at->chain);
}

bool
format_is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}
