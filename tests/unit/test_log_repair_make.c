/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Repairs that are made: of the log that was looked at and of no other, by
 * names of their own, and only where what was written is what was meant.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/format_priv.h"
#include "log/loss.h"
#include "tests/lib/repairfix.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
};

/* Who has accepted a loss has accepted that one. */
static void
a_log_that_was_damaged_since_the_plan_is_not_repaired(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;
	int fd;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 25), modelfix_page(1), 1);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "28..30");
	modelfix_spoil(m, modelfix_named(m, 37), modelfix_page(1), 1);
	fd = modelfix_directory(m, "made");
	assert_true(
	    log_repair_make(m->fx.io, m->fx.dirfd, fd, &r, &m->fx.why) < 0);
	assert_non_null(strstr(m->fx.why.text, "otherwise than a moment ago"));
	(void)sysio_close(m->fx.io, fd);
	log_repair_deinit(&r);
}

static const struct sysio *model;
static unsigned spoiled;

/* Of the first flush that is written the disk keeps other bytes. */
static ssize_t
write_others(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	struct iovec others = { (char[]){ '\xa5', '\x5a' }, 2 };
	ssize_t put = model->pwritev(ctx, fd, iov, n, at);

	if (at >= SEGMENT_FRAMES && put > LOG_PAGE && spoiled++ == 0)
		assert_int_equal(
		    model->pwritev(ctx, fd, &others, 1, at + 100), 2);
	return put;
}

static void
what_the_disk_has_spoiled_takes_no_logs_place(void **state)
{
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	struct log_repair r;
	int fd;

	modelfix_fill_segments(m);
	logfix_fill(&m->fx, 100, 4);
	modelfix_spoil(m, modelfix_named(m, 13), modelfix_page(1), 1);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	model = m->fx.io;
	io.pwritev = write_others;
	spoiled = 0;
	fd = modelfix_directory(m, "made");
	assert_true(log_repair_make(&io, m->fx.dirfd, fd, &r, &m->fx.why) < 0);
	assert_true(spoiled > 1);
	assert_non_null(strstr(m->fx.why.text, "not what it should be"));
	(void)sysio_close(m->fx.io, fd);
	log_repair_deinit(&r);
}

/* A backup, or whoever compares names, must not take one for another. */
static void
no_new_segment_has_the_name_of_an_old_one(void **state)
{
	struct modelfix *m = *state;
	struct segment_list list;
	struct log_repair r;
	int fd;

	m->fx.segment_bytes = SEGMENT;
	for (unsigned i = 0; i < 3; i++) {
		logfix_start(&m->fx);
		logfix_fill(&m->fx, 2, 3);
	}
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(0), 1);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_int_equal(r.linked, 0);
	fd = repairfix_make(m, &r, 1);
	assert_int_equal(segment_list_read(m->fx.io, fd, &list, &m->fx.why), 0);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(filemodel_size(m->fm, list.v[i].name), -1);
	segment_list_deinit(&list);
	(void)sysio_close(m->fx.io, fd);
	log_repair_deinit(&r);
}

/* Of another log, in a frame that is whole. */
static void
a_frame_within_an_event_is_none_of_a_headless_segment(void **state)
{
	static const char other[] = "00000000000000000013-0000000001.seg";
	struct modelfix *m = *state;
	struct log_repair r;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	modelfix_put_old(m, other);
	modelfix_append_frame_of(m, other, modelfix_page(0));
	filemodel_put_aside(m->fm, other, NULL);
	logfix_fill(&m->fx, 1, 3);
	modelfix_wipe(m, modelfix_named(m, 1), 0, SEGMENT_FRAMES);
	if (repairfix_plan(m, &r) != LOG_REPAIR_PLANNED)
		fail_msg("%s", m->fx.why.text);
	assert_string_equal(repairfix_ranges(&r), "none");
	assert_int_equal(r.last_seq, 10);
	log_repair_deinit(&r);
}

/* Cut off right behind its last frame. */
static void
all_of_a_headless_segment_that_was_cut_is_looked_at(void **state)
{
	struct modelfix *m = *state;
	int fd;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	modelfix_wipe(m, modelfix_named(m, 49), 0, SEGMENT_FRAMES);
	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, modelfix_named(m, 49), O_RDWR, 0);
	assert_true(fd >= 0);
	assert_int_equal(sysio_ftruncate(m->fx.io, fd, modelfix_page(4)), 0);
	assert_int_equal(sysio_fsync(m->fx.io, fd), 0);
	(void)sysio_close(m->fx.io, fd);
	repairfix_expect(m, "none", 4);
}

static bool
may_skip(const struct log_loss *loss)
{
	return log_loss_allows(loss, 1, 9);
}

static void
a_loss_lasts_until_the_epoch_that_ends_it(void **state)
{
	struct log_loss loss = { 0 };

	(void)state;
	assert_true(log_loss_allows(&loss, 1, 2));
	assert_false(may_skip(&loss));
	log_loss_see(&loss, SLICE_STR("$log.5.lost"));
	assert_true(may_skip(&loss));
	assert_false(log_loss_allows(&loss, 9, 9));
	/* What is of earlier ones ends and begins nothing, in any order. */
	log_loss_see(&loss, SLICE_STR("$log.3.lost"));
	log_loss_see(&loss, SLICE_STR("$log.4"));
	assert_true(may_skip(&loss));
	log_loss_see(&loss, SLICE_STR("$log.5"));
	assert_false(may_skip(&loss));
	log_loss_see(&loss, SLICE_STR("$log.2"));
	log_loss_see(&loss, SLICE_STR("$log.3.lost"));
	assert_false(may_skip(&loss));
	/* Topics that are like them. */
	log_loss_see(&loss, SLICE_STR("$log.6.lost.x"));
	log_loss_see(&loss, SLICE_STR("$log.6.lose"));
	log_loss_see(&loss, SLICE_STR("$logs6.lost"));
	assert_false(may_skip(&loss));
	log_loss_see(&loss, SLICE_STR("$log.18446744073709551615.lost"));
	assert_true(may_skip(&loss));
}

static void
a_segment_that_grew_is_no_measure(void **state)
{
	struct modelfix *m = *state;
	struct segment_list list;
	struct log_repair r;
	int fd, made;

	modelfix_fill_segments(m);
	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, modelfix_named(m, 49), O_RDWR, 0);
	assert_int_equal(sysio_ftruncate(m->fx.io, fd, 8 * (off_t)SEGMENT), 0);
	(void)sysio_close(m->fx.io, fd);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&r), "none");
	made = modelfix_directory(m, "new");
	assert_int_equal(
	    log_repair_make(m->fx.io, m->fx.dirfd, made, &r, &m->fx.why), 0);
	repairfix_check(m, made, &r, 1);
	assert_int_equal(segment_list_read(m->fx.io, made, &list, NULL), 0);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(list.v[i].file_bytes, m->fx.segment_bytes);
	segment_list_deinit(&list);
	(void)sysio_close(m->fx.io, made);
	log_repair_deinit(&r);
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_log_that_was_damaged_since_the_plan_is_not_repaired),
		TEST(what_the_disk_has_spoiled_takes_no_logs_place),
		TEST(no_new_segment_has_the_name_of_an_old_one),
		TEST(a_segment_that_grew_is_no_measure),
		TEST(a_frame_within_an_event_is_none_of_a_headless_segment),
		TEST(all_of_a_headless_segment_that_was_cut_is_looked_at),
		cmocka_unit_test(a_loss_lasts_until_the_epoch_that_ends_it),
	};

	return cmocka_run_group_tests_name(
	    "log_repair_make", tests, NULL, NULL);
}
