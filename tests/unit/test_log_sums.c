/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sums of segments in the file model: they name the event that was edited,
 * and whatever becomes of one of them, the others are made.
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

#include "log/chain.h"
#include "log/format_priv.h"
#include "log/sums.h"
#include "tests/lib/auditfix.h"
#include "tests/lib/retainfix.h"

static void
sums_name_the_event_however_much_is_made_anew(void **state)
{
	struct modelfix *m = *state;
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_CRCS };

	auditfix_fill(m);
	auditfix_make_sums(m);
	auditfix_expect_whole(m);
	for (; deed.digests <= EDITOR_SEAL; deed.digests++) {
		deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE);
		for (; deed.seq < modelfix_nth(m, AUDITFIX_MIDDLE + 1);
		     deed.seq++) {
			auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
			auditfix_expect_edited(m, deed.seq, deed.seq);
			auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
			auditfix_expect_whole(m);
		}
	}
	/* To the end of the log: nothing else is left that tells it. */
	deed.digests = EDITOR_SEAL;
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 7;
	auditfix_rewrite_from(m, AUDITFIX_MIDDLE, &deed);
	auditfix_expect_edited(m, deed.seq, deed.seq);
	for (size_t n = 0; n < auditfix_newest(m); n++)
		filemodel_put_aside(m->fm, auditfix_sums_of(m, n), NULL);
	auditfix_expect_whole(m);
}

static void
sums_are_a_cache(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_CRCS };
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE];
	int64_t size;

	auditfix_fill(m);
	auditfix_make_sums(m);
	snprintf(
	    name, sizeof(name), "%s", auditfix_sums_of(m, AUDITFIX_MIDDLE));
	size = filemodel_size(m->fm, name);
	assert_int_equal(size, 80 + 4 +
				   4 * (modelfix_nth(m, AUDITFIX_MIDDLE + 1) -
					   modelfix_nth(m, AUDITFIX_MIDDLE)));
	for (int64_t at = 0; at < size; at++) {
		modelfix_spoil(m, name, (uint64_t)at, 1);
		auditfix_expect_whole(m);
		modelfix_spoil(m, name, (uint64_t)at, 1);
	}
	modelfix_spoil(m, name, 90, 1);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE);
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	auditfix_expect_edited(m, deed.seq, 36);
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	/* Those that are gone come back, also where a crash was. */
	filemodel_put_aside(m->fm, name, NULL);
	modelfix_expect_recovered(m, AUDITFIX_LAST);
	logfix_fill(&m->fx, 20, 3);
	assert_int_equal(logfix_idle(&m->fx), 0);
	auditfix_make_sums(m);
	deed.seq = AUDITFIX_LAST - 1;
	for (size_t n = auditfix_newest(m) - 1; deed.digests < EDITOR_MARKS;
	     n--) {
		if (modelfix_nth(m, n) >= AUDITFIX_LAST)
			continue;
		auditfix_edit(m, n, &deed);
		auditfix_expect_edited(m, AUDITFIX_LAST - 1, AUDITFIX_LAST - 1);
		deed.digests = EDITOR_MARKS;
	}
}

static void
copy_sums(struct modelfix *m, size_t from, size_t to)
{
	static uint8_t bytes[64 << 10];
	char name[SEGMENT_NAME_SIZE];
	int fd, got;

	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, auditfix_sums_of(m, from), O_RDONLY, 0);
	assert_true(fd >= 0);
	got = (int)sysio_pread(m->fx.io, fd, bytes, sizeof(bytes), 0);
	assert_true(got > 0 && got < (int)sizeof(bytes));
	(void)sysio_close(m->fx.io, fd);
	snprintf(name, sizeof(name), "%s", auditfix_sums_of(m, to));
	filemodel_put_aside(m->fm, name, NULL);
	fd =
	    sysio_openat(m->fx.io, m->fx.dirfd, name, O_WRONLY | O_CREAT, 0640);
	assert_int_equal(sysio_pwrite(m->fx.io, fd, bytes, (size_t)got, 0), 0);
	(void)sysio_close(m->fx.io, fd);
}

/* Nobody has edited what others' sums do not fit. */
static void
sums_of_another_segment_are_none(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_SEAL };
	struct modelfix *m = *state;

	auditfix_fill(m);
	auditfix_make_sums(m);
	copy_sums(m, 0, AUDITFIX_MIDDLE);
	auditfix_expect_whole(m);
	/* And they get their place back. */
	auditfix_make_sums(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 7;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	auditfix_expect_edited(m, deed.seq, deed.seq);
}

static void
change_keys(struct editor *ed, uint64_t seq)
{
	ed->was[ed->frames[editor_frame_of(ed, seq)].at + FRAME_KEYS_HASH] ^= 1;
}

/* Its time, or its keys: the last of its events answers for it. */
static void
an_edited_header_of_a_frame_is_found(void **state)
{
	struct auditfix_deed deed = { change_keys, 0, EDITOR_CRCS };
	struct modelfix *m = *state;

	auditfix_fill(m);
	auditfix_make_sums(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 6;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	auditfix_expect_edited(m, deed.seq + 2, deed.seq + 2);
}

/* A cache takes no room that new segments need. */
static void
sums_are_made_where_three_segments_find_room(void **state)
{
	struct modelfix *m = *state;

	auditfix_fill(m);
	filemodel_set_room(m->fm, 3 * (64 << 10) - 1);
	auditfix_make_sums(m);
	assert_int_equal(filemodel_size(m->fm, auditfix_sums_of(m, 0)), -1);
	filemodel_set_room(m->fm, 3 * (64 << 10));
	auditfix_make_sums(m);
	assert_true(filemodel_size(m->fm, auditfix_sums_of(m, 0)) > 0);
}

static void
no_sums_are_made_of_what_was_edited(void **state)
{
	/* IDLE frames have been made to agree. */
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_MARKS };
	struct modelfix *m = *state;

	auditfix_fill(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 1;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	assert_int_equal(
	    retainfix_sum(m->fx.io, m->fx.dirfd, &m->fx.why), SUMS_MADE);
	assert_int_equal(
	    retainfix_sum(m->fx.io, m->fx.dirfd, &m->fx.why), SUMS_DAMAGED);
	assert_int_equal(
	    filemodel_size(m->fm, auditfix_sums_of(m, AUDITFIX_MIDDLE)), -1);
}

/* All of a round: how many were made; *damaged: of how many there are none. */
static unsigned
sum_all(struct modelfix *m, struct sums_maker *maker, unsigned *damaged)
{
	struct segment_list list;
	unsigned made = 0;
	int got;

	*damaged = 0;
	assert_int_equal(
	    chain_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), CHAIN_WHOLE);
	sums_round(maker, &list);
	do {
		got = sums_make(m->fx.io, m->fx.dirfd, maker, &m->fx.why);
		assert_true(got >= 0);
		made += got == SUMS_MADE;
		*damaged += got == SUMS_DAMAGED;
	} while (got != SUMS_NOTHING);
	segment_list_deinit(&list);
	return made;
}

static void
segments_behind_an_edited_one_get_their_sums(void **state)
{
	CLEANUP(sums_maker_deinit) struct sums_maker maker = { 0 };
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_CRCS };
	struct modelfix *m = *state;
	unsigned damaged;

	auditfix_fill(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 1;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	assert_int_equal(sum_all(m, &maker, &damaged), auditfix_newest(m) - 1);
	assert_int_equal(damaged, 1);
	assert_int_equal(
	    filemodel_size(m->fm, auditfix_sums_of(m, AUDITFIX_MIDDLE)), -1);
	assert_true(filemodel_size(
			m->fm, auditfix_sums_of(m, AUDITFIX_MIDDLE + 1)) > 0);
	/* It is told once, and what was removed comes back all the same. */
	assert_int_equal(sum_all(m, &maker, &damaged), 0);
	assert_int_equal(damaged, 0);
	filemodel_put_aside(
	    m->fm, auditfix_sums_of(m, AUDITFIX_MIDDLE + 1), NULL);
	assert_int_equal(sum_all(m, &maker, &damaged), 1);
	assert_int_equal(damaged, 0);
}

static const struct sysio *model;
static const char *unreadable;
static int unreadable_fd;

static int
note_open(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	int fd = model->openat(ctx, dirfd, name, flags, mode);

	if (strcmp(name, unreadable) == 0)
		unreadable_fd = fd;
	else if (fd == unreadable_fd)
		unreadable_fd = -1;
	return fd;
}

/* Its headers and its seal can be read, and its frames can't. */
static ssize_t
read_not(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	if (fd == unreadable_fd && at >= SEGMENT_FRAMES && len > LOG_PAGE)
		return -EIO;
	return model->pread(ctx, fd, buf, len, at);
}

static void
segments_behind_one_that_cannot_be_read_get_their_sums(void **state)
{
	CLEANUP(sums_maker_deinit) struct sums_maker maker = { 0 };
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	char name[SEGMENT_NAME_SIZE];
	struct segment_list list;

	auditfix_fill(m);
	snprintf(name, sizeof(name), "%s",
	    modelfix_named(m, modelfix_nth(m, AUDITFIX_MIDDLE)));
	model = m->fx.io;
	unreadable = name;
	unreadable_fd = -1;
	io.openat = note_open;
	io.pread = read_not;
	assert_int_equal(
	    chain_read(&io, m->fx.dirfd, &list, &m->fx.why), CHAIN_WHOLE);
	sums_round(&maker, &list);
	for (size_t i = 0; i < auditfix_newest(m); i++)
		assert_int_equal(
		    sums_make(&io, m->fx.dirfd, &maker, &m->fx.why),
		    i == AUDITFIX_MIDDLE ? -EIO : SUMS_MADE);
	sums_round(&maker, &list);
	assert_int_equal(
	    sums_make(&io, m->fx.dirfd, &maker, &m->fx.why), SUMS_NOTHING);
	segment_list_deinit(&list);
}

static void
cut_file(struct modelfix *m, const char *name, uint64_t bytes)
{
	int fd = sysio_openat(m->fx.io, m->fx.dirfd, name, O_RDWR, 0);

	assert_true(fd >= 0);
	assert_int_equal(sysio_ftruncate(m->fx.io, fd, bytes), 0);
	assert_int_equal(sysio_close(m->fx.io, fd), 0);
}

static void
sums_that_are_not_whole_are_made_anew(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_SEAL };
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE];
	uint64_t size;

	auditfix_fill(m);
	auditfix_make_sums(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 7;
	snprintf(
	    name, sizeof(name), "%s", auditfix_sums_of(m, AUDITFIX_MIDDLE));
	size = (uint64_t)filemodel_size(m->fm, name);
	for (unsigned i = 0; i < 5; i++) {
		if (i == 0)
			cut_file(m, name, 0);
		else if (i == 1)
			cut_file(m, name, size - 1);
		else if (i == 2)
			modelfix_wipe(m, name, 0, size);
		else
			modelfix_spoil(m, name, i == 3 ? 90 : size - 1, 1);
		auditfix_make_sums(m);
		assert_int_equal(filemodel_size(m->fm, name), size);
		auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
		auditfix_expect_edited(m, deed.seq, deed.seq);
		auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	}
	/* Those of what was, before all digests were made anew, stay. */
	auditfix_rewrite_from(m, AUDITFIX_MIDDLE, &deed);
	auditfix_make_sums(m);
	auditfix_expect_edited(m, deed.seq, deed.seq);
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(sums_name_the_event_however_much_is_made_anew),
		MODEL_TEST(sums_are_a_cache),
		MODEL_TEST(sums_of_another_segment_are_none),
		MODEL_TEST(an_edited_header_of_a_frame_is_found),
		MODEL_TEST(sums_are_made_where_three_segments_find_room),
		MODEL_TEST(no_sums_are_made_of_what_was_edited),
		MODEL_TEST(segments_behind_an_edited_one_get_their_sums),
		MODEL_TEST(
		    segments_behind_one_that_cannot_be_read_get_their_sums),
		MODEL_TEST(sums_that_are_not_whole_are_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
