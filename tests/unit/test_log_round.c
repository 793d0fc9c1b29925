/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A round of the retainer in the file model: it goes by one list of the
 * segments, and others may read the log meanwhile.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/base.h"
#include "log/chain.h"
#include "log/floor.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/retain.h"
#include "log/verify.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
	LAST = 60,	  /* of modelfix_fill_segments() */
	PACK_BLOCKS = 64, /* where the first one is in a packed segment */
};

static void
a_list_has_its_segments_as_they_are_packed(void **state)
{
	struct modelfix *m = *state;
	struct segment_list list, now;
	uint64_t left = 0;
	size_t packed = 0;
	int got;

	modelfix_fill_segments(m);
	assert_int_equal(
	    chain_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), CHAIN_WHOLE);
	while ((got = retain_pack(m->fx.io, m->fx.dirfd, &list, &left,
		    &m->fx.why)) == RETAIN_PACKED)
		packed++;
	assert_int_equal(got, RETAIN_NOTHING);
	assert_int_equal(packed, list.n - 2);
	assert_int_equal(
	    chain_read(m->fx.io, m->fx.dirfd, &now, &m->fx.why), CHAIN_WHOLE);
	assert_int_equal(now.n, list.n);
	for (size_t i = 0; i < list.n; i++) {
		assert_string_equal(list.v[i].name, now.v[i].name);
		assert_int_equal(list.v[i].packed, i < packed);
		assert_int_equal(list.v[i].disk_bytes, now.v[i].disk_bytes);
		/* Without the padding behind it. */
		assert_memory_equal(&list.v[i].extent, &now.v[i].extent,
		    offsetof(struct segment_predecessor, digest) + LOG_DIGEST);
	}
	segment_list_deinit(&list);
	segment_list_deinit(&now);
}

static const struct sysio *model;
static struct modelfix *moving;
static unsigned opens, packings;

/* The first segment is packed when it is opened for the second time. */
static int
pack_and_open(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	struct modelfix *m = moving;

	if (m && strcmp(name, modelfix_named(m, 1)) == 0 && ++opens == 2) {
		moving = NULL;
		assert_int_equal(
		    retainfix_pack(m->fx.io, m->fx.dirfd, &m->fx.why),
		    RETAIN_PACKED);
	}
	return model->openat(ctx, dirfd, name, flags, mode);
}

static void
a_segment_may_be_packed_while_its_frames_stand_in_for_its_seal(void **state)
{
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	struct segment_list list;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 1), SEGMENT - LOG_PAGE + 100, 1);
	model = m->fx.io;
	moving = m;
	opens = 0;
	io.openat = pack_and_open;
	if (chain_read(&io, m->fx.dirfd, &list, &m->fx.why) != CHAIN_WHOLE)
		fail_msg("%s", m->fx.why.text);
	assert_null(moving);
	segment_list_deinit(&list);
}

/* Of the second segment a byte of what is packed is written otherwise. */
static ssize_t
pwritev_wrongly(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	if (at == PACK_BLOCKS && ++packings == 2)
		((uint8_t *)iov[0].iov_base)[50] ^= 1;
	return model->pwritev(ctx, fd, iov, n, at);
}

/* All that there is to pack, by a list of its own; how often which came. */
static void
pack_round(struct modelfix *m, const struct sysio *io, uint64_t *left,
    unsigned outcomes[RETAIN_DIFFERS + 1])
{
	struct segment_list list;
	int got;

	assert_int_equal(
	    chain_read(io, m->fx.dirfd, &list, &m->fx.why), CHAIN_WHOLE);
	memset(outcomes, 0, (RETAIN_DIFFERS + 1) * sizeof(*outcomes));
	do {
		got = retain_pack(io, m->fx.dirfd, &list, left, &m->fx.why);
		assert_in_range(got, RETAIN_NOTHING, RETAIN_DIFFERS);
		outcomes[got]++;
	} while (got != RETAIN_NOTHING);
	segment_list_deinit(&list);
}

static void
a_segment_that_cannot_be_packed_holds_up_no_other(void **state)
{
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	unsigned outcomes[RETAIN_DIFFERS + 1];
	uint64_t left = 0;
	char name[SEGMENT_NAME_SIZE];

	modelfix_fill_segments(m);
	memcpy(name, modelfix_named(m, modelfix_nth(m, 1)), sizeof(name));
	model = m->fx.io;
	io.pwritev = pwritev_wrongly;
	packings = 0;
	pack_round(m, &io, &left, outcomes);
	assert_int_equal(outcomes[RETAIN_DIFFERS], 1);
	assert_true(outcomes[RETAIN_PACKED] > 1);
	assert_non_null(strstr(m->fx.why.text, name));
	/* It is not tried again and again, and what comes later is. */
	pack_round(m, &io, &left, outcomes);
	assert_int_equal(outcomes[RETAIN_DIFFERS] + outcomes[RETAIN_PACKED], 0);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 20, 3);
	logfix_stop(&m->fx);
	pack_round(m, &io, &left, outcomes);
	assert_int_equal(outcomes[RETAIN_DIFFERS], 0);
	assert_true(outcomes[RETAIN_PACKED] > 0);
	assert_true(filemodel_size(m->fm, name) > 0);
	/* The next process tries it once more. */
	left = 0;
	pack_round(m, &io, &left, outcomes);
	assert_int_equal(outcomes[RETAIN_PACKED], 1);
	assert_int_equal(filemodel_size(m->fm, name), -1);
	modelfix_expect_recovered(m, LAST + 60);
}

/* Nobody sealed it: what its successor says of its end goes with it. */
static void
one_left_in_a_crash_may_be_packed_while_it_is_read(void **state)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct modelfix *m = *state;
	struct log_frame frame;
	uint64_t seq = 0;
	int got;

	m->fx.segment_bytes = SEGMENT;
	for (unsigned i = 0; i < 4; i++) {
		logfix_start(&m->fx);
		logfix_fill(&m->fx, 2, 3);
	}
	assert_int_equal(
	    log_reader_open(m->fx.io, m->fx.dirfd, 24, &rd, &m->fx.why), 0);
	retainfix_pack_all(&m->fx);
	assert_non_null(strstr(modelfix_named(m, 1), ".segz"));
	while (
	    (got = log_reader_next(rd, &frame, &m->fx.why)) == LOG_READ_FRAME)
		seq = frame.first_seq + frame.n_events - 1;
	if (got != LOG_READ_END)
		fail_msg("%s", m->fx.why.text);
	assert_int_equal(seq, 24);
}

static bool remove_before;

/* Retention comes in between, once. */
static int
list_and_remove(
    void *ctx, int dirfd, int (*fn)(void *arg, const char *name), void *arg)
{
	struct modelfix *m = moving;
	int err = 0;

	moving = NULL;
	if (m && remove_before)
		retainfix_expect(m, 3 * SEGMENT);
	err = model->list(ctx, dirfd, fn, arg);
	if (m && !remove_before)
		retainfix_expect(m, 3 * SEGMENT);
	return err;
}

static void
retention_may_remove_segments_while_they_are_listed(void **state)
{
	struct modelfix *m = *state;
	struct filemodel *whole;

	modelfix_fill_segments(m);
	logfix_stop(&m->fx);
	whole = m->fm;
	for (unsigned i = 0; i < 2; i++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(whole);
		struct modelfix c = { .fm = fm };
		struct segment_list list;
		struct sysio io;

		logfix_init(&c.fx, filemodel_io(fm), filemodel_root(fm));
		model = c.fx.io;
		moving = &c;
		remove_before = i == 0;
		io = *model;
		io.list = list_and_remove;
		if (chain_read(&io, c.fx.dirfd, &list, &c.fx.why) !=
		    CHAIN_WHOLE)
			fail_msg("%u: %s", i, c.fx.why.text);
		assert_null(moving);
		assert_int_equal(list.v[0].name_first_seq, 25);
		segment_list_deinit(&list);
	}
}

static const char *vanishing;

/* It is there when it is listed, and not when it is read. */
static int
open_once(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	if (strcmp(name, vanishing) == 0 && opens++ > 0)
		return -ENOENT;
	return model->openat(ctx, dirfd, name, flags, mode);
}

/* Only what is below the floor has gone rightly. */
static void
a_segment_that_vanishes_above_the_floor_is_missed(void **state)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_verify verify = { .limit_seq = UINT64_MAX };
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	char name[SEGMENT_NAME_SIZE];
	struct log_frame frame;

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	snprintf(name, sizeof(name), "%s", modelfix_named(m, 25));
	model = m->fx.io;
	vanishing = name;
	io.openat = open_once;
	opens = 0;
	assert_int_equal(
	    log_verify(&io, m->fx.dirfd, &verify, &m->fx.why), -ENOENT);
	assert_non_null(strstr(m->fx.why.text, name));
	opens = 0;
	assert_int_equal(
	    log_reader_open(&io, m->fx.dirfd, LAST, &rd, &m->fx.why), 0);
	assert_int_equal(
	    log_reader_next(rd, &frame, &m->fx.why), LOG_READ_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "is missing"));
}

static int flushing_fd;
static unsigned hidden;

static int
note_open(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	flushing_fd = model->openat(ctx, dirfd, name, flags, mode);
	return flushing_fd;
}

/* Of a flush under way the second page is there before the first. */
static ssize_t
read_early(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	const off_t page = (off_t)modelfix_page(2);
	ssize_t n = model->pread(ctx, fd, buf, len, at);

	if (fd == flushing_fd && at <= page && page + LOG_PAGE <= at + n &&
	    n > SEGMENT_FRAMES && hidden > 0) {
		memset((char *)buf + (page - at), 0, LOG_PAGE);
		hidden--;
	}
	return n;
}

/* Who stops within it looks once more, at all that is there by then. */
static void
a_flush_under_way_is_no_damage(void **state)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_verify verify = { .limit_seq = UINT64_MAX };
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	struct log_frame frame;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 5, 1);
	model = m->fx.io;
	io.openat = note_open;
	io.pread = read_early;
	hidden = 1;
	assert_int_equal(log_verify(&io, m->fx.dirfd, &verify, &m->fx.why), 0);
	assert_int_equal(verify.problems, 0);
	assert_int_equal(verify.last_seq, 5);
	assert_int_equal(hidden, 0);
	/* A reader has stopped, and looks at what is behind, before it ends. */
	assert_int_equal(
	    log_reader_open(&io, m->fx.dirfd, UINT64_MAX, &rd, &m->fx.why), 0);
	hidden = 2;
	for (uint64_t seq = 1; seq <= 5; seq++) {
		if (log_reader_next(rd, &frame, &m->fx.why) != LOG_READ_FRAME)
			fail_msg("%d: %s", (int)seq, m->fx.why.text);
		assert_int_equal(frame.first_seq, seq);
	}
	assert_int_equal(hidden, 0);
}

static void
what_a_crash_left_half_made_is_removed(void **state)
{
	static const char *const names[] = { "pack.tmp", "base.tmp",
		"FLOOR.tmp", "RESERVE.tmp",
		"00000000000000000013-0000000001.sum.tmp",
		/* Not the retainer's: */
		"next.tmp", "writer.ckpt.tmp", "a.tmp",
		"00000000000000000013-0000000001.sum",
		"00000000000000000013-0000000001.seg.tmp" };
	static const struct modelfix_copy bytes;
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		modelfix_put_file(m, names[i], &bytes);
	assert_int_equal(retain_tidy(m->fx.io, m->fx.dirfd, &m->fx.why), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if ((filemodel_size(m->fm, names[i]) < 0) != (i < 5))
			fail_msg("'%s'", names[i]);
	modelfix_expect_recovered(m, LAST);
}

/* A base of that seq, of which there is no more than the name. */
static void
put_base(struct modelfix *m, uint64_t seq)
{
	static const struct modelfix_copy bytes;
	char name[BASE_NAME_SIZE];

	base_name(name, seq);
	modelfix_put_file(m, name, &bytes);
}

static bool
has_base(struct modelfix *m, uint64_t seq)
{
	char name[BASE_NAME_SIZE];

	base_name(name, seq);
	return filemodel_size(m->fm, name) >= 0;
}

/* One may be as large as all rows: a crash behind it would keep that room. */
static void
a_base_without_a_floor_upon_it_is_removed(void **state)
{
	struct modelfix *m = *state;
	uint64_t floor;

	modelfix_fill_segments(m);
	put_base(m, modelfix_nth(m, 1) - 1);
	assert_int_equal(retain_remove(m->fx.io, m->fx.dirfd, &m->fx.why), 0);
	assert_false(has_base(m, modelfix_nth(m, 1) - 1));
	modelfix_expect_recovered(m, LAST);
	retainfix_expect(m, 4 * SEGMENT);
	floor = modelfix_nth(m, 0);
	put_base(m, floor - 2);
	put_base(m, floor);
	put_base(m, modelfix_nth(m, 1) - 1);
	assert_int_equal(retain_remove(m->fx.io, m->fx.dirfd, &m->fx.why), 0);
	assert_false(has_base(m, floor - 2));
	assert_true(has_base(m, floor - 1));
	assert_false(has_base(m, floor));
	assert_false(has_base(m, modelfix_nth(m, 1) - 1));
	modelfix_expect_recovered(m, LAST);
}

static int
open_no_floor(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	return strcmp(name, FLOOR_NAME) == 0
		   ? -EIO
		   : model->openat(ctx, dirfd, name, flags, mode);
}

static ssize_t
read_nothing(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	(void)ctx;
	(void)fd;
	(void)buf;
	(void)len;
	(void)at;
	return -EIO;
}

/* Without it the base would be one that no floor stands on. */
static void
nothing_is_removed_by_a_floor_that_cannot_be_read(void **state)
{
	struct modelfix *m = *state;
	struct sysio no_open, no_read;
	uint64_t floor;

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	floor = modelfix_nth(m, 0);
	model = m->fx.io;
	no_open = no_read = *model;
	no_open.openat = open_no_floor;
	no_read.pread = read_nothing;
	assert_int_equal(
	    retain_remove(&no_open, m->fx.dirfd, &m->fx.why), -EIO);
	assert_int_equal(
	    retain_remove(&no_read, m->fx.dirfd, &m->fx.why), -EIO);
	modelfix_spoil(m, FLOOR_NAME, 44, 1);
	assert_int_equal(
	    retain_remove(m->fx.io, m->fx.dirfd, &m->fx.why), -EUCLEAN);
	modelfix_spoil(m, FLOOR_NAME, 44, 1);
	assert_true(has_base(m, floor - 1));
	assert_int_equal(modelfix_nth(m, 0), floor);
	modelfix_expect_recovered(m, LAST);
}

/* The broker, too, has its rows of that one, and others would be refused. */
static void
a_floor_is_of_the_epoch_that_the_log_is_in(void **state)
{
	const struct retain_policy policy = { .keep_bytes = 0 };
	struct modelfix *m = *state;
	struct log_floor floor = { .seq = 0 };
	struct segment_list list;
	uint64_t held;

	modelfix_fill_segments(m);
	assert_int_equal(
	    chain_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), CHAIN_WHOLE);
	/* As a repair leaves it. */
	list.v[list.n - 1].header.epoch = 7;
	assert_int_equal(
	    retain_look(&list, &policy, &floor, &held), RETAIN_FLOOR);
	assert_int_equal(floor.seq, list.v[list.n - 2].header.first_seq);
	assert_int_equal(floor.epoch, 7);
	segment_list_deinit(&list);
}

/* A list of those segments, with nothing that age would not look at. */
static struct segment_list
dated(struct segment *v, size_t n, const uint64_t *sealed_us)
{
	memset(v, 0, n * sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		v[i].header.first_seq = 1 + i;
		v[i].seal = sealed_us[i] ? SEAL_GOOD : SEAL_NONE;
		v[i].seal_time_us = sealed_us[i];
	}
	return (struct segment_list){ .v = v, .n = n };
}

/* How many of them go for their age. */
static uint64_t
go_at(uint64_t now_us, uint64_t keep_us, const uint64_t *sealed_us)
{
	const struct retain_policy policy = {
		.keep_bytes = UINT64_MAX, .keep_us = keep_us, .now_us = now_us
	};
	struct segment v[6];
	struct segment_list list = dated(v, ARRAY_LEN(v), sealed_us);
	struct log_floor floor = { .seq = 1 };
	uint64_t held;

	return retain_look(&list, &policy, &floor, &held) == RETAIN_FLOOR
		   ? floor.seq - 1
		   : 0;
}

static void
one_left_in_a_crash_is_as_old_as_the_next_that_was_sealed(void **state)
{
	static const uint64_t crashed[] = { 100, 0, 0, 400, 500, 0 };
	static const uint64_t never[] = { 0, 0, 0, 0, 0, 0 };

	(void)state;
	assert_int_equal(go_at(1099, 1000, crashed), 0);
	assert_int_equal(go_at(1100, 1000, crashed), 0);
	assert_int_equal(go_at(1101, 1000, crashed), 1);
	assert_int_equal(go_at(1400, 1000, crashed), 1);
	assert_int_equal(go_at(1401, 1000, crashed), 4);
	/* Of some that were all left so, nobody knows. */
	assert_int_equal(go_at(UINT64_MAX, 1000, never), 0);
}

/* A host's clock may begin with the year 1970. */
static void
nothing_is_too_old_by_a_clock_that_is_younger_than_what_is_kept(void **state)
{
	static const uint64_t sealed[] = { 100, 200, 300, 400, 500, 0 };

	(void)state;
	assert_int_equal(go_at(999, 1000, sealed), 0);
	assert_int_equal(go_at(1000, 1000, sealed), 0);
	assert_int_equal(go_at(1001, 1000, sealed), 0);
	assert_int_equal(go_at(0, 1, sealed), 0);
}

/* Broker and writer need room more urgently than it takes less of it. */
static void
nothing_is_packed_on_a_disk_that_is_nearly_full(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	filemodel_set_room(m->fm, 3 * SEGMENT - 1);
	assert_int_equal(
	    retainfix_pack(m->fx.io, m->fx.dirfd, &m->fx.why), RETAIN_NOTHING);
	filemodel_set_room(m->fm, 3 * SEGMENT);
	assert_int_equal(
	    retainfix_pack(m->fx.io, m->fx.dirfd, &m->fx.why), RETAIN_PACKED);
}

enum {
	MANY = 300 /* more names than are held in memory at once */
};

static bool there[MANY];

static void
name_one(char name[SEGMENT_NAME_SIZE], uint32_t i)
{
	static const char *const ends[] = { ".seg", ".segz", ".idx", ".sum" };

	segment_name(name, 1, 100 + i, ends[i % ARRAY_LEN(ends)]);
}

/* What is there of the many, beside what the directory has. */
static int
list_many(
    void *ctx, int dirfd, int (*fn)(void *arg, const char *name), void *arg)
{
	char name[SEGMENT_NAME_SIZE];

	for (uint32_t i = 0; i < MANY; i++) {
		name_one(name, i);
		if (there[i])
			(void)fn(arg, name);
	}
	return model->list(ctx, dirfd, fn, arg);
}

static int
unlink_one(void *ctx, int dirfd, const char *name)
{
	char one[SEGMENT_NAME_SIZE];

	for (uint32_t i = 0; i < MANY; i++) {
		name_one(one, i);
		if (strcmp(name, one) != 0)
			continue;
		assert_true(there[i]);
		there[i] = false;
		return 0;
	}
	return model->unlinkat(ctx, dirfd, name);
}

/* As after a smaller log.keep_bytes. */
static void
all_that_the_floor_has_passed_goes_however_much_it_is(void **state)
{
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * SEGMENT);
	assert_true(modelfix_nth(m, 0) > 1);
	model = m->fx.io;
	io.list = list_many;
	io.unlinkat = unlink_one;
	memset(there, true, sizeof(there));
	assert_int_equal(retain_remove(&io, m->fx.dirfd, &m->fx.why), 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_false(there[i]);
	modelfix_expect_recovered(m, LAST);
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(a_list_has_its_segments_as_they_are_packed),
		MODEL_TEST(
		    a_segment_may_be_packed_while_its_frames_stand_in_for_its_seal),
		MODEL_TEST(a_segment_that_cannot_be_packed_holds_up_no_other),
		MODEL_TEST(one_left_in_a_crash_may_be_packed_while_it_is_read),
		MODEL_TEST(retention_may_remove_segments_while_they_are_listed),
		MODEL_TEST(a_segment_that_vanishes_above_the_floor_is_missed),
		MODEL_TEST(a_flush_under_way_is_no_damage),
		MODEL_TEST(what_a_crash_left_half_made_is_removed),
		MODEL_TEST(a_base_without_a_floor_upon_it_is_removed),
		MODEL_TEST(nothing_is_removed_by_a_floor_that_cannot_be_read),
		MODEL_TEST(a_floor_is_of_the_epoch_that_the_log_is_in),
		cmocka_unit_test(
		    one_left_in_a_crash_is_as_old_as_the_next_that_was_sealed),
		cmocka_unit_test(
		    nothing_is_too_old_by_a_clock_that_is_younger_than_what_is_kept),
		MODEL_TEST(nothing_is_packed_on_a_disk_that_is_nearly_full),
		MODEL_TEST(
		    all_that_the_floor_has_passed_goes_however_much_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
