/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Segment and frame format, byte by byte in doc/formats.md: what other rooms
 * need of it.  Offsets and checks are in format_priv.h and format.c.
 */

#ifndef PEAL_LOG_FORMAT_H
#define PEAL_LOG_FORMAT_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

enum {
	LOG_PAGE = 4096,
	LOG_FRAME_HEADER = 64,
	LOG_EVENT_HEADER = 8, /* u32 length, u32 CRC32C, then the bytes */
	LOG_DIGEST = 32,      /* SHA-256 */
};

enum frame_type {
	FRAME_EVENTS = 1,
	FRAME_IDLE,
	FRAME_SEAL,
	FRAME_EPOCH,
	FRAME_ERASE, /* reserved */
	FRAME_GAP,   /* reserved */
};

/* What a segment's header says about the segment before it. */
struct segment_predecessor {
	uint64_t number; /* 0: this is the first segment */
	uint64_t first_seq;
	uint64_t last_seq;
	uint64_t
	    valid_length;  /* bytes of the file up to its last frame's end */
	uint32_t tail_crc; /* header CRC of its last frame */
	uint8_t chain[32]; /* SHA-256 chain up to and including it */
	/* Of its frames, see log/audit.h; zeros: of version 1 */
	uint8_t digest[LOG_DIGEST];
};

struct segment_header {
	uint32_t version; /* 1 or 2 */
	uint8_t log_id[16];
	uint64_t epoch;
	uint64_t number; /* from 1 on, without a gap */
	uint64_t first_seq;
	uint64_t capacity; /* bytes of the file */
	uint32_t incarnation;
	uint32_t salt; /* never 0; every CRC of a frame begins with it */
	struct segment_predecessor pred;
};

struct segment_footer {
	uint64_t first_seq;
	uint64_t last_seq; /* first_seq - 1: no events */
	uint64_t frames;   /* without the seal */
	uint64_t valid_length;
	uint32_t tail_crc;
	uint8_t chain[32];
	uint8_t digest[LOG_DIGEST];
};

/*
 * Compose: fill in the fields that the composer knows into the
 * LOG_FRAME_HEADER bytes at frame; the payload follows them.  The rest is
 * log_writer_stamp()'s.
 */
void frame_compose(uint8_t *frame, enum frame_type type, uint32_t n_events,
    uint64_t first_seq, uint64_t time_us, uint64_t keys_hash,
    uint32_t payload_len);

/*
 * The hash of a request's keys, one after another, from 0 on; of a request
 * without keys it is 0.
 */
uint64_t frame_keys_hash(uint64_t hash, struct slice key);

/* Of a composed frame in memory, before or after stamping. */
enum frame_type frame_type_of(const uint8_t *frame);
uint32_t frame_payload_len(const uint8_t *frame);
uint32_t frame_n_events(const uint8_t *frame);
uint64_t frame_first_seq(const uint8_t *frame);
uint64_t frame_time_us(const uint8_t *frame);

#endif
