/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Stripped frames: what follows from the rest is zero, and whatever the bytes
 * were, they come back.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "core/mp.h"
#include "log/format_priv.h"
#include "log/strip.h"
#include "tests/lib/seed.h"

enum {
	SALT = 0x5a17,
	BLOCK = 32 << 10,
	FIRST = 2 * LOG_PAGE,
	FRAMES = 40,
	TRIES = 20000
};

struct block {
	uint8_t was[BLOCK], p[BLOCK];
	size_t frame[FRAMES]; /* where they begin */
	size_t end;
};

/* An event with a key; returns its end. */
static uint8_t *
put_event(uint8_t *at, uint64_t seq, uint64_t time_us, struct slice key)
{
	CLEANUP(mp_buf_deinit) struct mp_buf meta = { 0 };
	struct event ev = { .seq = seq,
		.time_us = time_us,
		.version = seq,
		.topic = slice_cstr("repo.core"),
		.type = slice_cstr("file_changed"),
		.actor = slice_cstr("ada"),
		.data = slice_cstr("\x01") };
	uint8_t *bytes = at + LOG_EVENT_HEADER, *end;

	if (key.len > 0) {
		mp_pack_map(&meta, 1);
		mp_pack_cstr(&meta, "key");
		mp_pack_str(&meta, key);
		ev.meta = slice_of(meta.p, meta.len);
	}
	end = event_encode(&ev, bytes);
	put_le32(at, (uint32_t)(end - bytes));
	put_le32(at + 4, crc32c(0, bytes, (size_t)(end - bytes)));
	return end;
}

/* The nth frame: 1 to 3 events, with keys unless n is even. */
static size_t
put_frame(uint8_t *frame, unsigned n, uint64_t *seq, uint32_t prev_len)
{
	static const char keys[] = "0123456789abcdef0123456789abcdef";
	uint8_t *at = frame + LOG_FRAME_HEADER;
	uint64_t time_us = 1700000000000000 + 1000 * n, hash = 0;
	uint32_t events = 1 + n % 3;

	for (uint32_t i = 0; i < events; i++) {
		struct slice key = slice_of(keys + n % 8, n % 2 ? 20 : 0);

		at = put_event(at, *seq + i, time_us, key);
		if (key.len > 0)
			hash = frame_keys_hash(hash, key);
	}
	frame_compose(frame, FRAME_EVENTS, events, *seq, time_us, hash,
	    (uint32_t)(at - frame) - LOG_FRAME_HEADER);
	format_stamp(frame, SALT, *seq - 1 - n % 2, prev_len, 1 + n / 5);
	*seq += events;
	return (size_t)(at - frame);
}

/* Five frames a flush, each of which begins on a page. */
static void
fill(struct block *b)
{
	uint64_t seq = 70000;
	size_t at = FIRST, len = 0;

	memset(b, 0, sizeof(*b));
	for (unsigned n = 0; n < FRAMES; n++) {
		if (n % 5 == 0)
			at = ALIGN_UP(at, (size_t)LOG_PAGE);
		if (at > BLOCK - LOG_PAGE)
			break;
		b->frame[n] = at;
		len = put_frame(b->was + at, n, &seq, (uint32_t)len);
		at += len;
	}
	b->end = at;
	memcpy(b->p, b->was, BLOCK);
}

static void
what_follows_from_the_rest_is_zero(void **state)
{
	/* A frame with a key in the middle of a flush. */
	static const struct {
		size_t at, len;
	} zero[] = {
		{ FRAME_HEADER_CRC, 4 },
		{ FRAME_FIRST_SEQ, 8 },
		{ FRAME_PAYLOAD_CRC, 4 },
		{ FRAME_PREV_LEN, 4 },
		{ FRAME_FLUSH, 8 },
		/* Length and sum; seq and time. */
		{ LOG_FRAME_HEADER, 8 },
		{ LOG_FRAME_HEADER + LOG_EVENT_HEADER + 1, 5 + 9 },
	};
	struct block b;
	const uint8_t *frame;

	(void)state;
	fill(&b);
	strip_frames(b.p, BLOCK, strip_find(b.p, BLOCK, SALT), SALT);
	frame = b.p + b.frame[3];
	assert_int_equal(get_le16(frame + FRAME_N_EVENTS), 1);
	for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		if (!format_is_zero(frame + zero[i].at, zero[i].len))
			fail_msg("at %zu", zero[i].at);
	assert_int_equal(get_le64(frame + FRAME_KEYS_HASH), 1);
	assert_int_equal(get_le64(frame + FRAME_TIME_US), 1000);
	strip_restore(b.p, BLOCK, FIRST, SALT);
	assert_memory_equal(b.p, b.was, BLOCK);
}

static void
the_first_frame_is_found_where_one_verifies(void **state)
{
	struct block b;

	(void)state;
	fill(&b);
	put_le32(b.p + 100, FRAME_SYNC_WORD);
	assert_int_equal(strip_find(b.p, BLOCK, SALT), FIRST);
	assert_int_equal(strip_find(b.p, BLOCK, SALT + 1), BLOCK);
	/* A header that the end cuts is none, one that it does not is one. */
	assert_int_equal(strip_find(b.p, FIRST + LOG_FRAME_HEADER - 1, SALT),
	    FIRST + LOG_FRAME_HEADER - 1);
	assert_int_equal(
	    strip_find(b.p, FIRST + LOG_FRAME_HEADER, SALT), FIRST);
	b.p[FIRST + 20] ^= 1;
	assert_int_equal(strip_find(b.p, BLOCK, SALT), b.frame[1]);
}

/* A frame that the block's end cuts off stays, and so does what is behind. */
static void
what_the_end_cuts_off_stays(void **state)
{
	struct block b;

	(void)state;
	fill(&b);
	for (unsigned i = 0; i < 10; i++) {
		size_t at = b.frame[i];
		size_t end =
		    at + LOG_FRAME_HEADER + frame_payload_len(b.was + at);

		for (size_t n = at; n < end; n++) {
			memcpy(b.p, b.was, BLOCK);
			strip_frames(b.p, n, at, SALT);
			assert_memory_equal(b.p, b.was, BLOCK);
		}
		strip_frames(b.p, end, at, SALT);
		assert_memory_not_equal(b.p + at, b.was + at, end - at);
		assert_memory_equal(b.p + end, b.was + end, BLOCK - end);
	}
}

static uint64_t random_state;

static uint64_t
draw(uint64_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (random_state >> 33) % n;
}

/* Some bytes anew: single bits, numbers that are extreme, whole runs. */
static void
spoil(struct block *b)
{
	static const uint8_t extreme[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint64_t n = 1 + draw(8);

	while (n-- > 0) {
		size_t at = b->frame[draw(12)] + draw(160);
		size_t len = 1 + draw(9);

		switch (draw(3)) {
		case 0:
			b->p[at] ^= (uint8_t)(1 << draw(8));
			break;
		case 1:
			memset(b->p + at, extreme[draw(sizeof(extreme))], len);
			break;
		default:
			for (size_t i = 0; i < len; i++)
				b->p[at + i] = (uint8_t)draw(256);
			break;
		}
	}
}

static void
any_bytes_come_back(void **state)
{
	struct block b, before;
	unsigned changed = 0;

	(void)state;
	fill(&b);
	random_state = seed_draw();
	for (unsigned i = 0; i < TRIES; i++) {
		size_t n = draw(4) ? BLOCK : draw(BLOCK + 1);
		size_t at = draw(2) ? FIRST : draw(BLOCK + 9);

		memcpy(b.p, b.was, BLOCK);
		spoil(&b);
		/* What never was stripped, as in a damaged file. */
		if (draw(2))
			strip_restore(b.p, n, at, SALT);
		memcpy(before.p, b.p, BLOCK);
		strip_frames(b.p, n, at, SALT);
		changed += memcmp(before.p, b.p, BLOCK) != 0;
		strip_restore(b.p, n, at, SALT);
		assert_memory_equal(b.p, before.p, BLOCK);
	}
	assert_true(changed > TRIES / 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_from_the_rest_is_zero),
		cmocka_unit_test(the_first_frame_is_found_where_one_verifies),
		cmocka_unit_test(what_the_end_cuts_off_stays),
		cmocka_unit_test(any_bytes_come_back),
	};

	return cmocka_run_group_tests_name("log_strip", tests, NULL, NULL);
}
