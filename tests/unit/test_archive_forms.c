/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Archives whose checksums are all right, made by somebody with bad intent or
 * a bug: what they say of themselves is bounded all the same.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/topic.h"
#include "log/archive.h"
#include "log/archive_priv.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/tmpdir.h"

enum {
	ROW = 60000, /* bytes: each is a block of its own */
	BLOCKS = 4,
	MORE = 512, /* bytes that a test may add */
};

static const struct archive_id id = {
	.log_id = { 1, 2, 3, 4 },
	.epoch = 5,
	.seq = 4711,
};

/* A file in memory. */
struct form {
	struct tmpdir *dir;
	uint8_t *p;
	size_t len;
};

static char name[ARCHIVE_NAME_SIZE];

static uint8_t *
trailer_of(const struct form *f)
{
	return f->p + f->len - ARCHIVE_TRAILER;
}

static uint8_t *
index_of(const struct form *f)
{
	return f->p + get_le64(trailer_of(f) + ARCHIVE_END_INDEX);
}

/* Entry i of the index; its topics are of one length. */
static uint8_t *
entry_of(const struct form *f, unsigned i)
{
	uint8_t *p = index_of(f);

	return p + i * (ARCHIVE_ENTRY_HEAD + (size_t)get_le16(p + 8));
}

static struct archive_writer *
begin(struct tmpdir *dir)
{
	struct archive_writer *w = NULL;
	struct reason why;

	assert_int_equal(
	    archive_create(&sysio_posix, dir->fd, ARCHIVE_TMP, &id, &w, &why),
	    0);
	return w;
}

static void
put(struct archive_writer *w, const struct mp_buf *marked)
{
	struct reason why;

	assert_int_equal(
	    archive_put(w, slice_of(marked->p, marked->len), &why), 0);
}

static void
finish(struct archive_writer *w)
{
	struct reason why;
	uint64_t bytes;

	assert_int_equal(archive_finish(w, &bytes, &why), 0);
	(void)archive_writer_free(w);
}

/* As much of a row as the reader looks at, and a mark of so many bytes more. */
static void
row_of(struct mp_buf *marked, const char *topic, size_t filler, unsigned more)
{
	CLEANUP(mp_buf_deinit) struct mp_buf row = { 0 };
	CLEANUP(freep) uint8_t *zeros = calloc(1, filler + 1);

	mp_pack_array(&row, 2);
	mp_pack_str(&row, slice_cstr(topic));
	mp_pack_bin(&row, slice_of(zeros, filler));
	marked->len = 0;
	mp_pack_uint(marked, (row.len + more) << 1);
	mp_pack_raw(marked, slice_of(row.p, row.len));
}

static struct form
form_of(struct tmpdir *dir)
{
	CLEANUP(mp_buf_deinit) struct mp_buf marked = { 0 };
	struct archive_writer *w = begin(dir);
	struct form f = { .dir = dir };
	struct stat st;
	char topic[8];
	int fd;

	for (unsigned i = 0; i < BLOCKS; i++) {
		snprintf(topic, sizeof(topic), "t.%u", i);
		row_of(&marked, topic, ROW, 0);
		put(w, &marked);
	}
	finish(w);
	archive_name(name, id.seq);
	fd = openat(dir->fd, name, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	f.len = (size_t)st.st_size;
	f.p = malloc(f.len + MORE);
	assert_non_null(f.p);
	assert_int_equal(read(fd, f.p, f.len), f.len);
	(void)close(fd);
	assert_int_equal(get_le64(trailer_of(&f) + ARCHIVE_END_BLOCKS), BLOCKS);
	return f;
}

/* The n bytes p before the trailer, too: a longer index. */
static void
lengthen(struct form *f, const void *p, size_t n)
{
	uint8_t *t = trailer_of(f);

	memmove(t + n, t, ARCHIVE_TRAILER);
	memcpy(t, p, n);
	f->len += n;
	t += n;
	put_le64(t + ARCHIVE_END_INDEX_BYTES,
	    get_le64(t + ARCHIVE_END_INDEX_BYTES) + n);
}

/* All sums as they should be, and the file on disk. */
static void
store(struct form *f)
{
	uint8_t *t = trailer_of(f);
	uint64_t at = get_le64(t + ARCHIVE_END_INDEX);
	uint64_t len = get_le64(t + ARCHIVE_END_INDEX_BYTES);

	put_le32(f->p + ARCHIVE_AT_CRC, crc32c(0, f->p, ARCHIVE_AT_CRC));
	if (at <= f->len && len <= f->len - at)
		put_le32(t + ARCHIVE_END_INDEX_CRC, crc32c(0, f->p + at, len));
	put_le32(t + ARCHIVE_END_CRC, crc32c(0, t, ARCHIVE_END_CRC));
	sha256(f->p, f->len - SHA256_BYTES, t + ARCHIVE_END_SHA);
	(void)tmpdir_put(f->dir, name, slice_of(f->p, f->len));
}

/* Opening it says so, and keeps nothing. */
static void
refuse(struct form *f, const char *text)
{
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct reason why = { "" };
	unsigned before = descriptors_open();
	int got;

	store(f);
	got = archive_open(&sysio_posix, f->dir->fd, id.seq, &a, &why);
	if (got != ARCHIVE_DAMAGED || !strstr(why.text, text))
		fail_msg("%d, not '%s': %s", got, text, why.text);
	assert_null(a);
	assert_int_equal(descriptors_open(), before);
	free(f->p);
	f->p = NULL;
}

static void
one_that_is_right_opens_and_is_closed(void **state)
{
	struct form f = form_of(*state);
	struct archive *a = NULL;
	struct archive_row row;
	struct reason why;
	unsigned before = descriptors_open();

	store(&f);
	assert_int_equal(
	    archive_open(&sysio_posix, f.dir->fd, id.seq, &a, &why),
	    ARCHIVE_ROW);
	assert_int_equal(archive_verify(a, &why), ARCHIVE_ROW);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(archive_next(a, &row, &why), ARCHIVE_ROW);
	assert_int_equal(archive_next(a, &row, &why), ARCHIVE_END);
	(void)archive_free(a);
	assert_int_equal(descriptors_open(), before);
	free(f.p);
}

static void
a_trailer_is_of_the_same_archive_as_the_header(void **state)
{
	static const unsigned at[] = { ARCHIVE_END_LOG, ARCHIVE_END_LOG + 15,
		ARCHIVE_END_EPOCH, ARCHIVE_END_SEQ };

	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		struct form f = form_of(*state);

		trailer_of(&f)[at[i]] ^= 1;
		refuse(&f, "its trailer is another archive's");
	}
}

static void
a_version_that_is_not_known_is_not_read(void **state)
{
	struct form f = form_of(*state);

	put_le32(f.p + ARCHIVE_AT_VERSION, ARCHIVE_VERSION + 1);
	refuse(&f, "its version is not known");
}

static void
an_index_has_its_place(void **state)
{
	static const uint64_t at[] = { 0, ARCHIVE_HEADER - 1, UINT64_MAX };

	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		struct form f = form_of(*state);
		uint8_t *t = trailer_of(&f);
		uint64_t end = f.len - ARCHIVE_TRAILER;

		put_le64(t + ARCHIVE_END_INDEX, at[i]);
		put_le64(t + ARCHIVE_END_INDEX_BYTES, end - at[i]);
		refuse(&f, "its index is not in it");
	}
}

static void
an_index_ends_where_the_trailer_begins(void **state)
{
	struct form f;

	for (int by = -1; by <= 1; by += 2) {
		uint8_t *bytes;

		f = form_of(*state);
		bytes = trailer_of(&f) + ARCHIVE_END_INDEX_BYTES;
		put_le64(bytes, get_le64(bytes) + (uint64_t)by);
		refuse(&f, "its index is not in it");
	}
	f = form_of(*state);
	lengthen(&f, "x", 1);
	refuse(&f, "its index goes on");
}

static void
an_index_has_as_many_entries_as_the_trailer_says(void **state)
{
	struct form f = form_of(*state);

	put_le64(trailer_of(&f) + ARCHIVE_END_BLOCKS, BLOCKS - 1);
	refuse(&f, "its index goes on");
	f = form_of(*state);
	put_le64(trailer_of(&f) + ARCHIVE_END_BLOCKS, BLOCKS + 1);
	refuse(&f, "its index ends");
	/* Nor is memory asked for. */
	f = form_of(*state);
	put_le64(trailer_of(&f) + ARCHIVE_END_BLOCKS, UINT64_MAX);
	refuse(&f, "its index is not in it");
}

static void
a_topic_of_the_index_is_within_it(void **state)
{
	static const uint8_t long_topic[TOPIC_MAX + 1];
	struct form f = form_of(*state);

	put_le16(entry_of(&f, BLOCKS - 1) + 8, 4);
	refuse(&f, "its index ends");
	/* One of a length that none has. */
	f = form_of(*state);
	put_le16(entry_of(&f, BLOCKS - 1) + 8, 3 + sizeof(long_topic));
	lengthen(&f, long_topic, sizeof(long_topic));
	refuse(&f, "its index ends");
}

static void
a_block_begins_where_the_one_before_can_end(void **state)
{
	struct form f;

	/* The first behind the header, and not anywhere else. */
	for (int by = -1; by <= 1; by += 2) {
		f = form_of(*state);
		put_le64(index_of(&f), (uint64_t)(ARCHIVE_HEADER + by));
		refuse(&f, "its blocks are out of order");
	}
	f = form_of(*state);
	put_le64(entry_of(&f, 1), ARCHIVE_HEADER + ARCHIVE_BLOCK_HEAD - 1);
	refuse(&f, "its blocks are out of order");
}

static void
a_block_has_a_head_before_the_index(void **state)
{
	static const int behind[] = { 1 - ARCHIVE_BLOCK_HEAD, 0, 1, 1 << 20 };

	for (unsigned i = 0; i < ARRAY_LEN(behind); i++) {
		struct form f = form_of(*state);
		uint64_t end = get_le64(trailer_of(&f) + ARCHIVE_END_INDEX);

		put_le64(entry_of(&f, BLOCKS - 1), end + (uint64_t)behind[i]);
		refuse(&f, "its blocks are out of order");
	}
}

/* Until the first block that is not read; the sentence. */
static void
refuse_block(struct form *f, const char *text)
{
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct reason why = { "" };
	struct archive_row row;
	int got;

	if (f->p)
		store(f);
	assert_int_equal(
	    archive_open(&sysio_posix, f->dir->fd, id.seq, &a, &why),
	    ARCHIVE_ROW);
	assert_int_equal(archive_verify(a, &why), ARCHIVE_ROW);
	while ((got = archive_next(a, &row, &why)) == ARCHIVE_ROW)
		;
	if (got != ARCHIVE_DAMAGED || !strstr(why.text, text))
		fail_msg("%d, not '%s': %s", got, text, why.text);
	free(f->p);
	f->p = NULL;
}

/* The head of the second block, with its CRC. */
static void
change_head(struct form *f, unsigned at, uint32_t to)
{
	uint8_t *head = f->p + get_le64(entry_of(f, 1));
	uint64_t len = get_le64(entry_of(f, 2)) - get_le64(entry_of(f, 1));

	put_le32(head + at, to);
	put_le32(head + ARCHIVE_BLOCK_CRC,
	    crc32c(crc32c(0, head, ARCHIVE_BLOCK_CRC),
		head + ARCHIVE_BLOCK_HEAD, len - ARCHIVE_BLOCK_HEAD));
}

static void
the_head_of_a_block_is_bounded(void **state)
{
	struct form f = form_of(*state);
	uint32_t raw = get_le32(f.p + get_le64(entry_of(&f, 1)) + 4);

	change_head(&f, 0, 7);
	refuse_block(&f, "a block does not verify");
	f = form_of(*state);
	change_head(&f, 4, ARCHIVE_BLOCK_MAX + 1);
	refuse_block(&f, "a block does not verify");
	/* More or fewer bytes than it unpacks to; fewer or more rows. */
	for (int by = -1; by <= 1; by += 2) {
		f = form_of(*state);
		change_head(&f, 4, raw + (uint32_t)by);
		refuse_block(&f, "a block does not unpack");
	}
	f = form_of(*state);
	change_head(&f, 8, 2);
	refuse_block(&f, "a block ends within a row");
}

/* The row of this one is right, and what follows it in the block is not. */
static void
refuse_row(struct tmpdir *dir, const struct mp_buf *second, const char *text)
{
	CLEANUP(mp_buf_deinit) struct mp_buf first = { 0 };
	struct archive_writer *w = begin(dir);
	struct form f = { .dir = dir };

	row_of(&first, "a", 10, 0);
	put(w, &first);
	put(w, second);
	finish(w);
	refuse_block(&f, text);
}

static void
a_row_is_within_its_block(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf marked = { 0 };
	uint64_t mark = 3 << 1;
	double other;

	row_of(&marked, "b", 10, 1);
	refuse_row(*state, &marked, "a block ends within a row");
	row_of(&marked, "b", 10, 1 << 30);
	refuse_row(*state, &marked, "a block ends within a row");
	/* A mark of another type, whatever its bits would say. */
	memcpy(&other, &mark, sizeof(other));
	marked.len = 0;
	mp_pack_double(&marked, other);
	mp_pack_array(&marked, 1);
	mp_pack_str(&marked, SLICE_STR("b"));
	refuse_row(*state, &marked, "a block ends within a row");
}

static void
a_row_is_an_array_that_begins_with_its_topic(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf marked = { 0 };

	mp_pack_uint(&marked, 2 << 1);
	mp_pack_uint(&marked, 1);
	mp_pack_uint(&marked, 1);
	refuse_row(*state, &marked, "a row is none");
	marked.len = 0;
	mp_pack_uint(&marked, 3 << 1);
	mp_pack_uint(&marked, 1);
	mp_pack_str(&marked, SLICE_STR("b"));
	refuse_row(*state, &marked, "a row is none");
	marked.len = 0;
	mp_pack_uint(&marked, 2 << 1);
	mp_pack_array(&marked, 1);
	mp_pack_nil(&marked);
	refuse_row(*state, &marked, "a row is none");
	marked.len = 0;
	mp_pack_uint(&marked, 1 << 1);
	mp_pack_array(&marked, 1);
	refuse_row(*state, &marked, "a row is none");
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_is_right_opens_and_is_closed),
		TEST(a_trailer_is_of_the_same_archive_as_the_header),
		TEST(a_version_that_is_not_known_is_not_read),
		TEST(an_index_has_its_place),
		TEST(an_index_ends_where_the_trailer_begins),
		TEST(an_index_has_as_many_entries_as_the_trailer_says),
		TEST(a_topic_of_the_index_is_within_it),
		TEST(a_block_begins_where_the_one_before_can_end),
		TEST(a_block_has_a_head_before_the_index),
		TEST(the_head_of_a_block_is_bounded),
		TEST(a_row_is_within_its_block),
		TEST(a_row_is_an_array_that_begins_with_its_topic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
