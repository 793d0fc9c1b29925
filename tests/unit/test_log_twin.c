/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A segment and the same one packed, both there: whatever is damaged of the
 * one, a repair takes the other, and loses what neither has.
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
#include "log/pack_priv.h"
#include "tests/lib/repairfix.h"
#include "tests/lib/retainfix.h"

enum {
	TWIN = 25, /* first event of the segment that is there twice */
};

/* All are packed, and one is there as it was, too. */
static void
fill_twins(struct modelfix *m, char own[SEGMENT_NAME_SIZE],
    char packed[SEGMENT_NAME_SIZE])
{
	struct modelfix_copy c;

	modelfix_fill_segments(m);
	snprintf(own, SEGMENT_NAME_SIZE, "%s", modelfix_named(m, TWIN));
	filemodel_edit(m->fm, own, modelfix_take_copy, &c);
	retainfix_pack_all(&m->fx);
	snprintf(packed, SEGMENT_NAME_SIZE, "%s", modelfix_named(m, TWIN));
	assert_string_not_equal(own, packed);
	modelfix_put_file(m, own, &c);
}

static void
a_damaged_segment_that_is_whole_when_unpacked_is_not_lost(void **state)
{
	char own[SEGMENT_NAME_SIZE], packed[SEGMENT_NAME_SIZE];
	struct modelfix *m = *state;

	fill_twins(m, own, packed);
	modelfix_spoil(m, own, modelfix_page(1) + LOG_FRAME_HEADER, 1);
	repairfix_expect(m, "none", 5);
}

static void
nor_is_one_without_a_header(void **state)
{
	char own[SEGMENT_NAME_SIZE], packed[SEGMENT_NAME_SIZE];
	struct modelfix *m = *state;

	fill_twins(m, own, packed);
	modelfix_spoil(m, own, 0, SEGMENT_FRAMES);
	modelfix_expect_damage(m, LOG_DAMAGED_SEGMENT, "copy of its header");
	repairfix_expect(m, "none", 5);
}

static void
a_damaged_packed_one_is_not_taken(void **state)
{
	char own[SEGMENT_NAME_SIZE], packed[SEGMENT_NAME_SIZE];
	struct modelfix *m = *state;
	struct log_repair r;

	fill_twins(m, own, packed);
	/* The end of its second block, in front of the index of both. */
	modelfix_spoil(m, packed,
	    (uint64_t)filemodel_size(m->fm, packed) - LOG_PAGE -
		2 * PACK_ENTRY - 30,
	    10);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_NONE);
	log_repair_deinit(&r);
	/* Where neither is whole, the one that counts is read. */
	modelfix_spoil(m, own, modelfix_page(1) + LOG_FRAME_HEADER, 1);
	repairfix_expect(m, "28..30", 2);
}

/* A packed one is smaller: zeros behind its end are read by nobody. */
static void
take_packed(void *arg, uint8_t *bytes, uint64_t size)
{
	struct modelfix_copy *c = arg;

	assert_true(size <= sizeof(c->bytes));
	*c = (struct modelfix_copy){ { 0 } };
	memcpy(c->bytes, bytes, size);
}

/* It has the name, and is whole: but it is not what the next follows on. */
static void
another_segment_that_is_packed_is_not_taken(void **state)
{
	char own[SEGMENT_NAME_SIZE], packed[SEGMENT_NAME_SIZE];
	struct modelfix *m = *state;
	struct modelfix_copy c;

	fill_twins(m, own, packed);
	filemodel_edit(m->fm, modelfix_named(m, 13), take_packed, &c);
	modelfix_put_file(m, packed, &c);
	modelfix_spoil(m, own, modelfix_page(1) + LOG_FRAME_HEADER, 1);
	repairfix_expect(m, "28..30", 2);
}

/* Of the same events, even. */
static void
one_of_another_log_is_not_taken(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *other = filemodel_new(2);
	char own[SEGMENT_NAME_SIZE], packed[SEGMENT_NAME_SIZE];
	struct modelfix *m = *state;
	struct modelfix_copy c;
	struct logfix fx;

	fill_twins(m, own, packed);
	logfix_init(&fx, filemodel_io(other), filemodel_root(other));
	fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&fx);
	logfix_fill(&fx, 20, 3);
	retainfix_pack_all(&fx);
	logfix_deinit(&fx);
	filemodel_edit(other, packed, take_packed, &c);
	modelfix_put_file(m, packed, &c);
	modelfix_spoil(m, own, modelfix_page(1) + LOG_FRAME_HEADER, 1);
	repairfix_expect(m, "28..30", 2);
}

/* Behind event 24 two logs go on with the same events, each by itself. */
static struct filemodel *
fill_forks(struct modelfix *m, char own[SEGMENT_NAME_SIZE],
    char packed[SEGMENT_NAME_SIZE])
{
	struct modelfix_copy c;
	struct filemodel *other;
	struct logfix fx;

	m->fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 8, 3);
	logfix_stop(&m->fx);
	other = filemodel_clone(m->fm);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 12, 3);
	snprintf(own, SEGMENT_NAME_SIZE, "%s", modelfix_named(m, TWIN));
	snprintf(packed, SEGMENT_NAME_SIZE, "%sz", own);
	/* It draws other salts. */
	assert_int_equal(sysio_random(filemodel_io(other), c.bytes, 1), 0);
	logfix_init(&fx, filemodel_io(other), filemodel_root(other));
	fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&fx);
	logfix_fill(&fx, 12, 3);
	retainfix_pack_all(&fx);
	logfix_deinit(&fx);
	filemodel_edit(other, packed, take_packed, &c);
	modelfix_put_file(m, packed, &c);
	return other;
}

/* It follows on the same segment, and has as many events. */
static void
one_of_a_forked_history_is_not_taken(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *other = NULL;
	char own[SEGMENT_NAME_SIZE], packed[SEGMENT_NAME_SIZE];
	struct modelfix *m = *state;

	other = fill_forks(m, own, packed);
	modelfix_spoil(m, own, 0, SEGMENT_FRAMES);
	modelfix_spoil(m, own, modelfix_page(1) + LOG_FRAME_HEADER, 1);
	repairfix_expect(m, "28..30", 2);
}

/* Though all that follows is of the other history, too. */
static void
nor_is_one_that_is_not_the_same_segment(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *other = NULL;
	char own[SEGMENT_NAME_SIZE], packed[SEGMENT_NAME_SIZE];
	struct modelfix *m = *state;
	struct modelfix_copy c;

	other = fill_forks(m, own, packed);
	for (uint64_t seq = TWIN + 12; seq <= 60; seq += 12) {
		char name[SEGMENT_NAME_SIZE];

		snprintf(name, sizeof(name), "%s", modelfix_named(m, seq));
		filemodel_edit(other, name, modelfix_take_copy, &c);
		modelfix_put_file(m, name, &c);
	}
	modelfix_spoil(m, own, modelfix_page(1) + LOG_FRAME_HEADER, 1);
	modelfix_spoil(m, own, sizeof(c.bytes) - LOG_PAGE, 1);
	repairfix_expect(m, "28..30", 2);
}

/* All its events are there, and the file is not. */
static void
one_that_is_cut_behind_its_frames_is_taken_packed(void **state)
{
	char own[SEGMENT_NAME_SIZE], packed[SEGMENT_NAME_SIZE];
	struct modelfix *m = *state;
	int fd;

	fill_twins(m, own, packed);
	fd = sysio_openat(m->fx.io, m->fx.dirfd, own, O_RDWR, 0);
	assert_true(fd >= 0);
	assert_int_equal(
	    sysio_ftruncate(m->fx.io, fd,
		sizeof(((struct modelfix_copy *)0)->bytes) - LOG_PAGE),
	    0);
	(void)sysio_close(m->fx.io, fd);
	repairfix_expect(m, "none", 5);
}

#define MODEL_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(
		    a_damaged_segment_that_is_whole_when_unpacked_is_not_lost),
		MODEL_TEST(nor_is_one_without_a_header),
		MODEL_TEST(a_damaged_packed_one_is_not_taken),
		MODEL_TEST(another_segment_that_is_packed_is_not_taken),
		MODEL_TEST(one_of_another_log_is_not_taken),
		MODEL_TEST(one_of_a_forked_history_is_not_taken),
		MODEL_TEST(nor_is_one_that_is_not_the_same_segment),
		MODEL_TEST(one_that_is_cut_behind_its_frames_is_taken_packed),
	};

	return cmocka_run_group_tests_name("log_twin", tests, NULL, NULL);
}
