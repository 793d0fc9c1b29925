/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Retention in the file model: what is above the floor is read whatever cuts
 * it off, the base is there before anything goes, and a floor or a base that
 * is not right is never passed over.  PEAL_TEST_SEED repeats a run.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/time.h"
#include "log/base.h"
#include "log/floor.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/retain.h"
#include "log/verify.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"
#include "tests/lib/seed.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
	LAST = 60, /* of modelfix_fill_segments() */
};

static uint64_t seed;

/* --- which segments go --- */

static void
the_oldest_segments_go_until_the_rest_is_small_enough(void **state)
{
	struct modelfix *m = *state;
	char complaint[LOG_PROBLEM_SENTENCE];
	uint64_t third;
	size_t n = 0;

	modelfix_fill_segments(m);
	while (modelfix_nth(m, n) + 12 < LAST)
		n++;
	third = modelfix_nth(m, n - 2);
	retainfix_expect(m, 3 * SEGMENT);
	assert_int_equal(modelfix_nth(m, 0), third);
	assert_string_equal(modelfix_named(m, 1), "");
	modelfix_expect_recovered(m, LAST);
	assert_int_equal(m->fx.tail.oldest_seq, third);
	assert_int_equal(modelfix_problems(m, complaint), 0);
	logfix_fill(&m->fx, 5, 3);
	modelfix_expect_recovered(m, LAST + 15);
}

static void
what_is_small_enough_stays(void **state)
{
	const struct retain_policy all = { .keep_bytes = UINT64_MAX };
	struct retain_policy policy = { .keep_bytes = 0 };
	struct modelfix *m = *state;
	struct log_floor floor;
	struct segment_list list;

	modelfix_fill_segments(m);
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	for (size_t i = 0; i < list.n; i++)
		policy.keep_bytes += list.v[i].file_bytes;
	segment_list_deinit(&list);
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &policy, &floor, &m->fx.why),
	    RETAIN_NOTHING);
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &all, &floor, &m->fx.why),
	    RETAIN_NOTHING);
	policy.keep_bytes--;
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &policy, &floor, &m->fx.why),
	    RETAIN_FLOOR);
	assert_int_equal(floor.seq, modelfix_nth(m, 1));
}

static void
a_segment_is_old_when_its_last_event_is(void **state)
{
	struct retain_policy policy = { .keep_bytes = UINT64_MAX,
		.keep_us = 1 };
	struct modelfix *m = *state;
	struct segment_list list;
	struct log_floor floor;
	uint64_t time, want;

	modelfix_fill_segments(m);
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	time = list.v[1].seal_time_us;
	want = list.v[2].name_first_seq;
	assert_true(time > 0 && list.v[0].seal_time_us < time);
	segment_list_deinit(&list);
	policy.now_us = time + 2;
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &policy, &floor, &m->fx.why),
	    RETAIN_FLOOR);
	assert_int_equal(floor.seq, want);
	/* At its limit it is not too old. */
	policy.now_us = time + 1;
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &policy, &floor, &m->fx.why),
	    RETAIN_FLOOR);
	assert_int_equal(floor.seq, modelfix_nth(m, 1));
	policy.now_us = 1;
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &policy, &floor, &m->fx.why),
	    RETAIN_NOTHING);
}

/* What is held is needed, and no more than may be. */
static void
expect_held(const struct segment_list *list, const struct retain_policy *policy,
    size_t first)
{
	struct log_floor floor = { .seq = 0 };
	uint64_t held = 1, want = 0;
	size_t n = list->n - 2;
	int got = retain_look(list, policy, &floor, &held);

	for (size_t i = first; i < n; i++)
		want += list->v[i].disk_bytes;
	assert_int_equal(held, want);
	assert_int_equal(got, first > 0 ? RETAIN_FLOOR : RETAIN_NOTHING);
	if (first > 0)
		assert_int_equal(floor.seq, list->v[first].header.first_seq);
}

static void
what_is_needed_stays_within_its_bound(void **state)
{
	struct retain_policy policy = { .keep_bytes = 0 };
	struct modelfix *m = *state;
	struct segment_list list;
	size_t n;

	modelfix_fill_segments(m);
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	n = list.n - 2;
	assert_true(n >= 3);
	/* Nobody needs anything, or nothing may stay for it. */
	policy.hold_bytes = UINT64_MAX;
	expect_held(&list, &policy, n);
	policy.needed = 1;
	policy.hold_bytes = 0;
	expect_held(&list, &policy, n);
	/* The segment with the event stays, and those behind it. */
	policy.hold_bytes = UINT64_MAX;
	expect_held(&list, &policy, 0);
	policy.needed = list.v[n - 1].header.first_seq;
	expect_held(&list, &policy, n - 1);
	policy.needed--;
	expect_held(&list, &policy, n - 2);
	policy.needed = list.v[n].header.first_seq - 1;
	expect_held(&list, &policy, n - 1);
	policy.needed++;
	expect_held(&list, &policy, n);
	/* Beyond the bound the oldest go although they are needed. */
	policy.needed = 1;
	policy.hold_bytes = list.v[n - 1].disk_bytes + list.v[n - 2].disk_bytes;
	expect_held(&list, &policy, n - 2);
	policy.hold_bytes--;
	expect_held(&list, &policy, n - 1);
	policy.hold_bytes = list.v[n - 1].disk_bytes - 1;
	expect_held(&list, &policy, n);
	/* So it is with those that go for their age. */
	policy.keep_bytes = UINT64_MAX;
	policy.keep_us = 1;
	policy.now_us = UINT64_MAX;
	policy.hold_bytes = list.v[n - 1].disk_bytes;
	expect_held(&list, &policy, n - 1);
	segment_list_deinit(&list);
}

static void
a_newer_sealed_segment_always_stays(void **state)
{
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE];
	uint64_t last;
	size_t n = 0;

	modelfix_fill_segments(m);
	while (modelfix_nth(m, n) + 12 < LAST)
		n++;
	last = modelfix_nth(m, n);
	retainfix_expect(m, 0);
	assert_int_equal(modelfix_nth(m, 1), last);
	/* The newest gets no frame and goes aside: a sealed one is there. */
	snprintf(name, sizeof(name), "%s", modelfix_named(m, last));
	modelfix_wipe(m, name, SEGMENT_FRAMES, SEGMENT - SEGMENT_FRAMES);
	modelfix_expect_recovered(m, last - 1);
	assert_true(modelfix_in_quarantine(m, name));
}

static void
a_damaged_log_is_left_alone(void **state)
{
	const struct retain_policy policy = { .keep_bytes = 0 };
	struct modelfix *m = *state;
	struct log_floor floor;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, modelfix_nth(m, 1)), 100, 8000);
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &policy, &floor, &m->fx.why),
	    RETAINFIX_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "header"));
}

/* --- floors and bases that are not right --- */

static void
a_segment_above_the_floor_that_is_missing_is_damage(void **state)
{
	struct modelfix *m = *state;
	char text[80];

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	snprintf(text, sizeof(text), "events %d to %d are",
	    (int)modelfix_nth(m, 0), (int)modelfix_nth(m, 1) - 1);
	filemodel_put_aside(m->fm, modelfix_named(m, modelfix_nth(m, 0)), "x");
	modelfix_expect_damage(m, LOG_MISSING_SEGMENT, text);
}

static void
a_floor_that_is_gone_or_old_or_anothers_is_damage(void **state)
{
	struct modelfix *m = *state, *other = NULL;
	struct log_floor floor, older;
	char base[BASE_NAME_SIZE];
	void *second = NULL;

	modelfix_fill_segments(m);
	retainfix_expect(m, 4 * SEGMENT);
	assert_int_equal(
	    floor_read(m->fx.io, m->fx.dirfd, &older, &m->fx.why), FLOOR_READ);
	retainfix_expect(m, 3 * SEGMENT);
	assert_int_equal(
	    floor_read(m->fx.io, m->fx.dirfd, &floor, &m->fx.why), FLOOR_READ);
	assert_true(older.seq < floor.seq);

	assert_int_equal(
	    floor_write(m->fx.io, m->fx.dirfd, &older, &m->fx.why), 0);
	modelfix_expect_damage(
	    m, LOG_MISSING_SEGMENT, "are damaged or missing");
	older = floor;
	older.log_id[3] ^= 1;
	assert_int_equal(
	    floor_write(m->fx.io, m->fx.dirfd, &older, &m->fx.why), 0);
	modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT, "another log");
	older = floor;
	older.chain[31] ^= 1;
	assert_int_equal(
	    floor_write(m->fx.io, m->fx.dirfd, &older, &m->fx.why), 0);
	modelfix_expect_damage(
	    m, LOG_FOREIGN_SEGMENT, "'FLOOR' says with number");
	filemodel_put_aside(m->fm, FLOOR_NAME, NULL);
	/* What the base stands for is not lost. */
	modelfix_expect_damage(
	    m, LOG_DAMAGED_BASE, "'FLOOR': it is missing, and 'base-");
	base_name(base, floor.seq - 1);
	filemodel_put_aside(m->fm, base, "x");
	modelfix_expect_damage(
	    m, LOG_MISSING_SEGMENT, "the log begins with it; events 1 to");
	filemodel_put_aside(m->fm, "x", base);
	assert_int_equal(
	    floor_write(m->fx.io, m->fx.dirfd, &floor, &m->fx.why), 0);
	modelfix_expect_recovered(m, LAST);

	/* Alone in a directory it still says that events are missing. */
	assert_int_equal(modelfix_setup(&second), 0);
	other = second;
	assert_int_equal(
	    floor_write(other->fx.io, other->fx.dirfd, &floor, &other->fx.why),
	    0);
	modelfix_expect_damage(
	    other, LOG_MISSING_SEGMENT, "no segment is there");
	modelfix_teardown(&second);
}

static void
every_bit_of_the_floor_counts(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_edit e = { .len = 1 };
	uint8_t bytes[128];
	int fd;

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	fd = sysio_openat(m->fx.io, m->fx.dirfd, FLOOR_NAME, 0, 0);
	assert_int_equal(
	    sysio_pread(m->fx.io, fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	(void)sysio_close(m->fx.io, fd);
	for (unsigned bit = 0; bit < sizeof(bytes) * 8; bit++) {
		uint8_t byte = bytes[bit / 8] ^ (uint8_t)(1 << bit % 8);

		e.at = bit / 8;
		e.bytes = &byte;
		filemodel_edit(m->fm, FLOOR_NAME, modelfix_apply_edit, &e);
		modelfix_expect_damage(
		    m, LOG_DAMAGED_BASE, "'FLOOR': it does not verify");
		e.bytes = &bytes[bit / 8];
		filemodel_edit(m->fm, FLOOR_NAME, modelfix_apply_edit, &e);
	}
	modelfix_expect_recovered(m, LAST);
}

static void
a_base_that_is_missing_is_damage(void **state)
{
	struct modelfix *m = *state;
	char name[BASE_NAME_SIZE], complaint[LOG_PROBLEM_SENTENCE];

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	base_name(name, modelfix_nth(m, 0) - 1);
	filemodel_put_aside(m->fm, name, "x");
	modelfix_expect_damage(m, LOG_DAMAGED_BASE, "is missing");
	assert_int_equal(modelfix_problems(m, complaint), 1);
	filemodel_put_aside(m->fm, "x", name);
	modelfix_expect_recovered(m, LAST);
}

static void
every_byte_of_the_base_counts(void **state)
{
	struct modelfix *m = *state;
	char name[BASE_NAME_SIZE], complaint[LOG_PROBLEM_SENTENCE];
	int64_t size;

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	base_name(name, modelfix_nth(m, 0) - 1);
	assert_int_equal(modelfix_problems(m, complaint), 0);
	size = filemodel_size(m->fm, name);
	assert_true(size > 0 && size % LOG_PAGE == 0);
	for (int64_t at = 0; at < size; at++) {
		modelfix_spoil(m, name, (uint64_t)at, 1);
		if (modelfix_problems(m, complaint) != 1 ||
		    !strstr(complaint, "is damaged"))
			fail_msg("byte %d: %s", (int)at, complaint);
		modelfix_spoil(m, name, (uint64_t)at, 1);
	}
	/* A start looks at its ends alone, whatever its size. */
	modelfix_spoil(m, name, (uint64_t)size - 100, 1);
	modelfix_expect_damage(
	    m, LOG_DAMAGED_BASE, "its trailer does not verify");
}

/* --- readers --- */

static void
a_reader_whose_segment_goes_is_told_what_is_the_oldest(void **state)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct modelfix *m = *state;
	struct log_frame frame;
	int got;

	modelfix_fill_segments(m);
	assert_int_equal(
	    log_reader_open(m->fx.io, m->fx.dirfd, LAST, &rd, &m->fx.why), 0);
	assert_int_equal(
	    log_reader_next(rd, &frame, &m->fx.why), LOG_READ_FRAME);
	retainfix_expect(m, 3 * SEGMENT);
	/* What it has open it reads to the end. */
	while (
	    (got = log_reader_next(rd, &frame, &m->fx.why)) == LOG_READ_FRAME)
		;
	assert_int_equal(got, LOG_READ_GONE);
	assert_int_equal(log_reader_oldest(rd), modelfix_nth(m, 0));
	assert_int_equal(log_reader_seek(rd, 1, &m->fx.why), -ENOENT);
	assert_int_equal(
	    log_reader_seek(rd, log_reader_oldest(rd), &m->fx.why), 0);
	assert_int_equal(
	    log_reader_next(rd, &frame, &m->fx.why), LOG_READ_FRAME);
	assert_int_equal(frame.first_seq, log_reader_oldest(rd));
}

static void
seeking_what_is_gone_says_so(void **state)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	assert_int_equal(
	    log_reader_open(m->fx.io, m->fx.dirfd, LAST, &rd, &m->fx.why), 0);
	retainfix_expect(m, 3 * SEGMENT);
	assert_int_equal(log_reader_seek(rd, 2, &m->fx.why), -ENOENT);
	assert_int_equal(log_reader_oldest(rd), modelfix_nth(m, 0));
}

/* --- a verification beside it --- */

static const struct sysio *model;
static struct modelfix *moving;

static void
move_floor(void *arg, uint64_t done, uint64_t segments)
{
	(void)arg;
	(void)segments;
	if (done == 1)
		retainfix_expect(moving, 3 * SEGMENT);
}

static void
fail_for(void *arg, const struct log_problem *problem)
{
	char sentence[LOG_PROBLEM_SENTENCE];

	(void)arg;
	fail_msg("%s", log_problem_sentence(problem, sentence));
}

static void
what_goes_during_a_verification_is_not_missing(void **state)
{
	struct modelfix *m = *state;
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = fail_for,
		.progress = move_floor };

	moving = m;
	modelfix_fill_segments(m);
	if (log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why) < 0)
		fail_msg("%s", m->fx.why.text);
	assert_true(modelfix_nth(m, 0) > 1);
	assert_int_equal(verify.first_seq, modelfix_nth(m, 0));
	assert_int_equal(verify.last_seq, LAST);
}

static int
move_and_open(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	struct modelfix *m = moving;

	if (m && strncmp(name, "base-", 5) == 0) {
		moving = NULL;
		retainfix_expect(m, 3 * SEGMENT);
	}
	return model->openat(ctx, dirfd, name, flags, mode);
}

static void
a_base_that_goes_before_it_is_verified_is_not_missing(void **state)
{
	struct modelfix *m = *state;
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = fail_for };
	struct sysio io = *m->fx.io;

	modelfix_fill_segments(m);
	retainfix_expect(m, 4 * SEGMENT);
	model = m->fx.io;
	moving = m;
	io.openat = move_and_open;
	if (log_verify(&io, m->fx.dirfd, &verify, &m->fx.why) < 0)
		fail_msg("%s", m->fx.why.text);
	assert_null(moving);
	assert_int_equal(verify.first_seq, modelfix_nth(m, 0));
	assert_int_equal(verify.last_seq, LAST);
}

/* --- power cuts and errors --- */

/* Segments, retention twice, and some more events. */
static int
workload(struct logfix *fx, uint64_t *acked)
{
	struct log_floor floor;
	int err = logfix_recover(fx);

	*acked = 0;
	for (unsigned i = 0; err == 0 && i < 56; i++) {
		err = logfix_append(fx, 3);
		*acked = MAX(*acked, fx->durable_seq);
		if (err == 0 && i % 10 == 9)
			err = retainfix_pack(fx->io, fx->dirfd, &fx->why);
		err = MIN(err, 0);
		if (err == 0 && (i == 28 || i == 50))
			err = retainfix_retain(fx, 3 * SEGMENT, &floor);
	}
	return err;
}

static int
run_workload(struct filemodel *fm, uint64_t *acked)
{
	struct logfix fx;
	int err;

	logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
	fx.segment_bytes = SEGMENT;
	err = workload(&fx, acked);
	logfix_deinit(&fx);
	return err;
}

/*
 * Recovery takes it, all events from the oldest on are there, before them a
 * base is, and everything goes on.  NULL, or a complaint.
 */
static const char *
complain(struct filemodel *fm, uint64_t acked, uint64_t *oldest)
{
	static char text[LOG_PROBLEM_SENTENCE];
	struct modelfix m = { .fm = fm };
	struct log_floor floor = { .seq = 0 };
	struct logfix *fx = &m.fx;
	const char *wrong = NULL;
	int outcome;

	logfix_init(fx, filemodel_io(fm), filemodel_root(fm));
	fx->segment_bytes = SEGMENT;
	if (logfix_recover(fx) != RECOVER_OK)
		wrong = fx->why.text;
	*oldest = fx->tail.oldest_seq;
	if (!wrong && fx->tail.last_seq < acked)
		wrong = "an acknowledged event is missing";
	if (!wrong && (logfix_read(fx, fx->tail.last_seq, &outcome) !=
			      (long)fx->tail.last_seq ||
			  outcome != LOG_READ_END))
		wrong = "events are missing";
	if (!wrong && modelfix_problems(&m, text) > 0)
		wrong = text;
	if (!wrong && retain_remove(fx->io, fx->dirfd, &fx->why) < 0)
		wrong = fx->why.text;
	for (int i = 0; !wrong && i < 40; i++)
		if (logfix_append(fx, 3) < 0)
			wrong = fx->why.text;
	if (!wrong && retainfix_retain(fx, 2 * SEGMENT, &floor) < 0)
		wrong = fx->why.text;
	if (!wrong && logfix_recover(fx) != RECOVER_OK)
		wrong = fx->why.text;
	if (!wrong && fx->tail.oldest_seq != floor.seq)
		wrong = "the floor is another";
	if (wrong && wrong != text)
		snprintf(text, sizeof(text), "%s", wrong);
	logfix_deinit(fx);
	return wrong ? text : NULL;
}

static const enum filemodel_survive fates[] = { SURVIVE_NOTHING, SURVIVE_ALL,
	SURVIVE_PREFIX, SURVIVE_PREFIX, SURVIVE_RANDOM, SURVIVE_RANDOM,
	SURVIVE_RANDOM };

static void
a_power_cut_at_any_call_leaves_a_floor_with_its_base(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *whole = filemodel_new(seed);
	uint64_t acked, calls, oldest, last, floors[3] = { 0 };

	assert_int_equal(run_workload(whole, &acked), 0);
	calls = filemodel_calls(whole);
	assert_null(complain(whole, acked, &last));
	for (uint64_t call = 40; call <= calls; call++) {
		CLEANUP(filemodel_freep)
		struct filemodel *cut = filemodel_new(seed);

		filemodel_cut_at(cut, call);
		(void)run_workload(cut, &acked);
		for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_clone(cut);
			const char *wrong;

			filemodel_restart(fm, fates[i], seed + call * 10 + i);
			wrong = complain(fm, acked, &oldest);
			if (wrong)
				fail_msg("call %d of %d, fate %zu: %s",
				    (int)call, (int)calls, i, wrong);
			floors[oldest == 1 ? 0 : 1 + (oldest == last)]++;
		}
	}
	print_message("# images without a floor: %d, with the first: %d, "
		      "with the second: %d\n",
	    (int)floors[0], (int)floors[1], (int)floors[2]);
	assert_true(floors[0] > 100 && floors[1] > 100 && floors[2] > 100);
}

static void
an_error_at_any_call_loses_nothing(void **state)
{
	static const int errors[] = { -EIO, -ENOSPC, -EINTR, FILEMODEL_SHORT };
	CLEANUP(filemodel_freep) struct filemodel *whole = filemodel_new(seed);
	uint64_t acked, calls, oldest;

	assert_int_equal(run_workload(whole, &acked), 0);
	calls = filemodel_calls(whole);
	for (uint64_t call = 40; call <= calls; call++)
		for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_new(seed);
			const char *wrong;

			filemodel_fail_at(fm, call, errors[i]);
			(void)run_workload(fm, &acked);
			assert_true(filemodel_fired(fm));
			wrong = complain(fm, acked, &oldest);
			if (wrong)
				fail_msg("call %d of %d, error %d: %s",
				    (int)call, (int)calls, errors[i], wrong);
		}
}

/* Without it the tests above might pass because they see nothing. */
static void
removing_before_the_floor_is_found_out(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_new(seed);
	uint64_t acked, oldest;
	struct logfix fx;

	logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
	fx.segment_bytes = SEGMENT;
	assert_int_equal(logfix_recover(&fx), RECOVER_OK);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(logfix_append(&fx, 3), 0);
	acked = fx.durable_seq;
	logfix_deinit(&fx);
	filemodel_put_aside(fm, "00000000000000000001-0000000001.seg", NULL);
	assert_non_null(complain(fm, acked, &oldest));
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(
		    the_oldest_segments_go_until_the_rest_is_small_enough),
		MODEL_TEST(what_is_small_enough_stays),
		MODEL_TEST(a_segment_is_old_when_its_last_event_is),
		MODEL_TEST(what_is_needed_stays_within_its_bound),
		MODEL_TEST(a_newer_sealed_segment_always_stays),
		MODEL_TEST(a_damaged_log_is_left_alone),
		MODEL_TEST(a_segment_above_the_floor_that_is_missing_is_damage),
		MODEL_TEST(a_floor_that_is_gone_or_old_or_anothers_is_damage),
		MODEL_TEST(every_bit_of_the_floor_counts),
		MODEL_TEST(a_base_that_is_missing_is_damage),
		MODEL_TEST(every_byte_of_the_base_counts),
		MODEL_TEST(
		    a_reader_whose_segment_goes_is_told_what_is_the_oldest),
		MODEL_TEST(seeking_what_is_gone_says_so),
		MODEL_TEST(what_goes_during_a_verification_is_not_missing),
		MODEL_TEST(
		    a_base_that_goes_before_it_is_verified_is_not_missing),
		cmocka_unit_test(
		    a_power_cut_at_any_call_leaves_a_floor_with_its_base),
		cmocka_unit_test(an_error_at_any_call_loses_nothing),
		cmocka_unit_test(removing_before_the_floor_is_found_out),
	};

	seed = seed_draw();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
