/* SPDX-License-Identifier: BSD-2-Clause */

/* Blocks there and back, and damaged ones refused within their bytes. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/zstd.h"
#include "tests/lib/mpgen.h"

enum {
	LONGEST = 300000
};

static uint8_t bytes[LONGEST];
static struct mpgen gen;

/* Compressible as rows are: the same words over and over. */
static int
fill(void **state)
{
	mpgen_seed(&gen);
	for (size_t i = 0; i < LONGEST; i++)
		bytes[i] =
		    i % 16 ? (uint8_t)i : (uint8_t)mpgen_below(&gen, 256);
	return 0;
}

static void
blocks_of_all_lengths_come_back(void **state)
{
	static const size_t lengths[] = { 0, 1, 2, 255, 256, 257, 65536, 131071,
		131072, 131073, LONGEST };
	CLEANUP(mp_buf_deinit) struct mp_buf packed = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
	CLEANUP(zstd_deinit) struct zstd z = { 0 };

	mp_buf_bytes(&packed, "before", 6);
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		struct slice in = slice_of(bytes, lengths[i]);

		packed.len = 6;
		back.len = 0;
		assert_int_equal(
		    zstd_compress_block(&z, 1 + (int)i, in, &packed), 0);
		assert_memory_equal(packed.p, "before", 6);
		assert_int_equal(
		    zstd_decompress_block(&z,
			slice_of(packed.p + 6, packed.len - 6), in.len, &back),
		    0);
		assert_true(slice_equal(slice_of(back.p, back.len), in));
	}
	assert_true(packed.len < LONGEST / 4);
}

static void
equal_bytes_give_equal_blocks_whatever_came_before(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf a = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	CLEANUP(zstd_deinit) struct zstd used = { 0 };
	CLEANUP(zstd_deinit) struct zstd fresh = { 0 };
	struct slice in = slice_of(bytes, 50000);

	assert_int_equal(zstd_compress_block(&used, 9,
			     slice_of(bytes + 1000, LONGEST - 1000), &a),
	    0);
	a.len = 0;
	assert_int_equal(zstd_compress_block(&used, 3, in, &a), 0);
	assert_int_equal(zstd_compress_block(&fresh, 3, in, &b), 0);
	assert_true(slice_equal(slice_of(a.p, a.len), slice_of(b.p, b.len)));
}

static void
more_than_is_allowed_is_refused_before_memory_is_taken(void **state)
{
	/* A frame's head alone: single segment, 2^40 bytes declared. */
	static const uint8_t bomb[] = { 0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0,
		0, 0, 1, 0, 0, 1, 0, 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf packed = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
	CLEANUP(zstd_deinit) struct zstd z = { 0 };
	struct slice block;

	assert_int_equal(
	    zstd_compress_block(&z, 3, slice_of(bytes, 1000), &packed), 0);
	block = slice_of(packed.p, packed.len);
	assert_int_equal(zstd_decompress_block(&z, block, 999, &back), -EPROTO);
	assert_null(back.p);
	assert_int_equal(zstd_decompress_block(&z, block, 1000, &back), 0);
	assert_int_equal(zstd_decompress_block(&z, block, 1001, &back), 0);
	assert_int_equal(back.len, 2000);
	assert_int_equal(zstd_decompress_block(
			     &z, slice_of(bomb, sizeof(bomb)), LONGEST, &back),
	    -EPROTO);
	assert_int_equal(back.len, 2000);
}

/* A block in memory of exactly its length; what comes of it is bounded. */
static int
decompressed(struct slice block, struct mp_buf *back)
{
	CLEANUP(zstd_deinit) struct zstd z = { 0 };
	uint8_t *exact CLEANUP(freep) = malloc(block.len + !block.len);
	int err;

	assert_non_null(exact);
	memcpy(exact, block.p, block.len);
	back->len = 0;
	err = zstd_decompress_block(
	    &z, slice_of(exact, block.len), LONGEST, back);
	assert_true(err == 0 || (err == -EPROTO && back->len == 0));
	return err;
}

static void
what_is_not_exactly_one_block_is_refused(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf packed = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
	CLEANUP(zstd_deinit) struct zstd z = { 0 };
	size_t len;

	assert_int_equal(
	    zstd_compress_block(&z, 3, slice_of(bytes, 3000), &packed), 0);
	len = packed.len;
	assert_int_equal(decompressed(slice_of(packed.p, len), &back), 0);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(
		    decompressed(slice_of(packed.p, n), &back), -EPROTO);
	mp_buf_bytes(&packed, "", 1);
	assert_int_equal(
	    decompressed(slice_of(packed.p, len + 1), &back), -EPROTO);
	packed.len = len;
	assert_int_equal(
	    zstd_compress_block(&z, 3, slice_of(bytes, 3000), &packed), 0);
	assert_int_equal(
	    decompressed(slice_of(packed.p, packed.len), &back), -EPROTO);
}

static void
no_damage_leads_beyond_the_bytes_that_are_there(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf packed = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
	CLEANUP(zstd_deinit) struct zstd z = { 0 };
	unsigned refused = 0;

	assert_int_equal(
	    zstd_compress_block(&z, 3, slice_of(bytes, 9000), &packed), 0);
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t *p = packed.p + mpgen_below(&gen, (uint32_t)packed.len);
		uint8_t was = *p;

		*p ^= (uint8_t)(1 + mpgen_below(&gen, 255));
		refused +=
		    decompressed(slice_of(packed.p, packed.len), &back) < 0;
		*p = was;
	}
	assert_true(refused > 0);
	assert_int_equal(
	    decompressed(slice_of(packed.p, packed.len), &back), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_all_lengths_come_back),
		cmocka_unit_test(
		    equal_bytes_give_equal_blocks_whatever_came_before),
		cmocka_unit_test(
		    more_than_is_allowed_is_refused_before_memory_is_taken),
		cmocka_unit_test(what_is_not_exactly_one_block_is_refused),
		cmocka_unit_test(
		    no_damage_leads_beyond_the_bytes_that_are_there),
	};

	return cmocka_run_group_tests_name("zstd", tests, fill, NULL);
}
