/* SPDX-License-Identifier: BSD-2-Clause */

/* One archive: what is written is read, and no damaged byte gives a row. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/reason.h"
#include "core/row.h"
#include "log/archive.h"
#include "tests/lib/tmpdir.h"

static const struct archive_id id = {
	.log_id = { 1, 2, 3, 4 },
	.epoch = 5,
	.seq = 4711,
	.rules_version = 7,
	.floor = 9,
};

/* Row i of a file: topics ascend, sizes differ. */
static void
row_of(unsigned i, size_t value_len, struct mp_buf *marked)
{
	CLEANUP(mp_buf_deinit) struct mp_buf value = { 0 };
	CLEANUP(freep) uint8_t *bytes = calloc(1, value_len + 1);
	char topic[32];
	struct row row;
	uint8_t *p;

	for (size_t k = 0; k < value_len; k++)
		bytes[k] = (uint8_t)(i * 31 + k * k);
	snprintf(topic, sizeof(topic), "t.%06u", 2 * i);
	mp_pack_bin(&value, slice_of(bytes, value_len));
	row = (struct row){
		.topic = slice_cstr(topic),
		.version = 1 + i % 5,
		.seq = i + 1,
		.created_us = 1000 + i,
		.updated_us = 2000 + i,
		.deleted = i % 3 == 0,
		.value = slice_of(value.p, value.len),
	};
	marked->len = 0;
	mp_pack_uint(marked, row_size(&row) << 1 | (i % 6 == 0));
	p = mp_buf_reserve(marked, row_size(&row));
	assert_non_null(p);
	marked->len += (size_t)(row_encode(&row, p) - p);
}

static uint64_t
write_archive(struct tmpdir *dir, unsigned rows, size_t value_len)
{
	CLEANUP(archive_writer_freep) struct archive_writer *w = NULL;
	CLEANUP(mp_buf_deinit) struct mp_buf marked = { 0 };
	struct reason why;
	uint64_t bytes;

	assert_int_equal(
	    archive_create(&sysio_posix, dir->fd, ARCHIVE_TMP, &id, &w, &why),
	    0);
	for (unsigned i = 0; i < rows; i++) {
		row_of(i, value_len, &marked);
		assert_int_equal(
		    archive_put(w, slice_of(marked.p, marked.len), &why), 0);
	}
	assert_int_equal(archive_finish(w, &bytes, &why), 0);
	return bytes;
}

/* Rows until the end or damage; each must be what was written. */
static int
read_rows(struct archive *a, size_t value_len, unsigned first, unsigned *n)
{
	CLEANUP(mp_buf_deinit) struct mp_buf want = { 0 };
	struct archive_row row;
	struct mp_item mark;
	struct mp_walk w;
	struct reason why;
	int got;

	*n = first;
	while ((got = archive_next(a, &row, &why)) == ARCHIVE_ROW) {
		row_of(*n, value_len, &want);
		w = mp_walk(slice_of(want.p, want.len));
		assert_true(mp_next(&w, &mark));
		assert_int_equal(row.row.len, (size_t)(w.end - w.p));
		assert_memory_equal(row.row.p, w.p, row.row.len);
		assert_int_equal(row.dropped, *n % 6 == 0);
		++*n;
	}
	return got;
}

static void
what_is_written_is_read(void **state)
{
	static const struct {
		unsigned rows;
		size_t len;
	} cases[] = { { 0, 0 }, { 1, 10 }, { 5000, 100 }, { 10, 98000 },
		{ 3, 1 << 20 } };

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t bytes =
		    write_archive(*state, cases[i].rows, cases[i].len);
		CLEANUP(archive_freep) struct archive *a = NULL;
		struct tmpdir *dir = *state;
		struct reason why;
		unsigned n;

		assert_false(tmpdir_has(dir, "archive.tmp"));
		assert_int_equal(
		    archive_open(&sysio_posix, dir->fd, id.seq, &a, &why),
		    ARCHIVE_ROW);
		assert_memory_equal(archive_id(a), &id, sizeof(id));
		assert_int_equal(archive_rows(a), cases[i].rows);
		assert_int_equal(archive_bytes(a), bytes);
		assert_int_equal(archive_verify(a, &why), ARCHIVE_ROW);
		assert_int_equal(
		    read_rows(a, cases[i].len, 0, &n), ARCHIVE_END);
		assert_int_equal(n, cases[i].rows);
	}
}

static void
a_seek_leads_to_the_first_row_at_or_behind_a_topic(void **state)
{
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct tmpdir *dir = *state;
	struct archive_row row;
	struct reason why;
	unsigned rows = 4000, n;
	char topic[32];

	(void)write_archive(dir, rows, 100);
	assert_int_equal(
	    archive_open(&sysio_posix, dir->fd, id.seq, &a, &why), ARCHIVE_ROW);
	/* Forward in small steps and large, and back. */
	for (unsigned i = 0; i < 6000; i++) {
		unsigned k = i < 4000 ? i * 2 + i % 3 : i * 7919 % 8004;
		int got;

		snprintf(topic, sizeof(topic), "t.%06u", k);
		archive_seek(a, slice_cstr(topic));
		got = archive_next(a, &row, &why);
		if ((k + 1) / 2 >= rows) {
			assert_int_equal(got, ARCHIVE_END);
			continue;
		}
		assert_int_equal(got, ARCHIVE_ROW);
		snprintf(topic, sizeof(topic), "t.%06u", (k + 1) / 2 * 2);
		assert_true(slice_is(row.topic, topic));
	}
	archive_seek(a, slice_of("", 0));
	assert_int_equal(read_rows(a, 100, 0, &n), ARCHIVE_END);
	assert_int_equal(n, rows);
	archive_seek(a, SLICE_STR("zzz"));
	assert_int_equal(archive_next(a, &row, &why), ARCHIVE_END);
}

static void
one_that_is_not_finished_leaves_nothing(void **state)
{
	struct tmpdir *dir = *state;
	CLEANUP(mp_buf_deinit) struct mp_buf marked = { 0 };
	struct archive_writer *w;
	struct reason why;

	assert_int_equal(
	    archive_create(&sysio_posix, dir->fd, ARCHIVE_TMP, &id, &w, &why),
	    0);
	row_of(0, 10, &marked);
	assert_int_equal(
	    archive_put(w, slice_of(marked.p, marked.len), &why), 0);
	(void)archive_writer_free(w);
	assert_int_equal(tmpdir_count(dir), 0);
}

/* Is the file refused as a whole, and no wrong row read from it? */
static void
expect_damage(struct tmpdir *dir, unsigned rows, size_t at)
{
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct reason why = { "" };
	unsigned n;
	int got = archive_open(&sysio_posix, dir->fd, id.seq, &a, &why);

	if (got == ARCHIVE_ROW) {
		/* What is read is right, as far as it goes. */
		got = read_rows(a, 300, 0, &n);
		assert_true(got == ARCHIVE_DAMAGED ||
			    (got == ARCHIVE_END && n == rows));
		got = archive_verify(a, &why);
	}
	if (got != ARCHIVE_DAMAGED)
		fail_msg("damage at %zu is not seen", at);
	assert_non_null(strstr(why.text, "archive-"));
}

static void
no_damaged_byte_passes(void **state)
{
	enum {
		ROWS = 1200
	};
	struct tmpdir *dir = *state;
	char name[ARCHIVE_NAME_SIZE];
	uint64_t bytes = write_archive(dir, ROWS, 300);
	uint8_t byte;
	size_t step;
	int fd;

	archive_name(name, id.seq);
	fd = openat(dir->fd, name, O_RDWR);
	assert_true(fd >= 0);
	/* Each byte of head and end, and a good many between. */
	for (size_t at = 0; at < bytes; at += step) {
		step = at < 200 || bytes - at < 600 ? 1 : 401;
		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= (uint8_t)(1 << at % 8);
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		expect_damage(dir, ROWS, at);
		byte ^= (uint8_t)(1 << at % 8);
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	for (size_t at = bytes - 1; at > 0; at -= MIN(at, 997)) {
		assert_int_equal(ftruncate(fd, (off_t)at), 0);
		expect_damage(dir, ROWS, at);
	}
	assert_int_equal(ftruncate(fd, 0), 0);
	expect_damage(dir, ROWS, 0);
	(void)close(fd);
}

static void
one_under_the_name_of_another_is_damaged(void **state)
{
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct tmpdir *dir = *state;
	char from[ARCHIVE_NAME_SIZE], to[ARCHIVE_NAME_SIZE];
	struct reason why;

	(void)write_archive(dir, 3, 10);
	archive_name(from, id.seq);
	archive_name(to, id.seq + 1);
	assert_int_equal(renameat(dir->fd, from, dir->fd, to), 0);
	assert_int_equal(
	    archive_open(&sysio_posix, dir->fd, id.seq + 1, &a, &why),
	    ARCHIVE_DAMAGED);
	assert_int_equal(
	    archive_open(&sysio_posix, dir->fd, id.seq, &a, &why), -ENOENT);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(a_seek_leads_to_the_first_row_at_or_behind_a_topic),
		TEST(one_that_is_not_finished_leaves_nothing),
		TEST(no_damaged_byte_passes),
		TEST(one_under_the_name_of_another_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
