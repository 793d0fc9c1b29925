/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Bases that say of whom they are: one of another log or event, or with rows
 * that are, is never taken for the one that is asked for.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "log/archive.h"
#include "log/base.h"
#include "log/format_priv.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"

enum {
	SEQ = 41
};

static const struct base_id whole = { .log_id = "of this log",
	.epoch = 3,
	.seq = SEQ,
	.time_us = 1 };

/* A base of id, whose rows are of rows. */
static void
make_base(
    struct modelfix *m, const struct base_id *id, const struct archive_id *rows)
{
	static const uint8_t put[2 * LOG_PAGE];
	CLEANUP(base_writer_freep) struct base_writer *w = NULL;
	CLEANUP(archive_freep) struct archive *opened = NULL;
	struct logfix *fx = &m->fx;
	uint64_t bytes;
	int fd;

	assert_int_equal(retainfix_rows(fx, rows, &fd, &bytes), 0);
	assert_int_equal(base_create(fx->io, fx->dirfd, id, &w, &fx->why), 0);
	assert_int_equal(base_put_rows(w, fx->io, fd, bytes, &opened, &fx->why),
	    ARCHIVE_ROW);
	assert_int_equal(base_put(w, put, sizeof(put), &fx->why), 0);
	assert_int_equal(base_finish(w, &fx->why), 0);
	(void)sysio_close(fx->io, fd);
}

static struct archive_id
rows_of(const struct base_id *id)
{
	struct archive_id rows = { .epoch = id->epoch, .seq = id->seq };

	memcpy(rows.log_id, id->log_id, sizeof(rows.log_id));
	return rows;
}

/* What comes of asking for the base of seq. */
static int
ask(struct modelfix *m, uint64_t seq)
{
	CLEANUP(base_freep) struct base *base = NULL;
	int got = base_open(
	    m->fx.io, m->fx.dirfd, seq, whole.log_id, &base, &m->fx.why);

	if (got == BASE_OPENED) {
		assert_int_equal(base_id(base)->seq, seq);
		assert_int_equal(base_id(base)->epoch, whole.epoch);
		assert_int_equal(base_verify(base, &m->fx.why), BASE_OPENED);
	}
	return got;
}

static void
one_is_what_was_put_into_it(void **state)
{
	struct archive_id rows = rows_of(&whole);
	struct modelfix *m = *state;

	make_base(m, &whole, &rows);
	assert_int_equal(ask(m, SEQ), BASE_OPENED);
}

static void
one_of_another_log_is_none(void **state)
{
	struct base_id id = whole;
	struct archive_id rows;
	struct modelfix *m = *state;

	id.log_id[15] ^= 1;
	rows = rows_of(&id);
	make_base(m, &id, &rows);
	assert_int_equal(ask(m, SEQ), BASE_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "of another log"));
}

/* Put there by a hand that meant to help. */
static void
one_of_another_event_is_none_whatever_its_name(void **state)
{
	struct archive_id rows = rows_of(&whole);
	char name[BASE_NAME_SIZE], other[BASE_NAME_SIZE];
	struct modelfix *m = *state;

	make_base(m, &whole, &rows);
	base_name(name, SEQ);
	base_name(other, SEQ + 1);
	filemodel_put_aside(m->fm, name, other);
	assert_int_equal(ask(m, SEQ + 1), BASE_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "its name is another's"));
}

static void
rows_of_another_event_log_or_epoch_are_not_its_own(void **state)
{
	struct archive_id rows[3];
	struct modelfix *m = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = rows_of(&whole);
	rows[0].seq++;
	rows[1].log_id[0] ^= 1;
	rows[2].epoch--;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make_base(m, &whole, &rows[i]);
		if (ask(m, SEQ) != BASE_DAMAGED ||
		    !strstr(m->fx.why.text, "its rows are of another"))
			fail_msg("rows %d: %s", (int)i, m->fx.why.text);
	}
}

/* A number of the trailer, whose CRC is made anew. */
struct trailer_edit {
	unsigned at;
	uint64_t value;
};

static void
edit_trailer(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct trailer_edit *e = arg;
	uint8_t *trailer = bytes + size - 256;

	put_le64(trailer + e->at, e->value);
	put_le32(trailer + 220, crc32c(0, trailer, 220));
}

/* What comes of asking for the base with one number of its trailer changed. */
static int
ask_edited(struct modelfix *m, unsigned at, uint64_t value)
{
	struct trailer_edit edit = { at, value };
	struct archive_id rows = rows_of(&whole);
	char name[BASE_NAME_SIZE];

	make_base(m, &whole, &rows);
	base_name(name, SEQ);
	filemodel_edit(m->fm, name, edit_trailer, &edit);
	return ask(m, SEQ);
}

static void
a_trailer_of_another_version_is_refused_by_name(void **state)
{
	struct modelfix *m = *state;

	assert_int_equal(ask_edited(m, 8, 9), -ENOTSUP);
	assert_non_null(strstr(m->fx.why.text, "format version 9"));
}

/* Its parts are the file, but for what fills the last page. */
static void
parts_that_are_not_the_whole_are_told(void **state)
{
	static const struct trailer_edit edits[] = { { 56, 0 },
		{ 56, UINT64_MAX }, { 56, 1 << 20 }, { 64, 5 },
		{ 64, UINT64_MAX }, { 64, 1 << 20 } };
	struct modelfix *m = *state;

	for (size_t i = 0; i < ARRAY_LEN(edits); i++)
		if (ask_edited(m, edits[i].at, edits[i].value) !=
			BASE_DAMAGED ||
		    !strstr(m->fx.why.text, "base-"))
			fail_msg("%d: %s", (int)i, m->fx.why.text);
	assert_int_equal(ask_edited(m, 64, 1 << 20), BASE_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "it is cut short"));
}

static void
a_file_that_was_cut_is_told(void **state)
{
	static const uint64_t lengths[] = { 0, 100, 255, 257, LOG_PAGE - 1 };
	struct archive_id rows = rows_of(&whole);
	struct modelfix *m = *state;
	char name[BASE_NAME_SIZE];
	int fd;

	base_name(name, SEQ);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		make_base(m, &whole, &rows);
		fd = sysio_openat(m->fx.io, m->fx.dirfd, name, O_RDWR, 0);
		assert_int_equal(sysio_ftruncate(m->fx.io, fd, lengths[i]), 0);
		(void)sysio_close(m->fx.io, fd);
		assert_int_equal(ask(m, SEQ), BASE_DAMAGED);
		assert_non_null(strstr(m->fx.why.text, "it is cut short"));
	}
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(one_is_what_was_put_into_it),
		MODEL_TEST(one_of_another_log_is_none),
		MODEL_TEST(one_of_another_event_is_none_whatever_its_name),
		MODEL_TEST(rows_of_another_event_log_or_epoch_are_not_its_own),
		MODEL_TEST(a_trailer_of_another_version_is_refused_by_name),
		MODEL_TEST(parts_that_are_not_the_whole_are_told),
		MODEL_TEST(a_file_that_was_cut_is_told),
	};

	return cmocka_run_group_tests_name("log_base", tests, NULL, NULL);
}
