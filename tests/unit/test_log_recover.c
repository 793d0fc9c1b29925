/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where the log ends: what was never acknowledged is left behind, what was
 * acknowledged is missed aloud, and nothing is changed then.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/format_priv.h"
#include "log/witness.h"
#include "tests/lib/modelfix.h"

static void
a_torn_last_frame_is_left_behind_whole_requests_at_a_time(void **state)
{
	struct modelfix *m = *state;
	uint8_t old[LOG_PAGE], zeros[LOG_PAGE] = { 0 };
	size_t len = LOG_FRAME_HEADER;
	struct modelfix_edit cut = { modelfix_page(1), LOG_PAGE, old };
	const char *name;
	int fd;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 2);
	logfix_fill(&m->fx, 1, 5);
	name = modelfix_named(m, 1);
	fd = sysio_openat(m->fx.io, m->fx.dirfd, name, 0, 0);
	assert_int_equal(
	    sysio_pread(m->fx.io, fd, old, LOG_PAGE, modelfix_page(1)),
	    LOG_PAGE);
	(void)sysio_close(m->fx.io, fd);
	len += frame_payload_len(old);
	for (size_t kept = 0; kept < len; kept++) {
		struct modelfix_edit e = { modelfix_page(1), len, zeros };

		memcpy(zeros, old, kept);
		filemodel_edit(m->fm, name, modelfix_apply_edit, &e);
		memset(zeros, 0, sizeof(zeros));
		modelfix_expect_recovered(m, 2);
		assert_int_equal(logfix_notes(), kept > 0 ? 1 : 0);
	}
	filemodel_edit(m->fm, name, modelfix_apply_edit, &cut);
	modelfix_expect_recovered(m, 7);
}

static ssize_t
read_some(struct modelfix *m, int dirfd, const char *name, uint64_t at,
    uint8_t bytes[2 * LOG_PAGE])
{
	int fd = sysio_openat(m->fx.io, dirfd, name, 0, 0);
	ssize_t n;

	assert_true(fd >= 0);
	n = sysio_pread(m->fx.io, fd, bytes, 2 * LOG_PAGE, at);
	(void)sysio_close(m->fx.io, fd);
	return n;
}

/* The copy has what is in the segment from there on, to its last byte. */
static void
expect_copied(
    struct modelfix *m, const char *name, const char *copy, uint64_t at)
{
	uint8_t was[2 * LOG_PAGE], is[2 * LOG_PAGE];
	int dir = sysio_openat(m->fx.io, m->fx.dirfd, "quarantine", 0, 0);
	ssize_t n = read_some(m, dir, copy, 0, is);

	(void)sysio_close(m->fx.io, dir);
	assert_in_range(n, LOG_FRAME_HEADER, sizeof(is) - 1);
	assert_int_equal(read_some(m, m->fx.dirfd, name, at, was), sizeof(was));
	assert_memory_equal(is, was, (size_t)n);
	assert_true(format_is_zero(was + n, sizeof(was) - (size_t)n));
}

static void
a_torn_tail_is_copied_and_the_next_segment_bounds_it(void **state)
{
	struct modelfix *m = *state;
	char copy[SEGMENT_NAME_SIZE + 32];

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 2);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(2) + 70, 1);
	logfix_start(&m->fx);
	assert_int_equal(m->fx.tail.last_seq, 4);
	assert_int_equal(logfix_notes(), 1);
	snprintf(copy, sizeof(copy), "%s.tail-%llu", modelfix_named(m, 1),
	    (unsigned long long)m->fx.tail.predecessor.valid_length);
	expect_copied(
	    m, modelfix_named(m, 1), copy, m->fx.tail.predecessor.valid_length);
	logfix_fill(&m->fx, 3, 2);
	logfix_expect(&m->fx, 10);
	modelfix_expect_recovered(m, 10);
	assert_int_equal(logfix_notes(), 0);
}

static void
a_torn_first_frame_goes_aside_with_its_segment(void **state)
{
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE];

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 3);
	memcpy(name, modelfix_named(m, 1), sizeof(name));
	modelfix_spoil(m, name, modelfix_page(0) + 70, 1);
	modelfix_expect_recovered(m, 0);
	/* It is moved, and nothing is copied. */
	assert_int_equal(logfix_notes(), 1);
	assert_true(modelfix_in_quarantine(m, name));
	logfix_fill(&m->fx, 2, 1);
	modelfix_expect_recovered(m, 2);
}

static void
without_room_a_torn_tail_is_not_copied(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 2);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(2) + 70, 1);
	filemodel_set_room(m->fm, 60 << 10);
	modelfix_expect_recovered(m, 4);
	assert_int_equal(logfix_notes(), 2);
}

static void
a_damaged_frame_before_others_is_damage(void **state)
{
	struct modelfix *m = *state;
	const char *name;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 5, 2);
	name = modelfix_named(m, 1);
	modelfix_spoil(m, name, modelfix_page(2) + 80, 1);
	modelfix_expect_damage(m, LOG_DAMAGED_FRAME, "events 5 to 8 are");
	assert_non_null(strstr(m->fx.why.text, name));
	/* The padding and the frame itself, as they end. */
	assert_non_null(strstr(m->fx.why.text, "offset 12"));
	/* Nothing was changed: it is said again, and can be mended. */
	modelfix_expect_damage(m, LOG_DAMAGED_FRAME, "events 5 to 8 are");
	modelfix_spoil(m, name, modelfix_page(2) + 80, 1);
	modelfix_expect_recovered(m, 10);
}

/*
 * Frames of the damaged flush know of less than those behind it: the most
 * that any of them says counts.
 */
static void
any_frame_behind_damage_may_be_the_one_that_knows(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	assert_int_equal(logfix_stamp(&m->fx, 1), 0);
	assert_int_equal(logfix_stamp(&m->fx, 1), 0);
	assert_int_equal(logfix_flush(&m->fx), 0);
	logfix_fill(&m->fx, 1, 1);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(1) + 70, 1);
	modelfix_expect_damage(m, LOG_DAMAGED_FRAME, "events 2 to 3");
}

/* A field of the frame at `at`, set by somebody who makes CRCs anew. */
struct forgery {
	uint64_t at, value;
	unsigned field, len;
};

static void
forge(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct forgery *f = arg;
	uint32_t salt = get_le32(bytes + SEG_SALT);
	uint8_t *p = bytes + f->at, value[8];

	assert_true(f->at + LOG_FRAME_HEADER <= size);
	put_le64(value, f->value);
	memcpy(p + f->field, value, f->len);
	put_le32(p + FRAME_HEADER_CRC,
	    crc32c(salt, p + FRAME_COVERED, LOG_FRAME_HEADER - FRAME_COVERED));
}

/* Where no digest follows, either: the frame behind knows that it was one. */
static void
a_frame_that_does_not_carry_on_is_none(void **state)
{
	static const struct forgery forgeries[] = {
		{ .field = FRAME_PREV_LEN, .len = 4, .value = 64 },
		{ .field = FRAME_DURABLE_SEQ, .len = 8, .value = 5 },
		{ .field = FRAME_DURABLE_SEQ, .len = 8, .value = 6 },
		{ .field = FRAME_FLUSH, .len = 8, .value = 9 },
		{ .field = FRAME_FIRST_SEQ, .len = 8, .value = 6 },
	};
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 4, 2);
	for (size_t i = 0; i < ARRAY_LEN(forgeries); i++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(m->fm);
		struct forgery f = forgeries[i];
		struct modelfix copy = { .fm = fm };

		logfix_init(&copy.fx, filemodel_io(fm), filemodel_root(fm));
		f.at = modelfix_page(2);
		filemodel_edit(fm, modelfix_named(m, 1), forge, &f);
		modelfix_expect_damage(
		    &copy, LOG_DAMAGED_FRAME, "events 5 to 6 are");
	}
	modelfix_expect_recovered(m, 8);
}

/* It would give a seq to an event that nobody has. */
static void
an_idle_frame_that_counts_events_is_none(void **state)
{
	struct forgery f = { .field = FRAME_N_EVENTS, .len = 2, .value = 1 };
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	assert_int_equal(logfix_idle(&m->fx), 0);
	f.at = modelfix_page(3);
	filemodel_edit(m->fm, modelfix_named(m, 1), forge, &f);
	modelfix_expect_recovered(m, 3);
}

/* One event whose frame, stamped next, has bytes of them. */
static void
stamp_large(struct modelfix *m, uint32_t bytes)
{
	uint32_t payload = bytes - LOG_FRAME_HEADER;
	uint8_t *frame = calloc(1, bytes), *p = frame + LOG_FRAME_HEADER;

	assert_non_null(frame);
	put_le32(p, payload - LOG_EVENT_HEADER);
	put_le32(
	    p + 4, crc32c(0, p + LOG_EVENT_HEADER, payload - LOG_EVENT_HEADER));
	frame_compose(frame, FRAME_EVENTS, 1, m->fx.next_seq, 1, 0, payload);
	assert_int_equal(logfix_stamp_frame(&m->fx, frame), 0);
}

/*
 * The log is read in pieces of 256 KiB; what lies over their seam is seen, by
 * whoever looks for what is whole behind damage as well.
 */
static void
a_frame_over_the_seam_of_two_pieces_is_seen(void **state)
{
	const uint64_t piece = 256 << 10, seam = SEGMENT_FRAMES + piece;
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	for (unsigned before = 1; before < LOG_FRAME_HEADER; before += 31) {
		struct modelfix whole = { .fm = filemodel_new(before) };
		uint64_t begin = seam - before;

		m = &whole;
		logfix_init(&m->fx, filemodel_io(m->fm), filemodel_root(m->fm));
		m->fx.segment_bytes = 1 << 20;
		logfix_start(&m->fx);
		logfix_fill(&m->fx, 1, 1);
		stamp_large(m, (uint32_t)(begin - modelfix_page(1)));
		stamp_large(m, 1000);
		assert_int_equal(logfix_flush(&m->fx), 0);
		modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(0),
		    begin - modelfix_page(0));
		modelfix_expect_damage(m, LOG_DAMAGED_FRAME, "events 1 to 1");
		assert_int_equal(modelfix_problems(m, sentence), 1);
		assert_non_null(strstr(sentence, "events 1 to 2 are"));
		logfix_deinit(&m->fx);
		m->fm = filemodel_free(m->fm);
	}
}

static void
a_rotten_last_flush_is_damage_where_an_idle_frame_followed(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_wipe(m, modelfix_named(m, 1), modelfix_page(2), LOG_PAGE);
	modelfix_expect_damage(m, LOG_DAMAGED_FRAME, "events 3 to 3 are");
}

/* Its IDLE frame has a page of its own, in the fullest of segments. */
static void
so_it_is_where_the_segment_is_full(void **state)
{
	struct modelfix *m = *state;
	unsigned n = 0;

	m->fx.segment_bytes = 32 << 10;
	logfix_start(&m->fx);
	for (; n == 0 || log_writer_room(m->fx.lw) >= LOG_PAGE; n++)
		logfix_fill(&m->fx, 1, 1);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(n - 1) + 70, 1);
	modelfix_expect_damage(m, LOG_DAMAGED_FRAME, "damaged or missing");
}

static void
a_rotten_idle_frame_is_a_torn_tail(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(3) + 20, 1);
	modelfix_expect_recovered(m, 3);
	assert_int_equal(logfix_notes(), 1);
}

static void
a_rotten_last_flush_is_damage_where_a_witness_knows_of_it(void **state)
{
	struct modelfix *m = *state;
	struct log_witness ring = { .name = "ring", .epoch = 1, .seq = 3 };

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	modelfix_store_witness(m, 2);
	modelfix_wipe(m, modelfix_named(m, 1), modelfix_page(2), LOG_PAGE);
	memcpy(ring.log_id, m->fx.tail.log_id, sizeof(ring.log_id));
	logfix_stop(&m->fx);
	assert_int_equal(recover_log(m->fx.io, m->fx.dirfd, &ring, 1, NULL,
			     &m->fx.tail, &m->fx.why),
	    RECOVER_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "'ring'"));
	/* Of another epoch it knows nothing. */
	ring.epoch = 2;
	assert_int_equal(recover_log(m->fx.io, m->fx.dirfd, &ring, 1, NULL,
			     &m->fx.tail, &m->fx.why),
	    RECOVER_OK);
	assert_int_equal(m->fx.tail.last_seq, 2);
	/* Nor of another log. */
	ring.epoch = 1;
	ring.log_id[5] ^= 1;
	assert_int_equal(recover_log(m->fx.io, m->fx.dirfd, &ring, 1, NULL,
			     &m->fx.tail, &m->fx.why),
	    RECOVER_OK);
	modelfix_store_witness(m, 3);
	modelfix_expect_damage(m, LOG_LOST_TAIL, "events 3 to 3 are");
	assert_non_null(strstr(m->fx.why.text, WITNESS_NAME));
}

/* That of a restoration, say, whose first segment somebody has lost. */
static void
a_later_epoch_of_which_no_segment_is_left_is_missed(void **state)
{
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	m->fx.tail.epoch++;
	/* What it knew of is there. */
	modelfix_store_witness(m, 3);
	modelfix_expect_recovered(m, 3);
	m->fx.tail.epoch++;
	modelfix_store_witness(m, 5);
	modelfix_expect_damage(m, LOG_LOST_TAIL, "events 4 to 5 are");
	assert_non_null(strstr(m->fx.why.text, WITNESS_NAME));
	assert_int_equal(modelfix_problems(m, sentence), 1);
	assert_non_null(strstr(sentence, "events 4 to 5 are"));
	/* One of an earlier epoch, or of another log, knows nothing. */
	m->fx.tail.epoch = 0;
	modelfix_store_witness(m, 5);
	assert_int_equal(modelfix_problems(m, sentence), 0);
	m->fx.tail.epoch = 1;
	m->fx.tail.log_id[3] ^= 1;
	modelfix_store_witness(m, 5);
	assert_int_equal(modelfix_problems(m, sentence), 0);
	modelfix_expect_recovered(m, 3);
}

/* Open the writer anew, in another epoch. */
static void
go_to_epoch(struct modelfix *m, uint64_t epoch)
{
	logfix_stop(&m->fx);
	m->fx.tail.epoch = epoch;
	assert_int_equal(log_writer_open(m->fx.io, m->fx.dirfd, &m->fx.tail,
			     m->fx.segment_bytes, &m->fx.lw, &m->fx.why),
	    0);
}

/* A restoration that got no further: what the epoch before knew still counts. */
static void
an_epoch_begins_with_its_first_frame(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	logfix_start(&m->fx);
	modelfix_store_witness(m, 4);
	go_to_epoch(m, 2);
	modelfix_begin_segment(m);
	modelfix_expect_damage(m, LOG_LOST_TAIL, "events 4 to 4 are");
	m->fx.tail.epoch = 1;
	modelfix_store_witness(m, 3);
	modelfix_expect_recovered(m, 3);
	assert_int_equal(m->fx.tail.epoch, 1);
}

static void
a_log_without_a_frame_keeps_the_epoch_that_it_was_begun_in(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	go_to_epoch(m, 7);
	modelfix_begin_segment(m);
	modelfix_expect_recovered(m, 0);
	assert_int_equal(m->fx.tail.epoch, 7);
}

static void
a_damaged_witness_says_nothing(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 1);
	modelfix_store_witness(m, 9);
	modelfix_spoil(m, WITNESS_NAME, 40, 1);
	modelfix_expect_recovered(m, 2);
	assert_int_equal(logfix_notes(), 1);
}

static void
a_segment_without_a_frame_is_set_aside_and_its_number_used_again(void **state)
{
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE];

	logfix_start(&m->fx);
	modelfix_begin_segment(m);
	modelfix_expect_recovered(m, 0);
	assert_int_equal(m->fx.tail.next_segment, 1);
	assert_int_equal(m->fx.tail.incarnation, 2);
	logfix_fill(&m->fx, 3, 1);
	logfix_start(&m->fx);
	modelfix_begin_segment(m);
	memcpy(name, modelfix_named(m, 4), sizeof(name));
	modelfix_expect_recovered(m, 3);
	assert_int_equal(m->fx.tail.next_segment, 2);
	assert_true(modelfix_in_quarantine(m, name));
	logfix_fill(&m->fx, 3, 1);
	modelfix_expect_recovered(m, 6);
}

static void
a_read_error_is_not_the_end_of_the_log(void **state)
{
	struct modelfix *m = *state;
	uint64_t calls;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	logfix_stop(&m->fx);
	calls = filemodel_calls(m->fm);
	for (uint64_t n = 1;; n++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(m->fm);
		struct logfix fx;
		int got;

		logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
		filemodel_fail_at(fm, calls + n, -EIO);
		got = logfix_recover(&fx);
		logfix_deinit(&fx);
		if (!filemodel_fired(fm))
			break;
		/* Closing is the only thing that may fail. */
		assert_true(got == -EIO ||
			    (got == RECOVER_OK && fx.tail.last_seq == 3));
	}
}

static void
after_a_failed_flush_the_disk_counts_and_not_the_page_cache(void **state)
{
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	assert_int_equal(logfix_stamp(&m->fx, 1), 0);
	filemodel_fail_at(m->fm, filemodel_calls(m->fm) + 2, -EIO);
	assert_int_equal(logfix_flush(&m->fx), -EIO);
	assert_true(filemodel_fired(m->fm));
	/* Nothing is written any more. */
	assert_int_equal(log_writer_idle(m->fx.lw, 3, &m->fx.why), -EIO);
	modelfix_expect_recovered(m, 3);
	assert_int_equal(logfix_notes(), 1);
	logfix_fill(&m->fx, 1, 1);
	logfix_expect(&m->fx, 4);
}

static const struct sysio *model;

/* A file system that has no O_DIRECT. */
static int
open_cached(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	if (flags & O_DIRECT)
		return -EINVAL;
	return model->openat(ctx, dirfd, name, flags, mode);
}

/* Written when the writer died, not flushed: from now on others see it. */
static void
what_recovery_finds_the_next_power_cut_leaves(void **state)
{
	struct modelfix *m = *state;
	static struct sysio io;
	char name[SEGMENT_NAME_SIZE];

	model = m->fx.io;
	io = *model;
	io.openat = open_cached;
	m->fx.io = &io;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	filemodel_lie(m->fm);
	logfix_fill(&m->fx, 1, 1);
	logfix_stop(&m->fx);
	filemodel_kill(m->fm);
	modelfix_expect_recovered(m, 4);
	logfix_stop(&m->fx);
	filemodel_restart(m->fm, SURVIVE_NOTHING, 1);
	modelfix_expect_recovered(m, 4);
	/* A segment that was moved away, and back. */
	logfix_stop(&m->fx);
	snprintf(name, sizeof(name), "%s", modelfix_named(m, 1));
	filemodel_put_aside(m->fm, name, "away");
	assert_int_equal(sysio_rename(&io, m->fx.dirfd, "away", name), 0);
	modelfix_expect_recovered(m, 4);
	logfix_stop(&m->fx);
	filemodel_restart(m->fm, SURVIVE_NOTHING, 1);
	modelfix_expect_recovered(m, 4);
	m->fx.io = model;
}

static void
a_full_disk_shows_when_the_spare_is_prepared(void **state)
{
	struct modelfix *m = *state;

	m->fx.segment_bytes = 32 << 10;
	logfix_start(&m->fx);
	filemodel_set_room(m->fm, (32 << 10) + (1 << 20) - 1);
	assert_int_equal(log_writer_prepare(m->fx.lw, &m->fx.why), LOG_NO_ROOM);
	assert_int_equal(log_writer_has_spare(m->fx.lw), 0);
	assert_int_equal(filemodel_size(m->fm, "next.tmp"), -1);
	filemodel_set_room(m->fm, (32 << 10) + (1 << 20));
	filemodel_fail_at(m->fm, filemodel_calls(m->fm) + 3, -ENOSPC);
	assert_int_equal(log_writer_prepare(m->fx.lw, &m->fx.why), LOG_NO_ROOM);
	assert_true(filemodel_fired(m->fm));
	assert_int_equal(filemodel_size(m->fm, "next.tmp"), -1);
	/* What is to be left to others is no room. */
	log_writer_leave(m->fx.lw, 1);
	assert_int_equal(log_writer_prepare(m->fx.lw, &m->fx.why), LOG_NO_ROOM);
	log_writer_leave(m->fx.lw, 0);
	assert_int_equal(
	    log_writer_prepare(m->fx.lw, &m->fx.why), LOG_PREPARED);
	assert_int_equal(log_writer_has_spare(m->fx.lw), 1);
	logfix_fill(&m->fx, 1, 1);
	logfix_expect(&m->fx, 1);
}

static void
without_room_for_quarantine_a_segment_is_renamed_in_place(void **state)
{
	struct modelfix *m = *state;
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	char name[SEGMENT_NAME_SIZE + 8];
	unsigned aside = 0;
	uint64_t calls;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	logfix_start(&m->fx);
	modelfix_begin_segment(m);
	snprintf(name, sizeof(name), "%s.aside", modelfix_named(m, 2));
	logfix_stop(&m->fx);
	calls = filemodel_calls(m->fm);
	/* Whichever call it is that finds the disk full. */
	for (uint64_t n = 1; n < 60; n++) {
		struct logfix fx;

		fm = filemodel_free(fm);
		fm = filemodel_clone(m->fm);
		logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
		filemodel_fail_at(fm, calls + n, -ENOSPC);
		if (logfix_recover(&fx) == RECOVER_OK) {
			assert_int_equal(fx.tail.last_seq, 1);
			assert_int_equal(fx.tail.next_segment, 2);
			aside += filemodel_size(fm, name) > 0;
		}
		logfix_deinit(&fx);
	}
	assert_int_equal(aside, 3); /* mkdir, open, rename */
}

#define MODEL_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(
		    a_torn_last_frame_is_left_behind_whole_requests_at_a_time),
		MODEL_TEST(
		    a_torn_tail_is_copied_and_the_next_segment_bounds_it),
		MODEL_TEST(a_torn_first_frame_goes_aside_with_its_segment),
		MODEL_TEST(without_room_a_torn_tail_is_not_copied),
		MODEL_TEST(a_damaged_frame_before_others_is_damage),
		MODEL_TEST(any_frame_behind_damage_may_be_the_one_that_knows),
		MODEL_TEST(a_frame_that_does_not_carry_on_is_none),
		MODEL_TEST(an_idle_frame_that_counts_events_is_none),
		MODEL_TEST(a_frame_over_the_seam_of_two_pieces_is_seen),
		MODEL_TEST(
		    a_rotten_last_flush_is_damage_where_an_idle_frame_followed),
		MODEL_TEST(so_it_is_where_the_segment_is_full),
		MODEL_TEST(a_rotten_idle_frame_is_a_torn_tail),
		MODEL_TEST(
		    a_rotten_last_flush_is_damage_where_a_witness_knows_of_it),
		MODEL_TEST(a_later_epoch_of_which_no_segment_is_left_is_missed),
		MODEL_TEST(an_epoch_begins_with_its_first_frame),
		MODEL_TEST(
		    a_log_without_a_frame_keeps_the_epoch_that_it_was_begun_in),
		MODEL_TEST(a_damaged_witness_says_nothing),
		MODEL_TEST(
		    a_segment_without_a_frame_is_set_aside_and_its_number_used_again),
		MODEL_TEST(a_read_error_is_not_the_end_of_the_log),
		MODEL_TEST(
		    after_a_failed_flush_the_disk_counts_and_not_the_page_cache),
		MODEL_TEST(what_recovery_finds_the_next_power_cut_leaves),
		MODEL_TEST(a_full_disk_shows_when_the_spare_is_prepared),
		MODEL_TEST(
		    without_room_for_quarantine_a_segment_is_renamed_in_place),
	};

	return cmocka_run_group_tests_name("log_recover", tests, NULL, NULL);
}
