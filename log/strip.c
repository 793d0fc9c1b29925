/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Stripping, both ways with one walk.  A number is replaced by its difference
 * from what is expected, a sum by its difference from the computed one, so
 * that a frame that is not right in every point comes back as it was, too.
 * Where the next frame is must be told from what stays: sync word, type,
 * number of events and length of the payload.
 */

#include <string.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "core/mp.h"
#include "core/mp_put_priv.h"
#include "log/format_priv.h"
#include "log/strip.h"

enum {
	EVENT_KEY_MAX = 64,
	EVENT_HEAD = 1 /* of its array */
};

/* What the next frame is expected to say. */
struct strip {
	uint32_t salt;
	bool restore;
	uint64_t seq;
	uint64_t undurable; /* events from durable_seq to the first */
	uint64_t time_us;
	uint64_t flush;
	uint32_t len;
};

size_t
strip_find(const uint8_t *p, size_t n, uint32_t salt)
{
	const uint8_t *hit = p, *end = p + n;
	struct frame_header f;
	uint8_t sync[4];

	put_le32(sync, FRAME_SYNC_WORD);
	while (end - hit >= LOG_FRAME_HEADER) {
		hit = memmem(hit, (size_t)(end - hit), sync, sizeof(sync));
		if (!hit || end - hit < LOG_FRAME_HEADER)
			break;
		if (format_get_frame(hit, salt, &f))
			return (size_t)(hit - p);
		hit++;
	}
	return n;
}

/* A sum that was right is zero. */
size_t
strip_find_stripped(const uint8_t *p, size_t n)
{
	uint8_t head[FRAME_HEADER_CRC + 4] = { 0 };
	const uint8_t *hit;

	put_le32(head, FRAME_SYNC_WORD);
	hit = memmem(p, n, head, sizeof(head));
	return hit && n - (size_t)(hit - p) >= LOG_FRAME_HEADER
		   ? (size_t)(hit - p)
		   : n;
}

/* Replace the number at p; returns the true one. */
static uint64_t
strip_u64(const struct strip *s, uint8_t *p, uint64_t expected)
{
	uint64_t was = get_le64(p);
	uint64_t is = s->restore ? was + expected : was - expected;

	put_le64(p, is);
	return s->restore ? is : was;
}

static uint32_t
strip_u32(const struct strip *s, uint8_t *p, uint32_t expected)
{
	uint32_t was = get_le32(p);
	uint32_t is = s->restore ? was + expected : was - expected;

	put_le32(p, is);
	return s->restore ? is : was;
}

/* The event begins with its seq and its frame's time, as event_encode() does. */
static void
strip_event(uint8_t *event, size_t len, uint64_t seq, uint64_t time_us)
{
	uint8_t expected[32], *end;
	size_t n;

	end = mp_put_uint(mp_put_uint(expected, seq), time_us);
	n = MIN((size_t)(end - expected), len - MIN(len, (size_t)EVENT_HEAD));
	for (size_t i = 0; i < n; i++)
		event[EVENT_HEAD + i] ^= expected[i];
}

/* The events of one frame, as far as their lengths make sense. */
static void
strip_events(const struct strip *s, uint8_t *p, size_t left, uint32_t n,
    uint64_t seq, uint64_t time_us)
{
	for (uint32_t i = 0; i < n && left >= LOG_EVENT_HEADER; i++) {
		uint8_t *event = p + LOG_EVENT_HEADER;
		uint32_t len, sum = 0;

		left -= LOG_EVENT_HEADER;
		/* The last one takes what is left. */
		len = strip_u32(s, p, i + 1 == n ? (uint32_t)left : 0);
		if (len > left)
			return;
		if (!s->restore)
			sum = crc32c(0, event, len);
		strip_event(event, len, seq + i, time_us);
		if (s->restore)
			sum = crc32c(0, event, len);
		put_le32(p + 4, get_le32(p + 4) ^ sum);
		left -= len;
		p = event + len;
	}
}

/* The hash of the keys that whole events name. */
static uint64_t
strip_keys_hash(const uint8_t *p, size_t left, uint32_t n)
{
	uint64_t hash = 0;

	for (uint32_t i = 0; i < n && left >= LOG_EVENT_HEADER; i++) {
		uint32_t len = get_le32(p);
		struct slice key;
		struct event ev;
		struct mp_walk w;

		left -= LOG_EVENT_HEADER;
		p += LOG_EVENT_HEADER;
		if (len > left || event_decode(slice_of(p, len), &ev, NULL) < 0)
			break;
		w = mp_walk(event_meta_get(ev.meta, "key"));
		if (!mp_next_str(&w, 1, EVENT_KEY_MAX, &key))
			break;
		hash = frame_keys_hash(hash, key);
		left -= len;
		p += len;
	}
	return hash;
}

/*
 * 0 stays, which saves looking at the events of frames without keys; what is
 * expected and 1 change places.
 */
static void
strip_keys(uint8_t *at, const uint8_t *payload, size_t len, uint32_t n)
{
	uint64_t expected, hash = get_le64(at);

	if (hash == 0)
		return;
	expected = strip_keys_hash(payload, len, n);
	if (expected == 0)
		return;
	if (hash == expected)
		put_le64(at, 1);
	else if (hash == 1)
		put_le64(at, expected);
}

/* The numbers of the header; *seq and *time_us are the true ones. */
static void
strip_numbers(struct strip *s, uint8_t *frame, uint64_t *seq, uint64_t *time_us)
{
	uint8_t *durable = frame + FRAME_DURABLE_SEQ;
	uint64_t first;

	first = *seq = strip_u64(s, frame + FRAME_FIRST_SEQ, s->seq);
	s->seq = first + frame_n_events(frame);
	s->undurable = first - strip_u64(s, durable, first - s->undurable);
	*time_us = strip_u64(s, frame + FRAME_TIME_US, s->time_us);
	s->time_us = *time_us;
	(void)strip_u32(s, frame + FRAME_PREV_LEN, s->len);
	s->len = LOG_FRAME_HEADER + frame_payload_len(frame);
	s->flush = strip_u64(s, frame + FRAME_FLUSH, s->flush);
}

static void
strip_xor(uint8_t *at, uint32_t sum)
{
	put_le32(at, get_le32(at) ^ sum);
}

static uint32_t
strip_header_sum(const struct strip *s, const uint8_t *frame)
{
	return crc32c(
	    s->salt, frame + FRAME_COVERED, LOG_FRAME_HEADER - FRAME_COVERED);
}

/* Each step changes what the ones behind it are computed from. */
static void
strip_frame(struct strip *s, uint8_t *frame, size_t len)
{
	uint8_t *payload = frame + LOG_FRAME_HEADER;
	uint32_t n = frame_n_events(frame);
	uint64_t seq, time_us;

	if (s->restore) {
		strip_numbers(s, frame, &seq, &time_us);
		strip_events(s, payload, len, n, seq, time_us);
		strip_keys(frame + FRAME_KEYS_HASH, payload, len, n);
		strip_xor(
		    frame + FRAME_PAYLOAD_CRC, crc32c(s->salt, payload, len));
		strip_xor(frame + FRAME_HEADER_CRC, strip_header_sum(s, frame));
	} else {
		strip_xor(frame + FRAME_HEADER_CRC, strip_header_sum(s, frame));
		strip_xor(
		    frame + FRAME_PAYLOAD_CRC, crc32c(s->salt, payload, len));
		strip_keys(frame + FRAME_KEYS_HASH, payload, len, n);
		strip_numbers(s, frame, &seq, &time_us);
		strip_events(s, payload, len, n, seq, time_us);
	}
}

/* Is a whole frame at `at`?  *len: of its payload. */
static bool
strip_is_frame(const uint8_t *p, size_t n, size_t at, size_t *len)
{
	if (at > n || n - at < LOG_FRAME_HEADER ||
	    get_le32(p + at) != FRAME_SYNC_WORD)
		return false;
	*len = frame_payload_len(p + at);
	return *len <= n - at - LOG_FRAME_HEADER;
}

static void
strip_walk(struct strip s, uint8_t *p, size_t n, size_t at)
{
	size_t len;

	for (;;) {
		if (!strip_is_frame(p, n, at, &len)) {
			at = ALIGN_UP(at, (size_t)LOG_PAGE);
			if (!strip_is_frame(p, n, at, &len))
				return;
		}
		strip_frame(&s, p + at, len);
		at += LOG_FRAME_HEADER + len;
	}
}

void
strip_frames(uint8_t *p, size_t n, size_t at, uint32_t salt)
{
	strip_walk((struct strip){ .salt = salt }, p, n, at);
}

void
strip_restore(uint8_t *p, size_t n, size_t at, uint32_t salt)
{
	strip_walk((struct strip){ .salt = salt, .restore = true }, p, n, at);
}
