/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Repairing logs in the file model: whatever is damaged, what is not stays at
 * its seq, what is lost is named, and the log that was stays as it is.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "log/format_priv.h"
#include "log/headless.h"
#include "log/log_reader.h"
#include "log/repair.h"
#include "log/retain.h"
#include "log/verify.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"
#include "tests/lib/seed.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
	EACH = 12, /* events in a segment of modelfix_fill_segments() */
	LAST = 60, /* of it */
	NOW_S = 1000000,
};

/* "5..8,20..22"; "none". */
static const char *
ranges(const struct log_repair *r)
{
	static char text[400];
	size_t at = 0;

	snprintf(text, sizeof(text), "none");
	for (size_t i = 0; i < r->n_lost; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		    "%s%" PRIu64 "..%" PRIu64, i ? "," : "", r->lost[i].first,
		    r->lost[i].last);
	return text;
}

static int
plan(struct modelfix *m, struct log_repair *r)
{
	*r = (struct log_repair){ .now_us = NOW_S * UINT64_C(1000000),
		.segment_bytes = m->fx.segment_bytes };
	logfix_stop(&m->fx);
	m->fx.why.text[0] = '\0';
	return log_repair_plan(m->fx.io, m->fx.dirfd, r, &m->fx.why);
}

static bool
is_lost(const struct log_repair *r, uint64_t seq)
{
	for (size_t i = 0; i < r->n_lost; i++)
		if (seq >= r->lost[i].first && seq <= r->lost[i].last)
			return true;
	return false;
}

/* Event seq of the repaired log is what it was, or says that it is lost. */
static void
check_event(const struct log_repair *r, uint64_t seq, struct slice bytes)
{
	uint8_t was[LOGFIX_EVENT_MAX];
	struct event ev;

	if (seq <= r->last_seq && !is_lost(r, seq)) {
		size_t len = logfix_event(seq, was);

		assert_true(slice_equal(bytes, slice_of(was, len)));
		return;
	}
	assert_int_equal(event_decode(bytes, &ev, NULL), 0);
	assert_int_equal(ev.seq, seq);
	assert_true(
	    slice_equal(ev.type, seq > r->last_seq ? SLICE_STR("log_repaired")
						   : SLICE_STR("event_lost")));
}

/* The log in dirfd begins with oldest, and all of it is as r says. */
static void
check_log(
    struct modelfix *m, int dirfd, const struct log_repair *r, uint64_t oldest)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	uint64_t seq = oldest;
	struct log_frame frame;
	struct slice event;
	uint32_t crc;

	assert_int_equal(
	    log_reader_open(m->fx.io, dirfd, r->epoch_seq, &rd, &m->fx.why), 0);
	while (log_reader_next(rd, &frame, &m->fx.why) == LOG_READ_FRAME) {
		size_t at = 0;

		while (log_frame_event(&frame, &at, &event, &crc))
			check_event(r, seq++, event);
	}
	assert_int_equal(seq, r->epoch_seq + 1);
}

static int
fresh(struct modelfix *m, const char *name)
{
	int fd;

	assert_int_equal(sysio_mkdir(m->fx.io, m->fx.dirfd, name, 0750), 0);
	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	return fd;
}

/* Make it as planned; the writer goes on with it, and it is dirfd's. */
static int
make(struct modelfix *m, struct log_repair *r, uint64_t oldest)
{
	int fd = fresh(m, "made");
	struct logfix there;

	if (log_repair_make(m->fx.io, m->fx.dirfd, fd, r, &m->fx.why) != 0)
		fail_msg("%s", m->fx.why.text);
	assert_int_equal(r->epoch_seq, r->last_seq + 1);
	check_log(m, fd, r, oldest);
	logfix_init(&there, m->fx.io, fd);
	there.segment_bytes = m->fx.segment_bytes;
	logfix_start(&there);
	assert_int_equal(there.tail.epoch, r->epoch);
	assert_int_equal(there.tail.last_seq, r->epoch_seq);
	logfix_fill(&there, 6, 2);
	logfix_start(&there);
	assert_int_equal(there.tail.last_seq, r->epoch_seq + 12);
	logfix_deinit(&there);
	return fd;
}

/* Damage was done: what is lost is lost, and the rest goes on. */
static void
expect_repair(struct modelfix *m, const char *lost, uint64_t linked)
{
	struct log_repair r, again;

	if (plan(m, &r) != LOG_REPAIR_PLANNED)
		fail_msg("no plan: %s", m->fx.why.text);
	assert_string_equal(ranges(&r), lost);
	assert_int_equal(r.linked, linked);
	(void)sysio_close(m->fx.io, make(m, &r, 1));
	/* The log that was is as it was. */
	assert_int_equal(plan(m, &again), LOG_REPAIR_PLANNED);
	assert_string_equal(ranges(&again), lost);
	log_repair_deinit(&again);
	log_repair_deinit(&r);
}

static void
expect_refused(struct modelfix *m, const char *text)
{
	struct log_repair r;

	assert_int_equal(plan(m, &r), LOG_REPAIR_REFUSED);
	if (!strstr(m->fx.why.text, text))
		fail_msg("'%s' is not in '%s'", text, m->fx.why.text);
	log_repair_deinit(&r);
}

static void
a_whole_log_is_not_repaired(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	assert_int_equal(plan(m, &r), LOG_REPAIR_NONE);
	assert_int_equal(r.last_seq, LAST);
	log_repair_deinit(&r);
	/* Nor one with a torn tail: nothing of it was acknowledged. */
	modelfix_spoil(
	    m, modelfix_named(m, 49), modelfix_page(3) + LOG_FRAME_HEADER, 9);
	assert_int_equal(plan(m, &r), LOG_REPAIR_NONE);
	assert_int_equal(r.last_seq, LAST - 3);
	log_repair_deinit(&r);
}

static void
a_damaged_frame_costs_its_request_and_no_other(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(
	    m, modelfix_named(m, 25), modelfix_page(1) + LOG_FRAME_HEADER, 1);
	expect_repair(m, "28..30", 2);
}

static void
one_in_the_newest_segment_costs_no_more(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 49), modelfix_page(1), 1);
	expect_repair(m, "52..54", 4);
}

static void
several_places_are_several_ranges(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(0), 1);
	modelfix_spoil(m, modelfix_named(m, 13), modelfix_page(3), 1);
	modelfix_spoil(m, modelfix_named(m, 25), modelfix_page(0), 1);
	modelfix_spoil(m, modelfix_named(m, 49), modelfix_page(2), 1);
	expect_repair(m, "1..3,22..27,55..57", 0);
}

static void
a_lost_end_is_made_up_as_far_as_a_witness_knows(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	modelfix_wipe(m, modelfix_named(m, 49), modelfix_page(2),
	    SEGMENT - modelfix_page(2));
	expect_repair(m, "55..60", 5);
}

static void
so_is_one_that_only_others_remember(void **state)
{
	struct modelfix *m = *state;
	struct log_witness wit = { .name = "the old ring", .seq = 70 };
	struct log_repair r;

	modelfix_fill_segments(m);
	memcpy(wit.log_id, m->fx.tail.log_id, sizeof(wit.log_id));
	wit.epoch = m->fx.tail.epoch;
	r = (struct log_repair){ .witnesses = &wit,
		.n_witnesses = 1,
		.now_us = NOW_S * UINT64_C(1000000),
		.segment_bytes = SEGMENT };
	logfix_stop(&m->fx);
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_PLANNED);
	assert_string_equal(ranges(&r), "61..70");
	(void)sysio_close(m->fx.io, make(m, &r, 1));
	log_repair_deinit(&r);
	/* Of another epoch it says nothing. */
	wit.epoch++;
	r.n_witnesses = 1;
	r.witnesses = &wit;
	assert_int_equal(log_repair_plan(m->fx.io, m->fx.dirfd, &r, &m->fx.why),
	    LOG_REPAIR_NONE);
	log_repair_deinit(&r);
}

static void
a_missing_segment_is_lost_alone(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	filemodel_put_aside(m->fm, modelfix_named(m, 25), NULL);
	expect_repair(m, "25..36", 2);
}

static void
the_first_ones_are_too(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	filemodel_put_aside(m->fm, modelfix_named(m, 1), NULL);
	filemodel_put_aside(m->fm, modelfix_named(m, 13), NULL);
	expect_repair(m, "1..24", 0);
}

static void
a_log_without_a_segment_is_all_lost(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	for (uint64_t first = 1; first < LAST; first += EACH)
		filemodel_put_aside(m->fm, modelfix_named(m, first), NULL);
	expect_repair(m, "1..60", 0);
}

static void
a_salt_follows_from_a_frame(void **state)
{
	uint8_t frame[LOG_FRAME_HEADER];
	uint64_t seed = seed_draw();

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		uint32_t salt = (uint32_t)filemodel_next(&seed);

		frame_compose(frame, FRAME_EVENTS, 1, filemodel_next(&seed),
		    filemodel_next(&seed), filemodel_next(&seed), 0);
		format_stamp(frame, salt, filemodel_next(&seed), 7,
		    filemodel_next(&seed));
		assert_int_equal(headless_salt(frame), salt);
	}
}

static void
a_segment_without_headers_loses_nothing(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_wipe(m, modelfix_named(m, 25), 0, SEGMENT_FRAMES);
	expect_repair(m, "none", 2);
}

static void
nor_does_the_newest_one(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	modelfix_spoil(m, modelfix_named(m, 49), 0, SEGMENT_FRAMES);
	expect_repair(m, "none", 4);
}

static void
one_that_also_lost_frames_loses_those(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 25), 0, modelfix_page(1) + 40);
	expect_repair(m, "25..30", 2);
}

static void
a_copy_without_headers_adds_nothing(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy copy;

	modelfix_fill_segments(m);
	filemodel_edit(m->fm, modelfix_named(m, 13), modelfix_take_copy, &copy);
	memset(copy.bytes, 0, SEGMENT_FRAMES);
	modelfix_put_file(m, "00000000000000000014-0000000001.seg", &copy);
	expect_repair(m, "none", 2);
}

/* Segments may have become smaller since. */
static void
a_frame_fits_where_it_did(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	logfix_fill(&m->fx, 1, 80);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(0), 1);
	m->fx.segment_bytes = SEGMENT_BYTES_MIN;
	assert_int_equal(plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(ranges(&r), "1..3");
	m->fx.segment_bytes = SEGMENT;
	(void)sysio_close(m->fx.io, make(m, &r, 1));
	log_repair_deinit(&r);
}

static void
of_a_newest_one_that_is_noise_nobody_knows_what_was_in_it(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 57);
	modelfix_spoil(m, modelfix_named(m, 49), 0, SEGMENT);
	assert_int_equal(plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(ranges(&r), "49..57");
	assert_true(r.open);
	(void)sysio_close(m->fx.io, make(m, &r, 1));
	log_repair_deinit(&r);
}

/*
 * The successor gave these seqs to others: frames behind the tear were never
 * acknowledged, and must not take their place.
 */
static void
what_is_behind_a_torn_tail_does_not_come_back(void **state)
{
	struct modelfix *m = *state;

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	/* One flush that tears: its first frame is gone, the others stay. */
	assert_int_equal(logfix_stamp(&m->fx, 3), 0);
	assert_int_equal(logfix_stamp(&m->fx, 3), 0);
	assert_int_equal(logfix_stamp(&m->fx, 3), 0);
	assert_int_equal(logfix_flush(&m->fx), 0);
	logfix_stop(&m->fx);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(2), 8);
	logfix_start(&m->fx);
	assert_int_equal(m->fx.next_seq, 7);
	logfix_fill(&m->fx, 8, 3);
	filemodel_put_aside(m->fm, modelfix_named(m, 7), NULL);
	expect_repair(m, "7..18", 1);
}

static void
what_retention_left_is_repaired_above_its_floor(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	assert_int_equal(modelfix_nth(m, 0), 25);
	modelfix_wipe(m, modelfix_named(m, 25), 0, SEGMENT);
	assert_int_equal(plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(ranges(&r), "25..36");
	(void)sysio_close(m->fx.io, make(m, &r, 25));
	log_repair_deinit(&r);
	filemodel_put_aside(m->fm, "made", "moved");
	modelfix_spoil(m, modelfix_named(m, 37), modelfix_page(0), 1);
	filemodel_put_aside(m->fm, modelfix_named(m, 25), NULL);
	assert_int_equal(plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(ranges(&r), "25..39");
	(void)sysio_close(m->fx.io, make(m, &r, 25));
	log_repair_deinit(&r);
}

static void
nor_is_it_given_up_with_the_last_segment_above_it(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	retainfix_expect(m, 2 * SEGMENT);
	assert_int_equal(modelfix_nth(m, 0), 37);
	filemodel_put_aside(m->fm, modelfix_named(m, 49), NULL);
	modelfix_wipe(
	    m, modelfix_named(m, 37), SEGMENT_FRAMES, SEGMENT - SEGMENT_FRAMES);
	expect_refused(m, "nothing of the log is whole");
	modelfix_store_witness(m, LAST);
	assert_int_equal(plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(ranges(&r), "37..60");
	(void)sysio_close(m->fx.io, make(m, &r, 37));
	log_repair_deinit(&r);
}

static void
a_packed_segment_is_repaired_as_any(void **state)
{
	struct modelfix *m = *state;
	int got;

	modelfix_fill_segments(m);
	do {
		got = retain_pack(m->fx.io, m->fx.dirfd, &m->fx.why);
	} while (got == RETAIN_PACKED);
	assert_non_null(strstr(modelfix_named(m, 13), ".segz"));
	modelfix_spoil(m, modelfix_named(m, 13), 100, 1);
	/* What it says of its frames is in the block that is gone. */
	expect_repair(m, "13..24", 1);
}

static void
a_repaired_log_can_be_repaired_again(void **state)
{
	struct modelfix *m = *state;
	struct modelfix second;
	struct log_repair r;
	char name[SEGMENT_NAME_SIZE + 8];
	int fd;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 25), modelfix_page(1), 1);
	assert_int_equal(plan(m, &r), LOG_REPAIR_PLANNED);
	second = *m;
	second.fx.dirfd = make(m, &r, 1);
	log_repair_deinit(&r);
	snprintf(name, sizeof(name), "%s", modelfix_named(&second, 25));
	assert_int_equal(sysio_unlink(m->fx.io, second.fx.dirfd, name), 0);
	assert_int_equal(plan(&second, &r), LOG_REPAIR_PLANNED);
	assert_true(r.was_epoch == NOW_S && r.epoch == NOW_S + 1);
	assert_int_equal(r.lost[0].first, 25);
	assert_int_equal(r.n_lost, 1);
	fd = fresh(m, "second");
	if (log_repair_make(m->fx.io, second.fx.dirfd, fd, &r, &m->fx.why) != 0)
		fail_msg("%s", m->fx.why.text);
	assert_int_equal(r.epoch_seq, r.last_seq + 1);
	log_repair_deinit(&r);
	(void)sysio_close(m->fx.io, fd);
	(void)sysio_close(m->fx.io, second.fx.dirfd);
}

static void
what_needs_somebody_who_looks_is_refused(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy copy;

	modelfix_fill_segments(m);
	filemodel_edit(m->fm, modelfix_named(m, 13), modelfix_take_copy, &copy);
	modelfix_put_file(m, "00000000000000000014-0000000001.seg", &copy);
	expect_refused(m, "move the file out of the log's directory");
	filemodel_put_aside(m->fm, "00000000000000000014-0000000001.seg", NULL);
	retainfix_expect(m, 3 * SEGMENT);
	modelfix_spoil(m, FLOOR_NAME, 41, 1);
	expect_refused(m, "put the file back from a backup");
}

static void
a_log_of_which_nothing_is_left_is_refused(void **state)
{
	struct modelfix *m = *state;

	m->fx.segment_bytes = SEGMENT;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	modelfix_spoil(m, modelfix_named(m, 1), 0, SEGMENT);
	expect_refused(m, "nothing of the log is whole");
}

/* A call fails: there is no repaired log, and the one that was is the same. */
static void
no_call_that_fails_is_overlooked(void **state)
{
	static const int errors[] = { -EIO, -ENOSPC };
	struct modelfix *m = *state;
	unsigned tried = 0;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 25), modelfix_page(1), 1);
	logfix_stop(&m->fx);
	for (uint64_t n = 1, more = 1; more; n++) {
		struct modelfix c = *m;
		struct log_repair r;
		int err, fd;

		c.fm = filemodel_clone(m->fm);
		c.fx.io = filemodel_io(c.fm);
		assert_int_equal(plan(&c, &r), LOG_REPAIR_PLANNED);
		fd = fresh(&c, "made");
		filemodel_fail_at(c.fm, filemodel_calls(c.fm) + n,
		    errors[n % ARRAY_LEN(errors)]);
		err = log_repair_make(c.fx.io, c.fx.dirfd, fd, &r, &c.fx.why);
		more = filemodel_fired(c.fm);
		filemodel_fail_at(c.fm, 0, 0);
		tried += more != 0;
		if (err == 0)
			check_log(&c, fd, &r, 1);
		else
			assert_true(more && c.fx.why.text[0]);
		log_repair_deinit(&r);
		assert_int_equal(plan(&c, &r), LOG_REPAIR_PLANNED);
		assert_string_equal(ranges(&r), "28..30");
		log_repair_deinit(&r);
		(void)filemodel_free(c.fm);
	}
	assert_true(tried > 50);
}

static uint64_t
any_segment(struct modelfix *m, uint64_t *seed)
{
	struct segment_list list;
	uint64_t first = 0;

	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	if (list.n > 0)
		first = list.v[filemodel_next(seed) % list.n].name_first_seq;
	segment_list_deinit(&list);
	return first;
}

/* Some of the log's bytes, files or both are gone or wrong. */
static unsigned
damage(struct modelfix *m, uint64_t *seed)
{
	unsigned n = 1 + filemodel_next(seed) % 4, done = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t first = any_segment(m, seed);
		uint64_t at = filemodel_next(seed) % SEGMENT;
		size_t len = 1 + filemodel_next(seed) % 3000;
		const char *name = modelfix_named(m, first);

		if (!*name)
			continue;
		done++;
		if (filemodel_next(seed) % 5 == 0)
			filemodel_put_aside(m->fm, name, NULL);
		else
			modelfix_spoil(m, name, at, MIN(len, SEGMENT - at));
	}
	return done;
}

/* Crashes on the way, with and without an IDLE frame, and torn tails. */
static void
fill_and_crash(struct modelfix *m, uint64_t *seed)
{
	for (unsigned i = 0; i < 6; i++) {
		logfix_start(&m->fx);
		logfix_fill(&m->fx, 1 + filemodel_next(seed) % 6, 3);
		if (filemodel_next(seed) % 2)
			assert_int_equal(logfix_idle(&m->fx), 0);
		else if (logfix_stamp(&m->fx, 2) == 0 &&
			 logfix_stamp(&m->fx, 2) == 0)
			assert_int_equal(logfix_flush(&m->fx), 0);
	}
	assert_int_equal(logfix_append(&m->fx, 1), 0);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_store_witness(m, m->fx.durable_seq);
}

static void
nor_where_writers_have_crashed(void **state)
{
	struct modelfix *m = *state;
	uint64_t seed = seed_draw();
	unsigned planned = 0;

	m->fx.segment_bytes = SEGMENT;
	fill_and_crash(m, &seed);
	logfix_stop(&m->fx);
	for (unsigned i = 0; i < 300; i++) {
		struct modelfix c = *m;
		struct log_repair r;
		int got;

		c.fm = filemodel_clone(m->fm);
		c.fx.io = filemodel_io(c.fm);
		(void)damage(&c, &seed);
		got = plan(&c, &r);
		if (got == LOG_REPAIR_PLANNED) {
			planned++;
			assert_int_equal(r.last_seq, m->fx.durable_seq);
			(void)sysio_close(c.fx.io, make(&c, &r, 1));
		} else if (got != LOG_REPAIR_NONE) {
			fail_msg("%u: %d, %s", i, got, c.fx.why.text);
		}
		log_repair_deinit(&r);
		(void)filemodel_free(c.fm);
	}
	assert_true(planned > 100);
}

static void
whatever_is_damaged_no_event_becomes_another(void **state)
{
	struct modelfix *m = *state;
	uint64_t seed = seed_draw();
	unsigned planned = 0;

	modelfix_fill_segments(m);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_store_witness(m, LAST);
	logfix_stop(&m->fx);
	for (unsigned i = 0; i < 400; i++) {
		struct modelfix c = *m;
		struct log_repair r;
		int got;

		c.fm = filemodel_clone(m->fm);
		c.fx.io = filemodel_io(c.fm);
		(void)damage(&c, &seed);
		got = plan(&c, &r);
		if (got == LOG_REPAIR_PLANNED) {
			planned++;
			assert_int_equal(r.last_seq, LAST);
			(void)sysio_close(c.fx.io, make(&c, &r, 1));
		} else if (got != LOG_REPAIR_NONE) {
			fail_msg("%u: %d, %s", i, got, c.fx.why.text);
		}
		log_repair_deinit(&r);
		(void)filemodel_free(c.fm);
	}
	assert_true(planned > 200);
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_log_is_not_repaired),
		TEST(a_damaged_frame_costs_its_request_and_no_other),
		TEST(one_in_the_newest_segment_costs_no_more),
		TEST(several_places_are_several_ranges),
		TEST(a_lost_end_is_made_up_as_far_as_a_witness_knows),
		TEST(so_is_one_that_only_others_remember),
		TEST(a_missing_segment_is_lost_alone),
		TEST(the_first_ones_are_too),
		TEST(a_log_without_a_segment_is_all_lost),
		TEST(a_salt_follows_from_a_frame),
		TEST(a_segment_without_headers_loses_nothing),
		TEST(nor_does_the_newest_one),
		TEST(one_that_also_lost_frames_loses_those),
		TEST(a_copy_without_headers_adds_nothing),
		TEST(a_frame_fits_where_it_did),
		TEST(of_a_newest_one_that_is_noise_nobody_knows_what_was_in_it),
		TEST(what_is_behind_a_torn_tail_does_not_come_back),
		TEST(what_retention_left_is_repaired_above_its_floor),
		TEST(nor_is_it_given_up_with_the_last_segment_above_it),
		TEST(a_packed_segment_is_repaired_as_any),
		TEST(a_repaired_log_can_be_repaired_again),
		TEST(what_needs_somebody_who_looks_is_refused),
		TEST(a_log_of_which_nothing_is_left_is_refused),
		TEST(no_call_that_fails_is_overlooked),
		TEST(whatever_is_damaged_no_event_becomes_another),
		TEST(nor_where_writers_have_crashed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
