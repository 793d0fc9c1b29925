/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The log's bytes against doc/formats.md: offsets are written out here as
 * they stand there, and no code of log/ reads them.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/sha256.h"
#include "log/index.h"
#include "log/witness.h"
#include "tests/lib/filemodel.h"
#include "tests/lib/logfix.h"

enum {
	CAPACITY = 192 << 10
};

struct image {
	struct filemodel *fm;
	struct logfix fx;
	uint8_t first[CAPACITY], second[CAPACITY];
	uint64_t second_seq;
};

static void
copy_bytes(void *arg, uint8_t *bytes, uint64_t size)
{
	memcpy(arg, bytes, size);
}

static void
copy_file(struct image *im, const char *name, uint8_t *to, uint64_t size)
{
	assert_int_equal(filemodel_size(im->fm, name), size);
	filemodel_edit(im->fm, name, copy_bytes, to);
}

/* A sealed segment, one behind it, and in both a flush of two frames. */
static int
image_setup(void **state)
{
	struct image *im = calloc(1, sizeof(*im));
	char name[] = "00000000000000000001-0000000001.seg";

	assert_non_null(im);
	im->fm = filemodel_new(3);
	logfix_init(&im->fx, filemodel_io(im->fm), filemodel_root(im->fm));
	im->fx.segment_bytes = CAPACITY;
	logfix_start(&im->fx);
	assert_int_equal(logfix_stamp(&im->fx, 1), 0);
	assert_int_equal(logfix_stamp(&im->fx, 3), 0);
	assert_int_equal(logfix_flush(&im->fx), 0);
	assert_int_equal(logfix_idle(&im->fx), 0);
	while (log_writer_room(im->fx.lw) >= 4096)
		logfix_fill(&im->fx, 1, 10);
	im->second_seq = im->fx.next_seq;
	logfix_fill(&im->fx, 1, 2);
	copy_file(im, name, im->first, CAPACITY);
	snprintf(name, sizeof(name), "%020d-%010d.seg", (int)im->second_seq, 1);
	copy_file(im, name, im->second, CAPACITY);
	*state = im;
	return 0;
}

static int
image_teardown(void **state)
{
	struct image *im = *state;

	logfix_deinit(&im->fx);
	filemodel_free(im->fm);
	free(im);
	return 0;
}

static void
assert_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(p[i], 0);
}

static void
both_headers_are_as_documented(void **state)
{
	const struct image *im = *state;
	const uint8_t *p = im->first;

	assert_memory_equal(p, p + 4096, 4096);
	assert_memory_equal(p, "peal.seg", 8);
	assert_int_equal(get_le32(p + 8), 2);
	assert_int_not_equal(get_le32(p + 12), 0);
	assert_memory_equal(p + 16, im->fx.tail.log_id, 16);
	assert_int_equal(get_le64(p + 32), 1);
	assert_int_equal(get_le64(p + 40), 1);
	assert_int_equal(get_le64(p + 48), 1);
	assert_int_equal(get_le64(p + 56), CAPACITY);
	assert_int_equal(get_le32(p + 64), 1);
	assert_zero(p + 68, 4092 - 68);
	assert_int_equal(get_le32(p + 4092), crc32c(0, p, 4092));
}

/* Check the frame at p, under the salt; returns its length. */
static uint32_t
check_frame(const uint8_t *p, uint32_t salt, unsigned type, unsigned n,
    uint64_t seq, uint64_t durable)
{
	uint32_t len = get_le32(p + 8);

	assert_memory_equal(p, "\xd5\x6e\x7a\xf1", 4);
	assert_int_equal(get_le32(p + 4), crc32c(salt, p + 8, 56));
	assert_int_equal(p[12], type);
	assert_int_equal(p[13], 0);
	assert_int_equal(get_le16(p + 14), n);
	assert_int_equal(get_le64(p + 16), seq);
	assert_int_equal(get_le64(p + 24), durable);
	assert_int_equal(get_le32(p + 40), crc32c(salt, p + 64, len));
	return 64 + len;
}

static void
frames_and_padding_are_as_documented(void **state)
{
	const struct image *im = *state;
	uint32_t salt = get_le32(im->first + 12), one, two;
	const uint8_t *p = im->first + 8192;
	uint8_t event[LOGFIX_EVENT_MAX], digest[32];
	size_t len = logfix_event(1, event);
	struct sha256 sum = { NULL };

	one = check_frame(p, salt, 1, 1, 1, 0);
	assert_int_equal(get_le64(p + 32), 1000001);
	assert_int_equal(get_le32(p + 44), 0);
	assert_int_equal(get_le64(p + 56), 1);
	assert_int_equal(get_le32(p + 64), len);
	assert_int_equal(get_le32(p + 68), crc32c(0, event, len));
	assert_memory_equal(p + 72, event, len);
	assert_int_equal(one, 64 + 8 + len);
	two = check_frame(p + one, salt, 1, 3, 2, 0);
	assert_int_equal(get_le32(p + one + 44), one);
	assert_int_equal(get_le64(p + one + 56), 1);
	assert_zero(p + one + two, 4096 - one - two);
	/* The IDLE frame, a flush of its own. */
	assert_int_equal(check_frame(p + 4096, salt, 2, 0, 5, 4), 64 + 32);
	sha256_init(&sum);
	sha256_update(&sum, im->first, 4096);
	sha256_update(&sum, p, one + two);
	sha256_final(&sum, digest);
	sha256_deinit(&sum);
	assert_memory_equal(p + 4096 + 64, digest, 32);
	assert_int_equal(get_le32(p + 4096 + 44), two);
	assert_int_equal(get_le64(p + 4096 + 56), 2);
	check_frame(p + 8192, salt, 1, 10, 5, 4);
	assert_int_equal(get_le64(p + 8192 + 56), 3);
}

/* Where the last frame of the first segment begins. */
static const uint8_t *
last_frame(const struct image *im)
{
	const uint8_t *p = im->first + CAPACITY - 2 * 4096;

	while (memcmp(p, "\xd5\x6e\x7a\xf1", 4) != 0)
		p -= 4096;
	return p;
}

static void
the_seal_is_as_documented(void **state)
{
	const struct image *im = *state;
	const uint8_t *p = im->first + CAPACITY - 4096, *last = last_frame(im);
	uint32_t salt = get_le32(im->first + 12);
	uint32_t last_len = 64 + get_le32(last + 8);
	uint64_t end = im->second_seq - 1, frames = 2;
	uint8_t text[116] = { 0 }, chain[32];
	struct sha256 sum = { NULL };
	uint32_t len;

	for (const uint8_t *q = im->first + 12288; q <= last; q += 4096)
		frames++;
	assert_int_equal(check_frame(p, salt, 3, 0, end + 1, end), 64 + 104);
	assert_int_equal(get_le32(p + 44), last_len);
	assert_int_equal(get_le64(p + 56), get_le64(last + 56) + 1);
	p += 64;
	assert_int_equal(get_le64(p), 1);
	assert_int_equal(get_le64(p + 8), end);
	assert_int_equal(get_le64(p + 16), frames);
	assert_int_equal(
	    get_le64(p + 24), (uint64_t)(last - im->first) + last_len);
	assert_int_equal(get_le32(p + 32), get_le32(last + 4));
	assert_int_equal(get_le32(p + 36), 0);
	memcpy(text + 32, im->fx.tail.log_id, 16);
	put_le64(text + 48, 1);
	put_le64(text + 56, 1);
	put_le64(text + 64, end);
	put_le64(text + 72, (uint64_t)(last - im->first) + last_len);
	put_le32(text + 80, get_le32(last + 4));
	sha256_init(&sum);
	sha256_update(&sum, im->first, 4096);
	for (const uint8_t *q = im->first + 8192; q <= last;
	     q += (len + 4095) / 4096 * 4096) {
		len = 64 + get_le32(q + 8);
		/* The second frame of the first flush. */
		if (q == im->first + 8192)
			len += 64 + get_le32(q + len + 8);
		sha256_update(&sum, q, len);
	}
	sha256_final(&sum, text + 84);
	sha256_deinit(&sum);
	assert_memory_equal(p + 72, text + 84, 32);
	sha256(text, sizeof(text), chain);
	assert_memory_equal(p + 40, chain, 32);
	assert_zero(p + 104, 4096 - 64 - 104);
}

static void
the_next_header_repeats_the_footer(void **state)
{
	const struct image *im = *state;
	const uint8_t *p = im->second;
	const uint8_t *footer = im->first + CAPACITY - 4096 + 64;

	assert_int_equal(get_le64(p + 40), 2);
	assert_int_equal(get_le64(p + 48), im->second_seq);
	assert_int_equal(get_le64(p + 72), 1);
	assert_memory_equal(p + 80, footer, 16);
	assert_memory_equal(p + 96, footer + 24, 80);
	assert_int_equal(get_le32(p + 4092), crc32c(0, p, 4092));
	assert_int_not_equal(get_le32(p + 12), get_le32(im->first + 12));
	check_frame(p + 8192, get_le32(p + 12), 1, 2, im->second_seq,
	    im->second_seq - 1);
	assert_int_equal(get_le32(p + 8192 + 44), 0);
}

static void
the_index_is_as_documented(void **state)
{
	struct image *im = *state;
	const char *name = "00000000000000000001-0000000001.idx";
	int64_t size = filemodel_size(im->fm, name);
	uint64_t n = (uint64_t)(size - 52) / 24, offset = 8192;
	uint8_t *p = malloc((size_t)size);

	assert_true(n >= 2 && size == (int64_t)(52 + 24 * n));
	copy_file(im, name, p, (uint64_t)size);
	assert_memory_equal(p, "peal.idx", 8);
	assert_int_equal(get_le32(p + 8), 1);
	assert_memory_equal(p + 12, im->first + 12, 20);
	assert_int_equal(get_le64(p + 32), 1);
	assert_int_equal(get_le64(p + 40), n);
	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *e = p + 48 + i * 24;
		const uint8_t *frame = im->first + get_le64(e + 8);

		assert_true(get_le64(e + 8) >= offset);
		assert_int_equal(get_le64(e), get_le64(frame + 16));
		assert_int_equal(get_le64(e + 16), get_le64(frame + 32));
		offset = get_le64(e + 8) + (64 << 10);
	}
	assert_int_equal(
	    get_le32(p + size - 4), crc32c(0, p, (size_t)size - 4));
	free(p);
}

static void
the_witness_is_as_documented(void **state)
{
	struct image *im = *state;
	CLEANUP(witness_freep) struct witness *wit = NULL;
	uint8_t p[64];

	assert_int_equal(witness_open(im->fx.io, im->fx.dirfd, WITNESS_NAME,
			     im->fx.tail.log_id, 9, &wit, &im->fx.why),
	    0);
	assert_int_equal(witness_store(wit, 77), 0);
	copy_file(im, "durable.wit", p, sizeof(p));
	assert_memory_equal(p, "peal.wit", 8);
	assert_int_equal(get_le32(p + 8), 1);
	assert_int_equal(get_le32(p + 12), 0);
	assert_memory_equal(p + 16, im->fx.tail.log_id, 16);
	assert_int_equal(get_le64(p + 32), 9);
	assert_int_equal(get_le64(p + 40), 77);
	assert_zero(p + 48, 12);
	assert_int_equal(get_le32(p + 60), crc32c(0, p, 60));
}

static void
a_damaged_index_is_not_used(void **state)
{
	struct image *im = *state;
	const char *name = "00000000000000000001-0000000001.idx";
	struct segment_header seg = { .first_seq = 1,
		.incarnation = 1,
		.number = 1,
		.capacity = CAPACITY };
	uint64_t size = (uint64_t)filemodel_size(im->fm, name);
	struct index ix = { 0 };
	int fd;

	seg.salt = get_le32(im->first + 12);
	memcpy(seg.log_id, im->fx.tail.log_id, 16);
	assert_int_equal(
	    index_read(im->fx.io, im->fx.dirfd, &seg, &ix), INDEX_READ);
	assert_true(ix.n >= 2);
	assert_int_equal(index_find(&ix, ix.v[1].seq)->seq, ix.v[1].seq);
	assert_int_equal(index_find(&ix, ix.v[1].seq - 1)->seq, ix.v[0].seq);
	assert_null(index_find(&ix, 0));
	index_deinit(&ix);
	seg.salt++;
	assert_int_equal(
	    index_read(im->fx.io, im->fx.dirfd, &seg, &ix), INDEX_NONE);
	seg.salt--;
	fd = sysio_openat(im->fx.io, im->fx.dirfd, name, O_RDWR, 0);
	assert_int_equal(sysio_pwrite(im->fx.io, fd, "x", 1, size / 2), 0);
	assert_int_equal(
	    index_read(im->fx.io, im->fx.dirfd, &seg, &ix), INDEX_NONE);
	assert_int_equal(sysio_ftruncate(im->fx.io, fd, 20), 0);
	assert_int_equal(
	    index_read(im->fx.io, im->fx.dirfd, &seg, &ix), INDEX_NONE);
	(void)sysio_close(im->fx.io, fd);
}

#define IMAGE_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, image_setup, image_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(both_headers_are_as_documented),
		IMAGE_TEST(frames_and_padding_are_as_documented),
		IMAGE_TEST(the_seal_is_as_documented),
		IMAGE_TEST(the_next_header_repeats_the_footer),
		IMAGE_TEST(the_index_is_as_documented),
		IMAGE_TEST(the_witness_is_as_documented),
		IMAGE_TEST(a_damaged_index_is_not_used),
	};

	return cmocka_run_group_tests_name("log_format", tests, NULL, NULL);
}
